/**
 * Standby turn: decides whether the turn of a standby can come, and lets it come.
 *
 * Guarantees: it comes once. The record has it before the standby is told; a daemon that is killed in between is followed by one
 * that tells it again, and whoever was told already does not mind.
 *
 * @module
 */
import type { LiveInstance, LiveRun } from "./live.ts";
import type { ServiceRecord } from "./record.ts";
import { runKey } from "./run-key.ts";
import type { Situation } from "./situation.ts";

/**
 * Whether a standby is not what would be started now: the plan is another, somebody asked for a new start since, it is to end, or a
 * newer run was started without it.
 */
export function isOutdated(
  situation: Situation,
  { plan, instances }: ServiceRecord,
  { number }: LiveInstance,
  standby: LiveRun,
): boolean {
  return (
    plan.standby !== true ||
    standby.stop !== undefined ||
    standby.key !== runKey(plan) ||
    standby.number <= (instances.get(number)?.renewUpTo ?? 0) ||
    standby.number < situation.lastRun(plan.name, number)
  );
}

/** The standby is the run of its instance from now on. */
export function promote(situation: Situation, { plan }: ServiceRecord, instance: LiveInstance, standby: LiveRun): void {
  const at = situation.host.now();
  standby.isStandby = false;
  standby.startedAt = at;
  standby.dependencies = situation.generations(plan);
  standby.phase = "asked";
  instance.standby = undefined;
  instance.standbyEnd = undefined;
  instance.current = standby;
  situation.keep({ type: "promoted", at, run: standby.id, dependencies: standby.dependencies });
  situation.host.promote(standby, plan, instance.number);
}
