/**
 * Job times: decides whether the time of a job has come, and what becomes of it when the job still runs.
 *
 * @module
 */
import { runsOf } from "./live.ts";
import type { ServiceRecord } from "./record.ts";
import { stopRun } from "./run-stop.ts";
import type { Situation } from "./situation.ts";

/** The clock may be set, so a job's time is looked at again after this, in milliseconds. */
export const lookAgainMs = 3_600_000;

/** When a job runs next. */
export function nextTime({ host }: Situation, { plan, firedAt, scheduledAt }: ServiceRecord): number | undefined {
  const now = host.now();
  return host.nextDue(plan, firedAt ?? scheduledAt ?? now, now);
}

/** Lets a job run whose time has come. */
export function fireWhenDue(situation: Situation, service: ServiceRecord): void {
  const { plan, firedAt } = service;
  const { host } = situation;
  if (plan.schedule === undefined || service.target === "down" || service.isRemoved || situation.record.isDown) return;
  const now = host.now();
  const runs = situation.instancesOf(service).flatMap((each) => runsOf(each));
  // It is looked at again before anything else happens: a time that has come meanwhile waits for the end of this run.
  if (service.isQueued === true && runs.length === 0) return keepFired(situation, service, firedAt ?? now, "run");
  const dueAt = nextTime(situation, service);
  if (dueAt === undefined) return;
  if (dueAt > now) return situation.wake(plan.name, Math.min(dueAt, now + lookAgainMs));
  const { overlap } = plan.schedule;
  if (runs.length === 0) return keepFired(situation, service, dueAt, "run");
  if (overlap === "queue") return keepFired(situation, service, dueAt, "queue");
  if (overlap === "skip") {
    const sentence = "its time came while it was still running, and was left out";
    situation.keep({ type: "note", at: now, service: plan.name, sentence });
    return keepFired(situation, service, dueAt, "skip");
  }
  for (const run of runs) stopRun(situation, service, run, "its next time has come");
  keepFired(situation, service, dueAt, "run");
}

/** A job was found that the journal does not know: the daemon was killed before it had written down that the time had come. */
export function takeTime(situation: Situation, service: ServiceRecord, startedAt: number): void {
  const { plan, firedAt, scheduledAt } = service;
  if (plan.schedule === undefined) return;
  if (service.isQueued === true) return keepFired(situation, service, firedAt ?? startedAt, "run");
  const dueAt = situation.host.nextDue(plan, firedAt ?? scheduledAt ?? startedAt, startedAt);
  if (dueAt !== undefined && dueAt <= startedAt) keepFired(situation, service, dueAt, "run");
}

function keepFired(situation: Situation, service: ServiceRecord, dueAt: number, how: "run" | "skip" | "queue"): void {
  situation.keep({ type: "fired", at: situation.host.now(), service: service.plan.name, dueAt, how });
}
