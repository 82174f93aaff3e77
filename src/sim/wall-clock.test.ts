import fc from "fast-check";
import { expect, test } from "vitest";
import { clockChangesMax, WallClock, wallMaxMs } from "./wall-clock.ts";

const startMs = Date.UTC(2030, 0, 1);

function clockAt(nowMs: { value: number }): WallClock {
  return new WallClock(() => nowMs.value, startMs);
}

test("without changes the wall clock goes with the monotonic one", () => {
  const now = { value: 500 };
  const clock = clockAt(now);
  now.value = 750;

  expect(clock.wallMs()).toBe(startMs + 250);
  expect(clock.bootMs()).toBe(750);
});

test("a step moves the wall clock alone", () => {
  const now = { value: 0 };
  const clock = clockAt(now);
  now.value = 10;
  clock.step(-3_600_000);
  now.value = 20;

  expect(clock.wallMs()).toBe(startMs - 3_600_000 + 20);
  expect(clock.bootMs()).toBe(20);
  expect([clock.steppedMs, clock.sleptMs]).toEqual([-3_600_000, 0]);
});

test("a sleep moves wall and boot clock", () => {
  const now = { value: 10 };
  const clock = clockAt(now);
  clock.sleep(5_000);

  expect(clock.wallMs()).toBe(startMs + 5_000);
  expect(clock.bootMs()).toBe(5_010);
  expect([clock.steppedMs, clock.sleptMs]).toEqual([0, 5_000]);
});

test("the wall clock of an earlier moment is known", () => {
  const now = { value: 0 };
  const clock = clockAt(now);
  now.value = 100;
  clock.step(1_000);
  now.value = 200;
  clock.sleep(50_000);

  expect([0, 99, 100, 199, 200].map((atMs) => clock.wallAtMs(atMs) - startMs)).toEqual([0, 99, 1_100, 1_199, 51_200]);
  expect(clock.changes).toEqual([
    { kind: "step", atMs: 100, byMs: 1_000 },
    { kind: "sleep", atMs: 200, byMs: 50_000 },
  ]);
});

test("the clock stays within what a Date can say", () => {
  const clock = clockAt({ value: 0 });
  clock.step(-1e300);
  expect(clock.wallMs()).toBe(0);
  clock.step(1e300);
  expect(clock.wallMs()).toBe(wallMaxMs);
  clock.sleep(1);
  expect(clock.sleptMs).toBe(0);
});

test("what is no time is refused", () => {
  const clock = clockAt({ value: 0 });

  expect(() => clock.step(Number.NaN)).toThrow(RangeError);
  expect(() => clock.sleep(-1)).toThrow(RangeError);
  expect(() => clock.sleep(Infinity)).toThrow(RangeError);
  expect(() => new WallClock(() => 0, -1)).toThrow(RangeError);
});

test("old changes are remembered as one", () => {
  const now = { value: 0 };
  const clock = clockAt(now);
  for (let count = 0; count < clockChangesMax + 5; count += 1) {
    now.value += 1;
    clock.step(10);
  }

  expect(clock.changes).toHaveLength(clockChangesMax);
  expect(clock.wallMs()).toBe(startMs + now.value + (clockChangesMax + 5) * 10);
  expect(clock.wallAtMs(now.value)).toBe(clock.wallMs());
});

test("wall time is the start, what has passed, what was slept and what was stepped; boot time never goes back", () => {
  const change = fc.record({
    kind: fc.constantFrom("step", "sleep", "pass"),
    byMs: fc.integer({ min: 0, max: 1_000_000 }),
    isBack: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const now = { value: 0 };
      const clock = clockAt(now);
      const model = { wallMs: startMs, bootMs: 0 };
      for (const { kind, byMs, isBack } of changes) {
        const signedMs = kind === "step" && isBack ? -byMs : byMs;
        if (kind === "pass") now.value += byMs;
        else clock[kind](signedMs);
        model.wallMs += signedMs;
        model.bootMs += kind === "step" ? 0 : byMs;
        expect([clock.wallMs(), clock.bootMs(), clock.wallAtMs(now.value)]).toEqual([
          model.wallMs,
          model.bootMs,
          model.wallMs,
        ]);
      }
    }),
  );
});
