/** The table of planted defects, as the documentation shows it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Finding } from "./child.ts";
import { mutants } from "./mutants.ts";
import { describeTable, writeTable, type Row } from "./table.ts";

const found: Finding = {
  found: true,
  by: "signals",
  message: "always: no",
  seed: 7,
  cpuSeconds: 1.25,
  eventsCount: 10,
  choicesFoundCount: 40,
  choicesCount: 2,
  shrinkCpuSeconds: 0.5,
};
const missed: Finding = { found: false, cpuSeconds: 60, eventsCount: 10 };
const [one, other] = mutants as [Row["mutant"], Row["mutant"]];
const rows: Row[] = [
  { mutant: one, finding: found },
  { mutant: other, finding: missed },
];

describe("the table of mutants", () => {
  test("says how many are found, how soon, and which are not", () => {
    expect(describeTable(rows)).toContain("1 of 2 planted defects are found (50.0 %)");
    expect(describeTable(rows)).toContain(`Not found: ${other.id}.`);
  });

  test("is put at the end of a document that has none", () => {
    const text = writeTable("# Title\n", rows);

    expect(text.startsWith("# Title\n\n## ")).toBe(true);
    expect(text).toContain(`| \`${one.id}\` | ${one.breaks} | signals | 1.3 | 40 | 2 |`);
  });

  test("replaces the one that stands there and nothing else", () => {
    const text = `${writeTable("# Title\n", rows)}\nMore.\n`;

    expect(writeTable(text, rows)).toBe(text);
    expect(writeTable(text, rows.slice(1))).not.toContain(`\`${one.id}\``);
    expect(writeTable(text, []).endsWith("\nMore.\n")).toBe(true);
  });

  test("in docs/failure-testing.md names all mutants, and at least 95 % of them as found", () => {
    const path = new URL("../../docs/failure-testing.md", import.meta.url);
    const [, text = ""] = /<!-- mutants: generated(.*?)<!-- mutants end -->/s.exec(readFileSync(path, "utf8")) ?? [];

    const lines = [...text.matchAll(/^\| `([a-z-]+)` \|.*$/gm)];
    const missing = lines.filter(([line]) => line.includes("| not found |"));

    expect(lines.map(([, id]) => id)).toEqual(mutants.map(({ id }) => id));
    expect(missing.length).toBeLessThanOrEqual(mutants.length * 0.05);
  });
});
