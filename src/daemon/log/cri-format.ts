/**
 * CRI format: what a line of a log file looks like, made from bytes and taken apart again.
 *
 * ```
 * 2026-11-21T10:06:20.123456Z stdout F text
 * ```
 * Guarantees: the bytes of the text are those that were written, also NUL and what is not UTF-8. A line that is not finished
 * is written in pieces marked P; the piece that ends it is marked F, and may be empty. All pieces joined are the line.
 * Limit: a piece has at most `pieceBytesMax` bytes of text.
 *
 * @module
 */
import { Buffer } from "node:buffer";

export type LogStream = "stdout" | "stderr";

/** Bytes of text in one piece of a line; what is longer becomes several pieces. */
export const pieceBytesMax = 16_384;
/** More than any time, stream and tag take before the text of a piece, in bytes. */
export const headBytesMax = 64;

const newline = 10;
const space = 32;
/** The T between date and time. */
const letterT = 84;

/** A chunk on its way to a file. `bytes` belongs to the job until it is done. */
export interface Chunk {
  readonly bytes: Buffer;
  /** Where the part begins that is not formatted yet, and where all ends. */
  start: number;
  readonly end: number;
  /** Epoch microseconds. */
  readonly at: number;
  /** What becomes of an unfinished line: it waits for more, is written as a piece, or is the last one. */
  readonly rest: "keep" | "piece" | "end";
}

/** One pipe's lines: bytes in, CRI lines out. */
export class LineFormatter {
  readonly #stream: LogStream;
  /** The beginning of a line whose end has not come. */
  #kept: Buffer | undefined;
  #keptBytes = 0;
  #isOpen: boolean;

  /** `isOpen`: a piece of its line stands in the file already. */
  constructor(stream: LogStream, isOpen = false) {
    this.#stream = stream;
    this.#isOpen = isOpen;
  }

  /** Whether the beginning of a line waits for its end. */
  get keepsRest(): boolean {
    return this.#keptBytes > 0;
  }

  /** Whether the last piece that was written is not the end of its line. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Writes lines of the chunk to `out` until it is used up or the next one does not fit into `limitBytes`; the first one
   * always does. Returns the bytes written; the chunk is done when that is 0.
   */
  format(chunk: Chunk, out: Buffer, limitBytes: number): number {
    const time = timeText(chunk.at);
    const finished = Buffer.from(`${time} ${this.#stream} F `, "latin1");
    const { bytes, end } = chunk;
    let used = 0;
    const put = (stop: number, head: Buffer): boolean => {
      const size = head.length + this.#keptBytes + stop - chunk.start + 1;
      if (used > 0 && used + size > limitBytes) return false;
      out.set(head, used);
      used += head.length;
      if (this.#keptBytes > 0) {
        this.#kept!.copy(out, used, 0, this.#keptBytes);
        used += this.#keptBytes;
        this.#keptBytes = 0;
      }
      if (stop > chunk.start) {
        bytes.copy(out, used, chunk.start, stop);
        used += stop - chunk.start;
      }
      out[used++] = newline;
      return true;
    };
    const unfinished = Buffer.from(`${time} ${this.#stream} P `, "latin1");
    while (chunk.start < end) {
      const found = bytes.indexOf(newline, chunk.start);
      const stop = found < 0 || found >= end ? end : found;
      const room = pieceBytesMax - this.#keptBytes;
      if (stop - chunk.start > room) {
        if (!put(chunk.start + room, unfinished)) return used;
        this.#isOpen = true;
        chunk.start += room;
      } else if (stop < end) {
        if (!put(stop, finished)) return used;
        this.#isOpen = false;
        chunk.start = stop + 1;
      } else {
        this.#keep(bytes, chunk.start, end);
        chunk.start = end;
      }
    }
    if (chunk.rest === "piece" && this.#keptBytes > 0 && put(end, unfinished)) this.#isOpen = true;
    if (chunk.rest === "end" && (this.#keptBytes > 0 || this.#isOpen) && put(end, finished)) this.#isOpen = false;
    return used;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#kept ??= Buffer.allocUnsafeSlow(pieceBytesMax);
    bytes.copy(this.#kept, this.#keptBytes, start, end);
    this.#keptBytes += end - start;
  }
}

/** RFC 3339 with microseconds, in UTC. */
export function timeText(atMicros: number): string {
  const ms = Math.floor(atMicros / 1000);
  const micros = String(atMicros - ms * 1000).padStart(3, "0");
  return `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`;
}

/** A line of a log file, taken apart. */
export interface CriLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly stream: LogStream;
  readonly isFinished: boolean;
  /** Where the text begins and ends in the bytes that were given. */
  readonly textStart: number;
  readonly textEnd: number;
}

/** Takes the line apart that stands from `start` to `end`, without its line end; undefined when it is none. */
export function parseCriLine(bytes: Buffer, start: number, end: number): CriLine | undefined {
  const timeEnd = bytes.indexOf(space, start);
  if (bytes[start + 10] !== letterT || timeEnd < 0 || timeEnd - start > headBytesMax || timeEnd + 9 > end)
    return undefined;
  const stream = bytes.toString("latin1", timeEnd + 1, timeEnd + 7);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const tag = bytes[timeEnd + 8];
  if (bytes[timeEnd + 7] !== space || (tag !== 70 && tag !== 80) || (timeEnd + 9 < end && bytes[timeEnd + 9] !== space))
    return undefined;
  const at = Date.parse(bytes.toString("latin1", start, timeEnd));
  if (Number.isNaN(at)) return undefined;
  return { at, stream, isFinished: tag === 70, textStart: Math.min(timeEnd + 10, end), textEnd: end };
}
