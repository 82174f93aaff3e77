import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { findProgram } from "./debian.ts";

interface FixtureRun {
  readonly status: number | null;
  readonly output: string;
  readonly lastLine: string | undefined;
}

/** Runs the fixture in a vitest of its own, as a person would see it. */
function runFixture(requirePrograms: "0" | "1"): FixtureRun {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", "--config", "test/fixtures/absent-program.config.ts"],
    { encoding: "utf8", env: { ...process.env, COLOS_REQUIRE_PROGRAMS: requirePrograms, NO_COLOR: "1", CI: "true" } },
  );
  return { status, output: stdout + stderr, lastLine: stdout.trimEnd().split("\n").at(-1) };
}

const reason = "needs colos-absent-program, Debian package colos-absent-package";

describe("needsProgram", () => {
  test("skips what needs an absent program, and prints why", () => {
    const { status, output, lastLine } = runFixture("0");

    expect(output).toContain(`skipped 2 tests: ${reason}`);
    expect(output).toContain("skipped 1 test: needs Linux");
    expect(lastLine).toBe("tests: 2 passed, 0 failed, 3 skipped");
    expect(status).toBe(0);
  });

  test("fails what needs an absent program where programs are required", () => {
    const { status, output, lastLine } = runFixture("1");

    expect(output).toContain(reason);
    expect(lastLine).toBe("tests: 2 passed, 2 failed, 1 skipped");
    expect(status).toBe(1);
  });
});

describe("findProgram", () => {
  test("gives the absolute path of a program in PATH", () => {
    expect(findProgram("sh")).toMatch(/^\/.*\/sh$/);
  });

  test("finds neither a folder nor a file that is not executable", () => {
    expect(findProgram("../etc")).toBeUndefined();
    expect(findProgram("../../etc/passwd")).toBeUndefined();
  });
});
