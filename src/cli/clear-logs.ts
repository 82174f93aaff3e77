/**
 * Clear logs: `colos logs --clear`. Shows what it would empty, asks, and tells how much was given back.
 *
 * @module
 */
import type { ClearedLog, ClearReport } from "../control/manager.ts";
import type { Call } from "./call.ts";
import { isConfirmed } from "./confirm.ts";
import { exitCodes } from "./exit-codes.ts";
import { bytesText } from "./figures.ts";
import type { Options, Words } from "./words.ts";

/** Names that the last line tells. */
export const namesToldMax = 8;

export const clearOptions: Options = {
  clear: { help: "empty the logs of these (or of all) instead of showing them; asks first" },
  gone: { help: "the logs of services and instances that are gone" },
  "dry-run": { help: "with --clear: show what it would empty, and do nothing" },
  yes: { help: "with --clear: do not ask", short: "y" },
};

/** What is to be emptied. */
export interface Clearing {
  /** undefined: what is gone. */
  readonly names: readonly string[] | undefined;
  readonly isDryRun: boolean;
  readonly isAgreed: boolean;
}

/** undefined: nothing is to be emptied. `isGone`: what is gone is meant. @throws WrongUsage */
export function readClearing(
  names: readonly string[] | undefined,
  isGone: boolean,
  words: Words,
): Clearing | undefined {
  const [isDryRun, isAgreed] = [words.has("dry-run"), words.has("yes")];
  if (!words.has("clear")) {
    for (const option of ["dry-run", "yes"]) if (words.has(option)) throw words.wrong(`--${option} belongs to --clear`);
    return undefined;
  }
  for (const option of ["follow", "lines", "since", "until", "level", "grep", "stderr", "time"])
    if (words.has(option)) throw words.wrong(`--clear empties all that was recorded; leave --${option} out`);
  if (names === undefined && !isGone)
    throw words.wrong("say whose logs to empty: names, all, or --gone for those that are gone");
  return { names, isDryRun, isAgreed };
}

/** Settles with the exit code. */
export async function clearLogs({ names, isDryRun, isAgreed }: Clearing, call: Call): Promise<number> {
  const manager = await call.connect();
  const whose = names === undefined ? { gone: true } : { names };
  if (isDryRun || !isAgreed) {
    const found = await manager.clearLogs({ ...whose, preview: true });
    if (isDryRun) return tell(found, call, () => shownLines(found));
    if (found.logs.length === 0) return tell(found, call, () => [nothingText]);
    if (call.isTalking) call.print(shownLines(found));
    if (!(await isConfirmed({ what: "logs are emptied", question: "Empty them" }, call))) return exitCodes.refused;
  }
  const report = await manager.clearLogs(whose);
  const sentence = `colos: gave back ${bytesText(report.bytes)} of ${namesText(report.logs)}`;
  return tell(report, call, () => [report.logs.length === 0 ? nothingText : sentence]);
}

const nothingText = "colos: nothing was recorded of them";

function tell(report: ClearReport, call: Call, lines: () => readonly string[]): number {
  if (call.isJson) call.json(report);
  else if (!call.isQuiet) call.print(lines());
  return exitCodes.ok;
}

function shownLines({ logs, bytes }: ClearReport): readonly string[] {
  if (logs.length === 0) return [nothingText];
  const rows = [...logs.map((log): [string, number] => [log.name, log.bytes]), ["together", bytes] as const];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, size]) => `${name.padEnd(width)}  ${bytesText(size).padStart(8)}`);
}

function namesText(logs: readonly ClearedLog[]): string {
  const names = logs.slice(0, namesToldMax).map(({ name }) => name);
  const more = logs.length - names.length;
  return `${names.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}
