/**
 * Watchdog memory: what the two sides of the watchdog share.
 *
 * @module
 */
import process from "node:process";
import type { Milliseconds } from "../../base/platform.ts";

/** Places in the shared memory: the last heartbeat in microseconds of the machine's clock, */
export const beatSlot = 0;
/** whether a debugger is attached, */
export const attachedSlot = 1;
/** whether the OS process is about to end, */
export const exitingSlot = 2;
/** and whether the watchdog is connected to the inspector. */
export const connectedSlot = 3;
/** How many places there are. */
export const slotsCount = 4;

/** Where the main thread keeps the function that says which process runs. */
export const runningSymbol: unique symbol = Symbol.for("colos.running") as never;

/** One place on a stack. */
export interface BlockFrame {
  /** Empty for a function without a name. */
  readonly functionName: string;
  readonly url: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** What the thread is given. */
export interface Watch {
  readonly shared: BigInt64Array;
  readonly blockedMs: Milliseconds;
  readonly endlessMs: Milliseconds;
  readonly beatMs: Milliseconds;
}

/** What it posts, once per block and when it is over. */
export interface Found {
  readonly blockedMs: Milliseconds;
  readonly frames: readonly BlockFrame[];
  readonly process: string | undefined;
}

/** The same clock in all threads. */
export function nowMicroseconds(): bigint {
  return process.hrtime.bigint() / 1000n;
}
