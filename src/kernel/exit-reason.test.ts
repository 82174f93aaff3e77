/** Exit reasons: what was thrown, as data and for people. */
import { describe, expect, test } from "vitest";
import { carrierDown, describeReason, Exit, isOrderly, osExitReason, reasonOfThrown, shutdown } from "./exit-reason.ts";

describe("exit reasons", () => {
  test.each([
    ["normal", true],
    ["shutdown", true],
    [shutdown("done"), true],
    ["killed", false],
    [{ tag: "exitStatus", code: 1 }, false],
    [new Error("x"), false],
    [undefined, false],
  ])("%j is orderly: %s", (reason, orderly) => {
    expect(isOrderly(reason)).toBe(orderly);
  });

  test.each([
    [new Exit("r"), "r"],
    ["text", { tag: "nocatch", value: "text" }],
    [undefined, { tag: "nocatch", value: undefined }],
  ])("what was thrown becomes a reason: %s", (thrown, reason) => {
    expect(reasonOfThrown(thrown)).toEqual(reason);
  });

  test.each([
    [0, null, "normal"],
    [3, null, { tag: "exitStatus", code: 3 }],
    [null, "SIGKILL", { tag: "signal", name: "SIGKILL" }],
  ])("an OS process that ends with code %s and signal %s", (code, signal, reason) => {
    expect(osExitReason(code, signal)).toEqual(reason);
  });

  test.each([
    ["normal", "normal"],
    [new RangeError("too far"), "RangeError: too far"],
    [{ tag: "exitStatus", code: 3 }, "exit code 3"],
    [{ tag: "signal", name: "SIGTERM" }, "ended by SIGTERM"],
    [shutdown("done"), "shutdown (done)"],
    [carrierDown("cable"), "its carrier was lost (cable)"],
    [{ tag: "call", reason: "timeout", to: "<0:1>" }, "a call to <0:1> failed (timeout)"],
    [{ tag: "nocatch", value: 7 }, "uncaught value 7"],
    [{ a: 1 }, '{"a":1}'],
    [undefined, "undefined"],
    [1n, "1"],
  ])("a reason is described in words (%#)", (reason, text) => {
    expect(describeReason(reason)).toBe(text);
  });

  test("describing never throws", () => {
    const cycle: { tag: string; detail?: unknown } = { tag: "shutdown" };
    cycle.detail = cycle;
    const bare: Record<string, unknown> = Object.create(null);
    bare["self"] = bare;
    const hostile = Object.defineProperty(new Error("x"), "name", {
      get: () => {
        throw new Error("no name");
      },
    });

    const texts = [cycle, bare, hostile, Symbol("s")].map((reason) => describeReason(reason));

    expect(texts.map((text) => typeof text)).toEqual(["string", "string", "string", "string"]);
  });
});
