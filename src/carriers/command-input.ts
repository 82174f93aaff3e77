/**
 * Command input: the messages to a command on their way to its standard input.
 *
 * Guarantees: bytes arrive in the order in which they were sent, also those sent before the executable ran; each message
 * is copied and checked while its sender waits. What a slow reader leaves waiting is bounded by `bytesMax`; beyond that
 * the mailbox's policy decides (by default the command ends with `{ tag: "mailboxFull" }`).
 * A command that does not read, or closes its input, is no error: what it does not take is dropped.
 *
 * @module
 */
import type { Writable } from "node:stream";
import { Mailbox, type Intake } from "../kernel/mailbox.ts";
import type { EndOfInput } from "../kernel/message.ts";
import { UncopyableError } from "../kernel/wire.ts";

/** Bytes that wait for a command unless `mailbox.bytesMax` says otherwise. */
export const inputBytesMaxDefault: number = 16 * 1024 * 1024;
/** What a message counts beside its own bytes, so that many tiny ones are bounded too. */
export const messageOverheadBytes = 64;

const remedy = "a command takes strings, Uint8Array and endOfInput";

export class CommandInput implements Intake {
  readonly bytesMax: number;
  /** Messages that the pipe has no room for yet; null is the end of the input. */
  readonly #waiting = new Mailbox();
  #waitingBytes = 0;
  #stream: Writable | null = null;
  readonly #shared: boolean;
  #closed = false;
  onRoom: (() => void) | null = null;

  /** `shared`: the command reads colos's own input, so it takes no messages. */
  constructor(bytesMax: number, shared: boolean) {
    this.bytesMax = bytesMax;
    this.#shared = shared;
  }

  get size(): number {
    return this.#waiting.size;
  }

  take(message: unknown, forced = false): boolean {
    const isEnd = isEndOfInput(message);
    if (!isEnd && typeof message !== "string" && !(message instanceof Uint8Array)) {
      throw new UncopyableError("message", describeKind(message), remedy);
    }
    if (this.#shared) throw new UncopyableError("message", "for a command that shares colos's own input", remedy);
    if (this.#closed) return true;
    const bytes = isEnd ? null : Buffer.from(message);
    if (!forced && this.size > 0 && this.#waitingBytes + costBytes(bytes) > this.bytesMax) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += costBytes(bytes);
    this.#flush();
    return true;
  }

  dropOldest(): boolean {
    if (this.size === 0) return false;
    this.#next();
    return true;
  }

  /** The executable runs and this is its standard input; the command carrier owns it. */
  connect(stream: Writable): void {
    this.#stream = stream;
    stream.on("error", () => this.#close());
    stream.on("close", () => this.#close());
    stream.on("drain", () => this.#flush());
    this.#flush();
  }

  #flush(): void {
    while (this.#stream !== null && this.size > 0 && !this.#stream.writableNeedDrain) {
      const bytes = this.#next();
      if (bytes !== null) {
        this.#stream.write(bytes);
      } else {
        this.#stream.end();
        this.#close();
      }
    }
    if (this.#waitingBytes * 2 <= this.bytesMax) this.onRoom?.();
  }

  #next(): Uint8Array | null {
    const bytes = this.#waiting.shift() as Uint8Array | null;
    this.#waitingBytes -= costBytes(bytes);
    return bytes;
  }

  #close(): void {
    this.#closed = true;
    this.#stream = null;
    while (this.size > 0) this.#next();
    this.onRoom?.();
  }
}

function costBytes(bytes: Uint8Array | null): number {
  return messageOverheadBytes + (bytes?.length ?? 0);
}

function isEndOfInput(message: unknown): message is EndOfInput {
  return typeof message === "object" && message !== null && (message as { type?: unknown }).type === "endOfInput";
}

function describeKind(message: unknown): string {
  if (message === null) return "null";
  if (typeof message !== "object") return `a ${typeof message}`;
  return `an instance of ${message.constructor?.name || "an unnamed class"}`;
}
