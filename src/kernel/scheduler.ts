/**
 * Scheduler: the order in which processes run, and when the host gets its turn.
 *
 * Guarantees: woken processes run first come, first served. New processes of one parent begin in the order in which they
 * were spawned, and what they spawn begins before their younger siblings: a tree of a million short processes is walked
 * in depth, not held in memory at once. Neither kind starves the other (`freshPerWoken`), and once per turn the new process
 * that stands deepest begins, so that an endless line of descendants starves nobody. After `turnCredit` steps or `sliceMs`
 * milliseconds control returns to the host's event loop, so timers and I/O never starve, however busy the processes are.
 * The fast path: a process that waits in `receive` is resumed by its sender through a microtask, without a trip through
 * this queue, as long as the turn has credit.
 * Not here: what a step does (kernel.ts).
 *
 * @module
 */
import type { Milliseconds, Platform } from "../base/platform.ts";
import type { AnyProcess } from "./process.ts";
import type { PendingReply } from "./request.ts";

/** Steps per turn of the host's event loop. */
export const turnCredit = 8192;
/** Milliseconds per turn of the host's event loop; checked every `clockEvery` steps, so one long step exceeds it. */
export const sliceMs: Milliseconds = 4;
/** Steps between two looks at the clock; a power of two. */
const clockEvery = 64;
/** Steps after which bodies that were resumed run on (in microtasks) before more steps are taken: keeps little in flight. */
const stepsPerDrain = 64;
/** New processes that may begin before a woken one gets its turn. */
const freshPerWoken = 16;

/** Who gives processes their turns: the scheduler, or a simulator in its place. */
export interface Turns {
  /** Takes one step of this turn's credit; false when the step must wait in the queue. `nested`: on its caller's stack. */
  spend(nested?: boolean): boolean;
  /** Runs `task` in a later turn. */
  nextTurn(task: () => void): void;
  /** Puts `process`, which is not queued, in line and marks it as queued. */
  enqueue(process: AnyProcess): void;
  /** The same for a new process. */
  begin(process: AnyProcess): void;
  /** A process awaits this reply: a simulator makes what comes of it a turn of its own. The scheduler has no use for it. */
  asks?(pending: PendingReply): void;
}

export class Scheduler implements Turns {
  readonly #platform: Platform;
  readonly #step: (process: AnyProcess) => void;
  #queue: (AnyProcess | undefined)[] = [];
  #head = 0;
  /** What each step spawned, the next to begin last, in lists and in processes; below `#freshBottom` all have begun. */
  readonly #fresh: (AnyProcess[] | undefined)[] = [];
  #freshBottom = 0;
  /** Once per turn it is the deepest one's turn. */
  #deepestDue = false;
  /** Spawned since the last step, the next one first. */
  #batch: AnyProcess[] = [];
  #freshInRow = 0;
  #credit = turnCredit;
  #turnStartMs: Milliseconds;
  #planned = false;
  readonly #pump = (): void => this.#drain();
  readonly #pumpTurn = (): void => {
    this.#startTurn();
    this.#drain();
  };

  constructor(platform: Platform, step: (process: AnyProcess) => void) {
    this.#platform = platform;
    this.#step = step;
    this.#turnStartMs = platform.clock.monotonicMs();
  }

  /** Takes one step of this turn's credit; false when the turn is over and the step must wait in the queue. */
  spend(): boolean {
    if (this.#credit <= 0) return false;
    this.#credit -= 1;
    if ((this.#credit & (clockEvery - 1)) === 0) this.#checkClock();
    return true;
  }

  /** Runs `task` in the host's next turn: for what would otherwise happen again and again without a step. */
  nextTurn(task: () => void): void {
    this.#platform.scheduling.macrotask(() => {
      this.#startTurn();
      task();
    });
  }

  /** Puts `process` at the end of the queue; it must not be in it. */
  enqueue(process: AnyProcess): void {
    process.queued = true;
    this.#queue.push(process);
    if (!this.#planned) this.#plan();
  }

  /** Puts a new process in line. */
  begin(process: AnyProcess): void {
    process.queued = true;
    this.#batch.push(process);
    if (!this.#planned) this.#plan();
  }

  #startTurn(): void {
    this.#credit = turnCredit;
    this.#turnStartMs = this.#platform.clock.monotonicMs();
    this.#deepestDue = true;
  }

  #checkClock(): void {
    if (this.#platform.clock.monotonicMs() - this.#turnStartMs > sliceMs) this.#credit = 0;
  }

  #plan(): void {
    this.#planned = true;
    if (this.#credit > 0) this.#platform.scheduling.microtask(this.#pump);
    else this.#platform.scheduling.macrotask(this.#pumpTurn);
  }

  #drain(): void {
    for (let steps = 0; steps < stepsPerDrain && this.spend(); steps += 1) {
      const process = this.#next();
      if (process === undefined) {
        this.#planned = false;
        return;
      }
      process.queued = false;
      this.#step(process);
    }
    this.#plan();
  }

  #next(): AnyProcess | undefined {
    const wokenWaits = this.#head < this.#queue.length;
    const isFreshDue = !wokenWaits || this.#freshInRow < freshPerWoken;
    const spawnedCount = this.#batch.length;
    if (spawnedCount === 1 && isFreshDue && this.#fresh.length === 0) {
      this.#freshInRow += 1;
      return this.#batch.pop();
    }
    if (spawnedCount > 0) {
      this.#fresh.push(spawnedCount === 1 ? this.#batch : this.#batch.toReversed());
      this.#batch = [];
    }
    if (isFreshDue && this.#fresh.length > 0) {
      this.#freshInRow += 1;
      return this.#nextFresh();
    }
    this.#freshInRow = 0;
    return wokenWaits ? this.#nextWoken() : undefined;
  }

  #nextFresh(): AnyProcess | undefined {
    const place = this.#deepestDue ? this.#freshBottom : this.#fresh.length - 1;
    this.#deepestDue = false;
    const list = this.#fresh[place];
    const process = list?.pop();
    if (list === undefined || list.length > 0) return process;
    if (place === this.#fresh.length - 1) {
      this.#fresh.pop();
    } else {
      this.#fresh[place] = undefined;
      this.#freshBottom += 1;
    }
    if (this.#fresh.length === this.#freshBottom) {
      this.#fresh.length = 0;
      this.#freshBottom = 0;
    }
    return process;
  }

  #nextWoken(): AnyProcess | undefined {
    const process = this.#queue[this.#head];
    this.#queue[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head > turnCredit) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return process;
  }
}
