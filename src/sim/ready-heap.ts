/**
 * Ready heap: the events of a simulated run that have not happened yet, the next one first.
 *
 * Guarantees: events come out by time, those of one time by rank, those of one rank by sequence; with distinct sequences
 * the order is total, so it does not depend on how the heap was filled. Pushing and popping are O(log n), cancelling is
 * O(1): a cancelled event stays where it is until it is reached, or until the cancelled are more than half of all.
 * Not here: what an event does, who gives times, ranks and sequences.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";

/** Cancelled entries that are not worth looking for. */
const cancelledMin = 64;

/**
 * What stands in the heap. A run extends it with one class of its own: entries of one shape are what the heap is quick with.
 * The keys stay as they are while the entry is in the heap. Whole numbers below 2^31 are compared fastest.
 */
export class ReadyEntry {
  timeMs: Milliseconds;
  rank: number;
  sequence: number;
  /** Never comes out; set by `ReadyHeap.cancel`. */
  cancelled = false;
  /** In the heap; set by the heap. */
  queued = false;

  constructor(timeMs: Milliseconds, rank: number, sequence: number) {
    this.timeMs = timeMs;
    this.rank = rank;
    this.sequence = sequence;
  }
}

/** Entries, the least of (time, rank, sequence) first. */
export class ReadyHeap<Entry extends ReadyEntry = ReadyEntry> {
  #entries: Entry[] = [];
  #cancelledCount = 0;

  /** Entries that will come out. */
  get size(): number {
    return this.#entries.length - this.#cancelledCount;
  }

  /** Takes an entry that is not in the heap: a new one, or one that was popped. Never one that was cancelled. */
  push(entry: Entry): void {
    const entries = this.#entries;
    entry.queued = true;
    entries.push(entry);
    rise(entries, entries.length - 1, entry);
  }

  /** Takes the least entry out; undefined when there is none. */
  pop(): Entry | undefined {
    for (;;) {
      const entry = this.#take();
      if (entry === undefined || !entry.cancelled) return entry;
      this.#cancelledCount -= 1;
    }
  }

  /** The entry that `pop` would give, left where it is. */
  peek(): Entry | undefined {
    for (;;) {
      const entry = this.#entries[0];
      if (entry === undefined || !entry.cancelled) return entry;
      this.#take();
      this.#cancelledCount -= 1;
    }
  }

  /** The entry does not come out any more. One that has come out already, or was cancelled before, stays as it is: false. */
  cancel(entry: Entry): boolean {
    if (!entry.queued || entry.cancelled) return false;
    entry.cancelled = true;
    this.#cancelledCount += 1;
    // Timeouts far ahead are mostly cancelled; without this they would pile up until their time comes.
    if (this.#cancelledCount > cancelledMin && this.#cancelledCount * 2 > this.#entries.length) this.#compact();
    return true;
  }

  #take(): Entry | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || last === undefined) return undefined;
    if (first !== last) sink(entries, 0, last);
    first.queued = false;
    return first;
  }

  #compact(): void {
    const live: Entry[] = [];
    for (const entry of this.#entries) {
      if (entry.cancelled) entry.queued = false;
      else live.push(entry);
    }
    for (let index = (live.length >> 1) - 1; index >= 0; index -= 1) {
      const entry = live[index];
      if (entry !== undefined) sink(live, index, entry);
    }
    this.#entries = live;
    this.#cancelledCount = 0;
  }
}

function isBefore(a: ReadyEntry, b: ReadyEntry): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  if (a.rank !== b.rank) return a.rank < b.rank;
  return a.sequence < b.sequence;
}

/** Puts `entry` at `index` or, while it comes before what is above, higher up. */
function rise<Entry extends ReadyEntry>(entries: Entry[], from: number, entry: Entry): void {
  let index = from;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = entries[above];
    if (parent === undefined || !isBefore(entry, parent)) break;
    entries[index] = parent;
    index = above;
  }
  entries[index] = entry;
}

/** Puts `entry` at `index` or, while what is below comes before it, lower down. */
function sink<Entry extends ReadyEntry>(entries: Entry[], from: number, entry: Entry): void {
  const { length } = entries;
  let index = from;
  for (let below = 2 * index + 1; below < length; below = 2 * index + 1) {
    let child = entries[below];
    if (child === undefined) break;
    const right = below + 1 < length ? entries[below + 1] : undefined;
    if (right !== undefined && isBefore(right, child)) {
      child = right;
      below += 1;
    }
    if (!isBefore(child, entry)) break;
    entries[index] = child;
    index = below;
  }
  entries[index] = entry;
}
