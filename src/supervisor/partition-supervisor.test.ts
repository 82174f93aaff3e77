/** Partition supervisors: routing by key, restarts, limits, other kernels. */
import { describe, expect, test } from "vitest";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { call, defineServer } from "../server/server.ts";
import { handOver, pair } from "../testing/tied-worlds.ts";
import { World } from "../testing/world.ts";
import { child } from "./child-spec.ts";
import { startDynamicSupervisor } from "./dynamic-supervisor.ts";
import {
  definePartitionSupervisor,
  partitionFor,
  partitionOf,
  partitionsMax,
  startPartitionSupervisor,
} from "./partition-supervisor.ts";
import { countChildren, deleteChild, findChild, startChild, terminateChild, whichChildren } from "./supervisor.ts";

class Counter {
  value = 0;

  handleCall(step: number): number {
    return (this.value += step);
  }
}

const counter = child(
  "counter",
  defineServer(() => new Counter()),
);

async function scene(partitions = 3): Promise<{ world: World; self: AnyProcess; supervisor: AnyPid }> {
  const world = new World();
  const supervisor = await startPartitionSupervisor(world.self, { partitions, child: counter }, { name: "counters" });
  return { world, self: world.self, supervisor };
}

describe("a partition supervisor", () => {
  test("runs so many children, numbered from 0", async () => {
    const { self } = await scene();

    expect((await whichChildren(self, "counters")).map(({ id }) => id)).toEqual(["0", "1", "2"]);
    expect(await countChildren(self, "counters")).toMatchObject({ specs: 3, active: 3 });
  });

  test("equal keys lead to the same partition, whole numbers to that of their remainder", async () => {
    const { self } = await scene();
    const pids = await Promise.all(["0", "1", "2"].map((id) => findChild(self, "counters", id)));

    expect(await partitionFor(self, "counters", { user: "ann" })).toBe(
      await partitionFor(self, "counters", { user: "ann" }),
    );
    expect(await Promise.all([0, 4, -5, 6].map((key) => partitionFor(self, "counters", key)))).toEqual([
      pids[0],
      pids[1],
      pids[2],
      pids[0],
    ]);
  });

  test("keys spread over all partitions", () => {
    const counts = [0, 0, 0, 0];
    for (let index = 0; index < 4000; index += 1) counts[partitionOf(`user ${index}`, 4)]! += 1;

    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });

  test("each partition has a state of its own, which its restart loses and no other does", async () => {
    const { world, self } = await scene();
    for (const key of [0, 1]) await call(self, await partitionFor(self, "counters", key), 5);

    self.exit(await partitionFor(self, "counters", 0), "kill");
    await world.settle();

    const values = [0, 1].map(async (key) => call(self, await partitionFor(self, "counters", key), 1));
    expect(await Promise.all(values)).toEqual([1, 6]);
  });

  test("a partition that does not run is noproc", async () => {
    const { self } = await scene();
    await terminateChild(self, "counters", "1");

    await expect(partitionFor(self, "counters", 1)).rejects.toMatchObject({
      reason: { tag: "call", reason: "noproc" },
    });
    await expect(partitionFor(self, "absent", 1)).rejects.toMatchObject({ reason: { tag: "call", reason: "noproc" } });
  });

  test("what is no key is refused", async () => {
    const { self } = await scene();

    await expect(partitionFor(self, "counters", new Date(0))).rejects.toThrow("a Date is no key");
    const request = { operation: "partitionFor", key: () => {} };
    expect(await call(self, "counters", request)).toBeUndefined();
    expect(await call(self, "counters", null)).toMatchObject({ ok: false, error: { tag: "unknownRequest" } });
  });

  test("the number of partitions is fixed", async () => {
    const { self } = await scene();
    await terminateChild(self, "counters", "1");
    const fixed = { ok: false, error: "fixedPartitions" };

    expect(await startChild(self, "counters", { ...counter, id: "3" })).toEqual(fixed);
    expect(await deleteChild(self, "counters", "1")).toEqual(fixed);
  });

  test("each partition can have a spec of its own", async () => {
    const { self } = new World();
    const spec = (partition: number): typeof counter =>
      child(
        "any",
        defineServer(() => ({ handleCall: () => partition })),
      );
    const supervisor = await startPartitionSupervisor(self, { partitions: 2, child: spec });

    const asked = [0, 1].map(async (key) => call(self, await partitionFor(self, supervisor, key), "which"));

    expect(await Promise.all(asked)).toEqual([0, 1]);
  });

  test.each([0, -1, 1.5, Number.NaN, partitionsMax + 1])("%s partitions are refused", (partitions) => {
    expect(() => definePartitionSupervisor({ partitions, child: counter })).toThrow(RangeError);
  });

  test("a supervisor of another kind is named as none", async () => {
    const { self } = new World();
    await startDynamicSupervisor(self, {}, { name: "rooms" });

    await expect(partitionFor(self, "rooms", "ann")).rejects.toThrow("rooms is no partition supervisor");
  });

  test("a key leads there from another kernel too", async () => {
    const { root, child: lower } = pair();
    await startPartitionSupervisor(root.self, { partitions: 2, child: counter }, { name: "counters" });

    const pid = await partitionFor(lower.self, "counters", "ann");

    expect(handOver(pid, lower, root)).toBe(await partitionFor(root.self, "counters", "ann"));
    expect(await call(lower.self, pid, 3)).toBe(3);
  });
});
