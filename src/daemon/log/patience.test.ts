import { expect, test } from "vitest";
import { VirtualPlatform } from "../../testing/virtual-platform.ts";
import { Patience, retryInitialMs, retryMaxMs } from "./patience.ts";

function failing(times: number): { readonly attempt: () => Promise<string>; readonly triesCount: () => number } {
  let tries = 0;
  return {
    attempt: async () => {
      tries += 1;
      if (tries <= times) throw new Error(`ENOSPC ${tries <= 2 ? "one" : "two"}`);
      return "done";
    },
    triesCount: () => tries,
  };
}

test("what fails is tried again until it works, and each trouble is told once", async () => {
  const platform = new VirtualPlatform();
  const told: (string | undefined)[] = [];
  const patience = new Patience(platform.clock, (message) => told.push(message));
  const { attempt } = failing(4);
  const done = patience.until("cannot write", attempt);
  await platform.advance(60_000);
  await expect(done).resolves.toBe("done");
  expect(told).toEqual([
    "cannot write: ENOSPC one; trying again until it works",
    "cannot write: ENOSPC two; trying again until it works",
    undefined,
  ]);
});

test("the wait between two tries grows up to a limit", async () => {
  const platform = new VirtualPlatform();
  const { attempt, triesCount } = failing(100);
  const patience = new Patience(platform.clock, () => {});
  void patience.until("cannot write", attempt);
  await platform.settle();
  for (const [afterMs, tries] of [
    [retryInitialMs - 1, 1],
    [1, 2],
    [2 * retryInitialMs, 3],
    [4 * retryInitialMs, 4],
  ] as const) {
    await platform.advance(afterMs);
    expect(triesCount()).toBe(tries);
  }
  await platform.advance(60_000);
  const before = triesCount();
  await platform.advance(10 * retryMaxMs);
  expect(triesCount() - before).toBe(10);
});

test("who gives up is told the error at once", async () => {
  const platform = new VirtualPlatform();
  const patience = new Patience(platform.clock, () => {});
  const done = patience.until("cannot write", failing(100).attempt);
  await platform.settle();
  patience.giveUp();
  await expect(done).rejects.toThrow("ENOSPC");
});
