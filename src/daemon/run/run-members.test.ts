import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { newHome, openTestRuns, shellSpec, specOf } from "../../../test/run-home.ts";
import { gone, isRunning } from "../../../test/system/os-processes.ts";
import { turn } from "../../../test/system/turn.ts";
import { findProcessStat } from "../../os/process-sample.ts";
import { RunMembers } from "./run-members.ts";

async function pidFrom(path: string): Promise<number> {
  while (!existsSync(path) || !readFileSync(path, "utf8").endsWith("\n")) await turn();
  return Number(readFileSync(path, "utf8"));
}

/** Forks twice into a session of its own and ignores what can be ignored. */
const escape = (path: string): string =>
  `setsid setsid sh -c 'trap "" TERM HUP INT; echo $$ >${path}; exec sleep 1000' >/dev/null 2>&1`;

describe("what a run leaves behind", () => {
  test("has ended when the end is told, in its group and outside", async () => {
    const { home, runs, end } = openTestRuns(newHome());
    const [inGroup, outside] = [join(home.root, "in-group"), join(home.root, "outside")];
    const script = `sh -c 'echo $$ >${inGroup}; exec sleep 1000' & ${escape(outside)}; until [ -s ${inGroup} -a -s ${outside} ]; do sleep 0.01; done; exit 4`;
    await runs.start(shellSpec(home, "web.1.1", script));

    expect(await end("web.1.1")).toMatchObject({ code: 4 });

    expect(isRunning(await pidFrom(inGroup))).toBe(false);
    expect(isRunning(await pidFrom(outside))).toBe(false);
  });

  test("is killed with it", async () => {
    const { home, runs, end } = openTestRuns(newHome());
    const outside = join(home.root, "outside");
    await runs.start(shellSpec(home, "web.1.1", `${escape(outside)}; exec sleep 1000`));
    const escaped = await pidFrom(outside);
    const members = runs.members("web.1.1");

    runs.kill("web.1.1");

    await gone(escaped);
    expect(members).toContain(escaped);
    expect(await end("web.1.1")).toMatchObject({ signal: "SIGKILL" });
  });

  test("is what the group has to say before it is killed", async () => {
    const { home, runs, end, recorder } = openTestRuns(newHome());
    const ready = join(home.root, "ready");
    const follower = `trap "echo bye; exit" TERM; echo >${ready}; while :; do sleep 0.01; done`;
    await runs.start(shellSpec(home, "web.1.1", `sh -c '${follower}' & until [ -s ${ready} ]; do sleep 0.01; done`));

    await end("web.1.1");

    expect(recorder.textOf("web.1.1").stdout).toBe("bye\n");
  });
});

test("the members of a run are its own, and not those of the same id in another home", async () => {
  const [one, other] = [openTestRuns(newHome()), openTestRuns(newHome())];
  const mine = await one.runs.start(specOf(one.home, "web.1.1", { argv: ["sleep", "1000"] }));
  const theirs = await other.runs.start(specOf(other.home, "web.1.1", { argv: ["sleep", "1000"] }));

  expect(one.runs.members("web.1.1")).toEqual([mine.osPid]);
  one.runs.kill("web.1.1");
  await one.end("web.1.1");

  expect(isRunning(theirs.osPid)).toBe(true);
  expect(one.runs.members("web.1.1")).toEqual([]);
});

test("what is asked in one turn of the event loop is looked at once", async () => {
  const members = new RunMembers("/no/home");

  const looks = [members.lookThisTurn(), members.lookThisTurn()];
  await Promise.resolve();

  expect(looks[0]).toBe(looks[1]);
  expect(members.lookThisTurn()).not.toBe(looks[0]);
});

test("a group that somebody else leads now has no members", async () => {
  const { home, runs } = openTestRuns(newHome());
  const { osPid, startTicks, bootId } = await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  // Who it is stands in its file just before it leads a group.
  while (findProcessStat(osPid)?.group !== osPid) await turn();
  const look = new RunMembers("/no/home").lookNow();
  const owner = { id: "web.1.1", shim: undefined, cgroup: undefined };

  expect(look.membersOf({ ...owner, service: { osPid, startTicks, bootId } })).toMatchObject([{ osPid }]);
  expect(look.membersOf({ ...owner, service: { osPid, startTicks: startTicks - 1, bootId } })).toEqual([]);
});

test("whoever is in the group of a run is known to be so in a cgroup too", async () => {
  const { home, runs } = openTestRuns(newHome());
  const service = await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  while (findProcessStat(service.osPid)?.group !== service.osPid) await turn();
  writeFileSync(join(home.root, "cgroup.procs"), `${service.osPid}\n`);

  const members = new RunMembers(home.root)
    .lookNow()
    .membersOf({ id: "web.1.1", service, shim: undefined, cgroup: home.root });

  expect(members).toContainEqual({ osPid: service.osPid, group: service.osPid });
});
