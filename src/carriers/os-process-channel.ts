/**
 * OS process channel: the ordered way between a kernel and one in a child; the same at both ends of the socket pair.
 *
 * What is sent in one turn of the microtask queue is written at once, as much as the socket takes, and the rest a little
 * later. Not through Node's stream: that would close the reading side when the other end is gone, with the last words
 * unread, and would forget what it holds back when Node exits.
 *
 * @module
 */
import { writeSync } from "node:fs";
import type { Socket } from "node:net";
import type { Milliseconds } from "../base/platform.ts";
import { describeReason } from "../kernel/exit-reason.ts";
import { FrameReader, FrameWriter } from "./hosted-kernel-frame.ts";
import type { Item } from "./hosted-kernel.ts";

/** Bytes that wait for the other end; more, and the channel reports that it is full. */
export const channelWaitingMaxBytes: number = 256 * 2 ** 20;
/** How long `flush` tries, in milliseconds. */
export const flushMs: Milliseconds = 2000;
/** Pause before a socket that was full is tried again, in milliseconds. */
const retryMs: Milliseconds = 1;

/** What happens at this end. */
export interface OsProcessChannelEvents {
  receive(items: readonly Item[]): void;
  /** What arrives is not what a hosted kernel sends. */
  malformed(description: string): void;
  /** The other end takes nothing. */
  full(): void;
  /** Everything that the other end sent has been received, and there will be no more. */
  ended(): void;
}

export class OsProcessChannel {
  readonly #socket: Socket;
  readonly #events: OsProcessChannelEvents;
  readonly #writer = new FrameWriter();
  /** Packed and not written. */
  #queue: readonly Buffer[] = [];
  #queuedBytes = 0;
  #planned = false;
  #open = true;
  readonly #turn = (): void => {
    this.#planned = false;
    if (this.#writeSome()) this.#retry();
  };

  /** Takes ownership of `socket`. */
  constructor(socket: Socket, events: OsProcessChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    const reader = new FrameReader((items) => events.receive(items));
    socket.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        events.malformed(describeReason(error));
      }
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#open = false;
      events.ended();
    });
  }

  /** @throws MessageTooLargeError */
  send(item: Item): void {
    if (!this.#open) return;
    this.#writer.add(item);
    if (this.#writer.waitingBytes + this.#queuedBytes > channelWaitingMaxBytes) {
      this.mute();
      this.#events.full();
      return;
    }
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(this.#turn);
  }

  #retry(): void {
    if (this.#planned) return;
    this.#planned = true;
    setTimeout(this.#turn, retryMs);
  }

  /** True when something is left to write. */
  #writeSome(): boolean {
    const frames = this.#writer.take();
    for (const frame of frames) this.#queuedBytes += frame.length;
    this.#queue = this.#queue.length === 0 ? frames : [...this.#queue, ...frames];
    while (this.#open && this.#queue.length > 0) {
      const [first] = this.#queue;
      const bytes = this.#queue.length === 1 ? (first as Buffer) : Buffer.concat(this.#queue);
      const writtenBytes = this.#tryWrite(bytes);
      this.#queuedBytes -= writtenBytes;
      this.#queue = writtenBytes === bytes.length ? [] : [bytes.subarray(writtenBytes)];
      if (writtenBytes === 0) return this.#open;
    }
    return false;
  }

  #tryWrite(bytes: Buffer): number {
    try {
      return writeSync(fdOf(this.#socket), bytes);
    } catch (error) {
      // Otherwise the other end is gone; what it said last is still to be read.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.mute();
      return 0;
    }
  }

  /** Writes what waits, and waits itself, at most `flushMs`; for the exit of Node, when no other code runs. */
  flush(): void {
    const deadlineMs = performance.now() + flushMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (this.#writeSome() && performance.now() < deadlineMs) Atomics.wait(pause, 0, 0, retryMs);
  }

  /** Whether the channel alone keeps the event loop alive. */
  keepAlive(alive: boolean): void {
    if (alive) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Sends nothing any more. */
  mute(): void {
    this.#open = false;
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  /** Sends and receives nothing any more. */
  close(): void {
    this.mute();
    this.#socket.destroy();
  }
}

/** Not in Node's types, and as old as Node's sockets; -1 once it is closed. */
function fdOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle?.fd ?? -1;
}
