import { describe, expect, test } from "vitest";
import { bytesText, durationText, percentText, uptimeText } from "./figures.ts";

describe("figures", () => {
  test.each([
    [0, "0 ms"],
    [311.6, "312 ms"],
    [999.6, "1.0 s"],
    [1440, "1.4 s"],
    [59_960, "59s"],
    [125_000, "2m 05s"],
  ])("a duration of %f ms is %s", (milliseconds, text) => {
    expect(durationText(milliseconds)).toBe(text);
  });

  test.each([
    [999, "0s"],
    [12_000, "12s"],
    [184_000, "3m 04s"],
    [7_500_000, "2h 05m"],
    [273_600_000, "3d 04h"],
  ])("an uptime of %i ms is %s", (milliseconds, text) => {
    expect(uptimeText(milliseconds)).toBe(text);
  });

  test.each([
    [0, "0 B"],
    [512, "512 B"],
    [1000, "1.0 kB"],
    [45_193_000, "43.1 MB"],
    [125_829_120, "120 MB"],
    [5e15, "4547 TB"],
  ])("%i bytes are %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  test.each([
    [0, "0 %"],
    [0.04, "0 %"],
    [2.46, "2.5 %"],
    [180.2, "180 %"],
  ])("%f percent are %s", (percent, text) => {
    expect(percentText(percent)).toBe(text);
  });
});
