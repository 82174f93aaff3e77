/**
 * Watchdog thread: the side of the watchdog that is not blocked. What a `Worker` of watchdog.ts runs.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { Session, type Debugger } from "node:inspector";
import { parentPort, workerData } from "node:worker_threads";
import type { Milliseconds } from "../../base/platform.ts";
import {
  attachedSlot,
  beatSlot,
  connectedSlot,
  exitingSlot,
  nowMicroseconds,
  type BlockFrame,
  type Found,
  type Watch,
} from "./watchdog-memory.ts";

/** Places of a stack that are told. */
const framesMax = 16;
/** How long an endless block is not told because its function is still being looked for. */
const lookMs: Milliseconds = 5000;
const standardErrorFd = 2;

/** A block that is not over. */
class OpenBlock {
  readonly beat: bigint;
  frames: readonly BlockFrame[] = [];
  process: string | undefined = undefined;
  isTold = false;

  constructor(beat: bigint) {
    this.beat = beat;
  }
}

function watch({ shared, blockedMs, endlessMs, beatMs }: Watch, post: (found: Found) => void): void {
  let open: OpenBlock | null = null;
  let look: Look | null = null;
  let lastTick = nowMicroseconds();
  /** Time in which this thread stood still too, in microseconds. */
  let excused = 0n;
  let beatBefore = 0n;
  const lateMsAt = (now: bigint, beat: bigint): Milliseconds => Number(now - beat - excused) / 1000 - beatMs;

  setInterval(() => {
    const now = nowMicroseconds();
    const beat = Atomics.load(shared, beatSlot);
    const tickBefore = lastTick;
    lastTick = now;
    if (open !== null && beat !== open.beat) {
      post({ blockedMs: lateMsAt(beat, open.beat), frames: open.frames, process: open.process });
      open = null;
      look?.end();
      look = null;
    }
    if (beat !== beatBefore) excused = 0n;
    beatBefore = beat;
    if (Number(now - tickBefore) / 1000 > blockedMs) excused += now - (beat > tickBefore ? beat : tickBefore);
    if (Atomics.load(shared, exitingSlot) === 1n) {
      look?.end();
      return;
    }
    const lateMs = lateMsAt(now, beat);
    if (open === null && lateMs > blockedMs) {
      const block = new OpenBlock(beat);
      open = block;
      if (Atomics.load(shared, attachedSlot) === 0n) look = new Look(shared, block);
    }
    // Better a little later with a name than without.
    const hasLooked = look?.isOver !== false || lateMs > endlessMs + lookMs;
    if (open !== null && !open.isTold && lateMs > endlessMs && hasLooked) {
      open.isTold = true;
      tellEndless(open, lateMs);
    }
  }, beatMs);
}

/** One look at the stack of the main thread. */
class Look {
  readonly #session = new Session();
  readonly #shared: BigInt64Array;
  readonly #urls = new Map<string, string>();
  isOver = false;

  constructor(shared: BigInt64Array, block: OpenBlock) {
    this.#shared = shared;
    const session = this.#session;
    session.connectToMainThread();
    Atomics.store(shared, connectedSlot, 1n);
    session.on("Debugger.scriptParsed", ({ params }) => void this.#urls.set(params.scriptId, params.url));
    session.on("Debugger.paused", ({ params }) => {
      // Later, and it would name somebody else.
      if (Atomics.load(shared, beatSlot) !== block.beat) this.end();
      else this.#read(params.callFrames, block);
    });
    session.post("Debugger.enable");
    session.post("Debugger.pause");
  }

  #read(frames: readonly Debugger.CallFrame[], block: OpenBlock): void {
    block.frames = frames.slice(0, framesMax).map(({ functionName, location, url }) => ({
      functionName,
      url: url || (this.#urls.get(location.scriptId) ?? ""),
      line: location.lineNumber + 1,
      column: (location.columnNumber ?? 0) + 1,
    }));
    const expression = `globalThis[Symbol.for("colos.running")]?.()`;
    this.#session.post("Runtime.evaluate", { expression, returnByValue: true, silent: true }, (_, answer) => {
      const value: unknown = answer?.result.value;
      if (typeof value === "string") block.process = value;
      this.end();
    });
  }

  /** Lets the main thread go on. Idempotent. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#session.post("Debugger.disable");
    this.#session.disconnect();
    Atomics.store(this.#shared, connectedSlot, 0n);
    Atomics.notify(this.#shared, connectedSlot);
  }
}

/** The main thread may never be able to say it. */
function tellEndless({ frames, process: name }: OpenBlock, lateMs: Milliseconds): void {
  const [top] = frames;
  const where =
    top === undefined ? "" : ` by ${top.functionName || "a function"} (${top.url}:${top.line}:${top.column})`;
  const who = name === undefined ? "" : `, in process ${name}`;
  try {
    writeSync(
      standardErrorFd,
      `colos error: the event loop has been blocked for ${Math.round(lateMs)} ms${where}${who}; it still is\n`,
    );
  } catch {
    // Nobody reads it.
  }
}

watch(workerData as Watch, (found) => parentPort?.postMessage(found));
parentPort?.postMessage("watching");
