/**
 * Request: a message that carries an address for its answer.
 *
 * The address is a ref that is an alias of the caller (OTP's `monitor` with `{alias, reply_demonitor}`): the first
 * reply goes straight to the waiting caller and never through its mailbox, so a long mailbox does not slow a call
 * (G30), and a reply that comes after the timeout finds the address switched off (G9).
 * Not here: what requests mean; servers give them `handleCall` (server/server.ts).
 *
 * @module
 */
import type { ExitReason } from "./exit-reason.ts";
import type { Ref } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import type { Timer } from "./timer.ts";

/** What arrives in the mailbox of the process that is asked. */
export class Request {
  /** Where the reply goes: `self.reply(request.from, value)`. Any process may answer (G13). */
  readonly from: Ref;
  readonly body: unknown;

  constructor(from: Ref, body: unknown) {
    this.from = from;
    this.body = body;
  }
}

/** @internal Somebody awaits the reply to one ref. */
export class PendingReply {
  readonly caller: AnyProcess;
  readonly resolve: (value: unknown) => void;
  readonly fail: (reason: ExitReason) => void;
  timer: Timer | null = null;

  constructor(caller: AnyProcess, resolve: (value: unknown) => void, fail: (reason: ExitReason) => void) {
    this.caller = caller;
    this.resolve = resolve;
    this.fail = fail;
  }
}
