/**
 * Manager: what faces may ask of a system, over the core: what there is, and what is to happen (operations.ts).
 *
 * Guarantees: a command never hears "ready" of what is not; what follows events hears each change of state of an instance once.
 * Not here: decisions (core/), their effects (host/), OS processes (run/), HTTP (control/).
 *
 * @module
 */
import type { ServicePlan, SystemPlan } from "../../control/config.ts";
import type {
  AboutInput,
  ApplyReport,
  CallInput,
  CallReport,
  Cause,
  ClearInput,
  ClearReport,
  DaemonStatus,
  DownInput,
  Manager,
  ManagerEvent,
  NamesInput,
  OperationReport,
  PlanChange,
  PlanInput,
  ServiceDetail,
  SystemStatus,
  TreeNode,
  WaitOptions,
} from "../../control/manager.ts";
import type { InstanceState, InstanceStatus } from "../../control/service.ts";
import { Core } from "../core/core.ts";
import type { LiveInstance } from "../core/live.ts";
import type { Entry } from "../core/entry.ts";
import { foldInto } from "../core/fold.ts";
import type { ServiceRecord, SystemRecord } from "../core/record.ts";
import type { Home } from "../home.ts";
import { RunHost, type RunHostOptions } from "../host/run-host.ts";
import type { Journal } from "../journal/journal.ts";
import type { LogStore } from "../log/log-store.ts";
import { reasonText } from "../reason-text.ts";
import { Arrivals } from "./arrivals.ts";
import { EventFeeds } from "./event-feeds.ts";
import { LastLines, type LineSource } from "./last-lines.ts";
import { detailOf, osProcess, postponedSentence, Samples, statusOf, treeOf, whyOf } from "./manager-view.ts";
import { LogClearing } from "./log-clearing.ts";
import { Operations } from "./operations.ts";
import { assertSignal, RunTalk } from "./run-talk.ts";
import { Targets, type Target } from "./targets.ts";
import { Waits } from "./waits.ts";

export interface ManagerOptions extends Omit<RunHostOptions, "settled" | "changed" | "environmentOf">, LineSource {
  readonly home: Home;
  readonly version: string;
  readonly journal: Journal<SystemRecord, Entry>;
  /** What was recorded. */
  readonly logs: LogStore;
  /** What the daemon says of itself; the rest of `DaemonStatus` is known here. */
  daemon(): Omit<DaemonStatus, "home" | "startsCount" | "version">;
  /** All of a run's environment; `inherited` is what the plan was applied with. Rejects with a sentence. */
  environmentOf(
    plan: ServicePlan,
    instance: number,
    inherited: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>>;
  /** Why this plan cannot be run here: one sentence each. Empty: it can. */
  refusals(plan: SystemPlan): Promise<readonly string[]>;
  /** How each limit of a service is held: one sentence each. */
  describeLimits(plan: ServicePlan): Promise<readonly string[]>;
  /** What is wrong at this moment with what colos itself does for a service, or for all: one sentence each. */
  alarmsOf(service: string): readonly string[];
  /** Called after each change of state of an instance. */
  changed(service: ServiceRecord, instance: LiveInstance): void;
  /** Called when the plan of the system is another. */
  applied(record: SystemRecord): void;
  /** An earlier daemon of the home has ended without being told to. */
  readonly isAgain: boolean;
  /** `down` is done, or the daemon hands over: it is to end. */
  finished(how: "down" | "handOver"): void;
}

/** What colos itself is short of elsewhere makes no more than this many lines of what is told about one service. */
export const alarmsToldMax = 3;

export class ServiceManager implements Manager {
  readonly #options: ManagerOptions;
  readonly #host: RunHost;
  readonly #core: Core;
  readonly #samples = new Samples();
  readonly #targets: Targets;
  readonly #waits: Waits;
  readonly #lastLines: LastLines;
  readonly #talk: RunTalk;
  readonly #events: EventFeeds;
  readonly #operations: Operations;
  readonly #arrivals: Arrivals;
  readonly #clearing: LogClearing;
  #isFinished = false;

  private constructor(options: ManagerOptions) {
    this.#options = options;
    this.#waits = new Waits(options.clock, () => this.#daemon().alarms ?? []);
    this.#host = new RunHost({
      ...options,
      // That of the core, which has an operation's entries before it starts anything for them.
      environmentOf: (plan, instance) => options.environmentOf(plan, instance, this.#core.record.env),
      settled: () => this.#waits.settled(),
      changed: (service, instance, before) => this.#changed(service, instance, before),
    });
    const host = this.#host;
    const core = new Core(copyOf(options.journal.state), host);
    const targets = new Targets(core);
    this.#core = core;
    this.#targets = targets;
    this.#lastLines = new LastLines(targets, options);
    this.#talk = new RunTalk(options.home, host.runs, targets);
    this.#events = new EventFeeds(() => host.now());
    const arrivals = new Arrivals({ core, targets });
    this.#arrivals = arrivals;
    this.#clearing = new LogClearing(targets, options.logs);
    this.#operations = new Operations({
      core,
      host,
      targets,
      arrivals,
      waits: this.#waits,
      lastLines: this.#lastLines,
      statuses: (each) => this.#statuses(each),
      emit: (event) => this.#events.emit(event),
      refusals: (plan) => options.refusals(plan),
      applied: (record) => options.applied(record),
      isFinished: () => this.#isFinished,
      downDone: () => this.#finished("down"),
    });
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
    if (manager.#core.record.isDown && (options.isAgain || !manager.#core.isIdle)) manager.#operations.finishWhenDown();
    return manager;
  }

  /** Ends the managing; every service goes on. */
  async close(): Promise<void> {
    this.#isFinished = true;
    this.#events.end();
    await this.#host.close();
    await this.#options.journal.close();
  }

  /** A file of a service has changed. */
  renew(service: string, why: string, seen?: string): void {
    this.#host.tell((core) => core.renew(service, why, seen));
  }

  /** The files of a service are watched from now on. */
  watched(service: string, seen: string): void {
    this.#host.tell((core) => core.watched(service, seen));
  }

  /** A run has exceeded a limit. */
  exceeded(run: string, why: string): void {
    this.#host.tell((core) => core.unhealthy(run, why));
  }

  /** Something that a person who asks why should know. */
  note(service: string, sentence: string): void {
    const at = this.#host.now();
    this.#host.tell((core) => core.note(service, sentence));
    this.#events.emit({ type: "note", at, service, sentence });
  }

  // --- looking ---

  async list(input?: AboutInput): Promise<SystemStatus> {
    const targets = this.#targets.about(input);
    this.#sample();
    return { daemon: this.#daemon(), instances: await this.#lastLines.added(this.#statuses(targets)) };
  }

  async check(input?: AboutInput): Promise<OperationReport> {
    const targets = this.#targets.about(input);
    const instances = this.#statuses(targets);
    const wrong = targets.flatMap((target) => {
      const sentence = this.#arrivals.wrongWith(target);
      return sentence === undefined ? [] : [{ target, sentence }];
    });
    const problems = [];
    for (const { target, sentence } of wrong) problems.push(await this.#lastLines.finding(target, sentence));
    return { instances, problems };
  }

  async show({ name }: { readonly name: string }): Promise<ServiceDetail> {
    const { service } = this.#targets.find(name);
    this.#sample();
    const detail = detailOf(service, this.#core, this.#samples, this.#options.home, this.#host.now());
    const alarms = this.#alarmsOf(service.plan.name);
    const limits = await this.#options.describeLimits(service.plan);
    return { ...detail, limits, ...(alarms.length === 0 ? {} : { alarms }) };
  }

  async why({ name }: { readonly name: string }): Promise<Cause> {
    const { service, number } = this.#targets.find(name);
    const lastWords = new Map<string, string>();
    for (const live of this.#core.live(service)) {
      const words = await this.#lastLines.tellingOf({ service: service.plan.name, number: live.number });
      if (words !== undefined) lastWords.set(live.name, words);
    }
    const cause = whyOf(this.#core, service, lastWords, number);
    const alarms = this.#alarmsOf(service.plan.name).map((sentence): Cause => ({ sentence, causes: [] }));
    return { ...cause, causes: [...alarms, ...cause.causes] };
  }

  async tree(): Promise<TreeNode> {
    const { home } = this.#options;
    const processes = await this.#talk.processes();
    return treeOf(this.#core, home, {
      members: (run) => this.#host.runs.members(run).map(osProcess),
      processes: (run) => processes.get(run),
    });
  }

  events(input?: AboutInput): AsyncIterable<ManagerEvent> {
    const names = input?.names;
    if (names === undefined) return { [Symbol.asyncIterator]: () => this.#events.subscribe() };
    this.#targets.about(input);
    return { [Symbol.asyncIterator]: () => this.#events.subscribe((event) => this.#isAbout(names, event)) };
  }

  /** Those that come later count too. */
  #isAbout(names: readonly string[], event: ManagerEvent): boolean {
    switch (event.type) {
      case "state":
        return this.#targets.isMeant(names, { service: event.status.service, number: event.status.instance });
      case "change":
        return this.#targets.isMeant(names, { service: event.change.service });
      case "note":
        return event.service === undefined || this.#targets.isMeant(names, { service: event.service });
    }
  }

  // --- doing ---

  preview(input: PlanInput): Promise<{ readonly changes: readonly PlanChange[] }> {
    return this.#operations.preview(input);
  }

  apply(input: PlanInput & WaitOptions): Promise<ApplyReport> {
    return this.#operations.apply(input);
  }

  start(input: NamesInput): Promise<OperationReport> {
    return this.#operations.start(input);
  }

  stop(input: NamesInput): Promise<OperationReport> {
    return this.#operations.stop(input);
  }

  remove(input: NamesInput): Promise<OperationReport> {
    return this.#operations.remove(input);
  }

  restart(input: NamesInput): Promise<OperationReport> {
    return this.#operations.renew(input);
  }

  reload(input: NamesInput): Promise<OperationReport> {
    return this.#operations.renew(input);
  }

  scale(input: { readonly name: string; readonly instances: number } & WaitOptions): Promise<OperationReport> {
    return this.#operations.scale(input);
  }

  down(input: DownInput): Promise<OperationReport> {
    return this.#operations.down(input);
  }

  clearLogs(input: ClearInput): Promise<ClearReport> {
    return this.#clearing.clear(input);
  }

  async kill(input: { readonly names: readonly string[]; readonly signal: string }): Promise<OperationReport> {
    assertSignal(input.signal);
    const targets = this.#targets.named(input.names);
    const problems = this.#talk.signal(targets, input.signal);
    return { instances: this.#statuses(targets), problems };
  }

  send({ name, text }: { readonly name: string; readonly text: string }): Promise<void> {
    return this.#talk.send(name, text);
  }

  call(input: CallInput): Promise<CallReport> {
    return this.#talk.call(input);
  }

  async handOver(): Promise<void> {
    this.#finished("handOver");
  }

  #finished(how: "down" | "handOver"): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#events.emit({
      type: "note",
      at: this.#host.now(),
      sentence: how === "down" ? "the system was stopped" : "the daemon hands over",
    });
    this.#events.end();
    this.#options.finished(how);
  }

  // --- telling ---

  #statuses(targets: readonly Target[]): InstanceStatus[] {
    const now = this.#host.now();
    return targets.flatMap((target) => {
      const service = this.#targets.service(target.service);
      const live = this.#targets.live(target);
      return service === undefined || live === undefined ? [] : [statusOf(service, live, this.#samples, now)];
    });
  }

  #sample(): void {
    this.#samples.take(this.#targets.everything().flatMap((each) => this.#targets.live(each)?.current?.osPid ?? []));
  }

  #daemon(): DaemonStatus {
    const { home, version } = this.#options;
    const said = this.#options.daemon();
    const alarms = [...(said.alarms ?? []), ...this.#host.alarms.all, ...postponedSentence(this.#core)];
    const { startsCount } = this.#core.record;
    return { ...said, home: home.root, version, startsCount, ...(alarms.length === 0 ? {} : { alarms }) };
  }

  /** What colos itself is short of: what concerns the service first, and then what may well be why it stands still, if it does. */
  #alarmsOf(service: string): readonly string[] {
    const own = [...this.#options.alarmsOf(service), ...this.#host.alarms.of(service)];
    const record = this.#targets.service(service);
    if (record !== undefined && this.#core.live(record).every(({ state }) => state === "ready")) return own;
    return [...new Set([...own, ...(this.#daemon().alarms ?? [])])].slice(0, Math.max(own.length, alarmsToldMax));
  }

  #changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void {
    this.#options.changed(service, instance);
    if (this.#events.isEmpty || instance.state === before) return;
    const at = this.#host.now();
    this.#events.emit({ type: "state", at, status: statusOf(service, instance, this.#samples, at), before });
  }
}

/** The journal's own state stays as it is; this one is changed in place. */
function copyOf(record: SystemRecord): SystemRecord {
  return structuredClone(record);
}
