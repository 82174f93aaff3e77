/**
 * Code: what every file of `src/` looks like, and what neutral code never touches.
 *
 * @module
 */
import { isTestFile } from "./imports.ts";
import { isNeutral } from "./layout.ts";
import { blank, findAll, finding, type Finding, type SourceFile } from "./source.ts";

/** Files in which the type `any` is allowed, each with its reason. */
export const anyAllowed: ReadonlyMap<string, string> = new Map([
  ["src/kernel/process.ts", "AnyProcess: a process is invariant in its messages, so unknown does not accept it"],
]);

/** A file that is not a test opens with a doc comment that says what it is and ends with `@module`. */
export function checkModuleDoc(file: SourceFile): Finding[] {
  if (isTestFile(file.path)) return [];
  const doc = /^(?:#![^\n]*\n)?\/\*\*((?:(?!\*\/)[\s\S])*)@module\s*\*\//.exec(file.text)?.[1];
  const says = doc !== undefined && /\w/.test(doc);
  return says ? [] : [finding(file, 0, "opens without a /** what it is … @module */ doc")];
}

/** Host time, randomness and globals (a `Date` made of a known instant reads no clock); each has its place in `base/platform.ts`. */
const hostNames = [
  /Date\s*\.\s*now\b/,
  /new\s+Date\s*(?:\(\s*\)|(?![\s\w(]))/,
  /Math\s*\.\s*random\b/,
  /(?:setTimeout|setInterval|setImmediate|queueMicrotask|globalThis)\b/,
  /(?:performance|crypto|console)\s*\??\./,
];
const hostName = new RegExp(`(?<![.\\w$])(?:${hostNames.map((pattern) => pattern.source).join("|")})`, "g");
const hostProcess = /(?<![.\w$])process\s*\??\.\s*\w+/g;
/** `process` is also a word of ours; a file that binds the name itself does not mean the host's. */
const ownProcess = /\b(?:const|let)\s+process\b|[(,{]\s*process\s*(?:\??:|,[^()]*\)\s*(?::[^()]*)?=>|\)\s*=>)/;

/** Neutral code takes time, randomness, ids and scheduling from the Platform alone. */
export function checkNeutral(file: SourceFile): Finding[] {
  if (!isNeutral(file.path) || isTestFile(file.path)) return [];
  const problem = (match: RegExpExecArray): string => `neutral code mentions ${match[0].replace(/\s+/g, " ")}`;
  const own = ownProcess.test(blank(file.text));
  return [...findAll(file, hostName, problem), ...(own ? [] : findAll(file, hostProcess, problem))];
}

/** No `enum`, no `any`, no default export. */
export function checkLanguage(file: SourceFile): Finding[] {
  return [
    ...findAll(file, /(?<![.\w$])enum\s+[A-Za-z_$]/g, () => "an enum; use a union of literals"),
    ...findAll(file, /\bexport\s+default\b|\bas\s+default\b/g, () => "a default export; name it"),
    ...(anyAllowed.has(file.path) ? [] : findAll(file, anyType, () => "the type any")),
  ];
}

/** `any` as a type; not `.any`, not a method `any(`, not a property or parameter `any:`. */
const anyType = /(?<![.\w$])any\b(?!\s*\()(?!\s*\??:)|\?\s*any\b/g;

const vague = /(?:^|-)(?:utils?|helpers?|commons?|misc)(?:$|-|\.)/;
const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*$/;

/** Files and folders are named in kebab-case, for a noun. */
export function checkNames(file: SourceFile): Finding[] {
  return file.path.split("/").flatMap((name) => {
    if (vague.test(name)) return [finding(file, 0, `${name} says nothing; name the concept`)];
    return kebab.test(name) ? [] : [finding(file, 0, `${name} is not kebab-case`)];
  });
}

const exportFrom = /\bexport\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^{}]*\})\s+from\s+(["']) *\1;?/g;

/** An `index.ts` holds export-from lines and nothing else. */
export function checkIndex(file: SourceFile): Finding[] {
  if (!/(?:^|\/)index\.ts$/.test(file.path)) return [];
  const code = blank(file.text).replace(exportFrom, (match) => match.replace(/\S/g, " "));
  const rest = code.search(/\S/);
  return rest < 0 ? [] : [finding(file, rest, "code in an index file; only export … from")];
}
