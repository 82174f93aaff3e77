/**
 * Daemon services: the manager of a home with all that looks after its services: recorder, runs, limits, watches, state files.
 *
 * The parts know each other through this alone: a limit that is exceeded, a file that has changed, a run that shows itself in a file.
 *
 * @module
 */
import type { ServicePlan } from "../control/config.ts";
import { environmentOf } from "./environment.ts";
import type { LiveInstance } from "./core/live.ts";
import type { Entry } from "./core/entry.ts";
import type { ServiceRecord, SystemRecord } from "./core/record.ts";
import { runParts } from "./core/run-id.ts";
import type { DaemonEnd, DaemonOptions } from "./daemon-options.ts";
import type { DaemonSelf } from "./daemon-self.ts";
import { FailureHooks } from "./failure-hooks.ts";
import type { Journal } from "./journal/journal.ts";
import { readLinesMax } from "./last-words.ts";
import { openLimitedRuns } from "./limited-runs.ts";
import { openLimits, type Limits } from "./limits/limits.ts";
import { releaseAllSockets, releaseSockets, releaseWhenStopped } from "./listen-release.ts";
import { lastLine } from "./log/last-line.ts";
import { openLogStore } from "./log/log-store.ts";
import { lastLines } from "./log/read-logs.ts";
import { RecorderAlarms } from "./log/recorder-alarms.ts";
import { openRecorder } from "./log/recorder-client.ts";
import type { Recorder } from "./log/recorder.ts";
import { ServiceManager, type ManagerOptions } from "./manager/manager.ts";
import { refusalsOf } from "./plan-refusals.ts";
import { callEnv, listenEnv } from "./program/program-env.ts";
import { reasonText } from "./reason-text.ts";
import type { Preparation } from "./run/run-launch.ts";
import type { RunListener, Runs, RunSpec } from "./run/run.ts";
import { openRuns } from "./run/runs.ts";
import { StateFiles } from "./state-files.ts";
import { Watches } from "./watch/watches.ts";

/** What is made before the rest. */
interface Parts {
  readonly recorder: Recorder;
  readonly limits: Limits;
  readonly live: Live;
}

/** What changes, or comes later than those who ask for it. */
interface Live {
  manager?: ServiceManager;
  runs?: Runs;
  /** Its plans and environment are those that are followed now. */
  record: SystemRecord;
}

export class DaemonServices {
  readonly #options: DaemonOptions;
  readonly #self: DaemonSelf;
  readonly #recorder: Recorder;
  readonly #recorderAlarms: RecorderAlarms;
  readonly #limits: Limits;
  readonly #watches: Watches;
  readonly #stateFiles: StateFiles;
  readonly #hooks: FailureHooks;
  readonly #live: Live;

  private constructor(options: DaemonOptions, self: DaemonSelf, { recorder, limits, live }: Parts) {
    const { home } = options;
    const { clock, log } = self;
    this.#options = options;
    this.#self = self;
    this.#live = live;
    this.#recorder = recorder;
    this.#limits = limits;
    this.#recorderAlarms = new RecorderAlarms(home, recorder);
    this.#stateFiles = new StateFiles(home, clock, (message) => log("warning", message));
    this.#hooks = new FailureHooks({
      clock,
      environmentOf: (plan, instance) => this.#environmentOf(plan, instance, live.record.env),
      lastErrors: (...of) => this.#lastErrors(...of),
      note: (service, sentence) => live.manager?.note(service, sentence),
    });
    this.#watches = new Watches({
      clock,
      home: home.root,
      changed: (service, why, seen) => this.#live.manager?.renew(service, why, seen),
      began: (service, seen) => this.#live.manager?.watched(service, seen),
      notice: (sentence) => log("warning", sentence),
    });
  }

  /** Takes over what earlier daemons left. `finished`: the daemon is to end. */
  static async open(
    options: DaemonOptions,
    self: DaemonSelf,
    journal: Journal<SystemRecord, Entry>,
    finished: (how: "down" | "handOver") => void,
  ): Promise<{ readonly services: DaemonServices; readonly manager: ServiceManager }> {
    const { home, platform, recorderEntry: entry, isContained } = options;
    const { clock } = self;
    const stdout = isContained === true ? "inherit" : "ignore";
    const recorder = await openRecorder({ home, clock, log: platform.log, entry, startsLate: true, stdout });
    const live: Live = { record: journal.state };
    const limits = await openLimits({
      home: home.root,
      clock,
      membersOf: (ids) => new Map(ids.map((id) => [id, live.runs?.members(id) ?? []])),
      onExceeded: (run, sentence) => live.manager?.exceeded(run, sentence),
      onNotice: (run, sentence) => live.manager?.note(runParts(run).service, sentence),
    });
    const services = new DaemonServices(options, self, { recorder, limits, live });
    const manager = await ServiceManager.open({ ...services.#managerOptions(), journal, finished });
    live.manager = manager;
    return { services, manager };
  }

  /** Nothing is noticed by itself any more. */
  quiet(): void {
    this.#watches.close();
    this.#hooks.close();
    this.#limits.close();
  }

  /** After this nothing of it is left but what runs. */
  async close(how: DaemonEnd | undefined): Promise<void> {
    if (how === "down") releaseAllSockets(this.#live.runs);
    await this.#live.manager?.close();
    await this.#stateFiles.flushed();
    await (how === "down" ? this.#recorder.stop() : this.#recorder.close());
  }

  // --- what the manager has others do ---

  #managerOptions(): Omit<ManagerOptions, "journal" | "finished"> {
    const { home, platform, version, isAgain } = this.#options;
    const { clock, log, alarms } = this.#self;
    const limits = this.#limits;
    return {
      home,
      version,
      clock,
      log,
      isAgain: isAgain === true,
      random: () => platform.random("manager.backoff") / 2 ** 32,
      openRuns: (listener) => this.#openRuns(listener),
      logs: openLogStore(home, this.#recorder),
      environmentOf: (plan, instance, inherited) => this.#environmentOf(plan, instance, inherited),
      argvOf: async (plan) => argvOf(plan, this.#options),
      lastErrors: (...of) => this.#lastErrors(...of),
      lastLineSince: async (service, instance, sinceAt) =>
        (await lastLines(home, service, instance, undefined, 1, sinceAt)).at(-1),
      lastLine: (service, instance) => lastLine(home, service, instance),
      failed: (failure) => this.#hooks.tell(failure),
      daemon: () => this.#self.status({ abilities: limits.abilities, alarms: this.#recorderAlarms.all }),
      refusals: (plan) => refusalsOf(plan, limits),
      describeLimits: (plan) => limits.describe(plan),
      alarmsOf: (service) => [...alarms.of(service), ...this.#recorderAlarms.of(service)],
      recordingTroubles: (service) => this.#recorderAlarms.of(service),
      shortage: () => this.#self.shortage(),
      changed: (service, instance) => this.#changed(service, instance),
      gone: (service) => this.#gone(service),
      applied: (record) => this.#applied(record),
    };
  }

  #openRuns(listener: RunListener): Runs {
    const { home, platform, listenEntry } = this.#options;
    const limits = this.#limits;
    const planOf = (service: string): ServicePlan | undefined => this.#live.record.services.get(service)?.plan;
    const prepare = async (spec: RunSpec): Promise<Preparation> => {
      const prepared = await limits.prepare(spec);
      const env = { ...listenEnv(spec, listenEntry), ...callEnv(home, planOf(spec.service), spec) };
      return { ...prepared, env: { ...prepared.env, ...env } };
    };
    const open = (told: RunListener): Runs =>
      openRuns({ home, listener: told, recorder: this.#recorder, platform, prepare });
    return (this.#live.runs = openLimitedRuns(open, listener, limits, (service) => planOf(service)?.limits ?? {}));
  }

  #environmentOf(
    plan: ServicePlan,
    instance: number,
    inherited: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    const warn = (sentence: string): void => this.#self.log("warning", sentence);
    return environmentOf(plan, instance, inherited, { warn });
  }

  #lastErrors(service: string, instance: number, sinceAt: number, untilAt?: number): Promise<readonly string[]> {
    return lastLines(this.#options.home, service, instance, "stderr", readLinesMax, sinceAt, untilAt);
  }

  #changed(service: ServiceRecord, instance: LiveInstance): void {
    this.#stateFiles.changed(service, instance);
    releaseWhenStopped(service, this.#live.runs);
  }

  #gone({ plan, instances }: ServiceRecord): void {
    this.#hooks.forget(plan.name);
    for (const number of instances.keys()) this.#stateFiles.removed(plan.name, number);
  }

  /** Other plans are followed from now on. */
  #applied(record: SystemRecord): void {
    releaseSockets(record, this.#live.runs);
    this.#live.record = copyOfPlans(record);
    const plans = [...record.services.values()];
    this.#watches
      .set(plans.flatMap(({ plan, isRemoved }) => (isRemoved ? [] : [plan])))
      .catch((error: unknown) => this.#self.log("error", `not all is watched: ${reasonText(error)}`));
    for (const { plan } of plans)
      for (let number = 1; number <= plan.instances; number++) this.#recorder.setLimits(plan.name, number, plan.logs);
  }
}

/** The core changes its record in place; of this one only plans and the environment count. */
function copyOfPlans(record: SystemRecord): SystemRecord {
  return { ...record, services: new Map([...record.services].map(([name, each]) => [name, { ...each }])) };
}

/** What an instance executes: its command, or what runs its program in an OS process of its own. */
function argvOf(plan: ServicePlan, { programCommand }: DaemonOptions): readonly [string, ...string[]] {
  const { run } = plan;
  if (run.kind === "command") return run.command;
  const [file, ...words] = programCommand(plan);
  return [file, ...words, run.file, ...run.args];
}
