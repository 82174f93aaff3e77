/**
 * Cron: when a job runs, in the five fields of crontab(5), in a time zone.
 *
 * `minute hour day month weekday`, each `*`, a number, a range `1-5`, a step `*\/15` or `8-18/2`, or a list of these; months and
 * weekdays also by name (`jan`, `mon`; 0 and 7 are Sunday); `@hourly`, `@daily` and their like.
 *
 * Guarantees: a schedule that is given out comes at least once in `searchDaysMax`. When day and weekday are both restricted
 * (neither begins with `*`), either is enough, as crontab(5) has it. When the clock changes, a job of certain hours runs once for
 * each of its times: one that does not exist at the first instant after the gap, one that exists twice the first time. A job of
 * every hour goes by the clock, as cron(8) does: otherwise "every five minutes" would pause for an hour.
 * Limits: whole minutes. No seconds, years, `L`, `W`, `#` or `?`; `@reboot` is what `autostart` does.
 * Not here: what a missed or overlapping time means (schedule.ts).
 *
 * @module
 */
import { suggestionClause } from "../base/suggestion.ts";
import { instantOf, localTimeAt } from "./time-zone.ts";

/** Days that are looked through for the next time: the first of February is a Monday at least once in twelve years. */
export const searchDaysMax: number = 366 * 28;
/** Characters of an expression. */
export const expressionMaxChars = 1000;

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A parsed expression; plain data. Numbers in ascending order. */
export interface CronSchedule {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Of the month, 1 to 31. */
  readonly days: readonly number[];
  /** 1 to 12. */
  readonly months: readonly number[];
  /** 0 to 6, 0 is Sunday. */
  readonly weekdays: readonly number[];
  /** A day counts when its day or its weekday does; otherwise both must. */
  readonly eitherDay: boolean;
}

/** Why a text is no expression: one sentence without a full stop. */
export interface CronProblem {
  readonly problem: string;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Where `*` ends, when that is not `max`. */
  readonly wholeMax?: number;
  /** Names of the numbers from `min` on. */
  readonly names?: readonly string[];
}

const fields: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, names: "jan feb mar apr may jun jul aug sep oct nov dec".split(" ") },
  { name: "weekday", min: 0, max: 7, wholeMax: 6, names: "sun mon tue wed thu fri sat".split(" ") },
];

const shorthands: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** The longest that a month gets. */
const daysOfMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Reads an expression, or says what is wrong with it and what belongs there. Never throws. */
export function parseCron(expression: string): CronSchedule | CronProblem {
  try {
    return parse(expression.slice(0, expressionMaxChars + 1).trim());
  } catch (error) {
    if (error instanceof Misfit) return { problem: error.message };
    throw error;
  }
}

/**
 * The first time after `afterAt` at which the schedule comes, in epoch milliseconds; undefined when it does not come within
 * `searchDaysMax`. `timeZone` undefined: the machine's. @throws RangeError for an unknown zone (see `timeZoneProblem`)
 */
export function nextTime(schedule: CronSchedule, afterAt: number, timeZone: string | undefined): number | undefined {
  return schedule.hours.length === 24
    ? nextByClock(schedule, afterAt, timeZone)
    : nextOfTimes(schedule, afterAt, timeZone);
}

class Misfit extends Error {}

function parse(text: string): CronSchedule {
  if (text.length > expressionMaxChars)
    throw new Misfit(`the expression has more than ${expressionMaxChars} characters`);
  const written = text.startsWith("@") ? expand(text) : text;
  const words = written.split(/\s+/).filter((word) => word !== "");
  if (words.length !== fields.length) throw new Misfit(`${JSON.stringify(text)} ${countProblem(words.length)}`);
  const [minutes, hours, days, months, weekdays] = words.map((word, at) => numbersOf(word, fields[at]!));
  const schedule: CronSchedule = {
    minutes: minutes!,
    hours: hours!,
    days: days!,
    months: months!,
    weekdays: ascending(weekdays!.map((weekday) => weekday % 7)),
    eitherDay: !words[2]!.startsWith("*") && !words[4]!.startsWith("*"),
  };
  if (!schedule.eitherDay && !schedule.months.some((month) => schedule.days[0]! <= daysOfMonth[month - 1]!))
    throw new Misfit(`${JSON.stringify(text)} never comes: no such month has a day ${schedule.days[0]}`);
  return schedule;
}

function expand(text: string): string {
  const name = text.toLowerCase();
  if (Object.hasOwn(shorthands, name)) return shorthands[name]!;
  if (name === "@reboot")
    throw new Misfit("@reboot is not a time; a service with autostart runs when the system starts");
  const known = Object.keys(shorthands);
  throw new Misfit(`${JSON.stringify(text)} is not one of ${known.join(", ")}${suggestionClause(text, known)}`);
}

function countProblem(count: number): string {
  const six = count === 6 ? "; there is none for seconds, everyMs has milliseconds" : "";
  return `has ${count} ${count === 1 ? "field" : "fields"}; there are five: minute hour day month weekday${six}`;
}

/** The numbers that one field names, ascending. */
function numbersOf(text: string, field: Field): number[] {
  return ascending(text.split(",").flatMap((item) => numbersOfItem(item, text, field)));
}

function ascending(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].toSorted((one, other) => one - other);
}

function numbersOfItem(item: string, text: string, field: Field): number[] {
  const [, from, to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(item) ?? [];
  if (from === undefined || (from === "*" && to !== undefined)) throw misfit(item, text, field);
  if (step !== undefined && from !== "*" && to === undefined)
    throw new Misfit(`${field.name} ${item}: a step belongs to * or to a range; write ${from}-${field.max}/${step}`);
  const stepCount = Number(step ?? 1);
  if (stepCount < 1 || stepCount > field.max)
    throw new Misfit(`${field.name} ${item}: the step ${step} is not a whole number from 1 to ${field.max}`);
  const [first, last] = from === "*" ? [field.min, field.wholeMax ?? field.max] : rangeOf(from, to, item, text, field);
  return Array.from({ length: Math.floor((last - first) / stepCount) + 1 }, (_, at) => first + at * stepCount);
}

function rangeOf(from: string, to: string | undefined, item: string, text: string, field: Field): [number, number] {
  const first = numberOf(from, item, text, field);
  const last = to === undefined ? first : endOf(to, first, item, text, field);
  if (last >= first) return [first, last];
  const two = `${from}-${field.wholeMax ?? field.max},${field.min}-${to}`;
  throw new Misfit(`${field.name} ${item}: the range ends before it begins; write ${two}`);
}

/** `fri-sun` ends on the Sunday that comes after Friday. */
function endOf(word: string, first: number, item: string, text: string, field: Field): number {
  const last = numberOf(word, item, text, field);
  return field.max === 7 && last === 0 && first > 0 && word !== "0" ? 7 : last;
}

function numberOf(word: string, item: string, text: string, field: Field): number {
  const named = field.names?.indexOf(word.toLowerCase()) ?? -1;
  const number = named >= 0 ? named + field.min : /^\d{1,4}$/.test(word) ? Number(word) : Number.NaN;
  if (!(number >= field.min && number <= field.max)) throw misfit(item, text, field);
  return number;
}

function misfit(item: string, text: string, { name, min, max, names }: Field): Misfit {
  const where = item === text ? "" : ` in ${text}`;
  const orName = names === undefined ? "" : ` or a name such as ${names[1]}`;
  const more = /[LW#?]/.test(item) && names === undefined ? "; L, W, # and ? are not known" : "";
  return new Misfit(
    `${name} ${JSON.stringify(item)}${where} is not *, a number from ${min} to ${max}${orName}, a range or a step of these${more}`,
  );
}

/** For a job of certain hours: each of its local times is one instant, so they are gone through in order. */
function nextOfTimes(schedule: CronSchedule, afterAt: number, timeZone: string | undefined): number | undefined {
  const start = floor(localTimeAt(afterAt, timeZone), minuteMs);
  for (
    let day = findDay(schedule, floor(start, dayMs));
    day !== undefined;
    day = findDay(schedule, day + dayMs, start)
  ) {
    for (const hour of schedule.hours) {
      for (const minute of schedule.minutes) {
        const local = day + hour * 60 * minuteMs + minute * minuteMs;
        if (local < start) continue;
        const at = instantOf(local, timeZone);
        if (at > afterAt) return at;
      }
    }
  }
  return undefined;
}

/** For a job of every hour: whenever the clock shows such a minute. */
function nextByClock(schedule: CronSchedule, afterAt: number, timeZone: string | undefined): number | undefined {
  const start = localTimeAt(afterAt, timeZone);
  let at = afterAt + minuteMs - modulo(start, minuteMs);
  for (;;) {
    const local = localTimeAt(at, timeZone);
    const today = floor(local, dayMs);
    const day = findDay(schedule, today, start);
    if (day === undefined) return undefined;
    // Just after midnight the clock may go back into the day before, and only there: none of the days until `day` counts.
    const isAfterDay = day !== today && hasDay(schedule, today - dayMs);
    const goal = isAfterDay ? Math.min(day, today + dayMs) : day;
    const wait = day === today ? waitForMinute(schedule, local) : instantOf(goal, timeZone) - at;
    if (wait === 0) return at;
    // Where the clock changes on the way, or has gone back to the day before, every minute is looked at.
    const isLeap = day !== today && !isAfterDay;
    const isSmooth = wait > 0 && (isLeap || localTimeAt(at + wait, timeZone) === local + wait);
    at += isSmooth ? wait : minuteMs - modulo(local, minuteMs);
  }
}

/** Milliseconds to the next minute of the schedule or to the next hour, whichever is first; 0 when it is now. */
function waitForMinute({ minutes }: CronSchedule, local: number): number {
  const now = modulo(local, 60 * minuteMs);
  const next = minutes.find((minute) => minute * minuteMs >= now) ?? 60;
  return next * minuteMs - now;
}

/** The first day (local midnight) from `day` on that the schedule knows, within the limit from `start`. */
function findDay(schedule: CronSchedule, day: number, start: number = day): number | undefined {
  for (let next = day; next - start < searchDaysMax * dayMs; next += dayMs) if (hasDay(schedule, next)) return next;
  return undefined;
}

function hasDay(schedule: CronSchedule, day: number): boolean {
  const date = new Date(day);
  if (!schedule.months.includes(date.getUTCMonth() + 1)) return false;
  const isDay = schedule.days.includes(date.getUTCDate());
  const isWeekday = schedule.weekdays.includes(date.getUTCDay());
  return schedule.eitherDay ? isDay || isWeekday : isDay && isWeekday;
}

function floor(value: number, unit: number): number {
  return value - modulo(value, unit);
}

/** Never negative, also before 1970. */
function modulo(value: number, unit: number): number {
  return ((value % unit) + unit) % unit;
}
