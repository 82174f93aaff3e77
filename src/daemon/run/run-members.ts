/**
 * Run members: the OS processes that belong to a run: its process group, and whatever has its mark (COLOS_RUN and COLOS_HOME)
 * in its environment, also when it has left group and session (a double fork).
 *
 * Guarantees: an OS process that has a member's pid later is no member. Looks that are asked for in one turn of the event loop
 * are one pass over /proc for any number of runs. A pass is one stat(2) for each OS process that was there before (process-marks.ts); while somebody is
 * in the group of a run that is asked for, it is a second and dearer one, as only each OS process itself says which group it is in.
 * Limits: Linux only. Not seen: an OS process outside the group that runs as another user (unless we are root), that was
 * started with a cleared environment, or that has written its title over its environment; a cgroup shows those too.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { isAlive, lookAtProcess, lookAtProcesses, type ProcessStat } from "../../os/process-sample.ts";
import { isWithoutDescriptors, withSpareDescriptor } from "../../os/spare-descriptor.ts";
import { ProcessMarks } from "./process-marks.ts";
import type { OsIdentity, RunId } from "./run.ts";

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
  readonly #marks: ProcessMarks;
  #next: Promise<Look> | undefined;
  #ofThisTurn: Look | undefined;

  /** `home` is the root of the home whose runs are asked for. */
  constructor(home: string) {
    this.#marks = new ProcessMarks(home);
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
    const marked = this.#marks.look();
    let all: AllProcesses | undefined;
    return {
      membersOf: ({ id, service, shim, cgroup }) => {
        const members = new Map<number, number>();
        for (const each of marked.get(id) ?? []) {
          const stat = isSame(each, shim) ? undefined : lookAtProcess(each.osPid);
          if (stat?.startTicks === each.startTicks && isOther(stat)) members.set(stat.pid, stat.group);
        }
        if (service !== undefined && isGroup(service.osPid)) {
          all ??= lookAtAll();
          for (const stat of all.groupOf(service)) members.set(stat.pid, stat.group);
        }
        for (const osPid of cgroup === undefined ? [] : cgroupMembers(cgroup))
          if (!members.has(osPid)) members.set(osPid, 0);
        return [...members].map(([osPid, group]) => ({ osPid, group }));
      },
    };
  }
}

interface AllProcesses {
  groupOf(service: OsIdentity): readonly ProcessStat[];
}

/** The dear look: which group somebody is in, the kernel says only of each OS process. */
function lookAtAll(): AllProcesses {
  const grouped = new Map<number, ProcessStat[]>();
  const startTicks = new Map<number, number>();
  for (const stat of lookAtProcesses()) {
    startTicks.set(stat.pid, stat.startTicks);
    if (!isOther(stat)) continue;
    const list = grouped.get(stat.group);
    if (list === undefined) grouped.set(stat.group, [stat]);
    else list.push(stat);
  }
  return {
    groupOf: (service) =>
      isSameOrGone(startTicks.get(service.osPid), service) ? (grouped.get(service.osPid) ?? []) : [],
  };
}

/** Whether anybody is in it, zombies too; one call, where nobody is the rule once a run has ended. */
function isGroup(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** A daemon that was started from within a service has that run's mark; it does not end itself, nor who restarts it. */
function isOther(stat: ProcessStat): boolean {
  return isAlive(stat) && stat.pid !== process.pid && stat.pid !== process.ppid;
}

function isSame(one: OsPidAndTicks, other: OsPidAndTicks | undefined): boolean {
  return one.osPid === other?.osPid && one.startTicks === other.startTicks;
}

type OsPidAndTicks = Pick<OsIdentity, "osPid" | "startTicks">;

/** While a group has members, no new OS process gets its number; so another one of that number means that the group is over. */
function isSameOrGone(startTicks: number | undefined, service: OsIdentity): boolean {
  return startTicks === undefined || startTicks === service.startTicks;
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
