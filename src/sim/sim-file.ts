/**
 * Simulated file: the bytes of one file twice, as the OS shows them (page cache) and as the disk has them, with the writes
 * between the two in order.
 *
 * Guarantees: applied in order, all unsynced writes make the disk's bytes the shown ones, unless a sync has failed: then the
 * disk never gets what was unsynced then, and nobody but the failed sync says so (as on ext4).
 * Limit: `unsyncedWritesMax`; the OS writes the oldest back by itself.
 * Not here: which writes a power loss keeps (sim-power-loss.ts).
 *
 * @module
 */

/** What a disk writes whole or not at all. */
export const sectorBytes = 512;
/** Writes to one file that wait for a sync; beyond, the older half goes to the disk unasked, as every OS does it. */
export const unsyncedWritesMax = 1_024;

/** A write or truncation that the disk does not have yet. */
export type UnsyncedWrite =
  | { readonly kind: "write"; readonly atBytes: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly sizeBytes: number };

/** Bytes that grow. What lies beyond the size is zeros. */
export class Content {
  #bytes: Uint8Array = noBytes;
  sizeBytes = 0;

  /** A copy. */
  read(): Uint8Array {
    return this.#bytes.slice(0, this.sizeBytes);
  }

  readInto(into: Uint8Array, atBytes: number): number {
    const count = Math.max(0, Math.min(into.length, this.sizeBytes - atBytes));
    if (count > 0) into.set(this.#bytes.subarray(atBytes, atBytes + count));
    return count;
  }

  write(bytes: Uint8Array, atBytes: number): void {
    if (bytes.length === 0) return;
    const end = atBytes + bytes.length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.set(bytes, atBytes);
    if (end > this.sizeBytes) this.sizeBytes = end;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) this.#bytes.fill(0, sizeBytes, this.sizeBytes);
    else if (sizeBytes > this.#bytes.length) this.#grow(sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  apply(write: UnsyncedWrite): void {
    if (write.kind === "write") this.write(write.bytes, write.atBytes);
    else this.truncate(write.sizeBytes);
  }

  copyFrom(other: Content): void {
    this.#bytes = other.read();
    this.sizeBytes = other.sizeBytes;
  }

  /** Turns one bit over; nothing where there is no such byte. */
  flip(atBytes: number, bit: number): void {
    if (atBytes < this.sizeBytes) this.#bytes[atBytes]! ^= 1 << bit;
  }

  #grow(neededBytes: number): void {
    const grown = new Uint8Array(Math.max(neededBytes, this.#bytes.length * 2, 64));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

const noBytes = new Uint8Array(0);

export class SimFile {
  readonly kind = "file";
  /** The last path that it was given itself; for streams and stories. */
  path: string;
  readonly shown: Content = new Content();
  readonly onDisk: Content = new Content();
  /** Oldest first. */
  unsynced: UnsyncedWrite[] = [];
  /** A sync has failed since the two were last the same. */
  isDiverged = false;
  openCount = 0;
  /** Whether a name leads to it. */
  isLinked = true;

  constructor(path: string) {
    this.path = path;
  }

  /** Keeps `bytes`; they must not change. */
  write(bytes: Uint8Array, atBytes: number): void {
    this.shown.write(bytes, atBytes);
    this.#add({ kind: "write", atBytes, bytes });
  }

  truncate(sizeBytes: number): void {
    this.shown.truncate(sizeBytes);
    this.#add({ kind: "truncate", sizeBytes });
  }

  sync(): void {
    for (const write of this.unsynced) this.onDisk.apply(write);
    this.unsynced = [];
  }

  /** What was not synced never reaches the disk. */
  loseUnsynced(): void {
    if (this.unsynced.length === 0) return;
    this.unsynced = [];
    this.isDiverged = true;
  }

  /** Turns over one bit of what is shown, and of where that is or will be on the disk. */
  flip(atBytes: number, bit: number): void {
    this.shown.flip(atBytes, bit);
    for (const write of this.unsynced.toReversed()) {
      if (write.kind === "truncate" || atBytes < write.atBytes || atBytes >= write.atBytes + write.bytes.length)
        continue;
      write.bytes[atBytes - write.atBytes]! ^= 1 << bit;
      return;
    }
    this.onDisk.flip(atBytes, bit);
  }

  /** What is on the disk is all there is. */
  restart(): void {
    if (this.isDiverged || this.unsynced.length > 0) this.shown.copyFrom(this.onDisk);
    this.unsynced = [];
    this.isDiverged = false;
    this.openCount = 0;
  }

  #add(write: UnsyncedWrite): void {
    this.unsynced.push(write);
    if (this.unsynced.length <= unsyncedWritesMax) return;
    for (const old of this.unsynced.splice(0, unsyncedWritesMax / 2)) this.onDisk.apply(old);
  }
}
