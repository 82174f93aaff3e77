/** Limits: runs that are held for real, by what this machine has: rlimits, another user, groups of the kernel. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, type TestContext } from "vitest";
import { needsLinux, needsProgram } from "../../../test/debian.ts";
import { newHome, openTestRuns, shellSpec, specOf } from "../../../test/run-home.ts";
import { turn } from "../../../test/system/turn.ts";
import { nodePlatform } from "../../platforms/node/node-platform.ts";
import { RunStartError, type RunSpec } from "../run/run.ts";
import { Cgroups } from "./cgroup.ts";
import { identityHost, type IdentityHost } from "./identity.ts";
import { isOfColos, Limits, openLimits, unlimitedStatus, type LimitsOptions } from "./limits.ts";

const options: LimitsOptions = {
  home: "/home/a",
  clock: nodePlatform().clock,
  membersOf: () => new Map(),
  onExceeded: () => undefined,
  onNotice: () => undefined,
};
/** No group of version 2, whatever this machine has. */
const bare = { absent: "cgroup v2 is not mounted" };
const person: IdentityHost = { userId: 1000, groupId: 1000, may: () => false, changer: undefined, nicePath: undefined };
/** Nobody else runs as this user, so its OS processes are those of one test. */
const strangerId = 4_242_000 + (process.pid % 1000);

async function bareLimits(): Promise<Limits> {
  return new Limits({ ...options, fdsHardMax: Infinity }, await identityHost(), bare);
}

/** What a run wrote and how it ended. */
async function outcome(script: string, difference: Partial<RunSpec>) {
  const limits = await bareLimits();
  const home = newHome();
  const { runs, recorder, end } = openTestRuns(home, { prepare: (spec) => limits.prepare(spec) });
  await runs.start(shellSpec(home, "web.1.1", script, difference));
  const { code, signal } = await end("web.1.1");
  return { code, signal, ...recorder.textOf("web.1.1") };
}

function needsRoot(context: TestContext): void {
  if (process.geteuid?.() !== 0) context.skip("needs root");
}

needsLinux().describe("limits: file descriptors", () => {
  test("each OS process of the run has so many, and cannot get more", async () => {
    const { code, stdout } = await outcome("ulimit -n; ulimit -Hn; sh -c 'ulimit -n'", { limits: { fdsMax: 64 } });

    expect({ code, stdout }).toEqual({ code: 0, stdout: "64\n64\n64\n" });
  });

  test("a program that opens more is refused by the OS kernel", async () => {
    const opens = `const fs = require("fs"); let n = 0; try { for (;;) { fs.openSync("/dev/null"); n++; } } catch (e) { console.log(e.code, n < 40); }`;
    const home = newHome();
    const limits = await bareLimits();
    const { runs, recorder, end } = openTestRuns(home, { prepare: (spec) => limits.prepare(spec) });

    await runs.start(specOf(home, "web.1.1", { argv: [process.execPath, "-e", opens], limits: { fdsMax: 40 } }));
    await end("web.1.1");

    expect(recorder.textOf("web.1.1").stdout).toBe("EMFILE true\n");
  });

  test("a limit that the shell cannot set ends the run before it begins", async () => {
    const { code, stdout, stderr } = await outcome("echo began", { limits: { fdsMax: 2 ** 40 } });

    expect({ code, stdout }).toEqual({ code: unlimitedStatus, stdout: "" });
    expect(stderr).toContain("colos: limits.fdsMax could not be set, so it does not run");
  });
});

needsProgram("setpriv", "util-linux").describe("limits: another user", () => {
  test("it has the user's numbers and groups, and its output stays writable by name", async (context) => {
    needsRoot(context);
    const script = "id -u; id -g; id -G; echo anew >/dev/stdout; echo anew >/dev/stderr";

    const { code, stdout, stderr } = await outcome(script, { user: "nobody", group: 7, cwd: "/" });

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "65534\n7\n7 65534\nanew\n", stderr: "anew\n" });
  });

  test("it cannot become root again", async (context) => {
    needsRoot(context);

    const { code } = await outcome("exec setpriv --reuid=0 true", { user: "nobody" });

    expect(code).not.toBe(0);
  });

  test("a fork loop ends at pidsMax", async (context) => {
    needsRoot(context);
    const script = "n=0; while [ $n -lt 50 ]; do sleep 100 & n=$((n + 1)); echo $n; done";

    const { code, stdout, stderr } = await outcome(script, {
      user: strangerId,
      group: strangerId,
      limits: { pidsMax: 6 },
    });

    expect(code).not.toBe(0);
    expect(stderr).toMatch(/fork/i);
    expect(stdout.trim().split("\n").length).toBeLessThanOrEqual(6);
  });
});

needsLinux().describe("limits: whose OS processes may be moved", () => {
  /** The child of a shell that is called so; the shell is nobody's child any more. */
  function childOf(name: string, env: Readonly<Record<string, string>> = {}): number {
    const script = "env -i sleep 1000 >/dev/null & echo $!; wait";
    const { stdout } = spawnSync(
      "sh",
      ["-c", 'exec 3>&1; setsid sh -c "$1" "$0" 3>&- | { read -r pid; echo "$pid" >&3; } &', name, script],
      {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], ...env },
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    const osPid = Number(stdout);
    onTestFinished(() => void process.kill(osPid));
    return osPid;
  }

  test("what one of the home has started, such as the sleep of a heart", () => {
    expect(isOfColos(childOf("/home/a/heart/script"), "/home/a")).toBe(true);
  });

  test("what a run has started", () => {
    expect(isOfColos(childOf("a service", { COLOS_RUN: "web.1.1" }), "/home/a")).toBe(true);
  });

  test("who has ended by now is in nobody's way", () => {
    expect(isOfColos(2 ** 22 + 1, "/home/a")).toBe(true);
  });

  test("nobody else, also who knows where the home is", () => {
    const others = [childOf("/home/b/heart/script"), childOf("a shell", { COLOS_HOME: "/home/a" }), 1];

    expect(others.map((osPid) => isOfColos(osPid, "/home/a"))).toEqual([false, false, false]);
  });
});

needsLinux().describe("limits: nice", () => {
  test("the run and its children have the value", async () => {
    const { stdout } = await outcome("nice; sh -c nice", { nice: 7 });

    expect(stdout).toBe("7\n7\n");
  });
});

describe("limits: refused before the start", () => {
  test("every reason is one sentence, and nothing runs", async () => {
    const limits = new Limits({ ...options, fdsHardMax: 100 }, person, bare);
    const home = newHome();
    const { runs } = openTestRuns(home, { prepare: (spec) => limits.prepare(spec) });
    const spec = specOf(home, "web.1.1", { user: "nobdy", limits: { fdsMax: 101 } });

    const error: unknown = await runs.start(spec).catch((refused: unknown) => refused);

    expect(error).toBeInstanceOf(RunStartError);
    expect(error).toMatchObject({
      isOwnTrouble: false,
      message:
        'web cannot be started: user: there is no user "nobdy" on this machine; make it (useradd) or write another; ' +
        "limits.fdsMax: 101 is more than the 100 that the daemon itself may have; start it with more (ulimit -Hn), or write less",
    });
  });

  test("what the daemon may have is not refused", async () => {
    const limits = new Limits({ ...options, fdsHardMax: 100 }, person, bare);

    expect(await limits.refusals({ limits: { fdsMax: 100 } })).toEqual([]);
  });
});

describe("limits: what is said", () => {
  const all = { memoryBytes: 104_857_600, cpuPercent: 50, pidsMax: 20, fdsMax: 64 };

  test("without groups, each limit says how it is looked after", async () => {
    const limits = new Limits(
      options,
      { ...person, may: () => true, changer: { path: "/bin/setpriv", kind: "setpriv" } },
      bare,
    );
    const looked = "looked at every 1000 ms, as cgroup v2 does not hold it here";

    expect(await limits.describe({ limits: all, user: "nobody" })).toEqual([
      "user: nobody (user 65534, group 65534), by /bin/setpriv",
      `memory: 100 MiB for all its OS processes; ${looked}; when it uses more, it is ended`,
      `CPU: 50 % of a core; ${looked}; more for 10000 ms is told and not held`,
      `OS processes and threads: 20; the OS kernel refuses more for all that its user runs (rlimit), and ${looked}; when it has more, it is ended`,
      "file descriptors: 64 for each of its OS processes; held by the OS kernel (rlimit)",
    ]);
    expect(limits.abilities).toEqual([
      "limits of memory, CPU and OS processes are looked at every 1000 ms: cgroup v2 is not mounted",
      "services can run as another user by /bin/setpriv",
    ]);
  });

  test("with groups, the OS kernel holds what it has a controller for", async () => {
    const limits = new Limits(options, person, new Cgroups("/sys/fs/cgroup/unit", ["memory", "pids"], "/home/a"));
    const byKernel = "held by the OS kernel (cgroup v2)";

    expect(await limits.describe({ limits: all })).toEqual([
      `memory: 100 MiB for all its OS processes; ${byKernel}, which ends all of them`,
      "CPU: 50 % of a core; looked at every 1000 ms, as cgroup v2 does not hold it here; more for 10000 ms is told and not held",
      `OS processes and threads: 20; ${byKernel}, which refuses more`,
      "file descriptors: 64 for each of its OS processes; held by the OS kernel (rlimit)",
    ]);
    expect(limits.abilities).toEqual([
      "the OS kernel holds limits of memory, pids (cgroup v2)",
      "services can run as only the daemon's user",
    ]);
  });

  test("this machine has something to say", async () => {
    const { abilities } = await openLimits({ ...options, cgroups: { self: "/not/there", isOurs: () => false } });

    expect(abilities).toHaveLength(2);
  });
});

/** A group of the real kernel, without controllers; undefined where none may be made. */
function realGroup(): string | undefined {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const point = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  if (point === undefined) return undefined;
  const base = join(point, `colos-test-${process.pid}`);
  try {
    mkdirSync(base);
  } catch {
    return undefined;
  }
  onTestFinished(() => rmdirSync(base));
  return base;
}

needsLinux().describe("limits: a group of the kernel", () => {
  test("everything of a run is in it, also what hides, and is ended with it", async (context) => {
    const base = realGroup();
    if (base === undefined) return context.skip("needs a cgroup of version 2 that may be divided");
    const home = newHome();
    const limits = new Limits(options, person, new Cgroups(base, [], home.root));
    const { runs, end } = openTestRuns(home, { prepare: (spec) => limits.prepare(spec) });
    // Neither in the process group nor marked.
    const hides = "setsid env -i sleep 1000 & echo $! >hidden.new; mv hidden.new hidden; wait";
    await runs.start(shellSpec(home, "web.1.1", hides, { cwd: home.root }));
    const cgroups = new Cgroups(base, [], home.root);
    while (!existsSync(join(home.root, "hidden")) || cgroups.members("web.1.1").length > 2) await turn();

    const membersCount = cgroups.members("web.1.1").length;
    const isKilled = limits.kill("web.1.1");
    const { signal } = await end("web.1.1");
    while (cgroups.members("web.1.1").length > 0) await turn();

    expect({ membersCount, isKilled, signal }).toEqual({ membersCount: 2, isKilled: true, signal: "SIGKILL" });
    expect(limits.ended("web.1.1")).toBeUndefined();
    expect(cgroups.kill("web.1.1")).toBe(false);
  });
});
