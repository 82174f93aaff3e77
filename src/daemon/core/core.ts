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

/** How long the core waits when colos itself is short of something, in milliseconds. */
export const ownTroubleRetryMs = 1_000;

/** What the core tells. No call may call back into the core at once. */
export interface CoreHost {
  /** Epoch milliseconds. */
  now(): number;
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
  /** The state of an instance is another. */
  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void;
  /** `wake` is to be called then, instead of at any time said before. */
  wakeAt(at: number | undefined): void;
  /** When a job is due that was due at `lastAt`, as `nextDue` of control/schedule.ts. */
  nextDue(plan: ServicePlan, lastAt: number, now: number): number | undefined;
}

/** Whose failure the end of a run is. */
type Blame = "service" | "colos" | "nobody";

export class Core {
  readonly record: SystemRecord;
  readonly #host: CoreHost;
  readonly #live = new Map<string, Map<number, LiveInstance>>();
  /** Nothing starts any more. */
  #isEnding = false;
  #wakeAt: number | undefined;
  /** Before it is known what runs already, nothing is decided. */
  #hasRecovered = false;

  constructor(record: SystemRecord, host: CoreHost) {
    this.record = record;
    this.#host = host;
  }

  // --- what there is ---

  /** The live instances of a service, by number. */
  live(service: ServiceRecord): LiveInstance[] {
    const known = this.#liveOf(service.plan.name);
    const numbers = [...service.instances.keys()].filter(
      (number) => number <= service.plan.instances || known.get(number)?.current !== undefined,
    );
    return numbers.toSorted((a, b) => a - b).map((number) => this.#instance(service.plan.name, number));
  }

  /** When a job runs next. */
  nextTime(service: ServiceRecord): number | undefined {
    const now = this.#host.now();
    return this.#host.nextDue(service.plan, service.firedAt ?? service.scheduledAt ?? now, now);
  }

  /** Nothing is to be started any more, until the daemon ends. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Whether nothing runs. */
  get isIdle(): boolean {
    for (const instances of this.#live.values())
      for (const each of instances.values()) if (runsOf(each).length > 0) return false;
    return true;
  }

  // --- what happens ---

  /** Takes over what earlier daemons left. Called once, first. */
  recover(found: readonly RecoveredRun[]): void {
    for (const run of found) this.#recoverOne(run);
    // What the journal believes to run and nobody found has ended unseen.
    for (const service of this.record.services.values()) {
      for (const [number, instance] of service.instances) {
        for (const run of instance.runs) {
          if (run.end !== undefined || this.#findRun(run.id) !== undefined) continue;
          const end = { code: null, signal: null, at: this.#host.now(), lost: "nothing of it was found" };
          this.#adopt(service, number, run);
          this.#runEnded(run.id, end, run.osPid === undefined ? "nobody" : "service");
        }
      }
    }
    this.#hasRecovered = true;
    this.reconcile();
  }

  /** Entries that an operation has kept are taken into the record, and acted on. */
  commit(entries: readonly Entry[]): void {
    for (const entry of entries) foldInto(this.record, entry);
    this.reconcile();
  }

  /** Everything is stopped, in reverse order, and stays so while this daemon lives. */
  end(): void {
    this.#isEnding = true;
    this.reconcile();
  }

  started(id: RunId, osPid: number): void {
    const found = this.#findRun(id);
    if (found === undefined || found.run.phase !== "asked") return;
    const { service, instance, run } = found;
    run.phase = "running";
    run.osPid = osPid;
    this.#keep({ type: "running", at: this.#host.now(), run: id, osPid });
    if (run.stop !== undefined) this.#askToStop(run, service.plan);
    else this.#beginChecks(service, instance, run);
    this.reconcile();
  }

  startFailed(id: RunId, error: RunStartError): void {
    const at = this.#host.now();
    const lost = `did not start: ${error.message}`;
    this.#runEnded(id, { code: null, signal: null, at, lost }, error.isOwnTrouble ? "colos" : "service");
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

  notReady(id: RunId, why: string): void {
    this.#stopAsFailed(id, why);
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
    this.reconcile();
  }

  /** What the run says of itself. */
  says(id: RunId, text: string): void {
    const found = this.#findRun(id);
    if (found !== undefined) found.run.says = text;
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
    this.#wakeAt = undefined;
    this.reconcile();
  }

  // --- decisions ---

  /** Looks at everything and does what is due. */
  reconcile(): void {
    if (!this.#hasRecovered) return;
    const services = [...this.record.services.values()];
    this.#wakeAt = undefined;
    for (const service of services) this.#fire(service);
    // Dependents first, so that those they wait for may stop in the same pass.
    for (const service of services.toReversed())
      for (const instance of this.#allOf(service)) this.#reconcileStop(service, instance);
    for (const service of services) {
      for (const instance of this.#allOf(service)) this.#reconcileStart(service, instance);
      this.#renewNext(service);
      for (const instance of this.#allOf(service)) this.#show(service, instance);
      if (service.isRemoved && this.#allOf(service).every((each) => runsOf(each).length === 0)) {
        this.#keep({ type: "gone", at: this.#host.now(), service: service.plan.name });
        this.#live.delete(service.plan.name);
      }
    }
    this.#host.wakeAt(this.#wakeAt);
  }

  #isWanted(service: ServiceRecord, number: number): boolean {
    if (this.#isEnding || service.target === "down" || service.isRemoved || number > service.plan.instances)
      return false;
    const record = service.instances.get(number);
    if (record === undefined) return false;
    if (service.plan.schedule !== undefined) return !record.isAtRest;
    return record.outcome === undefined || record.outcome.kind === "again";
  }

  #reconcileStop(service: ServiceRecord, instance: LiveInstance): void {
    const { plan } = service;
    for (const run of runsOf(instance)) if (run.stop !== undefined) this.#killWhenDue(run);
    if (!this.#isWanted(service, instance.number)) {
      const holder = this.#stopsFirst(service);
      if (holder === undefined)
        for (const run of runsOf(instance)) this.#stop(service, run, stopReason(service, this.#isEnding));
      return;
    }
    const { current } = instance;
    if (current === undefined || current.stop !== undefined) return;
    for (const dependency of plan.dependsOn) {
      if (dependency.onEnd === "ignore") continue;
      const missing = this.#missing(dependency);
      if (dependency.onEnd === "stop" && missing !== undefined) {
        return this.#stop(service, current, `${dependency.name} has ended: ${missing}`);
      }
      const number = this.#generation(dependency.name);
      if (
        dependency.onEnd === "restart" &&
        missing === undefined &&
        number > (current.dependencies[dependency.name] ?? number)
      ) {
        return this.#stop(service, current, `${dependency.name} was started again`);
      }
    }
  }

  /** A dependent that is being stopped too, and is not gone yet. */
  #stopsFirst(service: ServiceRecord): string | undefined {
    for (const other of this.record.services.values()) {
      if (!other.plan.dependsOn.some(({ name }) => name === service.plan.name)) continue;
      const runs = this.#allOf(other).filter((each) => runsOf(each).length > 0 && !this.#isWanted(other, each.number));
      if (runs.length > 0) return other.plan.name;
    }
    return undefined;
  }

  #reconcileStart(service: ServiceRecord, instance: LiveInstance): void {
    const record = service.instances.get(instance.number);
    if (record === undefined) return;
    this.#forgiveWhenHealthy(service, instance, record);
    if (instance.current !== undefined || !this.#isWanted(service, instance.number)) return;
    if (this.#unmet(service.plan) !== undefined) return;
    const dueAt = this.#dueAt(record);
    if (dueAt > this.#host.now()) return this.#wake(dueAt);
    instance.current = this.#begin(service, instance, record);
  }

  /** A clock that was set back may not prolong a wait. */
  #dueAt({ outcome }: InstanceRecord): number {
    if (outcome?.kind !== "again") return 0;
    return Math.min(outcome.notBeforeAt, this.#host.now() + outcome.delayMs);
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
    if (this.#unmet(plan) === undefined) stale.next = this.#begin(service, stale, service.instances.get(stale.number)!);
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
    if (stop === undefined || stop.isKilled || stop.killAt === undefined || run.phase === "asked") return;
    if (stop.killAt > this.#host.now()) return this.#wake(stop.killAt);
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
    run.stop = { why, isFailure, drains, killAt: killAt(service.plan, at, drains), isKilled: false };
    this.#host.endChecks(run.id);
    if (run.phase !== "asked") this.#askToStop(run, service.plan);
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
      this.#endedEntry(
        service,
        instance,
        run,
        end,
        follows ? this.#outcome(service, record, run, end, blame) : undefined,
      );
    } else {
      const wasNext = instance.next === run;
      if (wasNext) instance.next = undefined;
      instance.draining.delete(run);
      this.#endedEntry(service, instance, run, end, undefined);
      if (wasNext && (run.stop === undefined || run.stop.isFailure)) this.#holdBack(service, instance, run, end);
    }
    this.#host.forget(id);
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
    blame: Blame,
  ): Outcome & { readonly counts?: boolean } {
    const { plan } = service;
    const now = this.#host.now();
    const reason = run.stop?.why ?? endSentence(end);
    if (blame === "colos") {
      const { isExhausted } = record;
      return {
        kind: "again",
        notBeforeAt: now + ownTroubleRetryMs,
        delayMs: ownTroubleRetryMs,
        isExhausted,
        reason: `colos itself is short of something, which is not the service's failure: ${reason}`,
      };
    }
    const isOk = run.stop === undefined && end.code !== null && plan.successCodes.includes(end.code);
    if (plan.restart === "temporary" || (plan.restart === "transient" && isOk)) return { kind: "done", isOk, reason };
    const wasHealthy = run.readyAt !== undefined && now - run.readyAt >= plan.backoff.resetAfterMs;
    const isExhausted = record.isExhausted && !wasHealthy;
    const recent = wasHealthy ? [] : record.restartsAt.filter((at) => now - at <= plan.periodMs);
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
    if (dueAt > this.#host.now()) return this.#wake(dueAt);
    this.#keep({ type: "recovered", at: this.#host.now(), service: service.plan.name, instance: number });
  }

  // --- jobs ---

  #fire(service: ServiceRecord): void {
    const { plan, firedAt, scheduledAt } = service;
    if (plan.schedule === undefined || service.target === "down" || service.isRemoved || this.#isEnding) return;
    const now = this.#host.now();
    const runs = this.#allOf(service).flatMap((each) => runsOf(each));
    if (service.isQueued === true && runs.length === 0) this.#keepFired(service, firedAt ?? now, "run");
    const dueAt = this.#host.nextDue(plan, service.firedAt ?? scheduledAt ?? now, now);
    if (dueAt === undefined) return;
    if (dueAt > now) return this.#wake(Math.min(dueAt, now + lookAgainMs));
    this.#wake(now);
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
    for (const dependency of plan.dependsOn) {
      const missing = this.#missing(dependency);
      if (missing !== undefined) return `waits for ${dependency.name}, which ${missing}`;
    }
    return undefined;
  }

  /** Why a dependency does not fulfil its condition: the words after its name. */
  #missing({ name, condition }: DependencyPlan): string | undefined {
    const service = this.record.services.get(name);
    if (service === undefined) return "does not exist";
    const instances = this.#allOf(service).filter(({ number }) => number <= service.plan.instances);
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

  #recoverOne(found: RecoveredRun): void {
    const { service: name, instance: number } = found;
    const service = this.record.services.get(name);
    const known = service?.instances.get(number)?.runs.find(({ id }) => id === found.id);
    if (known?.end !== undefined) return this.#host.forget(found.id);
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
      // What never began, or ended with the machine, did not fail.
      return this.#runEnded(
        found.id,
        found.end,
        found.end.lost !== undefined && found.isBlameless ? "nobody" : "service",
      );
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
      live.stop = { why, isFailure, drains, killAt: killAt(service.plan, this.#host.now(), drains), isKilled: false };
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
    instance.reason = reason;
    if (state === before) return;
    instance.state = state;
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
      if (service.plan.schedule !== undefined && service.target === "up")
        return { state: "scheduled", reason: outcome?.reason };
      return outcome?.kind === "done" && !outcome.isOk
        ? { state: "failed", reason: outcome.reason }
        : { state: "stopped", reason: outcome?.reason };
    }
    const unmet = this.#unmet(service.plan);
    if (unmet !== undefined) return { state: "waiting", reason: unmet };
    if (outcome?.kind === "again") {
      const when = `tried again ${outcome.isExhausted ? "slowly, " : ""}in ${Math.max(0, this.#dueAt(record!) - this.#host.now())} ms`;
      return { state: outcome.isExhausted ? "degraded" : "backoff", reason: `${outcome.reason}; ${when}` };
    }
    return { state: "waiting", reason: undefined };
  }

  // --- small things ---

  #keep(entry: Entry): void {
    foldInto(this.record, entry);
    this.#host.keep(entry);
  }

  #wake(at: number): void {
    if (this.#wakeAt === undefined || at < this.#wakeAt) this.#wakeAt = at;
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

function killAt(plan: ServicePlan, at: number, drains: boolean): number | undefined {
  if (drains) return at + plan.drainMs;
  if (plan.shutdown === "infinity") return undefined;
  return plan.shutdown === "brutal" ? at : at + plan.shutdown;
}

function stopReason(service: ServiceRecord, isEnding: boolean): string {
  if (isEnding) return "the system is stopped";
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

/** For people: how a run ended. */
export function endSentence({ code, signal, lost, because }: RunEnd): string {
  if (lost !== undefined) return lost;
  const how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  return because === undefined ? how : `${how}: ${because}`;
}
