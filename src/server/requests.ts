/**
 * Requests that are sent now and waited for later, or sent to many: gen_server's send_request, multi_call and abcast.
 *
 * `self.request` and `call` give promises, which is enough for several calls at a time. What is here besides: a response that
 * may fail while nobody waits for it yet (a promise that rejects unseen ends its process), that can be waited for in portions,
 * and calls to many servers of which some may fail.
 * Unlike OTP: servers are named by pid or name, not by node; OTP's collections of request ids are `Promise.race` of waits.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { Exit, isTagged, type CallFailed, type ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid } from "../kernel/pid.ts";
import { callTimeoutMsDefault, timedOut, type AnyProcess, type TimedOut } from "../kernel/process.ts";
import { cast } from "./server.ts";
import { timeoutMsOf, within } from "./within.ts";

/** What became of a request. */
type Outcome<Reply> = { readonly ok: true; readonly reply: Reply } | { readonly ok: false; readonly failure: unknown };

/** How long to wait. */
export interface ResponseTimeout {
  /** Default 5000; Infinity waits for ever, 0 only looks. */
  readonly timeoutMs?: Milliseconds;
}

/** The reply to a request that was sent; made by `sendRequest`. */
export class OpenRequest<Reply = unknown> {
  /** Who was asked. */
  readonly server: AnyPid | string;
  readonly #owner: AnyProcess;
  /** Never rejects: nobody may wait yet. */
  readonly #outcome: Promise<Outcome<Reply>>;

  /** @internal */
  constructor(owner: AnyProcess, server: AnyPid | string, request: unknown) {
    this.server = server;
    this.#owner = owner;
    this.#outcome = owner.request(server, request, Infinity).then(
      (reply) => ({ ok: true, reply: reply as Reply }),
      (failure: unknown) => ({ ok: false, failure }),
    );
  }

  /**
   * The reply (OTP receive_response). A reply after the time-out is nobody's.
   * @throws Exit with `{ tag: "call", reason, to }`, as `call`; UncopyableError when the request could not be sent;
   * TypeError, RangeError for options that are none.
   */
  async receive(options?: ResponseTimeout): Promise<Reply> {
    const reply = await this.wait(options);
    if (reply !== timedOut) return reply;
    throw new Exit({ tag: "call", reason: "timeout", to: String(this.server) } satisfies CallFailed);
  }

  /**
   * The reply, or `timedOut` when it is not there by then; then it can be waited for again (OTP wait_response).
   * @throws as `receive`, but for the time-out.
   */
  async wait(options?: ResponseTimeout): Promise<Reply | TimedOut> {
    const timeoutMs = timeoutMsOf(options, callTimeoutMsDefault);
    const outcome = await within(this.#owner, this.#outcome, timeoutMs);
    if (outcome === timedOut) return timedOut;
    if (outcome.ok) return outcome.reply;
    throw outcome.failure;
  }
}

/** Sends a request and waits for nothing (OTP gen_server:send_request/2); never throws. */
export function sendRequest<Reply = unknown>(
  self: AnyProcess,
  server: AnyPid | string,
  request: unknown,
): OpenRequest<Reply> {
  return new OpenRequest<Reply>(self, server, request);
}

/** What `multiCall` brought. */
export interface MultiCallResult<Reply> {
  readonly replies: readonly { readonly server: AnyPid | string; readonly reply: Reply }[];
  /** Why the others did not answer: `"timeout"`, `"noproc"`, or what ended them. */
  readonly failures: readonly { readonly server: AnyPid | string; readonly reason: ExitReason }[];
}

/**
 * Calls many servers at the same time; one time-out for all (OTP gen_server:multi_call/4).
 * @throws TypeError when `servers` is no list.
 */
export async function multiCall<Reply = unknown>(
  self: AnyProcess,
  servers: readonly (AnyPid | string)[],
  request: unknown,
  timeoutMs: Milliseconds = callTimeoutMsDefault,
): Promise<MultiCallResult<Reply>> {
  assertServers(servers);
  const replies: { server: AnyPid | string; reply: Reply }[] = [];
  const failures: { server: AnyPid | string; reason: ExitReason }[] = [];
  const responses = servers.map((server) => sendRequest<Reply>(self, server, request));
  const outcomes = await Promise.allSettled(responses.map((response) => response.receive({ timeoutMs })));
  for (const [index, outcome] of outcomes.entries()) {
    const server = servers[index] as AnyPid | string;
    if (outcome.status === "fulfilled") replies.push({ server, reply: outcome.value });
    else failures.push({ server, reason: reasonOf(outcome.reason) });
  }
  return { replies, failures };
}

/** Casts to many servers (OTP gen_server:abcast/3). Never fails for want of one. @throws as `multiCall`. */
export function abcast(self: AnyProcess, servers: readonly (AnyPid | string)[], message: unknown): void {
  assertServers(servers);
  for (const server of servers) cast(self, server, message);
}

function assertServers(servers: unknown): void {
  if (!Array.isArray(servers)) throw new TypeError(`servers are a list of pids and names, not ${inWords(servers)}`);
}

function reasonOf(failure: unknown): ExitReason {
  if (!(failure instanceof Exit)) return failure;
  return isTagged(failure.reason, "call") ? failure.reason["reason"] : failure.reason;
}
