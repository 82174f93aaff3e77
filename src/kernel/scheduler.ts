/**
 * Scheduler: the order in which processes run, and when the host gets its turn.
 *
 * Guarantees: woken processes run first come, first served. New processes of one parent begin in the order in which they
 * were spawned, and what they spawn begins before their younger siblings: a tree of a million short processes is walked
 * in depth, not held in memory at once. Neither kind starves the other (`freshPerWoken`). After `turnCredit` steps or `sliceMs` milliseconds control returns to the host's
 * event loop, so timers and I/O never starve, however busy the processes are.
 * The fast path: a process that waits in `receive` is resumed by its sender through a microtask, without a trip through
 * this queue, as long as the turn has credit.
 * Not here: what a step does (kernel.ts).
 *
 * @module
 */
import type { Milliseconds, Platform } from "../base/platform.ts";
import type { AnyProcess } from "./process.ts";

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

export class Scheduler {
  readonly #platform: Platform;
  readonly #step: (process: AnyProcess) => void;
  #queue: (AnyProcess | undefined)[] = [];
  #head = 0;
  /** New processes, the next one last. */
  readonly #fresh: AnyProcess[] = [];
  /** Spawned since the last step, the next one first. */
  readonly #batch: AnyProcess[] = [];
  #freshInRow = 0;
  #credit = turnCredit;
  #turnStartMs: Milliseconds;
  #planned = false;
  readonly #pump = (): void => this.#drain();
  readonly #pumpTurn = (): void => {
    this.#credit = turnCredit;
    this.#turnStartMs = this.#platform.clock.monotonicMs();
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
    while (this.#batch.length > 0) this.#fresh.push(this.#batch.pop() as AnyProcess);
    const wokenWaits = this.#head < this.#queue.length;
    if (this.#fresh.length > 0 && (!wokenWaits || this.#freshInRow < freshPerWoken)) {
      this.#freshInRow += 1;
      return this.#fresh.pop();
    }
    this.#freshInRow = 0;
    return wokenWaits ? this.#nextWoken() : undefined;
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
