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
import { planChanges } from "../control/plan-diff.ts";
import type { InstanceState, InstanceStatus } from "../control/service.ts";
import { Core } from "./core/core.ts";
import { runsOf, type LiveInstance } from "./core/live.ts";
import { foldInto, type Entry, type ServiceRecord, type SystemRecord } from "./core/record.ts";
import type { Home } from "./home.ts";
import type { Journal } from "./journal.ts";
import { detailOf, Samples, statusOf, treeOf, whyOf, type OsProcess } from "./manager-view.ts";
import { callProgram, listProgram, ProgramCallError } from "./program/program-calls.ts";
import { reasonText } from "./reason-text.ts";
import { RunHost, type RunHostOptions } from "./run-host.ts";

/** Events that wait for one subscriber. */
export const eventsMax = 1_000;
/** How long a service without a readiness check must run, in milliseconds, before an operation that waits says that it is up. */
export const survivalMs = 300;
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
  lastLines(service: string, instance: number, linesMax: number): Promise<readonly string[]>;
  /** Called after each change of state of an instance. */
  changed(service: ServiceRecord, instance: LiveInstance): void;
  /** Called when the plan of the system is another. */
  applied(record: SystemRecord): void;
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

/** In these something else follows by itself. */
const movingStates: ReadonlySet<InstanceState> = new Set<InstanceState>(["starting", "stopping", "backoff"]);

export class ServiceManager implements Manager {
  readonly #options: ManagerOptions;
  readonly #host: RunHost;
  readonly #core: Core;
  readonly #samples = new Samples();
  readonly #waits = new Set<() => void>();
  readonly #subscribers = new Set<Feed<ManagerEvent>>();
  #isFinished = false;

  private constructor(options: ManagerOptions) {
    this.#options = options;
    this.#host = new RunHost({
      ...options,
      settled: () => this.#settled(),
      changed: (service, instance, before) => this.#changed(service, instance, before),
    });
    this.#core = new Core(copyOf(options.journal.state), this.#host);
    this.#host.serve(this.#core);
  }

  /** Takes over what earlier daemons left and begins to manage. */
  static async open(options: ManagerOptions): Promise<ServiceManager> {
    const manager = new ServiceManager(options);
    const found = await manager.#host.runs.recover();
    const { osPid } = options.daemon();
    const entry: Entry = { type: "daemon", at: manager.#host.now(), version: options.version, osPid };
    await options.journal.append([entry], { sync: true }).catch((error: unknown) => {
      options.log("error", `the journal does not take that a daemon began: ${reasonText(error)}`);
    });
    foldInto(manager.#core.record, entry);
    return manager.#recovered(found);
  }

  #recovered(found: Parameters<Core["recover"]>[0]): this {
    this.#core.recover(found);
    for (const run of found) if (run.state === "running" && run.isReady) this.#core.ready(run.id);
    this.#options.applied(this.#core.record);
    return this;
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
    this.#core.renew(service, why);
  }

  /** A run has exceeded a limit. */
  exceeded(run: string, why: string): void {
    this.#core.unhealthy(run, why);
  }

  /** Something that a person who asks why should know. */
  note(service: string, sentence: string): void {
    const at = this.#host.now();
    this.#core.note(service, sentence);
    this.#emit({ type: "note", at, service, sentence });
  }

  // --- looking ---

  async list(): Promise<SystemStatus> {
    this.#sample();
    return { daemon: this.#daemon(), instances: this.#statuses(this.#everything()) };
  }

  async show({ name }: { readonly name: string }): Promise<ServiceDetail> {
    const { service } = this.#named(name);
    this.#sample();
    const detail = detailOf(service, this.#core, this.#samples, this.#options.home, this.#host.now());
    return { ...detail, limits: await this.#options.describeLimits(service.plan) };
  }

  async why({ name }: { readonly name: string }): Promise<Cause> {
    const { service, number } = this.#named(name);
    return whyOf(this.#core, service, number);
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
    return { changes: this.#changesTo(input.plan) };
  }

  async apply(input: PlanInput & WaitOptions): Promise<ApplyReport> {
    this.#refuseWhenEnding();
    const refusals = await this.#options.refusals(input.plan);
    if (refusals.length > 0) throw new ManagerError("refused", refusals.join("\n"));
    const changes = this.#changesTo(input.plan);
    const { services } = input.plan;
    const at = this.#host.now();
    await this.#commit([{ type: "applied", at, source: input.source, env: input.env, services }]);
    for (const change of changes) if (change.kind !== "keep") this.#emit({ type: "change", at, change });
    const report = await this.#finish(this.#everything(), input, (target, sinceAt) => {
      const service = this.#service(target.service);
      if (service === undefined || service.isRemoved) return this.#hasStopped(target);
      if (target.number > service.plan.instances) return this.#hasStopped(target);
      return service.target === "up" ? this.#isUp(target, sinceAt) : arrived;
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
      (target) => this.#hasStopped(target),
    );
  }

  async remove(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => ({ type: "removed", at: this.#host.now(), service }),
      (target) => this.#hasStopped(target),
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
    await this.#commit([{ type: "scaled", at: this.#host.now(), service: service.plan.name, instances }]);
    const after = this.#targetsOf(service);
    return this.#finish(
      [...new Map([...before, ...after].map((each) => [each.number, each])).values()],
      input,
      (target, sinceAt) => {
        if (target.number > instances) return this.#hasStopped(target);
        return this.#service(target.service)?.target === "up" ? this.#isUp(target, sinceAt) : arrived;
      },
    );
  }

  async kill(input: { readonly names: readonly string[]; readonly signal: string }): Promise<OperationReport> {
    const targets = this.#targets(input.names);
    for (const target of targets) {
      const live = this.#live(target);
      for (const run of live === undefined ? [] : runsOf(live)) this.#host.runs.signal(run.id, input.signal);
    }
    return { instances: this.#statuses(targets), problems: [] };
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
    this.#core.end();
    const report = await this.#finish(targets, input, (target) => this.#hasStopped(target));
    if (this.#core.isIdle) this.#finished("down");
    else this.#waits.add(() => this.#core.isIdle && this.#finished("down"));
    return report;
  }

  async handOver(): Promise<void> {
    await this.#host.flushed();
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
      .filter((service) => this.#service(service)?.target === "down")
      .map((service): Entry => ({ type: "target", at, service, target: "up" }));
    await this.#commit([...ups, ...entries]);
    return this.#finish(targets, input, (target, sinceAt) => this.#isUp(target, sinceAt));
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
    await this.#commit(services.map(entryOf));
    return this.#finish(targets, input, isDone);
  }

  /** Written and synced, then done. */
  async #commit(entries: readonly Entry[]): Promise<void> {
    await this.#host.flushed();
    try {
      await this.#options.journal.append(entries, { sync: true });
    } catch (error) {
      throw new ManagerError(
        "busy",
        `nothing was done, because it could not be written down: ${reasonText(error)}`,
        "make room on the disk and try again",
      );
    }
    this.#core.commit(entries);
    this.#options.applied(this.#core.record);
  }

  #changesTo(plan: SystemPlan): readonly PlanChange[] {
    const services = [...this.#core.record.services.values()]
      .filter(({ isRemoved }) => !isRemoved)
      .map((each) => each.plan);
    return planChanges({ services }, plan);
  }

  #refuseWhenEnding(): void {
    if (this.#core.isEnding || this.#isFinished) throw new ManagerError("refused", "the system is being stopped");
  }

  // --- waiting ---

  async #finish(
    targets: readonly Target[],
    input: WaitOptions,
    isDone: (target: Target, sinceAt: number) => Arrival,
  ): Promise<OperationReport> {
    const sinceAt = this.#host.now();
    if (input.wait === false) return { instances: this.#statuses(targets), problems: [] };
    await this.#until(
      () => targets.every((each) => (isDone(each, sinceAt) ?? this.#stuck(each)) !== undefined),
      input.timeoutMs,
    );
    const problems: InstanceProblem[] = [];
    // Before anything else happens: what is told belongs together.
    const instances = this.#statuses(targets);
    const arrivals = targets.map((target) => [target, isDone(target, sinceAt) ?? this.#stuck(target)] as const);
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
                  `it was not done within ${timeoutMs} ms, and goes on`,
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
    if (service.target === "down") return { ok: false, sentence: "it was stopped meanwhile" };
    if (live.state === "ready") {
      if (live.next !== undefined || this.#core.isStale(service, live)) return undefined;
      if (record?.heldBack === undefined) return this.#survives(service, live);
      return { ok: false, sentence: live.reason ?? "the older version goes on" };
    }
    if (live.state === "scheduled" || (live.state === "stopped" && record?.outcome?.kind === "done")) return arrived;
    // Not ready in time: the next try would take as long again.
    const late = record?.runs.find(
      ({ startedAt, stopping, end }) => end !== undefined && startedAt >= sinceAt && stopping?.isFailure === true,
    );
    if (late !== undefined) return { ok: false, sentence: `${live.name} is ${live.state}: ${late.stopping!.why}` };
    if (live.state === "failed" || live.state === "degraded")
      return { ok: false, sentence: `${live.name} is ${live.state}: ${live.reason ?? ""}` };
    return undefined;
  }

  /** Of what declared no check, nothing better is known than that it has not ended at once. */
  #survives({ plan }: ServiceRecord, { current }: LiveInstance): Arrival {
    if (plan.ready.kind !== "none" || current?.readyAt === undefined) return arrived;
    const leftMs = current.readyAt + survivalMs - this.#host.now();
    // What has ended may not have been told yet: its output is still being read.
    if (leftMs <= 0) return this.#host.runs.members(current.id).length > 0 ? arrived : undefined;
    this.#options.clock.timer(leftMs, () => this.#settled());
    return undefined;
  }

  #hasStopped(target: Target): Arrival {
    const live = this.#live(target);
    return live === undefined || runsOf(live).length === 0 ? arrived : undefined;
  }

  /** Waiting for something that nothing is under way to. */
  #stuck(target: Target): Arrival {
    const live = this.#live(target);
    if (live?.state !== "waiting") return undefined;
    for (const each of this.#everything()) {
      const other = this.#live(each);
      if (other !== undefined && movingStates.has(other.state)) return undefined;
    }
    return { ok: false, sentence: `${live.name} ${live.reason ?? "waits"}` };
  }

  async #problem(target: Target, sentence: string): Promise<InstanceProblem> {
    const live = this.#live(target);
    const lastLines = await this.#options.lastLines(target.service, target.number, lastLinesMax).catch(() => []);
    const name = live?.name ?? target.service;
    return { name, sentence, lastLines, advice: `colos why ${name} tells more, colos logs ${name} all that it wrote` };
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
    if (service !== undefined && (number === undefined || service.instances.has(number))) {
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

  #live({ service, number }: Target): LiveInstance | undefined {
    const record = this.#service(service);
    return record === undefined ? undefined : this.#core.live(record).find((each) => each.number === number);
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
    if (this.#subscribers.size === 0) return;
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
