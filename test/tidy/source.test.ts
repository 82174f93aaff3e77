import { describe, expect, test } from "vitest";
import { blank } from "./source.ts";

describe("blank", () => {
  const samples: readonly [what: string, text: string, code: string][] = [
    ["a line comment", "a // b\nc", "a     \nc"],
    ["a block comment over lines", "a /* b\nb */ c", "a     \n     c"],
    ["a string", "a('b')", "a(' ')"],
    ["a string with an escaped quote", String.raw`a("b\"c")d`, 'a("    ")d'],
    ["a comment sign inside a string", 'a("//b")c', 'a("   ")c'],
    ["a quote inside a comment", 'a // it"s\nb("c")', 'a        \nb(" ")'],
    ["a template", "a(`b`)c", "a(` `)c"],
    ["code inside a template", "`a${b({ c: `d` })}e`+f", "` ${b({ c: ` ` })} `+f"],
    ["a regular expression with a quote", 'a = /"[/]b/g; c', "a =         ; c"],
    ["a division", "a / b / c", "a / b / c"],
  ];

  test.each(samples)("understands %s", (_what, text, code) => {
    expect(blank(text)).toBe(code);
  });
});
