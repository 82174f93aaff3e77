/**
 * Process marks: which run each OS process belongs to by what stands in its environment (COLOS_RUN and COLOS_HOME).
 *
 * Guarantees: an environment is read once for each OS process, and who has been seen costs one stat(2) more each time: a folder of /proc
 * keeps its inode for as long as its OS process lives, and another one of the same pid has another. What the kernel has
 * dropped from its cache meanwhile is read again, and so is who had no environment, as an OS process has none while the kernel executes it.
 * Limits: Linux only. The mark of an OS process that has written its title over its environment, or was first seen between fork and exec, is
 * what was read first.
 *
 * @module
 */
import { readFileSync, statSync, type Stats } from "node:fs";
import { isAlive, lookAtProcess, pidsNow, type ProcessStat } from "../../os/process-sample.ts";
import { isWithoutDescriptors, withSpareDescriptor } from "../../os/spare-descriptor.ts";
import type { RunId } from "./run.ts";
import { homeVariable, runVariable } from "./shim-script.ts";

/** An OS process with a run's mark; the start ticks tell it from a later one of its pid. */
export interface MarkedProcess {
  readonly osPid: number;
  readonly startTicks: number;
}

interface Known {
  /** undefined: its environment is to be read again. */
  readonly inode: number | undefined;
  /** When the kernel made the inode. */
  readonly changedAtMs: number;
  /** undefined: it belongs to no run. */
  readonly mark: RunId | undefined;
  readonly startTicks: number;
}

export class ProcessMarks {
  readonly #home: string;
  readonly #folder: string;
  #known = new Map<number, Known>();
  /** Environments that were read. */
  readCount = 0;

  /** `home` is the root of the home whose runs are asked for. */
  constructor(home: string, folder = "/proc") {
    this.#home = home;
    this.#folder = folder;
  }

  /** The OS processes of each run, as they are now. @throws the OS's error when this OS process is short of what it takes to look */
  look(): ReadonlyMap<RunId, readonly MarkedProcess[]> {
    const known = new Map<number, Known>();
    const marked = new Map<RunId, MarkedProcess[]>();
    for (const osPid of pidsNow(this.#folder)) {
      const inode = inodeOf(`${this.#folder}/${osPid}`);
      if (inode === undefined) continue;
      const before = this.#known.get(osPid);
      const isSame = before?.inode === inode.ino && before.changedAtMs === inode.ctimeMs;
      const now = isSame ? before : this.#read(osPid, inode);
      if (now === undefined) continue;
      known.set(osPid, now);
      if (now.mark !== undefined) addTo(marked, now.mark, { osPid, startTicks: now.startTicks });
    }
    this.#known = known;
    return marked;
  }

  /** undefined: it has ended, or is hidden from us. */
  #read(osPid: number, { ino, ctimeMs }: Inode): Known | undefined {
    const stat = lookAtProcess(osPid, this.#folder);
    if (stat === undefined) return undefined;
    this.readCount += 1;
    const environment = readEnvironment(`${this.#folder}/${osPid}/environ`);
    const inode = environment === "" && mayGetEnvironment(stat) ? undefined : ino;
    const mark = environment === undefined ? undefined : markIn(environment, this.#home);
    return { inode, changedAtMs: ctimeMs, mark, startTicks: stat.startTicks };
  }
}

type Inode = Pick<Stats, "ino" | "ctimeMs">;

function inodeOf(folder: string): Inode | undefined {
  try {
    return statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOMEM") throw error;
    return undefined; // it ended just now (ESRCH), or is hidden from us
  }
}

/** Threads of the kernel, which are in no group, and zombies never get one. */
function mayGetEnvironment(stat: ProcessStat): boolean {
  return isAlive(stat) && stat.group !== 0;
}

/** undefined: it is another user's, or has ended. */
function readEnvironment(file: string): string | undefined {
  try {
    return withSpareDescriptor(() => readFileSync(file, "utf8"));
  } catch (error) {
    if (isWithoutDescriptors(error)) throw error;
    return undefined;
  }
}

function markIn(environment: string, home: string): RunId | undefined {
  const entries = environment.split("\0");
  const prefix = `${runVariable}=`;
  const found = entries.find((entry) => entry.startsWith(prefix));
  const isOurs = found !== undefined && entries.includes(`${homeVariable}=${home}`);
  return isOurs ? found.slice(prefix.length) : undefined;
}

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
