import { describe, expect, test } from "vitest";
import type { SchedulePlan } from "./config.ts";
import { clockStepMaxMs, lateMaxMs, nextDue } from "./schedule.ts";

const hourMs = 3_600_000;
const startAt = Date.parse("2024-05-01T12:00Z");
const rules = { overlap: "skip", timeZone: "UTC" } as const;
const hourly = (missed: "skip" | "once"): SchedulePlan => ({
  ...rules,
  when: { kind: "cron", expression: "@hourly" },
  missed,
});
const every = (everyMs: number, missed: "skip" | "once"): SchedulePlan => ({
  ...rules,
  when: { kind: "every", everyMs },
  missed,
});

describe.each([
  ["cron", hourly],
  ["interval", (missed: "skip" | "once") => every(hourMs, missed)],
] as const)("schedule: %s", (_, plan) => {
  test("the next time is after the last", () => {
    expect(nextDue(plan("skip"), startAt, startAt + 1)).toBe(startAt + hourMs);
  });

  test("a time that was reached late is kept, up to the limit", () => {
    const due = startAt + hourMs;

    expect(nextDue(plan("skip"), startAt, due)).toBe(due);
    expect(nextDue(plan("skip"), startAt, due + lateMaxMs)).toBe(due);
    expect(nextDue(plan("skip"), startAt, due + lateMaxMs + 1)).toBe(due + hourMs);
  });

  test("of several times that passed, the one that is still kept runs once", () => {
    const nowAt = startAt + 5 * hourMs + 1000;

    const due = nextDue(plan("skip"), startAt, nowAt)!;

    expect(due).toBe(startAt + 5 * hourMs);
    expect(nextDue(plan("skip"), due, nowAt)).toBe(startAt + 6 * hourMs);
  });

  test("times that passed are made up for once, or not at all", () => {
    const nowAt = startAt + 5.5 * hourMs;

    const due = nextDue(plan("once"), startAt, nowAt)!;

    expect(due).toBeLessThanOrEqual(nowAt);
    expect(nextDue(plan("once"), due, nowAt)).toBe(startAt + 6 * hourMs);
    expect(nextDue(plan("skip"), startAt, nowAt)).toBe(startAt + 6 * hourMs);
  });

  test("a clock that is set back makes nothing run twice; by much, the last time is not believed", () => {
    const step = (backMs: number) => nextDue(plan("once"), startAt, startAt - backMs);

    expect(step(clockStepMaxMs)).toBe(startAt + hourMs);
    expect(step(10 * hourMs)).toBe(startAt - 9 * hourMs);
  });
});

describe("schedule: limits", () => {
  test("a short interval does not come in a burst after a pause", () => {
    const plan = every(10, "once");
    const nowAt = startAt + hourMs + 5;

    const due = nextDue(plan, startAt, nowAt)!;

    expect(due).toBe(startAt + hourMs);
    expect(nextDue(plan, due, nowAt)).toBe(due + 10);
  });

  test("a plan that no parser lets through is an error", () => {
    const plan: SchedulePlan = { ...hourly("skip"), when: { kind: "cron", expression: "0 0 30 2 *" } };

    expect(() => nextDue(plan, startAt, startAt)).toThrow("never comes");
  });
});
