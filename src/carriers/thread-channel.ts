/**
 * Thread channel: the ordered way between a kernel and one in a worker thread; the same at both ends.
 *
 * What is sent in one turn of the microtask queue goes as one piece over a message port of its own, so a program may use
 * `parentPort` as it likes. The receiver confirms what it took, so that a thread that takes nothing is found.
 *
 * @module
 */
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import { packItems, unpackItems } from "./hosted-kernel-frame.ts";
import type { Item } from "./hosted-kernel.ts";

/** Items sent and not taken by the other side; one more, and the channel reports that it is full. */
export const itemsUnderWayMax = 1_000_000;
/** Items after which the receiver confirms; far below the limit, and rare enough to cost nothing. */
const itemsPerConfirmation = 4096;

/** Items from which packing them is quicker than a structured clone: about three times, from a hundred on. */
const packedFromItems = 12;

/** What travels: items, packed items, or how many were taken. */
type Post = readonly Item[] | Uint8Array | number;

/** What happens at this end of a thread channel. */
export interface ThreadChannelEvents {
  receive(items: readonly Item[]): void;
  /** The other side takes nothing. */
  full(): void;
}

export class ThreadChannel {
  readonly #port: MessagePort;
  readonly #events: ThreadChannelEvents;
  #batch: Item[] = [];
  #planned = false;
  #open = true;
  #underWayCount = 0;
  #takenCount = 0;
  readonly #flush = (): void => this.flush();

  /** Takes ownership of `port`. */
  constructor(port: MessagePort, events: ThreadChannelEvents) {
    this.#port = port;
    this.#events = events;
    port.on("message", (post: Post) => this.#take(post));
  }

  send(item: Item): void {
    if (!this.#open) return;
    this.#batch.push(item);
    this.#underWayCount += 1;
    if (this.#underWayCount > itemsUnderWayMax) {
      this.#events.full();
      return;
    }
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(this.#flush);
  }

  flush(): void {
    this.#planned = false;
    if (this.#batch.length === 0 || !this.#open) return;
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length < packedFromItems) {
      this.#port.postMessage(batch);
      return;
    }
    const packed = packItems(batch);
    this.#port.postMessage(packed, [packed.buffer]);
  }

  #take(post: Post): void {
    if (!this.#open) return;
    if (typeof post === "number") {
      this.#underWayCount -= post;
      return;
    }
    const items = post instanceof Uint8Array ? unpackItems(post) : post;
    this.#takenCount += items.length;
    if (this.#takenCount >= itemsPerConfirmation) {
      this.#port.postMessage(this.#takenCount);
      this.#takenCount = 0;
    }
    this.#events.receive(items);
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
    this.#batch = [];
    this.#port.close();
  }
}
