/**
 * Interrupt: Ctrl+C while something is waited for ends the waiting, and only that.
 *
 * @module
 */
import type { CliHost, StopSignal } from "./host.ts";

/** An OS signal ended the waiting. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`${signal} ended the waiting`);
    this.signal = signal;
  }
}

/** What `work` settles with. @throws Interrupted when an OS signal comes first; the work goes on unwatched */
export async function interruptible<T>(work: Promise<T>, host: CliHost): Promise<T> {
  let undo: () => void = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    undo = host.onStopSignal((signal) => reject(new Interrupted(signal)));
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    undo();
    work.catch(() => {});
  }
}
