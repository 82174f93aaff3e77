/** The watchdog: what it says of a blocked event loop. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  blockedMsMin,
  createSystem,
  nodePlatform,
  program,
  type Block,
  type LoopDelay,
  type OutputMessage,
} from "colos";
import { describe, expect, test } from "vitest";
import { needsLinux } from "./debian.ts";

const file = fileURLToPath(new URL("programs/watched.mjs", import.meta.url));

interface Ended {
  readonly code: number | null;
  /** What was written as JSON, line by line. */
  readonly told: unknown[];
  readonly stderr: string;
}

/** Runs one of the programs to its end; `onLine` is told each line of both streams. */
async function run(name: string, onLine: (line: string, child: ChildProcess) => void = () => {}): Promise<Ended> {
  const child = spawn(process.execPath, [file, name], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 25_000,
    killSignal: "SIGKILL",
  });
  const told: unknown[] = [];
  let stderr = "";
  createInterface(child.stdout).on("line", (line) => {
    told.push(JSON.parse(line));
    onLine(line, child);
  });
  createInterface(child.stderr).on("line", (line) => {
    stderr += `${line}\n`;
    onLine(line, child);
  });
  const code = await new Promise<number | null>((resolve) => void child.once("close", resolve));
  return { code, told, stderr };
}

describe("a blocked event loop", () => {
  test("is told once, with the function, the line, the process and how long", async () => {
    const { code, told, stderr } = await run("busy");

    // A busy machine may be late at other times too.
    const [block, ...more] = (told as Block[]).filter(({ by }) => by?.functionName === "busyLoop") as [Block];
    expect(more).toEqual([]);
    expect(block.by).toMatchObject({ functionName: "busyLoop", url: expect.stringMatching(/watched\.mjs$/) as string });
    expect(block.frames.map(({ functionName }) => functionName)).toContain("culprit");
    expect(block.process).toMatch(/^<0:\d+> \(guilty\)$/);
    expect(block.blockedMs).toBeGreaterThan(450);
    expect(stderr).toMatch(
      /was blocked for \d+ ms by busyLoop \(.*watched\.mjs:\d+:\d+\), in process <0:\d+> \(guilty\)/,
    );
    expect(code).toBe(0);
  });

  test("that does not end is told while it goes on", async () => {
    const { stderr } = await run("busy");

    expect(stderr).toMatch(/has been blocked for \d+ ms by busyLoop .* \(guilty\); it still is/);
  });

  test("of a thread is told with the thread, the function, where it was written, and the process", async () => {
    const { told, code } = await run("thread");

    const block = told.at(-1) as Block;
    expect(block.by?.functionName).toBe("blockForAWhile");
    expect(block.by?.url).toMatch(/blocking\.ts$/);
    expect(block.process).toMatch(/^<0\.\d+:1>/);
    expect(block.threadId).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  test("of a thread that is killed is told", async () => {
    const killWhenTold = (line: string, child: ChildProcess): void => {
      if (line.endsWith("it still is") && line.includes("busy-loop")) child.kill("SIGUSR2");
    };

    const { told, stderr } = await run("killed", killWhenTold);

    const block = told.at(-1) as Block;
    expect(block.threadId).toBeGreaterThan(0);
    expect(block.by?.url).toMatch(/busy-loop\.ts$/);
    expect(stderr).toMatch(/the event loop of thread \d+ has been blocked for \d+ ms by .*busy-loop.*; it still is/);
  });

  test("in native code is told with the function that called it", async () => {
    const { told } = await run("native");

    const block = told.at(-1) as Block;
    expect(block.by?.functionName).toBe("waiter");
    expect(block.frames.map(({ functionName }) => functionName)).toContain("execFileSync");
  });
});

describe("a watchdog", () => {
  test("keeps no program alive", async () => {
    expect(await run("idle")).toEqual({ code: 0, told: [], stderr: "" });
  });

  test("does not hold up process.exit in a block, nor say anything of a debugger", async () => {
    const { code, stderr } = await run("exit");

    expect(code).toBe(3);
    expect(stderr).not.toContain("debugger");
  });

  test("measures the delay of the event loop", async () => {
    const { told } = await run("delay");

    const [before, after, reset] = told.at(-1) as [LoopDelay, LoopDelay, LoopDelay];
    expect(after.samplesCount).toBeGreaterThan(before.samplesCount);
    expect(after.maxMs).toBeGreaterThan(50);
    expect(after.p50Ms).toBeLessThanOrEqual(after.p99Ms);
    expect(reset).toMatchObject({ samplesCount: 0, maxMs: 0 });
  });

  test("is switched on by the environment, also in a program on the os-process carrier", async () => {
    const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
    const self = kernel.attach<OutputMessage>();
    const env = { COLOS_WATCHDOG_MS: "50" };
    const pid = self.spawn(program("./programs/blocking.ts", import.meta.url), {
      carrier: "os-process",
      env,
      output: self.pid,
    });

    let output = "";
    while (!output.includes("by blockForAWhile")) output += Buffer.from((await self.receive()).data).toString();

    expect(output).toMatch(
      /was blocked for \d+ ms by blockForAWhile \(.*blocking\.ts:\d+:\d+\), in process <0\.\d+:1>/,
    );
    self.exit(pid, "kill");
  });

  test("refuses to watch for less than the operating system's noise", () => {
    for (const blockedMs of [blockedMsMin - 1, Number.NaN, Infinity])
      expect(() => createSystem({ watchdog: { blockedMs } })).toThrow("blockedMs is from 10 to");
    expect(() => createSystem({ watchdog: { endlessMs: Number.NaN } })).toThrow("endlessMs is a number above 0");
  });
});

needsLinux().describe("an OS process that was stopped and goes on", () => {
  test("was not blocked meanwhile", async () => {
    // Stopped for longer than the block takes, then told to block itself.
    const script = (pid: number): string =>
      `kill -STOP ${pid}; while ! grep -q '^State:.T' /proc/${pid}/status; do :; done; sleep 0.5; kill -CONT ${pid}; kill -USR2 ${pid}`;
    const stop = (line: string): void => {
      if (/^\d+$/.test(line)) spawn("sh", ["-c", script(Number(line))]);
    };

    const { told } = await run("stopped", stop);

    const [, ...blocks] = told as [number, ...Block[]];
    expect(blocks.at(-1)?.by?.functionName).toBe("busyLoop");
    expect(blocks.filter(({ blockedMs }) => blockedMs > 400)).toEqual([]);
  });
});
