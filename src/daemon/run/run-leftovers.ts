/**
 * Run leftovers: what a run leaves behind when its first OS process has ended, and its end.
 *
 * Guarantees: the process group gets an OS signal and `followersMs` to go, as with the command carrier; then whatever
 * still belongs to the run gets SIGKILL, again and again until nothing is left or `killMs` is over, so that one that forks
 * meanwhile does not get away. Without what it takes to look (file descriptors) nothing is known to be gone: then it waits.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../../base/platform.ts";
import type { Member } from "./run-members.ts";

/** How long the group has after the first OS signal, before SIGKILL, in milliseconds. */
export const followersMs: Milliseconds = 2_000;
/** How long SIGKILL may take, in milliseconds; an OS process may hang in a device. */
export const killMs: Milliseconds = 5_000;
/** The pause before a look that the OS refused is tried again, in milliseconds. */
export const lookRefusedMs: Milliseconds = 250;
/** The longest pause between two looks, in milliseconds; the first is 1 ms. */
export const lookPauseMaxMs: Milliseconds = 32;

export interface Leftovers {
  /** What belongs to the run now. */
  readonly look: () => Promise<readonly Member[]>;
  readonly first: NodeJS.Signals;
  /** The number of its process group; undefined when it never had one. */
  readonly group: number | undefined;
  readonly clock: Clock;
}

/** Settles when nothing is left, or nothing more can be done. Gives how many still run. */
export async function stopLeftovers({ look: lookOnce, first, group, clock }: Leftovers): Promise<number> {
  const look = (): Promise<readonly Member[]> => patiently(lookOnce, clock);
  let members = await look();
  if (members.length === 0) return 0;
  const inGroup = (): readonly Member[] => members.filter((member) => member.group === group);
  if (first !== "SIGKILL" && inGroup().length > 0) {
    for (const name of [first, "SIGCONT"]) for (const { osPid } of inGroup()) send(osPid, name);
    await until(followersMs, clock, async () => {
      members = await look();
      return inGroup().length === 0;
    });
  }
  await until(killMs, clock, async () => {
    members = await look();
    for (const { osPid } of members) send(osPid, "SIGKILL");
    return members.length === 0;
  });
  return members.length;
}

/** For as long as it takes: who is not seen may run, and its successor would be the second. */
async function patiently<T>(look: () => Promise<T>, clock: Clock): Promise<T> {
  for (;;) {
    try {
      return await look();
    } catch {
      await new Promise<void>((resolve) => void clock.timer(lookRefusedMs, resolve));
    }
  }
}

async function until(timeoutMs: Milliseconds, clock: Clock, isDone: () => Promise<boolean>): Promise<void> {
  const dueMs = clock.monotonicMs() + timeoutMs;
  for (let pauseMs = 1; !(await isDone()); pauseMs = Math.min(pauseMs * 2, lookPauseMaxMs)) {
    if (clock.monotonicMs() >= dueMs) return;
    await new Promise<void>((resolve) => void clock.timer(pauseMs, resolve));
  }
}

function send(osPid: number, name: string): void {
  try {
    process.kill(osPid, name);
  } catch {
    // It has ended, or is another user's: then it is still there at the last look.
  }
}
