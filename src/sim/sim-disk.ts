/**
 * Simulated disk: directories and files with what is shown and what a power loss leaves, and the faults of storage. Every
 * operation happens at once.
 *
 * Guarantees: the errors are those of POSIX and in its order. A fault is asked for at each operation that it could strike, by
 * the path, and tells the story when it does.
 * Not here: how long operations take, open files and their number (sim-file-system.ts).
 *
 * @module
 */
import {
  checkOffset,
  checkOpenOptions,
  FileError,
  isFileError,
  namesOf,
  type FileErrorCode,
  type FileFacts,
  type FileOperation,
  type OpenOptions,
  type Space,
} from "../base/file-system.ts";
import type { Milliseconds } from "../base/platform.ts";
import type { SimulatedHost } from "./host.ts";
import { Journal, SimDirectory, type NameChange, type SimNode } from "./sim-directory.ts";
import { SimFile } from "./sim-file.ts";
import { losePower } from "./sim-power-loss.ts";
import { lastingMs, subjectOf } from "./sim-subject.ts";

/** Where a name is, or would be. */
interface Place {
  readonly directory: SimDirectory;
  readonly name: string;
  readonly node: SimNode | undefined;
}

export class SimDisk {
  readonly #host: SimulatedHost;
  readonly #capacityBytes: number;
  readonly #root = new SimDirectory("");
  readonly #journal = new Journal();
  #usedBytes = 0;
  #readOnlyUntilMs: Milliseconds = 0;
  /** A write of it has found the disk full and said how much it took; the next one is told why. */
  #fullFile: SimFile | null = null;

  constructor(host: SimulatedHost, capacityBytes: number) {
    this.#host = host;
    this.#capacityBytes = capacityBytes;
  }

  open(path: string, options: OpenOptions): SimFile {
    checkOpenOptions(path, options);
    const isWriting = options.write === true || options.append === true;
    const names = namesOf(path, "open");
    if (names.length === 0) throw new FileError("EISDIR", "open", path);
    const { directory, name, node } = this.#place(names, "open", path);
    if (node === undefined) {
      if (options.create !== true) throw new FileError("ENOENT", "open", path);
      this.#checkWritable("open", path);
      const file = new SimFile(path);
      this.#change(`creating ${path}`, [{ directory, name, node: file }], [file]);
      return file;
    }
    if (options.exclusive === true) throw new FileError("EEXIST", "open", path);
    if (node.kind === "directory") throw new FileError("EISDIR", "open", path);
    if (isWriting) this.#checkWritable("open", path);
    if (options.truncate === true && node.shown.sizeBytes > 0) this.#resize(node, () => node.truncate(0));
    return node;
  }

  read(file: SimFile, into: Uint8Array, atBytes: number): number {
    const { path } = file;
    checkOffset(atBytes, "read", path);
    if (this.#host.faults.strikes("eio-read", path)) throw this.#failed("eio-read", "EIO", "read", path);
    const count = file.shown.readInto(into, atBytes);
    if (count > 0 && this.#host.faults.strikes("bit-flip", path)) this.#flip(file, into, atBytes, count);
    return count;
  }

  /** Gives how many bytes were taken. */
  write(file: SimFile, bytes: Uint8Array, atBytes: number, operation: "write" | "append"): number {
    const { path } = file;
    checkOffset(atBytes, operation, path);
    this.#checkWritable(operation, path);
    if (bytes.length === 0) return 0;
    const room = this.#capacityBytes - this.#usedBytes + file.shown.sizeBytes - atBytes;
    if (room <= 0 || this.#fullFile === file) {
      this.#fullFile = null;
      throw new FileError("ENOSPC", operation, path);
    }
    return this.#faultyWrite(file, bytes, atBytes, operation, Math.min(room, bytes.length));
  }

  truncate(file: SimFile, sizeBytes: number): void {
    const { path } = file;
    checkOffset(sizeBytes, "truncate", path);
    this.#checkWritable("truncate", path);
    const growth = sizeBytes - file.shown.sizeBytes;
    if (growth > this.#capacityBytes - this.#usedBytes) throw new FileError("ENOSPC", "truncate", path);
    if (growth !== 0) this.#resize(file, () => file.truncate(sizeBytes));
  }

  sync(file: SimFile): void {
    if (file.unsynced.length === 0) return;
    const { path } = file;
    this.#checkWritable("sync", path);
    if (this.#host.faults.strikes("eio-fsync-once", path)) {
      file.loseUnsynced();
      throw this.#failed("eio-fsync-once", "EIO", "sync", path);
    }
    file.sync();
  }

  /** Nobody has it open any more. */
  closed(file: SimFile): void {
    if (!file.isLinked) this.#usedBytes -= file.shown.sizeBytes;
    if (this.#fullFile === file) this.#fullFile = null;
  }

  rename(from: string, to: string): void {
    try {
      this.#rename(from, to);
    } catch (error) {
      throw isFileError(error) ? new FileError(error.code, "rename", from, { to }) : error;
    }
  }

  remove(path: string): void {
    const { directory, name, node } = this.#place(this.#namesBelowRoot(path, "remove"), "remove", path);
    if (node === undefined) throw new FileError("ENOENT", "remove", path);
    if (node.kind === "directory" && node.shown.size > 0) throw new FileError("ENOTEMPTY", "remove", path);
    this.#checkWritable("remove", path);
    this.#change(`removing ${path}`, [{ directory, name, node: null }], [node], node.kind === "directory");
    this.#unlinked(node);
  }

  makeDirectory(path: string): void {
    const names = namesOf(path, "makeDirectory");
    if (names.length === 0) throw new FileError("EEXIST", "makeDirectory", path);
    const { directory, name, node } = this.#place(names, "makeDirectory", path);
    if (node !== undefined) throw new FileError("EEXIST", "makeDirectory", path);
    this.#checkWritable("makeDirectory", path);
    const made = new SimDirectory(path);
    this.#change(`making the directory ${path}`, [{ directory, name, node: made }], [made]);
  }

  list(path: string): readonly string[] {
    const directory = this.#directory(path, "list");
    const subject = subjectOf(path);
    if (this.#host.faults.strikes("eio-read", subject)) throw this.#failed("eio-read", "EIO", "list", path);
    return [...directory.shown.keys()].toSorted();
  }

  syncDirectory(path: string): void {
    const directory = this.#directory(path, "syncDirectory");
    if (!this.#journal.concerns(directory)) return;
    this.#checkWritable("syncDirectory", path);
    // A file system's own journal fails as a whole or stays as it is: nothing is lost, nothing is synced.
    if (this.#host.faults.strikes("eio-fsync-once", subjectOf(path))) {
      throw this.#failed("eio-fsync-once", "EIO", "syncDirectory", path);
    }
    this.#journal.sync(directory);
  }

  stat(path: string): FileFacts {
    const node = this.#find(namesOf(path, "stat"), "stat", path);
    if (node === undefined) throw new FileError("ENOENT", "stat", path);
    return { kind: node.kind, sizeBytes: node.kind === "file" ? node.shown.sizeBytes : 0 };
  }

  space(): Space {
    const freeBytes = Math.max(0, this.#capacityBytes - this.#usedBytes);
    return { totalBytes: this.#capacityBytes, freeBytes };
  }

  losePower(): void {
    this.#usedBytes = losePower(this.#host, this.#root, this.#journal);
    this.calm();
  }

  /** Faults that last end now. */
  calm(): void {
    this.#readOnlyUntilMs = 0;
    this.#fullFile = null;
  }

  /** A file's bytes as they are shown or as the disk has them; undefined when there is no such file. */
  look(path: string, where: "shown" | "onDisk"): Uint8Array | undefined {
    let node: SimNode | undefined = this.#root;
    for (const name of namesOf(path, "read")) {
      node = node?.kind === "directory" ? node[where].get(name) : undefined;
    }
    return node?.kind === "file" ? node[where].read() : undefined;
  }

  /** The paths of all files, sorted. */
  paths(where: "shown" | "onDisk"): readonly string[] {
    const found: string[] = [];
    const walk = (directory: SimDirectory, prefix: string): void => {
      for (const [name, node] of directory[where]) {
        if (node.kind === "file") found.push(prefix + name);
        else walk(node, `${prefix}${name}/`);
      }
    };
    walk(this.#root, "");
    return found.toSorted();
  }

  // --- names ---

  #find(names: readonly string[], operation: FileOperation, path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root;
    for (const name of names) {
      if (node === undefined) throw new FileError("ENOENT", operation, path);
      if (node.kind !== "directory") throw new FileError("ENOTDIR", operation, path);
      node = node.shown.get(name);
    }
    return node;
  }

  #place(names: readonly string[], operation: FileOperation, path: string): Place {
    const directory = names.length === 1 ? this.#root : this.#find(names.slice(0, -1), operation, path);
    if (directory === undefined) throw new FileError("ENOENT", operation, path);
    if (directory.kind !== "directory") throw new FileError("ENOTDIR", operation, path);
    const name = names.at(-1)!;
    return { directory, name, node: directory.shown.get(name) };
  }

  #directory(path: string, operation: FileOperation): SimDirectory {
    const node = this.#find(namesOf(path, operation), operation, path);
    if (node === undefined) throw new FileError("ENOENT", operation, path);
    if (node.kind !== "directory") throw new FileError("ENOTDIR", operation, path);
    return node;
  }

  #namesBelowRoot(path: string, operation: FileOperation): readonly string[] {
    if (path === "") throw new FileError("EINVAL", operation, path);
    return namesOf(path, operation);
  }

  #rename(from: string, to: string): void {
    const fromNames = this.#namesBelowRoot(from, "rename");
    const toNames = this.#namesBelowRoot(to, "rename");
    const source = this.#place(fromNames, "rename", from);
    const { node } = source;
    if (node === undefined) throw new FileError("ENOENT", "rename", from);
    if (node.kind === "directory" && to.startsWith(`${from}/`)) throw new FileError("EINVAL", "rename", from);
    const target = this.#place(toNames, "rename", to);
    if (target.node === node) return;
    if (target.node !== undefined) checkReplaceable(node, target.node, to);
    this.#checkWritable("rename", from);
    const names = [
      { directory: source.directory, name: source.name, node: null },
      { directory: target.directory, name: target.name, node },
    ];
    const nodes = target.node === undefined ? [node] : [node, target.node];
    const isBarrier = source.directory !== target.directory || target.node?.kind === "directory";
    this.#change(`renaming ${from} to ${to}`, names, nodes, isBarrier);
    node.path = to;
    if (target.node !== undefined) this.#unlinked(target.node);
  }

  #change(what: string, names: readonly NameChange[], nodes: readonly SimNode[], isBarrier = false): void {
    this.#journal.add({ what, names, nodes, isBarrier });
  }

  #unlinked(node: SimNode): void {
    if (node.kind !== "file") return;
    node.isLinked = false;
    if (node.openCount === 0) this.#usedBytes -= node.shown.sizeBytes;
  }

  // --- bytes ---

  #resize(file: SimFile, change: () => void): void {
    const before = file.shown.sizeBytes;
    change();
    this.#usedBytes += file.shown.sizeBytes - before;
  }

  #put(file: SimFile, bytes: Uint8Array, atBytes: number, count: number): void {
    if (count === 0) return;
    // Not `slice`: that of a Buffer is no copy.
    const copy = new Uint8Array(count);
    copy.set(count === bytes.length ? bytes : bytes.subarray(0, count));
    const before = file.shown.sizeBytes;
    file.write(copy, atBytes);
    this.#usedBytes += file.shown.sizeBytes - before;
  }

  #faultyWrite(
    file: SimFile,
    bytes: Uint8Array,
    atBytes: number,
    operation: "write" | "append",
    fittingCount: number,
  ): number {
    const { faults } = this.#host;
    const { path } = file;
    let count = fittingCount;
    if (faults.strikes("enospc", path)) {
      count = faults.severity("enospc", path, count);
      this.#host.tell(path, () => `finds the disk full after ${count} of ${bytes.length} bytes (enospc)`);
      if (count === 0) throw new FileError("ENOSPC", operation, path);
      this.#fullFile = file;
    } else if (faults.strikes("eio-write", path)) {
      this.#put(file, bytes, atBytes, faults.severity("eio-write", path, count + 1));
      throw this.#failed("eio-write", "EIO", operation, path);
    } else if (count > 1 && faults.strikes("short-write", path)) {
      count -= 1 + faults.severity("short-write", path, count - 1);
      this.#host.tell(path, () => `takes ${count} of ${bytes.length} bytes (short-write)`);
    }
    this.#put(file, bytes, atBytes, count);
    return count;
  }

  #flip(file: SimFile, into: Uint8Array, atBytes: number, count: number): void {
    const { path } = file;
    const index = this.#host.faults.severity("bit-flip", path, count);
    const bit = this.#host.faults.severity("bit-flip", path, 8);
    file.flip(atBytes + index, bit);
    into[index]! ^= 1 << bit;
    this.#host.tell(path, () => `has bit ${bit} of byte ${atBytes + index} turned over (bit-flip)`);
  }

  // --- faults ---

  #checkWritable(operation: FileOperation, path: string): void {
    const nowMs = this.#host.nowMs();
    const subject = subjectOf(path);
    if (nowMs >= this.#readOnlyUntilMs) {
      if (!this.#host.faults.strikes("erofs", subject)) return;
      const durationMs = lastingMs(this.#host, "erofs", subject);
      this.#readOnlyUntilMs = nowMs + durationMs;
      this.#host.tell(subject, () => `finds the file system read-only, for ${durationMs} ms (erofs)`);
    }
    throw new FileError("EROFS", operation, path);
  }

  #failed(fault: string, code: FileErrorCode, operation: FileOperation, path: string): FileError {
    this.#host.tell(subjectOf(path), () => `fails to ${operation} with ${code} (${fault})`);
    return new FileError(code, operation, path);
  }
}

function checkReplaceable(node: SimNode, target: SimNode, to: string): void {
  if (node.kind === "file" && target.kind === "directory") throw new FileError("EISDIR", "rename", to);
  if (node.kind === "directory" && target.kind === "file") throw new FileError("ENOTDIR", "rename", to);
  if (target.kind === "directory" && target.shown.size > 0) throw new FileError("ENOTEMPTY", "rename", to);
}
