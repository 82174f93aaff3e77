/** Sampler: looks when the test says so, at a written /proc, and at real OS processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../base/platform.ts";
import { groupMembers } from "../../os/process-sample.ts";
import { needsLinux } from "../../../test/debian.ts";
import { cpuOverMs, LimitSampler, sampleEveryMs, sampleMembers, type SamplerOptions } from "./sampler.ts";

/** A clock whose timers the test fires. */
class HandClock implements Clock {
  nowMs = 0;
  timers: (() => void)[] = [];
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return this.nowMs;
  }
  timer(delayMs: number, fire: () => void): () => void {
    expect(delayMs).toBe(sampleEveryMs);
    this.timers.push(fire);
    return () => (this.timers = this.timers.filter((timer) => timer !== fire));
  }
  tick(): void {
    this.nowMs += sampleEveryMs;
    for (const fire of this.timers.splice(0)) fire();
  }
}

function sampler(options: Partial<SamplerOptions>) {
  const clock = new HandClock();
  const told: string[] = [];
  const made = new LimitSampler({
    clock,
    membersOf: (ids) => new Map(ids.map((id) => [id, [1, 2]])),
    onExceeded: (run, sentence) => told.push(`${run} exceeded: ${sentence}`),
    onNotice: (run, sentence) => told.push(`${run}: ${sentence}`),
    ...options,
  });
  return { clock, told, sampler: made };
}

interface Written {
  readonly threads?: number;
  readonly pages?: number;
  readonly ticks?: number;
  /** Absent: the OS does not tell it. */
  readonly pssKib?: number;
}

/** A /proc in which OS processes 1 and 2 are what the test last wrote. */
function writtenProc() {
  const folder = mkdtempSync(join(tmpdir(), "colos-proc-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (pid: number, { threads = 1, pages = 1, ticks = 0, pssKib }: Written): void => {
    mkdirSync(join(folder, String(pid)), { recursive: true });
    const fields = ["S", 1, pid, pid, 0, -1, 0, 0, 0, 0, 0, ticks, 0, 0, 0, 20, 0, threads, 0, 5, 0, pages];
    writeFileSync(join(folder, String(pid), "stat"), `${pid} (a b) ${fields.join(" ")} 0 0`);
    if (pssKib !== undefined) writeFileSync(join(folder, String(pid), "smaps_rollup"), `x\nPss:   ${pssKib} kB\n`);
    else mkdirSync(join(folder, String(pid), "smaps_rollup"), { recursive: true });
  };
  return { folder, write };
}

const pagesOf = (mib: number): number => (mib * 1_048_576) / 4096;

describe("sampler: memory", () => {
  const limits = { memoryBytes: 100 * 1_048_576 };

  test("everything of a run together is told once, then it is not looked at any more", () => {
    const { folder, write } = writtenProc();
    const { clock, told, sampler: made } = sampler({ procFolder: folder });
    write(1, { pages: pagesOf(60) });
    write(2, { pages: pagesOf(40) });
    made.watch({ id: "web.1.1", limits });

    clock.tick();
    expect(told).toEqual([]);
    write(2, { pages: pagesOf(41) });
    clock.tick();
    clock.tick();

    expect(told).toEqual(["web.1.1 exceeded: it uses 101 MiB of memory, and its limit is 100 MiB"]);
    expect(clock.timers).toEqual([]);
  });

  test("pages that several share count once, where the OS tells it", () => {
    const { folder, write } = writtenProc();
    const { clock, told, sampler: made } = sampler({ procFolder: folder });
    for (const pid of [1, 2]) write(pid, { pages: pagesOf(90), pssKib: 46_080 });
    made.watch({ id: "web.1.1", limits });

    clock.tick();

    expect(told).toEqual([]);
  });
});

describe("sampler: OS processes and threads", () => {
  test("more than the limit are told", () => {
    const { folder, write } = writtenProc();
    const { clock, told, sampler: made } = sampler({ procFolder: folder });
    write(1, { threads: 4 });
    write(2, {});
    made.watch({ id: "a", limits: { pidsMax: 5 } });
    made.watch({ id: "b", limits: { pidsMax: 4 } });

    clock.tick();

    expect(told).toEqual(["b exceeded: it has 5 OS processes and threads, and its limit is 4"]);
  });
});

describe("sampler: CPU", () => {
  test("use over the limit is told after a time, once until it was under it", () => {
    const { folder, write } = writtenProc();
    const { clock, told, sampler: made } = sampler({ procFolder: folder });
    write(2, {});
    made.watch({ id: "web.1.1", limits: { cpuPercent: 50 } });
    let ticks = 0;
    const pass = (seconds: number, ticksPerSecond: number): void => {
      for (let second = 0; second < seconds; second++) {
        write(1, { ticks: (ticks += ticksPerSecond) });
        clock.tick();
      }
    };

    pass(1, 0);
    pass(cpuOverMs / 1000 - 1, 80);
    expect(told).toEqual([]);
    pass(5, 80);
    const once = told.splice(0);
    pass(1, 10);
    pass(cpuOverMs / 1000, 60);

    expect(once).toEqual([
      "web.1.1: it has used more than 50 % of a core, its limit, for 10 s (80 % now); nothing holds it back here, this is only told",
    ]);
    expect(told).toHaveLength(1);
  });
});

describe("sampler: whom", () => {
  test("a run that is not watched any more, or that nobody finds, is not told", () => {
    const { folder, write } = writtenProc();
    const {
      clock,
      told,
      sampler: made,
    } = sampler({
      procFolder: folder,
      membersOf: (ids) => new Map(ids.filter((id) => id !== "lost").map((id) => [id, [1]])),
    });
    write(1, { threads: 9 });
    for (const id of ["over", "lost"]) made.watch({ id, limits: { pidsMax: 1 } });
    made.unwatch("over");

    clock.tick();

    expect(told).toEqual([]);
    made.stop();
    expect(clock.timers).toEqual([]);
  });

  needsLinux().test("a real program that takes memory, in a child of a child", async () => {
    const takes = `const taken = Buffer.alloc(96 * 1048576, 1); console.log("taken", taken.length); setInterval(() => {}, 1e6);`;
    const child = spawn("/bin/sh", ["-c", `"$1" -e "$2"; :`, "sh", process.execPath, takes], {
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(async () => {
      process.kill(-child.pid!, "SIGKILL");
      await once(child, "close");
    });
    const membersOf = () => new Map([["web.1.1", groupMembers(child.pid!)]]);
    const { clock, told, sampler: made } = sampler({ membersOf });
    made.watch({ id: "web.1.1", limits: { memoryBytes: 96 * 1_048_576 } });

    await once(child.stdout, "data");
    clock.tick();

    expect(told).toEqual([
      expect.stringMatching(/^web\.1\.1 exceeded: it uses 1\d\d\.\d MB of memory, and its limit is 96 MiB$/),
    ]);
    expect(sampleMembers(groupMembers(child.pid!)).processesCount).toBe(2);
  });
});
