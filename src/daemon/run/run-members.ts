/**
 * Run members: the OS processes that belong to a run: its process group, and whatever has its mark (COLOS_RUN and COLOS_HOME)
 * in its environment, also when it has left group and session (a double fork).
 *
 * Guarantees: an OS process that has a member's pid later is no member. Looks that are asked for in one turn of the event loop
 * are one pass over /proc for any number of runs, and an environment is read once for each OS process.
 * Limits: Linux only. Not seen: an OS process outside the group that runs as another user (unless we are root), that was
 * started with a cleared environment, or that has written its title over its environment; a cgroup shows those too.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { isAlive, lookAtProcesses, type ProcessStat } from "../../os/process-sample.ts";
import { isWithoutDescriptors, withSpareDescriptor } from "../../os/spare-descriptor.ts";
import type { OsIdentity, RunId } from "./run.ts";
import { homeVariable, runVariable } from "./shim-script.ts";

/** One OS process of a run. */
export interface Member {
  readonly osPid: number;
  readonly group: number;
}

/** Whose members are asked for. */
export interface RunOwner {
  readonly id: RunId;
  /** Its first OS process, which leads its group; undefined when it had none. */
  readonly service: OsIdentity | undefined;
  /** Has the mark too, and is no member. */
  readonly shim: OsIdentity | undefined;
  /** The absolute path of its cgroup. */
  readonly cgroup: string | undefined;
}

/** All OS processes at one moment. */
export interface Look {
  membersOf(owner: RunOwner): Member[];
}

export class RunMembers {
  readonly #home: string;
  /** What an environment said, by pid and start ticks; null belongs to no run. */
  #marks = new Map<string, RunId | null>();
  #next: Promise<Look> | undefined;
  #ofThisTurn: Look | undefined;

  /** `home` is the root of the home whose runs are asked for. */
  constructor(home: string) {
    this.#home = home;
  }

  /** A look that begins after this call. Rejects when this OS process is short of what it takes to look. */
  look(): Promise<Look> {
    this.#next ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#next = undefined;
        try {
          resolve(this.lookNow());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    return this.#next;
  }

  /** The look of this turn of the event loop, for who asks run by run. @throws as `lookNow` */
  lookThisTurn(): Look {
    if (this.#ofThisTurn === undefined) {
      this.#ofThisTurn = this.lookNow();
      queueMicrotask(() => (this.#ofThisTurn = undefined));
    }
    return this.#ofThisTurn;
  }

  /** @throws the OS's error when this OS process is short of what it takes to look: nobody seen is not nobody there */
  lookNow(): Look {
    const marks = new Map<string, RunId | null>();
    const marked = new Map<RunId, ProcessStat[]>();
    const grouped = new Map<number, ProcessStat[]>();
    const startTicks = new Map<number, number>();
    for (const stat of lookAtProcesses()) {
      startTicks.set(stat.pid, stat.startTicks);
      const mark = this.#markOf(stat, marks);
      // A daemon that was started from within a service has that run's mark; it does not end itself, nor who restarts it.
      if (!isAlive(stat) || stat.pid === process.pid || stat.pid === process.ppid) continue;
      if (mark !== null) addTo(marked, mark, stat);
      addTo(grouped, stat.group, stat);
    }
    this.#marks = marks;
    return {
      membersOf({ id, service, shim, cgroup }) {
        const members = new Map<number, number>();
        const isShim = (stat: ProcessStat): boolean => stat.pid === shim?.osPid && stat.startTicks === shim.startTicks;
        for (const stat of marked.get(id) ?? []) if (!isShim(stat)) members.set(stat.pid, stat.group);
        if (service !== undefined && isSameOrGone(startTicks.get(service.osPid), service)) {
          for (const stat of grouped.get(service.osPid) ?? []) members.set(stat.pid, stat.group);
        }
        for (const osPid of cgroup === undefined ? [] : cgroupMembers(cgroup)) members.set(osPid, 0);
        return [...members].map(([osPid, group]) => ({ osPid, group }));
      },
    };
  }

  #markOf(stat: ProcessStat, seen: Map<string, RunId | null>): RunId | null {
    const key = `${stat.pid} ${stat.startTicks}`;
    const known = this.#marks.get(key);
    const mark = known === undefined ? readMark(stat.pid, this.#home) : known;
    seen.set(key, mark);
    return mark;
  }
}

/** While a group has members, no new OS process gets its number; so another one of that number means that the group is over. */
function isSameOrGone(startTicks: number | undefined, service: OsIdentity): boolean {
  return startTicks === undefined || startTicks === service.startTicks;
}

function readMark(osPid: number, home: string): RunId | null {
  try {
    const entries = withSpareDescriptor(() => readFileSync(`/proc/${osPid}/environ`, "utf8")).split("\0");
    const prefix = `${runVariable}=`;
    const found = entries.find((entry) => entry.startsWith(prefix));
    const isOurs = found !== undefined && entries.includes(`${homeVariable}=${home}`);
    return isOurs ? found.slice(prefix.length) : null;
  } catch (error) {
    if (isWithoutDescriptors(error)) throw error;
    return null; // another user's, or ended
  }
}

function cgroupMembers(cgroup: string): number[] {
  try {
    const text = withSpareDescriptor(() => readFileSync(`${cgroup}/cgroup.procs`, "latin1"));
    return text.split("\n").map(Number).filter(Boolean);
  } catch (error) {
    if (isWithoutDescriptors(error)) throw error;
    return []; // it is removed when it is empty
  }
}

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
