/**
 * The server under attack, in an OS process of its own: `node server.mjs <socket>`. It answers questions on its channel.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { readFileSync } from "node:fs";
import process from "node:process";
import { serveControl } from "../../src/daemon/control/control-server.ts";
import { FakeManager } from "../fake-manager.ts";

/** What it says of itself. */
export interface Facts {
  readonly rssBytes: number;
  /** Of these, what no other OS process shares: without Node.js's own executable. */
  readonly privateBytes: number;
  readonly heapBytes: number;
  /** The longest time that the event loop was held, in milliseconds. */
  readonly heldMsMax: number;
  readonly logged: readonly string[];
  readonly listenersCount: number;
}

const manager = new FakeManager();
const logged: string[] = [];
const held = monitorEventLoopDelay({ resolution: 1 });
held.enable();
const collect = (globalThis as { gc?: () => void }).gc;

process.on("message", () => {
  collect?.();
  // Another thread gives back the memory of what was collected, and a second collection waits for it.
  collect?.();
  const { rss, heapUsed } = process.memoryUsage();
  const facts: Facts = {
    rssBytes: rss,
    privateBytes: privateBytes(),
    heapBytes: heapUsed,
    heldMsMax: held.max / 1e6,
    logged: logged.slice(0, 10),
    listenersCount: manager.listenersCount,
  };
  // What the collection itself took is not the server's.
  held.reset();
  process.send?.(facts);
});
function privateBytes(): number {
  const lines = readFileSync("/proc/self/smaps_rollup", "utf8").matchAll(/^Private_\w+: +(\d+) kB$/gm);
  return [...lines].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1024, 0);
}

process.on("disconnect", () => process.exit());

// Somebody has to say something, or streams are idle.
setInterval(() => {
  manager.asked.length = 0;
  for (let count = 0; count < 20; count += 1) manager.emit({ type: "note", at: count, sentence: "x".repeat(1000) });
}, 20);

await serveControl({
  socket: process.argv[2]!,
  manager,
  version: "0.0.0",
  log: (line) => {
    if (logged.length < 1000) logged.push(line);
  },
});
process.send?.("ready");
