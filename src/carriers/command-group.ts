/**
 * Command group: the process group of one command, which its leader and all that it starts belong to.
 *
 * Guarantees: once the group was seen empty, no OS signal is sent to its number again, which may be somebody else's by
 * then. Zombies do not count as members: where nobody reaps orphans they stay for ever.
 * Limit: a program that leaves the group (setsid, setpgid) is not seen and not stopped.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../base/platform.ts";
import { groupMembers } from "../os/process-sample.ts";

/** The longest pause between two looks at a group that is ending, in milliseconds; the first is 1 ms. */
export const groupPollMaxMs: Milliseconds = 32;

export class CommandGroup {
  /** The group's number: the OS process id of its leader. */
  readonly #id: number;
  readonly #clock: Clock;
  /** The leader was reaped: its number stays taken only as long as the group has other members. */
  #leaderGone = false;
  #empty = false;

  constructor(leader: number, clock: Clock) {
    this.#id = leader;
    this.#clock = clock;
  }

  /** Called when Node says that the leader has ended. */
  leaderEnded(): void {
    this.#leaderGone = true;
  }

  /** Sends an OS signal to all members. False when it was refused: the members run as another user. */
  signal(name: NodeJS.Signals): boolean {
    if (this.isEmpty()) return true;
    return tryKill(this.#id, name) !== "refused";
  }

  /** Whether nothing in the group runs any more. */
  isEmpty(): boolean {
    if (!this.#leaderGone || this.#empty) return this.#empty;
    this.#empty = tryKill(this.#id, 0) === "absent" || !this.hasLivingMember();
    return this.#empty;
  }

  /** Whether a member runs, also before Node has said that the leader ended. Where that cannot be seen: true. */
  hasLivingMember(): boolean {
    return process.platform !== "linux" || groupMembers(this.#id).length > 0;
  }

  /** Waits until the group is empty, at most `timeoutMs`. Gives whether it is. */
  async waitUntilEmpty(timeoutMs: Milliseconds): Promise<boolean> {
    const dueMs = this.#clock.monotonicMs() + timeoutMs;
    for (let pauseMs = 1; !this.isEmpty(); pauseMs = Math.min(pauseMs * 2, groupPollMaxMs)) {
      if (this.#clock.monotonicMs() >= dueMs) return false;
      await new Promise<void>((resolve) => void this.#clock.timer(pauseMs, resolve));
    }
    return true;
  }
}

/** kill(2) on a group; `0` only asks. Zombies count there, so "sent" does not mean that something lives. */
function tryKill(group: number, signal: NodeJS.Signals | 0): "sent" | "absent" | "refused" {
  try {
    process.kill(-group, signal);
    return "sent";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? "absent" : "refused";
  }
}
