/**
 * Schedule: when a job is due, counted from when it was due last, whatever happened to the clock and the daemon meanwhile.
 *
 * The caller keeps `lastAt` and does one thing: when `nextDue` is not later than now, it runs the job and takes the answer as the
 * new `lastAt`; otherwise it looks again then, and at least once a minute, because the clock may be set.
 *
 * Guarantees: of several times that passed, at most one is made up for. A time counts as kept up to `lateMaxMs` after it.
 * A clock that is set back by up to `clockStepMaxMs` makes nothing run twice; by more, `lastAt` is not believed.
 * Not here: what happens when the job still runs (the manager's core).
 *
 * @module
 */
import { nextTime, parseCron } from "./cron.ts";
import type { SchedulePlan } from "./config.ts";

/** A time that is reached by so many milliseconds too late was not missed: timers and starts take a while. */
export const lateMaxMs = 60_000;
/** A clock that goes back by at most this was adjusted, in milliseconds; cron(8) has three hours too. */
export const clockStepMaxMs: number = 3 * 3_600_000;

/**
 * When the job is due next, in epoch milliseconds. Not later than `nowAt`: it is due now. Undefined: never.
 * `lastAt` is when it was due last, or when it became known. @throws RangeError for a plan that parseCron or Intl refuses
 */
export function nextDue(plan: SchedulePlan, lastAt: number, nowAt: number): number | undefined {
  const fromAt = lastAt - nowAt > clockStepMaxMs ? nowAt : lastAt;
  const { when } = plan;
  return when.kind === "every"
    ? nextOfInterval(when.everyMs, plan, fromAt, nowAt)
    : nextOfCron(when.expression, plan, fromAt, nowAt);
}

/** Keeps the phase of `fromAt`. */
function nextOfInterval(everyMs: number, { missed }: SchedulePlan, fromAt: number, nowAt: number): number {
  const latest = fromAt + Math.floor((nowAt - fromAt) / everyMs) * everyMs;
  if (latest <= fromAt) return fromAt + everyMs;
  return missed === "once" || nowAt - latest <= lateMaxMs ? latest : latest + everyMs;
}

function nextOfCron(expression: string, plan: SchedulePlan, fromAt: number, nowAt: number): number | undefined {
  const schedule = parseCron(expression);
  if ("problem" in schedule) throw new RangeError(schedule.problem);
  const next = (afterAt: number): number | undefined => nextTime(schedule, afterAt, plan.timeZone);
  const first = next(fromAt);
  if (first === undefined || first > nowAt) return first;
  let recent: number | undefined;
  for (let at = next(Math.max(fromAt, nowAt - lateMaxMs - 1)); at !== undefined && at <= nowAt; at = next(at))
    recent = at;
  return recent ?? (plan.missed === "once" ? nowAt : next(nowAt));
}
