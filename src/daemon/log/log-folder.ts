/**
 * Log folder: the files of one instance. `current` is the one that is written; the others are full, and named by the time of
 * their first line.
 *
 * Guarantees: lines stand in the order in which they came, whole, each once. A file is exchanged for the next between two lines,
 * by one rename, so that being killed at any point of it loses and repeats nothing. A torn line that a killed recorder or a
 * crashed machine left is completed before the next one is written. When the disk is full it waits. What is emptied is what stood in
 * the files; a line that waits for the disk, and every later one, is written after that.
 * Limits: all files together stay below `budgetBytes` (one line may exceed it); the oldest go first. Nothing is synchronized
 * to the disk: what a machine that loses power has not written is lost.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/platform.ts";
import type { LogsPlan } from "../../control/config.ts";
import {
  headBytesMax,
  parseCriLine,
  pieceBytesMax,
  timeText,
  type Chunk,
  type LineFormatter,
  type LogStream,
} from "./cri-format.ts";
import { Patience, type TroubleListener } from "./patience.ts";

/** The file that is written. */
export const currentName = "current";
/** Bytes of formatted lines that are written at once. */
const writeBytesMax = 262_144;
/** How often it is looked whether somebody removed `current`, in milliseconds; then a new one is made. */
export const presenceCheckMs = 1_000;
/** Buffers of `writeBytesMax` that are kept for the next write. */
const spareBuffersMax = 2;

const spareBuffers: Buffer[] = [];

/** `20261121T100620.123456Z.log`: sorts by time, and is a plain name everywhere. */
const rotatedName = /^\d{8}T\d{6}\.\d{6}Z\.log$/;

/** The rotated files of a folder, oldest first, without `current`; none when there is no folder. */
export async function rotatedFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter((name) => rotatedName.test(name)).toSorted();
}

/** The name of a file whose first line is of that time. */
export function rotatedFileName(atMicros: number): string {
  return `${timeText(atMicros).replaceAll(/[-:]/g, "")}.log`;
}

/** What formats the chunks of one pipe. */
export interface LineSource {
  readonly stream: LogStream;
  readonly formatter: LineFormatter;
}

interface Job {
  readonly source: LineSource;
  readonly chunk: Chunk;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Emptying {
  readonly resolve: (bytes: number) => void;
  readonly reject: (error: unknown) => void;
}

export interface LogFolderOptions {
  readonly directory: string;
  readonly logs: LogsPlan;
  readonly clock: Clock;
  readonly onTrouble: TroubleListener;
}

export class LogFolder {
  readonly directory: string;
  readonly #clock: Clock;
  readonly #patience: Patience;
  #logs: LogsPlan;
  #file: FileHandle | undefined;
  #opening: Promise<void> | undefined;
  #sizeBytes = 0;
  #firstAt = 0;
  #lastAt = 0;
  #checkedMs = 0;
  readonly #jobs: Job[] = [];
  readonly #emptyings: Emptying[] = [];
  #isWriting = false;
  /** Streams whose last piece in the file is not the end of its line, and who writes that line; undefined: an earlier recorder. */
  readonly #open = new Map<LogStream, LineSource | undefined>();

  constructor(options: LogFolderOptions) {
    this.directory = options.directory;
    this.#logs = options.logs;
    this.#clock = options.clock;
    this.#patience = new Patience(options.clock, options.onTrouble);
  }

  setLimits(logs: LogsPlan): void {
    this.#logs = logs;
  }

  /** Opens `current`, so that a folder that cannot be written is known before anything is read. */
  async prepare(): Promise<void> {
    await this.#patience.until(`cannot open the log in ${this.directory}`, () => this.#openCurrent());
  }

  /** Whether the file ends in the middle of a line of an earlier recorder; the first to ask goes on with that line. */
  takeOpenLine(stream: LogStream): boolean {
    return this.#open.has(stream) && this.#open.get(stream) === undefined && this.#open.delete(stream);
  }

  /** Epoch microseconds; never the same twice, so that lines of all streams have an order. */
  now(): number {
    const now = Math.floor(this.#clock.wallMs()) * 1000;
    // A clock that is set back a long way is followed; one that is slewed is not.
    const isAhead = this.#lastAt >= now && this.#lastAt - now < 1_000_000;
    this.#lastAt = isAhead ? this.#lastAt + 1 : now;
    return this.#lastAt;
  }

  /** Settles when the lines of the chunk are in the file. Chunks are written in the order of the calls. */
  append(source: LineSource, chunk: Chunk): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ source, chunk, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  /** Removes what was written, also while the disk takes nothing. Settles with the bytes that it gave back. */
  empty(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#emptyings.push({ resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
      else this.#patience.tryNow();
    });
  }

  /** Ends the waiting for a disk without room; what is still to be written then is lost. */
  giveUp(): void {
    this.#patience.giveUp();
  }

  /** Closes the file. Call it when nothing is being written. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    const out = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(writeBytesMax);
    while (this.#jobs.length > 0 || this.#emptyings.length > 0) {
      await this.#emptyWhenAsked();
      const job = this.#jobs.shift();
      try {
        if (job !== undefined) await this.#writeJob(job, out);
        job?.resolve();
      } catch (error) {
        job?.reject(error);
      }
    }
    if (spareBuffers.length < spareBuffersMax) spareBuffers.push(out);
    this.#isWriting = false;
  }

  async #writeJob({ source, chunk }: Job, out: Buffer): Promise<void> {
    await this.#closeOpenLine(source, chunk.at, out);
    for (;;) {
      const limitBytes = Math.min(out.length, Math.max(this.#rotateBytes, 1));
      const bytes = source.formatter.format(chunk, out, limitBytes);
      if (bytes === 0) break;
      await this.#write(out, bytes, chunk.at);
    }
    if (source.formatter.isOpen) this.#open.set(source.stream, source);
    else if (this.#open.get(source.stream) === source) this.#open.delete(source.stream);
  }

  /** Two runs of one instance may overlap; the lines of one must not become the end of the other's. */
  async #closeOpenLine(source: LineSource, at: number, out: Buffer): Promise<void> {
    if (!this.#open.has(source.stream) || this.#open.get(source.stream) === source) return;
    this.#open.delete(source.stream);
    await this.#write(out, out.write(`${timeText(at)} ${source.stream} F \n`, "latin1"), at);
  }

  async #write(out: Buffer, bytes: number, at: number): Promise<void> {
    let writtenBytes = 0;
    const writeSome = async (): Promise<boolean> => {
      // What is emptied had the beginning of it, also when this try fails.
      if (await this.#emptyWhenAsked()) writtenBytes = 0;
      if (writtenBytes === 0) await this.#makeReady(bytes, at);
      writtenBytes += (await this.#file!.write(out, writtenBytes, bytes - writtenBytes)).bytesWritten;
      return writtenBytes === bytes;
    };
    let isWhole = false;
    while (!isWhole) isWhole = await this.#patience.until(`cannot write the log in ${this.directory}`, writeSome);
    if (this.#sizeBytes === 0) this.#firstAt = at;
    this.#sizeBytes += bytes;
  }

  /** Whether something was emptied. Between two writes, so that none of them is torn. */
  async #emptyWhenAsked(): Promise<boolean> {
    const emptyings = this.#emptyings.splice(0);
    if (emptyings.length === 0) return false;
    try {
      const bytes = await this.#empty();
      for (const { resolve } of emptyings) resolve(bytes);
    } catch (error) {
      for (const { reject } of emptyings) reject(error);
    }
    return true;
  }

  async #empty(): Promise<number> {
    await this.#opening?.catch(() => {});
    await this.close();
    // A file that somebody opens at this moment is looked at before it is written.
    this.#checkedMs = -Infinity;
    this.#open.clear();
    let bytes = 0;
    for (const name of [...(await rotatedFiles(this.directory)), currentName]) {
      const file = join(this.directory, name);
      const { size } = await stat(file).catch(ifAbsent({ size: 0 }));
      await unlink(file).catch(ifAbsent(undefined));
      bytes += size;
    }
    return bytes;
  }

  async #makeReady(bytes: number, at: number): Promise<void> {
    await this.#assurePresence();
    if (this.#file === undefined) await this.#openCurrent();
    const isOld = at - this.#firstAt >= this.#logs.ageMs * 1000;
    if (this.#sizeBytes > 0 && (isOld || this.#sizeBytes + bytes > this.#rotateBytes)) await this.#rotate();
  }

  /** A file that is removed while it is open takes what is written with it. */
  async #assurePresence(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#file === undefined || nowMs - this.#checkedMs < presenceCheckMs) return;
    this.#checkedMs = nowMs;
    const { nlink } = await this.#file.stat();
    if (nlink === 0) await this.close();
  }

  /** With less room than for two files, the one that was just filled would have to go at once. */
  get #rotateBytes(): number {
    return Math.min(this.#logs.sizeBytes, Math.floor(this.#logs.budgetBytes / 2));
  }

  /** Once for all who need it at the same time. */
  #openCurrent(): Promise<void> {
    this.#opening ??= this.#openNow().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openNow(): Promise<void> {
    if (this.#file !== undefined) return;
    await mkdir(this.directory, { recursive: true });
    const file = await open(join(this.directory, currentName), "a+", 0o640);
    try {
      await this.#readEnds(file);
      await this.#removeOldest();
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
  }

  /** Learns from the file when it began and whether its last line is whole. */
  async #readEnds(file: FileHandle): Promise<void> {
    let { size } = await file.stat();
    const head = Buffer.alloc(Math.min(size, headBytesMax));
    await file.read(head, 0, head.length, 0);
    const timeEnd = head.indexOf(32);
    const firstMs = timeEnd > 0 ? Date.parse(head.toString("latin1", 0, timeEnd)) : Number.NaN;
    this.#firstAt = Number.isNaN(firstMs)
      ? Math.floor(this.#clock.wallMs()) * 1000
      : microsOf(head.toString("latin1", 0, timeEnd), firstMs);

    const tail = Buffer.alloc(Math.min(size, tailBytes));
    await file.read(tail, 0, tail.length, size - tail.length);
    const tornStart = tail.lastIndexOf(10) + 1;
    if (tornStart < tail.length) {
      if (parseCriLine(tail, tornStart, tail.length) === undefined && (tornStart > 0 || tail.length === size)) {
        size -= tail.length - tornStart;
        await file.truncate(size);
      } else {
        await file.write("\n");
        size += 1;
      }
    }
    this.#sizeBytes = size;
    for (const [stream, isOpen] of lastTags(tail, tornStart)) {
      if (isOpen && !this.#open.has(stream)) this.#open.set(stream, undefined);
    }
  }

  /**
   * Killed before the rename: `current` goes on. Killed after it: there is no `current` until the next recorder makes one.
   * Killed before the oldest are removed: the next recorder or the next rotation does it.
   */
  async #rotate(): Promise<void> {
    const current = join(this.directory, currentName);
    let firstAt = this.#firstAt;
    while (await exists(join(this.directory, rotatedFileName(firstAt)))) firstAt += 1;
    await rename(current, join(this.directory, rotatedFileName(firstAt))).catch((error: NodeJS.ErrnoException) => {
      // Somebody removed it.
      if (error.code !== "ENOENT") throw error;
    });
    await this.close();
    await this.#openCurrent();
  }

  async #removeOldest(): Promise<void> {
    const names = await rotatedFiles(this.directory);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(this.directory, name))).size));
    let total = sizes.reduce((sum, size) => sum + size, 0);
    for (const [index, name] of names.entries()) {
      if (total <= this.#logs.budgetBytes - this.#rotateBytes) return;
      await unlink(join(this.directory, name));
      total -= sizes[index] ?? 0;
    }
  }
}

/** Enough for the last piece of each stream, when they take turns. */
const tailBytes = 4 * (pieceBytesMax + headBytesMax);

function lastTags(tail: Buffer, end: number): Map<LogStream, boolean> {
  const tags = new Map<LogStream, boolean>();
  for (let stop = end - 1; stop >= 0 && tags.size < 2;) {
    const start = stop === 0 ? 0 : tail.lastIndexOf(10, stop - 1) + 1;
    const line = parseCriLine(tail, start, stop);
    if (line !== undefined && !tags.has(line.stream)) tags.set(line.stream, !line.isFinished);
    stop = start - 1;
  }
  return tags;
}

function microsOf(text: string, ms: number): number {
  const fraction = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? "";
  return ms * 1000 + Number(fraction.padEnd(3, "0"));
}

/** Gives the value for a file that is not there. */
function ifAbsent<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === "ENOENT") return value;
    throw error;
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, ifAbsent(false));
}
