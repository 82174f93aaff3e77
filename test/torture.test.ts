/**
 * `torture`: properties for real, with what strikes them, what it says of them, and what it leaves behind: nothing.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CampaignError,
  colosUp,
  propertyFile,
  simulate,
  torture,
  TortureError,
  type ColosUp,
  type Injector,
  type Property,
  type TortureReport,
  type TortureWorld,
} from "colos/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { needsLinux } from "./debian.ts";
import { gone, isRunning, markVariable, osProcessesOf } from "./system/os-processes.ts";
import { test as placed } from "./system/place.ts";
import { turn } from "./system/turn.ts";
import { property as journalProperty } from "./torture/journal.ts";
import { property as supervised, targets } from "./torture/supervised.ts";

const journal = (name?: string): ReturnType<typeof propertyFile> =>
  propertyFile(new URL("torture/journal.ts", import.meta.url).href, name);
const supervisedUrl = new URL("torture/supervised.ts", import.meta.url).href;
const linux = needsLinux();

/** The report of a torture that fails. */
async function failing(work: Promise<TortureReport>): Promise<TortureReport> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof TortureError)) throw thrown ?? new Error("the property held");
  return thrown.report;
}

linux.describe("torture: a system in this OS process", () => {
  test("its processes and carriers are struck, and its supervisor brings them back", async () => {
    const report = await torture(
      supervised,
      {
        faults: { kill: 10, crash: 5, stop: 2, "carrier-loss": 5, enospc: 0.1, "torn-write": 0.1 },
        window: [0, 600],
        targets,
      },
      { runs: 1, seed: 1, faultMs: [20, 100] },
    );

    const many: unknown = expect.toSatisfy((count: number) => count > 0);
    expect(report).toMatchObject({ ok: true, seed: 1, runsCount: 1, restartsCount: 0, neverSeen: [] });
    expect({ ...report.struck, missed: report.missed }).toMatchObject({
      kill: many,
      crash: many,
      stop: many,
      "carrier-loss": many,
    });
    expect(report.skipped).toEqual([
      { fault: "enospc", needs: "the property in a file (propertyFile), whose system is an OS process of its own" },
      { fault: "torn-write", needs: "a simulated machine (simulate)" },
    ]);
  });

  test("equal seeds give equal faults", async () => {
    const plan = { faults: { kill: 20, crash: 10 }, window: [0, 200] as const, targets: ["one", "two"] };

    const once = await torture(supervised, plan, { runs: 1, seed: 7 });
    const again = await torture(supervised, plan, { runs: 1, seed: 7 });

    expect(again.struck).toEqual(once.struck);
  });

  test("a fault that nothing in the system can be struck by is skipped, not passed", async () => {
    const bare: Property<undefined> = { name: "bare", setup: () => undefined, workload: () => undefined };

    const report = await torture(bare, { at: [{ atMs: 0, fault: "stop" }], window: [0, 10] }, { runs: 1 });

    expect(report.struck).toEqual({});
    expect(report.skipped).toEqual([{ fault: "stop", needs: "a process on the carrier os-process or command" }]);
  });

  test("an injector that does not work here is skipped with what it needs and why", async () => {
    const absent: Injector = {
      ...{ name: "never", faults: ["stop"], needs: "a machine of glass", debianPackage: "glass", attaches: true },
      undoneBy: "nothing",
      probe: async () => ({ works: false, reason: "this one is of steel" }),
      open: async () => {
        throw new Error("it is never opened");
      },
    };

    const report = await torture(
      supervised,
      { at: [{ atMs: 0, fault: "stop" }], window: [0, 10] },
      { runs: 1, injectors: [absent] },
    );

    expect(report.skipped).toEqual([
      { fault: "stop", needs: "a machine of glass, Debian package glass (this one is of steel)" },
    ]);
  });

  const simple: Property<{ done: number }> = {
    name: "simple",
    setup: () => ({ done: 0 }),
    async workload(self, system) {
      for (; system.done < 3; system.done += 1) await self.sleep(5);
    },
  };
  test.each([
    ["always", { always: { small: ({ done }) => done < 2 || `it is ${done}` } }, "small", "it is "],
    ["balance", { balance: { even: ({ done }) => [done, 4] } }, "even", "3, and it must be 4"],
    [
      "eventually",
      { eventually: { four: { withinMs: 20, holds: ({ done }) => done === 4 } } },
      "four",
      "not within 20 ms: it does not hold",
    ],
    ["a check that throws", { always: { odd: () => JSON.parse("{") as boolean } }, "odd", "the check threw"],
    ["a workload that throws", { workload: () => Promise.reject(new Error("tired")) }, "system or workload", "tired"],
    ["a setup that throws", { setup: () => Promise.reject(new Error("broken")) }, "setup", "broken"],
    [
      "a workload that never ends",
      { workload: (self) => self.receive().then(() => {}) },
      "workload",
      "it did not end within 50 ms after the faults",
    ],
  ] satisfies [string, Partial<Property<{ done: number }>>, string, string][])(
    "%s fails the run, and the report says how",
    async (_what, part, check, message) => {
      const property: Property<{ done: number }> = { ...simple, ...part };

      const report = await failing(torture(property, { window: [0, 30] }, { runs: 1, seed: 3, workloadMs: 50 }));

      expect(report.failure).toMatchObject({ check, seed: 3 });
      expect(report.failure?.message).toContain(message);
    },
  );

  test("a label that no run reaches makes the test weak", async () => {
    const property = { ...simple, sometimes: ["never"] };

    const report = await failing(torture(property, { window: [0, 10] }, { runs: 1 }));

    expect(report).toMatchObject({ ok: true, neverSeen: ["never"] });
    await torture(property, { window: [0, 10] }, { runs: 1, allowWeak: true });
  });

  test("runs follow each other until there are enough, or the time is over", async () => {
    const enough = await torture(simple, { window: [0, 30] }, { seconds: 60, runs: 2 });
    const short = await torture(simple, { window: [0, 30] }, { seconds: 0.001 });

    expect([enough.runsCount, short.runsCount]).toEqual([2, 1]);
  });

  test.each([
    ["a fault that there is not", { at: [{ atMs: 0, fault: "flood" as never }] }, {}, /there is no fault "flood"/],
    ["no time", {}, { seconds: 0 }, /seconds is a number above 0, not 0/],
    ["faults that last for less than nothing", {}, { faultMs: [5, 1] as const }, /faultMs goes from 5 to 1 ms/],
  ])("%s is refused before anything runs", async (_what, plan, options, message) => {
    await expect(torture(simple, plan, options)).rejects.toThrow(CampaignError);
    await expect(torture(simple, plan, options)).rejects.toThrow(message);
  });
});

linux.describe("torture: a system in an OS process of its own", () => {
  test("is the same property that is simulated", async () => {
    const report = await simulate(journalProperty, { faults: { "kill-system": 0.5, enospc: 0.02 } }, { runs: 20 });

    expect(report.ok).toBe(true);
  });

  test("it is killed and started again on what is left", async () => {
    const at = [200, 400].map((atMs) => ({ atMs, fault: "kill-system" }) as const);

    const report = await torture(journal(), { at, window: [0, 500] }, { runs: 1 });

    expect(report).toMatchObject({ ok: true, struck: { "kill-system": 2 }, restartsCount: 2 });
  });

  test("what it acknowledged and forgot is found, and told with the faults before", async () => {
    const report = await failing(
      torture(
        journal("forgetful"),
        { at: [{ atMs: 400, fault: "kill-system" }], window: [0, 500] },
        { runs: 1, seed: 5 },
      ),
    );

    expect(report.failure).toMatchObject({ check: "all that was acknowledged is there", seed: 5 });
    expect(report.failure?.story.map(({ subject, what }) => `${subject} ${what}`)).toContain(
      "the system is struck by kill-system",
    );
  });

  test("faults of storage, clock and the whole OS process strike it, and it holds", async () => {
    const report = await torture(
      journal(),
      { faults: { enospc: 0.2, "eio-write": 0.2, "clock-step": 2, stop: 1, emfile: 0.2 }, window: [0, 1000] },
      { runs: 1, seed: 2, faultMs: [50, 200] },
    );

    const here = new Set(Object.keys(report.struck));
    for (const { fault } of report.skipped) expect(here).not.toContain(fault);
    expect(here.size + report.skipped.length).toBe(5);
    for (const fault of here)
      expect(report.struck).toHaveProperty(
        fault,
        expect.toSatisfy((count: number) => count > 0),
      );
  });

  test("a fault whose injector is busy until the window is over strikes once all the same", async () => {
    const struck: string[] = [];
    let isOver = (): void => {};
    const slow: Injector = {
      ...{ name: "slow", faults: ["enospc", "eio-write"], needs: "nothing", attaches: true, undoneBy: "nothing" },
      probe: async () => ({ works: true }),
      open: async () => ({
        wrap: (start) => start,
        strike: async (fault) => {
          struck.push(fault);
          const ended = new Promise<undefined>((resolve) => (isOver = () => resolve(undefined)));
          setTimeout(isOver, 60);
          return { ended, undo: async () => isOver() };
        },
        close: async () => {},
      }),
    };

    const report = await torture(
      journal(),
      { faults: { enospc: 1, "eio-write": 1 }, window: [0, 20] },
      { runs: 1, injectors: [slow] },
    );

    expect(new Set(struck)).toEqual(new Set(["enospc", "eio-write"]));
    expect(Object.keys(report.struck).toSorted()).toEqual(["eio-write", "enospc"]);
  });

  test("an end that nobody planned is a failure", async () => {
    const report = await failing(torture(journal("dying"), { window: [0, 100] }, { runs: 1 }));

    expect(report.failure).toMatchObject({
      check: "system",
      message: "its OS process ended by itself with exit code 3",
    });
  });

  test("a file without the property is a failure that names what it exports", async () => {
    const report = await failing(torture(journal("absent"), {}, { runs: 1 }));

    expect(report.failure?.message).toMatch(/exports no property as "absent" \(it exports .*forgetful.*\)/);
  });

  test("nothing is left of it, also when the torture itself is killed", async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "colos-killed-")));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const script = join(folder, "run.mjs");
    const library = new URL("../dist/testing-entry.js", import.meta.url).href;
    writeFileSync(
      script,
      `import { propertyFile, torture } from ${JSON.stringify(library)};
       setTimeout(() => console.log("under way"), 500);
       await torture(propertyFile(${JSON.stringify(supervisedUrl)}), { faults: { stop: 2, enospc: 0.5 } }, { seconds: 60 });`,
    );
    const env = { ...process.env, TMPDIR: folder, [markVariable]: folder };
    const tortured = spawn(process.execPath, [script], { env, stdio: ["ignore", "pipe", "inherit"] });
    await once(tortured.stdout, "data");
    let started: readonly number[] = [];
    while (started.length <= 2) {
      await turn();
      started = osProcessesOf({ mark: folder, folder }).map(({ pid }) => pid);
    }

    tortured.kill("SIGKILL");
    await gone(...started);

    expect(readdirSync(folder)).toEqual(["run.mjs"]);
  });

  test("nothing is left: no OS process, no folder", async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "colos-left-")));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const at = [{ atMs: 100, fault: "kill-system" } as const];

    await torture(propertyFile(supervisedUrl), { at, window: [0, 200] }, { runs: 1 });

    expect(readdirSync(folder)).toEqual([]);
    expect(osProcessesOf({ mark: "none", folder })).toEqual([]);
  });

  test("what was started without an environment is ended too: it names the folder, or stands in it", async () => {
    const osPids: number[] = [];
    const property: Property<undefined> = {
      name: "left behind",
      setup(_, world) {
        const { directory } = world as TortureWorld;
        const start = (cwd: string, ...args: string[]): void => {
          const options = { cwd, env: {}, detached: true, stdio: "ignore" } as const;
          osPids.push(spawn("/bin/sh", ["-c", "while :; do sleep 1; done", ...args], options).pid!);
        };
        start("/", join(directory, "hold"));
        start(directory);
        return undefined;
      },
      always: { "they run": () => osPids.every(isRunning) },
    };

    await torture(property, { window: [0, 1] }, { runs: 1 });

    expect(osPids.filter(isRunning)).toEqual([]);
  });
});

linux.describe("torture: a real colos", () => {
  const config = {
    services: {
      web: { command: ["sh", "-c", "echo up; exec sleep 1000"], ready: { log: "up" }, restart: "permanent" },
    },
  };

  placed("its services are struck, and it starts them again", async ({ place }) => {
    const file = place.write("colos.config.json", config);
    const property: Property<ColosUp> = {
      name: "colos brings its service back",
      async setup(self, world) {
        const colos = await colosUp(file, { env: place.env as Record<string, string> });
        self.own({ close: () => colos.end() });
        await colos.ready();
        (world as TortureWorld).expose("web", () => latestOsPid(colos, "web"));
        return colos;
      },
      eventually: {
        "the service is ready once for each start": {
          withinMs: 10_000,
          holds: (colos, world) => readyCount(colos, "web") === world.counted("fault.carrier-loss") + 1,
        },
      },
    };

    const at = [0, 300].map((atMs) => ({ atMs, fault: "carrier-loss" }) as const);
    const report = await torture(property, { at, window: [0, 400] }, { runs: 1 });

    expect(report.struck).toEqual({ "carrier-loss": 2 });
  });

  placed("its end by SIGKILL leaves its services, and `end` ends them", async ({ place }) => {
    const colos = await colosUp(place.write("colos.config.json", config), { env: place.env as Record<string, string> });
    await colos.ready();
    const service = await colos.osPidOf("web");

    const end = await colos.kill();
    const ranOn = isRunning(service);
    await colos.end();

    expect(end).toEqual({ code: null, signal: "SIGKILL" });
    expect(ranOn).toBe(true);
    expect(isRunning(service)).toBe(false);
    await expect(colos.line(/never/)).rejects.toThrow(/colos ended with SIGKILL, and no line matched \/never\/:/);
  });

  placed("it stops in order when it is asked to", async ({ place }) => {
    const colos = await colosUp(place.write("colos.config.json", config), { env: place.env as Record<string, string> });
    await colos.ready();

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    await colos.end();
  });
});

function latestOsPid(colos: ColosUp, name: string): number | undefined {
  const last = colos.lines().findLast((line) => line.startsWith(`${name} `) && line.includes("= "));
  const started = colos.lines().findLast((line) => new RegExp(`^${name} += starting \\(pid`).test(line));
  return last?.includes("= ready") === true ? Number(/\(pid (\d+)\)/.exec(started ?? "")?.[1]) : undefined;
}

function readyCount(colos: ColosUp, name: string): number {
  return colos.lines().filter((line) => new RegExp(`^${name} += ready`).test(line)).length;
}
