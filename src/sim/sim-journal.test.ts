import { describe, expect, test } from "vitest";
import { seededHost, type FakeSimulatedHost } from "../../test/fake-simulated-host.ts";
import { isFileError, type FileSystem, type OpenFile } from "../base/file-system.ts";
import { appendAll, makeDirectories, readFile, replaceFile, replacementSuffix, writeAll } from "../base/whole-files.ts";
import type { FaultName } from "../faults/fault.ts";
import { hashOf } from "./choices.ts";
import { SimulatedFileSystem, type SimulatedFileSystemOptions } from "./sim-file-system.ts";

/*
 * What the simulated disk is for: a store that does everything right loses nothing it has acknowledged, whatever fails, and each
 * of the mistakes that people make with files is found.
 */

const mistakes = {
  "appends without a sync": "append-unsynced",
  "appends with a single write, however much of it was taken": "append-once",
  "syncs again after a sync has failed": "sync-again",
  "goes on after a failure without writing the file anew": "not-healed",
  "trusts what it reads after the end of its OS process": "trusts-page-cache",
  "takes a record without looking at its checksum": "no-checksum",
  "replaces a file without syncing its bytes": "replace-unsynced",
  "replaces a file without syncing its name": "name-unsynced",
  "writes into the file instead of replacing it": "in-place",
  "makes its directory without syncing the parent": "directory-unsynced",
} as const;

type Mistake = (typeof mistakes)[keyof typeof mistakes];

const headerBytes = 8;

/** A record: its length, a checksum, the bytes. */
function recordOf(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const record = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, hashOf(text));
  record.set(payload, headerBytes);
  return record;
}

/** All records up to the first that is not whole. */
function recordsIn(bytes: Uint8Array, looksAtChecksums: boolean): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const length = view.getUint32(at);
    const end = at + headerBytes + length;
    if (length === 0 || end > bytes.length) break;
    const text = new TextDecoder().decode(bytes.subarray(at + headerBytes, end));
    if (looksAtChecksums && hashOf(text) !== view.getUint32(at + 4)) break;
    texts.push(text);
    at = end;
  }
  return texts;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Records in a journal and one value in a file that is replaced. */
class Store {
  readonly #files: FileSystem;
  readonly #mistake: Mistake | undefined;
  records: string[] = [];
  #journal: OpenFile | undefined;

  constructor(files: FileSystem, mistake: Mistake | undefined) {
    this.#files = files;
    this.#mistake = mistake;
  }

  /** Reads what is there and makes it durable. */
  async recover(): Promise<void> {
    if (this.#mistake !== "directory-unsynced") await makeDirectories(this.#files, "store");
    else if (!(await this.#files.exists("store"))) await this.#files.makeDirectory("store");
    const bytes = (await this.#files.exists("store/journal"))
      ? await readFile(this.#files, "store/journal")
      : undefined;
    this.records = bytes === undefined ? [] : recordsIn(bytes, this.#mistake !== "no-checksum");
    if (bytes !== undefined && this.#mistake === "trusts-page-cache") await this.#cutTo(this.records);
    else await this.#rewrite();
  }

  async append(text: string): Promise<void> {
    if (this.#journal === undefined) await this.#rewrite();
    const journal = this.#journal!;
    const record = recordOf(text);
    try {
      if (this.#mistake === "append-once") await journal.append(record);
      else await appendAll(journal, record);
      if (this.#mistake !== "append-unsynced") await this.#sync(journal);
      this.records.push(text);
    } catch (error) {
      // What is in the file now, nobody knows.
      if (this.#mistake !== "not-healed") await this.#leave();
      throw error;
    }
  }

  async setValue(text: string): Promise<void> {
    const bytes = recordOf(text);
    if (this.#mistake === "in-place") return this.#write("store/value", bytes, true);
    if (this.#mistake !== "replace-unsynced" && this.#mistake !== "name-unsynced") {
      return replaceFile(this.#files, "store/value", bytes);
    }
    const replacement = `store/value${replacementSuffix}`;
    await this.#write(replacement, bytes, this.#mistake !== "replace-unsynced");
    await this.#files.rename(replacement, "store/value");
    if (this.#mistake !== "name-unsynced") await this.#files.syncDirectory("store");
  }

  async value(): Promise<string | undefined> {
    if (!(await this.#files.exists("store/value"))) return undefined;
    return recordsIn(await readFile(this.#files, "store/value"), true)[0] ?? "(damaged)";
  }

  async #write(path: string, bytes: Uint8Array, isSynced: boolean): Promise<void> {
    const file = await this.#files.open(path, { write: true, create: true, truncate: true });
    try {
      await writeAll(file, bytes, 0);
      if (isSynced) await file.sync();
    } finally {
      await file.close();
    }
    if (this.#mistake === "in-place") await this.#files.syncDirectory("store");
  }

  async #sync(journal: OpenFile): Promise<void> {
    try {
      await journal.sync();
    } catch (error) {
      if (this.#mistake !== "sync-again") throw error;
      await journal.sync();
    }
  }

  async #rewrite(): Promise<void> {
    await this.#leave();
    await replaceFile(this.#files, "store/journal", concatenated(this.records.map(recordOf)));
    this.#journal = await this.#files.open("store/journal", { append: true });
  }

  async #cutTo(records: readonly string[]): Promise<void> {
    await this.#leave();
    const journal = await this.#files.open("store/journal", { append: true });
    await journal.truncate(concatenated(records.map(recordOf)).length);
    await journal.sync();
    this.#journal = journal;
  }

  async #leave(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
  }
}

/** The operation that was begun never returns: its OS process or the machine has stopped. */
class Stopped extends Error {}

/** One run: a store is used while the disk fails and the machine stops at any operation; every start looks at what is there. */
class Trial {
  readonly #host: FakeSimulatedHost;
  readonly #files: SimulatedFileSystem;
  readonly #mistake: Mistake | undefined;
  #store: Store;
  /** Acknowledged, and then those that were tried and may be there. */
  #acknowledged: string[] = [];
  #tried: string[] = [];
  /** The value that was acknowledged, and all that was tried since. */
  #values: (string | undefined)[] = [undefined];
  #isStopped = false;

  constructor(
    seed: number,
    rates: Readonly<Partial<Record<FaultName, number>>>,
    mistake?: Mistake,
    options: SimulatedFileSystemOptions = {},
  ) {
    this.#host = seededHost(seed, rates);
    this.#files = new SimulatedFileSystem(this.#host, options);
    this.#mistake = mistake;
    this.#store = new Store(this.#files, mistake);
    this.#stopAtAny();
  }

  #stopAtAny(): void {
    const { operate } = this.#host;
    const stops = this.#host.stream("stop");
    this.#host.operate = async (durationMs, perform) => {
      this.#isStopped ||= stops.chance(0.01);
      if (this.#isStopped) throw new Stopped();
      return operate.call(this.#host, durationMs, perform) as ReturnType<typeof perform>;
    };
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
    this.#isStopped = false;
    this.#store = new Store(this.#files, this.#mistake);
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
