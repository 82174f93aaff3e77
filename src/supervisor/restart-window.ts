/**
 * Restart window: how many restarts happened lately, and how long to wait before the next.
 *
 * Guarantees: the window slides by milliseconds (S14; OTP counts whole seconds, so that two crashes 1.2 s apart still
 * count together with a period of 1); the delay depends on the child's own history only.
 *
 * @module
 */
import type { Backoff } from "./child-spec.ts";

export class RestartWindow {
  readonly #maxRestarts: number;
  readonly #periodMs: number;
  /** When restarts happened, oldest first; never more than `maxRestarts + 1`. */
  #timesMs: number[] = [];

  constructor(maxRestarts: number, periodMs: number) {
    this.#maxRestarts = maxRestarts;
    this.#periodMs = periodMs;
  }

  /** Counts a restart; false when it is one too many (S13). */
  allows(nowMs: number): boolean {
    if (this.#maxRestarts === Infinity) return true;
    this.#timesMs = this.#timesMs.filter((timeMs) => nowMs - timeMs <= this.#periodMs);
    this.#timesMs.push(nowMs);
    return this.#timesMs.length <= this.#maxRestarts;
  }
}

/**
 * Milliseconds before restart number `attempt` (0 is the first) of a row without health in between.
 * `draw` is a random number in [0, 1).
 */
export function backoffDelay(backoff: Backoff, attempt: number, draw: number): number {
  // Not by the formula: 0 times an infinite growth is not a number.
  if (backoff.initialMs === 0) return 0;
  const fullMs = Math.min(backoff.maxMs, backoff.initialMs * backoff.factor ** Math.min(attempt, 1000));
  return Math.round(fullMs * (1 - backoff.jitter + backoff.jitter * draw));
}
