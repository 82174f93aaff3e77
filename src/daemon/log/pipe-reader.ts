/**
 * Pipe reader: reads one FIFO until nobody holds it open for writing any more.
 *
 * Guarantees: never in the way: the FIFO is opened without waiting for a writer and read as the OS announces data, not by
 * Node's pool of threads. Nothing is read while the last chunk is not dealt with, so a writer that is faster waits.
 * Limit: one buffer of `chunkBytesMax` for all pipes; whoever takes a chunk copies what has to stay.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { Socket } from "node:net";

/** Bytes that are read at once; Linux gives a pipe as much room. */
export const chunkBytesMax = 65_536;

/** Chunks that are read of a pipe that is left: more than the OS lets a pipe hold, so that a flood does not go on for ever. */
const leaveChunksMax = 16;

const shared = Buffer.allocUnsafeSlow(chunkBytesMax);

export interface PipeListener {
  /** Bytes that were read, valid until it returns. Nothing more is read before the promise settles. */
  take(bytes: Buffer): Promise<void> | undefined;
  /** Everything was taken, because nobody can write any more, or, when `isLeft`, the pipe was left as it is. Called once. */
  ended(isLeft: boolean): void;
}

export class PipeReader {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #listener: PipeListener;
  #isTaking = false;
  #hasEnded = false;
  #isLeaving = false;

  private constructor(fd: number, listener: PipeListener) {
    this.#fd = fd;
    this.#listener = listener;
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: { buffer: shared, callback: (count: number): boolean => this.#take(shared.subarray(0, count)) },
    } as ConstructorParameters<typeof Socket>[0]);
    this.#socket.on("end", () => this.#finish(false));
    // A FIFO that cannot be read has nothing more to give.
    this.#socket.on("error", () => this.#finish(false));
    this.#socket.on("close", () => this.#finish(false));
    this.#socket.resume();
  }

  /** @throws Error with the OS's code when there is no FIFO, or no file descriptor for it */
  static open(path: string, listener: PipeListener): PipeReader {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return new PipeReader(fd, listener);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Ends a pipe that nobody has open for writing, where the OS has not said so: nobody ever had since it was opened. */
  endUnopened(): void {
    if (this.#hasEnded || this.#isTaking) return;
    const count = this.#readNow();
    if (count === 0) this.close(false);
    else if (count !== undefined && !this.#take(shared.subarray(0, count))) this.#socket.pause();
  }

  /** Leaves the pipe after what is in it now; what is written later waits for who opens it next. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#socket.pause();
    if (this.#isTaking) return; // `#take` comes back here
    for (let chunksLeft = leaveChunksMax; !this.#hasEnded && chunksLeft > 0; chunksLeft--) {
      const count = this.#readNow();
      if (count === 0) return this.close(false);
      if (count === undefined) break;
      await this.#deliver(shared.subarray(0, count));
    }
    this.close();
  }

  close(isLeft = true): void {
    this.#socket.destroy();
    this.#finish(isLeft);
  }

  /** undefined: there are writers, and nothing to read. */
  #readNow(): number | undefined {
    try {
      return readSync(this.#fd, shared, 0, chunkBytesMax, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
      throw error;
    }
  }

  #take(bytes: Buffer): boolean {
    const taken = this.#deliver(bytes);
    if (taken === undefined) return true;
    // What cannot be written, and was given up, is the listener's matter.
    void taken
      .catch(() => {})
      .then(() => {
        if (this.#isLeaving) void this.leave();
        else this.#socket.resume();
      });
    return false;
  }

  #deliver(bytes: Buffer): Promise<void> | undefined {
    const taken = this.#listener.take(bytes);
    if (taken === undefined) return undefined;
    this.#isTaking = true;
    return taken.finally(() => (this.#isTaking = false));
  }

  #finish(isLeft: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#listener.ended(isLeft);
  }
}
