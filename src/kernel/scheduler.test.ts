/** Scheduler: nobody starves, neither other processes nor the host's timers and sockets. */
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { deferred, idle, World } from "../testing/world.ts";
import { Kernel } from "./kernel.ts";
import type { AnyPid, Pid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { turnCredit } from "./scheduler.ts";

/** A host with nothing virtual about it. */
function realKernel(): { kernel: Kernel; self: AnyProcess } {
  const kernel = new Kernel(nodePlatform());
  return { kernel, self: kernel.attach("test") };
}

/** Sends what it gets back, for ever, and counts. */
function pinger(count: { trips: number }): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (;;) {
      const from = (await self.receive()) as Pid<unknown>;
      count.trips += 1;
      self.send(from, self.pid);
    }
  };
}

/** Lets others run, for ever. */
function yielder(count: { trips: number }): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (;;) {
      await self.yield();
      count.trips += 1;
    }
  };
}

/** The same as a reactor. */
function reactor(count: { trips: number }): (self: AnyProcess) => void {
  return (self) =>
    self.react((from) => {
      count.trips += 1;
      self.send(from as Pid<unknown>, self.pid);
    });
}

/** 1,000 processes that are never done. */
function keepBusy(self: AnyProcess, body: (self: AnyProcess) => unknown): AnyPid[] {
  const pids: AnyPid[] = [];
  for (let index = 0; index < 500; index += 1) {
    const [one, two] = [self.spawn(body), self.spawn(body)];
    self.send(one as Pid<unknown>, two);
    pids.push(one, two);
  }
  return pids;
}

describe("while 1,000 processes are busy", () => {
  test.each([
    ["coroutines", pinger],
    ["reactors", reactor],
  ])("a setTimeout of 10 ms is served (%s)", async (_, busy) => {
    const { self } = realKernel();
    const count = { trips: 0 };
    const pids = keepBusy(self, busy(count));
    const served = deferred<number>();

    setTimeout(() => served.resolve(count.trips), 10);
    const tripsThen = await served.promise;
    for (let turn = 0; turn < 3; turn += 1) await self.yield();

    expect(tripsThen).toBeGreaterThan(0);
    expect(count.trips).toBeGreaterThan(tripsThen);
    for (const pid of pids) self.exit(pid, "kill");
  });

  test("an HTTP request is served", async () => {
    const { self } = realKernel();
    const count = { trips: 0 };
    const events: string[] = [];
    const server = createServer((_, response) => {
      events.push("request");
      response.end("served");
    });
    const listening = deferred();
    server.listen(0, "127.0.0.1", listening.resolve);
    await listening.promise;
    const pids = keepBusy(self, pinger(count));

    const answered = deferred();
    get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", agent: false }, (response) => {
      response.resume();
      response.once("end", () => {
        events.push("response");
        answered.resolve();
      });
    });
    await answered.promise;
    const tripsThen = count.trips;
    for (let turn = 0; turn < 3; turn += 1) await self.yield();

    expect(events).toEqual(["request", "response"]);
    expect(count.trips).toBeGreaterThan(tripsThen);
    for (const pid of pids) self.exit(pid, "kill");
    server.close();
  });

  test.each([
    ["coroutines", pinger],
    ["reactors", reactor],
    ["processes that yield", yielder],
  ])(
    "the host's event loop has its turn after so many steps at most, however long that lasts (%s)",
    async (_, busy) => {
      const { self } = realKernel();
      const count = { trips: 0 };
      const pids = keepBusy(self, busy(count));
      const tripsPerTurn: number[] = [];

      for (let turn = 0; turn < 50; turn += 1) {
        const before = count.trips;
        await new Promise((resolve) => void setImmediate(resolve));
        tripsPerTurn.push(count.trips - before);
      }

      expect(Math.max(...tripsPerTurn)).toBeGreaterThan(0);
      expect(Math.max(...tripsPerTurn)).toBeLessThanOrEqual(turnCredit);
      for (const pid of pids) self.exit(pid, "kill");
    },
  );

  test("each of them gets its turns", async () => {
    const world = new World();
    const turns = new Map<string, number>();
    const pids = Array.from({ length: 1000 }, () =>
      world.self.spawn(async (self) => {
        for (;;) {
          turns.set(String(self.pid), (turns.get(String(self.pid)) ?? 0) + 1);
          await self.yield();
        }
      }),
    );

    for (let turn = 0; turn < 20; turn += 1) await world.self.yield();

    const counts = [...turns.values()];
    expect(counts).toHaveLength(1000);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    for (const pid of pids) world.self.exit(pid, "kill");
  });
});

describe("a loop that never waits for long", () => {
  const loops: Record<string, (self: AnyProcess) => Promise<unknown>> = {
    yields: (self) => self.yield(),
    "receives what it sent itself": (self) => {
      self.send(self.pid, "x");
      return self.receive();
    },
    "looks into its mailbox": (self) => self.receive(undefined, { timeoutMs: 0 }),
    "asks a name that nobody has": (self) => self.request("nobody", "?").catch(() => {}),
    "asks itself": (self) => self.request(self.pid, "?").catch(() => {}),
    "asks a process that has ended": (self) => self.request(self.parent as AnyPid, "?").catch(() => {}),
    "starts what fails": (self) => self.start(() => Promise.reject(new Error("x")), { link: false }).catch(() => {}),
  };

  test.each(Object.entries(loops))("lets the host's timers be served (%s)", async (_, step) => {
    const kernel = new Kernel({ ...nodePlatform(), log: () => {} });
    const self = kernel.attach("test");
    const served = deferred();
    self.spawn((parent) => {
      const pid = parent.spawn(async (loop: AnyProcess) => {
        for (;;) {
          await step(loop);
          if (isServed) return;
        }
      });
      self.monitor(pid);
    });
    let isServed = false;

    setTimeout(() => {
      isServed = true;
      served.resolve();
    }, 1);
    await served.promise;

    expect(await self.receive()).toMatchObject({ type: "down", reason: "normal" });
  });
});

describe("new processes", () => {
  test("of one parent begin in the order in which they were spawned, over many turns", async () => {
    const world = new World();
    const begun: number[] = [];

    for (let index = 0; index < 100_000; index += 1) world.self.spawn(() => void begun.push(index));
    await world.settle();

    expect(begun).toEqual(Array.from({ length: 100_000 }, (_, index) => index));
  });

  test("begin before their parent's younger siblings: a tree is walked in depth", async () => {
    const world = new World();
    let waitingMax = 0;
    const grow = (self: AnyProcess, depth: number): void => {
      waitingMax = Math.max(waitingMax, world.kernel.processesCount);
      if (depth > 0) for (let index = 0; index < 10; index += 1) self.spawn(grow, { args: [depth - 1] });
    };

    world.self.spawn(grow, { args: [5] });
    await world.settle();

    expect(world.kernel.processesCount).toBe(1);
    expect(waitingMax).toBeLessThan(500);
  });

  test("do not starve those that were woken", async () => {
    const world = new World();
    let isOver = false;
    const chain = (self: AnyProcess): void => {
      if (!isOver) self.spawn(chain);
    };
    const echo = world.self.spawn(pinger({ trips: 0 }));
    await world.settle();
    world.self.spawn(chain);

    for (let trip = 0; trip < 100; trip += 1) {
      world.self.send(echo as Pid<unknown>, world.self.pid);
      expect(await world.self.receive()).toBe(echo);
    }
    isOver = true;
  });

  test("do not starve those that were spawned before them", async () => {
    const world = new World();
    const begun = deferred();
    let isOver = false;
    const chain = (self: AnyProcess): void => {
      if (!isOver) self.spawn(chain);
    };
    world.self.spawn(chain);
    world.self.spawn(() => begun.resolve());

    await begun.promise;

    isOver = true;
    await world.settle();
    expect(world.kernel.processesCount).toBe(1);
  });

  test("leave nothing behind: 1,000,000 spawns", async () => {
    const world = new World();
    const before = [world.kernel.processesCount, world.kernel.processes().length];

    for (let round = 0; round < 100; round += 1) {
      for (let index = 0; index < 10_000; index += 1) world.self.spawn(() => {});
      await world.settle();
    }

    expect([world.kernel.processesCount, world.kernel.processes().length]).toEqual(before);
  });

  test("can be spawned by what is idle for long: turns start afresh", async () => {
    const world = new World();
    const { pid } = world.self.spawnMonitor(idle);
    for (let round = 0; round < 3; round += 1) {
      await world.advance(3_600_000);
      expect(world.self.isAlive(pid)).toBe(true);
    }

    world.self.send(pid as Pid<unknown>, "stop");

    expect(await world.next()).toMatchObject({ reason: "normal" });
  });
});
