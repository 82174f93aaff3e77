/** Limited runs: real runs, looked after over the death of their daemon; the kernel's part is played by written files. */
import { mkdirSync, mkdtempSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { needsLinux } from "../../test/debian.ts";
import { newHome, openTestRuns, shellSpec } from "../../test/run-home.ts";
import { turn } from "../../test/system/turn.ts";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import type { Home } from "./home.ts";
import { openRuns } from "./run/runs.ts";
import type { RunEnd, RunId, Runs } from "./run/run.ts";
import { PipeRecorder } from "../../test/pipe-recorder.ts";
import { Cgroups } from "./limits/cgroup.ts";
import { identityHost } from "./limits/identity.ts";
import { openLimitedRuns } from "./limited-runs.ts";
import { Limits } from "./limits/limits.ts";

async function limited(home: Home, cgroups: Cgroups | { absent: string } = { absent: "none" }) {
  const told: string[] = [];
  const ends = new Map<RunId, RunEnd>();
  const platform = nodePlatform();
  const limits = new Limits(
    {
      home: home.root,
      clock: platform.clock,
      membersOf: (ids) => new Map(ids.map((id) => [id, runs.members(id)])),
      onExceeded: (run, sentence) => {
        told.push(`${run}: ${sentence}`);
        runs.kill(run);
      },
      onNotice: () => undefined,
    },
    await identityHost(),
    cgroups,
  );
  const recorder = new PipeRecorder(home.runs);
  const runs: Runs = openLimitedRuns(
    (listener) => openRuns({ home, listener, recorder, platform, prepare: (spec) => limits.prepare(spec) }),
    { ended: (id, end) => void ends.set(id, end), ready: () => undefined, status: () => undefined },
    limits,
    () => ({ pidsMax: 3 }),
  );
  onTestFinished(() => runs.close());
  const end = async (id: RunId): Promise<RunEnd> => {
    while (!ends.has(id)) await turn();
    return ends.get(id)!;
  };
  return { runs, told, end };
}

const four = "sleep 1000 & sleep 1000 & sleep 1000 & wait";
const tooMany = "web.1.1: it has 4 OS processes and threads, and its limit is 3";

needsLinux().describe("limited runs: the sampler", () => {
  test("a run over its limit is told and ended with everything in it", async () => {
    const home = newHome();
    const { runs, told, end } = await limited(home);

    await runs.start(shellSpec(home, "web.1.1", four, { limits: { pidsMax: 3 } }));

    expect(await end("web.1.1")).toMatchObject({ signal: "SIGKILL" });
    expect(told).toEqual([tooMany]);
  });

  test("a run that an earlier daemon started is looked after too", async () => {
    const home = newHome();
    const earlier = openTestRuns(home);
    await earlier.runs.start(shellSpec(home, "web.1.1", four));
    await earlier.runs.close();
    const { runs, told, end } = await limited(home);

    await runs.recover();
    await end("web.1.1");

    expect(told).toEqual([tooMany]);
  });
});

describe("limited runs: groups", () => {
  /** Groups in a plain folder. A file for each run stands where the kernel would have its own. */
  function plainGroups(home: Home): { base: string; cgroups: Cgroups } {
    const base = mkdtempSync(join(tmpdir(), "colos-groups-"));
    onTestFinished(() => rmSync(base, { recursive: true }));
    return { base, cgroups: new Cgroups(base, ["memory"], home.root) };
  }

  /** The kernel takes out whoever ends; a plain file does not. */
  async function emptied(group: string): Promise<void> {
    while (!existsSync(join(group, "cgroup.procs"))) await turn();
    writeFileSync(join(group, "cgroup.procs"), "");
  }

  needsLinux().test("an end by the kernel is in the end, and groups of runs that are over go", async () => {
    const home = newHome();
    const { cgroups } = plainGroups(home);
    const old = cgroups.pathOf("old.1.1");
    mkdirSync(old);
    const { runs, end } = await limited(home, cgroups);
    await runs.recover();
    const group = cgroups.pathOf("web.1.1");
    await runs.start(shellSpec(home, "web.1.1", "read line", { stdin: "pipe", limits: { memoryBytes: 1_048_576 } }));

    await emptied(group);
    writeFileSync(join(group, "memory.events"), "oom_kill 1\n");
    runs.kill("web.1.1");

    expect((await end("web.1.1")).because).toBe(
      "the OS kernel ended it, because it needed more than its memory limit of 1048576 bytes",
    );
    expect(existsSync(old)).toBe(false);
  });

  needsLinux().test("an end by the kernel while no daemon lives is found", async () => {
    const home = newHome();
    const { cgroups } = plainGroups(home);
    const earlier = await limited(home, cgroups);
    const identity = await earlier.runs.start(shellSpec(home, "web.1.1", "read line", { stdin: "pipe" }));
    const { osPid } = identity;
    await emptied(cgroups.pathOf("web.1.1"));
    await earlier.runs.close();

    writeFileSync(join(cgroups.pathOf("web.1.1"), "memory.events"), "oom_kill 2\n");
    process.kill(osPid, "SIGKILL");
    while (!existsSync(join(home.runs, "web.1.1.exit"))) await turn();
    const [found] = await (await limited(home, cgroups)).runs.recover();

    expect(found).toMatchObject({
      state: "ended",
      end: { because: expect.stringContaining("the OS kernel ended it") },
    });
  });

  needsLinux().test("a run that a daemon without groups started is looked at", async () => {
    const home = newHome();
    const earlier = openTestRuns(home);
    await earlier.runs.start(shellSpec(home, "web.1.1", four));
    await earlier.runs.close();
    const base = mkdtempSync(join(tmpdir(), "colos-groups-"));
    onTestFinished(() => rmSync(base, { recursive: true }));
    const { runs, told, end } = await limited(home, new Cgroups(base, ["memory", "cpu", "pids"], home.root));

    await runs.recover();
    await end("web.1.1");

    expect(told).toEqual([tooMany]);
  });

  needsLinux().test("a start that fails leaves no group", async () => {
    const home = newHome();
    const { base, cgroups } = plainGroups(home);
    const { runs } = await limited(home, cgroups);

    await expect(runs.start(shellSpec(home, "web.1.1", "true", { cwd: "/not/there" }))).rejects.toThrow("/not/there");

    expect(readdirSync(base)).toEqual([]);
  });
});
