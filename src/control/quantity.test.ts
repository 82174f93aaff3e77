import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { durationUnits, parseDuration, parseSize, sizeUnits, spanText } from "./quantity.ts";

describe("quantity", () => {
  test.each([
    [0, "0 ms"],
    [93.4, "93 ms"],
    [999.6, "1 s"],
    [1289, "1.3 s"],
    [30_000, "30 s"],
    [59_999, "1 min"],
    [3_600_000, "1 h"],
    [86_400_000, "24 h"],
    [604_800_000, "7 d"],
  ])("%d ms are %s for a person", (milliseconds, text) => {
    expect(spanText(milliseconds)).toBe(text);
  });

  test.each([
    ["512 MiB", 536_870_912],
    ["1GB", 1_000_000_000],
    ["1.5 KiB", 1536],
    ["0 B", 0],
    ["10 kB", 10_000],
    ["10 KB", 10_000],
    ["1 TiB", 1_099_511_627_776],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    ["30 s", 30_000],
    ["7 days", 604_800_000],
    ["1.5h", 5_400_000],
    ["0.1 s", 100],
    ["10ms", 10],
    ["1 day", 86_400_000],
    ["2 min", 120_000],
  ])("%s is %d ms", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each([
    "",
    "5",
    " 5 B",
    "5 B ",
    "5  B",
    "5 b",
    "-5 B",
    "+5 B",
    "1e3 B",
    "1.5 B",
    ".5 kB",
    "1. kB",
    "5 constructor",
    "1,5 kB",
    "99999999 TiB",
  ])("%j is no size", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test.each(["5 m", "5 sec", "1 month", "0.0001 ms", "5s 5ms"])("%j is no duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test("a whole number of a unit is that many of it, with and without a space", () => {
    const units = [
      ...Object.entries(sizeUnits).map((unit) => [parseSize, ...unit] as const),
      ...Object.entries(durationUnits).map((unit) => [parseDuration, ...unit] as const),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...units),
        fc.nat({ max: 1000 }),
        fc.constantFrom("", " "),
        ([parse, unit, factor], count, space) => {
          expect(parse(`${count}${space}${unit}`)).toBe(count * factor);
        },
      ),
    );
  });
});
