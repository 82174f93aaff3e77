import { describe, expect, test } from "vitest";
import { checkIndex, checkLanguage, checkModuleDoc, checkNames, checkNeutral } from "./code.ts";

const kernel = (text: string): { path: string; text: string } => ({ path: "src/kernel/a.ts", text });

describe("checkModuleDoc", () => {
  const bad = [
    "export const a = 1;",
    "/** A concept. */\nexport const a = 1;",
    "/** @module */",
    "// A concept. @module",
    'import "./b.ts";\n/** A concept. @module */',
    "/** A concept. */\n/** @module */",
  ];

  test.each(bad)("refuses %j", (text) => {
    expect(checkModuleDoc(kernel(text))).toHaveLength(1);
  });

  test.each(["/**\n * A concept.\n *\n * @module\n */\n", "#!/usr/bin/env node\n/** A command. @module */"])(
    "allows %j",
    (text) => {
      expect(checkModuleDoc(kernel(text))).toEqual([]);
    },
  );
});

describe("checkNeutral", () => {
  const bad = [
    "Date.now()",
    "new Date()",
    "new Date;",
    "Math.random()",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "setImmediate(f)",
    "queueMicrotask(f)",
    "performance.now()",
    "process.pid",
    "process?.env",
    "globalThis.a",
    "crypto.randomUUID()",
    "console.log(1)",
    "`${Date.now()}`",
  ];

  test.each(bad)("refuses %s", (text) => {
    expect(checkNeutral(kernel(text))).toHaveLength(1);
  });

  test("refuses it in a neutral implementation", () => {
    expect(checkNeutral({ path: "src/stores/memory.ts", text: "Date.now()" })).toHaveLength(1);
  });

  const good = [
    "// setTimeout(f, 1)",
    '"Date.now()"',
    "platform.clock.timer(1, f)",
    "new Date(wallMs)",
    "this.process.exit()",
    "const process = table.get(pid); process.exit();",
    "for (const process of all) process.exit();",
    "function end(process: Process) { process.exit(); }",
    "all.forEach((process) => process.exit());",
  ];

  test.each(good)("allows %s", (text) => {
    expect(checkNeutral(kernel(text))).toEqual([]);
  });

  test("allows everything in a host folder", () => {
    expect(checkNeutral({ path: "src/platforms/node.ts", text: "Date.now()" })).toEqual([]);
  });
});

describe("checkLanguage", () => {
  const bad = [
    "enum A { B }",
    "export const enum A { B }",
    "export default 1;",
    "export { a as default };",
    "let a: any;",
    "let a: any = 1;",
    "type A = Array<any>;",
    "type A<T> = T extends string ? any : never;",
    "const a = b as any;",
    "function a(...b: any[]): void {}",
  ];

  test.each(bad)("refuses %s", (text) => {
    expect(checkLanguage(kernel(text))).toHaveLength(1);
  });

  test.each(["// any", "Promise.any(all)", "schema.any", "{ any: 1 }", "enumerate()", "const many = 1;"])(
    "allows %s",
    (text) => {
      expect(checkLanguage(kernel(text))).toEqual([]);
    },
  );
});

describe("checkNames", () => {
  test.each(["src/base/utils.ts", "src/base/string-helpers.ts", "src/common/a.ts", "src/kernel/ExitReason.ts"])(
    "refuses %s",
    (path) => {
      expect(checkNames({ path, text: "" })).toHaveLength(1);
    },
  );

  test.each(["src/kernel/exit-reason.ts", "src/kernel/exit-reason.test.ts", "src/index.ts"])("allows %s", (path) => {
    expect(checkNames({ path, text: "" })).toEqual([]);
  });
});

describe("checkIndex", () => {
  const index = (text: string): { path: string; text: string } => ({ path: "src/index.ts", text });

  test.each(["export const a = 1;", 'import { a } from "./a.ts";', 'export * from "./a.ts";\na();'])(
    "refuses %j",
    (text) => {
      expect(checkIndex(index(text))).toHaveLength(1);
    },
  );

  test("allows every form of export from", () => {
    const text = `/** All. @module */
export * from "./a.ts";
export * as b from "./b.ts";
export type { C, D as E } from "./c.ts";
export {
  f,
  type G,
} from "./f.ts";
`;
    expect(checkIndex(index(text))).toEqual([]);
  });
});
