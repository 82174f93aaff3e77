/**
 * Pipe recorder: reads what runs write and keeps it in memory, in place of the recorder's OS process.
 *
 * @module
 */
import { closeSync, constants, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RecordedRun, Recorder } from "../src/daemon/log/recorder.ts";
import type { RunId } from "../src/daemon/run/run.ts";

export class PipeRecorder implements Recorder {
  readonly osPid: number = process.pid;
  /** While false, nobody reads; what is attached meanwhile is read from the moment it is true. */
  #isReading = true;
  readonly #waiting: RecordedRun[] = [];
  readonly #texts = new Map<RunId, { stdout: string; stderr: string }>();
  readonly #closed = new Map<RunId, Promise<unknown>>();
  readonly #listeners = new Set<(id: RunId, note: string) => void>();
  readonly #runs: string;

  /** `runs` is the folder in which a `ready` file is made. */
  constructor(runs: string) {
    this.#runs = runs;
  }

  set isReading(value: boolean) {
    this.#isReading = value;
    if (value) for (const run of this.#waiting.splice(0)) this.#read(run);
  }

  /** What a run has written so far. */
  textOf(id: RunId): { readonly stdout: string; readonly stderr: string } {
    return this.#texts.get(id) ?? { stdout: "", stderr: "" };
  }

  async attach(run: RecordedRun): Promise<void> {
    if (this.#closed.has(run.id)) return;
    if (this.#isReading) this.#read(run);
    else this.#waiting.push(run);
  }

  async drained(id: RunId, timeoutMs: number): Promise<void> {
    const limit = AbortSignal.timeout(timeoutMs);
    const late = new Promise<void>((resolve) => limit.addEventListener("abort", () => resolve()));
    await Promise.race([this.#closed.get(id) ?? (this.#isReading ? undefined : late), late]);
  }

  async empty(): Promise<number> {
    return 0;
  }

  onNote(listener: (id: RunId, note: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What a service says through its notify socket. */
  note(id: RunId, text: string): void {
    for (const listener of this.#listeners) listener(id, text);
  }

  onTrouble(): () => void {
    return () => {};
  }

  setLimits(): void {}

  async close(): Promise<void> {}

  async stop(): Promise<void> {}

  #read(run: RecordedRun): void {
    const texts = { stdout: "", stderr: "" };
    this.#texts.set(run.id, texts);
    const streams = (["stdout", "stderr"] as const).map((name) =>
      readPipe(run[name], (text) => {
        texts[name] += text;
      }),
    );
    this.#closed.set(run.id, Promise.all(streams));
    if (run.ready !== undefined) {
      void readPipe(run.ready, (text) => {
        if (text.includes("\n")) writeFileSync(join(this.#runs, `${run.id}.ready`), "\n");
      });
    }
  }
}

const lookEveryMs = 2;

/** Settles when nobody can write any more. A shim has it open for writing as long as its service runs. */
function readPipe(path: string, take: (text: string) => void): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const bytes = Buffer.alloc(65_536);
  return new Promise((resolve) => {
    const look = (): void => {
      for (let count = tryRead(fd, bytes); count !== undefined; count = tryRead(fd, bytes)) {
        if (count === 0) {
          closeSync(fd);
          return resolve();
        }
        take(bytes.toString("utf8", 0, count));
      }
      setTimeout(look, lookEveryMs).unref();
      return undefined;
    };
    look();
  });
}

/** 0 is the end, undefined nothing now. */
function tryRead(fd: number, bytes: Buffer): number | undefined {
  try {
    return readSync(fd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}
