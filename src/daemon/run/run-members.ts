/**
 * Run members: the OS processes that belong to a run: its process group, and whatever has its mark (COLOS_RUN and COLOS_HOME) in its
 * environment, also when it has left group and session (a double fork).
 *
 * Guarantees: an OS process that has a member's pid later is no member. An environment is read once for each OS process.
 * Limits: Linux only. Not seen: an OS process outside the group that runs as another user (unless we are root), that was
 * started with a cleared environment, or that has written its title over its environment; a cgroup shows those too.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { allStats, isAlive, type ProcessStat } from "../../os/process-sample.ts";
import type { OsIdentity, RunId } from "./run.ts";
import { homeVariable, runVariable } from "./shim-script.ts";

/** One OS process of a run. */
export interface Member {
  readonly osPid: number;
  readonly group: number;
}

/** Remembers whose environment said what, so that a look costs one pass over /proc. */
export class RunMembers {
  /** By pid and start ticks; null belongs to no run. */
  #marks = new Map<string, RunId | null>();
  readonly #home: string;

  /** Runs of another home are nobody's here, whatever they are called. */
  constructor(home: string) {
    this.#home = home;
  }

  /** What belongs to the run now; `service` is its first OS process, `shim` is no member. */
  of(id: RunId, service: OsIdentity | undefined, shim: OsIdentity | undefined): Member[] {
    const seen = new Map<string, RunId | null>();
    const members: Member[] = [];
    let isGroupOurs = true;
    const inGroup: Member[] = [];
    for (const stat of allStats()) {
      const mark = this.#markOf(stat, seen);
      if (stat.pid === service?.osPid && stat.startTicks !== service.startTicks) isGroupOurs = false;
      if (!isAlive(stat) || stat.pid === process.pid) continue;
      if (stat.pid === shim?.osPid && stat.startTicks === shim.startTicks) continue;
      const member = { osPid: stat.pid, group: stat.group };
      if (mark === id) members.push(member);
      else if (stat.group === service?.osPid) inGroup.push(member);
    }
    this.#marks = seen;
    return isGroupOurs ? [...members, ...inGroup] : members;
  }

  #markOf(stat: ProcessStat, seen: Map<string, RunId | null>): RunId | null {
    const key = `${stat.pid} ${stat.startTicks}`;
    const known = this.#marks.get(key);
    const mark = known === undefined ? readMark(stat.pid, this.#home) : known;
    seen.set(key, mark);
    return mark;
  }
}

function readMark(osPid: number, home: string): RunId | null {
  let environment: string[];
  try {
    environment = readFileSync(`/proc/${osPid}/environ`, "latin1").split("\0");
  } catch {
    return null; // another user's, or ended
  }
  const valueOf = (name: string): string | undefined => {
    const found = environment.find((entry) => entry.startsWith(`${name}=`));
    return found === undefined ? undefined : Buffer.from(found.slice(name.length + 1), "latin1").toString();
  };
  return valueOf(homeVariable) === home ? (valueOf(runVariable) ?? null) : null;
}
