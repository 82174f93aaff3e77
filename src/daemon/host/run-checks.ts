/**
 * Run checks: whether runs are ready and well, looked at as long as the core wants it.
 *
 * Guarantees: a check that was ended tells nothing more. That a run is ready is not missed, however early it says so. What declares
 * no check is ready when it has run for `survivalMs`: so nothing is called ready that ends at once. What colos itself is short of is
 * never charged to a service: the check is tried again.
 * Not here: what a look is (check/), what follows from it (core/).
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import type { Clock, Milliseconds } from "../../base/platform.ts";
import type { ReadyPlan, ServicePlan } from "../../control/config.ts";
import { startLive } from "../check/live.ts";
import { ProbeError, probeOnce } from "../check/probe.ts";
import { awaitReady, NotReadyError, survivalMs, type ReadySubject } from "../check/readiness.ts";
import { quote } from "../bounded-command.ts";
import { ownTroubleRetryMs } from "../core/core-host.ts";
import type { Core } from "../core/core.ts";
import type { LiveRun } from "../core/live.ts";
import { EnvironmentError } from "../environment.ts";
import type { Home } from "../home.ts";
import type { OwnAlarms } from "../own-alarms.ts";
import { untilAnswered } from "../program/program-calls.ts";
import { reasonText } from "../reason-text.ts";
import type { RunId } from "../run/run.ts";

/** Milliseconds before liveness checks that could not begin are tried again. */
export const watchRetryMs: Milliseconds = 5_000;

export interface RunChecksOptions {
  readonly home: Home;
  readonly clock: Clock;
  /** Whether any OS process of a run is there. */
  isRunning(run: RunId): boolean;
  /** All of a run's environment. Rejects with a sentence. */
  environmentOf(plan: ServicePlan, instance: number): Promise<Readonly<Record<string, string>>>;
  /** The last line that an instance has written since `sinceAt`. */
  lastLineSince(service: string, instance: number, sinceAt: number): Promise<string | undefined>;
  log(level: "info" | "warning" | "error", message: string): void;
  /** What is wrong at this moment with the recording of a service: one sentence each. Then it may be waiting for that. */
  recordingTroubles(service: string): readonly string[];
  /** What colos itself is so short of that nothing new may be begun: one sentence. */
  shortage(): string | undefined;
  /** What is told while a service cannot be checked. */
  readonly alarms: OwnAlarms;
  /** Tells the core, when it may be told. */
  tell(what: (core: Core) => void): void;
}

interface Checks {
  readonly end: AbortController;
  endLive: () => void;
  /** For readiness that a service tells by itself. */
  signalled: () => void;
  readonly whenSignalled: Promise<void>;
}

export class RunChecks {
  readonly #options: RunChecksOptions;
  readonly #checks = new Map<RunId, Checks>();
  /** What the runs that this daemon has started were given, for their checks; secrets are looked up once for each run. */
  readonly #environments = new Map<RunId, Readonly<Record<string, string>>>();
  /** Runs that have said that they are ready, as far as they are checked or not yet known to run. */
  readonly #signalled = new Set<RunId>();

  constructor(options: RunChecksOptions) {
    this.#options = options;
  }

  /** What a run is started with; its checks, which are commands, have it too. */
  given(id: RunId, plan: ServicePlan, env: Readonly<Record<string, string>>): void {
    if (needsEnvironment(plan)) this.#environments.set(id, env);
  }

  /** The run is not there any more. */
  gone(id: RunId): void {
    this.#environments.delete(id);
  }

  /** Nobody asks any more whether it is ready. */
  forget(id: RunId): void {
    this.#signalled.delete(id);
  }

  /** It says that it is ready; it may do so before it is told here that it runs. */
  ready(id: RunId): void {
    this.#signalled.add(id);
    this.#checks.get(id)?.signalled();
  }

  /** Tells the core when it is ready, or that it is not. */
  check(run: LiveRun, plan: ServicePlan, instance: number): void {
    const checks = this.#newChecks(run.id);
    void this.#check(run, plan, instance, checks).then(
      () => this.#tellOf(run.id, checks, (core) => core.ready(run.id)),
      (error: unknown) => this.#tellOf(run.id, checks, (core) => core.notReady(run.id, reasonText(error))),
    );
  }

  /** Tells the core when it is not well any more, and when it is again. */
  watchOver(run: LiveRun, plan: ServicePlan, instance: number): void {
    const checks = this.#checks.get(run.id) ?? this.#newChecks(run.id);
    const { clock, log } = this.#options;
    const begin = (): Promise<void> =>
      this.#subject(run, plan, instance, checks, plan.live!.probe.kind).then(
        (subject) => {
          if (!this.#isCurrent(run.id, checks)) return;
          checks.endLive = startLive(plan.live!, subject, {
            clock,
            probe: this.#fairProbe(run.id, plan),
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

  end(id: RunId): void {
    const checks = this.#checks.get(id);
    if (checks === undefined) return;
    this.#checks.delete(id);
    this.#signalled.delete(id);
    this.#options.alarms.set(`checks of ${id}`, undefined);
    checks.end.abort(new Error("the run ends"));
    checks.endLive();
  }

  endAll(): void {
    for (const id of this.#checks.keys()) this.end(id);
  }

  /** Checks again when colos itself was short of something. */
  async #check(run: LiveRun, plan: ServicePlan, instance: number, checks: Checks): Promise<void> {
    const { clock, home, log } = this.#options;
    const { ready } = plan;
    if (ready.kind === "none") return this.#survived(run.id, checks.end.signal);
    for (;;) {
      try {
        const subject = await this.#subject(run, plan, instance, checks, ready.kind);
        const answered =
          ready.kind === "call" ? untilAnswered(home, run.id, ready.request, checks.end.signal) : undefined;
        const asked = answered === undefined ? subject : { ...subject, signalled: answered };
        await awaitReady(ready, asked, checks.end.signal);
        return this.#options.alarms.set(`checks of ${run.id}`, undefined);
      } catch (error) {
        const sentence = this.#ownTroubleOf(error, plan);
        if (sentence === undefined) throw await this.#withLastLine(run, plan, instance, error);
        log("warning", `${run.id} is checked again: ${sentence}`);
        if (this.#isCurrent(run.id, checks)) this.#cannotCheck(run.id, plan, sentence);
        await new Promise<void>((resolve) => void clock.timer(ownTroubleRetryMs, resolve));
      }
    }
  }

  /** What it wrote in place of the line that was waited for; of two runs that overlap, either. */
  async #withLastLine(run: LiveRun, { name, ready }: ServicePlan, instance: number, late: unknown): Promise<unknown> {
    if (ready.kind !== "log" || !(late instanceof NotReadyError) || !late.isLate) return late;
    const line = await this.#options.lastLineSince(name, instance, run.startedAt).catch(() => undefined);
    const last = line === undefined ? "nothing was written" : JSON.stringify(quote(stripVTControlCharacters(line)));
    return new NotReadyError(`${late.message} (last: ${last})`);
  }

  /** Of what declares no check, nothing better is known than that it has not ended at once. */
  async #survived(id: RunId, end: AbortSignal): Promise<void> {
    do await this.#pause(survivalMs, end);
    // That it has ended is told when its output has been read.
    while (!end.aborted && !this.#options.isRunning(id));
  }

  #pause(delayMs: Milliseconds, end: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        cancel();
        end.removeEventListener("abort", over);
        resolve();
      };
      const cancel = this.#options.clock.timer(delayMs, over);
      end.addEventListener("abort", over);
    });
  }

  /** Why a service that is not ready in time is not to blame; undefined: it is. */
  #ownTroubleOf(error: unknown, { name }: ServicePlan): string | undefined {
    const isOwn = error instanceof NotReadyError || error instanceof EnvironmentError ? error.isOwnTrouble : false;
    if (isOwn) return reasonText(error);
    // What it writes is not read at the moment: it waits, and its log, from which it may be judged, stands still.
    const [trouble] = error instanceof NotReadyError ? this.#options.recordingTroubles(name) : [];
    return trouble;
  }

  /** A look that does not blame a service for what colos is short of: it may wait for a full disk itself. */
  #fairProbe(id: RunId, plan: ServicePlan): typeof probeOnce {
    const { shortage, alarms, recordingTroubles } = this.#options;
    return async (probe, subject, signal) => {
      try {
        const short = shortage();
        if (short !== undefined) throw new ProbeError(short, "own trouble");
        await probeOnce(probe, subject, signal);
        alarms.set(`checks of ${id}`, undefined);
      } catch (error) {
        if (signal.aborted || !(error instanceof ProbeError)) throw error;
        const [trouble] = error.isOwnTrouble ? [error.message] : recordingTroubles(plan.name);
        this.#cannotCheck(id, plan, trouble);
        throw trouble === undefined ? error : new ProbeError(trouble, "own trouble");
      }
    };
  }

  #cannotCheck(id: RunId, { name }: ServicePlan, why: string | undefined): void {
    const sentence = why === undefined ? undefined : `${name} cannot be judged for now: ${why}`;
    this.#options.alarms.set(`checks of ${id}`, sentence, name);
  }

  #newChecks(id: RunId): Checks {
    const isSignalled = this.#signalled.has(id);
    this.end(id);
    let signalled = (): void => {};
    const whenSignalled = new Promise<void>((resolve) => (signalled = resolve));
    const checks = { end: new AbortController(), endLive: () => {}, signalled, whenSignalled };
    this.#checks.set(id, checks);
    if (isSignalled) this.ready(id);
    return checks;
  }

  #tellOf(id: RunId, checks: Checks, what: (core: Core) => void): void {
    this.#options.tell((core) => {
      if (this.#isCurrent(id, checks)) what(core);
    });
  }

  #isCurrent(id: RunId, checks: Checks): boolean {
    return this.#checks.get(id) === checks;
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
}

/** Its checks are commands, which have the environment of the run. */
function needsEnvironment({ ready, live }: ServicePlan): boolean {
  return ready.kind === "exec" || live?.probe.kind === "exec";
}
