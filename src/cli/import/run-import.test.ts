import { describe, expect, test } from "vitest";
import { runInit } from "../init.ts";
import { runImport } from "./run-import.ts";
import type { ImportHost } from "./source-file.ts";

/** A folder /app that is made of texts; a module is what `modules` says. */
function folder(files: Record<string, string>, modules: Record<string, unknown> = {}) {
  const texts = new Map(Object.entries(files).map(([name, text]) => [`/app/${name}`, text]));
  const host: ImportHost = {
    cwd: "/app",
    cpus: 2,
    read: (path) => texts.get(path),
    create: (path, text) => {
      if (texts.has(path)) return false;
      texts.set(path, text);
      return true;
    },
    loadModule: async (file) => modules[file.replace("/app/", "")],
  };
  return { host, text: (name: string) => texts.get(`/app/${name}`) };
}

describe("colos import", () => {
  test("a file becomes a config beside it, with a report", async () => {
    const { host, text } = folder({ Procfile: "web: node web.js" });

    const outcome = await runImport({ file: "Procfile", to: "colos.config.yaml" }, host);

    expect(outcome).toMatchObject({ exitCode: 0, stderr: [] });
    expect(outcome.stdout).toContain('  taken over      command: runs as ["node","web.js"]');
    expect(outcome.stdout.at(-1)).toBe("wrote colos.config.yaml");
    expect(text("colos.config.yaml")).toBe("services:\n  web:\n    command:\n      - node\n      - web.js\n");
  });

  test("without a target the config goes to stdout and the report to stderr", async () => {
    const { host } = folder({ Procfile: "web: node web.js" });

    const outcome = await runImport({ file: "Procfile" }, host);

    expect(outcome.stdout[0]).toBe("services:");
    expect(outcome.stderr).toContain("web");
  });

  test("a config that is there stays as it is", async () => {
    const { host, text } = folder({ Procfile: "web: node web.js", "colos.config.json": "{}" });

    const outcome = await runImport({ file: "Procfile", to: "colos.config.json" }, host);

    expect(outcome).toEqual({
      exitCode: 2,
      stdout: [],
      stderr: ["colos.config.json: is there already and stays as it is; remove it or name another"],
    });
    expect(text("colos.config.json")).toBe("{}");
  });

  test.each<[string, string, string]>([
    ["none", "", "none: there is no such file"],
    [
      "a.toml",
      "x",
      "a.toml: is not a file that colos imports; those are PM2 ecosystem files, Procfile, process-compose, docker compose and package.json",
    ],
    ["a.json", "[1", "a.json:1:3: Flow sequence must end with a ]"],
    ["a.yaml", "a: 1", "a.yaml: has neither apps (PM2) nor processes (process-compose) nor services (docker compose)"],
  ])("%s is refused", async (file, text, problem) => {
    const { host } = folder(file === "none" ? {} : { [file]: text });

    expect(await runImport({ file }, host)).toEqual({ exitCode: 2, stdout: [], stderr: [problem] });
  });

  test.each<[string, string]>([
    ["a.toml", "a.toml: is not a kind of config that colos writes; those are .ts, .js, .mjs, .json, .yaml, .yml"],
    ["sub/a.yaml", "sub/a.yaml: has to stand beside Procfile, because its paths begin there"],
  ])("the target %s is refused", async (to, problem) => {
    const { host } = folder({ Procfile: "web: node web.js" });

    expect((await runImport({ file: "Procfile", to }, host)).stderr).toEqual([problem]);
  });

  test("a file with nothing to import fails, and says why", async () => {
    const { host } = folder({ "compose.yaml": "services:\n  db:\n    image: redis\n" });

    const outcome = await runImport({ file: "compose.yaml", to: "colos.config.ts" }, host);

    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr.at(-1)).toBe("compose.yaml: nothing in it can be imported");
  });

  test("a module is run, whichever way it exports", async () => {
    const apps = [{ script: "a.js" }];
    const { host } = folder({ "a.cjs": "", "b.mjs": "" }, { "a.cjs": { default: { apps } }, "b.mjs": { apps } });

    expect((await runImport({ file: "a.cjs" }, host)).exitCode).toBe(0);
    expect((await runImport({ file: "b.mjs" }, host)).exitCode).toBe(0);
  });

  test("what colos up would refuse is said too", async () => {
    const { host } = folder({
      "process-compose.yaml": `processes:
  db: { command: db, availability: { restart: always } }
  web: { command: web, depends_on: { db: { condition: process_completed_successfully } } }
`,
    });

    const { stderr } = await runImport({ file: "process-compose.yaml" }, host);

    expect(stderr.at(-1)).toMatch(/^to do: services\.web\.dependsOn\.db: db is started again whenever it ends/);
  });
});

describe("colos init", () => {
  test("an empty folder gets an example", async () => {
    const { host, text } = folder({});

    const outcome = await runInit({ kind: "ts" }, host);

    expect(outcome.stdout).toEqual(["wrote colos.config.ts with 1 service; look at it, then: colos up"]);
    expect(text("colos.config.ts")).toBe(
      'import { defineConfig } from "colos";\n\nexport default defineConfig({\n  services: {\n' +
        '    clock: { command: ["sh", "-c", "while :; do date; sleep 1; done"], description: "Replace me" },\n  },\n});\n',
    );
  });

  test("the first importable file is taken and the others are named", async () => {
    const { host, text } = folder({
      Procfile: "web: node web.js",
      "package.json": "{}",
      "compose.yml": "services: {}",
    });

    const outcome = await runInit({ kind: "json" }, host);

    expect(JSON.parse(text("colos.config.json")!)).toEqual({ services: { web: { command: ["node", "web.js"] } } });
    expect(outcome.stdout).toContain(
      "not imported: compose.yml, package.json; colos import <file> shows what is in them",
    );
  });

  test("a folder with a config of any kind is refused", async () => {
    const { host, text } = folder({ "colos.config.yml": "" });

    expect(await runInit({ kind: "ts" }, host)).toEqual({
      exitCode: 2,
      stdout: [],
      stderr: ["colos.config.yml: is there already and stays as it is; edit it, or remove it first"],
    });
    expect(text("colos.config.ts")).toBeUndefined();
  });

  test("a package gets its start script", async () => {
    const { host, text } = folder({ "package.json": '{"name":"shop","scripts":{"start":"node main.js"}}' });

    await runInit({ kind: "yaml" }, host);

    expect(text("colos.config.yaml")).toContain("shop:");
  });

  test("a main file that nobody has written yet is not taken", async () => {
    const fresh = { "package.json": '{"name":"shop","main":"index.js"}' };
    const { host, text } = folder(fresh);
    const other = folder({ ...fresh, "server.js": "" });

    const outcome = await runInit({ kind: "json" }, host);
    await runInit({ kind: "json" }, other.host);

    expect(outcome.stdout).toContain("package.json: index.js does not exist");
    expect(JSON.parse(text("colos.config.json")!)).toHaveProperty("services.clock");
    expect(JSON.parse(other.text("colos.config.json")!)).toEqual({
      services: { shop: { command: ["node", "server.js"] } },
    });
  });
});
