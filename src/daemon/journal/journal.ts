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
 * Not here: the lines (journal-lines.ts), what the entries mean, time.
 *
 * @module
 */
import { FileError, isFileError, type FileSystem, type OpenFile } from "../../base/file-system.ts";
import { appendAll, readFile, replaceFile, writeAll } from "../../base/whole-files.ts";
import {
  journalFormat,
  journalHeader,
  journalLine,
  scanJournal,
  type JournalLine,
  type JournalScan,
} from "./journal-lines.ts";

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

/** How many damaged files are kept beside the journal; one more is refused. */
export const damagedFilesMax = 20;

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

/** Reads what is there and makes it durable. @throws JournalError, FileError when it cannot be read */
export async function openJournal<State, Entry>(options: JournalOptions<State, Entry>): Promise<Journal<State, Entry>> {
  const { files, path } = options;
  const bytes = (await files.exists(path)) ? await readFile(files, path) : undefined;
  if (bytes === undefined) return OpenJournal.start(options, options.initial, 0, { entriesCount: 0, cutBytes: 0 });
  const scan = scanJournal(bytes);
  checkVersion(scan, options);
  const { damage } = scan;
  if (damage === undefined || damage.isTornTail) {
    const state = folded(scan.lines, scan, options);
    const recovery = { entriesCount: scan.lines.length, cutBytes: damage?.sizeBytes ?? 0 };
    return OpenJournal.start(options, state, scan.generation, recovery);
  }
  if (options.salvage !== true) throw damagedError(path, damage.lineNumber);
  const damagedFile = await keepDamaged(files, path, bytes);
  const { state, entriesCount } = salvaged([...scan.lines, ...scan.beyond], scan, options);
  return OpenJournal.start(options, state, scan.generation, { entriesCount, cutBytes: 0, damagedFile });
}

/** Whether a program that knows entries up to `version` could open what is there; a file that is not there, it can. @throws JournalError */
export async function checkJournal({ files, path, version }: JournalPlace): Promise<void> {
  if (!(await files.exists(path))) return;
  checkVersion(scanJournal(await readFile(files, path)), { path, version });
}

interface Waiting<Entry> {
  readonly texts: readonly string[];
  readonly entries: readonly Entry[];
  readonly isSync: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

class OpenJournal<State, Entry> implements Journal<State, Entry> {
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

function checkVersion(scan: JournalScan, { path, version }: Omit<JournalPlace, "files">): void {
  const isNewer = (scan.format ?? 0) > journalFormat || (scan.version ?? 0) > version;
  if (!isNewer) return;
  throw new JournalError(
    "newer",
    `${path} was written by a newer colos (format ${scan.format}, version ${scan.version}; this one knows format ${journalFormat}, ` +
      `version ${version}): start that colos again, or move the file away to begin without it`,
  );
}

function folded<State, Entry>(
  lines: readonly JournalLine[],
  scan: JournalScan,
  options: JournalOptions<State, Entry>,
): State {
  let state = options.initial;
  for (const line of lines) {
    try {
      state = options.fold(state, options.decode(line.value, scan.version ?? options.version));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const where = `line ${line.lineNumber} of ${options.path}`;
      throw new JournalError("invalid", `${where} makes no sense to this colos: ${why}`, { cause: error });
    }
  }
  return state;
}

/** What can be folded of what is whole; something is missing between it. */
function salvaged<State, Entry>(
  lines: readonly JournalLine[],
  scan: JournalScan,
  options: JournalOptions<State, Entry>,
): { readonly state: State; readonly entriesCount: number } {
  let state = options.initial;
  let entriesCount = 0;
  for (const line of lines) {
    try {
      state = options.fold(state, options.decode(line.value, scan.version ?? options.version));
      entriesCount += 1;
    } catch {
      // It stood on what is lost; the damaged file is kept.
    }
  }
  return { state, entriesCount };
}

function damagedError(path: string, lineNumber: number): JournalError {
  return new JournalError(
    "damaged",
    `${path} is damaged in line ${lineNumber}, in what the disk had promised to keep: put a copy of the file back, ` +
      `or set COLOS_SALVAGE=1 for one start to go on with what is whole (the damaged file is kept beside it)`,
  );
}

async function keepDamaged(files: FileSystem, path: string, bytes: Uint8Array): Promise<string> {
  for (let number = 1; number <= damagedFilesMax; number += 1) {
    const kept = `${path}.damaged-${number}`;
    try {
      const file = await files.open(kept, { write: true, create: true, exclusive: true });
      try {
        await writeAll(file, bytes, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      return kept;
    } catch (error) {
      if (!isFileError(error, "EEXIST")) throw error;
    }
  }
  throw new FileError("EEXIST", "open", `${path}.damaged-${damagedFilesMax}`);
}
