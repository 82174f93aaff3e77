/**
 * Supervisor: a process that keeps others up, OTP's supervisor.
 *
 * Guarantees: children start in order, each before the next, and stop in reverse order (S1, S2); a child that fails when
 * the supervisor starts takes the start down (S3), one that fails to restart is tried again under the restart window
 * (S22); when the window is used up, all children stop and the supervisor ends with `shutdown`, so that its own
 * supervisor decides (S13, S24).
 * Unlike OTP: the window is in milliseconds; restarts may wait (`backoff`), and meanwhile `startChild` of that id is answered
 * with `restarting`; an unknown call is answered with an error instead of crashing the supervisor; a child stopped by
 * `terminateChild` while its group waits for a restart stays stopped in that restart; operations take a child's pid with
 * every strategy, of a waiting anonymous child the pid it had; children stay linked while they are being stopped, so that a
 * supervisor that is killed meanwhile leaves nobody untold.
 * Children without ids (`simpleOneForOne`, `dynamic`) are one mechanism: they differ only in where their spec comes from.
 * A supervisor is an ordinary server: everything it does, it does with what any process may call.
 * Not here: supervisors of equal children by key (partition-supervisor.ts).
 *
 * @module
 */
import { describeReason, Exit, isOrderly, shutdown, type ExitReason } from "../kernel/exit-reason.ts";
import { isDown, isExit } from "../kernel/message.ts";
import { Pid, type AnyPid, type Ref } from "../kernel/pid.ts";
import { StartError, timedOut, type AnyProcess, type StartOptions } from "../kernel/process.ts";
import type { DefinedProgram } from "../kernel/program.ts";
import { copyable } from "../kernel/trace.ts";
import { call, defineServer, isIgnored, Outcome, stop, type Server } from "../server/server.ts";
import {
  checkFlags,
  checkSpec,
  checkSpecs,
  hasAnonymousChildren,
  isProblem,
  type ChildSpec,
  type ChildSpecInfo,
  type FullChildSpec,
  type FullFlags,
  type SpecProblem,
  type SupervisorEvent,
  type SupervisorFlags,
} from "./child-spec.ts";
import { backoffDelay, RestartWindow } from "./restart-window.ts";

/** What a supervisor supervises (OTP's `init/1` of a supervisor callback module), or `ignore` (S38). */
export type SupervisorInit = { readonly flags?: SupervisorFlags; readonly children: readonly ChildSpec[] } | Outcome;

/** One line of `whichChildren` (S47). */
export interface ChildInfo {
  readonly id: string | undefined;
  /** undefined when it does not run; `restarting` while a restart waits or is retried. */
  readonly pid: AnyPid | "restarting" | undefined;
  readonly type: "worker" | "supervisor";
}

/** Numbers of children (S47). */
export interface ChildCounts {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

/** An operation's outcome: OTP's `{ok, Value}` or `{error, Reason}`. */
export type SupervisorResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** Makes a supervisor a program: `self.start(defineSupervisor(() => ({ children })))`. */
export function defineSupervisor<Args extends readonly unknown[]>(
  init: (self: AnyProcess, ...args: Args) => SupervisorInit,
): DefinedProgram<unknown, Args> {
  return defineServer((self: AnyProcess, ...args: Args) => new Supervisor(self, () => init(self, ...args)));
}

/**
 * Starts a supervisor and returns its pid when all children are up (OTP supervisor:start_link/2).
 * @throws StartError with reason `{ tag: "shutdown", detail: { tag: "failedToStartChild", id, reason } }` (S3), a
 * `SpecProblem` (S33 to S35), or one that `isIgnored` (S38).
 */
export function startSupervisor(
  self: AnyProcess,
  init: SupervisorInit | ((self: AnyProcess) => SupervisorInit),
  options: StartOptions<readonly never[]> = {},
): Promise<Pid<unknown>> {
  const program = defineSupervisor<readonly never[]>(typeof init === "function" ? init : () => init);
  return self.start(program, { label: "supervisor", ...options });
}

/** @internal What a supervisor is asked. */
export type Operation =
  | { readonly operation: "whichChildren" | "countChildren" }
  | { readonly operation: "startChild"; readonly child: ChildSpec | readonly unknown[] }
  | {
      readonly operation: "terminateChild" | "restartChild" | "deleteChild" | "getChildSpec" | "findChild";
      readonly id: string | AnyPid;
    };

/** A stop takes as long as the children need. */
const operate = (self: AnyProcess, supervisor: AnyPid | string, operation: Operation): Promise<unknown> =>
  call(self, supervisor, operation, Infinity);

/** OTP supervisor:which_children/1. */
export async function whichChildren(self: AnyProcess, supervisor: AnyPid | string): Promise<readonly ChildInfo[]> {
  return (await operate(self, supervisor, { operation: "whichChildren" })) as readonly ChildInfo[];
}

/** OTP supervisor:count_children/1. */
export async function countChildren(self: AnyProcess, supervisor: AnyPid | string): Promise<ChildCounts> {
  return (await operate(self, supervisor, { operation: "countChildren" })) as ChildCounts;
}

/**
 * Adds and starts a child at the end of the order (OTP supervisor:start_child/2, S53); for `simpleOneForOne` the extra
 * arguments (S43). Errors: `{ tag: "alreadyStarted", pid }`, `"alreadyPresent"`, `"restarting"`, `"maxChildren"`, what its
 * start failed with (S26, S27). The value is undefined for a child whose start was ignored (Elixir `:ignore`).
 */
export async function startChild(
  self: AnyProcess,
  supervisor: AnyPid | string,
  spec: ChildSpec | readonly unknown[],
): Promise<SupervisorResult<AnyPid | undefined>> {
  return (await operate(self, supervisor, { operation: "startChild", child: spec })) as SupervisorResult<AnyPid>;
}

/** Stops a child without restarting it; keeps its spec (OTP supervisor:terminate_child/2, S28, S29). */
export async function terminateChild(
  self: AnyProcess,
  supervisor: AnyPid | string,
  id: string | AnyPid,
): Promise<SupervisorResult<undefined>> {
  return (await operate(self, supervisor, { operation: "terminateChild", id })) as SupervisorResult<undefined>;
}

/** The pid of the child `id`; undefined when it does not run. */
export async function findChild(
  self: AnyProcess,
  supervisor: AnyPid | string,
  id: string,
): Promise<AnyPid | undefined> {
  return (await operate(self, supervisor, { operation: "findChild", id })) as AnyPid | undefined;
}

/** Starts a stopped child again (OTP supervisor:restart_child/2, S30). */
export async function restartChild(
  self: AnyProcess,
  supervisor: AnyPid | string,
  id: string,
): Promise<SupervisorResult<AnyPid | undefined>> {
  return (await operate(self, supervisor, { operation: "restartChild", id })) as SupervisorResult<AnyPid>;
}

/** Forgets a stopped child (OTP supervisor:delete_child/2, S31). */
export async function deleteChild(
  self: AnyProcess,
  supervisor: AnyPid | string,
  id: string,
): Promise<SupervisorResult<undefined>> {
  return (await operate(self, supervisor, { operation: "deleteChild", id })) as SupervisorResult<undefined>;
}

/** A child's spec with its defaults (OTP supervisor:get_childspec/2, S18); without `start` when it comes from another carrier. */
export async function getChildSpec(
  self: AnyProcess,
  supervisor: AnyPid | string,
  id: string | AnyPid,
): Promise<SupervisorResult<ChildSpecInfo>> {
  return (await operate(self, supervisor, { operation: "getChildSpec", id })) as SupervisorResult<ChildSpecInfo>;
}

interface RestartMessage {
  readonly type: "$restart";
  readonly child: Child;
  /** Only the child's current plan counts; one that was stopped meanwhile is not restarted. */
  readonly plan: number;
  /** Set when the last attempt failed: then this one counts again (S22). */
  readonly failure?: { readonly reason: ExitReason };
}

/** A child's place in the order, which outlives its process (S54). */
class Child {
  readonly spec: FullChildSpec;
  readonly args: readonly unknown[];
  pid: AnyPid | undefined = undefined;
  /** Counts planned restarts; `planned` is set while one is due, as the timer or as a message to the supervisor. */
  plan = 0;
  planned: Ref | "queued" | null = null;
  /** The pid it had, while a restart of an anonymous child waits: the only thing to call it by. */
  formerPid: AnyPid | undefined = undefined;
  /** Stopped by `terminateChild`: a restart that waits does not start it, one that begins later does. */
  held = false;
  startedMs = 0;
  /** Restarts in a row without health in between. */
  attempts = 0;

  constructor(spec: FullChildSpec, args: readonly unknown[]) {
    this.spec = spec;
    this.args = args;
  }
}

const ok = <T>(value: T): SupervisorResult<T> => ({ ok: true, value });
const failed = (error: unknown): SupervisorResult<never> => ({ ok: false, error });

/** @internal The server that is a supervisor. */
export class Supervisor implements Server<Operation, never, unknown> {
  readonly #self: AnyProcess;
  readonly #init: () => SupervisorInit;
  #flags: FullFlags = checkFlags({}) as FullFlags;
  #window = new RestartWindow(0, 1);
  /** In start order. Anonymous ones: those that run or will run again. */
  readonly #children = new Set<Child>();
  readonly #byPid = new Map<AnyPid, Child>();
  /** Anonymous children that wait for a restart. */
  readonly #byFormerPid = new Map<AnyPid, Child>();
  /** The one spec of `simpleOneForOne`. */
  #template: FullChildSpec | undefined;
  #restartsCount = 0;

  constructor(self: AnyProcess, init: () => SupervisorInit) {
    this.#self = self;
    this.#init = init;
  }

  async init(): Promise<unknown> {
    this.#self.trapExit(true);
    const wanted = this.#init();
    if (wanted instanceof Outcome) return wanted;
    if (!Array.isArray(wanted?.children)) return stop({ tag: "badReturnFromInit", value: wanted });
    const flags = checkFlags(wanted.flags ?? {});
    if (isProblem(flags)) return stop(flags);
    const specs = checkSpecs(wanted.children, flags);
    if (isProblem(specs)) return stop(specs);
    this.#flags = flags;
    this.#window = new RestartWindow(flags.maxRestarts, flags.periodMs);
    if (flags.strategy === "simpleOneForOne") this.#template = specs[0];
    else return this.#startAll(specs);
    return undefined;
  }

  async #startAll(specs: readonly FullChildSpec[]): Promise<unknown> {
    for (const spec of specs) {
      const child = new Child(spec, []);
      const result = await this.#startOne(child);
      if (!result.ok) {
        await this.#stopAll([...this.#children]);
        return stop(shutdown({ tag: "failedToStartChild", id: spec.id, reason: result.error }));
      }
      if (result.value !== undefined || spec.restart !== "temporary") this.#children.add(child);
    }
    return undefined;
  }

  /** For `sys.getState`. It cannot be replaced: what a supervisor knows of its children must be true. */
  systemGetState(): unknown {
    const { strategy, maxRestarts, periodMs } = this.#flags;
    return { strategy, maxRestarts, periodMs, children: [...this.#children].map((child) => this.#describe(child)) };
  }

  handleCall(request: Operation, from: Ref): unknown {
    if (typeof request !== "object" || request === null) return failed({ tag: "unknownRequest", request });
    switch (request.operation) {
      case "whichChildren":
        return [...this.#children].map((child) => this.#describe(child));
      case "countChildren":
        return this.#count();
      case "startChild":
        return this.#tell(this.#addChild(request.child), from);
      case "terminateChild":
        return this.#terminateChild(request.id);
      case "restartChild":
        return this.#tell(this.#restartChild(request.id), from);
      case "deleteChild":
        return this.#deleteChild(request.id);
      case "getChildSpec": {
        const spec = this.#template?.id === request.id ? this.#template : this.#find(request.id)?.spec;
        return spec === undefined ? failed("notFound") : ok(this.#show(spec, from));
      }
      case "findChild":
        return this.pidOf(request.id);
      default:
        return failed({ tag: "unknownRequest", request });
    }
  }

  handleInfo(message: unknown): unknown {
    if (isExit(message)) return this.#childEnded(message.from, message.reason);
    if (isRestart(message)) return this.#restartNow(message);
    return undefined;
  }

  handleCast(): void {
    // An unknown cast has nobody to answer to; it must not harm the children either.
  }

  async terminate(): Promise<void> {
    await this.#stopAll([...this.#children]);
  }

  /** Who watches must not harm the children. */
  #observe(event: SupervisorEvent): void {
    try {
      this.#flags.observe(event);
    } catch (thrown) {
      const why = describeReason(thrown);
      this.#self.kernel.platform.log("warning", `the observe of supervisor ${this.#self.pid} threw: ${why}`);
    }
  }

  // --- starting ---

  async #startOne(child: Child): Promise<SupervisorResult<AnyPid | undefined>> {
    try {
      const pid: unknown = await child.spec.start(this.#self, ...child.args);
      if (!(pid instanceof Pid)) return failed({ tag: "badReturnValue", value: pid });
      child.pid = pid;
      child.held = false;
      this.#forgetFormer(child);
      this.#byPid.set(pid, child);
      child.startedMs = this.#self.kernel.platform.clock.monotonicMs();
      this.#observe({ type: "started", id: child.spec.id, pid });
      return ok(pid);
    } catch (thrown) {
      const reason = thrown instanceof StartError || thrown instanceof Exit ? thrown.reason : thrown;
      return isIgnored(reason) ? ok(undefined) : failed(reason);
    }
  }

  async #addChild(wanted: ChildSpec | readonly unknown[]): Promise<unknown> {
    if (this.#template !== undefined) {
      const args: unknown = wanted ?? [];
      if (!Array.isArray(args)) return failed({ tag: "startSpec", problem: "argumentsNotAList", value: args });
      return this.#addAnonymous(this.#template, args as readonly unknown[]);
    }
    const spec = checkSpec(wanted as ChildSpec, this.#flags);
    if (isProblem(spec)) return failed(spec satisfies SpecProblem);
    if (this.#isAnonymous) return this.#addAnonymous(spec, this.#flags.extraArguments);
    const present = this.#find(spec.id);
    if (present?.pid !== undefined) return failed({ tag: "alreadyStarted", pid: present.pid });
    if (present !== undefined) return failed(this.#isDue(present) ? "restarting" : "alreadyPresent");
    const child = new Child(spec, []);
    const result = await this.#startOne(child);
    if (result.ok && (result.value !== undefined || spec.restart !== "temporary")) this.#children.add(child);
    return result;
  }

  async #addAnonymous(spec: FullChildSpec, args: readonly unknown[]): Promise<unknown> {
    if (this.#children.size >= this.#flags.maxChildren) return failed("maxChildren");
    const child = new Child(spec, args);
    const result = await this.#startOne(child);
    if (result.ok && result.value !== undefined) this.#children.add(child);
    return result;
  }

  /** Whether children have no ids and no order. */
  get #isAnonymous(): boolean {
    return hasAnonymousChildren(this.#flags.strategy);
  }

  async #restartChild(id: string | AnyPid): Promise<unknown> {
    if (this.#isAnonymous) return failed(this.#flags.strategy);
    const child = this.#find(id);
    if (child === undefined) return failed("notFound");
    if (child.pid !== undefined) return failed("running");
    if (this.#isDue(child)) return failed("restarting");
    return this.#startOne(child);
  }

  // --- children that ended ---

  #childEnded(pid: AnyPid, reason: ExitReason): unknown {
    const child = this.#byPid.get(pid);
    if (child === undefined) return undefined;
    this.#noteEnd(child, pid, reason);
    const { restart } = child.spec;
    if (restart === "permanent" || (restart === "transient" && !isOrderly(reason))) {
      if (this.#isAnonymous) this.#byFormerPid.set((child.formerPid = pid), child);
      return this.#restart(child, reason);
    }
    if (restart === "temporary" || this.#isAnonymous) this.#remove(child);
    return child.spec.significant && this.#endsWithChildren() ? stop("shutdown") : undefined;
  }

  #noteEnd(child: Child, pid: AnyPid, reason: ExitReason): void {
    child.pid = undefined;
    this.#byPid.delete(pid);
    const livedMs = this.#self.kernel.platform.clock.monotonicMs() - child.startedMs;
    if (livedMs >= (this.#flags.backoff?.resetAfterMs ?? Infinity)) child.attempts = 0;
    this.#observe({ type: "ended", id: child.spec.id, pid, reason });
  }

  /** Whether the end of a significant child ends the supervisor now. */
  #endsWithChildren(): boolean {
    if (this.#flags.autoShutdown === "anySignificant") return true;
    const isUp = (child: Child): boolean => child.pid !== undefined || this.#isDue(child);
    return ![...this.#children].some((child) => child.spec.significant && isUp(child));
  }

  /** Whether a restart that waits will start this child. */
  #isDue(child: Child): boolean {
    if (child.planned !== null) return true;
    if (child.held) return false;
    return [...this.#children].some((other) => other.planned !== null && this.#affected(other).includes(child));
  }

  /** Counts the restart, stops who must restart too, and starts them again now or after the backoff. */
  async #restart(child: Child, reason: ExitReason): Promise<unknown> {
    const nowMs = this.#self.kernel.platform.clock.monotonicMs();
    if (!this.#window.allows(nowMs)) {
      this.#observe({ type: "gaveUp", id: child.spec.id, reason });
      this.#remove(child);
      return stop("shutdown");
    }
    this.#restartsCount += 1;
    for (const other of this.#affected(child)) other.held = false;
    const delayMs = this.#nextDelay(child);
    this.#observe({ type: "restarting", id: child.spec.id, delayMs, restartsCount: this.#restartsCount });
    await this.#stopAll(this.#affected(child).filter((other) => other !== child));
    this.#removeTemporary(child);
    return delayMs === 0 ? this.#startAgain(child) : this.#plan(child, delayMs);
  }

  #nextDelay(child: Child): number {
    const { backoff } = this.#flags;
    if (backoff === undefined) return 0;
    const draw = this.#self.kernel.platform.random("supervisor.backoff") / 2 ** 32;
    const delayMs = backoffDelay(backoff, child.attempts, draw);
    child.attempts += 1;
    return delayMs;
  }

  /** Those that restart together with `child`, in start order, itself included. */
  #affected(child: Child): Child[] {
    const { strategy } = this.#flags;
    if (strategy !== "oneForAll" && strategy !== "restForOne") return [child];
    const children = [...this.#children];
    return strategy === "oneForAll" ? children : children.slice(children.indexOf(child));
  }

  /** Temporary children are not restarted by a strategy either (S11). */
  #removeTemporary(child: Child): void {
    for (const other of this.#affected(child)) {
      if (other !== child && other.spec.restart === "temporary") this.#remove(other);
    }
  }

  #plan(child: Child, delayMs: number): undefined {
    child.plan += 1;
    const message: RestartMessage = { type: "$restart", child, plan: child.plan };
    child.planned = this.#self.sendAfter(delayMs, this.#self.pid, message);
    return undefined;
  }

  #restartNow({ child, plan, failure }: RestartMessage): unknown {
    if (child.planned === null || child.plan !== plan) return undefined;
    child.planned = null;
    return failure === undefined ? this.#startAgain(child) : this.#restart(child, failure.reason);
  }

  /** Starts, or tries again, through the mailbox, so that other children and callers get their turn in between. */
  #queueStart(child: Child, failure?: { readonly reason: ExitReason }): undefined {
    child.plan += 1;
    child.planned = "queued";
    const again = failure === undefined ? {} : { failure };
    const message: RestartMessage = { type: "$restart", child, plan: child.plan, ...again };
    this.#self.send(this.#self.pid, message);
    return undefined;
  }

  async #startAgain(child: Child): Promise<unknown> {
    for (const other of this.#affected(child)) {
      if (other.pid !== undefined || other.held) continue;
      const result = await this.#startOne(other);
      if (result.ok) {
        const forgotten = other.spec.restart === "temporary" || this.#isAnonymous;
        if (result.value === undefined && forgotten) this.#remove(other);
        continue;
      }
      this.#observe({ type: "startFailed", id: other.spec.id, reason: result.error });
      return this.#queueStart(other, { reason: result.error });
    }
    return undefined;
  }

  // --- stopping ---

  async #terminateChild(id: string | AnyPid): Promise<unknown> {
    if (this.#isAnonymous && !(id instanceof Pid)) return failed(this.#flags.strategy);
    const child = this.#find(id);
    if (child === undefined) return failed("notFound");
    const wasPlanned = child.planned !== null;
    await this.#stopAll([child]);
    child.held = true;
    if (wasPlanned) this.#goOnWithout(child);
    if (child.spec.restart === "temporary" || this.#isAnonymous) this.#remove(child);
    return ok(undefined);
  }

  /** Those that were stopped to restart with `child` must not wait for it for ever. */
  #goOnWithout(child: Child): void {
    const next = this.#affected(child).find((other) => other.pid === undefined && !other.held);
    if (next !== undefined) this.#queueStart(next);
  }

  #deleteChild(id: string | AnyPid): unknown {
    if (this.#isAnonymous) return failed(this.#flags.strategy);
    const child = this.#find(id);
    if (child === undefined) return failed("notFound");
    if (child.pid !== undefined) return failed("running");
    if (this.#isDue(child)) return failed("restarting");
    this.#remove(child);
    return ok(undefined);
  }

  /** Reverse start order, one after the other; anonymous children, which may be many, at the same time (S46). */
  async #stopAll(children: readonly Child[]): Promise<void> {
    if (this.#isAnonymous) {
      await this.#stopTogether(children);
      return;
    }
    for (const child of [...children].toReversed()) await this.#stopTogether([child]);
  }

  async #stopTogether(children: readonly Child[]): Promise<void> {
    const stopping = children.flatMap((child) => this.#beginStop(child));
    const nowMs = this.#self.kernel.platform.clock.monotonicMs();
    // The least patient first: nobody's deadline passes while another one is awaited.
    stopping.sort((one, other) => patience(one.child) - patience(other.child));
    for (const { child, pid, ref } of stopping) await this.#awaitStop(child, pid, ref, nowMs + patience(child));
  }

  #beginStop(child: Child): { child: Child; pid: AnyPid; ref: Ref }[] {
    if (child.planned !== null && child.planned !== "queued") this.#self.cancelTimer(child.planned);
    child.planned = null;
    child.plan += 1;
    const { pid } = child;
    if (pid === undefined) return [];
    // Monitored first, so that a child that unlinked itself is waited for too (S51).
    const ref = this.#self.monitor(pid);
    this.#self.exit(pid, child.spec.shutdown === "brutal" ? "kill" : "shutdown");
    return [{ child, pid, ref }];
  }

  async #awaitStop(child: Child, pid: AnyPid, ref: Ref, deadlineMs: number): Promise<void> {
    const leftMs = Math.max(0, deadlineMs - this.#self.kernel.platform.clock.monotonicMs());
    let down: unknown = await this.#self.receive((message) => isDown(message, ref), { timeoutMs: leftMs });
    if (down === timedOut) {
      this.#self.exit(pid, "kill");
      down = await this.#self.receive((message) => isDown(message, ref));
    }
    // Not there when the child had unlinked itself. When it had ended before, the down message says no more than `noproc`.
    const exit: unknown = await this.#self.receive((message) => isExit(message, pid), { timeoutMs: 0 });
    this.#noteEnd(child, pid, isExit(exit) ? exit.reason : isDown(down) ? down.reason : undefined);
  }

  // --- looking ---

  /** The pid of a child that runs. */
  pidOf(id: string | AnyPid): AnyPid | undefined {
    return this.#find(id)?.pid;
  }

  #find(id: string | AnyPid): Child | undefined {
    if (id instanceof Pid) return this.#byPid.get(id) ?? this.#byFormerPid.get(id);
    if (!this.#isAnonymous) for (const child of this.#children) if (child.spec.id === id) return child;
    return undefined;
  }

  #remove(child: Child): void {
    this.#children.delete(child);
    this.#forgetFormer(child);
  }

  #forgetFormer(child: Child): void {
    if (child.formerPid !== undefined) this.#byFormerPid.delete(child.formerPid);
    child.formerPid = undefined;
  }

  /** Why a start failed may be anything: replying with what does not cross would end the supervisor. */
  async #tell(result: Promise<unknown>, asker: Ref): Promise<unknown> {
    const value = (await result) as SupervisorResult<unknown>;
    if (value.ok || asker.kernelId === this.#self.kernel.id) return value;
    return failed(copyable(this.#self.kernel, value.error));
  }

  /** A function does not cross: replying with it would end the supervisor. */
  #show({ start, ...spec }: FullChildSpec, asker: Ref): ChildSpecInfo {
    return asker.kernelId === this.#self.kernel.id ? { ...spec, start } : spec;
  }

  #describe(child: Child): ChildInfo {
    const pid = child.pid ?? (this.#isDue(child) ? "restarting" : undefined);
    return { id: this.#isAnonymous ? undefined : child.spec.id, pid, type: child.spec.type };
  }

  #count(): ChildCounts {
    const children = [...this.#children];
    const supervisors = children.filter((child) => child.spec.type === "supervisor").length;
    return {
      specs: this.#template === undefined ? children.length : 1,
      active: this.#byPid.size,
      supervisors,
      workers: children.length - supervisors,
    };
  }
}

function patience(child: Child): number {
  const policy = child.spec.shutdown;
  return policy === "infinity" || policy === "brutal" ? Infinity : policy;
}

function isRestart(message: unknown): message is RestartMessage {
  const restart = message as RestartMessage | null | undefined;
  return restart?.type === "$restart" && restart.child instanceof Child;
}
