/** What processes leave behind in the heap when they have ended: nothing. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("a million processes leave no memory behind", { timeout: 120_000 }, () => {
  const file = fileURLToPath(new URL("programs/million.mjs", import.meta.url));

  const output = execFileSync(process.execPath, ["--expose-gc", file], { encoding: "utf8" });

  const { leftBytesPerProcess, processesCount, spawnedCount } = JSON.parse(output) as Record<string, number>;
  expect(spawnedCount).toBe(1_000_000);
  expect(processesCount).toBe(0);
  // Not a single byte: a process that is kept by anything costs hundreds.
  expect(leftBytesPerProcess).toBeLessThan(1);
});

test("a server and a state machine that go on by themselves for long keep nothing of each step", () => {
  const file = fileURLToPath(new URL("programs/continuing.mjs", import.meta.url));

  const output = execFileSync(process.execPath, ["--expose-gc", file], { encoding: "utf8" });

  const { bytesPerStep } = JSON.parse(output) as { readonly bytesPerStep: readonly number[] };
  expect(bytesPerStep).toHaveLength(2);
  // A promise that waits for the next one costs some hundred.
  for (const bytes of bytesPerStep) expect(bytes).toBeLessThan(10);
});
