/** The guide about failure tests has every fault that there is, and every example. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { canBePlanned, faults, strikesByItself, type FaultName } from "colos/testing";
import { expect, test } from "vitest";

const examplesFolder = new URL("../examples/failure/", import.meta.url);
const guide = new URL("../docs/failure-testing.md", import.meta.url);
const examples = readdirSync(examplesFolder).filter((name) => name.endsWith(".test.ts"));
/** Lines of the shortest example. */
const linesMax = 30;

function textOf(name: string): string {
  return readFileSync(new URL(name, examplesFolder), "utf8");
}

/** No part of a simulation asks for it: signals of different kernels overtake each other in every run. */
const neverSimulated: ReadonlySet<FaultName> = new Set(["reorder"]);

function faultTable(): string {
  const rows = (Object.keys(faults) as FaultName[])
    .filter((fault) => !neverSimulated.has(fault))
    .map((fault) => {
      const { layer, does } = faults[fault];
      const rate = strikesByItself(fault) ? "per second" : "probability";
      return `| \`${fault}\` | ${layer} | ${rate} | ${canBePlanned(fault) ? "yes" : "no"} | ${does} |`;
    });
  return ["| fault | strikes | its number | in `at` | what happens |", "| --- | --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
}

test("its table of faults is the catalogue", async () => {
  const text = readFileSync(guide, "utf8");
  const written = text.replace(
    /(<!-- faults:begin -->\n).*?(<!-- faults:end -->)/s,
    (_all, begin: string, end: string) => `${begin}\n${faultTable()}\n\n${end}`,
  );

  await expect(written).toMatchFileSnapshot(fileURLToPath(guide));
});

test("the shortest example comes first and is short", () => {
  const lengths = examples.map((name) => textOf(name).trimEnd().split("\n").length);

  expect(lengths[0]).toBe(Math.min(...lengths));
  expect(lengths[0]).toBeLessThanOrEqual(linesMax);
});

test("each example is in the guide, with the parts of its property and the faults of its plan", () => {
  const text = readFileSync(guide, "utf8");
  for (const name of examples.slice(1)) {
    const row = text.split("\n").find((line) => line.includes(`examples/failure/${name}`)) ?? "";
    const example = textOf(name);
    const [parts = "", struck = ""] = row.split("|").slice(2, 4);
    const plan =
      /const plan: Plan = \{(.*?)\n\};|const plan: Plan = \{(.*?)\};/s.exec(example)?.slice(1).join("") ?? "";
    const planned = Object.keys(faults).filter((fault) => new RegExp(`[{ "]${fault}"?:`).test(plan));

    expect([name, planned.toSorted()]).toEqual([
      name,
      struck
        .split(",")
        .map((fault) => fault.trim())
        .toSorted(),
    ]);
    for (const [, part] of parts.matchAll(/`(\w+)`/g)) expect(example).toMatch(new RegExp(`^ {4}${part}:`, "m"));
  }
});

test("the examples have every part of a property, and break and mend each", () => {
  const all = examples.map(textOf);

  expect(examples).toHaveLength(10);
  for (const part of ["always", "onSignal", "balance", "eventually", "sometimes", "model", "workload"]) {
    expect(all.filter((text) => new RegExp(`^ {4}(?:async )?${part}[:(]`, "m").test(text))).not.toEqual([]);
  }
  for (const text of all) expect([text.includes("refute("), text.includes("simulate(")]).toEqual([true, true]);
});
