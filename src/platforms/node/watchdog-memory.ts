/**
 * Watchdog memory: what the watchdog's thread and those that it watches share and say to each other.
 *
 * @module
 */
import process from "node:process";
import type { BroadcastChannel } from "node:worker_threads";
import type { Milliseconds } from "../../base/platform.ts";

/** Places in the memory that a watched thread shares: its last heartbeat in microseconds of the machine's clock, */
export const beatSlot = 0;
/** whether a debugger is attached (main thread only), */
export const attachedSlot = 1;
/** whether it is about to end, */
export const exitingSlot = 2;
/** and whether the watchdog is connected to the inspector (main thread only). */
export const connectedSlot = 3;
/** How many places there are. */
export const slotsCount = 4;

/** Of an OS process: on it threads and the watchdog find each other. */
export const channelName = "colos.watchdog";

/** What is said there. */
export type Said =
  /** By a thread that begins. */
  | { readonly type: "here" }
  /** By the watchdog: whoever hears it has a heartbeat from now on. */
  | { readonly type: "watch"; readonly beatMs: Milliseconds }
  /** By a thread that has one. */
  | { readonly type: "watched"; readonly threadId: number; readonly shared: BigInt64Array };

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

/** What the watchdog's thread is given. */
export interface Watch {
  readonly shared: BigInt64Array;
  readonly blockedMs: Milliseconds;
  readonly endlessMs: Milliseconds;
  readonly beatMs: Milliseconds;
}

/** What a thread that was halted says of itself. */
export interface Seen {
  readonly frames: readonly BlockFrame[];
  readonly process: string | undefined;
}

/** What the watchdog's thread posts, once per block and when it is over. */
export interface Found extends Seen {
  readonly blockedMs: Milliseconds;
  /** 0 for the main thread. */
  readonly threadId: number;
}

/** New memory for one watched thread. */
export function newMemory(): BigInt64Array {
  return new BigInt64Array(new SharedArrayBuffer(slotsCount * BigInt64Array.BYTES_PER_ELEMENT));
}

/** Calls `take` for all that is said on the channel. */
export function hear(channel: BroadcastChannel, take: (said: Said) => void): void {
  // Node's type of it leaves out that it is an EventTarget.
  const target = channel as unknown as EventTarget;
  target.addEventListener("message", (event) => take((event as Event & { readonly data: Said }).data));
}

/** The same clock in all threads. */
export function nowMicroseconds(): bigint {
  return process.hrtime.bigint() / 1000n;
}
