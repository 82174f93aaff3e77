/**
 * Last words: what of a service's last lines tells a person why it ended.
 *
 * Guarantees: pure; lines are left out, never changed, and their order stays. A Node.js that dies writes twenty lines of which one
 * is the error, so what is the same in each such death (frames of Node.js itself, its version) makes room for what is not.
 *
 * @module
 */

/** Lines that are read to find those that tell something. */
export const readLinesMax = 60;

/** `    at Module._load (node:internal/…)`, `    at node:internal/…`, `Node.js v22.1.0`. */
const saysNothing = /^\s*$|^\s+at (?:.*\()?node:|^Node\.js v\d/;

/** `Error: …`, `TypeError [CODE]: …`, `redis.exceptions.ConnectionError: …`, `panic: …`, `[error] …`. */
const namesError = /^(?:Uncaught )?[\w.$]*(?:Error|Exception)\b.*:|^(?:panic|fatal|error)\b|\[(?:error|fatal)\]/i;

/** The last lines that tell something, oldest first. */
export function tellingLines(lines: readonly string[], linesMax: number): readonly string[] {
  return lines.filter((line) => !saysNothing.test(line)).slice(-linesMax);
}

/** The one line that tells most: the last that names an error, else the last that tells anything; undefined when none does. */
export function tellingLine(lines: readonly string[]): string | undefined {
  const telling = tellingLines(lines, readLinesMax);
  return (telling.findLast((line) => namesError.test(line)) ?? telling.at(-1))?.trim();
}
