import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSelector, patternMax, selects, servicesOf, type Selectable } from "./selector.ts";

const all: readonly Selectable[] = [
  { service: "web", number: 1, tags: ["front"] },
  { service: "web", number: 2, tags: ["front"] },
  { service: "web1", number: 1 },
  { service: "worker-a", number: 12, tags: ["back", "blue"] },
];

/** Whom the word means, by name; undefined when it is none. */
function meant(word: string): readonly string[] | undefined {
  const selector = parseSelector(word);
  if (selector === undefined) return undefined;
  return all.filter((each) => selects(selector, each)).map(({ service, number }) => `${service}.${number}`);
}

describe("selector", () => {
  test.each<[string, readonly string[]]>([
    ["web", ["web.1", "web.2"]],
    ["web.2", ["web.2"]],
    ["all", ["web.1", "web.2", "web1.1", "worker-a.12"]],
    ["*", ["web.1", "web.2", "web1.1", "worker-a.12"]],
    ["web*", ["web.1", "web.2", "web1.1"]],
    ["web?", ["web1.1"]],
    ["*1", ["web1.1"]],
    ["*.1", ["web.1", "web1.1"]],
    ["*.?", ["web.1", "web.2", "web1.1"]],
    ["w*.*2", ["web.2", "worker-a.12"]],
    ["*-a", ["worker-a.12"]],
    ["W*", []],
    ["@front", ["web.1", "web.2"]],
    ["@blue", ["worker-a.12"]],
    ["@fron", []],
  ])("%s means %j", (word, names) => {
    expect(meant(word)).toEqual(names);
  });

  test.each(["", "@", "@a b", "@web*", "we b", "../x", "web.0", "web.x", "web.*.*", "w[ab]", "a/*", "*.", ".1", "@@a"])(
    "%j is none",
    (word) => {
      expect(parseSelector(word)).toBeUndefined();
    },
  );

  test("a pattern has at most so many characters", () => {
    expect(parseSelector("*".repeat(patternMax))).toBeDefined();
    expect(parseSelector("*".repeat(patternMax + 1))).toBeUndefined();
  });

  test("the services of instances are those of their names", () => {
    expect(selects(servicesOf(parseSelector("w*.2")!), { service: "web", number: 1 })).toBe(true);
    expect(selects(servicesOf(parseSelector("db.2")!), { service: "web", number: 1 })).toBe(false);
  });

  test("a pattern means what an expression of the same says", () => {
    const letters = fc.array(fc.constantFrom("a", "b", "*", "?"), { minLength: 1, maxLength: 8 });
    const names = fc.stringMatching(/^[ab]{1,8}$/);
    fc.assert(
      fc.property(letters, names, (parts, name) => {
        const pattern = `*${parts.join("")}`;
        const expression = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);

        expect(selects(parseSelector(pattern)!, { service: name, number: 1 })).toBe(expression.test(name));
      }),
    );
  });
});
