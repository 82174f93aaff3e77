/**
 * Fuzz: attacks on the control socket, many at a time, and what is to be held against them: the server lives, whole requests
 * get their right answers, every connection ends, a healthy client is served, nothing is left in memory.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { HttpAnswerParser } from "../../src/platforms/node/http-answer.ts";
import { withAllocator } from "../../src/daemon/boot/allocator.ts";
import { daemonNodeOptions } from "../../src/daemon/boot/node-options.ts";
import { attackOf, type Attack } from "./attack.ts";
import type { Health } from "./healthy.ts";
import type { Facts } from "./server.ts";

/** How much more private memory the server may have at the end than before the first request, in bytes. */
const growthMaxBytes = 10_000_000;
/** How long a connection may last before it counts as hung; the server's own limits are shorter. */
const hungMs = 30_000;

export interface FuzzOptions {
  readonly seed: number;
  /** Requests at least. */
  readonly requests: number;
  /** Attacks under way at a time. */
  readonly atOnce: number;
  /** The files of server and healthy client. */
  readonly serverFile: string;
  readonly healthyFile: string;
  /** How the server's Node.js is started. */
  readonly nodeFlags: readonly string[];
  /** The attacker's priority from then on, and of the two others the opposite where that is allowed: neither the attacker's
   * work nor that of others on the machine is what is measured. Default: as it is. */
  readonly nice?: number;
  readonly progress?: (requests: number) => void;
}

export interface FuzzReport {
  readonly seed: number;
  readonly requests: number;
  readonly attacks: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  /** What was wrong, with the attack's number; the first 20. */
  readonly failures: readonly string[];
  /** Before, after a tenth, at the end. */
  readonly facts: readonly [Facts, Facts, Facts];
  readonly health: Health;
  readonly seconds: number;
}

/** Attacks a server that is started for it. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const folder = mkdtempSync(join(tmpdir(), "colos-fuzz-"));
  const socket = join(folder, "control.sock");
  const server = fork(options.serverFile, [socket], {
    execArgv: ["--expose-gc", ...options.nodeFlags],
    env: withAllocator(process.env),
  });
  let healthy: ChildProcess | undefined;
  try {
    await once(server, "message");
    const first = (await askChild(server)) as Facts;
    healthy = fork(options.healthyFile, [socket], { execArgv: [] });
    if (options.nice !== undefined) prioritize(options.nice, [server, healthy]);
    const startedAt = Date.now();
    const campaign = new Campaign(options, socket);
    await campaign.run(options.requests / 10);
    const warm = (await askChild(server)) as Facts;
    await campaign.run(options.requests);
    const health = (await askChild(healthy)) as Health;
    const seconds = (Date.now() - startedAt) / 1000;
    healthy.disconnect();
    await once(healthy, "exit");
    await campaign.drained(async () => ((await askChild(server)) as Facts).listenersCount === 0);
    const last = (await askChild(server)) as Facts;
    return { ...campaign.report(), facts: [first, warm, last], health, seconds };
  } finally {
    healthy?.kill("SIGKILL");
    server.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

function prioritize(nice: number, children: readonly ChildProcess[]): void {
  setPriority(nice);
  for (const { pid } of children) {
    try {
      setPriority(pid!, -nice);
    } catch {
      // Only root may.
    }
  }
}

async function askChild(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) throw new Error("the server has ended");
  child.send("?");
  const [answer] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error("the server has ended"))),
  ])) as [unknown];
  return answer;
}

class Campaign {
  readonly #options: FuzzOptions;
  readonly #socket: string;
  readonly #attacks: Record<string, number> = {};
  readonly #statuses: Record<string, number> = {};
  readonly #failures: string[] = [];
  #requests = 0;
  #next = 0;

  constructor(options: FuzzOptions, socket: string) {
    this.#options = options;
    this.#socket = socket;
  }

  /** Goes on until that many requests have been made. */
  async run(requestsMax: number): Promise<void> {
    const worker = async (): Promise<void> => {
      while (this.#requests < requestsMax && this.#failures.length < 20) {
        const number = this.#next;
        this.#next += 1;
        const attack = attackOf(this.#options.seed, number);
        this.#requests += attack.requests;
        this.#attacks[attack.kind] = (this.#attacks[attack.kind] ?? 0) + attack.requests;
        if (number % 10_000 === 0) this.#options.progress?.(this.#requests);
        await this.#attack(attack, number);
      }
    };
    await Promise.all(Array.from({ length: this.#options.atOnce }, worker));
  }

  /** Waits for the server to notice that everybody has left. */
  async drained(isDrained: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 1000; tries += 1) {
      if (await isDrained()) return;
      // A connection of its own gives the server a turn in between.
      await new Promise<void>((resolve) =>
        connect(this.#socket, resolve)
          .on("error", () => resolve())
          .end(),
      );
    }
    this.#failures.push("streams whose clients have left are still under way");
  }

  report(): Pick<FuzzReport, "seed" | "requests" | "attacks" | "statuses" | "failures"> {
    return {
      seed: this.#options.seed,
      requests: this.#requests,
      attacks: this.#attacks,
      statuses: this.#statuses,
      failures: this.#failures,
    };
  }

  async #attack(attack: Attack, number: number): Promise<void> {
    const outcome = await carryOut(this.#socket, attack);
    for (const status of outcome.statuses) this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    const problem = problemOf(attack, outcome);
    if (problem !== undefined) this.#failures.push(`attack ${number} (${attack.kind}): ${problem}`);
  }
}

interface Outcome {
  readonly statuses: readonly number[];
  readonly isHung: boolean;
  /** What came and is no HTTP. */
  readonly garbage: string | undefined;
  /** There was no way to the server. */
  readonly absent: string | undefined;
}

function problemOf(attack: Attack, outcome: Outcome): string | undefined {
  if (outcome.absent !== undefined) return `the server is gone: ${outcome.absent}`;
  if (outcome.isHung) return `nothing ended the connection within ${hungMs} ms`;
  if (outcome.garbage !== undefined) return `the answer is not HTTP: ${outcome.garbage}`;
  if (attack.statuses === undefined) return undefined;
  // Turned away because too much is under way is right as well.
  const isRight = outcome.statuses.every((status, index) => status === attack.statuses?.[index] || status === 503);
  const isWhole = outcome.statuses.length === attack.statuses.length || outcome.statuses.includes(503);
  return isRight && isWhole ? undefined : `it was answered with ${JSON.stringify(outcome.statuses)}`;
}

/** Never rejects. */
function carryOut(path: string, attack: Attack): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ path, allowHalfOpen: true });
    const answers = new Answers();
    let absent: string | undefined;
    let isHung = false;
    const deadline = setTimeout(() => {
      isHung = true;
      socket.destroy();
    }, hungMs);
    socket.on("error", (error: Error & { code?: string; syscall?: string }) => {
      if (error.syscall === "connect") absent = error.message;
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(deadline);
      resolve({ ...answers.end(), isHung, absent });
    });
    socket.on("connect", () => write(socket, attack));
    if (attack.reads) socket.on("data", (bytes) => answers.push(bytes));
  });
}

/** Writes what is left of the pieces, and leaves as the attack says. */
function write(socket: Socket, attack: Attack, index = 0): void {
  if (socket.destroyed) return;
  const piece = attack.pieces[index];
  if (piece === undefined) {
    if (attack.end === "halfClose") socket.end();
    if (attack.end === "leave") socket.destroy();
    return;
  }
  socket.write(piece);
  if (attack.pauseMs === 0) write(socket, attack, index + 1);
  else setTimeout(() => write(socket, attack, index + 1), attack.pauseMs);
}

/** The answers on one connection. */
class Answers {
  readonly #statuses: number[] = [];
  #bytes = Buffer.alloc(0);
  #garbage: string | undefined;

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  end(): Pick<Outcome, "statuses" | "garbage"> {
    while (this.#bytes.length > 0 && this.#garbage === undefined && this.#takeOne());
    return { statuses: this.#statuses, garbage: this.#garbage };
  }

  /** Whether there was a whole answer. */
  #takeOne(): boolean {
    const parser = new HttpAnswerParser();
    try {
      parser.push(this.#bytes);
    } catch (error) {
      this.#garbage = `${String(error)}: ${JSON.stringify(this.#bytes.toString("latin1", 0, 100))}`;
      return false;
    }
    if (parser.head === undefined) return false;
    if (parser.head.status !== 100) this.#statuses.push(parser.head.status);
    const head = this.#bytes.indexOf("\r\n\r\n") + 4;
    const length = parser.head.status === 100 ? 0 : Number(parser.head.headers.get("content-length") ?? 0);
    this.#bytes = this.#bytes.subarray(head + length);
    return parser.head.headers.get("transfer-encoding") === undefined;
  }
}

/** `npm run fuzz:control [-- --requests 1000000 --seed 1 --at-once 64 --node-flag --max-semi-space-size=1]`. */
export async function main(
  args: readonly string[],
  files: Pick<FuzzOptions, "serverFile" | "healthyFile">,
): Promise<number> {
  const valueOf = (name: string, standard: number): number => {
    const at = args.indexOf(name);
    return at < 0 ? standard : Number(args[at + 1]);
  };
  const requests = valueOf("--requests", 1_000_000);
  const otherFlags = args.flatMap((arg, at) => (args[at - 1] === "--node-flag" ? [arg] : []));
  const nodeFlags = otherFlags.length > 0 ? otherFlags : daemonNodeOptions;
  const progress = (made: number): void => void process.stderr.write(`${made} of ${requests}\r`);
  const report = await fuzz({
    seed: valueOf("--seed", 1),
    requests,
    atOnce: valueOf("--at-once", 64),
    nodeFlags,
    nice: 10,
    progress,
    ...files,
  });
  const [first, warm, last] = report.facts;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  process.stdout.write(
    [
      `${report.requests} requests in ${report.seconds.toFixed(0)} s (seed ${report.seed})`,
      `attacks: ${JSON.stringify(report.attacks)}`,
      `statuses: ${JSON.stringify(report.statuses)}`,
      `healthy client: ${report.health.asked} answers, median ${report.health.medianMs.toFixed(1)} ms, ` +
        `99.9 % ${report.health.p999Ms.toFixed(1)} ms, worst ${report.health.worstMs.toFixed(1)} ms ` +
        `(its own event loop was held for up to ${report.health.heldMsMax.toFixed(1)} ms), failures ${JSON.stringify(report.health.failures)}`,
      `the server's event loop was held for up to ${Math.max(warm.heldMsMax, last.heldMsMax).toFixed(1)} ms`,
      `resident: ${mb(first.rssBytes)} before, ${mb(warm.rssBytes)} after a tenth, ${mb(last.rssBytes)} at the end`,
      `private: ${mb(first.privateBytes)} before, ${mb(warm.privateBytes)} after a tenth, ${mb(last.privateBytes)} at the end`,
      `heap: ${mb(first.heapBytes)} before, ${mb(warm.heapBytes)} after a tenth, ${mb(last.heapBytes)} at the end`,
      `logged: ${JSON.stringify(last.logged)}`,
      `failures: ${JSON.stringify(report.failures, null, 2)}`,
      "",
    ].join("\n"),
  );
  const isGrown = last.privateBytes - first.privateBytes > growthMaxBytes;
  return isGrown || report.failures.length + report.health.failures.length > 0 ? 1 : 0;
}
