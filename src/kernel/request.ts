/**
 * Request: a message that carries an address for its answer (what gen_server:call/3 is made of).
 *
 * The address is a ref that is an alias of the caller (OTP's `monitor` with `{alias, reply_demonitor}`): the first
 * reply goes straight to the waiting caller and never through its mailbox, so a long mailbox does not slow a call
 * (G30), and a reply that comes after the timeout finds the address switched off (G9).
 * Guarantees: each request ends once, with its reply, a time-out, or what ended who was asked; after that nothing of it is
 * left. In another kernel the monitor arrives before the request, so that an end gives its reason (G11).
 * Unlike OTP: an idle server of the same kernel answers at once, on its caller's stack (`isIdleServer`).
 * Not here: what requests mean; servers give them `handleCall` (server/server.ts).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { assertDuration } from "./argument.ts";
import { Exit, type CallFailed, type ExitReason } from "./exit-reason.ts";
import type { Kernel } from "./kernel.ts";
import type { AnyPid, Ref } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import type { Timer } from "./timer.ts";

/** Servers that answer on each other's stack at most; deeper calls go through the queue. */
const nestedMax = 8;

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
  resolve: (value: unknown) => void;
  fail: (reason: ExitReason) => void;
  timer: Timer | null = null;

  constructor(caller: AnyProcess, resolve: (value: unknown) => void, fail: (reason: ExitReason) => void) {
    this.caller = caller;
    this.resolve = resolve;
    this.fail = fail;
  }
}

/** @internal Sends `body` and awaits the reply; see `Process.request`. */
export function request(
  caller: AnyProcess,
  to: AnyPid | string,
  body: unknown,
  timeoutMs: Milliseconds,
): Promise<unknown> {
  assertDuration(timeoutMs);
  const { kernel } = caller;
  // A name that nobody has here may be known above.
  const above = kernel.border.aboveId === null ? undefined : to;
  const target = typeof to === "string" ? (kernel.whereis(to) ?? above) : to;
  if (target === undefined) return refuse(caller, callFailed("noproc", to));
  if (target === caller.pid) return refuse(caller, callFailed("callingSelf", to));
  if (typeof target !== "string" && target.process === null && target.kernelId === kernel.id) {
    return refuse(caller, callFailed("noproc", to));
  }
  const ref = kernel.newRef(caller);
  const reply = new Promise<unknown>((resolve, reject) => {
    ref.pending = new PendingReply(caller, resolve, (reason) => reject(new Exit(callFailed(reason, to))));
  });
  ref.route = "reply";
  const asked = new Request(ref, body);
  const server = typeof target === "string" ? null : target.process;
  if (server !== null && isIdleServer(kernel, server)) {
    kernel.monitor(caller, ref, target);
    answerNow(kernel, server, asked);
    if (ref.pending !== null) startDeadline(kernel, ref, timeoutMs);
    return reply;
  }
  try {
    ask(kernel, caller, ref, target, asked);
  } catch (refused) {
    settle(kernel, ref);
    kernel.border.release(ref);
    return Promise.reject(refused);
  }
  startDeadline(kernel, ref, timeoutMs);
  return reply;
}

/** Sends a request and watches who is asked. In another kernel the monitor goes first, so that an end gives its reason. */
function ask(kernel: Kernel, caller: AnyProcess, ref: Ref, target: AnyPid | string, request: Request): void {
  if (typeof target !== "string" && target.kernelId === kernel.id) {
    kernel.send(target, request, caller);
    kernel.monitor(caller, ref, target);
    return;
  }
  const wire = kernel.border.encode(request);
  kernel.monitor(caller, ref, target);
  const { aboveId } = kernel.border;
  if (typeof target !== "string")
    kernel.border.transmitMessage(["message", target.kernelId, target.serial, wire], caller);
  else if (aboveId !== null) kernel.border.transmitMessage(["message", aboveId, target, wire], caller);
}

/**
 * The fast path of a call: an idle server takes the request now, on the caller's stack, which saves a trip through the
 * queue. The caller cannot tell, because it waits for the reply anyway, and the server's order is kept, because
 * nothing waits in its mailbox.
 */
function isIdleServer(kernel: Kernel, server: AnyProcess): boolean {
  const isServer = server.kernel === kernel && server.reactor !== null && (server.extra?.intake ?? null) === null;
  // Its body may wait in receive beside the reactor, and is asked first.
  const hasBody = server.wake !== null || server.resume !== null;
  const hasNothingQueued = server.mailbox === null || server.mailbox.size === 0;
  const isIdle = !server.busy && !server.queued && server.stage === "live";
  return (
    isServer && !hasBody && isIdle && hasNothingQueued && kernel.nestedCount < nestedMax && kernel.scheduler.spend(true)
  );
}

function answerNow(kernel: Kernel, server: AnyProcess, request: Request): void {
  const { observer } = kernel;
  if (observer !== null) {
    observer.delivered(server, request);
    observer.enter(server);
  }
  kernel.nestedCount += 1;
  kernel.platform.strays.run(server, () => {
    if (kernel.reactTo(server, request)) kernel.unpark(server);
  });
  kernel.nestedCount -= 1;
  if (observer !== null) observer.leave();
}

/** At once, or in a later turn: a loop that asks nobody must not keep the host from its work. */
function refuse(caller: AnyProcess, failure: CallFailed): Promise<never> {
  const { scheduler } = caller.kernel;
  if (scheduler.spend()) return Promise.reject(new Exit(failure));
  return new Promise((_resolve, reject) => {
    scheduler.nextTurn(() => {
      if (caller.stage === "live") reject(new Exit(failure));
    });
  });
}

/** @internal Whoever waits for the reply to `ref` gets the failure `timeout` when the time is up. */
export function startDeadline(kernel: Kernel, ref: Ref, timeoutMs: Milliseconds): void {
  const { pending } = ref;
  if (pending === null) return;
  kernel.scheduler.asks?.(pending);
  if (timeoutMs === Infinity) return;
  pending.timer = kernel.timers.start(timeoutMs, () => {
    pending.timer = null;
    settle(kernel, ref);
    pending.fail("timeout");
  });
}

/** @internal Nobody waits for this reply any more: switches its address off and takes back what was set up for it. */
export function settle(kernel: Kernel, ref: Ref): void {
  const { pending } = ref;
  if (pending === null) return;
  ref.pending = null;
  ref.route = "none";
  if (pending.timer !== null) kernel.timers.cancel(pending.timer);
  kernel.forgetMonitor(pending.caller, ref);
}

/** @internal Asks another kernel about its processes (question.ts). Fails as a request does; `to` is the kernel. */
export function askKernel(
  caller: AnyProcess,
  kernelId: string,
  question: unknown,
  timeoutMs: Milliseconds,
): Promise<unknown> {
  if (caller.stage !== "live") return new Promise(() => {});
  assertDuration(timeoutMs);
  const { kernel } = caller;
  const wire = kernel.border.encode(question, "question");
  const ref = kernel.newRef(caller);
  const reply = new Promise<unknown>((resolve, reject) => {
    const fail = (reason: ExitReason): void => reject(new Exit(callFailed(reason, `kernel ${kernelId}`)));
    ref.pending = new PendingReply(caller, resolve, fail);
  });
  ref.route = "reply";
  // Only noted here, so that the loss of that kernel ends the wait; nobody there is watched.
  ref.target = kernel.border.mainPidOf(kernelId);
  (caller.monitors ??= new Set()).add(ref);
  kernel.border.exportRef(ref);
  kernel.border.transmit(["ask", kernelId, ref.serial, kernel.id, caller.pid.serial, wire]);
  startDeadline(kernel, ref, timeoutMs);
  return reply;
}

/** Why a call failed, as its caller gets it. */
function callFailed(reason: ExitReason, to: AnyPid | string): CallFailed {
  return { tag: "call", reason, to: String(to) };
}
