/**
 * Manager: the operations that faces ask for, over the core.
 *
 * Guarantees: an operation is written to the journal, synced, before it is begun and before it is answered; what makes no sense
 * is refused before anything happens. With `wait` the answer comes when each instance concerned is where it was sent, or
 * cannot get there, and then it says why, with what the service wrote last. A command never hears "ready" of what is not.
 * Limits: `eventsMax` events wait for one subscriber that does not read; more are left out and counted.
 * Not here: decisions (core/), OS processes (run/), HTTP (control-server.ts).
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { suggestionClause } from "../base/suggestion.ts";
import { Feed } from "../context/stream.ts";
import {
  ManagerError,
  type ApplyReport,
  type CallInput,
  type CallReport,
  type Cause,
  type DaemonStatus,
  type InstanceProblem,
  type Manager,
  type ManagerEvent,
  type NamesInput,
  type OperationReport,
  type PlanChange,
  type PlanInput,
  type ServiceDetail,
  type SystemStatus,
  type TreeNode,
  type WaitOptions,
} from "../control/manager.ts";
import type { ServicePlan, SystemPlan } from "../control/config.ts";
import { callMsDefault, type ListedProcesses } from "../control/program-call.ts";
import { instancesMax } from "../control/config-limit.ts";
import { parsePlan } from "../control/plan-check.ts";
import { planChanges } from "../control/plan-diff.ts";
import { spanText } from "../control/quantity.ts";
import type { InstanceState, InstanceStatus } from "../control/service.ts";
import { Core } from "./core/core.ts";
import { runsOf, type LiveInstance, type LiveRun } from "./core/live.ts";
import { foldInto, type Entry, type InstanceRecord, type ServiceRecord, type SystemRecord } from "./core/record.ts";
import { stuckOf } from "./core/stuck.ts";
import type { Home } from "./home.ts";
import { JournalError, type Journal } from "./journal.ts";
import { tellingLine, tellingLines } from "./last-words.ts";
import { detailOf, Samples, stateWords, statusOf, treeOf, whyOf, type OsProcess } from "./manager-view.ts";
import { callProgram, listProgram, ProgramCallError } from "./program/program-calls.ts";
import { reasonText } from "./reason-text.ts";
import { RunHost, type RunHostOptions } from "./run-host.ts";

/** Events that wait for one subscriber. */
export const eventsMax = 1_000;
/** How long a service without a readiness check must run, in milliseconds, before an operation that waits says that it is up. */
export const survivalMs = 300;
/** Instances whose last line is read at the same time. */
export const lastLinesAtOnceMax = 16;
/** Characters of the last line that a list repeats. */
export const lastLineCharactersMax = 1_000;
/** Lines of stderr that a problem repeats. */
export const lastLinesMax = 10;

export interface ManagerOptions extends Omit<RunHostOptions, "settled" | "changed"> {
  readonly home: Home;
  readonly version: string;
  readonly journal: Journal<SystemRecord, Entry>;
  /** What the daemon says of itself; the rest of `DaemonStatus` is known here. */
  daemon(): Omit<DaemonStatus, "home" | "startsCount" | "version">;
  /** Why this plan cannot be run here: one sentence each. Empty: it can. */
  refusals(plan: SystemPlan): Promise<readonly string[]>;
  /** How each limit of a service is held: one sentence each. */
  describeLimits(plan: ServicePlan): Promise<readonly string[]>;
  /** What is wrong at this moment with what colos itself does for a service: one sentence each. */
  alarmsOf(service: string): readonly string[];
  /** The last lines that an instance has written to stderr since then. */
  lastErrors(service: string, instance: number, sinceAt: number): Promise<readonly string[]>;
  /** The last line that an instance has written. */
  lastLine(service: string, instance: number): Promise<string | undefined>;
  /** Called after each change of state of an instance. */
  changed(service: ServiceRecord, instance: LiveInstance): void;
  /** Called when the plan of the system is another. */
  applied(record: SystemRecord): void;
  /** An earlier daemon of the home has ended without being told to. */
  readonly isAgain: boolean;
  /** `down` is done, or the daemon hands over: it is to end. */
  finished(how: "down" | "handOver"): void;
}

/** One instance of one service. */
interface Target {
  readonly service: string;
  readonly number: number;
}

/** What an operation waits for. undefined: not yet. */
type Arrival = { readonly ok: true } | { readonly ok: false; readonly sentence: string } | undefined;

const arrived: Arrival = { ok: true };

/** What changes the plan of the system. */
const planEntries: ReadonlySet<Entry["type"]> = new Set<Entry["type"]>(["applied", "removed", "scaled"]);

/** Its last run failed, and none is there. */
const failedStates: ReadonlySet<InstanceState> = new Set<InstanceState>(["backoff", "degraded", "failed"]);

export class ServiceManager implements Manager {
  readonly #options: ManagerOptions;
  readonly #host: RunHost;
  readonly #core: Core;
  readonly #samples = new Samples();
  readonly #waits = new Set<() => void>();
  readonly #subscribers = new Set<Feed<ManagerEvent>>();
  /** Runs without a readiness check that have not ended at once, and those of which that is not known yet. */
  readonly #survivors = new WeakSet<LiveRun>();
  readonly #onProbation = new WeakSet<LiveRun>();
  /** This daemon was told to stop everything. */
  #isEnding = false;
  #isFinished = false;

  private constructor(options: ManagerOptions) {
    this.#options = options;
    this.#host = new RunHost({
      ...options,
      settled: () => this.#settled(),
      changed: (service, instance, before) => this.#changed(service, instance, before),
    });
    this.#core = new Core(copyOf(options.journal.state), this.#host);
  }

  /** Takes over what earlier daemons left and begins to manage. */
  static async open(options: ManagerOptions): Promise<ServiceManager> {
    const manager = new ServiceManager(options);
    const { osPid } = options.daemon();
    const entry: Entry = { type: "daemon", at: manager.#host.now(), version: options.version, osPid };
    await options.journal.append([entry], { sync: true }).catch((error: unknown) => {
      options.log("error", `the journal does not take that a daemon began: ${reasonText(error)}`);
    });
    foldInto(manager.#core.record, entry);
    await manager.#host.recover(manager.#core);
    options.applied(manager.#core.record);
    // An earlier daemon was told so, and did not get to its end.
    if (manager.#core.record.isDown && (options.isAgain || !manager.#core.isIdle)) manager.#finishWhenDown();
    return manager;
  }

  /** Ends the managing; every service goes on. */
  async close(): Promise<void> {
    this.#isFinished = true;
    this.#endEvents();
    await this.#host.close();
    await this.#options.journal.close();
  }

  /** A file of a service has changed. */
  renew(service: string, why: string): void {
    this.#host.tell((core) => core.renew(service, why));
  }

  /** A run has exceeded a limit. */
  exceeded(run: string, why: string): void {
    this.#host.tell((core) => core.unhealthy(run, why));
  }

  /** Something that a person who asks why should know. */
  note(service: string, sentence: string): void {
    const at = this.#host.now();
    this.#host.tell((core) => core.note(service, sentence));
    this.#emit({ type: "note", at, service, sentence });
  }

  // --- looking ---

  async list(): Promise<SystemStatus> {
    this.#sample();
    return { daemon: this.#daemon(), instances: await this.#withLastLines(this.#statuses(this.#everything())) };
  }

  async show({ name }: { readonly name: string }): Promise<ServiceDetail> {
    const { service } = this.#named(name);
    this.#sample();
    const detail = detailOf(service, this.#core, this.#samples, this.#options.home, this.#host.now());
    return { ...detail, limits: await this.#options.describeLimits(service.plan) };
  }

  async why({ name }: { readonly name: string }): Promise<Cause> {
    const { service, number } = this.#named(name);
    const lastWords = new Map<string, string>();
    for (const live of this.#core.live(service)) {
      const words = tellingLine(await this.#lastErrors({ service: service.plan.name, number: live.number }));
      if (words !== undefined) lastWords.set(live.name, words);
    }
    const cause = whyOf(this.#core, service, lastWords, number);
    const alarms = this.#options.alarmsOf(service.plan.name).map((sentence): Cause => ({ sentence, causes: [] }));
    return { ...cause, causes: [...alarms, ...cause.causes] };
  }

  async tree(): Promise<TreeNode> {
    const { home } = this.#options;
    const processes = await this.#processes();
    return treeOf(this.#core, home, {
      members: (run) => this.#host.runs.members(run).map(osProcess),
      processes: (run) => processes.get(run),
    });
  }

  events(): AsyncIterable<ManagerEvent> {
    return { [Symbol.asyncIterator]: () => this.#subscribe() };
  }

  // --- doing ---

  async preview(input: PlanInput): Promise<{ readonly changes: readonly PlanChange[] }> {
    assertPlan(input.plan);
    return { changes: this.#changesTo(input.plan) };
  }

  async apply(input: PlanInput & WaitOptions): Promise<ApplyReport> {
    this.#refuseWhenEnding();
    assertPlan(input.plan);
    const refusals = await this.#options.refusals(input.plan);
    if (refusals.length > 0) throw new ManagerError("refused", refusals.join("\n"));
    const changes = this.#changesTo(input.plan);
    const { services } = input.plan;
    const at = this.#host.now();
    await this.#commit([{ type: "applied", at, source: input.source, env: input.env, services }]);
    for (const change of changes) if (change.kind !== "keep") this.#emit({ type: "change", at, change });
    const report = await this.#finish(this.#everything(), input, (target) => {
      const service = this.#service(target.service);
      if (service === undefined || service.isRemoved) return this.#hasStopped(target);
      if (target.number > service.plan.instances) return this.#hasStopped(target);
      return service.target === "up" ? this.#isUp(target, at) : arrived;
    });
    return { ...report, changes };
  }

  start(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => ({ type: "target", at: this.#host.now(), service, target: "up" }),
      (target, sinceAt) => this.#isUp(target, sinceAt),
    );
  }

  async stop(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => ({ type: "target", at: this.#host.now(), service, target: "down" }),
      (target) =>
        this.#service(target.service)?.target === "up"
          ? { ok: false, sentence: "it was started again meanwhile" }
          : this.#hasStopped(target),
    );
  }

  async remove(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => ({ type: "removed", at: this.#host.now(), service }),
      (target) =>
        this.#service(target.service)?.isRemoved === false
          ? { ok: false, sentence: "it was added again meanwhile" }
          : this.#hasStopped(target),
    );
  }

  async restart(input: NamesInput): Promise<OperationReport> {
    return this.#renewAll(input);
  }

  async reload(input: NamesInput): Promise<OperationReport> {
    return this.#renewAll(input);
  }

  async scale(input: { readonly name: string; readonly instances: number } & WaitOptions): Promise<OperationReport> {
    const { service, number } = this.#named(input.name);
    const { instances } = input;
    if (number !== undefined) throw new ManagerError("invalid", `${input.name} is one instance; scale takes a service`);
    if (!Number.isInteger(instances) || instances < 0 || instances > instancesMax) {
      throw new ManagerError("invalid", `${instances} is not a number of instances from 0 to ${instancesMax}`);
    }
    this.#refuseWhenEnding();
    const before = this.#targetsOf(service);
    const at = this.#host.now();
    await this.#commit([{ type: "scaled", at, service: service.plan.name, instances }]);
    const after = this.#targetsOf(service);
    return this.#finish(
      [...new Map([...before, ...after].map((each) => [each.number, each])).values()],
      input,
      (target) => {
        const now = this.#service(target.service);
        if (target.number <= instances) return this.#isWantedUp(target) ? this.#isUp(target, at) : arrived;
        if (now !== undefined && target.number <= now.plan.instances)
          return { ok: false, sentence: "it was added again meanwhile" };
        return this.#hasStopped(target);
      },
    );
  }

  async kill(input: { readonly names: readonly string[]; readonly signal: string }): Promise<OperationReport> {
    if (!Object.hasOwn(osConstants.signals, input.signal))
      throw new ManagerError("invalid", `${input.signal} is no OS signal here`, "kill -l lists what there is");
    const targets = this.#targets(input.names);
    const problems: InstanceProblem[] = [];
    for (const target of targets) {
      const live = this.#live(target);
      const runs =
        live === undefined ? [] : runsOf(live).filter(({ phase, isStandby }) => phase !== "asked" && !isStandby);
      for (const run of runs) this.#host.runs.signal(run.id, input.signal);
      const name = live?.name ?? target.service;
      if (runs.length === 0) problems.push({ name, sentence: `${name} does not run`, lastLines: [] });
    }
    return { instances: this.#statuses(targets), problems };
  }

  async send({ name, text }: { readonly name: string; readonly text: string }): Promise<void> {
    const { service, number = 1 } = this.#named(name);
    const live = this.#live({ service: service.plan.name, number });
    if (live?.current === undefined || live.current.phase === "asked") {
      throw new ManagerError(
        "refused",
        `${live?.name ?? name} does not run, so nobody reads what is sent`,
        `colos start ${name}`,
      );
    }
    try {
      await this.#host.runs.write(live.current.id, text.endsWith("\n") ? text : `${text}\n`);
    } catch (error) {
      throw new ManagerError("refused", reasonText(error));
    }
  }

  async call({ name, request, timeoutMs = callMsDefault }: CallInput): Promise<CallReport> {
    const { service, number = 1 } = this.#named(name);
    const { plan } = service;
    const live = this.#live({ service: plan.name, number });
    const called = live?.name ?? name;
    if (plan.run.kind !== "program" || plan.carrier !== "os-process") {
      const what = plan.run.kind === "command" ? "a command" : `a program on the carrier ${plan.carrier}`;
      throw new ManagerError("refused", `${called} is ${what}, not a program of processes on the carrier os-process`);
    }
    if (live?.current === undefined || live.current.phase === "asked") {
      throw new ManagerError("refused", `${called} does not run, so nobody answers`, `colos start ${name}`);
    }
    try {
      return { reply: await callProgram(this.#options.home, live.current.id, request, timeoutMs) };
    } catch (error) {
      const why = error instanceof ProgramCallError ? error.message : reasonText(error);
      throw new ManagerError("refused", `${called}: ${why}`);
    }
  }

  async down(input: WaitOptions): Promise<OperationReport> {
    const targets = this.#everything();
    this.#isEnding = true;
    // A system can be stopped whatever the disk takes; only a daemon that dies meanwhile would not know of it.
    await this.#host.commitAnyway([{ type: "down", at: this.#host.now() }]);
    try {
      return await this.#finish(targets, input, (target) => this.#hasStopped(target));
    } finally {
      // Also when nobody waits for it any more.
      this.#finishWhenDown();
    }
  }

  /** Ends the daemon once nothing runs any more, unless somebody applies a plan before. */
  #finishWhenDown(): void {
    const look = (): void => {
      const { isDown } = this.#core.record;
      if (!isDown) this.#waits.delete(look);
      else if (this.#core.isIdle) this.#finished("down");
    };
    this.#waits.add(look);
    look();
  }

  async handOver(): Promise<void> {
    this.#finished("handOver");
  }

  /** What programs of processes say of theirs, all asked at the same time. */
  async #processes(): Promise<ReadonlyMap<string, ListedProcesses>> {
    const runs = [...this.#core.record.services.values()]
      .filter(({ plan }) => plan.run.kind === "program" && plan.carrier === "os-process")
      .flatMap((service) => this.#core.live(service).flatMap(({ current }) => current?.id ?? []));
    const lists = await Promise.all(runs.map((run) => listProgram(this.#options.home, run)));
    return new Map(runs.flatMap((run, at) => (lists[at] === undefined ? [] : [[run, lists[at]] as const])));
  }

  #finished(how: "down" | "handOver"): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#emit({
      type: "note",
      at: this.#host.now(),
      sentence: how === "down" ? "the system was stopped" : "the daemon hands over",
    });
    this.#endEvents();
    this.#options.finished(how);
  }

  async #renewAll(input: NamesInput): Promise<OperationReport> {
    this.#refuseWhenEnding();
    const targets = this.#targets(input.names);
    const at = this.#host.now();
    const entries = targets.map(({ service, number }): Entry => ({
      type: "renewed",
      at,
      service,
      instance: number,
      why: "somebody asked for it",
    }));
    const ups = [...new Set(targets.map(({ service }) => service))]
      .filter((service) => this.#core.record.isDown || this.#service(service)?.target === "down")
      .map((service): Entry => ({ type: "target", at, service, target: "up" }));
    await this.#commit([...ups, ...entries]);
    return this.#finish(targets, input, (target) => this.#isUp(target, at));
  }

  async #operate(
    input: NamesInput,
    entryOf: (service: string) => Entry,
    isDone: (target: Target, sinceAt: number) => Arrival,
  ): Promise<OperationReport> {
    this.#refuseWhenEnding();
    for (const name of input.names) {
      if (name !== "all" && this.#named(name).number !== undefined) {
        throw new ManagerError(
          "invalid",
          `${name} is one instance; this takes whole services`,
          "colos scale changes how many there are",
        );
      }
    }
    const targets = this.#targets(input.names);
    const services = [...new Set(targets.map(({ service }) => service))];
    const sinceAt = this.#host.now();
    await this.#commit(services.map(entryOf));
    return this.#finish(targets, input, (target) => isDone(target, sinceAt));
  }

  /** Written and synced, then done. */
  async #commit(entries: readonly Entry[]): Promise<void> {
    try {
      await this.#host.commit(entries);
    } catch (error) {
      if (error instanceof JournalError) throw new ManagerError("busy", `nothing was done: ${error.message}`);
      throw new ManagerError(
        "busy",
        `nothing was done, because it could not be written down: ${reasonText(error)}`,
        "make room on the disk and try again",
      );
    }
    if (entries.some(({ type }) => planEntries.has(type))) this.#options.applied(this.#core.record);
  }

  #changesTo(plan: SystemPlan): readonly PlanChange[] {
    const services = [...this.#core.record.services.values()]
      .filter(({ isRemoved }) => !isRemoved)
      .map((each) => each.plan);
    return planChanges({ services }, plan).map((change) => {
      const isStopped = this.#service(change.service)?.target === "down";
      const next = plan.services.find(({ name }) => name === change.service);
      if (!isStopped || change.kind !== "keep" || next?.autostart !== true) return change;
      return { ...change, kind: "change", effect: next.schedule === undefined ? "start" : "none" };
    });
  }

  #refuseWhenEnding(): void {
    if (this.#isEnding || this.#isFinished) throw new ManagerError("refused", "the system is being stopped");
  }

  // --- waiting ---

  async #finish(
    targets: readonly Target[],
    input: WaitOptions,
    isDone: (target: Target) => Arrival,
  ): Promise<OperationReport> {
    if (input.wait === false) return { instances: this.#statuses(targets), problems: [] };
    await this.#until(
      () => targets.every((each) => (isDone(each) ?? this.#stuck(each)) !== undefined),
      input.timeoutMs,
    );
    const problems: InstanceProblem[] = [];
    // Before anything else happens: what is told belongs together.
    const instances = this.#statuses(targets);
    const arrivals = targets.map((target) => [target, isDone(target) ?? this.#stuck(target)] as const);
    for (const [target, arrival] of arrivals) {
      if (arrival?.ok === false) problems.push(await this.#problem(target, arrival.sentence));
    }
    return { instances, problems };
  }

  #until(isDone: () => boolean, timeoutMs: number | undefined): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel =
        timeoutMs === undefined
          ? (): void => {}
          : this.#options.clock.timer(timeoutMs, () => {
              this.#waits.delete(look);
              reject(
                new ManagerError(
                  "timeout",
                  `it was not done within ${spanText(timeoutMs)}, and goes on`,
                  "colos ps shows where it is",
                ),
              );
            });
      const look = (): void => {
        if (!isDone()) return;
        this.#waits.delete(look);
        cancel();
        resolve();
      };
      this.#waits.add(look);
    });
  }

  /** `sinceAt`: when the operation began; what failed before does not count. */
  #isUp(target: Target, sinceAt: number): Arrival {
    const service = this.#service(target.service);
    const live = this.#live(target);
    const record = service?.instances.get(target.number);
    if (service === undefined || live === undefined || service.isRemoved)
      return { ok: false, sentence: "it was removed meanwhile" };
    if (service.target === "down" || this.#core.record.isDown)
      return { ok: false, sentence: "it was stopped meanwhile" };
    if (live.state === "ready") {
      if (live.next !== undefined || this.#core.isStale(service, live)) return undefined;
      if (record?.heldBack === undefined) return this.#survives(service, live);
      return { ok: false, sentence: live.reason ?? "the older version goes on" };
    }
    const outcome = record?.outcome;
    if (live.state === "scheduled" && outcome?.kind === "done" && !outcome.isOk && isNew(record, sinceAt))
      return { ok: false, sentence: `${live.name} has failed: ${outcome.reason}` };
    if (live.state === "scheduled" || (live.state === "stopped" && outcome?.kind === "done")) return arrived;
    // Not ready in time: the next try would take as long again.
    const late = record?.runs.find(
      ({ startedAt, stopping, end }) => end !== undefined && startedAt >= sinceAt && stopping?.isFailure === true,
    );
    if (late !== undefined)
      return { ok: false, sentence: `${live.name} is ${stateWords(live.state)}: ${late.stopping!.why}` };
    if (live.state === "failed" || live.state === "degraded")
      return { ok: false, sentence: `${live.name} is ${stateWords(live.state)}: ${live.reason ?? ""}` };
    return undefined;
  }

  /** Of what declared no check, nothing better is known than that it has not ended at once. */
  #survives({ plan }: ServiceRecord, { current }: LiveInstance): Arrival {
    if (plan.ready.kind !== "none" || current?.readyAt === undefined || this.#survivors.has(current)) return arrived;
    const leftMs = current.readyAt + survivalMs - this.#host.now();
    const isOver = leftMs <= 0 || leftMs > survivalMs; // or the clock was set back
    // What has ended may not have been told yet: its output is still being read.
    if (isOver && this.#host.runs.members(current.id).length > 0) {
      this.#survivors.add(current);
      return arrived;
    }
    if (this.#onProbation.has(current)) return undefined;
    this.#onProbation.add(current);
    this.#options.clock.timer(isOver ? survivalMs : leftMs, () => {
      this.#onProbation.delete(current);
      this.#settled();
    });
    return undefined;
  }

  #hasStopped(target: Target): Arrival {
    const live = this.#live(target);
    return live === undefined || runsOf(live).length === 0 ? arrived : undefined;
  }

  /** Waiting for something that nothing is on its way to. */
  #stuck(target: Target): Arrival {
    const service = this.#service(target.service);
    const live = this.#live(target);
    const why = service === undefined || live === undefined ? undefined : stuckOf(this.#core, service, live);
    return why === undefined ? undefined : { ok: false, sentence: `${live!.name} ${why}` };
  }

  async #problem(target: Target, sentence: string): Promise<InstanceProblem> {
    const live = this.#live(target);
    const lastLines = tellingLines(await this.#lastErrors(target), lastLinesMax);
    const name = live?.name ?? target.service;
    return { name, sentence, lastLines, advice: `colos why ${name} tells more, colos logs ${name} all that it wrote` };
  }

  /** What the last run wrote to stderr; that of earlier ones would mislead. */
  async #lastErrors({ service, number }: Target): Promise<readonly string[]> {
    const last = this.#service(service)?.instances.get(number)?.runs[0];
    return last === undefined ? [] : this.#options.lastErrors(service, number, last.startedAt).catch(() => []);
  }

  /** What it wrote last; of what failed, what says most: few programs end with the error itself. */
  async #lastWords({ service, instance, state }: InstanceStatus): Promise<string | undefined> {
    const telling = failedStates.has(state)
      ? tellingLine(await this.#lastErrors({ service, number: instance }))
      : undefined;
    return telling ?? (await this.#options.lastLine(service, instance).catch(() => undefined));
  }

  /** A few at a time, for each has files open. */
  async #withLastLines(statuses: readonly InstanceStatus[]): Promise<InstanceStatus[]> {
    const shown: InstanceStatus[] = [];
    for (let at = 0; at < statuses.length; at += lastLinesAtOnceMax) {
      const some = statuses.slice(at, at + lastLinesAtOnceMax).map(async (status) => {
        const lastLogLine = await this.#lastWords(status);
        return lastLogLine === undefined
          ? status
          : { ...status, lastLogLine: lastLogLine.slice(0, lastLineCharactersMax) };
      });
      shown.push(...(await Promise.all(some)));
    }
    return shown;
  }

  #settled(): void {
    for (const look of this.#waits) look();
  }

  // --- names ---

  #everything(): Target[] {
    return [...this.#core.record.services.values()].flatMap((service) => this.#targetsOf(service));
  }

  #targetsOf(service: ServiceRecord): Target[] {
    return this.#core.live(service).map(({ number }) => ({ service: service.plan.name, number }));
  }

  #targets(names: readonly string[]): Target[] {
    if (names.length === 0) throw new ManagerError("invalid", "no name was given", "name services, or write all");
    const targets = names.flatMap((name) => {
      if (name === "all") return this.#everything();
      const { service, number } = this.#named(name);
      return this.#targetsOf(service).filter((each) => number === undefined || each.number === number);
    });
    return [...new Map(targets.map((each) => [`${each.service}.${each.number}`, each])).values()];
  }

  #named(name: string): { readonly service: ServiceRecord; readonly number?: number } {
    const [, base, digits] = /^([^.]+)(?:\.(\d+))?$/.exec(name) ?? [];
    const service = base === undefined ? undefined : this.#service(base);
    const number = digits === undefined ? undefined : Number(digits);
    const isThere =
      number === undefined || (service !== undefined && this.#core.instance(service, number) !== undefined);
    if (service !== undefined && isThere) {
      return { service, ...(number === undefined ? {} : { number }) };
    }
    const known = this.#everything().map((each) => this.#live(each)?.name ?? each.service);
    const clause = suggestionClause(name, known);
    throw new ManagerError(
      "unknown",
      `there is no service ${JSON.stringify(name)}${clause}`,
      clause === "" ? "colos ps lists what there is" : undefined,
    );
  }

  #service(name: string): ServiceRecord | undefined {
    return this.#core.record.services.get(name);
  }

  #isWantedUp({ service }: Target): boolean {
    return !this.#core.record.isDown && this.#service(service)?.target === "up";
  }

  #live({ service, number }: Target): LiveInstance | undefined {
    const record = this.#service(service);
    return record === undefined ? undefined : this.#core.instance(record, number);
  }

  // --- telling ---

  #statuses(targets: readonly Target[]): InstanceStatus[] {
    const now = this.#host.now();
    return targets.flatMap((target) => {
      const service = this.#service(target.service);
      const live = this.#live(target);
      return service === undefined || live === undefined ? [] : [statusOf(service, live, this.#samples, now)];
    });
  }

  #sample(): void {
    this.#samples.take(this.#everything().flatMap((each) => this.#live(each)?.current?.osPid ?? []));
  }

  #daemon(): DaemonStatus {
    const { home, version } = this.#options;
    return { ...this.#options.daemon(), home: home.root, version, startsCount: this.#core.record.startsCount };
  }

  #changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void {
    this.#options.changed(service, instance);
    if (this.#subscribers.size === 0 || instance.state === before) return;
    const at = this.#host.now();
    this.#emit({ type: "state", at, status: statusOf(service, instance, this.#samples, at), before });
  }

  #subscribe(): Feed<ManagerEvent> {
    const feed = new Feed<ManagerEvent>({
      itemsMax: eventsMax,
      missed: (count) => {
        const sentence = `${count} events were left out, because nobody read them`;
        return { type: "note", at: this.#host.now(), sentence };
      },
      left: () => this.#subscribers.delete(feed),
    });
    if (this.#isFinished) feed.end();
    else this.#subscribers.add(feed);
    return feed;
  }

  #emit(event: ManagerEvent): void {
    for (const feed of this.#subscribers) feed.push(event);
  }

  #endEvents(): void {
    for (const feed of this.#subscribers) feed.end();
  }
}

/** Whether its last run began then or later. */
function isNew(record: InstanceRecord | undefined, sinceAt: number): boolean {
  return (record?.runs[0]?.startedAt ?? -Infinity) >= sinceAt;
}

/** @throws ManagerError `invalid` for a plan that no machine could run */
function assertPlan({ services }: SystemPlan): void {
  const checked = parsePlan({ services });
  if ("problems" in checked) throw new ManagerError("invalid", checked.problems.join("\n"));
}

/** The journal's own state stays as it is; this one is changed in place. */
function copyOf(record: SystemRecord): SystemRecord {
  return structuredClone(record);
}

function osProcess(osPid: number): OsProcess {
  try {
    const words = readFileSync(`/proc/${osPid}/cmdline`, "utf8")
      .split("\0")
      .filter((word) => word !== "");
    return { osPid, command: words.join(" ") };
  } catch {
    return { osPid, command: "" };
  }
}
