import { readFile } from "node:fs/promises";
import { describe, expect, test, vi } from "vitest";
import { call, startServer } from "../server/server.ts";
import { startSupervisor } from "../supervisor/supervisor.ts";
import type { AnyProcess } from "../kernel/process.ts";
import type { Property } from "../sim/property.ts";
import { PropertyError, refute, replayVariable, simulate } from "./simulate.ts";

const names = ["a", "b", "c"];

/** Three services under a supervisor, and a client that calls them. */
function services(maxRestarts: number): Property<null> {
  const child = (id: string) => ({
    id,
    start: (supervisor: AnyProcess) =>
      startServer(supervisor, () => ({ handleCall: (count: number) => count + 1 }), { name: id }),
  });
  return {
    name: "all services come back",
    async setup(self) {
      await startSupervisor(self, { flags: { maxRestarts }, children: names.map(child) }, { name: "root" });
      return null;
    },
    async workload(self, _system, world) {
      for (let round = 0; round < 200; round += 1) {
        await self.sleep(100);
        try {
          await call(self, world.choose("which", names), 1);
        } catch {
          world.sometimes("a call failed");
        }
      }
    },
    eventually: {
      "all are there": {
        withinMs: 5000,
        holds: (_system, world) => names.every((name) => world.whereis(name) !== undefined),
      },
    },
    sometimes: ["a call failed"],
  };
}

async function failureOf(run: Promise<unknown>): Promise<PropertyError> {
  const failure: unknown = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof PropertyError)) throw new Error("the property held", { cause: failure });
  return failure;
}

const plan = { faults: { kill: 1 }, targets: names, window: [0, 20_000] } as const;

describe("a property that holds", () => {
  test("gives a report of what was tried", async () => {
    const report = await simulate(services(Infinity), plan);

    expect(report).toMatchObject({ ok: true, runsCount: 100, selfChecksCount: 10, weaknesses: [] });
    expect(report.faults.kill).toBeGreaterThan(100);
    expect(report.eventsCount).toBeGreaterThan(10_000);
  });
});

describe("a property that does not hold", () => {
  test("shrinks to the few decisions that matter and tells their story", async () => {
    const { message, report } = await failureOf(simulate(services(1), plan));

    expect(report.failure?.choices.map(({ stream }) => stream)).toEqual(["kill", "kill"]);
    expect(message).toContain('property "all services come back" does not hold: eventually "all are there"');
    expect(message).toMatch(/ms {2}root <0:\d+> ends: shutdown/);
    expect(message).toMatch(
      /replay: COLOS_REPLAY='all services come back: kill#\d+=1 kill#\d+=1' npx vitest run src\/testing\/simulate\.test\.ts$/,
    );
  });

  test("fails in the same way when it is replayed", async () => {
    const { report } = await failureOf(simulate(services(1), plan));

    const again = await failureOf(simulate(services(1), plan, { replay: report.failure?.replay ?? "" }));

    expect(again.report).toMatchObject({ runsCount: 1, failure: { message: report.failure?.message } });
    expect(again.report.failure?.story).toEqual(report.failure?.story);
  });
});

/** A service, a workload of its own and one run. */
async function messageOf(
  workload: NonNullable<Property<null>["workload"]>,
  part: Partial<Property<null>> = {},
): Promise<string> {
  const property = { ...services(Infinity), sometimes: [], ...part, workload };
  const thrown: unknown = await simulate(property, {}, { runs: 1 }).catch((error: unknown) => error);
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : "none";
}

describe("what cannot be simulated", () => {
  const escaped =
    /^EscapedError: process workload <0:\d+> awaits something outside the simulation; only what goes through/;

  test.each([
    ["a file of the host", () => readFile("/dev/null").then(() => {})],
    ["what never comes", () => new Promise<void>(() => {})],
  ])("stops the test and names who awaits it: %s", async (_what, workload) => {
    expect(await messageOf(workload)).toMatch(escaped);
  });

  test.each([
    ["setTimeout", () => void setTimeout(() => {}, 1), "to wait, use `self.sleep`"],
    ["Date.now", () => void Date.now(), "the time comes from `world.platform.clock`"],
    ["new Date()", () => void new Date(), "the time comes from `world.platform.clock`"],
    ["Math.random", () => void Math.random(), "chance comes from `world.choose`"],
    ["crypto.randomUUID", () => void crypto.randomUUID(), "chance comes from `world.choose`"],
    ["fetch", () => void fetch("http://localhost"), "the network is not there"],
  ])("stops the test also where nobody sees it: %s", async (name, use, instead) => {
    const caught = await messageOf(async (self) => {
      await Promise.resolve()
        .then(use)
        .catch(() => {});
      await self.sleep(1);
    });

    expect(caught).toContain(
      `SealedGlobalError: ${name} would make a simulated run differ from the next one; ${instead}`,
    );
  });

  test("a date of given parts is no look at the clock", async () => {
    expect(await messageOf(() => void new Date(2000, 1).getTime())).toBe("none");
    const before = new Date(0);
    const areDates = (): void => {
      class Holiday extends Date {}
      if (!(before instanceof Date && new Date(1) instanceof Date)) throw new Error("it is no date any more");
      if (before instanceof Holiday || !(new Holiday(0) instanceof Holiday)) throw new Error("a holiday is a date");
    };
    expect(await messageOf(areDates)).toBe("none");
  });

  test("after the test all is as before", async () => {
    const before = [Date, Math.random, setTimeout];
    await messageOf(() => void Date.now());

    expect([Date, Math.random, setTimeout]).toEqual(before);
  });
});

describe("a check that gives no verdict", () => {
  test.each([
    ["nothing", () => undefined, "it returned undefined; a check returns true, or what is wrong"],
    [
      "a promise",
      () => Promise.resolve(true),
      "it returned an object (Promise); a check returns true, or what is wrong, at once",
    ],
  ])("is not taken for one that holds: %s", async (_what, check, sentence) => {
    const message = await messageOf(() => {}, { always: { check: check as never } });

    expect(message).toContain(`does not hold: always "check": ${sentence}`);
  });

  test("keeps what it threw, for whoever looks for the line", async () => {
    const thrown = new Error("on purpose");
    const property = { ...services(Infinity), sometimes: [] };
    const fails = () => {
      throw thrown;
    };

    expect(await failureOf(simulate({ ...property, always: { fails } }))).toHaveProperty("cause", thrown);
    expect(await failureOf(simulate({ ...property, workload: fails }))).toHaveProperty("cause", thrown);
    expect(await failureOf(simulate({ ...property, setup: fails }))).toHaveProperty("cause", thrown);
  });
});

describe("a weak test", () => {
  test("says first what was never reached, what never struck and what it lacks", async () => {
    const { message } = await failureOf(
      simulate(
        { ...services(Infinity), sometimes: ["the moon is full"], workload: (self) => self.sleep(20_000) },
        { faults: { "carrier-loss": 1, enospc: 0.1 }, targets: ["nobody"] },
        { runs: 5 },
      ),
    );

    expect(message).toContain(`property "all services come back" held, but the test is weak:
  "the moon is full" was never reached in 5 runs; more runs, or a plan that leads there
  the fault carrier-loss never struck in 5 runs (a carrier is gone with all processes on it); it needs a program on a carrier of its own, such as thread, that targets allow
  the fault enospc never struck in 5 runs (a write finds the disk full, and has written a part); it needs something that is read from or written to world.files, while the window lasts
  there was never a process called "nobody", which targets names
`);
  });

  test("is one that does nothing", async () => {
    const idle: Property<null> = { name: "idle", setup: () => null, always: { holds: () => true } };

    await expect(simulate(idle)).rejects.toThrow(
      "the property does nothing: its setup starts no process and it has no workload",
    );
    await expect(simulate(idle, {}, { allowWeak: true })).resolves.toMatchObject({ ok: true });
  });
});

describe("refute", () => {
  test("gives the run in which the property does not hold", async () => {
    const { check, choices } = await refute(services(1), plan);

    expect(check).toBe('eventually "all are there"');
    expect(choices).toHaveLength(2);
  });

  test("fails when it holds", async () => {
    const { message } = await failureOf(refute(services(Infinity), plan, { runs: 3 }));

    expect(message).toContain(
      'no run was found in which it does not hold: property "all services come back" held in 3 runs',
    );
  });
});

describe("the variable that replays", () => {
  const replayed = async (value: string, run: () => Promise<unknown>): Promise<string> => {
    const lines: string[] = [];
    const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(String(text)) > 0);
    vi.stubEnv(replayVariable, value);
    try {
      await run();
    } finally {
      vi.unstubAllEnvs();
      write.mockRestore();
    }
    return lines.join("");
  };
  const held = { allowWeak: true, runs: 3 };

  test("runs only that run of that property, and says how it went", async () => {
    const said = await replayed("all services come back: kill#3=1", async () => {
      expect(await simulate(services(Infinity), plan)).toMatchObject({ runsCount: 1, replayUnused: [] });
    });

    expect(said).toBe('property "all services come back" held in the run that was replayed\n');
  });

  test("says which choices the run never came to", async () => {
    const said = await replayed("all services come back: kill#3=1 gone#7=2", () => simulate(services(Infinity), plan));

    expect(said).toContain(
      "held in the run that was replayed, but that never came to gone#7=2: system or plan have changed",
    );
  });

  test("shows the story also where it was expected to fail", async () => {
    const said = await replayed("all services come back: kill#3=1 kill#5=1", () => refute(services(1), plan));

    expect(said).toContain('property "all services come back" does not hold');
    expect(said).toContain("is struck by kill");
  });

  test("leaves other properties alone", async () => {
    await replayed("another: none", async () => {
      expect(await simulate(services(Infinity), plan, held)).toMatchObject({ runsCount: 3 });
    });
  });

  test("is refused when it cannot mean anything", async () => {
    const run = () => simulate(services(Infinity), plan);

    await expect(replayed("kill", run)).rejects.toThrow('COLOS_REPLAY is "<name of a property>: <replay>", not "kill"');
    await expect(replayed("all services come back: kill", run)).rejects.toThrow(
      'replay: the replay is wrong at character 1, "kill": a choice is written stream#index=value',
    );
  });
});

describe("a story", () => {
  test("names ended processes, and says who is ready and how long a fault lasts", async () => {
    const { message } = await failureOf(simulate(services(1), plan));

    expect(message).toMatch(/ms {2}supervisor|root <0:3> learns that a <0:4> is ready/);
    expect(message).toMatch(/ms {2}root <0:3> gets exit of [abc] <0:\d+>: killed/);
    expect(message).not.toContain("body <");
  });

  test("of many lines keeps the faults", async () => {
    const { message } = await failureOf(
      simulate(
        {
          ...services(0),
          sometimes: [],
          workload: async (self) => {
            for (let round = 0; round < 300; round += 1) {
              await self.sleep(100);
              self.send(self.pid as never, round as never);
              await self.receive();
            }
          },
        },
        { at: [{ atMs: 2000, fault: "kill", target: "a" }], window: [0, 20_000] },
      ),
    );

    expect(message).toMatch(
      / {2}… \d+ lines …\n(?:.*\n){2} +2,\S+ ms {2}a <0:4> is struck by kill: .*\n(?:.*\n)+ {2}… \d+ lines …\n/,
    );
    expect(message.split("\n").length).toBeLessThan(80);
  });

  test("begins where the test called", async () => {
    const { stack } = await failureOf(simulate(services(1), plan));

    expect(stack?.split("\n    at ")[1]).toContain("simulate.test.ts");
  });
});
