/**
 * Instance log: what one instance has written, read from its files.
 *
 * Guarantees: `last` reads from the end, no further than it has to. `next` gives every line once, across rotations, also while
 * the files are being written.
 * Limit: times are taken to grow within the files; after the machine's clock was set back, a query by time may miss lines.
 *
 * @module
 */
import type { FileHandle } from "node:fs/promises";
import { currentName, rotatedFileName } from "./log-folder.ts";
import { BackwardJoiner, ForwardJoiner, type LogOwner } from "./line-joiner.ts";
import { endOfLines, fileAfter, logFiles, openLogFile, readBackward, readForward, type LogFile } from "./log-files.ts";
import type { LogEntry } from "../../control/log.ts";

interface Place {
  readonly file: FileHandle;
  readonly inode: number;
  position: number;
}

export class InstanceLog {
  readonly owner: LogOwner;
  readonly #directory: string;
  readonly #joiner: ForwardJoiner;
  #place: Place | undefined;
  #lastAt = 0;

  constructor(directory: string, owner: LogOwner) {
    this.owner = owner;
    this.#directory = directory;
    this.#joiner = new ForwardJoiner(owner);
  }

  /**
   * The last `linesMax` lines that the filter takes and that are not older than `sinceAt`, oldest first. `next` goes on after
   * the end that the files had when this was called.
   */
  async last(linesMax: number, sinceAt: number, filter: (entry: LogEntry) => boolean): Promise<LogEntry[]> {
    const files = await this.#openLast();
    const found: LogEntry[] = [];
    const joiner = new BackwardJoiner(this.owner);
    let isEnough = linesMax <= 0;
    const take = (entries: readonly LogEntry[]): boolean => {
      for (const entry of entries) {
        if (entry.at < sinceAt) isEnough = true;
        else if (!isEnough && filter(entry)) isEnough = found.push(entry) >= linesMax;
      }
      return !isEnough;
    };
    for (const logFile of files.toReversed()) {
      if (isEnough) break;
      const isLast = logFile.inode === this.#place?.inode;
      const file = isLast ? this.#place?.file : await openLogFile(this.#directory, logFile);
      if (file === undefined) continue; // the oldest was removed
      const end = isLast ? this.#place!.position : await endOfLines(file);
      await readBackward(file, end, (...line) => take(joiner.take(...line)));
      if (!isLast) await file.close();
    }
    if (!isEnough) take(joiner.rest());
    return found.toReversed();
  }

  /** Begins at the file that holds the first line of `sinceAt` or later. */
  async begin(sinceAt: number): Promise<void> {
    const files = await logFiles(this.#directory);
    const sinceName = sinceAt <= 0 ? "" : rotatedFileName(sinceAt * 1000);
    const after = files.findIndex(({ name }) => name === currentName || name > sinceName);
    await this.#open(files[Math.max(0, after - 1)]);
  }

  /** The lines that come next, of about one block; none when there is nothing new. */
  async next(): Promise<LogEntry[]> {
    if (this.#place === undefined) await this.begin(0);
    for (let isOver = false; this.#place !== undefined;) {
      const place = this.#place;
      const entries: LogEntry[] = [];
      const position = await readForward(place.file, place.position, (...line) => {
        const entry = this.#joiner.take(...line);
        if (entry !== undefined) entries.push(entry);
      });
      const isAtEnd = position === place.position;
      place.position = position;
      this.#lastAt = entries.at(-1)?.at ?? this.#lastAt;
      if (entries.length > 0) return entries;
      if (!isAtEnd) continue;
      const files = await logFiles(this.#directory);
      const later = fileAfter(files, place.inode, this.#lastAt);
      if (later === undefined) return [];
      // What was written between the last look and the exchange is read before the file is left.
      if (isOver) await this.#open(later);
      isOver = !isOver;
    }
    return [];
  }

  /** Lines that have begun and not ended. */
  rest(): LogEntry[] {
    return this.#joiner.rest();
  }

  async close(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.file.close();
  }

  /** Stands at the end of what is written now. Returns the files. */
  async #openLast(): Promise<readonly LogFile[]> {
    for (;;) {
      const files = await logFiles(this.#directory);
      const last = files.at(-1);
      if (last === undefined) return files;
      await this.#open(last);
      if (this.#place === undefined) continue;
      this.#place.position = await endOfLines(this.#place.file);
      return files;
    }
  }

  async #open(logFile: LogFile | undefined): Promise<void> {
    if (logFile === undefined) return;
    const file = await openLogFile(this.#directory, logFile);
    // It was exchanged in between: the next look finds it under its new name.
    if (file === undefined) return;
    await this.close();
    this.#place = { file, inode: logFile.inode, position: 0 };
  }
}
