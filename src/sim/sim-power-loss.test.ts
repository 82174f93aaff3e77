import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededHost } from "../../test/fake-simulated-host.ts";
import { parentOf } from "../base/file-system.ts";
import { writeAll } from "../base/whole-files.ts";
import type { FaultName } from "../faults/fault.ts";
import { SimulatedFileSystem } from "./sim-file-system.ts";
import { sectorBytes } from "./sim-file.ts";

/*
 * A model of what POSIX promises, made apart from the simulation: for each file its bytes after every change since its last
 * sync, for each path what it led to since the last sync of its directory. After a power loss each path must lead to one of
 * those, with bytes that can have come of those changes.
 */

/** What was done to a file since it was synced: `versions[0]` is synced, `versions[n]` is so after `changes[n - 1]`. */
interface ModelFile {
  readonly id: number;
  versions: Uint8Array[];
  changes: { readonly from: number; readonly to: number; readonly isWrite: boolean }[];
  /** It had a synced name once and was not removed or replaced since: it cannot be gone. */
  mustExist: boolean;
}

type Step =
  | { readonly kind: "write"; readonly path: string; readonly at: number; readonly count: number }
  | { readonly kind: "truncate"; readonly path: string; readonly size: number }
  | { readonly kind: "sync" | "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string }
  | { readonly kind: "syncDirectory"; readonly path: string }
  | { readonly kind: "power-loss" | "page-cache" };

const directories = ["", "d"];
const paths = ["a", "b", "c", "d/a", "d/b"];

class Model {
  readonly files: SimulatedFileSystem;
  readonly #isTorn: boolean;
  readonly #isReordered: boolean;
  names = new Map<string, ModelFile>();
  /** Everything that a path has led to since its directory was synced; undefined: nothing. */
  allowed = new Map<string, Set<ModelFile | undefined>>();
  /** Of a directory, its names after every change since it was synced; only while no file went to or from another one. */
  histories = new Map<string, Map<string, ModelFile>[]>();
  #count = 0;

  constructor(files: SimulatedFileSystem, isTorn: boolean, isReordered: boolean) {
    this.files = files;
    this.#isTorn = isTorn;
    this.#isReordered = isReordered;
    this.#syncNames("");
    this.#syncNames("d");
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case "write":
        return this.#write(step.path, step.at, step.count);
      case "truncate":
        return this.#truncate(step.path, step.size);
      case "sync":
        return this.#sync(step.path);
      case "remove":
        return this.#remove(step.path);
      case "rename":
        return this.#rename(step.path, step.to);
      case "syncDirectory":
        await this.files.syncDirectory(step.path);
        return this.#syncNames(step.path);
      case "page-cache":
        this.files.crash("page-cache");
        return this.#checkShown();
      case "power-loss":
        this.files.crash("power-loss");
        this.#checkPowerLoss();
        return this.#adopt();
    }
  }

  async #write(path: string, at: number, count: number): Promise<void> {
    const file = await this.files.open(path, { write: true, create: true });
    let known = this.names.get(path);
    if (known === undefined) {
      known = { id: this.#count, versions: [new Uint8Array(0)], changes: [], mustExist: false };
      this.#setName(path, known);
    }
    this.#count += 1;
    const bytes = new Uint8Array(count).fill(1 + (this.#count % 255));
    await writeAll(file, bytes, at);
    await file.close();
    if (count === 0) return;
    const before = known.versions.at(-1)!;
    const after = new Uint8Array(Math.max(before.length, at + count));
    after.set(before);
    after.set(bytes, at);
    known.versions.push(after);
    known.changes.push({ from: Math.min(at, before.length), to: at + count, isWrite: true });
  }

  async #truncate(path: string, size: number): Promise<void> {
    const known = this.names.get(path);
    if (known === undefined) return;
    const file = await this.files.open(path, { write: true });
    await file.truncate(size);
    await file.close();
    const before = known.versions.at(-1)!;
    const after = new Uint8Array(size);
    after.set(before.subarray(0, size));
    known.versions.push(after);
    known.changes.push({ from: Math.min(size, before.length), to: Infinity, isWrite: false });
  }

  async #sync(path: string): Promise<void> {
    const known = this.names.get(path);
    if (known === undefined) return;
    const file = await this.files.open(path, { read: true });
    await file.sync();
    await file.close();
    known.versions = known.versions.slice(-1);
    known.changes = [];
  }

  async #remove(path: string): Promise<void> {
    const known = this.names.get(path);
    if (known === undefined) return;
    await this.files.remove(path);
    known.mustExist = false;
    this.#setName(path, undefined);
  }

  async #rename(path: string, to: string): Promise<void> {
    const known = this.names.get(path);
    if (known === undefined || path === to) return;
    await this.files.rename(path, to);
    const replaced = this.names.get(to);
    if (replaced !== undefined) replaced.mustExist = false;
    if (parentOf(path) !== parentOf(to)) this.histories.clear();
    this.names.delete(path);
    this.names.set(to, known);
    this.allowed.get(path)!.add(undefined);
    this.allowed.get(to)!.add(known);
    this.#note(parentOf(path));
  }

  #setName(path: string, file: ModelFile | undefined): void {
    if (file === undefined) this.names.delete(path);
    else this.names.set(path, file);
    this.allowed.get(path)!.add(file);
    this.#note(parentOf(path));
  }

  #note(directory: string): void {
    this.histories.get(directory)?.push(this.#namesIn(directory));
  }

  #namesIn(directory: string): Map<string, ModelFile> {
    return new Map([...this.names].filter(([path]) => parentOf(path) === directory));
  }

  #syncNames(directory: string): void {
    for (const path of paths.filter((path) => parentOf(path) === directory)) {
      const file = this.names.get(path);
      this.allowed.set(path, new Set([file]));
      if (file !== undefined) file.mustExist = true;
    }
    this.histories.set(directory, [this.#namesIn(directory)]);
  }

  #checkShown(): void {
    expect(this.files.paths()).toEqual([...this.names.keys()].toSorted());
    for (const [path, { versions }] of this.names) expect(this.files.peek(path)).toEqual(versions.at(-1));
  }

  #checkPowerLoss(): void {
    const found = new Map<ModelFile, string>();
    for (const path of paths) {
      const bytes = this.files.peek(path);
      const allowed = [...this.allowed.get(path)!];
      if (bytes === undefined) {
        expect(allowed, `${path} is gone`).toContain(undefined);
        continue;
      }
      const matching = allowed.filter((file) => file !== undefined && this.#canBe(file, bytes));
      expect(matching, `${path} has bytes that cannot be`).not.toEqual([]);
      for (const file of matching) found.set(file!, path);
    }
    for (const file of new Set([...this.allowed.values()].flatMap((files) => [...files]))) {
      if (file?.mustExist === true) expect(found.has(file), `file ${file.id} is nowhere`).toBe(true);
    }
    if (!this.#isReordered) for (const directory of directories) this.#checkHistory(directory);
  }

  /** Without reordering a directory is as it was at one moment. */
  #checkHistory(directory: string): void {
    const history = this.histories.get(directory);
    if (history === undefined) return;
    const there = paths.filter((path) => parentOf(path) === directory && this.files.peek(path) !== undefined);
    const isState = (names: Map<string, ModelFile>): boolean =>
      names.size === there.length &&
      there.every((path) => names.has(path) && this.#canBe(names.get(path)!, this.files.peek(path)!));
    expect(history.some(isState), `"${directory}" was never so: ${there.join(" ")}`).toBe(true);
  }

  #canBe(file: ModelFile, bytes: Uint8Array): boolean {
    if (this.#isReordered) return canBeReordered(file, bytes, this.#isTorn);
    return file.versions.some(
      (version, index) =>
        isSame(version, bytes) || (this.#isTorn && canBeTorn(version, file.versions[index + 1], bytes)),
    );
  }

  /** What is there is what there was before the next step. */
  #adopt(): void {
    this.names = new Map();
    for (const path of this.files.paths()) {
      this.#count += 1;
      const bytes = this.files.peek(path)!;
      expect(this.files.durable(path)).toEqual(bytes);
      this.names.set(path, { id: this.#count, versions: [bytes], changes: [], mustExist: true });
    }
    for (const directory of directories) this.#syncNames(directory);
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** Each sector is that of one version or of the next, beyond their ends zeros. */
function canBeTorn(version: Uint8Array, next: Uint8Array | undefined, bytes: Uint8Array): boolean {
  if (next === undefined || bytes.length > Math.max(version.length, next.length)) return false;
  for (let from = 0; from < bytes.length; from += sectorBytes) {
    const sector = bytes.subarray(from, from + sectorBytes);
    const isOf = (other: Uint8Array): boolean => sector.every((byte, index) => byte === (other[from + index] ?? 0));
    if (!isOf(version) && !isOf(next)) return false;
  }
  return bytes.length >= Math.min(version.length, next.length);
}

/** Each byte is one that was once there since the sync, or a zero where something is missing. */
function canBeReordered({ versions, changes }: ModelFile, bytes: Uint8Array, isTorn: boolean): boolean {
  const synced = versions[0]!;
  const isUntouched = (index: number): boolean => changes.every(({ from, to }) => index < from || index >= to);
  if (!isTorn && changes.length === 0) return isSame(synced, bytes);
  for (let index = 0; index < Math.max(bytes.length, synced.length); index += 1) {
    const byte = bytes[index];
    if (isUntouched(index) ? byte !== synced[index] : !wasOnce(versions, index, byte)) return false;
  }
  return true;
}

function wasOnce(versions: readonly Uint8Array[], index: number, byte: number | undefined): boolean {
  return byte === undefined || byte === 0 || versions.some((version) => version[index] === byte);
}

const pathOf = fc.constantFrom(...paths);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      path: pathOf,
      at: fc.integer({ min: 0, max: 1_200 }),
      count: fc.integer({ min: 0, max: 1_600 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("truncate" as const),
      path: pathOf,
      size: fc.integer({ min: 0, max: 2_000 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("sync" as const), path: pathOf }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), path: pathOf }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("rename" as const), path: pathOf, to: pathOf }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("syncDirectory" as const), path: fc.constantFrom(...directories) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("power-loss" as const, "page-cache" as const) }) },
);

async function run(seed: number, script: readonly Step[], faults: readonly FaultName[]): Promise<void> {
  const rates = Object.fromEntries(faults.map((fault) => [fault, 0.7]));
  const files = new SimulatedFileSystem(seededHost(seed, rates));
  await files.makeDirectory("d");
  await files.syncDirectory("");
  const model = new Model(files, faults.includes("torn-write"), faults.includes("reordered-write"));
  for (const step of script) await model.step(step);
  await model.step({ kind: "power-loss" });
}

describe("power loss", () => {
  const kinds: readonly (readonly FaultName[])[] = [
    [],
    ["torn-write"],
    ["reordered-write"],
    ["torn-write", "reordered-write"],
  ];
  for (const faults of kinds) {
    test(`what is left is what POSIX allows (${faults.join(", ") || "no stronger fault"})`, async () => {
      const property = fc.asyncProperty(fc.nat(), fc.array(steps, { maxLength: 60 }), (seed, script) =>
        run(seed, script, faults),
      );

      await fc.assert(property, { numRuns: 300 });
    });
  }

  test("the same seed leaves the same", async () => {
    const left = async (): Promise<unknown> => {
      const host = seededHost(7, { "torn-write": 0.5, "reordered-write": 0.5 });
      const files = new SimulatedFileSystem(host);
      for (const path of ["a", "b", "c"]) {
        const file = await files.open(path, { write: true, create: true });
        for (let at = 0; at < 5_000; at += 700) await writeAll(file, new Uint8Array(1_000).fill(at), at);
      }
      files.crash("power-loss");
      return [host.told, files.paths().map((path) => files.peek(path))];
    };

    expect(await left()).toEqual(await left());
  });
});
