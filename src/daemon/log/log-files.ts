/**
 * Log files: the files of one instance as a reader sees them while somebody else writes and rotates them.
 *
 * Guarantees: a reader that holds a file goes on with the one that followed it, however often files were exchanged and removed
 * meanwhile; it neither skips nor repeats a line that still exists.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { open, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { currentName, rotatedFileName, rotatedFiles } from "./log-folder.ts";

/** Bytes that are read at once. */
const blockBytes = 65_536;
/** A line that is longer is no line of ours; it is given in pieces. */
const fileLineBytesMax = 1_048_576;

/** A file and who it is, whatever its name. */
export interface LogFile {
  readonly name: string;
  readonly inode: number;
}

/** The files, oldest first; none when there is no folder. */
export async function logFiles(directory: string): Promise<LogFile[]> {
  for (;;) {
    const rotated = await rotatedFiles(directory);
    const files = await Promise.all([...rotated, currentName].map((name) => inodeOf(directory, name)));
    // Otherwise a file was exchanged between the two looks, and what was `current` may be missing.
    if (String(await rotatedFiles(directory)) === String(rotated)) return files.filter((file) => file !== undefined);
  }
}

async function inodeOf(directory: string, name: string): Promise<LogFile | undefined> {
  try {
    return { name, inode: (await stat(join(directory, name))).ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Opens the file for reading; undefined when it is another one by now, or gone. */
export async function openLogFile(directory: string, file: LogFile): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(join(directory, file.name), "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if ((await handle.stat()).ino === file.inode) return handle;
  await handle.close();
  return undefined;
}

/** The file after the one with that inode, whose last line was of `lastAt` (epoch milliseconds); undefined while there is none. */
export function fileAfter(files: readonly LogFile[], inode: number, lastAt: number): LogFile | undefined {
  const index = files.findIndex((file) => file.inode === inode);
  if (index >= 0) return files[index + 1];
  const lastName = rotatedFileName(lastAt * 1000);
  return files.find(({ name }) => name === currentName || name > lastName);
}

/** Takes a line: its bytes and where it begins and ends, without the line end. The bytes are valid during the call. */
export type TakeLine = (bytes: Buffer, start: number, end: number) => void;

/** Reads whole lines from `position` on, of about one block; returns where the next one begins, which is `position` at the end. */
export async function readForward(file: FileHandle, position: number, take: TakeLine): Promise<number> {
  for (let size = blockBytes; ; size *= 2) {
    const block = Buffer.allocUnsafe(size);
    const { bytesRead } = await file.read(block, 0, size, position);
    const lastEnd = block.subarray(0, bytesRead).lastIndexOf(10);
    if (lastEnd < 0 && bytesRead === size && size < fileLineBytesMax) continue;
    if (lastEnd < 0 && bytesRead < size) return position;
    const stop = lastEnd < 0 ? bytesRead : lastEnd + 1;
    for (let start = 0; start < stop;) {
      const found = block.indexOf(10, start);
      const end = found < 0 || found >= stop ? stop : found;
      take(block, start, end);
      start = end + 1;
    }
    return position + stop;
  }
}

/** Where the last whole line of the file ends. */
export async function endOfLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  for (let stop = size; stop > 0;) {
    const start = Math.max(0, stop - blockBytes);
    const block = Buffer.allocUnsafe(stop - start);
    const { bytesRead } = await file.read(block, 0, block.length, start);
    const found = block.subarray(0, bytesRead).lastIndexOf(10);
    if (found >= 0) return start + found + 1;
    stop = start;
  }
  return 0;
}

/** Gives the lines that end at `end` or before, the last one first, until `take` says that it is enough. */
export async function readBackward(
  file: FileHandle,
  end: number,
  take: (bytes: Buffer, start: number, end: number) => boolean,
): Promise<boolean> {
  let later = Buffer.alloc(0);
  for (let stop = end; stop > 0;) {
    const start = Math.max(0, stop - blockBytes);
    const read = Buffer.allocUnsafe(stop - start);
    await file.read(read, 0, read.length, start);
    const bytes = Buffer.concat([read, later]);
    let lineEnd = bytes.length - 1;
    for (;;) {
      const found = lineEnd === 0 ? -1 : bytes.lastIndexOf(10, lineEnd - 1);
      if (found < 0 && start > 0 && lineEnd < fileLineBytesMax) break;
      if (!take(bytes, found + 1, lineEnd)) return false;
      lineEnd = found;
      if (found < 0) break;
    }
    later = bytes.subarray(0, lineEnd + 1);
    stop = start;
  }
  return true;
}
