/**
 * Outcome: decides what follows an end that nobody asked for: the restart policy, the sliding window and the backoff of the plan.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import { spanText } from "../../control/quantity.ts";
import { backoffDelay } from "../../supervisor/restart-window.ts";
import type { RunEnd } from "../run/run.ts";
import { ownTroubleRetryMaxMs, ownTroubleRetryMs } from "./core-host.ts";
import type { LiveRun } from "./live.ts";
import type { InstanceRecord, Outcome } from "./record.ts";

/** Whose failure the end of a run is. */
export type Blame = "service" | "nobody";

/** An outcome, and whether it takes a place in the window. */
export type CountedOutcome = Outcome & { readonly counts?: boolean };

/** What an outcome depends on. */
export interface EndedRun {
  readonly plan: ServicePlan;
  readonly record: InstanceRecord;
  readonly run: LiveRun;
  readonly end: RunEnd;
  /** Epoch milliseconds. */
  readonly now: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export function outcomeOf({ plan, record, run, end, now, random }: EndedRun): CountedOutcome {
  const reason = run.stop?.why ?? endSentence(end);
  const isOk = run.stop === undefined && end.code !== null && plan.successCodes.includes(end.code);
  if (plan.restart === "temporary" || (plan.restart === "transient" && isOk)) return { kind: "done", isOk, reason };
  const wasHealthy = run.readyAt !== undefined && now - run.readyAt >= plan.backoff.resetAfterMs;
  const isExhausted = record.isExhausted && !wasHealthy;
  const recent = wasHealthy ? [] : record.restartsAt.filter((at) => Math.abs(now - at) <= plan.periodMs);
  if (isExhausted || recent.length >= plan.maxRestarts) {
    if (plan.exhausted.policy === "failed")
      return {
        kind: "failed",
        reason: `${reason}; ${usedUpText(plan)}`,
      };
    const delayMs = plan.exhausted.retryEveryMs;
    return { kind: "again", notBeforeAt: now + delayMs, delayMs, isExhausted: true, reason, counts: !isExhausted };
  }
  const attempts = wasHealthy ? 0 : record.attempts;
  // Whoever was well until now need not wait; only a second failure says that waiting may help.
  const delayMs = attempts === 0 ? 0 : backoffDelay(plan.backoff, attempts - 1, random());
  return { kind: "again", notBeforeAt: now + delayMs, delayMs, isExhausted: false, reason, counts: true };
}

/** That a service may not be started again, and why. */
export function usedUpText({ maxRestarts, periodMs }: Pick<ServicePlan, "maxRestarts" | "periodMs">): string {
  if (maxRestarts === 0) return "it is not to be restarted";
  const restarts = maxRestarts === 1 ? "its restart" : `its ${maxRestarts} restarts`;
  return `${restarts} within ${spanText(periodMs)} ${maxRestarts === 1 ? "is" : "are"} used up`;
}

/** When colos, which was short of something, tries again. What the service's own failures have led to stays. */
export function ownTroubleOutcome({ outcome, isExhausted }: InstanceRecord, now: number, why: string): Outcome {
  const isAgain = outcome?.kind === "again" && outcome.isOwnTrouble === true;
  const delayMs = longerDelayMs(isAgain ? outcome.delayMs : undefined);
  const reason = `colos itself is short of something, which is not the service's failure: ${why}`;
  return { kind: "again", notBeforeAt: now + delayMs, delayMs, isExhausted, reason, isOwnTrouble: true };
}

/** The wait after one of so many milliseconds, when colos itself is short of something; undefined: there was none. */
export function longerDelayMs(delayMs: number | undefined): number {
  return delayMs === undefined ? ownTroubleRetryMs : Math.min(2 * delayMs, ownTroubleRetryMaxMs);
}

/** When an instance may be started: who would have to wait longer than the whole delay was waiting when the clock was set back. */
export function dueAt({ outcome }: InstanceRecord, now: number): number {
  if (outcome?.kind !== "again" || outcome.notBeforeAt - now > outcome.delayMs) return -Infinity;
  return outcome.notBeforeAt;
}

/** For people: how a run ended. */
export function endSentence({ code, signal, lost, because }: RunEnd): string {
  if (lost !== undefined) return lost;
  const how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  return because === undefined ? how : `${how}: ${because}`;
}
