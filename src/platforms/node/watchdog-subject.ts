/**
 * Watchdog subject: what a thread does that is watched. It writes the time of its heartbeats to shared memory, and offers a
 * function that the watchdog calls through the inspector when it has halted the thread.
 *
 * @module
 */
import { url as debuggerUrl } from "node:inspector";
import { findSourceMap } from "node:module";
import process from "node:process";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";
import type { Milliseconds } from "../../base/platform.ts";
import { currentOwner } from "./stray-owner.ts";
import {
  attachedSlot,
  beatSlot,
  channelName,
  exitingSlot,
  hear,
  newMemory,
  nowMicroseconds,
  type BlockFrame,
  type Said,
  type Seen,
} from "./watchdog-memory.ts";

/** What the owner of running code is called, for people. */
export type DescribeOwner = (owner: object) => string | undefined;

/** Where the function is that says who runs; by name, because the watchdog can only evaluate text. */
export const seenSymbol: unique symbol = Symbol.for("colos.seen") as never;

/** Begins to beat; `onBeat` is told how late each was. Returns what ends it. Keeps nothing alive. */
export function beginToBeat(
  shared: BigInt64Array,
  beatMs: Milliseconds,
  describeOwner: DescribeOwner,
  onBeat: (lateMicroseconds: bigint) => void = () => {},
): () => void {
  (globalThis as Record<symbol, unknown>)[seenSymbol] = (frames: readonly BlockFrame[]): string => {
    const owner = currentOwner();
    const seen: Seen = {
      frames: frames.map(asWritten),
      process: owner === undefined ? undefined : describeOwner(owner),
    };
    return JSON.stringify(seen);
  };
  let due = 0n;
  const beat = (): void => {
    const now = nowMicroseconds();
    if (due > 0n) onBeat(now > due ? now - due : 0n);
    due = now + BigInt(Math.round(beatMs * 1000));
    if (isMainThread) Atomics.store(shared, attachedSlot, debuggerUrl() === undefined ? 0n : 1n);
    Atomics.store(shared, beatSlot, now);
  };
  beat();
  const timer = setInterval(beat, beatMs).unref();
  return () => clearInterval(timer);
}

/** In a worker thread: is watched if there is a watchdog in this OS process, now or later. Called once. */
export function beWatched(describeOwner: DescribeOwner): void {
  const channel = new BroadcastChannel(channelName);
  let isWatched = false;
  hear(channel, (said) => {
    if (said.type !== "watch" || isWatched) return;
    isWatched = true;
    const shared = newMemory();
    beginToBeat(shared, said.beatMs, describeOwner);
    process.once("exit", () => void Atomics.store(shared, exitingSlot, 1n));
    channel.postMessage({ type: "watched", threadId, shared } satisfies Said);
  });
  channel.unref();
  channel.postMessage({ type: "here" } satisfies Said);
}

/** Where it stands in the file that a person wrote, as far as Node knows. */
function asWritten(frame: BlockFrame): BlockFrame {
  const origin = findSourceMap(frame.url)?.findOrigin(frame.line, frame.column);
  if (origin === undefined || !("fileName" in origin)) return frame;
  return { ...frame, url: origin.fileName, line: origin.lineNumber, column: origin.columnNumber };
}
