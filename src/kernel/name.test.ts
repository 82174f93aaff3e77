/** Names: OTP's statements (R). */
import { describe, expect, test } from "vitest";
import { forwarder, idle, World } from "../testing/world.ts";

describe("names", () => {
  test("R1 a name is taken once: a second register fails", () => {
    const { self } = new World();
    const pid = self.spawn(idle);
    self.register("r1", pid);

    expect(() => self.register("r1", self.spawn(idle))).toThrow(`the name "r1" is taken by ${pid}`);
    expect(() => self.spawn(idle, { name: "r1" })).toThrow("is taken");
  });

  test("R2 a process has at most one local name", () => {
    const { self } = new World();
    const pid = self.spawn(idle, { name: "r2a" });

    expect(() => self.register("r2b", pid)).toThrow('already registered as "r2a"');
    self.unregister("r2a");
    self.register("r2b", pid);

    expect([self.whereis("r2a"), self.whereis("r2b")]).toEqual([undefined, pid]);
  });

  test("R3 a dead pid cannot be registered", async () => {
    const world = new World();
    const pid = await world.deadPid();

    expect(() => world.self.register("r3", pid)).toThrow("has ended and cannot be registered");
  });

  test("R4 the name is free after exit and can be taken by the restarted process", async () => {
    const world = new World();
    const first = world.self.spawn(idle, { name: "r4" });
    world.self.exit(first, "kill");
    await world.reasonOf(first);

    const second = world.self.spawn(idle, { name: "r4" });

    expect(world.self.whereis("r4")).toBe(second);
  });

  test("R5 unregister of an unknown name fails", () => {
    const { self } = new World();

    expect(() => self.unregister("r5")).toThrow('no process is registered as "r5"');
  });

  test("R6 a name is resolved at send time", async () => {
    const world = new World();
    const { self } = world;
    const [a, b] = [self.spawn(forwarder(self.pid)), self.spawn(forwarder(self.pid))];

    self.register("r6", a);
    self.send("r6", 1);
    self.unregister("r6");
    self.register("r6", b);
    self.send("r6", 2);

    expect(await world.all()).toEqual([
      [a, 1],
      [b, 2],
    ]);
  });

  test("R7 whereis gives undefined for a free name", () => {
    expect(new World().self.whereis("r7")).toBeUndefined();
  });

  test("a spawn whose name is taken starts nothing", () => {
    const world = new World();
    world.self.spawn(idle, { name: "taken" });
    const before = world.kernel.processesCount;

    expect(() => world.self.spawn(idle, { name: "taken" })).toThrow("is taken");
    expect(world.kernel.processesCount).toBe(before);
  });
});
