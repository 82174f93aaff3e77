/**
 * Simulated file system: the contract of `base/file-system.ts` on a simulated disk, in virtual time, crash-consistent.
 *
 * Guarantees: after a power loss there is what was synced, and of the rest what the plan's choices leave
 * (sim-power-loss.ts); after the end of the OS process there is all that was written. Whatever was under way at a crash has not
 * happened. The faults of storage strike by the path.
 *
 * | fault | what it does here |
 * | --- | --- |
 * | `enospc` | a write takes a part and the next one of that file rejects with ENOSPC, or it rejects at once |
 * | `eio-read` | a read, or a list, rejects with EIO |
 * | `eio-write` | a write rejects with EIO; some of its bytes may be there |
 * | `eio-fsync-once` | a sync rejects with EIO once; the file's unsynced bytes are shown but never reach the disk, as on ext4. Of a directory nothing is lost, and the next sync does it |
 * | `short-write` | a write takes at least one byte less than it was given |
 * | `torn-write`, `reordered-write` | what a power loss leaves of unsynced writes |
 * | `bit-flip` | a bit of what is read is the other one from now on, also on the disk |
 * | `erofs` | everything that writes rejects with EROFS, for 1 to 10 s |
 * | `slow-disk` | an operation takes 1 to 10 s |
 * | `emfile` | everything that opens rejects with EMFILE, for 1 to 10 s |
 *
 * Limits: `capacityBytes` (a file counts with its size, holes too; names cost nothing), `openFilesMax`.
 * Unlike a real one: nothing is written back because time passes, only because it is much; a file that was made and synced
 * may still be without its name (ext4 would sync the name too); renaming a file over its own directory is EISDIR.
 *
 * @module
 */
import {
  FileError,
  isFileError,
  type FileFacts,
  type FileOperation,
  type FileSystem,
  type OpenFile,
  type OpenOptions,
  type Space,
} from "../base/file-system.ts";
import type { Milliseconds } from "../base/platform.ts";
import type { SimulatedHost } from "./host.ts";
import { SimDisk } from "./sim-disk.ts";
import type { SimFile } from "./sim-file.ts";
import { lastingMs, subjectOf } from "./sim-subject.ts";

/** Defaults of `SimulatedFileSystemOptions`. */
export const capacityBytesDefault: number = 2 ** 30;
export const openFilesMaxDefault = 1_024;
export const operationMsDefault: Milliseconds = 0.1;
export const syncMsDefault: Milliseconds = 2;

/** What can be chosen about a simulated file system. */
export interface SimulatedFileSystemOptions {
  /** All files together; a write beyond takes what fits, then rejects with ENOSPC. */
  readonly capacityBytes?: number;
  /** Open files; one more rejects with EMFILE. */
  readonly openFilesMax?: number;
  /** Virtual milliseconds that an operation takes. */
  readonly operationMs?: Milliseconds;
  /** Virtual milliseconds that a sync takes. */
  readonly syncMs?: Milliseconds;
}

/** What survives a crash: `page-cache` all that was written (the OS lives on), `power-loss` what was synced and some more. */
export type Keep = "page-cache" | "power-loss";

export class SimulatedFileSystem implements FileSystem {
  readonly #host: SimulatedHost;
  readonly #disk: SimDisk;
  readonly #openFilesMax: number;
  readonly #operationMs: Milliseconds;
  readonly #syncMs: Milliseconds;
  /** Closes files without walking over what has been closed. */
  readonly #open = new Set<SimulatedOpenFile>();
  #crashesCount = 0;
  #noFilesUntilMs: Milliseconds = 0;

  constructor(host: SimulatedHost, options: SimulatedFileSystemOptions = {}) {
    this.#host = host;
    this.#disk = new SimDisk(host, options.capacityBytes ?? capacityBytesDefault);
    this.#openFilesMax = options.openFilesMax ?? openFilesMaxDefault;
    this.#operationMs = options.operationMs ?? operationMsDefault;
    this.#syncMs = options.syncMs ?? syncMsDefault;
  }

  open(path: string, options: OpenOptions): Promise<OpenFile> {
    return this.#operate("open", path, (disk) => {
      this.#checkDescriptors("open", path);
      const file = new SimulatedOpenFile(this, path, disk.open(path, options), options);
      this.#open.add(file);
      return file;
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operate("rename", from, (disk) => disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#operate("remove", path, (disk) => disk.remove(path));
  }

  list(path: string): Promise<readonly string[]> {
    return this.#operate("list", path, (disk) => {
      this.#checkDescriptors("list", path);
      return disk.list(path);
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.#operate("makeDirectory", path, (disk) => disk.makeDirectory(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#operate("syncDirectory", path, (disk) => {
      this.#checkDescriptors("syncDirectory", path);
      disk.syncDirectory(path);
    });
  }

  stat(path: string): Promise<FileFacts> {
    return this.#operate("stat", path, (disk) => disk.stat(path));
  }

  exists(path: string): Promise<boolean> {
    return this.#operate("stat", path, (disk) => {
      try {
        disk.stat(path);
        return true;
      } catch (error) {
        if (isFileError(error, "ENOENT") || isFileError(error, "ENOTDIR")) return false;
        throw error;
      }
    });
  }

  space(): Promise<Space> {
    return this.#operate("space", "", (disk) => disk.space());
  }

  // --- what a run does to it ---

  /** The OS process or the machine stops: all files are closed, and what `keep` says is left. */
  crash(keep: Keep): void {
    this.#crashesCount += 1;
    for (const file of this.#open) void file.close();
    // The limit was that of the OS process; a file system that takes no writes stays so until the machine starts again.
    this.#noFilesUntilMs = 0;
    if (keep === "power-loss") this.#disk.losePower();
  }

  /** Faults that last (`erofs`, `emfile`) end now. */
  calm(): void {
    this.#noFilesUntilMs = 0;
    this.#disk.calm();
  }

  // --- what checks look at; they cost no time and no fault strikes them ---

  /** The file's bytes as the disk has them now, whatever a power loss might add; undefined: it has no such file. */
  durable(path: string): Uint8Array | undefined {
    return this.#disk.look(path, "onDisk");
  }

  /** The file's bytes as a reader would get them; undefined: there is no such file. */
  peek(path: string): Uint8Array | undefined {
    return this.#disk.look(path, "shown");
  }

  /** The paths of the files that the disk has now, sorted. */
  durablePaths(): readonly string[] {
    return this.#disk.paths("onDisk");
  }

  /** The paths of all files, sorted. */
  paths(): readonly string[] {
    return this.#disk.paths("shown");
  }

  /** Files that are open; one that is left open is a leak. */
  get openCount(): number {
    return this.#open.size;
  }

  // --- for open files ---

  /** @internal */
  operateOn<T>(file: SimulatedOpenFile, operation: FileOperation, perform: (disk: SimDisk) => T): Promise<T> {
    return this.#operate(operation, file.path, perform);
  }

  /** @internal */
  closed(file: SimulatedOpenFile, target: SimFile): void {
    this.#open.delete(file);
    target.openCount -= 1;
    if (target.openCount === 0) this.#disk.closed(target);
  }

  #operate<T>(operation: FileOperation, path: string, perform: (disk: SimDisk) => T): Promise<T> {
    const crashesCount = this.#crashesCount;
    return this.#host.operate(this.#durationOf(operation, path), () => {
      // Nobody is left to hear this.
      if (crashesCount !== this.#crashesCount) throw new FileError("EIO", operation, path);
      return perform(this.#disk);
    });
  }

  #durationOf(operation: FileOperation, path: string): Milliseconds {
    const subject = subjectOf(path);
    if (this.#host.faults.strikes("slow-disk", subject)) {
      const durationMs = lastingMs(this.#host, "slow-disk", subject);
      this.#host.tell(subject, () => `takes ${durationMs} ms to ${operation} (slow-disk)`);
      return durationMs;
    }
    return operation === "sync" || operation === "syncDirectory" ? this.#syncMs : this.#operationMs;
  }

  #checkDescriptors(operation: FileOperation, path: string): void {
    const nowMs = this.#host.nowMs();
    const subject = subjectOf(path);
    if (nowMs >= this.#noFilesUntilMs && this.#host.faults.strikes("emfile", subject)) {
      const durationMs = lastingMs(this.#host, "emfile", subject);
      this.#noFilesUntilMs = nowMs + durationMs;
      this.#host.tell(subject, () => `finds too many files open, for ${durationMs} ms (emfile)`);
    }
    if (nowMs < this.#noFilesUntilMs || this.#open.size >= this.#openFilesMax) {
      throw new FileError("EMFILE", operation, path);
    }
  }
}

class SimulatedOpenFile implements OpenFile {
  readonly path: string;
  readonly #system: SimulatedFileSystem;
  readonly #file: SimFile;
  readonly #options: OpenOptions;
  #isClosed = false;

  constructor(system: SimulatedFileSystem, path: string, file: SimFile, options: OpenOptions) {
    this.path = path;
    this.#system = system;
    this.#file = file;
    this.#options = options;
    file.openCount += 1;
  }

  read(into: Uint8Array, atBytes: number): Promise<number> {
    return this.#operate("read", this.#options.read, (disk) => disk.read(this.#file, into, atBytes));
  }

  write(bytes: Uint8Array, atBytes: number): Promise<number> {
    return this.#operate("write", this.#options.write, (disk) => disk.write(this.#file, bytes, atBytes, "write"));
  }

  append(bytes: Uint8Array): Promise<number> {
    return this.#operate("append", this.#options.append, (disk) =>
      disk.write(this.#file, bytes, this.#file.shown.sizeBytes, "append"),
    );
  }

  truncate(sizeBytes: number): Promise<void> {
    const isAllowed = this.#options.write === true || this.#options.append === true;
    return this.#operate("truncate", isAllowed, (disk) => disk.truncate(this.#file, sizeBytes));
  }

  size(): Promise<number> {
    return this.#operate("size", true, () => this.#file.shown.sizeBytes);
  }

  sync(): Promise<void> {
    return this.#operate("sync", true, (disk) => disk.sync(this.#file));
  }

  /** At once: also the kernel calls this, for a process that has ended and awaits nothing any more. */
  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#system.closed(this, this.#file);
    }
    return closed;
  }

  #operate<T>(operation: FileOperation, isAllowed: boolean | undefined, perform: (disk: SimDisk) => T): Promise<T> {
    return this.#system.operateOn(this, operation, (disk) => {
      if (this.#isClosed || isAllowed !== true) throw new FileError("EBADF", operation, this.path);
      return perform(disk);
    });
  }
}

const closed = Promise.resolve();
