import { assert, constantFrom, integer, property, tuple, oneof } from "fast-check";
import { describe, expect, test } from "vitest";
import { expressionMaxChars, nextTime, parseCron, searchDaysMax, type CronSchedule } from "./cron.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;

function schedule(expression: string): CronSchedule {
  const parsed = parseCron(expression);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed;
}

function problemOf(expression: string): string {
  const parsed = parseCron(expression);
  return "problem" in parsed ? parsed.problem : "it is right";
}

/** The next times as UTC texts. */
function times(expression: string, after: string, timeZone: string, count: number): string[] {
  const found: string[] = [];
  let at = Date.parse(after);
  while (found.length < count) {
    at = nextTime(schedule(expression), at, timeZone)!;
    found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
}

describe("cron: expressions", () => {
  test.each<[string, Partial<CronSchedule>]>([
    ["5 4 1 2 3", { minutes: [5], hours: [4], days: [1], months: [2], weekdays: [3], eitherDay: true }],
    ["1,2-4,*/20 0 * * *", { minutes: [0, 1, 2, 3, 4, 20, 40], eitherDay: false }],
    ["10-30/10 * * * *", { minutes: [10, 20, 30] }],
    ["0 0 * JAN,dec-Dec fri-SUN", { months: [1, 12], weekdays: [0, 5, 6] }],
    ["0 0 * * 0-7", { weekdays: [0, 1, 2, 3, 4, 5, 6] }],
    ["0 0 * * 7", { weekdays: [0] }],
    ["0 0 * * */2", { weekdays: [0, 2, 4, 6], eitherDay: false }],
    ["  0\t0  * * *  ", { minutes: [0] }],
    ["@hourly", { minutes: [0], hours: Array.from({ length: 24 }, (_, hour) => hour) }],
    ["@WEEKLY", { hours: [0], weekdays: [0] }],
    ["@yearly", { days: [1], months: [1] }],
  ])("%s", (expression, expected) => {
    expect(parseCron(expression)).toMatchObject(expected);
  });

  test.each<[string, string]>([
    ["", '"" has 0 fields; there are five: minute hour day month weekday'],
    [
      "0 0 0 * * *",
      '"0 0 0 * * *" has 6 fields; there are five: minute hour day month weekday; there is none for seconds, everyMs has milliseconds',
    ],
    ["60 * * * *", 'minute "60" is not *, a number from 0 to 59, a range or a step of these'],
    ["0 1,24 * * *", 'hour "24" in 1,24 is not *, a number from 0 to 23, a range or a step of these'],
    ["0 0 L * *", 'day "L" is not *, a number from 1 to 31, a range or a step of these; L, W, # and ? are not known'],
    ["0 0 * jum *", 'month "jum" is not *, a number from 1 to 12 or a name such as feb, a range or a step of these'],
    ["0 0 * * -1", 'weekday "-1" is not *, a number from 0 to 7 or a name such as mon, a range or a step of these'],
    ["*-5 * * * *", 'minute "*-5" is not *, a number from 0 to 59, a range or a step of these'],
    ["5/15 * * * *", "minute 5/15: a step belongs to * or to a range; write 5-59/15"],
    ["*/0 * * * *", "minute */0: the step 0 is not a whole number from 1 to 59"],
    ["*/90 * * * *", "minute */90: the step 90 is not a whole number from 1 to 59"],
    ["0 22-6 * * *", "hour 22-6: the range ends before it begins; write 22-23,0-6"],
    ["0 0 30 2 *", '"0 0 30 2 *" never comes: no such month has a day 30'],
    ["0 0 31 4,6,9,11 *", '"0 0 31 4,6,9,11 *" never comes: no such month has a day 31'],
    ["@reboot", "@reboot is not a time; a service with autostart runs when the system starts"],
    [
      "@dayly",
      '"@dayly" is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly; did you mean "@daily"?',
    ],
  ])("%j is refused with what belongs there", (expression, problem) => {
    expect(problemOf(expression)).toBe(problem);
  });

  test("an expression may be as long as the limit and no longer", () => {
    const longest = `${"0,".repeat(495)}00 * * * *`;

    expect(longest).toHaveLength(expressionMaxChars);
    expect(problemOf(longest)).toBe("it is right");
    expect(problemOf(`0${longest}`)).toBe(`the expression has more than ${expressionMaxChars} characters`);
  });
});

describe("cron: times", () => {
  test.each<[string, string, string, string, string[]]>([
    ["a day or a weekday", "0 0 13 * fri", "2024-09-01T00:00Z", "UTC", ["2024-09-06T00:00", "2024-09-13T00:00"]],
    [
      "a day by step and a weekday",
      "0 0 */2 * fri",
      "2024-09-01T00:00Z",
      "UTC",
      ["2024-09-13T00:00", "2024-09-27T00:00"],
    ],
    ["the leap day over a century without", "0 0 29 2 *", "2096-03-01T00:00Z", "UTC", ["2104-02-29T00:00"]],
    ["the time itself is not after itself", "0 0 * * *", "2024-09-01T00:00Z", "UTC", ["2024-09-02T00:00"]],
    ["a time in the gap", "30 2 * * *", "2024-03-30T12:00Z", "Europe/Berlin", ["2024-03-31T01:00", "2024-04-01T00:30"]],
    [
      "two times in the gap",
      "0,30 2 * * *",
      "2024-03-30T12:00Z",
      "Europe/Berlin",
      ["2024-03-31T01:00", "2024-04-01T00:00"],
    ],
    [
      "a time that exists twice",
      "30 2 * * *",
      "2024-10-26T12:00Z",
      "Europe/Berlin",
      ["2024-10-27T00:30", "2024-10-28T01:30"],
    ],
    ["midnight in the gap", "0 0 * * *", "2024-04-25T12:00Z", "Africa/Cairo", ["2024-04-25T22:00", "2024-04-26T21:00"]],
    ["a day in the gap", "0 12 30 12 *", "2011-01-01T00:00Z", "Pacific/Apia", ["2011-12-30T10:00", "2012-12-29T22:00"]],
    [
      "every hour, through the hour that exists twice",
      "30 * * * *",
      "2024-10-27T00:00Z",
      "Europe/Berlin",
      ["2024-10-27T00:30", "2024-10-27T01:30", "2024-10-27T02:30"],
    ],
    [
      "every hour of a Saturday that goes on after its midnight",
      "1 * * * sat",
      "2010-11-07T01:00Z",
      "America/St_Johns",
      ["2010-11-07T01:31", "2010-11-07T02:31", "2010-11-13T03:31"],
    ],
    ["half an hour of saving", "10 2 * * *", "2024-10-05T00:00Z", "Australia/Lord_Howe", ["2024-10-05T15:30"]],
  ])("%s: %s", (_, expression, after, timeZone, expected) => {
    expect(times(expression, after, timeZone, expected.length)).toEqual(expected);
  });

  test("a rare pair of day and weekday is found within the limit, one that cannot be never", () => {
    const rare = schedule("0 0 */31 2 mon");
    let at = Date.parse("2000-01-01T00:00Z");
    for (let found = 0; found < 20; found++) {
      const next: number = nextTime(rare, at, "UTC")!;
      expect(next - at).toBeLessThan(searchDaysMax * dayMs);
      at = next;
    }

    expect(nextTime({ ...rare, days: [30] }, at, "UTC")).toBeUndefined();
    expect(nextTime({ ...rare, days: [30], hours: [1] }, at, "UTC")).toBeUndefined();
  });

  test("an unknown zone is an error", () => {
    expect(() => nextTime(schedule("@daily"), 0, "Mars/Olympus")).toThrow(RangeError);
  });
});

/** The oracle: looks at the clock every minute. */
class Oracle {
  readonly fromAt: number;
  readonly #locals: Float64Array;

  /** The offset is asked for each `stepMinutes`; no change of the clock may lie between. */
  constructor(timeZone: string, from: string, days: number, stepMinutes: number) {
    this.fromAt = Date.parse(from);
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
    let offset = 0;
    this.#locals = Float64Array.from({ length: days * 1440 }, (_, minute) => {
      const at = this.fromAt + minute * minuteMs;
      if (minute % stepMinutes === 0) offset = Date.parse(`${format.format(at).replace(" ", "T")}Z`) - at;
      return at + offset;
    });
  }

  get untilAt(): number {
    return this.fromAt + this.#locals.length * minuteMs;
  }

  /** Up to `count` times after `afterAt`. */
  times(schedule: CronSchedule, afterAt: number, count: number): number[] {
    const found: number[] = [];
    let reached = this.#locals[0]!;
    for (let minute = 1; minute < this.#locals.length && found.length < count; minute++) {
      const local = this.#locals[minute]!;
      const at = this.fromAt + minute * minuteMs;
      if (schedule.hours.length === 24) reached = local - minuteMs;
      let comes = false;
      for (; reached < local; reached += minuteMs) comes ||= isTime(schedule, reached + minuteMs);
      if (comes && at > afterAt) found.push(at);
    }
    return found;
  }
}

function isTime(schedule: CronSchedule, local: number): boolean {
  const date = new Date(local);
  if (!schedule.minutes.includes(date.getUTCMinutes()) || !schedule.hours.includes(date.getUTCHours())) return false;
  if (!schedule.months.includes(date.getUTCMonth() + 1)) return false;
  const day = schedule.days.includes(date.getUTCDate());
  const weekday = schedule.weekdays.includes(date.getUTCDay());
  return schedule.eitherDay ? day || weekday : day && weekday;
}

const oracles: readonly (readonly [string, Oracle])[] = (
  [
    ["UTC", "2023-12-25T00:00Z", 20, 1440],
    ["Europe/Berlin", "2024-01-01T00:00Z", 366, 15],
    ["America/New_York", "2023-01-01T00:00Z", 365, 15],
    ["Australia/Lord_Howe", "2025-01-01T00:00Z", 365, 15],
    ["Africa/Casablanca", "2023-01-01T00:00Z", 365, 15],
    ["America/Havana", "2022-10-20T00:00Z", 40, 15],
    ["Asia/Tehran", "2021-09-01T00:00Z", 60, 15],
    ["Africa/Cairo", "2024-04-10T00:00Z", 40, 15],
    ["Pacific/Apia", "2011-12-15T00:00Z", 40, 15],
    ["America/Caracas", "2016-04-20T00:00Z", 30, 15],
    ["America/St_Johns", "2010-11-01T00:00Z", 14, 1],
    ["America/St_Johns", "2010-03-08T00:00Z", 14, 1],
    ["Asia/Kathmandu", "1985-12-25T00:00Z", 14, 15],
  ] as const
).map(([timeZone, from, days, step]) => [timeZone, new Oracle(timeZone, from, days, step)]);

const item = (min: number, max: number) =>
  oneof(
    { arbitrary: integer({ min, max }).map(String), weight: 4 },
    tuple(integer({ min, max }), integer({ min, max })).map((ends) => `${Math.min(...ends)}-${Math.max(...ends)}`),
    integer({ min: 1, max }).map((step) => `*/${step}`),
  );
const field = (min: number, max: number, star: number) =>
  oneof(
    { arbitrary: constantFrom("*"), weight: star },
    { arbitrary: item(min, max), weight: 3 },
    { arbitrary: tuple(item(min, max), item(min, max)).map((items) => items.join(",")), weight: 1 },
  );
const expressions = tuple(field(0, 59, 1), field(0, 23, 2), field(1, 31, 8), field(1, 12, 12), field(0, 7, 8)).map(
  (words) => words.join(" "),
);
/** Most of what is difficult lies here. */
const nightly = tuple(field(0, 59, 1), field(0, 4, 1)).map(([minute, hour]) => `${minute} ${hour} * * *`);

describe("cron: against a clock that is looked at every minute", () => {
  test.each(
    oracles.map(([timeZone, oracle]) => [timeZone, new Date(oracle.untilAt).getUTCFullYear(), oracle] as const),
  )("%s up to %i", (timeZone, _, oracle) => {
    const start = integer({ min: 0, max: 100 });
    assert(
      property(
        oneof(expressions, nightly),
        start,
        integer({ min: 0, max: 86_399_999 }),
        (expression, percent, more) => {
          const parsed = parseCron(expression);
          if ("problem" in parsed) return;
          const afterAt =
            oracle.fromAt + 3 * dayMs + Math.floor((oracle.untilAt - oracle.fromAt) * percent * 0.007) + more;

          const expected = oracle.times(parsed, afterAt, 100);

          let at = afterAt;
          for (const time of expected) {
            at = nextTime(parsed, at, timeZone)!;
            expect(`${expression} ${new Date(at).toISOString()}`).toBe(`${expression} ${new Date(time).toISOString()}`);
          }
          const beyond = expected.length === 100 || (nextTime(parsed, at, timeZone) ?? Infinity) >= oracle.untilAt;
          expect(beyond).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });
});
