/**
 * Run host: does what the core decides: starts runs, checks them, keeps time and the journal.
 *
 * Guarantees: the journal has its entries in the order in which the core took them in, those of operations too: while an operation
 * is being written, and before it is known what runs, nothing is told to the core. No run is told to end before the journal knows that
 * it is to, unless the disk takes nothing. No run's files are removed before its end stands in the journal. Nothing here throws into
 * the core.
 * Not here: how entries are written (journal-writer.ts), how runs are checked (run-checks.ts).
 *
 * @module
 */
import type { Clock } from "../../base/platform.ts";
import type { ServicePlan } from "../../control/config.ts";
import { nextDue } from "../../control/schedule.ts";
import type { InstanceState } from "../../control/service.ts";
import { assertPortFree } from "../../os/port-holder.ts";
import { ownTroubleRetryMs, type CoreHost, type ServiceFailure } from "../core/core-host.ts";
import type { Core } from "../core/core.ts";
import type { LiveInstance, LiveRun } from "../core/live.ts";
import type { Entry } from "../core/entry.ts";
import type { ServiceRecord, SystemRecord } from "../core/record.ts";
import { EnvironmentError } from "../environment.ts";
import type { Home } from "../home.ts";
import type { Journal } from "../journal/journal.ts";
import { OwnAlarms } from "../own-alarms.ts";
import { isOwnTrouble } from "../own-trouble.ts";
import { reasonText } from "../reason-text.ts";
import { RunStartError, type RunId, type RunListener, type Runs, type RunSpec } from "../run/run.ts";
import { JournalWriter } from "./journal-writer.ts";
import { RunChecks } from "./run-checks.ts";

/** Where a shared socket is opened when the plan does not say: every IPv4 address of the machine. */
export const listenHostDefault = "0.0.0.0";
/** The longest wait before the time of day is looked at again, in milliseconds: the clock may be set, and the machine may sleep. */
export const wakeMaxMs = 60_000;

export interface RunHostOptions {
  readonly home: Home;
  readonly clock: Clock;
  random(): number;
  readonly journal: Journal<SystemRecord, Entry>;
  openRuns(listener: RunListener): Runs;
  /** All of a run's environment. Rejects with a sentence. */
  environmentOf(plan: ServicePlan, instance: number): Promise<Readonly<Record<string, string>>>;
  /** What a run executes. Rejects with a sentence. */
  argvOf(plan: ServicePlan): Promise<readonly [string, ...string[]]>;
  /** The last line that an instance has written since `sinceAt`. */
  lastLineSince(service: string, instance: number, sinceAt: number): Promise<string | undefined>;
  /** Somebody may want to hear of it at once. */
  failed(failure: ServiceFailure): void;
  log(level: "info" | "warning" | "error", message: string): void;
  /** The core has settled: everything is decided that can be for now. */
  settled(): void;
  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void;
  /** Nothing of a removed service is left. */
  gone(service: ServiceRecord): void;
  /** What is wrong at this moment with the recording of a service: one sentence each. Then it may be waiting for that. */
  recordingTroubles(service: string): readonly string[];
  /** What colos itself is so short of that nothing new may be begun: one sentence. */
  shortage(): string | undefined;
}

export class RunHost implements CoreHost {
  readonly runs: Runs;
  /** What the journal does not take, and who cannot be checked. */
  readonly alarms: OwnAlarms = new OwnAlarms();
  readonly #options: RunHostOptions;
  readonly #checks: RunChecks;
  readonly #writer: JournalWriter;
  /** Runs whose files are being removed. */
  readonly #forgetting = new Set<Promise<void>>();
  /** One operation after the other; never rejects. */
  #lastCommit: Promise<void> = Promise.resolve();
  /** What happens meanwhile; undefined: it is told at once. */
  #untold: ((core: Core) => void)[] | undefined = [];
  #core: Core | undefined;
  #cancelWake: () => void = () => {};
  #isClosed = false;

  constructor(options: RunHostOptions) {
    this.#options = options;
    const { alarms } = this;
    this.#writer = new JournalWriter({ ...options, alarms });
    const isRunning = (id: RunId): boolean => this.runs.isRunning(id);
    this.#checks = new RunChecks({ ...options, alarms, isRunning, tell: (what) => this.tell(what) });
    this.runs = options.openRuns({
      ended: (id, end) => {
        this.#checks.gone(id);
        this.tell((core) => core.ended(id, end));
      },
      ready: (id) => this.#checks.ready(id),
      status: (id, text) => this.tell((core) => core.says(id, text)),
    });
  }

  /** Has the core, which this is the host of, take over what earlier daemons left. */
  async recover(core: Core): Promise<void> {
    this.#core = core;
    const found = await this.runs.recover();
    for (const run of found) if (run.state === "running" && run.isReady) this.#checks.ready(run.id);
    core.recover(found);
    this.#tellUntold();
  }

  /** Tells the core, when it may be told. */
  tell(what: (core: Core) => void): void {
    if (this.#isClosed) return;
    if (this.#untold !== undefined) this.#untold.push(what);
    else if (this.#core !== undefined) what(this.#core);
  }

  /**
   * Writes what an operation asks for, synced, and then has the core take it in. Rejects, and changes nothing, when the disk does
   * not take it.
   */
  commit(entries: readonly Entry[]): Promise<void> {
    const committed = this.#lastCommit.then(async () => {
      this.#untold ??= [];
      try {
        await this.#writer.append(entries);
        this.#core?.commit(entries);
      } finally {
        this.#tellUntold();
      }
    });
    this.#lastCommit = committed.catch(() => {});
    return committed;
  }

  /** The same, also when the disk does not take it; then it is tried again. */
  async commitAnyway(entries: readonly Entry[]): Promise<void> {
    try {
      await this.commit(entries);
    } catch (error) {
      this.#options.log("error", `the journal does not take what was asked for yet: ${reasonText(error)}`);
      this.tell((core) => {
        for (const entry of entries) this.keep(entry);
        core.commit(entries);
      });
    }
  }

  /** Settles when everything kept so far stands in the journal; with false when it never will. */
  flushed(): Promise<boolean> {
    return this.#writer.flushed();
  }

  /** Nothing is done any more; what runs goes on. What the disk does not take now, the next daemon finds in the runs. */
  async close(): Promise<void> {
    await this.#writer.close(this.#lastCommit);
    this.#isClosed = true;
    this.#cancelWake();
    await Promise.all(this.#forgetting);
    this.#checks.endAll();
    await this.runs.close();
  }

  // --- CoreHost ---

  now(): number {
    return Math.floor(this.#options.clock.wallMs());
  }

  monotonicMs(): number {
    return this.#options.clock.monotonicMs();
  }

  random(): number {
    return this.#options.random();
  }

  keep(entry: Entry): void {
    this.#writer.keep(entry);
  }

  start(run: LiveRun, plan: ServicePlan, instance: number): void {
    void this.#start(run, plan, instance).then(
      (osPid) => this.tell((core) => core.started(run.id, osPid)),
      (error: unknown) => this.tell((core) => core.startFailed(run.id, asStartError(error))),
    );
  }

  promote(run: LiveRun, plan: ServicePlan): void {
    void this.#promote(run.id, plan).then(
      () => this.tell((core) => core.promoted(run.id)),
      (error: unknown) => this.#notPromoted(run, plan, asStartError(error)),
    );
  }

  signal(run: RunId, name: string): void {
    void this.#writer.tried().then(() => {
      if (this.#isClosed) return;
      this.runs.signal(run, name);
      this.tell((core) => core.told(run));
    });
  }

  kill(run: RunId): void {
    void this.#writer.tried().then(() => {
      if (!this.#isClosed) this.runs.kill(run);
    });
  }

  check(run: LiveRun, plan: ServicePlan, instance: number): void {
    this.#checks.check(run, plan, instance);
  }

  watchOver(run: LiveRun, plan: ServicePlan, instance: number): void {
    this.#checks.watchOver(run, plan, instance);
  }

  endChecks(id: RunId): void {
    this.#checks.end(id);
  }

  failed(failure: ServiceFailure): void {
    void this.#writer.tried().then(() => {
      if (!this.#isClosed) this.#options.failed(failure);
    });
  }

  forget(run: RunId): void {
    this.#checks.forget(run);
    const forgotten: Promise<void> = this.#writer
      .flushed()
      // What the disk did not take until the end, the next daemon reads in the run's files.
      .then((isWritten) => (isWritten ? this.runs.forget(run) : undefined))
      .catch((error: unknown) =>
        this.#options.log("warning", `what is left of ${run} was not removed: ${reasonText(error)}`),
      )
      .finally(() => this.#forgetting.delete(forgotten));
    this.#forgetting.add(forgotten);
  }

  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void {
    this.#options.changed(service, instance, before);
  }

  gone(service: ServiceRecord): void {
    this.#options.gone(service);
  }

  wakeAt(at: number | undefined): void {
    this.#cancelWake();
    this.#cancelWake = () => {};
    if (at !== undefined && !this.#isClosed) {
      const delayMs = Math.min(Math.max(0, at - this.now()), wakeMaxMs);
      this.#cancelWake = this.#options.clock.timer(delayMs, () => this.tell((core) => core.wake()));
    }
    this.#options.settled();
  }

  nextDue({ schedule }: ServicePlan, lastAt: number, now: number): number | undefined {
    return schedule === undefined ? undefined : nextDue(schedule, lastAt, now);
  }

  // --- how ---

  /** A standby that would find its port taken does not get to it. */
  async #promote(id: RunId, plan: ServicePlan): Promise<void> {
    await assertReadyPortFree(plan);
    this.runs.promote(id);
  }

  #notPromoted(run: LiveRun, plan: ServicePlan, error: RunStartError): void {
    if (error.isOwnTrouble) {
      this.#options.log("warning", `the turn of ${run.id} comes later: ${error.message}`);
      this.#options.clock.timer(ownTroubleRetryMs, () => this.promote(run, plan));
      return;
    }
    this.tell((core) => {
      core.promoted(run.id);
      core.notReady(run.id, error.message);
    });
  }

  async #start(run: LiveRun, plan: ServicePlan, instance: number): Promise<number> {
    const shortage = this.#options.shortage();
    if (shortage !== undefined) throw new RunStartError(shortage, "EMFILE", true);
    // Of a standby it is the port of who runs.
    if (!run.isStandby) await assertReadyPortFree(plan);
    const [env, argv] = await Promise.all([this.#options.environmentOf(plan, instance), this.#options.argvOf(plan)]);
    this.#checks.given(run.id, plan, env);
    try {
      const { osPid } = await this.runs.start(specOf(run, plan, instance, argv, env));
      return osPid;
    } catch (error) {
      this.#checks.gone(run.id);
      throw error;
    }
  }

  #tellUntold(): void {
    const untold = this.#untold ?? [];
    this.#untold = undefined;
    for (const what of untold) this.tell(what);
  }
}

/** Whatever answers on a port that colos does not hold is to be the service. */
async function assertReadyPortFree({ ready, listenPort }: ServicePlan): Promise<void> {
  if (ready.kind === "port" && listenPort !== ready.port) await assertPortFree(ready.port, ready.host);
}

function asStartError(error: unknown): RunStartError {
  if (error instanceof RunStartError) return error;
  const code = String((error as { code?: unknown } | null)?.code ?? "EINVAL");
  const isOwn = isOwnTrouble(code) || (error instanceof EnvironmentError && error.isOwnTrouble);
  return new RunStartError(reasonText(error), code, isOwn, { cause: error });
}

function specOf(
  run: LiveRun,
  plan: ServicePlan,
  instance: number,
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): RunSpec {
  const { name, cwd, stdin, listenPort, listenHost, ready, user, group, nice, limits, logs } = plan;
  return {
    id: run.id,
    service: name,
    instance,
    argv,
    env,
    cwd,
    stdin,
    limits,
    logs,
    listen: listenPort === undefined ? [] : [{ port: listenPort, host: listenHost ?? listenHostDefault }],
    ...(run.isStandby ? { isStandby: true } : {}),
    ...(ready.kind === "fd" ? { readiness: { kind: "fd", fd: ready.fd } } : {}),
    ...(ready.kind === "notify" ? { readiness: { kind: "notify" } } : {}),
    ...(ready.kind === "log" ? { readiness: { kind: "log", pattern: ready.pattern } } : {}),
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(nice === undefined ? {} : { nice }),
  };
}
