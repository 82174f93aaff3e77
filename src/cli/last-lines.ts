/**
 * Last lines: the end of what each instance wrote, kept while the live table shows one line of it, so that the
 * reason of a failure is still there when the table is over.
 *
 * Limit: `linesMax` lines per instance, each cut as in text.ts.
 *
 * @module
 */
import type { RunningSystem } from "../control/service.ts";
import { plainText } from "./text.ts";

/** Lines kept of each instance. */
export const linesMax = 20;

/** What was written last. */
export interface LastLines {
  /** The last lines of an instance, oldest first. */
  of(name: string): readonly string[];
}

/** Keeps the last lines of a system from now on. */
export function keepLastLines(system: RunningSystem): LastLines {
  const lines = new Map<string, string[]>();
  system.subscribe((event) => {
    if (event.type !== "log") return;
    const { name, text } = event.line;
    const kept = lines.get(name) ?? [];
    kept.push(text);
    if (kept.length > linesMax) kept.shift();
    lines.set(name, kept);
  });
  return { of: (name) => (lines.get(name) ?? []).map(plainText) };
}
