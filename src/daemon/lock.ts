/**
 * Lock: one daemon for each home, and a dead one never holds it.
 *
 * Guarantees: flock(2) on a file that this OS process has open: the OS lets go of it when the OS process ends, however it
 * ends, and not before, also while it is stopped. It is taken through flock(1) with the open file as descriptor 3: the lock
 * belongs to the open file, which both have, so it stays when flock(1) has ended. Node opens with O_CLOEXEC, so no service
 * inherits it. What stands in the file says who holds it, for people. A holder that was killed may leave a child that has the
 * open file for a moment longer (its flock(1), or one that has not executed its program yet): while nobody who lives is named as
 * the holder, the lock is tried again, for `letGoMs`.
 * Limits: needs flock(1) (util-linux or busybox); where there is none, that is an error, never a weaker lock. The home must
 * be on a file system whose locks work (not every network's do).
 *
 * @module
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { identityLines, identityOf, identityOfLines, isAlive } from "./os-identity.ts";
import type { OsIdentity } from "./run/run.ts";

/** More than any content of the file, in bytes. */
const contentMaxBytes = 1_024;

/** How long a lock that nobody alive says to hold may stay taken, in milliseconds. */
export const letGoMs = 1_000;
/** From one try to the next, in milliseconds. */
const againMs = 10;

/** Node closes an open file that nobody refers to any more, and a lock must outlive its object. */
const held = new Set<FileHandle>();

/** Held until `release` or the end of this OS process. */
export interface Lock {
  /** Idempotent. */
  release(): Promise<void>;
}

/** Somebody else has it. */
export interface LockHeld {
  /** What the holder has written into the file; undefined when it has not within `letGoMs`, or the file says nothing of sense. */
  readonly heldBy: OsIdentity | undefined;
}

/** The lock cannot be tried. The message is a sentence for a person. */
export class LockError extends Error {
  override readonly name = "LockError";
}

/** Takes the lock, or says who has it. Waits for nobody who lives. @throws LockError, or Node's error for a file that cannot be made */
export async function acquireLock(path: string): Promise<Lock | LockHeld> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const dueMs = performance.now() + letGoMs;
    while (!(await isTaken(file.fd, path))) {
      const named = await holderOf(file);
      const heldBy = named !== undefined && isAlive(named) ? named : undefined;
      if (heldBy !== undefined || performance.now() >= dueMs) {
        await file.close();
        return { heldBy };
      }
      await pause(againMs);
    }
    await writeHolder(file);
    held.add(file);
    return { release: () => released(file) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function released(file: FileHandle): Promise<void> {
  held.delete(file);
  return file.close();
}

/** True for the one who has it. */
export function isLock(outcome: Lock | LockHeld): outcome is Lock {
  return "release" in outcome;
}

/** flock(2), LOCK_EX | LOCK_NB. */
function isTaken(fd: number, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const flock = spawn("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "pipe", fd] });
    let said = "";
    flock.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, contentMaxBytes);
    });
    flock.on("error", (error: NodeJS.ErrnoException) => reject(startError(error)));
    flock.on("close", (code, signal) => {
      if (code === 0 || (code === 1 && said === "")) return resolve(code === 0);
      const why = said.trim() === "" ? `flock(1) ended with ${signal ?? code}` : said.trim();
      reject(new LockError(`cannot lock ${path}: ${why}`));
    });
  });
}

function startError(error: NodeJS.ErrnoException): LockError {
  const sentence =
    error.code === "ENOENT"
      ? "colos needs flock(1) so that two daemons never run in one home, and there is none on the PATH: install util-linux (or busybox)"
      : `cannot start flock(1), which keeps two daemons out of one home: ${error.message}`;
  return new LockError(sentence, { cause: error });
}

/** Whoever has it may be writing just now, or the disk be full: it says nothing of who has the lock. */
async function holderOf(file: FileHandle): Promise<OsIdentity | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(contentMaxBytes), 0, contentMaxBytes, 0);
  return identityOfLines(buffer.toString("utf8", 0, bytesRead));
}

async function writeHolder(file: FileHandle): Promise<void> {
  const own = identityOf(process.pid);
  try {
    await file.truncate(0);
    if (own !== undefined) await file.write(identityLines(own), 0);
  } catch (error) {
    // The lock holds all the same, and people are told less.
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
