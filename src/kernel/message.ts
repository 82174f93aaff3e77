/**
 * Messages that the kernel itself puts into mailboxes.
 *
 * They are plain objects with a `type`, so that they cross carriers unchanged. A process that traps exits or
 * monitors others adds `ExitMessage` or `DownMessage` to its message type.
 *
 * @module
 */
import type { ExitReason } from "./exit-reason.ts";
import type { AnyPid, Ref } from "./pid.ts";

/** A linked process ended, or somebody sent an exit signal, and the receiver traps exits: `{'EXIT', From, Reason}`. */
export interface ExitMessage {
  readonly type: "exit";
  readonly from: AnyPid;
  readonly reason: ExitReason;
}

/** A monitored process ended: `{'DOWN', Ref, process, Pid, Reason}`. */
export interface DownMessage {
  readonly type: "down";
  readonly ref: Ref;
  /** The name when the monitor was made by name (N11), else the pid. */
  readonly from: AnyPid | string;
  readonly reason: ExitReason;
}

/** A timer of `startTimer` ran out: `{timeout, Ref, Message}`. */
export interface TimeoutMessage {
  readonly type: "timeout";
  readonly ref: Ref;
  readonly message: unknown;
}

/** What a command or a carrier with `output: pid` sends for each piece of output. */
export interface OutputMessage {
  readonly type: "output";
  readonly from: AnyPid;
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** Sent to a command, closes its standard input once everything sent before has been written. */
export interface EndOfInput {
  readonly type: "endOfInput";
}

/** The one value of its type; a copy from another carrier means the same. */
export const endOfInput: EndOfInput = Object.freeze({ type: "endOfInput" });

/** Whether `message` is an exit message, optionally of one process. */
export function isExit(message: unknown, from?: AnyPid): message is ExitMessage {
  const exit = message as ExitMessage | null | undefined;
  return typeof exit === "object" && exit?.type === "exit" && (from === undefined || exit.from === from);
}

/** Whether `message` is a down message, optionally of one monitor. */
export function isDown(message: unknown, ref?: Ref): message is DownMessage {
  const down = message as DownMessage | null | undefined;
  return typeof down === "object" && down?.type === "down" && (ref === undefined || down.ref === ref);
}
