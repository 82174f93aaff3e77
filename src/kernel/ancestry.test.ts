/** Ancestry: chains of parents, also of ended ones and across kernels, and callers. */
import { describe, expect, test } from "vitest";
import { pair } from "../testing/tied-worlds.ts";
import { idle, World } from "../testing/world.ts";
import { adoptLineage, ancestorsMax, callersMax, callersOf, endedAncestorsMax, lineageOf } from "./ancestry.ts";
import type { AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";

/** What a process says of its ancestors: names, or pids for those without. */
function line(self: AnyProcess): unknown[] {
  return self.ancestors.map(({ pid, name }) => name ?? pid);
}

describe("ancestors", () => {
  test("are the parents, nearest first, with their names", () => {
    const { kernel } = new World();
    const top = kernel.attach();
    const middle = top.spawn(idle, { name: "middle" }).process!;
    const lower = middle.spawn(idle).process!;
    const leaf = lower.spawn(idle).process!;

    expect(line(leaf)).toEqual([lower.pid, "middle", top.pid]);
    expect(leaf.ancestors[1]).toEqual({ pid: middle.pid, name: "middle" });
    expect([leaf.parent, top.ancestors, top.parent]).toEqual([lower.pid, [], undefined]);
  });

  test("stay when they have ended, with the names they had", async () => {
    const world = new World();
    const parent = world.self.spawn(idle, { name: "parent" }).process!;
    const leaf = parent.spawn(idle).process!;
    world.kernel.end(parent, "over");
    await world.settle();
    world.self.spawn(idle, { name: "parent" });

    expect(line(leaf)).toEqual(["parent", world.self.pid]);
    expect(leaf.ancestors[0]?.pid).toBe(parent.pid);
  });

  test("a name that was given up is not remembered", async () => {
    const world = new World();
    const parent = world.self.spawn(idle, { name: "parent" }).process!;
    const leaf = parent.spawn(idle).process!;
    world.self.unregister("parent");
    world.kernel.end(parent, "over");

    expect(line(leaf)).toEqual([parent.pid, world.self.pid]);
  });

  test("go back so many generations", () => {
    const { self } = new World();
    let leaf: AnyProcess = self;
    for (let count = 0; count < ancestorsMax + 3; count += 1) leaf = leaf.spawn(idle).process!;

    expect(leaf.ancestors).toHaveLength(ancestorsMax);
  });

  /** A process that was replaced by its own child so often. */
  async function heir(world: World, generationsCount: number): Promise<{ heir: AnyProcess; ended: AnyPid[] }> {
    let last: AnyProcess = world.self.spawn(idle).process!;
    const ended: AnyPid[] = [];
    for (let count = 0; count < generationsCount; count += 1) {
      const next = last.spawn(idle).process!;
      ended.unshift(last.pid);
      world.kernel.end(last, "over");
      last = next;
    }
    await world.settle();
    return { heir: last, ended };
  }

  test("of ended ones in a row the nearest are kept, and the living one above them", async () => {
    const world = new World();

    const { heir: last, ended } = await heir(world, endedAncestorsMax + 5);

    expect(line(last)).toEqual([...ended.slice(0, endedAncestorsMax), world.self.pid]);
  });

  test("as many ended ones as may be kept are all there", async () => {
    const world = new World();

    const { heir: last, ended } = await heir(world, endedAncestorsMax);

    expect(line(last)).toEqual([...ended, world.self.pid]);
  });

  test("a row that ends from below is shortened by the next end", async () => {
    const world = new World();
    const row: AnyProcess[] = [world.self.spawn(idle).process!];
    for (let count = 1; count < 100; count += 1) row.push(row.at(-1)!.spawn(idle).process!);
    const leaf = row.at(-1)!.spawn(idle).process!;
    const last = leaf.spawn(idle).process!;
    for (const process of row.toReversed()) world.kernel.end(process, "over");

    world.kernel.end(leaf, "over");

    expect(last.ancestors).toHaveLength(endedAncestorsMax + 1);
    expect(last.ancestors.at(-1)?.pid).toBe(world.self.pid);
  });
});

describe("ancestors in another kernel", () => {
  test("go on above the program of a carrier, with the names of its start", async () => {
    const { root, child } = pair();
    const above = root.self.spawn(idle, { name: "above" }).process!;
    const starter = above.spawn(idle).process!;
    const wire = structuredClone(root.kernel.encode(lineageOf(root.kernel, starter.pid)));
    const lineage = child.kernel.decode(wire) as ReturnType<typeof lineageOf>;
    adoptLineage(child.kernel, lineage);
    const main = child.kernel.spawnMain(lineage[0]![0], null, {}).process;
    const leaf = main.spawn(idle, { name: "leaf" }).process!;

    expect(leaf.ancestors.map(({ pid, name }) => name ?? String(pid))).toEqual([
      String(main.pid),
      String(starter.pid),
      "above",
      String(root.self.pid),
    ]);
  });
});

describe("callers", () => {
  test("are those on whose behalf a process works, as its starter says", () => {
    const { self } = new World();
    const task = self.spawn(idle, { callers: callersOf(self) }).process!;
    const inner = task.spawn(idle, { callers: callersOf(task) }).process!;
    const other = task.spawn(idle).process!;

    expect([task.callers, inner.callers, other.callers]).toEqual([[self.pid], [task.pid, self.pid], []]);
  });

  test("are the nearest ones", () => {
    const { self } = new World();
    let task: AnyProcess = self;
    for (let count = 0; count < callersMax + 3; count += 1) {
      task = task.spawn(idle, { callers: callersOf(task) }).process!;
    }

    expect(task.callers).toHaveLength(callersMax);
    expect(task.callers[0]).toBe(task.parent);
  });
});
