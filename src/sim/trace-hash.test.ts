/**
 * What a trace hash tells apart, and where two recordings part.
 *
 * @module
 */
import { array, assert, double, integer, oneof, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { firstDifference, TraceHash } from "./trace-hash.ts";

function digestOf(events: readonly (number | string)[]): string {
  const hash = new TraceHash();
  for (const event of events) {
    if (typeof event === "number") hash.add(event);
    else hash.addText(event);
  }
  return hash.digest();
}

describe("a trace hash", () => {
  test("is the same on every host and version: these digests are part of what is promised", () => {
    expect([[], [0], [1, 2, 3], [0.1, -1, 2 ** 40, Infinity, NaN], ["spawned", "ä€😀", ""]].map(digestOf)).toEqual([
      "345707f4f18e0f67",
      "b01d4f1de3c93169",
      "581cb2e5066f5c2e",
      "290ff49755914e14",
      "b701db2ff3603ad8",
    ]);
  });

  const close: readonly (readonly (number | string)[])[] = [
    [],
    [0],
    [0, 0],
    [1],
    [1, 2],
    [2, 1],
    [-1],
    [0xffff_ffff],
    [2 ** 32],
    [2 ** 31],
    [-(2 ** 31)],
    [0.5],
    [-0.5],
    [NaN],
    [NaN, NaN],
    [Infinity],
    [-Infinity],
    [0x3c6e_f372],
    [0x1b87_3593],
    [""],
    ["", ""],
    ["a"],
    ["a", "b"],
    ["ab"],
    ["ba"],
    ["a\0"],
    ["0"],
    ["1"],
  ];

  test("tells close sequences apart", () => {
    expect(new Set(close.map(digestOf)).size).toBe(close.length);
  });

  test("tells a hundred thousand sequences apart, in each half of the digest nearly all", () => {
    const digests = Array.from({ length: 100_000 }, (_, at) => digestOf([at >> 8, at & 0xff, "tick"]));
    expect(new Set(digests).size).toBe(digests.length);
    // 100,000 of 2^32 share a value about once; halves that were one the copy of the other would do so as often.
    expect(new Set(digests.map((digest) => digest.slice(0, 8))).size).toBeGreaterThan(digests.length - 10);
    expect(new Set(digests.map((digest) => digest.slice(8))).size).toBeGreaterThan(digests.length - 10);
  });

  const event = oneof(integer(), double(), string({ maxLength: 6 }));

  test("depends on the events and their order alone", () => {
    assert(
      property(array(event), array(event), (first, second) => {
        const isSame = firstDifference(first, second, (a, b) => a === b || Object.is(a, b)) === null;
        expect(digestOf(first) === digestOf(second)).toBe(isSame);
      }),
      { seed: 1 },
    );
  });

  test("takes 0 and -0 for one, as comparisons do", () => {
    expect(digestOf([0])).toBe(digestOf([-0]));
  });

  test("goes on after a digest, which changes nothing", () => {
    const hash = new TraceHash();
    hash.add(1);
    expect(hash.digest()).toBe(hash.digest());
    hash.add(2);
    expect(hash.digest()).toBe(digestOf([1, 2]));
  });

  test("forgets texts beyond its limit, and hashes them alike when they come again", () => {
    const [small, large] = [new TraceHash(2), new TraceHash()];
    for (const text of ["a", "b", "a", "c", "b", "a", "c"]) {
      small.addText(text);
      large.addText(text);
    }
    expect(small.digest()).toBe(large.digest());
  });
});

describe("the first difference", () => {
  test.each([
    [[], [], null],
    [[1, "a", NaN], [1, "a", NaN], null],
    [[1, 2, 3], [1, 5, 3], { index: 1, first: 2, second: 5 }],
    [[1], [1, 2], { index: 1, first: undefined, second: 2 }],
    [[1, 2], [], { index: 0, first: 1, second: undefined }],
  ])("of %j and %j", (first, second, difference) => {
    expect(firstDifference<unknown>(first, second)).toEqual(difference);
  });

  test("of events that are compared by the caller", () => {
    const [first, second] = [
      [{ at: 1 }, { at: 2 }],
      [{ at: 1 }, { at: 3 }],
    ] as const;
    expect(firstDifference<{ at: number }>(first, second, (a, b) => a.at === b.at)).toEqual({
      index: 1,
      first: { at: 2 },
      second: { at: 3 },
    });
  });
});
