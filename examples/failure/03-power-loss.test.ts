/**
 * A counter on disk. Written in place, it is torn or gone after a power loss; `replaceFile` writes, syncs and renames.
 * Property: `always`, after every event. Faults: power-loss with torn and reordered writes, kill-system, eio-fsync-once.
 */
import { readFile, replaceFile, writeAll, type FileSystem } from "colos";
import { refute, simulate, type Plan, type Property } from "colos/testing";
import { expect, test } from "vitest";

const plan: Plan = {
  faults: { "power-loss": 0.5, "torn-write": 1, "reordered-write": 1, "kill-system": 0.1, "eio-fsync-once": 0.05 },
};

type Save = (files: FileSystem, path: string, bytes: Uint8Array) => Promise<void>;

/** As most people write it first. */
const overwrite: Save = async (files, path, bytes) => {
  const file = await files.open(path, { write: true, create: true, truncate: true });
  await writeAll(file, bytes, 0);
  await file.close();
};

class Counter {
  value: number;
  readonly #files: FileSystem;
  readonly #save: Save;

  private constructor(value: number, files: FileSystem, save: Save) {
    this.value = value;
    this.#files = files;
    this.#save = save;
  }

  static async open(files: FileSystem, save: Save): Promise<Counter> {
    const isThere = await files.exists("counter");
    const text = isThere ? new TextDecoder().decode(await readFile(files, "counter")) : "0";
    return new Counter(Number(text), files, save);
  }

  /** A file of several sectors, as most are. */
  async increment(): Promise<void> {
    await this.#save(this.#files, "counter", new TextEncoder().encode(String(this.value + 1).padStart(2048)));
    this.value += 1;
  }
}

function counting(save: Save): Property<Counter> {
  return {
    name: "a counter on disk",
    // Runs again after each power loss, with what is left on the disk.
    setup: (_self, world) => Counter.open(world.files, save),
    async workload(self, counter, world) {
      for (let step = 0; step < 100; step += 1) {
        await self.sleep(100);
        try {
          await counter.increment();
          world.count("acknowledged");
        } catch {
          world.sometimes("the disk has failed");
        }
      }
    },
    always: {
      "what was acknowledged is there": ({ value }, world) =>
        value >= world.counted("acknowledged") || `it is ${value} after ${world.counted("acknowledged")}`,
    },
    sometimes: save === replaceFile ? ["the disk has failed"] : [],
  };
}

test("a file that is overwritten is lost with the power", async () => {
  const { check, choices } = await refute(counting(overwrite), plan);

  expect(check).toBe('always "what was acknowledged is there"');
  expect(choices.length).toBeLessThanOrEqual(3);
});

test("a file that is replaced is not", () => simulate(counting(replaceFile), plan));
