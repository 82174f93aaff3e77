/**
 * FIFO: writing to a named pipe whose reader may be absent, slow or stopped.
 *
 * Guarantees: never waits in the OS, so no thread of Node's pool is lost to a reader that does not read. Bytes come in order;
 * up to 4,096 (PIPE_BUF) arrive whole or not at all.
 * Limit: when the time is over, a part of longer bytes may have been taken already.
 *
 * @module
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Clock, Milliseconds } from "../../base/platform.ts";

/** The pause between two tries to write to a full pipe, in milliseconds. */
const retryMs: Milliseconds = 5;

/** Why it was not written: nobody has the FIFO open for reading, it is full and stays so, or the OS's own words. */
export class FifoError extends Error {
  override readonly name = "FifoError";
  readonly kind: "nobody" | "full" | "other";

  constructor(kind: "nobody" | "full" | "other", message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export interface FifoWrite {
  /** How long a full pipe is waited for. */
  readonly timeoutMs: Milliseconds;
  readonly clock: Clock;
}

/** @throws FifoError */
export async function writeFifo(path: string, text: string, { timeoutMs, clock }: FifoWrite): Promise<void> {
  const fd = open(path);
  try {
    const dueMs = clock.monotonicMs() + timeoutMs;
    let rest: Buffer = Buffer.from(text);
    while (rest.length > 0) {
      rest = rest.subarray(tryWrite(fd, rest));
      if (rest.length === 0) return;
      if (clock.monotonicMs() >= dueMs) throw new FifoError("full", `${path} is full`);
      await new Promise<void>((resolve) => void clock.timer(retryMs, resolve));
    }
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new FifoError(code === "ENXIO" || code === "ENOENT" ? "nobody" : "other", message, { cause: error });
  }
}

/** Bytes that were taken; 0 when it is full. */
function tryWrite(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") return 0;
    throw new FifoError(code === "EPIPE" ? "nobody" : "other", message, { cause: error });
  }
}
