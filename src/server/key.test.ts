/** Keys: what is equal, what is refused. */
import { describe, expect, test } from "vitest";
import { World } from "../testing/world.ts";
import { comparableKey, keyCharactersMax, keyDepthMax, keyHash, keyText } from "./key.ts";

const world = new World();
const pid = world.self.pid;
const other = world.kernel.attach().pid;

describe("keys", () => {
  test.each([
    ["properties in another order", { a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 }],
    ["zero and minus zero", [0], [-0]],
    ["not a number", Number.NaN, Number.NaN],
    ["pids", [pid], [pid]],
    ["an object without a prototype", { a: 1 }, Object.assign(Object.create(null) as object, { a: 1 })],
  ])("are equal: %s", (_, one, two) => {
    expect(comparableKey(one)).toBe(comparableKey(two));
    expect(keyHash(one)).toBe(keyHash(two));
  });

  test("differ by type, place and nesting", () => {
    const keys = [
      ...["1", 1, 1n, true, "true", null, "null", undefined, "undefined", "", [], {}, [[]], [{}], [""], [null]],
      ...[
        ["a", "b"],
        ["ab"],
        ["a", ["b"]],
        [["a"], "b"],
        { a: "b" },
        { a: undefined },
        [1, 2],
        [12],
        [1, "2"],
        [[1], 2],
      ],
      ...[pid, other, [pid], [other], String(pid), "\0s1:a", "\0", keyText(["a"]), `\0${keyText(["a"])}`, ["a"]],
    ];

    expect(new Set(keys.map(comparableKey)).size).toBe(keys.length);
    expect(new Set(keys.map(keyText)).size).toBe(keys.length);
  });

  test.each([
    ["a date", new Date(0), "a Date is no key"],
    ["a function", () => {}, "a function is no key"],
    ["a symbol", Symbol("s"), "a symbol is no key"],
    ["a map within", [new Map()], "a Map is no key"],
    ["a long string", "x".repeat(keyCharactersMax + 1), "at most 4096 characters"],
    ["a long array", Array.from({ length: keyCharactersMax }, () => 1), "at most 4096 characters"],
  ])("%s is refused", (_, key, sentence) => {
    expect(() => comparableKey(key)).toThrow(TypeError);
    expect(() => comparableKey(key)).toThrow(sentence);
  });

  test("of too many levels, such as one that contains itself, is refused", () => {
    const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 1);
    const loop: unknown[] = [];
    loop.push(loop);

    expect(() => comparableKey(loop)).toThrow("at most 64 levels");
    expect(() => comparableKey(nested(keyDepthMax + 1))).toThrow("at most 64 levels");
    expect(() => comparableKey(nested(keyDepthMax))).not.toThrow();
  });

  test("of the longest string is one", () => {
    const text = (length: number): string => keyText("x".repeat(length));

    expect(text(keyCharactersMax - 6)).toHaveLength(keyCharactersMax);
    expect(() => text(keyCharactersMax - 5)).toThrow("at most 4096 characters");
  });
});
