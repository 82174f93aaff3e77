/**
 * Outbox: what one end of a channel has to send and may not send yet, the same for threads and OS processes.
 *
 * A channel has a window: so many bytes may be under way that the other side has not taken. The other side confirms what it
 * took in pieces of `confirmedBytes`, and as fast as its event loop turns, whatever its processes do. What finds the
 * window used up waits here, in order. Only messages and replies are counted as room; every other signal takes its place in
 * the order and is never dropped or refused.
 * Guarantees: what is under way is at most the window and one batch. What waits is at most `waitingMaxBytes`, or the
 * carrier is lost; with the policy `block` their senders are held long before. Drop counts are exact.
 * Limit: sizes of what waits are estimates (text that is not Latin takes up to three times as much).
 *
 * @module
 */
import { assertChannelLimit, ChannelFullError, type ChannelLimit, type ChannelState } from "../kernel/signal.ts";
import type { Item } from "./hosted-kernel.ts";

/** Bytes under way to the other side unless the channel's limit says otherwise. */
export const windowBytesDefault: number = 256 * 2 ** 10;
/** Bytes after which the receiver confirms what it took: often enough for the smallest window (`windowMinBytes`), rare enough to be cheap. */
export const confirmedBytes: number = 32 * 2 ** 10;
/** Bytes that wait or are under way before a channel reports that it is full, unless its limit says otherwise. */
export const waitingMaxBytesDefault: number = 256 * 2 ** 20;
/** A batch is at most about this long, in bytes, unless a single item is longer. */
const batchTargetBytes = 128 * 2 ** 10;
/** Below this many taken slots at the front, the arrays are not compacted. */
const compactFrom = 1024;
/** What an item is counted as beside its value, in bytes. */
const itemBytes = 16;

/** A large item, packed to know its size. */
export interface PackedItem {
  readonly packed: Uint8Array;
  readonly isMessage: boolean;
}

type Entry = Item | PackedItem;

/** What an outbox reports. */
export interface OutboxEvents {
  /** After `hasRoom` was false, at most half of the window is used again. */
  room(): void;
  /** The other side takes nothing, or the policy says so. */
  full(): void;
}

export class Outbox {
  readonly #events: OutboxEvents;
  #windowBytes = windowBytesDefault;
  #waitingMaxBytes = waitingMaxBytesDefault;
  #policy: NonNullable<ChannelLimit["policy"]> = "block";
  #entries: (Entry | undefined)[] = [];
  #sizes: number[] = [];
  /** Where the oldest entry stands. */
  #head = 0;
  #packedCount = 0;
  #waitingBytes = 0;
  #underWayBytes = 0;
  #droppedCount = 0;
  #takenBytes = 0;
  /** Somebody was told that there is no room. */
  #roomIsAwaited = false;

  constructor(events: OutboxEvents) {
    this.#events = events;
  }

  /** @throws Error, RangeError for what is no limit. */
  limit(limit: ChannelLimit): void {
    assertChannelLimit(limit);
    const { windowBytes, waitingMaxBytes, policy } = limit;
    this.#windowBytes = windowBytes ?? this.#windowBytes;
    this.#waitingMaxBytes = waitingMaxBytes ?? this.#waitingMaxBytes;
    this.#policy = policy ?? this.#policy;
  }

  get #isUsedUp(): boolean {
    return this.#underWayBytes + this.#waitingBytes >= this.#windowBytes;
  }

  /** False while senders are to be held; then `room` is called once there is room again. */
  get hasRoom(): boolean {
    if (!this.#isUsedUp || this.#policy !== "block") return true;
    this.#roomIsAwaited = true;
    return false;
  }

  get isEmpty(): boolean {
    return this.#entries.length === this.#head;
  }

  get state(): ChannelState {
    return {
      windowBytes: this.#windowBytes,
      underWayBytes: this.#underWayBytes,
      creditBytes: Math.max(0, this.#windowBytes - this.#underWayBytes),
      waitingCount: this.#entries.length - this.#head,
      waitingBytes: this.#waitingBytes,
      droppedCount: this.#droppedCount,
    };
  }

  /**
   * Takes an item of about `sizeBytes`. What the policy drops is counted.
   * @throws ChannelFullError
   */
  add(entry: Item | PackedItem, sizeBytes: number): void {
    if (this.#policy !== "block" && this.#isUsedUp && isMessage(entry) && !this.#makeRoom()) return;
    const bytes = itemBytes + sizeBytes;
    this.#entries.push(entry);
    this.#sizes.push(bytes);
    this.#waitingBytes += bytes;
    if (isPacked(entry)) this.#packedCount += 1;
    if (this.#waitingBytes + this.#underWayBytes > this.#waitingMaxBytes) this.#events.full();
  }

  /** Carries out the policy of a channel whose window is used up; true when the message may be added. */
  #makeRoom(): boolean {
    switch (this.#policy) {
      case "dropOldest":
        if (this.#dropOldest()) this.#droppedCount += 1;
        return true;
      case "failSender":
        this.#droppedCount += 1;
        throw new ChannelFullError(this.#windowBytes);
      case "endReceiver":
        this.#droppedCount += 1;
        this.#events.full();
        return false;
      default:
        this.#droppedCount += 1;
        return false;
    }
  }

  /** False when no message waits: what is under way cannot be taken back. */
  #dropOldest(): boolean {
    const index = this.#entries.findIndex((entry) => entry !== undefined && isMessage(entry));
    if (index < 0) return false;
    const [dropped] = this.#entries.splice(index, 1);
    if (dropped !== undefined && isPacked(dropped)) this.#packedCount -= 1;
    this.#waitingBytes -= this.#sizes.splice(index, 1)[0] ?? 0;
    return true;
  }

  /**
   * The next batch: items to pack, or one that is packed already. Null when nothing waits or, unless `all`, when there is
   * no credit. Say with `sent` how many bytes it became.
   */
  take(all = false): readonly Item[] | Uint8Array | null {
    const creditBytes = all ? Infinity : this.#windowBytes - this.#underWayBytes;
    if (this.isEmpty || creditBytes <= 0) return null;
    const budgetBytes = Math.min(batchTargetBytes, creditBytes);
    // Nearly always: all that was sent in this turn is one batch.
    this.#takenBytes = this.#waitingBytes;
    if (this.#head === 0 && this.#packedCount === 0 && this.#waitingBytes <= budgetBytes) {
      const items = this.#entries as Item[];
      this.clear();
      return items;
    }
    this.#takenBytes = this.#sizes[this.#head] ?? 0;
    const first = this.#shift();
    if (isPacked(first)) return first.packed;
    const items: Item[] = [first];
    for (;;) {
      const next = this.#entries[this.#head];
      const nextBytes = this.#takenBytes + (this.#sizes[this.#head] ?? 0);
      if (next === undefined || isPacked(next) || nextBytes > budgetBytes) return items;
      this.#takenBytes = nextBytes;
      items.push(this.#shift() as Item);
    }
  }

  /** About the bytes of what was taken last. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  #shift(): Entry {
    const entry = this.#entries[this.#head] as Entry;
    this.#waitingBytes -= this.#sizes[this.#head] ?? 0;
    this.#entries[this.#head] = undefined;
    this.#head += 1;
    if (isPacked(entry)) this.#packedCount -= 1;
    if (this.isEmpty) {
      this.clear();
    } else if (this.#head > compactFrom && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#sizes = this.#sizes.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** A batch is on its way. */
  sent(sizeBytes: number): void {
    this.#underWayBytes += sizeBytes;
  }

  /** The other side has taken so many bytes. */
  confirmed(sizeBytes: number): void {
    this.#underWayBytes = Math.max(0, this.#underWayBytes - sizeBytes);
  }

  /** Calls `room` when it is time; after `confirmed` and after what waited was sent. */
  reportRoom(): void {
    if (!this.#roomIsAwaited || (this.#underWayBytes + this.#waitingBytes) * 2 > this.#windowBytes) return;
    this.#roomIsAwaited = false;
    this.#events.room();
  }

  /** Forgets what waits. */
  clear(): void {
    this.#entries = [];
    this.#sizes = [];
    this.#head = 0;
    this.#packedCount = 0;
    this.#waitingBytes = 0;
  }
}

function isPacked(entry: Entry): entry is PackedItem {
  return !Array.isArray(entry);
}

function isMessage(entry: Entry): boolean {
  return isPacked(entry) ? entry.isMessage : entry[0] === "message";
}
