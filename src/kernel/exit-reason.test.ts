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
    [{ why: new RangeError("too far"), big: 2n }, '{"why":"RangeError: too far","big":"2"}'],
    [
      shutdown({ tag: "failedToStartChild", id: "db", reason: new Error("no disk") }),
      "shutdown (the child db did not start: Error: no disk)",
    ],
    [
      { tag: "supervisorFlags", problem: "invalidMaxRestarts", value: -1 },
      "the flag maxRestarts is a number from 0, not -1",
    ],
    [{ tag: "startSpec", problem: "duplicateChildName", id: "a" }, 'two children have the id "a"'],
    [{ tag: "startSpec", problem: "ofAnotherKernel" }, "ofAnotherKernel"],
    [{ tag: "undefinedState", state: { open: 1n } }, 'it is in the state {"open":"1"}, for which it has no method'],
    [{ tag: "mailboxFull", bytesMax: 10 }, "its mailbox is full (10 bytes)"],
    [{ tag: "toString" }, '{"tag":"toString"}'],
  ])("a reason is described in words (%#)", (reason, text) => {
    expect(describeReason(reason)).toBe(text);
  });

  test("a sentence shows the beginning of a long value", () => {
    const sentence = describeReason({ tag: "badReturnValue", value: "x".repeat(1000) });

    expect(sentence).toMatch(/^a callback gave "x{199}…; of a server it gives nothing, or what goOn/);
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

    const texts = [cycle, bare, hostile, Symbol("s"), { tag: "badCall", request: bare }].map((reason) =>
      describeReason(reason),
    );

    expect(texts.every((text) => typeof text === "string")).toBe(true);
  });
});
