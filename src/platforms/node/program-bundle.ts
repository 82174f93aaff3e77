/**
 * Program bundle: from a program's file to something Node can import. A TypeScript program is compiled once,
 * with its relative imports, to a single file named for its content; JavaScript is loaded as it is.
 *
 * Guarantees: a second start finds the bundle on disk and does not load the compiler. Concurrent calls for one
 * program share one build; OS processes may share the cache. A bundle behaves as its source would in its
 * place: same packages, same `import.meta`, stack traces with the source's lines (after
 * `process.setSourceMapsEnabled(true)`). Nothing is printed.
 * Limits: the cache removes what was not asked for longest (bundle-cache.ts), so ask before each start instead
 * of keeping the URL. Measured on a small, busy machine: found on disk in 2.5 ms by a fresh OS process and in
 * 0.5 to 1 ms after that; compiled in 60 to 200 ms when esbuild must start, in 10 to 30 ms while it runs.
 * Not here: running it (carriers), type errors (esbuild does not check types).
 *
 * @module
 */
import { readFileSync, realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { cacheFolders, contentHash, findBundle, storeBundle, type StoredBundle } from "./bundle-cache.ts";
import { compileProgram } from "./bundle-compile.ts";
import { ProgramError } from "./program-error.ts";
import { isPlain, programPath, shownPath } from "./program-file.ts";

export { ProgramError, type ProgramProblem } from "./program-error.ts";

/** What a bundle must know of the colos that loads it. */
export interface BundleOptions {
  /** File URL of colos's own built index.js: what `colos` means in a program. */
  readonly colosUrl: string;
}

/** A program that Node can import. */
export interface ProgramBundle {
  /** File URL to import: the bundle, or the file itself when it is JavaScript. */
  readonly url: string;
  /** Of the bundle's content, or of the JavaScript file's; changes whenever what is loaded changes. */
  readonly hash: string;
  /** Nothing was compiled for this answer. */
  readonly fromCache: boolean;
}

const underWay = new Map<string, Promise<ProgramBundle>>();

/**
 * Makes the program in `file` (a path relative to the working directory, or a file URL) loadable.
 * Rejects with ProgramError when it does not exist, has an unknown extension or does not compile.
 */
export async function bundleProgram(file: string | URL, options: BundleOptions): Promise<ProgramBundle> {
  const path = programPath(file);
  if (isPlain(path)) {
    return { url: pathToFileURL(path).href, hash: contentHash(readFileSync(path)), fromCache: true };
  }
  const key = `${path}\0${options.colosUrl}`;
  const shared = underWay.get(key);
  if (shared !== undefined) return shared;
  const bundle = findOrCompile(realpathSync(path), options.colosUrl);
  underWay.set(key, bundle);
  try {
    return await bundle;
  } finally {
    underWay.delete(key);
  }
}

/**
 * What `file` imports from packages, from Node and from colos before its own code runs, in the order of its import statements:
 * for whoever loads that ahead. None when it cannot be told.
 */
export async function importsOf(file: string, { colosUrl }: BundleOptions): Promise<readonly string[]> {
  try {
    const path = realpathSync(programPath(file));
    const folders = cacheFolders(path);
    const found = findBundle(folders, path, colosUrl);
    if (found !== undefined) return found.imports;
    return storeBundle(folders, path, colosUrl, await compileProgram(path, colosUrl)).imports;
  } catch {
    return [];
  }
}

/** The hash under which each JavaScript file was loaded first. */
const loadedHashes = new Map<string, string>();

/**
 * Loads the module in `file` and returns its namespace. A file that changed since is loaded anew; what was
 * loaded before stays in memory, and so do the modules a JavaScript file imports.
 * Rejects with ProgramError as `bundleProgram` does, and with whatever the module itself throws.
 */
export async function loadModule(file: string | URL, options: BundleOptions): Promise<Record<string, unknown>> {
  const { hash, url } = await bundleProgram(file, options);
  const firstHash = loadedHashes.get(url) ?? hash;
  loadedHashes.set(url, firstHash);
  // A bundle's URL changes with its content; a JavaScript file's has to be made to.
  return (await import(firstHash === hash ? url : `${url}?colos=${hash}`)) as Record<string, unknown>;
}

async function findOrCompile(file: string, colosUrl: string): Promise<ProgramBundle> {
  const folders = cacheFolders(file);
  const found = findBundle(folders, file, colosUrl);
  if (found !== undefined) return answer(found, true);
  const compiled = await compileProgram(file, colosUrl);
  try {
    return answer(storeBundle(folders, file, colosUrl, compiled), false);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProgramError(
      `${shownPath(file)} was compiled but cannot be stored in ${folders.join(" or ")}: ${reason}`,
      undefined,
      { cause: error },
    );
  }
}

function answer({ hash, path }: StoredBundle, fromCache: boolean): ProgramBundle {
  return { url: pathToFileURL(path).href, hash, fromCache };
}
