import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dependencyOrder } from "./dependency-order.ts";

const item = (name: string, ...dependsOn: string[]) => ({ name, dependsOn: dependsOn.map((each) => ({ name: each })) });
const names = (items: readonly { name: string }[]) => items.map(({ name }) => name).join(" ");

describe("dependency order", () => {
  test("without dependencies the order is kept", () => {
    expect(names(dependencyOrder([item("c"), item("a"), item("b")]).order)).toBe("c a b");
  });

  test("a dependency comes before its dependents", () => {
    expect(names(dependencyOrder([item("web", "api"), item("api", "db"), item("mail"), item("db")]).order)).toBe(
      "db api web mail",
    );
  });

  test("a cycle is reported once, from a member back to itself", () => {
    const { cycles } = dependencyOrder([item("x", "a"), item("a", "b"), item("b", "c"), item("c", "a")]);

    expect(cycles).toEqual([["a", "b", "c", "a"]]);
  });

  test("two cycles are both reported", () => {
    const { cycles } = dependencyOrder([item("a", "b"), item("b", "a"), item("c", "d"), item("d", "c")]);

    expect(cycles).toEqual([
      ["a", "b", "a"],
      ["c", "d", "c"],
    ]);
  });

  test("a diamond is not a cycle", () => {
    const { order, cycles } = dependencyOrder([item("a", "b", "c"), item("b", "d"), item("c", "d"), item("d")]);

    expect(names(order)).toBe("d b c a");
    expect(cycles).toEqual([]);
  });

  test("without cycles every item comes out once, after its dependencies", () => {
    const graph = fc.array(fc.array(fc.nat(), { maxLength: 5 }), { maxLength: 30 });
    fc.assert(
      fc.property(graph, (edges) => {
        const items = edges.map((to, at) => item(`s${at}`, ...(at === 0 ? [] : to.map((n) => `s${n % at}`))));

        const { order, cycles } = dependencyOrder(items.toReversed());

        const place = new Map(order.map(({ name }, at) => [name, at]));
        expect(cycles).toEqual([]);
        expect(place.size).toBe(items.length);
        for (const { name, dependsOn } of items) {
          for (const { name: other } of dependsOn) expect(place.get(other)).toBeLessThan(place.get(name)!);
        }
      }),
    );
  });
});
