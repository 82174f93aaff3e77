/**
 * Bundle compile: one TypeScript program and its relative imports become one ES module, by esbuild.
 *
 * Guarantees: the module may lie anywhere. Bare imports name absolute file URLs, resolved from the file that
 * imports them; `import.meta.url`, `.filename`, `.dirname` and `.resolve`, `__filename` and `__dirname` are
 * those of the source file; the source map names the source files absolutely. The same sources in the same
 * place give the same bytes. esbuild is loaded on the first call, not with this file, prints nothing, and its
 * service ends `compilerIdleMs` after the last build.
 * Limits: an `import()` of a path that is computed, and `new Worker` on a TypeScript file, see the world as
 * Node does. Columns in the first line of a file that mentions import.meta are off in stack traces. Of several
 * copies of esbuild in one OS process only ours is stopped; who uses the same copy is stopped with it.
 * Not here: where the module is kept (bundle-cache.ts).
 *
 * @module
 */
import type {
  BuildFailure,
  BuildOptions,
  Loader,
  Message,
  Metafile,
  OnLoadArgs,
  OnLoadResult,
  OnResolveArgs,
  OnResolveResult,
  OutputFile,
  Plugin,
  PluginBuild,
} from "esbuild";
import { readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { stampOf, type NewBundle, type Stamp } from "./bundle-cache.ts";
import { ProgramError, type ProgramProblem } from "./program-error.ts";
import { compiledExtensions, shownPath } from "./program-file.ts";

/** How long esbuild's service waits for the next build before it ends, in milliseconds. */
export const compilerIdleMs = 1_000;

const loaders: Readonly<Record<string, Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".jsx": "jsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
};

const metaNames: Readonly<Record<string, string>> = {
  "import.meta.url": "__colosUrl",
  "import.meta.filename": "__colosFilename",
  "import.meta.dirname": "__colosDirname",
  "import.meta.resolve": "__colosResolve",
  __filename: "__colosFilename",
  __dirname: "__colosDirname",
};

/**
 * Compiles `file` (absolute, no symlink). `colosUrl` is what `colos` means in it.
 * Rejects with ProgramError when the program does not compile or esbuild cannot be loaded.
 */
export async function compileProgram(file: string, colosUrl: string): Promise<NewBundle> {
  const compiler = await useCompiler();
  const sources = new Sources();
  try {
    const result = await compiler.build({ ...buildOptions(file), plugins: [plugin(colosUrl, sources)] });
    const code = assemble(result.outputFiles!, file);
    return {
      code,
      inputs: sources.stamps(),
      imports: importsOf(result.metafile!, code),
      compiler: compiler.version,
    };
  } catch (error) {
    throw isBuildFailure(error) ? compileError(error.errors, dirname(file), sources) : error;
  } finally {
    leaveCompiler(compiler);
  }
}

type Compiler = typeof import("esbuild");
let buildsUnderWay = 0;
let idle: NodeJS.Timeout | undefined;

async function useCompiler(): Promise<Compiler> {
  clearTimeout(idle);
  buildsUnderWay++;
  try {
    return await import("esbuild");
  } catch (error) {
    buildsUnderWay--;
    throw new ProgramError(
      "TypeScript cannot be compiled: the package esbuild does not load; install colos's dependencies again",
      undefined,
      { cause: error },
    );
  }
}

function leaveCompiler(compiler: Compiler): void {
  if (--buildsUnderWay > 0) return;
  idle = setTimeout(() => void compiler.stop(), compilerIdleMs);
  idle.unref();
}

function buildOptions(file: string): BuildOptions {
  const folder = dirname(file);
  return {
    absWorkingDir: folder,
    entryPoints: [file],
    outfile: join(folder, "program.mjs"),
    write: false,
    metafile: true,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // Without these, esbuild prefers what packages offer to bundlers, which Node cannot always load.
    conditions: [],
    mainFields: ["main"],
    sourcemap: "external",
    sourcesContent: false,
    charset: "utf8",
    legalComments: "none",
    define: { ...metaNames },
    logLevel: "silent",
  };
}

function plugin(colosUrl: string, sources: Sources): Plugin {
  return {
    name: "colos",
    setup(build) {
      build.onResolve({ filter: /.*/ }, (request) => resolveImport(build, request, colosUrl, sources));
      build.onLoad({ filter: /.*/, namespace: "file" }, (request) => sources.load(request));
    },
  };
}

/** Marks our own questions to esbuild's resolver, so that we do not answer them ourselves. */
const asking = Symbol("asking");

async function resolveImport(
  build: PluginBuild,
  request: OnResolveArgs,
  colosUrl: string,
  sources: Sources,
): Promise<OnResolveResult | undefined> {
  const { kind, path } = request;
  if (kind === "entry-point" || request.pluginData === asking) return undefined;
  if (isBuiltin(path)) return { path: path.startsWith("node:") ? path : `node:${path}`, external: true };
  if (/^(data|https?):/.test(path)) return { path, external: true };
  if (path === "colos") return external(fileURLToPath(colosUrl), kind);
  if (path === "colos/testing") return external(fileURLToPath(new URL("./testing-entry.js", colosUrl)), kind);
  if (path.startsWith("file:")) return local(fileURLToPath(path), kind);
  if (/^\.{0,2}(\/|$)/.test(path)) return local(resolve(request.resolveDir, path), kind, true);
  return resolvePackage(build, request, sources);
}

/** A file by its place: bundled, except for what a bundle cannot hold. */
function local(path: string, kind: string, isRelative = false): OnResolveResult | undefined {
  if (extname(path) === ".node" || kind === "require-resolve") return external(path, kind);
  return isRelative ? undefined : { path };
}

async function resolvePackage(build: PluginBuild, request: OnResolveArgs, sources: Sources): Promise<OnResolveResult> {
  const { importer, kind, namespace, path, resolveDir } = request;
  const found = await build.resolve(path, {
    importer,
    kind,
    namespace,
    resolveDir,
    pluginData: asking,
    with: request.with,
  });
  if (found.errors.length > 0) {
    // Only an import statement must be there; the others may stand in a try.
    return kind === "import-statement" ? { errors: found.errors } : { path, external: true };
  }
  if (found.external) return { path: found.path, external: true };
  const mustBundle = compiledExtensions.includes(extname(found.path)) || extname(found.path) === ".json";
  if (mustBundle)
    return { path: found.path, namespace: found.namespace, suffix: found.suffix, sideEffects: found.sideEffects };
  sources.noteOutside(found.path);
  return external(found.path, kind);
}

/** `require` takes paths, `import` takes URLs. */
function external(path: string, kind: string): OnResolveResult {
  const isRequire = kind === "require-call" || kind === "require-resolve";
  return { path: isRequire ? path : pathToFileURL(path).href, external: true };
}

/** The files that went into one bundle. */
class Sources {
  readonly #stamps = new Map<string, Stamp>();
  readonly #prefixChars = new Map<string, number>();

  load(request: OnLoadArgs): OnLoadResult | undefined {
    this.#note(request.path);
    const loader = loaders[extname(request.path)];
    if (loader === undefined || request.with["type"] !== undefined) return undefined;
    const text = readFileSync(request.path, "utf8");
    const prefix = metaPrefix(request.path, text);
    this.#prefixChars.set(request.path, prefix.length);
    return { contents: prefix + text, loader };
  }

  /** A file of a package, used but not bundled: when it moves, the bundle is wrong. */
  noteOutside(path: string): void {
    this.#note(path);
    const folder = upwards(dirname(path)).find((each) => stampOf(join(each, "package.json")).sizeBytes !== undefined);
    if (folder !== undefined) this.#note(join(folder, "package.json"));
  }

  /** How many characters we put before the first line of `path`. */
  prefixChars(path: string): number {
    return this.#prefixChars.get(path) ?? 0;
  }

  /** Everything that the bundle depends on: the files, what configures their compilation, and the compiler. */
  stamps(): Stamp[] {
    const folders = new Set([...this.#prefixChars.keys()].flatMap((path) => upwards(dirname(path))));
    for (const folder of folders) {
      this.#note(join(folder, "package.json"));
      this.#noteConfig(join(folder, "tsconfig.json"));
    }
    this.#note(createRequire(import.meta.url).resolve("esbuild/package.json"));
    return [...this.#stamps.values()];
  }

  #noteConfig(path: string): void {
    if (this.#stamps.has(path)) return;
    this.#note(path);
    if (this.#stamps.get(path)?.sizeBytes === undefined) return;
    const [, bases = ""] = /"extends"\s*:\s*("[^"]*"|\[[^\]]*\])/.exec(readFileSync(path, "utf8")) ?? [];
    for (const [, base = ""] of bases.matchAll(/"(\.{1,2}\/[^"]*)"/g)) {
      this.#noteConfig(resolve(dirname(path), base.endsWith(".json") ? base : `${base}.json`));
    }
  }

  #note(path: string): void {
    if (!this.#stamps.has(path)) this.#stamps.set(path, stampOf(path));
  }
}

function upwards(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...upwards(parent)];
}

/** Constants that stand for `import.meta` in `text`, on its first line so that line numbers stay. */
function metaPrefix(path: string, text: string): string {
  if (!/\bimport\s*\.\s*meta\b|\b__(file|dir)name\b/.test(text)) return "";
  const url = JSON.stringify(pathToFileURL(path).href);
  const constants = [
    `__colosUrl=${url}`,
    `__colosFilename=${JSON.stringify(path)}`,
    `__colosDirname=${JSON.stringify(dirname(path))}`,
  ];
  if (text.includes("resolve")) {
    const ours = `process.getBuiltinModule("node:module").createRequire(${url}).resolve(name)`;
    const find = `/^(\\.{0,2}\\/|[a-z]+:)/.test(name)?new URL(name,${url}).href:process.getBuiltinModule("node:url").pathToFileURL(${ours}).href`;
    constants.push(`__colosResolve=(name)=>${find}`);
  }
  return `const ${constants.join(",")};${text.startsWith("#!") ? "//" : ""}`;
}

/** What the bundle takes from outside before its own code runs, in the order in which its code has it. */
function importsOf({ outputs }: Metafile, code: string): string[] {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const isFirst = ({ external, kind, path }: Metafile["outputs"][string]["imports"][number]): boolean =>
    external === true && (kind === "import-statement" || kind === "require-call") && extname(path) !== ".node";
  const placeOf = (path: string): number => code.indexOf(JSON.stringify(path));
  return [...new Set(imports.filter(isFirst).map(({ path }) => path))].toSorted((a, b) => placeOf(a) - placeOf(b));
}

function assemble(files: readonly OutputFile[], file: string): string {
  const code = files.find((each) => each.path.endsWith(".mjs"))!.text;
  const map = JSON.parse(files.find((each) => each.path.endsWith(".map"))!.text) as { sources: string[] };
  map.sources = map.sources.map((source) => pathToFileURL(resolve(dirname(file), source)).href);
  const inline = Buffer.from(JSON.stringify(map)).toString("base64");
  return `${requirePrefix(code, file)}${code}//# sourceMappingURL=data:application/json;base64,${inline}\n`;
}

/** Bundled CommonJS calls `require`, which an ES module has not; on the first line, which holds no source. */
function requirePrefix(code: string, file: string): string {
  if (!/\b__require\b/.test(code)) return "";
  return `import{createRequire as __colosCreateRequire}from"node:module";const require=__colosCreateRequire(${JSON.stringify(pathToFileURL(file).href)});`;
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

function compileError(messages: readonly Message[], folder: string, sources: Sources): ProgramError {
  const problems = messages.map((message) => problemOf(message, folder, sources));
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return new ProgramError(`${problemText(problems[0]!)}${more}`, problems);
}

function problemOf(message: Message, folder: string, sources: Sources): ProgramProblem {
  const { location, text } = message;
  if (location === null) return { text };
  const file = resolve(folder, location.file);
  // esbuild counts bytes from 0.
  const chars = Buffer.from(location.lineText).subarray(0, location.column).toString().length;
  const ours = location.line === 1 ? sources.prefixChars(file) : 0;
  return { file, line: location.line, column: Math.max(0, chars - ours) + 1, text };
}

function problemText({ column, file, line, text }: ProgramProblem): string {
  return file === undefined ? text : `${shownPath(file)}:${line}:${column}: ${text}`;
}
