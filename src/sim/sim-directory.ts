/**
 * Simulated directories: the names of a file system twice, as the OS shows them and as the disk has them, with the changes
 * between the two in one list for all directories (a file system's journal).
 *
 * Guarantees: a change is atomic, also a rename between two directories. Syncing a directory brings the disk all changes of
 * that directory and those that they stand on, no others: of each directory the disk has a state that there was.
 * Limit: `unsyncedChangesMax`; the OS writes the oldest back by itself.
 * Not here: which changes a power loss keeps (sim-power-loss.ts).
 *
 * @module
 */
import type { SimFile } from "./sim-file.ts";

/** Changes of names that wait for a sync; beyond, the older half goes to the disk unasked. */
export const unsyncedChangesMax = 1_024;

export type SimNode = SimFile | SimDirectory;

export class SimDirectory {
  readonly kind = "directory";
  /** The last path that it was given itself; for streams and stories. */
  path: string;
  readonly shown: Map<string, SimNode> = new Map();
  readonly onDisk: Map<string, SimNode> = new Map();

  constructor(path: string) {
    this.path = path;
  }
}

/** One name that leads to `node` from now on, or to nothing. */
export interface NameChange {
  readonly directory: SimDirectory;
  readonly name: string;
  readonly node: SimNode | null;
}

/** What one operation has changed, kept as a whole or not at all. */
export interface UnsyncedChange {
  /** For stories: `creating a`, `renaming a to b`. */
  readonly what: string;
  readonly names: readonly NameChange[];
  /** Everything that got, lost or changed its name. */
  readonly nodes: readonly SimNode[];
  /**
   * Something went from one directory to another, or a directory went: it is nowhere, or two are inside each other, unless all
   * that was changed before is there too.
   */
  readonly isBarrier: boolean;
}

/** The changes that the disk does not have yet. */
export class Journal {
  /** Oldest first. */
  #changes: UnsyncedChange[] = [];

  get changes(): readonly UnsyncedChange[] {
    return this.#changes;
  }

  /** Changes what is shown. */
  add(change: UnsyncedChange): void {
    for (const { directory, name, node } of change.names) {
      if (node === null) directory.shown.delete(name);
      else directory.shown.set(name, node);
    }
    this.#changes.push(change);
    if (this.#changes.length <= unsyncedChangesMax) return;
    for (const old of this.#changes.splice(0, unsyncedChangesMax / 2)) applyToDisk(old);
  }

  /** Whether the disk lacks something that this directory shows. */
  concerns(directory: SimDirectory): boolean {
    return this.#changes.some((change) => concerns(change, directory));
  }

  sync(directory: SimDirectory): void {
    const synced: UnsyncedChange[] = [];
    const kept: UnsyncedChange[] = [];
    let isAll = false;
    for (const change of this.#changes.toReversed()) {
      const isSynced: boolean = isAll || concerns(change, directory);
      (isSynced ? synced : kept).push(change);
      isAll ||= isSynced && change.isBarrier;
    }
    for (const change of synced.toReversed()) applyToDisk(change);
    this.#changes = kept.toReversed();
  }

  /** Nothing is under way any more. */
  clear(): void {
    this.#changes = [];
  }
}

export function applyToDisk({ names }: UnsyncedChange): void {
  for (const { directory, name, node } of names) {
    if (node === null) directory.onDisk.delete(name);
    else directory.onDisk.set(name, node);
  }
}

function concerns({ names }: UnsyncedChange, directory: SimDirectory): boolean {
  return names.some((name) => name.directory === directory);
}
