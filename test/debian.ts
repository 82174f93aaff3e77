/**
 * Debian: tests that need what a Debian machine has and a bare Node.js has not: a packaged program, or Linux itself.
 *
 * Guarantees: with the program, the tests run. Without it they are skipped, and their name says what is absent and
 * which package brings it. Where `COLOS_REQUIRE_PROGRAMS=1` is set, as `.ci/run` does, an absent program is a failure.
 *
 * @module
 */
import { describe, test } from "vitest";
import { findProgram } from "./system/find-program.ts";

export { findProgram };

/** `describe` and `test` for what a machine may lack. */
export interface ConditionalTests {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => void | Promise<void>, timeoutMs?: number): void;
}

/** `describe` and `test` for what needs one program. */
export interface ProgramTests extends ConditionalTests {
  /** The program's absolute path; its bare name when it is absent. */
  readonly path: string;
}

/** Gives the `describe` and `test` for tests that run `program`, which comes with `debianPackage`. */
export function needsProgram(program: string, debianPackage: string): ProgramTests {
  const path = findProgram(program);
  if (path !== undefined) return { path, ...running };
  const reason = `needs ${program}, Debian package ${debianPackage}`;
  return process.env["COLOS_REQUIRE_PROGRAMS"] === "1"
    ? { path: program, ...failing(reason) }
    : { path: program, ...skipping(reason) };
}

/** Gives the `describe` and `test` for tests that read what only Linux has, such as /proc. */
export function needsLinux(): ConditionalTests {
  return process.platform === "linux" ? running : skipping("needs Linux");
}

const running: ConditionalTests = { describe: (name, body) => void describe(name, body), test };

function skipping(reason: string): ConditionalTests {
  return {
    describe: (name, body) => void describe.skip(`${name} [${reason}]`, body),
    test: (name) => void test.skip(`${name} [${reason}]`),
  };
}

function failing(reason: string): ConditionalTests {
  const fail = (): void => {
    throw new Error(`${reason}; COLOS_REQUIRE_PROGRAMS=1 allows no skip`);
  };
  return {
    describe: (name) => void describe(name, () => void test("the program is installed", fail)),
    test: (name) => void test(name, fail),
  };
}
