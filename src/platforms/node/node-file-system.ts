/**
 * Node file system: the contract of `base/file-system.ts` on the files below one directory.
 *
 * Guarantees: `sync` is fdatasync, `syncDirectory` is fsync of the directory. Every failure is a `FileError` with Node's own
 * error as its cause.
 * Limits: symlinks are followed, also out of the root: this is a place to work in, no prison. Names that are not UTF-8 come
 * damaged. Where the OS gives directories no sync (Windows), `syncDirectory` rejects.
 *
 * @module
 */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import {
  checkOffset,
  checkOpenOptions,
  FileError,
  fileErrorCode,
  isFileError,
  namesOf,
  type FileFacts,
  type FileOperation,
  type FileSystem,
  type OpenFile,
  type OpenOptions,
  type Space,
} from "../../base/file-system.ts";

/** The files below `root`, an existing directory. */
export function nodeFileSystem(root: string): FileSystem {
  return new NodeFileSystem(root);
}

class NodeFileSystem implements FileSystem {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  open(path: string, options: OpenOptions): Promise<OpenFile> {
    return this.#attempt("open", path, async (place) => {
      checkOpenOptions(path, options);
      const handle = await fs.open(place, flagsOf(options));
      try {
        // For reading alone, the OS opens directories too.
        if (isReadOnly(options) && (await handle.stat()).isDirectory()) throw new FileError("EISDIR", "open", path);
        return new NodeFile(path, handle, options);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  async rename(from: string, to: string): Promise<void> {
    try {
      await fs.rename(this.#placeBelowRoot(from, "rename"), this.#placeBelowRoot(to, "rename"));
    } catch (error) {
      if (isFileError(error)) throw new FileError(error.code, "rename", from, { to });
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      // POSIX allows both names for a directory that is not empty.
      const code = errno === "EEXIST" ? "ENOTEMPTY" : fileErrorCode(errno);
      throw new FileError(code, "rename", from, { to, cause: error });
    }
  }

  remove(path: string): Promise<void> {
    return this.#attempt("remove", path, async () => {
      const place = this.#placeBelowRoot(path, "remove");
      const isDirectory = (await fs.lstat(place)).isDirectory();
      await (isDirectory ? fs.rmdir(place) : fs.unlink(place));
    });
  }

  list(path: string): Promise<readonly string[]> {
    // The default order of `sort` is that of code units.
    return this.#attempt("list", path, async (place) => (await fs.readdir(place)).toSorted());
  }

  makeDirectory(path: string): Promise<void> {
    return this.#attempt("makeDirectory", path, (place) => fs.mkdir(place));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#attempt("syncDirectory", path, async (place) => {
      const handle = await fs.open(place, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  stat(path: string): Promise<FileFacts> {
    return this.#attempt("stat", path, async (place) => {
      const stats = await fs.stat(place);
      if (stats.isFile()) return { kind: "file", sizeBytes: stats.size };
      return { kind: stats.isDirectory() ? "directory" : "other", sizeBytes: 0 };
    });
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (isFileError(error, "ENOENT") || isFileError(error, "ENOTDIR")) return false;
      throw error;
    }
  }

  space(): Promise<Space> {
    return this.#attempt("space", "", async (place) => {
      const { blocks, bavail, bsize } = await fs.statfs(place);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    });
  }

  #place(path: string, operation: FileOperation): string {
    return join(this.#root, ...namesOf(path, operation));
  }

  #placeBelowRoot(path: string, operation: FileOperation): string {
    if (path === "") throw new FileError("EINVAL", operation, path);
    return this.#place(path, operation);
  }

  async #attempt<T>(operation: FileOperation, path: string, perform: (place: string) => Promise<T>): Promise<T> {
    const place = this.#place(path, operation);
    try {
      return await perform(place);
    } catch (error) {
      throw fileErrorOf(error, operation, path);
    }
  }
}

class NodeFile implements OpenFile {
  readonly path: string;
  readonly #handle: fs.FileHandle;
  readonly #options: OpenOptions;
  #closing: Promise<void> | undefined;

  constructor(path: string, handle: fs.FileHandle, options: OpenOptions) {
    this.path = path;
    this.#handle = handle;
    this.#options = options;
  }

  read(into: Uint8Array, atBytes: number): Promise<number> {
    return this.#attempt("read", this.#options.read, async () => {
      checkOffset(atBytes, "read", this.path);
      // Node refuses a buffer without room.
      if (into.length === 0) return 0;
      return (await this.#handle.read(into, 0, into.length, atBytes)).bytesRead;
    });
  }

  write(bytes: Uint8Array, atBytes: number): Promise<number> {
    return this.#attempt("write", this.#options.write, async () => {
      checkOffset(atBytes, "write", this.path);
      return (await this.#handle.write(bytes, 0, bytes.length, atBytes)).bytesWritten;
    });
  }

  append(bytes: Uint8Array): Promise<number> {
    return this.#attempt("append", this.#options.append, async () => {
      return (await this.#handle.write(bytes, 0, bytes.length, null)).bytesWritten;
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#attempt("truncate", this.#options.write === true || this.#options.append === true, () => {
      checkOffset(sizeBytes, "truncate", this.path);
      return this.#handle.truncate(sizeBytes);
    });
  }

  size(): Promise<number> {
    return this.#attempt("size", true, async () => (await this.#handle.stat()).size);
  }

  sync(): Promise<void> {
    return this.#attempt("sync", true, () => this.#handle.datasync());
  }

  close(): Promise<void> {
    // What close(2) reports is about bytes that nobody synced, and the descriptor is gone all the same.
    this.#closing ??= this.#handle.close().catch(() => {});
    return this.#closing;
  }

  async #attempt<T>(operation: FileOperation, isAllowed: boolean | undefined, perform: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined || isAllowed !== true) throw new FileError("EBADF", operation, this.path);
    try {
      return await perform();
    } catch (error) {
      throw fileErrorOf(error, operation, this.path);
    }
  }
}

function isReadOnly({ write, append }: OpenOptions): boolean {
  return write !== true && append !== true;
}

function flagsOf(options: OpenOptions): number {
  const access = isReadOnly(options)
    ? constants.O_RDONLY
    : options.read === true
      ? constants.O_RDWR
      : constants.O_WRONLY;
  return (
    access |
    (options.append === true ? constants.O_APPEND : 0) |
    (options.create === true ? constants.O_CREAT : 0) |
    (options.exclusive === true ? constants.O_EXCL : 0) |
    (options.truncate === true ? constants.O_TRUNC : 0)
  );
}

function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Errors that are not the file system's (a wrong argument, a defect) stay as they are. */
function fileErrorOf(error: unknown, operation: FileOperation, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || isFileError(error)) return error;
  return new FileError(fileErrorCode(errno), operation, path, { cause: error });
}
