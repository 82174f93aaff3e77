/**
 * The daemon as a person meets it: the built command, a home of its own, real OS processes, and `kill -9`. What only one part
 * of it does is tested with that part.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { instanceFolder } from "../src/daemon/home.ts";
import { needsLinux } from "./debian.ts";
import { Load } from "./system/load.ts";
import { freePort } from "./system/place.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";

const linux = needsLinux();
/** A service that says `up` and stays. */
const staying = ["sh", "-c", "echo up; exec sleep 1000"];
const ready = { log: "up" };

async function osPidOf(place: DaemonPlace, name: string): Promise<number> {
  return Number((await place.instance(name))?.["osPid"]);
}

/** Kills the daemon and waits until its heart has started another. */
async function killDaemon(place: DaemonPlace): Promise<void> {
  const before = place.daemonPid();
  process.kill(before, "SIGKILL");
  await place.until(async () => {
    const { code } = await place.colos("ps", "--quiet");
    return code === 0 && place.daemonPid() !== before ? true : undefined;
  });
}

linux.describe("colos up", () => {
  test("starts a daemon, waits until everything is ready, and twice changes nothing", async ({ place }) => {
    place.config({
      db: { command: staying, ready },
      web: { command: staying, ready, dependsOn: ["db"], instances: 2 },
    });

    const first = await place.colos("up");
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toContain("+ web: starts");
    const osPid = await osPidOf(place, "web");

    const second = await place.colos("up");
    expect(second.code).toBe(0);
    expect(second.stdout).toContain("nothing");
    expect(await osPidOf(place, "web")).toBe(osPid);
  });

  test("removes what the config no longer says, and starts again only what has changed", async ({ place }) => {
    place.config({ kept: { command: staying }, gone: { command: staying }, other: { command: staying } });
    await place.colos("up");
    const [kept, other] = [await osPidOf(place, "kept"), await osPidOf(place, "other")];
    place.config({ kept: { command: staying }, other: { command: staying, env: { A: "1" } } });
    await place.colos("up");

    expect(await place.instance("gone")).toBeUndefined();
    expect(await osPidOf(place, "kept")).toBe(kept);
    expect(await osPidOf(place, "other")).not.toBe(other);
  });

  test("a service that fails is told with what it wrote last, and exit code 1", async ({ place }) => {
    const command = ["sh", "-c", "echo no disk >&2; exit 3"];
    place.config({ bad: { command, maxRestarts: 1, exhausted: { policy: "failed" } } });

    const { code, stderr } = await place.colos("up");

    expect(code).toBe(1);
    expect(stderr).toContain("bad is failed: exit code 3");
    expect(stderr).toContain("| no disk");
  });

  test("a service that is not ready in time is told as that, and not as ready", async ({ place }) => {
    place.config({ slow: { command: staying, ready: { log: "never", timeoutMs: 300 } } });

    const { code, stderr } = await place.colos("up");

    expect(code).toBe(1);
    expect(stderr).toContain('no line of the log contained "never" within 300 ms');
  });

  test("a second daemon of the same home is refused", async ({ place }) => {
    place.config({ web: { command: staying } });
    await place.colos("up");
    const { spawnSync } = await import("node:child_process");

    const second = spawnSync(process.execPath, ["dist/daemon-entry.js", place.home.root], { encoding: "utf8" });

    expect(second.status).toBe(5);
    expect(second.stderr).toContain(`a daemon (OS process ${place.daemonPid()}) runs in ${place.home.root} already`);
  });
});

linux.describe("the home", () => {
  test("shows each instance as files, and what it wrote", async ({ place }) => {
    place.config({ web: { command: staying, ready } });
    await place.colos("up");
    const folder = instanceFolder(place.home, "web", 1);
    const read = (name: string): string => readFileSync(join(folder, name), "utf8").trim();

    expect(await place.until(() => (existsSync(join(folder, "ready")) ? read("state") : undefined))).toBe("ready");
    expect(Number(read("pid"))).toBe(await osPidOf(place, "web"));
    expect(read("log/current")).toMatch(/^\S+Z stdout F up$/);
    await place.colos("stop", "web");
    expect(await place.until(() => (existsSync(join(folder, "exit")) ? read("exit") : undefined))).toBe(
      "ended by SIGTERM",
    );
  });
});

linux.describe("kill -9 of the daemon", () => {
  test("no service notices, and the next daemon knows them all", async ({ place }) => {
    place.config({ web: { command: staying, ready, instances: 2 }, down: { command: staying } });
    await place.colos("up");
    await place.colos("stop", "down");
    const before = await osPidOf(place, "web.2");

    await killDaemon(place);

    expect(await place.instance("web.2")).toMatchObject({ state: "ready", osPid: before, restartsCount: 0 });
    expect(await place.instance("down")).toMatchObject({ state: "stopped" });
  });

  test("an exit while no daemon lives is known with its code, and the service is started again", async ({ place }) => {
    const ask = place.write("ask", "");
    const command = ["sh", "-c", `echo up; while [ ! -s ${ask} ]; do sleep 0.02; done; : >${ask}; exit 7`];
    place.config({ web: { command, ready } });
    await place.colos("up");
    const exit = join(place.home.runs, "web.1.1.exit");
    process.kill(place.daemonPid(), "SIGKILL");
    place.write("ask", "end");
    await place.until(() => (existsSync(exit) ? true : undefined));
    await place.until(async () => ((await place.instance("web"))?.["restartsCount"] === 1 ? true : undefined));

    expect((await place.colos("why", "web")).stdout).toContain("web.1.1 ended: exit code 7");
  });
});

const serverProgram = `
  import { createServer } from "node:http";
  import { drainOnStop, listenOptions } from "colos";
  const server = createServer((request, response) => setTimeout(() => response.end(process.env.VERSION), 2));
  drainOnStop(server);
  server.listen(listenOptions(0), () => console.log("up"));
`;

linux.describe("colos reload", () => {
  const api = (port: number, version: string, file = "api.ts"): object => ({
    api: { program: file, listen: port, instances: 2, ready, env: { VERSION: version } },
  });

  test("under load with kept connections no request is lost, also when the config changes and the daemon dies", async ({
    place,
  }) => {
    const port = await freePort();
    place.write("api.ts", serverProgram);
    place.config(api(port, "1"));
    expect(await place.colos("up")).toMatchObject({ code: 0 });
    const load = new Load(port, 20);

    expect(await place.colos("reload", "api")).toMatchObject({ code: 0 });
    await killDaemon(place);
    place.config(api(port, "2"));
    expect(await place.colos("up")).toMatchObject({ code: 0 });
    await place.until(() => (load.answers.has("2") ? true : undefined));
    await load.end();

    expect(load.errors).toEqual([]);
    expect([...load.answers].toSorted()).toEqual(["1", "2"]);
  }, 60_000);

  test("a new version that does not become ready is taken back: the old one goes on", async ({ place }) => {
    const port = await freePort();
    place.write("api.ts", serverProgram);
    place.write("broken.mjs", "throw new Error('it is broken')");
    place.config(api(port, "1"));
    await place.colos("up");
    const before = await osPidOf(place, "api");
    place.config(api(port, "2", "broken.mjs"));

    const { code, stderr } = await place.colos("up");

    expect(code).toBe(1);
    expect(stderr).toContain("the older version goes on");
    expect(stderr).toContain("it is broken");
    expect(await place.instance("api")).toMatchObject({ state: "ready", osPid: before });
  }, 60_000);
});

describe("without a daemon", () => {
  test("reading starts none, says so, and exits with 3", async ({ place }) => {
    const { code, stderr } = await place.colos("ps");

    expect(code).toBe(3);
    expect(stderr).toContain("no daemon is running");
    expect(existsSync(place.home.root)).toBe(false);
  });
});
