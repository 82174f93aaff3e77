/**
 * Server: a process that owns a state and answers calls and casts, OTP's gen_server.
 *
 * Guarantees: requests are handled one at a time in mailbox order (G29); `start` returns after `init` (G1); a call gets
 * its reply, or fails with a reason, exactly once; a late reply never reaches the caller (G9). Handlers that answer at
 * once run without a promise; one that returns a promise holds the next message back until it settles.
 * Unlike OTP: the state is the object itself (`this`), so handlers return replies, not state tuples. Any value is a
 * reply; what should happen instead of one is said with `noReply`, `stop` and `reply`.
 * Not here: typed stubs (stub.ts) and which methods they reach (invocation.ts), state machines (state-machine.ts),
 * supervision (supervisor/), what sys asks (system.ts).
 *
 * @module
 */
import { assertMilliseconds, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { isThenable } from "../base/thenable.ts";
import { assertFunction } from "../kernel/argument.ts";
import { describeReason, Exit, isTagged, type CallFailed, type ExitReason } from "../kernel/exit-reason.ts";
import { isDown, isExit, type DownMessage, type TimeoutMessage } from "../kernel/message.ts";
import type { AnyPid, Pid, Ref } from "../kernel/pid.ts";
import { callTimeoutMsDefault, timedOut, type AnyProcess, type StartOptions } from "../kernel/process.ts";
import { defineProgram, type DefinedProgram } from "../kernel/program.ts";
import { Request } from "../kernel/request.ts";
import {
  behaviour,
  castType,
  findMethod,
  invoke,
  isInvocation,
  undefinedMethod,
  type Behaviour,
  type CastMessage,
  type Invocation,
} from "./invocation.ts";
import {
  isSystemMessage,
  replaceStateOf,
  stateOf,
  System,
  systemType,
  Unsupported,
  type Debug,
  type SystemMessage,
  type SystemSubject,
} from "./system.ts";

/** What to do instead of (or besides) replying; made by `noReply`, `reply`, `stop`, `ignore`. `Reply` is what it replies. */
export class Outcome<out Reply = never> {
  readonly kind: "go on" | "stop" | "ignore";
  readonly hasReply: boolean;
  /** Only when `hasReply`. */
  readonly reply: Reply;
  readonly reason: ExitReason;
  readonly next: Next;

  /** @internal */
  constructor(kind: Outcome["kind"], parts: { reply?: readonly [Reply]; reason?: ExitReason; next?: Next } = {}) {
    this.kind = kind;
    this.hasReply = parts.reply !== undefined;
    this.reply = parts.reply?.[0] as Reply;
    this.reason = parts.reason;
    this.next = parts.next ?? {};
  }
}

/** What a server does after a handler has returned. */
export interface Next {
  /** Calls `handleInfo({ type: "timeout" })` when no message came within this many milliseconds (G23). */
  readonly timeoutMs?: number;
  /** Calls `handleContinue` with this before any queued message (G17). */
  readonly continueWith?: unknown;
}

/** From `handleCall`: somebody will `self.reply(from, …)` later (OTP `{noreply, State}`, G13). */
export const noReply: Outcome = new Outcome("go on");
/** From `init`: the process ends with `normal` and is not an error (OTP `ignore`, G3); see `isIgnored`. */
export const ignore: Outcome = new Outcome("ignore");

/** Whether a start failed only because `init` returned `ignore`. */
export function isIgnored(reason: ExitReason): boolean {
  return isTagged(reason, "ignore");
}

/** Goes on, without a reply, in a certain way (OTP `{noreply, State, Timeout}`). @throws TypeError, RangeError: it is none. */
export function goOn(next: Next): Outcome {
  assertNext("goOn(next)", next);
  return new Outcome("go on", { next });
}

/** Replies, then goes on in a certain way (OTP `{reply, Reply, State, Timeout}`). @throws as `goOn`. */
export function reply<Reply>(value: Reply, next: Next = {}): Outcome<Reply> {
  assertNext("reply(value, next)", next);
  return new Outcome("go on", { reply: [value], next });
}

/** In the callback, where it can be seen who gave it; later nobody would clean up after it. */
function assertNext(where: string, next: Next): void {
  if (typeof next !== "object" || next === null) {
    throw new TypeError(`in ${where}, next is { timeoutMs, continueWith }, not ${inWords(next)}`);
  }
  if (next.timeoutMs !== undefined) assertMilliseconds(`in ${where}, timeoutMs`, next.timeoutMs);
}

/** Calls `terminate(reason)` and ends the server (OTP `{stop, Reason, State}`). */
export function stop(reason: ExitReason = "normal"): Outcome {
  return new Outcome("stop", { reason });
}

/** As `stop`, replying first (OTP `{stop, Reason, Reply, State}`, G14). */
export function stopWithReply<Reply>(reason: ExitReason, value: Reply): Outcome<Reply> {
  return new Outcome("stop", { reason, reply: [value] });
}

/** A server's callbacks; the object that has them is its state. All may be async. */
export interface Server<Call = never, Cast = never, Info = never> {
  /** Sets the state up; may return `ignore`, `stop(reason)` or `goOn(next)`. Throwing fails the start (G4). */
  init?(): unknown;
  /** Returns the reply, or an `Outcome`. */
  handleCall?(request: Call, from: Ref): unknown;
  /** Returns nothing, or an `Outcome`. */
  handleCast?(message: Cast): unknown;
  /** Every other message (G16). Returns nothing, or an `Outcome`. Default: logs and drops it, as OTP does. */
  handleInfo?(message: Info): unknown;
  /** What `continueWith` asked for. Returns nothing, or an `Outcome`. */
  handleContinue?(what: unknown): unknown;
  /** Cleans up; runs after `stop`, after an error in a callback, and on the parent's exit when exits are trapped. */
  terminate?(reason: ExitReason): unknown;
  /** The state as `sys.getState` shows it. Default: the object's own fields; needed when they are private. */
  systemGetState?(): unknown;
  /** Makes what `sys.replaceState` was given the state. Default, without `systemGetState`: sets the fields. */
  systemReplaceState?(state: never): void;
  /** What `sys.getStatus` shows of the state, such as all but its secrets (OTP format_status). */
  formatStatus?(): unknown;
  /** @internal */
  readonly [behaviour]?: Behaviour;
}

declare const serves: unique symbol;
export type { serves };

/** What carries the type of a server, for stubs. */
export interface Serves<S> {
  /** Only for the type checker. */
  readonly [serves]?: S;
}

/** The pid of a server whose class or handler object is `S`. */
export type ServerPid<S> = Pid<unknown> & Serves<S>;

/** A server as a program; `S` is its class or handler object. */
export type ServerProgram<S, Args extends readonly unknown[] = readonly never[]> = DefinedProgram<unknown, Args> &
  Serves<S>;

/**
 * Makes a server once its process exists: any object, with callbacks (`Server`), with methods for stubs, or with both. It is not
 * held to the type of the callbacks, or those of an object literal could not use the literal's own fields.
 */
export type ServerFactory<Args extends readonly unknown[] = readonly never[], S extends object = object> = (
  self: AnyProcess,
  ...args: Args
) => S;

/** Makes a server the program of a file: `export default defineServer((self) => new Counter())`. */
export function defineServer<Args extends readonly unknown[], S extends object>(
  create: ServerFactory<Args, S>,
): ServerProgram<S, Args> {
  assertFunction("defineServer", create);
  // Its name is what a process without one is called by tables and stories.
  const server = (self: AnyProcess, ...args: Args): unknown => new Loop(self, () => create(self, ...args)).begin();
  return defineProgram(server, { acknowledges: true });
}

/**
 * Starts a server and returns its pid after `init` (OTP gen_server:start_link/3, or start/3 with `link: false`).
 * @throws StartError with the reason of `stop`, of a failed `init`, `"timeout"`, one that `isIgnored` (G2 to G5), or
 * `{ tag: "alreadyStarted", pid }` when the name is taken (G6).
 */
export function startServer<Args extends readonly unknown[], S extends object>(
  self: AnyProcess,
  create: ServerFactory<Args, S>,
  options: StartOptions<Args> = {},
): Promise<ServerPid<S>> {
  return self.start(defineServer(create), options);
}

/**
 * Asks a server and awaits its reply (OTP gen_server:call/3).
 * @throws Exit with `{ tag: "call", reason, to }`: `"timeout"` after `timeoutMs` (default 5000), `"noproc"`, or what
 * ended the server (G8, G10, G11). Uncaught, it ends the caller.
 */
export function call(
  self: AnyProcess,
  server: AnyPid | string,
  request: unknown,
  timeoutMs: Milliseconds = callTimeoutMsDefault,
): Promise<unknown> {
  return self.request(server, request, timeoutMs);
}

/** Tells a server something (OTP gen_server:cast/2). Never fails, also when nobody is there (G15). */
export function cast(self: AnyProcess, server: AnyPid | string, message: unknown): void {
  if (!isNobody(self, server)) self.send(server as Pid<unknown> | string, { type: castType, message });
}

/** Below the root, a name that nobody has here may be known above. */
function isNobody(self: AnyProcess, server: AnyPid | string): boolean {
  return typeof server === "string" && !self.kernel.id.includes(".") && self.whereis(server) === undefined;
}

/**
 * Ends a server in order and waits until it is gone (OTP gen_server:stop/3, G24).
 * @throws Exit `"noproc"` when it was not there (G25), `{ tag: "call", reason, to }` with `"timeout"`, or `"callingSelf"`
 * in the server itself, which returns `stop(reason)` instead; or the reason with which it ended instead.
 */
export async function stopServer(
  self: AnyProcess,
  server: AnyPid | string,
  reason: ExitReason = "normal",
  timeoutMs: Milliseconds = Infinity,
): Promise<void> {
  assertMilliseconds("the time-out of stopServer", timeoutMs);
  if ((typeof server === "string" ? self.whereis(server) : server) === self.pid) {
    throw new Exit({ tag: "call", reason: "callingSelf", to: String(server) } satisfies CallFailed);
  }
  const ref = self.monitor(server);
  const request = { type: systemType, operation: "terminate", reason };
  if (!isNobody(self, server)) self.send(server as Pid<unknown> | string, request);
  const down: DownMessage | typeof timedOut = await self.receive((m): m is DownMessage => isDown(m, ref), {
    timeoutMs,
  });
  if (down === timedOut) {
    self.demonitor(ref, { flush: true });
    throw new Exit({ tag: "call", reason: "timeout", to: String(server) } satisfies CallFailed);
  }
  if (describeReason(down.reason) !== describeReason(reason)) throw new Exit(down.reason);
}

/** Calls of `handleContinue` in a row before other processes get their turn. */
const continuesPerTurn = 64;

/** The general part of a server: takes messages, calls callbacks, carries out what they return. */
class Loop {
  readonly #self: AnyProcess;
  readonly #create: () => object;
  #server: Server<unknown, unknown, unknown> = {};
  #parent: AnyPid | undefined = undefined;
  /** The timer of `timeoutMs`, while it runs. */
  #timeout: Ref | null = null;
  /** How long it waits; after a system message it waits so long again, as OTP does. */
  #waitMs: Milliseconds = Infinity;
  /** Once a system message has come. */
  #system: System | null = null;
  /** Timers that fired after another message had ended the wait; their messages are still queued. */
  readonly #stale = new Set<Ref>();
  /** What `handleContinue` is still to be called with; null while nothing continues. */
  #continues: unknown[] | null = null;

  constructor(self: AnyProcess, create: () => object) {
    this.#self = self;
    this.#create = create;
  }

  begin(): unknown {
    const server: unknown = this.#create();
    if (typeof server !== "object" || server === null) {
      throw new TypeError(`a server is an object with callbacks or methods, and its function gave ${inWords(server)}`);
    }
    this.#server = server;
    this.#noteParent();
    const result = this.#attempt(() => this.#server.init?.());
    return isThenable(result)
      ? result.then(
          (value) => this.#started(value),
          (thrown: unknown) => this.#started(returned(thrown)),
        )
      : this.#started(result);
  }

  #started(result: unknown): unknown {
    if (result instanceof Outcome && result.kind === "ignore") return this.#self.failStart({ tag: "ignore" }, "normal");
    if (result instanceof Outcome && result.kind === "stop") return this.#self.failStart(result.reason);
    if (result !== undefined && !(result instanceof Outcome)) {
      return this.#self.failStart({ tag: "badReturnValue", value: result });
    }
    this.#noteParent();
    this.#self.ready();
    const continued = result === undefined ? undefined : this.#proceed(result.next);
    // Only now, so that nothing that is queued comes before what was to be continued with (G17).
    if (isThenable(continued)) return continued.then(() => this.#self.react((message) => this.#take(message)));
    return this.#self.react((message) => this.#take(message));
  }

  /**
   * Only who started this server linked is its parent, whose exit ends it (G21, G22); whoever spawned it without a link is
   * anybody. Noted before and after `init`, because the link may be younger than the process on another carrier, and the
   * parent may die meanwhile.
   */
  #noteParent(): void {
    const { parent } = this.#self;
    if (parent !== undefined && this.#self.info()?.links.includes(parent) === true) this.#parent = parent;
  }

  #take(message: unknown): void | PromiseLike<void> {
    if ((this.#timeout !== null || this.#stale.size > 0) && this.#endWait(message)) return undefined;
    if (isSystemMessage(message)) return this.#takeSystem(message);
    const debug = this.#system === null ? null : this.#system.debug;
    return debug === null ? this.#handle(message) : this.#watched(message, debug);
  }

  #handle(message: unknown): void | PromiseLike<void> {
    if (message instanceof Request) {
      const { body, from } = message;
      return this.#run(() => this.#call(body, from), from);
    }
    if (isOfType<CastMessage>(message, castType)) {
      return this.#run(() => this.#cast(message.message), null);
    }
    if (isExit(message) && message.from === this.#parent) {
      return this.#stop(message.reason, new Exit(message.reason));
    }
    return this.#run(() => this.#info(message), null);
  }

  #watched(message: unknown, debug: Debug): void | PromiseLike<void> {
    if (message instanceof Request) debug.noteIn("call", message.body, message.from.owner);
    else if (isOfType<CastMessage>(message, castType)) debug.noteIn("cast", message.message, undefined);
    else debug.noteIn("info", message, undefined);
    return debug.timed(() => this.#handle(message));
  }

  #takeSystem(message: Request | SystemMessage): void | PromiseLike<void> {
    this.#system ??= new System(this.#self, this.#subject());
    const suspended = this.#system.take(message);
    return isThenable(suspended) ? suspended.then(() => this.#startWait()) : this.#startWait();
  }

  #subject(): SystemSubject {
    const server = this.#server;
    return {
      kind: server[behaviour]?.kind ?? "server",
      object: server[behaviour]?.object ?? server,
      parent: () => this.#parent,
      getState: () => (server.systemGetState === undefined ? stateOf(server) : server.systemGetState()),
      replaceState: (state) => {
        if (server.systemReplaceState !== undefined) server.systemReplaceState(state as never);
        else if (server.systemGetState === undefined) replaceStateOf(server, state);
        else throw new Unsupported("the server has systemGetState, but no systemReplaceState");
      },
      formatStatus: () => server.formatStatus?.(),
      terminate: (reason) => this.#stop(reason, new Exit(reason)),
    };
  }

  #reply(from: Ref, value: unknown): void {
    this.#system?.debug?.noteOut(value, from.owner);
    this.#self.reply(from, value);
  }

  #call(body: unknown, from: Ref): unknown {
    if (isInvocation(body)) return this.#invoke(body, from);
    if (this.#server.handleCall === undefined) return stop({ tag: "badCall", request: body });
    return this.#server.handleCall(body, from);
  }

  #cast(message: unknown): unknown {
    if (!isInvocation(message)) return this.#server.handleCast?.(message);
    // The same method answers calls: what it returns, a cast does not want.
    const result = this.#invoke(message, null);
    return isThenable(result) ? result.then(outcomeOnly) : outcomeOnly(result);
  }

  #invoke(invocation: Invocation, from: Ref | null): unknown {
    const { method, args } = invocation;
    const other = this.#server[behaviour];
    if (other !== undefined) return other.invoke(invocation, from);
    const found = findMethod(this.#server, method);
    if (found !== undefined) return invoke(from, this.#server, found, args);
    if (from !== null) return undefinedMethod(method);
    this.#self.kernel.platform.log("warning", `${this.#self.pid} has no method ${method} and dropped a cast`);
    return undefined;
  }

  #info(message: unknown): unknown {
    if (this.#server.handleInfo !== undefined) return this.#server.handleInfo(message);
    this.#self.kernel.platform.log("warning", `${this.#self.pid} has no handleInfo and dropped a message`);
    return undefined;
  }

  /** Any message ends the wait for `timeoutMs`. True for the message of a timer that fired too late to count. */
  #endWait(message: unknown): boolean {
    const ref = isOfType<TimeoutMessage>(message, "timeout") ? message.ref : null;
    if (ref !== null && this.#stale.delete(ref)) return true;
    if (!isSystemMessage(message)) this.#waitMs = Infinity;
    if (ref !== null && ref === this.#timeout) this.#timeout = null;
    else this.#endTimeout();
    return false;
  }

  #endTimeout(): void {
    const waited = this.#timeout;
    this.#timeout = null;
    if (waited !== null && this.#self.cancelTimer(waited) === false) this.#stale.add(waited);
  }

  #startWait(): void {
    if (this.#waitMs !== Infinity) this.#timeout = this.#self.startTimer(this.#waitMs, this.#self.pid, undefined);
  }

  #run(handler: () => unknown, from: Ref | null): void | PromiseLike<void> {
    let result: unknown;
    try {
      result = handler();
    } catch (thrown) {
      if (!(thrown instanceof Outcome)) return this.#fail(thrown);
      result = thrown;
    }
    if (!isThenable(result)) return this.#carryOut(result, from);
    return result.then(
      (value) => this.#carryOut(value, from),
      (thrown: unknown) => (thrown instanceof Outcome ? this.#carryOut(thrown, from) : this.#fail(thrown)),
    );
  }

  #attempt(callback: () => unknown): unknown {
    try {
      return callback();
    } catch (thrown) {
      return returned(thrown);
    }
  }

  #carryOut(result: unknown, from: Ref | null): void | PromiseLike<void> {
    const isOutcome = result instanceof Outcome;
    if (from !== null && (!isOutcome || result.hasReply)) {
      try {
        this.#reply(from, isOutcome ? result.reply : result);
      } catch (refused) {
        // Such as a value that cannot be copied to the caller's carrier: an error of the callback that returned it.
        return this.#fail(refused);
      }
    }
    if (!isOutcome) {
      const isGood = from !== null || result === undefined;
      return isGood ? undefined : this.#failWith({ tag: "badReturnValue", value: result });
    }
    if (result.kind === "stop") return this.#stop(result.reason, new Exit(result.reason));
    if (result.kind === "ignore") return this.#failWith({ tag: "badReturnValue", value: "ignore" });
    return this.#proceed(result.next);
  }

  #proceed(next: Next): void | PromiseLike<void> {
    this.#endTimeout();
    this.#waitMs = next.timeoutMs ?? Infinity;
    this.#startWait();
    if (!("continueWith" in next)) return undefined;
    if (this.#continues === null) return this.#continue([next.continueWith]);
    this.#continues.push(next.continueWith);
    return undefined;
  }

  /** A loop: a server continues as often as it likes, and neither its stack nor promises pile up. */
  async #continue(continues: unknown[]): Promise<void> {
    this.#continues = continues;
    for (let count = 1; continues.length > 0; count += 1) {
      if (count % continuesPerTurn === 0) await this.#self.yield();
      const what = continues.pop();
      const handling = this.#run(() => this.#server.handleContinue?.(what), null);
      if (isThenable(handling)) await handling;
    }
    this.#continues = null;
  }

  #fail(thrown: unknown): void | PromiseLike<void> {
    const reason = thrown instanceof Exit ? thrown.reason : thrown;
    if (thrown instanceof Error) return this.#stop(reason, thrown);
    return this.#failWith({ tag: "badReturnValue", value: thrown });
  }

  #failWith(reason: ExitReason): void | PromiseLike<void> {
    return this.#stop(reason, new Exit(reason));
  }

  /** Runs `terminate`, then ends the process by throwing `last` (G18). */
  #stop(reason: ExitReason, last: unknown): void | PromiseLike<void> {
    const cleaned = this.#server.terminate?.(reason);
    if (!isThenable(cleaned)) throw last;
    return cleaned.then(() => {
      throw last;
    });
  }
}

function outcomeOnly(result: unknown): unknown {
  return result instanceof Outcome ? result : undefined;
}

/** A thrown `Outcome` counts as returned (G31). */
function returned(thrown: unknown): Outcome<unknown> {
  if (thrown instanceof Outcome) return thrown;
  throw thrown;
}

function isOfType<T extends { readonly type: string }>(message: unknown, type: T["type"]): message is T {
  return typeof message === "object" && message !== null && (message as { type?: unknown }).type === type;
}
