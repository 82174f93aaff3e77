/**
 * Line joiner: makes log entries of the lines of a log file: pieces become the line they are part of again.
 *
 * Guarantees: an entry has the time at which its line ended, and entries come in that order, reading forwards, or in the
 * opposite one, reading backwards. A line that is not in the format is shown as it stands, with the time of its neighbour.
 * Limits: a line longer than `joinedBytesMax` is shown as several. Reading backwards, a piece that lies more than
 * `lookbackBytesMax` before the end of its line is shown by itself: nobody wants to read a whole file for one line.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { parseCriLine, type LogStream } from "./cri-format.ts";
import type { LogEntry } from "../../control/log.ts";

/** A longer line is shown as several, in bytes. */
export const joinedBytesMax = 262_144;
/** How far back the pieces of a line are looked for, in bytes. */
export const lookbackBytesMax = 262_144;

/** Whose lines these are. */
export type LogOwner = Pick<LogEntry, "service" | "instance">;

function entryOf(owner: LogOwner, stream: LogStream, at: number, texts: readonly Buffer[]): LogEntry {
  const all = texts.length === 1 ? texts[0]! : Buffer.concat(texts);
  const end = all.at(-1) === 13 ? all.length - 1 : all.length;
  return { service: owner.service, instance: owner.instance, stream, at, text: all.toString("utf8", 0, end) };
}

/** Takes the lines of a file in their order. */
export class ForwardJoiner {
  readonly #owner: LogOwner;
  readonly #parts = new Map<LogStream, { at: number; readonly texts: Buffer[]; bytes: number }>();
  #at = 0;

  constructor(owner: LogOwner) {
    this.#owner = owner;
  }

  /** The next line, from `start` to `end` without its line end; an entry when that completes one. */
  take(bytes: Buffer, start: number, end: number): LogEntry | undefined {
    const line = parseCriLine(bytes, start, end);
    if (line === undefined) return entryOf(this.#owner, "stdout", this.#at, [bytes.subarray(start, end)]);
    this.#at = line.at;
    const parts = this.#parts.get(line.stream);
    const text = bytes.subarray(line.textStart, line.textEnd);
    if (line.isFinished && parts === undefined) return entryOf(this.#owner, line.stream, line.at, [text]);
    const all = parts ?? { at: line.at, texts: [], bytes: 0 };
    all.texts.push(text);
    all.bytes += text.length;
    all.at = line.at;
    if (!line.isFinished && all.bytes < joinedBytesMax) {
      this.#parts.set(line.stream, all);
      return undefined;
    }
    this.#parts.delete(line.stream);
    return entryOf(this.#owner, line.stream, line.at, all.texts);
  }

  /** Lines that have not ended. */
  rest(): LogEntry[] {
    const entries = [...this.#parts].map(([stream, { at, texts }]) => entryOf(this.#owner, stream, at, texts));
    this.#parts.clear();
    return entries.toSorted((one, other) => one.at - other.at);
  }
}

interface BackwardLine {
  readonly stream: LogStream;
  readonly at: number;
  /** The last piece first. */
  readonly texts: Buffer[];
  bytes: number;
  isWhole: boolean;
  /** What had been read when its end was. */
  readonly readBytes: number;
}

/** Takes the lines of a file, the last one first. */
export class BackwardJoiner {
  readonly #owner: LogOwner;
  /** In the order of reading; they go as soon as the first one is whole. */
  readonly #waiting: BackwardLine[] = [];
  readonly #open = new Map<LogStream, BackwardLine>();
  #readBytes = 0;
  #at: number | undefined;

  constructor(owner: LogOwner) {
    this.#owner = owner;
  }

  /** The line before the one that was given last; the entries that are whole with that, the last one first. */
  take(bytes: Buffer, start: number, end: number): LogEntry[] {
    this.#readBytes += end - start + 1;
    const line = parseCriLine(bytes, start, end);
    if (line === undefined) {
      this.#add("stdout", this.#at ?? 0, bytes.subarray(start, end)).isWhole = true;
      return this.#whole();
    }
    this.#at = line.at;
    const text = bytes.subarray(line.textStart, line.textEnd);
    const later = this.#open.get(line.stream);
    if (later !== undefined && !line.isFinished && later.bytes < joinedBytesMax) {
      later.texts.push(text);
      later.bytes += text.length;
    } else {
      if (later !== undefined) later.isWhole = true;
      this.#open.set(line.stream, this.#add(line.stream, line.at, text));
    }
    return this.#whole();
  }

  /** What is left at the beginning of the first file, the last one first. */
  rest(): LogEntry[] {
    for (const line of this.#waiting) line.isWhole = true;
    return this.#whole();
  }

  #add(stream: LogStream, at: number, text: Buffer): BackwardLine {
    const line = { stream, at, texts: [text], bytes: text.length, isWhole: false, readBytes: this.#readBytes };
    this.#waiting.push(line);
    return line;
  }

  #whole(): LogEntry[] {
    const entries: LogEntry[] = [];
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      if (!line.isWhole && this.#readBytes - line.readBytes < lookbackBytesMax) break;
      this.#waiting.shift();
      if (this.#open.get(line.stream) === line) this.#open.delete(line.stream);
      entries.push(entryOf(this.#owner, line.stream, line.at, line.texts.toReversed()));
    }
    return entries;
  }
}
