import { describe, expect, test } from "vitest";
import { checkSkips, checkSleeps, checkTestNames, isTestCode } from "./tests.ts";

const suite = (text: string): { path: string; text: string } => ({ path: "src/kernel/a.test.ts", text });

describe("isTestCode", () => {
  test.each(["src/kernel/a.test.ts", "test/debian.ts", "src/testing/carrier-suite.ts"])("knows %s", (path) => {
    expect(isTestCode(path)).toBe(true);
  });

  test("leaves other code alone", () => {
    expect(isTestCode("src/kernel/a.ts")).toBe(false);
  });
});

describe("checkTestNames", () => {
  const bad = [
    'test("should work", f);',
    "it('Should work', f);",
    "describe(`should ${a}`, f);",
    'test.concurrent("should work", f);',
    'test.each(all)("should %s", f);',
  ];

  test.each(bad)("refuses %s", (text) => {
    expect(checkTestNames(suite(text))).toHaveLength(1);
  });

  test.each(['test("a shoulder holds", f);', 'test("shoulders hold", f);', '// test("should", f)'])(
    "allows %s",
    (text) => {
      expect(checkTestNames(suite(text))).toEqual([]);
    },
  );
});

describe("checkSkips", () => {
  const bad = [
    'test.only("a", f);',
    'describe.concurrent.only("a", f);',
    'fit("a", f);',
    'test.skip("a", f);',
    'describe.skipIf(x)("a", f);',
    'test.runIf(x)("a", f);',
    'test.todo("a");',
    'xit("a", f);',
    'test("a", (context) => context.skip());',
  ];

  test.each(bad)("refuses %s", (text) => {
    expect(checkSkips(suite(text))).toHaveLength(1);
  });

  test("refuses .only where skips are allowed", () => {
    expect(checkSkips({ path: "test/debian.ts", text: 'test.only("a", f)' })).toHaveLength(1);
  });

  test.each(['test("a", f);', 'test("a", (context) => context.skip("no kernel log here"));', "suite.skipped"])(
    "allows %s",
    (text) => {
      expect(checkSkips(suite(text))).toEqual([]);
    },
  );
});

describe("checkSleeps", () => {
  const bad = [
    "await new Promise((r) => setTimeout(r, 10));",
    "await new Promise(r => setTimeout(r, 10));",
    "await new Promise<void>((resolve) => { setTimeout(resolve, 10); });",
    "await new Promise<void>((resolve) => setTimeout(() => resolve(), 10));",
    "await new Promise((resolve, reject) => setTimeout(resolve, 10));",
    "await sleep(10);",
    'import { setTimeout as wait } from "node:timers/promises";',
  ];

  test.each(bad)("refuses %s", (text) => {
    expect(checkSleeps(suite(text))).toHaveLength(1);
  });

  test("refuses a home-made sleep", () => {
    expect(checkSleeps(suite("const sleep = pause;"))).toHaveLength(1);
  });

  const good = [
    'const command = ["sleep", "10"];',
    "const late = new Promise((_, reject) => setTimeout(() => reject(new Error()), 10));",
    "world.sleepless()",
    "const timer = setTimeout(end, 10);",
  ];

  test.each(good)("allows %s", (text) => {
    expect(checkSleeps(suite(text))).toEqual([]);
  });
});
