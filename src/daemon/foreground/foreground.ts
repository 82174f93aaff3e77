/**
 * Foreground: runs a whole system in this OS process: the root supervisor, a supervisor for each service, and the
 * manager process that starts services when their dependencies are ready and tells the truth about them.
 *
 * Guarantees: dependents start after their dependencies are ready (or have done their work) and stop before them (K19); independent
 * services start at the same time; `ready` is only what the service's own check said (K18), or without one what has run for `survivalMs`; a service that cannot start, or uses up its
 * restart window, ends the whole system in order, with the sentence that says why; nothing starts once the system stops,
 * and nothing is left running. `ended` settles whatever happens in here. A listener that throws is told nothing more and
 * harms nobody; what it does runs in the asynchronous context of whoever subscribed. When this OS process exits early, it
 * takes its services with it.
 * The tree: manager ── root (oneForOne, gives up at once) ── one supervisor per service (window and backoff of its plan)
 * ── its instances, each a process on its carrier.
 * Limits: a port check cannot tell which instance of a service accepts, nor, with `listen`, whether any does: colos holds
 * that socket. After SIGKILL of this OS process its services run on.
 * Not here: keeping services over the death of colos (the daemon proper), the faces (cli/).
 *
 * @module
 */
import type { ServicePlan, SystemPlan } from "../../control/config.ts";
import { foregroundProblems } from "../../control/foreground-check.ts";
import type { InstanceState, InstanceStatus, RunningSystem, SystemEvent } from "../../control/service.ts";
import { describeReason, isOrderly, type ExitReason } from "../../kernel/exit-reason.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { isDown, isExit } from "../../kernel/message.ts";
import type { AnyPid } from "../../kernel/pid.ts";
import { Process, type AnyProcess } from "../../kernel/process.ts";
import { assertPortFree } from "../../os/port-holder.ts";
import { sampleProcesses } from "../../os/process-sample.ts";
import type { ChildSpec, SupervisorEvent } from "../../supervisor/child-spec.ts";
import { startChild, startSupervisor, type SupervisorResult } from "../../supervisor/supervisor.ts";
import { instanceSpec } from "./instance-spec.ts";
import { Instance } from "./instance.ts";
import { openListenSocket, type ListenSocket } from "../listen-socket.ts";
import { Listeners } from "./listeners.ts";
import { ReadyChecks } from "./ready-checks.ts";
import { describeEnd, osExitOf, shellExitCode, withDelay } from "./run-end.ts";
import { reasonText } from "../reason-text.ts";

/** Milliseconds between two samples of memory and CPU. */
export const sampleEveryMs = 1000;
/** How often a timer fires that is only there to be there, in milliseconds. */
const keepAliveEveryMs = 2 ** 30;

export interface ForegroundOptions {
  /** The services inherit stdin, stdout and stderr, and no log events come. */
  readonly passthrough?: boolean;
  /** colos's own environment, for checks that run a command. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Gives what code in this heap writes (services on the coroutine carrier) to `take` until undone. */
  readonly captureOwnOutput?: (take: TakeOwnOutput) => () => void;
}

/** Takes output of `owner`, a process of this kernel, or of nobody known. */
export type TakeOwnOutput = (owner: object | undefined, stream: "stdout" | "stderr", data: Uint8Array) => void;

/** What the manager process is told. */
type Notice =
  | { readonly type: "supervised"; readonly service: Service; readonly event: SupervisorEvent }
  | { readonly type: "added"; readonly instance: Instance; readonly result: SupervisorResult<unknown> }
  | { readonly type: "ready"; readonly instance: Instance; readonly pid: AnyPid }
  | { readonly type: "notReady"; readonly instance: Instance; readonly pid: AnyPid; readonly problem: string }
  | { readonly type: "overdue"; readonly pid: AnyPid }
  | { readonly type: "notBegun"; readonly service: Service; readonly problem: string }
  | { readonly type: "stop" }
  | { readonly type: "kill" };

interface Service {
  readonly plan: ServicePlan;
  readonly instances: readonly Instance[];
  begun: boolean;
}

/**
 * Starts everything in `plan` and returns at once; progress comes as events, the end as `ended`.
 * @throws Error for what only the daemon can do, before anything starts
 */
export function startForeground(kernel: Kernel, plan: SystemPlan, options: ForegroundOptions = {}): RunningSystem {
  const [unable] = foregroundProblems(plan);
  if (unable !== undefined) throw new Error(`${unable.path.join(".")} ${unable.sentence}`);
  return new Foreground(kernel, plan, options);
}

class Foreground implements RunningSystem {
  readonly ended: Promise<number>;
  readonly #kernel: Kernel;
  readonly #options: ForegroundOptions;
  readonly #services: readonly Service[];
  readonly #listeners: Listeners;
  readonly #checks: ReadyChecks;
  readonly #manager: AnyPid;
  readonly #beganMs: number;
  readonly #sockets: ListenSocket[] = [];
  #resolveEnded: (exitCode: number) => void = () => {};
  #endCapture: () => void = () => {};
  #self: AnyProcess | undefined;
  #root: AnyPid | undefined;
  #isUp = false;
  #isStopping = false;
  #hasEnded = false;
  #problem: string | undefined;
  /** Whose failure ends the system. */
  #culprit: Instance | undefined;
  /** The culprit used up its restart window. */
  #hasGivenUp = false;
  #sampledMs = -Infinity;
  /** Coroutines that wait for messages keep no event loop alive, and colos would end under them. */
  readonly #keptAlive = setInterval(() => {}, keepAliveEveryMs);

  constructor(kernel: Kernel, plan: SystemPlan, options: ForegroundOptions) {
    this.#kernel = kernel;
    this.#options = options;
    this.#beganMs = kernel.platform.clock.monotonicMs();
    this.#listeners = new Listeners((sentence) => kernel.platform.log("error", sentence));
    this.#checks = new ReadyChecks({
      clock: kernel.platform.clock,
      env: options.env ?? process.env,
      ready: (instance, pid) => this.#tell({ type: "ready", instance, pid }),
      notReady: (instance, pid, problem) => this.#tell({ type: "notReady", instance, pid, problem }),
    });
    this.#services = plan.services.map((service) => this.#service(service));
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    process.once("exit", this.#killLeft);
    if (options.passthrough !== true && options.captureOwnOutput !== undefined) {
      this.#endCapture = options.captureOwnOutput((owner, stream, data) => this.#ownOutput(owner, stream, data));
    }
    this.#manager = kernel.spawn((self: AnyProcess) => this.#manage(self), { label: "manager" });
    kernel.spawn((self: AnyProcess) => this.#guard(self), { label: "manager's guard" });
  }

  instances(): readonly InstanceStatus[] {
    this.#sample();
    const nowMs = this.#kernel.platform.clock.monotonicMs();
    return this.#instances().map((instance) => instance.status(nowMs));
  }

  subscribe(listener: (event: SystemEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  stop(): void {
    this.#tell({ type: "stop" });
  }

  kill(): void {
    this.#tell({ type: "kill" });
  }

  // --- the manager process ---

  async #manage(self: AnyProcess): Promise<void> {
    this.#self = self;
    self.trapExit(true);
    try {
      this.#root = await startSupervisor(self, { flags: { maxRestarts: 0 }, children: [] }, { label: "root" });
      this.#startDue();
      for (;;) {
        const message: unknown = await self.receive();
        if (isExit(message, this.#root)) {
          if (!this.#isStopping) this.#failItself(message.reason);
          break;
        }
        if (!isExit(message)) await this.#take(message as Notice);
      }
    } catch (thrown) {
      this.#failItself(thrown);
      if (this.#root !== undefined) await this.#endRoot(self, this.#root);
    }
    await this.#finish();
  }

  async #endRoot(self: AnyProcess, root: AnyPid): Promise<void> {
    this.#isStopping = true;
    const ref = self.monitor(root);
    self.exit(root, "shutdown");
    await self.receive((message: unknown) => isDown(message, ref));
  }

  /** Nothing is to end the manager but itself. If something does, its link ends the root, and this the system. */
  async #guard(self: AnyProcess): Promise<void> {
    const managerRef = self.monitor(this.#manager);
    const { reason } = (await self.receive((message: unknown) => isDown(message, managerRef))) as {
      reason: ExitReason;
    };
    if (this.#hasEnded) return;
    this.#failItself(reason);
    if (this.#root !== undefined) {
      const rootRef = self.monitor(this.#root);
      await self.receive((message: unknown) => isDown(message, rootRef));
    }
    await this.#finish();
  }

  #failItself(reason: ExitReason): void {
    this.#isStopping = true;
    this.#problem ??= `colos itself failed: ${describeReason(reason)}`;
    if (reason instanceof Error) this.#kernel.platform.log("error", String(reason.stack));
  }

  async #take(notice: Notice): Promise<void> {
    switch (notice.type) {
      case "supervised":
        return this.#supervised(notice.service, notice.event);
      case "added":
        return this.#added(notice.instance, notice.result);
      case "ready":
        return this.#ready(notice.instance, notice.pid);
      case "notReady":
        return this.#notReady(notice.instance, notice.pid, notice.problem);
      case "overdue":
        this.#self?.exit(notice.pid, "kill");
        return undefined;
      case "notBegun":
        return this.#notBegun(notice.service, notice.problem);
      case "stop":
        return this.#stop();
      case "kill":
        this.#stop();
        for (const { pid } of this.#instances()) if (pid !== undefined) this.#self?.exit(pid, "kill");
        return undefined;
    }
  }

  // --- starting ---

  /** Starts every service whose dependencies are all ready. */
  #startDue(): void {
    if (this.#isStopping) return;
    const isReady = (name: string): boolean => this.#services.some((s) => s.plan.name === name && hasBeenReady(s));
    for (const service of this.#services) {
      if (service.begun || !service.plan.dependsOn.every(({ name }) => isReady(name))) continue;
      service.begun = true;
      void this.#begin(service).catch((thrown: unknown) => {
        this.#tell({ type: "notBegun", service, problem: reasonText(thrown) });
      });
    }
    this.#announceUp();
  }

  /** Opens what the service needs, then its supervisor, then its instances one after the other. */
  async #begin(service: Service): Promise<void> {
    const { plan } = service;
    if (plan.ready.kind === "port" && plan.listenPort !== plan.ready.port) {
      await assertPortFree(plan.ready.port, plan.ready.host);
    }
    const socket = plan.listenPort === undefined ? undefined : await openListenSocket(plan.listenPort, plan.listenHost);
    const self = this.#self;
    const root = this.#root;
    if (this.#isStopping || self === undefined || root === undefined) return socket?.close();
    if (socket !== undefined) this.#sockets.push(socket);
    const supervisor = await startChild(self, root, this.#supervisorSpec(service));
    if (!supervisor.ok || supervisor.value === undefined) return;
    for (const instance of service.instances) {
      const result = await startChild(self, supervisor.value, this.#specOf(instance, socket));
      this.#tell({ type: "added", instance, result });
    }
  }

  #supervisorSpec(service: Service): ChildSpec {
    const { plan } = service;
    const observe = (event: SupervisorEvent): void => this.#tell({ type: "supervised", service, event });
    const flags = { maxRestarts: plan.maxRestarts, periodMs: plan.periodMs, backoff: plan.backoff, observe };
    return {
      id: plan.name,
      type: "supervisor",
      start: (self) => startSupervisor(self, { flags, children: [] }, { label: `${plan.name} supervisor` }),
    };
  }

  #specOf(instance: Instance, socket: ListenSocket | undefined): ChildSpec {
    return instanceSpec(instance, {
      passthrough: this.#options.passthrough === true,
      socket,
      isStopping: () => this.#isStopping,
      nowMs: () => this.#kernel.platform.clock.monotonicMs(),
      runs: (each) => each.enter(this.#isStopping ? "stopping" : "starting"),
    });
  }

  #notBegun(service: Service, problem: string): void {
    if (this.#isStopping) return;
    for (const instance of service.instances) instance.enter("failed", problem);
    this.#fail(`${service.plan.name} did not start: ${problem}`);
  }

  #added(instance: Instance, result: SupervisorResult<unknown>): void {
    if (result.ok || this.#isStopping) return;
    const said = reasonText(result.error);
    instance.finish();
    // What could not be loaded has not run, so how its OS process ended says nothing.
    instance.osExit = result.error instanceof Error ? undefined : (instance.osExit ?? osExitOf(result.error));
    instance.enter("failed", said);
    this.#fail(`${instance.name} did not start: ${said}`, instance);
  }

  // --- what the service supervisors report ---

  #supervised(service: Service, event: SupervisorEvent): void {
    const instance = service.instances.find((each) => each.name === event.id);
    if (instance === undefined) return;
    switch (event.type) {
      case "started":
        this.#started(instance, event.pid);
        return;
      case "ended":
        this.#ended(instance, event.reason);
        return;
      case "restarting":
        if (this.#isStopping) return;
        instance.restartsCount += 1;
        instance.enter("backoff", withDelay(instance.reason, event.delayMs));
        return;
      case "startFailed":
        instance.finish();
        instance.reason = `did not start: ${reasonText(event.reason)}`;
        return;
      case "gaveUp":
        instance.finish();
        this.#gaveUp(instance, event.reason);
    }
  }

  #started(instance: Instance, pid: AnyPid): void {
    instance.pid = pid;
    instance.isStarted = true;
    instance.enter(this.#isStopping ? "stopping" : "starting");
    if (this.#isStopping) return;
    this.#checks.begin(instance, pid);
  }

  #ready(instance: Instance, pid: AnyPid): void {
    if (instance.pid !== pid || instance.state !== "starting") return;
    instance.enter("ready");
    this.#startDue();
  }

  #notReady(instance: Instance, pid: AnyPid, problem: string): void {
    if (instance.pid !== pid || this.#isStopping) return;
    instance.reason = problem;
    instance.notReady = problem;
    if (!this.#isUp && !instance.wasReady) this.#fail(`${instance.name} was not ready in time: ${problem}`, instance);
    else this.#endRun(instance, pid, { tag: "notReady", problem });
  }

  #ended(instance: Instance, reason: ExitReason): void {
    instance.finish();
    instance.osExit ??= osExitOf(reason);
    if (this.#isStopping) {
      if (instance === this.#culprit) instance.enter("failed", instance.reason);
      else instance.enter("stopped");
      return;
    }
    const said = describeEnd(reason, instance);
    const { restart } = instance.plan;
    if (!this.#isUp && !instance.wasReady && instance.plan.ready.kind !== "none") {
      instance.enter("failed", said);
      this.#fail(`${instance.name} ended before it was ready: ${said}`, instance);
    } else if (restart === "permanent" || (restart === "transient" && !isOrderly(reason))) {
      instance.reason = said; // what follows is a restart, or the end of the restarts
    } else {
      instance.enter(isOrderly(reason) ? "stopped" : "failed", said);
      this.#startDue();
      if (instance.state === "failed" && this.#isWaitedFor(instance))
        this.#fail(`${instance.name} ended before it was ready: ${said}`, instance);
      this.#endWhenAllStopped();
    }
  }

  /** Somebody is to start after it, and now never would. */
  #isWaitedFor({ wasReady, plan }: Instance): boolean {
    const isDependent = ({ begun, plan: { dependsOn } }: Service): boolean =>
      !begun && dependsOn.some(({ name }) => name === plan.name);
    return !wasReady && this.#services.some(isDependent);
  }

  #gaveUp(instance: Instance, reason: ExitReason): void {
    if (this.#isStopping) return;
    const { maxRestarts, periodMs } = instance.plan;
    const said = describeEnd(reason, instance);
    instance.enter("failed", said);
    const times = maxRestarts === 0 ? "" : ` ${maxRestarts + 1} times within ${Math.round(periodMs / 1000)} s`;
    const verb = isOrderly(reason) ? "ended" : "failed";
    this.#hasGivenUp = true;
    this.#fail(`${instance.name} ${verb}${times} and is given up: ${said}`, instance);
  }

  // --- ending ---

  /** Ends the system because of `problem`; only the first counts. */
  #fail(problem: string, instance?: Instance): void {
    if (this.#isStopping) return;
    this.#problem ??= problem;
    this.#culprit = instance;
    this.#stop();
  }

  #endWhenAllStopped(): void {
    const isOver = (instance: Instance): boolean => instance.state === "stopped" || instance.state === "failed";
    if (!this.#instances().every(isOver)) return;
    const failedOnes = this.#instances().filter((instance) => instance.state === "failed");
    if (failedOnes.length > 0) {
      const [first] = failedOnes;
      this.#problem ??= `${first?.name} ended: ${first?.reason}`;
    }
    this.#stop();
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#emit({ type: "stopping" });
    for (const instance of this.#instances()) {
      instance.check?.abort(new Error("the system stops"));
      if (instance.pid !== undefined) instance.enter("stopping", instance.reason);
      else if (instance.state !== "failed") instance.enter("stopped");
    }
    // A program that still loads would hold its supervisor, and so the stop, until it has loaded.
    for (const instance of this.#instances()) {
      if (instance.pid !== undefined && !instance.isStarted) this.#endRun(instance, instance.pid, "shutdown");
    }
    if (this.#root !== undefined) this.#self?.exit(this.#root, "shutdown");
  }

  /** Ends one run that its supervisor is not asked to end, with the time that its plan gives it. */
  #endRun(instance: Instance, pid: AnyPid, reason: ExitReason): void {
    const { shutdown } = instance.plan;
    this.#self?.exit(pid, shutdown === "brutal" ? "kill" : reason);
    if (typeof shutdown !== "number") return;
    const { clock } = this.#kernel.platform;
    instance.cancelKill ??= clock.timer(shutdown, () => this.#tell({ type: "overdue", pid }));
  }

  /** Output of a process in this heap belongs to the instance it descends from, else to colos. */
  #ownOutput(owner: object | undefined, stream: "stdout" | "stderr", data: Uint8Array): void {
    let pid: AnyPid | undefined = owner instanceof Process ? owner.pid : undefined;
    for (; pid !== undefined; pid = pid.process?.parent) {
      const instance = this.#instances().find((each) => each.pid === pid);
      if (instance !== undefined) {
        instance.write(stream, data);
        return;
      }
    }
    for (const text of Buffer.from(data).toString().trimEnd().split("\n")) {
      this.#emit({ type: "log", line: { name: "colos", stream, text } });
    }
  }

  async #finish(): Promise<void> {
    for (const instance of this.#instances()) if (instance.pid !== undefined) instance.finish();
    await this.#checks.settled();
    clearInterval(this.#keptAlive);
    this.#hasEnded = true;
    process.off("exit", this.#killLeft);
    this.#endCapture();
    for (const socket of this.#sockets) socket.close();
    for (const instance of this.#instances()) {
      if (instance.state !== "failed") instance.enter("stopped", instance.reason);
    }
    const ownExitCode = this.#ownExitCode();
    // How a single program ended is for itself to say; that it is not started again is not.
    const problem = ownExitCode === undefined || this.#hasGivenUp ? this.#problem : undefined;
    const exitCode = (this.#hasGivenUp ? ownExitCode || 1 : ownExitCode) ?? (problem === undefined ? 0 : 1);
    this.#emit({ type: "ended", exitCode, ...(problem === undefined ? {} : { problem }) });
    this.#resolveEnded(exitCode);
  }

  /** What a shell would give for the single program that was run; undefined when there is no such thing. */
  #ownExitCode(): number | undefined {
    const [only, ...others] = this.#instances();
    if (this.#options.passthrough !== true || others.length > 0 || only?.osExit === undefined) return undefined;
    return shellExitCode(only.osExit);
  }

  /** The last chance, when the OS process of colos ends first: a program on a coroutine calls `process.exit()`. */
  readonly #killLeft = (): void => {
    for (const { osPid } of this.#instances()) if (osPid !== undefined) tryKillGroup(osPid);
  };

  // --- small things ---

  #service(plan: ServicePlan): Service {
    const listener = {
      changed: (instance: Instance, before: InstanceState) => {
        const status = instance.status(this.#kernel.platform.clock.monotonicMs());
        this.#emit({ type: "state", status, before });
      },
      wrote: (line: { name: string; stream: "stdout" | "stderr"; text: string }) => this.#emit({ type: "log", line }),
    };
    const numbers = Array.from({ length: plan.instances }, (_, index) => index + 1);
    return { plan, instances: numbers.map((number) => new Instance(plan, number, listener)), begun: false };
  }

  #instances(): Instance[] {
    return this.#services.flatMap((service) => service.instances);
  }

  #announceUp(): void {
    const isAnyReady = this.#instances().some(({ wasReady }) => wasReady);
    if (this.#isUp || !isAnyReady || !this.#services.every(hasBeenReady)) return;
    this.#isUp = true;
    this.#emit({ type: "up", elapsedMs: this.#kernel.platform.clock.monotonicMs() - this.#beganMs });
  }

  #tell(notice: Notice): void {
    this.#kernel.send(this.#manager, notice);
  }

  #emit(event: SystemEvent): void {
    this.#listeners.tell(event);
  }

  #sample(): void {
    const nowMs = this.#kernel.platform.clock.monotonicMs();
    if (nowMs - this.#sampledMs < sampleEveryMs) return;
    this.#sampledMs = nowMs;
    const samples = sampleProcesses(this.#instances().flatMap(({ osPid }) => osPid ?? []));
    for (const instance of this.#instances()) {
      if (instance.osPid !== undefined) instance.measure(samples.get(instance.osPid));
    }
  }
}

/** Or has done its work before anybody could say so. */
function hasBeenReady(service: Service): boolean {
  return service.instances.every(({ wasReady, state }) => wasReady || state === "stopped");
}

function tryKillGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}
