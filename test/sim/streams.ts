/**
 * Streams: tasks of a stream keep its order and its limits, and each item has one outcome, in time or not.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import { Task } from "../../src/server/task.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const itemsMax = 10;
const timeoutMs = 60;

class System implements Judged {
  readonly oracle = new Oracle();
  readonly running = new Set<AnyProcess>();
  startedCount = 0;
}

function work(
  system: System,
  world: World,
  maxConcurrency: number,
): (self: AnyProcess, item: number) => Promise<number> {
  return async (self, item) => {
    const { oracle, running } = system;
    system.startedCount += 1;
    self.own({ close: () => void running.delete(self) });
    running.add(self);
    oracle.expect(running.size <= maxConcurrency, "a stream runs more tasks at a time than it may");
    // Never so near to the time-out that the order of turns decides.
    await self.receive(() => false, { timeoutMs: world.choose("lasts", [5, 1, 20, 150]) });
    if (world.chance("fails", 0.1)) self.exit("failed");
    return item * 2;
  };
}

function reader(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle } = system;
    self.trapExit(true);
    const ordered = !world.chance("unordered", 0.4);
    const maxConcurrency = world.choose("concurrency", [2, 1, 4]);
    const items = Array.from({ length: world.choose("items", [6, 3, itemsMax]) }, (_, index) => index);
    const leavesAfter = world.chance("leaves", 0.2) ? 2 : Infinity;
    const isTimed = world.chance("timed", 0.6);
    const stream = Task.stream(self, items, work(system, world, maxConcurrency), {
      ordered,
      maxConcurrency,
      label: "task",
      link: false,
      ...(isTimed ? { timeoutMs, onTimeout: "kill" as const } : { timeoutMs: 5_000 }),
    });
    const seen: number[] = [];
    for await (const outcome of stream) {
      seen.push(outcome.item);
      oracle.expect(
        !ordered || outcome.item === seen.length - 1,
        "outcomes of an ordered stream came in another order",
      );
      if (outcome.ok) oracle.expect(outcome.value === outcome.item * 2, "an item got the outcome of another one");
      else oracle.expect(isTimed || outcome.reason !== "timeout", "an item timed out that had time enough");
      if (seen.length >= leavesAfter) break;
      // Somebody who reads slowly must not lose what was done in time.
      await self.receive(() => false, { timeoutMs: world.choose("reads", [0, 10, 100]) });
    }
    const isComplete = leavesAfter !== Infinity || new Set(seen).size === items.length;
    oracle.expect(isComplete && new Set(seen).size === seen.length, "an item has no outcome, or two");
    oracle.expect(system.running.size === 0, "a task outlives its stream");
  };
}

/** Reads a stream whose time-out is an error: nothing that was done in time may cause it. */
function strict(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    self.trapExit(true);
    const items = [0, 1, 2, 3];
    const quick = async (task: AnyProcess, item: number): Promise<number> => {
      await task.receive(() => false, { timeoutMs: world.choose("quick", [2, 10]) });
      return item;
    };
    const stream = Task.stream(self, items, quick, {
      maxConcurrency: 2,
      label: "quick",
      link: false,
      timeoutMs: 1_000,
    });
    let count = 0;
    for await (const outcome of stream) {
      count += 1;
      system.oracle.expect(outcome.ok || outcome.reason !== "timeout", "an item timed out that had time enough");
      await self.receive(() => false, { timeoutMs: world.choose("late", [10, 700, 1_200]) });
    }
    system.oracle.expect(count === items.length, "an item has no outcome, or two");
  };
}

const property: Property<System> = {
  name: "streams",
  setup: () => new System(),
  async workload(self, system, world) {
    for (const body of [reader(system, world), strict(system, world)]) {
      const { ref } = self.spawnMonitor(body, { label: "reader" });
      const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: 60_000 });
      system.oracle.expect(down !== timedOut, "a stream never ends");
      const reason = down === timedOut ? "normal" : (down as { reason: unknown }).reason;
      system.oracle.expect(reason === "normal", `the reader of a stream crashed: ${String(reason)}`);
    }
  },
};

export const streams: Campaign = campaign(property, {
  faults: { kill: 3 },
  window: [0, 300],
  targets: ["task", "quick"],
});
