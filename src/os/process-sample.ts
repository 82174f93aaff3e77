/**
 * Process sample: what the OS says about OS processes and their process groups, read from /proc.
 *
 * Guarantees: one pass over /proc for any number of groups (measured: 1 ms for 80 OS processes). An OS process
 * that vanishes while it is read counts as gone; a name with spaces, parentheses or line breaks confuses nothing.
 * Nothing here throws but what says so, and nothing is kept between calls.
 * Limits: Linux only; elsewhere, and without /proc, every answer is empty. Memory is resident memory, so a page
 * that several members share counts for each. CPU time has the resolution of the kernel's tick, 10 ms. A member
 * that left its group (setsid, setpgid) is not seen.
 * Not here: the machine as a whole, cgroups, and what follows from a sample (alarms).
 *
 * @module
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { isWithoutDescriptors, withSpareDescriptor } from "./spare-descriptor.ts";

/** Milliseconds of one tick in which /proc counts CPU time; USER_HZ is 100 on every platform Node runs on. */
export const tickMs = 10;
/** More than the longest /proc/<pid>/stat, in bytes. */
const statMaxBytes = 2_048;
const procFolder = "/proc";

/** One line of /proc/<pid>/stat. */
export interface ProcessStat {
  readonly pid: number;
  /** The kernel's letter: R running, S sleeping, D waiting for a device, T stopped, Z zombie, X dead, I idle. */
  readonly state: string;
  readonly parentPid: number;
  readonly group: number;
  /** Its own CPU time in milliseconds, user and system. */
  readonly cpuMs: number;
  /** CPU time of children that it has waited for, in milliseconds. */
  readonly reapedCpuMs: number;
  readonly threadsCount: number;
  /** Clock ticks from boot to its start: with the pid and the boot id, its identity. */
  readonly startTicks: number;
  readonly residentBytes: number;
}

/** A process group at one moment. */
export interface GroupSample {
  /** The pid of the group's leader, which is the group's id. */
  readonly group: number;
  /** Resident memory of all members in bytes. */
  readonly residentBytes: number;
  /**
   * CPU time that the members, and the children they waited for, have used, in milliseconds. It grows while the
   * group lives and may fall when a member ends that no other member waited for.
   */
  readonly cpuMs: number;
  /** Living members; 0 when only zombies are left. */
  readonly processesCount: number;
  readonly threadsCount: number;
  /** The kernel's letter for the leader; absent when the leader is gone and other members live. */
  readonly leaderState?: string;
  /** Monotonic milliseconds (performance.now) at which it was taken. */
  readonly takenAtMs: number;
}

/** Samples the groups with these leader pids. A group without any member, zombies included, is not in the answer. */
export function sampleProcesses(groups: Iterable<number>, folder: string = procFolder): Map<number, GroupSample> {
  const samples = new Map<number, GroupSample>();
  const wanted = new Set(groups);
  if (wanted.size === 0) return samples;
  const takenAtMs = performance.now();
  for (const stat of allStats(folder)) {
    if (!wanted.has(stat.group)) continue;
    samples.set(stat.group, withMember(samples.get(stat.group) ?? emptySample(stat.group, takenAtMs), stat));
  }
  return samples;
}

/** CPU use between two samples of one group; 100 is one core. 0 when no time has passed between them. */
export function cpuPercent(before: GroupSample, after: GroupSample): number {
  const elapsedMs = after.takenAtMs - before.takenAtMs;
  return elapsedMs <= 0 ? 0 : Math.max(0, ((after.cpuMs - before.cpuMs) / elapsedMs) * 100);
}

/** Pids of the living members of a process group, in no order; zombies do not count. */
export function groupMembers(group: number, folder: string = procFolder): number[] {
  const members: number[] = [];
  for (const stat of allStats(folder)) if (stat.group === group && isAlive(stat)) members.push(stat.pid);
  return members;
}

/** When `pid` started, in clock ticks since boot; undefined when there is no such OS process. Zombies have it too. */
export function startTicks(pid: number, folder: string = procFolder): number | undefined {
  return findProcessStat(pid, folder)?.startTicks;
}

/** What /proc says of one OS process; undefined when there is none, or it cannot be looked at. */
export function findProcessStat(pid: number, folder: string = procFolder): ProcessStat | undefined {
  try {
    return lookAtProcess(pid, folder);
  } catch {
    return undefined;
  }
}

/**
 * The same, for whoever takes an absence for an end.
 * @throws the OS's error when this OS process is short of what it takes to look (EMFILE)
 */
export function lookAtProcess(pid: number, folder: string = procFolder): ProcessStat | undefined {
  try {
    return withSpareDescriptor(() => readStat(`${folder}/${pid}/stat`));
  } catch (error) {
    if (isShortage(error)) throw error;
    return undefined; // it ended, or another user's processes are hidden from us
  }
}

function isShortage(error: unknown): boolean {
  return isWithoutDescriptors(error) || (error as NodeJS.ErrnoException).code === "ENOMEM";
}

function readStat(path: string): ProcessStat | undefined {
  const file = openSync(path, "r");
  try {
    return parseStat(statBuffer.toString("latin1", 0, readSync(file, statBuffer, 0, statMaxBytes, 0)));
  } finally {
    closeSync(file);
  }
}

const statBuffer = Buffer.alloc(statMaxBytes);

/** What /proc says of every OS process, zombies included; of those that cannot be looked at, nothing. */
export function* allStats(folder: string = procFolder): Generator<ProcessStat> {
  for (const pid of pidsIn(folder)) {
    const stat = findProcessStat(pid, folder);
    if (stat !== undefined) yield stat;
  }
}

/**
 * The same, for whoever takes an absence for an end.
 * @throws the OS's error when this OS process is short of what it takes to look (EMFILE)
 */
export function* lookAtProcesses(folder: string = procFolder): Generator<ProcessStat> {
  for (const pid of pidsNow(folder)) {
    const stat = lookAtProcess(pid, folder);
    if (stat !== undefined) yield stat;
  }
}

/**
 * The pids of all OS processes, zombies included.
 * @throws the OS's error when this OS process is short of what it takes to look (EMFILE)
 */
export function pidsNow(folder: string = procFolder): Iterable<number> {
  return pidsIn(folder, isShortage);
}

function* pidsIn(folder: string, isRefused: (error: unknown) => boolean = () => false): Generator<number> {
  for (const name of entries(folder, isRefused)) {
    const first = name.charCodeAt(0);
    if (first >= 48 && first <= 57) yield Number(name);
  }
}

function entries(folder: string, isRefused: (error: unknown) => boolean): string[] {
  try {
    return withSpareDescriptor(() => readdirSync(folder));
  } catch (error) {
    if (isRefused(error)) throw error;
    return [];
  }
}

/** proc_pid_stat(5). The name may hold anything, so the fields are counted from the last parenthesis. */
function parseStat(text: string): ProcessStat | undefined {
  const nameEnd = text.lastIndexOf(")");
  const fields = text.slice(nameEnd + 2).split(" ", 22);
  if (nameEnd < 0 || fields.length < 22) return undefined;
  const at = (field: number): number => Number(fields[field - 3]);
  return {
    pid: Number.parseInt(text, 10),
    state: fields[0]!,
    parentPid: at(4),
    group: at(5),
    cpuMs: (at(14) + at(15)) * tickMs,
    reapedCpuMs: (at(16) + at(17)) * tickMs,
    threadsCount: at(20),
    startTicks: at(22),
    residentBytes: Math.max(0, at(24)) * pageBytes(),
  };
}

/** A zombie does not run. */
export function isAlive(stat: ProcessStat): boolean {
  return stat.state !== "Z" && stat.state !== "X";
}

function emptySample(group: number, takenAtMs: number): GroupSample {
  return { group, residentBytes: 0, cpuMs: 0, processesCount: 0, threadsCount: 0, takenAtMs };
}

function withMember(sample: GroupSample, stat: ProcessStat): GroupSample {
  const alive = isAlive(stat);
  return {
    ...sample,
    residentBytes: sample.residentBytes + (alive ? stat.residentBytes : 0),
    // When a member is waited for, its time moves to the waiting parent; the sum stays.
    cpuMs: sample.cpuMs + stat.cpuMs + stat.reapedCpuMs,
    processesCount: sample.processesCount + (alive ? 1 : 0),
    threadsCount: sample.threadsCount + (alive ? stat.threadsCount : 0),
    ...(stat.pid === stat.group ? { leaderState: stat.state } : {}),
  };
}

let knownPageBytes: number | undefined;

/** 4 KiB almost everywhere, 16 or 64 KiB on some arm64; the kernel tells each OS process at its start. */
function pageBytes(): number {
  knownPageBytes ??= readPageBytes();
  return knownPageBytes;
}

const auxiliaryPageSize = 6n; // AT_PAGESZ

function readPageBytes(): number {
  try {
    const pairs = readFileSync("/proc/self/auxv");
    for (let offset = 0; offset + 16 <= pairs.length; offset += 16) {
      if (pairs.readBigUInt64LE(offset) === auxiliaryPageSize) return Number(pairs.readBigUInt64LE(offset + 8));
    }
  } catch {
    // not readable in some sandboxes
  }
  return 4_096;
}
