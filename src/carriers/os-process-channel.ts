/**
 * OS process channel: the ordered way between a kernel and one in a child; the same at both ends of the socket pair.
 *
 * What is sent in one turn of the microtask queue is written at once, as much as the socket takes, and the rest a little
 * later. Not through Node's stream: that would close the reading side when the other end is gone, with the last words
 * unread, and would forget what it holds back when Node exits. What arrives is read into one buffer, which saves a
 * round trip about a tenth of its time. The receiver confirms what it took (hosted-kernel-outbox.ts).
 *
 * @module
 */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import type { Milliseconds } from "../base/platform.ts";
import { describeReason } from "../kernel/exit-reason.ts";
import type { ChannelLimit, ChannelState } from "../kernel/signal.ts";
import { estimatedBytes } from "../kernel/wire.ts";
import { frameOf, FrameReader, measuredFromBytes } from "./hosted-kernel-frame.ts";
import { confirmedBytes, Outbox } from "./hosted-kernel-outbox.ts";
import type { Item } from "./hosted-kernel.ts";

/** How long `flush` tries, in milliseconds. */
export const flushMs: Milliseconds = 2000;
/** Pause before a socket that was full is tried again, in milliseconds. */
const retryMs: Milliseconds = 1;
/** What is read at once, in bytes. */
const readBytes = 64 * 2 ** 10;

/** Not queueMicrotask: that makes an AsyncResource each time, which costs several times as much on Node 20. */
const resolved = Promise.resolve();

/** What happens at this end. */
export interface OsProcessChannelEvents {
  receive(items: readonly Item[]): void;
  /** What arrives is not what a hosted kernel sends. */
  malformed(description: string): void;
  /** There is room again. */
  room(): void;
  /** The other end takes nothing. */
  full(): void;
  /** Everything that the other end sent has been received, and there will be no more. */
  ended(): void;
}

export class OsProcessChannel {
  readonly #socket: Socket;
  readonly #events: OsProcessChannelEvents;
  readonly #outbox: Outbox;
  readonly #reader: FrameReader;
  /** Packed and not written. */
  #queue: readonly Uint8Array[] = [];
  #planned = false;
  #open = true;
  #takenBytes = 0;
  #chunksCount = 0;
  readonly #turn = (): void => {
    this.#planned = false;
    if (this.#writeSome(false)) this.#retry();
  };

  /** Takes ownership of `socket`. */
  constructor(socket: Socket, events: OsProcessChannelEvents) {
    this.#events = events;
    this.#outbox = new Outbox({
      room: () => events.room(),
      full: () => {
        this.mute();
        events.full();
      },
    });
    this.#reader = new FrameReader((items, sizeBytes) => this.#receive(items, sizeBytes));
    this.#socket = readInto(socket, (chunk) => this.#take(chunk));
    this.#socket.on("error", () => {});
    this.#socket.once("close", () => {
      this.#open = false;
      events.ended();
    });
  }

  #take(chunk: Buffer): void {
    this.#chunksCount += 1;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#events.malformed(describeReason(error));
    }
    // The other end lives, so it may have made room.
    if (this.#queue.length > 0) this.#turn();
  }

  #receive(items: readonly Item[], sizeBytes: number): void {
    const [first] = items;
    if (first?.[0] === "confirmed") {
      this.#outbox.confirmed(first[1]);
      if (!this.#outbox.isEmpty) this.#turn();
      this.#outbox.reportRoom();
      return;
    }
    this.#takenBytes += sizeBytes;
    if (this.#takenBytes >= confirmedBytes) this.#confirm();
    this.#events.receive(items);
  }

  #confirm(): void {
    if (!this.#open) return;
    this.#queue = [...this.#queue, Buffer.from(frameOf([["confirmed", this.#takenBytes]]))];
    this.#takenBytes = 0;
    this.#plan();
  }

  /** Pieces of anything that was read. */
  get chunksCount(): number {
    return this.#chunksCount;
  }

  /** @throws RangeError when the window is too small. */
  limit(limit: ChannelLimit): void {
    this.#outbox.limit(limit);
  }

  get hasRoom(): boolean {
    return !this.#open || this.#outbox.hasRoom;
  }

  get state(): ChannelState {
    return this.#outbox.state;
  }

  /** @throws MessageTooLargeError, ChannelFullError */
  send(item: Item, sizeBytes: number = estimatedBytes(item)): void {
    if (!this.#open) return;
    if (sizeBytes >= measuredFromBytes) {
      const packed = Buffer.from(frameOf([item]));
      this.#outbox.add({ packed, isMessage: item[0] === "message" }, packed.length);
    } else {
      this.#outbox.add(item, sizeBytes);
    }
    this.#plan();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    void resolved.then(this.#turn);
  }

  #retry(): void {
    if (this.#planned) return;
    this.#planned = true;
    setTimeout(this.#turn, retryMs);
  }

  /** Writes what the other side's credit allows, or `all`; true when the socket did not take it all. */
  #writeSome(all: boolean): boolean {
    while (this.#open) {
      if (this.#queue.length === 0) {
        const batch = this.#outbox.take(all);
        if (batch === null) return false;
        const frame = batch instanceof Uint8Array ? batch : frameOf(batch);
        this.#outbox.sent(frame.length);
        this.#queue = [frame];
      }
      const [first] = this.#queue;
      const bytes = this.#queue.length === 1 ? (first as Uint8Array) : Buffer.concat(this.#queue);
      const writtenBytes = this.#tryWrite(bytes);
      // A copy, because the frame is not ours for longer.
      this.#queue = writtenBytes === bytes.length ? [] : [Buffer.from(bytes.subarray(writtenBytes))];
      if (writtenBytes === 0) return this.#open;
    }
    return false;
  }

  #tryWrite(bytes: Uint8Array): number {
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
    while (this.#writeSome(true) && performance.now() < deadlineMs) Atomics.wait(pause, 0, 0, retryMs);
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
    this.#outbox.clear();
  }

  /** Sends and receives nothing any more. */
  close(): void {
    this.mute();
    this.#socket.destroy();
  }
}

/** What of Node's sockets is not in its types, and as old as they are. */
interface Inside {
  readonly _handle: { readonly fd: number; readonly useUserBuffer?: unknown } | null;
}

/** -1 once it is closed. */
function fdOf(socket: Socket): number {
  return (socket as unknown as Inside)._handle?.fd ?? -1;
}

/** Reads all of `socket` into one buffer of its own, where Node can; `take` must not keep what it gets. */
function readInto(socket: Socket, take: (chunk: Buffer) => void): Socket {
  const { _handle: handle } = socket as unknown as Inside;
  if (handle === null || typeof handle.useUserBuffer !== "function") return socket.on("data", take);
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const callback = (sizeBytes: number): boolean => {
    take(buffer.subarray(0, sizeBytes));
    return true;
  };
  // The options are Node's own for a connection; for a socket that there is already they go with its handle.
  return new Socket({ handle, readable: true, writable: true, onread: { buffer, callback } } as object);
}
