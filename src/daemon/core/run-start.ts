/**
 * Run start: decides when a run of an instance begins: it is wanted, nothing of it runs, its dependencies fulfil their
 * conditions and its delay is over. With a standby it is the standby's turn, otherwise a new OS process is started.
 *
 * @module
 */
import { firstUnmet } from "./dependencies.ts";
import type { LiveInstance, LiveRun } from "./live.ts";
import { dueAt } from "./outcome.ts";
import type { InstanceRecord, RunRecord, ServiceRecord } from "./record.ts";
import { runId } from "./run-id.ts";
import { runKey, standbyKey } from "./run-key.ts";
import type { Situation } from "./situation.ts";
import { isOutdated } from "./stale.ts";
import { promote } from "./standby-turn.ts";

/** Starts what is to run, and forgives what has been well for long enough. */
export function reconcileStart(situation: Situation, service: ServiceRecord, instance: LiveInstance): void {
  const record = service.instances.get(instance.number);
  if (record === undefined) return;
  forgiveWhenHealthy(situation, service, instance, record);
  if (instance.current !== undefined || !situation.isWanted(service, instance.number)) return;
  if (firstUnmet(situation, service.plan) !== undefined) return;
  const now = situation.host.now();
  const at = dueAt(record, now);
  if (at > now) return situation.wake(service.plan.name, at);
  const { standby } = instance;
  if (standby === undefined || isOutdated(situation, service, instance, standby)) {
    instance.current = beginRun(situation, service, instance, record);
  } else if (standby.phase !== "asked") {
    promote(situation, service, instance, standby);
  }
}

/** A new run, which the host starts. */
export function beginRun(
  situation: Situation,
  service: ServiceRecord,
  instance: LiveInstance,
  record: InstanceRecord,
): LiveRun {
  if (record.outcome?.kind !== "again") instance.reason = undefined;
  return startRun(situation, service, instance, {});
}

/** Asks for an OS process. */
export function startRun(
  situation: Situation,
  { plan }: ServiceRecord,
  { number: instance }: LiveInstance,
  standby: Pick<RunRecord, "isStandby">,
): LiveRun {
  const at = situation.host.now();
  const number = situation.lastRun(plan.name, instance) + 1;
  const dependencies = situation.generations(plan);
  const id = runId(plan.name, instance, number);
  const key = standby.isStandby === true ? standbyKey(plan) : runKey(plan);
  const run: RunRecord = { id, number, key, dependencies, startedAt: at, ...standby };
  situation.keep({ type: "begun", at, service: plan.name, instance, run });
  const isStandby = standby.isStandby === true;
  const live: LiveRun = { id, number, key, startedAt: at, dependencies, isStandby, phase: "asked" };
  situation.host.start(live, plan, instance);
  return live;
}

function forgiveWhenHealthy(
  situation: Situation,
  service: ServiceRecord,
  { current, number }: LiveInstance,
  record: InstanceRecord,
): void {
  if (record.outcome === undefined && record.attempts === 0 && !record.isExhausted) return;
  if (current?.readyAt === undefined || current.stop !== undefined || current.isHealthy === false) return;
  const now = situation.host.now();
  const healthyAt = current.readyAt + service.plan.backoff.resetAfterMs;
  if (healthyAt > now) return situation.wake(service.plan.name, healthyAt);
  situation.keep({ type: "recovered", at: now, service: service.plan.name, instance: number });
}
