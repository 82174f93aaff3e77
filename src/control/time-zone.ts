/**
 * Time zone: the clock on the wall of a place, and back, through `Intl` (the time zones that ECMAScript knows).
 *
 * Words: an instant is epoch milliseconds; a local time is what the clock on the wall shows, written as the epoch milliseconds
 * of the same date and time in UTC.
 * Guarantees: pure but for a cache of formatters; every zone and change that the host's data knows, half hours and whole days too.
 * Limits: two changes of the clock within `lookAroundMs` are seen as one; as far as the data knows, that never happened.
 * Not here: which zone the machine is in when nobody says so; `Intl` decides that (TZ, then /etc/localtime).
 *
 * @module
 */
import { suggestionClause } from "../base/suggestion.ts";

/** Formatters kept, one for each zone; making one is a hundred times as slow as using it. */
export const zonesMax = 64;
/** More than the offset of any zone, so that a change of the clock that matters lies within, in milliseconds. */
export const lookAroundMs: number = 26 * 3_600_000;

/** What is wrong with the name of a time zone, or undefined. */
export function timeZoneProblem(name: string): string | undefined {
  try {
    formatterOf(name);
    return undefined;
  } catch {
    const known = suggestionClause(name, Intl.supportedValuesOf("timeZone"));
    return `${JSON.stringify(name)} is not a time zone such as Europe/Berlin or UTC${known}`;
  }
}

/** What the clock shows at an instant. `timeZone` undefined: the machine's. @throws RangeError for an unknown zone */
export function localTimeAt(at: number, timeZone: string | undefined): number {
  const wholeSecond = Math.floor(at / 1000) * 1000;
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(wholeSecond)) parts[type] = Number(value);
  const { year, month, day, hour, minute, second } = parts;
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) + (at - wholeSecond);
}

/**
 * The first instant at which the clock shows `local` or more: of a time that exists twice the first, for one that does not
 * exist the first instant after the gap. Never falls while `local` grows.
 */
export function instantOf(local: number, timeZone: string | undefined): number {
  const early = local - lookAroundMs;
  const late = local + lookAroundMs;
  const offsetBefore = offsetAt(early, timeZone);
  const offsetAfter = offsetAt(late, timeZone);
  if (offsetBefore === offsetAfter) return local - offsetBefore;
  const changeAt = changeBetween(early, late, offsetBefore, timeZone);
  return local - offsetBefore < changeAt ? local - offsetBefore : Math.max(changeAt, local - offsetAfter);
}

function offsetAt(at: number, timeZone: string | undefined): number {
  return localTimeAt(at, timeZone) - at;
}

/** The first instant without the offset of `early`; clocks change at whole seconds. */
function changeBetween(early: number, late: number, offset: number, timeZone: string | undefined): number {
  let before = Math.floor(early / 1000);
  let after = Math.ceil(late / 1000);
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle * 1000, timeZone) === offset) before = middle;
    else after = middle;
  }
  return after * 1000;
}

const formatters = new Map<string | undefined, Intl.DateTimeFormat>();

function formatterOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formatters.size >= zonesMax) formatters.clear();
  formatters.set(timeZone, made);
  return made;
}
