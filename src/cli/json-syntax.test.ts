import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { depthMax, findJsonError } from "./json-syntax.ts";

describe("JSON syntax", () => {
  test.each([
    ["", 0, "the file ends where a value belongs"],
    ['{"a": 1', 7, "the file ends where a comma or } belongs"],
    ['{"a": 1 "b": 2}', 8, '"\\"" is not a comma or }'],
    ['{"a": 1,}', 8, "a comma before } is not allowed in JSON"],
    ["[1, 2, ]", 7, "a comma before ] is not allowed in JSON"],
    ["{a: 1}", 1, '"a" is not a key in double quotes'],
    ["{'a': 1}", 1, '"\'" is not a key in double quotes'],
    ['{"a" 1}', 5, '"1" is not a colon'],
    ['{"a": allways}', 6, '"allways" is not a value'],
    ['{"a": 01}', 6, '"01" is not a value'],
    ['{"a": "b\n"}', 6, "the text that starts here has no closing quote on its line"],
    ['{"a": "\\x"}', 7, "the backslash starts no escape that JSON knows"],
    ["// shop\n{}", 0, "a comment is not allowed in JSON"],
    ["{} {}", 3, '"{" is not the end of the file'],
  ])("%j is wrong at %i", (text, offset, sentence) => {
    expect(findJsonError(text)).toMatchObject({ offset, sentence });
  });

  test("nesting beyond the limit is an error, not a stack overflow", () => {
    expect(findJsonError("[".repeat(100_000))?.offset).toBe(depthMax + 1);
  });

  test("what JSON.stringify writes has no error", () => {
    fc.assert(fc.property(fc.json(), (text) => findJsonError(text) === undefined));
  });

  test("finds an error exactly when JSON.parse does", () => {
    const pieces = ["{", "}", "[", "]", ",", ":", '"a"', '"', "\\", "1", "-", ".5", "0", "e1", "true", " ", "\n", "x"];
    const text = fc.oneof(
      fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join("")),
      fc
        .tuple(fc.json(), fc.nat(), fc.constantFrom(...pieces, ""))
        .map(([json, at, piece]) => json.slice(0, at % json.length) + piece + json.slice((at % json.length) + 1)),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        let isJson = true;
        try {
          JSON.parse(candidate);
        } catch {
          isJson = false;
        }
        expect(findJsonError(candidate) === undefined).toBe(isJson);
      }),
      { numRuns: 2000 },
    );
  });
});
