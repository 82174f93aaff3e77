/**
 * Watchdog thread: the side of the watchdog that is not blocked. What a `Worker` of watchdog.ts runs.
 *
 * It looks at one thread at a time. The main thread it reaches by its inspector, other threads by the main thread's.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { Session, type Debugger } from "node:inspector";
import { BroadcastChannel, parentPort, workerData } from "node:worker_threads";
import type { Milliseconds } from "../../base/platform.ts";
import {
  attachedSlot,
  beatSlot,
  channelName,
  connectedSlot,
  exitingSlot,
  hear,
  nowMicroseconds,
  type BlockFrame,
  type Found,
  type Said,
  type Seen,
  type Watch,
} from "./watchdog-memory.ts";

/** Places of a stack that are told. */
const framesMax = 16;
/** How often it is looked whether a blocked thread is still there, in milliseconds. */
const againMs: Milliseconds = 1000;
/** How long a look may take before an endless block is told without a name: native code is seen only when it returns. */
const lookMs: Milliseconds = 5000;
const standardErrorFd = 2;

const watch = workerData as Watch;

/** A block that is not over. */
interface OpenBlock {
  readonly beat: bigint;
  seen: Seen | null;
  isTold: boolean;
  /** When it is looked at next: a thread may have been terminated. */
  againAtMs: Milliseconds;
}

/** The look that is being taken. */
let looking: Look | null = null;

/** One watched thread. */
class Watched {
  /** 0 for the main thread. */
  readonly threadId: number;
  readonly shared: BigInt64Array;
  isGone = false;
  #open: OpenBlock | null = null;
  #tickBefore: bigint = nowMicroseconds();
  #beatBefore = 0n;
  /** Time since the last heartbeat in which this thread stood still too, in microseconds. */
  #excused = 0n;

  constructor(threadId: number, shared: BigInt64Array) {
    this.threadId = threadId;
    this.shared = shared;
  }

  tick(): void {
    const now = nowMicroseconds();
    const beat = Atomics.load(this.shared, beatSlot);
    if (this.#open !== null && beat !== this.#open.beat) this.#close(this.#open, this.#lateMs(beat, this.#open.beat));
    this.#excuse(now, beat);
    if (Atomics.load(this.shared, exitingSlot) === 1n) {
      looking?.end();
      return;
    }
    const lateMs = this.#lateMs(now, beat);
    if (lateMs > watch.blockedMs) this.#follow(beat, lateMs);
  }

  /** Its thread has ended in the middle of a block, or cannot be looked at. */
  leave(): void {
    this.isGone = true;
    if (this.#open !== null && this.#open.seen !== null) {
      this.#close(this.#open, this.#lateMs(nowMicroseconds(), this.#open.beat));
    }
  }

  #follow(beat: bigint, lateMs: Milliseconds): void {
    this.#open ??= { beat, seen: null, isTold: false, againAtMs: lateMs };
    const open = this.#open;
    const isFree = looking === null && Atomics.load(watch.shared, attachedSlot) === 0n;
    if (lateMs >= open.againAtMs && isFree) {
      open.againAtMs = this.threadId === 0 ? Infinity : lateMs + againMs;
      looking = new Look(this, open.seen === null, (seen) => {
        if (Atomics.load(this.shared, beatSlot) === open.beat) open.seen ??= seen;
      });
    }
    // Better a little later with a name than without.
    const hasLooked = open.seen !== null || lateMs > watch.endlessMs + lookMs;
    if (open.isTold || lateMs <= watch.endlessMs || !hasLooked) return;
    open.isTold = true;
    tellEndless(this.threadId, open, lateMs);
  }

  #close(open: OpenBlock, blockedMs: Milliseconds): void {
    this.#open = null;
    if (looking?.watched === this) looking.end();
    const { frames, process } = open.seen ?? { frames: [], process: undefined };
    parentPort?.postMessage({ threadId: this.threadId, blockedMs, frames, process } satisfies Found);
  }

  #excuse(now: bigint, beat: bigint): void {
    const tickBefore = this.#tickBefore;
    this.#tickBefore = now;
    if (beat !== this.#beatBefore) this.#excused = 0n;
    this.#beatBefore = beat;
    if (Number(now - tickBefore) / 1000 <= watch.blockedMs) return;
    this.#excused += now - (beat > tickBefore ? beat : tickBefore);
  }

  #lateMs(now: bigint, beat: bigint): Milliseconds {
    return Number(now - beat - this.#excused) / 1000 - watch.beatMs;
  }
}

/** One look at the stack of a thread. Halts it for about a millisecond. */
class Look {
  readonly watched: Watched;
  readonly #halts: boolean;
  readonly #found: (seen: Seen) => void;
  readonly #session: Session = new Session();
  readonly #urls = new Map<string, string>();
  /** The session of a worker thread inside the main thread's. */
  #sessionId: string | null = null;
  #frames: BlockFrame[] = [];
  #isOver = false;

  /** Without `halts` it only looks whether the thread is there. */
  constructor(watched: Watched, halts: boolean, found: (seen: Seen) => void) {
    this.watched = watched;
    this.#halts = halts;
    this.#found = found;
    const session = this.#session;
    session.connectToMainThread();
    Atomics.store(watch.shared, connectedSlot, 1n);
    if (watched.threadId === 0) {
      session.on("inspectorNotification", ({ method, params }) => this.#notice(method, params));
      this.#halt();
    } else {
      this.#attach(watched.threadId);
    }
  }

  /** All threads are announced before the answer comes. */
  #attach(threadId: number): void {
    const session = this.#session;
    session.on("NodeWorker.attachedToWorker", ({ params: { sessionId, workerInfo } }) => {
      if (workerInfo.title.startsWith(`[worker ${threadId}]`)) this.#sessionId = sessionId;
    });
    session.on("NodeWorker.receivedMessageFromWorker", ({ params: { sessionId, message } }) => {
      if (sessionId === this.#sessionId) this.#heard(JSON.parse(message) as Heard);
    });
    session.post("NodeWorker.enable", { waitForDebuggerOnStart: false }, () => {
      if (this.#sessionId !== null && this.#halts) {
        this.#halt();
        return;
      }
      this.end();
      if (this.#sessionId === null) this.watched.leave();
    });
  }

  #halt(): void {
    this.#post("Debugger.enable");
    this.#post("Debugger.pause");
  }

  #heard({ id, method, params, result }: Heard): void {
    if (method !== undefined) this.#notice(method, params);
    else if (id === evaluateId) this.#answered(result);
  }

  #notice(method: string, params: unknown): void {
    if (method === "Debugger.scriptParsed") {
      const { scriptId, url } = params as Debugger.ScriptParsedEventDataType;
      this.#urls.set(scriptId, url);
    } else if (method === "Debugger.paused") {
      this.#read((params as Debugger.PausedEventDataType).callFrames);
    }
  }

  #read(frames: readonly Debugger.CallFrame[]): void {
    this.#frames = frames.slice(0, framesMax).map(({ functionName, location, url }) => ({
      functionName,
      url: url || (this.#urls.get(location.scriptId) ?? ""),
      line: location.lineNumber + 1,
      column: (location.columnNumber ?? 0) + 1,
    }));
    const expression = `globalThis[Symbol.for("colos.seen")]?.(${JSON.stringify(this.#frames)})`;
    this.#post("Runtime.evaluate", { expression, returnByValue: true, silent: true });
  }

  #answered(result: unknown): void {
    const value = (result as { readonly result?: { readonly value?: unknown } } | undefined)?.result?.value;
    this.#found(typeof value === "string" ? (JSON.parse(value) as Seen) : { frames: this.#frames, process: undefined });
    this.end();
  }

  #post(method: string, params: object = {}): void {
    const session = this.#session;
    if (this.watched.threadId === 0) {
      session.post(method, params, (_error: unknown, result: unknown) => {
        if (method === "Runtime.evaluate") this.#answered(result);
      });
    } else if (this.#sessionId !== null) {
      const id = method === "Runtime.evaluate" ? evaluateId : 0;
      session.post("NodeWorker.sendMessageToWorker", {
        sessionId: this.#sessionId,
        message: JSON.stringify({ id, method, params }),
      });
    }
  }

  /** Lets the thread go on. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (looking === this) looking = null;
    this.#post("Debugger.disable");
    if (this.watched.threadId !== 0) this.#session.post("NodeWorker.disable");
    this.#session.disconnect();
    Atomics.store(watch.shared, connectedSlot, 0n);
    Atomics.notify(watch.shared, connectedSlot);
  }
}

/** The one request to a worker thread whose answer matters. */
const evaluateId = 1;

/** What comes from the inspector of a worker thread. */
interface Heard {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

/** The main thread may never be able to say it. */
function tellEndless(threadId: number, { seen }: OpenBlock, lateMs: Milliseconds): void {
  const frames = seen?.frames ?? [];
  const top = frames.find(({ url }) => !url.startsWith("node:")) ?? frames[0];
  const where =
    top === undefined ? "" : ` by ${top.functionName || "a function"} (${top.url}:${top.line}:${top.column})`;
  const who = seen?.process === undefined ? "" : `, in process ${seen.process}`;
  const whose = threadId === 0 ? "" : ` of thread ${threadId}`;
  const line = `colos error: the event loop${whose} has been blocked for ${Math.round(lateMs)} ms${where}${who}; it still is\n`;
  try {
    writeSync(standardErrorFd, line);
  } catch {
    // Nobody reads it.
  }
}

const all = new Map<number, Watched>([[0, new Watched(0, watch.shared)]]);
const channel = new BroadcastChannel(channelName);
const announce = (): void => channel.postMessage({ type: "watch", beatMs: watch.beatMs } satisfies Said);
hear(channel, (said) => {
  if (said.type === "here") announce();
  else if (said.type === "watched") all.set(said.threadId, new Watched(said.threadId, said.shared));
});
announce();
setInterval(() => {
  for (const [threadId, watched] of all) {
    const hasEnded = threadId !== 0 && Atomics.load(watched.shared, exitingSlot) === 1n;
    if (watched.isGone || hasEnded) all.delete(threadId);
    else watched.tick();
  }
}, watch.beatMs);
parentPort?.postMessage("watching");
