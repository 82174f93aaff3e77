import { describe, expect, test } from "vitest";
import type { FileSystem } from "../base/file-system.ts";
import { replaceFile } from "../base/whole-files.ts";
import { isDown } from "../kernel/message.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { defineProgram } from "../kernel/program.ts";
import { plainHost } from "../../test/plain-host.ts";
import { runCampaign, type Report } from "./campaign.ts";
import { impossible, type CampaignOptions, type Plan, type Property, type World } from "./property.ts";

function campaign<System>(
  property: Partial<Property<System>>,
  plan: Plan = {},
  options: CampaignOptions = { runs: 5 },
): Promise<Report> {
  const whole = { name: "subject", setup: () => null as System, sometimes: ["never"], ...property };
  return runCampaign(whole, plan, options, plainHost);
}

/** A process that waits, by that name. */
function sleeper(self: AnyProcess, name: string): AnyPid {
  return self.spawn(async (sleeping) => void (await sleeping.receive()), { name });
}

describe("a run", () => {
  test("is the same again with the same seed", async () => {
    const property = {
      setup: (self: AnyProcess) => sleeper(self, "a"),
      workload: (self: AnyProcess) => self.sleep(5000),
    };
    const plan = { faults: { kill: 1 } };

    const [one, other] = [await campaign(property, plan), await campaign(property, plan)];

    expect(other).toEqual({ ...one, cpuMs: other.cpuMs });
    expect((await campaign(property, plan, { runs: 5, seed: 6 })).eventsCount).not.toBe(one.eventsCount);
  });

  test("that takes its decisions from elsewhere is found", async () => {
    let runsCount = 0;
    const report = await campaign({
      workload: async (self) => {
        runsCount += 1;
        await self.sleep(runsCount);
      },
    });

    expect(report.failure).toMatchObject({ check: "determinism", seed: 1 });
  });

  test("that never rests ends with a sentence", async () => {
    const forEver = {
      workload: async (self: AnyProcess): Promise<void> => {
        for (;;) await self.yield();
      },
    };
    const report = await campaign(forEver, {}, { runs: 1, scheduler: "fifo", shrinkCpuSeconds: 0 });

    expect(report.failure?.check).toBe("rest");
    expect(report.failure?.message).toMatch(
      /^100000 events happened at 0 ms and time stands still; the last turn was of workload$/,
    );
  });

  test("that takes more events than it may ends with a sentence", async () => {
    const report = await campaign(
      {
        workload: async (self) => {
          for (;;) await self.sleep(1);
        },
      },
      {},
      { runs: 1, eventsMax: 1000 },
    );

    expect(report.failure).toMatchObject({ check: "rest", message: expect.stringContaining("within 1000 events") });
  });

  test("in which a process awaits what cannot be simulated stops and names it", async () => {
    const run = campaign({
      workload: () => new Promise<void>((resolve) => void setImmediate(resolve)),
    });

    await expect(run).rejects.toThrow(/process workload <0:\d+> awaits something outside the simulation/);
  });

  test("waits for long chains of promises", async () => {
    const report = await campaign({
      workload: async (self) => {
        for (let count = 0; count < 5000; count += 1) await Promise.resolve(count);
        await self.sleep(1);
      },
    });

    expect(report.ok).toBe(true);
  });

  test("whose workload does not end is a failure", async () => {
    const report = await campaign({ workload: (self) => self.receive().then(() => {}) });

    expect(report.failure).toMatchObject({ check: "workload", message: expect.stringContaining("did not end within") });
  });

  test("whose setup throws is a failure", async () => {
    const report = await campaign({
      setup: () => {
        throw new Error("no such thing");
      },
    });

    expect(report.failure).toMatchObject({ check: "setup", message: "Error: no such thing" });
  });
});

describe("a process of the property that a link ends", () => {
  const crash = (self: AnyProcess): Promise<void> => {
    self.spawnLink(() => {
      throw new Error("crash");
    });
    return self.sleep(1000);
  };

  test("is a failure of the setup at once", async () => {
    const report = await campaign({ setup: (self) => crash(self) });

    expect(report.failure).toMatchObject({
      check: "setup",
      message: "Error: its process was ended before it was done, as by a link or an exit signal",
    });
    expect(report.failure?.atMs).toBeLessThan(1000);
  });

  test("is a failure of the workload at once", async () => {
    const report = await campaign({ workload: crash });

    expect(report.failure).toMatchObject({
      check: "workload",
      message: "its process was ended before it was done, as by a link or an exit signal",
    });
    expect(report.failure?.atMs).toBeLessThan(1000);
  });

  test("makes a setup be tried again after a restart", async () => {
    let setupsCount = 0;
    const report = await campaign(
      {
        setup: async (self) => {
          setupsCount += 1;
          if (setupsCount === 2) await crash(self);
        },
        workload: (self) => self.sleep(1000),
      },
      { at: [{ atMs: 500, fault: "kill-system" }] },
      { runs: 1, selfCheckEvery: 0 },
    );

    expect(report.failure).toBeUndefined();
    expect(setupsCount).toBe(3);
  });
});

describe("checks", () => {
  test("always is looked at after every event", async () => {
    const report = await campaign(
      {
        setup: (self) => sleeper(self, "a"),
        always: { "a is there": (_system, world) => world.whereis("a") !== undefined || "a is gone" },
      },
      { at: [{ atMs: 700, fault: "kill", target: "a" }] },
    );

    expect(report.failure).toMatchObject({
      check: 'always "a is there"',
      message: "a is gone",
      atMs: 700,
      choices: [],
    });
  });

  test("onSignal sees exits and downs with who they come from", async () => {
    const seen: string[] = [];
    await campaign(
      {
        setup: (self) => {
          const watched = sleeper(self, "a");
          self.spawn(
            async (watcher) => {
              watcher.monitor(watched);
              watcher.link(watched);
              watcher.trapExit(true);
              for (;;) await watcher.receive();
            },
            { label: "watcher" },
          );
          return watched;
        },
        onSignal: {
          any: ({ kind, from, body }, watched) => {
            if (from === watched) seen.push(`${kind} ${String(body)}`);
            return true;
          },
        },
      },
      { at: [{ atMs: 10, fault: "kill", target: "a" }] },
      { runs: 1, selfCheckEvery: 0, scheduler: "fifo" },
    );

    expect(seen).toEqual(["exit kill", "exit killed", "down killed"]);
  });

  test("balance counts exactly", async () => {
    const report = await campaign({
      workload: (_self, _system, world) => world.count("done", 2),
      balance: { "each once": (_system, world) => [world.counted("done"), 1] },
    });

    expect(report.failure).toMatchObject({ check: 'balance "each once"', message: "it is 2 and must be 1" });
  });

  test("eventually says what was missing at last", async () => {
    const report = await campaign({
      eventually: { done: { withinMs: 100, holds: () => "nothing has come" } },
    });

    expect(report.failure?.message).toBe("it did not hold within 100 ms after the faults: nothing has come");
  });

  test("a model refuses what it does not allow", async () => {
    const report = await campaign({
      workload: (_self, _system, world) => {
        world.record("open");
        world.record("open");
      },
      model: {
        init: () => "closed",
        step: (state, { kind, what }) => {
          if (kind !== "record") return state;
          return state === what ? impossible("it is open already") : what;
        },
      },
    });

    expect(report.failure).toMatchObject({
      check: "model",
      message: `"open" is not possible: it is open already`,
    });
  });
});

describe("faults", () => {
  test("strike in the window only, and within the budget", async () => {
    const times: number[] = [];
    const report = await campaign(
      {
        setup: (self) => {
          const start = (): void => {
            self.spawn(async (one) => void (await one.receive()), { label: "one" });
          };
          for (let count = 0; count < 50; count += 1) start();
          return null;
        },
        model: {
          init: () => null,
          step: (state, { kind, atMs }) => {
            if (kind === "fault") times.push(atMs);
            return state;
          },
        },
      },
      { faults: { kill: 20 }, window: [1000, 2000], budget: { faultsMax: 7, quietMs: 50 }, swarm: false },
      { runs: 1, selfCheckEvery: 0 },
    );

    expect(report.faults).toEqual({ kill: 7 });
    expect(times.every((atMs) => atMs >= 1000 && atMs < 2010)).toBe(true);
    for (let index = 1; index < 7; index += 1) {
      expect((times[index] as number) - (times[index - 1] as number)).toBeGreaterThanOrEqual(50);
    }
  });

  test("hang and slow keep a process from its turns", async () => {
    const answers: Record<string, number> = {};
    await campaign(
      {
        setup: (self) => {
          for (const name of ["hung", "late", "well"]) {
            self.spawn(
              async (echo) => {
                for (;;) echo.send((await echo.receive()) as Pid<string>, name);
              },
              { name },
            );
          }
          return null;
        },
        workload: async (self, _system, world) => {
          await self.sleep(100);
          for (const name of ["hung", "late", "well"]) self.send(name, self.pid);
          for (;;) {
            const answer = await self.receive(undefined, { timeoutMs: 60_000 });
            if (typeof answer !== "string") return;
            answers[answer] = world.nowMs;
          }
        },
      },
      {
        at: [
          { atMs: 10, fault: "hang", target: "hung" },
          { atMs: 10, fault: "slow", target: "late" },
        ],
      },
      { runs: 1, selfCheckEvery: 0, scheduler: "fifo" },
    );

    expect(answers).toEqual({ well: 100, late: 200 });
  });

  test("a planned fault that finds nobody is an error of the plan", async () => {
    const run = campaign({}, { at: [{ atMs: 10, fault: "kill", target: "nobody" }] });

    await expect(run).rejects.toThrow('the plan\'s kill at 10 ms found no "nobody"; there was nobody');
  });

  test("a planned fault names who was there, or was probably meant", async () => {
    const planned = (target: string) =>
      campaign({ setup: (self) => void sleeper(self, "till") }, { at: [{ atMs: 10, fault: "kill", target }] });

    await expect(planned("tlil")).rejects.toThrow('the plan\'s kill at 10 ms found no "tlil"; did you mean "till"?');
    await expect(planned("warehouse")).rejects.toThrow('found no "warehouse"; there was till');
  });

  test("clock-step moves the wall clock alone, suspend both", async () => {
    const clocks: number[][] = [];
    await campaign(
      {
        workload: async (self, _system, { platform: { clock } }) => {
          for (let count = 0; count < 3; count += 1) {
            clocks.push([clock.monotonicMs(), clock.wallMs() - Date.UTC(2000, 0, 1)]);
            await self.sleep(100);
          }
        },
      },
      {
        at: [
          { atMs: 50, fault: "clock-step" },
          { atMs: 150, fault: "suspend" },
        ],
      },
      { runs: 1, selfCheckEvery: 0, scheduler: "fifo" },
    );

    expect(clocks).toEqual([
      [0, 0],
      [100, 1100],
      [250, 1250],
    ]);
  });

  test("kill-system sets up again on the files that were written, power-loss on those that were synced", async () => {
    const found: string[] = [];
    const property = {
      setup: async (_self: AnyProcess, { files }: { readonly files: FileSystem }) => {
        const there = await files.list("");
        found.push(there.join(" "));
        if (there.length > 0) return null;
        await replaceFile(files, "synced", new Uint8Array([1]));
        const file = await files.open("written", { write: true, create: true });
        await file.write(new Uint8Array([2]), 0);
        await file.close();
        return null;
      },
    };
    const options = { runs: 1, selfCheckEvery: 0, scheduler: "fifo" } as const;

    const killed = await campaign(property, { at: [{ atMs: 1000, fault: "kill-system" }] }, options);
    expect(killed.failure).toBeUndefined();
    expect(found.splice(0)).toEqual(["", "synced written"]);

    const report = await campaign(property, { at: [{ atMs: 1000, fault: "power-loss" }] }, options);
    expect(found.slice(0, 2)).toEqual(["", expect.stringContaining("synced")]);
    expect(report.faults).toEqual({ "power-loss": 1 });
  });

  test("of the whole system strike it once more before it is back, and it comes back once", async () => {
    const starts: number[] = [];
    const report = await campaign(
      {
        setup: (_self, world) => void starts.push(world.nowMs),
        workload: (self) => self.sleep(1000),
        always: { "one setup and one workload": (_system, world) => world.processes().length === 0 },
      },
      {
        at: [
          { atMs: 100, fault: "kill-system" },
          { atMs: 150, fault: "power-loss" },
        ],
      },
      { runs: 1, scheduler: "fifo", selfCheckEvery: 0 },
    );

    expect(report.failure).toBeUndefined();
    expect(starts).toEqual([0, 250]);
  });

  test("that last are over when the calm begins", async () => {
    const report = await campaign(
      {
        setup: (self) => {
          const other = self.spawn(async (far) => void (await far.receive()), { label: "far", carrier: "thread" });
          return { ref: self.monitor(other), other, self: self.pid };
        },
        workload: async (self, { other }) => {
          await self.sleep(4000);
          self.send(other, "end" as never);
        },
        eventually: { "it has ended": { withinMs: 500, holds: ({ other }, world) => !world.isAlive(other) } },
      },
      { faults: { partition: 1, delay: 0.5, stop: 0.5, slow: 0.5 }, window: [0, 4000] },
      { runs: 40 },
    );

    expect(report.failure).toBeUndefined();
    expect(report.neverStruck).toEqual([]);
  });
});

describe("a failing run", () => {
  test("that is another one the second time is told to be so", async () => {
    let runsCount = 0;
    const report = await campaign({
      workload: () => {
        runsCount += 1;
        if (runsCount === 1) throw new Error("only the first time");
      },
    });

    expect(report.failure).toMatchObject({ check: "determinism", seed: 1 });
  });

  test("is shrunk past runs that cannot be made", async () => {
    const property: Partial<Property<null>> = {
      setup: (self, world) => {
        if (world.chance("is there", 0.99)) sleeper(self, "a");
        return null;
      },
      workload: async (self, _system, world) => {
        if (world.whereis("a") === undefined) return;
        await self.sleep(1000);
        throw new Error("always");
      },
    };
    const report = await campaign(property, { at: [{ atMs: 500, fault: "kill", target: "a" }] });

    expect(report.failure).toMatchObject({
      check: "workload",
      choices: [{ stream: "chance:is there", index: 0, value: 1 }],
    });
  });
});

describe("a program in a file", () => {
  const file = new URL("file:///program.ts");
  const loading = {
    ...plainHost,
    load: (): Promise<Record<string, unknown>> =>
      Promise.resolve({ default: defineProgram(async (self: AnyProcess) => void (await self.receive())) }),
  };
  const property: Property<null> = {
    name: "subject",
    setup: (self) => {
      self.spawn(file as never, { carrier: "thread" } as never);
      return null;
    },
    workload: async (self, _system, world) => {
      await self.sleep(world.choose("how long", [1000, 2000]));
      world.sometimes(world.nowMs > 1500 ? "long" : "short");
    },
    sometimes: ["short", "long"],
  };

  for (const scheduler of ["random", "pct", "fifo", "exhaustive"] as const) {
    test(`is loaded before a run of ${scheduler} counts`, async () => {
      const report = await runCampaign(property, {}, { scheduler, runs: 500, selfCheckEvery: 0 }, loading);

      expect(report.failure).toBeUndefined();
      expect(report.neverSeen).toEqual([]);
    });
  }
});

describe("a system that starts again", () => {
  test("has no process under a pid from before", async () => {
    const pids: AnyPid[] = [];
    const seen: unknown[] = [];
    await campaign(
      {
        setup: async (self) => {
          pids.push(self.spawn((short) => short.yield()));
          await self.sleep(10);
          pids.push(self.spawn((waiting) => waiting.receive(), { carrier: "thread", label: "far" }));
          pids.push(sleeper(self, "near"));
          return null;
        },
        workload: async (self, _system, world) => {
          await self.sleep(2000);
          for (const pid of pids) seen.push([String(pid), world.isAlive(pid)]);
          self.monitor(pids[1] as AnyPid);
          const down = await self.receive(isDown);
          seen.push(down.reason);
        },
      },
      { at: [{ atMs: 1000, fault: "kill-system" }] },
      { runs: 1, selfCheckEvery: 0, scheduler: "fifo" },
    );

    expect(seen).toEqual([
      ["<0:3>", false],
      ["<0.1:1>", false],
      ["<0:4>", false],
      ["<1:3>", false],
      ["<1.1:1>", true],
      ["<1:4>", true],
      expect.stringMatching(/^no(proc|connection)$/),
    ]);
  });
});

describe("carriers", () => {
  const echo = async (self: AnyProcess): Promise<void> => {
    for (;;) {
      const { from, count } = (await self.receive()) as { readonly from: AnyPid; readonly count: number };
      self.send(from as never, count as never);
    }
  };

  test("keep the order of messages, whatever the delays", async () => {
    const report = await campaign(
      {
        setup: (self) => self.spawn(echo, { carrier: "thread", label: "echo" }),
        workload: async (self, pid) => {
          for (let count = 0; count < 50; count += 1) self.send(pid as never, { from: self.pid, count } as never);
          for (let count = 0; count < 50; count += 1) {
            const answer = await self.receive();
            if (answer !== count) throw new Error(`answer ${String(answer)} came in place of ${count}`);
          }
        },
      },
      { faults: { delay: 0.2 }, swarm: false },
      { runs: 20 },
    );

    expect(report.failure).toBeUndefined();
    expect(report.faults.delay).toBeGreaterThan(10);
  });

  test("that were never started are not there to be lost", async () => {
    const report = await campaign(
      {
        setup: (self) => {
          expect(() => self.spawn(echo, { carrier: "thread", args: [() => {}] as never })).toThrow(/copied/);
          return null;
        },
        workload: (self) => self.sleep(1000),
      },
      { faults: { "carrier-loss": 5 }, swarm: false },
    );

    expect(report.failure).toBeUndefined();
    expect(report.faults).toEqual({});
  });

  test("that are lost give each watcher one down", async () => {
    const downs: unknown[] = [];
    await campaign(
      {
        setup: (self) => self.spawn(echo, { carrier: "os-process", label: "echo" }),
        workload: async (self, pid) => {
          self.monitor(pid as AnyPid);
          for (;;) {
            const message = await self.receive(undefined, { timeoutMs: 5000 });
            if (!isDown(message)) return;
            downs.push(message.reason);
          }
        },
      },
      { at: [{ atMs: 1000, fault: "carrier-loss", target: "echo" }] },
      { runs: 1, selfCheckEvery: 0 },
    );

    expect(downs).toEqual([expect.objectContaining({ tag: "carrierDown" })]);
  });

  test("that stand still go on later, and nothing is lost", async () => {
    const report = await campaign(
      {
        setup: (self) => self.spawn(echo, { carrier: "thread", label: "echo" }),
        workload: async (self, pid, world) => {
          await self.sleep(1050);
          self.send(pid as never, { from: self.pid, count: 1 } as never);
          await self.receive();
          if (world.nowMs < 1100) throw new Error(`it answered at ${world.nowMs} ms`);
        },
      },
      { at: [{ atMs: 1000, fault: "stop", target: "echo" }] },
      { runs: 3 },
    );

    expect(report.failure).toBeUndefined();
  });
});

describe("schedulers", () => {
  /** Two processes add to one figure as if they were alone; each gives way between reading and writing. */
  const lostUpdate: Partial<Property<{ figure: number }>> = {
    setup: () => ({ figure: 0 }),
    workload: async (self, system) => {
      const refs = [1, 2].map(
        () =>
          self.spawnMonitor(async (adder) => {
            await adder.yield();
            const before = system.figure;
            await adder.yield();
            system.figure = before + 1;
          }).ref,
      );
      for (const ref of refs) await self.receive((message) => isDown(message, ref));
    },
    balance: { "both were counted": ({ figure }) => [figure, 2] },
  };

  for (const scheduler of ["random", "pct", "fifo", "exhaustive"] as const) {
    test(`${scheduler} finds a lost update`, async () => {
      const report = await campaign(lostUpdate, {}, { runs: 200, scheduler });

      expect(report.failure?.message).toBe("it is 1 and must be 2");
      expect(report.failure?.choices.length).toBeLessThanOrEqual(3);
      const replayed = await campaign(lostUpdate, {}, { scheduler, replay: report.failure?.replay ?? "" });
      expect(replayed.failure?.message).toBe("it is 1 and must be 2");
    });
  }

  const twoMessages: Partial<Property<string[]>> = {
    setup: () => [],
    workload: async (self, seen) => {
      const parent = self.pid;
      for (const name of ["a", "b"]) self.spawn((sender) => void sender.send(parent as Pid<unknown>, name));
      seen.splice(0, 2, `${String(await self.receive())}${String(await self.receive())}`);
    },
  };

  test("exhaustive goes through all orders and says so", async () => {
    const orders = new Set<string>();
    const property = {
      ...twoMessages,
      balance: {
        any: ([order]: string[]) => {
          orders.add(order ?? "");
          return [0, 0] as const;
        },
      },
    };

    const report = await campaign(property, {}, { scheduler: "exhaustive" });

    expect(report).toMatchObject({ ok: true, isExhausted: true });
    expect(orders).toEqual(new Set(["ab", "ba"]));
  });

  test("exhaustive says when it has not gone through all", async () => {
    const report = await campaign(twoMessages, {}, { scheduler: "exhaustive", runs: 2 });

    expect(report).toMatchObject({ ok: true, isExhausted: false });
    expect(report.weaknesses).toContain("not all orders were tried in 2 runs; more runs, or a smaller program");
  });
});

describe("the network", () => {
  const echo = async (self: AnyProcess, { network }: World): Promise<void> => {
    const listener = await network.listen({ host: "here", port: 80 });
    self.own(listener);
    for (;;) {
      const connection = await listener.accept();
      if (connection === null) return;
      const bytes = await connection.read();
      if (bytes !== null) await connection.write(bytes).catch(() => {});
      connection.close();
    }
  };

  test("reaches the system from another machine, and its faults are counted", async () => {
    const report = await campaign(
      {
        setup: (self, world) => self.spawn((server) => echo(server, world), { label: "echo" }),
        workload: async (self, _system, world) => {
          for (let count = 0; count < 20; count += 1) {
            await self.sleep(100);
            try {
              const connection = await world
                .networkOf("there")
                .connect({ host: "here", port: 80 }, { timeoutMs: 1000 });
              await connection.write(new Uint8Array([count]));
              const answer = await connection.read();
              connection.close();
              if (answer !== null) world.count(answer[0] === count ? "right" : "wrong");
            } catch {
              world.count("failed");
            }
          }
        },
        balance: { "no wrong answer": (_system, world) => [world.counted("wrong"), 0] },
      },
      { faults: { reset: 0.05 }, swarm: false },
      { runs: 10 },
    );

    expect(report.failure).toBeUndefined();
    expect(report.faults.reset).toBeGreaterThan(0);
  });

  test("is struck at the time that the plan says", async () => {
    const codes: unknown[] = [];
    await campaign(
      {
        workload: async (self, _system, world) => {
          for (const durationMs of [50, 100]) {
            await self.sleep(durationMs);
            const attempt = world.networkOf("there").connect({ host: "here", port: 80 }, { timeoutMs: 50 });
            await attempt.catch((error: unknown) => codes.push((error as { readonly code: unknown }).code));
          }
        },
      },
      { at: [{ atMs: 75, fault: "net-down", target: "there" }] },
      { runs: 1, selfCheckEvery: 0, scheduler: "fifo" },
    );

    expect(codes).toEqual(["ECONNREFUSED", "EAI_AGAIN"]);
  });
});
