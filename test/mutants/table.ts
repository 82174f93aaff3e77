/**
 * Table: what was found of the planted defects, for the terminal and for docs/failure-testing.md.
 *
 * @module
 */
import type { Finding } from "./child.ts";
import type { Mutant } from "./mutant.ts";

/** One mutant and what became of it. */
export interface Row {
  readonly mutant: Mutant;
  readonly finding: Finding;
}

const begin = "<!-- mutants:begin -->";
const end = "<!-- mutants:end -->";

/** A few lines that sum it up. */
export function describeTable(rows: readonly Row[]): string {
  const found = rows.filter(({ finding }) => finding.found);
  const choices = median(found.flatMap(({ finding }) => finding.choicesCount ?? []));
  const shrinking = median(found.flatMap(({ finding }) => finding.shrinkCpuSeconds ?? []));
  const searching = median(found.map(({ finding }) => finding.cpuSeconds));
  const missing = rows.filter(({ finding }) => !finding.found).map(({ mutant }) => mutant.id);
  const share = rows.length === 0 ? 0 : (100 * found.length) / rows.length;
  return [
    `${found.length} of ${rows.length} planted defects are found (${share.toFixed(1)} %), each within 60 CPU seconds;`,
    `median ${searching.toFixed(1)} CPU s to find, ${choices} choices after shrinking in ${shrinking.toFixed(1)} CPU s.`,
    ...(missing.length === 0 ? [] : [`Not found: ${missing.join(", ")}.`]),
  ].join("\n");
}

/** `text` with the table between its two comments, or at its end. */
export function writeTable(text: string, rows: readonly Row[]): string {
  const head =
    "| defect | what a user would see | found by | CPU s | choices | shrunk to |\n| --- | --- | --- | ---: | ---: | ---: |";
  const lines = rows.map(({ mutant, finding }) => {
    const cells = finding.found
      ? [finding.by, finding.cpuSeconds.toFixed(1), finding.choicesFoundCount ?? "", finding.choicesCount ?? ""]
      : ["not found", "", "", ""];
    return `| \`${mutant.id}\` | ${mutant.breaks} | ${cells.join(" | ")} |`;
  });
  const table = [begin, "", describeTable(rows), "", head, ...lines, "", end].join("\n");
  const [before, rest] = text.split(begin);
  if (rest === undefined) return `${text.trimEnd()}\n\n## Defects planted in colos itself\n\n${table}\n`;
  return `${before}${table}${rest.slice(rest.indexOf(end) + end.length)}`;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
