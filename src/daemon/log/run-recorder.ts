/**
 * Run recorder: reads the pipes of one run until nobody holds them, and hears when it says that it is ready: on a FIFO, a socket, or by
 * a line that it writes.
 *
 * Limits: an unfinished line waits `unfinishedMs` for its end, then it is written as a piece. Of the `ready` pipe the first line
 * counts, of at most `readyLineBytesMax`; what comes after it is read and thrown away.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { existsSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Clock } from "../../base/platform.ts";
import { ReadyLines } from "../check/ready-line.ts";
import { LineFormatter, type Chunk, type LogStream } from "./cri-format.ts";
import type { Forward } from "./forward.ts";
import type { LineSource, LogFolder } from "./log-folder.ts";
import type { NotifySockets } from "./notify-sockets.ts";
import type { Patience } from "./patience.ts";
import { chunkBytesMax, PipeReader, type PipeListener } from "./pipe-reader.ts";
import type { RecordedRun } from "./recorder.ts";

/** How long the beginning of a line waits for its end, in milliseconds. */
export const unfinishedMs = 250;
/** How long an attach waits for a FIFO that does not exist yet, in milliseconds. */
export const fifoWaitMs = 10_000;
/** How often it looks for it, in milliseconds. */
const fifoPollMs = 20;
/** Bytes of the ready pipe's first line that are looked at. */
const readyLineBytesMax = 4_096;
/** Chunks that are kept for the next use. */
const spareChunksMax = 4;

const spareChunks: Buffer[] = [];
const nothing = Buffer.alloc(0);

export interface RunRecorderOptions {
  readonly run: RecordedRun;
  readonly folder: LogFolder;
  readonly forward: Forward | undefined;
  readonly clock: Clock;
  readonly patience: Patience;
  readonly notifySockets: NotifySockets;
  /** The file that says that the run is ready. */
  readonly readyFile: string;
  readonly onNote: (note: string) => void;
  /** Called with a sentence for the log. */
  readonly onProblem: (sentence: string) => void;
}

export class RunRecorder {
  readonly #options: RunRecorderOptions;
  readonly #readers: PipeReader[] = [];
  readonly #output: PipeReader[] = [];
  readonly #ends: Promise<void>[] = [];
  #readyPipe: PipeReader | undefined;
  #closeNotify: (() => void) | undefined;
  /** Where a line is waited for that says that it is ready: of this run alone, as in the file its lines may stand among another's. */
  #readyLines: Readonly<Record<LogStream, ReadyLines>> | undefined;
  /** Settles when nobody holds its output any more, all of it is in the file, and what is in the ready pipe by then is heard. */
  done: Promise<void> = Promise.resolve();

  constructor(options: RunRecorderOptions) {
    this.#options = options;
    const { readyLine } = options.run;
    if (readyLine !== undefined && !existsSync(options.readyFile)) this.#readyLines = readyLinesOf(readyLine);
  }

  /** Settles when everything is read. @throws Error with a sentence */
  async open(): Promise<void> {
    const { run } = this.#options;
    try {
      if (run.notify !== undefined) await this.#bindNotify(run.notify);
      if (run.ready !== undefined) await this.#openReady(run.ready);
      // After these: a service that waits to say that it is ready does not wait for a full disk.
      await this.#options.folder.prepare();
      await this.#openOutput("stdout", run.stdout);
      await this.#openOutput("stderr", run.stderr);
    } catch (error) {
      this.close();
      throw error;
    }
    // Of a run that is over before it is looked at, the ends of stdout and stderr come first, and where nothing is to be written they settle
    // before the event loop comes to the ready pipe.
    this.done = Promise.all(this.#ends)
      .then(() => this.#readyPipe?.leave())
      .finally(() => this.close());
  }

  /** Ends pipes that nobody ever opened for writing. */
  endUnopened(): void {
    for (const reader of this.#output) reader.endUnopened();
  }

  /** Leaves its pipes to another recorder, after what is in them now; `done` follows. */
  async leave(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.leave()));
  }

  close(): void {
    this.#closeNotify?.();
    for (const reader of this.#readers) reader.close();
  }

  async #openOutput(stream: LogStream, path: string): Promise<void> {
    const { folder, clock, forward } = this.#options;
    const source: LineSource = { stream, formatter: new LineFormatter(stream, folder.takeOpenLine(stream)) };
    const write = (bytes: Buffer, end: number, rest: Chunk["rest"]): Promise<void> =>
      folder.append(source, { bytes, start: 0, end, at: folder.now(), rest });
    let cancelPiece: (() => void) | undefined;
    const take = async (bytes: Buffer): Promise<void> => {
      cancelPiece?.();
      this.#lookForReady(stream, (lines) => lines.take(bytes));
      forward?.take(stream, bytes);
      const copy = spareChunks.pop() ?? Buffer.allocUnsafeSlow(chunkBytesMax);
      bytes.copy(copy);
      await write(copy, bytes.length, "keep");
      if (spareChunks.length < spareChunksMax) spareChunks.push(copy);
      if (!source.formatter.keepsRest) return;
      cancelPiece = clock.timer(unfinishedMs, () => void write(nothing, 0, "piece").catch(() => {}));
    };
    let end: (written: Promise<void>) => void;
    this.#ends.push(new Promise((resolve) => (end = resolve)));
    const ended = (isLeft: boolean): void => {
      cancelPiece?.();
      this.#lookForReady(stream, (lines) => lines.end());
      forward?.ended(stream);
      end(write(nothing, 0, isLeft ? "piece" : "end"));
    };
    this.#output.push(await this.#openReader(path, { take, ended }));
  }

  #lookForReady(stream: LogStream, isSaid: (lines: ReadyLines) => boolean): void {
    if (this.#readyLines === undefined) return;
    try {
      if (!isSaid(this.#readyLines[stream])) return;
      this.#ready();
    } catch (error) {
      this.#options.onProblem((error as Error).message);
    }
    this.#readyLines = undefined; // it is ready, or never will be
  }

  async #openReady(path: string): Promise<void> {
    let line = "";
    let isReady = false;
    const take = (bytes: Buffer): undefined => {
      if (isReady) return;
      line = (line + bytes.toString("latin1")).slice(0, readyLineBytesMax);
      if (!line.includes("\n")) return;
      isReady = true;
      this.#ready();
    };
    this.#readyPipe = await this.#openReader(path, { take, ended: () => {} });
  }

  async #bindNotify(path: string): Promise<void> {
    const take = (datagram: string): void => {
      for (const assignment of datagram.split("\n")) {
        if (assignment === "READY=1") this.#ready();
        else if (assignment !== "") this.#options.onNote(assignment);
      }
    };
    const bound = await this.#options.patience.until(`cannot listen on ${path}`, async () => {
      try {
        return await this.#options.notifySockets.bind(path, take);
      } catch (error) {
        // That no OS process can be started passes; everything else is told to who asked.
        if ((error as Error).cause !== undefined) throw error;
        return error as Error;
      }
    });
    if (bound instanceof Error) throw bound;
    this.#closeNotify = bound;
  }

  /** The file first: who is told may look for it. At once, so that what the service says next is not told before. */
  #ready(): void {
    const { patience, readyFile, onNote } = this.#options;
    try {
      writeFileSync(readyFile, "");
      onNote("READY=1");
    } catch {
      const written = patience.until(`cannot write ${readyFile}`, () => writeFile(readyFile, ""));
      // It is given up only when the recorder is stopped.
      written.then(() => onNote("READY=1")).catch(() => {});
    }
  }

  /** The FIFO may be a moment late. Without a file descriptor for it, it waits until there is one. */
  async #openReader(path: string, listener: PipeListener): Promise<PipeReader> {
    const { clock, patience } = this.#options;
    for (let waitedMs = 0; ; waitedMs += fifoPollMs) {
      const opened = await patience.until(`cannot read ${path}`, async () => tryOpen(path, listener));
      if (opened !== undefined) {
        this.#readers.push(opened);
        return opened;
      }
      if (waitedMs >= fifoWaitMs)
        throw new Error(`there is no FIFO ${path}, so what the run writes cannot be recorded`);
      await new Promise<void>((resolve) => void clock.timer(fifoPollMs, resolve));
    }
  }
}

/** undefined for a broken expression: whoever waits for it says so. */
function readyLinesOf(pattern: string): Readonly<Record<LogStream, ReadyLines>> | undefined {
  try {
    return { stdout: new ReadyLines(pattern), stderr: new ReadyLines(pattern) };
  } catch {
    return undefined;
  }
}

/** undefined: there is no FIFO. @throws what may be over soon */
function tryOpen(path: string, listener: PipeListener): PipeReader | undefined {
  try {
    return PipeReader.open(path, listener);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
