/** The planted defects fit the code as it is. */
import { readFileSync } from "node:fs";
import { transformSync } from "esbuild";
import { describe, expect, test } from "vitest";
import { mutated } from "./mutant.ts";
import { mutants } from "./mutants.ts";

describe("mutants", () => {
  test("there are at least 40, each with an id of its own", () => {
    const ids = mutants.map(({ id }) => id);

    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(40);
  });

  test.each(mutants)("$id stands in for one place in $file and still parses", (mutant) => {
    const text = readFileSync(new URL(`../../${mutant.file}`, import.meta.url), "utf8");

    const { code } = transformSync(mutated(mutant, text), { loader: "ts", format: "esm" });

    expect(code).not.toBe(transformSync(text, { loader: "ts", format: "esm" }).code);
  });

  test("one that does not fit says so", () => {
    const mutant = { id: "none", file: "src/index.ts", find: "a", replace: "b", breaks: "nothing" };

    expect(() => mutated(mutant, "aa")).toThrow(
      "mutant none: what it replaces stands 2 times in src/index.ts, not once",
    );
  });
});
