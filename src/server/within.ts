/**
 * Within: a wait for a promise that ends at a time-out, and with the process that waits.
 *
 * Guarantees: an owner that has ended is never resumed, and leaves no timer behind. Nothing goes through its mailbox.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { timedOut, type AnyProcess, type TimedOut } from "../kernel/process.ts";

/** What `work` gives, or `timedOut`; never resumes an owner that has ended. */
export function within<T>(owner: AnyProcess, work: Promise<T>, timeoutMs: Milliseconds): Promise<T | TimedOut> {
  if (timeoutMs === Infinity) return owner.wait(work);
  return new Promise((resolve, reject) => {
    const { timers } = owner.kernel;
    const timer = timers.start(timeoutMs, () => {
      release();
      resolve(timedOut);
    });
    const release = owner.own({ close: () => void timers.cancel(timer) });
    const settle = (proceed: () => void): void => {
      timers.cancel(timer);
      if (!owner.isAlive(owner.pid)) return;
      release();
      proceed();
    };
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
