/**
 * Closing line: a vitest reporter that ends a run with why tests were skipped and with one plain line that people and
 * machines read alike: `tests: 12 passed, 0 failed, 3 skipped`.
 *
 * A file that cannot be imported, a hook that throws and an error outside every test count as one failure each.
 *
 * @module
 */
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Writes the line after the reporters that stand before it in the configuration. */
export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const passed = tests.filter((test) => test.result().state === "passed").length;
    const failed = tests.filter((test) => test.result().state === "failed").length + errors.length + brokenIn(modules);
    const skipped = tests.filter(isSkipped).length;
    const lines = [...skipLines(tests), `tests: ${passed} passed, ${failed} failed, ${skipped} skipped`];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}

/** Files and suites that failed outside their tests: at import, or in a hook. */
function brokenIn(modules: readonly TestModule[]): number {
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  return suites.filter((suite) => suite.errors().length > 0).length;
}

function isSkipped(test: TestCase): boolean {
  return test.result().state === "skipped";
}

/** One line for each reason: how many tests it skipped. */
function skipLines(tests: readonly TestCase[]): string[] {
  const counts = new Map<string, number>();
  for (const test of tests.filter(isSkipped)) {
    const reason = skipReason(test);
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `skipped ${count} ${count === 1 ? "test" : "tests"}: ${reason}`);
}

/** What `context.skip(reason)` said, or what stands in brackets in the name of the test or of a suite around it. */
function skipReason(test: TestCase): string {
  const result = test.result();
  const note = result.state === "skipped" ? result.note : undefined;
  return note ?? /\[([^[\]]*)\]/.exec(test.fullName)?.[1] ?? test.fullName;
}
