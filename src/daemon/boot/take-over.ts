/**
 * Take-over: what must hold before a daemon of another version takes the place of the one that runs.
 *
 * The sequence of `colos update`: the new version reads the journal (`checkHome`); the old daemon is asked to hand over: it
 * tells the heart to rest for `handOverMs`, ends its control API, its watching and itself, and touches no service; its OS process
 * has ended (`awaitEnd`), and with it the lock is free; the new one starts as after any end, which is its recovery, writes
 * `heart/start` anew, and takes or replaces the heart. When it does not come, the heart starts what `heart/start` says after
 * `handOverMs`.
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import { nodeFileSystem } from "../../platforms/node/node-file-system.ts";
import type { Home } from "../home.ts";
import { checkJournal } from "../journal/journal-opening.ts";
import { identityOf, isAlive } from "../os-identity.ts";

/** How long a daemon may take to end after it has handed over, in milliseconds. */
export const endTimeoutMs = 30_000;
/** Milliseconds between two looks. */
export const endLookMs = 10;

/** @throws JournalError when a daemon with this version of entries could not read the home */
export async function checkHome({ root }: Home, version: number): Promise<void> {
  await checkJournal({ files: nodeFileSystem(root), path: "journal", version });
}

/** Settles when nobody has this OS process id, or somebody else. @throws Error with a sentence after `timeoutMs` */
export async function awaitEnd(osPid: number, timeoutMs: number = endTimeoutMs): Promise<void> {
  const identity = identityOf(osPid);
  if (identity === undefined) return;
  const deadlineMs = performance.now() + timeoutMs;
  while (isAlive(identity)) {
    if (performance.now() > deadlineMs) {
      throw new Error(`the daemon (OS process ${osPid}) has handed over and did not end within ${timeoutMs} ms`);
    }
    await pause(endLookMs);
  }
}
