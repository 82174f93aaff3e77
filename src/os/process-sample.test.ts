/** Process sample: real process groups where Linux is, and folders that look like /proc for what cannot be staged. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { needsLinux } from "../../test/debian.ts";
import {
  cpuPercent,
  findProcessStat,
  groupMembers,
  sampleProcesses,
  startTicks,
  type GroupSample,
} from "./process-sample.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** Starts a shell script as leader of a group of its own and waits for the first line it writes. */
async function startGroup(script: string): Promise<{ group: number; firstLine: string; child: ChildProcess }> {
  const child = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "pipe", "inherit"] });
  cleanUps.push(async () => {
    const gone = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, "exit");
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // nobody left
    }
    await gone;
  });
  const [firstLine] = (await once(createInterface(child.stdout!), "line")) as [string];
  return { group: child.pid!, firstLine, child };
}

/** A folder with the /proc/<pid>/stat files given; an empty text makes a process whose file is already gone. */
function fakeProc(stats: Readonly<Record<number, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "colos-proc-"));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  for (const [pid, text] of Object.entries(stats)) {
    mkdirSync(join(folder, pid));
    if (text !== "") writeFileSync(join(folder, pid, "stat"), text);
  }
  mkdirSync(join(folder, "self"));
  return folder;
}

function stat(
  pid: number,
  name: string,
  state: string,
  group: number,
  ticks: readonly [number, number, number, number] = [0, 0, 0, 0],
): string {
  return `${pid} (${name}) ${state} 1 ${group} ${group} 0 -1 0 0 0 0 0 ${ticks.join(" ")} 20 0 3 0 777 1000 10 18446744073709551615 1 1\n`;
}

needsLinux().describe("process sample: this machine", () => {
  test("a group's members are its living OS processes", async () => {
    const { firstLine, group } = await startGroup(`sleep 1000 & sleep 1000 & echo $!; wait`);

    const members = groupMembers(group);

    expect(members).toHaveLength(3);
    expect(members).toContain(group);
    expect(members).toContain(Number(firstLine));
  });

  test("a zombie is no member", async () => {
    // The child's parent becomes a program that waits for nobody; before that, the shell might.
    const { firstLine, group } = await startGroup(`sleep 1000 & echo $!; exec tail -f /dev/null`);
    const child = Number(firstLine);
    await until(() => readFileSync(`/proc/${group}/comm`, "utf8") === "tail\n");

    process.kill(child, "SIGKILL");
    await until(() => findProcessStat(child)?.state === "Z");

    expect(groupMembers(group)).toEqual([group]);
    expect(sampleProcesses([group]).get(group)).toMatchObject({ processesCount: 1 });
  });

  test("memory, threads and state of several groups come from one call, and groups that do not exist are absent", async () => {
    const one = await startGroup(`echo ready; read line`);
    const two = await startGroup(`sleep 1000 & echo ready; wait`);

    const samples = sampleProcesses([one.group, two.group, 2 ** 22 + 1]);

    expect([...samples.keys()].toSorted((a, b) => a - b)).toEqual([one.group, two.group].toSorted((a, b) => a - b));
    expect(samples.get(one.group)).toMatchObject({
      group: one.group,
      processesCount: 1,
      threadsCount: 1,
      leaderState: expect.stringMatching(/^[RS]$/),
    });
    expect(samples.get(two.group)).toMatchObject({ processesCount: 2, threadsCount: 2 });
    expect(samples.get(one.group)!.residentBytes).toBeGreaterThan(100_000);
    expect(samples.get(one.group)!.residentBytes).toBeLessThan(100_000_000);
  });

  test("resident memory is what Node says of itself", () => {
    const stat = findProcessStat(process.pid)!;

    expect(stat.residentBytes / process.memoryUsage.rss()).toBeGreaterThan(0.5);
    expect(stat.residentBytes / process.memoryUsage.rss()).toBeLessThan(2);
    expect(stat.cpuMs).toBeGreaterThan(0);
    expect(stat.parentPid).toBe(process.ppid);
  });

  test("CPU time of a child that was waited for stays in its group", async () => {
    const { group } = await startGroup(
      `sh -c 'i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done'; echo done; read line`,
    );

    const sample = sampleProcesses([group]).get(group)!;

    expect(sample.processesCount).toBe(1);
    expect(sample.cpuMs).toBeGreaterThan(0);
  });

  test("a name with parentheses and spaces confuses nothing", async () => {
    const { group } = await startGroup(`printf 'a) Z 1 (b' > /proc/$$/comm; echo ready; read line`);

    expect(groupMembers(group)).toEqual([group]);
    expect(findProcessStat(group)).toMatchObject({ pid: group, group, parentPid: process.pid });
  });

  test("start ticks are the same at every look and absent for nobody", async () => {
    const { child, group } = await startGroup(`echo ready; read line`);
    const first = startTicks(group)!;

    expect(first).toBeGreaterThanOrEqual(startTicks(process.pid)!);
    expect(startTicks(group)).toBe(first);
    child.stdin!.end();
    await once(child, "exit");
    expect(startTicks(group)).toBeUndefined();
  });
});

/** Looks once per turn of the event loop; for what the kernel tells nobody. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("process sample: any machine", () => {
  test("the sums are over living members, CPU time also over zombies and waited-for children", () => {
    const folder = fakeProc({
      10: stat(10, "leader", "S", 10, [1, 2, 3, 4]),
      11: stat(11, "a) b (c", "R", 10, [10, 0, 0, 0]),
      12: stat(12, "gone", "Z", 10, [5, 5, 0, 0]),
      13: stat(13, "other", "S", 13, [99, 0, 0, 0]),
    });

    const sample = sampleProcesses([10], folder).get(10)!;

    expect(sample).toMatchObject({ group: 10, cpuMs: 300, processesCount: 2, threadsCount: 6, leaderState: "S" });
    expect(sample.residentBytes % 20).toBe(0);
    expect(sample.residentBytes).toBeGreaterThanOrEqual(20 * 4_096);
    expect(groupMembers(10, folder)).toEqual([10, 11]);
    expect(startTicks(11, folder)).toBe(777);
  });

  test("a group whose leader is gone has no leader's state, one of zombies has no living member", () => {
    const folder = fakeProc({ 11: stat(11, "left", "S", 10), 20: stat(20, "dead", "Z", 20) });

    const samples = sampleProcesses([10, 20], folder);

    expect(samples.get(10)).not.toHaveProperty("leaderState");
    expect(samples.get(20)).toMatchObject({ processesCount: 0, threadsCount: 0, residentBytes: 0, leaderState: "Z" });
  });

  test("an OS process that vanishes while it is read, and a file cut short, are skipped", () => {
    const folder = fakeProc({ 10: stat(10, "here", "S", 10), 11: "", 12: "12 (cut", 13: "13 (cut) S 1 10" });

    expect(groupMembers(10, folder)).toEqual([10]);
  });

  test("without /proc every answer is empty", () => {
    expect(sampleProcesses([1], "/does/not/exist").size).toBe(0);
    expect(groupMembers(1, "/does/not/exist")).toEqual([]);
    expect(startTicks(1, "/does/not/exist")).toBeUndefined();
  });

  test("CPU percent is the share of one core between two samples, and never negative", () => {
    const at = (takenAtMs: number, cpuMs: number): GroupSample => ({
      group: 1,
      residentBytes: 0,
      cpuMs,
      processesCount: 1,
      threadsCount: 1,
      takenAtMs,
    });

    expect(cpuPercent(at(1_000, 500), at(2_000, 2_000))).toBe(150);
    expect(cpuPercent(at(1_000, 500), at(2_000, 100))).toBe(0);
    expect(cpuPercent(at(1_000, 500), at(1_000, 600))).toBe(0);
  });
});
