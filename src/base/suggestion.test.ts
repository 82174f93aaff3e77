import { describe, expect, test } from "vitest";
import { findSuggestion, suggestionClause, wordLengthMax } from "./suggestion.ts";

describe("suggestion", () => {
  test.each([
    ["restrat", "restart"],
    ["RESTART", "restart"],
    ["max-restarts", "maxRestarts"],
    ["comand", "command"],
    ["dependson", "dependsOn"],
  ])("%s means %s", (written, meant) => {
    expect(findSuggestion(written, ["command", "restart", "maxRestarts", "dependsOn"])).toBe(meant);
  });

  test("a word that is near to none gets no suggestion", () => {
    expect(findSuggestion("colour", ["command", "restart"])).toBeUndefined();
  });

  test("two letters do not match everything", () => {
    expect(findSuggestion("xy", ["up", "ps"])).toBeUndefined();
  });

  test("swapped neighbours count as one change", () => {
    expect(findSuggestion("pu", ["run", "up"])).toBe("up");
  });

  test("a very long word is not compared", () => {
    expect(findSuggestion("a".repeat(wordLengthMax + 1), ["a".repeat(wordLengthMax)])).toBeUndefined();
  });

  test("the clause is a question, or nothing", () => {
    expect(suggestionClause("rum", ["run"])).toBe('; did you mean "run"?');
    expect(suggestionClause("xyz", ["run"])).toBe("");
  });
});
