/**
 * Core: decides what a manager does next. It knows what is wanted (the record), what there is (the live runs) and what time it
 * is (situation.ts), and tells its host what to start, to signal and to wait for (core-host.ts).
 *
 * Guarantees: a decision depends on the record, the live runs and the clock alone, never on what was decided before; so a
 * daemon that finds both again decides what the dead one would have. Nothing waits in here and nothing throws for what a service
 * does. `ready` is only what the readiness check said. A service starts when each dependency fulfils its condition, and stops
 * after those that depend on it and stop too. What nobody asked for (an end, a failed check) goes through the sliding window
 * and the backoff of the plan; what somebody asked for does not count.
 * Here is what happens, and in which order it is looked at. What is decided: dependencies.ts, run-start.ts, run-stop.ts, run-end.ts,
 * outcome.ts, renewal.ts, stale.ts, standby.ts, standby-turn.ts, job-times.ts, recovery.ts, instance-state.ts.
 * Not here: files, OS processes, checks, timers (the host), operations and their answers (manager.ts).
 *
 * @module
 */
import type { DependencyPlan, ServicePlan } from "../../control/config.ts";
import type { RecoveredRun, RunEnd, RunId, RunStartError } from "../run/run.ts";
import type { CoreHost } from "./core-host.ts";
import { unmetOf } from "./dependencies.ts";
import { showInstance } from "./instance-state.ts";
import { fireWhenDue, nextTime } from "./job-times.ts";
import { hasRuns, type LiveInstance } from "./live.ts";
import { recoverRuns } from "./recovery.ts";
import type { Entry } from "./entry.ts";
import type { ServiceRecord, SystemRecord } from "./record.ts";
import { renewNext, renewUnseen, takeOver } from "./renewal.ts";
import { endRun, postponeRun } from "./run-end.ts";
import { reconcileStart } from "./run-start.ts";
import { askToStop, reconcileStop, stopRun } from "./run-stop.ts";
import { Situation } from "./situation.ts";
import { isStale } from "./stale.ts";
import { reconcileStandby } from "./standby.ts";

export class Core {
  readonly record: SystemRecord;
  readonly #host: CoreHost;
  readonly #situation: Situation;
  /** Before it is known what runs already, nothing is decided. */
  #hasRecovered = false;

  constructor(record: SystemRecord, host: CoreHost) {
    this.record = record;
    this.#host = host;
    this.#situation = new Situation(record, host);
  }

  // --- what there is ---

  /** The live instances of a service, by number. */
  live(service: ServiceRecord): LiveInstance[] {
    const { name, instances } = service.plan;
    return this.#situation
      .instancesOf(service)
      .filter(({ number }) => number <= instances || hasRuns(this.#situation.findInstance(name, number)))
      .toSorted((a, b) => a.number - b.number);
  }

  /** One of them. */
  instance(service: ServiceRecord, number: number): LiveInstance | undefined {
    const { name, instances } = service.plan;
    const live = this.#situation.findInstance(name, number);
    if (number > instances) return hasRuns(live) ? live : undefined;
    return service.instances.has(number) ? this.#situation.instance(name, number) : undefined;
  }

  /** When a job runs next. */
  nextTime(service: ServiceRecord): number | undefined {
    return nextTime(this.#situation, service);
  }

  /** Whether nothing runs. */
  get isIdle(): boolean {
    return this.#situation.isIdle;
  }

  /** Each dependency that does not fulfil its condition. */
  unmetOf(plan: ServicePlan): Generator<{ readonly dependency: DependencyPlan; readonly sentence: string }> {
    return unmetOf(this.#situation, plan);
  }

  /** Whether its run is to be replaced by one of the plan as it is now. */
  isStale(service: ServiceRecord, instance: LiveInstance): boolean {
    return isStale(service, instance);
  }

  // --- what happens ---

  /** Takes over what earlier daemons left. Called once, first. */
  recover(found: readonly RecoveredRun[]): void {
    recoverRuns(this.#situation, found);
    this.#hasRecovered = true;
    this.reconcile();
  }

  /** Entries that an operation has kept are taken into the record, and acted on. */
  commit(entries: readonly Entry[]): void {
    for (const entry of entries) this.#situation.take(entry);
    this.reconcile();
  }

  started(id: RunId, osPid: number): void {
    const found = this.#situation.findRun(id);
    if (found === undefined || found.run.phase !== "asked") return;
    const { service, instance, run } = found;
    run.phase = "running";
    run.osPid = osPid;
    if (run.isStandby) instance.standbyDelayMs = undefined;
    else instance.nextDelayMs = undefined;
    this.#situation.keep({ type: "running", at: this.#host.now(), run: id, osPid });
    if (run.stop !== undefined) askToStop(this.#situation, run, service.plan);
    else if (!run.isStandby) this.#host.check(run, service.plan, instance.number);
    this.reconcile();
  }

  /** A standby has been told that its turn has come. */
  promoted(id: RunId): void {
    const found = this.#situation.findRun(id);
    if (found === undefined || found.run.phase !== "asked") return;
    const { service, instance, run } = found;
    run.phase = "running";
    if (run.stop !== undefined) askToStop(this.#situation, run, service.plan);
    else this.#host.check(run, service.plan, instance.number);
    this.reconcile();
  }

  startFailed(id: RunId, error: RunStartError): void {
    const at = this.#host.now();
    if (error.isOwnTrouble) postponeRun(this.#situation, id, error.message);
    else endRun(this.#situation, id, { code: null, signal: null, at, lost: `did not start: ${error.message}` });
    this.reconcile();
  }

  ready(id: RunId): void {
    const found = this.#situation.findRun(id);
    if (found === undefined || found.run.phase !== "running" || found.run.stop !== undefined) return;
    const { service, instance, run } = found;
    const at = this.#host.now();
    run.phase = "ready";
    run.readyAt = at;
    this.#situation.keep({ type: "ready", at, run: id });
    if (instance.next === run) takeOver(this.#situation, service, instance, run);
    if (service.plan.live !== undefined) this.#host.watchOver(run, service.plan, instance.number);
    this.reconcile();
  }

  /** A run that is ready stays so: what its readiness check says later is too late. */
  notReady(id: RunId, why: string): void {
    if (this.#situation.findRun(id)?.run.phase === "running") this.unhealthy(id, why);
  }

  /** A liveness check has failed often enough, or a limit was exceeded. */
  unhealthy(id: RunId, why: string): void {
    const found = this.#situation.findRun(id);
    if (found === undefined || found.run.stop !== undefined) return;
    found.run.isHealthy = false;
    stopRun(this.#situation, found.service, found.run, why, { isFailure: true });
    this.reconcile();
  }

  /** A liveness check has passed. */
  healthy(id: RunId): void {
    const found = this.#situation.findRun(id);
    if (found === undefined || found.run.isHealthy === true) return;
    found.run.isHealthy = true;
    this.#situation.touch(found.service.plan.name);
    this.reconcile();
  }

  /** What the run says of itself. */
  says(id: RunId, text: string): void {
    const found = this.#situation.findRun(id);
    if (found === undefined || found.run.says === text) return;
    found.run.says = text;
    showInstance(this.#situation, found.service, found.instance);
  }

  /** A run that is to end has been given its stop signal. */
  told(id: RunId): void {
    if (this.#situation.findRun(id)?.run.stop === undefined) return;
    this.#situation.keep({ type: "told", at: this.#host.now(), run: id });
    this.reconcile();
  }

  ended(id: RunId, end: RunEnd): void {
    endRun(this.#situation, id, end);
    this.reconcile();
  }

  /** Replaces all runs of a service, because of `why`. `seen`: what its watched files are now. */
  renew(service: string, why: string, seen?: string): void {
    const at = this.#host.now();
    this.#situation.keep({ type: "renewed", at, service, why });
    if (seen !== undefined) this.#situation.keep({ type: "watched", at, service, seen });
    this.reconcile();
  }

  /** The files of a service are watched from now on, and are this. */
  watched(name: string, seen: string): void {
    const service = this.record.services.get(name);
    if (service === undefined) return;
    renewUnseen(this.#situation, service, seen);
    this.reconcile();
  }

  /** Keeps a sentence for whoever asks why. */
  note(service: string, sentence: string): void {
    this.#situation.keep({ type: "note", at: this.#host.now(), service, sentence });
  }

  /** The time of `wakeAt` has come. */
  wake(): void {
    this.#situation.touchDue();
    this.reconcile();
  }

  // --- in which order it is looked at ---

  /** Looks at everything. Whatever happened has been looked at where it matters, so this finds nothing new but the time. */
  reconcileAll(): void {
    this.#situation.touchAll();
    this.reconcile();
  }

  /** Looks at what was touched, and at what that touches, and does what is due. */
  reconcile(): void {
    if (!this.#hasRecovered) return;
    const situation = this.#situation;
    situation.noticeClock();
    for (let touched = situation.takeTouched(); touched.length > 0; touched = situation.takeTouched())
      this.#pass(touched);
    this.#host.wakeAt(situation.wakeAt);
  }

  #pass(services: readonly ServiceRecord[]): void {
    const situation = this.#situation;
    for (const service of services) {
      situation.endWake(service.plan.name);
      fireWhenDue(situation, service);
    }
    // Dependents first, so that those they wait for may stop in the same pass.
    for (const service of services.toReversed())
      for (const instance of situation.instancesOf(service)) reconcileStop(situation, service, instance);
    for (const service of services) {
      for (const instance of situation.instancesOf(service)) reconcileStart(situation, service, instance);
      renewNext(situation, service);
      for (const instance of situation.instancesOf(service)) reconcileStandby(situation, service, instance);
      for (const instance of situation.instancesOf(service)) showInstance(situation, service, instance);
      if (service.isRemoved && !situation.instancesOf(service).some(hasRuns)) this.#leave(service);
    }
  }

  #leave(service: ServiceRecord): void {
    const { name } = service.plan;
    this.#situation.keep({ type: "gone", at: this.#host.now(), service: name });
    this.#situation.forget(name);
    this.#host.gone(service);
  }
}
