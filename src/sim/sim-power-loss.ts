/**
 * Power loss: decides which of the changes that were not synced the disk has after all.
 *
 * Guarantees: what was synced is there. Of what was not, each directory and each file keeps the older part and loses the rest;
 * how much is a choice for each (0: nothing is lost). Only where the plan has `torn-write`, the first lost write of a file may
 * be there in some of its sectors; only where it has `reordered-write`, younger writes and names may be there without
 * older ones. A change of names is there as a whole or not at all. Nothing appears that was not written.
 *
 * @module
 */
import type { SimulatedHost } from "./host.ts";
import { applyToDisk, type Journal, type SimDirectory, type SimNode, type UnsyncedChange } from "./sim-directory.ts";
import { sectorBytes, type SimFile, type UnsyncedWrite } from "./sim-file.ts";
import { subjectOf } from "./sim-subject.ts";

/** Brings the disk what the power loss leaves of the unsynced, and makes that what is shown. Gives the bytes in use. */
export function losePower(host: SimulatedHost, root: SimDirectory, journal: Journal): number {
  loseNames(host, journal);
  return restart(host, root);
}

/** Of one directory's changes. */
interface NamesLoss {
  /** How many of the oldest stay. */
  kept: number;
  readonly isReordered: boolean;
  /** Names of which a change was lost: a younger change of one would take away what the lost one was to rename. */
  readonly lostNames: Set<string>;
}

function loseNames(host: SimulatedHost, journal: Journal): void {
  const losses = lossesOf(host, journal.changes);
  const lostNodes = new Set<SimNode>();
  let isAnyLost = false;
  for (const change of journal.changes) {
    const concerned = new Set(change.names.map(({ directory }) => losses.get(directory)!));
    let isKept = !(change.isBarrier && isAnyLost);
    for (const loss of concerned) {
      loss.kept -= 1;
      if (loss.kept < 0) isKept = false;
    }
    if (!isKept && canBeReordered(change, losses, lostNodes)) {
      isKept = host.stream(`power-loss.order:${change.names[0]!.directory.path}`).choose(2) === 0;
    }
    if (isKept) {
      applyToDisk(change);
      continue;
    }
    isAnyLost = true;
    // What comes later in the same directories stands on this.
    for (const loss of concerned) loss.kept = 0;
    for (const { directory, name } of change.names) losses.get(directory)!.lostNames.add(name);
    for (const node of change.nodes) lostNodes.add(node);
    host.tell(subjectOf(change.names[0]!.directory.path), () => `lost ${change.what}, which was not synced`);
  }
  journal.clear();
}

function lossesOf(host: SimulatedHost, changes: readonly UnsyncedChange[]): Map<SimDirectory, NamesLoss> {
  const counts = new Map<SimDirectory, number>();
  for (const { names } of changes) {
    for (const directory of new Set(names.map((name) => name.directory))) {
      counts.set(directory, (counts.get(directory) ?? 0) + 1);
    }
  }
  const losses = new Map<SimDirectory, NamesLoss>();
  for (const [directory, count] of counts) {
    const kept = count - host.stream(`power-loss.names:${directory.path}`).choose(count + 1);
    const isReordered = kept < count && count > 1 && host.faults.strikes("reordered-write", subjectOf(directory.path));
    losses.set(directory, { kept, isReordered, lostNames: new Set() });
  }
  return losses;
}

/** A directory that appears or goes is what others stand in; and what has lost a name cannot lose or get the next. */
function canBeReordered(
  { nodes, names, isBarrier }: UnsyncedChange,
  losses: ReadonlyMap<SimDirectory, NamesLoss>,
  lostNodes: ReadonlySet<SimNode>,
): boolean {
  if (isBarrier || nodes.some((node) => node.kind === "directory" || lostNodes.has(node))) return false;
  return names.every(({ directory, name }) => {
    const { isReordered, lostNames } = losses.get(directory)!;
    return isReordered && !lostNames.has(name);
  });
}

function restart(host: SimulatedHost, directory: SimDirectory): number {
  let usedBytes = 0;
  directory.shown.clear();
  for (const [name, node] of directory.onDisk) {
    directory.shown.set(name, node);
    if (node.kind === "directory") {
      usedBytes += restart(host, node);
    } else {
      loseWrites(host, node);
      node.restart();
      node.isLinked = true;
      usedBytes += node.shown.sizeBytes;
    }
  }
  return usedBytes;
}

function loseWrites(host: SimulatedHost, file: SimFile): void {
  const { unsynced } = file;
  const count = unsynced.length;
  if (count === 0) return;
  const lostCount = host.stream(`power-loss.bytes:${file.path}`).choose(count + 1);
  if (lostCount === 0) return file.sync();
  const isReordered = count > 1 && host.faults.strikes("reordered-write", file.path);
  const isKept = isReordered ? reordering(host, file) : (index: number) => index < count - lostCount;
  let canTear = true;
  for (const [index, write] of unsynced.entries()) {
    if (isKept(index)) {
      file.onDisk.apply(write);
    } else if (canTear) {
      // Of a file whose writes keep their order, only the first that was lost can have begun.
      canTear = isReordered;
      tear(host, file, write);
    }
  }
  file.loseUnsynced();
  host.tell(file.path, () =>
    isReordered
      ? `lost some of ${count} unsynced writes, not the youngest ones`
      : `lost the last ${lostCount} of ${count} unsynced writes`,
  );
}

function reordering(host: SimulatedHost, { path }: SimFile): () => boolean {
  const order = host.stream(`power-loss.order:${path}`);
  return () => order.choose(2) === 0;
}

/** Keeps some sectors of a lost write. */
function tear(host: SimulatedHost, file: SimFile, write: UnsyncedWrite): void {
  if (write.kind !== "write") return;
  const { atBytes, bytes } = write;
  const first = Math.floor(atBytes / sectorBytes);
  const count = Math.ceil((atBytes + bytes.length) / sectorBytes) - first;
  if (count < 2 || !host.faults.strikes("torn-write", file.path)) return;
  const lost = 1 + host.faults.severity("torn-write", file.path, count - 1);
  // 0 is the end of the write; else the lost sectors are the beginning or somewhere inside.
  const from = count - lost + host.stream(`power-loss.torn:${file.path}`).choose(count);
  for (let sector = 0; sector < count; sector += 1) {
    if ((sector - from + 2 * count) % count < lost) continue;
    const begin = Math.max(atBytes, (first + sector) * sectorBytes);
    const end = Math.min(atBytes + bytes.length, (first + sector + 1) * sectorBytes);
    file.onDisk.write(bytes.subarray(begin - atBytes, end - atBytes), begin);
  }
  host.tell(file.path, () => `has ${count - lost} of ${count} sectors of a write at ${atBytes}`);
}
