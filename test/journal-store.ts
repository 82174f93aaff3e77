/**
 * Journal store: acknowledges records and a value on a `FileSystem`, rightly or with one of the mistakes that people make with
 * files. What a simulated disk is tried on.
 *
 * @module
 */
import { type FileSystem, type OpenFile } from "../src/base/file-system.ts";
import {
  appendAll,
  makeDirectories,
  readFile,
  replaceFile,
  replacementSuffix,
  writeAll,
} from "../src/base/whole-files.ts";
import { hashOf } from "../src/sim/choices.ts";

/** Told as the rest of a sentence: what is done wrong. */
export const mistakes = {
  "appends without a sync": "append-unsynced",
  "appends with a single write, however much of it was taken": "append-once",
  "syncs again after a sync has failed": "sync-again",
  "goes on after a failure without writing the file anew": "not-healed",
  "trusts what it reads after the end of its OS process": "trusts-page-cache",
  "takes a record without looking at its checksum": "no-checksum",
  "replaces a file without syncing its bytes": "replace-unsynced",
  "replaces a file without syncing its name": "name-unsynced",
  "writes into the file instead of replacing it": "in-place",
  "makes its directory without syncing the parent": "directory-unsynced",
} as const;

export type Mistake = (typeof mistakes)[keyof typeof mistakes];

const headerBytes = 8;

/** A record: its length, a checksum, the bytes. */
function recordOf(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const record = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, hashOf(text));
  record.set(payload, headerBytes);
  return record;
}

/** All records up to the first that is not whole. */
function recordsIn(bytes: Uint8Array, looksAtChecksums: boolean): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const length = view.getUint32(at);
    const end = at + headerBytes + length;
    if (length === 0 || end > bytes.length) break;
    const text = new TextDecoder().decode(bytes.subarray(at + headerBytes, end));
    if (looksAtChecksums && hashOf(text) !== view.getUint32(at + 4)) break;
    texts.push(text);
    at = end;
  }
  return texts;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Records in a journal and one value in a file that is replaced. */
export class JournalStore {
  readonly #files: FileSystem;
  readonly #mistake: Mistake | undefined;
  records: string[] = [];
  #journal: OpenFile | undefined;

  constructor(files: FileSystem, mistake: Mistake | undefined) {
    this.#files = files;
    this.#mistake = mistake;
  }

  /** Reads what is there and makes it durable. */
  async recover(): Promise<void> {
    if (this.#mistake !== "directory-unsynced") await makeDirectories(this.#files, "store");
    else if (!(await this.#files.exists("store"))) await this.#files.makeDirectory("store");
    const bytes = (await this.#files.exists("store/journal"))
      ? await readFile(this.#files, "store/journal")
      : undefined;
    this.records = bytes === undefined ? [] : recordsIn(bytes, this.#mistake !== "no-checksum");
    if (bytes !== undefined && this.#mistake === "trusts-page-cache") await this.#cutTo(this.records);
    else await this.#rewrite();
  }

  async append(text: string): Promise<void> {
    if (this.#journal === undefined) await this.#rewrite();
    const journal = this.#journal!;
    const record = recordOf(text);
    try {
      if (this.#mistake === "append-once") await journal.append(record);
      else await appendAll(journal, record);
      if (this.#mistake !== "append-unsynced") await this.#sync(journal);
      this.records.push(text);
    } catch (error) {
      // What is in the file now, nobody knows.
      if (this.#mistake !== "not-healed") await this.#leave();
      throw error;
    }
  }

  async setValue(text: string): Promise<void> {
    const bytes = recordOf(text);
    if (this.#mistake === "in-place") return this.#write("store/value", bytes, true);
    if (this.#mistake !== "replace-unsynced" && this.#mistake !== "name-unsynced") {
      return replaceFile(this.#files, "store/value", bytes);
    }
    const replacement = `store/value${replacementSuffix}`;
    await this.#write(replacement, bytes, this.#mistake !== "replace-unsynced");
    await this.#files.rename(replacement, "store/value");
    if (this.#mistake !== "name-unsynced") await this.#files.syncDirectory("store");
  }

  async value(): Promise<string | undefined> {
    if (!(await this.#files.exists("store/value"))) return undefined;
    return recordsIn(await readFile(this.#files, "store/value"), true)[0] ?? "(damaged)";
  }

  async #write(path: string, bytes: Uint8Array, isSynced: boolean): Promise<void> {
    const file = await this.#files.open(path, { write: true, create: true, truncate: true });
    try {
      await writeAll(file, bytes, 0);
      if (isSynced) await file.sync();
    } finally {
      await file.close();
    }
    if (this.#mistake === "in-place") await this.#files.syncDirectory("store");
  }

  async #sync(journal: OpenFile): Promise<void> {
    try {
      await journal.sync();
    } catch (error) {
      if (this.#mistake !== "sync-again") throw error;
      await journal.sync();
    }
  }

  async #rewrite(): Promise<void> {
    await this.#leave();
    await replaceFile(this.#files, "store/journal", concatenated(this.records.map(recordOf)));
    this.#journal = await this.#files.open("store/journal", { append: true });
  }

  async #cutTo(records: readonly string[]): Promise<void> {
    await this.#leave();
    const journal = await this.#files.open("store/journal", { append: true });
    await journal.truncate(concatenated(records.map(recordOf)).length);
    await journal.sync();
    this.#journal = journal;
  }

  async #leave(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
  }
}
