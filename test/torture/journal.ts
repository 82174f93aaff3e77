/**
 * Journal: a property whose system keeps numbers in a file, simulated and for real. Each number is counted once it is kept
 * for good, and all that was counted must be in the file, whatever was killed.
 */
import { isFileError, type FileSystem, type OpenFile } from "colos";
import type { Property } from "colos/testing";

interface Journal {
  readonly files: FileSystem;
}

const numbersCount = 30;
const lineBytes = 8;
const name = "journal";

/** One line of `lineBytes` bytes; what is torn at the end is overwritten by the next. */
async function keep(files: FileSystem, number: number): Promise<void> {
  const file: OpenFile = await files.open(name, { write: true, create: true });
  try {
    const line = new TextEncoder().encode(`${String(number).padStart(lineBytes - 1)}\n`);
    for (let at = 0; at < line.length;) at += await file.write(line.subarray(at), number * lineBytes + at);
    await file.sync();
    await files.syncDirectory("");
  } finally {
    await file.close();
  }
}

export const property: Property<Journal> = {
  name: "what was acknowledged is in the journal",
  async setup(_self, world) {
    if (await world.files.exists(name)) world.sometimes("the journal was there");
    return { files: world.files };
  },
  async workload(self, { files }, world) {
    while (world.counted("acknowledged") < numbersCount) {
      try {
        await self.wait(keep(files, world.counted("acknowledged")));
        world.count("acknowledged");
      } catch (error) {
        if (!isFileError(error)) throw error;
      }
      await self.sleep(20);
    }
  },
  eventually: {
    "all that was acknowledged is there": {
      withinMs: 0,
      holds: (_, world) => {
        const seen = Math.floor((world.fileNow(name)?.length ?? 0) / lineBytes);
        return seen >= world.counted("acknowledged") || `only ${seen} are there`;
      },
    },
  },
};

/** The same, but it acknowledges what is only in memory, so that a kill loses it. */
export const forgetful: Property<Journal> = {
  ...property,
  name: "what was acknowledged is in the journal, and it is not",
  async workload(self, { files }, world) {
    const waiting: number[] = [];
    let written = 0;
    while (world.counted("acknowledged") < numbersCount) {
      waiting.push(world.counted("acknowledged"));
      world.count("acknowledged");
      if (waiting.length >= 25) {
        for (const _ of waiting.splice(0)) await self.wait(keep(files, written++));
      }
      await self.sleep(20);
    }
    for (const _ of waiting) await self.wait(keep(files, written++));
  },
};

/** Its OS process ends in the middle of its work. */
export const dying: Property<Journal> = {
  ...property,
  name: "it dies",
  async workload(self) {
    await self.sleep(20);
    process.exit(3);
  },
};
