/**
 * Run host: does what the core decides: starts runs, checks them, keeps time and the journal.
 *
 * Guarantees: the journal has its entries in the order in which the core took them in, those of operations too: while an operation
 * is being written, and before it is known what runs, nothing is told to the core. What the disk does not take waits here and is
 * tried again, and no run's files are removed before its end stands in the journal. A check that was ended tells nothing
 * more. That a run is ready is not missed, however early it says so. Nothing here throws into the core.
 * Limits: `entriesWaitingMax` entries wait for the disk; more are left out, and what they say is found again in the runs.
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import type { ReadyPlan, ServicePlan } from "../control/config.ts";
import { nextDue } from "../control/schedule.ts";
import type { InstanceState } from "../control/service.ts";
import { assertPortFree } from "../os/port-holder.ts";
import { ownTroubleRetryMs, type CoreHost } from "./core/core-host.ts";
import type { Core } from "./core/core.ts";
import type { LiveInstance, LiveRun } from "./core/live.ts";
import type { Entry, ServiceRecord, SystemRecord } from "./core/record.ts";
import { EnvironmentError } from "./environment.ts";
import type { Home } from "./home.ts";
import type { Journal } from "./journal.ts";
import { startLive } from "./live.ts";
import { untilAnswered } from "./program/program-calls.ts";
import { awaitReady, NotReadyError, type ReadySubject } from "./readiness.ts";
import { isOwnTrouble } from "./own-trouble.ts";
import { reasonText } from "./reason-text.ts";
import { RunStartError, type RunId, type RunListener, type Runs, type RunSpec } from "./run/run.ts";

/** Where a shared socket is opened when the plan does not say: every IPv4 address of the machine. */
export const listenHostDefault = "0.0.0.0";
/** Milliseconds before what the disk did not take is tried again. */
export const journalRetryMs = 1_000;
/** Entries that wait for the disk. */
export const entriesWaitingMax = 100_000;
/** Milliseconds before liveness checks that could not begin are tried again. */
export const watchRetryMs = 5_000;
/** The longest wait before the time of day is looked at again, in milliseconds: the clock may be set, and the machine may sleep. */
export const wakeMaxMs = 60_000;

/** How long the end of the daemon waits for a disk that takes nothing, in milliseconds. */
export const closeFlushMs = 5_000;

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
  /** Calls `listener` for each line that an instance writes from `sinceAt` on. */
  onLine(service: string, instance: number, sinceAt: number, listener: (text: string) => void): () => void;
  runHook(plan: ServicePlan, instance: number, reason: string): void;
  log(level: "info" | "warning" | "error", message: string): void;
  /** The core has settled: everything is decided that can be for now. */
  settled(): void;
  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void;
  /** Nothing of a removed service is left. */
  gone(service: ServiceRecord): void;
}

interface Checks {
  readonly end: AbortController;
  endLive: () => void;
  /** For readiness that a service tells by itself. */
  signalled: () => void;
  readonly whenSignalled: Promise<void>;
}

export class RunHost implements CoreHost {
  readonly runs: Runs;
  readonly #options: RunHostOptions;
  readonly #checks = new Map<RunId, Checks>();
  /** What the runs that this daemon has started were given, for their checks; secrets are looked up once for each run. */
  readonly #environments = new Map<RunId, Readonly<Record<string, string>>>();
  /** Runs that have said that they are ready, as far as they are checked or not yet known to run. */
  readonly #signalled = new Set<RunId>();
  /** What the core made and the journal does not have. */
  readonly #entries: Entry[] = [];
  readonly #written: ((isWritten: boolean) => void)[] = [];
  /** Runs whose files are being removed. */
  readonly #forgetting = new Set<Promise<void>>();
  #isWriting = false;
  /** One write after the other; never rejects. */
  #lastWrite: Promise<void> = Promise.resolve();
  /** One operation after the other; never rejects. */
  #lastCommit: Promise<void> = Promise.resolve();
  /** What happens meanwhile; undefined: it is told at once. */
  #untold: ((core: Core) => void)[] | undefined = [];
  #core: Core | undefined;
  #cancelWake: () => void = () => {};
  #isClosed = false;

  constructor(options: RunHostOptions) {
    this.#options = options;
    this.runs = options.openRuns({
      ended: (id, end) => {
        this.#environments.delete(id);
        this.tell((core) => core.ended(id, end));
      },
      ready: (id) => this.#ready(id),
      status: (id, text) => this.tell((core) => core.says(id, text)),
    });
  }

  /** Has the core, which this is the host of, take over what earlier daemons left. */
  async recover(core: Core): Promise<void> {
    this.#core = core;
    const found = await this.runs.recover();
    for (const run of found) if (run.state === "running" && run.isReady) this.#signalled.add(run.id);
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
        await this.#append(entries);
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
    if (this.#isClosed || (this.#entries.length === 0 && !this.#isWriting))
      return Promise.resolve(this.#entries.length === 0);
    return new Promise((resolve) => void this.#written.push(resolve));
  }

  #settleWritten(): void {
    for (const resolve of this.#written.splice(0)) resolve(this.#entries.length === 0);
  }

  /** Writes all that it can, unless the disk takes longer than the limit. */
  async #writeLast(): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => (cancel = this.#options.clock.timer(closeFlushMs, resolve)));
    const written = this.#lastCommit.then(() => this.#append([]));
    await Promise.race([written, late])
      .catch((error: unknown) =>
        this.#options.log("error", `the journal does not take what happened: ${reasonText(error)}`),
      )
      .finally(() => cancel());
  }

  /** Nothing is done any more; what runs goes on. What the disk does not take now, the next daemon finds in the runs. */
  async close(): Promise<void> {
    await this.#writeLast();
    this.#isClosed = true;
    this.#cancelWake();
    this.#settleWritten();
    await Promise.all(this.#forgetting);
    for (const id of this.#checks.keys()) this.endChecks(id);
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
    if (this.#entries.length < entriesWaitingMax) this.#entries.push(entry);
    if (!this.#isWriting) void this.#write();
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
      (error: unknown) =>
        this.tell((core) => {
          core.promoted(run.id);
          core.notReady(run.id, reasonText(error));
        }),
    );
  }

  signal(run: RunId, name: string): void {
    this.runs.signal(run, name);
  }

  kill(run: RunId): void {
    this.runs.kill(run);
  }

  check(run: LiveRun, plan: ServicePlan, instance: number): void {
    const checks = this.#newChecks(run.id);
    void this.#check(run, plan, instance, checks).then(
      () => this.#tellOf(run.id, checks, (core) => core.ready(run.id)),
      (error: unknown) => this.#tellOf(run.id, checks, (core) => core.notReady(run.id, reasonText(error))),
    );
  }

  watchOver(run: LiveRun, plan: ServicePlan, instance: number): void {
    const checks = this.#checks.get(run.id) ?? this.#newChecks(run.id);
    const { clock, log } = this.#options;
    const begin = (): Promise<void> =>
      this.#subject(run, plan, instance, checks, plan.live!.probe.kind).then(
        (subject) => {
          if (!this.#isCurrent(run.id, checks)) return;
          checks.endLive = startLive(plan.live!, subject, {
            clock,
            onUnhealthy: (why) => this.#tellOf(run.id, checks, (core) => core.unhealthy(run.id, why)),
            onHealthy: () => this.#tellOf(run.id, checks, (core) => core.healthy(run.id)),
          });
        },
        (error: unknown) => {
          if (!this.#isCurrent(run.id, checks)) return;
          log("warning", `${run.id} is not looked after, which is tried again: ${reasonText(error)}`);
          checks.endLive = clock.timer(watchRetryMs, () => void begin());
        },
      );
    void begin();
  }

  endChecks(id: RunId): void {
    const checks = this.#checks.get(id);
    if (checks === undefined) return;
    this.#checks.delete(id);
    this.#signalled.delete(id);
    checks.end.abort(new Error("the run ends"));
    checks.endLive();
  }

  exhausted(plan: ServicePlan, instance: number, reason: string): void {
    this.#options.runHook(plan, instance, reason);
  }

  forget(run: RunId): void {
    this.#signalled.delete(run);
    const forgotten: Promise<void> = this.flushed()
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

  async #start(run: LiveRun, plan: ServicePlan, instance: number): Promise<number> {
    // Of a standby it is the port of who runs.
    if (!run.isStandby) await assertReadyPortFree(plan);
    const [env, argv] = await Promise.all([this.#options.environmentOf(plan, instance), this.#options.argvOf(plan)]);
    if (needsEnvironment(plan)) this.#environments.set(run.id, env);
    try {
      const { osPid } = await this.runs.start(specOf(run, plan, instance, argv, env));
      return osPid;
    } catch (error) {
      this.#environments.delete(run.id);
      throw error;
    }
  }

  /** Checks again when colos itself was short of something. */
  async #check(run: LiveRun, plan: ServicePlan, instance: number, checks: Checks): Promise<void> {
    const { clock, home, log } = this.#options;
    const { ready } = plan;
    for (;;) {
      try {
        const subject = await this.#subject(run, plan, instance, checks, ready.kind);
        const answered =
          ready.kind === "call" ? untilAnswered(home, run.id, ready.request, checks.end.signal) : undefined;
        const asked = answered === undefined ? subject : { ...subject, signalled: answered };
        return await awaitReady(ready, asked, checks.end.signal);
      } catch (error) {
        const isOwn = error instanceof NotReadyError || error instanceof EnvironmentError ? error.isOwnTrouble : false;
        if (!isOwn) throw error;
        log("warning", `${run.id} is checked again: ${reasonText(error)}`);
        await new Promise<void>((resolve) => void clock.timer(ownTroubleRetryMs, resolve));
      }
    }
  }

  /** It may say so before it is told here that it runs. */
  #ready(id: RunId): void {
    this.#signalled.add(id);
    this.#checks.get(id)?.signalled();
  }

  #newChecks(id: RunId): Checks {
    const isSignalled = this.#signalled.has(id);
    this.endChecks(id);
    let signalled = (): void => {};
    const whenSignalled = new Promise<void>((resolve) => (signalled = resolve));
    const checks = { end: new AbortController(), endLive: () => {}, signalled, whenSignalled };
    this.#checks.set(id, checks);
    if (isSignalled) this.#ready(id);
    return checks;
  }

  #tellOf(id: RunId, checks: Checks, what: (core: Core) => void): void {
    this.tell((core) => {
      if (this.#isCurrent(id, checks)) what(core);
    });
  }

  #tellUntold(): void {
    const untold = this.#untold ?? [];
    this.#untold = undefined;
    for (const what of untold) this.tell(what);
  }

  #isCurrent(id: RunId, checks: Checks): boolean {
    return !this.#isClosed && this.#checks.get(id) === checks;
  }

  async #subject(
    run: LiveRun,
    plan: ServicePlan,
    instance: number,
    checks: Checks,
    kind: ReadyPlan["kind"],
  ): Promise<ReadySubject> {
    const env = kind === "exec" ? await this.#environmentOf(run.id, plan, instance) : {};
    return {
      env,
      cwd: plan.cwd,
      onLine: (listener) => this.#options.onLine(plan.name, instance, run.startedAt, listener),
      signalled: checks.whenSignalled,
    };
  }

  /** Only of what an earlier daemon started it is made again. */
  async #environmentOf(id: RunId, plan: ServicePlan, instance: number): Promise<Readonly<Record<string, string>>> {
    const known = this.#environments.get(id);
    if (known !== undefined) return known;
    const env = await this.#options.environmentOf(plan, instance);
    if (this.#checks.has(id)) this.#environments.set(id, env);
    return env;
  }

  /** Writes what waits, as long as there is something. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    let isRefused = false;
    while (this.#entries.length > 0 && !this.#isClosed) {
      try {
        await this.#append();
        if (isRefused) this.#options.log("info", "the journal takes what happened again");
        isRefused = false;
      } catch (error) {
        if (!isRefused)
          this.#options.log(
            "error",
            `the journal does not take what happened, and is tried again: ${reasonText(error)}`,
          );
        isRefused = true;
        await new Promise<void>((resolve) => void this.#options.clock.timer(journalRetryMs, resolve));
      }
    }
    this.#isWriting = false;
    this.#settleWritten();
  }

  /** One write: some of what waits, or all of it with an operation's entries after it, which are synced. */
  #append(operation?: readonly Entry[]): Promise<void> {
    const written = this.#lastWrite.then(async () => {
      const batch = operation === undefined ? this.#entries.slice(0, batchMax) : [...this.#entries];
      await this.#options.journal.append([...batch, ...(operation ?? [])], { sync: operation !== undefined });
      this.#entries.splice(0, batch.length);
    });
    this.#lastWrite = written.catch(() => {});
    return written;
  }
}

/** Whatever answers on a port that colos does not hold is to be the service. */
async function assertReadyPortFree({ ready, listenPort }: ServicePlan): Promise<void> {
  if (ready.kind === "port" && listenPort !== ready.port) await assertPortFree(ready.port, ready.host);
}

/** Its checks are commands, which have the environment of the run. */
function needsEnvironment({ ready, live }: ServicePlan): boolean {
  return ready.kind === "exec" || live?.probe.kind === "exec";
}

/** Entries that are written at once. */
const batchMax = 500;

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
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(nice === undefined ? {} : { nice }),
  };
}
