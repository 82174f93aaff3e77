/**
 * Standby turn: lets the turn of a standby come.
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

/** The standby is the run of its instance from now on. */
export function promote(situation: Situation, { plan }: ServiceRecord, instance: LiveInstance, standby: LiveRun): void {
  const at = situation.host.now();
  standby.isStandby = false;
  standby.key = runKey(plan);
  standby.startedAt = at;
  standby.dependencies = situation.generations(plan);
  standby.phase = "asked";
  instance.standby = undefined;
  instance.standbyEnd = undefined;
  instance.current = standby;
  const { id: run, key, dependencies } = standby;
  situation.keep({ type: "promoted", at, run, key, dependencies });
  situation.host.promote(standby, plan, instance.number);
}
