/**
 * Signal: what one kernel tells another. A channel carries signals in order; that is all that ties kernels together.
 *
 * A signal is a small array, so that both structured clone and msgpack carry it cheaply, and its head says where it
 * goes, so that a kernel in between can forward it without decoding the rest.
 *
 * @module
 */
import type { WireValue } from "./wire.ts";

/**
 * `[kind, to kernel, to serial, …]`; the serial is a process's, or for `reply`, `down` and `watching` a ref's. Where a
 * name stands instead, the kernel looks it up and, when nobody has it, asks the kernel above.
 */
export type Signal =
  | readonly ["message", string, number | string, WireValue]
  | readonly ["reply", string, number, WireValue]
  /** from kernel, from serial, reason, whether it came over a link */
  | readonly ["exit", string, number, string, number, WireValue, boolean]
  | readonly ["link", string, number, string, number]
  | readonly ["unlink", string, number, string, number]
  /** ref serial, owner kernel, owner serial */
  | readonly ["monitor", string, number | string, number, string, number]
  | readonly ["demonitor", string, number | string, number, string, number]
  /** A monitor by name has found its process: kernel, serial */
  | readonly ["watching", string, number, string, number]
  /** reason; the ref knows what it watched */
  | readonly ["down", string, number, WireValue]
  /** A question about the kernel's processes (question.ts): ref serial, owner kernel, owner serial, question; the answer is a reply */
  | readonly ["ask", string, number, string, number, WireValue]
  /** Kernels are gone: which ones, the cause, and what the main process of the lost one ended with (kernel.ts, `Loss`). */
  | readonly ["lost", string, number, WireValue];

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

/**
 * One end of an ordered, reliable way to another kernel.
 * The carrier owns it and calls `Connection.receive` and `Connection.lost`.
 */
export interface Channel {
  /**
   * Sends in order; after the channel is lost it does nothing.
   * @throws MessageTooLargeError for a message or a reply, and then nothing was sent; never for another signal.
   */
  send(signal: Signal): void;
  /** Ends what is at the other end at once, even when it is busy; absent when it cannot (OTP `exit(Pid, kill)`). */
  condemn?(): void;
}
