/**
 * Watchdog: a thread that notices when an event loop of this OS process is blocked, and says by which function of which
 * process.
 *
 * The main thread, and each thread of the thread carrier, writes the time of its heartbeats to shared memory. When one is
 * late, the watchdog's thread halts it through the inspector for about a millisecond, reads its stack and who runs, and lets
 * it go on.
 * Guarantees: one report per block, with its whole duration; a block that goes on for `endlessMs` is told on stderr by the
 * watchdog itself, because nobody else can. It keeps no program alive. Time in which the whole OS process stood still
 * (SIGSTOP, a suspended machine) is no block. While a debugger is attached, nothing is halted and no function is named.
 * Costs, measured: a thread (about 10 MB) and, with the default, 20 short wake-ups per second on each side, about 0.5 %
 * of a core; the running program pays nothing.
 * Limits: what blocks at the very end of a program is not told, because nothing waits for it. What blocks in native code (a
 * synchronous command or file access) is named when it returns. A duration is exact to one heartbeat, half of `blockedMs`.
 * Threads that others have started are not watched.
 *
 * @module
 */
import { createHistogram } from "node:perf_hooks";
import process from "node:process";
import { isMainThread, Worker } from "node:worker_threads";
import type { Milliseconds, Platform } from "../../base/platform.ts";
import { hostTimerMaxMs } from "./node-clock.ts";
import { isOwnPlace } from "./node-platform.ts";
import { connectedSlot, exitingSlot, newMemory, type BlockFrame, type Found, type Watch } from "./watchdog-memory.ts";
import { beginToBeat, type DescribeOwner } from "./watchdog-subject.ts";

/** How long the event loop may be busy with one thing. At 100 ms people notice, and timeouts of a second are in danger. */
export const blockedMsDefault: Milliseconds = 100;
/** The shortest that can be watched for: less is noise of the operating system. */
export const blockedMsMin: Milliseconds = 10;
/** After this a block counts as endless and is told at once. */
export const endlessMsDefault: Milliseconds = 10_000;
/** Heartbeats in `blockedMs`. */
const beatsPerBlock = 2;
/** How long the end of the OS process waits for the inspector to be disconnected. */
const disconnectMs: Milliseconds = 100;

/** What can be chosen about a watchdog. */
export interface WatchdogOptions {
  /** From when on the event loop counts as blocked; default `blockedMsDefault`. */
  readonly blockedMs?: Milliseconds;
  /** After this it is told on stderr although it goes on; default `endlessMsDefault`, Infinity for never. */
  readonly endlessMs?: Milliseconds;
  /** Called after each block, besides the log. */
  readonly onBlocked?: (block: Block) => void;
}

/** A time in which the event loop was blocked. */
export interface Block {
  /** At least so long, and at most a heartbeat longer. */
  readonly blockedMs: Milliseconds;
  /** The function that blocked: the innermost that is neither Node's nor colos's. Undefined when it could not be found out. */
  readonly by: BlockFrame | undefined;
  /** The whole stack when it was looked at, innermost first, at most 16. */
  readonly frames: readonly BlockFrame[];
  /** The process that ran, for people; undefined when it was none. */
  readonly process: string | undefined;
  /** Of the worker thread (`worker_threads.threadId`); 0 for the main thread. */
  readonly threadId: number;
}

/** How late the event loop was for its heartbeats. */
export interface LoopDelay {
  readonly samplesCount: number;
  readonly meanMs: Milliseconds;
  readonly p50Ms: Milliseconds;
  readonly p99Ms: Milliseconds;
  readonly maxMs: Milliseconds;
}

/** A running watchdog. */
export interface Watchdog {
  /** Settles when its thread watches: some tens of milliseconds after the start. Never, when it was closed before. */
  readonly started: Promise<void>;
  /** Since it was started, or the last `resetDelay`. */
  delay(): LoopDelay;
  resetDelay(): void;
  /** Ends it. Idempotent. */
  close(): void;
}

/** What a watchdog needs of who starts it. */
export interface WatchdogHost {
  readonly log: Platform["log"];
  readonly describeOwner: DescribeOwner;
}

/** A thread that nobody refers to is collected, and then it ends. */
const running = new Set<Worker>();

/**
 * Starts watching this OS process; called in its main thread.
 * @throws RangeError when `blockedMs` is below `blockedMsMin` or no timer of Node can wait for it, or `endlessMs` is no
 * time; Error in a worker thread.
 */
export function startWatchdog(host: WatchdogHost, options: WatchdogOptions = {}): Watchdog {
  const { blockedMs = blockedMsDefault, endlessMs = endlessMsDefault, onBlocked } = options;
  if (!(blockedMs >= blockedMsMin && blockedMs <= hostTimerMaxMs))
    throw new RangeError(`a watchdog's blockedMs is from ${blockedMsMin} to ${hostTimerMaxMs}, not ${blockedMs}`);
  if (!(endlessMs > 0)) throw new RangeError(`a watchdog's endlessMs is a number above 0, not ${endlessMs}`);
  if (!isMainThread) throw new Error("a watchdog watches the main thread of an OS process and is started there");
  const beatMs = blockedMs / beatsPerBlock;
  const shared = newMemory();
  const histogram = createHistogram();
  const stopBeating = beginToBeat(shared, beatMs, host.describeOwner, (late) =>
    histogram.record(late > 0n ? late : 1n),
  );
  const workerData: Watch = { shared, blockedMs, endlessMs, beatMs };
  // A program's own --inspect or --require is not for this thread.
  const worker = new Worker(new URL("./watchdog-thread.js", import.meta.url), {
    ...{ workerData, execArgv: [], env: {}, name: "colos watchdog" },
    ...{ stdin: false, stdout: false, stderr: false, resourceLimits: { maxOldGenerationSizeMb: 64 } },
  });
  running.add(worker);
  const report = (found: Found): void => tell(host, blockOf(found), onBlocked);
  const close = (): void => {
    stopBeating();
    process.off("exit", disconnect);
    running.delete(worker);
    void worker.terminate();
  };
  /** A connected inspector would be waited for, and said so on stderr. */
  const disconnect = (): void => {
    Atomics.store(shared, exitingSlot, 1n);
    Atomics.wait(shared, connectedSlot, 1n, disconnectMs);
  };
  process.once("exit", disconnect);
  let settleStarted = (): void => {};
  const started = new Promise<void>((resolve) => (settleStarted = resolve));
  worker.on("message", (message: Found | "watching") => {
    if (message === "watching") settleStarted();
    else report(message);
  });
  worker.on("error", (error) => {
    host.log("warning", `the watchdog has ended, nobody notices a blocked event loop any more: ${error.message}`);
    close();
  });
  // After the listeners, which would make it count again.
  worker.unref();
  return { started, delay: () => delayOf(histogram), resetDelay: () => histogram.reset(), close };
}

function blockOf({ blockedMs, frames, process: name, threadId }: Found): Block {
  const by = frames.find(({ url }) => url !== "" && !url.startsWith("node:") && !isOwnPlace(url));
  return { blockedMs, by, frames, process: name, threadId };
}

function tell(host: WatchdogHost, block: Block, onBlocked: WatchdogOptions["onBlocked"]): void {
  const blockedMs = Math.round(block.blockedMs);
  const whose = block.threadId === 0 ? "" : ` of thread ${block.threadId}`;
  host.log("warning", `the event loop${whose} was blocked for ${blockedMs} ms${describeBlock(block)}`, { blockedMs });
  try {
    onBlocked?.(block);
  } catch (thrown) {
    host.log("error", `the watchdog's onBlocked threw: ${String(thrown)}`);
  }
}

function describeBlock({ by, process: name }: Block): string {
  const function_ =
    by === undefined ? "" : ` by ${by.functionName || "a function"} (${by.url}:${by.line}:${by.column})`;
  return `${function_}${name === undefined ? "" : `, in process ${name}`}`;
}

function delayOf(histogram: ReturnType<typeof createHistogram>): LoopDelay {
  const samplesCount = histogram.count;
  if (samplesCount === 0) return { samplesCount, meanMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };
  return {
    samplesCount,
    meanMs: histogram.mean / 1000,
    p50Ms: histogram.percentile(50) / 1000,
    p99Ms: histogram.percentile(99) / 1000,
    maxMs: histogram.max / 1000,
  };
}
