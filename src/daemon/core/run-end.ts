/**
 * Run end: decides what the end of a run means for its instance: who counts from now on, what follows, and who is told.
 *
 * @module
 */
import type { RunEnd, RunId } from "../run/run.ts";
import type { ServiceFailure } from "./core-host.ts";
import {
  endSentence,
  longerDelayMs,
  outcomeOf,
  ownTroubleOutcome,
  type Blame,
  type CountedOutcome,
} from "./outcome.ts";
import type { Outcome } from "./record.ts";
import { holdBack } from "./renewal.ts";
import type { LiveInstance } from "./live.ts";
import type { FoundRun, Situation } from "./situation.ts";
import { endStandby, postponeStandby } from "./standby.ts";

/** Takes in that a run has ended. */
export function endRun(situation: Situation, id: RunId, end: RunEnd, blame: Blame = "service"): void {
  const { host } = situation;
  const found = situation.findRun(id);
  if (found === undefined) return host.forget(id);
  host.endChecks(id);
  if (found.instance.standby === found.run) endStandby(situation, found, end, blame);
  else if (found.instance.current === found.run) endCurrent(situation, found, end, blame);
  else endOther(situation, found, end, blame);
  host.forget(id);
}

/**
 * Takes in that a run could not begin because colos itself is short of something. Nothing has begun, nobody has failed, and nothing is
 * left of it on disk: it leaves no trace but when it is tried again.
 */
export function postponeRun(situation: Situation, id: RunId, why: string): void {
  const { host } = situation;
  const found = situation.findRun(id);
  if (found === undefined) return host.forget(id);
  const { service, instance, run } = found;
  const record = service.instances.get(instance.number);
  const at = host.now();
  host.endChecks(id);
  if (instance.standby === run) postponeStandby(situation, instance);
  instance.draining.delete(run);
  const wasCurrent = instance.current === run;
  if (wasCurrent) instance.current = instance.next;
  if (wasCurrent) instance.next = undefined;
  else if (instance.next === run) postponeNext(situation, instance);
  const follows = wasCurrent && instance.current === undefined && record !== undefined && run.stop === undefined;
  const outcome = follows ? { outcome: ownTroubleOutcome(record, at, why) } : {};
  return situation.keep({ type: "postponed", at, run: id, ...outcome });
}

function postponeNext({ host }: Situation, instance: LiveInstance): void {
  instance.next = undefined;
  instance.nextDelayMs = longerDelayMs(instance.nextDelayMs);
  instance.nextNotBeforeMs = host.monotonicMs() + instance.nextDelayMs;
}

function endCurrent(situation: Situation, found: FoundRun, end: RunEnd, blame: Blame): void {
  const { service, instance, run } = found;
  const { host } = situation;
  const record = service.instances.get(instance.number);
  instance.current = instance.next;
  instance.next = undefined;
  const isUnexpected = blame !== "nobody" && (run.stop === undefined || run.stop.isFailure);
  const follows = isUnexpected && instance.current === undefined && record !== undefined;
  const random = (): number => host.random();
  const outcome = follows ? outcomeOf({ plan: service.plan, record, run, end, now: host.now(), random }) : undefined;
  keepEnd(situation, found, end, outcome);
}

/** A successor that is not ready yet, or who makes room. */
function endOther(situation: Situation, found: FoundRun, end: RunEnd, blame: Blame): void {
  const { service, instance, run } = found;
  const wasNext = instance.next === run;
  if (wasNext) instance.next = undefined;
  instance.draining.delete(run);
  keepEnd(situation, found, end, undefined);
  if (wasNext && blame === "service" && (run.stop === undefined || run.stop.isFailure)) {
    holdBack(situation, service, instance, run, end);
    tellFailure(situation, found, end, "crash", run.stop?.why ?? endSentence(end));
  }
}

function keepEnd(
  situation: Situation,
  { service, instance, run }: FoundRun,
  end: RunEnd,
  outcome: CountedOutcome | undefined,
): void {
  const { counts, ...kept } = outcome ?? {};
  situation.keep({
    type: "ended",
    at: situation.host.now(),
    run: run.id,
    end,
    ...(outcome === undefined ? {} : { outcome: kept as Outcome }),
    ...(counts === undefined ? {} : { counts }),
  });
  if (outcome !== undefined) tellFailures(situation, { service, instance, run }, end, outcome);
}

function tellFailures(situation: Situation, found: FoundRun, end: RunEnd, outcome: CountedOutcome): void {
  if (outcome.kind === "done" && outcome.isOk) return;
  tellFailure(situation, found, end, "crash", found.run.stop?.why ?? endSentence(end));
  // Also a job and whatever else is not restarted: nobody would hear of it otherwise.
  const isUsedUp = outcome.kind === "again" && outcome.isExhausted && outcome.counts === true;
  if (isUsedUp || outcome.kind !== "again") tellFailure(situation, found, end, "exhausted", outcome.reason);
}

function tellFailure(
  { host }: Situation,
  { service: { plan, instances }, instance: { number }, run: { startedAt } }: FoundRun,
  end: RunEnd,
  event: ServiceFailure["event"],
  reason: string,
): void {
  const restartsCount = instances.get(number)?.restartsCount ?? 0;
  host.failed({ event, plan, instance: number, reason, end, at: host.now(), startedAt, restartsCount });
}
