/**
 * Journal lines: how a journal (journal.ts) stands in its file, and what of a file is to be believed.
 *
 * ```
 * <checksum> <generation> <number> <synced> <JSON>
 * 6c1f2a90 7 0 2 {"journal":1,"version":3}
 * ```
 * The first line is the header: the format, and the version of the entries. `generation` grows each time the file is written
 * anew, so that sectors of an older file are not taken for this one's. Lines are numbered from 1. `synced` is the last line
 * that was known to outlive a power loss when this one was written: what is damaged after that was never promised to anybody
 * and is a torn tail; what is damaged before it is a loss. The checksum (CRC-32) covers the rest of the line.
 *
 * Not here: writing files, what the entries mean (journal.ts).
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** The format of the file itself; a reader refuses a newer one. */
export const journalFormat = 1;

/** A line that is whole. */
export interface JournalLine {
  /** 1-based, in the file, as an editor shows it. */
  readonly lineNumber: number;
  readonly generation: number;
  readonly number: number;
  readonly synced: number;
  readonly value: unknown;
}

/** What a file holds. */
export interface JournalScan {
  /** Of the entries; undefined when the header is damaged. */
  readonly version: number | undefined;
  readonly format: number | undefined;
  readonly generation: number;
  /** Without the header, up to the first damage. */
  readonly lines: readonly JournalLine[];
  /** Whole lines behind the first damage. */
  readonly beyond: readonly JournalLine[];
  readonly damage?: JournalDamage;
}

export interface JournalDamage {
  /** The first line of the file that is damaged or missing, 1-based. */
  readonly lineNumber: number;
  /** Bytes from there to the end of the file. */
  readonly sizeBytes: number;
  /** Nothing that was known to be synced is concerned: a write that was not finished. */
  readonly isTornTail: boolean;
}

/** One line with its line end. */
export function journalLine(generation: number, number: number, synced: number, json: string): string {
  const rest = `${generation} ${number} ${synced} ${json}`;
  return `${checksumOf(Buffer.from(rest))} ${rest}\n`;
}

/** The header of a file whose first `linesCount` lines are synced together with it. */
export function journalHeader(generation: number, linesCount: number, version: number): string {
  return journalLine(generation, 0, linesCount, JSON.stringify({ journal: journalFormat, version }));
}

/** Reads a whole file. An empty one is damaged in its first line, since a header is written before anything is promised. */
export function scanJournal(bytes: Uint8Array): JournalScan {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scan = new Scan();
  let start = 0;
  for (let lineNumber = 1; start < buffer.length; lineNumber += 1) {
    const end = buffer.indexOf(0x0a, start);
    const line = end < 0 ? undefined : parseLine(buffer.subarray(start, end), lineNumber);
    scan.take(line, lineNumber, start);
    start = end < 0 ? buffer.length : end + 1;
  }
  return scan.result(buffer.length);
}

class Scan {
  #header: { readonly version: number; readonly format: number } | undefined;
  #generation: number | undefined;
  #synced = 0;
  #damaged: { readonly lineNumber: number; readonly startBytes: number } | undefined;
  readonly #lines: JournalLine[] = [];
  readonly #beyond: JournalLine[] = [];

  take(line: JournalLine | undefined, lineNumber: number, startBytes: number): void {
    const isOurs = line !== undefined && (this.#generation === undefined || line.generation === this.#generation);
    if (isOurs) {
      this.#generation = line.generation;
      this.#synced = Math.max(this.#synced, line.synced);
      if (lineNumber === 1) this.#header = headerOf(line);
    }
    const isNext = isOurs && (lineNumber === 1 ? this.#header !== undefined : line.number === this.#lines.length + 1);
    if (!isNext) this.#damaged ??= { lineNumber, startBytes };
    if (!isOurs || line.number === 0) return;
    (this.#damaged === undefined ? this.#lines : this.#beyond).push(line);
  }

  result(sizeBytes: number): JournalScan {
    // A file that ends before what it says is synced has lost lines without a trace in it.
    const isShort = this.#lines.length < this.#synced || this.#header === undefined;
    const lineNumber = this.#header === undefined ? 1 : this.#lines.length + 2;
    const damaged = this.#damaged ?? (isShort ? { lineNumber, startBytes: sizeBytes } : undefined);
    return {
      version: this.#header?.version,
      format: this.#header?.format,
      generation: this.#generation ?? 0,
      lines: this.#lines,
      beyond: this.#beyond,
      ...(damaged !== undefined && {
        damage: {
          lineNumber: damaged.lineNumber,
          sizeBytes: sizeBytes - damaged.startBytes,
          isTornTail: !isShort,
        },
      }),
    };
  }
}

function parseLine(line: Buffer, lineNumber: number): JournalLine | undefined {
  if (line.length < 9 || line.toString("latin1", 0, 8) !== checksumOf(line.subarray(9))) return undefined;
  const fields = /^(\d+) (\d+) (\d+) (.*)$/s.exec(line.toString("utf8", 9));
  if (fields === null) return undefined;
  const [, generation, number, synced, json] = fields;
  try {
    const value: unknown = JSON.parse(json!);
    return { lineNumber, generation: Number(generation), number: Number(number), synced: Number(synced), value };
  } catch {
    return undefined;
  }
}

function headerOf({ number, value }: JournalLine): { version: number; format: number } | undefined {
  if (number !== 0 || typeof value !== "object" || value === null) return undefined;
  if (!("journal" in value) || !("version" in value)) return undefined;
  const { journal: format, version } = value;
  return typeof format === "number" && typeof version === "number" ? { format, version } : undefined;
}

function checksumOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}
