/**
 * Stream lines: writes what comes to stdout, a line for each, until the source ends, the reader goes away or a person
 * presses Ctrl+C.
 *
 * Guarantees: a slow reader slows the source down. What came is written before it settles, unless nobody reads any more.
 * Limit: `batchCharsMax` characters wait to be written together.
 *
 * @module
 */
import type { CliHost } from "./host.ts";

/** Characters that are written together; each write is a call of the OS. */
export const batchCharsMax = 65_536;

/** Why it ended. */
export type StreamEnd = "source" | "reader" | "signal";

/** Writes until there is an end. Rejects with what the source rejects with. */
export async function streamLines<Value>(
  source: AsyncIterable<Value>,
  line: (value: Value) => string,
  host: CliHost,
): Promise<StreamEnd> {
  const batch = new Batch(host);
  const iterator = source[Symbol.asyncIterator]();
  const undo: (() => void)[] = [];
  try {
    return await new Promise<StreamEnd>((resolve, reject) => {
      const readerGone = (): void => resolve("reader");
      host.stdout.on("error", readerGone);
      undo.push(
        () => host.stdout.off("error", readerGone),
        host.onStopSignal(() => resolve("signal")),
      );
      pump(iterator, line, batch).then(() => resolve("source"), reject);
    });
  } finally {
    batch.end();
    for (const each of undo) each();
    iterator.return?.().catch(() => {});
  }
}

async function pump<Value>(
  iterator: AsyncIterator<Value>,
  line: (value: Value) => string,
  batch: Batch,
): Promise<void> {
  for (;;) {
    const next = await iterator.next();
    if (next.done === true || batch.hasEnded) return;
    const slow = batch.push(`${line(next.value)}\n`);
    if (slow !== undefined) await slow;
  }
}

class Batch {
  readonly #host: CliHost;
  #text = "";
  #isPlanned = false;
  hasEnded = false;

  constructor(host: CliHost) {
    this.#host = host;
  }

  /** A promise when the reader has to catch up first. */
  push(text: string): Promise<void> | undefined {
    this.#text += text;
    if (this.#text.length >= batchCharsMax) return this.#flush();
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      setImmediate(() => {
        this.#isPlanned = false;
        void this.#flush();
      });
    }
    return undefined;
  }

  end(): void {
    void this.#flush();
    this.hasEnded = true;
  }

  #flush(): Promise<void> | undefined {
    const text = this.#text;
    this.#text = "";
    const { stdout } = this.#host;
    if (text === "" || this.hasEnded || stdout.write(text)) return undefined;
    return new Promise((resolve) => {
      const drained = (): void => {
        stdout.off("drain", drained);
        resolve();
      };
      stdout.on("drain", drained);
    });
  }
}
