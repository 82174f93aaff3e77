/**
 * Thread channel: the ordered way between a kernel and one in a worker thread; the same at both ends.
 *
 * What is sent in one turn of the microtask queue goes as one piece over a message port of its own, so a program may use
 * `parentPort` as it likes: a few small items as they are, many or large ones packed to bytes, which is what makes a flood
 * of messages quicker than `postMessage` for each. The receiver confirms what it took (hosted-kernel-outbox.ts).
 *
 * @module
 */
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import type { ChannelLimit, ChannelState } from "../kernel/signal.ts";
import { estimatedBytes } from "../kernel/wire.ts";
import { packItems, unpackItems } from "./hosted-kernel-frame.ts";
import { confirmedBytes, Outbox } from "./hosted-kernel-outbox.ts";
import type { Item } from "./hosted-kernel.ts";

/** Items from which packing them is quicker than a structured clone: about three times, from a hundred on. */
const packedFromItems = 12;
/** Items are packed from about so many bytes on, so that what travels unpacked is small and can be counted as such. */
const packedFromBytes = 4096;
/** What a piece of unpacked items is counted as, in bytes. */
const unpackedBytes = 512;

/** Not queueMicrotask: that makes an AsyncResource each time, which costs several times as much on Node 20. */
const resolved = Promise.resolve();

/** What travels: items, packed items, or how many bytes were taken. */
type Post = readonly Item[] | Uint8Array | number;

/** What happens at this end of a thread channel. */
export interface ThreadChannelEvents {
  receive(items: readonly Item[]): void;
  /** There is room again. */
  room(): void;
  /** The other side takes nothing. */
  full(): void;
}

export class ThreadChannel {
  readonly #port: MessagePort;
  readonly #events: ThreadChannelEvents;
  readonly #outbox: Outbox;
  #planned = false;
  #open = true;
  #takenBytes = 0;
  readonly #flush = (): void => this.#post(false);

  /** Takes ownership of `port`. */
  constructor(port: MessagePort, events: ThreadChannelEvents) {
    this.#port = port;
    this.#events = events;
    this.#outbox = new Outbox(events);
    port.on("message", (post: Post) => this.#take(post));
  }

  /** @throws RangeError when the window is too small. */
  limit(limit: ChannelLimit): void {
    this.#outbox.limit(limit);
  }

  get hasRoom(): boolean {
    return this.#outbox.hasRoom;
  }

  get state(): ChannelState {
    return this.#outbox.state;
  }

  /** @throws ChannelFullError */
  send(item: Item, sizeBytes: number = estimatedBytes(item)): void {
    if (!this.#open) return;
    this.#outbox.add(item, sizeBytes);
    if (this.#planned) return;
    this.#planned = true;
    void resolved.then(this.#flush);
  }

  /** Posts all that waits, whatever the other side has taken; for the end of a thread. */
  flush(): void {
    this.#post(true);
  }

  #post(all: boolean): void {
    this.#planned = false;
    while (this.#open) {
      const items = this.#outbox.take(all) as readonly Item[] | null;
      if (items === null) return;
      if (items.length < packedFromItems && this.#outbox.takenBytes < packedFromBytes) {
        this.#outbox.sent(unpackedBytes);
        this.#port.postMessage(items);
      } else {
        const packed = packItems(items);
        this.#outbox.sent(packed.length);
        this.#port.postMessage(packed, [packed.buffer]);
      }
    }
  }

  #take(post: Post): void {
    if (!this.#open) return;
    if (typeof post === "number") {
      this.#outbox.confirmed(post);
      if (!this.#outbox.isEmpty) this.#post(false);
      this.#outbox.reportRoom();
      return;
    }
    const isPacked = post instanceof Uint8Array;
    this.#takenBytes += isPacked ? post.length : unpackedBytes;
    if (this.#takenBytes >= confirmedBytes) {
      this.#port.postMessage(this.#takenBytes);
      this.#takenBytes = 0;
    }
    this.#events.receive(isPacked ? unpackItems(post) : post);
  }

  /** Whether the channel alone keeps the event loop alive. */
  keepAlive(alive: boolean): void {
    if (alive) this.#port.ref();
    else this.#port.unref();
  }

  /** Takes what has arrived and waits for its turn; for a thread that is gone. */
  drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: Post } | undefined;
      if (received === undefined) return;
      this.#take(received.message);
    }
  }

  /** Nothing is sent or received any more. */
  close(): void {
    this.#open = false;
    this.#outbox.clear();
    this.#port.close();
  }
}
