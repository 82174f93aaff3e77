/**
 * Tests: what a test may not do. It states a fact in the present tense, it runs, and it waits for what happens, not
 * for time to pass.
 *
 * @module
 */
import { dependencies } from "./imports.ts";
import { blank, findAll, finding, type Finding, type SourceFile } from "./source.ts";

/** The files that turn an absent program into a skip with its reason; only they call vitest's own modifiers. */
export const skipAllowed: ReadonlyMap<string, string> = new Map([
  ["test/debian.ts", "skips with the name of the Debian package, or of the system"],
]);

/** Files that may wait for time to pass, each with its reason. */
export const sleepAllowed: ReadonlyMap<string, string> = new Map();

/** True for everything that runs under vitest: tests beside the code, `test/`, and the exported suites. */
export function isTestCode(path: string): boolean {
  return path.endsWith(".test.ts") || /^test\/.*\.ts$/.test(path) || path.startsWith("src/testing/");
}

const named = /(?<![.\w$])(?:test|it|describe|suite|bench)\b[\w.]*\s*(?:\([^()"'`]*\)\s*)?\(\s*(?=["'`])/g;

/** A name that begins with "should" announces a wish; a test states what is so. */
export function checkTestNames(file: SourceFile): Finding[] {
  return [...blank(file.text).matchAll(named)].flatMap((match) => {
    const name = file.text.slice(match.index + match[0].length + 1);
    return /^\s*should\b/i.test(name) ? [finding(file, match.index, 'a test name begins with "should"')] : [];
  });
}

const modifiers = /(?<![.\w$])(?:test|it|describe|suite)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo|fails)\b/g;
const bareSkip = /\.skip\s*\(\s*\)/g;
const only = /(?<![.\w$])(?:test|it|describe|suite|bench)(?:\.\w+)*\.only\b|\b[fx](?:it|describe|test)\s*\(/g;

/** Nothing runs alone, and nothing is left out without a reason that a person reads. */
export function checkSkips(file: SourceFile): Finding[] {
  const alone = findAll(file, only, ({ 0: call }) => `${call} keeps other tests from running`);
  if (skipAllowed.has(file.path)) return alone;
  return [
    ...alone,
    ...findAll(
      file,
      modifiers,
      ({ 0: call }) => `${call} without a reason; use needsProgram, needsLinux or context.skip(reason)`,
    ),
    ...findAll(file, bareSkip, () => "skip() without a reason"),
  ];
}

const executor = String.raw`new\s+Promise\s*(?:<[^()]*>)?\s*\(\s*(?:\(\s*)?(\w+)[^()]*\)?\s*=>\s*\{?\s*(?:void\s+)?`;
const sleeps = [
  new RegExp(String.raw`${executor}setTimeout\s*\(\s*(?:\1\b|\(\s*\)\s*=>\s*\{?\s*\1\s*\()`, "g"),
  /(?<![.\w$])sleep\s*\(/g,
  /(?<![.\w$])function\s+sleep\b|\b(?:const|let)\s+sleep\b/g,
];

/** A test observes by messages, monitors and readiness; a pause is luck. */
export function checkSleeps(file: SourceFile): Finding[] {
  if (sleepAllowed.has(file.path)) return [];
  const timers = dependencies(file.text).filter(({ specifier }) => /^(?:node:)?timers\/promises$/.test(specifier));
  return [
    ...sleeps.flatMap((pattern) => findAll(file, pattern, () => "sleeps; wait for what happens instead")),
    ...timers.map(({ index }) => finding(file, index, "imports a sleep from Node.js")),
  ];
}
