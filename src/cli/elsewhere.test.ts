import { expect, test } from "vitest";
import { elsewhereClause } from "./elsewhere.ts";

test.each([
  ["list", "; here that is colos ps"],
  ["delete", "; here that is colos remove"],
  ["save", "; nothing needs to be saved: what was started stays known, and colos startup makes the machine start it"],
  ["frobnicate", undefined],
  ["toString", undefined],
])("a person who types %s is told %s", (verb, clause) => {
  expect(elsewhereClause(verb)).toBe(clause);
});
