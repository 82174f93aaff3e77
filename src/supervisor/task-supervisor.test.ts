/** Tasks under a supervisor. */
import { describe, expect, test } from "vitest";
import type { AnyProcess } from "../kernel/process.ts";
import { defineTask, ownerWaitMsMax, Task } from "../server/task.ts";
import { stopServer } from "../server/server.ts";
import { World } from "../testing/world.ts";
import { startDynamicSupervisor } from "./dynamic-supervisor.ts";
import { whichChildren } from "./supervisor.ts";
import { startTask } from "./task-supervisor.ts";

const never = (self: AnyProcess): Promise<unknown> => self.receive(() => false);
const fails = (): never => {
  throw new RangeError("x");
};

describe("a task under a supervisor", () => {
  test("gives its value to its owner, and is nobody's child afterwards", async () => {
    const world = new World();
    const tasks = await startDynamicSupervisor(world.self);
    const task = await startTask(world.self, tasks, (_self, by: number) => by * 2, { args: [21] });
    const children = await whichChildren(world.self, tasks);

    const value = await task.await();
    await world.settle();

    expect([value, children.map(({ pid }) => pid)]).toEqual([42, [task.pid]]);
    expect(await whichChildren(world.self, tasks)).toEqual([]);
  });

  test("that fails ends neither its owner nor the supervisor, and is not restarted", async () => {
    const world = new World();
    const tasks = await startDynamicSupervisor(world.self);

    const outcomes = await Task.yieldMany([
      await startTask(world.self, tasks, fails),
      await startTask(world.self, tasks, fails),
      await startTask(world.self, tasks, fails),
    ]);
    await world.settle();

    expect(outcomes).toEqual(Array.from({ length: 3 }, () => ({ ok: false, reason: new RangeError("x") })));
    expect([world.self.isAlive(tasks), await whichChildren(world.self, tasks)]).toEqual([true, []]);
  });

  test("with a link that fails ends its owner", async () => {
    const world = new World();
    const tasks = await startDynamicSupervisor(world.self);
    const owner = world.self.spawn(async (self) => {
      await (await startTask(self, tasks, fails, { link: true })).await();
    });

    expect(await world.reasonOf(owner)).toEqual(new RangeError("x"));
  });

  test("ends with its supervisor, and gives the reason to who awaits", async () => {
    const world = new World();
    const tasks = await startDynamicSupervisor(world.self);
    const task = await startTask(world.self, tasks, never);
    await world.settle();

    await stopServer(world.self, tasks);

    expect(await task.yield({ timeoutMs: Infinity })).toEqual({ ok: false, reason: "shutdown" });
  });

  test("is refused beyond maxChildren", async () => {
    const world = new World();
    const tasks = await startDynamicSupervisor(world.self, { maxChildren: 1 });
    await startTask(world.self, tasks, never);

    await expect(startTask(world.self, tasks, never)).rejects.toMatchObject({ reason: "maxChildren" });
  });
});

test("a task that nobody asks for its value ends", async () => {
  const world = new World();
  const pid = world.self.spawn(defineTask(() => 1));
  const ended = world.reasonOf(pid);

  await world.advance(ownerWaitMsMax - 1);
  const before = world.self.isAlive(pid);
  await world.advance(1);

  expect([before, await ended]).toEqual([true, { tag: "noOwner" }]);
});
