/** The example, as a person meets it: the built `colos` runs it, HTTP asks it, and its parts are killed. */
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { needsLinux } from "./debian.ts";
import { colosFile, ColosProcess, type Ended } from "./system/colos-process.ts";
import { gone, osProcessesOf } from "./system/os-processes.ts";
import { turn } from "./system/turn.ts";
import { test as daemonTest } from "./system/daemon-place.ts";
import { freePort, Place, test as placeTest } from "./system/place.ts";

const linux = needsLinux();
const config = fileURLToPath(new URL("../examples/shop/colos.config.ts", import.meta.url));
const customersCount = 10_000;
const tea = { name: "tea", price: 3 };
const pot = { name: "pot", price: 20 };

interface Answer {
  readonly status: number;
  readonly text: string;
  /** Of JSON. */
  readonly body: Record<string, unknown>;
}

/** The running shop. */
class Shop {
  readonly colos: ColosProcess;
  readonly #apiPort: number;
  readonly #pagePort: number;

  private constructor(colos: ColosProcess, apiPort: number, pagePort: number) {
    this.colos = colos;
    this.#apiPort = apiPort;
    this.#pagePort = pagePort;
  }

  /** Starts the shop and waits until every service is ready. */
  static async open(place: Place): Promise<Shop> {
    const [apiPort, pagePort] = [await place.port(), await place.port()];
    const env = { ...place.env, SHOP_API_PORT: String(apiPort), SHOP_PAGE_PORT: String(pagePort) };
    const argv = [process.execPath, colosFile, "up", "--foreground", config];
    const shop = new Shop(new ColosProcess(argv, place, { cwd: place.folder, env }), apiPort, pagePort);
    await shop.colos.line(/every service is ready/);
    return shop;
  }

  get(path: string, agent?: Agent): Promise<Answer> {
    return this.ask("GET", path, undefined, agent);
  }

  post(path: string, body?: unknown, agent?: Agent): Promise<Answer> {
    return this.ask("POST", path, body === undefined ? undefined : JSON.stringify(body), agent);
  }

  /** One request, on a connection of its own unless `agent` keeps one. Rejects with the system's error code. */
  ask(method: string, path: string, body?: string, agent: Agent | false = false): Promise<Answer> {
    return ask(this.#apiPort, method, path, body, agent);
  }

  page(path: string): Promise<Answer> {
    return ask(this.#pagePort, "GET", path, undefined, false);
  }

  /** Asks again and again, until the answer is as wanted; a connection that fails counts as no answer. */
  async until(question: () => Promise<Answer>, isWanted: (answer: Answer) => boolean): Promise<Answer> {
    while (this.colos.end === undefined) {
      const answer = await question().catch(() => undefined);
      if (answer !== undefined && isWanted(answer)) return answer;
    }
    throw new Error(this.colos.transcript());
  }

  /** The OS process id of one of the API's two instances. */
  async apiPid(agent?: Agent): Promise<number> {
    return Number((await this.get("/health", agent)).body["pid"]);
  }

  /** The OS process id of the service's latest start. */
  pidOf(name: string): number {
    const started = new RegExp(`^${name} += starting \\(pid (\\d+)\\)`);
    return Number(
      this.colos
        .lines()
        .flatMap((line) => started.exec(line)?.[1] ?? [])
        .at(-1),
    );
  }
}

function ask(port: number, method: string, path: string, body: string | undefined, agent: Agent | false) {
  return new Promise<Answer>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(new Error(error.code ?? error.message));
    const sent = request({ host: "127.0.0.1", port, method, path, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("error", fail);
      response.on("end", () => resolve({ status: response.statusCode!, text, body: parsed(text) }));
    });
    sent.on("error", fail);
    sent.end(body);
  });
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Keeps asking until `event`, and gives what became of each question. */
async function askUntil(event: Promise<unknown>, question: () => Promise<Answer>): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>();
  const over = new AbortController();
  const passed = event.finally(() => over.abort());
  while (!over.signal.aborted) {
    const outcome = await question().then(
      ({ status }) => String(status),
      (error: Error) => error.message,
    );
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  await passed;
  return outcomes;
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);
const isOk = ({ status }: Answer): boolean => status === 200;

/** One shop for the whole file: what breaks in it heals, which is its point. */
const test = placeTest.extend<{ shop: Shop }>({
  shop: [
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const place = new Place();
      try {
        const shop = await Shop.open(place);
        await use(shop);
        await shop.colos.stop();
        expect(shop.colos.left).toEqual([]);
      } finally {
        await place.close();
      }
    },
    { scope: "file" },
  ],
});

linux.describe("the shop", () => {
  test("its page is served, compiled for the API's port", async ({ shop }) => {
    const [page, script] = [await shop.page("/"), await shop.page("/app.js")];

    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('src="app.js"') });
    expect(script).toMatchObject({ status: 200, text: expect.not.stringContaining("apiPort") });
  });

  test("ten thousand sessions are open", async ({ shop }) => {
    const { body } = await shop.get("/status");

    expect(body).toMatchObject({ running: customersCount });
    expect(await shop.get(`/sessions/${customersCount}`)).toMatchObject({ status: 200, body: { items: [], total: 0 } });
  });

  test("both instances of the API answer", async ({ shop }) => {
    const pids = new Set<unknown>();

    while (pids.size < 2) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => shop.get("/health")));
      for (const { body } of answers) pids.add(body["pid"]);
    }

    expect(pids).toEqual(new Set([shop.pidOf("api"), shop.pidOf("api.2")]));
  });

  test("a basket has what was put into it, and a price", async ({ shop }) => {
    await shop.post("/sessions/1/items", tea);
    const { body } = await shop.post("/sessions/1/items", pot);

    expect(body).toEqual({ customer: 1, items: [tea, pot], total: 23 });
    expect((await shop.get("/sessions/1/quote")).body["price"]).toBeCloseTo(20.79);
  });

  for (const { name, question, status, says } of [
    { name: "an unknown path", question: ["GET", "/nothing"], status: 404, says: "GET /nothing" },
    { name: "a customer who is no number", question: ["GET", "/sessions/me"], status: 404, says: "GET /sessions/me" },
    { name: "a customer there is not", question: ["GET", "/sessions/10001"], status: 404, says: "customer 10001" },
    { name: "another method", question: ["DELETE", "/sessions/1"], status: 405, says: "DELETE /sessions/1" },
    { name: "no JSON", question: ["POST", "/sessions/1/items", "tea"], status: 400, says: "not JSON" },
    { name: "no item", question: ["POST", "/sessions/1/items", "null"], status: 400, says: "tea" },
    {
      name: "an endless price",
      question: ["POST", "/sessions/1/items", '{"name":"tea","price":1e999}'],
      status: 400,
      says: "tea",
    },
    {
      name: "too long a body",
      question: ["POST", "/sessions/1/items", "x".repeat(1_000_000)],
      status: 413,
      says: "10000",
    },
  ] as const) {
    test(`a wrong request is refused: ${name}`, async ({ shop }) => {
      const [method, path, body] = question;

      const answer = await shop.ask(method, path, body);

      expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(says) } });
    });
  }
});

linux.describe("the shop, when a part is killed", () => {
  test("a basket survives the API instance that filled it", async ({ shop }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 }); // one connection, so one instance
    const pid = await shop.apiPid(agent);
    await shop.post("/sessions/2/items", tea, agent);
    const isBack = shop.colos.line(/^api(\.2)? += ready/, 3);

    process.kill(pid, "SIGKILL");

    expect(await shop.get("/sessions/2")).toMatchObject({ status: 200, body: { items: [tea] } });
    await isBack;
    agent.destroy();
  });

  test("no request is refused while an API instance is killed and comes back", async ({ shop }) => {
    const clientsCount = 20;
    const pid = await shop.apiPid();
    const name = pid === shop.pidOf("api") ? "api" : "api.2";
    const isBack = shop.colos.line(new RegExp(`^${name} += ready`), readyCount(shop, name) + 1);
    const clients = Array.from({ length: clientsCount }, (_, index) =>
      askUntil(isBack, () => shop.get(`/sessions/${index + 100}`)),
    );
    await shop.get("/health");

    process.kill(pid, "SIGKILL");
    const outcomes = await Promise.all(clients);

    const failures = outcomes.map((outcome) => sum(outcome.values()) - (outcome.get("200") ?? 0));
    const codes = new Set(outcomes.flatMap((outcome) => [...outcome.keys()]));
    expect(codes).not.toContain("ECONNREFUSED");
    expect(codes).not.toContain("503");
    expect(Math.max(...failures), "only what was in flight fails").toBeLessThanOrEqual(1);
    expect(shop.pidOf(name)).not.toBe(pid);
    await shop.until(
      () => shop.get("/health"),
      ({ body }) => body["pid"] === shop.pidOf(name),
    );
  });

  test("an endless loop in pricing stops nobody else, and the watchdog ends it", async ({ shop }) => {
    await shop.post("/sessions/3/items", pot);
    const isKilled = shop.colos.line(/^watchdog +\| pricing did not answer/);

    expect(await shop.post("/pricing/loop")).toMatchObject({ status: 200 });
    const others = await askUntil(isKilled, () => shop.get("/sessions/3"));
    const quote = await shop.until(() => shop.get("/sessions/3/quote"), isOk);

    expect([...others.keys()]).toEqual(["200"]);
    expect(quote.body["price"]).toBeCloseTo(18.08);
    await shop.colos.line(/^pricing += backoff: killed/);
    await shop.colos.line(/^pricing += ready/, 2);
  });

  test("an exception in a session empties one basket and no other", async ({ shop }) => {
    await shop.post("/sessions/4/items", tea);
    await shop.post("/sessions/5/items", tea);
    const before = (await shop.get("/status")).body;

    const crashed = await shop.post("/sessions/4/crash");

    expect(crashed).toMatchObject({ status: 503, body: { error: expect.stringContaining("impossible") } });
    expect((await shop.get("/sessions/4")).body["items"]).toEqual([]);
    expect((await shop.get("/sessions/5")).body["items"]).toEqual([tea]);
    const restarts = Number(before["restarts"]) + 1;
    expect((await shop.get("/status")).body).toEqual({ running: customersCount, restarts });
    expect(await shop.colos.line(/session 4.* crashed/)).toMatch(
      /impossible \| at Session\.handleCall \S+sessions\.ts/,
    );
  });

  test("the page is back after esbuild was killed", async ({ shop }) => {
    const pid = shop.pidOf("page");

    process.kill(pid, "SIGKILL");
    await shop.colos.line(/^page += ready/, 2);

    expect(await shop.page("/app.js")).toMatchObject({ status: 200 });
    expect(shop.pidOf("page")).not.toBe(pid);
  });
});

linux.describe("the shop, when it ends", () => {
  placeTest("Ctrl+C stops everything in reverse order, and the ports are free", async ({ place }) => {
    const shop = await Shop.open(place);
    await shop.get("/health");

    expect(await shop.colos.stop()).toEqual({ code: 0, signal: null } satisfies Ended);

    const stopped = shop.colos.lines().flatMap((line) => /^(\S+) += stopped/.exec(line)?.[1] ?? []);
    expect(stopped).toEqual(["page", "api.2", "api", "watchdog", "pricing", "sessions"]);
    expect(shop.colos.left).toEqual([]);
    expect(shop.colos.stderr).toBe("");
    expect(shop.colos.lines().filter((line) => /warning|error/.test(line))).toEqual([]);
    await expect(shop.get("/health")).rejects.toThrow("ECONNREFUSED");
    await expect(shop.page("/")).rejects.toThrow("ECONNREFUSED");
  });

  placeTest("when colos itself is killed, its programs end by themselves", async ({ place }) => {
    const shop = await Shop.open(place);
    const programs = [shop.pidOf("api"), shop.pidOf("api.2")];

    shop.colos.signal("SIGKILL");
    await shop.colos.ended;

    await gone(...programs);
    await expect(shop.get("/health")).rejects.toThrow("ECONNREFUSED");
    // A command knows nothing of colos and lives on.
    for (const { pid } of osProcessesOf(place)) process.kill(pid, "SIGKILL");
    while (osProcessesOf(place).length > 0) await turn();
  });
});

linux.describe("the shop under a daemon", () => {
  daemonTest("is one service, and its parts find each other", async ({ place }) => {
    const [api, page] = [await freePort(), await freePort()];
    const env = { SHOP_API_PORT: String(api), SHOP_PAGE_PORT: String(page) };
    const daemonConfig = fileURLToPath(new URL("../examples/shop/daemon.config.ts", import.meta.url));

    const { code, stderr } = await place.colosWith(env, "up", daemonConfig);

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect((await ask(api, "GET", "/sessions/7", undefined, false)).body).toMatchObject({ customer: 7 });
    expect((await place.instance("shop"))?.["state"]).toBe("ready");
  });
});

function readyCount(shop: Shop, name: string): number {
  return shop.colos.lines().filter((line) => new RegExp(`^${name} += ready`).test(line)).length;
}
