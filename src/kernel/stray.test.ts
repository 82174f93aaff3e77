/** Stray errors, which no await caught, end the process whose code caused them and no other. */
import { EventEmitter } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { deferred, idle, World } from "../testing/world.ts";
import type { AnyProcess } from "./process.ts";

const worlds: World[] = [];

function strayWorld(): World {
  const world = new World({ strays: nodePlatform().strays });
  worlds.push(world);
  return world;
}

afterEach(() => {
  for (const world of worlds.splice(0)) world.kernel.close();
});

function fail(failure: Error): never {
  throw failure;
}

const strays: Record<string, (error: Error) => void> = {
  "a rejected promise nobody awaits": (failure) => void Promise.reject(failure),
  "a throw in setTimeout": (failure) => void setTimeout(fail, 0, failure),
  "a throw in setImmediate": (failure) => void setImmediate(fail, failure),
  "an emitter's error without a listener": (failure) =>
    void setImmediate(() => {
      new EventEmitter().emit("error", failure);
    }),
  "an async function nobody awaits": (failure) =>
    void (async () => {
      await Promise.resolve();
      throw failure;
    })(),
};

describe("stray errors", () => {
  test.each(Object.entries(strays))("%s ends only the process that caused it", async (_, cause) => {
    const world = strayWorld();
    const { self } = world;
    const error = new Error("stray");
    const bystander = self.spawn(idle);
    const { pid } = self.spawnMonitor(async (process) => {
      await process.receive();
      cause(error);
      await process.receive();
    });
    await world.settle();

    self.send(pid, "go" as never);
    const down = await self.receive();

    expect(down).toMatchObject({ type: "down", from: pid, reason: error });
    expect(self.isAlive(bystander)).toBe(true);
  });

  test("a stray error of a reactor ends its process", async () => {
    const world = strayWorld();
    const error = new Error("stray");
    const { pid } = world.self.spawnMonitor((process) => {
      process.react(() => void Promise.reject(error));
    });
    await world.settle();

    world.self.send(pid, "go" as never);

    expect(await world.self.receive()).toMatchObject({ from: pid, reason: error });
  });

  test("a stray error in what a message started is its receiver's, not its sender's", async () => {
    const world = strayWorld();
    const { self } = world;
    const error = new Error("stray");
    const receiver = async (process: AnyProcess): Promise<void> => {
      await process.receive();
      void Promise.reject(error);
      await process.receive();
    };
    const { pid: target } = self.spawnMonitor(receiver);
    const { pid: sender } = self.spawnMonitor(async (process) => {
      process.send(target, "x" as never);
      await process.receive();
    });

    expect(await self.receive()).toMatchObject({ from: target, reason: error });
    expect(self.isAlive(sender)).toBe(true);
  });

  test("a stray error of a process that has ended already has no effect", async () => {
    const world = strayWorld();
    const late = deferred<void>();
    const { pid } = world.self.spawnMonitor((process) => {
      void late.promise.then(() => process.send(world.self.pid, "from the dead"));
    });
    await world.next();

    late.resolve();
    await world.settle();

    expect(await world.all()).toEqual([]);
    expect(world.self.isAlive(pid)).toBe(false);
  });
});

describe("a process that ended while it awaited a host promise", () => {
  test.each(["wait", "a bare await"])("has no effect afterwards (%s)", async (how) => {
    const world = strayWorld();
    const { self } = world;
    const work = deferred<string>();
    let cameBack = 0;
    const { pid } = self.spawnMonitor(async (process) => {
      const value = await (how === "wait" ? process.wait(work.promise) : work.promise);
      cameBack += 1;
      process.send(self.pid, value);
    });
    await world.settle();

    self.exit(pid, "kill");
    work.resolve("result");

    expect(await world.all()).toMatchObject([{ type: "down", reason: "killed" }]);
    expect(cameBack).toBe(how === "wait" ? 0 : 1);
  });

  test.each([
    "spawn",
    "link",
    "monitor",
    "register",
    "sendAfter",
    "own",
    "exit",
    "trapExit",
    "react",
    "alias",
  ] as const)("cannot %s any more", async (operation) => {
    const world = strayWorld();
    const { self } = world;
    const before = world.kernel.processesCount;
    const work = deferred<void>();
    let error: unknown;
    const { pid } = self.spawnMonitor(async (process: AnyProcess) => {
      await work.promise;
      const attempts = {
        spawn: () => process.spawn(idle),
        link: () => process.link(self.pid),
        monitor: () => process.monitor(self.pid),
        register: () => process.register("zombie"),
        sendAfter: () => process.sendAfter(0, self.pid as never, "x"),
        own: () => process.own({ close: () => {} }),
        exit: () => process.exit(self.pid, "kill"),
        trapExit: () => process.trapExit(true),
        react: () => process.react(() => {}),
        alias: () => process.alias(),
      };
      try {
        attempts[operation]();
      } catch (refused) {
        error = refused;
      }
    });
    await world.settle();

    self.exit(pid, "kill");
    work.resolve();
    await world.advance(1);

    expect(error).toMatchObject({ name: "ProcessEnded" });
    expect(await world.all()).toHaveLength(1);
    expect([world.kernel.processesCount, self.whereis("zombie")]).toEqual([before, undefined]);
  });
});
