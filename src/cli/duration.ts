/**
 * Duration: times as a person types them: `500ms`, `30s`, `5m`, `2h`, `7d`. A number alone is refused, since people
 * mean seconds by it where programs mean milliseconds.
 *
 * @module
 */
import { quoted, type Words } from "./words.ts";

/** Milliseconds; what timers of the host take. */
export const durationMsMax: number = 2 ** 31 - 1;

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The milliseconds of `30s`; undefined when it is no duration. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,10}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  return match === null ? undefined : Math.round(Number(match[1]) * units[match[2]!]!);
}

/** The option's value as milliseconds. @throws WrongUsage */
export function durationOption(words: Words, option: string): number | undefined {
  const text = words.last(option);
  if (text === undefined) return undefined;
  const milliseconds = durationMs(text);
  if (milliseconds !== undefined && milliseconds > 0 && milliseconds <= durationMsMax) return milliseconds;
  throw words.wrong(`--${option}: ${quoted(text)} is not a time such as 500ms, 30s, 5m or 2h, of at most 24 days`);
}
