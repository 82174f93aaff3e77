/**
 * Spare descriptor: one file descriptor that this OS process keeps for looks that must not fail for want of one: whether somebody
 * lives, how a run ended.
 *
 * Guarantees: `withSpareDescriptor` fails with EMFILE or ENFILE only when not even the spare one was there. It is kept again at once.
 * Limits: one look at a time, which opens no more than one file at a time and is over when it returns; libuv's threads may be faster
 * than the second try.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";

let spare: number | undefined;

/** Runs `look`, once more with the spare descriptor given up when there was none. @throws what `look` throws */
export function withSpareDescriptor<T>(look: () => T): T {
  if (spare === undefined) hold();
  try {
    return look();
  } catch (error) {
    if (spare === undefined || !isWithoutDescriptors(error)) throw error;
  }
  closeSync(spare);
  spare = undefined;
  try {
    return look();
  } finally {
    hold();
  }
}

/** Whether the OS refused for want of file descriptors, of this OS process or of the machine. */
export function isWithoutDescriptors(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EMFILE" || code === "ENFILE";
}

function hold(): void {
  try {
    spare = openSync("/dev/null", "r");
  } catch {
    // There is none; the next look tries again.
  }
}
