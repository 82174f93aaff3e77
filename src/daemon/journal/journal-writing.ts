/**
 * Journal writing: appends to an open journal, group by group, and writes it anew when it has grown or cannot be trusted any more.
 *
 * @module
 */
import { isFileError, type FileSystem, type OpenFile } from "../../base/file-system.ts";
import { appendAll, replaceFile } from "../../base/whole-files.ts";
import { journalHeader, journalLine } from "./journal-lines.ts";
import {
  JournalError,
  journalLimits,
  type Journal,
  type JournalLimits,
  type JournalOptions,
  type JournalRecovery,
} from "./journal.ts";

interface Waiting<Entry> {
  readonly texts: readonly string[];
  readonly entries: readonly Entry[];
  readonly isSync: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** A journal that is appended to. */
export class OpenJournal<State, Entry> implements Journal<State, Entry> {
  readonly #options: JournalOptions<State, Entry>;
  readonly #limits: JournalLimits;
  #state: State;
  #recovery: JournalRecovery;
  #generation: number;
  /** Undefined: nobody knows what is in the file, and the next append writes it anew. */
  #file: OpenFile | undefined;
  /** Of the file, as far as it is sound. */
  #sizeBytes = 0;
  #linesCount = 0;
  #syncedLines = 0;
  #compactAtBytes = 0;
  #waiting: Waiting<Entry>[] = [];
  #working: Promise<void> | undefined;
  #isClosed = false;

  private constructor(
    options: JournalOptions<State, Entry>,
    state: State,
    generation: number,
    recovery: JournalRecovery,
  ) {
    this.#options = options;
    this.#limits = { ...journalLimits, ...options.limits };
    this.#state = state;
    this.#generation = generation;
    this.#recovery = recovery;
  }

  static async start<State, Entry>(
    options: JournalOptions<State, Entry>,
    state: State,
    generation: number,
    recovery: JournalRecovery,
  ): Promise<Journal<State, Entry>> {
    const journal = new OpenJournal(options, state, generation, recovery);
    try {
      await journal.#rewrite(state);
    } catch (error) {
      if (!isFileError(error)) throw error;
      journal.#recovery = { ...recovery, problem: error.message };
    }
    return journal;
  }

  get state(): State {
    return this.#state;
  }

  get recovery(): JournalRecovery {
    return this.#recovery;
  }

  async append(entries: readonly Entry[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (this.#isClosed) throw new JournalError("closed", `the journal ${this.#options.path} is closed`);
    if (this.#waiting.length >= this.#limits.waitingMax) {
      throw new JournalError("limit", `${this.#waiting.length} appends wait for the disk already; try again later`);
    }
    const texts = entries.map((entry) => this.#textOf(entry));
    const decoded = texts.map((text) => this.#options.decode(JSON.parse(text), this.#options.version));
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ texts, entries: decoded, isSync: sync, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#working;
    const file = this.#file;
    this.#file = undefined;
    try {
      if (this.#syncedLines < this.#linesCount) await file?.sync();
    } catch (error) {
      // Nothing without `sync` was promised over a power loss.
      if (!isFileError(error)) throw error;
    }
    await file?.close();
  }

  /** @throws JournalError for what is no entry */
  #textOf(entry: Entry): string {
    const text = jsonOf(entry);
    const { entryMaxChars } = this.#limits;
    if (text.length <= entryMaxChars) return text;
    throw new JournalError(
      "limit",
      `an entry of ${text.length} characters is too long for the journal (${entryMaxChars})`,
    );
  }

  async #work(): Promise<void> {
    // Who appends in this turn of the event loop shares the first write too.
    await undefined;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await this.#commit(group);
    }
    this.#working = undefined;
  }

  /** Never rejects. */
  async #commit(group: readonly Waiting<Entry>[]): Promise<void> {
    const { sound, state } = this.#foldGroup(group);
    if (sound.length === 0) return;
    try {
      await this.#store(sound, state);
      this.#state = state;
    } catch (error) {
      for (const append of sound) append.reject(error);
      return;
    }
    for (const append of sound) append.resolve();
    await this.#compact();
  }

  #foldGroup(group: readonly Waiting<Entry>[]): { readonly sound: readonly Waiting<Entry>[]; readonly state: State } {
    const sound: Waiting<Entry>[] = [];
    let state = this.#state;
    for (const append of group) {
      try {
        state = append.entries.reduce((before, entry) => this.#options.fold(before, entry), state);
        sound.push(append);
      } catch (error) {
        append.reject(error);
      }
    }
    return { sound, state };
  }

  async #store(group: readonly Waiting<Entry>[], state: State): Promise<void> {
    const file = this.#file;
    // Writing all of it anew stores the group too.
    if (file === undefined) return this.#rewrite(state);
    const texts = group.flatMap((append) => append.texts);
    if (texts.length > 0) await this.#write(file, texts);
    if (!group.some((append) => append.isSync)) return;
    try {
      await file.sync();
      this.#syncedLines = this.#linesCount;
    } catch {
      await this.#leave();
      await this.#rewrite(state);
    }
  }

  async #write(file: OpenFile, texts: readonly string[]): Promise<void> {
    const lines = texts.map((text, index) => {
      return journalLine(this.#generation, this.#linesCount + index + 1, this.#syncedLines, text);
    });
    const bytes = Buffer.from(lines.join(""));
    try {
      await appendAll(file, bytes);
    } catch (error) {
      await this.#cutBack(file);
      throw error;
    }
    this.#sizeBytes += bytes.length;
    this.#linesCount += texts.length;
  }

  /** A part of the lines may be there. Cutting needs no room on a full disk; writing all anew would. */
  async #cutBack(file: OpenFile): Promise<void> {
    try {
      await file.truncate(this.#sizeBytes);
    } catch {
      await this.#leave();
    }
  }

  /** Everything in a new file. When it rejects before the new file is in the old one's place, the old one goes on. */
  async #rewrite(state: State): Promise<void> {
    const { files, path, version } = this.#options;
    const texts = this.#snapshotTexts(state);
    const generation = this.#generation + 1;
    const lines = texts.map((text, index) => journalLine(generation, index + 1, texts.length, text));
    const bytes = Buffer.from(journalHeader(generation, texts.length, version) + lines.join(""));
    try {
      await replaceFile(files, path, bytes);
    } catch (error) {
      if (!isFileError(error) || error.operation === "rename" || error.operation === "syncDirectory")
        await this.#leave();
      throw error;
    }
    await this.#leave();
    this.#generation = generation;
    this.#sizeBytes = bytes.length;
    this.#linesCount = texts.length;
    this.#syncedLines = texts.length;
    this.#compactAtBytes = Math.max(this.#limits.compactAtBytes, 2 * bytes.length);
    this.#file = await openToAppend(files, path);
  }

  async #compact(): Promise<void> {
    if (this.#file === undefined || this.#sizeBytes <= this.#compactAtBytes) return;
    try {
      await this.#rewrite(this.#state);
    } catch {
      // Nothing is lost: what was acknowledged is in the old file. Not again for each append, with a disk that is full.
      this.#compactAtBytes = this.#sizeBytes + this.#limits.compactAtBytes;
    }
  }

  /** @throws what `decode` and `fold` say of a snapshot that could not be read again: better no file than that one */
  #snapshotTexts(state: State): readonly string[] {
    const { snapshot, initial, fold, decode, version } = this.#options;
    let again = initial;
    return snapshot(state).map((entry) => {
      const text = jsonOf(entry);
      again = fold(again, decode(JSON.parse(text), version));
      return text;
    });
  }

  async #leave(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** @throws JournalError */
function jsonOf(entry: unknown): string {
  const text: string | undefined = JSON.stringify(entry);
  if (text !== undefined) return text;
  throw new JournalError("invalid", `${typeof entry} is no entry for a journal: it is not JSON`);
}

/** What was replaced is durable; that it cannot be opened just now is the next append's trouble. */
async function openToAppend(files: FileSystem, path: string): Promise<OpenFile | undefined> {
  try {
    return await files.open(path, { append: true });
  } catch (error) {
    if (!isFileError(error)) throw error;
    return undefined;
  }
}
