/**
 * Stale: decides which runs and standbys are not what would be started now.
 *
 * @module
 */
import type { LiveInstance, LiveRun } from "./live.ts";
import type { ServiceRecord } from "./record.ts";
import { runKey, standbyKey } from "./run-key.ts";
import type { Situation } from "./situation.ts";

/** Whether the run of an instance is to be replaced by one of the plan as it is now. */
export function isStale(service: ServiceRecord, instance: LiveInstance): boolean {
  const record = service.instances.get(instance.number);
  const { current } = instance;
  if (record === undefined || current === undefined) return false;
  if (current.number <= record.renewUpTo) return true;
  const key = runKey(service.plan);
  return current.key !== key && record.heldBack?.key !== key;
}

/** The same for a standby: the plan is another, somebody asked for a new start since, it is to end, or a newer run was started without it. */
export function isOutdated(
  situation: Situation,
  { plan, instances }: ServiceRecord,
  { number }: LiveInstance,
  standby: LiveRun,
): boolean {
  return (
    plan.standby !== true ||
    standby.stop !== undefined ||
    standby.key !== standbyKey(plan) ||
    standby.number <= (instances.get(number)?.renewUpTo ?? 0) ||
    standby.number < situation.lastRun(plan.name, number)
  );
}
