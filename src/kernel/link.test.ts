/** Links: OTP's statements (L). */
import { describe, expect, test } from "vitest";
import { idle, trapper, World } from "../testing/world.ts";
import { Exit } from "./exit-reason.ts";
import type { AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";

const wait = async (self: AnyProcess): Promise<void> => {
  await self.receive();
};

describe("links", () => {
  test.each(["the one who linked", "the one who was linked to"])(
    "L1 a link is two-way: either side's abnormal exit ends the other (%s)",
    async (which) => {
      const world = new World();
      const { self } = world;
      const b = self.spawn(idle);
      const a = self.spawn(async (linker) => {
        linker.link(b);
        await wait(linker);
      });
      await world.settle();
      for (const pid of [a, b]) self.monitor(pid);

      self.exit(which === "the one who linked" ? a : b, "bye");

      expect(await world.all()).toMatchObject([{ reason: "bye" }, { reason: "bye" }]);
    },
  );

  test("L2 linking twice is one link: exactly one exit message", async () => {
    const world = new World();
    const { self } = world;
    self.trapExit(true);
    const pid = self.spawnLink(idle);
    self.link(pid);
    self.link(pid);

    self.send(pid, "stop");

    expect(await world.all()).toEqual([{ type: "exit", from: pid, reason: "normal" }]);
  });

  test("L3 one unlink undoes repeated links", async () => {
    const world = new World();
    const { self } = world;
    self.trapExit(true);
    const pid = self.spawnLink(idle);
    self.link(pid);

    self.unlink(pid);
    self.send(pid, "stop");

    expect(await world.all()).toEqual([]);
  });

  test("L4 link to a dead pid when trapping gives an exit message with noproc", async () => {
    const world = new World();
    world.self.trapExit(true);
    const pid = await world.deadPid();

    world.self.link(pid);

    expect(await world.all()).toEqual([{ type: "exit", from: pid, reason: "noproc" }]);
  });

  test("L5 link to a dead pid when not trapping is an error noproc in the caller", async () => {
    const world = new World();
    const pid = await world.deadPid();

    expect(() => world.self.link(pid)).toThrow(new Exit("noproc"));
  });

  test("L6 link to oneself is true and without effect", () => {
    const { self } = new World();

    expect(self.link(self.pid)).toBe(true);
    expect(self.info()?.links).toEqual([]);
  });

  test("L7 after unlink returns, no exit signal of that link is delivered", async () => {
    const world = new World();
    const { self } = world;
    self.trapExit(true);

    for (let index = 0; index < 200; index += 1) {
      const pid = self.spawnLink(async (child) => {
        await child.receive();
        child.exit("x");
      });
      self.send(pid, "go");
      self.unlink(pid);
      await self.receive(undefined, { timeoutMs: 0 });
      expect(await world.all()).toEqual([]);
    }
  });

  test("L8 unlink does not remove an exit message already in the mailbox", async () => {
    const world = new World();
    world.self.trapExit(true);
    const pid = world.self.spawnLink((self) => self.exit("x"));
    await world.settle();

    world.self.unlink(pid);

    expect(await world.all()).toEqual([{ type: "exit", from: pid, reason: "x" }]);
  });

  test("L9 unlink of a process that is not linked is true and without effect", () => {
    const { self } = new World();

    expect(self.unlink(self.spawn(idle))).toBe(true);
  });

  test("L10 a normal exit does not end linked non-trapping peers", async () => {
    const world = new World();
    const pid = world.self.spawnLink(idle);

    world.self.send(pid, "stop");
    await world.settle();

    expect(world.self.isAlive(pid)).toBe(false);
    expect(world.self.isAlive(world.self.pid)).toBe(true);
  });

  test("L11 a trapping peer gets an exit message with normal for a normal exit", async () => {
    const world = new World();
    world.self.trapExit(true);
    const pid = world.self.spawnLink(idle);

    world.self.send(pid, "stop");

    expect(await world.all()).toEqual([{ type: "exit", from: pid, reason: "normal" }]);
  });

  test("L12 the reason travels unchanged along a chain of links", async () => {
    const world = new World();
    const origin = { code: 1 };
    world.self.spawnMonitor(async (a) => {
      a.spawnLink(async (b) => {
        b.spawnLink((c) => c.exit(origin));
        await wait(b);
      });
      await wait(a);
    });

    const [down] = (await world.all()) as { reason: unknown }[];

    expect(down?.reason).toBe(origin);
  });

  test("L13 a trapping process stops the chain", async () => {
    const world = new World();
    const { self } = world;
    const trapping = self.spawn(trapper(self.pid));
    const pid = self.spawn(async (linked) => {
      linked.link(trapping);
      await wait(linked);
      linked.exit("o");
    });
    await world.settle();

    self.send(pid, "boom");

    expect(await world.all()).toEqual([[trapping, { type: "exit", from: pid, reason: "o" }]]);
    expect(self.isAlive(trapping)).toBe(true);
  });

  test("L14 after the exit signal the link is gone on both sides", async () => {
    const world = new World();
    world.self.trapExit(true);
    const pid = world.self.spawnLink(idle);

    world.self.send(pid, "stop");
    await world.next();

    expect(world.self.info()?.links).toEqual([]);
  });

  test("L15 links are seen by both sides", () => {
    const { self } = new World();

    const pid = self.spawnLink(idle);

    expect(self.info()?.links).toEqual([pid]);
    expect(self.info(pid)?.links).toEqual([self.pid]);
  });

  test("L16 a crash takes all linked non-trapping processes (star of 1000)", async () => {
    const world = new World();
    const { self } = world;
    const hub = self.spawn(async (star) => {
      for (let index = 0; index < 1000; index += 1) star.spawnLink(wait);
      star.send(self.pid, star.info()?.links);
      await wait(star);
      star.exit("b");
    });
    const points = (await world.next()) as AnyPid[];
    for (const pid of points) self.monitor(pid);

    self.send(hub, "boom");

    const downs = await world.all();
    expect(points).toHaveLength(1000);
    expect(downs).toHaveLength(1000);
    expect(downs.every((down) => (down as { reason: unknown }).reason === "b")).toBe(true);
  });

  test("a chain of 100,000 links ends without a deep stack", async () => {
    const world = new World();
    const { self } = world;
    const before = world.kernel.processesCount;
    const first = self.spawn(wait);
    let last: AnyPid = first;
    for (let index = 1; index < 100_000; index += 1) {
      const previous = last;
      last = self.spawn(async (link: AnyProcess) => {
        link.link(previous);
        await wait(link);
      });
    }
    await world.settle();
    const ref = self.monitor(last);

    self.exit(first, "origin");

    expect(await world.next()).toMatchObject({ ref, reason: "origin" });
    expect(world.kernel.processesCount).toBe(before);
  });

  test("a star of 100,000 links ends", async () => {
    const world = new World();
    const before = world.kernel.processesCount;
    const { pid } = world.self.spawnMonitor(async (star) => {
      for (let index = 0; index < 100_000; index += 1) star.spawnLink(wait);
      await wait(star);
    });
    await world.settle();

    world.self.exit(pid, "b");

    expect(await world.next()).toMatchObject({ reason: "b" });
    expect(world.kernel.processesCount).toBe(before);
  });
});
