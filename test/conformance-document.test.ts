/** The page about conformance is what the suite says, the suite has every statement, and every proof that it names exists. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Carrier } from "colos";
import { testCarrier, type CarrierFixtures } from "colos/testing";
import { describe, expect, test } from "vitest";
import { carrierStatements, allCarriers } from "./conformance/carrier-statements.ts";
import { conformanceDocument } from "./conformance/document.ts";
import { groups } from "./conformance/suite.ts";

/** How many statements each group has on the conformance page. */
const counts: Readonly<Record<string, number>> = { P: 12, M: 15, E: 18, L: 16, N: 19, R: 7, T: 9, G: 31, S: 56 };

describe("the statements", () => {
  test.each(groups)("$letter are complete and in order", ({ letter, statements }) => {
    const expected = Array.from({ length: counts[letter] ?? 0 }, (_, index) => `${letter}${index + 1}`);

    expect(statements.map(({ id }) => id)).toEqual(expected);
  });

  test("about carriers are K1 to K15, each proved or excepted on every carrier", () => {
    expect(carrierStatements.map(({ id }) => id)).toEqual(Array.from({ length: 15 }, (_, index) => `K${index + 1}`));
    for (const { id, proofs, except = {} } of carrierStatements) {
      for (const carrier of allCarriers) {
        expect([id, carrier, proofs[carrier] !== undefined || except[carrier] !== undefined]).toEqual([
          id,
          carrier,
          true,
        ]);
      }
    }
  });

  test("about carriers name proofs that exist", () => {
    const cases = new Set<string>();
    testCarrier({
      carrier: {} as Carrier,
      system: () => ({}) as never,
      fixtures: {} as CarrierFixtures,
      test: (name) => void cases.add(`contract: ${name}`),
    });
    const proofs = carrierStatements.flatMap((statement) => Object.values(statement.proofs).flat());

    expect(proofs.filter((proof) => !cases.has(proof) && !isTest(proof))).toEqual([]);
  });
});

test("the page is what the suite says", async () => {
  await expect(conformanceDocument()).toMatchFileSnapshot("../docs/conformance.md");
});

function isTest(proof: string): boolean {
  const [file, title] = proof.split(/: (.*)/s) as [string, string];
  if (file === "contract") return false;
  return readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), "utf8").includes(`"${title}"`);
}
