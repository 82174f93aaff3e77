/**
 * Host: what the parts of a simulated machine (files, network, carriers) are given to work with.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { FaultSource } from "../faults/fault.ts";
import type { Choices } from "./choices.ts";

/** One line of a run's story. */
export interface StoryLine {
  readonly atMs: Milliseconds;
  /** What or whom it is about: a process, a path, an address. */
  readonly subject: string;
  /** What happened, in the words of the glossary, as the rest of a sentence that begins with the subject. */
  readonly what: string;
}

export interface SimulatedHost extends Choices {
  readonly faults: FaultSource;
  /** Virtual milliseconds since the run began. */
  nowMs(): Milliseconds;
  /** When the calm begins, in which no fault lasts any more; absent: not known. */
  readonly calmFromMs?: Milliseconds;
  /** Runs `fire` after a virtual time; what it returns cancels it. */
  after(delayMs: Milliseconds, fire: () => void): () => void;
  /**
   * An operation that the running process awaits: after `durationMs` of virtual time `perform` runs, and the promise
   * settles with what it gives or throws. Until then the process counts as parked. A process that was ended meanwhile is
   * not resumed; `perform` runs all the same, as on a real machine.
   */
  operate<T>(durationMs: Milliseconds, perform: () => T): Promise<T>;
  /**
   * An operation that the running process awaits until something else happens: a message of another machine, room in a buffer.
   * `start` runs at once and is given what settles the promise, to be called once, now or later; further calls do nothing.
   * Until then the process counts as parked. A process that was ended meanwhile is not resumed.
   */
  waitFor<T>(start: (settle: { resolve(value: T): void; reject(error: unknown): void }) => void): Promise<T>;
  /** Tells the story; kept only where somebody reads it, so `what` is made when it is asked for. */
  tell(subject: string, what: () => string): void;
}
