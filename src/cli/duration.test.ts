import { expect, test } from "vitest";
import { durationMs } from "./duration.ts";

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5s", 1_500],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
  ["30", undefined],
  ["", undefined],
  ["s", undefined],
  ["-1s", undefined],
  ["1 s", 1_000],
  ["5min", 300_000],
  ["1e3s", undefined],
])("%j is %s milliseconds", (text, milliseconds) => {
  expect(durationMs(text)).toBe(milliseconds);
});
