import { readFileSync } from "node:fs";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { ServicePlan } from "./config.ts";
import {
  descriptionMax,
  envFilesMax,
  limitBounds,
  logBytes,
  readyLineCharsMax,
  scheduleEveryMsMin,
  tagsMax,
  userIdMax,
} from "./config-limit.ts";
import { parseConfig } from "./config-parser.ts";
import { systemPlanSchema } from "./plan-schema.ts";
import { durationMsMax } from "./value-schema.ts";

const options = {
  source: "colos.config.yaml",
  directory: "/shop",
  resolve: (directory: string, path: string) => (path.startsWith("/") ? path : `${directory}/${path}`),
};

function problemsOf(services: Record<string, unknown>): string[] {
  const result = parseConfig({ services }, options);
  if ("plan" in result) return [];
  return result.problems.map(({ message }) => message.replace("colos.config.yaml: services.", ""));
}

/** The messages for one command named web, without its name. */
function problemsOfWeb(fields: Record<string, unknown>): string[] {
  return problemsOf({ web: { command: ["web"], ...fields } }).map((message) => message.replace(/^web[.:] ?/, ""));
}

/** The plan of one command named web with more fields; it passes the schema of plans too. */
function webPlan(fields: Record<string, unknown>): ServicePlan {
  const result = parseConfig({ services: { web: { command: ["web"], ...fields } } }, options);
  if ("problems" in result) throw new Error(result.problems.map(({ message }) => message).join("\n"));
  return v.parse(systemPlanSchema, result.plan).services[0]!;
}

describe("config: what is decided of a field", () => {
  test.each<[Record<string, unknown>, Partial<ServicePlan>]>([
    [{ description: "The shop" }, { description: "The shop" }],
    [{ tags: "backend" }, { tags: ["backend"] }],
    [{ tags: ["backend", "eu-1", "backend"] }, { tags: ["backend", "eu-1"] }],
    [{ tags: [] }, {}],
    [{ autostart: false }, { autostart: false }],
    [{ envFiles: [".env", "/etc/web.env"] }, { envFiles: ["/shop/.env", "/etc/web.env"] }],
    [
      { secrets: { A: { file: "a" }, B: { env: "B0", file: undefined }, C: { exec: ["pass", "c"] } } },
      { secrets: { A: { file: "/shop/a" }, B: { env: "B0" }, C: { exec: ["pass", "c"] } } },
    ],
    [{ stdin: "null" }, { stdin: "null" }],
    [{ successCodes: [0, 143, 0] }, { successCodes: [0, 143] }],
    [{ stopSignal: "SIGQUIT" }, { stopSignal: "SIGQUIT" }],
    [{ shutdown: "10 s" }, { shutdown: 10_000 }],
    [
      { periodMs: "1 min", drainMs: "1.5s" },
      { periodMs: 60_000, drainMs: 1500 },
    ],
    [{ standby: true }, { standby: true }],
    [{ onCrash: ["./tell-me"] }, { onCrash: ["./tell-me"] }],
    [{ exhausted: { policy: "failed" } }, { exhausted: { policy: "failed", retryEveryMs: 60_000 } }],
    [
      { exhausted: { retryEveryMs: "5 min", hook: ["./alarm"] } },
      { exhausted: { policy: "degraded", retryEveryMs: 300_000, hook: ["./alarm"] } },
    ],
    [{ ready: { fd: 4 } }, { ready: { kind: "fd", fd: 4, timeoutMs: 30_000 } }],
    [{ ready: { notify: true, timeoutMs: "1 min" } }, { ready: { kind: "notify", timeoutMs: 60_000 } }],
    [
      { ready: { port: 80 }, live: { http: "http://[::1]/" } },
      {
        live: {
          probe: { kind: "http", url: "http://[::1]/", timeoutMs: 5000 },
          everyMs: 10_000,
          failuresMax: 3,
        },
      },
    ],
    [
      { schedule: { cron: " 0 4 * * * ", timeZone: "Europe/Berlin" } },
      {
        restart: "temporary",
        schedule: {
          when: { kind: "cron", expression: "0 4 * * *" },
          timeZone: "Europe/Berlin",
          overlap: "skip",
          missed: "skip",
        },
      },
    ],
    [
      { schedule: { everyMs: "1 h", overlap: "replace", missed: "once" }, restart: "transient" },
      {
        restart: "transient",
        schedule: { when: { kind: "every", everyMs: 3_600_000 }, overlap: "replace", missed: "once" },
      },
    ],
    [
      { watch: { paths: ["src"], delayMs: "1 s", ignore: ["*.tmp"] } },
      { watch: { paths: ["/shop/src"], delayMs: 1000, ignore: ["*.tmp"] } },
    ],
    [{ watch: { paths: ["src"] } }, { watch: { paths: ["/shop/src"], delayMs: 200, ignore: [] } }],
    [
      { user: "www-data", group: 33, nice: -20 },
      { user: "www-data", group: 33, nice: -20 },
    ],
    [
      { limits: { memoryBytes: "512 MiB", cpuPercent: 150.5, fdsMax: 8, pidsMax: undefined } },
      { limits: { memoryBytes: 536_870_912, cpuPercent: 150.5, fdsMax: 8 } },
    ],
    [
      { logs: { budgetBytes: "1 MB", ageMs: "1 day", forward: "journald" } },
      { logs: { sizeBytes: 1_000_000, ageMs: 86_400_000, budgetBytes: 1_000_000, forward: "journald" } },
    ],
    [
      { logs: { sizeBytes: "1 GiB" } },
      { logs: { sizeBytes: 1_073_741_824, ageMs: 604_800_000, budgetBytes: 1_073_741_824 } },
    ],
  ])("%j", (fields, plan) => {
    expect(webPlan(fields)).toMatchObject(plan);
  });

  test("a program may announce itself by a call", () => {
    const api = { program: "api.ts", carrier: "thread", ready: { call: "ping" } };

    const result = parseConfig({ services: { api } }, options);

    expect("plan" in result && result.plan.services[0]!.ready).toEqual({
      kind: "call",
      request: "ping",
      timeoutMs: 30_000,
    });
  });

  test("dependencies may be written with conditions", () => {
    const result = parseConfig(
      {
        services: {
          web: { command: ["web"], dependsOn: { migrate: { condition: "exitedOk" }, db: { onEnd: "restart" } } },
          migrate: { command: ["migrate"], restart: "transient" },
          db: { command: ["db"] },
        },
      },
      options,
    );

    expect("plan" in result && result.plan.services.at(-1)!.dependsOn).toEqual([
      { name: "migrate", condition: "exitedOk", onEnd: "ignore" },
      { name: "db", condition: "ready", onEnd: "restart" },
    ]);
  });
});

describe("config: a wrong field", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ description: "a\nb" }, 'description: "a\\nb" is not a sentence on one line'],
    [{ autostart: "no" }, 'autostart: "no" is not true or false; write false without quotes'],
    [{ autostart: "maybe" }, 'autostart: "maybe" is not true or false'],
    [{ envFiles: ".env" }, 'envFiles: ".env" is not a list of paths of files'],
    [{ envFiles: [7] }, "envFiles[0]: 7 is not the path of a file"],
    [
      { secrets: { KEY: "hunter2" } },
      'secrets.KEY: is not an object such as { file: "secrets/password" }; the value itself does not stand in a config',
    ],
    [{ secrets: { KEY: {} } }, "secrets.KEY: is not one of file, env and exec"],
    [{ secrets: { KEY: { file: "a", env: "b" } } }, "secrets.KEY: is not one of file, env and exec"],
    [{ secrets: { KEY: { fil: "a" } } }, 'secrets.KEY.fil: is not known; did you mean "file"?'],
    [
      { secrets: { "A=B": { file: "a" } } },
      'secrets["A=B"]: an object is not the value of a variable: its name is empty or contains = or NUL',
    ],
    [{ secrets: { A: { file: "a" } }, env: { A: null } }, "secrets.A: stands in env too; write it in one of them"],
    [{ stdin: "none" }, 'stdin: "none" is not one of pipe, null'],
    [{ stdin: null }, "stdin: null is not one of pipe, null"],
    [{ successCodes: [] }, "successCodes: an empty list is not a list of exit codes such as [0]"],
    [{ successCodes: [256] }, "successCodes[0]: 256 is not a whole number from 0 to 255"],
    [
      { stopSignal: "SIGTREM" },
      'stopSignal: "SIGTREM" is not the name of an OS signal that a program can catch, such as SIGTERM; did you mean "SIGTERM"?',
    ],
    [
      { stopSignal: "SIGKILL" },
      'stopSignal: "SIGKILL" is not the name of an OS signal that a program can catch, such as SIGTERM; ' +
        'to end it at once write shutdown: "brutal"',
    ],
    [{ stopSignal: 15 }, "stopSignal: 15 is not the name of an OS signal that a program can catch, such as SIGTERM"],
    [
      { periodMs: "soon" },
      'periodMs: "soon" is not a whole number of milliseconds from 1 to 2147483647, or a text such as "30 s" or "7 days"',
    ],
    [{ periodMs: "25 days" }, 'periodMs: "25 days" is not from 1 to 2147483647 ms; it is 2160000000 ms'],
    [
      { exhausted: { policy: "faild" } },
      'exhausted.policy: "faild" is not one of degraded, failed; did you mean "failed"?',
    ],
    [
      { exhausted: { policy: "failed", retryEveryMs: 1 } },
      "exhausted.retryEveryMs: belongs to the policy degraded; failed tries no more",
    ],
    [
      { onCrash: "mail me" },
      'onCrash: "mail me" is not a list of an executable and its arguments; write ["mail", "me"]',
    ],
    [
      { exhausted: { hook: "mail me" } },
      'exhausted.hook: "mail me" is not a list of an executable and its arguments; write ["mail", "me"]',
    ],
    [{ ready: { fd: 2 } }, "ready.fd: 2 is not a whole number from 3 to 9"],
    [
      { ready: { fd: 3 }, listen: 80 },
      "ready.fd: file descriptor 3 is the port that listen hands over; write one from 4 to 9",
    ],
    [{ ready: { notify: false } }, "ready.notify: false is not true"],
    [
      { ready: { call: "ping" } },
      "ready.call: a command answers no calls; write one of port, http, log, exec, fd and notify",
    ],
    [
      { live: { port: 80 } },
      "live: would look at a service that may still be starting, since it counts as ready at once; add ready",
    ],
    [{ ready: { port: 80 }, live: {} }, "live: has no check; write one of port, http and exec"],
    [
      { ready: { port: 80 }, live: { log: "up" } },
      "live.log: is not known; known are port, host, http, exec, timeoutMs, everyMs, failuresMax",
    ],
    [{ schedule: "0 4 * * *" }, 'schedule: "0 4 * * *" is not an object such as { cron: "0 4 * * *" }'],
    [{ schedule: {} }, "schedule: has no times; write one of cron and everyMs"],
    [{ schedule: { cron: "@daily", everyMs: 5000 } }, "schedule: has cron and everyMs; write one of cron and everyMs"],
    [{ schedule: { everyMs: 5000, timeZone: "UTC" } }, "schedule.timeZone: belongs to cron only"],
    [
      { schedule: { cron: "@daily", timeZone: "Mars/Base" } },
      'schedule.timeZone: "Mars/Base" is not a time zone such as Europe/Berlin or UTC',
    ],
    [
      { schedule: { cron: "0 25 * * *" } },
      'schedule.cron: hour "25" is not *, a number from 0 to 23, a range or a step of these',
    ],
    [
      { schedule: { cron: "@daily" }, restart: "permanent" },
      "restart: a job with a schedule rests when it has ended; write temporary, or transient to repeat failures",
    ],
    [
      { schedule: { cron: "@daily" }, instances: 2 },
      "instances: a job with a schedule has one instance; for more write more jobs",
    ],
    [{ standby: 1 }, "standby: 1 is not true or false; write true"],
    [{ standby: 2 }, "standby: 2 is not true or false"],
    [{ standby: "yes" }, 'standby: "yes" is not true or false; write true without quotes'],
    [{ standby: " Off " }, 'standby: " Off " is not true or false; write false without quotes'],
    [{ standby: null }, "standby: null is not true or false"],
    [{ standby: { instances: 1 } }, "standby: an object is not true or false"],
    [{ tags: 1 }, "tags: 1 is not a tag such as backend, or a list of at most 32"],
    [{ tags: ["a b"] }, 'tags[0]: "a b" is not a tag such as backend: at most 64 letters, digits, - and _'],
    [{ tags: "@backend" }, 'tags: "@backend" is not a tag; write "backend", the @ is for verbs'],
    [
      { standby: true, schedule: { everyMs: 5000 } },
      "standby: a job rests between its times, so nothing waits to take over; leave one of them out",
    ],
    [
      { standby: true, restart: "temporary" },
      "standby: a temporary service is never started again; write permanent or transient, or leave it out",
    ],
    [{ watch: {} }, "watch.paths: is missing"],
    [{ watch: { paths: [] } }, "watch.paths: an empty list is not a list of paths of files and folders"],
    [{ user: "" }, 'user: "" is not the name or the number of a user'],
    [{ user: "a b" }, 'user: "a b" is not the name or the number of a user'],
    [{ group: -1 }, "group: -1 is not the name or the number of a group"],
    [{ nice: 20 }, "nice: 20 is not a whole number from -20 to 19"],
    [
      { limits: { memoryBytes: "512 mb" } },
      'limits.memoryBytes: "512 mb" is not a whole number of bytes from 1048576 to 9007199254740991, ' +
        'or a text such as "512 MiB" or "1 GB"',
    ],
    [{ limits: { memory: 1 } }, "limits.memory: is not known; known are memoryBytes, cpuPercent, fdsMax, pidsMax"],
    [
      { logs: { sizeBytes: "2 MiB", budgetBytes: "1 MiB" } },
      "logs.budgetBytes: 1048576 is less than sizeBytes, which is 2097152",
    ],
    [{ logs: { forward: "syslog" } }, 'logs.forward: "syslog" is not one of stdout, journald'],
    [
      { dependsOn: { db: { condition: "redy" } } },
      'dependsOn.db.condition: "redy" is not one of started, ready, healthy, exitedOk; did you mean "ready"?',
    ],
    [{ dependsOn: { db: "ready" } }, 'dependsOn.db: "ready" is not an object such as { condition: "ready" }'],
  ])("%j", (fields, problem) => {
    expect(problemsOfWeb(fields)).toEqual([problem]);
  });

  test.each(["user", "group", "nice", "limits", "stdin", "stopSignal", "standby"])("a thread takes no %s", (key) => {
    const values: Record<string, unknown> = {
      user: 1,
      group: 1,
      nice: 1,
      limits: {},
      stdin: "null",
      stopSignal: "SIGINT",
      standby: true,
    };
    const web = { program: "web.ts", carrier: "thread", [key]: values[key] };

    expect(problemsOf({ web })).toEqual([
      `web.${key}: a thread has no OS process of its own to do this with; carriers that have are os-process and command`,
    ]);
  });

  test.each([{ fd: 4 }, { notify: true }])("a coroutine cannot announce itself by %j", (ready) => {
    const web = { program: "web.ts", carrier: "coroutine", ready };

    expect(problemsOf({ web })[0]).toContain("a coroutine has no OS process of its own");
  });
});

describe("config: conditions that never hold", () => {
  const needs = (condition: string, db: Record<string, unknown>): string[] =>
    problemsOf({ web: { command: ["web"], dependsOn: { db: { condition } } }, db: { command: ["db"], ...db } });

  test("exitedOk of a permanent service is refused", () => {
    expect(needs("exitedOk", {})).toEqual([
      "web.dependsOn.db: db is started again whenever it ends, so exitedOk never holds; give db restart transient or temporary",
    ]);
    expect(needs("exitedOk", { restart: "temporary" })).toEqual([]);
  });

  test("healthy without a liveness check is refused", () => {
    expect(needs("healthy", {})).toEqual([
      "web.dependsOn.db: db has no liveness check to be healthy by; add live to db, or write condition ready",
    ]);
    expect(needs("healthy", { ready: { port: 1 }, live: { port: 1 } })).toEqual([]);
  });

  test("a job can only be waited for until it has ended", () => {
    const job = { schedule: { cron: "@daily" } };

    expect(needs("ready", job)).toEqual([
      "web.dependsOn.db: db is a job and at rest between its times, so it is not ready for long; write condition exitedOk",
    ]);
    expect(needs("exitedOk", job)).toEqual([]);
  });
});

describe("config: limits of fields", () => {
  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ["description", { description: "d".repeat(descriptionMax) }, { description: "d".repeat(descriptionMax + 1) }],
    ["envFiles", { envFiles: Array(envFilesMax).fill("a") }, { envFiles: Array(envFilesMax + 1).fill("a") }],
    ["user", { user: userIdMax }, { user: userIdMax + 1 }],
    ["everyMs", { schedule: { everyMs: scheduleEveryMsMin } }, { schedule: { everyMs: scheduleEveryMsMin - 1 } }],
    [
      "ready.log",
      { ready: { log: "x".repeat(readyLineCharsMax) } },
      { ready: { log: "x".repeat(readyLineCharsMax + 1) } },
    ],
    ["tags", { tags: Array(tagsMax).fill("a") }, { tags: Array(tagsMax + 1).fill("a") }],
    ["durations", { drainMs: durationMsMax }, { drainMs: durationMsMax + 1 }],
    ["logs", { logs: { sizeBytes: logBytes.least } }, { logs: { sizeBytes: logBytes.least - 1 } }],
    ...Object.entries(limitBounds).flatMap(
      ([key, { least, most }]): [string, Record<string, unknown>, Record<string, unknown>][] => [
        [`least ${key}`, { limits: { [key]: least } }, { limits: { [key]: least - 1 } }],
        [`most ${key}`, { limits: { [key]: most } }, { limits: { [key]: most + 1 } }],
      ],
    ),
  ])("%s", (_, inside, outside) => {
    expect(problemsOfWeb(inside)).toEqual([]);
    expect(problemsOfWeb(outside)).toHaveLength(1);
  });
});

describe("config: the documentation", () => {
  const documented = readFileSync(new URL("../../docs/config.md", import.meta.url), "utf8");
  const known = (fields: Record<string, unknown>): string[] =>
    / known are (.*)$/.exec(problemsOfWeb(fields).find((problem) => problem.includes("known are"))!)![1]!.split(", ");

  test("has every key of a service", () => {
    expect(
      known({ qqqqqqqq: 1 }).filter((key) => !documented.includes(`\`${key}\``) && !documented.includes(`\`${key}.`)),
    ).toEqual([]);
  });

  test.each(["backoff", "exhausted", "schedule", "watch", "limits", "logs"])("has every key of %s", (key) => {
    const keys = known({ [key]: { qqqqqqqq: 1, paths: ["a"] } });

    expect(keys.filter((inner) => !documented.includes(`\`${key}.${inner}\``))).toEqual([]);
  });

  test("has every key of ready and live", () => {
    const keys = [...known({ ready: { qqqqqqqq: 1 } }), ...known({ live: { qqqqqqqq: 1 } })];

    expect(keys.filter((key) => !new RegExp(`\`(?:ready\\.|live\\.)?${key}\``).test(documented))).toEqual([]);
  });
});
