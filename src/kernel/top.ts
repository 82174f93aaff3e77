/**
 * Top: the processes of a kernel that have most of something, and the list and the tree of them all.
 *
 * Guarantees: goes through the processes in slices (walk.ts) and keeps no more than it is asked for, so that it stops
 * nobody; what ends meanwhile is left out.
 * Not here: other kernels (introspection.ts).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { memoryOf, queueLengthOf } from "./inspect.ts";
import type { Kernel } from "./kernel.ts";
import { observerOf, type Window } from "./observer.ts";
import type { AnyPid } from "./pid.ts";
import { labelOf, type AnyProcess } from "./process.ts";
import { walk } from "./walk.ts";

/** What processes can be ranked by; the last three need work to be counted. */
export const topCriteria = ["memory", "queue", "messages", "turns", "time"] as const;
/** One of `topCriteria`. */
export type TopBy = (typeof topCriteria)[number];

/** One process of a ranking. */
export interface TopEntry {
  readonly pid: AnyPid;
  readonly name: string | undefined;
  readonly label: string | undefined;
  readonly parent: AnyPid | undefined;
  /** What it was ranked by: bytes, messages, turns, or milliseconds. */
  readonly value: number;
}

/** A process in a list or tree. */
export interface Member {
  readonly pid: AnyPid;
  readonly parent: AnyPid | undefined;
  readonly name: string | undefined;
  readonly label: string | undefined;
}

/** Whether ranking by this needs a window. */
export function needsWork(by: TopBy): boolean {
  return by === "messages" || by === "turns" || by === "time";
}

/**
 * The `count` processes with most, the one with most first. What is counted is what was done in the `windowMs` from now,
 * or, when work is counted anyway (`countWork`) and `windowMs` is undefined, since then.
 */
export async function topOf(
  kernel: Kernel,
  count: number,
  by: TopBy,
  windowMs: Milliseconds | undefined,
): Promise<TopEntry[]> {
  if (!needsWork(by)) return rank(kernel, count, by === "memory" ? memoryOf : queueLengthOf);
  const standing = windowMs === undefined ? kernel.observer?.standing : undefined;
  if (standing != null) return rank(kernel, count, measureOf(standing, by));
  const window = observerOf(kernel).openWindow();
  try {
    await new Promise<void>((resolve) => void kernel.timers.start(windowMs ?? windowMsDefault, resolve));
    return await rank(kernel, count, measureOf(window, by));
  } finally {
    kernel.observer?.closeWindow(window);
  }
}

/** Milliseconds that work is counted for a ranking, when it is not counted anyway. */
export const windowMsDefault: Milliseconds = 1000;

function measureOf(window: Window, by: TopBy): (process: AnyProcess) => number {
  if (by === "time") return (process) => window.find(process)?.timeMs ?? 0;
  if (by === "turns") return (process) => window.find(process)?.turnsCount ?? 0;
  return (process) => window.find(process)?.messagesCount ?? 0;
}

async function rank(kernel: Kernel, count: number, measure: (process: AnyProcess) => number): Promise<TopEntry[]> {
  const heap = new Heap(count);
  await walk(kernel, (process) => heap.offer(process, measure(process)));
  return heap.ranked().flatMap(({ process, value }) => {
    if (process.stage === "dead") return [];
    return [{ ...memberOf(process), value }];
  });
}

/** Up to `countMax` processes of the kernel, the youngest first, and how many there are in all. */
export async function membersOf(
  kernel: Kernel,
  countMax: number,
): Promise<{ readonly members: Member[]; readonly processesCount: number }> {
  const members: Member[] = [];
  let processesCount = 0;
  await walk(kernel, (process) => {
    processesCount += 1;
    if (members.length < countMax) members.push(memberOf(process));
  });
  return { members, processesCount };
}

function memberOf(process: AnyProcess): Member {
  return { pid: process.pid, parent: process.parent, name: process.extra?.name, label: labelOf(process) };
}

interface Ranked {
  readonly process: AnyProcess;
  readonly value: number;
}

/** A binary heap of the `countMax` largest, the smallest of them on top; of equals the first stays. */
class Heap {
  readonly #countMax: number;
  readonly #items: Ranked[] = [];

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  offer(process: AnyProcess, value: number): void {
    const items = this.#items;
    if (items.length < this.#countMax) {
      items.push({ process, value });
      this.#rise(items.length - 1);
    } else if (items.length > 0 && value > (items[0] as Ranked).value) {
      items[0] = { process, value };
      this.#sink();
    }
  }

  /** Largest first. */
  ranked(): Ranked[] {
    return this.#items.toSorted((one, other) => other.value - one.value);
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#value(parent) <= this.#value(index)) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.#items.length) return;
      if (child + 1 < this.#items.length && this.#value(child + 1) < this.#value(child)) child += 1;
      if (this.#value(index) <= this.#value(child)) return;
      this.#swap(index, child);
      index = child;
    }
  }

  #value(index: number): number {
    return (this.#items[index] as Ranked).value;
  }

  #swap(one: number, other: number): void {
    const moved = this.#items[one] as Ranked;
    this.#items[one] = this.#items[other] as Ranked;
    this.#items[other] = moved;
  }
}
