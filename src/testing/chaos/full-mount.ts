/**
 * Full mount: the file system that a folder is the root of is filled up with one file.
 *
 * Guarantees: only a folder that is itself a mount point, and has no more than `fillBytesMax` free, is filled: a disk that others
 * use is never.
 * Limit: when the guard itself is killed, the file `fillerName` stays; remove it.
 *
 * @module
 */
import { statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Milliseconds } from "../../base/platform.ts";
import { Guard } from "../guard.ts";
import type { Strike } from "../injector.ts";

/** The most that is written, in bytes. */
export const fillBytesMax: number = 1024 ** 3;
/** The file that fills it. */
export const fillerName = ".colos-chaos-filler";

/** Why it is not filled, as the rest of a sentence that begins with "needs"; undefined when it may be. */
export function fillNeeds(folder: string): string | undefined {
  try {
    if (statSync(folder).dev === statSync(dirname(folder)).dev) {
      return "a home that is a mount point of its own (such as a small tmpfs), so that nobody else's disk is filled";
    }
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize <= fillBytesMax ? undefined : "a home on a file system with at most 1 GiB free";
  } catch (error) {
    return `a home that can be looked at (${(error as Error).message})`;
  }
}

/** Fills it. @throws GuardError when it could not */
export function fillMount(folder: string, limitMs: Milliseconds): Promise<Strike> {
  return Guard.start({
    does: `{ dd if=/dev/zero "of=$1" bs=1M 2>/dev/null; dd if=/dev/zero bs=4k "of=$1" oflag=append conv=notrunc 2>/dev/null; test -s "$1"; }`,
    undoes: `rm -f "$1"`,
    args: [join(folder, fillerName)],
    limitMs,
  });
}
