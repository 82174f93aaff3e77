/**
 * Folders: makes the folders of a home, or says in one sentence why they cannot be.
 *
 * Guarantees: it ends. Node's own `recursive` tries for ever where a file system says that a folder's parent is not there although
 * it is, as /proc does. A folder that is there already stays as it is.
 *
 * @module
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** How deep a folder that is to be made may lie. */
export const depthMax = 256;

/** A folder that cannot be. The message is a sentence for a person. */
export class FolderError extends Error {
  override readonly name = "FolderError";
  /** The OS's, such as `EACCES`. */
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Makes a folder, which is absolute, and those above it. @throws FolderError */
export function makeFolder(path: string, mode = 0o700): void {
  const missing: string[] = [];
  let folder = path;
  while (!isFolder(folder)) {
    missing.push(folder);
    if (missing.length > depthMax)
      throw new FolderError(`${path} lies deeper than ${depthMax} folders`, "ENAMETOOLONG");
    if (folder === dirname(folder)) break;
    folder = dirname(folder);
  }
  for (const each of missing.toReversed()) makeOne(each, mode);
}

/** @throws FolderError for what is there and no folder, or cannot be looked at */
function isFolder(path: string): boolean {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory() === false) throw new FolderError(`${path} is there already, and no folder`, "ENOTDIR");
    return stat !== undefined;
  } catch (error) {
    throw folderError(path, error);
  }
}

function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Somebody else was faster.
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && isFolder(path)) return;
    throw folderError(path, error);
  }
}

function folderError(path: string, error: unknown): FolderError {
  if (error instanceof FolderError) return error;
  const { code = "EIO", message } = error as NodeJS.ErrnoException;
  return new FolderError(`${path} cannot be made: ${reasons[code] ?? message}`, code, { cause: error });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: `you may not write in the folder above it; choose another home with --home`,
  EPERM: `the OS does not permit it; choose another home with --home`,
  EROFS: `the file system is read-only; choose another home with --home`,
  ENOENT: `this file system takes no folders; choose another home with --home`,
  ENOTDIR: `something above it is a file; choose another home with --home`,
  ELOOP: `too many symbolic links lead to it; choose another home with --home`,
  ENAMETOOLONG: `its name is too long; choose another home with --home`,
  ENOSPC: `the disk is full; make room on it`,
  EDQUOT: `your share of the disk is used up; make room on it`,
};
