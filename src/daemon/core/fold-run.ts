/**
 * Fold of what a run did: it began, became ready, was told to end, ended, and what that led to; also of a standby, whose turn
 * comes, and of a run that could not begin.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { EntryOf } from "./entry.ts";
import type { InstanceRecord, Outcome, RunRecord, SystemRecord } from "./record.ts";
import { runParts } from "./run-id.ts";
import { keepNumber } from "./run-number.ts";

/** Finished runs that are remembered of each instance. */
export const historyMax = 20;

type ChangeEntry = EntryOf<"running" | "ready" | "promoted" | "stopping" | "told" | "ended">;

export function foldRun(record: SystemRecord, entry: ChangeEntry | EntryOf<"begun" | "postponed">): void {
  if (entry.type === "begun") foldBegun(record, entry);
  else if (entry.type === "postponed") foldPostponed(record, entry);
  else foldChange(record, entry);
}

function foldBegun(record: SystemRecord, { service: name, instance: number, run }: EntryOf<"begun">): void {
  const service = record.services.get(name);
  if (service === undefined) return;
  keepNumber(record, name, number, run.number);
  const instance = service.instances.get(number);
  if (instance === undefined) return;
  if (run.isStandby === true) instance.standby = run;
  else addRun(instance, run);
}

function addRun(instance: InstanceRecord, run: RunRecord): void {
  let endedCount = 0;
  const kept = instance.runs.filter(({ end }) => end === undefined || ++endedCount < historyMax);
  instance.runs = [run, ...kept];
}

function foldPostponed(record: SystemRecord, entry: EntryOf<"postponed">): void {
  const { service, instance: number, number: runNumber } = runParts(entry.run);
  keepNumber(record, service, number, runNumber);
  const instance = record.services.get(service)?.instances.get(number);
  if (instance === undefined) return;
  if (instance.standby?.id === entry.run) delete instance.standby;
  instance.runs = instance.runs.filter(({ id }) => id !== entry.run);
  if (entry.outcome !== undefined) instance.outcome = entry.outcome;
}

function foldChange(record: SystemRecord, entry: ChangeEntry): void {
  const { service, instance: number } = runParts(entry.run);
  const { plan, instances } = record.services.get(service) ?? {};
  const instance = instances?.get(number);
  if (plan === undefined || instance === undefined) return;
  if (instance.standby?.id === entry.run) return foldStandby(instance, instance.standby, entry);
  instance.runs = instance.runs.map((run) => (run.id === entry.run ? changedRun(run, entry) : run));
  if (entry.type === "ended" && entry.outcome !== undefined) foldOutcome(instance, plan, entry, entry.outcome);
}

function foldOutcome(instance: InstanceRecord, plan: ServicePlan, ended: EntryOf<"ended">, outcome: Outcome): void {
  instance.outcome = outcome;
  if (outcome.kind !== "again") {
    instance.isAtRest = true;
    return;
  }
  instance.restartsCount += 1;
  instance.isExhausted = outcome.isExhausted;
  if (ended.counts !== true) return;
  instance.attempts += 1;
  // No more than decide whether the window is used up.
  instance.restartsAt = [...instance.restartsAt, ended.at].slice(-Math.max(1, plan.maxRestarts));
}

/** Of one whose turn never came nothing is remembered. */
function foldStandby(instance: InstanceRecord, standby: RunRecord, entry: ChangeEntry): void {
  if (entry.type !== "promoted" && entry.type !== "ended") {
    instance.standby = changedRun(standby, entry);
    return;
  }
  delete instance.standby;
  if (entry.type === "promoted") addRun(instance, changedRun(standby, entry));
}

function changedRun(run: RunRecord, entry: ChangeEntry): RunRecord {
  switch (entry.type) {
    case "promoted": {
      const { isStandby: _, ...rest } = run;
      return { ...rest, key: entry.key ?? run.key, startedAt: entry.at, dependencies: entry.dependencies };
    }
    case "running":
      return { ...run, osPid: entry.osPid };
    case "ready":
      return { ...run, readyAt: entry.at };
    case "stopping": {
      const { at, why, isFailure, drains } = entry;
      return { ...run, stopping: { at, why, isFailure, drains } };
    }
    case "told":
      return run.stopping === undefined ? run : { ...run, stopping: { ...run.stopping, isTold: true } };
    case "ended":
      return { ...run, end: entry.end };
  }
}
