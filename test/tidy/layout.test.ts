import { describe, expect, test } from "vitest";
import { isNeutral, layout } from "./layout.ts";

describe("layout", () => {
  test("names only folders that it has", () => {
    const named = Object.values(layout).flatMap(({ imports, contracts }) => [...imports, ...contracts]);
    expect(named.filter((name) => layout[name] === undefined)).toEqual([]);
  });

  test("lets neutral folders import only neutral code", () => {
    const neutral = Object.values(layout).filter((folder) => folder.neutral);
    expect(neutral.flatMap(({ imports }) => imports).filter((name) => !layout[name]?.neutral)).toEqual([]);
  });

  test("lets only plural folders be named by contract", () => {
    const named = Object.values(layout).flatMap(({ contracts }) => contracts);
    expect(named.filter((name) => layout[name]?.plural === undefined)).toEqual([]);
  });

  test("has no circle among its folders", () => {
    const reach = (name: string, seen: readonly string[]): string[] =>
      seen.includes(name) ? [[...seen, name].join(" → ")] : rowOf(name).flatMap((next) => reach(next, [...seen, name]));
    expect(Object.keys(layout).flatMap((name) => reach(name, []))).toEqual([]);
  });

  test.each(["src/kernel/a.ts", "src/carriers/carrier.ts", "src/carriers/coroutine.ts", "src/stores/memory.ts"])(
    "counts %s as neutral",
    (path) => {
      expect(isNeutral(path)).toBe(true);
    },
  );

  test.each(["src/index.ts", "src/carriers/thread.ts", "src/daemon/a.ts"])("does not count %s as neutral", (path) => {
    expect(isNeutral(path)).toBe(false);
  });
});

function rowOf(name: string): readonly string[] {
  return layout[name]?.imports ?? [];
}
