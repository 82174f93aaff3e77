import { expect, test } from "vitest";
import { findLogLevel, isLevel, levelCharsMax } from "./log-level.ts";

test.each([
  ['{"level":30,"msg":"pino"}', "info"],
  ['{"level":60}', "fatal"],
  ['{"level":35}', "info"],
  ['{"level":"warning","message":"winston"}', "warn"],
  ['{"severity":"CRITICAL"}', "fatal"],
  ['{"lvl":"DBUG"}', "debug"],
  ['{"msg":"level is low"}', undefined],
  ["ts=1 level=error msg=x", "error"],
  ['level="warn" msg=x', "warn"],
  ["[debug] x", "debug"],
  ["2026-11-21 10:06:20,123 - root - WARNING - x", "warn"],
  ["2026-11-21T10:06:20Z ERROR x", "error"],
  ["2026/11/21 10:06:20 [error] 12#12: nginx", "error"],
  ["12:M 21 Nov 2026 10:06:20.123 * Ready", undefined],
  ["error: x", "error"],
  ["TypeError: x is not a function", "error"],
  ["Error [ERR_X]: y", "error"],
  ["WARNING:root:x", "warn"],
  ["E1121 10:06:20.123456 1 main.go:1] x", "error"],
  ["<4>x", "warn"],
  ["Information about errors", undefined],
  ["the error is gone", undefined],
  ["plain", undefined],
  ["", undefined],
])("finds in %j the level %s", (text, level) => {
  expect(findLogLevel(text)).toBe(level);
});

test("the level of JSON that is longer than what is looked at is found near its start", () => {
  expect(findLogLevel(`{"level":"error","data":"${"x".repeat(levelCharsMax)}"}`)).toBe("error");
  expect(findLogLevel(`{"data":"${"x".repeat(levelCharsMax)}","level":"error"}`)).toBe(undefined);
});

test("a level includes what is worse, and no line without a level", () => {
  expect(["DEBUG a", "WARN b", "FATAL c", "d"].filter((text) => isLevel(text, "warn"))).toEqual(["WARN b", "FATAL c"]);
});
