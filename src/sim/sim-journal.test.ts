import { describe, expect, test } from "vitest";
import { seededHost, Stopped, Stops, type FakeSimulatedHost } from "../../test/fake-simulated-host.ts";
import { JournalStore, mistakes, type Mistake } from "../../test/journal-store.ts";
import { isFileError } from "../base/file-system.ts";
import type { FaultName } from "../faults/fault.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { plainHost } from "../../test/plain-host.ts";
import { runCampaign, type Report } from "./campaign.ts";
import type { Property, World } from "./property.ts";
import { SimulatedFileSystem, type SimulatedFileSystemOptions } from "./sim-file-system.ts";

/*
 * What the simulated disk is for: a store that does everything right loses nothing it has acknowledged, whatever fails, and each
 * of the mistakes that people make with files is found.
 */

/** One run: a store is used while the disk fails and the machine stops at any operation; every start looks at what is there. */
class Trial {
  readonly #host: FakeSimulatedHost;
  readonly #files: SimulatedFileSystem;
  readonly #mistake: Mistake | undefined;
  #store: JournalStore;
  /** Acknowledged, and then those that were tried and may be there. */
  #acknowledged: string[] = [];
  #tried: string[] = [];
  /** The value that was acknowledged, and all that was tried since. */
  #values: (string | undefined)[] = [undefined];
  readonly #stops: Stops;

  constructor(
    seed: number,
    rates: Readonly<Partial<Record<FaultName, number>>>,
    mistake?: Mistake,
    options: SimulatedFileSystemOptions = {},
  ) {
    this.#host = seededHost(seed, rates);
    this.#files = new SimulatedFileSystem(this.#host, options);
    this.#mistake = mistake;
    this.#store = new JournalStore(this.#files, mistake);
    this.#stops = new Stops(this.#host);
  }

  /** @throws Error when something that was acknowledged is gone, or something is there that nobody wrote */
  async run(): Promise<void> {
    const draw = this.#host.stream("trial");
    await this.#restart("page-cache");
    for (let step = 0; step < 40; step += 1) {
      const kind = draw.choose(10);
      // From 10 bytes to three sectors.
      const text = `${step} `.padEnd(10 + draw.choose(1_500), "x");
      try {
        if (kind < 6) await this.#append(text);
        else await this.#setValue(text);
      } catch (error) {
        if (!(error instanceof Stopped)) throw error;
        await this.#restart(draw.choose(2) === 0 ? "power-loss" : "page-cache");
      }
    }
    await this.#restart("power-loss");
  }

  async #append(text: string): Promise<void> {
    this.#tried.push(text);
    if (!(await this.#attempt(() => this.#store.append(text)))) return;
    this.#acknowledged.push(text);
    this.#tried = [];
  }

  async #setValue(text: string): Promise<void> {
    this.#values.push(text);
    if (await this.#attempt(() => this.#store.setValue(text))) this.#values = [text];
  }

  async #restart(keep: "power-loss" | "page-cache"): Promise<void> {
    try {
      await this.#start(keep);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      await this.#restart(keep);
    }
  }

  async #start(keep: "power-loss" | "page-cache"): Promise<void> {
    this.#files.crash(keep);
    this.#stops.isStopped = false;
    this.#store = new JournalStore(this.#files, this.#mistake);
    await this.#insist(() => this.#store.recover());
    const records = this.#store.records;
    this.#acknowledged.forEach((text, index) => {
      if (records[index] !== text) throw new Error(`record ${index} of ${this.#acknowledged.length} is gone`);
    });
    for (const text of records.slice(this.#acknowledged.length)) {
      if (!this.#tried.includes(text)) throw new Error("a record that nobody wrote");
    }
    // A store that has come up has made durable what it found.
    this.#acknowledged = [...records];
    this.#tried = [];
    await this.#checkValue(keep);
  }

  async #checkValue(keep: "power-loss" | "page-cache"): Promise<void> {
    let value: string | undefined;
    await this.#insist(async () => {
      value = await this.#store.value();
    });
    if (!this.#values.includes(value)) throw new Error(`the value is ${String(value).slice(0, 10)}`);
    if (keep === "power-loss") this.#values = [value];
  }

  /** Until it works; what lasts passes. */
  async #insist(perform: () => Promise<void>): Promise<void> {
    for (let round = 0; round < 1_000; round += 1) if (await this.#attempt(perform)) return;
    throw new Error("the store does not come up");
  }

  async #attempt(perform: () => Promise<void>): Promise<boolean> {
    try {
      await perform();
      return true;
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#host.now += 500;
      return false;
    }
  }
}

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

const seeds = Array.from({ length: 300 }, (_, index) => index + 1);

/** What the first failing seed says, and how many were needed. */
async function firstFailure(mistake: Mistake): Promise<{ readonly seed: number; readonly error: unknown } | undefined> {
  for (const seed of seeds) {
    const error: unknown = await new Trial(seed, rates, mistake).run().catch((error: unknown) => error);
    if (error !== undefined) return { seed, error };
  }
  return undefined;
}

describe("a journal on a failing disk", () => {
  test("what it has acknowledged is there after every crash", async () => {
    for (const seed of seeds) await new Trial(seed, rates).run();
  });

  test("also on a disk that is nearly full", async () => {
    for (const seed of seeds.slice(0, 100)) await new Trial(seed, rates, undefined, { capacityBytes: 60_000 }).run();
  });

  test("bits that turn over are found: no record is there that nobody wrote", async () => {
    const found: string[] = [];
    for (const seed of seeds.slice(0, 100)) {
      const error: unknown = await new Trial(seed, { "bit-flip": 0.2 }).run().catch((error: unknown) => error);
      if (error !== undefined) found.push((error as Error).message);
    }

    // Without a second copy, what was damaged is gone.
    expect(found.filter((message) => !/^record .* is gone$|^the value is \(damaged\)$/.test(message))).toEqual([]);
    expect(found).not.toEqual([]);
  });

  for (const [name, mistake] of Object.entries(mistakes)) {
    test(`one that ${name} is found out`, async () => {
      const failure = await firstFailure(mistake);

      expect(failure?.error).toBeInstanceOf(Error);
      expect((failure!.error as Error).message).toMatch(/ is gone$|^a record that nobody wrote$|^the value is /);
    });
  }
});

/** What a run knows besides the disk; the world is the same one when the system is set up again. */
interface Ledger {
  acknowledged: string[];
  tried: string[];
}

/** A process that keeps a journal: nothing that it has acknowledged is gone when it is set up again. */
function keepsItsJournal(mistake?: Mistake): Property<{ readonly store: JournalStore; readonly wrong: string | null }> {
  const ledgers = new WeakMap<World, Ledger>();
  const ledgerOf = (world: World): Ledger => {
    let ledger = ledgers.get(world);
    if (ledger === undefined) ledgers.set(world, (ledger = { acknowledged: [], tried: [] }));
    return ledger;
  };
  return {
    name: "a journal keeps what it has acknowledged",
    async setup(self, world) {
      const store = new JournalStore(world.files, mistake);
      await insist(self, () => store.recover());
      const ledger = ledgerOf(world);
      const wrong = problemOf(store.records, ledger);
      ledger.acknowledged = [...store.records];
      ledger.tried = [];
      return { store, wrong };
    },
    async workload(self, { store }, world) {
      const ledger = ledgerOf(world);
      for (let step = 0; step < 40; step += 1) {
        const text = `${ledger.acknowledged.length} `.padEnd(world.choose("length", [10, 600, 1_500]), "x");
        ledger.tried.push(text);
        if (await attempt(self, () => store.append(text))) {
          ledger.acknowledged.push(text);
          ledger.tried = [];
        }
      }
    },
    always: { "nothing is gone": ({ wrong }) => wrong ?? true },
  };
}

function problemOf(records: readonly string[], { acknowledged, tried }: Ledger): string | null {
  const gone = acknowledged.findIndex((text, index) => records[index] !== text);
  if (gone >= 0) return `record ${gone} is gone`;
  return records.slice(acknowledged.length).every((text) => tried.includes(text)) ? null : "a record that nobody wrote";
}

async function attempt(self: AnyProcess, perform: () => Promise<void>): Promise<boolean> {
  try {
    await perform();
    return true;
  } catch (error) {
    if (!isFileError(error)) throw error;
    await self.sleep(100);
    return false;
  }
}

async function insist(self: AnyProcess, perform: () => Promise<void>): Promise<void> {
  let hasWorked = false;
  while (!hasWorked) hasWorked = await attempt(self, perform);
}

function campaign(mistake: Mistake | undefined, runs: number): Promise<Report> {
  const faults = { ...rates, "power-loss": 1, "kill-system": 1 };
  const plan = { faults, swarm: false };
  return runCampaign(keepsItsJournal(mistake), plan, { runs }, plainHost);
}

describe("a journal in a simulated system", () => {
  test("loses nothing", async () => {
    const report = await campaign(undefined, 50);

    expect(report.failure).toBeUndefined();
    expect(report.faults["power-loss"]).toBeGreaterThan(50);
  });

  for (const mistake of ["append-unsynced", "sync-again", "not-healed", "directory-unsynced"] as const) {
    test(`${mistake} is found, and shrinks to what matters`, async () => {
      const report = await campaign(mistake, 300);

      expect(report.failure).toMatchObject({ check: 'always "nothing is gone"' });
      expect(report.failure!.choices.length).toBeLessThanOrEqual(6);
    });
  }
});
