import { describe, expect, test } from "vitest";
import type { SystemPlan } from "./config.ts";
import { serviceNameMax, servicesMax } from "./config-limit.ts";
import { parseConfig } from "./config-parser.ts";
import { findLogExpression } from "./service-rules.ts";

const options = {
  source: "colos.config.yaml",
  directory: "/shop",
  resolve: (directory: string, path: string) => (path.startsWith("/") ? path : `${directory}/${path}`),
};
const parse = (value: unknown) => parseConfig(value, options);

/** The messages for a config, without the file's name. */
function problemsOf(value: unknown): string[] {
  const result = parse(value);
  if ("plan" in result) return [];
  return result.problems.map(({ message }) => message.replace("colos.config.yaml: ", ""));
}

/** The messages for one service named web, without the service's name. */
function problemsOfService(service: unknown): string[] {
  return problemsOf({ services: { web: service } }).map((message) => message.replace(/^services\.web[.:] ?/, ""));
}

function planOf(value: unknown): SystemPlan {
  const result = parse(value);
  if ("problems" in result) throw new Error(result.problems.map(({ message }) => message).join("\n"));
  return result.plan;
}

describe("config: defaults", () => {
  test("a program gets every default, absolute paths and the carrier os-process", () => {
    expect(planOf({ services: { web: { program: "src/web.ts" } } }).services).toEqual([
      {
        name: "web",
        run: { kind: "program", file: "/shop/src/web.ts", args: [] },
        carrier: "os-process",
        instances: 1,
        autostart: true,
        env: {},
        envFiles: [],
        secrets: {},
        cwd: "/shop/.",
        stdin: "pipe",
        restart: "permanent",
        successCodes: [0],
        stopSignal: "SIGTERM",
        shutdown: 5000,
        maxRestarts: 5,
        periodMs: 30_000,
        backoff: { initialMs: 100, maxMs: 15_000, factor: 2, jitter: 0.2, resetAfterMs: 30_000 },
        exhausted: { policy: "degraded", retryEveryMs: 60_000 },
        ready: { kind: "none" },
        dependsOn: [],
        drainMs: 30_000,
        limits: {},
        logs: { sizeBytes: 10_485_760, ageMs: 604_800_000, budgetBytes: 104_857_600 },
      },
    ]);
  });

  test("a command keeps its words and gets the carrier command", () => {
    const [service] = planOf({ services: { web: { command: ["./serve", "a b"] } } }).services;

    expect(service).toMatchObject({ run: { kind: "command", command: ["./serve", "a b"] }, carrier: "command" });
  });

  test("a key whose value is undefined counts as absent", () => {
    const [service] = planOf({ services: { web: { command: ["true"], restart: undefined } } }).services;

    expect(service!.restart).toBe("permanent");
  });

  test("what is written is kept", () => {
    const written = {
      program: "/x/web.mjs",
      args: ["--verbose"],
      carrier: "os-process",
      instances: 1000,
      listen: 65_535,
      listenHost: "::1",
      env: { PORT: "1", HOME: null },
      cwd: "/data",
      restart: "transient",
      shutdown: "infinity",
      maxRestarts: 0,
      periodMs: 1,
      backoff: { initialMs: 0, maxMs: 0, factor: 1, jitter: 1, resetAfterMs: 0 },
    };

    const [service] = planOf({ services: { web: written } }).services;

    const { program, args, listen, ...rest } = written;
    expect(service).toMatchObject({ ...rest, run: { file: program, args }, listenPort: listen });
  });

  test.each([
    [{ port: 80 }, { kind: "port", port: 80, host: "127.0.0.1", timeoutMs: 30_000 }],
    [
      { port: 80, host: "::1", timeoutMs: 5 },
      { kind: "port", port: 80, host: "::1", timeoutMs: 5 },
    ],
    [{ http: "http://localhost/health" }, { kind: "http", url: "http://localhost/health", timeoutMs: 30_000 }],
    [{ log: "listening" }, { kind: "log", pattern: "listening", timeoutMs: 30_000 }],
    [{ exec: ["pg_isready"] }, { kind: "exec", command: ["pg_isready"], timeoutMs: 30_000 }],
  ])("the readiness check %j is decided", (ready, plan) => {
    expect(planOf({ services: { web: { command: ["true"], ready } } }).services[0]!.ready).toEqual(plan);
  });

  test("a long first delay raises the largest delay", () => {
    const [service] = planOf({ services: { web: { command: ["true"], backoff: { initialMs: 20_000 } } } }).services;

    expect(service!.backoff.maxMs).toBe(20_000);
  });

  test("a small largest delay lowers the first delay", () => {
    const [service] = planOf({ services: { web: { command: ["true"], backoff: { maxMs: 10 } } } }).services;

    expect(service!.backoff).toMatchObject({ initialMs: 10, maxMs: 10 });
  });
});

describe("config: one service", () => {
  test.each<[unknown, string]>([
    ["npm start", '"npm start" is not an object such as { command: ["nginx", "-g", "daemon off;"] }'],
    [[], 'an empty list is not an object such as { command: ["nginx", "-g", "daemon off;"] }'],
    [null, 'null is not an object such as { command: ["nginx", "-g", "daemon off;"] }'],
    [{}, "has neither program nor command; write one of them"],
    [{ program: "a.ts", command: ["a"] }, "has both program and command; write one of them"],
    [{ command: ["a"], restrat: "permanent" }, 'restrat: is not known; did you mean "restart"?'],
    [{ command: ["a"], groups: ["b"] }, 'groups: is not known; did you mean "tags"?'],
    [{ command: ["a"], namespace: "b" }, 'namespace: is not known; did you mean "tags"?'],
    [{ command: ["a"], labels: ["b"] }, 'labels: is not known; did you mean "tags"?'],
    [{ command: ["a"], gruop: "b" }, 'gruop: is not known; did you mean "group"?'],
    [{ command: ["a"], restart: "allways" }, 'restart: "allways" is not one of permanent, transient, temporary'],
    [
      { command: ["a"], restart: "permenent" },
      'restart: "permenent" is not one of permanent, transient, temporary; did you mean "permanent"?',
    ],
    [
      { command: "npm start" },
      'command: "npm start" is not a list of an executable and its arguments; write ["npm", "start"]',
    ],
    [{ command: [] }, "command: an empty list is not a list of an executable and its arguments"],
    [{ command: [""] }, "command: a list is not a list that starts with an executable"],
    [{ command: ["sleep", 5] }, 'command[1]: 5 is not text; write "5" in quotes'],
    [
      { command: ["a\0b"] },
      'command[0]: "a\\u0000b" is not text that can be an argument (it contains a NUL character)',
    ],
    [{ program: "a.py" }, 'program: "a.py" is not a TypeScript or JavaScript file; for an executable write command'],
    [{ program: "" }, 'program: "" is not the path of a file'],
    [{ command: ["a"], args: ["b"] }, "args: belongs to program; put the arguments into command"],
    [{ command: ["a"], carrier: "thread" }, "carrier: a command cannot run as thread; its only carrier is command"],
    [
      { program: "a.ts", carrier: "command" },
      "carrier: a program cannot run as command; its carriers are coroutine, thread and os-process",
    ],
    [{ program: "a.ts", carrier: "proces" }, 'carrier: "proces" is not one of coroutine, thread, os-process, command'],
    [
      { program: "a.ts", carrier: "thread", listen: 80 },
      "listen: a thread cannot take over a port; carriers that can are os-process and command",
    ],
    [{ command: ["a"], instances: 0 }, "instances: 0 is not a whole number from 1 to 1000"],
    [{ command: ["a"], instances: 1001 }, "instances: 1001 is not a whole number from 1 to 1000"],
    [{ command: ["a"], instances: 1.5 }, "instances: 1.5 is not a whole number from 1 to 1000"],
    [{ command: ["a"], instances: "2" }, 'instances: "2" is not a whole number from 1 to 1000'],
    [{ command: ["a"], listen: 80, listenHost: "here" }, 'listenHost: "here" is not an IP address'],
    [{ command: ["a"], listenHost: "::1" }, "listenHost: an address to listen on needs a port; add listen"],
    [{ command: ["a"], listen: 65_536 }, "listen: 65536 is not a whole number from 1 to 65535"],
    [{ command: ["a"], env: { PORT: 80 } }, 'env.PORT: 80 is not text or null; write "80" in quotes'],
    [{ command: ["a"], env: { PORT: undefined } }, "env.PORT: undefined is not text or null"],
    [
      { command: ["a"], env: { "A=B": "c" } },
      'env["A=B"]: "c" is not the value of a variable: its name is empty or contains = or NUL',
    ],
    [
      { command: ["a"], secrets: { "a.b": { file: "/c" } } },
      'secrets["a.b"]: an object is not a secret: its name has more than letters, digits and _, so its value would be seen ' +
        "on a command line; use a file",
    ],
    [{ command: ["a"], env: ["A=B"] }, "env: a list is not an object of variable names and texts"],
    [
      { command: ["a"], shutdown: "5 sec" },
      'shutdown: "5 sec" is not brutal, infinity or a whole number of milliseconds from 1 to 2147483647, ' +
        'or a text such as "30 s"',
    ],
    [{ command: ["a"], periodMs: 0 }, "periodMs: 0 is not a whole number of milliseconds from 1 to 2147483647"],
    [{ command: ["a"], maxRestarts: -1 }, "maxRestarts: -1 is not a whole number from 0 to 10000"],
    [{ command: ["a"], backoff: { jitter: 2 } }, "backoff.jitter: 2 is not a number from 0 to 1"],
    [{ command: ["a"], backoff: { maxMS: 2 } }, 'backoff.maxMS: is not known; did you mean "maxMs"?'],
    [{ command: ["a"], backoff: { initialMs: 9, maxMs: 8 } }, "backoff.maxMs: 8 is less than initialMs, which is 9"],
    [{ command: ["a"], ready: "log" }, 'ready: "log" is not an object such as { port: 8080 }'],
    [{ command: ["a"], ready: {} }, "ready: has no check; write one of port, http, log, exec, fd, notify and call"],
    [
      { command: ["a"], ready: { port: 1, log: "up" } },
      "ready: has port and log; write one of port, http, log, exec, fd, notify and call",
    ],
    [{ command: ["a"], ready: { log: "up", host: "x" } }, "ready.host: belongs to port only"],
    [
      { command: ["a"], ready: { http: "localhost:80" } },
      'ready.http: "localhost:80" is not a URL that starts with http:// or https:// and a host',
    ],
    [
      { command: ["a"], ready: { log: "/(/i" } },
      'ready.log: "/(/i" is not an expression: Invalid regular expression: /(/i: Unterminated group',
    ],
    [
      { command: ["a"], dependsOn: "db" },
      'dependsOn: "db" is not a list of names of services, or an object such as { db: { condition: "ready" } }',
    ],
    [{ command: ["a"], dependsOn: ["web"] }, "dependsOn: a service cannot depend on itself"],
  ])("%j", (service, problem) => {
    expect(problemsOfService(service)).toEqual([problem]);
  });

  test("a key near to none is answered with all that are known", () => {
    expect(problemsOfService({ command: ["a"], colour: 1 })).toEqual([
      "colour: is not known; known are program, command, args, carrier, description, tags, instances, autostart, listen, " +
        "listenHost, env, envFiles, secrets, cwd, stdin, restart, successCodes, stopSignal, shutdown, maxRestarts, " +
        "periodMs, backoff, exhausted, onCrash, ready, live, dependsOn, schedule, watch, standby, drainMs, user, group, nice, limits, logs",
    ]);
  });

  test("a long value is shortened", () => {
    expect(problemsOfService({ command: ["a"], restart: "x".repeat(1000) })[0]).toContain(`"${"x".repeat(60)}…"`);
  });

  test("every problem is reported", () => {
    expect(problemsOfService({ command: ["a"], restart: 1, instances: 0, ready: { port: 0, prt: 1 } })).toHaveLength(4);
  });
});

describe("config: the whole system", () => {
  test.each<[unknown, string]>([
    [undefined, "the config is undefined, not an object such as { services: { … } }"],
    [[], "the config is an empty list, not an object such as { services: { … } }"],
    [{}, "the config has no services; write services: { … }"],
    [{ services: [] }, "services: an empty list is not an object of named services"],
    [{ services: {} }, "services: has no service; write at least one"],
    [{ services: { a: { command: ["a"] } }, service: 1 }, 'service: is not known; did you mean "services"?'],
    [
      { services: { all: { command: ["a"] } } },
      "services.all: all means every service wherever a name is taken; give it another name",
    ],
    [{ services: { "": { command: ["a"] } } }, "services: a service has an empty name"],
    [
      { services: { "a.b": { command: ["a"] } } },
      'services["a.b"]: "a.b" is not a name; names consist of A-Z, a-z, 0-9, _ and -',
    ],
    [
      { services: { web: { command: ["a"], dependsOn: ["bd"] }, db: { command: ["a"] } } },
      'services.web.dependsOn: there is no service "bd"; did you mean "db"?',
    ],
    [
      { services: { a: { command: ["a"], listen: 80 }, b: { command: ["a"], listen: 80 } } },
      "services.b.listen: port 80 already belongs to the service a",
    ],
    [
      { services: { a: { command: ["a"], dependsOn: ["b"] }, b: { command: ["a"], dependsOn: ["a"] } } },
      "services.a.dependsOn: the services wait for each other: a -> b -> a",
    ],
  ])("%j", (value, problem) => {
    expect(problemsOf(value)).toEqual([problem]);
  });

  test("a name may be as long as the limit and no longer", () => {
    const named = (length: number) => ({ services: { ["n".repeat(length)]: { command: ["a"] } } });

    expect(problemsOf(named(serviceNameMax))).toEqual([]);
    expect(problemsOf(named(serviceNameMax + 1))[0]).toContain("the name has 65 characters; 64 are allowed");
  });

  test("more services than the limit are refused", () => {
    const services = Object.fromEntries(
      Array.from({ length: servicesMax + 1 }, (_, at) => [`s${at}`, { command: ["a"] }]),
    );

    expect(problemsOf({ services })).toEqual(["services: has 1001 services; 1000 are allowed"]);
  });

  test("names that objects inherit are ordinary names", () => {
    const value: unknown = JSON.parse('{"services":{"__proto__":{"command":["a"]},"constructor":{"command":["a"]}}}');

    expect(planOf(value).services.map(({ name }) => name)).toEqual(["__proto__", "constructor"]);
  });

  test("variables that objects inherit are kept", () => {
    const value: unknown = JSON.parse('{"services":{"a":{"command":["a"],"env":{"constructor":"x"}}}}');

    expect(Object.entries(planOf(value).services[0]!.env)).toEqual([["constructor", "x"]]);
  });

  test("a dependency on a service that has problems is not another problem", () => {
    const services = { web: { command: ["a"], dependsOn: ["db"] }, db: { comand: ["a"], command: ["b"] } };

    expect(problemsOf({ services })).toEqual(['services.db.comand: is not known; did you mean "command"?']);
  });

  test("services come out in dependency order, otherwise as written", () => {
    const services = {
      web: { command: ["a"], dependsOn: ["api", "api"] },
      mail: { command: ["a"] },
      api: { command: ["a"], dependsOn: ["db"] },
      db: { command: ["a"] },
    };

    const plan = planOf({ services });

    expect(plan.services.map(({ name }) => name)).toEqual(["db", "api", "web", "mail"]);
    expect(plan.services[2]!.dependsOn).toEqual([{ name: "api", condition: "ready", onEnd: "ignore" }]);
  });
});

describe("config: positions", () => {
  const locate = (path: readonly (string | number)[]) => {
    const lines: Record<string, number> = {
      "": 1,
      services: 2,
      "services.b": 9,
      "services.a": 3,
      "services.a.restart": 5,
    };
    const line = lines[path.join(".")];
    return line === undefined ? undefined : { line, column: 1 };
  };

  test("a message names file and line, and problems come in the order of the lines", () => {
    const services = { b: {}, a: { command: ["a"], restart: "allways" } };

    const result = parseConfig({ services }, { ...options, locate });

    expect("problems" in result && result.problems.map(({ message }) => message)).toEqual([
      'colos.config.yaml:5: services.a.restart: "allways" is not one of permanent, transient, temporary',
      "colos.config.yaml:9: services.b: has neither program nor command; write one of them",
    ]);
  });

  test("a key without a position takes the nearest outer one", () => {
    const result = parseConfig({ services: { a: { command: ["a"], env: { B: 1 } } } }, { ...options, locate });

    expect("problems" in result && result.problems[0]!.position).toEqual({ line: 3, column: 1 });
  });
});

describe("config: ready.log", () => {
  test.each([
    ["/listening on \\d+/i", /listening on \d+/i],
    ["/a/b/", /a\/b/],
  ])("%s is an expression", (pattern, expression) => {
    expect(findLogExpression(pattern)).toEqual(expression);
  });

  test.each(["listening", "/var/run/ready", "//", "/a/g"])("%s is plain text", (pattern) => {
    expect(findLogExpression(pattern)).toBeUndefined();
  });
});
