/**
 * A healthy client, in an OS process of its own: every 10 ms it asks for the health and for the list, each on a connection
 * of its own, and keeps the time that they took. `node healthy.mjs <socket>`; the answer to any message is what it saw.
 */
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import process from "node:process";
import { managerClient } from "../../src/control/manager-client.ts";
import { HttpAnswerParser } from "../../src/platforms/node/http-answer.ts";
import { unixHttp } from "../../src/platforms/node/unix-http.ts";
import { connect } from "node:net";

/** What it saw. Latencies in milliseconds. */
export interface Health {
  readonly asked: number;
  readonly failures: readonly string[];
  readonly worstMs: number;
  readonly p999Ms: number;
  readonly medianMs: number;
  /** How long the machine kept this OS process from its work: a latency of so much says nothing of the server. */
  readonly heldMsMax: number;
}

/** Milliseconds between two questions. */
const everyMs = 10;

const socketPath = process.argv[2]!;
const client = managerClient(unixHttp(socketPath));
const latencies: number[] = [];
const failures: string[] = [];
const held = monitorEventLoopDelay({ resolution: 1 });
held.enable();

async function measure(what: string, ask: () => Promise<unknown>): Promise<void> {
  const before = performance.now();
  try {
    await ask();
  } catch (error) {
    failures.push(`${what}: ${String(error)}`);
  }
  latencies.push(performance.now() - before);
}

function health(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const parser = new HttpAnswerParser();
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
    socket.on("data", (bytes) => {
      parser.push(bytes);
      if (!parser.isComplete) return;
      if (parser.head?.status === 200) resolve();
      else reject(new Error(`status ${parser.head?.status}`));
      socket.destroy();
    });
    socket.write("GET /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  });
}

function report(): Health {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return {
    asked: latencies.length,
    failures: failures.slice(0, 10),
    worstMs: at(1),
    p999Ms: at(0.999),
    medianMs: at(0.5),
    heldMsMax: held.max / 1e6,
  };
}

setInterval(() => {
  void measure("health", health);
  void measure("list", () => client.list());
}, everyMs);
process.on("message", () => process.send?.(report()));
process.on("disconnect", () => process.exit());
