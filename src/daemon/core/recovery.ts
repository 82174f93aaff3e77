/**
 * Recovery: decides what the runs that earlier daemons left are, from the record and from what was found of them.
 *
 * @module
 */
import type { RecoveredRun, RunId } from "../run/run.ts";
import { takeTime } from "./job-times.ts";
import type { LiveInstance, LiveRun } from "./live.ts";
import type { InstanceRecord, RunRecord, ServiceRecord } from "./record.ts";
import { runParts } from "./run-id.ts";
import { takeOver } from "./renewal.ts";
import { endRun } from "./run-end.ts";
import { runKey, standbyKey } from "./run-key.ts";
import { askToStop, killDueMs, stopRun } from "./run-stop.ts";
import type { Situation } from "./situation.ts";
import { isStale } from "./stale.ts";

/** Takes over what earlier daemons left. */
export function recoverRuns(situation: Situation, found: readonly RecoveredRun[]): void {
  // The oldest first: what follows of an instance is what the end of its newest run says.
  const inOrder = found.toSorted((a, b) => runParts(a.id).number - runParts(b.id).number);
  const runs = inOrder.filter((run) => !isWaiting(run, findRecord(situation, run)));
  const succeeded = succeededIn(situation, runs);
  const newestKnown = newestRuns(situation);
  for (const run of inOrder) recoverFound(situation, run, !succeeded.has(run.id), runs);
  for (const service of situation.record.services.values()) {
    for (const [number, instance] of service.instances) recoverUnfound(situation, service, number, instance);
    for (const instance of situation.instancesOf(service)) {
      // The daemon was killed between the two steps of a renewal.
      if (instance.next?.phase === "ready") takeOver(situation, service, instance, instance.next);
    }
  }
  for (const service of situation.record.services.values())
    for (const { current } of situation.instancesOf(service)) stopAfterLoss(situation, service, current, newestKnown);
}

/**
 * What a run needs has ended and begun again, and the daemon was killed before it had written down that the run is to be stopped for that.
 * That is written before what begins again: of a beginning that the journal knows everything follows that is to.
 */
function stopAfterLoss(
  situation: Situation,
  service: ServiceRecord,
  run: LiveRun | undefined,
  newestKnown: ReadonlyMap<string, number>,
): void {
  for (const { name, onEnd } of service.plan.dependsOn) {
    const before = run?.dependencies[name];
    if (run === undefined || onEnd !== "stop" || before === undefined || situation.generation(name) <= before) continue;
    const runs = situation.record.services.get(name)?.instances.get(1)?.runs ?? [];
    const isEnded = runs.some(({ number, end }) => number === before && end !== undefined);
    if (isEnded && (newestKnown.get(name) ?? 0) <= before) stopRun(situation, service, run, `${name} has ended`);
  }
}

/** The number of the newest run of each service's first instance that the journal knows to have begun; a standby has not. */
function newestRuns({ record }: Situation): ReadonlyMap<string, number> {
  const newest = ({ instances }: ServiceRecord): number =>
    Math.max(0, ...(instances.get(1)?.runs ?? []).map(({ number }) => number));
  return new Map([...record.services].map(([name, service]) => [name, newest(service)]));
}

/** Runs with a successor that the journal knows; what became of one whose standby's turn is on disk alone has not been written down. */
function succeededIn(situation: Situation, runs: readonly RecoveredRun[]): ReadonlySet<RunId> {
  const succeeded = new Set<RunId>();
  const places = new Set<string>();
  for (const run of runs.toReversed()) {
    const place = `${run.service}.${run.instance}`;
    if (places.has(place)) succeeded.add(run.id);
    if (findRecord(situation, run)?.isStandby !== true) places.add(place);
  }
  return succeeded;
}

/** What the journal believes to run and nobody found has ended unseen: nothing says that the service failed. */
function recoverUnfound(
  situation: Situation,
  service: ServiceRecord,
  number: number,
  { runs, standby }: InstanceRecord,
): void {
  for (const run of standby === undefined ? runs : [...runs, standby]) {
    if (run.end !== undefined || situation.findRun(run.id) !== undefined) continue;
    const end = { code: null, signal: null, at: situation.host.now(), lost: "nothing of it was found" };
    adopt(situation, service, number, run);
    endRun(situation, run.id, end, "nobody");
  }
}

function findRecord({ record }: Situation, { id, service, instance }: RecoveredRun): RunRecord | undefined {
  const known = record.services.get(service)?.instances.get(instance);
  return known?.standby?.id === id ? known.standby : known?.runs.find((run) => run.id === id);
}

/** Its turn has come when either says so: the daemon was killed before it could say it in the other place. */
function isWaiting(found: RecoveredRun, known: RunRecord | undefined): boolean {
  return found.isStandby === true && (known === undefined || known.isStandby === true);
}

function recoverFound(
  situation: Situation,
  found: RecoveredRun,
  isNewest: boolean,
  runs: readonly RecoveredRun[],
): void {
  const { service: name, instance: number } = found;
  const { record, host } = situation;
  const service = record.services.get(name);
  const known = findRecord(situation, found);
  if (known?.end !== undefined) return host.forget(found.id);
  // Its end was known so long ago that it is not remembered any more.
  const isOld = known === undefined && runParts(found.id).number <= situation.lastRun(name, number);
  if (isOld && found.state === "ended") return host.forget(found.id);
  if (service === undefined) {
    if (found.state === "ended") host.forget(found.id);
    else host.kill(found.id); // of a service that is gone, as far as an acknowledged operation said
    return;
  }
  const live = adopt(situation, service, number, recordedRun(situation, service, found, known, runs));
  if (found.state === "ended") {
    if (found.identity !== undefined) live.osPid = found.identity.osPid;
    // What never began, or ended with the machine, did not fail; and what has a successor already has been dealt with.
    const isBlameless =
      !(isNewest || live.isStandby) ||
      (found.end.lost !== undefined && found.isBlameless) ||
      wasToEnd(situation, service, number, live);
    return endRun(situation, found.id, found.end, isBlameless ? "nobody" : "service");
  }
  live.osPid = found.identity.osPid;
  live.phase = live.readyAt === undefined ? "running" : "ready";
  if (known?.osPid === undefined) situation.keep({ type: "running", at: host.now(), run: live.id, osPid: live.osPid });
  resume(situation, service, number, live, found);
}

/** The disk of the daemon that told it so may have taken nothing, and what else could it have ended by. */
function wasToEnd(situation: Situation, service: ServiceRecord, number: number, run: LiveRun): boolean {
  const instance = situation.instance(service.plan.name, number);
  if (run.stop !== undefined || instance.current !== run) return false;
  return !situation.isWanted(service, number) || isStale(service, instance);
}

/** The record of a run, which says the same as what was found of it. */
function recordedRun(
  situation: Situation,
  service: ServiceRecord,
  found: RecoveredRun,
  known: RunRecord | undefined,
  runs: readonly RecoveredRun[],
): RunRecord {
  const { id, instance, startedAt } = found;
  if (known === undefined) {
    const standby = found.isStandby === true ? ({ isStandby: true } as const) : {};
    const key = found.isStandby === true ? standbyKey(service.plan) : runKey(service.plan);
    const { number } = runParts(id);
    const dependencies = found.isStandby === true ? {} : dependenciesAmong(situation, service, runs);
    const run: RunRecord = { id, number, key, dependencies, startedAt, ...standby };
    if (found.isStandby !== true) takeTime(situation, service, startedAt);
    situation.keep({ type: "begun", at: startedAt, service: service.plan.name, instance, run });
    return run;
  }
  if (known.isStandby !== true || found.isStandby === true) return known;
  const dependencies = dependenciesAmong(situation, service, runs);
  // When its turn came nobody has written down: a later time than that would miss what it said of itself since.
  const { plan } = service;
  const key = known.key === standbyKey(plan) ? runKey(plan) : known.key;
  situation.keep({ type: "promoted", at: startedAt, run: id, key, dependencies });
  return findRecord(situation, found) ?? known;
}

/** What the dependencies of a run were that had only just begun: nothing began after it. They may not have their place yet. */
function dependenciesAmong(
  { record }: Situation,
  { plan }: ServiceRecord,
  runs: readonly RecoveredRun[],
): Readonly<Record<string, number>> {
  const newest = (name: string): number => {
    const known = record.services.get(name)?.instances.get(1)?.runs ?? [];
    const found = runs.filter(({ service, instance }) => service === name && instance === 1);
    return Math.max(0, ...[...known, ...found].map(({ id }) => runParts(id).number));
  };
  return Object.fromEntries(plan.dependsOn.map(({ name }) => [name, newest(name)]));
}

/** Goes on with a run where the daemon before was. */
function resume(
  situation: Situation,
  { plan }: ServiceRecord,
  instance: number,
  live: LiveRun,
  found: RecoveredRun,
): void {
  const { host } = situation;
  if (live.stop !== undefined) return askToStop(situation, live, plan);
  if (live.isStandby) return;
  if (found.isStandby === true) {
    live.phase = "asked";
    host.promote(live, plan, instance);
  } else if (live.phase === "running") host.check(live, plan, instance);
  else if (plan.live !== undefined) host.watchOver(live, plan, instance);
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
    isStandby: run.isStandby === true,
    phase: "asked",
    isAdopted: true,
    ...(readyAt === undefined ? {} : { readyAt }),
  };
  if (stopping !== undefined) {
    const { why, isFailure, drains, isTold = false } = stopping;
    const dueMs = killDueMs(situation, service.plan, live, drains);
    live.stop = { why, isFailure, drains, killDueMs: dueMs, isTold, isKilled: false };
  }
  place(situation.instance(service.plan.name, number), live);
  return live;
}

function place(instance: LiveInstance, live: LiveRun): void {
  const other = instance.current;
  if (live.isStandby) instance.standby = live;
  else if (live.stop?.drains === true) instance.draining.add(live);
  else if (other === undefined) instance.current = live;
  else if (other.number < live.number) instance.next = live;
  else {
    instance.current = live;
    instance.next = other;
  }
}
