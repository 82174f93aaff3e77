import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request, type RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { managerClient } from "../src/control/manager-client.ts";
import { managerGroups } from "../src/control/manager-routes.ts";
import type { Manager, ManagerEvent } from "../src/control/manager.ts";
import { serveControl, type ControlServer, type ControlServerOptions } from "../src/daemon/control-server.ts";
import { unixHttp } from "../src/platforms/node/unix-http.ts";
import { FakeManager, planOf, statusOf, webStatus } from "./fake-manager.ts";

interface Ground {
  readonly manager: FakeManager;
  readonly socket: string;
  readonly client: Manager;
  readonly lines: readonly string[];
  readonly server: ControlServer;
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function serve(options: Partial<ControlServerOptions> = {}): Promise<Ground> {
  const directory = mkdtempSync(join(tmpdir(), "colos-control-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const socket = join(directory, "control.sock");
  const manager = new FakeManager();
  const lines: string[] = [];
  const server = await serveControl({ socket, manager, log: (line) => lines.push(line), version: "1.2.3", ...options });
  cleanups.push(() => server.close());
  return { manager, socket, client: managerClient(unixHttp(socket)), lines, server };
}

describe("control server: the typed client", () => {
  test("gets what the manager answers", async () => {
    const { client } = await serve();

    expect(await client.list()).toEqual(statusOf());
  });

  test("carries input and output of every operation", async () => {
    const { client, manager } = await serve();
    const plan = { plan: planOf({ web: { command: ["a"] } }), env: { PATH: "/bin" }, source: "colos.config.ts" };
    const report = { instances: [webStatus], problems: [] };
    const names = { names: ["web", "web.2"], wait: true, timeoutMs: 1000 };

    expect(await client.tree()).toMatchObject({ kind: "system", children: [{ name: "web" }] });
    expect(await client.show({ name: "web" })).toMatchObject({ plan: { name: "web" }, target: "up" });
    expect(await client.preview(plan)).toEqual({ changes: [] });
    expect(await client.apply({ ...plan, wait: false })).toEqual({ ...report, changes: [] });
    expect(await client.start(names)).toEqual(report);
    expect(await client.stop(names)).toEqual(report);
    expect(await client.restart(names)).toEqual(report);
    expect(await client.reload(names)).toEqual(report);
    expect(await client.remove(names)).toEqual(report);
    expect(await client.scale({ name: "web", instances: 3 })).toEqual(report);
    expect(await client.kill({ names: ["all"], signal: "SIGUSR1" })).toEqual(report);
    expect(await client.send({ name: "web", text: "hello" })).toBeUndefined();
    expect(await client.why({ name: "web" })).toMatchObject({ causes: [{ at: 7 }] });
    expect(await client.down({})).toEqual(report);
    expect(await client.handOver()).toBeUndefined();

    expect(manager.asked).toContainEqual(["apply", { ...plan, wait: false }]);
    expect(manager.asked).toContainEqual(["restart", names]);
    expect(manager.asked).toContainEqual(["kill", { names: ["all"], signal: "SIGUSR1" }]);
  });

  test("throws what the manager throws", async () => {
    const { client } = await serve();

    const failure = client.show({ name: "db" });

    await expect(failure).rejects.toMatchObject({
      name: "ManagerError",
      code: "unknown",
      message: "there is no service db",
      advice: "Look at colos ps.",
    });
  });

  test("gets events until it leaves", async () => {
    const { client, manager } = await serve();
    const events = client.events()[Symbol.asyncIterator]();
    const first = events.next();
    await expect.poll(() => manager.listenersCount).toBe(1);
    const event: ManagerEvent = { type: "note", at: 1, sentence: "hello" };

    manager.emit(event);

    expect(await first).toEqual({ value: event, done: false });
    await events.return?.();
    await expect.poll(() => manager.listenersCount).toBe(0);
  });

  test("says that no daemon runs", async () => {
    const { client, server } = await serve();
    await server.close();

    await expect(client.list()).rejects.toMatchObject({ name: "DaemonAbsentError", code: "absent" });
  });
});

describe("control server: the socket", () => {
  test("is for its owner alone", async () => {
    const { socket } = await serve();

    expect(statSync(socket).mode & 0o777).toBe(0o600);
  });
});

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** One request as curl would make it. */
function ask(socketPath: string, options: RequestOptions & { readonly body?: string | Buffer } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: "/v1/health", ...rest }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on("data", (part: Buffer) => parts.push(part));
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: new Headers(incoming.headers as Record<string, string>),
          body: Buffer.concat(parts).toString(),
        }),
      );
      incoming.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const jsonType = { "content-type": "application/json" };

describe("control server: routes", () => {
  test("health says that it answers", async () => {
    const { socket } = await serve();

    const answer = await ask(socket);

    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { status: "ok", version: "1.2.3", api: 1 }]);
  });

  test("the OpenAPI document has every endpoint, its effects and its schemas", async () => {
    const { socket } = await serve();

    const { status, body } = await ask(socket, { path: "/v1/openapi.json" });
    const document = JSON.parse(body) as OpenApi;

    expect(status).toBe(200);
    expect(document.openapi).toBe("3.1.0");
    for (const [group, names] of Object.entries(managerGroups)) {
      for (const name of names) expect(document.paths).toHaveProperty([`/v1/${group}/${name}`, "post"]);
    }
    expect(document.paths["/v1/services/restart"]!["post"]).toMatchObject({
      "x-effects": ["write", "execute", "kill"],
      "x-positional": "names",
      requestBody: {
        content: { "application/json": { schema: { additionalProperties: false, required: ["names"] } } },
      },
    });
  });
});
