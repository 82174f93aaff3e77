/**
 * Signal: what one kernel tells another. A channel carries signals in order; that is all that ties kernels together.
 *
 * A signal is a small array, so that both structured clone and msgpack carry it cheaply, and its head says where it
 * goes, so that a kernel in between can forward it without decoding the rest.
 *
 * @module
 */
import { assertAboveZero, assertLimit } from "./argument.ts";
import type { WireValue } from "./wire.ts";

/**
 * `[kind, to kernel, to serial, …]`; the serial is a process's, or for `reply`, `down` and `watching` a ref's. Where a
 * name stands instead, the kernel looks it up and, when nobody has it, asks the kernel above.
 */
export type Signal =
  | readonly ["message", string, number | string, WireValue]
  /** Several messages in a row to one process: a channel makes them of `message`s, and they mean the same. */
  | readonly ["messages", string, number | string, readonly WireValue[]]
  | readonly ["reply", string, number, WireValue]
  /** from kernel, from serial, reason, whether it came over a link */
  | readonly ["exit", string, number, string, number, WireValue, boolean]
  | readonly ["link", string, number, string, number]
  /** from kernel, from serial, its number among the unlinks of that kernel (OTP's unlink_id) */
  | readonly ["unlink", string, number, string, number, number]
  /** The `unlink` of that number has been carried out (OTP's unlink_id_ack). */
  | readonly ["unlinked", string, number, string, number, number]
  /** ref serial, owner kernel, owner serial */
  | readonly ["monitor", string, number | string, number, string, number]
  | readonly ["demonitor", string, number | string, number, string, number]
  /** A monitor by name has found its process: kernel, serial */
  | readonly ["watching", string, number, string, number]
  /** reason; the ref knows what it watched */
  | readonly ["down", string, number, WireValue]
  /** A mailbox (kernel, serial) is full, or with serial 0 the way to that kernel: who sends there is to be held (gate.ts). */
  | readonly ["full", string, number, string, number]
  /** There is room again in what was full. */
  | readonly ["room", string, number, string, number]
  /** A question about the kernel's processes (question.ts): ref serial, owner kernel, owner serial, question; the answer is a reply */
  | readonly ["ask", string, number, string, number, WireValue]
  /** Kernels are gone: which ones, the cause, and what the main process of the lost one ended with (kernel.ts, `Loss`). */
  | readonly ["lost", string, number, WireValue];

/** A signal that carries a value of a user, and so is counted against a channel's window. */
export type MessageSignal = Extract<Signal, readonly ["message" | "reply", ...unknown[]]>;

/** Serial of the first process of every kernel that a carrier starts: the program itself. */
export const mainSerial = 1;

/** The message does not fit through the channel to the receiver's carrier; thrown in the sender, and nothing was sent. */
export class MessageTooLargeError extends Error {
  constructor(sizeBytes: number, sizeMaxBytes: number) {
    super(
      `a message of ${sizeBytes} bytes is larger than a carrier's channel takes (${sizeMaxBytes}); ` +
        "send it in parts, or put it into a file or a store and send its name",
    );
    this.name = "MessageTooLargeError";
  }
}

/** What happens to a message that finds a channel's window used up. All other signals always pass. */
export type ChannelPolicy =
  /** It waits in the channel, and its sender is held at its next await until there is room. The default. */
  | "block"
  /** It is dropped and counted. */
  | "dropNewest"
  /** The oldest message that waits in the channel is dropped and counted, and it waits in its place. */
  | "dropOldest"
  /** `send` throws `ChannelFullError` in the sender; what another kernel forwards is dropped and counted. */
  | "failSender"
  /** The carrier is lost with the cause `{ tag: "channelFull" }`. */
  | "endReceiver";

/** How much a channel holds, in each of its two directions. */
export interface ChannelLimit {
  /** Bytes under way that the other side has not taken yet; default 256 KiB, at least `windowMinBytes`. */
  readonly windowBytes?: number;
  /** Bytes that wait or are under way before the carrier is lost whatever the policy; default 256 MiB. */
  readonly waitingMaxBytes?: number;
  /** Default `block`. */
  readonly policy?: ChannelPolicy;
}

/** The smallest window, in bytes: twice what is confirmed at once. */
export const windowMinBytes: number = 64 * 2 ** 10;

const policies: readonly ChannelPolicy[] = ["block", "dropNewest", "dropOldest", "failSender", "endReceiver"];

/** @throws Error, RangeError for what is no limit. */
export function assertChannelLimit(limit: ChannelLimit): void {
  assertLimit("channel", limit, policies);
  const { windowBytes = windowMinBytes, waitingMaxBytes } = limit;
  assertAboveZero("channel", { windowBytes, waitingMaxBytes });
  if (windowBytes >= windowMinBytes) return;
  throw new RangeError(`channel.windowBytes is at least ${windowMinBytes}, not ${windowBytes}`);
}

/** How one direction of a channel stands, from this end outwards. */
export interface ChannelState {
  readonly windowBytes: number;
  /** Sent, and not yet taken by the other side: the window less the credit. */
  readonly underWayBytes: number;
  /** Bytes the other side still lets us send; not below 0. */
  readonly creditBytes: number;
  /** Signals that wait for credit, and about their bytes. */
  readonly waitingCount: number;
  readonly waitingBytes: number;
  /** Messages that the policy dropped, or refused to their sender. */
  readonly droppedCount: number;
}

/** The window of a channel with the policy `failSender` is used up; thrown in the sender, and nothing was sent. */
export class ChannelFullError extends Error {
  constructor(windowBytes: number) {
    super(`the channel is full (${windowBytes} bytes are under way); slow down or raise channel.windowBytes`);
    this.name = "ChannelFullError";
  }
}

/**
 * One end of an ordered, reliable way to another kernel.
 * The carrier owns it and calls `Connection.receive` and `Connection.lost`.
 */
export interface Channel {
  /**
   * Sends in order; after the channel is lost it does nothing. `sizeBytes` is about what the signal takes, where the
   * sender knows it.
   * @throws MessageTooLargeError, ChannelFullError for a message or a reply, and then nothing was sent; never for
   * another signal.
   */
  send(signal: Signal, sizeBytes?: number): void;
  /** False while the window is used up: who sends messages is held until `Connection.room`. Absent: always room. */
  readonly hasRoom?: boolean;
  /** How it stands; absent where nothing ever waits. */
  readonly state?: ChannelState;
  /** Ends what is at the other end at once, even when it is busy; absent when it cannot (OTP `exit(Pid, kill)`). */
  condemn?(): void;
}
