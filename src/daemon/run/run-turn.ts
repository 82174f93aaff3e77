/**
 * Run turn: how a run that was started ahead waits, and is told that its turn has come.
 *
 * Guarantees: whether it waits is one file, whose removal needs no room on the disk and happens once. Who finds it gone tells the
 * standby, which takes the first line and minds no other; so a daemon that is killed between the two is followed by one that tells.
 *
 * @module
 */
import { existsSync, unlinkSync, writeFileSync } from "node:fs";
import type { Clock, Milliseconds } from "../../base/platform.ts";
import type { Home } from "../home.ts";
import { FifoError, writeFifo } from "./fifo.ts";
import { pipeFile, runFile, type RunRecord } from "./run-files.ts";
import type { RunId } from "./run.ts";

/** How long the pipe of a standby is waited for, in milliseconds; it is full only when it was told many times already. */
const tellMs: Milliseconds = 100;

/** Called before its spec is written. @throws what the OS says */
export function keepWaiting(home: Home, id: RunId): void {
  writeFileSync(runFile(home, id, "standby"), "", { mode: 0o600 });
}

/** Whether it was started ahead, and its turn has not come. */
export function isWaiting(home: Home, { id, isStandby }: RunRecord): boolean {
  return isStandby === true && existsSync(runFile(home, id, "standby"));
}

/** Lets its turn come. @throws what the OS says; then it is to be called again */
export async function tellTurn(home: Home, id: RunId, clock: Clock): Promise<void> {
  endWaiting(home, id);
  try {
    await writeFifo(pipeFile(home, id, "go"), "go\n", { timeoutMs: tellMs, clock });
  } catch (error) {
    // Nobody waits any more, or it was told more often than it minds.
    if (!(error instanceof FifoError) || error.kind === "other") throw error;
  }
}

function endWaiting(home: Home, id: RunId): void {
  try {
    unlinkSync(runFile(home, id, "standby"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
