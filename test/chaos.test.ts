/** `colos chaos` on a real daemon with real services. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import type { ChaosPlan, ChaosReport } from "../src/control/chaos.ts";
import { findProcessStat } from "../src/os/process-sample.ts";
import { needsLinux } from "./debian.ts";
import { colosFile } from "./system/colos-process.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";
import { markVariable } from "./system/os-processes.ts";

const linux = needsLinux();
const staying = { command: ["sh", "-c", "echo up; exec sleep 1000"], ready: { log: "up" } };

async function osPidOf(place: DaemonPlace, name: string): Promise<number> {
  return Number((await place.instance(name))?.["osPid"]);
}

/** Two services that stay. */
async function upTwo(place: DaemonPlace): Promise<{ readonly web: number; readonly db: number }> {
  place.config({ web: staying, db: staying });
  await place.colos("up");
  return { web: await osPidOf(place, "web"), db: await osPidOf(place, "db") };
}

async function chaos(place: DaemonPlace, ...words: string[]): Promise<{ code: number | null; report: ChaosReport }> {
  const { code, stdout, stderr } = await place.colos("chaos", ...words, "--yes", "--json");
  expect(stderr).toBe("");
  return { code, report: JSON.parse(stdout) as ChaosReport };
}

linux.describe("colos chaos", () => {
  test("kills whom it was told to and nobody else, and tells how they came back", async ({ place }) => {
    const before = await upTwo(place);

    const { code, report } = await chaos(place, "web", "-f", "kill-os-process", "--for", "1s", "--rate", "60/min");

    expect(code).toBe(0);
    expect(report).toMatchObject({ end: "time", isUndone: true, isWhole: true, problems: [] });
    expect(report.strikes[0]).toMatchObject({ victim: "web", osPids: [before.web], isRecovered: true });
    expect(report.strikes[0]!.states.at(-1)).toMatchObject({ name: "web", state: "ready" });
    expect(report.summary[0]!.worstMs).toBeGreaterThan(0);
    expect(await osPidOf(place, "web")).not.toBe(before.web);
    expect(await osPidOf(place, "db")).toBe(before.db);
  });

  test("lets a stopped victim go on when its time is over", async ({ place }) => {
    const { web } = await upTwo(place);

    const { code, report } = await chaos(place, "web", "-f", "stop-os-process", "--for", "500ms", "--hold", "100ms");

    expect(code).toBe(0);
    expect(report.strikes[0]).toMatchObject({ osPids: [web], isUndone: true, isRecovered: true });
    expect(findProcessStat(web)?.state).toBe("S");
  });

  test("is undone when it is killed with SIGKILL meanwhile", async ({ place }) => {
    const { web } = await upTwo(place);
    const words = "chaos web -f stop-os-process --for 1h --hold 1h --rate 600/min --yes".split(" ");
    const env = { ...process.env, COLOS_HOME: place.home.root, [markVariable]: place.mark };
    const child = spawn(process.execPath, [colosFile, ...words], { cwd: place.folder, env, stdio: "ignore" });

    await place.until(() => (findProcessStat(web)?.state === "T" ? true : undefined));
    child.kill("SIGKILL");

    await place.until(() => (findProcessStat(web)?.state === "S" ? true : undefined));
    expect(await osPidOf(place, "web")).toBe(web);
  });

  test("undoes everything on Ctrl+C", async ({ place }) => {
    const { web } = await upTwo(place);
    const words = "chaos web -f stop-os-process --for 1h --hold 1h --rate 600/min --yes".split(" ");
    const env = { ...process.env, COLOS_HOME: place.home.root, [markVariable]: place.mark };
    const child = spawn(process.execPath, [colosFile, ...words], { cwd: place.folder, env, stdio: "ignore" });
    const ended = new Promise((resolve) => void child.once("close", resolve));
    await place.until(() => (findProcessStat(web)?.state === "T" ? true : undefined));

    child.kill("SIGINT");

    expect(await ended).toBe(130);
    expect(findProcessStat(web)?.state).toBe("S");
  });

  test("ends with its own exit code when an abort condition holds", async ({ place }) => {
    await upTwo(place);
    const when = ["--abort-when", "web restarts > 0", "--for", "1h", "--rate", "600/min"];

    const { code, report } = await chaos(place, "web", "-f", "kill-os-process", ...when);

    expect(code).toBe(7);
    expect(report).toMatchObject({ end: "aborted", isUndone: true });
    expect(report.abort).toMatch(/^web restarts > 0: there were \d/);
  });

  test("kills the daemon, and another one answers", async ({ place }) => {
    const { web } = await upTwo(place);
    const daemon = place.daemonPid();

    const { code, report } = await chaos(place, "daemon", "-f", "kill-os-process", "--for", "200ms");

    expect(code).toBe(0);
    expect(report.strikes[0]).toMatchObject({ victim: "daemon", osPids: [daemon], isRecovered: true });
    expect(place.daemonPid()).not.toBe(daemon);
    expect(await osPidOf(place, "web")).toBe(web);
  });

  test("strikes whom a pattern or a tag means, and refuses what means nobody", async ({ place }) => {
    place.config({ web: { ...staying, tags: "front" }, db: staying });
    await place.colos("up");
    const victims = async (...selectors: string[]): Promise<string[]> => {
      const { stdout } = await place.colos("chaos", ...selectors, "-f", "kill-os-process", "--dry-run", "--json");
      return (JSON.parse(stdout) as { plan: ChaosPlan }).plan.victims.map(({ name }) => name);
    };

    expect(await victims("@front")).toEqual(["web"]);
    expect(await victims("d*", "daemon")).toEqual(["db", "daemon"]);
    const refused = await place.colos("chaos", "@back", "-f", "kill-os-process", "--yes");
    expect(refused).toMatchObject({ code: 2, stderr: 'colos: no service has the tag "back"; there are @front\n' });
  });

  test("touches nothing in a dry run, and without anybody who agrees", async ({ place }) => {
    const before = await upTwo(place);

    const dry = await place.colos("chaos", "all", "-f", "kill-os-process", "--dry-run", "--json", "--seed", "7");
    const unasked = await place.colos("chaos", "all", "-f", "kill-os-process");

    const { plan } = JSON.parse(dry.stdout) as { plan: ChaosPlan };
    expect(dry.code).toBe(0);
    expect(plan).toMatchObject({ seed: 7, faults: ["kill-os-process"], abortWhen: "failed or degraded" });
    expect(plan.victims.map(({ name }) => name).toSorted()).toEqual(["db", "web"]);
    expect(unasked).toMatchObject({ code: 5 });
    expect(unasked.stderr).toContain("--yes");
    expect({ web: await osPidOf(place, "web"), db: await osPidOf(place, "db") }).toEqual(before);
  });

  test("refuses what makes no sense, before anything happens", async ({ place }) => {
    await upTwo(place);
    const cases: readonly [words: string[], code: number, says: RegExp][] = [
      [["-f", "kill-os-process"], 2, /say whom to strike/],
      [["web"], 2, /say what strikes/],
      [["web", "-f", "kill"], 2, /did you mean "kill-os-process"/],
      [["web", "-f", "clock-step"], 2, /only what was started for it/],
      [["wbe", "-f", "kill-os-process", "--yes"], 2, /no service or instance "wbe"; did you mean "web"/],
      [["web", "-f", "kill-os-process", "--for", "2h"], 2, /longer than 1h/],
      [["web", "-f", "kill-os-process", "--rate", "1000/s"], 2, /is not a rate/],
      [["web", "-f", "kill-os-process", "--abort-when", "faild"], 2, /did you mean "failed"/],
      [["web", "-f", "kill-os-process", "--abort-when", "cache failed", "--yes"], 2, /names "cache"/],
      [["web", "-f", "disk-full", "--yes"], 5, /needs the word home/],
      [["home", "-f", "disk-full", "--yes"], 5, /mount point of its own/],
      [["web", "-f", "eio-write", "--yes"], 5, /--path/],
    ];
    for (const [words, code, says] of cases) {
      const said = await place.colos("chaos", ...words);
      expect([words.join(" "), said.code]).toEqual([words.join(" "), code]);
      expect(said.stderr).toMatch(says);
    }
  });

  test("does not begin on a system of which an abort condition holds", async ({ place }) => {
    place.config({ web: staying, bad: { command: ["false"], maxRestarts: 0, exhausted: { policy: "failed" } } });
    await place.colos("up");

    const { code, stderr } = await place.colos("chaos", "web", "-f", "kill-os-process", "--yes");

    expect(code).toBe(5);
    expect(stderr).toContain("an abort condition holds before anything is struck: failed: bad is failed");
  });

  test("says that no daemon runs", async ({ place }) => {
    const { code } = await place.colos("chaos", "web", "-f", "kill-os-process", "--home", join(place.folder, "none"));

    expect(code).toBe(3);
  });
});
