/**
 * Whole files: what every store needs of a file system and no file system gives at once: all bytes in place of some, and the
 * replacement of a file that a crash at any instant leaves old or new, never mixed, torn or absent.
 *
 * Guarantees: built on the contract alone. What rejects has done a part or all of it; do it again from the beginning, never
 * from where it stopped.
 * Limits: one writer for each path at a time; a file is read up to `readMaxBytes`.
 *
 * @module
 */
import { FileError, isFileError, namesOf, parentOf, type FileSystem, type OpenFile } from "./file-system.ts";

/** The longest file that `readAll` and `readFile` take unless they are told otherwise; a longer one is `x-EFBIG`. */
export const readMaxBytes: number = 256 * 1024 * 1024;
/** `replaceFile` writes `<path>.new`; a crash may leave such a file behind, and the next replacement uses it up. */
export const replacementSuffix = ".new";

/** Writes all of `bytes` at `atBytes`, however many writes that takes. */
export async function writeAll(file: OpenFile, bytes: Uint8Array, atBytes: number): Promise<void> {
  let taken = 0;
  while (taken < bytes.length) {
    const count = await file.write(taken === 0 ? bytes : bytes.subarray(taken), atBytes + taken);
    // A disk that takes nothing and says nothing would be asked for ever.
    if (count === 0) throw new FileError("EIO", "write", file.path);
    taken += count;
  }
}

/** Appends all of `bytes`. When it rejects, the beginning of them may be there. */
export async function appendAll(file: OpenFile, bytes: Uint8Array): Promise<void> {
  let taken = 0;
  while (taken < bytes.length) {
    const count = await file.append(taken === 0 ? bytes : bytes.subarray(taken));
    if (count === 0) throw new FileError("EIO", "append", file.path);
    taken += count;
  }
}

/** All bytes of an open file. */
export async function readAll(file: OpenFile, sizeMaxBytes: number = readMaxBytes): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array(Math.min(await file.size(), sizeMaxBytes) + 1);
  let filled = 0;
  for (;;) {
    const count = await file.read(bytes.subarray(filled), filled);
    if (count === 0) return bytes.subarray(0, filled);
    filled += count;
    if (filled > sizeMaxBytes) throw new FileError("x-EFBIG", "read", file.path);
    if (filled === bytes.length) bytes = grown(bytes);
  }
}

/** Somebody else is writing; there is more than the size said. */
function grown(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

/** All bytes of the file at a path. */
export async function readFile(
  files: FileSystem,
  path: string,
  sizeMaxBytes: number = readMaxBytes,
): Promise<Uint8Array> {
  const file = await files.open(path, { read: true });
  try {
    return await readAll(file, sizeMaxBytes);
  } finally {
    await file.close();
  }
}

/**
 * Gives the file at `path` these bytes. At every instant, and after a power loss at any, the file has all of the old bytes or
 * all of the new; when it settles, the new ones. When it rejects, either.
 */
export async function replaceFile(files: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const replacement = path + replacementSuffix;
  try {
    await writeSynced(files, replacement, bytes);
    await files.rename(replacement, path);
  } catch (error) {
    await tryRemove(files, replacement);
    throw error;
  }
  await files.syncDirectory(parentOf(path));
}

async function writeSynced(files: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(path, { write: true, create: true, truncate: true });
  try {
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The reason that is under way is worth more than one from the cleaning up. */
async function tryRemove(files: FileSystem, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!isFileError(error)) throw error;
  }
}

/** Makes a directory and all above it, where they are not there; when it settles, a power loss leaves them. */
export async function makeDirectories(files: FileSystem, path: string): Promise<void> {
  let current = "";
  for (const name of namesOf(path, "makeDirectory")) {
    const parent = current;
    current = parent === "" ? name : `${parent}/${name}`;
    try {
      await files.makeDirectory(current);
    } catch (error) {
      if (!isFileError(error, "EEXIST")) throw error;
    }
    // Also where it was there: who made it may not have come to syncing it.
    await files.syncDirectory(parent);
  }
}
