/**
 * The daemon as a person meets it: the built command, a home of its own, real OS processes, and `kill -9`. What only one part
 * of it does is tested with that part.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { managerClient } from "../src/control/manager-client.ts";
import type { ManagerError } from "../src/control/manager.ts";
import { findHeart } from "../src/daemon/boot/heart.ts";
import { instanceFolder } from "../src/daemon/home.ts";
import { unixHttp } from "../src/platforms/node/unix-http.ts";
import { needsLinux, needsProgram } from "./debian.ts";
import { Load } from "./system/load.ts";
import { freePort } from "./system/place.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";
import { gone, osProcessesOf } from "./system/os-processes.ts";

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

    const stateOf = (name: string): string =>
      readFileSync(join(instanceFolder(place.home, name, 1), "state"), "utf8").trim();
    expect(await place.instance("gone")).toBeUndefined();
    await place.until(() => (stateOf("gone") === "removed" ? true : undefined));
    expect(stateOf("kept")).toBe("ready");
    expect((await place.colos("logs")).stdout).not.toContain("gone");
    expect((await place.colos("logs", "gone")).stdout).toBe("gone | up\n");
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

  test("each crash is told to the hook, with how and with what the run wrote", async ({ place }) => {
    const told = join(place.folder, "told");
    const words =
      "$COLOS_SERVICE $COLOS_INSTANCE $COLOS_EVENT $COLOS_EXIT_CODE$COLOS_EXIT_SIGNAL $COLOS_RESTARTS $COLOS_STDERR";
    const onCrash = ["sh", "-c", `echo "${words}" >>${told}.new; mv ${told}.new ${told}`];
    place.config({ web: { command: ["sh", "-c", "echo up; echo no disk >&2; exec sleep 1000"], ready, onCrash } });
    expect(await place.colos("up")).toMatchObject({ code: 0, stderr: "" });
    process.kill(await osPidOf(place, "web"), "SIGKILL");
    await place.until(() => (existsSync(told) ? true : undefined));

    expect(readFileSync(told, "utf8")).toBe("web 1 crash SIGKILL 1 no disk\n");
    expect((await place.colos("show", "web")).stdout).toMatch(/on crash +sh -c/);
  });

  test("what was stopped is started by up, and plan says so", async ({ place }) => {
    place.config({ one: { command: staying, ready }, off: { command: staying, autostart: false } });
    await place.colos("up");
    await place.colos("stop", "one");

    const plan = await place.colos("plan", "--check");
    const up = await place.colos("up");

    expect(plan).toMatchObject({ code: 6, stdout: "~ one: starts\n" });
    expect(up.stdout).toContain("~ one: starts");
    expect((await place.instance("one"))?.["state"]).toBe("ready");
    expect((await place.instance("off"))?.["state"]).toBe("stopped");

    await place.colos("down");
    const again = await place.colos("up");
    expect(again.stdout).toContain("~ one: starts");
    expect(again.stdout).toMatch(/^colos: 1 ready, 1 stopped, after /m);
  });

  test("ps shows what each wrote last, and why what the run that failed said", async ({ place }) => {
    const dying = "require('net').createServer().listen('/nowhere/socket')";
    place.config({
      calm: { command: ["sh", "-c", "echo one; echo two; echo; exec sleep 1000"], ready: { log: "two" } },
      wrong: { command: [process.execPath, "-e", dying], maxRestarts: 0 },
    });
    const up = await place.colos("up");
    const why = await place.colos("why", "wrong");
    const [calm, wrong] = [await place.instance("calm"), await place.instance("wrong")];
    place.config({ wrong: { command: ["sleep", "1000"], secrets: { KEY: { file: "nowhere" } }, maxRestarts: 0 } });
    const again = await place.colos("up");

    expect(up.stderr).toMatch(/ {2}\| Error: listen .*nowhere/);
    expect(up.stderr).not.toContain("node:internal");
    expect(calm).toHaveProperty("lastLogLine", "two");
    expect(wrong).toHaveProperty("lastLogLine", expect.stringMatching(/^Error: listen/));
    expect(why.stdout).toMatch(/it said: Error: listen .*\/nowhere\/socket/);
    expect(again.stderr).toContain("the secret KEY");
    expect(again.stderr).not.toContain("Error");
    await place.colos("stop", "all");
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

    const second = spawnSync(process.execPath, ["dist/daemon-entry.cjs", place.home.root], { encoding: "utf8" });

    expect(second.status).toBe(5);
    expect(second.stderr).toContain(`a daemon (OS process ${place.daemonPid()}) runs in ${place.home.root} already`);
  });
});

linux.describe("colos down", () => {
  test("leaves nothing that runs, and nobody who writes: the home can be removed at once", async ({ place }) => {
    const busy = ["sh", "-c", "echo up; while :; do echo more; sleep 0.01; done"];
    place.config({ web: { command: busy, ready, instances: 2 }, other: { command: staying, ready } });
    await place.colos("up");

    expect(await place.colos("down")).toMatchObject({ code: 0, stderr: "" });
    const left = osProcessesOf(place);
    rmSync(place.home.root, { recursive: true });

    expect(left).toEqual([]);
    expect(existsSync(place.home.root)).toBe(false);
  });
});

linux.describe("a system that was stopped", () => {
  test("a daemon that is killed in the middle of down is followed by one that ends it", async ({ place }) => {
    const may = place.write("may", "");
    const command = ["sh", "-c", `trap '' TERM; echo up; while [ ! -s ${may} ]; do sleep 0.02; done`];
    place.config({ slow: { command, ready, shutdown: "1h" }, quick: { command: staying, ready } });
    await place.colos("up");
    const down = place.colos("down");
    await place.until(async () => ((await place.instance("quick"))?.["state"] === "stopped" ? true : undefined));

    await killDaemon(place);
    expect(await place.instance("quick")).toMatchObject({ state: "stopped", restartsCount: 0 });
    expect(await place.instance("slow")).toMatchObject({ state: "stopping" });
    place.write("may", "end");
    await place.until(() => (osProcessesOf(place).length === 0 ? true : undefined));

    expect((await down).code).not.toBe(0);
  });

  test("starts nothing of the old config when another one is applied", async ({ place }) => {
    place.config({ old: { command: staying, ready } });
    await place.colos("up");
    await place.colos("down");
    place.config({ young: { command: staying, ready } });

    expect(await place.colos("up")).toMatchObject({ code: 0 });

    const { stdout } = await place.colos("logs", "old", "--quiet");
    expect(stdout.match(/^up$/gm)).toHaveLength(1);
  });
});

linux.describe("what whoever starts a daemon has", () => {
  test("of it, the daemon, its heart and the recorder get nothing that was meant for one OS process", async ({
    place,
  }) => {
    place.config({ web: { command: staying, ready } });
    const personal = { COLOS_RUN: "web.1.1", LISTEN_FDS: "1", LISTEN_PID: "1", NOTIFY_SOCKET: "/nowhere" };
    await place.colosWith(personal, "up");
    const recorder = Number(readFileSync(join(place.home.root, "recorder.lock"), "utf8").split("\n")[0]);
    const heart = await place.until(() => findHeart(place.home)?.osPid);

    for (const osPid of [place.daemonPid(), heart, recorder]) {
      const names = variablesOf(osPid);
      expect(names).toContain("PATH");
      for (const name of Object.keys(personal)) expect(names).not.toContain(name);
    }
  });
});

linux.describe("the allocator's settings", () => {
  test("are the daemon's alone, also when its heart has started it; a person's own go before", async ({ place }) => {
    place.config({ web: { command: staying, ready } });
    await place.colos("up");
    const first = place.daemonPid();
    const web = async (): Promise<number> => Number((await place.instance("web"))?.["osPid"]);
    expect(variablesOf(first)).toContain("GLIBC_TUNABLES");
    expect(variablesOf(await web())).not.toContain("GLIBC_TUNABLES");
    process.kill(first, "SIGKILL");
    const second = await place.until(() => (place.daemonPid() === first ? undefined : place.daemonPid()));
    expect(variablesOf(second)).toContain("GLIBC_TUNABLES");
    await place.colos("restart", "web");
    expect(variablesOf(await web())).not.toContain("GLIBC_TUNABLES");
    await place.colos("down");

    const own = "glibc.malloc.arena_max=2";
    await place.colosWith({ GLIBC_TUNABLES: own }, "up");
    expect(readFileSync(`/proc/${place.daemonPid()}/environ`, "utf8")).toContain(`GLIBC_TUNABLES=${own}\0`);
  });
});

/** The names of the variables that an OS process was started with. */
function variablesOf(osPid: number): string[] {
  const names = readFileSync(`/proc/${osPid}/environ`, "utf8").split("\0");
  return names.map((each) => each.split("=")[0]!);
}

linux.describe("a home that takes no daemon", () => {
  test("is refused with a sentence and exit code 5: where no folder can be", async ({ place }) => {
    place.config({ web: { command: staying } });

    const { code, stderr } = await place.colos("up", "--home", "/proc/nope");

    expect(code).toBe(5);
    expect(stderr).toContain("/proc/nope cannot be made: this file system takes no folders");
  });

  test("is refused with a sentence and exit code 5: when it is open to others", async ({ place }) => {
    place.config({ web: { command: staying } });
    mkdirSync(place.home.root, { mode: 0o700 });
    chmodSync(place.home.root, 0o755);

    const { code, stderr } = await place.colos("up");

    expect(code).toBe(5);
    expect(stderr).toBe(
      `colos: ${place.home.root} is open to other users; close it with chmod 700 ${place.home.root}\n`,
    );
  });

  test("is refused with a sentence and exit code 5: when another daemon has it and does not answer", async ({
    place,
  }) => {
    place.config({ web: { command: staying } });
    await place.colos("up");
    const { controlSocket, root } = place.home;
    renameSync(controlSocket, `${controlSocket}.away`);

    const { code, stderr } = await place.colos("up");
    renameSync(`${controlSocket}.away`, controlSocket);

    expect(code).toBe(5);
    expect(stderr).toBe(`colos: a daemon (OS process ${place.daemonPid()}) runs in ${root} already\n`);
  }, 60_000);

  test("says in a sentence that its journal is damaged, and no heart tries it again", async ({ place }) => {
    place.config({ web: { command: staying } });
    await place.colos("up");
    await place.colos("down");
    const lines = readFileSync(place.home.journal, "utf8").split("\n");
    writeFileSync(place.home.journal, [lines[0], "damaged", ...lines.slice(2)].join("\n"));

    const { code, stderr } = await place.colos("up");

    expect(code).toBe(1);
    expect(stderr).toContain("is damaged in line 2");
    expect(stderr).not.toMatch(/^\s*\|?\s*at /m);
    expect(findHeart(place.home)).toBeUndefined();
  });
});

linux.describe("a first up that is refused", () => {
  const refused = { web: { command: staying, user: "nobody-has-this-name" } };

  test("leaves no daemon behind, and says so", async ({ place }) => {
    place.config(refused);

    const { code, stderr, stdout } = await place.colos("up");
    const after = osProcessesOf(place);

    expect([code, after]).toEqual([5, []]);
    expect(stderr).toContain("nobody-has-this-name");
    expect(stdout).toContain("the daemon has ended again");
    expect((await place.colos("ps")).code).toBe(3);
  });

  test("ends no daemon that somebody else has given something meanwhile, or is about to", async ({ place }) => {
    const good = place.write("good.json", { services: { web: { command: staying, ready } } });
    const bad = place.write("bad.json", { services: refused });
    for (let round = 0; round < 4; round++) {
      const all = [bad, good, bad].map((config) => place.colos("up", config));
      const [first, second, third] = await Promise.all(all);

      expect([first?.code, third?.code]).toEqual([5, 5]);
      expect(second).toMatchObject({ code: 0, stderr: "" });
      expect((await place.instance("web"))?.["state"]).toBe("ready");
      expect((await place.colos("down")).code).toBe(0);
    }
  }, 60_000);
});

linux.describe("a plan", () => {
  test("that no machine could run is bad input, also when only its changes are asked for", async ({ place }) => {
    place.config({ web: { command: staying, ready } });
    await place.colos("up");
    const client = managerClient(unixHttp(place.home.controlSocket));
    const { plan } = await client.show({ name: "web" });
    const dependsOn = [{ name: "nobody", condition: "ready" as const, onEnd: "ignore" as const }];
    const input = { plan: { services: [{ ...plan, dependsOn }] }, env: {}, source: "test" };

    for (const asked of [client.preview(input), client.apply(input)]) {
      const error = (await asked.catch((refused: unknown) => refused)) as ManagerError;
      expect(error).toMatchObject({ code: "invalid", message: expect.stringContaining("nobody") as unknown });
    }
  });

  test("a socket that no plan wants is let go by the next daemon, whoever opened it", async ({ place }) => {
    place.config({ web: { command: staying, ready } });
    await place.colos("up");
    const heart = await place.until(() => findHeart(place.home)?.osPid);
    process.kill(heart, "SIGKILL");
    process.kill(place.daemonPid(), "SIGKILL");
    const port = await freePort();
    const files = [join(place.home.runs, `hold-${port}-127.0.0.1`), join(place.home.pipes, `${port}-127.0.0.1.hold`)];
    const holder = spawn("/bin/sh", [join(place.home.root, "shim"), "hold", ...files], { stdio: "ignore" });
    await place.until(() => (existsSync(files[0]!) && statSync(files[0]!).size > 0 ? true : undefined));

    expect(await place.colos("up")).toMatchObject({ code: 0 });
    await gone(holder.pid!);

    expect(existsSync(files[0]!)).toBe(false);
  });
});

linux.describe("a secret", () => {
  test("is looked up once for a run, however often it is checked", async ({ place }) => {
    const count = place.write("count", "");
    const secrets = { KEY: { exec: ["sh", "-c", `echo asked >>${count}; echo value`] } };
    const probe = place.write("probe", "");
    const check = ["sh", "-c", `test "$KEY" = value && echo checked >>${probe}`];
    const live = { exec: check, everyMs: 50 };
    place.config({ web: { command: staying, ready: { exec: check }, live, secrets } });

    expect(await place.colos("up")).toMatchObject({ code: 0, stderr: "" });
    await place.until(() => (readFileSync(probe, "utf8").split("\n").length > 5 ? true : undefined));

    expect(readFileSync(count, "utf8")).toBe("asked\n");
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

/** Why a connection is refused; undefined when it is not. */
function errorOf(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error) => resolve((error as NodeJS.ErrnoException).code));
  });
}

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

  test("the port of a service that somebody stopped refuses connections, and is there again after a start", async ({
    place,
  }) => {
    const port = await freePort();
    place.write("api.ts", serverProgram);
    place.config(api(port, "1"));
    await place.colos("up");

    await place.colos("stop", "api");
    expect(await place.until(async () => ((await errorOf(port)) === "ECONNREFUSED" ? true : undefined))).toBe(true);

    expect(await place.colos("start", "api")).toMatchObject({ code: 0 });
    expect(await errorOf(port)).toBeUndefined();
  }, 60_000);

  test("a line of the old version does not make the new one ready", async ({ place }) => {
    const port = await freePort();
    place.write("talks.mjs", 'setInterval(() => console.log("up"), 5)');
    place.write("silent.mjs", "setInterval(() => {}, 1000)");
    const web = { listen: port, ready: { log: "up", timeoutMs: 1500 }, shutdown: "brutal" };
    place.config({ web: { ...web, program: "talks.mjs" } });
    expect(await place.colos("up")).toMatchObject({ code: 0, stderr: "" });
    const before = await osPidOf(place, "web");
    place.config({ web: { ...web, program: "silent.mjs" } });

    const { code, stderr } = await place.colos("up");

    expect(code).toBe(1);
    expect(stderr).toContain('no line of the log contained "up" within 1500 ms');
    expect(await place.instance("web")).toMatchObject({ state: "ready", osPid: before });
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

linux.describe("a recorder that cannot write", () => {
  test("is an alarm in ps and a cause in why, for as long as it lasts", async ({ place }) => {
    place.config({ web: { command: staying }, other: { command: staying } });
    const inTheWay = place.write("home/services/web/1/log", "");
    for (const folder of [place.home.root, place.home.services]) chmodSync(folder, 0o700);

    await place.colos("up");
    // Commands over and over would take the machine from the daemon that they wait for.
    const client = managerClient(unixHttp(place.home.controlSocket));
    const alarms = async (): Promise<readonly string[]> => (await client.list()).daemon.alarms ?? [];
    const why = async (name: string): Promise<string> => JSON.stringify(await client.why({ name }));
    await place.until(async () => (await alarms()).find((sentence) => sentence.includes("web/1/log")));
    const [ps, ofWeb] = await Promise.all([place.colos("ps"), place.colos("why", "web")]);
    expect(ps.stdout).toMatch(/^! .*web\/1\/log.*; trying again until it works$/m);
    expect(ofWeb.stdout).toContain("trying again until it works");
    expect(await why("other")).not.toContain("trying again");

    rmSync(inTheWay);
    await place.until(async () => ((await alarms()).length === 0 ? true : undefined));
    expect(await why("web")).not.toContain("trying again");
  });
});

linux.describe("daemon and heart both killed", () => {
  async function killBoth(place: DaemonPlace): Promise<void> {
    place.config({ web: { command: staying, ready, instances: 2 } });
    await place.colos("up");
    const heart = await place.until(() => findHeart(place.home)?.osPid);
    const daemon = place.daemonPid();
    process.kill(-heart, "SIGKILL");
    process.kill(daemon, "SIGKILL");
    await gone(heart, daemon);
  }

  test("ps says what runs on, and up takes it over", async ({ place }) => {
    await killBoth(place);

    const { code, stderr } = await place.colos("ps");
    expect(code).toBe(3);
    expect(stderr).toContain(`no daemon is running in ${place.home.root}, but 2 services run on`);

    expect((await place.colos("up")).stdout).toContain("nothing changed; 2 ready");
  });

  test("down stops what runs on", async ({ place }) => {
    await killBoth(place);

    expect(await place.colos("down")).toMatchObject({ code: 0, stderr: "" });
    expect(osProcessesOf(place)).toEqual([]);
  });
});

linux.describe("a daemon that is being started again by its heart", () => {
  test("is waited for", async ({ place }) => {
    place.config({ web: { command: staying, ready } });
    await place.colos("up");
    await place.until(() => findHeart(place.home));
    process.kill(place.daemonPid(), "SIGKILL");

    expect(await place.colos("ps", "--quiet")).toEqual({ code: 0, stdout: "web\n", stderr: "" });
  });
});

/** Gives a program a terminal. */
const terminal = needsProgram("script", "bsdutils");

terminal.describe("a daemon that is frozen", () => {
  test("is told of on a terminal while a verb waits for it, and nowhere else", async ({ place }) => {
    place.config({ web: { command: staying, ready } });
    await place.colos("up");
    const osPid = place.daemonPid();
    process.kill(osPid, "SIGSTOP");
    const piped = place.colos("ps", "--json");
    const screen = place.onTerminal("ps");

    await place.until(() => (screen.text.includes("has not answered since") ? true : undefined));
    process.kill(osPid, "SIGCONT");

    expect(await screen.code).toBe(0);
    expect(screen.text).toMatch(
      /^colos: the daemon has not answered since \d\d:\d\d:\d\d, and is waited for; its heart puts/,
    );
    expect(screen.text.match(/has not answered/g)).toHaveLength(1);
    expect(screen.text).toMatch(/^web +ready/m);
    expect(await piped).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\{.*\}\n$/) as unknown });
    expect(place.daemonPid()).toBe(osPid);
  });
});

describe("without a daemon", () => {
  test("reading starts none, says so, and exits with 3", async ({ place }) => {
    const { code, stderr } = await place.colos("ps");

    expect(code).toBe(3);
    expect(stderr).toContain("no daemon is running");
    expect(existsSync(place.home.root)).toBe(false);
  });
});
