/** Processes: what OTP's statements on them (P, E; test/conformance/) do not say. */
import { describe, expect, test } from "vitest";
import { World } from "../testing/world.ts";
import type { DownMessage } from "./message.ts";
import type { AnyProcess } from "./process.ts";

describe("processes", () => {
  test("a process that ends before it has begun never begins", async () => {
    const world = new World();
    let ran = false;
    const { pid } = world.self.spawnMonitor(() => {
      ran = true;
    });

    world.self.exit(pid, "early");

    expect(await world.next()).toMatchObject({ reason: "early" });
    expect(ran).toBe(false);
  });

  test("what a body is given as args comes after self", async () => {
    const world = new World();

    const add = (self: AnyProcess, a: number, b: number): never => self.exit(a + b);
    world.self.spawnMonitor(add, { args: [1, 2] });

    expect(await world.next()).toMatchObject({ reason: 3 });
  });

  test("a crash is logged with its stack, and it is the very error that watchers get", async () => {
    const world = new World();
    const error = new TypeError("x");

    for (const body of [() => Promise.reject(error), () => thrower(error)]) {
      world.self.spawnMonitor(body);
      expect(((await world.next()) as DownMessage).reason).toBe(error);
    }

    expect(world.platform.logged.map(({ level }) => level)).toEqual(["error", "error"]);
    expect(world.platform.logged[0]?.message).toContain("TypeError: x\n");
  });

  test("nothing leads from the pid of a dead process to it", async () => {
    const world = new World();
    const pid = await world.deadPid();

    expect(pid.process).toBeNull();
    expect(world.kernel.processes()).toEqual([world.self.pid]);
  });
});

describe("exit signals", () => {
  test("a message and a fatal exit in one step: the exit wins, and nothing of the target is seen afterwards", async () => {
    const world = new World();
    const { self } = world;
    const { pid } = self.spawnMonitor(async (child) => {
      const message = await child.receive();
      child.send(self.pid, ["got", message]);
    });
    await world.settle();

    self.send(pid, "m");
    self.exit(pid, "r");

    expect(await world.all()).toMatchObject([{ type: "down", reason: "r" }]);
  });
});

function thrower(value: unknown): never {
  throw value;
}
