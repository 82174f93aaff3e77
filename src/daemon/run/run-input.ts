/**
 * Run input: lines for the stdin of a run.
 *
 * Guarantees: one after the other, whole. A service that does not read fails who writes, with a sentence, and nothing is
 * kept for it beyond what its pipe takes (64 KiB).
 *
 * @module
 */
import type { Clock, Milliseconds } from "../../base/platform.ts";
import { FifoError, writeFifo } from "./fifo.ts";

/** The longest text that is written at once, in bytes. */
export const inputBytesMax = 65_536;
/** How long a full pipe is waited for, in milliseconds. */
export const inputWaitMs: Milliseconds = 2_000;
/** Texts that wait for the ones before them. */
export const inputsWaitingMax = 16;

export class RunInput {
  readonly #path: string;
  readonly #clock: Clock;
  #last: Promise<void> = Promise.resolve();
  #waitingCount = 0;

  /** `path` is a FIFO. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** @throws Error with a sentence */
  async write(text: string): Promise<void> {
    const bytes = Buffer.byteLength(text);
    if (bytes > inputBytesMax) {
      throw new Error(`a service takes at most ${inputBytesMax} bytes of input at once, and these are ${bytes}`);
    }
    if (this.#waitingCount >= inputsWaitingMax) throw new Error(unread);
    this.#waitingCount += 1;
    const before = this.#last;
    const written = (async (): Promise<void> => {
      await before;
      await this.#write(text);
    })();
    this.#last = written.catch(() => {}).finally(() => (this.#waitingCount -= 1));
    await written;
  }

  async #write(text: string): Promise<void> {
    try {
      await writeFifo(this.#path, text, { timeoutMs: inputWaitMs, clock: this.#clock });
    } catch (error) {
      if (!(error instanceof FifoError)) throw error;
      const sentences = { nobody: "the service has closed its input", full: unread, other: error.message };
      throw new Error(sentences[error.kind], { cause: error });
    }
  }
}

const unread = "the service does not read its input: what it was sent before still waits";
