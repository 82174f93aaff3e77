/**
 * PCT: priorities of processes, drawn so that rare orders are found with a known probability (Burckhardt, Kothari,
 * Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, 2010).
 *
 * Every process has a priority of its own, drawn when it is created; the process of the best priority that can go on always does. At
 * depth − 1 points among the expected steps, the process that has just made a step falls behind all others.
 * Guarantee: where a failure needs `depth` constraints on the order of steps, each run of n processes and k steps finds it
 * with a probability of at least 1 / (n · k^(depth − 1)).
 * Every decision is a choice: without any, processes go in the order of their creation and none falls behind.
 * Not here: who can go on, and that the best of them does (order.ts).
 *
 * @module
 */
import type { Choices, Stream } from "./choices.ts";

/** Places for which a new process draws; of those that draw the same, the older is better. */
const placesCount = 2 ** 20;
/** Worse than the rank of every process that has not fallen behind. */
const behindAll = 2 ** 42;

export interface PctOptions {
  /** Constraints on the order of steps that a failure may need; from 1. */
  readonly depth: number;
  /** Steps that a run is expected to make; none falls behind later. Fewer than that are made: the guarantee is that of this number. */
  readonly steps: number;
}

/** The priorities of one run's processes, as ranks: the smallest goes first. */
export class PctPriorities {
  readonly #places: Stream;
  /** After which step a process falls behind; 0 for never. */
  readonly #changes: readonly number[];
  #createdCount = 0;
  #stepsCount = 0;

  /** RangeError for a depth or a number of steps that is not a whole one from 1. */
  constructor(choices: Choices, { depth, steps }: PctOptions) {
    assertCount("depth", depth);
    assertCount("steps", steps);
    this.#places = choices.stream("pct.rank");
    const changes = choices.stream("pct.change");
    // To fall behind after the last step changes nothing, so 0 can stand for that and the probability stays 1 / steps.
    this.#changes = Array.from({ length: depth - 1 }, () => changes.choose(steps));
  }

  /** The rank of the next process that is created; no two are equal. */
  rankOf(): number {
    const rank = this.#places.choose(placesCount) * placesCount + this.#createdCount;
    this.#createdCount += 1;
    return rank;
  }

  /** A process has made a step. What it gives is that process's rank from now on; undefined: it stays as it was. */
  step(): number | undefined {
    this.#stepsCount += 1;
    // Which of two that fall behind is the better is decided by the points, not by time; some failures need either.
    const change = this.#changes.lastIndexOf(this.#stepsCount);
    return change < 0 ? undefined : behindAll + change;
  }
}

function assertCount(name: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 1) return;
  throw new RangeError(`${name} of pct is a whole number of at least 1, not ${count}`);
}
