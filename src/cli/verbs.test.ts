/** What is written for people about the verbs is all of them, and no other. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { exitCodes } from "./exit-codes.ts";
import { verbs } from "./verbs.ts";

const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
const page = read("../../docs/cli.md");

/** The first column of the table below a heading. */
function firstColumn(heading: string): readonly string[] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split("\n## ")[0]!;
  return [...section.matchAll(/^\| (.*?) \| /gm)].map(([, cell]) => cell!).slice(2);
}

describe("docs/cli.md", () => {
  test("has every verb, and no other", () => {
    const names = firstColumn("Verbs").flatMap((cell) =>
      [...cell.matchAll(/(?:^|`, )?`([a-z]+)/g)].map(([, name]) => name!),
    );

    expect(new Set(names)).toEqual(new Set(Object.keys(verbs)));
  });

  test("has every exit code that exit-codes.ts has", () => {
    const documented = firstColumn("Exit codes");
    const inCode = [...read("./exit-codes.ts").matchAll(/^ \* \| (.*?) \| /gm)].map(([, cell]) => cell!).slice(2);

    expect(documented).toEqual(inCode);
    expect(documented).toEqual([
      ...Object.values(exitCodes)
        .filter((code) => code !== exitCodes.signal)
        .map(String),
      "128 + n",
      "any",
    ]);
  });
});
