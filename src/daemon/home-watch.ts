/**
 * Home watch: notices that the home of a living daemon is not its own any more: somebody has deleted it, or put another in its place.
 *
 * A daemon without its lock cannot promise to be the only one, and without its socket nobody reaches it; so it is to end, and what
 * runs goes on.
 * Guarantees: only what the OS surely says counts, in two looks one after the other; a file system that does not answer is no sign.
 *
 * @module
 */
import { statSync } from "node:fs";
import type { Clock, Milliseconds } from "../base/platform.ts";

/** From one look to the next, in milliseconds. */
export const homeLookMs: Milliseconds = 5_000;

/** Calls `lost` once when `file`, which is there now, is not the same file any more. Ends with what it returns. */
export function watchHome(file: string, clock: Clock, lost: () => void): () => void {
  const own = identityOf(file);
  let missedCount = 0;
  let cancel: () => void = () => {};
  const wait = (): void => {
    cancel = clock.timer(homeLookMs, () => {
      const now = identityOf(file);
      if (now !== unknown) missedCount = now === own ? 0 : missedCount + 1;
      if (missedCount < 2) wait();
      else lost();
    });
  };
  if (own !== unknown) wait();
  return () => cancel();
}

const unknown = "unknown";

/** Device and inode, or why there is none. */
function identityOf(file: string): string {
  try {
    const { dev, ino } = statSync(file);
    return `${dev} ${ino}`;
  } catch (error) {
    const { code = unknown } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? "absent" : unknown;
  }
}
