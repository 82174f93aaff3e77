/**
 * Timers: many deadlines on one host timer.
 *
 * Guarantees: nothing fires early; timers fire in the order of their due times (OTP T7), those of one duration
 * in the order in which they were started. Starting and cancelling are O(1) for durations already in use: calls with a timeout
 * start and cancel one each, so timers of one duration share a list that is always in order.
 * Not here: what processes do with them (process-timer.ts, the time-outs of `receive` and of requests).
 *
 * @module
 */
import type { Milliseconds, Platform } from "../base/platform.ts";
import { assertDuration } from "./argument.ts";

/** Lists without a timer that may stand in the heap before they are looked for and dropped. */
const emptyListsMax = 64;

/** A started timer. `list` is null once it has fired or was cancelled. */
export class Timer {
  readonly dueMs: Milliseconds;
  readonly fire: () => void;
  list: TimerList | null;
  previous: Timer | null = null;
  next: Timer | null = null;

  constructor(dueMs: Milliseconds, fire: () => void, list: TimerList) {
    this.dueMs = dueMs;
    this.fire = fire;
    this.list = list;
  }
}

/** Timers of one duration, soonest first, and the key under which the list stands in the heap. */
class TimerList {
  readonly durationMs: Milliseconds;
  first: Timer | null = null;
  last: Timer | null = null;
  /** A lower bound for `first.dueMs`; the list stands in the heap by it. */
  keyMs: Milliseconds = 0;
  inHeap = false;

  constructor(durationMs: Milliseconds) {
    this.durationMs = durationMs;
  }
}

/** All timers of one kernel. */
export class Timers {
  readonly #platform: Platform;
  readonly #lists = new Map<Milliseconds, TimerList>();
  /** Binary heap of lists by `keyMs`. */
  readonly #heap: TimerList[] = [];
  #liveCount = 0;
  /** Lists in the heap whose timers were all cancelled. */
  #emptyCount = 0;
  #armedMs: Milliseconds = Infinity;
  #disarm: (() => void) | null = null;
  #tidyPlanned = false;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** How many durations are kept track of. */
  get listsCount(): number {
    return this.#lists.size;
  }

  /**
   * Runs `fire` once, not before `durationMs` have passed; below 0 counts as 0.
   * @throws RangeError when the duration is not a number.
   */
  start(durationMs: Milliseconds, fire: () => void): Timer {
    // undefined would be compared as NaN, and then no timer of the kernel would be due any more.
    assertDuration(durationMs);
    if (durationMs < 0) return this.start(0, fire);
    let list = this.#lists.get(durationMs);
    if (list === undefined) {
      list = new TimerList(durationMs);
      this.#lists.set(durationMs, list);
    } else if (list.first === null && list.inHeap) {
      this.#emptyCount -= 1;
    }
    const timer = new Timer(this.#platform.clock.monotonicMs() + durationMs, fire, list);
    timer.previous = list.last;
    if (list.last === null) list.first = timer;
    else list.last.next = timer;
    list.last = timer;
    this.#liveCount += 1;
    if (!list.inHeap) this.#push(list, timer.dueMs);
    this.#arm();
    return timer;
  }

  /** The remaining milliseconds, or false when it has fired or was cancelled before (OTP T2, T3). */
  cancel(timer: Timer): Milliseconds | false {
    const remainingMs = this.remaining(timer);
    if (remainingMs === false) return false;
    this.#unlink(timer);
    if (this.#liveCount === 0) this.#planTidy();
    if (this.#emptyCount > emptyListsMax && this.#emptyCount * 2 > this.#heap.length) this.#dropEmpty();
    return remainingMs;
  }

  /** The remaining milliseconds, or false when it has fired or was cancelled (OTP T8). */
  remaining(timer: Timer): Milliseconds | false {
    if (timer.list === null) return false;
    return Math.max(0, Math.ceil(timer.dueMs - this.#platform.clock.monotonicMs()));
  }

  #unlink(timer: Timer): void {
    const list = timer.list;
    if (list === null) return;
    if (timer.previous === null) list.first = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next === null) list.last = timer.previous;
    else timer.next.previous = timer.previous;
    timer.list = null;
    timer.previous = null;
    timer.next = null;
    this.#liveCount -= 1;
    if (list.first === null && list.inHeap) this.#emptyCount += 1;
  }

  /** Durations that were used once must not stay until they would have been due. */
  #dropEmpty(): void {
    const lists = this.#heap.splice(0);
    this.#emptyCount = 0;
    for (const list of lists) {
      if (list.first === null) this.#lists.delete(list.durationMs);
      else this.#push(list, list.keyMs);
    }
  }

  /** An armed host timer would keep an idle program alive; taking it back once per turn costs nothing per call. */
  #planTidy(): void {
    if (this.#tidyPlanned) return;
    this.#tidyPlanned = true;
    this.#platform.scheduling.macrotask(() => {
      this.#tidyPlanned = false;
      if (this.#liveCount > 0) return;
      this.#dropEmpty();
      this.#disarm?.();
      this.#disarm = null;
      this.#armedMs = Infinity;
    });
  }

  #arm(): void {
    const top = this.#heap[0];
    if (top === undefined || this.#liveCount === 0 || top.keyMs >= this.#armedMs) return;
    this.#disarm?.();
    this.#armedMs = top.keyMs;
    const delayMs = Math.max(0, top.keyMs - this.#platform.clock.monotonicMs());
    this.#disarm = this.#platform.clock.timer(delayMs, () => this.#expire());
  }

  #expire(): void {
    this.#disarm = null;
    this.#armedMs = Infinity;
    const nowMs = this.#platform.clock.monotonicMs();
    for (let list = this.#heap[0]; list !== undefined && list.keyMs <= nowMs; list = this.#heap[0]) {
      this.#pop();
      const timer = list.first;
      if (timer === null) {
        this.#emptyCount -= 1;
        this.#lists.delete(list.durationMs);
        continue;
      }
      if (timer.dueMs > list.keyMs) {
        // Its first was cancelled; others may be due before the next one.
        this.#push(list, timer.dueMs);
        continue;
      }
      this.#unlink(timer);
      if (list.first === null) this.#lists.delete(list.durationMs);
      else this.#push(list, list.first.dueMs);
      timer.fire();
    }
    this.#arm();
  }

  #push(list: TimerList, keyMs: Milliseconds): void {
    list.keyMs = keyMs;
    list.inHeap = true;
    const heap = this.#heap;
    let index = heap.length;
    heap.push(list);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || parent.keyMs <= keyMs) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = list;
  }

  #pop(): void {
    const heap = this.#heap;
    const top = heap[0];
    const moved = heap.pop();
    if (top === undefined || moved === undefined) return;
    top.inHeap = false;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      const right = heap[childIndex + 1];
      let child = heap[childIndex];
      if (child === undefined) break;
      if (right !== undefined && right.keyMs < child.keyMs) {
        child = right;
        childIndex += 1;
      }
      if (moved.keyMs <= child.keyMs) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = moved;
  }
}
