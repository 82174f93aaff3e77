import { describe, expect, test } from "vitest";
import { checkLock, checkMachine, checkNeutralProject } from "./repository.ts";

/** Bad samples are put together here, so that this file does not say what it forbids. */
const path = (...parts: string[]): string => `/${parts.join("/")}`;
const host = (...parts: string[]): string => parts.join(".");

describe("checkMachine", () => {
  const bad = [
    `cd ${path("work", "main")}`,
    `"${path("work", "")}"`,
    `cd ${path("tmp", "wt", "a")}`,
    `https://${host("registry", "npmjs", "org")}/a`,
    `http://${host("deb", "debian", "org")}/debian`,
  ];

  test.each(bad)("refuses %s", (text) => {
    expect(checkMachine({ path: "README.md", text })).toHaveLength(1);
  });

  test.each(["src/work/a.ts", "/tmp/other", "https://www.npmjs.com/package/colos", "/workers/"])(
    "allows %s",
    (text) => {
      expect(checkMachine({ path: "README.md", text })).toEqual([]);
    },
  );
});

describe("checkLock", () => {
  test("refuses a resolved field with a host", () => {
    expect(checkLock({ path: "package-lock.json", text: '{ "resolved": "https://a.b/c.tgz" }' })).toHaveLength(1);
  });

  test("allows a link inside the repository", () => {
    expect(checkLock({ path: "package-lock.json", text: '{ "resolved": "packages/a", "link": true }' })).toEqual([]);
  });
});

describe("checkNeutralProject", () => {
  test("names a neutral folder that is not listed", () => {
    expect(checkNeutralProject(["src/base"], ["base", "kernel", "daemon", "index.ts"])).toEqual([
      "tsconfig.neutral.json: lacks src/kernel",
    ]);
  });

  test("names an entry that is not neutral or not there", () => {
    expect(checkNeutralProject(["src/base", "src/daemon", "src/kernel"], ["base", "daemon"])).toHaveLength(2);
  });

  test("allows the neutral files of a plural folder", () => {
    expect(checkNeutralProject(["src/base", "src/carriers/coroutine.ts"], ["base", "carriers"])).toEqual([]);
  });
});
