/**
 * Run stop: decides which runs are to end, and when one that was told to end is killed.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import { lossOf, missingOf, mustOutlive } from "./dependencies.ts";
import { hasRuns, runsOf, type LiveInstance, type LiveRun } from "./live.ts";
import type { ServiceRecord, Stopping } from "./record.ts";
import { runParts } from "./run-id.ts";
import type { Situation } from "./situation.ts";

/** How long a standby that is told to end has at most, in milliseconds: it has nothing to finish, and a restart may wait for it. */
export const standbyPatienceMs = 5_000;

/** Why a run is told to end, beside the sentence (record.ts). */
export type StopCause = Partial<Pick<Stopping, "isFailure" | "drains">>;

/** Tells a run to end. One that was told so already is told nothing more. */
export function stopRun(
  situation: Situation,
  service: ServiceRecord,
  run: LiveRun,
  why: string,
  { isFailure = false, drains = false }: StopCause = {},
): void {
  if (run.stop !== undefined) return;
  const at = situation.host.now();
  situation.keep({ type: "stopping", run: run.id, at, why, isFailure, drains });
  const dueMs = killDueMs(situation, service.plan, run, drains);
  run.stop = { why, isFailure, drains, killDueMs: dueMs, isTold: false, isKilled: false };
  situation.host.endChecks(run.id);
  if (run.phase !== "asked") askToStop(situation, run, service.plan);
}

/** What a run that is to end is told as soon as it can hear; by the next daemon again, when this one dies before it has kept that. */
export function askToStop(situation: Situation, run: LiveRun, plan: ServicePlan): void {
  if (run.stop?.isTold === false && plan.shutdown !== "brutal") {
    run.stop.isTold = true;
    situation.host.signal(run.id, plan.stopSignal);
  }
  killWhenDue(situation, run);
}

/** When a run that is told to end now is killed, by the monotonic clock; undefined: never. */
export function killDueMs(
  situation: Situation,
  plan: ServicePlan,
  { isStandby }: Pick<LiveRun, "isStandby">,
  drains: boolean,
): number | undefined {
  const runMs = patienceMs(plan, drains);
  const leftMs = isStandby ? Math.min(runMs ?? Infinity, standbyPatienceMs) : runMs;
  return leftMs === undefined ? undefined : situation.host.monotonicMs() + leftMs;
}

/** Ends what is not wanted any more, or has lost what it needs, after those that depend on it. */
export function reconcileStop(situation: Situation, service: ServiceRecord, instance: LiveInstance): void {
  const { plan } = service;
  if (!hasRuns(instance)) return;
  for (const run of runsOf(instance)) if (run.stop !== undefined) killWhenDue(situation, run);
  if (!situation.isWanted(service, instance.number)) {
    if (mustOutlive(situation, service)) return;
    const why = unwantedReason(service, situation.record.isDown);
    for (const run of runsOf(instance)) stopRun(situation, service, run, why);
    return;
  }
  const { current } = instance;
  if (current === undefined || current.stop !== undefined) return;
  for (const dependency of plan.dependsOn) {
    if (dependency.onEnd === "ignore") continue;
    if (dependency.onEnd === "stop") {
      const lost = lossOf(situation, dependency);
      if (lost !== undefined) return stopRun(situation, service, current, `${dependency.name} ${lost}`);
      continue;
    }
    const number = situation.generation(dependency.name);
    if (number > (current.dependencies[dependency.name] ?? number) && missingOf(situation, dependency) === undefined)
      return stopRun(situation, service, current, `${dependency.name} was started again`);
  }
}

function killWhenDue(situation: Situation, run: LiveRun): void {
  const { stop } = run;
  const { host } = situation;
  if (stop === undefined || stop.isKilled || stop.killDueMs === undefined || run.phase === "asked") return;
  const leftMs = stop.killDueMs - host.monotonicMs();
  if (leftMs > 0) return situation.wake(runParts(run.id).service, host.now() + leftMs);
  stop.isKilled = true;
  host.kill(run.id);
}

/** How long a run that is told to end has; undefined: for ever. */
function patienceMs({ shutdown, drainMs }: ServicePlan, drains: boolean): number | undefined {
  if (drains) return drainMs;
  if (shutdown === "infinity") return undefined;
  return shutdown === "brutal" ? 0 : shutdown;
}

function unwantedReason(service: ServiceRecord, isDown: boolean): string {
  if (isDown) return "the system is stopped";
  return service.isRemoved
    ? "it is removed"
    : service.target === "down"
      ? "somebody stopped it"
      : "there are fewer instances now";
}
