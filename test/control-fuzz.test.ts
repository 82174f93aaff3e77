/** The control socket under attack, shortly; `npm run fuzz:control` does it at length and measures. */
import { expect, test } from "vitest";
import { fuzz } from "./control-fuzz/fuzz.ts";
import { oneFile } from "./one-file.mjs";

test.each([1, 2])(
  "a few thousand broken requests end nothing and leave nothing (seed %i)",
  async (seed) => {
    const { file: serverFile } = await oneFile(new URL("control-fuzz/server.ts", import.meta.url), "fuzz-server");
    const { file: healthyFile } = await oneFile(new URL("control-fuzz/healthy.ts", import.meta.url), "fuzz-healthy");

    const report = await fuzz({ seed, requests: 2000, atOnce: 32, serverFile, healthyFile, nodeFlags: [] });

    expect([report.failures, report.health.failures, report.facts[2].logged]).toEqual([[], [], []]);
    expect(report.health.asked).toBeGreaterThan(0);
    expect(Object.keys(report.attacks).length).toBe(12);
  },
  120_000,
);
