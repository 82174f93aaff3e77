/**
 * Process: one isolated activity with a pid and a mailbox, as its own body sees it (`self`).
 *
 * Guarantees: OTP's, statement by statement (`docs/conformance.md` lists them): spawn returns before the child
 * runs; order per pair; selective receive; two-way links, one-way monitors; `kill` cannot be trapped.
 * Unlike Erlang: nothing can interrupt synchronous JavaScript, so a coroutine that loops without `await` is found, not
 * stopped; and a process ended from outside is dropped where it waits: its `finally` blocks do not run (E13). What must
 * be closed stands in the handle table (`own`).
 * Not here: what happens to a signal (kernel.ts), servers (server/), supervisors (supervisor/).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { ancestorPidsOf, type Ancestor } from "./ancestry.ts";
import { assertFunction, assertHandle, assertPid } from "./argument.ts";
import { Exit, ProcessEnded, type ExitReason } from "./exit-reason.ts";
import type { Gate, Held } from "./gate.ts";
import type { Handle } from "./handle.ts";
import type { HostFacts } from "./inspect.ts";
import type { Kernel } from "./kernel.ts";
import type { Mailbox } from "./mailbox.ts";
import { MailboxFullError, messagesMaxDefault, type Intake, type MailboxLimit } from "./mailbox.ts";
import type { Ref } from "./pid.ts";
import { Pid, type AnyPid } from "./pid.ts";
import type { HostOptions, Program } from "./program.ts";
import { request } from "./request.ts";
import type { Timer } from "./timer.ts";
import { startVia, type Via } from "./via.ts";

/** What `receive` gives when its time ran out. */
export const timedOut: unique symbol = Symbol.for("colos.timedOut") as never;
/** The type of `timedOut`. */
export type TimedOut = typeof timedOut;

/** Milliseconds a call waits unless told otherwise (OTP gen_server:call/2). */
export const callTimeoutMsDefault = 5000;

/** How a process is started. */
export interface SpawnOptions<Args extends readonly unknown[] = readonly unknown[]> extends HostOptions {
  /** The carrier's name; default: `coroutine` for a function, and for others the one that can run it safely. */
  readonly carrier?: string;
  /** Given to the body after `self`; copied when it runs on another carrier. */
  readonly args?: Args;
  /** Registered before the body runs. @see Process.register */
  readonly name?: string;
  /** For people and logs only; need not be unique. */
  readonly label?: string;
  readonly mailbox?: MailboxLimit;
  /** On whose behalf it works: `callersOf(self)`; the first `callersMax` count. Commands do not heed it. */
  readonly callers?: readonly AnyPid[];
}

/** How `start` waits. */
export interface StartOptions<Args extends readonly unknown[] = readonly unknown[]> extends SpawnOptions<Args> {
  /** Default true (OTP `start_link`); false is OTP's `start`. */
  readonly link?: boolean;
  /** Milliseconds until the start counts as failed and the process is killed; default Infinity. */
  readonly timeoutMs?: Milliseconds;
  /** Called with the pid before it is ready, so that a start that hangs can be ended. */
  readonly onSpawn?: (pid: AnyPid) => void;
  /** Where else than among the kernel's names it is registered before it runs: `via(registry, key)`. */
  readonly via?: Via;
}

/** A process did not start: `reason` is what it ended with, `"timeout"`, or what `failStart` was given. */
export class StartError extends Error {
  readonly reason: ExitReason;

  constructor(reason: ExitReason, description: string) {
    super(description);
    this.name = "StartError";
    this.reason = reason;
  }
}

/** What `monitor` may do besides watching. */
export interface MonitorOptions {
  /** Also make the ref an alias until the monitor ends or, with `once`, until the first message through it. */
  readonly alias?: "untilDown" | "once";
}

/** What a process looks like from outside (OTP process_info/1). */
export interface ProcessInfo {
  readonly pid: AnyPid;
  readonly name: string | undefined;
  readonly label: string | undefined;
  readonly parent: AnyPid | undefined;
  /** `running`: it asks about itself. */
  readonly status: "runnable" | "running" | "waiting" | "exiting";
  readonly messagesCount: number;
  /** Messages lost to the mailbox limit. */
  readonly droppedCount: number;
  readonly links: readonly AnyPid[];
  readonly monitors: readonly (AnyPid | string)[];
  readonly monitoredBy: readonly AnyPid[];
  readonly trapExit: boolean;
}

/** Handles one message; a promise parks the process until it settles. Throwing ends the process. */
export type Reactor = (message: unknown) => void | PromiseLike<void>;

/** @internal What `sleep` waits for: nothing; one function, so that a look from outside can tell. */
export const sleepMatch = (): boolean => false;

/** @internal Where a process stands in its life. */
export type Stage = "new" | "live" | "exiting" | "dead";

/** A promise for an answer that a dead process waits for: nobody resolves it, so nothing runs. */
const never = <T>(): Promise<T> => new Promise<T>(() => {});

export class Process<Message = unknown> {
  readonly pid: Pid<Message>;
  /** @internal */ readonly kernel: Kernel;
  /** @internal */ stage: Stage = "new";
  /** @internal */ trapping = false;
  /** @internal In the run queue. */ queued = false;
  /** @internal Its reactor or body is running or parked in a promise. */ busy = false;
  /** @internal The body; its arguments wait in `resumeValue` until it runs. */
  begin: ((self: AnyProcess, ...args: readonly unknown[]) => unknown) | null = null;
  /** @internal Resolves the promise that the body waits on. */ wake: ((value: never) => void) | null = null;
  /** @internal Set when woken and not resumed yet. */ resume: ((value: never) => void) | null = null;
  /** @internal */ resumeValue: unknown = undefined;
  /** @internal */ match: ((message: unknown) => boolean) | null = null;
  /** @internal */ waitTimer: Timer | null = null;
  /** @internal */ reactor: Reactor | null = null;
  /** @internal */ mailbox: Mailbox | null = null;
  /** @internal */ links: Set<AnyPid> | null = null;
  /** @internal Refs of own monitors and open requests. */ monitors: Set<Ref> | null = null;
  /** @internal Refs of others that watch this process. */ watchers: Set<Ref> | null = null;
  /** @internal What few processes have. */ extra: Extra | null = null;
  /** @internal Neighbours in the kernel's list of all processes. */ before: AnyProcess | null = null;
  /** @internal */ after: AnyProcess | null = null;

  /** @internal Use `spawn` or `Kernel.attach`. */
  constructor(kernel: Kernel, serial: number, parent: AnyPid | null) {
    this.kernel = kernel;
    this.pid = new Pid(kernel.id, serial, this, parent);
  }

  /** Who spawned this process. */
  get parent(): AnyPid | undefined {
    return this.pid.parent ?? undefined;
  }

  /** Who spawned this process, who spawned that one, and so on, ended ones too (OTP's `$ancestors`). */
  get ancestors(): readonly Ancestor[] {
    return ancestorPidsOf(this.pid).map((pid) => ({ pid, name: this.kernel.nameOf(pid) }));
  }

  /** On whose behalf this process works, nearest first, as its starter said (Elixir's `$callers`). */
  get callers(): readonly AnyPid[] {
    return this.extra?.callers ?? [];
  }

  // --- starting others ---

  /** Starts a process and returns at once, before it runs (OTP spawn/1, P1). Its failure does not reach this one. */
  spawn<M, A extends readonly unknown[]>(program: Program<M, A>, options?: SpawnOptions<A>): Pid<M> {
    this.#assertAlive();
    return this.kernel.spawnFrom(this, program, options, false, null);
  }

  /** Spawns and links in one step (OTP spawn_link/1): a child that fails at once still gives its real reason (P6). */
  spawnLink<M, A extends readonly unknown[]>(program: Program<M, A>, options?: SpawnOptions<A>): Pid<M> {
    this.#assertAlive();
    return this.kernel.spawnFrom(this, program, options, true, null);
  }

  /** Spawns and monitors in one step (OTP spawn_monitor/1): never `noproc` for a child that ends at once (P7). */
  spawnMonitor<M, A extends readonly unknown[]>(
    program: Program<M, A>,
    options?: SpawnOptions<A>,
  ): { readonly pid: Pid<M>; readonly ref: Ref } {
    this.#assertAlive();
    const ref = this.kernel.newRef(this);
    return { pid: this.kernel.spawnFrom(this, program, options, false, ref), ref };
  }

  /**
   * Starts a process and waits until it is ready (OTP proc_lib:start_link/5): once its body has begun, or, for servers and
   * programs that say so (`acknowledges`), once it calls `ready()`. Linked unless `link: false`.
   * @throws StartError when it ends first, calls `failStart`, or is not ready within `timeoutMs` (then it is killed).
   */
  start<M, A extends readonly unknown[]>(program: Program<M, A>, options: StartOptions<A> = {}): Promise<Pid<M>> {
    this.#assertAlive();
    return options.via === undefined
      ? this.kernel.start(this, program, options)
      : startVia(this, options.via, program, options);
  }

  /** Tells the process that started this one with `start` that it is ready (OTP proc_lib:init_ack/1). Idempotent. */
  ready(): void {
    this.#assertAlive();
    this.kernel.acknowledge(this, { ready: true });
  }

  /** Tells the starter that this process could not start (OTP proc_lib:init_fail/2) and ends it with `exitReason`. */
  failStart(reason: ExitReason, exitReason: ExitReason = reason): never {
    this.#assertAlive();
    this.kernel.acknowledge(this, { ready: false, reason });
    throw new Exit(exitReason);
  }

  // --- messages ---

  /**
   * Sends and returns the message (OTP `!`). A pid that has ended takes it silently (M2).
   * @throws Error when a name is not registered (M3); UncopyableError, MailboxFullError.
   */
  send<M>(to: Pid<M> | Ref | string, message: M): M {
    this.#assertAlive();
    if (this.kernel.observer !== null) this.kernel.observer.sent(this, to as AnyPid | Ref | string, message);
    this.kernel.send(to as AnyPid | Ref | string, message, this);
    return message;
  }

  /**
   * Sends once there is room: waits while the receiver's mailbox (of the policy `block`) or the channel to its carrier is
   * full, at most `timeoutMs` (default 5,000). To any other receiver it is `send`. Await it before you send again: what
   * is sent meanwhile comes first.
   * @throws HeldTooLongError when there was no room in time, and then nothing was sent; and what `send` throws.
   */
  async sendWhenRoom<M>(
    to: Pid<M> | Ref | string,
    message: M,
    options: { readonly timeoutMs?: Milliseconds } = {},
  ): Promise<M> {
    this.#assertAlive();
    const gate = this.kernel.gateBefore(to as AnyPid | Ref | string);
    gate?.claim(this);
    const timeoutMs = options.timeoutMs ?? callTimeoutMsDefault;
    if (isHeld(this)) await this.extra?.held?.free(timeoutMs);
    return this.send(to, message);
  }

  /**
   * Takes the first message in arrival order (OTP `receive`), or the first that `match` accepts, leaving the others in
   * place (M4, M5). With `timeoutMs` gives `timedOut` when none came; 0 only looks (M6).
   */
  receive(): Promise<Message>;
  receive<T extends Message>(match: (message: Message) => message is T): Promise<T>;
  receive(match: (message: Message) => boolean): Promise<Message>;
  receive<T extends Message>(
    match: ((message: Message) => message is T) | undefined,
    options: { readonly timeoutMs: Milliseconds },
  ): Promise<T | TimedOut>;
  receive(
    match: ((message: Message) => boolean) | undefined,
    options: { readonly timeoutMs: Milliseconds },
  ): Promise<Message | TimedOut>;
  receive(match?: (message: Message) => boolean, options?: { readonly timeoutMs: Milliseconds }): Promise<unknown> {
    const { mailbox } = this;
    // The fast path: a message is there. What follows makes closures, and a function that does is dearer from its start.
    const isFree = this.stage === "live" && this.wake === null && this.resume === null && !isHeld(this);
    if (isFree && mailbox !== null && mailbox.size > 0) {
      if (match === undefined) return this.kernel.taken(this, mailbox.shift());
      const position = mailbox.find(match as (message: unknown) => boolean);
      if (position >= 0) return this.kernel.taken(this, mailbox.takeAt(position));
    }
    return this.#receiveLater(match, options);
  }

  #receiveLater(
    match: ((message: Message) => boolean) | undefined,
    options: { readonly timeoutMs: Milliseconds } | undefined,
  ): Promise<unknown> {
    if (this.stage === "dead" || this.stage === "exiting") return never();
    if (this.wake !== null || this.resume !== null) return this.#refuseSecondWait();
    if (isHeld(this)) return this.#whenFree(() => this.receive(match, options as { readonly timeoutMs: number }));
    if (match !== undefined) assertFunction("receive", match);
    const timeoutMs = options === undefined ? Infinity : options.timeoutMs;
    if (timeoutMs <= 0) return this.kernel.taken(this, timedOut);
    if (timeoutMs !== Infinity) {
      this.waitTimer = this.kernel.timers.start(timeoutMs, () => {
        this.waitTimer = null;
        this.kernel.awaken(this, timedOut);
      });
    }
    this.match = (match as ((message: unknown) => boolean) | undefined) ?? null;
    if (this.kernel.observer !== null) this.kernel.observer.waits(this);
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  /** Waits without taking messages (OTP timer:sleep/1). */
  async sleep(durationMs: Milliseconds): Promise<void> {
    await this.receive(sleepMatch, { timeoutMs: durationMs });
  }

  /** Lets other processes and the host's I/O run (OTP erlang:yield/0). */
  yield(): Promise<void> {
    if (this.stage !== "live") return never();
    if (this.wake !== null || this.resume !== null) return this.#refuseSecondWait();
    return isHeld(this) ? this.#whenFree(() => {}) : this.kernel.requeue(this);
  }

  /**
   * Awaits work of the host (a fetch, a file) such that a process ended meanwhile is not resumed by it.
   * A bare `await` works too, but then code runs on, without effect on other processes, until its next `self` call.
   */
  wait<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => {
          if (isHeld(this)) this.#whenFree(() => value).then(resolve, reject);
          else if (this.stage === "live") resolve(value);
        },
        (error: unknown) => {
          if (isHeld(this)) this.#whenFree(() => reject(error)).catch(reject);
          else if (this.stage === "live") reject(error);
        },
      );
    });
  }

  /**
   * From now on the scheduler gives each message to `reactor` directly, one at a time, without a promise when it
   * answers at once. The process lives until it exits, also after its body has returned.
   */
  react(reactor: Reactor): void {
    this.#assertAlive();
    assertFunction("react", reactor);
    this.reactor = reactor;
    if (this.mailbox !== null && this.mailbox.size > 0) this.kernel.enqueue(this);
  }

  // --- requests ---

  /**
   * Sends a `Request` and awaits its reply (what gen_server:call/3 is made of). Several may be open at once.
   * @throws Exit with `{ tag: "call", reason, to }`: `"timeout"`, `"noproc"`, or what ended the asked process.
   */
  request(to: AnyPid | string, body: unknown, timeoutMs: Milliseconds = callTimeoutMsDefault): Promise<unknown> {
    if (this.stage !== "live") return never();
    if (this.kernel.observer !== null) this.kernel.observer.sent(this, to, body);
    const reply = request(this, to, body, timeoutMs);
    return isHeld(this) ? reply.then((value) => (isHeld(this) ? this.#whenFree(() => value) : value)) : reply;
  }

  /**
   * Answers a request. The first answer counts; one that comes too late is dropped (G9), and one to an alias whose mailbox is
   * full is dropped and counted there: that is no fault of who answers, so it neither fails nor holds this process.
   * @throws UncopyableError, MessageTooLargeError when the value cannot cross.
   */
  reply(from: Ref, value: unknown): void {
    this.#assertAlive();
    if (this.kernel.observer !== null) this.kernel.observer.sent(this, from, value);
    try {
      this.kernel.send(from, value, from.kernelId === this.kernel.id ? null : this);
    } catch (refused) {
      if (!(refused instanceof MailboxFullError)) throw refused;
    }
  }

  // --- links, monitors, exits ---

  /**
   * Ties the fate of both (OTP link/1). Linking twice is one link.
   * @throws Exit `noproc` when the process has ended and this one does not trap exits (L5).
   */
  link(pid: AnyPid): true {
    this.#assertAlive();
    assertPid("link", pid);
    this.kernel.link(this, pid);
    return true;
  }

  /** Undoes a link (OTP unlink/1): no exit of it comes after this returns (L7). */
  unlink(pid: AnyPid): true {
    this.#assertAlive();
    assertPid("unlink", pid);
    this.kernel.unlink(this, pid);
    return true;
  }

  /** Asks for one `DownMessage` when `target` ends (OTP monitor/2); at once with `noproc` when it has (N2). */
  monitor(target: AnyPid | string, options: MonitorOptions = {}): Ref {
    this.#assertAlive();
    if (typeof target !== "string") assertPid("monitor", target);
    const ref = this.kernel.newRef(this);
    if (options.alias !== undefined) ref.route = options.alias === "once" ? "mailbox-once" : "mailbox";
    this.kernel.monitor(this, ref, target);
    return ref;
  }

  /**
   * Ends a monitor (OTP demonitor/2). With `flush` also takes its `DownMessage` out of the mailbox (N7).
   * @returns whether the monitor was still there (OTP's `info`, N8); false for another process's ref (N9).
   */
  demonitor(ref: Ref, options: { readonly flush?: boolean } = {}): boolean {
    this.#assertAlive();
    return this.kernel.demonitor(this, ref, options.flush ?? false);
  }

  /** Ends this process with exactly `reason` (OTP exit/1); can be caught (P10). */
  exit(reason: ExitReason): never;
  /** Sends an exit signal (OTP exit/2): `kill` cannot be trapped; `normal` does nothing to others that do not trap. */
  exit(pid: AnyPid, reason: ExitReason): true;
  exit(first: unknown, ...rest: readonly unknown[]): true {
    this.#assertAlive();
    if (rest.length === 0) throw new Exit(first);
    assertPid("exit", first);
    this.kernel.exit(this.pid, first as AnyPid, rest[0]);
    if ((this.stage as Stage) !== "live") throw new ProcessEnded();
    return true;
  }

  /** Turns exit signals into `ExitMessage`s (OTP process_flag(trap_exit, …)); returns the old value (E16). */
  trapExit(trapping: boolean): boolean {
    this.#assertAlive();
    const old = this.trapping;
    this.trapping = trapping;
    return old;
  }

  // --- names, aliases, timers ---

  /**
   * Gives a process a name in this kernel (OTP register/2).
   * @throws Error when the name is taken, the process has a name already or has ended (R1 to R3).
   */
  register(name: string, pid: AnyPid = this.pid): void {
    this.#assertAlive();
    assertPid("register", pid);
    this.kernel.register(name, pid);
  }

  /** Frees a name (OTP unregister/1). @throws Error when nobody has it (R5). */
  unregister(name: string): void {
    this.#assertAlive();
    this.kernel.unregister(name);
  }

  /** Who has a name in this kernel (OTP whereis/1); undefined when nobody has. */
  whereis(name: string): AnyPid | undefined {
    return this.kernel.whereis(name);
  }

  /** A ref that others can send to until `unalias` (OTP alias/0). */
  alias(): Ref {
    this.#assertAlive();
    const ref = this.kernel.newRef(this);
    ref.route = "mailbox";
    return ref;
  }

  /** Switches an own alias off (OTP unalias/1); what is queued stays (N17). Returns whether it was on. */
  unalias(ref: Ref): boolean {
    this.#assertAlive();
    if (ref.owner !== this.pid || ref.route === "none") return false;
    this.kernel.forgetAlias(this, ref);
    return true;
  }

  /** Sends `message` after `delayMs` (OTP erlang:send_after/3), also when this process has ended by then (T9). */
  sendAfter<M>(delayMs: Milliseconds, to: Pid<M> | string, message: M): Ref {
    this.#assertAlive();
    return this.kernel.processTimers.start(this, delayMs, to as AnyPid | string, () => message);
  }

  /** Sends `{ type: "timeout", ref, message }` after `delayMs` (OTP erlang:start_timer/3). */
  startTimer(delayMs: Milliseconds, to: AnyPid | string, message: unknown): Ref {
    this.#assertAlive();
    return this.kernel.processTimers.start(this, delayMs, to, (ref) => ({ type: "timeout", ref, message }));
  }

  /** Remaining milliseconds, or false when it has fired (OTP erlang:cancel_timer/1). */
  cancelTimer(ref: Ref): Milliseconds | false {
    this.#assertAlive();
    return this.kernel.processTimers.cancel(ref);
  }

  /** Remaining milliseconds, or false when it has fired (OTP erlang:read_timer/1). */
  readTimer(ref: Ref): Milliseconds | false {
    return this.kernel.processTimers.read(ref);
  }

  // --- handles, information ---

  /** Puts `handle` into the handle table: the kernel closes it when this process ends. Returns what takes it out. */
  own(handle: Handle): () => void {
    this.#assertAlive();
    assertHandle(handle);
    const extra = (this.extra ??= new Extra());
    const handles = (extra.handles ??= new Set());
    handles.add(handle);
    return () => handles.delete(handle);
  }

  /** What a process looks like (OTP process_info/1); undefined when it has ended or runs in another kernel (P11). */
  info(pid: AnyPid = this.pid): ProcessInfo | undefined {
    return this.kernel.info(pid);
  }

  /** Whether the process is alive (OTP is_process_alive/1); for processes of this kernel only. */
  isAlive(pid: AnyPid): boolean {
    return pid.process !== null && pid.process.kernel === this.kernel && pid.process.stage !== "exiting";
  }

  /** Goes on with `next` when no full mailbox holds this process any more (gate.ts). */
  async #whenFree<T>(next: () => T | PromiseLike<T>): Promise<T> {
    await this.extra?.held?.free();
    return next();
  }

  #refuseSecondWait(): Promise<never> {
    return Promise.reject(new Error(`${this.pid} is already in receive; a process waits for one thing at a time`));
  }

  #assertAlive(): void {
    if (this.stage === "dead" || this.stage === "exiting") throw new ProcessEnded();
  }
}

/** A process whatever it accepts: for functions that take any `self`. */
// A process is invariant in its messages (it takes them and hands out its pid), so `unknown` would not accept it.
// oxlint-disable-next-line no-explicit-any
export type AnyProcess = Process<any>;

/** @internal A process for people: its pid, and what it is called. */
export function nameOf(process: AnyProcess): string {
  const name = process.extra?.name ?? labelOf(process);
  return name === undefined ? String(process.pid) : `${process.pid} (${name})`;
}

/** @internal Whether a full mailbox or channel holds `process` back (gate.ts). */
export function isHeld(process: AnyProcess): boolean {
  return process.extra !== null && process.extra.held !== null && process.extra.held.count > 0;
}

/** @internal What a process is called for people: its label, or the name of its body. */
export function labelOf(process: AnyProcess): string | undefined {
  const label = process.extra?.label ?? process.begin?.name;
  return label === "" ? undefined : label;
}

/** @internal What most processes never need, kept apart so that an idle process stays small. */
export class Extra {
  name: string | undefined = undefined;
  label: string | undefined = undefined;
  handles: Set<Handle> | null = null;
  /** Timers whose message is for this process. */
  timers: Set<Timer> | null = null;
  messagesMax: number = messagesMaxDefault;
  policy: MailboxLimit["policy"] = "endReceiver";
  droppedCount = 0;
  /** Takes the messages in place of the mailbox. */
  intake: Intake | null = null;
  /** Where senders wait while the mailbox is full; with the policy `block` only. */
  gate: Gate | null = null;
  /** Full mailboxes that hold this process. */
  held: Held | null = null;
  callers: readonly AnyPid[] | null = null;
  /** Where `ready` goes. */
  starter: Ref | null = null;
  /** Own refs that other kernels know. */
  exportedRefs: Set<Ref> | null = null;
  /** Halted by a system message (server/system.ts). */
  suspended = false;
  /** Wall-clock milliseconds, where it is worth a look at the clock. */
  startedAtMs: Milliseconds | undefined = undefined;
  /** Asks the host about what executes it. */
  host: (() => HostFacts) | null = null;
  /** Called once its exit signals are sent. */
  ended: ((reason: ExitReason) => void) | null = null;
}
