/**
 * Repository: what no tracked file says, and that the compiler's idea of "neutral" is the table's.
 *
 * @module
 */
import { isContractFile, layout } from "./layout.ts";
import { finding, type Finding, type SourceFile } from "./source.ts";

const machinePaths = /(?<![\w.-])(?:\/work\/|\/tmp\/wt\b)/g;
const registryHosts =
  /\b(?:registry\.(?:npmjs|yarnpkg)\.\w+|registry\.npmmirror\.com|(?:deb|security)\.debian\.org)\b/g;

/** The place where a file was made, and where packages come from, are nobody else's business. */
export function checkMachine(file: SourceFile): Finding[] {
  const find = (pattern: RegExp, what: string): Finding[] =>
    [...file.text.matchAll(pattern)].map((match) => finding(file, match.index, `${what} ${match[0]}`));
  return [...find(machinePaths, "a path of the machine that built it:"), ...find(registryHosts, "a registry's host:")];
}

/** A lock file that names hosts works only where those hosts answer. */
export function checkLock(file: SourceFile): Finding[] {
  const resolved = /"resolved":\s*"(?:https?|git[^":]*|ssh):[^"]*"/g;
  return [...file.text.matchAll(resolved)].map((match) => finding(file, match.index, "a resolved field names a host"));
}

/**
 * What differs between the `include` of `tsconfig.neutral.json` and the neutral folders that exist. An entry that is a
 * file must be the contract or a neutral implementation of a plural folder.
 */
export function checkNeutralProject(include: readonly string[], existing: readonly string[]): Finding[] {
  const wanted = existing.filter((folder) => layout[folder]?.neutral).map((folder) => `src/${folder}`);
  const listed = include.filter((entry) => !isContractFile(entry));
  return [
    ...wanted.filter((entry) => !listed.includes(entry)).map((entry) => `tsconfig.neutral.json: lacks ${entry}`),
    ...listed.filter((entry) => !wanted.includes(entry)).map((entry) => `tsconfig.neutral.json: has ${entry}`),
  ];
}
