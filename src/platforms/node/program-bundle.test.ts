/** Program bundle: real programs in throw-away packages, loaded by a Node of their own. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { bundlesMax, contentHash } from "./bundle-cache.ts";
import { bundleProgram, importsOf, loadModule, ProgramError } from "./program-bundle.ts";

const rootFolder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "colos-bundle-")));
afterAll(() => fs.rmSync(rootFolder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(dirname(join(folder, name)), { recursive: true });
    fs.writeFileSync(join(folder, name), text);
  }
}

/** A package of its own with a package `greeter` and a stand-in for colos in node_modules. */
function project(files: Readonly<Record<string, string>>): { folder: string; colosUrl: string; cache: string } {
  const folder = fs.mkdtempSync(join(rootFolder, "project-"));
  write(folder, {
    "package.json": `{ "name": "project" }`,
    "node_modules/greeter/package.json": `{ "name": "greeter", "exports": { "import": "./greeter.mjs", "require": "./greeter.cjs" } }`,
    "node_modules/greeter/greeter.mjs": `export const greeting = "import from " + import.meta.url.split("/").at(-1);`,
    "node_modules/greeter/greeter.cjs": `exports.greeting = "require from " + require("node:path").basename(__filename);`,
    "colos/index.js": `export const colos = "colos itself";`,
    "colos/testing-entry.js": `export const testing = "colos testing";`,
    "colos/package.json": `{ "type": "module" }`,
    ...files,
  });
  return {
    folder,
    colosUrl: pathToFileURL(join(folder, "colos/index.js")).href,
    cache: join(folder, "node_modules/.cache/colos"),
  };
}

/** Bundles `program.ts`, runs the bundle from another folder in a Node of its own and says what that printed. */
async function run(
  files: Readonly<Record<string, string>>,
): Promise<{ out: string; err: string; code: number | null; folder: string }> {
  const { colosUrl, folder } = project(files);
  const { url } = await bundleProgram(join(folder, "program.ts"), { colosUrl });
  const moved = join(fs.mkdtempSync(join(rootFolder, "elsewhere-")), "moved.mjs");
  fs.copyFileSync(fileURLToPath(url), moved);
  const result = spawnSync(process.execPath, ["--enable-source-maps", moved], { encoding: "utf8", cwd: "/" });
  return { out: result.stdout.trim(), err: result.stderr, code: result.status, folder };
}

async function problem(files: Readonly<Record<string, string>>, name = "program.ts"): Promise<ProgramError> {
  const { colosUrl, folder } = project(files);
  const error: unknown = await bundleProgram(join(folder, name), { colosUrl }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ProgramError);
  const { message, problems } = error as ProgramError;
  return new ProgramError(message.replace(`${folder}/`, ""), problems);
}

describe("program bundle: what is in it", () => {
  test("relative imports are bundled, packages are found from the file that imports them", async () => {
    const { err, out } = await run({
      "program.ts": `import { name } from "./lib/name.js"; import data from "./data.json"; console.log(name as string, data.answer);`,
      "lib/name.ts": `import { greeting } from "greeter"; enum Kind { A = "a" } export const name: string = greeting + Kind.A;`,
      "lib/node_modules/greeter/index.js": `exports.greeting = "nested ";`,
      "data.json": `{ "answer": 42 }`,
    });

    expect(err).toBe("");
    expect(out).toBe("nested a 42");
  });

  test("a package is imported under import conditions and required under require conditions", async () => {
    const { err, out } = await run({
      "program.ts": `import { greeting } from "greeter"; import old from "./old.cjs"; console.log(greeting, "/", old.greeting, old.here);`,
      "old.cjs": `exports.greeting = require("greeter").greeting; exports.here = __filename === require.resolve("./old.cjs");`,
    });

    expect(err).toBe("");
    expect(out).toBe("import from greeter.mjs / require from greeter.cjs true");
  });

  test("a program may declare its own require", async () => {
    const { err, out } = await run({
      "program.ts": `import { createRequire } from "node:module"; import "./old.cjs";
        const require = createRequire(import.meta.url); console.log(require("greeter").greeting);`,
      "old.cjs": `console.log(require("greeter").greeting);`,
    });

    expect(err).toBe("");
    expect(out).toBe("require from greeter.cjs\nrequire from greeter.cjs");
  });

  test("colos and colos/testing are the colos that loads the program", async () => {
    const { out } = await run({
      "program.ts": `import { colos } from "colos"; import { testing } from "colos/testing"; console.log(colos, testing);`,
      "node_modules/colos/index.js": `exports.colos = "another colos";`,
    });

    expect(out).toBe("colos itself colos testing");
  });

  test("builtins stay builtins, with and without node:", async () => {
    const { out } = await run({
      "program.ts": `import { basename } from "path"; import { sep } from "node:path"; import fs from "fs/promises"; console.log(basename("/a/b"), sep, typeof fs.readFile);`,
    });

    expect(out).toBe("b / function");
  });

  test("what a path alias or a workspace names in TypeScript is bundled", async () => {
    const { err, out } = await run({
      "program.ts": `import { a } from "@lib/a"; import { b } from "workspace"; console.log(a, b);`,
      "tsconfig.json": `{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }`,
      "lib/a.ts": `export const a: string = "alias";`,
      "node_modules/workspace/package.json": `{ "exports": "./index.ts" }`,
      "node_modules/workspace/index.ts": `export const b: string = "workspace";`,
    });

    expect(err).toBe("");
    expect(out).toBe("alias workspace");
  });

  test("import.meta and the CommonJS names are those of each source file", async () => {
    const { folder, out } = await run({
      "program.ts": `#!/usr/bin/env node
        import { inner } from "./lib/inner.ts";
        console.log(JSON.stringify([import.meta.url, import.meta.filename, import.meta.dirname, __filename, __dirname, ...inner]));`,
      "lib/inner.ts": `export const inner = [import.meta.url, import.meta.resolve("./x.ts"), import.meta.resolve("greeter"), import.meta.resolve("node:fs")];`,
    });

    const url = (name: string): string => pathToFileURL(join(folder, name)).href;
    const file = join(folder, "program.ts");
    expect(JSON.parse(out)).toEqual([
      url("program.ts"),
      file,
      folder,
      file,
      folder,
      url("lib/inner.ts"),
      url("lib/x.ts"),
      url("node_modules/greeter/greeter.cjs"),
      "node:fs",
    ]);
  });

  test("top-level await, literal dynamic imports and exports work", async () => {
    const { colosUrl, folder } = project({
      "program.ts": `export const value: number = await Promise.resolve(41); export default (await import("./late.ts")).late;`,
      "late.ts": `export const late = "late";`,
    });

    const module = await loadModule(join(folder, "program.ts"), { colosUrl });

    expect({ ...module }).toEqual({ default: "late", value: 41 });
  });

  test("an optional import that is absent can be caught", async () => {
    const { out } = await run({
      "program.ts": `console.log(await import("not-installed").catch((error: NodeJS.ErrnoException) => error.code));`,
    });

    expect(out).toBe("ERR_MODULE_NOT_FOUND");
  });

  test("a stack trace names the TypeScript file and line, also where import.meta is used", async () => {
    const { code, err, folder } = await run({
      "program.ts": `import { fail } from "./fail.ts";\n\nfail();\n`,
      "fail.ts": `interface Unused {\n  a: string;\n}\nexport function fail(): never {\n  throw new Error(import.meta.filename);\n}\n`,
    });

    expect(code).toBe(1);
    expect(err).toContain(`(${folder}/fail.ts:5:9)`);
    expect(err).toContain(`${folder}/program.ts:3:1`);
  });

  test("JavaScript is loaded as it is", async () => {
    const { colosUrl, folder } = project({ "program.mjs": `export default import.meta.url;` });

    const bundle = await bundleProgram(pathToFileURL(join(folder, "program.mjs")), { colosUrl });

    expect(bundle).toEqual({
      url: pathToFileURL(join(folder, "program.mjs")).href,
      hash: contentHash(`export default import.meta.url;`),
      fromCache: true,
    });
  });
});

describe("program bundle: errors", () => {
  test("a program that does not exist", async () => {
    expect((await problem({}, "absent.ts")).message).toBe("absent.ts does not exist");
  });

  test("a folder, and a file that is no program", async () => {
    expect((await problem({ "folder.ts/x": "" }, "folder.ts")).message).toBe("folder.ts is not a file");
    expect((await problem({ "program.py": "" }, "program.py")).message).toMatch(
      /^program\.py is not a program: .* \.ts /,
    );
  });

  test("a syntax error names file, line and column", async () => {
    const error = await problem({ "program.ts": `export const a = 1;\n\nconst ü = { a: }` });

    expect(error.message).toBe(`program.ts:3:16: Unexpected "}"`);
    expect(error.problems).toMatchObject([{ line: 3, column: 16, text: `Unexpected "}"` }]);
  });

  test("a column in the first line is right beside import.meta", async () => {
    const error = await problem({ "program.ts": `import.meta.url; }` });

    expect(error.message).toBe(`program.ts:1:18: Unexpected "}"`);
  });

  test("an import that cannot be found names the import, and further errors are counted", async () => {
    const error = await problem({ "program.ts": `import "./absent.ts";\nimport "not-installed";` });

    expect(error.message).toBe(`program.ts:1:8: Could not resolve "./absent.ts" (and 1 more)`);
    expect(error.problems.map((each) => each.text)).toEqual([
      `Could not resolve "./absent.ts"`,
      `Could not resolve "not-installed"`,
    ]);
  });

  test("a path in the working directory is shown short", async () => {
    const { colosUrl, folder } = project({ "program.ts": "}" });
    const file = relative(process.cwd(), join(folder, "program.ts"));
    vi.spyOn(process, "cwd").mockReturnValue(folder);

    await expect(bundleProgram(join(folder, "program.ts"), { colosUrl })).rejects.toThrow(
      /^program\.ts:1:1: Unexpected "}"$/,
    );

    vi.restoreAllMocks();
    expect(file).not.toBe("program.ts");
  });

  test("what the module itself throws passes through", async () => {
    const { colosUrl, folder } = project({ "program.ts": `throw new RangeError("mine");` });

    await expect(loadModule(join(folder, "program.ts"), { colosUrl })).rejects.toThrow(new RangeError("mine"));
  });
});

describe("what a program imports before its own code runs", () => {
  const program = `
    import { greeting } from "greeter";
    import { colos } from "colos";
    import "./b.ts";
    const later = () => import("node:dns");
    export default [greeting, colos, later];
  `;
  const b = `import fs from "node:fs"; export const b = fs;`;

  test("is packages, colos and what Node has, of all its files, and not what is imported later", async () => {
    const { colosUrl, folder } = project({ "program.ts": program, "b.ts": b });
    const greeter = pathToFileURL(join(folder, "node_modules/greeter/greeter.mjs")).href;

    const first = await importsOf(join(folder, "program.ts"), { colosUrl });
    expect(first).toEqual([greeter, colosUrl, "node:fs"]);
    expect(await importsOf(join(folder, "program.ts"), { colosUrl })).toEqual(first);
  });

  test("is told of JavaScript too, also of what it requires", async () => {
    const { colosUrl, folder } = project({
      "program.cjs": `const { greeting } = require("greeter"); require("./b.cjs"); module.exports = greeting;`,
      "b.cjs": `require("node:os");`,
    });
    expect((await importsOf(join(folder, "program.cjs"), { colosUrl })).toSorted()).toEqual([
      join(folder, "node_modules/greeter/greeter.cjs"),
      "node:os",
    ]);
  });

  test("is nothing when the program does not compile or is not there", async () => {
    const { colosUrl, folder } = project({ "program.ts": "}" });
    expect(await importsOf(join(folder, "program.ts"), { colosUrl })).toEqual([]);
    expect(await importsOf(join(folder, "absent.ts"), { colosUrl })).toEqual([]);
  });
});

describe("program bundle: cache", () => {
  const source = { "program.ts": `import { b } from "./b.ts"; export default b;`, "b.ts": `export const b = 1;` };

  function bundler(files: Readonly<Record<string, string>> = source): ReturnType<typeof project> & {
    bundle(): ReturnType<typeof bundleProgram>;
    inCache(extension: string): string[];
  } {
    const made = project(files);
    return {
      ...made,
      bundle: () => bundleProgram(join(made.folder, "program.ts"), { colosUrl: made.colosUrl }),
      inCache: (extension) => fs.readdirSync(made.cache).filter((name) => name.endsWith(extension)),
    };
  }

  test("the second call finds the first one's bundle in the package's cache folder", async () => {
    const { bundle, cache } = bundler();

    const first = await bundle();
    const second = await bundle();

    expect(first.fromCache).toBe(false);
    expect(second).toEqual({ ...first, fromCache: true });
    expect(first.url).toBe(pathToFileURL(join(cache, `${first.hash}.mjs`)).href);
  });

  const changes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "the program": { "program.ts": `export default 2;` },
    "a file it imports, to the same size": { "b.ts": `export const b = 2;` },
    "its tsconfig": { "tsconfig.json": `{}` },
    "its package.json": { "package.json": `{ "name": "renamed" }` },
  };
  for (const [what, files] of Object.entries(changes)) {
    test(`a change of ${what} makes a new bundle`, async () => {
      const { bundle, folder } = bundler();
      await bundle();
      await bundle();

      write(folder, files);

      expect((await bundle()).fromCache).toBe(false);
      expect((await bundle()).fromCache).toBe(true);
    });
  }

  test("a change of what the tsconfig extends, and of a package outside the bundle, makes a new bundle", async () => {
    const { bundle, folder } = bundler({
      "program.ts": `import { greeting } from "greeter"; export default greeting;`,
      "tsconfig.json": `{ "extends": ["./base"] }`,
      "base.json": `{}`,
    });
    await bundle();

    write(folder, { "base.json": `{ "compilerOptions": {} }` });
    expect((await bundle()).fromCache).toBe(false);
    write(folder, { "node_modules/greeter/package.json": `{ "name": "greeter", "exports": "./greeter.cjs" }` });
    expect((await bundle()).fromCache).toBe(false);
    expect((await bundle()).fromCache).toBe(true);
  });

  test("another colos makes another bundle and the first one stays", async () => {
    const { bundle, folder } = bundler();
    const first = await bundle();

    const other = await bundleProgram(join(folder, "program.ts"), { colosUrl: "file:///other/index.js" });

    expect(other.fromCache).toBe(false);
    expect(await bundle()).toEqual({ ...first, fromCache: true });
  });

  test("a damaged bundle and a damaged manifest are made again", async () => {
    const { bundle, cache, inCache } = bundler();
    const first = await bundle();

    fs.truncateSync(fileURLToPath(first.url), 10);
    expect(await bundle()).toEqual(first);
    fs.writeFileSync(join(cache, inCache(".json")[0]!), `{"format":1`);
    expect(await bundle()).toEqual(first);
    fs.writeFileSync(join(cache, inCache(".json")[0]!), `null`);
    expect(await bundle()).toEqual(first);
    fs.rmSync(fileURLToPath(first.url));
    expect(await bundle()).toEqual(first);
    expect(await bundle()).toEqual({ ...first, fromCache: true });
  });

  test("concurrent calls share one build", async () => {
    const { bundle } = bundler();

    const [first, ...others] = await Promise.all([bundle(), bundle(), bundle()]);

    expect(first.fromCache).toBe(false);
    for (const other of others) expect(other).toBe(first);
  });

  test("without a package that has node_modules the user's cache folder serves, then the temporary folder", async () => {
    const folder = fs.mkdtempSync(join(rootFolder, "plain-"));
    write(folder, { "program.ts": `export default 1;`, occupied: "" });
    const bundle = (): ReturnType<typeof bundleProgram> =>
      bundleProgram(join(folder, "program.ts"), { colosUrl: "file:///colos/index.js" });
    vi.stubEnv("TMPDIR", folder);

    vi.stubEnv("XDG_CACHE_HOME", join(folder, "user"));
    expect((await bundle()).url).toContain(`${folder}/user/colos/`);
    vi.stubEnv("XDG_CACHE_HOME", join(folder, "occupied"));
    expect((await bundle()).url).toContain(`${folder}/colos-`);
    expect((await bundle()).fromCache).toBe(true);
  });

  test("a temporary folder that others can write to is not used", async () => {
    const folder = fs.mkdtempSync(join(rootFolder, "plain-"));
    write(folder, { "program.ts": `export default 1;`, occupied: "" });
    vi.stubEnv("TMPDIR", folder);
    vi.stubEnv("XDG_CACHE_HOME", join(folder, "occupied"));
    const shared = join(folder, `colos-${process.getuid!()}`);
    fs.mkdirSync(shared);
    fs.chmodSync(shared, 0o777);

    await expect(bundleProgram(join(folder, "program.ts"), { colosUrl: "file:///colos/index.js" })).rejects.toThrow(
      /program\.ts was compiled but cannot be stored in .*belongs to another user/,
    );
  });

  test("the cache is bounded: the longest unused go first, and abandoned temporary files go", async () => {
    const { bundle, cache, folder, inCache } = bundler();
    const used = await bundle();
    const old = new Date(Date.now() - 100 * 3_600_000);
    for (let index = 0; index < bundlesMax + 20; index++) {
      write(cache, { [`${index}.mjs`]: "", [`${index}.json`]: "" });
      for (const name of [`${index}.mjs`, `${index}.json`]) fs.utimesSync(join(cache, name), index, index);
    }
    write(cache, { "dead.mjs.tmp": "" });
    fs.utimesSync(join(cache, "dead.mjs.tmp"), old, old);
    for (const name of [`${used.hash}.mjs`, ...inCache(".json").filter((each) => each.length > 20)])
      fs.utimesSync(join(cache, name), 1, 1);

    expect(await bundle()).toEqual({ ...used, fromCache: true });
    write(folder, { "other.ts": "export default 3;" });
    const other = await bundleProgram(join(folder, "other.ts"), {
      colosUrl: pathToFileURL(join(folder, "colos/index.js")).href,
    });

    const bundles = inCache(".mjs");
    expect(bundles).toHaveLength(bundlesMax);
    expect(inCache(".json")).toHaveLength(bundlesMax);
    expect(bundles).toEqual(
      expect.arrayContaining([`${used.hash}.mjs`, `${other.hash}.mjs`, `${bundlesMax + 19}.mjs`]),
    );
    expect(bundles).not.toContain("0.mjs");
    expect(inCache(".tmp")).toEqual([]);
  });

  test("a JavaScript module that changed is loaded anew, an unchanged one is the same", async () => {
    const { colosUrl, folder } = project({ "config.mjs": `export default { version: 1 };` });
    const load = (): Promise<Record<string, unknown>> => loadModule(join(folder, "config.mjs"), { colosUrl });

    const first = await load();
    expect(await load()).toBe(first);
    write(folder, { "config.mjs": `export default { version: 2 };` });

    expect((await load())["default"]).toEqual({ version: 2 });
  });
});

describe("program bundle: OS processes", () => {
  const tool = join(rootFolder, "tool");
  const here = fileURLToPath(new URL(".", import.meta.url));

  beforeAll(async () => {
    // The compiler is reachable from tool/, and not from a copy of the tool elsewhere.
    const esbuild = dirname(fileURLToPath(import.meta.resolve("esbuild/package.json")));
    fs.mkdirSync(tool, { recursive: true });
    fs.symlinkSync(dirname(esbuild), join(tool, "node_modules"));
    const options = { format: "esm", platform: "node", bundle: true, external: ["esbuild"] } satisfies BuildOptions;
    await build({ ...options, entryPoints: [join(here, "program-bundle.ts")], outfile: join(tool, "bundle.mjs") });
    const main = `import { bundleProgram } from "./bundle.mjs";
      const bundle = await bundleProgram(process.argv[2], { colosUrl: "file:///colos/index.js" });
      console.log(JSON.stringify({ ...bundle, value: (await import(bundle.url)).default }));`;
    write(tool, { "main.mjs": main });
  });

  async function start(folder: string, program: string): Promise<{ out: string; err: string; code: number }> {
    const child = spawn(process.execPath, [join(folder, "main.mjs"), program], { stdio: ["ignore", "pipe", "pipe"] });
    const result = { out: "", err: "", code: -1 };
    child.stdout.on("data", (data: Buffer) => (result.out += data));
    child.stderr.on("data", (data: Buffer) => (result.err += data));
    const [code] = (await once(child, "close")) as [number];
    return { ...result, code };
  }

  test("a second start does without the compiler", async () => {
    const { folder } = project({ "program.ts": `export default 7 as number;` });
    const bare = fs.mkdtempSync(join(rootFolder, "bare-"));
    for (const name of ["main.mjs", "bundle.mjs"]) fs.copyFileSync(join(tool, name), join(bare, name));

    const without = await start(bare, join(folder, "program.ts"));
    const first = await start(tool, join(folder, "program.ts"));
    const second = await start(bare, join(folder, "program.ts"));

    expect(without.err).toContain("the package esbuild does not load");
    expect(JSON.parse(first.out)).toMatchObject({ fromCache: false, value: 7 });
    expect(JSON.parse(second.out)).toMatchObject({ fromCache: true, value: 7 });
  });

  test("OS processes that start at once all load the same bundle", async () => {
    const { cache, folder } = project({ "program.ts": `export default 7 as number;` });

    const results = await Promise.all(Array.from({ length: 6 }, () => start(tool, join(folder, "program.ts"))));

    expect(results.map(({ code, err }) => ({ code, err }))).toEqual(results.map(() => ({ code: 0, err: "" })));
    expect(new Set(results.map(({ out }) => (JSON.parse(out) as { url: string }).url)).size).toBe(1);
    expect(fs.readdirSync(cache)).toHaveLength(2);
  });

  test("a program that does not compile prints nothing but the error of who asked", async () => {
    const { folder } = project({ "program.ts": `const a = ;` });

    const { err, out } = await start(tool, join(folder, "program.ts"));

    expect(out).toBe("");
    expect(err.match(/Unexpected ";"/g)!.length).toBeLessThanOrEqual(2); // the message, and the problem in Node's print of the error
    expect(err).not.toContain("[ERROR]");
  });
});
