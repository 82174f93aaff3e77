import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { configBytesMax, loadConfigFile } from "./config-file.ts";

/** A folder called shop that holds these files and goes with the test. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "colos-config-")));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const folder = join(root, "shop");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function hostIn(
  cwd: string,
  loadModule: (file: string) => Promise<unknown> = (file) => import(pathToFileURL(file).href),
) {
  return { cwd, env: { PATH: "/usr/bin:/bin" }, loadModule };
}

/** Loads the one file given by name and text. */
async function load(name: string, text: string, others: Readonly<Record<string, string>> = {}) {
  return loadConfigFile(name, hostIn(folderWith({ [name]: text, ...others })));
}

async function problemsOf(...file: Parameters<typeof load>) {
  const result = await load(...file);
  return "problems" in result ? result.problems : [];
}

describe("config file: finding it", () => {
  test("a missing file is one sentence", async () => {
    expect(await loadConfigFile("shop.json", hostIn(folderWith({})))).toEqual({
      problems: ["shop.json: there is no such file"],
    });
  });

  test("without a path the first known name in the working directory is taken", async () => {
    const folder = folderWith({
      "colos.config.yml": "services: {a: {command: [sh]}}",
      "colos.config.json": '{"services": {"b": {"command": ["sh"]}}}',
    });

    const result = await loadConfigFile(undefined, hostIn(folder));

    expect(result).toMatchObject({ file: join(folder, "colos.config.json"), name: "shop" });
  });

  test("without a path and without a config it says what is looked for", async () => {
    expect(await loadConfigFile(undefined, hostIn(folderWith({})))).toEqual({
      problems: [
        "colos: there is no colos.config.(ts|js|mjs|json|yaml|yml) in this folder; write one, or name a file; colos init writes one from what is there",
      ],
    });
  });

  test("a folder stands for the config in it", async () => {
    const folder = folderWith({ "deep/colos.config.json": "{" });

    expect(await loadConfigFile("deep", hostIn(folder))).toEqual({
      problems: ["deep/colos.config.json:1:2: the file ends where a key in double quotes belongs"],
    });
  });

  test("a file of its own name names the system", async () => {
    expect(await load("billing.yaml", "services: {a: {command: [sh]}}")).toMatchObject({ name: "billing" });
  });

  test("an unknown kind of file is refused", async () => {
    expect(await problemsOf("shop.toml", "")).toEqual([
      "shop.toml: is not a kind of config that colos reads; those are .ts, .js, .mjs, .json, .yaml, .yml",
    ]);
  });

  test("a file beyond the size limit is refused", async () => {
    expect(await problemsOf("shop.json", " ".repeat(configBytesMax + 1))).toEqual([
      "shop.json: has 4194305 bytes; 4194304 are allowed",
    ]);
  });
});

describe("config file: JSON", () => {
  test("paths are absolute from the file's folder", async () => {
    const folder = folderWith({
      "conf/shop.json": '\uFEFF{"services": {"web": {"program": "../web.ts", "cwd": ".."}}}',
      "web.ts": "",
    });

    const result = await loadConfigFile("conf/shop.json", hostIn(folder));

    expect("plan" in result && result.plan.services[0]).toMatchObject({
      run: { file: join(folder, "web.ts") },
      cwd: folder,
    });
  });

  test("a syntax error has line and column", async () => {
    expect(await problemsOf("shop.json", '{\n  "services": {\n    "a": 1,\n  }\n}')).toEqual([
      "shop.json:4:3: a comma before } is not allowed in JSON",
    ]);
  });

  test("a problem has the line of its key", async () => {
    const text =
      '{\n\t"services": {\n\t\t"web": {\n\t\t\t"command": ["sh"],\n\t\t\t"restart": "allways"\n\t\t}\n\t}\n}';

    expect(await problemsOf("shop.json", text)).toEqual([
      'shop.json:5: services.web.restart: "allways" is not one of permanent, transient, temporary',
    ]);
  });

  test("a problem in a list has the line of its item", async () => {
    const text = '{"services": {"web": {"command": [\n"sh",\n5]}}}';

    expect(await problemsOf("shop.json", text)).toEqual([
      'shop.json:3: services.web.command[1]: 5 is not text; write "5" in quotes',
    ]);
  });

  test("a service written twice is refused, with both lines", async () => {
    const text = '{"services": {\n"web": {"command": ["sh"]},\n"db": {},\n"web": {"command": ["sh"]}}}';

    expect(await problemsOf("shop.json", text)).toEqual([
      "shop.json:4: services.web: is written twice, first on line 2",
    ]);
  });

  test("the same key in two services is no duplicate", async () => {
    const text = '{"services": {"a": {"command": ["sh"]}, "b": {"command": ["sh"]}}}';

    expect(await problemsOf("shop.json", text)).toEqual([]);
  });
});

describe("config file: YAML", () => {
  test("merge keys take over what an anchor holds", async () => {
    const text =
      "services:\n  a: &base\n    command: [sh]\n    restart: transient\n  b:\n    <<: *base\n    instances: 2\n";

    const result = await load("shop.yaml", text);

    expect("plan" in result && result.plan.services[1]).toMatchObject({ restart: "transient", instances: 2 });
  });

  test("a syntax error has line and column", async () => {
    const [first] = await problemsOf("shop.yaml", "services:\n  a: [sh\n  b: 1\n");

    expect(first).toMatch(/^shop\.yaml:\d+:\d+: /);
  });

  test("a service written twice is refused", async () => {
    expect(await problemsOf("shop.yml", "services:\n  a: {command: [sh]}\n  a: {command: [sh]}\n")).toEqual([
      "shop.yml:3: services.a: is written twice, first on line 2",
    ]);
  });

  test("a tag that would run code is refused", async () => {
    expect(await problemsOf("shop.yml", "services: !!js/function x\n")).toEqual([
      "shop.yml:1:11: Unresolved tag: tag:yaml.org,2002:js/function",
    ]);
  });

  test("aliases that multiply are refused", async () => {
    const levels = "bcdefghij".split("").map((name, at) => `${name}: &${name} [${`*${"abcdefghi"[at]},`.repeat(9)}]`);

    const [first] = await problemsOf("shop.yml", `a: &a [x,x,x,x,x,x,x,x,x]\n${levels.join("\n")}\n`);

    expect(first).toBe("shop.yml: cannot be read: Excessive alias count indicates a resource exhaustion attack");
  });

  test("an empty file says what belongs there", async () => {
    expect(await problemsOf("shop.yaml", "")).toEqual(["shop.yaml: the config is empty; write services: { … }"]);
  });
});

describe("config file: code", () => {
  test("the default export is the config", async () => {
    const result = await load("shop.mjs", 'export default { services: { a: { command: ["sh"] } } };');

    expect(result).toMatchObject({ plan: { services: [{ name: "a" }] } });
  });

  test("no default export is one sentence", async () => {
    expect(await problemsOf("shop.mjs", "export const services = {};")).toEqual([
      "shop.mjs: has no default export; write export default defineConfig({ services: { … } })",
    ]);
  });

  test("a config that throws is named with its line", async () => {
    const file = join(folderWith({ "shop.ts": "" }), "shop.ts");
    const error = new Error("DATABASE is not set\nset it");
    error.stack = `Error: DATABASE is not set\n    at ${pathToFileURL(file).href}:7:9`;

    const result = await loadConfigFile(
      file,
      hostIn("/", () => Promise.reject(error)),
    );

    expect(result).toEqual({ problems: [`${file}:7: threw when it was loaded: DATABASE is not set`] });
  });

  test("a config that throws something else than an error is named", async () => {
    const folder = folderWith({ "shop.ts": "" });

    // oxlint-disable-next-line prefer-promise-reject-errors
    const result = await loadConfigFile(
      "shop.ts",
      hostIn(folder, () => Promise.reject("why")),
    );

    expect(result).toEqual({ problems: ["shop.ts: threw when it was loaded: why"] });
  });

  test("a file without a position in the stack is named alone", async () => {
    const folder = folderWith({ "shop.ts": "" });
    const error = new Error("no such package");
    error.stack = "Error: no such package\n    at node:internal/modules:1:2";

    const result = await loadConfigFile(
      "shop.ts",
      hostIn(folder, () => Promise.reject(error)),
    );

    expect(result).toEqual({ problems: ["shop.ts: threw when it was loaded: no such package"] });
  });

  test("a syntax error of the host is a config that does not compile", async () => {
    const file = join(folderWith({ "shop.mjs": "" }), "shop.mjs");
    const error = new SyntaxError("Unexpected token '='");
    error.stack = `${pathToFileURL(file).href}?colos=ab12:3\nconst = 5`;

    const result = await loadConfigFile(
      file,
      hostIn("/", () => Promise.reject(error)),
    );

    expect(result).toEqual({ problems: [`${file}:3: does not compile: Unexpected token '='`] });
  });

  test("what does not compile is named with its line, in the config and in what it imports", async () => {
    const folder = folderWith({ "shop.ts": "" });
    const problems = [
      { file: join(folder, "shop.ts"), line: 3, text: 'Expected ";" but found "x"' },
      { file: join(folder, "lib/db.ts"), line: 9, text: "Unexpected end of file" },
      { text: "was compiled but cannot be stored" },
    ];

    const result = await loadConfigFile(
      "shop.ts",
      hostIn(folder, () => Promise.reject(Object.assign(new Error("two"), { problems }))),
    );

    expect(result).toEqual({
      problems: [
        'shop.ts:3: does not compile: Expected ";" but found "x"',
        "lib/db.ts:9: does not compile: Unexpected end of file",
        "shop.ts: was compiled but cannot be stored",
      ],
    });
  });
});

describe("config file: what it refers to", () => {
  const config = (service: unknown) => JSON.stringify({ services: { web: service } }, undefined, 1);

  test.each<[unknown, string]>([
    [{ program: "web.ts" }, 'shop.json:4: services.web.program: "web.ts" does not exist'],
    [{ program: "folder.ts" }, 'shop.json:4: services.web.program: "folder.ts" is not a file'],
    [{ program: "here.ts", cwd: "none" }, 'shop.json:5: services.web.cwd: "none" does not exist'],
    [{ program: "here.ts", cwd: "here.ts" }, 'shop.json:5: services.web.cwd: "here.ts" is not a folder'],
    [{ command: ["colos-ngnix"] }, 'shop.json:4: services.web.command: "colos-ngnix" was not found on PATH'],
    [{ command: ["./none"] }, 'shop.json:4: services.web.command: "./none" does not exist'],
    [{ command: ["./folder.ts"] }, 'shop.json:4: services.web.command: "./folder.ts" is not a file'],
    [
      { command: ["./here.ts"] },
      'shop.json:4: services.web.command: "./here.ts" is not executable; run chmod +x on it',
    ],
    [{ command: ["sh"], env: { PATH: "/nowhere" } }, 'shop.json:4: services.web.command: "sh" was not found on PATH'],
    [
      { program: "here.ts", ready: { exec: ["colos-no-such"] } },
      'shop.json:6: services.web.ready.exec: "colos-no-such" was not found on PATH',
    ],
  ])("%j", async (service, problem) => {
    const others = { "here.ts": "", "folder.ts/file": "" };

    expect(await problemsOf("shop.json", config(service), others)).toEqual([problem]);
  });

  test("without PATH a command is looked for where the OS looks", async () => {
    expect(await problemsOf("shop.json", config({ command: ["sh"], env: { PATH: null } }))).toEqual([]);
  });

  test("a command on a PATH relative to its working directory is found", async () => {
    const folder = folderWith({
      "shop.json": config({ command: ["serve"], cwd: "app", env: { PATH: "bin" } }),
      "app/bin/serve": "",
    });
    chmodSync(join(folder, "app/bin/serve"), 0o755);

    expect(await loadConfigFile("shop.json", hostIn(folder))).toMatchObject({ name: "shop" });
  });
});
