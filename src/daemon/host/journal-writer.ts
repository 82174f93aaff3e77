/**
 * Journal writer: the journal's entries of one daemon, in the order in which the core took them in.
 *
 * Guarantees: an operation's entries are written after all that was kept before it, synced. What the disk does not take waits here and
 * is tried again each `journalRetryMs`. Nothing here throws into the core.
 * Limits: `entriesWaitingMax` entries wait for the disk; more are left out, and what they say is found again in the runs. Tries to start
 * that colos itself was too short of something for are one waiting entry for each instance, however many there were.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../../base/platform.ts";
import type { Entry } from "../core/entry.ts";
import type { SystemRecord } from "../core/record.ts";
import type { Journal } from "../journal/journal.ts";
import type { OwnAlarms } from "../own-alarms.ts";
import { reasonText } from "../reason-text.ts";
import { dropSubsumed } from "./postponed-entries.ts";

/** Milliseconds before what the disk did not take is tried again. */
export const journalRetryMs: Milliseconds = 1_000;
/** Entries that wait for the disk. */
export const entriesWaitingMax = 100_000;
/** How long the end of the daemon waits for a disk that takes nothing, in milliseconds. */
export const closeFlushMs: Milliseconds = 5_000;
/** Entries that are written at once. */
const batchMax = 500;

export interface JournalWriterOptions {
  readonly clock: Clock;
  readonly journal: Journal<SystemRecord, Entry>;
  log(level: "info" | "warning" | "error", message: string): void;
  /** What is told while the journal takes nothing. */
  readonly alarms: OwnAlarms;
}

export class JournalWriter {
  readonly #options: JournalWriterOptions;
  /** What the core made and the journal does not have. */
  readonly #entries: Entry[] = [];
  /** So many of them, the first ones, are being written. */
  #inFlightCount = 0;
  readonly #written: ((isWritten: boolean) => void)[] = [];
  readonly #tried: (() => void)[] = [];
  #isWriting = false;
  /** The disk has not taken what was last tried. */
  #isRefused = false;
  /** Ends the wait before the next try. */
  #tryNow: () => void = () => {};
  /** One write after the other; never rejects. */
  #lastWrite: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
  }

  /** Has it written when the disk takes it. */
  keep(entry: Entry): void {
    if (entry.type === "postponed") dropSubsumed(this.#entries, this.#inFlightCount, entry);
    if (this.#entries.length < entriesWaitingMax) this.#entries.push(entry);
    if (!this.#isWriting) void this.#write();
  }

  /** Writes all that waits and `entries` after it, synced. Rejects, with all of it unwritten, when the disk does not take it. */
  append(entries: readonly Entry[]): Promise<void> {
    return this.#append(entries);
  }

  /** Settles when everything kept so far stands in the journal; with false when it never will. */
  flushed(): Promise<boolean> {
    if (this.#isClosed || (this.#entries.length === 0 && !this.#isWriting))
      return Promise.resolve(this.#entries.length === 0);
    return new Promise((resolve) => void this.#written.push(resolve));
  }

  /** Settles when everything kept so far stands in the journal, or the disk has refused it. Never rejects. */
  tried(): Promise<void> {
    if (this.#isClosed || this.#isRefused || this.#entries.length === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#tried.push(resolve));
  }

  /** Writes all that it can after `before`, unless the disk takes longer than `closeFlushMs`; then nothing more. Never rejects. */
  async close(before: Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => (cancel = clock.timer(closeFlushMs, resolve)));
    const written = before.then(() => this.#append([]));
    await Promise.race([written, late])
      .catch((error: unknown) => log("error", `the journal does not take what happened: ${reasonText(error)}`))
      .finally(() => cancel());
    this.#isClosed = true;
    this.#settleWritten();
  }

  #settleWritten(): void {
    for (const resolve of this.#written.splice(0)) resolve(this.#entries.length === 0);
    this.#settleTried();
  }

  #settleTried(): void {
    for (const resolve of this.#tried.splice(0)) resolve();
  }

  /** Writes what waits, as long as there is something. */
  async #write(): Promise<void> {
    const { clock, log, alarms } = this.#options;
    this.#isWriting = true;
    while (this.#entries.length > 0 && !this.#isClosed) {
      try {
        await this.#append();
      } catch (error) {
        if (!this.#isRefused)
          log("error", `the journal does not take what happened, and is tried again: ${reasonText(error)}`);
        this.#isRefused = true;
        this.#settleTried();
        alarms.set("journal", `the journal takes nothing for now, so nothing new is done: ${reasonText(error)}`);
        await new Promise<void>((resolve) => {
          const cancel = clock.timer(journalRetryMs, resolve);
          this.#tryNow = () => {
            cancel();
            resolve();
          };
        });
      }
    }
    this.#isWriting = false;
    this.#settleWritten();
  }

  /** The disk takes something. */
  #taken(): void {
    if (!this.#isRefused) return;
    this.#isRefused = false;
    this.#tryNow();
    this.#options.log("info", "the journal takes what happened again");
    this.#options.alarms.set("journal", undefined);
  }

  /** One write: some of what waits, or all of it with an operation's entries after it, which are synced. */
  #append(operation?: readonly Entry[]): Promise<void> {
    const written = this.#lastWrite.then(async () => {
      const batch = operation === undefined ? this.#entries.slice(0, batchMax) : [...this.#entries];
      this.#inFlightCount = batch.length;
      const tried = batch.length === this.#entries.length ? this.#tried.splice(0) : [];
      try {
        await this.#options.journal.append([...batch, ...(operation ?? [])], { sync: operation !== undefined });
        this.#entries.splice(0, batch.length);
        for (const resolve of tried) resolve();
        this.#taken();
      } catch (error) {
        // It may be the operation alone that is refused; what waits without it is written next.
        this.#tried.unshift(...tried);
        throw error;
      } finally {
        this.#inFlightCount = 0;
      }
    });
    this.#lastWrite = written.catch(() => {});
    return written;
  }
}
