/**
 * Log filter: which lines a query is about.
 *
 * Limit: only the first `grepCharsMax` characters of a line are searched, so that no expression of a person takes for ever on one
 * long line.
 *
 * @module
 */
import { isLevel } from "./log-level.ts";
import type { LogEntry, LogQuery } from "../../control/log.ts";

/** Characters of a line that are searched. */
export const grepCharsMax = 8_192;

/** Whether a line is asked for, apart from its time. @throws Error with a sentence for an expression that is none */
export function filterOf(query: LogQuery): (entry: LogEntry) => boolean {
  const { stream, level, grep } = query;
  const matches = grep === undefined ? undefined : matcherOf(grep);
  return (entry) =>
    (stream === undefined || entry.stream === stream) &&
    (level === undefined || isLevel(entry.text, level)) &&
    (matches === undefined || matches(entry.text.slice(0, grepCharsMax)));
}

function matcherOf(grep: string): (text: string) => boolean {
  const [, source, flags = ""] = /^\/(.+)\/([a-z]*)$/s.exec(grep) ?? [];
  if (source === undefined) return (text) => text.includes(grep);
  let expression: RegExp;
  try {
    // With g or y, an expression begins where the last match ended.
    expression = new RegExp(source, flags.replaceAll(/[gy]/g, ""));
  } catch (error) {
    throw new Error(`${grep} is no regular expression: ${(error as Error).message}`, { cause: error });
  }
  return (text) => expression.test(text);
}
