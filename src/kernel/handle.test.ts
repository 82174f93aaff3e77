/** The handle table: what a process holds is closed when it ends, whatever ends it. */
import { describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { deferred, World } from "../testing/world.ts";
import { handleCloseMs, type Handle } from "./handle.ts";
import type { AnyProcess } from "./process.ts";

/** A body that owns handles and then waits. */
function owner(...handles: readonly Handle[]): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (const handle of handles) self.own(handle);
    await self.receive((message: unknown) => message === "stop");
  };
}

describe("handles", () => {
  test.each(["return", "throw", "exit", "kill"])(
    "are closed last opened first when a process ends by %s",
    async (how) => {
      const world = new World();
      const closed: number[] = [];
      const { pid } = world.self.spawnMonitor(async (self) => {
        for (const number of [1, 2, 3]) self.own({ close: () => void closed.push(number) });
        await self.receive();
        if (how === "throw") throw new Error("x");
        if (how === "exit") self.exit("x");
      });
      await world.settle();

      if (how === "kill") world.self.exit(pid, "kill");
      else world.self.send(pid, "go" as never);

      expect(await world.all()).toHaveLength(1);
      expect(closed).toEqual([3, 2, 1]);
    },
  );

  test("that were given back are not closed", async () => {
    const world = new World();
    let closedCount = 0;
    world.self.spawnMonitor((self) => {
      const giveBack = self.own({ close: () => void (closedCount += 1) });
      giveBack();
    });

    await world.next();

    expect(closedCount).toBe(0);
  });

  test("that take time delay DOWN and EXIT until they have closed; the name is free at once", async () => {
    const world = new World();
    world.self.trapExit(true);
    const closing = deferred<void>();
    const pid = world.self.spawnLink(owner({ close: () => closing.promise }), { name: "slow" });
    world.self.monitor(pid);
    await world.settle();

    world.self.exit(pid, "r");
    const before = await world.all();
    const during = [world.self.info(pid)?.status, world.self.isAlive(pid), world.self.whereis("slow")];
    closing.resolve();

    expect([before, during]).toEqual([[], ["exiting", false, undefined]]);
    expect(await world.all()).toMatchObject([
      { type: "exit", reason: "r" },
      { type: "down", reason: "r" },
    ]);
  });

  test("one that never closes is reported after handleCloseMs, and the end goes on", async () => {
    const world = new World();
    const { pid } = world.self.spawnMonitor(owner({ close: () => new Promise(() => {}) }));
    await world.settle();
    world.self.exit(pid, "r");

    await world.advance(handleCloseMs - 1);
    const before = await world.all();
    await world.advance(1);

    expect(before).toEqual([]);
    expect(await world.all()).toMatchObject([{ type: "down", reason: "r" }]);
    expect(world.platform.logged).toMatchObject([{ level: "error", message: expect.stringContaining("still open") }]);
  });

  test("one that fails to close is logged and does not keep the others open", async () => {
    const world = new World();
    let closedCount = 0;
    const close = (): void => void (closedCount += 1);
    const failing: Handle[] = [
      { close },
      {
        close() {
          throw new Error("thrown");
        },
      },
      { close: () => Promise.reject(new Error("rejected")) },
    ];
    const { pid } = world.self.spawnMonitor(owner(...failing));
    await world.settle();

    world.self.exit(pid, "r");

    expect(await world.all()).toHaveLength(1);
    expect(closedCount).toBe(1);
    expect(world.platform.logged.map(({ message }) => /(thrown|rejected)/.exec(message)?.[0])).toEqual([
      "thrown",
      "rejected",
    ]);
  });

  test("while they close, nothing reaches the ended process any more: no reply, no time-out, no message", async () => {
    const world = new World();
    const { self } = world;
    const closing = deferred<void>();
    let went = "nowhere";
    const pid = self.spawn(async (asker) => {
      asker.own({ close: () => closing.promise });
      await asker.request(self.pid, "?", 10).then(
        () => (went = "on with a reply"),
        () => (went = "on with a failure"),
      );
    });
    const { from } = (await world.next()) as { from: never };

    self.exit(pid, "kill");
    self.reply(from, "late");
    await world.advance(20);
    closing.resolve();
    await world.settle();

    expect(went).toBe("nowhere");
  });

  test("stray errors of a close are the ended process's own, not those of who ended it", async () => {
    const world = new World({ strays: nodePlatform().strays });
    const { self } = world;
    const target = self.spawn(owner({ close: () => void Promise.reject(new Error("stray of a close")) }));
    const { pid: killer } = self.spawnMonitor(async (process) => {
      await process.receive();
      process.exit(target, "kill");
      await process.receive();
    });
    await world.settle();

    self.send(killer, "go" as never);
    await world.settle();
    await world.settle();

    expect([self.isAlive(target), self.isAlive(killer)]).toEqual([false, true]);
    world.kernel.close();
  });
});
