/**
 * Daemon journal: the journal of a home with the entries of the core, and what is told of the state that it was found in.
 *
 * @module
 */
import { planBytesMax } from "../control/manager-interface.ts";
import { nodeFileSystem } from "../platforms/node/node-file-system.ts";
import { decodeEntry, type Entry } from "./core/entry.ts";
import { fold } from "./core/fold.ts";
import { emptyRecord, type SystemRecord } from "./core/record.ts";
import { snapshotOf } from "./core/snapshot.ts";
import type { DaemonLog } from "./daemon-self.ts";
import type { Home } from "./home.ts";
import type { Journal } from "./journal/journal.ts";
import { openJournal } from "./journal/journal-opening.ts";

/** The version of the journal's entries. */
export const journalVersion = 1;

/** `salvage`: goes on with what is whole of a damaged one. @throws JournalError, a sentence for a person */
export async function openDaemonJournal(
  home: Home,
  salvage: boolean,
  log: DaemonLog,
): Promise<Journal<SystemRecord, Entry>> {
  const journal = await openJournal({
    files: nodeFileSystem(home.root),
    path: "journal",
    version: journalVersion,
    initial: emptyRecord(),
    fold,
    snapshot: snapshotOf,
    decode: decodeEntry,
    // A plan is one entry, and the control API takes one of this size.
    limits: { entryMaxChars: 2 * planBytesMax },
    salvage,
  });
  const { damagedFile, cutBytes, problem } = journal.recovery;
  if (damagedFile !== undefined)
    log("error", `the journal was damaged; what was whole is used, the rest is in ${damagedFile}`);
  if (cutBytes > 0) log("warning", `${cutBytes} bytes that were never finished were cut off the journal`);
  if (problem !== undefined) log("error", `the journal takes nothing for now: ${problem}`);
  return journal;
}
