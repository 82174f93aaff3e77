/**
 * The order of the ready heap, and what cancelling leaves in it.
 *
 * @module
 */
import { array, assert, boolean, constant, nat, oneof, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { ReadyEntry, ReadyHeap } from "./ready-heap.ts";

type Keys = readonly [timeMs: number, rank: number, sequence: number];

function heapOf(keys: readonly Keys[]): ReadyHeap {
  const heap = new ReadyHeap();
  for (const [timeMs, rank, sequence] of keys) heap.push(new ReadyEntry(timeMs, rank, sequence));
  return heap;
}

function drain(heap: ReadyHeap): Keys[] {
  const keys: Keys[] = [];
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
    keys.push([entry.timeMs, entry.rank, entry.sequence]);
  }
  return keys;
}

/** The order said once more, in the plainest way. */
function inOrder(a: ReadyEntry, b: ReadyEntry): number {
  return a.timeMs - b.timeMs || a.rank - b.rank || a.sequence - b.sequence;
}

describe("a ready heap", () => {
  test("gives nothing when there is nothing", () => {
    const heap = new ReadyHeap();
    expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined]);
  });

  test("orders by time, then rank, then sequence", () => {
    const sorted: Keys[] = [
      [1, 9, 9],
      [2, 0, 7],
      [2, 1, 3],
      [2, 1, 4],
      [2.5, 0, 0],
    ];
    expect(drain(heapOf(sorted.toReversed()))).toEqual(sorted);
  });

  test("looks at the first without taking it", () => {
    const heap = heapOf([
      [2, 0, 0],
      [1, 0, 1],
    ]);
    expect([heap.peek()?.timeMs, heap.peek()?.timeMs, heap.size]).toEqual([1, 1, 2]);
  });

  test("takes an entry again that it has given", () => {
    const heap = heapOf([[1, 0, 0]]);
    const entry = heap.pop();
    if (entry === undefined) throw new Error("the heap is empty");
    entry.timeMs = 5;
    heap.push(entry);
    expect(drain(heap)).toEqual([[5, 0, 0]]);
  });

  test("does not give what was cancelled, neither first nor later", () => {
    const entries = [1, 2, 3, 4].map((timeMs) => new ReadyEntry(timeMs, 0, timeMs));
    const heap = new ReadyHeap();
    for (const entry of entries) heap.push(entry);
    expect(entries.map((entry, at) => at % 2 === 0 && heap.cancel(entry))).toEqual([true, false, true, false]);
    expect([heap.size, heap.peek()?.timeMs]).toEqual([2, 2]);
    expect(drain(heap).map(([timeMs]) => timeMs)).toEqual([2, 4]);
  });

  test("cancels nothing twice, and nothing that was given", () => {
    const heap = new ReadyHeap();
    const entry = new ReadyEntry(1, 0, 0);
    expect(heap.cancel(entry)).toBe(false);
    heap.push(entry);
    expect([heap.cancel(entry), heap.cancel(entry), heap.size, heap.pop()]).toEqual([true, false, 0, undefined]);
    const given = new ReadyEntry(1, 0, 0);
    heap.push(given);
    heap.pop();
    expect([heap.cancel(given), heap.size]).toEqual([false, 0]);
  });

  test("lets go of what was cancelled once it is more than half, whatever its time", () => {
    const heap = new ReadyHeap();
    const entries = Array.from({ length: 1000 }, (_, at) => new ReadyEntry((at * 7) % 1000, 0, at));
    for (const entry of entries) heap.push(entry);
    const cancelled = entries.filter((_, at) => at % 10 !== 0);
    for (const entry of cancelled) heap.cancel(entry);
    expect(heap.size).toBe(100);
    // Of 900 cancelled at most as many as are live, or the 64 that are not worth looking for, still stand in it.
    expect(cancelled.filter(({ queued }) => queued).length).toBeLessThanOrEqual(100);
    expect(drain(heap).map(([timeMs]) => timeMs)).toEqual(Array.from({ length: 100 }, (_, at) => at * 10));
  });

  test("gives what a sorted list gives, whatever is pushed, popped and cancelled", () => {
    const step = oneof(
      { weight: 3, arbitrary: record({ push: constant(true), timeMs: nat(20), rank: nat(3), cancel: boolean() }) },
      { weight: 2, arbitrary: record({ push: constant(false), timeMs: nat(20), rank: nat(3), cancel: boolean() }) },
    );
    assert(
      property(array(step, { maxLength: 400, size: "max" }), (steps) => {
        const heap = new ReadyHeap();
        const model: ReadyEntry[] = [];
        const got: unknown[] = [];
        const want: unknown[] = [];
        for (const [sequence, { push, timeMs, rank, cancel }] of steps.entries()) {
          if (push) {
            const entry = new ReadyEntry(timeMs, rank, sequence);
            heap.push(entry);
            model.push(entry);
            model.sort(inOrder);
          } else if (cancel) {
            const entry = model.splice(timeMs % Math.max(1, model.length), 1)[0];
            got.push(entry !== undefined && heap.cancel(entry));
            want.push(entry !== undefined);
          } else {
            got.push(heap.peek(), heap.pop());
            want.push(model[0], model.shift());
          }
          got.push(heap.size);
          want.push(model.length);
        }
        got.push(...drain(heap));
        want.push(...model.map(({ timeMs, rank, sequence }) => [timeMs, rank, sequence]));
        expect(got).toEqual(want);
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
