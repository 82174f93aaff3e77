/**
 * Log level: what a line says of itself.
 *
 * Known: JSON with `level`, `severity` or `lvl` (names, and pino's numbers), logfmt (`level=warn`), a word in brackets or at the
 * start (`[warn]`, `Error: …`), a word in capitals near the start (`2026-11-21 10:06:20 WARNING …`), `<3>` as sd-daemon(3) has it,
 * and glog's letter (`E1121 10:06:20`).
 * Limit: the first `levelCharsMax` characters; JSON that is longer is not taken apart as a whole.
 *
 * @module
 */
import type { LogQuery } from "../../control/log.ts";

export type LogLevel = NonNullable<LogQuery["level"]>;

/** From the least to the worst. */
export const logLevels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal"];
/** Characters of a line that are looked at. */
export const levelCharsMax = 8_192;
/** Characters in which a word that stands anywhere has to be. */
const wordCharsMax = 120;

const levelByWord: ReadonlyMap<string, LogLevel> = new Map(
  Object.entries({
    trace: "trace verbose silly",
    debug: "debug dbug fine",
    info: "info information notice log http",
    warn: "warn warning",
    error: "error err severe",
    fatal: "fatal critical crit alert emerg emergency panic",
  } satisfies Record<LogLevel, string>).flatMap(([level, words]) =>
    words.split(" ").map((word) => [word, level as LogLevel] as const),
  ),
);

const jsonLevel = /"(?:level|severity|lvl)"\s*:\s*(?:"(\w+)"|(\d+))/;
const logfmtLevel = /(?:^|\s)(?:level|severity|lvl)="?(\w+)/i;
const bracketed = /[[(<]\s*([A-Za-z]+)\s*[\])>]/g;
const leading = /^\W*([A-Za-z]+)(?:[:!|\]]| - )/;
const errorName = /^(?:Uncaught )?(?:[A-Z]\w*)?Error(?: \[\w+\])?:/;
const capitals =
  /(?:^|[\s|:[(<-])(TRACE|VERBOSE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC)(?=$|[\s|:\])>,!-])/;
const priorities: readonly LogLevel[] = ["fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug"];
const glogLetters: Readonly<Record<string, LogLevel>> = { I: "info", W: "warn", E: "error", F: "fatal" };

/** The level of a line; undefined when it says none. */
export function findLogLevel(text: string): LogLevel | undefined {
  const start = text.slice(0, levelCharsMax);
  if (/^\s*\{/.test(start)) return ofJson(start, text.length <= levelCharsMax);
  const logfmt = ofWord(logfmtLevel.exec(start)?.[1]);
  return logfmt ?? ofWords(start.slice(0, wordCharsMax));
}

/** Whether the line's level is `least` or worse. A line without a level is neither. */
export function isLevel(text: string, least: LogLevel): boolean {
  const level = findLogLevel(text);
  return level !== undefined && logLevels.indexOf(level) >= logLevels.indexOf(least);
}

function ofWords(start: string): LogLevel | undefined {
  const priority = /^<([0-7])>/.exec(start)?.[1];
  if (priority !== undefined) return priorities[Number(priority)];
  const letter = /^([IWEF])\d{4} \d\d:\d\d:\d\d/.exec(start)?.[1];
  if (letter !== undefined) return glogLetters[letter];
  for (const [, word] of start.matchAll(bracketed)) {
    const level = ofWord(word);
    if (level !== undefined) return level;
  }
  return ofWord(leading.exec(start)?.[1]) ?? (errorName.test(start) ? "error" : ofWord(capitals.exec(start)?.[1]));
}

function ofJson(text: string, isWhole: boolean): LogLevel | undefined {
  if (isWhole) {
    try {
      const { level, severity, lvl } = JSON.parse(text) as Record<string, unknown>;
      return ofValue(level ?? severity ?? lvl);
    } catch {
      // Not JSON after all, or cut off.
    }
  }
  const [, word, number] = jsonLevel.exec(text) ?? [];
  return ofWord(word) ?? (number === undefined ? undefined : ofNumber(Number(number)));
}

function ofValue(value: unknown): LogLevel | undefined {
  if (typeof value === "number") return ofNumber(value);
  return typeof value === "string"
    ? (ofWord(value) ?? (/^\d+$/.test(value) ? ofNumber(Number(value)) : undefined))
    : undefined;
}

/** pino's and bunyan's: 10 is trace, 60 is fatal. */
function ofNumber(value: number): LogLevel {
  return logLevels[Math.min(Math.max(Math.floor(value / 10), 1), logLevels.length) - 1] ?? "fatal";
}

function ofWord(word: string | undefined): LogLevel | undefined {
  return word === undefined ? undefined : levelByWord.get(word.toLowerCase());
}
