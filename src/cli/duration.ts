/**
 * Duration: times as a person types them: `500ms`, `30s`, `5m`, `2h`, `7d`; as in a config, and `m` for `min`. A number alone is
 * refused, since people mean seconds by it where programs mean milliseconds.
 *
 * @module
 */
import { parseDuration } from "../control/quantity.ts";
import { quoted, type Words } from "./words.ts";

/** Milliseconds; what timers of the host take, and operations of the manager. */
export const durationMsMax: number = 2 ** 31 - 1;

/** The milliseconds of `30s`; undefined when it is no duration. */
export function durationMs(text: string): number | undefined {
  return parseDuration(text.replace(/^([\d.]+) ?m$/, "$1min"));
}

/** The option's value as milliseconds. @throws WrongUsage */
export function durationOption(words: Words, option: string): number | undefined {
  const text = words.last(option);
  if (text === undefined) return undefined;
  const milliseconds = durationMs(text);
  if (milliseconds !== undefined && milliseconds > 0 && milliseconds <= durationMsMax) return milliseconds;
  throw words.wrong(`--${option}: ${quoted(text)} is not a time such as 500ms, 30s, 5m or 2h, of at most 24 days`);
}
