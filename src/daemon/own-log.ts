/**
 * Own log: keeps a file small that this OS process writes to on stderr, opened for appending by whoever started it.
 *
 * Guarantees: what is older than the newest `ownLogMaxBytes` is in `<file>.1` or gone; a full disk makes it shorter, not longer.
 * Limit: what another OS process writes to the file between the copy and the cut is lost.
 * Not here: the logs of services (log/log-folder.ts).
 *
 * @module
 */
import { copyFileSync, rmSync, statSync, truncateSync } from "node:fs";
import type { Clock } from "../base/platform.ts";

/** The size at which the file is begun anew, in bytes; one older file of about that size is kept. */
export const ownLogMaxBytes = 4_194_304;
/** How often its size is looked at, in milliseconds. */
export const ownLogLookMs = 60_000;

/** Looks now and then; returns how to stop. Never throws. */
export function keepOwnLog(file: string, clock: Clock, sizeMaxBytes: number = ownLogMaxBytes): () => void {
  let cancel: () => void;
  const look = (): void => {
    cancel = clock.timer(ownLogLookMs, look);
    shorten(file, sizeMaxBytes);
  };
  look();
  return () => cancel();
}

/** It stays the same file, for it is open. */
function shorten(file: string, sizeMaxBytes: number): void {
  try {
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) <= sizeMaxBytes) return;
    try {
      copyFileSync(file, `${file}.1`);
    } catch {
      rmSync(`${file}.1`, { force: true }); // the disk is full, and half a copy is of no use
    }
    truncateSync(file, 0);
  } catch {
    // It cannot be written to at all then; the next look tries again.
  }
}
