/** What processes leave behind in the heap when they have ended: nothing. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** What the heap of an idle program goes up and down by, in bytes; a single byte per process would be more. */
const noiseBytes = 900_000;

test("a million processes leave no memory behind", { timeout: 120_000 }, () => {
  const file = fileURLToPath(new URL("programs/million.mjs", import.meta.url));

  const output = execFileSync(process.execPath, ["--expose-gc", file], { encoding: "utf8" });

  const { leftBytes, processesCount, spawnedCount } = JSON.parse(output) as Record<string, number>;
  expect(spawnedCount).toBe(1_000_000);
  expect(processesCount).toBe(0);
  expect(leftBytes).toBeLessThan(noiseBytes);
});
