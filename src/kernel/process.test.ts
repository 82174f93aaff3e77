/** Processes: what OTP's statements on them (P, E; test/conformance/) do not say. */
import { describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { World } from "../testing/world.ts";
import type { DownMessage } from "./message.ts";
import type { Pid } from "./pid.ts";
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

describe("the status of a process", () => {
  test("is running when it asks about itself, and waiting while it awaits something of the host", async () => {
    const world = new World({ strays: nodePlatform().strays });
    let own: unknown;
    const pid = world.self.spawn(async (self: AnyProcess) => {
      own = self.info()?.status;
      await self.wait(new Promise(() => {}));
    });
    const server = world.self.spawn((self: AnyProcess) => self.react(() => new Promise(() => {}))) as Pid<unknown>;
    const before = world.self.info(pid)?.status;

    world.self.send(server, "work that takes long");
    await world.settle();

    const after = [pid, server].map((each) => world.self.info(each)?.status);
    expect([before, own, ...after]).toEqual(["runnable", "running", "waiting", "waiting"]);
  });
});

describe("a program without a type checker", () => {
  const none = (value: unknown): never => value as never;

  test.each<[string, (self: AnyProcess) => unknown]>([
    ["link takes a pid, not web", (self) => self.link(none("web"))],
    ["unlink takes a pid, not web", (self) => self.unlink(none("web"))],
    ["monitor takes a pid, not undefined", (self) => self.monitor(none(undefined))],
    ["exit takes a pid, not web", (self) => self.exit(none("web"), "kill")],
    ["register takes a pid, not web", (self) => self.register(none(self.pid), none("web"))],
    ["react takes a function, not undefined", (self) => self.react(none(undefined))],
    ["receive takes a function, not [object Object]", (self) => self.receive(none({ timeoutMs: 5 }))],
    ["own takes what has a function close, not undefined", (self) => self.own(none(undefined))],
  ])("is told: %s", async (sentence, use) => {
    const world = new World();

    const { pid } = world.self.spawnMonitor((self: AnyProcess) => void use(self));

    const reason: unknown = expect.objectContaining({ name: "TypeError", message: sentence });
    expect(await world.next()).toMatchObject({ from: pid, reason });
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
