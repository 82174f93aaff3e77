import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Property } from "../sim/property.ts";
import { draw } from "./arbitraries.ts";
import { refute, simulate } from "./simulate.ts";

/** A world that decides what the test says, and 0 where it says nothing. */
function deciding(values: readonly number[] = []): { choose<T>(stream: string, items: readonly T[]): T } {
  let index = 0;
  return { choose: (_stream, items) => items[Math.min(values[index++] ?? 0, items.length - 1)] as never };
}

const order = fc.record({
  item: fc.constantFrom("tea", "pot"),
  count: fc.integer({ min: 1, max: 1000 }),
  note: fc.option(fc.string()),
  tags: fc.array(fc.nat()),
});

describe("without any decision", () => {
  test.each<[string, fc.Arbitrary<unknown>, unknown]>([
    ["an integer", fc.integer(), 0],
    ["a negative one", fc.integer({ min: -9, max: -3 }), -3],
    ["a large one", fc.integer({ min: 5, max: 1_000_000 }), 5],
    ["a bigint", fc.bigInt(), 0n],
    ["a double", fc.double(), 0],
    ["a boolean", fc.boolean(), false],
    ["a string", fc.string(), ""],
    ["bytes", fc.uint8Array({ minLength: 2 }), Uint8Array.of(0, 0)],
    ["one of several", fc.oneof(fc.constant("first"), fc.constant("second")), "first"],
    ["a record", order, { item: "tea", count: 1, note: null, tags: [] }],
    ["mapped and chained", fc.nat().chain((n) => fc.array(fc.constant(n), { minLength: 1 })), [0]],
  ])("%s is the simplest", (_what, arbitrary, simplest) => {
    expect(draw(deciding(), "value", arbitrary)).toEqual(simplest);
  });

  test("what is refused for ever is given something else", () => {
    expect(
      draw(
        deciding(),
        "value",
        fc.integer().filter((value) => value > 2),
      ),
    ).toBeGreaterThan(2);
    expect(
      draw(
        deciding(),
        "value",
        fc.boolean().filter((value) => value),
      ),
    ).toBe(true);
    expect(draw(deciding(), "value", fc.uniqueArray(fc.nat(), { minLength: 5 }))).toHaveLength(5);
  });
});

describe("numbers", () => {
  test("come from small to large, on both sides of zero", () => {
    const drawn = (value: number): number => draw(deciding([value]), "value", fc.integer({ min: -2, max: 4 }));

    expect([0, 1, 2, 3, 4, 5, 6].map(drawn)).toEqual([0, 1, -1, 2, -2, 3, 4]);
  });

  test("stay within their bounds, and reach them", () => {
    const many = Array.from({ length: 40 }, () => 255);

    expect(draw(deciding(many), "value", fc.integer({ min: 3, max: 70_000 }))).toBe(70_000);
    expect(draw(deciding(many), "value", fc.bigInt({ min: -(10n ** 30n), max: 0n }))).toBe(-(10n ** 30n));
    fc.assert(
      fc.property(fc.array(fc.nat(255)), fc.integer(), fc.nat(), (decisions, min, size) => {
        const value = draw(deciding(decisions), "value", fc.integer({ min, max: Math.min(min + size, 0x7fff_ffff) }));

        expect(value).toBeGreaterThanOrEqual(min);
        expect(value).toBeLessThanOrEqual(min + size);
      }),
    );
  });
});

describe("in a run", () => {
  type Order = typeof order extends fc.Arbitrary<infer T> ? T : never;

  /** A shop that cannot deliver more than ninety pots at once. */
  function shop(seen: Order[]): Property<null> {
    return {
      name: "every order is delivered",
      setup: () => null,
      async workload(self, _system, world) {
        for (let count = 0; count < 10; count += 1) {
          await self.sleep(10);
          const drawn = draw(world, "order", order);
          seen.push(drawn);
          if (drawn.item === "pot" && drawn.count > 90) throw new Error("there are not so many pots");
        }
      },
    };
  }

  test("values differ from seed to seed and are the same again with the same", async () => {
    const valuesOf = async (seed: number): Promise<Order[]> => {
      const seen: Order[] = [];
      await refute(shop(seen), {}, { seed, runs: 50, shrinkCpuSeconds: 0 });
      return seen.slice(0, 10);
    };

    expect(await valuesOf(1)).toEqual(await valuesOf(1));
    expect(await valuesOf(1)).not.toEqual(await valuesOf(2));
  });

  test("the failing value shrinks with the run, and the replay gives it again", async () => {
    const { check, replay } = await refute(shop([]));
    const seen: Order[] = [];

    const again = simulate(shop(seen), {}, { replay });

    await expect(again).rejects.toThrow("workload: Error: there are not so many pots");
    expect(check).toBe("workload");
    expect(seen.at(-1)).toEqual({ item: "pot", count: expect.any(Number) as number, note: null, tags: [] });
    expect(seen.at(-1)?.count).toBeLessThan(130);
    expect(seen.slice(0, -1)).toEqual(seen.slice(0, -1).map(() => ({ item: "tea", count: 1, note: null, tags: [] })));
  });
});
