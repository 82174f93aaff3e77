/**
 * A warm standby under a real daemon: who runs, who waits, and `kill -9` of the daemon at each step of a turn.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { instanceFolder } from "../src/daemon/home.ts";
import { livingRunsCount } from "../src/daemon/home-processes.ts";
import { needsLinux } from "./debian.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";
import { freePort } from "./system/free-port.ts";

const linux = needsLinux();

/** Its own code writes a line each time that it runs; the package that it imports does so too. */
const program = `
  import { appendFileSync } from "node:fs";
  import "ahead";
  appendFileSync(process.env.TURNS, process.env.COLOS_RUN + " " + process.pid + "\\n");
  console.log("up " + (process.env.COLOS_STANDBY ?? "no standby"));
  setInterval(() => {}, 1000);
`;
const aheadPackage = `
  const { appendFileSync } = require("node:fs");
  appendFileSync(process.env.TURNS + ".ahead", process.env.COLOS_RUN + "\\n");
`;

const linesOf = (file: string): readonly string[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];

/** A service with a standby, which waits. `turns` has a line for each run whose own code has run. */
async function standingBy(place: DaemonPlace, more: object = {}): Promise<{ readonly turns: () => readonly string[] }> {
  const turns = join(place.folder, "turns");
  place.write("node_modules/ahead/index.cjs", aheadPackage);
  place.write("node_modules/ahead/package.json", { name: "ahead", exports: "./index.cjs" });
  place.write("web.mjs", program);
  const web = { program: "web.mjs", standby: true, env: { TURNS: turns }, ready: { log: "up" }, ...more };
  place.config({ web });
  expect(await place.colos("up")).toMatchObject({ code: 0, stderr: "" });
  await standsBy(place);
  return { turns: () => linesOf(turns) };
}

/** The pid of who runs and of who waits, once it has loaded what it imports. */
async function standsBy(place: DaemonPlace): Promise<{ readonly current: number; readonly standby: number }> {
  return place.until(async () => {
    const { osPid, standbyOsPid, state } = (await place.instance("web")) ?? {};
    if (state !== "ready" || standbyOsPid === undefined) return undefined;
    return { current: Number(osPid), standby: Number(standbyOsPid) };
  });
}

/** The run of an OS process, by the files of its home. */
const runOf = (place: DaemonPlace, osPid: number): string =>
  readdirSync(place.home.runs)
    .find((name) => name.endsWith(".pid") && readFileSync(join(place.home.runs, name), "utf8").startsWith(`${osPid} `))!
    .slice(0, -".pid".length);

const journalSays = (place: DaemonPlace, type: string, run: string): boolean =>
  readFileSync(place.home.journal, "utf8")
    .split("\n")
    .some((line) => line.includes(`"type":"${type}"`) && line.includes(`"run":"${run}"`));

linux.describe("a warm standby", () => {
  test("has loaded what the program imports, runs none of its code before its turn, and takes over", async ({
    place,
  }) => {
    const { turns } = await standingBy(place);
    const { current, standby } = await standsBy(place);
    const waiting = runOf(place, standby);
    await place.until(() => (linesOf(join(place.folder, "turns.ahead")).includes(waiting) ? true : undefined));
    expect(turns()).toEqual([`web.1.1 ${current}`]);
    expect(readFileSync(join(instanceFolder(place.home, "web", 1), "standby"), "utf8")).toBe(`${standby}\n`);

    process.kill(current, "SIGKILL");
    const after = await place.until(async () => {
      const next = await standsBy(place);
      return next.current === standby ? next : undefined;
    });

    expect(turns()).toEqual([`web.1.1 ${current}`, `${waiting} ${standby}`]);
    expect(after.standby).not.toBe(standby);
    expect(await place.instance("web")).toMatchObject({ restartsCount: 1 });
    expect((await place.colos("tree")).stdout).toMatch(new RegExp(`${after.standby}: stands by: `));
    expect((await place.colos("show", "web")).stdout).toMatch(new RegExp(`standby +pid ${after.standby}\\n`));
    expect(livingRunsCount(place.home)).toBe(1);
    expect((await place.colos("logs", "web")).stdout).toBe("web | up no standby\nweb | up no standby\n");
  }, 60_000);

  test("shares the port, has its limits, and a reload loses nothing", async ({ place }) => {
    const port = await freePort();
    const server = `
      import { createServer } from "node:http";
      createServer((_, response) => response.end(String(process.pid))).listen(${port}, () => console.log("up"));
    `;
    place.write("web.mjs", server);
    const limits = { fdsMax: 100 };
    place.config({ web: { program: "web.mjs", standby: true, listen: port, ready: { log: "up" }, limits } });
    await place.colos("up");
    const { current, standby } = await standsBy(place);
    expect(readFileSync(`/proc/${standby}/limits`, "utf8")).toMatch(/Max open files\s+100 /);

    process.kill(current, "SIGKILL");
    const answer = await (await fetch(`http://127.0.0.1:${port}`)).text();
    expect(Number(answer)).toBe(standby);
    await standsBy(place);
    expect(await place.colos("reload", "web")).toMatchObject({ code: 0 });
    const after = await standsBy(place);
    expect([current, standby]).not.toContain(after.current);
  }, 60_000);

  test("is for commands that wait by themselves, too", async ({ place }) => {
    const web = {
      command: ["sh", "-c", 'test -z "$COLOS_STANDBY" || read -r go <&"$COLOS_STANDBY"; echo up; exec sleep 1000'],
    };
    place.config({ web: { ...web, standby: true, ready: { log: "up" } } });
    await place.colos("up");
    const { current, standby } = await standsBy(place);
    process.kill(current, "SIGKILL");
    await place.until(async () => ((await standsBy(place)).current === standby ? true : undefined));
  }, 60_000);

  test("runs as its service's user, and hears of its turn all the same", async ({ place, skip }) => {
    if (process.getuid?.() !== 0) skip("needs root");
    const command = ["sh", "-c", 'test -z "$COLOS_STANDBY" || read -r go <&"$COLOS_STANDBY"; id -u; exec sleep 1000'];
    place.config({ web: { command, cwd: "/", user: 65534, standby: true, ready: { log: "65534" } } });
    expect(await place.colos("up")).toMatchObject({ code: 0, stderr: "" });
    const { current, standby } = await standsBy(place);
    expect(readFileSync(`/proc/${standby}/status`, "utf8")).toMatch(/Uid:\t65534/);
    process.kill(current, "SIGKILL");
    await place.until(async () => ((await standsBy(place)).current === standby ? true : undefined));
  }, 60_000);

  test("ends with its service, and is there again with it", async ({ place }) => {
    const { turns } = await standingBy(place);
    const before = await standsBy(place);
    expect(await place.colos("stop", "web")).toMatchObject({ code: 0 });
    expect(existsSync(`/proc/${before.standby}`)).toBe(false);
    expect(existsSync(`/proc/${before.current}`)).toBe(false);
    await place.colos("start", "web");
    await standsBy(place);
    expect(turns().length).toBe(2);
  }, 60_000);

  test("that ends by itself is followed by another, and its service does not notice", async ({ place }) => {
    await standingBy(place);
    const before = await standsBy(place);
    process.kill(before.standby, "SIGKILL");
    const after = await place.until(async () => {
      const next = await standsBy(place);
      return next.standby === before.standby ? undefined : next;
    });
    expect(after.current).toBe(before.current);
    expect(await place.instance("web")).toMatchObject({ state: "ready", restartsCount: 0 });
  }, 60_000);

  test("is renewed by a restart, and takes over with the packages as they are then", async ({ place }) => {
    const { turns } = await standingBy(place);
    const before = await standsBy(place);
    const outdated = runOf(place, before.standby);
    const ahead = join(place.folder, "turns.ahead");
    await place.until(() => (linesOf(ahead).includes(outdated) ? true : undefined));
    place.write("node_modules/ahead/index.cjs", aheadPackage.replace('+ "\\n"', '+ " newer\\n"'));

    expect(await place.colos("restart", "web")).toMatchObject({ code: 0, stderr: "" });

    const after = await standsBy(place);
    const run = runOf(place, after.current);
    expect(turns()).toEqual([`web.1.1 ${before.current}`, `${run} ${after.current}`]);
    expect(linesOf(ahead)).toContain(`${run} newer`);
    expect(journalSays(place, "promoted", run)).toBe(true);
    expect(journalSays(place, "promoted", outdated)).toBe(false);
    expect(await place.instance("web")).toMatchObject({ state: "ready", restartsCount: 0 });
  }, 60_000);
});

interface Step {
  readonly when: string;
  /** `run` is who ends, `next` who waits. */
  isReached(place: DaemonPlace, run: string, next: string): boolean;
}

/** The steps of a turn, and how one sees that each is reached. */
const steps: readonly Step[] = [
  { when: "nobody has seen the end", isReached: () => true },
  {
    when: "the end is written down",
    // Its file is removed soon after the journal has it.
    isReached: (place, run) => existsSync(join(place.home.runs, `${run}.exit`)) || journalSays(place, "ended", run),
  },
  { when: "the journal has the end", isReached: (place, run) => journalSays(place, "ended", run) },
  {
    when: "the turn has come on disk",
    isReached: ({ home }, _, next) => !existsSync(join(home.runs, `${next}.standby`)),
  },
  { when: "the turn has come in the journal", isReached: (place, _, next) => journalSays(place, "promoted", next) },
  {
    when: "the standby has begun",
    isReached: ({ folder }, _, next) => linesOf(join(folder, "turns")).some((line) => line.startsWith(next)),
  },
  { when: "the standby is ready", isReached: (place, _, next) => journalSays(place, "ready", next) },
];

linux.describe("kill -9 of the daemon", () => {
  test.for(steps)(
    "when $when: the standby takes over once, and nothing else does",
    { timeout: 60_000 },
    async ({ isReached }, { place }) => {
      const { turns } = await standingBy(place);
      const { current, standby } = await standsBy(place);
      const [run, next] = [runOf(place, current), runOf(place, standby)];
      const daemon = place.daemonPid();

      process.kill(current, "SIGKILL");
      await place.until(() => (isReached(place, run, next) ? true : undefined));
      process.kill(daemon, "SIGKILL");
      const after = await place.until(async () => {
        if ((await place.colos("ps", "--quiet")).code !== 0 || place.daemonPid() === daemon) return undefined;
        return standsBy(place);
      });

      expect(after.current).toBe(standby);
      expect(turns()).toEqual([`web.1.1 ${current}`, `${next} ${standby}`]);
      expect(await place.instance("web")).toMatchObject({ state: "ready", restartsCount: 1 });
    },
  );
});
