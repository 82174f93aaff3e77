/**
 * What a person gets wrong: each mistake gives one clear message on stderr, with the file and key or line where it
 * applies, the documented exit code, and nothing is left running.
 */
import { createServer } from "node:net";
import { describe, expect, onTestFinished } from "vitest";
import { needsLinux } from "./debian.ts";
import { test, type Place } from "./system/place.ts";

/** A healthy service, which is up when the other one fails, and has to be gone afterwards. */
const healthy = { command: ["sleep", "1000"] };

interface Mistake {
  readonly what: string;
  /** What is written before `colos` is run. */
  readonly files?: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
  /** The whole of stderr. */
  readonly says: string;
}

const up = (config: string): string[] => ["up", "--foreground", config];
const config = (services: unknown): Record<string, unknown> => ({ "c.json": { services } });

const wrongWords: readonly Mistake[] = [
  { what: "an unknown verb", args: ["rum", "x"], says: 'colos: "rum" is not a verb; did you mean "run"?' },
  {
    what: "a program without a verb",
    args: ["api.ts"],
    says: 'colos: "api.ts" is not a verb; did you mean colos run api.ts?',
  },
  {
    what: "an unknown option",
    args: ["up", "--forground"],
    says: 'colos up: "--forground" is not an option; did you mean "--foreground"?',
  },
  {
    what: "an unknown option of run",
    args: ["run", "--restat", "permanent", "sh"],
    says: 'colos run: "--restat" is not an option; did you mean "--restart"?',
  },
  {
    what: "run of nothing",
    args: ["run"],
    says: "colos run: the program is missing; write colos run <file or command> [args…]",
  },
  { what: "run of a missing file", args: ["run", "none.ts"], says: 'colos run: "none.ts" does not exist' },
  { what: "run of a missing command", args: ["run", "no-such"], says: 'colos run: "no-such" was not found on PATH' },
  {
    what: "run in a folder that is not there",
    args: ["run", "--cwd", "nowhere", "sh"],
    says: 'colos run: "nowhere" does not exist',
  },
];

const wrongConfigs: readonly Mistake[] = [
  {
    what: "no config",
    args: ["up", "--foreground"],
    says: "colos: there is no colos.config.(ts|js|mjs|json|yaml|yml) in this folder; write one, or name a file; colos init writes one from what is there",
  },
  { what: "a config that is not there", args: up("none.json"), says: "none.json: there is no such file" },
  {
    what: "a wrong key",
    files: { "c.json": '{\n  "services": {\n    "web": { "comand": ["sh"] }\n  }\n}' },
    args: up("c.json"),
    says: 'c.json:3: services.web.comand: is not known; did you mean "command"?',
  },
  {
    what: "a wrong type",
    files: { "c.json": '{\n  "services": {\n    "web": { "command": ["sh"],\n      "instances": "2" }\n  }\n}' },
    args: up("c.json"),
    says: 'c.json:4: services.web.instances: "2" is not a whole number from 1 to 1000',
  },
  {
    what: "both program and command",
    files: { "c.json": '{ "services": { "web": { "program": "a.ts", "command": ["sh"] } } }' },
    args: up("c.json"),
    says: "c.json:1: services.web: has both program and command; write one of them",
  },
  {
    what: "a dependency cycle",
    files: {
      "c.json":
        '{ "services": {\n "a": { "command": ["sh"], "dependsOn": ["b"] },\n "b": { "command": ["sh"], "dependsOn": ["a"] } } }',
    },
    args: up("c.json"),
    says: "c.json:2: services.a.dependsOn: the services wait for each other: a -> b -> a",
  },
  {
    what: "an unknown dependency",
    files: {
      "c.json": '{ "services": { "web": { "command": ["sh"] },\n "a": { "command": ["sh"], "dependsOn": ["wep"] } } }',
    },
    args: up("c.json"),
    says: 'c.json:2: services.a.dependsOn: there is no service "wep"; did you mean "web"?',
  },
  {
    what: "a duplicate name in JSON",
    files: { "c.json": '{ "services": {\n "a": { "command": ["sh"] },\n "a": { "command": ["sh"] } } }' },
    args: up("c.json"),
    says: "c.json:3: services.a: is written twice, first on line 2",
  },
  {
    what: "a syntax error in JSON",
    files: { "c.json": '{ "services": {\n "a": { "command": ["sh"] }' },
    args: up("c.json"),
    says: "c.json:2:28: the file ends where a comma or } belongs",
  },
  {
    what: "a syntax error in YAML",
    files: { "c.yaml": "services:\n  a: {command: [sh}\n" },
    args: up("c.yaml"),
    says: "c.yaml:2:19: Flow sequence in block collection must be sufficiently indented and end with a ]",
  },
  {
    what: "a wrong key in YAML",
    files: { "c.yaml": "services:\n  a:\n    command: [sh]\n    restrat: permanent\n" },
    args: up("c.yaml"),
    says: 'c.yaml:4: services.a.restrat: is not known; did you mean "restart"?',
  },
  {
    what: "a TypeScript config that does not compile",
    files: { "c.ts": "const a = 1;\nexport default {{" },
    args: up("c.ts"),
    says: 'c.ts:2: does not compile: Expected identifier but found "{"',
  },
  {
    what: "a TypeScript config that throws",
    files: { "c.ts": 'const a: string = "boom";\nthrow new Error(a);' },
    args: up("c.ts"),
    says: "c.ts:2: threw when it was loaded: boom",
  },
  {
    what: "a TypeScript config without a default export",
    files: { "c.ts": "export const services = {};" },
    args: up("c.ts"),
    says: "c.ts: has no default export; write export default defineConfig({ services: { … } })",
  },
  {
    what: "a TypeScript config with a wrong type",
    files: {
      "c.ts":
        'import { defineConfig } from "colos";\nexport default defineConfig({ services: { a: { command: "sh" } } });',
    },
    args: up("c.ts"),
    says: 'c.ts: services.a.command: "sh" is not a list of an executable and its arguments; write ["sh"]',
  },
  {
    what: "two services with the same listen",
    files: {
      "c.json":
        '{ "services": { "a": { "command": ["sh"], "listen": 8000 },\n "b": { "command": ["sh"], "listen": 8000 } } }',
    },
    args: up("c.json"),
    says: "c.json:2: services.b.listen: port 8000 already belongs to the service a",
  },
  {
    what: "a command that is not on PATH",
    files: { "c.json": '{ "services": {\n "a": { "command": ["no-such-command"] } } }' },
    args: up("c.json"),
    says: 'c.json:2: services.a.command: "no-such-command" was not found on PATH',
  },
  {
    what: "a file that is not executable",
    files: { "c.json": '{ "services": {\n "a": { "command": ["./a.sh"] } } }', "a.sh": "#!/bin/sh" },
    args: up("c.json"),
    says: 'c.json:2: services.a.command: "./a.sh" is not executable; run chmod +x on it',
  },
  {
    what: "a program that does not exist",
    files: { "c.json": '{ "services": {\n "a": { "program": "./api.ts" } } }' },
    args: up("c.json"),
    says: 'c.json:2: services.a.program: "api.ts" does not exist',
  },
  {
    what: "a working directory that does not exist",
    files: { "c.json": '{ "services": {\n "a": { "command": ["sh"],\n "cwd": "nowhere" } } }' },
    args: up("c.json"),
    says: 'c.json:3: services.a.cwd: "nowhere" does not exist',
  },
];

const failing = { backoff: { initialMs: 1, maxMs: 1 }, maxRestarts: 2 };
const notCompiling = { "bad.ts": 'export const a = 1;\nexport const b = "' };
const throwing = { "bad.ts": 'const a: string = "boom";\nthrow new RangeError(a);' };

const failedStarts: readonly Mistake[] = [
  {
    what: "a service that is never ready",
    files: config({ ok: healthy, bad: { command: ["sleep", "1000"], ready: { log: "up", timeoutMs: 200 } } }),
    args: up("c.json"),
    says: 'colos: bad was not ready in time: no line of the log contained "up" within 200 ms (last: nothing was written)',
  },
  {
    what: "a service that exits before it is ready",
    files: config({ ok: healthy, bad: { command: ["sh", "-c", "exit 9"], ready: { log: "up" } } }),
    args: up("c.json"),
    says: "colos: bad ended before it was ready: exit code 9",
  },
  {
    what: "a service that exits with 0 before it is ready",
    files: config({ ok: healthy, bad: { command: ["true"], ready: { log: "up" } } }),
    args: up("c.json"),
    says: "colos: bad ended before it was ready: exit code 0",
  },
  {
    what: "a service that exits at once, again and again",
    files: config({ ok: healthy, bad: { command: ["sh", "-c", "exit 9"], ...failing } }),
    args: up("c.json"),
    says: "colos: bad failed 3 times within 30 s and is given up: exit code 9",
  },
  {
    what: "a service that ends well again and again, though it is permanent",
    files: config({ ok: healthy, bad: { command: ["true"], ...failing } }),
    args: up("c.json"),
    says: "colos: bad ended 3 times within 30 s and is given up: exit code 0",
  },
  {
    what: "a script whose interpreter is missing",
    files: { ...config({ ok: healthy, bad: { command: ["./bad.sh"] } }), "bad.sh": "#!/no/such/shell\n" },
    args: up("c.json"),
    says: "colos: bad did not start: ./bad.sh names an interpreter that does not exist",
  },
  {
    what: "run of a file that does not compile",
    files: notCompiling,
    args: ["run", "bad.ts"],
    says: "colos: bad did not start: bad.ts:2:19: Unterminated string literal",
  },
  {
    what: "run of a file that throws",
    files: throwing,
    args: ["run", "bad.ts"],
    says: "colos: bad did not start: RangeError: boom (bad.ts:2)",
  },
  ...(["os-process", "thread", "coroutine"] as const).flatMap((carrier): Mistake[] => [
    {
      what: `a program that does not compile (${carrier})`,
      files: { ...config({ ok: healthy, bad: { program: "bad.ts", carrier } }), ...notCompiling },
      args: up("c.json"),
      says: "colos: bad did not start: bad.ts:2:19: Unterminated string literal",
    },
    {
      what: `a program that throws when it is loaded (${carrier})`,
      files: { ...config({ ok: healthy, bad: { program: "bad.ts", carrier } }), ...throwing },
      args: up("c.json"),
      says: "colos: bad did not start: RangeError: boom (bad.ts:2)",
    },
  ]),
  {
    what: "a program that exits before it is ready",
    files: { ...config({ ok: healthy, bad: { program: "bad.ts", ready: { log: "up" } } }), "bad.ts": "void 0;" },
    args: up("c.json"),
    says: "colos: bad ended before it was ready: exit code 0",
  },
  {
    what: "a program that is never ready",
    files: {
      ...config({ ok: healthy, bad: { program: "bad.ts", ready: { log: "up", timeoutMs: 500 } } }),
      "bad.ts": "setInterval(() => {}, 1000);",
    },
    args: up("c.json"),
    says: 'colos: bad was not ready in time: no line of the log contained "up" within 500 ms (last: nothing was written)',
  },
];

async function meets(place: Place, { files = {}, args, says }: Mistake, code: number): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    place.write(name, content, name === "bad.sh" ? 0o755 : undefined);
  }

  const colos = place.colos(args);

  expect(await colos.ended).toEqual({ code, signal: null });
  expect(colos.stderr).toBe(`${says}\n`);
  return colos.stdout;
}

describe("wrong words", () => {
  for (const mistake of wrongWords) {
    test(`${mistake.what} is refused with exit code 2`, async ({ place }) => {
      expect(await meets(place, mistake, 2)).toBe("");
    });
  }

  test("nothing typed shows the help on stderr, with exit code 2", async ({ place }) => {
    const colos = place.colos([]);

    expect(await colos.ended).toEqual({ code: 2, signal: null });
    expect(colos.stdout).toBe("");
    expect(colos.stderr).toMatch(/^colos: a program, process and service manager\n/);
  });
});

describe("a wrong config", () => {
  for (const mistake of wrongConfigs) {
    test(`${mistake.what} is refused with exit code 2, and nothing starts`, async ({ place }) => {
      expect(await meets(place, mistake, 2)).toBe("");
    });
  }

  test("several mistakes are named together", async ({ place }) => {
    place.write("c.json", '{ "services": {\n "a": { "command": ["no-such"] },\n "b": { "program": "b.ts" } } }');

    const colos = place.colos(up("c.json"));

    expect(await colos.ended).toEqual({ code: 2, signal: null });
    expect(colos.stderr.split("\n")).toEqual([
      'c.json:2: services.a.command: "no-such" was not found on PATH',
      'c.json:3: services.b.program: "b.ts" does not exist',
      "",
    ]);
  });
});

needsLinux().describe("a start that fails", () => {
  for (const mistake of failedStarts) {
    test(`${mistake.what} ends the system with exit code 1`, async ({ place }) => {
      const said = await meets(place, mistake, 1);

      const ends = mistake.args[0] === "run" ? /^$/ : /^bad +. failed: .*\n(?:.*\n)*colos = ended\n$/m;
      expect(said).toMatch(ends);
    });
  }

  test("what a service wrote last stands before the sentence", async ({ place }) => {
    place.write("c.json", {
      services: { bad: { command: ["sh", "-c", "echo why >&2; exit 9"], ready: { log: "up" } } },
    });

    const colos = place.colos(up("c.json"));

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr).toBe(
      "colos: the last lines of bad:\n  | why\ncolos: bad ended before it was ready: exit code 9\n",
    );
  });

  for (const key of ["ready", "listen"] as const) {
    test(`a port in use, needed by ${key}, names who holds it`, async ({ place }) => {
      const port = await place.port();
      const holder = createServer();
      await new Promise<void>((resolve) => void holder.listen(port, "127.0.0.1", resolve));
      onTestFinished(() => void holder.close());
      const claim = key === "ready" ? { ready: { port } } : { listen: port };
      place.write("c.json", { services: { ok: healthy, bad: { command: ["sleep", "1000"], ...claim } } });

      const colos = place.colos(up("c.json"));

      expect(await colos.ended).toEqual({ code: 1, signal: null });
      const host = key === "ready" ? "127.0.0.1" : "0.0.0.0";
      expect(colos.stderr).toContain(`colos: bad did not start: port ${port} on ${host} is already in use by `);
      expect(colos.stderr).toMatch(new RegExp(`^.* \\(pid ${process.pid}\\)\n$`));
      expect(colos.stdout).toMatch(/^bad +. failed: port/m);
    });
  }
});
