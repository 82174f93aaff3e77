/**
 * A journal that is appended to. A full disk takes a part of an entry, and what comes after stands on the same line.
 * Property: `always`. Faults: enospc, short-write, kill-system, power-loss.
 */
import { appendAll, readFile, type FileSystem, type OpenFile } from "colos";
import { refute, simulate, type Plan, type Property } from "colos/testing";
import { expect, test } from "vitest";

const plan: Plan = {
  faults: { enospc: 0.1, "short-write": 0.1, "kill-system": 0.2, "power-loss": 0.1 },
};

/** One entry on each line. */
class Journal {
  readonly entries: number[];
  readonly #file: OpenFile;

  protected constructor(file: OpenFile, entries: number[]) {
    this.#file = file;
    this.entries = entries;
  }

  static async open(files: FileSystem): Promise<Journal> {
    const file = await files.open("journal", { read: true, append: true, create: true });
    const lines = new TextDecoder().decode(await readFile(files, "journal")).split("\n");
    return new this(file, lines.filter((line) => line !== "").map(Number));
  }

  /** When it settles, the entry is there for good. */
  async append(entry: number): Promise<void> {
    await this.write(this.#file, new TextEncoder().encode(`${entry}\n`));
    await this.#file.sync();
    this.entries.push(entry);
  }

  protected async write(file: OpenFile, bytes: Uint8Array): Promise<void> {
    await file.append(bytes);
  }
}

/** Writes until all is written, and takes back what it could not write or sync. */
class CarefulJournal extends Journal {
  static override async open(files: FileSystem): Promise<Journal> {
    const file = await files.open("journal", { read: true, append: true, create: true });
    const text = new TextDecoder().decode(await readFile(files, "journal"));
    // What stands behind the last newline was never acknowledged.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) await file.truncate(whole.length);
    await file.sync();
    await files.syncDirectory("");
    return new CarefulJournal(file, whole.split("\n").slice(0, -1).map(Number));
  }

  protected override async write(file: OpenFile, bytes: Uint8Array): Promise<void> {
    const sizeBytes = await file.size();
    try {
      await appendAll(file, bytes);
    } catch (error) {
      await file.truncate(sizeBytes);
      throw error;
    }
  }
}

function journal(open: (files: FileSystem) => Promise<Journal>): Property<Journal> {
  return {
    name: "a journal keeps what it has acknowledged",
    setup: (_self, world) => open(world.files),
    async workload(self, journal, world) {
      for (let step = 0; step < 30; step += 1) {
        await self.sleep(300);
        const entry = 10_000 + world.counted("acknowledged");
        try {
          await journal.append(entry);
          world.count("acknowledged");
        } catch {
          world.sometimes("the disk is full");
        }
      }
    },
    always: {
      "what was acknowledged is there": ({ entries }, world) => {
        for (let entry = 10_000; entry < 10_000 + world.counted("acknowledged"); entry += 1) {
          if (!entries.includes(entry)) return `${entry} was acknowledged and is not in the journal`;
        }
        return true;
      },
    },
    sometimes: ["the disk is full"],
  };
}

test("an append that may be short loses entries", async () => {
  const { check, choices } = await refute(
    journal((files) => Journal.open(files)),
    plan,
  );

  expect(check).toBe('always "what was acknowledged is there"');
  expect(choices.length).toBeLessThanOrEqual(4);
});

test("an append that goes on, or is taken back, loses none", () =>
  simulate(
    journal((files) => CarefulJournal.open(files)),
    plan,
  ));
