/**
 * Wall clock: the time of day on top of a monotonic clock, for a machine whose clock is stepped (`clock-step`) and that sleeps
 * (`suspend`).
 *
 * Guarantees: neither a step nor a sleep touches the monotonic clock, which stands still while the machine sleeps, as Node's
 * does on Linux: what was to last so long still lasts so long, and a deadline by the wall clock has passed meanwhile. The boot
 * clock counts sleeps, ignores steps, and never goes back. The wall clock stays within what a `Date` can say.
 * Not here: when the clock is stepped (the plan), and clocks that run at a wrong rate.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";

/** The latest instant of a `Date`, in milliseconds since 1970; the earliest here is 1970 itself. */
export const wallMaxMs: Milliseconds = 8.64e15;
/** Changes that are remembered one by one; older ones are remembered as one. */
export const clockChangesMax = 1_000;

/** Something that set the wall clock apart from the monotonic one. */
export interface ClockChange {
  readonly kind: "step" | "sleep";
  /** The monotonic time at which it happened. */
  readonly atMs: Milliseconds;
  /** By how much the wall clock went on without the monotonic one; negative: back. */
  readonly byMs: Milliseconds;
}

export class WallClock {
  readonly #monotonicMs: () => Milliseconds;
  /** The wall clock less the monotonic one, before the changes that are remembered. */
  #baseMs: Milliseconds;
  /** The same, now: clocks are read more often than stepped. */
  #aheadMs: Milliseconds;
  #changes: ClockChange[] = [];
  #steppedMs: Milliseconds = 0;
  #sleptMs: Milliseconds = 0;

  /** `startMs`: the wall clock now, in milliseconds since 1970. @throws RangeError when no `Date` can say that. */
  constructor(monotonicMs: () => Milliseconds, startMs: Milliseconds) {
    if (!(startMs >= 0 && startMs <= wallMaxMs))
      throw new RangeError(`a wall clock starts between 0 and ${wallMaxMs} ms after 1970, not at ${startMs}`);
    this.#monotonicMs = monotonicMs;
    this.#baseMs = startMs - monotonicMs();
    this.#aheadMs = this.#baseMs;
  }

  /** The time of day, in milliseconds since 1970. */
  wallMs(): Milliseconds {
    return this.#aheadMs + this.#monotonicMs();
  }

  /** The monotonic time with all sleeps. */
  bootMs(): Milliseconds {
    return this.#monotonicMs() + this.#sleptMs;
  }

  /** What the wall clock showed at a monotonic time; before the oldest remembered change: as if none had been before it. */
  wallAtMs(monotonicMs: Milliseconds): Milliseconds {
    const before = this.#changes.filter(({ atMs }) => atMs <= monotonicMs);
    return this.#baseMs + monotonicMs + before.reduce((sumMs, { byMs }) => sumMs + byMs, 0);
  }

  /** By how much the clock was stepped, in all. */
  get steppedMs(): Milliseconds {
    return this.#steppedMs;
  }

  /** How long the machine has slept, in all. */
  get sleptMs(): Milliseconds {
    return this.#sleptMs;
  }

  /** What happened, oldest first; at most `clockChangesMax`. */
  get changes(): readonly ClockChange[] {
    return this.#changes;
  }

  /** Sets the clock forward, or back when `byMs` is negative; not beyond what a `Date` can say. */
  step(byMs: Milliseconds): void {
    if (!Number.isFinite(byMs)) throw new RangeError(`a clock is stepped by a number of milliseconds, not ${byMs}`);
    const nowMs = this.wallMs();
    const steppedMs = Math.min(Math.max(nowMs + byMs, 0), wallMaxMs) - nowMs;
    this.#steppedMs += steppedMs;
    this.#change({ kind: "step", atMs: this.#monotonicMs(), byMs: steppedMs });
  }

  /** The machine sleeps, and wakes `durationMs` later by the wall clock, at the same monotonic time. */
  sleep(durationMs: Milliseconds): void {
    if (!(Number.isFinite(durationMs) && durationMs >= 0))
      throw new RangeError(`a machine sleeps for a number of milliseconds from 0 on, not ${durationMs}`);
    const sleptMs = Math.min(durationMs, wallMaxMs - this.wallMs());
    this.#sleptMs += sleptMs;
    this.#change({ kind: "sleep", atMs: this.#monotonicMs(), byMs: sleptMs });
  }

  #change(change: ClockChange): void {
    this.#aheadMs += change.byMs;
    this.#changes.push(change);
    if (this.#changes.length > clockChangesMax) this.#baseMs += (this.#changes.shift() as ClockChange).byMs;
  }
}
