/**
 * Own log: what the daemon and the recorder have to say, in a file of bounded size that is their stderr.
 *
 * Guarantees: at most `ownLogMaxBytes` and a line stand in the file, and one older generation of that size beside it (`<file>.1`).
 * The file stays the same one, because it is the stderr of an OS process, which cannot be exchanged: what is in it is
 * copied, then it is emptied. A disk that takes no copy loses the older lines, not the newer.
 * Limits: what Node itself writes to stderr, of a fault that ends it, is counted with the next line.
 *
 * @module
 */
import { copyFileSync, fstatSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";

/** Bytes of the file before it is emptied. */
export const ownLogMaxBytes = 1_048_576;

const standardErrorFd = 2;

export interface OwnLogOptions {
  readonly maxBytes?: number;
  /** Where lines go; default: stderr. */
  readonly fd?: number;
}

/** Takes lines, and keeps the file at `path` bounded while it is where they go. */
export function ownLogWriter(path: string, options: OwnLogOptions = {}): (line: string) => void {
  const { maxBytes = ownLogMaxBytes, fd = standardErrorFd } = options;
  return (line) => {
    if (isFull(fd, path, maxBytes)) rotate(path);
    writeSync(fd, `${line}\n`);
  };
}

function isFull(fd: number, path: string, maxBytes: number): boolean {
  const { ino, dev, size } = fstatSync(fd);
  if (size < maxBytes) return false;
  const named = statSync(path, { throwIfNoEntry: false });
  return named?.ino === ino && named.dev === dev;
}

function rotate(path: string): void {
  try {
    copyFileSync(path, `${path}.1`);
  } catch {
    // A half copy takes room that the disk does not have.
    rmSync(`${path}.1`, { force: true, recursive: true });
  }
  truncateSync(path);
}
