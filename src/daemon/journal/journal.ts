/**
 * Journal: what happened, one entry after the other, in a file that a crash or a power loss at any instant leaves sound.
 *
 * Guarantees: an append with `sync` that settles is there after a power loss, in the order of the calls, together with all
 * that was appended before; one without `sync` outlives the OS process. An append that rejects has changed nothing in `state`;
 * after a crash its entries may be there all the same, whole and in their place. Appends that wait while a sync is under way share
 * the next one. After a failed sync nothing more is promised to that file: everything is written to a new one, or the append
 * rejects. What is damaged in the middle is refused, never skipped in silence. `state` is always what a reader of the
 * file would fold: entries go through JSON and `decode` before they are folded.
 * When opened, the file is written anew: what was read may be in the OS's cache alone. When that fails (a full disk),
 * the journal is open all the same (`recovery.problem`), and each append tries again first.
 * Limits: `JournalLimits`. One writer for each path: hold the home's lock (lock.ts).
 * Here is what a journal is. How one is read and opened: journal-opening.ts; how it is written: journal-writing.ts.
 * Not here: the lines (journal-lines.ts), what the entries mean, time.
 *
 * @module
 */
import type { FileSystem } from "../../base/file-system.ts";

export interface JournalLimits {
  /** The longest entry as JSON, in UTF-16 code units; a longer one is refused. Default 1 MiB. */
  readonly entryMaxChars: number;
  /** Appends that may wait; one more is refused. Default 10,000. */
  readonly waitingMax: number;
  /** The file is written anew, as a snapshot, when it is longer than this and twice as long as after the last time. Default 1 MiB. */
  readonly compactAtBytes: number;
}

export const journalLimits: JournalLimits = {
  entryMaxChars: 1024 * 1024,
  waitingMax: 10_000,
  compactAtBytes: 1024 * 1024,
};

export interface JournalPlace {
  readonly files: FileSystem;
  /** In a directory that is there. */
  readonly path: string;
  /** Of the entries. A file with a newer one is refused; `decode` is told of an older one. */
  readonly version: number;
}

export interface JournalOptions<State, Entry> extends JournalPlace {
  readonly initial: State;
  /** Gives a new state and leaves the old one as it is. When it throws, the append is refused. */
  fold(state: State, entry: Entry): State;
  /** Entries that, folded into `initial`, give this state. */
  snapshot(state: State): readonly Entry[];
  /** Makes an entry of what stood in the file, by a program of `version`. Throws a sentence when it is none. */
  decode(value: unknown, version: number): Entry;
  /** Opens a damaged file with what is whole of it, and keeps the damaged one beside it. */
  readonly salvage?: boolean;
  readonly limits?: Partial<JournalLimits>;
}

/** What was found when a journal was opened. */
export interface JournalRecovery {
  readonly entriesCount: number;
  /** Bytes of a write that was not finished; nothing in them was acknowledged with `sync`. */
  readonly cutBytes: number;
  /** The damaged file as it was. */
  readonly damagedFile?: string;
  /** The file could not be written anew, and why: one sentence. Appends try again. */
  readonly problem?: string;
}

export interface Journal<State, Entry> {
  readonly state: State;
  readonly recovery: JournalRecovery;
  /**
   * Settles when the entries are in `state` and in the file; with `sync`, when they outlive a power loss. No entries and
   * `sync` makes durable what there is. All entries of one append are there after a crash, or a beginning of them.
   * @throws FileError when the disk does not take them
   * @throws JournalError when they are refused, or the journal is closed
   */
  append(entries: readonly Entry[], options: { readonly sync: boolean }): Promise<void>;
  /** Waits for what was appended, makes it durable when the disk lets it, and closes the file. */
  close(): Promise<void>;
}

export type JournalErrorCode =
  /** Damaged in the middle. */
  | "damaged"
  /** Written by a newer colos. */
  | "newer"
  /** A line that is whole and makes no sense to this program; or an entry that was refused. */
  | "invalid"
  /** A limit was reached. */
  | "limit"
  | "closed";

/** Why a journal was not opened, or an append refused. */
export class JournalError extends Error {
  override readonly name = "JournalError";
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
