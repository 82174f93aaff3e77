import { describe, expect, test } from "vitest";
import { isFileError } from "../src/base/file-system.ts";
import type { Journal } from "../src/daemon/journal/journal.ts";
import { openJournal } from "../src/daemon/journal/journal-opening.ts";
import type { FaultName } from "../src/faults/fault.ts";
import { simulate } from "../src/testing/simulate.ts";
import type { Property, World } from "../src/sim/property.ts";
import { JournalTrial, type TrialFigures } from "./journal-trial.ts";
import { listOptions } from "./journal-list.ts";

const rates: Readonly<Partial<Record<FaultName, number>>> = {
  enospc: 0.03,
  "eio-read": 0.02,
  "eio-write": 0.03,
  "eio-fsync-once": 0.05,
  "short-write": 0.1,
  "torn-write": 0.5,
  "reordered-write": 0.3,
  erofs: 0.005,
  "slow-disk": 0.02,
  emfile: 0.01,
};

async function trials(count: number, options: { readonly capacityBytes?: number } = {}): Promise<TrialFigures> {
  const sum: TrialFigures = { acknowledged: 0, refused: 0, starts: 0, cuts: 0 };
  for (let seed = 1; seed <= count; seed += 1) {
    const figures = await new JournalTrial(seed, rates, options).run().catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    for (const key of Object.keys(sum) as (keyof TrialFigures)[]) sum[key] += figures[key];
  }
  return sum;
}

describe("the daemon's journal on a failing disk", () => {
  test("what it has acknowledged is there after every crash, in order", async () => {
    const figures = await trials(400);

    expect(figures.acknowledged).toBeGreaterThan(10_000);
    expect(figures.refused).toBeGreaterThan(1_000);
    expect(figures.starts).toBeGreaterThan(1_000);
    expect(figures.cuts).toBeGreaterThan(50);
  });

  test("also on a disk that is nearly full", async () => {
    const figures = await trials(100, { capacityBytes: 60_000 });

    expect(figures.refused).toBeGreaterThan(1_000);
  });
});

interface Found {
  readonly journal: Journal<readonly string[], string>;
  readonly missing: string | undefined;
}

const keepsItsWord: Property<Found> = {
  name: "the daemon's journal keeps its word",
  async setup(self, world) {
    for (;;) {
      try {
        const journal = await openJournal({ ...listOptions, files: world.files, path: "journal" });
        const acknowledged = Array.from({ length: world.counted("acknowledged") }, (_, index) => `entry ${index} `);
        const missing = acknowledged.find((start) => !journal.state.some((entry) => entry.startsWith(start)));
        return { journal, missing };
      } catch (error) {
        if (!isFileError(error)) throw error;
        await self.sleep(100);
      }
    }
  },
  async workload(self, { journal }, world) {
    for (let step = 0; step < 40; step += 1) {
      const entry = `entry ${world.counted("acknowledged")} `.padEnd(world.choose("length", [10, 600, 1_500]), "x");
      try {
        await journal.append([entry], { sync: true });
        world.count("acknowledged");
      } catch (error) {
        if (!isFileError(error)) throw error;
        noteRefusal(world);
        await self.sleep(100);
      }
    }
  },
  always: { "nothing is gone": ({ missing }) => missing ?? true },
  sometimes: ["an append is refused"],
};

function noteRefusal(world: World): void {
  world.sometimes("an append is refused");
}

describe("the daemon's journal in a simulated system", () => {
  test("loses nothing", () => simulate(keepsItsWord, { faults: { ...rates, "power-loss": 1, "kill-system": 1 } }));
});
