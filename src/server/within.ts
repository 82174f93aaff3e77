/**
 * Within: a wait for a promise that ends at a time-out, and with the process that waits.
 *
 * Guarantees: an owner that has ended is never resumed, and leaves no timer behind; one that is held by something full
 * (kernel/gate.ts) goes on when there is room. Nothing goes through its mailbox.
 *
 * @module
 */
import { assertMilliseconds, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { timedOut, type AnyProcess, type TimedOut } from "../kernel/process.ts";

/** What `work` gives, or `timedOut`; never resumes an owner that has ended. */
export function within<T>(owner: AnyProcess, work: Promise<T>, timeoutMs: Milliseconds): Promise<T | TimedOut> {
  if (timeoutMs === Infinity) return owner.wait(work);
  const race = new Promise<T | TimedOut>((resolve, reject) => {
    const { timers } = owner.kernel;
    const timer = timers.start(timeoutMs, () => {
      release();
      resolve(timedOut);
    });
    const release = owner.own({ close: () => void timers.cancel(timer) });
    const settle = (proceed: () => void): void => {
      timers.cancel(timer);
      release();
      proceed();
    };
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
  return owner.wait(race);
}

/** The time-out that options name. @throws TypeError, RangeError when they name none, such as a bare number. */
export function timeoutMsOf(
  options: { readonly timeoutMs?: Milliseconds } | undefined,
  defaultMs: Milliseconds,
): Milliseconds {
  if (options === undefined) return defaultMs;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`a time-out is given as { timeoutMs }, not as ${inWords(options)}`);
  }
  const { timeoutMs = defaultMs } = options;
  assertMilliseconds("timeoutMs", timeoutMs);
  return timeoutMs;
}
