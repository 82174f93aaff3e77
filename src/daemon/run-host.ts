/**
 * Run host: does what the core decides: starts runs, checks them, keeps time and the journal.
 *
 * Guarantees: entries reach the journal in the order in which the core made them; when the disk does not take them they wait here
 * and are tried again, and no run's files are removed before its end stands in the journal. A check that was ended tells
 * nothing more. Nothing here throws into the core.
 * Limits: `entriesWaitingMax` entries wait for the disk; more are left out, and what they say is found again in the runs.
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../base/platform.ts";
import type { ServicePlan } from "../control/config.ts";
import { nextDue } from "../control/schedule.ts";
import type { InstanceState } from "../control/service.ts";
import { assertPortFree } from "../os/port-holder.ts";
import type { Core, CoreHost } from "./core/core.ts";
import type { LiveInstance, LiveRun } from "./core/live.ts";
import type { Entry, ServiceRecord, SystemRecord } from "./core/record.ts";
import type { Home } from "./home.ts";
import type { Journal } from "./journal.ts";
import { startLive } from "./live.ts";
import { untilAnswered } from "./program/program-calls.ts";
import { awaitReady, NotReadyError, type ReadySubject } from "./readiness.ts";
import { reasonText } from "./reason-text.ts";
import { RunStartError, type RunEnd, type RunId, type RunListener, type Runs, type RunSpec } from "./run/run.ts";

/** Where a shared socket is opened when the plan does not say: every IPv4 address of the machine. */
export const listenHostDefault = "0.0.0.0";
/** Milliseconds before what the disk did not take is tried again. */
export const journalRetryMs = 1_000;
/** Entries that wait for the disk. */
export const entriesWaitingMax = 100_000;
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
  /** Calls `listener` for each line that an instance writes from `sinceAt` on. */
  onLine(service: string, instance: number, sinceAt: number, listener: (text: string) => void): () => void;
  runHook(plan: ServicePlan, instance: number, reason: string): void;
  log(level: "info" | "warning" | "error", message: string): void;
  /** The core has settled: everything is decided that can be for now. */
  settled(): void;
  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void;
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
  readonly #entries: Entry[] = [];
  readonly #written: (() => void)[] = [];
  #isWriting = false;
  #core: Core | undefined;
  #cancelWake: () => void = () => {};
  #isClosed = false;

  constructor(options: RunHostOptions) {
    this.#options = options;
    this.runs = options.openRuns({
      ended: (id, end) => this.#ended(id, end),
      ready: (id) => this.#checks.get(id)?.signalled(),
      status: (id, text) => this.#core?.says(id, text),
    });
  }

  /** The core that this is the host of. */
  serve(core: Core): void {
    this.#core = core;
  }

  /** Settles when everything kept so far stands in the journal. */
  flushed(): Promise<void> {
    if (this.#entries.length === 0 && !this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => void this.#written.push(resolve));
  }

  /** Nothing is done any more; what runs goes on. */
  async close(): Promise<void> {
    await this.flushed();
    this.#isClosed = true;
    this.#cancelWake();
    for (const id of this.#checks.keys()) this.endChecks(id);
    await this.runs.close();
  }

  // --- CoreHost ---

  now(): number {
    return Math.floor(this.#options.clock.wallMs());
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
      (osPid) => this.#core?.started(run.id, osPid),
      (error: unknown) => this.#core?.startFailed(run.id, asStartError(error)),
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
      () => this.#isCurrent(run.id, checks) && this.#core?.ready(run.id),
      (error: unknown) => this.#isCurrent(run.id, checks) && this.#core?.notReady(run.id, reasonText(error)),
    );
  }

  watchOver(run: LiveRun, plan: ServicePlan, instance: number): void {
    const checks = this.#checks.get(run.id) ?? this.#newChecks(run.id);
    void this.#subject(run, plan, instance, checks).then((subject) => {
      if (!this.#isCurrent(run.id, checks)) return;
      checks.endLive = startLive(plan.live!, subject, {
        clock: this.#options.clock,
        onUnhealthy: (why) => this.#isCurrent(run.id, checks) && this.#core?.unhealthy(run.id, why),
        onHealthy: () => this.#isCurrent(run.id, checks) && this.#core?.healthy(run.id),
      });
    });
  }

  endChecks(id: RunId): void {
    const checks = this.#checks.get(id);
    if (checks === undefined) return;
    this.#checks.delete(id);
    checks.end.abort(new Error("the run ends"));
    checks.endLive();
  }

  exhausted(plan: ServicePlan, instance: number, reason: string): void {
    this.#options.runHook(plan, instance, reason);
  }

  forget(run: RunId): void {
    void this.flushed()
      .then(() => this.runs.forget(run))
      .catch((error: unknown) =>
        this.#options.log("warning", `what is left of ${run} was not removed: ${reasonText(error)}`),
      );
  }

  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void {
    this.#options.changed(service, instance, before);
  }

  wakeAt(at: number | undefined): void {
    this.#cancelWake();
    this.#cancelWake = () => {};
    if (at !== undefined && !this.#isClosed) {
      const delayMs = Math.min(Math.max(0, at - this.now()), wakeMaxMs);
      this.#cancelWake = this.#options.clock.timer(delayMs, () => this.#core?.wake());
    }
    this.#options.settled();
  }

  nextDue({ schedule }: ServicePlan, lastAt: number, now: number): number | undefined {
    return schedule === undefined ? undefined : nextDue(schedule, lastAt, now);
  }

  // --- how ---

  async #start(run: LiveRun, plan: ServicePlan, instance: number): Promise<number> {
    const { ready } = plan;
    if (ready.kind === "port" && plan.listenPort !== ready.port) await assertPortFree(ready.port, ready.host);
    const [env, argv] = await Promise.all([this.#options.environmentOf(plan, instance), this.#options.argvOf(plan)]);
    const { osPid } = await this.runs.start(specOf(run, plan, instance, argv, env));
    return osPid;
  }

  /** Checks again when colos itself was short of something. */
  async #check(run: LiveRun, plan: ServicePlan, instance: number, checks: Checks): Promise<void> {
    const { ready } = plan;
    const subject = await this.#subject(run, plan, instance, checks);
    for (;;) {
      try {
        const answered =
          ready.kind === "call"
            ? untilAnswered(this.#options.home, run.id, ready.request, checks.end.signal)
            : undefined;
        const asked = answered === undefined ? subject : { ...subject, signalled: answered };
        return await awaitReady(ready, asked, checks.end.signal);
      } catch (error) {
        if (!(error instanceof NotReadyError) || !error.isOwnTrouble) throw error;
        this.#options.log("warning", `${run.id} is checked again: ${error.message}`);
      }
    }
  }

  #ended(id: RunId, end: RunEnd): void {
    this.#core?.ended(id, end);
  }

  #newChecks(id: RunId): Checks {
    this.endChecks(id);
    let signalled = (): void => {};
    const whenSignalled = new Promise<void>((resolve) => (signalled = resolve));
    const checks = { end: new AbortController(), endLive: () => {}, signalled, whenSignalled };
    this.#checks.set(id, checks);
    return checks;
  }

  #isCurrent(id: RunId, checks: Checks): boolean {
    return !this.#isClosed && this.#checks.get(id) === checks;
  }

  async #subject(run: LiveRun, plan: ServicePlan, instance: number, checks: Checks): Promise<ReadySubject> {
    const needsEnv = plan.ready.kind === "exec" || plan.live?.probe.kind === "exec";
    const env = needsEnv ? await this.#options.environmentOf(plan, instance) : {};
    return {
      env,
      cwd: plan.cwd,
      onLine: (listener) => this.#options.onLine(plan.name, instance, run.startedAt, listener),
      signalled: checks.whenSignalled,
    };
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#entries.length > 0 && !this.#isClosed) {
      const batch = this.#entries.slice(0, batchMax);
      try {
        await this.#options.journal.append(batch, { sync: false });
        this.#entries.splice(0, batch.length);
      } catch (error) {
        this.#options.log("error", `the journal does not take what happened, and is tried again: ${reasonText(error)}`);
        await pause(journalRetryMs);
      }
    }
    this.#isWriting = false;
    for (const resolve of this.#written.splice(0)) resolve();
  }
}

/** Entries that are written at once. */
const batchMax = 500;

function asStartError(error: unknown): RunStartError {
  if (error instanceof RunStartError) return error;
  const code = String((error as { code?: unknown } | null)?.code ?? "EINVAL");
  return new RunStartError(reasonText(error), code, false, { cause: error });
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
    ...(ready.kind === "fd" ? { readiness: { kind: "fd", fd: ready.fd } } : {}),
    ...(ready.kind === "notify" ? { readiness: { kind: "notify" } } : {}),
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(nice === undefined ? {} : { nice }),
  };
}
