/**
 * Core: decides what a manager does next. It knows what is wanted (the record), what there is (the live runs) and what time it
 * is, and tells its host what to start, to signal and to wait for.
 *
 * Guarantees: a decision depends on the record, the live runs and the clock alone, never on what was decided before; so a
 * daemon that finds both again decides what the dead one would have. Nothing waits in here and nothing throws for what a service
 * does. `ready` is only what the readiness check said. A service starts when each dependency fulfils its condition, and stops
 * after those that depend on it and stop too. What nobody asked for (an end, a failed check) goes through the sliding window
 * and the backoff of the plan; what somebody asked for does not count.
 * Not here: files, OS processes, checks, timers (the host), operations and their answers (manager.ts).
 *
 * @module
 */
import type { DependencyPlan, ServicePlan } from "../../control/config.ts";
import { spanText } from "../../control/quantity.ts";
import type { InstanceState } from "../../control/service.ts";
import { backoffDelay } from "../../supervisor/restart-window.ts";
import type { RecoveredRun, RunEnd, RunId, RunStartError } from "../run/run.ts";
import { liveInstance, runsOf, type LiveInstance, type LiveRun } from "./live.ts";
import {
  foldInto,
  runId,
  runParts,
  type Entry,
  type InstanceRecord,
  type Outcome,
  type RunRecord,
  type ServiceRecord,
  type SystemRecord,
} from "./record.ts";
import { runKey } from "./run-key.ts";
import { ServiceOrder } from "./service-order.ts";

/** The first and the longest wait when colos itself is short of something, in milliseconds; it doubles with each try. */
export const ownTroubleRetryMs = 1_000;
export const ownTroubleRetryMaxMs = 10_000;

/** What the core tells. No call may call back into the core at once. */
export interface CoreHost {
  /** Epoch milliseconds; may be set back or forward at any time. */
  now(): number;
  /** Milliseconds since some moment; only grows. */
  monotonicMs(): number;
  /** From 0 to below 1. */
  random(): number;
  /** Keeps entries that the core made itself. They are in the record already. */
  keep(entry: Entry): void;
  /** `started` or `startFailed` follows. */
  start(run: LiveRun, plan: ServicePlan, instance: number): void;
  /** OS signal to the group. */
  signal(run: RunId, name: string): void;
  kill(run: RunId): void;
  /** Begins the readiness check; `ready` or `notReady` follows unless `endChecks` comes first. */
  check(run: LiveRun, plan: ServicePlan, instance: number): void;
  /** Begins liveness checks; `unhealthy` may follow. */
  watchOver(run: LiveRun, plan: ServicePlan, instance: number): void;
  endChecks(run: RunId): void;
  /** The window is used up. */
  exhausted(plan: ServicePlan, instance: number, reason: string): void;
  /** The end of a run was taken in. */
  forget(run: RunId): void;
  /** An instance is not what it was: its state, its run, or why. */
  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void;
  /** Nothing of a removed service is left. */
  gone(service: ServiceRecord): void;
  /** `wake` is to be called then, instead of at any time said before. */
  wakeAt(at: number | undefined): void;
  /** When a job is due that was due at `lastAt`, as `nextDue` of control/schedule.ts. */
  nextDue(plan: ServicePlan, lastAt: number, now: number): number | undefined;
}

/** A change of the time of day against the monotonic clock that counts as setting it, in milliseconds. */
export const clockStepMinMs = 500;

/** Whose failure the end of a run is. */
type Blame = "service" | "nobody";

export class Core {
  readonly record: SystemRecord;
  readonly #host: CoreHost;
  readonly #live = new Map<string, Map<number, LiveInstance>>();
  /** Services that something has happened to, or around. */
  #touched: Set<string> | "all" = "all";
  #order: ServiceOrder;
  /** When each service is to be looked at again. */
  readonly #wakes = new Map<string, number>();
  /** Between the time of day and the monotonic clock: it changes when the clock is set. */
  #clockOffsetMs: number;
  /** Before it is known what runs already, nothing is decided. */
  #hasRecovered = false;

  constructor(record: SystemRecord, host: CoreHost) {
    this.record = record;
    this.#host = host;
    this.#order = new ServiceOrder(record.services);
    this.#clockOffsetMs = host.now() - host.monotonicMs();
  }

  // --- what there is ---

  /** The live instances of a service, by number. */
  live(service: ServiceRecord): LiveInstance[] {
    const known = this.#liveOf(service.plan.name);
    const numbers = [...service.instances.keys()].filter(
      (number) => number <= service.plan.instances || hasRuns(known.get(number)),
    );
    return numbers.toSorted((a, b) => a - b).map((number) => this.#instance(service.plan.name, number));
  }

  /** One of them. */
  instance(service: ServiceRecord, number: number): LiveInstance | undefined {
    const live = this.#live.get(service.plan.name)?.get(number);
    if (number > service.plan.instances) return hasRuns(live) ? live : undefined;
    return service.instances.has(number) ? this.#instance(service.plan.name, number) : undefined;
  }

  /** When a job runs next. */
  nextTime(service: ServiceRecord): number | undefined {
    const now = this.#host.now();
    return this.#host.nextDue(service.plan, service.firedAt ?? service.scheduledAt ?? now, now);
  }

  /** Whether nothing runs. */
  get isIdle(): boolean {
    for (const instances of this.#live.values()) for (const each of instances.values()) if (hasRuns(each)) return false;
    return true;
  }

  // --- what happens ---

  /** Takes over what earlier daemons left. Called once, first. */
  recover(found: readonly RecoveredRun[]): void {
    // The oldest first: what follows of an instance is what the end of its newest run says.
    const inOrder = found.toSorted((a, b) => runParts(a.id).number - runParts(b.id).number);
    const newest = new Map(inOrder.map((run) => [`${run.service}.${run.instance}`, run.id]));
    for (const run of inOrder) this.#recoverOne(run, newest.get(`${run.service}.${run.instance}`) === run.id);
    for (const service of this.record.services.values()) {
      for (const [number, instance] of service.instances) this.#recoverUnfound(service, number, instance);
      for (const instance of this.#allOf(service)) {
        // The daemon was killed between the two steps of a renewal.
        if (instance.next?.phase === "ready") this.#takeOver(service, instance, instance.next);
      }
    }
    this.#hasRecovered = true;
    this.reconcile();
  }

  /** What the journal believes to run and nobody found has ended unseen: nothing says that the service failed. */
  #recoverUnfound(service: ServiceRecord, number: number, { runs }: InstanceRecord): void {
    for (const run of runs) {
      if (run.end !== undefined || this.#findRun(run.id) !== undefined) continue;
      const end = { code: null, signal: null, at: this.#host.now(), lost: "nothing of it was found" };
      this.#adopt(service, number, run);
      this.#runEnded(run.id, end, "nobody");
    }
  }

  /** Entries that an operation has kept are taken into the record, and acted on. */
  commit(entries: readonly Entry[]): void {
    for (const entry of entries) {
      foldInto(this.record, entry);
      this.#touchFor(entry);
    }
    this.reconcile();
  }

  started(id: RunId, osPid: number): void {
    const found = this.#findRun(id);
    if (found === undefined || found.run.phase !== "asked") return;
    const { service, instance, run } = found;
    run.phase = "running";
    run.osPid = osPid;
    instance.nextDelayMs = undefined;
    this.#keep({ type: "running", at: this.#host.now(), run: id, osPid });
    if (run.stop !== undefined) this.#askToStop(run, service.plan);
    else this.#beginChecks(service, instance, run);
    this.reconcile();
  }

  startFailed(id: RunId, error: RunStartError): void {
    const at = this.#host.now();
    if (error.isOwnTrouble) this.#postpone(id, error);
    else this.#runEnded(id, { code: null, signal: null, at, lost: `did not start: ${error.message}` });
    this.reconcile();
  }

  ready(id: RunId): void {
    const found = this.#findRun(id);
    if (found === undefined || found.run.phase !== "running" || found.run.stop !== undefined) return;
    const { service, instance, run } = found;
    this.#becomeReady(run);
    if (instance.next === run) this.#takeOver(service, instance, run);
    if (service.plan.live !== undefined) this.#host.watchOver(run, service.plan, instance.number);
    this.reconcile();
  }

  /** A run that is ready stays so: what its readiness check says later is too late. */
  notReady(id: RunId, why: string): void {
    if (this.#findRun(id)?.run.phase === "running") this.#stopAsFailed(id, why);
  }

  /** A liveness check has failed often enough, or a limit was exceeded. */
  unhealthy(id: RunId, why: string): void {
    this.#stopAsFailed(id, why);
  }

  /** A liveness check has passed. */
  healthy(id: RunId): void {
    const found = this.#findRun(id);
    if (found === undefined || found.run.isHealthy === true) return;
    found.run.isHealthy = true;
    this.#touch(found.service.plan.name);
    this.reconcile();
  }

  /** What the run says of itself. */
  says(id: RunId, text: string): void {
    const found = this.#findRun(id);
    if (found === undefined || found.run.says === text) return;
    found.run.says = text;
    this.#show(found.service, found.instance);
  }

  ended(id: RunId, end: RunEnd): void {
    this.#runEnded(id, end);
    this.reconcile();
  }

  /** Replaces all runs of a service, because of `why`. */
  renew(service: string, why: string): void {
    this.#keep({ type: "renewed", at: this.#host.now(), service, why });
    this.reconcile();
  }

  /** Keeps a sentence for whoever asks why. */
  note(service: string, sentence: string): void {
    this.#keep({ type: "note", at: this.#host.now(), service, sentence });
  }

  /** The time of `wakeAt` has come. */
  wake(): void {
    const now = this.#host.now();
    if (this.#touched !== "all") for (const [name, at] of this.#wakes) if (at <= now) this.#touched.add(name);
    this.reconcile();
  }

  // --- decisions ---

  /** Looks at everything. Whatever happened has been looked at where it matters, so this finds nothing new but the time. */
  reconcileAll(): void {
    this.#touched = "all";
    this.reconcile();
  }

  /** Looks at what was touched, and at what that touches, and does what is due. */
  reconcile(): void {
    if (!this.#hasRecovered) return;
    this.#noticeClock();
    for (let touched = this.#take(); touched.length > 0; touched = this.#take()) this.#pass(touched);
    let wakeAt: number | undefined;
    for (const at of this.#wakes.values()) if (wakeAt === undefined || at < wakeAt) wakeAt = at;
    this.#host.wakeAt(wakeAt);
  }

  #noticeClock(): void {
    const offsetMs = this.#host.now() - this.#host.monotonicMs();
    if (Math.abs(offsetMs - this.#clockOffsetMs) < clockStepMinMs) return;
    this.#clockOffsetMs = offsetMs;
    this.#touched = "all";
  }

  /** What is to be looked at now, dependencies first. */
  #take(): ServiceRecord[] {
    const { services } = this.record;
    if (!this.#order.isOf(services)) this.#order = new ServiceOrder(services);
    const touched = this.#touched;
    this.#touched = new Set();
    if (touched === "all") return [...services.values()];
    return this.#order.sorted(touched).flatMap((name) => services.get(name) ?? []);
  }

  #pass(services: readonly ServiceRecord[]): void {
    for (const service of services) {
      this.#wakes.delete(service.plan.name);
      this.#fire(service);
    }
    // Dependents first, so that those they wait for may stop in the same pass.
    for (const service of services.toReversed())
      for (const instance of this.#allOf(service)) this.#reconcileStop(service, instance);
    for (const service of services) {
      for (const instance of this.#allOf(service)) this.#reconcileStart(service, instance);
      this.#renewNext(service);
      for (const instance of this.#allOf(service)) this.#show(service, instance);
      if (service.isRemoved && !this.#allOf(service).some(hasRuns)) this.#leave(service);
    }
  }

  #leave(service: ServiceRecord): void {
    const { name } = service.plan;
    this.#keep({ type: "gone", at: this.#host.now(), service: name });
    this.#live.delete(name);
    this.#wakes.delete(name);
    this.#host.gone(service);
  }

  #touchFor(entry: Entry): void {
    if (entry.type === "applied" || entry.type === "down" || entry.type === "target") this.#touched = "all";
    else if ("run" in entry && typeof entry.run === "string") this.#touch(runParts(entry.run).service);
    else if (entry.type !== "note" && "service" in entry) this.#touch(entry.service);
  }

  #touch(name: string): void {
    if (this.#touched !== "all") for (const each of this.#order.around(name)) this.#touched.add(each);
  }

  #isWanted(service: ServiceRecord, number: number): boolean {
    if (this.record.isDown || service.target === "down" || service.isRemoved || number > service.plan.instances)
      return false;
    const record = service.instances.get(number);
    if (record === undefined) return false;
    if (service.plan.schedule !== undefined) return !record.isAtRest;
    return record.outcome === undefined || record.outcome.kind === "again";
  }

  #reconcileStop(service: ServiceRecord, instance: LiveInstance): void {
    const { plan } = service;
    if (!hasRuns(instance)) return;
    for (const run of runsOf(instance)) if (run.stop !== undefined) this.#killWhenDue(run);
    if (!this.#isWanted(service, instance.number)) {
      if (this.#mustOutlive(service)) return;
      for (const run of runsOf(instance)) this.#stop(service, run, stopReason(service, this.record.isDown));
      return;
    }
    const { current } = instance;
    if (current === undefined || current.stop !== undefined) return;
    for (const dependency of plan.dependsOn) {
      if (dependency.onEnd === "ignore") continue;
      if (dependency.onEnd === "stop") {
        const lost = this.#lost(dependency);
        if (lost !== undefined) return this.#stop(service, current, `${dependency.name} ${lost}`);
        continue;
      }
      const number = this.#generation(dependency.name);
      if (number > (current.dependencies[dependency.name] ?? number) && this.#missing(dependency) === undefined)
        return this.#stop(service, current, `${dependency.name} was started again`);
    }
  }

  /**
   * How a dependency that was there has been lost: the words after its name. What is only not known is not lost, or each new
   * daemon would stop the dependents of what it has not looked at yet.
   */
  #lost(dependency: DependencyPlan): string | undefined {
    if (dependency.condition === "exitedOk") return this.#missing(dependency);
    const service = this.record.services.get(dependency.name);
    if (service === undefined) return "does not exist";
    for (const { current, number } of this.#allOf(service)) {
      if (number > service.plan.instances) continue;
      if (current === undefined) return "has ended";
      if (current.stop !== undefined) return `is being stopped: ${current.stop.why}`;
      if (dependency.condition === "healthy" && current.isHealthy === false) return "is not healthy";
    }
    return service.plan.instances === 0 ? "has no instance" : undefined;
  }

  /** Whether a dependent is being stopped too, and is not gone yet. */
  #mustOutlive(service: ServiceRecord): boolean {
    return this.#order.dependentsOf(service.plan.name).some((name) => {
      const other = this.record.services.get(name);
      return (
        other !== undefined && this.#allOf(other).some((each) => hasRuns(each) && !this.#isWanted(other, each.number))
      );
    });
  }

  #reconcileStart(service: ServiceRecord, instance: LiveInstance): void {
    const record = service.instances.get(instance.number);
    if (record === undefined) return;
    this.#forgiveWhenHealthy(service, instance, record);
    if (instance.current !== undefined || !this.#isWanted(service, instance.number)) return;
    if (this.#unmet(service.plan) !== undefined) return;
    const dueAt = this.#dueAt(record);
    if (dueAt > this.#host.now()) return this.#wake(service.plan.name, dueAt);
    instance.current = this.#begin(service, instance, record);
  }

  /** Who would have to wait longer than the whole delay was waiting when the clock was set back. */
  #dueAt({ outcome }: InstanceRecord): number {
    if (outcome?.kind !== "again" || outcome.notBeforeAt - this.#host.now() > outcome.delayMs) return -Infinity;
    return outcome.notBeforeAt;
  }

  #begin(service: ServiceRecord, instance: LiveInstance, record: InstanceRecord): LiveRun {
    const { plan } = service;
    const at = this.#host.now();
    const number = (this.record.lastRuns.get(`${plan.name}.${instance.number}`) ?? 0) + 1;
    const dependencies = Object.fromEntries(plan.dependsOn.map(({ name }) => [name, this.#generation(name)]));
    const id = runId(plan.name, instance.number, number);
    const run: RunRecord = { id, number, key: runKey(plan), dependencies, startedAt: at };
    this.#keep({ type: "begun", at, service: plan.name, instance: instance.number, run });
    const live: LiveRun = { id, number, key: run.key, startedAt: at, dependencies, phase: "asked" };
    if (record.outcome?.kind !== "again") instance.reason = undefined;
    this.#host.start(live, plan, instance.number);
    return live;
  }

  /** One instance at a time, and only while all others of the service are as they should be. */
  #renewNext(service: ServiceRecord): void {
    const instances = this.#allOf(service);
    const isSettled = (each: LiveInstance): boolean =>
      !this.#isWanted(service, each.number) ||
      (each.current?.phase === "ready" && each.current.stop === undefined && each.next === undefined);
    if (!instances.every(isSettled)) return this.#renewUnready(service, instances);
    const stale = instances.find((each) => this.#isWanted(service, each.number) && this.isStale(service, each));
    if (stale?.current === undefined) return;
    const { plan } = service;
    if (plan.listenPort === undefined) return this.#stop(service, stale.current, renewReason(service, stale.current));
    // Both accept on the socket that colos holds, so the old one stays until the new one is ready.
    if (this.#unmet(plan) !== undefined) return;
    const leftMs = stale.nextNotBeforeMs - this.#host.monotonicMs();
    if (leftMs > 0) return this.#wake(plan.name, this.#host.now() + leftMs);
    stale.next = this.#begin(service, stale, service.instances.get(stale.number)!);
  }

  /** What is not ready anyway makes nobody wait. */
  #renewUnready(service: ServiceRecord, instances: readonly LiveInstance[]): void {
    for (const each of instances) {
      const { current } = each;
      if (current === undefined || current.stop !== undefined || current.phase === "ready" || each.next !== undefined)
        continue;
      if (this.#isWanted(service, each.number) && this.isStale(service, each))
        this.#stop(service, current, renewReason(service, current));
    }
  }

  /** Whether its run is to be replaced by one of the plan as it is now. */
  isStale(service: ServiceRecord, instance: LiveInstance): boolean {
    const record = service.instances.get(instance.number);
    const { current } = instance;
    if (record === undefined || current === undefined) return false;
    if (current.number <= record.renewUpTo) return true;
    const key = runKey(service.plan);
    return current.key !== key && record.heldBack?.key !== key;
  }

  /** The new one is ready: it counts from now on, and the old one drains. */
  #takeOver(service: ServiceRecord, instance: LiveInstance, run: LiveRun): void {
    const old = instance.current;
    instance.current = run;
    instance.next = undefined;
    if (old === undefined) return;
    instance.draining.add(old);
    this.#stop(service, old, `${run.id} is ready`, { drains: true });
  }

  #killWhenDue(run: LiveRun): void {
    const { stop } = run;
    if (stop === undefined || stop.isKilled || stop.killDueMs === undefined || run.phase === "asked") return;
    const leftMs = stop.killDueMs - this.#host.monotonicMs();
    if (leftMs > 0) return this.#wake(runParts(run.id).service, this.#host.now() + leftMs);
    stop.isKilled = true;
    this.#host.kill(run.id);
  }

  #stopAsFailed(id: RunId, why: string): void {
    const found = this.#findRun(id);
    if (found === undefined || found.run.stop !== undefined) return;
    found.run.isHealthy = false;
    this.#stop(found.service, found.run, why, { isFailure: true });
    this.reconcile();
  }

  #stop(service: ServiceRecord, run: LiveRun, why: string, { isFailure = false, drains = false } = {}): void {
    if (run.stop !== undefined) return;
    const at = this.#host.now();
    this.#keep({ type: "stopping", run: run.id, at, why, isFailure, drains });
    run.stop = { why, isFailure, drains, killDueMs: this.#killDueMs(service.plan, drains), isKilled: false };
    this.#host.endChecks(run.id);
    if (run.phase !== "asked") this.#askToStop(run, service.plan);
  }

  #killDueMs(plan: ServicePlan, drains: boolean): number | undefined {
    const leftMs = patienceMs(plan, drains);
    return leftMs === undefined ? undefined : this.#host.monotonicMs() + leftMs;
  }

  #askToStop(run: LiveRun, plan: ServicePlan): void {
    if (plan.shutdown !== "brutal") this.#host.signal(run.id, plan.stopSignal);
    this.#killWhenDue(run);
  }

  #becomeReady(run: LiveRun): void {
    const at = this.#host.now();
    run.phase = "ready";
    run.readyAt = at;
    this.#keep({ type: "ready", at, run: run.id });
  }

  #beginChecks(service: ServiceRecord, instance: LiveInstance, run: LiveRun): void {
    this.#host.check(run, service.plan, instance.number);
  }

  // --- ends ---

  #runEnded(id: RunId, end: RunEnd, blame: Blame = "service"): void {
    const found = this.#findRun(id);
    if (found === undefined) return this.#host.forget(id);
    const { service, instance, run } = found;
    const record = service.instances.get(instance.number);
    this.#host.endChecks(id);
    if (instance.current === run) {
      instance.current = instance.next;
      instance.next = undefined;
      const isUnexpected = blame !== "nobody" && (run.stop === undefined || run.stop.isFailure);
      const follows = isUnexpected && instance.current === undefined && record !== undefined;
      this.#endedEntry(service, instance, run, end, follows ? this.#outcome(service, record, run, end) : undefined);
    } else {
      const wasNext = instance.next === run;
      if (wasNext) instance.next = undefined;
      instance.draining.delete(run);
      this.#endedEntry(service, instance, run, end, undefined);
      if (wasNext && blame === "service" && (run.stop === undefined || run.stop.isFailure))
        this.#holdBack(service, instance, run, end);
    }
    this.#host.forget(id);
  }

  /** Nothing has begun, nobody has failed, and nothing is left of it on disk: it leaves no trace but when it is tried again. */
  #postpone(id: RunId, error: RunStartError): void {
    const found = this.#findRun(id);
    if (found === undefined) return this.#host.forget(id);
    const { service, instance, run } = found;
    const record = service.instances.get(instance.number);
    const at = this.#host.now();
    this.#host.endChecks(id);
    instance.draining.delete(run);
    if (instance.next === run) {
      instance.next = undefined;
      instance.nextDelayMs = longerDelay(instance.nextDelayMs);
      instance.nextNotBeforeMs = this.#host.monotonicMs() + instance.nextDelayMs;
    }
    const follows = instance.current === run && record !== undefined && run.stop === undefined;
    if (instance.current === run) {
      instance.current = instance.next;
      instance.next = undefined;
    }
    const outcome = follows && instance.current === undefined ? ownTroubleOutcome(record, at, error) : undefined;
    this.#keep({ type: "postponed", at, run: id, ...(outcome === undefined ? {} : { outcome }) });
  }

  #endedEntry(
    service: ServiceRecord,
    instance: LiveInstance,
    run: LiveRun,
    end: RunEnd,
    outcome: (Outcome & { readonly counts?: boolean }) | undefined,
  ): void {
    const { counts, ...kept } = outcome ?? {};
    this.#keep({
      type: "ended",
      at: this.#host.now(),
      run: run.id,
      end,
      ...(outcome === undefined ? {} : { outcome: kept as Outcome }),
      ...(counts === undefined ? {} : { counts }),
    });
    if (outcome?.kind === "again" && outcome.isExhausted && counts === true)
      this.#host.exhausted(service.plan, instance.number, outcome.reason);
    if (outcome?.kind === "failed") this.#host.exhausted(service.plan, instance.number, outcome.reason);
  }

  #outcome(
    service: ServiceRecord,
    record: InstanceRecord,
    run: LiveRun,
    end: RunEnd,
  ): Outcome & { readonly counts?: boolean } {
    const { plan } = service;
    const now = this.#host.now();
    const reason = run.stop?.why ?? endSentence(end);
    const isOk = run.stop === undefined && end.code !== null && plan.successCodes.includes(end.code);
    if (plan.restart === "temporary" || (plan.restart === "transient" && isOk)) return { kind: "done", isOk, reason };
    const wasHealthy = run.readyAt !== undefined && now - run.readyAt >= plan.backoff.resetAfterMs;
    const isExhausted = record.isExhausted && !wasHealthy;
    const recent = wasHealthy ? [] : record.restartsAt.filter((at) => Math.abs(now - at) <= plan.periodMs);
    if (isExhausted || recent.length >= plan.maxRestarts) {
      if (plan.exhausted.policy === "failed")
        return {
          kind: "failed",
          reason: `${reason}; ${plan.maxRestarts} restarts within ${plan.periodMs} ms are used up`,
        };
      const delayMs = plan.exhausted.retryEveryMs;
      return { kind: "again", notBeforeAt: now + delayMs, delayMs, isExhausted: true, reason, counts: !isExhausted };
    }
    const attempts = wasHealthy ? 0 : record.attempts;
    // Whoever was well until now need not wait; only a second failure says that waiting may help.
    const delayMs = attempts === 0 ? 0 : backoffDelay(plan.backoff, attempts - 1, this.#host.random());
    return { kind: "again", notBeforeAt: now + delayMs, delayMs, isExhausted: false, reason, counts: true };
  }

  /** The new version does not work: the old one goes on. */
  #holdBack(service: ServiceRecord, instance: LiveInstance, run: LiveRun, end: RunEnd): void {
    const reason = run.stop?.why ?? endSentence(end);
    this.#keep({
      type: "heldBack",
      at: this.#host.now(),
      service: service.plan.name,
      instance: instance.number,
      key: run.key,
      reason,
    });
  }

  #forgiveWhenHealthy(service: ServiceRecord, { current, number }: LiveInstance, record: InstanceRecord): void {
    if (record.outcome === undefined && record.attempts === 0 && !record.isExhausted) return;
    if (current?.readyAt === undefined || current.stop !== undefined || current.isHealthy === false) return;
    const dueAt = current.readyAt + service.plan.backoff.resetAfterMs;
    if (dueAt > this.#host.now()) return this.#wake(service.plan.name, dueAt);
    this.#keep({ type: "recovered", at: this.#host.now(), service: service.plan.name, instance: number });
  }

  // --- jobs ---

  #fire(service: ServiceRecord): void {
    const { plan, firedAt, scheduledAt } = service;
    if (plan.schedule === undefined || service.target === "down" || service.isRemoved || this.record.isDown) return;
    const now = this.#host.now();
    const runs = this.#allOf(service).flatMap((each) => runsOf(each));
    if (service.isQueued === true && runs.length === 0) this.#keepFired(service, firedAt ?? now, "run");
    const dueAt = this.#host.nextDue(plan, service.firedAt ?? scheduledAt ?? now, now);
    if (dueAt === undefined) return;
    if (dueAt > now) return this.#wake(plan.name, Math.min(dueAt, now + lookAgainMs));
    const { overlap } = plan.schedule;
    if (runs.length === 0) return this.#keepFired(service, dueAt, "run");
    if (overlap === "queue") return this.#keepFired(service, dueAt, "queue");
    if (overlap === "skip") {
      const sentence = "its time came while it was still running, and was left out";
      this.#keep({ type: "note", at: now, service: plan.name, sentence });
      return this.#keepFired(service, dueAt, "skip");
    }
    for (const run of runs) this.#stop(service, run, "its next time has come");
    this.#keepFired(service, dueAt, "run");
  }

  #keepFired(service: ServiceRecord, dueAt: number, how: "run" | "skip" | "queue"): void {
    this.#keep({ type: "fired", at: this.#host.now(), service: service.plan.name, dueAt, how });
  }

  // --- dependencies ---

  /** What a service waits for; undefined when it may start. */
  #unmet(plan: ServicePlan): string | undefined {
    for (const { sentence } of this.unmetOf(plan)) return sentence;
    return undefined;
  }

  /** Each dependency that does not fulfil its condition. */
  *unmetOf(plan: ServicePlan): Generator<{ readonly dependency: DependencyPlan; readonly sentence: string }> {
    for (const dependency of plan.dependsOn) {
      const missing = this.#missing(dependency);
      if (missing !== undefined) yield { dependency, sentence: `waits for ${dependency.name}, which ${missing}` };
    }
  }

  /** Why a dependency does not fulfil its condition: the words after its name. */
  #missing({ name, condition }: DependencyPlan): string | undefined {
    const service = this.record.services.get(name);
    if (service === undefined) return "does not exist";
    const instances = this.#allOf(service).filter(({ number }) => number <= service.plan.instances);
    if (instances.length === 0) return "has no instance";
    if (condition === "exitedOk") {
      return instances.every(({ number }) => hasEndedWell(service.instances.get(number)))
        ? undefined
        : "has not ended well yet";
    }
    const runs = instances.map(({ current }) => current);
    const isUp = (run: LiveRun | undefined): run is LiveRun =>
      run !== undefined && run.phase !== "asked" && run.stop === undefined;
    if (condition === "started") return runs.every(isUp) ? undefined : "has not started";
    if (!runs.every((run) => isUp(run) && run.phase === "ready")) return "is not ready";
    if (condition === "healthy" && service.plan.live !== undefined && !runs.every((run) => run?.isHealthy === true))
      return "is not healthy yet";
    return undefined;
  }

  /** Which life of a service it is: it grows when the service is started again. */
  #generation(name: string): number {
    return this.#liveOf(name).get(1)?.current?.number ?? this.record.lastRuns.get(`${name}.1`) ?? 0;
  }

  // --- recovery ---

  #recoverOne(found: RecoveredRun, isNewest: boolean): void {
    const { service: name, instance: number } = found;
    const service = this.record.services.get(name);
    const known = service?.instances.get(number)?.runs.find(({ id }) => id === found.id);
    if (known?.end !== undefined) return this.#host.forget(found.id);
    // Its end was known so long ago that it is not remembered any more.
    const isOld =
      known === undefined && runParts(found.id).number <= (this.record.lastRuns.get(`${name}.${number}`) ?? 0);
    if (isOld && found.state === "ended") return this.#host.forget(found.id);
    if (service === undefined) {
      if (found.state === "ended") this.#host.forget(found.id);
      else this.#host.kill(found.id); // of a service that is gone, as far as an acknowledged operation said
      return;
    }
    const parts = runParts(found.id);
    const run: RunRecord = known ?? {
      id: found.id,
      number: parts.number,
      key: runKey(service.plan),
      dependencies: {},
      startedAt: found.startedAt,
    };
    if (known === undefined) this.#keep({ type: "begun", at: found.startedAt, service: name, instance: number, run });
    const live = this.#adopt(service, number, run);
    if (found.state === "ended") {
      if (found.identity !== undefined) live.osPid = found.identity.osPid;
      // What never began, or ended with the machine, did not fail; and what has a successor already has been dealt with.
      const isBlameless = !isNewest || (found.end.lost !== undefined && found.isBlameless);
      return this.#runEnded(found.id, found.end, isBlameless ? "nobody" : "service");
    }
    live.osPid = found.identity.osPid;
    live.phase = run.readyAt === undefined ? "running" : "ready";
    if (known?.osPid === undefined)
      this.#keep({ type: "running", at: this.#host.now(), run: run.id, osPid: live.osPid });
    const instance = this.#instance(name, number);
    if (live.stop !== undefined) this.#askToStop(live, service.plan);
    else if (live.phase === "running") this.#beginChecks(service, instance, live);
    else if (service.plan.live !== undefined) this.#host.watchOver(live, service.plan, number);
  }

  #adopt(service: ServiceRecord, number: number, run: RunRecord): LiveRun {
    const { id, key, dependencies, startedAt, readyAt, stopping } = run;
    const live: LiveRun = {
      id,
      number: run.number,
      key,
      dependencies,
      startedAt,
      phase: "asked",
      ...(readyAt === undefined ? {} : { readyAt }),
    };
    if (stopping !== undefined) {
      const { why, isFailure, drains } = stopping;
      live.stop = { why, isFailure, drains, killDueMs: this.#killDueMs(service.plan, drains), isKilled: false };
    }
    const instance = this.#instance(service.plan.name, number);
    const other = instance.current;
    if (live.stop?.drains === true) instance.draining.add(live);
    else if (other === undefined) instance.current = live;
    else if (other.number < live.number) instance.next = live;
    else {
      instance.current = live;
      instance.next = other;
    }
    return live;
  }

  // --- what a person sees ---

  #show(service: ServiceRecord, instance: LiveInstance): void {
    const { state, reason } = this.#stateOf(service, instance);
    const before = instance.state;
    instance.state = state;
    instance.reason = reason;
    const { current } = instance;
    // These two count down in their reason.
    const why = state === "backoff" || state === "degraded" ? "" : (reason ?? "");
    const shown = `${state} ${current?.id ?? ""} ${current?.osPid ?? ""} ${why}`;
    if (shown === instance.shown) return;
    instance.shown = shown;
    this.#host.changed(service, instance, before);
  }

  #stateOf(
    service: ServiceRecord,
    instance: LiveInstance,
  ): { readonly state: InstanceState; readonly reason: string | undefined } {
    const { current, next, draining } = instance;
    const record = service.instances.get(instance.number);
    if (current !== undefined) {
      if (current.stop !== undefined) return { state: "stopping", reason: current.stop.why };
      if (current.phase === "ready") return { state: "ready", reason: readyReason(current, next, record) };
      return {
        state: "starting",
        reason: record?.outcome?.kind === "again" ? `after: ${record.outcome.reason}` : undefined,
      };
    }
    if (draining.size > 0) return { state: "stopping", reason: undefined };
    const outcome = record?.outcome;
    if (outcome?.kind === "failed") return { state: "failed", reason: outcome.reason };
    if (!this.#isWanted(service, instance.number)) {
      if (service.plan.schedule !== undefined && service.target === "up" && !this.record.isDown)
        return { state: "scheduled", reason: outcome?.reason };
      return outcome?.kind === "done" && !outcome.isOk
        ? { state: "failed", reason: outcome.reason }
        : { state: "stopped", reason: outcome?.reason };
    }
    const unmet = this.#unmet(service.plan);
    if (unmet !== undefined) return { state: "waiting", reason: unmet };
    if (outcome?.kind === "again") {
      const inTime = spanText(Math.max(0, this.#dueAt(record!) - this.#host.now()));
      const when = `tried again ${outcome.isExhausted ? "slowly, " : ""}in ${inTime}`;
      return { state: outcome.isExhausted ? "degraded" : "backoff", reason: `${outcome.reason}; ${when}` };
    }
    return { state: "waiting", reason: undefined };
  }

  // --- small things ---

  #keep(entry: Entry): void {
    foldInto(this.record, entry);
    this.#touchFor(entry);
    this.#host.keep(entry);
  }

  #wake(name: string, at: number): void {
    this.#wakes.set(name, Math.min(at, this.#wakes.get(name) ?? at));
  }

  #findRun(
    id: RunId,
  ): { readonly service: ServiceRecord; readonly instance: LiveInstance; readonly run: LiveRun } | undefined {
    const { service: name, instance: number } = runParts(id);
    const service = this.record.services.get(name);
    const instance = this.#live.get(name)?.get(number);
    const run = instance === undefined ? undefined : runsOf(instance).find((each) => each.id === id);
    return service === undefined || instance === undefined || run === undefined
      ? undefined
      : { service, instance, run };
  }

  #liveOf(name: string): Map<number, LiveInstance> {
    let instances = this.#live.get(name);
    if (instances === undefined) this.#live.set(name, (instances = new Map()));
    return instances;
  }

  #instance(name: string, number: number): LiveInstance {
    const instances = this.#liveOf(name);
    let instance = instances.get(number);
    if (instance === undefined) instances.set(number, (instance = liveInstance(name, number)));
    return instance;
  }

  /** Every instance that is to be, or of which something runs. */
  #allOf(service: ServiceRecord): LiveInstance[] {
    return [...service.instances.keys()].map((number) => this.#instance(service.plan.name, number));
  }
}

/** The clock may be set, so a job's time is looked at again after this, in milliseconds. */
export const lookAgainMs = 3_600_000;

function hasEndedWell(record: InstanceRecord | undefined): boolean {
  return record?.outcome?.kind === "done" && record.outcome.isOk;
}

/** How long a run that is told to end has; undefined: for ever. */
function patienceMs({ shutdown, drainMs }: ServicePlan, drains: boolean): number | undefined {
  if (drains) return drainMs;
  if (shutdown === "infinity") return undefined;
  return shutdown === "brutal" ? 0 : shutdown;
}

function hasRuns(instance: LiveInstance | undefined): boolean {
  return (
    (instance !== undefined && (instance.current ?? instance.next) !== undefined) || (instance?.draining.size ?? 0) > 0
  );
}

function stopReason(service: ServiceRecord, isDown: boolean): string {
  if (isDown) return "the system is stopped";
  return service.isRemoved
    ? "it is removed"
    : service.target === "down"
      ? "somebody stopped it"
      : "there are fewer instances now";
}

function renewReason(service: ServiceRecord, run: LiveRun): string {
  return run.key === runKey(service.plan) ? "it is started again" : "its config has changed";
}

function readyReason(
  current: LiveRun,
  next: LiveRun | undefined,
  record: InstanceRecord | undefined,
): string | undefined {
  if (next !== undefined) return `${next.id} is to take its place`;
  if (record?.heldBack !== undefined)
    return `the older version goes on; the new one did not become ready: ${record.heldBack.reason}`;
  return current.says;
}

/** When colos, which was short of something, tries again. What the service's failures have led to stays. */
function ownTroubleOutcome({ outcome, isExhausted }: InstanceRecord, at: number, error: RunStartError): Outcome {
  const isAgain = outcome?.kind === "again" && outcome.isOwnTrouble === true;
  const delayMs = longerDelay(isAgain ? outcome.delayMs : undefined);
  const reason = `colos itself is short of something, which is not the service's failure: ${error.message}`;
  return { kind: "again", notBeforeAt: at + delayMs, delayMs, isExhausted, reason, isOwnTrouble: true };
}

/** The wait after one of so many milliseconds. */
function longerDelay(delayMs: number | undefined): number {
  return delayMs === undefined ? ownTroubleRetryMs : Math.min(2 * delayMs, ownTroubleRetryMaxMs);
}

/** For people: how a run ended. */
export function endSentence({ code, signal, lost, because }: RunEnd): string {
  if (lost !== undefined) return lost;
  const how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  return because === undefined ? how : `${how}: ${because}`;
}
