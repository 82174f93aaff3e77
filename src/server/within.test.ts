/** Within: waits that end at a time-out, and with their owner. */
import { describe, expect, test } from "vitest";
import { timedOut } from "../kernel/process.ts";
import { deferred, idle, World } from "../testing/world.ts";
import { timeoutMsOf, within } from "./within.ts";

describe("within", () => {
  test("gives what the work gives, or fails as it fails, and leaves no timer and no handle behind", async () => {
    const world = new World();
    const { self } = world;

    expect(await within(self, Promise.resolve(1), 1000)).toBe(1);
    await expect(within(self, Promise.reject(new Error("x")), 1000)).rejects.toThrow("x");
    await world.settle();

    expect([world.platform.timersCount, self.extra?.handles?.size]).toEqual([0, 0]);
  });

  test("gives timedOut at the time-out, and leaves no handle behind", async () => {
    const world = new World();
    const waiting = within(world.self, new Promise(() => {}), 20);

    await world.advance(20);

    expect([await waiting, world.self.extra?.handles?.size]).toEqual([timedOut, 0]);
  });

  test.each([1000, Infinity])("never resumes an owner that has ended (time-out %d)", async (timeoutMs) => {
    const world = new World();
    const work = deferred();
    const resumed: string[] = [];
    const owner = world.self.spawn(async (self) => {
      await within(self, work.promise, timeoutMs);
      resumed.push("resumed");
    });
    await world.settle();

    world.self.exit(owner, "kill");
    work.resolve();
    await world.advance(2000);

    expect(resumed).toEqual([]);
  });

  test.each([1000, Infinity])("an owner that is held goes on when there is room (time-out %d)", async (timeoutMs) => {
    const world = new World();
    const slow = world.self.spawn(idle, { mailbox: { messagesMax: 1, policy: "block" } });
    const went: string[] = [];
    world.self.spawn(async (self) => {
      self.send(slow, 1);
      self.send(slow, 2);
      await within(self, Promise.resolve(), timeoutMs);
      went.push("on");
    });

    await world.settle();
    const before = [...went];
    world.self.exit(slow, "kill");
    await world.settle();

    expect([before, went]).toEqual([[], ["on"]]);
  });
});

test.each([
  [5, "a time-out is given as { timeoutMs }, not as 5"],
  [null, "a time-out is given as { timeoutMs }, not as null"],
  [{ timeoutMs: "5" }, 'timeoutMs is a number of milliseconds, not "5"'],
])("what is no time-out is refused with a sentence: %j", (options, sentence) => {
  expect(() => timeoutMsOf(options as never, 1)).toThrow(sentence);
});
