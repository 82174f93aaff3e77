import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { colouredText, fitted, lineLengthMax, plainText, textWidth, truncated } from "./text.ts";

describe("text: plain", () => {
  test.each([
    ["\u001b[31mred\u001b[0m", "red"],
    ["\u001b[2J\u001b[1;1Hhome", "home"],
    ["\u001b]0;title\u0007text", "text"],
    ["\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["\u001bPq#0;2\u001b\\after", "after"],
    ["\u009b31mred", "red"],
    ["\u001b(0lines", "lines"],
    ["\u001bcreset", "reset"],
    ["open\u001b[", "open"],
    ["open\u001b]0;title", "open"],
    ["a\tb", "a b"],
    ["be\u0007ll\u0000", "bell"],
    ["10 %\r20 %\r", "20 %"],
    ["\u202eevil\u2066", "evil"],
    ["a\u2028b", "ab"],
    ["half \ud800 pair", "half \ufffd pair"],
    [`z${"\u0301".repeat(50)}`, `z${"\u0301".repeat(4)}`],
    ["naïve 日本 👩‍💻", "naïve 日本 👩‍💻"],
  ])("%j becomes %j", (line, text) => {
    expect(plainText(line)).toBe(text);
  });

  test("nothing a terminal obeys is left, whatever comes in", () => {
    const pieces = fc.constantFrom(
      "\u001b",
      "[",
      "]",
      "31m",
      "\u0007",
      "\u009b",
      "\\",
      "P",
      "\r",
      "\n",
      "x",
      "é",
      "\u202e",
    );
    const line = fc
      .array(fc.oneof(pieces, fc.string({ unit: "binary" })), { maxLength: 20 })
      .map((all) => all.join(""));
    fc.assert(fc.property(line, (text) => !/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(plainText(text))));
  });

  test("a very long line is cut", () => {
    expect(plainText("x".repeat(1_000_000))).toHaveLength(lineLengthMax);
  });
});

describe("text: coloured", () => {
  test("colours stay and end with the line", () => {
    expect(colouredText("\u001b[31mred\u001b[2J\u0007 text")).toBe("\u001b[31mred text\u001b[0m");
  });

  test("text without colours gets no escape", () => {
    expect(colouredText("a\u001b[Hb")).toBe("ab");
  });
});

describe("text: width", () => {
  test.each([
    ["abc", 3],
    ["naïve", 5],
    ["日本", 4],
    ["ｆｕｌｌ", 8],
    ["한글", 4],
    ["e\u0301", 1],
    ["🚀", 2],
    ["❤\ufe0f", 2],
    ["𠀀", 2],
    ["…│└", 3],
    ["\u001b[31mred\u001b[0m", 3],
    ["", 0],
  ])("%j takes %i columns", (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  test.each([
    ["abcdef", 6, "abcdef"],
    ["abcdef", 5, "abcd…"],
    ["日本語", 6, "日本語"],
    ["日本語", 5, "日本…"],
    ["日本語", 4, "日…"],
    ["abc", 1, "…"],
    ["abc", 0, ""],
    ["ae\u0301c", 2, "a…"],
    ["ae\u0301", 2, "ae\u0301"],
  ])("%j in %i columns is %j", (text, width, expected) => {
    expect(truncated(text, width)).toBe(expected);
  });

  test("what is fitted has exactly the width", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat({ max: 20 }), (text, width) => {
        expect(textWidth(fitted(plainText(text), width))).toBe(width);
      }),
    );
  });

  test("figures are aligned to the right", () => {
    expect(fitted("12", 4, "right")).toBe("  12");
  });
});
