// Makes dist/ from src/ once: does nothing when no source is newer than the last build.
//
// dist/ holds what `exports` and `bin` name, the first files of threads and OS processes, and the chunks they share, so that
// a start loads a few files instead of two hundred. All entries are one build: a module is in one file only, so what a user's program
// imports as `colos` is the same kernel that the entry it runs under has. An `import()` stays a file that is loaded when it is needed.
//
// dist/bin.cjs, what `bin` names, is bin.ts once more, as one CommonJS file with the verbs that only ask the manager in it: Node's loader of
// ES modules and its way through a dozen small ones take as long as all the rest of `colos ps`. Any other verb is left to dist/bin.js.
//
// The daemon and the recorder are one CommonJS file each, for the same reason, and because they live on when an update replaces dist/:
// what they need must be in memory from the start.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

const stamp = "dist/.built";
const inputs = ["src", "scripts/build.mjs", "tsconfig.base.json", "tsconfig.build.json", "package-lock.json"];

function newest(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => newest(`${path}/${name}`)));
}

/** Relative to src/. */
function sourceFiles() {
  const names = readdirSync("src", { recursive: true });
  return names.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
}

/** Files that something else than an `import` names: by `new URL("./x.js", import.meta.url)`. */
function filesNamedByUrl(name, text) {
  const named = text.matchAll(/new URL\(\s*"(\.{1,2}\/[^"]+)\.js",\s*import\.meta\.url/g);
  return [...named].map(([, path]) => join(dirname(name), `${path}.ts`));
}

async function bundle() {
  const texts = new Map(sourceFiles().map((name) => [name, readFileSync(join("src", name), "utf8")]));
  const entries = new Set(["bin.ts", "sim/index.ts"]);
  for (const [name, text] of texts) {
    if (/^[^/]*-entry\.ts$/.test(name) && !longLived.includes(name)) entries.add(name);
    for (const named of filesNamedByUrl(name, text)) entries.add(named);
  }
  const result = await build({
    entryPoints: [...entries].map((name) => join("src", name)),
    outbase: "src",
    outdir: "dist",
    bundle: true,
    splitting: true,
    chunkNames: "chunk-[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    // Dependencies are part of the chunks, as far as they are used, and with their licences; but the compiler finds its executable
    // beside itself.
    external: ["esbuild"],
    alias: { yaml: resolve("node_modules/yaml/browser/index.js") }, // the same parser as ES modules
    sourcemap: true,
    sourcesContent: false,
    // As ASCII the engine holds the text in one byte a character.
    charset: "ascii",
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    write: false,
    plugins: [placesKept(texts)],
  });
  for (const { path, text } of result.outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    const name = relative(".", path);
    writeFileSync(path, name.endsWith(".js") ? finished(name, text, result.metafile.outputs[name]) : text);
  }
  await bundleQuick(result.metafile);
  const { metafile } = await bundleLongLived(texts);
  writeFileSync("dist/LICENSES", licencesOf(Object.keys({ ...result.metafile.inputs, ...metafile.inputs })));
}

const longLived = ["daemon-entry.ts", "recorder-entry.ts"];

/** Makes dist/daemon-entry.cjs and dist/recorder-entry.cjs. */
function bundleLongLived(texts) {
  return build({
    ...commonjs,
    entryPoints: longLived.map((name) => join("src", name)),
    outdir: "dist",
    outExtension: { ".js": ".cjs" },
    alias: { yaml: resolve("node_modules/yaml/browser/index.js") },
    // Names stay: a fault in there is told with its place.
    minifySyntax: true,
    minifyWhitespace: true,
    supported: { "dynamic-import": false }, // Node's loader of ES modules is not there either
    metafile: true,
    plugins: [placesKept(texts), allLoaded],
  });
}

/** Refuses what would be loaded late. */
const allLoaded = {
  name: "all-loaded",
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path, kind, importer }) => {
      if ((kind === "dynamic-import" && !path.startsWith("node:")) || path === "esbuild")
        return {
          errors: [{ text: `${relative(".", importer)} loads ${path} late, and is part of ${longLived.join(" or ")}` }],
        };
      return undefined;
    });
  },
};

/** What CommonJS files have in common. */
const commonjs = {
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  sourcemap: true,
  sourcesContent: false,
  define: { "import.meta.url": "thisFile.url" },
  banner: { js: 'const thisFile={get url(){return require("node:url").pathToFileURL(__filename).href}};' },
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
};

/** Makes dist/bin.cjs. `whole` is about the files that it leaves everything else to. */
async function bundleQuick(whole) {
  await build({
    ...commonjs,
    entryPoints: ["src/bin.ts"],
    outfile: "dist/bin.cjs",
    // What does not run is not compiled, but V8 reads all of it: half the text is half of that time.
    minify: true,
    plugins: [quickPart(whole)],
  });
}

/** Of what would be loaded late, only what asks the manager and tells of it is in the quick file. */
function quickPart({ inputs, outputs }) {
  const isQuick = (name) => [...needed(name, inputs)].every((each) => quickSources.test(each));
  const files = new Map(Object.entries(outputs).map(([file, { entryPoint }]) => [entryPoint, `./${basename(file)}`]));
  return {
    name: "quick-part",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\./, namespace: "file" }, ({ path, kind, importer, resolveDir }) => {
        const name = relative(".", join(resolveDir, path));
        if (kind !== "dynamic-import" || isQuick(name)) return undefined;
        // A host's function is loaded from its file. A verb shares classes with what has called it, so it is left to the whole command.
        const isVerb = relative(".", importer) === "src/cli/verbs.ts";
        return isVerb ? { path: name, namespace: "left" } : { path: files.get(name), external: true };
      });
      // A module with a `then` of its own that never calls back: who loads it waits until the whole command ends this OS process.
      const contents = 'export const then = () => { void import("./bin.js"); };';
      onLoad({ filter: /./, namespace: "left" }, () => ({ contents }));
      onResolve({ filter: /./, namespace: "left" }, ({ path }) => ({ path, external: true }));
    },
  };
}

const quickSources = /^src\/(base|cli|control)\/|^src\/platforms\/node\/(unix-http|http-answer)\.ts$/;

/** The module and all that it may ever load. */
function needed(name, inputs, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const { path, external } of inputs[name].imports) if (!external) needed(path, inputs, found);
  return found;
}

/** A module that looks for files beside it does so from where its source stands below src/, whichever file it ends up in. */
function placesKept(texts) {
  return {
    name: "places-kept",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const name = relative("src", path);
        const text = texts.get(name);
        if (text === undefined || dirname(name) === "." || !text.includes("import.meta.url")) return undefined;
        const own = `new URL("./${name.replace(/ts$/, "js")}", import.meta.url).href`;
        return { contents: text.replaceAll(/(?<!")\bimport\.meta\.url\b(?!")/g, own), loader: "ts" };
      });
    },
  };
}

function finished(name, text, { imports }) {
  // A module that looks for files beside it expects to lie directly in dist/.
  if (dirname(name) !== "dist" && text.includes("import.meta"))
    throw new Error(`${name}: import.meta is not right there`);
  let count = 0;
  const code = text.replaceAll(importOfBuiltin, (_, names, whole, builtin) => {
    count += 1;
    return `const ${whole ?? names.replaceAll(" as ", ": ")} = globalThis.process.getBuiltinModule("${builtin}");`;
  });
  const expected = imports.filter(({ path, kind }) => path.startsWith("node:") && kind === "import-statement").length;
  if (count !== expected) throw new Error(`${name}: ${count} imports of Node's modules were found, not ${expected}`);
  return code;
}

/**
 * An import of a module of Node makes a copy of it, for which everything in it is loaded that would only be loaded when it is
 * used: the streams for `node:fs`, half of the cryptography for one random number. Asking for the module itself does not, which
 * saves each start 3 ms. Lines stay where they are.
 */
const importOfBuiltin = /^import (?:(\{[^}]*\})|(?:\* as )?(\w+)) from "(node:[\w/]+)";$/gm;

/** What the licences of the packages whose code is in dist/ want to be kept with it. */
function licencesOf(files) {
  const folders = files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(file)?.[0]);
  const packages = [...new Set(folders)].filter((folder) => folder !== undefined).toSorted();
  return packages.map(licenceOf).join("\n");
}

function licenceOf(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} has no licence file, so its code cannot be part of dist/`);
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8")}`;
}

const newestInput = Math.max(...inputs.map(newest));
const built = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (newestInput >= built) {
  rmSync("dist", { recursive: true, force: true });
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
  await bundle();
  for (const file of ["dist/bin.cjs", "dist/bin.js"]) chmodSync(file, 0o755);
  writeFileSync(stamp, "");
}
