/**
 * System messages, as the process that gets them sees them: the part that servers and state machines share (OTP's sys).
 *
 * A system message is an ordinary request with a marked body, so it crosses carriers like any other, waits its turn in the
 * mailbox, and cannot be told from outside. While suspended, a process takes system messages and its parent's exit, and
 * nothing else: all other messages stay in its mailbox, in order and under its limit (G27).
 * Guarantees: whatever a system message asks for, the process lives on and the asker gets an answer. What cannot be
 * copied to an asker in another kernel is refused with a sentence that names the place. Events cost one comparison per
 * message while nobody watches.
 * Unlike OTP: a state is an object, so what others see of it are its fields (see `stateOf`); a log or trace ends at a limit.
 * Not here: asking (sys.ts); `changeCode` (loader).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { describeReason, type ExitReason } from "../kernel/exit-reason.ts";
import { isExit } from "../kernel/message.ts";
import { Pid, type AnyPid, type Ref } from "../kernel/pid.ts";
import { Extra, Process, type AnyProcess } from "../kernel/process.ts";
import { Request } from "../kernel/request.ts";
import { copyable } from "../kernel/trace.ts";
import { UncopyableError } from "../kernel/wire.ts";

/** Events that a log keeps unless told otherwise (OTP's default too); older ones are forgotten. */
export const logEventsMaxDefault = 10;
/** Events that a log can be told to keep at most. */
export const logEventsMaxMax = 10_000;
/** Events after which a trace ends unless told otherwise. */
export const traceEventsMaxDefault = 1000;

/** @internal Marks system messages. */
export const systemType = "$system";

/** Something that a server took or gave, for log and trace (OTP's system events). */
export interface SystemEvent {
  readonly type: "in" | "out";
  /** What kind of message: `call`, `cast` and `info` of servers; others may have more; `reply` for what went out. */
  readonly kind: string;
  readonly message: unknown;
  /** Who asked, for calls; who was answered, for replies. */
  readonly peer: AnyPid | undefined;
  /** Wall-clock milliseconds. */
  readonly atMs: Milliseconds;
}

/** What a process gets that traces a server. */
export interface SystemEventMessage {
  readonly type: "systemEvent";
  readonly from: AnyPid;
  readonly event: SystemEvent;
}

/** What was counted since statistics were switched on (OTP sys:statistics/2). */
export interface SystemStatistics {
  /** Wall-clock milliseconds. */
  readonly startedAtMs: Milliseconds;
  readonly nowMs: Milliseconds;
  /** Messages taken, system messages not counted. */
  readonly messagesInCount: number;
  /** Replies given by a handler's return. */
  readonly messagesOutCount: number;
  /** Time in handlers, in place of OTP's reductions; of an asynchronous handler, the part before its first `await`. */
  readonly workMs: Milliseconds;
}

/** What a system process says of itself (OTP sys:get_status/1). */
export interface SystemStatus {
  readonly pid: AnyPid;
  /** `server` or `stateMachine`. */
  readonly kind: string;
  /** The name of its class; `Object` for a literal. */
  readonly module: string;
  readonly mode: "running" | "suspended";
  readonly parent: AnyPid | undefined;
  /** What watches it. */
  readonly debug: { readonly statistics: boolean; readonly logEventsMax: number; readonly trace: boolean };
  /** Its state, or what its `formatStatus` made of it; a description when it cannot be copied to the asker. */
  readonly state: unknown;
}

/** @internal What can be asked for. */
export type SystemOperation =
  | { readonly operation: "suspend" | "resume" | "getState" | "getStatus" }
  | { readonly operation: "replaceState"; readonly change: unknown }
  | { readonly operation: "statistics"; readonly flag: boolean | "get" }
  | { readonly operation: "log"; readonly flag: boolean | "get"; readonly eventsMax: number }
  | { readonly operation: "trace"; readonly to: TraceTarget | false; readonly eventsMax: number }
  | { readonly operation: "terminate"; readonly reason: ExitReason };

/** Who gets the events of a trace; a function only in the same kernel. */
export type TraceTarget = AnyPid | ((event: SystemEvent, server: AnyPid) => void);

/** @internal A system message without an asker, or the body of a request. */
export type SystemMessage = SystemOperation & { readonly type: typeof systemType };

/** @internal The answer to any of them. */
export type SystemAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly refusal: SystemRefusal; readonly description: string };

/** Why a system message was refused. */
export type SystemRefusal =
  /** The state, or what was to become it, cannot be copied between the two kernels. */
  | "uncopyable"
  /** What the asker gave, or a callback of the server, threw. */
  | "callbackFailed"
  /** The server cannot do that, for example replace a state that it keeps in private fields. */
  | "unsupported";

/** What a server or state machine offers to system messages. */
export interface SystemSubject {
  /** For `getStatus`. */
  readonly kind: string;
  /** The object whose fields or methods they are; `getStatus` tells its class. */
  readonly object: object;
  /** Whose exit ends it, suspended or not. */
  parent(): AnyPid | undefined;
  /** May throw. */
  getState(): unknown;
  /** May throw. */
  replaceState(state: unknown): void;
  /** Default: what `getState` gives. */
  formatStatus?(): unknown;
  /** Cleans up and ends the process by throwing. */
  terminate(reason: ExitReason): void | PromiseLike<void>;
}

/** Whether `message` is for `System.take`. */
export function isSystemMessage(message: unknown): message is Request | SystemMessage {
  const body = message instanceof Request ? message.body : message;
  return typeof body === "object" && body !== null && (body as { type?: unknown }).type === systemType;
}

/** One process's side of system messages; made when the first one comes. */
export class System {
  /** Not null while somebody watches: call `noteIn` and `noteOut` then. */
  debug: Debug | null = null;
  readonly #self: AnyProcess;
  readonly #subject: SystemSubject;
  #isSuspended = false;

  constructor(self: AnyProcess, subject: SystemSubject) {
    this.#self = self;
    this.#subject = subject;
  }

  /** Takes one system message. The promise of a suspension settles when it is over. */
  take(message: Request | SystemMessage): void | PromiseLike<void> {
    const ending = this.#handle(message);
    return this.#isSuspended ? this.#waitForResume() : ending;
  }

  /** As long as the reactor's promise is open, the kernel gives it nothing: messages wait where they are. */
  async #waitForResume(): Promise<void> {
    aboutOf(this.#self).suspended = true;
    const parent = this.#subject.parent();
    while (this.#isSuspended) {
      const message: unknown = await this.#self.receive(
        (candidate: unknown) => isSystemMessage(candidate) || (parent !== undefined && isExit(candidate, parent)),
      );
      if (isExit(message)) await this.#subject.terminate(message.reason);
      else await this.#handle(message as Request | SystemMessage);
    }
    aboutOf(this.#self).suspended = false;
  }

  #handle(message: Request | SystemMessage): void | PromiseLike<void> {
    const [request, from] =
      message instanceof Request ? [message.body as SystemMessage, message.from] : [message, null];
    if (request.operation === "terminate") {
      if (from !== null) this.#self.reply(from, { ok: true, value: undefined } satisfies SystemAnswer);
      return this.#subject.terminate(request.reason);
    }
    const answer = this.#carryOut(request, from);
    if (from !== null) this.#self.reply(from, answer);
    return undefined;
  }

  #carryOut(request: SystemMessage, from: Ref | null): SystemAnswer {
    try {
      const value = this.#perform(request, from);
      if (from !== null && from.kernelId !== this.#self.kernel.id) this.#self.kernel.encode(value, "state");
      return { ok: true, value };
    } catch (thrown) {
      if (thrown instanceof Unsupported) return { ok: false, refusal: "unsupported", description: thrown.message };
      const refusal = thrown instanceof UncopyableError ? "uncopyable" : "callbackFailed";
      return { ok: false, refusal, description: thrown instanceof Error ? thrown.message : describeReason(thrown) };
    }
  }

  #perform(request: SystemMessage, from: Ref | null): unknown {
    switch (request.operation) {
      case "suspend":
        this.#isSuspended = true;
        return undefined;
      case "resume":
        this.#isSuspended = false;
        return undefined;
      case "getState":
        return this.#subject.getState();
      case "replaceState":
        return this.#replaceState(request.change);
      case "getStatus":
        return this.#status(from);
      case "statistics":
        return this.#statistics(request.flag);
      case "log":
        return this.#log(request.flag, request.eventsMax, from);
      case "trace":
        this.#trace(request.to, request.eventsMax);
        return undefined;
      default:
        throw new Unsupported(`there is no system message "${String(request.operation)}"`);
    }
  }

  #replaceState(change: unknown): unknown {
    const next: unknown =
      typeof change === "function" ? (change as (state: unknown) => unknown)(this.#subject.getState()) : change;
    this.#subject.replaceState(next);
    return next;
  }

  #status(from: Ref | null): SystemStatus {
    const state = this.#subject.formatStatus?.() ?? this.#subject.getState();
    return {
      pid: this.#self.pid,
      kind: this.#subject.kind,
      module: nameOfClass(this.#subject.object),
      mode: this.#isSuspended ? "suspended" : "running",
      parent: this.#subject.parent(),
      debug: {
        statistics: this.debug?.counts != null,
        logEventsMax: this.debug?.logEventsMax ?? 0,
        trace: this.debug?.traceTo != null,
      },
      state: this.#forAsker(state, from),
    };
  }

  #statistics(flag: boolean | "get"): SystemStatistics | undefined {
    if (flag === "get") return this.debug?.statistics();
    this.#watch((debug) => debug.count(flag));
    return undefined;
  }

  #log(flag: boolean | "get", eventsMax: number, from: Ref | null): readonly unknown[] {
    if (flag === "get") return (this.debug?.events() ?? []).map((event) => this.#eventFor(event, from));
    this.#watch((debug) => debug.log(flag ? eventsMax : 0));
    return [];
  }

  #trace(to: TraceTarget | false, eventsMax: number): void {
    this.#watch((debug) => debug.trace(to === false ? null : to, eventsMax));
  }

  #watch(change: (debug: Debug) => void): void {
    const debug = this.debug ?? new Debug(this.#self);
    change(debug);
    this.debug = debug.isIdle ? null : debug;
  }

  #eventFor(event: SystemEvent, from: Ref | null): SystemEvent {
    return { ...event, message: this.#forAsker(event.message, from) };
  }

  /** What is only to be looked at is described rather than refused. */
  #forAsker(value: unknown, from: Ref | null): unknown {
    return from === null || from.kernelId === this.#self.kernel.id ? value : copyable(this.#self.kernel, value);
  }
}

/** What watches one process: counts, a log, a trace. */
export class Debug {
  readonly #self: AnyProcess;
  counts: { readonly startedAtMs: number; inCount: number; outCount: number; workMs: number } | null = null;
  logEventsMax = 0;
  #ring: SystemEvent[] = [];
  #ringNext = 0;
  traceTo: TraceTarget | null = null;
  #traceLeft = 0;

  constructor(self: AnyProcess) {
    this.#self = self;
  }

  /** Nobody watches any more. */
  get isIdle(): boolean {
    return this.counts === null && this.logEventsMax === 0 && this.traceTo === null;
  }

  count(on: boolean): void {
    this.counts = on ? { startedAtMs: this.#wallMs(), inCount: 0, outCount: 0, workMs: 0 } : null;
  }

  statistics(): SystemStatistics | undefined {
    if (this.counts === null) return undefined;
    const { startedAtMs, inCount, outCount, workMs } = this.counts;
    return { startedAtMs, nowMs: this.#wallMs(), messagesInCount: inCount, messagesOutCount: outCount, workMs };
  }

  log(eventsMax: number): void {
    this.#ring = this.events().slice(Math.max(0, this.#ring.length - eventsMax));
    this.#ringNext = 0;
    this.logEventsMax = eventsMax;
    if (eventsMax === 0) this.#ring = [];
  }

  /** What is in the log, oldest first. */
  events(): SystemEvent[] {
    return [...this.#ring.slice(this.#ringNext), ...this.#ring.slice(0, this.#ringNext)];
  }

  trace(to: TraceTarget | null, eventsMax: number): void {
    this.traceTo = to;
    this.#traceLeft = eventsMax;
  }

  /** A message was taken. */
  noteIn(kind: string, message: unknown, peer: AnyPid | undefined): void {
    if (this.counts !== null) this.counts.inCount += 1;
    this.#note({ type: "in", kind, message, peer, atMs: this.#wallMs() });
  }

  /** A reply was given. */
  noteOut(message: unknown, peer: AnyPid): void {
    if (this.counts !== null) this.counts.outCount += 1;
    this.#note({ type: "out", kind: "reply", message, peer, atMs: this.#wallMs() });
  }

  /** Runs a handler and counts the time until it returns. */
  timed<T>(handler: () => T): T {
    const { clock } = this.#self.kernel.platform;
    const startMs = clock.monotonicMs();
    try {
      return handler();
    } finally {
      if (this.counts !== null) this.counts.workMs += clock.monotonicMs() - startMs;
    }
  }

  #note(event: SystemEvent): void {
    if (this.logEventsMax > 0) this.#keep(event);
    if (this.traceTo !== null) this.#tell(this.traceTo, event);
  }

  #keep(event: SystemEvent): void {
    if (this.#ring.length < this.logEventsMax) {
      this.#ring.push(event);
      return;
    }
    this.#ring[this.#ringNext] = event;
    this.#ringNext = (this.#ringNext + 1) % this.logEventsMax;
  }

  /** A trace ends at its limit, and when nobody is there to get it. */
  #tell(to: TraceTarget, event: SystemEvent): void {
    this.#traceLeft -= 1;
    if (this.#traceLeft <= 0) this.traceTo = null;
    const { kernel, pid } = this.#self;
    if (to instanceof Pid && to.kernelId === kernel.id && to.process === null) {
      this.traceTo = null;
      return;
    }
    try {
      if (typeof to === "function") to(event, pid);
      else kernel.send(to, { type: "systemEvent", from: pid, event: this.#eventFor(to, event) });
    } catch (refused) {
      this.traceTo = null;
      kernel.platform.log("warning", `the trace of ${pid} ended: ${describeReason(refused)}`);
    }
  }

  #eventFor(to: AnyPid, event: SystemEvent): SystemEvent {
    if (to.kernelId === this.#self.kernel.id) return event;
    return { ...event, message: copyable(this.#self.kernel, event.message) };
  }

  #wallMs(): Milliseconds {
    return this.#self.kernel.platform.clock.wallMs();
  }
}

/**
 * What others see of a state that is an object: its own fields, without functions and processes. Private fields (`#value`)
 * nobody can see; a server that has them says what its state is by `systemGetState`.
 * The object is new, what stands in its fields is not: look, and change nothing inside.
 */
export function stateOf(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => isState(value)));
}

/**
 * Makes `state` the fields of `object`, as `stateOf` gives them; fields that are not in it are removed.
 * @throws TypeError when it is not an object, or a field cannot be written.
 */
export function replaceStateOf(object: object, state: unknown): void {
  if (typeof state !== "object" || state === null) {
    throw new TypeError(`a state is an object with the server's fields, not ${describeReason(state)}`);
  }
  if (Object.isFrozen(object)) throw new TypeError("the server's object is frozen");
  const fields = object as Record<string, unknown>;
  for (const key of Object.keys(stateOf(object))) if (!Object.hasOwn(state, key)) delete fields[key];
  Object.assign(fields, state);
}

/** The server cannot do what was asked. */
export class Unsupported extends Error {}

function nameOfClass(object: object): string {
  return (Object.getPrototypeOf(object) as object | null)?.constructor.name ?? "Object";
}

function isState(value: unknown): boolean {
  return typeof value !== "function" && !(value instanceof Process);
}

function aboutOf(self: AnyProcess): { suspended: boolean } {
  return (self.extra ??= new Extra());
}
