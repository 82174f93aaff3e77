/**
 * Journal: a property whose system keeps numbers in a file, for tests of `torture`. Each number is counted once it is kept
 * for good, and all that was counted must be in the file, whatever was killed.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Property, TortureWorld } from "colos/testing";

interface Journal {
  readonly path: string;
  kept(): number;
}

const numbersCount = 30;

export const property: Property<Journal> = {
  name: "what was acknowledged is in the journal",
  setup(_self, world) {
    const path = join((world as TortureWorld).directory, "journal");
    if (existsSync(path)) world.sometimes("the journal was there");
    return { path, kept: () => (existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0) };
  },
  async workload(self, journal, world) {
    const file = openSync(journal.path, "a");
    while (world.counted("acknowledged") < numbersCount) {
      try {
        writeSync(file, `${world.counted("acknowledged")}\n`);
        fsyncSync(file);
        world.count("acknowledged");
      } catch (error) {
        world.sometimes(String((error as NodeJS.ErrnoException).code));
      }
      await self.sleep(20);
    }
    closeSync(file);
  },
  eventually: {
    "all that was acknowledged is there": {
      withinMs: 300,
      holds: (journal, world) => journal.kept() >= world.counted("acknowledged") || `only ${journal.kept()} are there`,
    },
  },
};

/** The same, but it acknowledges what is only in memory, so that a kill loses it. */
export const forgetful: Property<{ readonly path: string; readonly kept: () => number }> = {
  ...property,
  name: "what was acknowledged is in the journal, and it is not",
  async workload(self, journal, world) {
    const waiting: number[] = [];
    while (world.counted("acknowledged") < numbersCount) {
      waiting.push(world.counted("acknowledged"));
      world.count("acknowledged");
      if (waiting.length >= 25) {
        const file = openSync(journal.path, "a");
        for (const number of waiting.splice(0)) writeSync(file, `${number}\n`);
        closeSync(file);
      }
      await self.sleep(20);
    }
    const file = openSync(journal.path, "a");
    for (const number of waiting) writeSync(file, `${number}\n`);
    closeSync(file);
  },
};

/** Its OS process ends in the middle of its work. */
export const dying: typeof property = {
  ...property,
  name: "it dies",
  async workload(self) {
    await self.sleep(20);
    process.exit(3);
  },
};
