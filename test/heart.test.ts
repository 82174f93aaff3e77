import { build } from "esbuild";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findHeart } from "../src/daemon/boot/heart.ts";
import { homeAt, type Home } from "../src/daemon/home.ts";
import { identityOfLines, isAlive } from "../src/daemon/os-identity.ts";
import { allStats } from "../src/os/process-sample.ts";
import type { OsIdentity } from "../src/daemon/run/run.ts";
import { gone, isRunning } from "./system/os-processes.ts";
import { turn } from "./system/turn.ts";

let programs: string;
let program: string;
let home: Home;

beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), "colos-heart-program-"));
  program = join(programs, "daemon.mjs");
  const entryPoints = [join(import.meta.dirname, "programs/heart-daemon.ts")];
  await build({ entryPoints, outfile: program, bundle: true, platform: "node", format: "esm", logLevel: "error" });
});

afterAll(() => rmSync(programs, { recursive: true }));

beforeEach(() => {
  home = homeAt(realpathSync(mkdtempSync(join(tmpdir(), "colos-heart-"))));
});

afterEach(async () => {
  writeFileSync(join(home.root, "heart/rest"), "down\n");
  const heart = findHeart(home);
  if (heart !== undefined) await kill(heart);
  // A daemon that the heart was starting has named itself by now, or does soon.
  for (const osPid of osProcessesOfHome()) process.kill(osPid, "SIGKILL");
  await gone(...osProcessesOfHome());
  rmSync(home.root, { recursive: true });
});

/** Those whose arguments name this home. */
function osProcessesOfHome(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter(
      (pid) =>
        Number.isInteger(pid) && pid !== process.pid && text(`/proc/${pid}/cmdline`).split("\0").includes(home.root),
    );
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function until<T>(find: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    await turn();
  }
}

function daemon(): OsIdentity | undefined {
  const identity = identityOfLines(text(home.daemon));
  return identity !== undefined && isAlive(identity) ? identity : undefined;
}

function heartLog(): string {
  return text(join(home.log, "heart"));
}

/** A daemon that was started by hand, and its heart, once they have spoken with each other. */
async function startDaemon(): Promise<{ readonly first: OsIdentity; readonly heart: OsIdentity }> {
  spawn(process.execPath, [program, home.root], { detached: true, stdio: "ignore" });
  const first = await until(daemon);
  const heart = await until(() => findHeart(home));
  await answered();
  return { first, heart };
}

/** The heart has been answered once from now on. */
async function answered(): Promise<void> {
  const before = text(join(home.root, "heart/answer")).trim();
  await until(() => text(join(home.root, "heart/answer")).trim() !== before);
}

async function kill({ osPid }: OsIdentity): Promise<void> {
  process.kill(osPid, "SIGKILL");
  await gone(osPid);
}

function other(than: OsIdentity): Promise<OsIdentity> {
  return until(() => {
    const now = daemon();
    return now !== undefined && now.osPid !== than.osPid && now;
  });
}

describe("heart", () => {
  test("a daemon that was killed is started again, and adopts the heart", async () => {
    const { first, heart } = await startDaemon();

    await kill(first);
    const second = await other(first);
    await answered();

    expect(findHeart(home)).toEqual(heart);
    expect(heartLog()).toMatch(/^\S+Z no daemon lives: one is started \(OS process \d+\)$/m);
    expect(heartLog()).toContain(`(OS process ${second.osPid})`);
  });

  test("a daemon that is frozen is killed and started again", async () => {
    const { first } = await startDaemon();

    process.kill(first.osPid, "SIGSTOP");
    await other(first);

    expect(isAlive(first)).toBe(false);
    expect(heartLog()).toContain(
      `the daemon (OS process ${first.osPid}) has not answered 3 times, 500 ms each: it is killed`,
    );
  });

  test("a daemon that always ends is started no more than so often, then slowly, and its status is told", async () => {
    const { first } = await startDaemon();

    writeFileSync(join(home.root, "ends"), "");
    await kill(first);
    await until(() => heartLog().includes("from now on"));

    expect(heartLog().match(/no daemon lives/g)).toHaveLength(3);
    expect(heartLog()).toMatch(/has ended with exit status 3$/m);
    expect(heartLog()).toContain("3 starts within 600000 ms are enough: from now on one every 600000 ms");
    expect(text(join(home.log, "daemon"))).toBe("this daemon cannot live\n".repeat(3));
  });

  test("a heart that was killed is started again by the daemon", async () => {
    const { first, heart } = await startDaemon();

    await kill(heart);
    const second = await until(() => findHeart(home));
    await answered();

    expect(second).not.toEqual(heart);
    expect(daemon()).toEqual(first);
    expect(text(join(home.root, "note"))).toContain(
      "the heart, which starts the daemon again when it dies, has died itself",
    );
  });

  test("a heart that was killed with the daemon is started by the next daemon", async () => {
    const { first, heart } = await startDaemon();

    await Promise.all([kill(heart), kill(first)]);
    const next = await startDaemon();

    expect(next.heart).not.toEqual(heart);
  });

  test("after a planned end nothing is started, and the heart ends too", async () => {
    const { first, heart } = await startDaemon();

    process.kill(first.osPid, "SIGTERM");
    await gone(first.osPid, heart.osPid);

    expect(heartLog()).toBe("");
    expect(existsSync(join(home.root, "heart/pid"))).toBe(false);
  });

  test("it and what it waits with are ended when the daemon is, also when they cannot look any more", async () => {
    const { first, heart } = await startDaemon();
    const paused = await until(() => {
      const members = [...allStats()].filter(({ group }) => group === heart.osPid);
      return members.find(({ pid }) => pid !== heart.osPid)?.pid;
    });

    process.kill(-heart.osPid, "SIGSTOP");
    process.kill(first.osPid, "SIGTERM");

    await gone(first.osPid, heart.osPid, paused);
  });

  test("a short line of ps says whose it is", async () => {
    const { heart } = await startDaemon();

    const [shell, script, root] = text(`/proc/${heart.osPid}/cmdline`).split("\0");

    expect([shell, script, root]).toEqual(["/bin/sh", join(home.root, "heart/script"), home.root]);
    expect(text(`/proc/${heart.osPid}/cmdline`).length).toBeLessThan(300);
  });

  test("it ends when its home is gone, or another one stands at the same path", async () => {
    const { first, heart } = await startDaemon();
    process.kill(first.osPid, "SIGSTOP");
    renameSync(home.root, `${home.root}.old`);
    mkdirSync(join(home.root, "heart"), { recursive: true });

    await gone(heart.osPid);

    expect(isRunning(first.osPid)).toBe(true);
    process.kill(first.osPid, "SIGKILL");
    await gone(first.osPid);
    rmSync(`${home.root}.old`, { recursive: true });
  });

  test("in a hand-over nothing is started until its time is over", async () => {
    const { first } = await startDaemon();

    process.kill(first.osPid, "SIGUSR2");
    await gone(first.osPid);
    const end = Number(text(join(home.root, "heart/rest")).split(" ")[1]);
    await other(first);

    expect(Number(text("/proc/uptime").split(" ")[0]) * 1_000).toBeGreaterThanOrEqual(end);
    await until(() => !existsSync(join(home.root, "heart/rest")));
  });

  test("a heart whose files were removed asks and is answered in new ones", async () => {
    const { first } = await startDaemon();

    unlinkSync(join(home.root, "heart/ask"));
    unlinkSync(join(home.root, "heart/answer"));
    await until(() => existsSync(join(home.root, "heart/answer")));
    await answered();

    expect(daemon()).toEqual(first);
  });

  test("who has the pid of a dead daemon is not killed", async () => {
    const { first, heart } = await startDaemon();
    const bystander = spawn("/bin/sh", ["-c", "read -r _"], { stdio: ["pipe", "ignore", "ignore"] });
    const { osPid, bootId } = { ...first, osPid: bystander.pid! };

    process.kill(heart.osPid, "SIGSTOP");
    await kill(first);
    writeFileSync(home.daemon, `${osPid}\n1\n${bootId}\n`);
    process.kill(heart.osPid, "SIGCONT");
    await until(daemon);

    expect(isRunning(osPid)).toBe(true);
    bystander.stdin.end();
    await gone(osPid);
  });

  test("a time in which the heart itself stood still says nothing about the daemon", async () => {
    const { first, heart } = await startDaemon();

    // As when the machine sleeps again and again: each round of the heart ends late, and the daemon had no time in it.
    process.kill(first.osPid, "SIGSTOP");
    for (let round = 0; round < 5; round += 1) {
      process.kill(heart.osPid, "SIGSTOP");
      const late = uptimeMs() + 1_200;
      await until(() => uptimeMs() > late);
      process.kill(heart.osPid, "SIGCONT");
      await asked();
    }
    process.kill(first.osPid, "SIGCONT");
    await answered();

    expect(daemon()).toEqual(first);
    expect(heartLog()).toBe("");
  });

  test("it takes little memory", async () => {
    const { heart } = await startDaemon();

    const kibibytes = /^Pss_Anon:\s+(\d+) kB$/m.exec(text(`/proc/${heart.osPid}/smaps_rollup`))?.[1];
    expect(Number(kibibytes)).toBeLessThan(1_024);
    expect(statSync(join(home.root, "heart/ask")).size).toBe(31);
  });
});

function uptimeMs(): number {
  return Number(text("/proc/uptime").split(" ")[0]) * 1_000;
}

/** The heart has put a new token. */
async function asked(): Promise<void> {
  const before = text(join(home.root, "heart/ask")).trim();
  await until(() => text(join(home.root, "heart/ask")).trim() !== before);
}
