/**
 * OS processes: which ones belong to a system test, as /proc tells it.
 *
 * An OS process belongs to a test when its environment has the test's mark, or when it stands in the test's folder or
 * names it: nginx and redis write their titles over their environment. What has no memory any more, a zombie or an OS
 * process in its last moment, runs no more and does not count.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { turn } from "./turn.ts";

/** The environment variable that the mark of a test stands in. */
export const markVariable = "COLOS_TEST_MARK";

/** What all OS processes of one test have. */
export interface Belonging {
  readonly mark: string;
  /** Absolute, without symbolic links. */
  readonly folder: string;
}

export interface OsProcess {
  readonly pid: number;
  /** The command line, arguments separated by spaces. */
  readonly command: string;
}

/** All that run now, apart from the test itself. */
export function osProcessesOf({ mark, folder }: Belonging): OsProcess[] {
  const marked = `${markVariable}=${mark}`;
  return pids().flatMap((pid) => {
    const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    const isOurs =
      read(`/proc/${pid}/environ`).split("\0").includes(marked) ||
      workingFolder(pid).startsWith(folder) ||
      command.includes(folder);
    return isOurs && command !== "" && isRunning(pid) ? [{ pid, command }] : [];
  });
}

/** The command lines of the children of `pid`, by their pids. */
export function childrenOf(pid: number): OsProcess[] {
  return pids().flatMap((child) => {
    const command = read(`/proc/${child}/cmdline`).replaceAll("\0", " ").trim();
    return parentOf(child) === pid ? [{ pid: child, command }] : [];
  });
}

/** Whether an OS process exists and is no zombie. */
export function isRunning(pid: number): boolean {
  const state = statFields(pid)[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

/**
 * Returns when none of `pids` runs any more. SIGKILL and a closed pipe come before the end itself, which the OS gets
 * to in its own time; what never ends fails the test by its time limit.
 */
export async function gone(...osPids: readonly number[]): Promise<void> {
  while (osPids.some(isRunning)) await turn();
}

/** Resident memory in bytes; 0 when it has ended. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

function pids(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
}

function parentOf(pid: number): number | undefined {
  const parent = statFields(pid)[1];
  return parent === undefined ? undefined : Number(parent);
}

/** What stands behind the name in /proc/<pid>/stat: the state, the parent and so on. */
function statFields(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat === "" ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ""; // ended in between
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // ended in between
  }
}
