import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request, type RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connect, type Socket } from "node:net";
import { servicesMax } from "../src/control/config-limit.ts";
import { managerClient } from "../src/control/manager-client.ts";
import { managerGroups } from "../src/control/manager-routes.ts";
import { ManagerError, type Manager, type ManagerEvent } from "../src/control/manager.ts";
import { serveControl, type ControlServer, type ControlServerOptions } from "../src/daemon/control/control-server.ts";
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
  test("takes the place of one that nobody serves any more", async () => {
    const { socket } = await serve();
    // As after a kill -9: the file is there, and no server.
    const other = join(dirname(socket), "old.sock");
    const abandoned = spawnSync(process.execPath, [
      "-e",
      `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`,
      other,
    ]);

    const server = await serveControl({ socket: other, manager: new FakeManager(), log: () => {}, version: "1" });
    cleanups.push(() => server.close());

    expect(abandoned.signal).toBe("SIGKILL");
    expect((await ask(other)).status).toBe(200);
  });

  test("refuses a place that is not a socket's", async () => {
    const { socket } = await serve();
    const file = join(dirname(socket), "file");
    writeFileSync(file, "precious");

    const refused = serveControl({ socket: file, manager: new FakeManager(), log: () => {}, version: "1" });

    await expect(refused).rejects.toThrow(`${file} is in the way: it is not a socket`);
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  test("refuses a folder that others can enter", async () => {
    const { socket } = await serve();
    const folder = join(dirname(socket), "open");
    mkdirSync(folder);
    chmodSync(folder, 0o755);

    const refused = serveControl({
      socket: join(folder, "s"),
      manager: new FakeManager(),
      log: () => {},
      version: "1",
    });

    await expect(refused).rejects.toThrow(`close it with: chmod 700 ${folder}`);
  });

  test("refuses a path that is too long for the OS", async () => {
    const { socket } = await serve();
    const long = join(dirname(socket), "x".repeat(100));

    const refused = serveControl({ socket: long, manager: new FakeManager(), log: () => {}, version: "1" });

    await expect(refused).rejects.toThrow("choose a shorter home");
  });

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

describe("control server: problems", () => {
  test.each([
    ["POST", "/v1/services/restart", { names: [] }, 400, "names: an empty list is not a list of 1 to 1000 names"],
    ["POST", "/v1/services/restart", {}, 400, "names: is missing"],
    [
      "POST",
      "/v1/services/restart",
      { nmaes: ["web"], names: ["web"] },
      400,
      'nmaes: is not known; did you mean "names"?',
    ],
    ["POST", "/v1/services/restart", { names: ["../x"] }, 400, 'names[0]: "../x" is not the name of a service'],
    ["POST", "/v1/services/restart", [], 400, "an empty list is not an object"],
    ["POST", "/v1/services/kill", { names: ["web"], signal: "TERM" }, 400, 'signal: "TERM" is not an OS signal'],
    ["POST", "/v1/services/scale", { name: "web", instances: 0 }, 400, "instances: 0 is not a whole number from 1"],
    ["POST", "/v1/services/send", { name: "web", text: "x".repeat(65_537) }, 400, "is not text of at most 65536 bytes"],
    ["POST", "/v1/system/list", { all: true }, 400, "all: is not known; known are names"],
    ["POST", "/v1/system/tree", { all: true }, 400, "nothing belongs here"],
    ["POST", "/v1/system/list", { names: ["@"] }, 400, 'names[0]: "@" is not the name of a service'],
    [
      "POST",
      "/v1/plan/apply",
      { plan: { services: [{}] }, env: {}, source: "" },
      400,
      "plan.services[0].name: is missing",
    ],
    ["POST", "/v1/services/show", { name: "db" }, 404, "there is no service db"],
    ["POST", "/v1/services/constructor", {}, 404, 'there is nothing at "/v1/services/constructor"'],
    ["POST", "/v1/__proto__/list", {}, 404, "there is nothing at"],
    ["POST", "/v1/health", {}, 405, "/v1/health takes GET only"],
    ["DELETE", "/v1/services/show", {}, 405, "/v1/services/show takes POST only"],
  ])("%s %s with %j is answered with a sentence", async (method, path, input, status, sentence) => {
    const { socket, manager } = await serve();

    const answer = await ask(socket, { method, path, headers: jsonType, body: JSON.stringify(input) });

    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      status,
      expect.objectContaining({
        status,
        type: expect.stringMatching(/^urn:colos:problem:/),
        detail: expect.any(String),
      }),
    ]);
    expect((JSON.parse(answer.body) as { detail: string }).detail).toContain(sentence);
    expect(manager.asked).toEqual([]);
  });

  test.each(["{", "nul", "[1,]", "\xff"])("the body %j is not JSON", async (body) => {
    const { socket } = await serve();

    const answer = await ask(socket, {
      method: "POST",
      path: "/v1/services/show",
      headers: jsonType,
      body: Buffer.from(body, "latin1"),
    });

    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([
      400,
      { detail: expect.stringMatching(/^the body is not JSON/) },
    ]);
  });

  test.each([
    ["refused", 409],
    ["timeout", 504],
    ["busy", 503],
    ["internal", 500],
  ] as const)("the manager's %s is the status %i", async (code, status) => {
    const { socket, manager } = await serve();
    manager.list = () => Promise.reject(new ManagerError(code, "so it is", "wait"));

    const answer = await ask(socket, { path: "/v1/system/list" });

    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([
      status,
      { code, detail: "so it is", advice: "wait" },
    ]);
  });

  test("an error of the manager that is no ManagerError is the daemon's own fault, and is logged", async () => {
    const { client, manager, lines } = await serve();
    manager.list = () => {
      throw new RangeError("oops");
    };

    await expect(client.list()).rejects.toMatchObject({ code: "internal", message: "the daemon failed at this: oops" });
    expect(lines).toEqual(["/v1/system/list failed: the daemon failed at this: oops"]);
  });

  test("output that is not what the endpoint gives never reaches the client", async () => {
    const { client, manager } = await serve();
    manager.why = () => Promise.resolve({ sentence: 7 } as never);

    await expect(client.why({ name: "web" })).rejects.toMatchObject({ code: "internal" });
  });

  test("what the output has beside its type is left out", async () => {
    const { client, manager } = await serve();
    manager.tree = () =>
      Promise.resolve({ ...{ kind: "system", name: "", text: "", children: [] }, secret: 1 } as never);

    expect(await client.tree()).toEqual({ kind: "system", name: "", text: "", children: [] });
  });
});

describe("control server: browsers", () => {
  const list = { method: "POST", path: "/v1/system/list", body: "{}" };
  test.each([
    ["an Origin", { ...jsonType, origin: "http://evil.example" }, 403],
    ["a Sec-Fetch-Site", { ...jsonType, "sec-fetch-site": "cross-site" }, 403],
    ["another Host", { ...jsonType, host: "evil.example" }, 403],
    ["the Host of an address", { ...jsonType, host: "127.0.0.1:8080" }, 403],
    ["the body of a form", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["a body of plain text", { "content-type": "text/plain" }, 415],
    ["a body of no type", {}, 415],
  ])("a request with %s is refused", async (_what, headers, status) => {
    const { socket, manager } = await serve();

    expect(await ask(socket, { ...list, headers })).toMatchObject({ status });
    expect(manager.asked).toEqual([]);
  });

  test.each([{ host: "localhost" }, { host: "LOCALHOST:8080" }, { host: "colos" }])("%j may ask", async (headers) => {
    const { socket } = await serve();

    expect(await ask(socket, { ...list, headers: { ...jsonType, ...headers } })).toMatchObject({ status: 200 });
  });
});

/** A client that writes what it likes. */
class RawClient {
  readonly socket: Socket;
  readonly ended: Promise<void>;
  #text = "";

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on("data", (bytes) => (this.#text += bytes.toString()));
    this.socket.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.socket.on("close", () => resolve());
      this.socket.on("end", () => resolve());
    });
    cleanups.push(() => this.socket.destroy());
  }

  get text(): string {
    return this.#text;
  }

  /** The status of the first answer, once the connection has ended. */
  async status(): Promise<number> {
    await this.ended;
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.#text)?.[1]);
  }
}

const head = "POST /v1/services/show HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

describe("control server: limits", () => {
  test("a head beyond headBytesMax is answered with 431", async () => {
    const { socket } = await serve({ limits: { headBytesMax: 1000 } });
    const client = new RawClient(socket);

    client.socket.write(`GET /v1/health HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(1000)}\r\n\r\n`);

    expect(await client.status()).toBe(431);
  });

  test("what is no HTTP is answered with 400", async () => {
    const { socket } = await serve();
    const client = new RawClient(socket);

    client.socket.write("hello\r\n\r\n");

    expect(await client.status()).toBe(400);
  });

  test("a body beyond bodyBytesMax is answered with 413 before it has come", async () => {
    const { socket } = await serve({ limits: { bodyBytesMax: 1000 } });
    const client = new RawClient(socket);

    client.socket.write(`${head}content-length: 1001\r\n\r\n`);

    expect(await client.status()).toBe(413);
  });

  test("a body in chunks beyond bodyBytesMax is answered with 413", async () => {
    const { socket } = await serve({ limits: { bodyBytesMax: 1000 } });
    const client = new RawClient(socket);

    client.socket.write(`${head}transfer-encoding: chunked\r\n\r\n${`200\r\n${"x".repeat(512)}\r\n`.repeat(2)}`);

    expect(await client.status()).toBe(413);
  });

  test("bodies beyond bodiesBytesMax together are answered with 503, and the room comes back", async () => {
    const { socket } = await serve({ limits: { bodiesBytesMax: 1000, bodyFreeBytes: 50 } });
    const first = new RawClient(socket);
    first.socket.write(`${head}content-length: 900\r\n\r\n${" ".repeat(899)}`);
    const body = JSON.stringify({ name: "web" }).padEnd(500);
    const again = (): Promise<Answer> =>
      ask(socket, { method: "POST", path: "/v1/services/show", headers: jsonType, body });

    await expect.poll(async () => (await again()).status).toBe(503);
    const small = { method: "POST", path: "/v1/services/show", headers: jsonType, body: '{"name":"web"}' };
    expect(await ask(socket, small)).toMatchObject({ status: 200 });
    first.socket.destroy();

    await expect.poll(async () => (await again()).status).toBe(200);
  });

  test("a body deeper than bodyDepthMax is answered with 400", async () => {
    const { socket } = await serve({ limits: { bodyDepthMax: 10 } });
    const nested = (depth: number): Promise<Answer> =>
      ask(socket, {
        method: "POST",
        path: "/v1/services/show",
        headers: jsonType,
        body: `${"[".repeat(depth)}"[[["${"]".repeat(depth)}`,
      });

    expect((await nested(11)).body).toContain("nested deeper than 10 levels");
    expect((await nested(10)).body).toContain("is not an object");
  });

  test("a body of more than bodyValuesMax values is answered with 413", async () => {
    const { socket } = await serve({ limits: { bodyValuesMax: 10 } });
    const listed = (count: number): Promise<Answer> => {
      const body = JSON.stringify(Array.from({ length: count }, () => ",[,"));
      return ask(socket, { method: "POST", path: "/v1/services/show", headers: jsonType, body });
    };

    expect(await listed(11)).toMatchObject({ status: 413 });
    expect((await listed(10)).body).toContain("is not an object");
  });

  test("the largest system that a config may have fits into a plan's limits", async () => {
    const { client, manager } = await serve();
    const env = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`VARIABLE_${at}`, "x".repeat(50)]));
    const names = Array.from({ length: servicesMax }, (_, at) => `service-${at}`);
    const services = Object.fromEntries(names.map((name) => [name, { command: ["sleep", "60"], env }]));

    await client.preview({ plan: planOf(services), env: {}, source: "colos.config.ts" });

    expect(manager.asked.map(([operation]) => operation)).toEqual(["preview"]);
  });

  test("a head that does not come within headTimeoutMs is answered with 408", async () => {
    const { socket } = await serve({ limits: { headTimeoutMs: 50 } });
    const client = new RawClient(socket);

    client.socket.write("GET /v1/health HTTP/1.1\r\n");

    expect(await client.status()).toBe(408);
  });

  test("a connection that says nothing is closed after headTimeoutMs", async () => {
    const { socket } = await serve({ limits: { headTimeoutMs: 50 } });

    await new RawClient(socket).ended;
  });

  test("a body that does not come within requestTimeoutMs is answered with 408", async () => {
    const { socket } = await serve({ limits: { headTimeoutMs: 50, requestTimeoutMs: 100 } });
    const client = new RawClient(socket);

    client.socket.write(`${head}content-length: 10\r\n\r\n{`);

    expect(await client.status()).toBe(408);
  });

  test("a connection without a request is closed after idleTimeoutMs", async () => {
    const { socket } = await serve({ limits: { idleTimeoutMs: 50 } });
    const client = new RawClient(socket);

    client.socket.write("GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n");

    expect(await client.status()).toBe(200);
  });

  test("a client that does not take its answer within answerTimeoutMs loses its connection", async () => {
    const { socket, manager } = await serve({ limits: { answerTimeoutMs: 50, connectionsMax: 1 } });
    manager.status = statusOf(Array.from({ length: 20_000 }, () => webStatus));
    const client = new RawClient(socket);
    client.socket.write("GET /v1/system/list HTTP/1.1\r\nhost: localhost\r\n\r\n");
    client.socket.pause();
    await expect.poll(() => manager.asked.length).toBe(1);

    // While it keeps its connection there is no room for another.
    await expect.poll(async () => (await ask(socket)).status).toBe(200);
  });

  test("requests that do not wait for answers are carried out one after the other", async () => {
    const { socket, manager } = await serve();
    let underWay = 0;
    let mostAtOnce = 0;
    const { list } = manager;
    manager.list = async () => {
      underWay += 1;
      mostAtOnce = Math.max(mostAtOnce, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return await list.call(manager);
    };
    const client = new RawClient(socket);
    const get = (headers = ""): string => `GET /v1/system/list HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`;
    client.socket.write(get() + get() + get("connection: close\r\n"));
    await client.ended;

    expect([client.text.match(/^HTTP\/1\.1 200/gm)?.length, mostAtOnce]).toEqual([3, 1]);
  });

  test("more of them than pipelinedMax are refused with 503, and the connection ends", async () => {
    const { socket } = await serve({ limits: { pipelinedMax: 3 } });
    const client = new RawClient(socket);
    client.socket.write("GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(10));
    await client.ended;

    expect(client.text.match(/^HTTP\/1\.1 \d+/gm)).toEqual([...Array(3).fill("HTTP/1.1 200"), "HTTP/1.1 503"]);
    expect(client.text).toContain("3 requests wait on this connection, which is the limit");
    expect((await ask(socket)).status).toBe(200);
  });

  test("whole requests are answered also when what follows them is broken", async () => {
    const { socket } = await serve();
    const client = new RawClient(socket);
    client.socket.write(`${"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(3)}broken\r\n\r\n`);
    await client.ended;

    expect(client.text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(Array(3).fill("HTTP/1.1 200"));
  });

  test("what waits on a connection that is lost is not carried out", async () => {
    const { socket, manager } = await serve();
    let answer = (): void => {};
    const first = new Promise<void>((resolve) => (answer = resolve));
    const { list } = manager;
    let asked = 0;
    manager.list = async () => {
      asked += 1;
      await first;
      return await list.call(manager);
    };
    const client = new RawClient(socket);
    client.socket.write("GET /v1/system/list HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2));
    await expect.poll(() => asked).toBe(1);
    client.socket.destroy();
    await expect.poll(async () => (await ask(socket)).status).toBe(200);
    answer();
    await expect.poll(async () => (await ask(socket)).status).toBe(200);

    expect(asked).toBe(1);
  });

  test("more than readsMax questions are answered with 503, and operations are not kept out", async () => {
    const { socket, client, manager } = await serve({ limits: { readsMax: 2 } });
    manager.list = () => new Promise(() => {});
    const waiting = [new RawClient(socket), new RawClient(socket)];
    for (const { socket } of waiting) socket.write("GET /v1/system/list HTTP/1.1\r\nhost: localhost\r\n\r\n");

    await expect
      .poll(() =>
        client.tree().then(
          () => "done",
          (error: ManagerError) => error.message,
        ),
      )
      .toBe("2 questions are under way, which is the limit");
    expect(await client.start({ names: ["web"] })).toMatchObject({ problems: [] });
  });

  test("more than actsMax operations are answered with 503, also when their clients have left", async () => {
    const { socket, client, manager } = await serve({ limits: { actsMax: 1 } });
    let finish = (): void => {};
    manager.restart = () => new Promise((resolve) => (finish = () => resolve({ instances: [], problems: [] })));
    const body = JSON.stringify({ names: ["web"] });
    const gone = new RawClient(socket);
    gone.socket.write(`${head.replace("show", "restart")}content-length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => String(finish)).toContain("resolve");

    gone.socket.destroy();
    await gone.ended;

    await expect(client.start({ names: ["web"] })).rejects.toMatchObject({ code: "busy" });
    finish();
    await expect.poll(() => client.start({ names: ["web"] }).catch(() => undefined)).toMatchObject({ problems: [] });
  });

  test("one connection more than connectionsMax closes the one that has been idle longest", async () => {
    const { socket } = await serve({ limits: { connectionsMax: 2 } });
    const clients = [new RawClient(socket), new RawClient(socket)];

    const answer = await ask(socket);

    expect(answer.status).toBe(200);
    await clients[0]!.ended;
  });

  test("when every connection is busy one more is turned away with 503", async () => {
    const { socket, manager } = await serve({ limits: { connectionsMax: 1 } });
    let asked = 0;
    manager.list = () => {
      asked += 1;
      return new Promise(() => {});
    };
    new RawClient(socket).socket.write("GET /v1/system/list HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await expect.poll(() => asked).toBe(1);

    expect(await new RawClient(socket).status()).toBe(503);
  });

  test("an answer that does not come within closeTimeoutMs keeps no daemon from closing", async () => {
    const { client, manager, server } = await serve({ limits: { closeTimeoutMs: 50 } });
    let asked = false;
    manager.list = () => {
      asked = true;
      return new Promise(() => {});
    };
    const failure = client.list().catch((error: unknown) => error);
    await expect.poll(() => asked).toBe(true);

    await server.close();

    expect(await failure).toMatchObject({
      code: "internal",
      message: expect.stringMatching(/^the connection to the daemon was lost before its answer/),
    });
  });

  test("a limit that is none is refused", async () => {
    await expect(serve({ limits: { readsMax: 0 } })).rejects.toThrow(RangeError);
  });
});

describe("control server: streams", () => {
  const note = (sentence: string): ManagerEvent => ({ type: "note", at: 1, sentence });
  const listen = (socket: string, accept = "*/*"): RawClient => {
    const client = new RawClient(socket);
    client.socket.write(
      `GET /v1/system/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: ${accept}\r\n\r\n`,
    );
    return client;
  };

  test("is lines of JSON", async () => {
    const { socket, manager } = await serve();
    const client = listen(socket);
    await expect.poll(() => manager.listenersCount).toBe(1);

    manager.emit(note("a"));

    await expect.poll(() => client.text).toContain('\r\n{"type":"note","at":1,"sentence":"a"}\n');
    expect(client.text).toContain("content-type: application/x-ndjson");
  });

  test("is server-sent events for who accepts them", async () => {
    const { socket, manager } = await serve();
    const client = listen(socket, "text/event-stream");
    await expect.poll(() => manager.listenersCount).toBe(1);

    manager.emit(note("a"));

    await expect.poll(() => client.text).toContain('\r\ndata: {"type":"note","at":1,"sentence":"a"}\n\n');
  });

  test("ends at its source when the client leaves", async () => {
    const { socket, manager } = await serve();
    const client = listen(socket);
    await expect.poll(() => manager.listenersCount).toBe(1);

    client.socket.destroy();

    await expect.poll(() => manager.listenersCount).toBe(0);
  });

  test("breaks its silence after heartbeatMs", async () => {
    const { socket } = await serve({ limits: { heartbeatMs: 10 } });

    const client = listen(socket);

    await expect.poll(() => client.text).toMatch(/(?:1\r\n\n\r\n){3}/);
  });

  test("a client that does not keep up is cut off with a note at streamBytesMax", async () => {
    const { socket, manager } = await serve({ limits: { streamBytesMax: 10_000 } });
    const client = listen(socket);
    await expect.poll(() => manager.listenersCount).toBe(1);
    client.socket.pause();
    let emitted = 0;
    await expect
      .poll(() => {
        for (let count = 0; count < 100; count += 1) manager.emit(note("x".repeat(1000)));
        emitted += 100;
        return manager.listenersCount;
      })
      .toBe(0);

    client.socket.resume();
    await client.ended;

    expect(client.text).toContain("the client is too slow: more than 10000 bytes wait for it");
    expect(client.text.split('"type":"note"').length).toBeLessThan(emitted);
  });

  test("a client that does not even take the note loses its connection after answerTimeoutMs", async () => {
    const { socket, manager } = await serve({
      limits: { streamBytesMax: 10_000, answerTimeoutMs: 50, connectionsMax: 1 },
    });
    const client = listen(socket);
    await expect.poll(() => manager.listenersCount).toBe(1);
    client.socket.pause();
    await expect
      .poll(() => {
        for (let count = 0; count < 100; count += 1) manager.emit(note("x".repeat(1000)));
        return manager.listenersCount;
      })
      .toBe(0);

    await expect.poll(async () => (await ask(socket)).status).toBe(200);
  });

  test("more than streamsMax are answered with 503", async () => {
    const { socket, client, manager } = await serve({ limits: { streamsMax: 1 } });
    listen(socket);
    await expect.poll(() => manager.listenersCount).toBe(1);

    const second = client.events()[Symbol.asyncIterator]().next();

    await expect(second).rejects.toMatchObject({
      code: "busy",
      message: "1 streams are under way, which is the limit",
    });
  });

  test("ends with a note when the daemon closes", async () => {
    const { client, manager, server } = await serve();
    const next = client.events()[Symbol.asyncIterator]().next();
    await expect.poll(() => manager.listenersCount).toBe(1);

    void server.close();

    await expect(next).rejects.toMatchObject({ code: "refused", message: "the daemon ends; nothing more comes" });
  });

  test("ends when its source ends", async () => {
    const { client, manager } = await serve();
    const next = client.events()[Symbol.asyncIterator]().next();
    await expect.poll(() => manager.listenersCount).toBe(1);

    manager.endEvents();

    expect(await next).toEqual({ value: undefined, done: true });
  });
});
