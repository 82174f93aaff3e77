/**
 * Kernel: all processes of one heap, and the signals among them and to other kernels.
 *
 * Guarantees: OTP's rules for signals. Order is kept per pair of processes; a process's name is free and its handles are
 * closed before anybody learns of its end (N18); each link and each monitor gives exactly one signal, also when a
 * carrier is lost (K5). An error that no `await` caught ends the process whose code started the work, not the program.
 * Unlike Erlang: a program on another carrier has a kernel of its own, and names are per kernel.
 * How to read it: spawning, running, sending, links and monitors, ending. Not here: what a body may call (process.ts), who runs
 * when (scheduler.ts), requests (request.ts), starting and waiting (start.ts), names (names.ts), handles (handle.ts), timers
 * (process-timer.ts), everything about other kernels (border.ts). Members marked internal are for those files.
 *
 * @module
 */
import type { Milliseconds, Platform } from "../base/platform.ts";
import { isThenable } from "../base/thenable.ts";
import { callersMax, shortenAncestry } from "./ancestry.ts";
import { Border } from "./border.ts";
import type { Connection, ConnectionInfo, Neighbour } from "./connection.ts";
import type { ForeignEnds } from "./end-watch.ts";
import { describeReason, Exit, isOrderly, reasonOfThrown, type ExitReason } from "./exit-reason.ts";
import { holdBack } from "./far-gate.ts";
import { BlockingMailbox, Gate } from "./gate.ts";
import {
  assertMailboxLimit,
  Mailbox,
  MailboxFullError,
  messagesMaxDefault,
  type Intake,
  type MailboxBound,
} from "./mailbox.ts";
import { closeHandles } from "./handle.ts";
import { infoOf } from "./inspect.ts";
import { isDown, isExit } from "./message.ts";
import { Names } from "./names.ts";
import type { Observer } from "./observer.ts";
import { Pid, Ref, type AnyPid } from "./pid.ts";
import {
  Extra,
  isHeld,
  nameOf,
  Process,
  type AnyProcess,
  type ProcessInfo,
  type SpawnOptions,
  type StartOptions,
} from "./process.ts";
import { acknowledgingBody, defineProgram, type DefinedProgram, type Program } from "./program.ts";
import { answer, type Question } from "./question.ts";
import { settle } from "./request.ts";
import { ProcessTimers } from "./process-timer.ts";
import { Scheduler, type Turns } from "./scheduler.ts";
import { assertChannelLimit, mainSerial, type Channel } from "./signal.ts";
import { acknowledge, start, type Acknowledgement } from "./start.ts";
import { Timers } from "./timer.ts";
import { Walk } from "./walk.ts";
import type { WireValue } from "./wire.ts";

/** Messages a reactor handles before others get their turn. */
const messagesPerStep = 64;

/** What a carrier is asked to start. */
export interface StartRequest {
  readonly program: Program<never, readonly never[]>;
  readonly options: SpawnOptions;
  readonly parent: AnyPid;
  /** Where the new process's `ready` goes; null when nobody waits. */
  readonly starter: Ref | null;
}

/** Who sends: a process, a kernel on behalf of one of its own, or nobody that could be held. */
export type Sender = AnyProcess | Neighbour | null;

/** What the kernel needs of a carrier; the whole contract is carriers/carrier.ts. */
export interface Starter {
  /** Starts a process and returns its pid at once; what fails later is the process's exit. */
  start(kernel: Kernel, request: StartRequest): AnyPid;
}

export interface KernelOptions {
  /** Default `0`, the root. */
  readonly id?: string;
  /** By name; a program without a carrier cannot be spawned. */
  readonly carriers?: ReadonlyMap<string, Starter>;
  /** @internal What gives turns in place of the scheduler; `step` runs a process until it waits or its code awaits. */
  readonly turns?: (step: (process: AnyProcess) => void) => Turns;
}

/** A body of unknown message and argument types. */
type LocalBody = (self: AnyProcess, ...args: readonly unknown[]) => unknown;

/** An ended process whose signals are still to be sent. */
interface Ending {
  readonly process: AnyProcess;
  readonly reason: ExitReason;
}

/** How a process of this kernel is set up. */
interface LocalOptions {
  readonly label?: string | undefined;
  readonly mailbox?: SpawnOptions["mailbox"] | undefined;
  readonly starter?: Ref | null;
  readonly callers?: readonly AnyPid[] | undefined;
  readonly serial?: number;
  /** Takes the messages in place of the mailbox, from the moment of the spawn. */
  readonly intake?: Intake | null;
}

export class Kernel {
  readonly id: string;
  readonly platform: Platform;
  /** @internal */
  readonly timers: Timers;
  /** @internal */
  readonly processTimers: ProcessTimers = new ProcessTimers(this);
  /** @internal */
  readonly scheduler: Turns;
  /** @internal */
  readonly border: Border;
  /** @internal Servers that answer on each other's stack now (request.ts). */
  nestedCount = 0;
  /** @internal Not null while somebody wants to know what happens here (observer.ts). */
  observer: Observer | null = null;
  /** Not null while somebody goes through all processes. */
  #walks: Set<Walk> | null = null;
  /** @internal Who learns of ends in other kernels before anybody else here: tables of processes (end-watch.ts). */
  readonly foreignEnds: Set<ForeignEnds> = new Set();
  readonly #carriers: ReadonlyMap<string, Starter>;
  readonly #names: Names = new Names(this);
  readonly #unlisten: () => void;
  readonly #resolved: <T>(value: T) => Promise<T>;
  #first: AnyProcess | null = null;
  #processesCount = 0;
  #nextSerial: number = mainSerial;
  #nextRef = 1;
  #nextChild = 1;
  /** Ended processes whose signals are still to be sent: a queue, so that long chains of links need no stack. */
  readonly #endings: Ending[] = [];
  #sendingEndings = false;
  /** The process whose step is about to run: two functions for all steps, where a closure for each would be garbage. */
  #stepping: AnyProcess | null = null;
  readonly #beginStepping = (): void => this.#begin(this.#stepping as AnyProcess);
  readonly #reactStepping = (): void => this.#react(this.#stepping as AnyProcess);

  constructor(platform: Platform, options: KernelOptions = {}) {
    this.platform = platform;
    this.id = options.id ?? "0";
    this.#carriers = options.carriers ?? new Map<string, Starter>();
    this.timers = new Timers(platform);
    this.#resolved = platform.strays.resolved ?? ((value) => Promise.resolve(value));
    const step = (process: AnyProcess): void => this.#step(process);
    this.scheduler = options.turns === undefined ? new Scheduler(platform, step) : options.turns(step);
    this.border = new Border({
      id: this.id,
      platform,
      deliver: (process, message, from) => this.#deliver(process, message, from),
      deliverToRef: (ref, message, from) => this.#deliverToRef(ref, message, from),
      deliverDown: (ref, reason) => this.#deliverDown(ref, reason),
      receiveExit: (process, from, reason, overLink) => this.#receiveExit(process, from, reason, overLink),
      whereis: (name) => this.#names.whereis(name),
      foreignEnded: (pid) => {
        this.#names.freeRemote(pid);
        for (const listener of this.foreignEnds) listener.ended(pid);
      },
      foreignLost: (gone) => {
        this.#names.freeLost(gone);
        for (const listener of this.foreignEnds) listener.lost(gone);
      },
      processes: () => this.processes(),
      answer: (question) => answer(this, question as Question, true),
    });
    this.#unlisten = platform.strays.listen((owner, error) => {
      if (owner instanceof Process && owner.kernel === this) this.#crash(owner, error);
    });
  }

  /** Stops listening for stray errors. The processes stay as they are; end them first. */
  close(): void {
    this.#unlisten();
  }

  // --- spawning ---

  /**
   * A process for code that is not in a body: a program's top level, a test, a face. It lives until it is ended by an
   * exit signal; its errors stay the host's.
   */
  attach<Message = unknown>(label = "attached"): Process<Message> {
    const process = this.#create(null, { label });
    process.stage = "live";
    return process;
  }

  /** Starts a process that nobody is the parent of. */
  spawn<M, A extends readonly unknown[]>(program: Program<M, A>, options?: SpawnOptions<A>): Pid<M> {
    return this.spawnFrom(null, program, options, false, null);
  }

  /** @internal One way in for all carriers: pid, then link, monitor and name, all before the program runs. */
  spawnFrom<M, A extends readonly unknown[]>(
    parent: AnyProcess | null,
    program: Program<M, A>,
    options: SpawnOptions<A> | undefined,
    link: boolean,
    monitor: Ref | null,
    starter: Ref | null = null,
  ): Pid<M> {
    const parentPid: AnyPid | null = parent === null ? null : parent.pid;
    if (options?.name !== undefined) this.#names.assertFree(options.name);
    if (options?.mailbox !== undefined) assertMailboxLimit(options.mailbox);
    if (options?.channel !== undefined) assertChannelLimit(options.channel);
    const pid = this.#startOn(parentPid, program as Program<never, readonly never[]>, options, starter);
    if (link && parent !== null) this.link(parent, pid);
    if (monitor !== null && parent !== null) this.monitor(parent, monitor, pid);
    if (options?.name !== undefined) this.register(options.name, pid);
    return pid as Pid<M>;
  }

  #startOn(
    parent: AnyPid | null,
    program: Program<never, readonly never[]>,
    options: SpawnOptions | undefined,
    starter: Ref | null,
  ): AnyPid {
    const carrier = options?.carrier ?? defaultCarrier(program);
    if (carrier === "coroutine" && (typeof program === "function" || program.kind === "defined")) {
      const isBare = starter === null && typeof program === "function";
      const body = isBare ? program : bodyOf(program, starter);
      const { name } = typeof program === "function" ? program : program.body;
      return this.spawnLocal(parent, body as unknown as LocalBody, options?.args, {
        // A bare function stays at hand and names itself (`labelOf`): an idle process needs no `Extra` for it.
        label: options?.label ?? (isBare || name === "" ? undefined : name),
        mailbox: options?.mailbox,
        callers: options?.callers,
        starter,
      });
    }
    const chosen = this.#carriers.get(carrier);
    if (chosen === undefined) {
      const known = [...this.#carriers.keys()].join(", ") || "none besides coroutine";
      throw new Error(`there is no carrier "${carrier}" here (known: ${known})`);
    }
    return chosen.start(this, { program, options: options ?? {}, parent: parent ?? this.#names.keeper.pid, starter });
  }

  /** @internal For carriers: a process of this kernel that runs `body` on the coroutine carrier. */
  spawnLocal(
    parent: AnyPid | null,
    body: LocalBody,
    args: readonly unknown[] | undefined,
    options: LocalOptions = {},
  ): AnyPid {
    const process = this.#create(parent, options);
    process.begin = body;
    process.resumeValue = args;
    if (this.observer !== null) this.observer.spawned(process);
    this.scheduler.begin(process);
    return process.pid;
  }

  /** @internal Spawns and waits until it is ready (start.ts). */
  start<M, A extends readonly unknown[]>(
    parent: AnyProcess,
    program: Program<M, A>,
    options: StartOptions<A>,
  ): Promise<Pid<M>> {
    return start(this, parent, program, options);
  }

  /** @internal Tells whoever started `process` how that went (start.ts). */
  acknowledge(process: AnyProcess, acknowledgement: Acknowledgement): void {
    acknowledge(this, process, acknowledgement);
  }

  #create(parent: AnyPid | null, options: LocalOptions): AnyProcess {
    const process = new Process(this, options.serial ?? (this.#nextSerial += 1), parent);
    const { intake = null, starter = null } = options;
    if (options.label !== undefined || options.mailbox !== undefined || starter !== null || intake !== null) {
      const extra = (process.extra = new Extra());
      extra.label = options.label;
      extra.messagesMax = options.mailbox?.messagesMax ?? messagesMaxDefault;
      extra.policy = options.mailbox?.policy ?? "endReceiver";
      extra.starter = starter;
      extra.intake = intake;
      if (extra.policy === "block") this.#addGate(process, extra, options.mailbox?.heldMaxMs);
      const isService = starter !== null || intake !== null || options.serial !== undefined;
      if (isService) extra.startedAtMs = this.platform.clock.wallMs();
    }
    if (options.callers !== undefined && options.callers.length > 0) {
      (process.extra ??= new Extra()).callers = options.callers.slice(0, callersMax);
    }
    process.after = this.#first;
    if (this.#first !== null) this.#first.before = process;
    this.#first = process;
    this.#processesCount += 1;
    return process;
  }

  #addGate(process: AnyProcess, extra: Extra, heldMaxMs: Milliseconds | undefined): void {
    const gate = new Gate({ owner: process, name: () => nameOf(process), heldMaxMs });
    extra.gate = gate;
    if (extra.intake === null) process.mailbox = new BlockingMailbox(gate, extra.messagesMax);
    else extra.intake.onRoom = () => gate.open();
  }

  // --- running ---

  /** @internal */
  enqueue(process: AnyProcess): void {
    if (!process.queued) this.scheduler.enqueue(process as AnyProcess);
  }

  /** @internal What `receive` gives for a message that is already there: at once, or in a later turn. */
  taken<T>(process: AnyProcess, value: unknown): Promise<T> {
    if (this.scheduler.spend()) return this.#resolved(value as T);
    return this.#later(process as AnyProcess, value);
  }

  /** @internal */
  requeue(process: AnyProcess): Promise<void> {
    return this.#later(process as AnyProcess, undefined);
  }

  #later<T>(process: AnyProcess, value: unknown): Promise<T> {
    return new Promise<T>((resolve) => {
      process.resume = resolve as (value: never) => void;
      process.resumeValue = value;
      this.enqueue(process);
    });
  }

  /**
   * @internal Resumes a process that waits in `receive`. The fast path of a message: its sender does that, through a microtask and
   * without the run queue, as long as the turn has credit.
   */
  awaken(process: AnyProcess, value: unknown): void {
    const wake = process.wake;
    if (wake === null) return;
    process.wake = null;
    process.match = null;
    if (process.waitTimer !== null) {
      this.timers.cancel(process.waitTimer);
      process.waitTimer = null;
    }
    // A part of the body that waited beside `receive` may be resumed already, and the place is taken.
    if (this.scheduler.spend() || process.resume !== null) {
      wake(value as never);
    } else {
      process.resume = wake;
      process.resumeValue = value;
      this.enqueue(process);
    }
  }

  /** @internal Lets go on what waited in `process` for something other than a message. */
  resume(process: AnyProcess, resume: () => void): void {
    if (process.resume !== null || this.scheduler.spend()) {
      resume();
    } else {
      process.resume = resume;
      this.enqueue(process);
    }
  }

  #step(process: AnyProcess): void {
    if (this.observer !== null) this.#stepObserved(process, this.observer);
    else this.#stepNow(process);
  }

  #stepObserved(process: AnyProcess, observer: Observer): void {
    observer.enter(process);
    this.#stepNow(process);
    observer.leave();
  }

  #stepNow(process: AnyProcess): void {
    if (process.stage === "new") {
      process.stage = "live";
      this.#stepping = process;
      this.platform.strays.run(process, this.#beginStepping);
    } else if (process.resume !== null) {
      const resume = process.resume;
      const value = process.resumeValue;
      process.resume = null;
      process.resumeValue = undefined;
      resume(value as never);
    } else if (process.reactor !== null && !process.busy) {
      this.#stepping = process;
      this.platform.strays.run(process, this.#reactStepping);
    }
  }

  #begin(process: AnyProcess): void {
    const body = process.begin;
    const args = process.resumeValue as readonly unknown[] | undefined;
    process.resumeValue = undefined;
    if (body === null) return;
    try {
      const result = args === undefined ? body(process) : body(process, ...args);
      if (isThenable(result)) {
        result.then(
          () => this.#finish(process),
          (thrown: unknown) => this.#crash(process, thrown),
        );
      } else {
        this.#finish(process);
      }
    } catch (thrown) {
      this.#crash(process, thrown);
    }
  }

  /** The body has returned. */
  #finish(process: AnyProcess): void {
    if (process.reactor === null) this.end(process, "normal");
  }

  #react(process: AnyProcess): void {
    for (let count = 0; count < messagesPerStep; count += 1) {
      const { mailbox } = process;
      if (process.reactor === null || mailbox === null || mailbox.size === 0) return;
      if (count > 0 && !this.scheduler.spend()) break;
      if (!this.reactTo(process, mailbox.shift())) return;
    }
    this.enqueue(process);
  }

  /**
   * @internal Gives one message to the reactor; false when the next one must wait or will never come. The fast path of a server: no
   * promise is made for what answers at once.
   */
  reactTo(process: AnyProcess, message: unknown): boolean {
    process.busy = true;
    try {
      const result = process.reactor?.(message);
      if (isThenable(result)) {
        this.#park(process, result);
        return false;
      }
    } catch (thrown) {
      this.#crash(process, thrown);
      return false;
    }
    if (isHeld(process)) {
      process.extra?.held?.park();
      return false;
    }
    process.busy = false;
    return true;
  }

  #park(process: AnyProcess, work: PromiseLike<unknown>): void {
    work.then(
      () => this.unpark(process),
      (thrown: unknown) => this.#crash(process, thrown),
    );
  }

  /** @internal Its reactor may have the next message, unless something holds it. */
  unpark(process: AnyProcess): void {
    if (isHeld(process)) {
      process.extra?.held?.park();
      return;
    }
    process.busy = false;
    if (process.reactor !== null && process.mailbox !== null && process.mailbox.size > 0) this.enqueue(process);
  }

  #crash(process: AnyProcess, thrown: unknown): void {
    if (process.stage === "dead" || process.stage === "exiting") return;
    const reason = reasonOfThrown(thrown);
    if (!(thrown instanceof Exit) && !isOrderly(reason)) {
      const stack = thrown instanceof Error ? thrown.stack : undefined;
      const report = `process ${nameOf(process)} crashed: ${stack ?? describeReason(reason)}`;
      // As its own output, so that whoever reads the log of a service finds it there.
      this.platform.strays.run(process, () => this.platform.log("error", report));
    }
    this.end(process, reason);
  }

  // --- sending ---

  /** Sends, from nobody in particular unless `sender` says otherwise; see `Process.send`. */
  send(to: AnyPid | Ref | string, message: unknown, sender: AnyProcess | null = null): void {
    if (to instanceof Pid) {
      const process = to.process;
      if (process !== null && process.kernel === this) this.#deliver(process, message, sender);
      else if (to.kernelId !== this.id)
        this.border.transmitMessage(["message", to.kernelId, to.serial, this.border.encode(message)], sender);
    } else if (to instanceof Ref) {
      if (to.kernelId === this.id) this.#deliverToRef(to, message, sender);
      else this.border.transmitMessage(["reply", to.kernelId, to.serial, this.border.encode(message)], sender);
    } else {
      const { aboveId } = this.border;
      if (aboveId === null || this.#names.whereis(to) !== undefined) this.send(this.#names.get(to), message, sender);
      else this.border.transmitMessage(["message", aboveId, to, this.border.encode(message)], sender);
    }
  }

  /** @internal What would hold a message of anybody to `to` now; null when there is room. */
  gateBefore(to: AnyPid | Ref | string): Gate | null {
    const target = typeof to === "string" ? this.#names.whereis(to) : to instanceof Ref ? to.owner : to;
    if (target === undefined) return null;
    if (target.kernelId !== this.id) return this.border.gateBefore(target);
    const extra = target.process?.extra ?? null;
    if (extra === null || extra.gate === null) return null;
    const { gate, intake, messagesMax } = extra;
    const isFull = intake === null ? (target.process?.mailbox?.size ?? 0) >= messagesMax : gate.claimsCount > 0;
    return isFull ? gate : null;
  }

  #deliver(process: AnyProcess, message: unknown, sender: Sender): void {
    if (process.stage === "exiting" || process.stage === "dead") return;
    if (this.observer !== null) this.observer.delivered(process, message);
    if (process.extra !== null && process.extra.intake !== null) {
      this.#deliverToIntake(process, process.extra.intake, message, sender);
      return;
    }
    if (process.wake !== null && this.#matches(process, message)) {
      this.awaken(process, message);
      return;
    }
    const mailbox = (process.mailbox ??= new Mailbox());
    const messagesMax = process.extra === null ? messagesMaxDefault : process.extra.messagesMax;
    if (mailbox.size >= messagesMax && !this.#makeRoom(process, mailbox, { messagesMax }, sender)) return;
    mailbox.push(message);
    if (process.reactor !== null && !process.busy && !process.queued) this.scheduler.enqueue(process);
  }

  #deliverToIntake(process: AnyProcess, intake: Intake, message: unknown, sender: Sender): void {
    let isForced = false;
    while (!intake.take(message, isForced)) {
      if (!this.#makeRoom(process, intake, { bytesMax: intake.bytesMax }, sender)) return;
      isForced = process.extra?.policy === "block";
    }
  }

  /** What the kernel itself has to say always arrives, whatever the mailbox's limit. */
  #deliverNotice(process: AnyProcess, message: unknown): void {
    if (process.stage === "exiting" || process.stage === "dead") return;
    if (this.observer !== null) this.observer.delivered(process, message);
    if (process.wake !== null && this.#matches(process, message)) {
      this.awaken(process, message);
      return;
    }
    (process.mailbox ??= new Mailbox()).push(message);
    if (process.reactor !== null && !process.busy) this.enqueue(process);
  }

  /** A `match` that throws is the receiver's error, not the sender's. */
  #matches(process: AnyProcess, message: unknown): boolean {
    if (process.match === null) return true;
    try {
      return process.match(message);
    } catch (thrown) {
      this.#crash(process, thrown);
      return false;
    }
  }

  /** Carries out the policy of a full mailbox; true when the message may be added. */
  #makeRoom(process: AnyProcess, mailbox: Mailbox | Intake, limit: MailboxBound, sender: Sender): boolean {
    const extra = (process.extra ??= new Extra());
    switch (extra.policy) {
      case "block":
        if (extra.gate !== null && sender !== null) {
          this.#holdBack(extra, process.pid, extra.gate, sender);
          return true;
        }
        extra.droppedCount += 1;
        throw new MailboxFullError(nameOf(process), limit);
      case "dropOldest":
        extra.droppedCount += 1;
        return mailbox.dropOldest((message) => !isDown(message) && !isExit(message));
      case "dropNewest":
        extra.droppedCount += 1;
        return false;
      case "failSender":
        extra.droppedCount += 1;
        throw new MailboxFullError(nameOf(process), limit);
      default:
        this.end(process, { tag: "mailboxFull", ...limit });
        return false;
    }
  }

  /** The message is taken, and who sent it waits. */
  #holdBack(extra: Extra, pid: AnyPid, gate: Gate, sender: Process | Neighbour): void {
    if (!(sender instanceof Process)) {
      holdBack(sender, pid, gate);
      return;
    }
    try {
      gate.admit(sender);
    } catch (refused) {
      extra.droppedCount += 1;
      throw refused;
    }
  }

  #deliverToRef(ref: Ref, message: unknown, sender: Sender): void {
    const { pending, route } = ref;
    if (route === "none") return;
    if (route === "reply") {
      if (pending === null) return;
      if (this.observer !== null) this.observer.replied(pending.caller, ref, message);
      settle(this, ref);
      pending.resolve(message);
      return;
    }
    const owner = ref.owner.process;
    if (owner === null) return;
    if (route === "mailbox-once") {
      this.forgetMonitor(owner, ref);
      this.border.forgetAlias(owner, ref);
    }
    this.#deliver(owner, message, sender);
  }

  // --- links, monitors, names ---

  /** @internal */
  newRef(owner: AnyProcess): Ref {
    const ref = new Ref(this.id, this.#nextRef, owner.pid);
    this.#nextRef += 1;
    return ref;
  }

  /** @internal */
  link(from: AnyProcess, to: AnyPid): void {
    if (to === from.pid || from.links?.has(to) === true) return;
    const peer = to.process;
    if (peer !== null && peer.kernel === this) {
      (from.links ??= new Set()).add(to);
      (peer.links ??= new Set()).add(from.pid);
    } else if (to.kernelId === this.id) {
      if (!from.trapping) throw new Exit("noproc");
      this.#deliverNotice(from, { type: "exit", from: to, reason: "noproc" });
    } else {
      (from.links ??= new Set()).add(to);
      this.border.transmitLink(from.pid, to);
    }
  }

  /** @internal */
  unlink(from: AnyProcess, to: AnyPid): void {
    if (from.links?.delete(to) !== true) return;
    const peer = to.process;
    if (peer !== null && peer.kernel === this) peer.links?.delete(from.pid);
    else this.border.transmitUnlink(from.pid, to);
  }

  /** @internal */
  monitor(owner: AnyProcess, ref: Ref, target: AnyPid | string): void {
    const pid = typeof target === "string" ? this.#names.whereis(target) : target;
    if (typeof target === "string") ref.targetName = target;
    if (pid === owner.pid) return;
    (owner.monitors ??= new Set()).add(ref);
    ref.target = pid ?? null;
    const watched = pid?.process ?? null;
    if (watched !== null && watched.kernel === this) {
      (watched.watchers ??= new Set()).add(ref);
    } else if (pid === undefined && this.border.aboveId !== null) {
      this.border.exportRef(ref);
      this.border.transmit(["monitor", this.border.aboveId, target as string, ref.serial, this.id, owner.pid.serial]);
    } else if (pid === undefined || pid.kernelId === this.id) {
      this.#deliverDown(ref, "noproc");
    } else {
      this.border.exportRef(ref);
      this.border.transmit(["monitor", pid.kernelId, pid.serial, ref.serial, this.id, owner.pid.serial]);
    }
  }

  /** @internal */
  demonitor(owner: AnyProcess, ref: Ref, flush: boolean): boolean {
    if (ref.owner !== owner.pid) return false;
    const existed = this.forgetMonitor(owner, ref);
    if (ref.route === "mailbox-once") ref.route = "none";
    else if (ref.route === "mailbox" && existed) ref.route = "none";
    if (flush && owner.mailbox !== null) {
      const position = owner.mailbox.find((message) => isDown(message, ref));
      if (position >= 0) owner.mailbox.takeAt(position);
    }
    return existed;
  }

  /** @internal Ends a monitor on both sides; false when there was none. */
  forgetMonitor(owner: AnyProcess, ref: Ref): boolean {
    if (owner.monitors?.delete(ref) !== true) return false;
    this.border.release(ref);
    const { target } = ref;
    if (target === null) {
      const { aboveId } = this.border;
      if (aboveId === null || ref.targetName === null) return true;
      this.border.transmit(["demonitor", aboveId, ref.targetName, ref.serial, this.id, ref.owner.serial]);
      return true;
    }
    const watched = target.process;
    if (watched !== null && watched.kernel === this) {
      watched.watchers?.delete(ref);
    } else if (target.kernelId !== this.id) {
      this.border.transmit(["demonitor", target.kernelId, target.serial, ref.serial, this.id, ref.owner.serial]);
    }
    return true;
  }

  #deliverDown(ref: Ref, reason: ExitReason): void {
    const owner = ref.owner.process;
    if (owner === null || owner.monitors?.delete(ref) !== true) return;
    this.border.release(ref);
    const { pending } = ref;
    ref.route = "none";
    if (pending === null) {
      this.#deliverNotice(owner, { type: "down", ref, from: ref.targetName ?? ref.target, reason });
      return;
    }
    ref.pending = null;
    if (pending.timer !== null) this.timers.cancel(pending.timer);
    pending.fail(reason);
  }

  /** Gives a process of any kernel a name in this one; see `Process.register`. */
  register(name: string, pid: AnyPid): void {
    this.#names.register(name, pid);
  }

  /** See `Process.unregister`. */
  unregister(name: string): void {
    this.#names.unregister(name);
  }

  /** See `Process.whereis`. */
  whereis(name: string): AnyPid | undefined {
    return this.#names.whereis(name);
  }

  /** The name that a process has in this kernel; of one that has ended, or an ancestor elsewhere, the name it had. */
  nameOf(pid: AnyPid): string | undefined {
    return this.#names.nameOf(pid);
  }

  /** @internal Notes what a process of another kernel is called. */
  rememberName(pid: AnyPid, name: string): void {
    this.#names.remember(pid, name);
  }

  // --- ending ---

  /** Sends an exit signal from `from`; see `Process.exit`. */
  exit(from: AnyPid, to: AnyPid, reason: ExitReason): void {
    const process = to.process;
    if (process !== null && process.kernel === this) this.#receiveExit(process, from, reason, false);
    else if (to.kernelId !== this.id) this.border.transmitExit(from, to, reason, false);
  }

  /** OTP's rules for a received exit signal, in its order (reference manual, "Receiving Exit Signals"). */
  #receiveExit(process: AnyProcess, from: AnyPid, reason: ExitReason, overLink: boolean): void {
    if (this.observer !== null) this.observer.exitReceived(process, from, reason, overLink);
    if (reason === "kill" && !overLink) this.end(process, "killed");
    else if (process.trapping) this.#deliverNotice(process, { type: "exit", from, reason });
    else if (reason !== "normal" || (from === process.pid && !overLink)) this.end(process, reason);
  }

  /** Ends a process of this kernel with `reason`, whatever it does at the moment. */
  end(process: AnyProcess, reason: ExitReason): void {
    const ended = process as AnyProcess;
    if (ended.stage === "dead" || ended.stage === "exiting") return;
    ended.stage = "exiting";
    ended.wake = null;
    ended.resume = null;
    ended.resumeValue = undefined;
    ended.match = null;
    ended.reactor = null;
    ended.mailbox = null;
    if (ended.waitTimer !== null) this.timers.cancel(ended.waitTimer);
    ended.waitTimer = null;
    const { extra, monitors } = ended;
    if (monitors !== null) this.#dropMonitors(ended, monitors);
    if (extra !== null) {
      extra.held?.drop();
      extra.gate?.open();
      if (extra.name !== undefined) this.#names.free(extra.name, ended.pid);
      if (extra.timers !== null) for (const timer of extra.timers) this.timers.cancel(timer);
    }
    const closing = closeHandles(ended);
    if (closing === null) this.#queueEnding(ended, reason);
    else void closing.then(() => this.#queueEnding(ended, reason));
  }

  #queueEnding(process: AnyProcess, reason: ExitReason): void {
    if (this.#sendingEndings) {
      this.#endings.push({ process, reason });
      return;
    }
    this.#sendingEndings = true;
    try {
      this.#announceEnd(process, reason);
      if (this.#endings.length > 0) this.#sendEndings();
    } finally {
      this.#sendingEndings = false;
    }
  }

  #sendEndings(): void {
    const endings = this.#endings;
    let sentCount = 0;
    try {
      while (sentCount < endings.length) {
        const ending = endings[sentCount] as Ending;
        sentCount += 1;
        this.#announceEnd(ending.process, ending.reason);
      }
    } finally {
      endings.splice(0, sentCount);
    }
  }

  /** Takes the process out of all tables, then tells those who are linked and those who watch. */
  #announceEnd(process: AnyProcess, reason: ExitReason): void {
    process.stage = "dead";
    if (this.observer !== null) this.observer.ended(process, reason);
    if (this.#walks !== null) for (const walk of this.#walks) if (walk.next === process) walk.next = process.after;
    process.begin = null;
    process.pid.process = null;
    shortenAncestry(process.pid);
    this.#processesCount -= 1;
    if (process.before === null) this.#first = process.after;
    else process.before.after = process.after;
    if (process.after !== null) process.after.before = process.before;
    process.before = null;
    process.after = null;
    const { links, watchers, extra } = process;
    process.links = null;
    process.watchers = null;
    process.extra = null;
    if (extra?.exportedRefs != null) for (const ref of extra.exportedRefs) this.border.release(ref);
    if (links !== null) for (const peer of links) this.#announceToPeer(process.pid, peer, reason);
    if (watchers !== null) for (const ref of watchers) this.#announceToWatcher(ref, reason);
    if (extra !== null && extra.ended !== null) extra.ended(reason);
  }

  #announceToPeer(from: AnyPid, to: AnyPid, reason: ExitReason): void {
    const peer = to.process;
    if (peer === null || peer.kernel !== this) {
      if (to.kernelId !== this.id) this.border.transmitExit(from, to, reason, true);
    } else if (peer.links?.delete(from) === true) {
      this.#receiveExit(peer, from, reason, true);
    }
  }

  #announceToWatcher(ref: Ref, reason: ExitReason): void {
    if (ref.kernelId === this.id) this.#deliverDown(ref, reason);
    else this.border.transmit(["down", ref.kernelId, ref.serial, this.border.encodeReason(reason)]);
  }

  #dropMonitors(process: AnyProcess, monitors: Set<Ref>): void {
    for (const ref of [...monitors]) {
      const { pending } = ref;
      ref.route = "none";
      ref.pending = null;
      if (pending !== null && pending.timer !== null) this.timers.cancel(pending.timer);
      this.forgetMonitor(process, ref);
    }
    process.monitors = null;
  }

  // --- information ---

  /** Processes alive in this kernel. */
  get processesCount(): number {
    return this.#processesCount;
  }

  /** All processes alive in this kernel (OTP processes/0), the youngest first. */
  processes(): AnyPid[] {
    const pids: AnyPid[] = [];
    for (let process: AnyProcess | null = this.#first; process !== null; process = process.after)
      pids.push(process.pid);
    return pids;
  }

  /** See `Process.info`. */
  info(pid: AnyPid): ProcessInfo | undefined {
    const process = this.processOf(pid);
    return process === null ? undefined : infoOf(process);
  }

  /** @internal The live process of a pid of this kernel. */
  processOf(pid: AnyPid): AnyProcess | null {
    return pid.process !== null && pid.process.kernel === this ? pid.process : null;
  }

  /** @internal Ids of the kernels right below this one. */
  childIds(): readonly string[] {
    return this.border.childIds;
  }

  /** @internal A place in the list of all processes, kept right until `endWalk` (walk.ts). */
  beginWalk(): Walk {
    const walk = new Walk(this.#first);
    (this.#walks ??= new Set()).add(walk);
    return walk;
  }

  /** @internal */
  endWalk(walk: Walk): void {
    if (this.#walks?.delete(walk) === true && this.#walks.size === 0) this.#walks = null;
  }

  /** @internal Runs `task` in the host's next turn. */
  nextTurn(task: () => void): void {
    this.scheduler.nextTurn(task);
  }

  // --- other kernels: border.ts ---

  /** How the channels to neighbouring kernels stand: what is under way, what waits, what was dropped. */
  connections(): ConnectionInfo[] {
    return this.border.connections();
  }

  /** For carriers: an id for a kernel that will run below this one. */
  newChildId(): string {
    const id = `${this.id}.${this.#nextChild}`;
    this.#nextChild += 1;
    return id;
  }

  /** For carriers: ties the kernel `kernelId`, below this one or (as `uplink`) above it, by `channel`. */
  connect(kernelId: string, channel: Channel, direction: "child" | "uplink" = "child"): Connection {
    return this.border.connect(kernelId, channel, direction);
  }

  /** For carriers: the pid of the program that the kernel `kernelId` was started for. */
  mainPidOf(kernelId: string): AnyPid {
    return this.border.mainPidOf(kernelId);
  }

  /**
   * For carriers: the process that this kernel was started for. It runs once `begin` is given. `ended` is called
   * when its exit signals are sent; it must not throw.
   */
  spawnMain(
    parent: AnyPid,
    starter: Ref | null,
    options: Pick<SpawnOptions, "label" | "mailbox" | "callers">,
    ended?: (reason: ExitReason) => void,
  ): { readonly process: AnyProcess; begin(body: (self: AnyProcess) => unknown): void } {
    const process = this.#create(parent, { ...options, starter, serial: mainSerial });
    (process.extra ??= new Extra()).ended = ended ?? null;
    this.border.addPid(process.pid);
    return {
      process,
      begin: (body) => {
        if (process.stage !== "new") return;
        process.begin = body;
        this.scheduler.begin(process);
      },
    };
  }

  /** For carriers: copies a value that is to cross; `path` names it in errors. @throws UncopyableError. */
  encode(value: unknown, path?: string): WireValue {
    return this.border.encode(value, path);
  }

  /** For carriers: the value that another kernel encoded. */
  decode(wire: WireValue): unknown {
    return this.border.decode(wire);
  }

  /** @internal */
  forgetAlias(owner: AnyProcess, ref: Ref): void {
    this.border.forgetAlias(owner, ref);
  }

  /** @internal Own refs that are held because another kernel may answer to them. */
  get exportedRefsCount(): number {
    return this.border.heldRefsCount;
  }
}

/** What runs for a local program; whoever waits for its start is told. */
function bodyOf(program: Program<never, readonly never[]>, starter: Ref | null): unknown {
  const defined = typeof program === "function" ? defineProgram(program) : program;
  if (defined.kind !== "defined") return undefined;
  return starter === null ? defined.body : acknowledgingBody(defined as unknown as DefinedProgram<unknown>);
}

function defaultCarrier(program: Program<never, readonly never[]>): string {
  if (typeof program === "function" || program.kind === "defined") return "coroutine";
  return program.kind === "command" ? "command" : "os-process";
}
