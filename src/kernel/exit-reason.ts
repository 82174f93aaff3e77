/**
 * Exit reason: why a process ended, as data.
 *
 * Erlang's atoms are strings here (`"normal"`, `"shutdown"`, `"killed"`, `"noproc"`, `"noconnection"`), its tagged
 * tuples are objects with a `tag`, and an uncaught `Error` is the reason itself, stack included.
 * Unlike Erlang: anything may be thrown in JavaScript; a thrown value that is no `Error` becomes
 * `{ tag: "nocatch", value }`, as `throw/1` does there.
 *
 * @module
 */
import { sentenceOf, shown } from "./reason-sentences.ts";

/** `"normal"` and friends, a tagged object, an Error, or any value given to `exit`. */
export type ExitReason = unknown;

/** A reason with a tag: Erlang's `{Tag, ...}`. */
export interface Tagged<Tag extends string> {
  readonly tag: Tag;
}

/** An orderly end with something to say: Erlang's `{shutdown, Detail}`. Not restarted when `transient`. */
export interface Shutdown extends Tagged<"shutdown"> {
  readonly detail: unknown;
}

/** The OS process ended with this exit code (never 0, that is `"normal"`). */
export interface ExitStatus extends Tagged<"exitStatus"> {
  readonly code: number;
}

/** The OS process was ended by this OS signal. */
export interface Signalled extends Tagged<"signal"> {
  readonly name: string;
}

/** What carried the process ended under it: a thread or an OS process died or lost its channel. */
export interface CarrierDown extends Tagged<"carrierDown"> {
  readonly cause: unknown;
}

/** A call did not get its reply: `reason` is `"timeout"`, `"noproc"`, or what ended the server. */
export interface CallFailed extends Tagged<"call"> {
  readonly reason: ExitReason;
  /** Who was called. */
  readonly to: string;
}

/** Builds Erlang's `{shutdown, Detail}`. */
export function shutdown(detail: unknown): Shutdown {
  return { tag: "shutdown", detail };
}

/** Builds the reason of a process whose carrier was lost. */
export function carrierDown(cause: unknown): CarrierDown {
  return { tag: "carrierDown", cause };
}

/** The reason for an OS process's end: `"normal"` for code 0 (K11). */
export function osExitReason(code: number | null, signal: string | null): "normal" | ExitStatus | Signalled {
  if (signal !== null) return { tag: "signal", name: signal };
  return code === 0 || code === null ? "normal" : { tag: "exitStatus", code };
}

/** Whether `reason` is an object tagged `tag`. */
export function isTagged<Tag extends string>(
  reason: unknown,
  tag: Tag,
): reason is Tagged<Tag> & Record<string, unknown> {
  return typeof reason === "object" && reason !== null && (reason as { tag?: unknown }).tag === tag;
}

/** `normal`, `shutdown` and `{shutdown, _}`: ends after which a `transient` child stays down (S9). */
export function isOrderly(reason: ExitReason): boolean {
  return reason === "normal" || reason === "shutdown" || isTagged(reason, "shutdown");
}

/** Whether a thrown start failure only says that the process was not there any more. */
export function isNoProcess(reason: ExitReason): boolean {
  return reason === "noproc" || (isTagged(reason, "call") && reason["reason"] === "noproc");
}

/**
 * Thrown by `self.exit(reason)` and by calls that fail. It can be caught (OTP P10); uncaught, the process ends with
 * exactly `reason` (P5).
 */
export class Exit extends Error {
  readonly reason: ExitReason;

  constructor(reason: ExitReason) {
    super(describeReason(reason));
    this.name = "Exit";
    this.reason = reason;
  }
}

/** Thrown to unwind code that still runs in a process that has already ended. Catching it changes nothing. */
export class ProcessEnded extends Error {
  constructor() {
    super("this process has ended; nothing it does has an effect any more");
    this.name = "ProcessEnded";
  }
}

/** The exit reason for something thrown and not caught. */
export function reasonOfThrown(thrown: unknown): ExitReason {
  if (thrown instanceof Exit) return thrown.reason;
  if (thrown instanceof Error) return thrown;
  return { tag: "nocatch", value: thrown };
}

/** One line for people and logs. Never throws. */
export function describeReason(reason: ExitReason): string {
  try {
    return describe(reason);
  } catch {
    return `a reason that cannot be shown (${typeof reason})`;
  }
}

function describe(reason: ExitReason): string {
  if (typeof reason === "string") return reason;
  if (reason instanceof Error) return `${reason.name}: ${reason.message}`;
  if (isTagged(reason, "exitStatus")) return `exit code ${String(reason["code"])}`;
  if (isTagged(reason, "signal")) return `ended by ${String(reason["name"])}`;
  if (isTagged(reason, "shutdown")) return `shutdown (${describe(reason["detail"])})`;
  if (isTagged(reason, "carrierDown")) return `its carrier was lost (${describe(reason["cause"])})`;
  if (isTagged(reason, "call")) return `a call to ${String(reason["to"])} failed (${describe(reason["reason"])})`;
  if (isTagged(reason, "task")) return `the task ${String(reason["task"])} failed (${describe(reason["reason"])})`;
  if (isTagged(reason, "undefinedMethod")) return `it has no method ${String(reason["method"])}`;
  if (isTagged(reason, "nocatch")) return `uncaught value ${describe(reason["value"])}`;
  try {
    return sentenceOf(reason, describe) ?? shown(reason, Infinity);
  } catch {
    return String(reason);
  }
}
