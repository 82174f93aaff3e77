/**
 * Run signal: OS signals to a run.
 *
 * Guarantees: an OS signal goes only to an OS process whose pid and start ticks are those of the run, or that is in its group, or has
 * its mark.
 * Limits: between that look and kill(2) a pid could in theory become somebody else's; Linux has a remedy (pidfd), Node has none.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { isSurelyAlive } from "../os-identity.ts";
import { ownerOf, type ActiveRun } from "./active-run.ts";
import type { Look, Member, RunMembers } from "./run-members.ts";

/** To its process group; nothing happens when it has ended. */
export function signalRun({ identity, phase }: ActiveRun, name: string): void {
  if (identity === undefined || phase !== "running" || !isSurelyAlive(identity)) return;
  if (sendTo(-identity.osPid, name) === "absent") sendTo(identity.osPid, name);
}

/** SIGKILL to everything that belongs to it; to one that has not begun as soon as it has. */
export function killRun(run: ActiveRun, members: RunMembers): void {
  if (run.phase === "ended") return;
  run.isKilled = true;
  signalRun(run, "SIGKILL");
  if (run.record.cgroup !== undefined) killCgroup(run.record.cgroup);
  // Those that cannot be seen now get theirs when the end is taken in.
  for (const { osPid } of membersSeen(() => members.lookNow(), run)) sendTo(osPid, "SIGKILL");
}

/** Nobody, when this OS process is short of what it takes to look. */
export function membersSeen(look: () => Look, run: ActiveRun): readonly Member[] {
  try {
    return look().membersOf(ownerOf(run));
  } catch {
    return [];
  }
}

/** SIGKILL to everything in it at once, so that nothing forks away; since Linux 5.14. */
function killCgroup(cgroup: string): void {
  try {
    writeFileSync(`${cgroup}/cgroup.kill`, "1");
  } catch {
    // Then its members get theirs one by one.
  }
}

/** kill(2); a negative pid is a group. */
export function sendTo(osPid: number, name: string): "sent" | "absent" | "refused" {
  try {
    process.kill(osPid, name);
    return "sent";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? "absent" : "refused";
  }
}
