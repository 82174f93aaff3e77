/** colos itself under the simulator: first what was found before, then a hundred seeds of each property. */
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { campaigns } from "./campaigns.ts";

const seedsCount = 100;
const folder = new URL("corpus/", import.meta.url);

/** Replays of the campaign `name`: one in each line of its file that does not begin with `#`. */
function corpusOf(name: string): string[] {
  const file = `${name.replaceAll(" ", "-")}.txt`;
  if (!readdirSync(folder).includes(file)) return [];
  const lines = readFileSync(new URL(file, folder), "utf8").split("\n");
  return lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

describe("in the simulator", () => {
  test.each(campaigns)(`$name holds in ${seedsCount} runs`, async ({ name, check }) => {
    const report = await check({ runs: seedsCount, corpus: corpusOf(name) });

    expect(report.runsCount).toBeGreaterThanOrEqual(seedsCount);
  });

  test("each file of the corpus belongs to a campaign", () => {
    const known = new Set(campaigns.map(({ name }) => `${name.replaceAll(" ", "-")}.txt`));

    expect(readdirSync(folder).filter((file) => !known.has(file))).toEqual([]);
  });
});
