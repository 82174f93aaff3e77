/**
 * File system: files as engine-neutral code sees them, so that a simulated disk can stand in for the real one.
 *
 * Guarantees: what a call has taken is seen by every later call at once, and outlives the OS process. It outlives a power
 * loss only once it was synced: a file's bytes by `OpenFile.sync`, a name (created, renamed or removed) by `syncDirectory`
 * of the directory it is in. `rename` is atomic: after a power loss there is the old state or the new one. Reads and writes
 * may take only a part; `writeAll` and its like (whole-files.ts) loop.
 * A path is made of names joined by `/`, relative to the file system's own root; `""` is the root. `.`, `..` and empty names
 * are refused with EINVAL. What lies behind a symlink is the host's affair.
 * Not here: permissions, owners, times, links, watching, locks, memory maps.
 *
 * @module
 */

/** The bytes of all names of a path together, as on Linux; a longer path is refused with `x-ENAMETOOLONG`. */
export const pathMaxChars = 4_095;
/** The length of one name, as on most file systems. */
export const nameMaxChars = 255;

/** How a file is opened. At least one of `read`, `write` and `append`, else EINVAL. */
export interface OpenOptions {
  readonly read?: boolean;
  /** Writes go where they say. Not together with `append`. */
  readonly write?: boolean;
  /** Writes go to the end. */
  readonly append?: boolean;
  /** Makes the file when it is not there. Needs `write` or `append`. */
  readonly create?: boolean;
  /** With `create`: EEXIST when it is there. */
  readonly exclusive?: boolean;
  /** What the file has is cut off. Needs `write` or `append`. */
  readonly truncate?: boolean;
}

/** What there is at a path. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "other";
  /** Of a file; 0 for everything else. */
  readonly sizeBytes: number;
}

/** Room on the disk. */
export interface Space {
  readonly totalBytes: number;
  /** What this user may still write. */
  readonly freeBytes: number;
}

/** All rejections are a `FileError`. */
export interface FileSystem {
  /** Opens a file; a directory is EISDIR. Whoever opens it closes it. */
  open(path: string, options: OpenOptions): Promise<OpenFile>;
  /**
   * Gives what is at `from` the name `to`, in the place of the file or empty directory that is there. A file cannot take the
   * place of a directory (EISDIR) nor the other way round (ENOTDIR), nor a directory go into itself (EINVAL). The root stays where it is (EINVAL).
   */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a directory that is empty; not the root (EINVAL). Who has the file open keeps it. */
  remove(path: string): Promise<void>;
  /** The names in a directory, sorted by code units. */
  list(path: string): Promise<readonly string[]>;
  /** Makes one directory in one that is there. */
  makeDirectory(path: string): Promise<void>;
  /** When it settles, the names in this directory are what a power loss leaves. Not those in directories above or below. */
  syncDirectory(path: string): Promise<void>;
  stat(path: string): Promise<FileFacts>;
  /** Whether there is something at the path. */
  exists(path: string): Promise<boolean>;
  space(): Promise<Space>;
}

/** An open file. After `close` every call but `close` rejects with EBADF, as does one that it was not opened for. */
export interface OpenFile {
  /** As it was when the file was opened. */
  readonly path: string;
  /** Fills `into` from `atBytes` on. Gives how many bytes came: 0 at the end of the file, else perhaps fewer than asked. */
  read(into: Uint8Array, atBytes: number): Promise<number>;
  /**
   * Writes at `atBytes`; what lies between the end and there becomes zeros. Gives how many bytes were taken, perhaps not
   * all. `bytes` must not change before it settles.
   */
  write(bytes: Uint8Array, atBytes: number): Promise<number>;
  /** Writes at the end. Gives how many bytes were taken, perhaps not all. */
  append(bytes: Uint8Array): Promise<number>;
  /** Cuts off what is longer; fills up with zeros what is shorter. */
  truncate(sizeBytes: number): Promise<void>;
  size(): Promise<number>;
  /**
   * When it settles, the file's bytes are what a power loss leaves (fdatasync). When it rejects, nobody knows what of them
   * is; a second sync says nothing of those bytes, so they must be written again, to another file.
   */
  sync(): Promise<void>;
  /** Never rejects, and may be called again. Says nothing of what was not synced. Fits into a process's handle table. */
  close(): Promise<void>;
}

/** Why an operation failed, as errno names it; `x-<errno>` for all that no code here treats on its own. */
export type FileErrorCode = keyof typeof sentences | `x-${string}`;

/** What was tried. */
export type FileOperation = keyof typeof verbs;

const sentences = {
  ENOENT: "there is nothing of that name",
  EEXIST: "there is something of that name already",
  ENOSPC: "the disk is full",
  EIO: "the disk has failed to do it",
  EROFS: "the file system takes no writes",
  EMFILE: "too many files are open",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOTEMPTY: "the directory is not empty",
  EINVAL: "what was asked makes no sense",
  EBADF: "the file is closed, or was not opened for this",
};

const verbs = {
  open: "open",
  read: "read",
  write: "write to",
  append: "append to",
  truncate: "truncate",
  size: "tell the size of",
  sync: "sync",
  rename: "rename",
  remove: "remove",
  list: "list",
  makeDirectory: "make the directory",
  syncDirectory: "sync the directory",
  stat: "look at",
  space: "tell the space of",
};

export interface FileErrorOptions extends ErrorOptions {
  readonly to?: string;
}

/** An operation on a file that failed. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: FileErrorCode;
  readonly operation: FileOperation;
  readonly path: string;
  /** Of a rename: the name that was to be. */
  readonly to: string | undefined;

  constructor(code: FileErrorCode, operation: FileOperation, path: string, options: FileErrorOptions = {}) {
    const { to } = options;
    const target = to === undefined ? "" : ` to ${shownPath(to)}`;
    super(`cannot ${verbs[operation]} ${shownPath(path)}${target}: ${sentenceOf(code)}`, options);
    this.code = code;
    this.operation = operation;
    this.path = path;
    this.to = to;
  }
}

/** Whether `error` is a `FileError`, and of that code when one is given. */
export function isFileError(error: unknown, code?: FileErrorCode): error is FileError {
  return error instanceof FileError && (code === undefined || error.code === code);
}

/** The code for an errno's name. */
export function fileErrorCode(errno: string): FileErrorCode {
  return Object.hasOwn(sentences, errno) ? (errno as keyof typeof sentences) : `x-${errno}`;
}

/** The root has no name, but people need one. */
export function shownPath(path: string): string {
  return path === "" ? "the root" : path;
}

function sentenceOf(code: FileErrorCode): string {
  const sentence = Object.hasOwn(sentences, code) ? sentences[code as keyof typeof sentences] : undefined;
  return sentence === undefined ? code.slice(2) : `${sentence} (${code})`;
}

/** The names that a path is made of. @throws FileError EINVAL, `x-ENAMETOOLONG` */
export function namesOf(path: string, operation: FileOperation): readonly string[] {
  if (path === "") return [];
  if (path.length > pathMaxChars) throw new FileError("x-ENAMETOOLONG", operation, path);
  const names = path.split("/");
  for (const name of names) {
    if (name === "" || name === "." || name === ".." || name.includes("\0")) {
      throw new FileError("EINVAL", operation, path);
    }
    if (name.length > nameMaxChars) throw new FileError("x-ENAMETOOLONG", operation, path);
  }
  return names;
}

/** The directory that a path's last name is in. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** @throws FileError EINVAL for options that contradict each other */
export function checkOpenOptions(path: string, options: OpenOptions): void {
  const { read = false, write = false, append = false, create = false, exclusive = false, truncate = false } = options;
  const isWriting = write || append;
  const isSound = (read || isWriting) && !(write && append) && (isWriting || !(create || truncate));
  if (!isSound || (exclusive && !create)) throw new FileError("EINVAL", "open", path);
}

/** @throws FileError EINVAL for what is no offset or size */
export function checkOffset(offsetBytes: number, operation: FileOperation, path: string): void {
  if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0) throw new FileError("EINVAL", operation, path);
}
