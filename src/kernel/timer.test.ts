/** Timers: that they fire when they are due, and many deadlines on one host timer; OTP's statements (T) are in test/conformance/. */
import { describe, expect, test } from "vitest";
import { VirtualPlatform } from "../testing/virtual-platform.ts";
import { deferred, idle, World } from "../testing/world.ts";
import type { AnyPid, Pid, Ref } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { Timers } from "./timer.ts";

describe("timers of processes", () => {
  test("sendAfter delivers when the time has come, not before, and once", async () => {
    const world = new World();
    world.self.sendAfter(50, world.self.pid, "x");

    await world.advance(49.999);
    const early = await world.all();
    await world.advance(1000);

    expect([early, await world.all()]).toEqual([[], ["x"]]);
  });

  test("cancelTimer gives exactly the remaining milliseconds, and the message never comes", async () => {
    const world = new World();
    const ref = world.self.sendAfter(100, world.self.pid, "x");
    await world.advance(30);

    expect(world.self.cancelTimer(ref)).toBe(70);
    await world.advance(1000);
    expect(await world.all()).toEqual([]);
  });

  test("a timer to a dead pid or an unknown name is no matter for the log", async () => {
    const world = new World();
    world.self.sendAfter(5, await world.deadPid(), "x");
    world.self.sendAfter(5, "nobody", "x");

    await world.advance(20);

    expect([await world.all(), world.platform.logged]).toEqual([[], []]);
  });

  test("readTimer gives exactly the remaining time, and false after firing", async () => {
    const world = new World();
    const ref = world.self.sendAfter(60, world.self.pid, "x");
    await world.advance(20);
    const remainingMs = world.self.readTimer(ref);

    await world.advance(40);

    expect([remainingMs, world.self.readTimer(ref)]).toEqual([40, false]);
  });

  test("a timer for a process that has ended is taken back", async () => {
    const world = new World();
    const refs: Ref[] = [];
    const pid = world.self.spawn(async (self) => {
      refs.push(self.sendAfter(3_600_000, self.pid, "x"));
      await idle(self);
    });
    await world.settle();

    world.self.exit(pid, "kill");
    await world.settle();

    expect(world.self.readTimer(refs[0]!)).toBe(false);
    expect(world.platform.timersCount).toBe(0);
  });

  test("a timer for a process that has ended, or is ending, is none", async () => {
    const world = new World();
    const { self } = world;
    const closed = deferred();
    const ending = self.spawn(async (owner: AnyProcess) => {
      owner.own({ close: () => closed.promise });
      await idle(owner);
    });
    await world.settle();
    self.exit(ending, "kill");

    const refs = [await world.deadPid(), ending].map((pid) => self.sendAfter(3_600_000, pid as Pid<unknown>, "x"));
    await world.settle();

    const left = refs.map((ref) => [self.readTimer(ref), self.cancelTimer(ref)]);
    expect(left).toEqual([
      [false, false],
      [false, false],
    ]);
    closed.resolve();
    await world.settle();
    expect(world.platform.timersCount).toBe(0);
  });

  test("a duration below 0 is 0, and what is no number is refused with a sentence", async () => {
    const world = new World();
    const { self } = world;

    expect(() => self.sendAfter(Number.NaN, self.pid, "x")).toThrow("a duration is a number of milliseconds, not NaN");
    self.sendAfter(-5, self.pid, "at once");
    self.sendAfter(Infinity, self.pid, "never");
    await world.advance(10 ** 12);

    expect(await world.all()).toEqual(["at once"]);
  });

  test.each([Number.NaN, undefined, "10", {}])("%s is no duration, and stops no other timer", async (none) => {
    const world = new World();
    const { self } = world;
    const noDuration = none as unknown as number;
    self.sendAfter(10, self.pid, "in time");

    const waiting: AnyPid = self.spawn((other: AnyProcess) => other.sleep(noDuration));

    expect(await world.reasonOf(waiting)).toBeInstanceOf(RangeError);
    expect(() => self.receive(() => true, { timeoutMs: noDuration })).toThrow(RangeError);
    expect(() => self.sendAfter(noDuration, self.pid, "never")).toThrow(RangeError);
    await world.advance(20);
    expect(await world.all()).toEqual(["in time"]);
  });

  test.each([Number.NaN, "10"])("with %s as time-out nothing is asked and nothing is started", async (none) => {
    const world = new World();
    const { self } = world;
    const timeoutMs = none as unknown as number;
    const asked = self.spawn((server: AnyProcess) => {
      server.react((message) => void server.send(self.pid as Pid<unknown>, message));
    });
    await world.settle();

    expect(() => self.request(asked, "never", timeoutMs)).toThrow(RangeError);
    await expect(self.start(idle, { timeoutMs })).rejects.toThrow(RangeError);
    expect([await world.all(), world.kernel.processesCount]).toEqual([[], 2]);
  });
});

describe("timers", () => {
  function started(): { platform: VirtualPlatform; timers: Timers; fired: unknown[] } {
    const platform = new VirtualPlatform();
    return { platform, timers: new Timers(platform), fired: [] };
  }

  test("of many durations fire in order of their due times, each at its own", async () => {
    const { platform, timers, fired } = started();
    const due: number[] = [];
    for (let index = 0; index < 500; index += 1) {
      const dueMs = ((index * 7919) % 1000) / 4;
      due.push(dueMs);
      timers.start(dueMs, () => fired.push([dueMs, platform.clock.monotonicMs()]));
    }

    await platform.advance(1000);

    const sorted = due.toSorted((a, b) => a - b);
    expect(fired).toEqual(sorted.map((dueMs) => [dueMs, dueMs]));
  });

  test("of one duration fire in the order in which they were started", async () => {
    const { platform, timers, fired } = started();
    for (let index = 0; index < 100; index += 1) timers.start(10, () => fired.push(index));

    await platform.advance(10);

    expect(fired).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test("that fire late fire in order of their due times too, also after one before them was cancelled", async () => {
    const { platform, timers, fired } = started();
    const cancelled = timers.start(10, () => fired.push("cancelled"));
    platform.stall(5);
    timers.start(10, () => fired.push(15));
    timers.start(6, () => fired.push(11));
    timers.cancel(cancelled);

    platform.stall(100);
    await platform.advance(0);

    expect(fired).toEqual([11, 15]);
  });

  test("a cancelled timer never fires, and cancelling again gives false", async () => {
    const { platform, timers, fired } = started();
    const all = Array.from({ length: 100 }, (_, index) => timers.start(index % 7, () => fired.push(index)));

    const first = all.filter((_, index) => index % 2 === 0).map((timer) => timers.cancel(timer));
    const second = all.filter((_, index) => index % 2 === 0).map((timer) => timers.cancel(timer));
    await platform.advance(10);

    expect(first.every((remainingMs) => typeof remainingMs === "number")).toBe(true);
    expect(second.every((remainingMs) => remainingMs === false)).toBe(true);
    expect(fired).toHaveLength(50);
    expect(fired.every((index) => (index as number) % 2 === 1)).toBe(true);
  });

  test("one that is started while another fires fires in its turn", async () => {
    const { platform, timers, fired } = started();
    timers.start(10, () => {
      fired.push("first");
      timers.start(0, () => fired.push("at once"));
      timers.start(5, () => fired.push("later"));
    });
    timers.start(12, () => fired.push("between"));

    await platform.advance(20);

    expect(fired).toEqual(["first", "at once", "between", "later"]);
  });

  test("use one host timer, and none when nothing is due", async () => {
    const { platform, timers } = started();

    const all = Array.from({ length: 1000 }, (_, index) => timers.start(index + 1, () => {}));
    const armed = platform.timersCount;
    for (const timer of all) timers.cancel(timer);
    await platform.settle();

    expect([armed, platform.timersCount]).toEqual([1, 0]);
  });

  test("that were cancelled are forgotten, whatever their durations", () => {
    const { timers } = started();
    const kept = timers.start(5000, () => {});

    for (let index = 0; index < 100_000; index += 1) timers.cancel(timers.start(4000 + index / 1000, () => {}));

    expect(timers.listsCount).toBeLessThan(1000);
    expect(timers.remaining(kept)).toBe(5000);
  });
});
