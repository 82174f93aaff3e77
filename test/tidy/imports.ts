/**
 * Imports: which files a file depends on, and whether the layout allows it. Type imports count: a type is knowledge
 * of another folder too.
 *
 * @module
 */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { folderOf, importProblem, isNeutral, layout } from "./layout.ts";
import { blank, finding, type Finding, type SourceFile } from "./source.ts";

/** What a file names as its dependency, and where. */
export interface Dependency {
  readonly specifier: string;
  readonly index: number;
}

/** `import … from`, `export … from`, `import "…"`, `import("…")`, `require("…")`, `new URL("…", import.meta.url)`. */
const opening = /(?<![.\w$])(?:from|import|import\s*\(|require\s*\(|new\s+URL\s*\()\s*(?=["'`])/g;

/** Every dependency that stands in the text as a literal; a computed `import()` has none. */
export function dependencies(text: string): Dependency[] {
  const code = blank(text);
  return [...code.matchAll(opening)].flatMap((match) => {
    const start = match.index + match[0].length;
    const end = code.indexOf(code[start] ?? "", start + 1);
    const specifier = text.slice(start + 1, end);
    const isUrl = match[0].startsWith("new");
    return isUrl && !specifier.startsWith(".") ? [] : [{ specifier, index: match.index }];
  });
}

/** Imports that break the table of folders. Test files may import whatever they test. */
export function checkImports(file: SourceFile): Finding[] {
  if (isTestFile(file.path)) return [];
  return dependencies(file.text).flatMap(({ specifier, index }) => {
    const problem = specifierProblem(file.path, specifier);
    return problem === undefined ? [] : [finding(file, index, problem)];
  });
}

/** A folder that the table does not know. */
export function checkFolder(file: SourceFile): Finding[] {
  const folder = folderOf(file.path);
  if (folder === undefined || Object.hasOwn(layout, folder)) return [];
  return [finding(file, 0, `src/${folder}/ is not in the table of test/tidy/layout.ts`)];
}

/** True for a test beside its code. */
export function isTestFile(path: string): boolean {
  return path.endsWith(".test.ts");
}

function specifierProblem(from: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return relativeProblem(from, posix.join(posix.dirname(from), specifier));
  if (specifier === "colos" || specifier.startsWith("colos/")) return "colos imports itself by name";
  if (isNeutral(from) && isHostModule(specifier)) return `neutral code imports ${specifier}`;
  return undefined;
}

function relativeProblem(from: string, to: string): string | undefined {
  return to.startsWith("src/") ? importProblem(from, to) : `imports ${to}, outside src/`;
}

function isHostModule(specifier: string): boolean {
  return specifier.startsWith("node:") || builtinModules.includes(specifier);
}
