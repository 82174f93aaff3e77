import { describe, expect, test } from "vitest";
import type { ServiceConfig } from "../../control/config.ts";
import { parseConfig } from "../../control/config-parser.ts";
import { importDockerCompose } from "./docker-compose.ts";
import type { ImportResult } from "./note.ts";
import { importPackage } from "./package.ts";
import { importPm2 } from "./pm2.ts";
import { importProcessCompose } from "./process-compose.ts";
import { importProcfile } from "./procfile.ts";

/** The notes of a kind, as `service.key` or `key`. */
function keysOf({ report }: ImportResult, kind: string): string[] {
  return report
    .filter((note) => note.kind === kind)
    .map(({ service, key }) => (service === undefined ? key : `${service}.${key}`));
}

/** The config, which is a right one. */
function servicesOf(result: ImportResult): Readonly<Record<string, ServiceConfig>> {
  const resolve = (directory: string, path: string) => `${directory}/${path}`;
  expect(parseConfig(result.config, { source: "imported", directory: "/app", resolve })).toHaveProperty("plan");
  return result.config.services;
}

describe("import: namespaces", () => {
  test.each<[string, (namespace: string) => ImportResult]>([
    ["PM2", (namespace) => importPm2({ apps: [{ name: "api", script: "a.js", namespace }] }, { cpus: 1 })],
    [
      "process-compose",
      (namespace) => importProcessCompose({ processes: { api: { command: "./a", namespace } } }, { hasEnvFile: false }),
    ],
  ])("of %s become tags, and the report says how verbs take them", (_, imported) => {
    const result = imported("backend");
    const noteOf = ({ report }: ImportResult) => report.find(({ key }) => key === "namespace");

    expect(servicesOf(result)["api"]!.tags).toBe("backend");
    expect(noteOf(result)).toMatchObject({
      kind: "taken",
      sentence: "is the tag backend: verbs take its services as @backend",
    });
    expect(servicesOf(imported("default"))["api"]).not.toHaveProperty("tags");
    expect(noteOf(imported("default"))?.sentence).toBe("says nothing, and is left out");
  });
});

test("import: what is called all gets another name, as all means everybody", () => {
  const { config } = importProcessCompose({ processes: { all: { command: "./a" } } }, { hasEnvFile: false });

  expect(Object.keys(config.services)).toEqual(["all-2"]);
});

describe("import: PM2", () => {
  const pm2 = (app: Record<string, unknown>, env?: string) =>
    importPm2({ apps: [app] }, { cpus: 4, ...(env === undefined ? {} : { env }) });

  test("an app becomes a service", () => {
    const result = pm2({
      name: "api",
      script: "./server.js",
      args: "--port 80",
      node_args: ["--inspect"],
      cwd: "/srv/api",
      env: { NODE_ENV: "development", PORT: 80 },
      kill_timeout: 3000,
      max_memory_restart: "300M",
      autorestart: true,
      restart_delay: 500,
      uid: "1000",
    });

    expect(servicesOf(result)).toEqual({
      api: {
        command: ["node", "--inspect", "./server.js", "--port", "80"],
        stopSignal: "SIGINT",
        cwd: "/srv/api",
        env: { NODE_ENV: "development", PORT: "80" },
        shutdown: 3000,
        limits: { memoryBytes: 314_572_800 },
        backoff: { initialMs: 500, maxMs: 500, factor: 1, jitter: 0 },
        user: 1000,
      },
    });
    expect(keysOf(result, "differs")).toEqual(["api.max_memory_restart"]);
    expect(keysOf(result, "none")).toEqual([]);
  });

  test.each<[Record<string, unknown>, Partial<ServiceConfig>]>([
    [{ script: "worker.py" }, { command: ["python3", "worker.py"] }],
    [{ script: "npm", args: ["run", "start"] }, { command: ["npm", "run", "start"] }],
    [{ script: "bin/web", interpreter: "none" }, { command: ["bin/web"] }],
    [{ script: "app.js", interpreter: "bun" }, { command: ["bun", "app.js"] }],
    [
      { script: "app.ts", cwd: "api", args: "-v" },
      { program: "api/app.ts", args: ["-v"] },
    ],
    [{ script: "a.js", instances: "max", exec_mode: "cluster" }, { instances: 4 }],
    [{ script: "a.js", instances: -1 }, { instances: 3 }],
    [{ script: "a.js", autorestart: false }, { restart: "temporary" }],
    [{ script: "a.js", namespace: "back end" }, { tags: "back-end" }],
    [
      { script: "a.js", cron_restart: "0 3 * * *", autorestart: false },
      { restart: "temporary", schedule: { cron: "0 3 * * *" } },
    ],
    [
      { script: "a.js", stop_exit_codes: [0, 3] },
      { restart: "transient", successCodes: [0, 3] },
    ],
    [
      { script: "a.js", max_restarts: 10, min_uptime: "5s" },
      { maxRestarts: 10, periodMs: 50_000 },
    ],
    [{ script: "a.js", exp_backoff_restart_delay: 100 }, { backoff: { initialMs: 100, factor: 1.5 } }],
    [
      { script: "a.js", watch: ["src"], ignore_watch: ["tmp"], watch_delay: 1000 },
      { watch: { paths: ["src"], ignore: ["tmp"], delayMs: 1000 } },
    ],
    [{ script: "a.js", watch: true }, { watch: { paths: ["."] } }],
  ])("%j", (app, fields) => {
    expect(servicesOf(pm2(app))[Object.keys(servicesOf(pm2(app)))[0]!]).toMatchObject(fields);
  });

  test("an environment is laid over env when it is asked for", () => {
    const app = { script: "a.js", env: { A: "1", B: "1" }, env_production: { B: "2" }, env_test: { B: "3" } };

    expect(servicesOf(pm2(app))["a"]!.env).toEqual({ A: "1", B: "1" });
    expect(servicesOf(pm2(app, "production"))["a"]!.env).toEqual({ A: "1", B: "2" });
    expect(keysOf(pm2(app, "production"), "none")).toEqual(["a.env_test"]);
  });

  test("what has no counterpart is said", () => {
    const result = pm2({
      name: "my app",
      script: "a.js",
      wait_ready: true,
      out_file: "o.log",
      cron_restart: "0 0 * * *",
      sparkle: 1,
    });

    expect(keysOf(result, "none")).toEqual([
      "my-app.wait_ready",
      "my-app.out_file",
      "my-app.cron_restart",
      "my-app.sparkle",
    ]);
    expect(keysOf(result, "differs")).toEqual(["my-app.name", "my-app.kill_timeout"]);
  });

  test("apps of one name get numbers", () => {
    const result = importPm2(
      [
        { name: "a", script: "1.js" },
        { name: "a", script: "2.js" },
      ],
      { cpus: 1 },
    );

    expect(Object.keys(servicesOf(result))).toEqual(["a", "a-2"]);
  });
});

describe("import: Procfile", () => {
  test("each line is a service", () => {
    const text = "# all\nweb: node server.js\nworker: bundle exec sidekiq -q $QUEUE\n\nrelease: ./migrate\nwhat?\n";

    const result = importProcfile(text, { hasEnvFile: true });

    expect(servicesOf(result)).toEqual({
      web: { command: ["node", "server.js"], envFiles: [".env"] },
      worker: { command: ["sh", "-c", "bundle exec sidekiq -q $QUEUE"], envFiles: [".env"] },
      release: { command: ["./migrate"], envFiles: [".env"], restart: "temporary" },
    });
    expect(keysOf(result, "none")).toEqual(["line 6"]);
    expect(keysOf(result, "differs")).toEqual(["end of a process", "PORT", "worker.command", "release.release"]);
  });
});

describe("import: process-compose", () => {
  const one = (process: Record<string, unknown>) =>
    importProcessCompose({ version: "0.5", processes: { web: { command: "web", ...process } } }, { hasEnvFile: false });

  test("processes become services that wait for each other", () => {
    const result = importProcessCompose(
      {
        version: "0.5",
        environment: ["LEVEL=info"],
        processes: {
          migrate: { command: "./migrate" },
          db: {
            command: "postgres -D data",
            availability: { restart: "always" },
            readiness_probe: { exec: { command: "pg_isready" } },
          },
          web: {
            command: "node web.js | tee log",
            environment: ["PORT=80"],
            depends_on: {
              db: { condition: "process_healthy" },
              migrate: { condition: "process_completed_successfully" },
            },
            shutdown: { signal: 2, timeout_seconds: 3 },
          },
        },
      },
      { hasEnvFile: false },
    );

    expect(servicesOf(result)).toEqual({
      migrate: { command: ["./migrate"], env: { LEVEL: "info" }, restart: "temporary" },
      db: {
        command: ["postgres", "-D", "data"],
        env: { LEVEL: "info" },
        restart: "permanent",
        ready: { exec: ["pg_isready"], timeoutMs: 30_000 },
      },
      web: {
        command: ["sh", "-c", "node web.js | tee log"],
        env: { LEVEL: "info", PORT: "80" },
        restart: "temporary",
        dependsOn: { db: { condition: "ready" }, migrate: { condition: "exitedOk" } },
        stopSignal: "SIGINT",
        shutdown: 3000,
      },
    });
    expect(keysOf(result, "none")).toEqual([]);
  });

  test.each<[Record<string, unknown>, Partial<ServiceConfig>]>([
    [
      { replicas: 3, working_dir: "app", description: "The web" },
      { instances: 3, cwd: "app", description: "The web" },
    ],
    [{ disabled: true }, { autostart: false }],
    [{ ready_log_line: "listening" }, { ready: { log: "listening" } }],
    [
      { availability: { restart: "on_failure", backoff_seconds: 2, max_restarts: 4 } },
      {
        restart: "transient",
        maxRestarts: 4,
        exhausted: { policy: "failed" },
        backoff: { initialMs: 2000, maxMs: 2000, factor: 1, jitter: 0 },
      },
    ],
    [
      { liveness_probe: { http_get: { host: "localhost", port: 80, path: "/health" }, period_seconds: 5 } },
      {
        ready: { http: "http://localhost:80/health" },
        live: { http: "http://localhost:80/health", everyMs: 5000, timeoutMs: 1000, failuresMax: 3 },
      },
    ],
    [{ schedule: { cron: "0 2 * * *", timezone: "UTC" } }, { schedule: { cron: "0 2 * * *", timeZone: "UTC" } }],
    [
      { schedule: { interval: "1m30s" }, availability: { restart: "always" } },
      { schedule: { everyMs: 90_000 }, restart: "transient" },
    ],
    [{ shutdown: { signal: 9 } }, { shutdown: "brutal" }],
  ])("%j", (process, fields) => {
    expect(servicesOf(one(process))["web"]).toMatchObject(fields);
  });

  test("what has no counterpart is said", () => {
    expect(keysOf(one({ is_daemon: true, is_tty: true, shutdown: { command: "stop" }, sparkle: 1 }), "none")).toEqual([
      "web.is_daemon",
      "web.is_tty",
      "web.shutdown.command",
      "web.sparkle",
    ]);
  });
});

describe("import: docker compose", () => {
  const one = (service: Record<string, unknown>) =>
    importDockerCompose({ services: { web: { command: "web", ...service } } });

  test("commands become services, what only an image knows is left out", () => {
    const result = importDockerCompose({
      services: {
        db: { image: "postgres:16" },
        migrate: { image: "shop", entrypoint: ["./migrate"], command: "--all 'two words'" },
        web: {
          image: "shop",
          command: ["node", "web.js"],
          environment: { PORT: 80, SECRET: null, TOKEN: "${TOKEN}" },
          env_file: [".env", { path: "more.env" }],
          depends_on: {
            db: { condition: "service_healthy" },
            migrate: { condition: "service_completed_successfully" },
          },
          restart: "unless-stopped",
          ports: ["80:80"],
          deploy: { resources: { limits: { cpus: "0.5", memory: "512M", pids: 100 } } },
        },
      },
    });

    expect(servicesOf(result)).toEqual({
      migrate: { command: ["./migrate", "--all", "two words"], restart: "temporary" },
      web: {
        command: ["node", "web.js"],
        env: { PORT: "80" },
        secrets: { SECRET: { env: "SECRET" }, TOKEN: { env: "TOKEN" } },
        envFiles: [".env", "more.env"],
        dependsOn: { migrate: { condition: "exitedOk" } },
        restart: "permanent",
        limits: { cpuPercent: 50, memoryBytes: 536_870_912, pidsMax: 100 },
      },
    });
    expect(keysOf(result, "none")).toEqual(["db.command", "web.depends_on.db"]);
    expect(result.report.find(({ service }) => service === "db")!.sentence).toContain("the image postgres:16");
  });

  test.each<[Record<string, unknown>, Partial<ServiceConfig>]>([
    [{ restart: "on-failure:3" }, { restart: "transient", maxRestarts: 3 }],
    [
      { stop_signal: "SIGQUIT", stop_grace_period: "1m30s" },
      { stopSignal: "SIGQUIT", shutdown: 90_000 },
    ],
    [{ stop_signal: "KILL" }, { shutdown: "brutal" }],
    [{ user: "1000:www" }, { user: 1000, group: "www" }],
    [{ profiles: ["debug"] }, { autostart: false }],
    [{ deploy: { replicas: 2 } }, { instances: 2 }],
    [
      { mem_limit: "1g", ulimits: { nofile: { soft: 64, hard: 128 } } },
      { limits: { memoryBytes: 1_073_741_824, fdsMax: 64 } },
    ],
    [
      { healthcheck: { test: ["CMD", "curl", "-f", "localhost"], interval: "5s", retries: 2, start_period: "10s" } },
      { ready: { exec: ["curl", "-f", "localhost"], timeoutMs: 20_000 } },
    ],
    [
      { healthcheck: { test: "curl x || exit 1" } },
      { ready: { exec: ["sh", "-c", "curl x || exit 1"], timeoutMs: 90_000 } },
    ],
    [{ environment: ["A=1", "B=$$x"] }, { env: { A: "1", B: "$x" } }],
  ])("%j", (service, fields) => {
    expect(servicesOf(one(service))["web"]).toMatchObject(fields);
  });
});

describe("import: package.json", () => {
  test.each<[Record<string, unknown>, readonly string[]]>([
    [{ name: "@shop/api", scripts: { start: "node dist/server.js" } }, ["node", "dist/server.js"]],
    [{ name: "api", scripts: { start: "next start" } }, ["npm", "run", "--silent", "start"]],
    [{ name: "api", scripts: { start: "node a && node b" } }, ["npm", "run", "--silent", "start"]],
    [{ name: "api", main: "index.js" }, ["node", "index.js"]],
  ])("%j", (value, command) => {
    expect(servicesOf(importPackage(value))["api"]!.command).toEqual(command);
  });

  test("without a start script and a main file there is nothing to run", () => {
    expect(keysOf(importPackage({ scripts: { build: "tsc" } }), "none")).toEqual(["scripts.start"]);
  });
});
