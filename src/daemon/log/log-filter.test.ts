import { expect, test } from "vitest";
import { filterOf, grepCharsMax } from "./log-filter.ts";

const entry = (text: string) => ({ service: "web", instance: 1, stream: "stdout" as const, at: 0, text });

test("the beginning of a line is searched, up to a limit", () => {
  const filter = filterOf({ grep: "x" });
  expect(filter(entry(`${"-".repeat(grepCharsMax - 1)}x`))).toBe(true);
  expect(filter(entry(`${"-".repeat(grepCharsMax)}x`))).toBe(false);
});

test("an expression finds the same in every line", () => {
  const filter = filterOf({ grep: "/X/giy" });
  expect([entry("x"), entry("x"), entry("ax")].map(filter)).toEqual([true, true, true]);
});

test("a path between slashes is found as well", () => {
  expect(filterOf({ grep: "/var/log/" })(entry("in /var/log/x"))).toBe(true);
});
