/**
 * Tidy: the rules of this repository that a compiler does not know, checked over every tracked file. The table of
 * folders is `test/tidy/layout.ts`; that each check can fail is proved in `test/tidy/*.test.ts`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkIndex, checkLanguage, checkModuleDoc, checkNames, checkNeutral } from "./tidy/code.ts";
import { checkFolder, checkImports } from "./tidy/imports.ts";
import { folderOf } from "./tidy/layout.ts";
import { checkLock, checkMachine, checkNeutralProject } from "./tidy/repository.ts";
import type { Finding, SourceFile } from "./tidy/source.ts";
import { checkSkips, checkSleeps, checkTestNames, isTestCode } from "./tidy/tests.ts";

/** Tracked files and new ones that git does not ignore, so that a file is checked before its first commit too. */
const tracked: readonly SourceFile[] = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  { encoding: "utf8" },
)
  .split("\0")
  .filter((path) => path !== "" && existsSync(path))
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));
const inSource = tracked.filter(({ path }) => path.startsWith("src/"));
const source = inSource.filter(({ path }) => path.endsWith(".ts"));
const testCode = tracked.filter(({ path }) => isTestCode(path));

function check(files: readonly SourceFile[], rule: (file: SourceFile) => Finding[]): void {
  expect(files.flatMap(rule)).toEqual([]);
}

describe("src", () => {
  test("has only the folders of the table", () => check(inSource, checkFolder));
  test("imports only what the table allows", () => check(source, checkImports));
  test("opens each file with its module doc", () => check(source, checkModuleDoc));
  test("keeps host time, randomness and globals out of neutral code", () => check(source, checkNeutral));
  test("has no enum, no any, no default export", () => check(source, checkLanguage));
  test("names files for a noun, in kebab-case", () => check(inSource, checkNames));
  test("has no code in index files", () => check(source, checkIndex));
});

describe("tests", () => {
  test("state facts", () => check(testCode, checkTestNames));
  test("all run, or say why not", () => check(testCode, checkSkips));
  test("never sleep", () => check(testCode, checkSleeps));
});

describe("repository", () => {
  test("says nothing of the machine that built it", () => check(tracked, checkMachine));

  test("has a lock file without hosts", () => {
    check(
      tracked.filter(({ path }) => path.endsWith("package-lock.json")),
      checkLock,
    );
  });

  test("compiles exactly the neutral folders without host types", () => {
    const folders = [...new Set(inSource.flatMap(({ path }) => folderOf(path) ?? []))];
    const { include } = JSON.parse(readFileSync("tsconfig.neutral.json", "utf8")) as { include: string[] };
    expect(checkNeutralProject(include, folders)).toEqual([]);
  });
});
