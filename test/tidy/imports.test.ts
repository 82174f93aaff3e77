import { describe, expect, test } from "vitest";
import { checkFolder, checkImports, dependencies } from "./imports.ts";

function problems(path: string, text: string): string[] {
  return checkImports({ path, text });
}

describe("dependencies", () => {
  const samples = [
    'import { a } from "./x.ts";',
    'import type { A } from "./x.ts";',
    'import * as a from "./x.ts";',
    'import {\n  a,\n  b,\n} from "./x.ts";',
    'import "./x.ts";',
    'export * from "./x.ts";',
    "export { a } from './x.ts';",
    'export type { A } from "./x.ts";',
    'const a = await import("./x.ts");',
    "const a = await import(`./x.ts`);",
    'let a: import("./x.ts").A;',
    'const a = require("./x.ts");',
    'new Worker(new URL("./x.ts", import.meta.url));',
  ];

  test.each(samples)("finds %s", (text) => {
    expect(dependencies(text).map(({ specifier }) => specifier)).toEqual(["./x.ts"]);
  });

  test.each(['// import "./x.ts"', "\"import './x.ts'\"", 'a.from("./x.ts")', 'new URL("http://a.b")', "import(name)"])(
    "finds nothing in %s",
    (text) => {
      expect(dependencies(text)).toEqual([]);
    },
  );
});

describe("checkImports", () => {
  const refused: readonly [from: string, specifier: string][] = [
    ["src/base/a.ts", "../kernel/a.ts"],
    ["src/kernel/a.ts", "../server/a.ts"],
    ["src/kernel/a.ts", "../carriers/carrier.ts"],
    ["src/cli/a.ts", "../daemon/a.ts"],
    ["src/cli/a.ts", "../dashboard/a.ts"],
    ["src/daemon/a.ts", "../cli/a.ts"],
    ["src/daemon/a.ts", "../testing/a.ts"],
    ["src/sim/a.ts", "../control/a.ts"],
    ["src/sim/a.ts", "../carriers/thread.ts"],
    ["src/loader/a.ts", "../stores/index.ts"],
    ["src/kernel/a.ts", "../index.ts"],
    ["src/kernel/a.ts", "../../test/a.ts"],
    ["src/kernel/a.ts", "colos"],
    ["src/kernel/a.ts", "node:fs"],
    ["src/kernel/a.ts", "fs"],
    ["src/carriers/coroutine.ts", "node:fs"],
    ["src/carriers/coroutine.ts", "../os/a.ts"],
    ["src/carriers/carrier.ts", "./thread.ts"],
    ["src/carriers/thread.ts", "./coroutine.ts"],
    ["src/carriers/thread.ts", "./index.ts"],
    ["src/carriers/os-process.ts", "./thread/entry.ts"],
  ];

  test.each(refused)("refuses %s importing %s", (from, specifier) => {
    expect(problems(from, `\nimport type { A } from "${specifier}";`)).toEqual([
      expect.stringMatching(new RegExp(`^${from}:2: `)),
    ]);
  });

  const allowed: readonly [from: string, specifier: string][] = [
    ["src/kernel/a.ts", "../base/a.ts"],
    ["src/kernel/a.ts", "./b.ts"],
    ["src/kernel/a.ts", "valibot"],
    ["src/sim/a.ts", "../carriers/coroutine.ts"],
    ["src/loader/a.ts", "../stores/store.ts"],
    ["src/carriers/thread.ts", "./carrier.ts"],
    ["src/carriers/thread.ts", "./thread-entry.ts"],
    ["src/carriers/thread.ts", "node:worker_threads"],
    ["src/carriers/thread.ts", "../os/a.ts"],
    ["src/carriers/index.ts", "./thread.ts"],
    ["src/daemon/a.ts", "../carriers/thread.ts"],
    ["src/bin.ts", "./cli/a.ts"],
    ["src/bin.ts", "./index.ts"],
    ["src/kernel/a.test.ts", "../daemon/a.ts"],
  ];

  test.each(allowed)("allows %s importing %s", (from, specifier) => {
    expect(problems(from, `import "${specifier}";`)).toEqual([]);
  });
});

describe("checkFolder", () => {
  test("refuses a folder that is not in the table", () => {
    expect(checkFolder({ path: "src/plumbing/a.ts", text: "" })).toHaveLength(1);
  });

  test.each(["src/kernel/a.ts", "src/index.ts"])("allows %s", (path) => {
    expect(checkFolder({ path, text: "" })).toEqual([]);
  });
});
