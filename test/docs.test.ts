/**
 * The examples in the documentation, run. A comment before a block of code says what it is:
 *
 *   <!-- run: first.ts -->       `colos run first.ts` writes what the comments behind `console.log(…);` say
 *   <!-- up: colos.config.ts --> `colos up --foreground` gets every service ready
 *   <!-- daemon: name.sh -->     runs to its end without a failure, in a home of its own; `colos` is this one
 *   <!-- config: name.json -->   is a right config
 *   <!-- env: name.env -->       is a right env file
 *   <!-- import: Procfile -->    is imported, and gives the config in
 *   <!-- imported: Procfile.yaml -->
 *   <!-- file: sum.ts -->        stands beside the others
 *   <!-- example: 01.test.ts --> is that file of `examples/failure`, which runs by itself
 *
 * Blocks of one name are one file. README links to every page. `, needs redis-server` names a program that may be absent.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { parse } from "yaml";
import { importFile } from "../src/cli/import/source-file.ts";
import { parseConfig } from "../src/control/config-parser.ts";
import { parseEnvFile } from "../src/control/env-file.ts";
import { needsLinux, needsProgram } from "./debian.ts";
import { test as daemonTest } from "./system/daemon-place.ts";
import { freePort, test } from "./system/place.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
];
/** Files that a document speaks of and does not show. */
const unshown: Readonly<Record<string, string>> = {
  "primes.ts": "setInterval(() => {}, 1000);\n",
};
/** TCP ports in the examples; a test uses others. */
const port = /\b(?:6379|7777|8000|8001|8080)\b/g;

interface Example {
  readonly kind: "run" | "up" | "daemon" | "config" | "env" | "import" | "imported" | "file" | "example";
  readonly name: string;
  readonly text: string;
  /** A program it cannot do without. */
  readonly needs: string | undefined;
}

/** The marked blocks of a document, those of one name joined. */
function examplesIn(markdown: string): Example[] {
  const examples = new Map<string, Example>();
  const block =
    /<!-- (run|up|daemon|config|env|import|imported|file|example): ([\w.-]+)(?:, needs ([\w-]+))? -->\n```\w+\n(.*?)```\n/gs;
  for (const [, kind, name, needs, text] of markdown.matchAll(block)) {
    const before = examples.get(name!)?.text ?? "";
    examples.set(name!, { kind: kind as Example["kind"], name: name!, needs, text: before + text! });
  }
  return [...examples.values()];
}

/** What a program says that it writes. */
function promised(text: string): string[] {
  return [...text.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line]) => line!);
}

/** The links of a document to files of the project, with what is wrong with them. */
function brokenLinks(path: string): string[] {
  const text = readFileSync(join(root, path), "utf8");
  const links = [...text.matchAll(/\]\(((?!https?:)[^()\s]+)\)/g)].map(([, link]) => link!);
  return links.filter((link) => {
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? join(root, path) : join(root, dirname(path), file);
    if (!existsSync(target) || !isPacked(target)) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).includes(anchor);
  });
}

/** Whether whoever has installed the package has it, too. */
function isPacked(target: string): boolean {
  const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly files: readonly string[];
  };
  const path = relative(root, target);
  return files.some((each) => path === each || path.startsWith(`${each}/`));
}

/** What its headings are called in links. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** A text as a regular expression. */
function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&");
}

/** A folder that a test may write to. */
interface Writable {
  write(name: string, content: unknown): unknown;
}

/** Writes all examples of a document to one folder, each port replaced by a free one. */
async function write(place: Writable, examples: readonly Example[]): Promise<void> {
  const ports = new Map<string, number>();
  for (const [found] of examples.flatMap(({ text }) => [...text.matchAll(port)])) {
    if (!ports.has(found)) ports.set(found, await freePort());
  }
  for (const [name, text] of Object.entries(unshown)) place.write(name, text);
  for (const { name, text } of examples) {
    const ported = text.replace(port, (found) => String(ports.get(found)));
    place.write(name, ported);
  }
}

/** A test of each kind of example; `examples` are all of its document. */
const tests: Readonly<
  Record<Exclude<Example["kind"], "file" | "imported">, (example: Example, examples: readonly Example[]) => void>
> = {
  run({ name, text }, examples) {
    test(`${name} writes what it says`, async ({ place }) => {
      await write(place, examples);
      const lines = promised(text);

      const colos = place.colos(["run", name]);
      await colos.line(new RegExp(`^${escaped(lines.at(-1) ?? "")}$`));
      colos.signal("SIGINT"); // Some run on, some are over by now.
      await colos.ended;

      expect(lines).not.toEqual([]);
      expect(colos.lines().filter((line) => lines.includes(line))).toEqual(lines);
    });
  },
  up({ name }, examples) {
    test(`${name} gets every service ready`, async ({ place }) => {
      await write(place, examples);

      const colos = place.colos(["up", "--foreground", name]);
      await colos.line(/every service is ready/);

      expect(await colos.stop()).toEqual({ code: 0, signal: null });
    });
  },
  daemon({ name }, examples) {
    daemonTest(`${name} runs to its end`, async ({ place }) => {
      await write(place, examples);

      const said = await place.script(`. ./${name}`);

      expect(said).toMatchObject({ code: 0, stderr: "" });
    });
  },
  config({ name, text }) {
    test(`${name} is right`, () => {
      expect(parseConfig(parse(text), { source: name, directory: root, resolve })).toHaveProperty("plan");
    });
  },
  env({ name, text }) {
    test(`${name} is right`, () => {
      expect(parseEnvFile(text, { source: name })).toHaveProperty("variables");
    });
  },
  import({ name, text }, examples) {
    test(`${name} is imported as it is shown`, async () => {
      const read = (path: string) => (path === `/app/${name}` ? text : undefined);
      const host = {
        cwd: "/app",
        cpus: 2,
        read,
        create: () => false,
        loadModule: () => Promise.reject(new Error("no module")),
      };
      const shown = examples.find((example) => example.name === `${name}.yaml`);

      const result = await importFile(name, host);

      expect(result).toHaveProperty("config", parse(shown!.text));
    });
  },
  example({ name, text }) {
    test(`${name} is the example that runs`, () => {
      expect(text).toBe(readFileSync(join(root, "examples/failure", name), "utf8"));
    });
  },
};

describe("the documentation", () => {
  test("README links to every page", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const missing = readdirSync(join(root, "docs")).filter((name) => !readme.includes(`(docs/${name})`));

    expect(missing).toEqual([]);
  });

  for (const path of documents) {
    const examples = examplesIn(readFileSync(join(root, path), "utf8"));

    describe(path, () => {
      for (const example of examples) {
        const { kind, needs } = example;
        const where = needs === undefined ? needsLinux() : needsProgram(needs, needs);
        if (kind !== "file" && kind !== "imported") where.describe(example.name, () => tests[kind](example, examples));
      }

      test("its links lead somewhere", () => {
        expect(brokenLinks(path)).toEqual([]);
      });

      test("its TypeScript has no type errors", async ({ place }) => {
        await write(place, examples);
        place.write("package.json", { type: "module" });
        place.write("tsconfig.json", {
          extends: join(root, "tsconfig.base.json"),
          compilerOptions: {
            ...{ noEmit: true, declaration: false, isolatedDeclarations: false },
            ...{ rewriteRelativeImportExtensions: false, types: ["node"] },
            typeRoots: [join(root, "node_modules/@types")],
            paths: {
              colos: [join(root, "dist/index.d.ts")],
              "colos/testing": [join(root, "dist/testing-entry.d.ts")],
              "fast-check": [join(root, "node_modules/fast-check/lib/fast-check.d.ts")],
              vitest: [join(root, "node_modules/vitest/dist/index.d.ts")],
            },
          },
          include: ["*.ts"],
        });

        const tsc = place.run([process.execPath, join(root, "node_modules/typescript/bin/tsc"), "-p", "."]);
        const { code } = await tsc.ended;

        expect(tsc.stdout).toBe("");
        expect(code).toBe(0);
      });
    });
  }
});
