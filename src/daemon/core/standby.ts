/**
 * Standby: decides whether the next run of an instance is started ahead, and what becomes of one that is not needed any more or
 * ends before its turn (standby-turn.ts).
 *
 * Guarantees: what becomes of a standby takes no place in the window and changes no state of the service. At most one stands by
 * for an instance, and only while the instance is ready. One that ends by itself is followed by another after a delay that grows.
 *
 * @module
 */
import { spanText } from "../../control/quantity.ts";
import { backoffDelay } from "../../supervisor/restart-window.ts";
import type { RunEnd } from "../run/run.ts";
import type { LiveInstance } from "./live.ts";
import { endSentence, longerDelayMs, type Blame } from "./outcome.ts";
import type { ServiceRecord } from "./record.ts";
import { startRun } from "./run-start.ts";
import { stopRun } from "./run-stop.ts";
import type { FoundRun, Situation } from "./situation.ts";
import { isOutdated, isStale } from "./stale.ts";

/** The shortest delay before another standby is started after one that ended by itself, in milliseconds. */
export const standbyDelayMinMs = 1_000;

const renewedWhy = "something newer is to stand by";

/** Ends a standby that would not be what is needed, and starts one for an instance that is well. */
export function reconcileStandby(situation: Situation, service: ServiceRecord, instance: LiveInstance): void {
  const { standby } = instance;
  if (standby !== undefined) {
    if (isOutdated(situation, service, instance, standby)) stopRun(situation, service, standby, renewedWhy);
    return;
  }
  if (!isWellAlone(situation, service, instance) || isStale(service, instance)) return;
  const { host } = situation;
  const leftMs = instance.standbyNotBeforeMs - host.monotonicMs();
  if (leftMs > 0) return situation.wake(service.plan.name, host.now() + leftMs);
  instance.standby = startRun(situation, service, instance, { isStandby: true });
}

/**
 * Before a run that is well is replaced, a standby of the plan and the files as they are now is started. False while that is under way;
 * true when it waits, or when there can be none for now: then it is done without.
 */
export function renewStandby(situation: Situation, service: ServiceRecord, instance: LiveInstance): boolean {
  const { standby } = instance;
  if (standby !== undefined) {
    if (!isOutdated(situation, service, instance, standby)) return standby.phase !== "asked";
    stopRun(situation, service, standby, renewedWhy);
    return false;
  }
  if (!isWellAlone(situation, service, instance)) return true;
  if (instance.standbyNotBeforeMs > situation.host.monotonicMs()) return true;
  instance.standby = startRun(situation, service, instance, { isStandby: true });
  return false;
}

/** Whether it has a run that is as it should be, and nothing else. */
function isWellAlone(situation: Situation, service: ServiceRecord, instance: LiveInstance): boolean {
  const { current, next, draining, number } = instance;
  if (service.plan.standby !== true || service.plan.schedule !== undefined) return false;
  if (current?.phase !== "ready" || current.stop !== undefined || next !== undefined || draining.size > 0) return false;
  return situation.isWanted(service, number);
}

/** Takes in that a standby has ended before its turn. */
export function endStandby(situation: Situation, found: FoundRun, end: RunEnd, blame: Blame): void {
  const { service, instance, run } = found;
  const { host } = situation;
  instance.standby = undefined;
  const at = host.now();
  situation.keep({ type: "ended", at, run: run.id, end });
  if (blame === "nobody" || (run.stop !== undefined && !run.stop.isFailure)) return;
  if (at - run.startedAt >= service.plan.backoff.resetAfterMs) instance.standbyFailures = 0;
  const delayMs = delayAfter(instance.standbyFailures, service, host.random());
  const why = run.stop?.why ?? endSentence(end);
  instance.standbyEnd = why;
  instance.standbyFailures += 1;
  instance.standbyNotBeforeMs = host.monotonicMs() + delayMs;
  // Once: it may go on for ever.
  if (instance.standbyFailures > 1) return;
  const sentence = `a standby of ${instance.name} ended before its turn: ${why}; another is started in ${spanText(delayMs)}`;
  situation.keep({ type: "note", at, service: service.plan.name, sentence });
}

/** Takes in that a standby could not be started because colos itself is short of something, which nobody is told of. */
export function postponeStandby({ host }: Situation, instance: LiveInstance): void {
  instance.standby = undefined;
  instance.standbyDelayMs = longerDelayMs(instance.standbyDelayMs);
  instance.standbyNotBeforeMs = host.monotonicMs() + instance.standbyDelayMs;
}

/** As between restarts; with as many as use up the window, as slowly as then. */
function delayAfter(failures: number, { plan }: ServiceRecord, random: number): number {
  const { backoff, exhausted, maxRestarts } = plan;
  const delayMs = failures >= maxRestarts ? exhausted.retryEveryMs : backoffDelay(backoff, failures, random);
  return Math.max(standbyDelayMinMs, delayMs);
}
