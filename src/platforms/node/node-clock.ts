/**
 * Node clock: time and timers on Node.js, without anything else of the platform, so that a short command loads little.
 *
 * Guarantees: a timer never fires early and may be longer than Node's own limit.
 * Limit: the clock stands still while the machine is suspended.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../../base/platform.ts";

/** The longest delay Node's timers take, in milliseconds; a longer one would fire at once. */
export const hostTimerMaxMs: number = 2 ** 31 - 1;

/** The clock of this OS process. */
export const nodeClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  timer(delayMs, fire) {
    const dueMs = performance.now() + Math.max(0, delayMs);
    let handle: NodeJS.Timeout;
    // libuv counts whole milliseconds and can be up to one early; Node cuts delays over its limit to 1 ms.
    const arm = (remainingMs: Milliseconds): void => {
      handle = setTimeout(elapsed, Math.min(Math.ceil(remainingMs), hostTimerMaxMs));
    };
    const elapsed = (): void => {
      const remainingMs = dueMs - performance.now();
      if (remainingMs > 0) arm(remainingMs);
      else fire();
    };
    arm(dueMs - performance.now());
    return () => clearTimeout(handle);
  },
};
