/** Pids and refs: how they look. */
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { World } from "../testing/world.ts";
import { Exit } from "./exit-reason.ts";

test("a pid, a ref and an exit look the same in a sentence, in JSON and in console.log", () => {
  const { self } = new World();
  const [pid, ref] = [self.pid, self.alias()];

  expect([`${pid}`, JSON.stringify({ pid }), inspect({ pid })]).toEqual(["<0:2>", '{"pid":"<0:2>"}', "{ pid: <0:2> }"]);
  expect([`${ref}`, JSON.stringify([ref]), inspect([ref])]).toEqual(["#0:1", '["#0:1"]', "[ #0:1 ]"]);
  expect(String(new Exit({ tag: "call", reason: "timeout", to: "web" }))).toBe("Exit: a call to web failed (timeout)");
});
