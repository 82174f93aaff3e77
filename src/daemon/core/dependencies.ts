/**
 * Dependencies: decides whether a service may start, whether it has lost what it needs, and whether others still need it.
 *
 * @module
 */
import type { DependencyPlan, ServicePlan } from "../../control/config.ts";
import { hasRuns, type LiveRun } from "./live.ts";
import type { InstanceRecord, ServiceRecord } from "./record.ts";
import type { Situation } from "./situation.ts";

/** Each dependency that does not fulfil its condition. */
export function* unmetOf(
  situation: Situation,
  plan: ServicePlan,
): Generator<{ readonly dependency: DependencyPlan; readonly sentence: string }> {
  for (const dependency of plan.dependsOn) {
    const missing = missingOf(situation, dependency);
    if (missing !== undefined) yield { dependency, sentence: `waits for ${dependency.name}, which ${missing}` };
  }
}

/** What a service waits for; undefined when it may start. */
export function firstUnmet(situation: Situation, plan: ServicePlan): string | undefined {
  for (const { sentence } of unmetOf(situation, plan)) return sentence;
  return undefined;
}

/** Why a dependency does not fulfil its condition: the words after its name. */
export function missingOf(situation: Situation, { name, condition }: DependencyPlan): string | undefined {
  const service = situation.record.services.get(name);
  if (service === undefined) return "does not exist";
  const instances = situation.instancesOf(service).filter(({ number }) => number <= service.plan.instances);
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

/**
 * How a dependency that was there has been lost: the words after its name. What is only not known is not lost, or each new
 * daemon would stop the dependents of what it has not looked at yet.
 */
export function lossOf(situation: Situation, dependency: DependencyPlan): string | undefined {
  if (dependency.condition === "exitedOk") return missingOf(situation, dependency);
  const service = situation.record.services.get(dependency.name);
  if (service === undefined) return "does not exist";
  for (const { current, number } of situation.instancesOf(service)) {
    if (number > service.plan.instances) continue;
    if (current === undefined) return "has ended";
    if (current.stop !== undefined) return `is being stopped: ${current.stop.why}`;
    if (dependency.condition === "healthy" && current.isHealthy === false) return "is not healthy";
  }
  return service.plan.instances === 0 ? "has no instance" : undefined;
}

/** Whether a dependent is being stopped too, and is not gone yet. */
export function mustOutlive(situation: Situation, service: ServiceRecord): boolean {
  return situation.dependentsOf(service.plan.name).some((name) => {
    const other = situation.record.services.get(name);
    return (
      other !== undefined &&
      situation.instancesOf(other).some((each) => hasRuns(each) && !situation.isWanted(other, each.number))
    );
  });
}

function hasEndedWell(record: InstanceRecord | undefined): boolean {
  return record?.outcome?.kind === "done" && record.outcome.isOk;
}
