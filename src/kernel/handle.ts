/**
 * Handle: something outside the kernel (a socket, a file, an OS process) that is closed when the process that owns it ends.
 *
 * Guarantees: whatever ends the process, its handles are closed, last opened first, on its own account, and its exit signals
 * wait for that: who restarts it never meets what it held. One that takes longer than `handleCloseMs` is reported and not
 * waited for any more.
 * It stands for Erlang's ports, which belong to a process in the same way.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { isThenable } from "../base/thenable.ts";
import { describeReason } from "./exit-reason.ts";
import { nameOf, type AnyProcess } from "./process.ts";

/** How long handles of an ended process may take to close before its exit signals go out anyway, in milliseconds. */
export const handleCloseMs: Milliseconds = 5000;

/** Something the kernel closes when its owner ends, whatever ends it. */
export interface Handle {
  /** Must not throw. A promise delays the exit signals until it settles, at most `handleCloseMs`. */
  close(): void | PromiseLike<void>;
}

/** @internal Closes what an ended process owns; what it returns settles when that has been done. Null when it has. */
export function closeHandles(process: AnyProcess): Promise<void> | null {
  const handles = process.extra?.handles ?? null;
  if (handles === null || handles.size === 0) return null;
  const { platform } = process.kernel;
  const closing: Promise<unknown>[] = [];
  const failed = (thrown: unknown): void =>
    platform.log("error", `a handle of ${nameOf(process)} failed to close: ${describeReason(thrown)}`);
  for (const handle of [...handles].toReversed()) {
    try {
      const work = platform.strays.run(process, () => handle.close());
      if (isThenable(work)) closing.push(Promise.resolve(work).catch(failed));
    } catch (thrown) {
      failed(thrown);
    }
  }
  handles.clear();
  return closing.length === 0 ? null : inTime(process, Promise.all(closing));
}

function inTime(process: AnyProcess, closed: Promise<unknown>): Promise<void> {
  const { timers, platform } = process.kernel;
  return new Promise((resolve) => {
    const timer = timers.start(handleCloseMs, () => {
      const report = `${nameOf(process)} has ended, but what it held is still open after ${handleCloseMs} ms`;
      platform.log("error", report);
      resolve();
    });
    void closed.then(() => {
      timers.cancel(timer);
      resolve();
    });
  });
}
