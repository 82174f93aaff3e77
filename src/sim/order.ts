/**
 * Order: the ways in which processes get their turns in a simulated run.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { TurnOrder } from "./machine.ts";
import type { Resident } from "./site.ts";

/** How late a turn may come; most come at once. */
const delaysMs: readonly Milliseconds[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.5, 1, 3, 10];
/** Ranks among turns of one instant. */
const ranksCount = 4;

/** Delays and orders drawn at random, from a stream of each process. */
export function randomOrder(): TurnOrder {
  let rank = 0;
  return {
    delayMs: (resident) => {
      const drawn = resident.turns.choose(delaysMs.length * ranksCount);
      rank = drawn % ranksCount;
      return delaysMs[(drawn - rank) / ranksCount] as Milliseconds;
    },
    rank: () => rank,
  };
}

/** First come, first served. */
export function fifoOrder(): TurnOrder {
  return { delayMs: noDelay, rank: () => 0 };
}

/** Any order: which of the events of one instant is next is a choice of its own. */
export function pickedOrder(pick: (count: number) => number): TurnOrder {
  return { delayMs: noDelay, rank: () => 0, pick: (count) => (count === 1 ? 0 : pick(count)) };
}

/** What gives ranks by priority. */
export interface Priorities {
  rankOf(key: number): number;
  step(key: number): number | undefined;
}

/** The process with the best priority goes first, always. */
export function priorityOrder(priorities: Priorities): TurnOrder {
  const known = new WeakSet<Resident>();
  return {
    delayMs: noDelay,
    rank: (resident) => {
      if (!known.has(resident)) {
        known.add(resident);
        resident.rank = priorities.rankOf(resident.number);
      }
      return resident.rank;
    },
    turned: (resident) => {
      resident.rank = priorities.step(resident.number) ?? resident.rank;
    },
  };
}

function noDelay(): Milliseconds {
  return 0;
}
