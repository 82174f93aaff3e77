/** Monitors and aliases: OTP's statements (N). */
import { describe, expect, test } from "vitest";
import { idle, World } from "../testing/world.ts";
import type { Pid, Ref } from "./pid.ts";

describe("monitors", () => {
  test("N1 DOWN is { type: down, ref, from, reason } with the monitor's own unique ref", async () => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(idle);
    const refs = [self.monitor(pid), self.monitor(pid)];
    self.demonitor(refs[0]!);

    self.send(pid, "stop");

    expect(await world.all()).toEqual([{ type: "down", ref: refs[1], from: pid, reason: "normal" }]);
    expect(refs[0]).not.toBe(refs[1]);
  });

  test("N2 monitor of a dead pid gives DOWN with noproc at once", async () => {
    const world = new World();
    const pid = await world.deadPid();

    const ref = world.self.monitor(pid);

    expect(world.self.info()?.messagesCount).toBe(1);
    expect(await world.all()).toEqual([{ type: "down", ref, from: pid, reason: "noproc" }]);
  });

  test("N3 monitors are one-way: death of the watcher does not touch the watched", async () => {
    const world = new World();
    const pid = world.self.spawn(idle);

    world.self.spawn((watcher) => {
      watcher.monitor(pid);
      watcher.exit("x");
    });
    await world.settle();

    expect(world.self.isAlive(pid)).toBe(true);
    expect(world.self.info(pid)?.monitoredBy).toEqual([]);
  });

  test("N4 n monitors give n DOWN messages, one per ref", async () => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(idle);
    const refs = [1, 2, 3].map(() => self.monitor(pid));

    self.send(pid, "stop");

    expect((await world.all()).map((down) => (down as { ref: Ref }).ref)).toEqual(refs);
  });

  test("N5 after demonitor no DOWN of that ref is added", async () => {
    const world = new World();
    const { self } = world;

    for (let index = 0; index < 200; index += 1) {
      const pid = self.spawn(idle);
      const ref = self.monitor(pid);
      self.send(pid, "stop");
      self.demonitor(ref);
      expect(await world.all()).toEqual([]);
    }
  });

  test("N6 demonitor leaves a DOWN that is already queued", async () => {
    const world = new World();
    const { ref } = world.self.spawnMonitor(() => {});
    await world.settle();

    world.self.demonitor(ref);

    expect(await world.all()).toMatchObject([{ type: "down", ref }]);
  });

  test("N7 demonitor with flush removes it", async () => {
    const world = new World();
    const { ref } = world.self.spawnMonitor(() => {});
    const other = world.self.spawnMonitor(() => {});
    await world.settle();

    world.self.demonitor(ref, { flush: true });

    expect(await world.all()).toMatchObject([{ type: "down", ref: other.ref }]);
  });

  test("N8 demonitor tells whether the monitor still existed", () => {
    const { self } = new World();
    const ref = self.monitor(self.spawn(idle));

    expect([self.demonitor(ref), self.demonitor(ref)]).toEqual([true, false]);
  });

  test("N9 only the owner ends its monitor: a demonitor by another process has no effect on the owner's DOWN", async () => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(idle);
    self.spawn(async (owner) => {
      owner.send(self.pid, owner.monitor(pid));
      await owner.receive();
      owner.send(self.pid, "got");
    });
    const ref = (await world.next()) as Ref;

    const existed = self.demonitor(ref);
    self.send(pid, "stop");

    expect(existed).toBe(false);
    expect(await world.all()).toEqual(["got"]);
  });

  test("N10 a normal exit gives DOWN normal", async () => {
    const world = new World();
    world.self.spawnMonitor(() => {});

    expect(await world.next()).toMatchObject({ type: "down", reason: "normal" });
  });

  test("N11 monitor by registered name: from is the name", async () => {
    const world = new World();
    world.self.spawn(idle, { name: "n11" });

    const ref = world.self.monitor("n11");
    world.self.send("n11", "stop");

    expect(await world.all()).toEqual([{ type: "down", ref, from: "n11", reason: "normal" }]);
  });

  test("N12 monitor of an unknown name gives DOWN noproc", async () => {
    const world = new World();

    const ref = world.self.monitor("n12");

    expect(await world.all()).toEqual([{ type: "down", ref, from: "n12", reason: "noproc" }]);
  });

  test("N13 a name monitor stays with the process that had the name", async () => {
    const world = new World();
    const { self } = world;
    const first = self.spawn(idle, { name: "n13" });
    const ref = self.monitor("n13");
    self.unregister("n13");
    self.spawn(idle, { name: "n13" });

    self.send("n13", "stop");
    const afterSecond = await world.all();
    self.send(first, "stop");

    expect(afterSecond).toEqual([]);
    expect(await world.all()).toMatchObject([{ ref }]);
  });

  test("N14 monitoring yourself gives a ref and never a DOWN", async () => {
    const world = new World();
    const refs: Ref[] = [];
    const pid = world.self.spawn(async (self) => {
      refs.push(self.monitor(self.pid));
      await idle(self);
    });
    await world.settle();

    expect(refs).toHaveLength(1);
    expect(world.self.info(pid)).toMatchObject({ monitors: [], monitoredBy: [], messagesCount: 0 });
  });

  test("N15 an alias of a monitor (once): the first reply through it ends the monitor", async () => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(idle);
    const ref = self.monitor(pid, { alias: "once" });

    self.send(ref, "reply");
    self.send(ref, "second");
    self.send(pid, "stop");

    expect(await world.all()).toEqual(["reply"]);
  });

  test.each(["demonitor", "down"])(
    "N16 messages sent through an inactive alias are dropped (after %s)",
    async (end) => {
      const world = new World();
      const { self } = world;
      const pid = self.spawn(idle);
      const ref = self.monitor(pid, { alias: "untilDown" });
      self.send(ref, "in time");

      if (end === "demonitor") self.demonitor(ref, { flush: true });
      else await (self.send(pid, "stop"), world.settle());
      self.send(ref, "late");

      const messages = await world.all();
      expect(messages.filter((message) => typeof message === "string")).toEqual(["in time"]);
    },
  );

  test("N17 unalias stops delivery; messages already queued stay", async () => {
    const world = new World();
    const { self } = world;
    const alias = self.alias();
    self.send(alias, "one");

    const wasOn = [self.unalias(alias), self.unalias(alias)];
    self.send(alias, "two");

    expect(wasOn).toEqual([true, false]);
    expect(await world.all()).toEqual(["one"]);
  });

  test("an alias of a dead process takes messages silently", async () => {
    const world = new World();
    world.self.spawn((owner) => owner.send(world.self.pid, owner.alias()));
    const alias = (await world.next()) as Ref;

    expect(world.self.send(alias, "x")).toBe("x");
  });

  test("N18 DOWN comes after the process's name was released", async () => {
    const { self } = new World();

    for (let index = 0; index < 300; index += 1) {
      const { pid } = self.spawnMonitor(idle, { name: "n18" });
      self.send(pid as Pid<string>, "stop");
      await self.receive();
      expect(self.whereis("n18")).toBeUndefined();
    }
  });

  test("N19 monitors of a process are visible by introspection (monitoredBy)", () => {
    const { self } = new World();
    const pid = self.spawn(idle, { name: "n19" });

    self.monitor(pid);
    self.monitor("n19");

    expect(self.info(pid)?.monitoredBy).toEqual([self.pid, self.pid]);
    expect(self.info()?.monitors).toEqual([pid, "n19"]);
  });
});
