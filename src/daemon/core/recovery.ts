/**
 * Recovery: decides what the runs that earlier daemons left are, from the record and from what was found of them.
 *
 * @module
 */
import type { RecoveredRun } from "../run/run.ts";
import { takeTime } from "./job-times.ts";
import type { LiveRun } from "./live.ts";
import { runParts, type InstanceRecord, type RunRecord, type ServiceRecord } from "./record.ts";
import { isStale, takeOver } from "./renewal.ts";
import { endRun } from "./run-end.ts";
import { runKey } from "./run-key.ts";
import { askToStop, killDueMs } from "./run-stop.ts";
import type { Situation } from "./situation.ts";

/** Takes over what earlier daemons left. */
export function recoverRuns(situation: Situation, found: readonly RecoveredRun[]): void {
  // The oldest first: what follows of an instance is what the end of its newest run says.
  const inOrder = found.toSorted((a, b) => runParts(a.id).number - runParts(b.id).number);
  const newest = new Map(inOrder.map((run) => [`${run.service}.${run.instance}`, run.id]));
  for (const run of inOrder) recoverFound(situation, run, newest.get(`${run.service}.${run.instance}`) === run.id);
  for (const service of situation.record.services.values()) {
    for (const [number, instance] of service.instances) recoverUnfound(situation, service, number, instance);
    for (const instance of situation.instancesOf(service)) {
      // The daemon was killed between the two steps of a renewal.
      if (instance.next?.phase === "ready") takeOver(situation, service, instance, instance.next);
    }
  }
}

/** What the journal believes to run and nobody found has ended unseen: nothing says that the service failed. */
function recoverUnfound(situation: Situation, service: ServiceRecord, number: number, { runs }: InstanceRecord): void {
  for (const run of runs) {
    if (run.end !== undefined || situation.findRun(run.id) !== undefined) continue;
    const end = { code: null, signal: null, at: situation.host.now(), lost: "nothing of it was found" };
    adopt(situation, service, number, run);
    endRun(situation, run.id, end, "nobody");
  }
}

function recoverFound(situation: Situation, found: RecoveredRun, isNewest: boolean): void {
  const { service: name, instance: number } = found;
  const { record, host } = situation;
  const service = record.services.get(name);
  const known = service?.instances.get(number)?.runs.find(({ id }) => id === found.id);
  if (known?.end !== undefined) return host.forget(found.id);
  // Its end was known so long ago that it is not remembered any more.
  const isOld = known === undefined && runParts(found.id).number <= (record.lastRuns.get(`${name}.${number}`) ?? 0);
  if (isOld && found.state === "ended") return host.forget(found.id);
  if (service === undefined) {
    if (found.state === "ended") host.forget(found.id);
    else host.kill(found.id); // of a service that is gone, as far as an acknowledged operation said
    return;
  }
  const run = known ?? unknownRun(service, found);
  if (known === undefined) {
    takeTime(situation, service, found.startedAt);
    situation.keep({ type: "begun", at: found.startedAt, service: name, instance: number, run });
  }
  const live = adopt(situation, service, number, run);
  if (found.state === "ended") {
    if (found.identity !== undefined) live.osPid = found.identity.osPid;
    // What never began, or ended with the machine, did not fail; and what has a successor already has been dealt with.
    const isBlameless =
      !isNewest || (found.end.lost !== undefined && found.isBlameless) || wasToEnd(situation, service, number, live);
    return endRun(situation, found.id, found.end, isBlameless ? "nobody" : "service");
  }
  live.osPid = found.identity.osPid;
  live.phase = run.readyAt === undefined ? "running" : "ready";
  if (known?.osPid === undefined) situation.keep({ type: "running", at: host.now(), run: run.id, osPid: live.osPid });
  if (live.stop !== undefined) askToStop(situation, live, service.plan);
  else if (live.phase === "running") host.check(live, service.plan, number);
  else if (service.plan.live !== undefined) host.watchOver(live, service.plan, number);
}

/** The daemon that told it so may have been killed before it had written that down. */
function wasToEnd(situation: Situation, service: ServiceRecord, number: number, run: LiveRun): boolean {
  const instance = situation.instance(service.plan.name, number);
  if (run.stop !== undefined || instance.current !== run) return false;
  return !situation.isWanted(service, number) || isStale(service, instance);
}

function unknownRun(service: ServiceRecord, { id, startedAt }: RecoveredRun): RunRecord {
  return { id, number: runParts(id).number, key: runKey(service.plan), dependencies: {}, startedAt };
}

/** Gives a run the place in its instance that it had. */
function adopt(situation: Situation, service: ServiceRecord, number: number, run: RunRecord): LiveRun {
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
    const { why, isFailure, drains, isTold = false } = stopping;
    const dueMs = killDueMs(situation, service.plan, drains);
    live.stop = { why, isFailure, drains, killDueMs: dueMs, isTold, isKilled: false };
  }
  const instance = situation.instance(service.plan.name, number);
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
