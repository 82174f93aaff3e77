/**
 * Cgroup: limits that the OS kernel holds for a whole tree of OS processes (cgroups(7), version 2).
 *
 * colos takes part of the tree only where that was delegated to it (delegation.ts): as a unit with `Delegate=yes`, or in a container with
 * a cgroup namespace. There it moves itself and its helpers into the leaf `colos-daemon`, because a group that hands on
 * controllers may hold no OS process itself, and makes one group for each run beside it.
 *
 * Guarantees: nothing is changed before it is known that the group was delegated, is writable, has controllers and holds nobody
 * else's OS processes. Why it cannot be used is a sentence. A controller that is missing leaves the others usable.
 * Limits: Linux. A group goes when its last OS process is gone; `removeTriesMax` tries, then the next daemon's `sweep` does it.
 * Not here: what is done without cgroups (ulimits.ts, sampler.ts).
 *
 * @module
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { LimitsPlan } from "../../control/config.ts";
import { isDelegated } from "./delegation.ts";

/** How often colos moves OS processes out of its group before it gives up: one that forks meanwhile stays behind. */
export const moveTriesMax = 10;
/** How often an empty group is removed before it is left to the next daemon; the kernel needs a moment after the last exit. */
export const removeTriesMax = 50;

/** Controllers that colos uses, each of which may be missing. */
export type Controller = "memory" | "cpu" | "pids";
const controllers: readonly Controller[] = ["memory", "cpu", "pids"];
const leafName = "colos-daemon";
/** Where systemd has what stops a unit, beside the leaf; a `colos down` starts a daemon there when none lives. */
const controlName = ".control";
/** cpu.max counts in parts of this many microseconds. */
const cpuPeriodMicroseconds = 100_000;

/** Where the kernel tells of cgroups; for tests. */
export interface CgroupSources {
  /** Default: /proc/self/cgroup. */
  readonly self?: string;
  /** Default: /proc/self/mountinfo. */
  readonly mounts?: string;
  /** Whether an OS process in the daemon's group is one of colos, which may be moved. */
  isOurs(osPid: number): boolean;
  /** Whether a group was handed to whoever runs in it. Default: as delegation.ts has it. */
  isDelegated?(group: string, isNamespaceRoot: boolean): boolean;
}

/**
 * Where an OS process is kept by whoever started it, such as a unit or a login: its path in the cgroup tree, the same before and after colos
 * has divided it. Undefined when it has ended, or the OS has no cgroups.
 */
export function findCgroup(osPid: number | "self"): string | undefined {
  const text = read(`/proc/${osPid}/cgroup`);
  // With version 1 beside it, only systemd's own hierarchy may tell who is where.
  const path = /^\d+:name=systemd:(\/.*)$/m.exec(text)?.[1] ?? /^0::(\/.*)$/m.exec(text)?.[1];
  return path === undefined ? undefined : undivided(path);
}

/** The part of the cgroup tree that was delegated to colos, or why there is none. */
export function openCgroups(home: string, sources: CgroupSources): Cgroups | { readonly absent: string } {
  const place = findPlace(sources);
  if ("absent" in place) return place;
  const { base } = place;
  const offered = words(read(join(base, "cgroup.controllers"))).filter(isController);
  const obstacle = obstacleAt(base, place.isNamespaceRoot, sources);
  if (obstacle !== undefined) return { absent: obstacle };
  try {
    const usable = takeOver(base, offered);
    return new Cgroups(base, usable, home);
  } catch (error) {
    return { absent: `the daemon's cgroup ${base} cannot be divided: ${(error as Error).message}` };
  }
}

/** The groups of one home's runs. */
export class Cgroups {
  readonly #base: string;
  readonly #prefix: string;
  /** What the kernel holds here. */
  readonly controllers: readonly Controller[];

  constructor(base: string, usable: readonly Controller[], home: string) {
    this.#base = base;
    this.controllers = usable;
    this.#prefix = `run.${hashOf(home)}.`;
  }

  /** Where a run's group is or would be. */
  pathOf(run: string): string {
    return join(this.#base, this.#prefix + run);
  }

  /** Makes the group with its limits, empty. @throws the OS's error, and nothing is left then */
  make(run: string, limits: LimitsPlan): string {
    const path = this.pathOf(run);
    mkdirSync(path, { recursive: true });
    try {
      for (const [file, value] of settingsOf(limits, this.controllers)) writeFileSync(join(path, file), value);
      // All or nothing: a service of which the kernel ended one half is of no use.
      if (this.#holds("memory")) writeIfThere(join(path, "memory.oom.group"), "1");
      if (this.#holds("memory") && limits.memoryBytes !== undefined) writeIfThere(join(path, "memory.swap.max"), "0");
    } catch (error) {
      removeGroup(path);
      throw error;
    }
    return path;
  }

  /** What the kernel did to the run because of its limits, as a sentence; undefined when it did nothing that ended it. */
  whyEnded(run: string): string | undefined {
    const kills = counter(join(this.pathOf(run), "memory.events"), "oom_kill");
    if (kills === 0) return undefined;
    const max = read(join(this.pathOf(run), "memory.max")).trim();
    const most = /^\d+$/.test(max) ? ` of ${max} bytes` : "";
    return `the OS kernel ended it, because it needed more than its memory limit${most}`;
  }

  /** SIGKILL to everything in the group, whatever it forks meanwhile. False when there is no group. */
  kill(run: string): boolean {
    const path = this.pathOf(run);
    if (!existsSync(path)) return false;
    const file = join(path, "cgroup.kill"); // since Linux 5.14
    if (existsSync(file)) writeFileSync(file, "1");
    else for (const osPid of this.members(run)) killQuietly(osPid);
    return true;
  }

  /** Whether the run has a group here. */
  has(run: string): boolean {
    return existsSync(this.pathOf(run));
  }

  /** OS processes in the group. */
  members(run: string): readonly number[] {
    return words(read(join(this.pathOf(run), "cgroup.procs"))).map(Number);
  }

  /** Removes the group when it is empty. False when somebody is still in it. */
  remove(run: string): boolean {
    return removeGroup(this.pathOf(run));
  }

  /** Removes the groups that earlier daemons left of runs that are over. */
  sweep(isAlive: (run: string) => boolean): void {
    for (const name of readdirSync(this.#base)) {
      const run = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : undefined;
      if (run !== undefined && !isAlive(run)) removeGroup(join(this.#base, name));
    }
  }

  #holds(controller: Controller): boolean {
    return this.controllers.includes(controller);
  }
}

/** What is written where, for the limits that the kernel can hold here. */
function settingsOf(limits: LimitsPlan, usable: readonly Controller[]): [file: string, value: string][] {
  const { memoryBytes, cpuPercent, pidsMax } = limits;
  const settings: [Controller, string, string | undefined][] = [
    ["memory", "memory.max", memoryBytes === undefined ? undefined : String(memoryBytes)],
    ["cpu", "cpu.max", cpuPercent === undefined ? undefined : cpuMax(cpuPercent)],
    ["pids", "pids.max", pidsMax === undefined ? undefined : String(pidsMax)],
  ];
  return settings.flatMap(([controller, file, value]) =>
    value !== undefined && usable.includes(controller) ? [[file, value] as [string, string]] : [],
  );
}

/** The kernel takes no less than a hundredth of the period. */
function cpuMax(percent: number): string {
  return `${Math.max(1_000, Math.round((percent / 100) * cpuPeriodMicroseconds))} ${cpuPeriodMicroseconds}`;
}

interface Place {
  readonly base: string;
  /** The highest group that this OS process can see, and not that of the machine. */
  readonly isNamespaceRoot: boolean;
}

function findPlace({
  self = "/proc/self/cgroup",
  mounts = "/proc/self/mountinfo",
}: CgroupSources): Place | { absent: string } {
  const mount = read(mounts)
    .split("\n")
    .map(cgroupMount)
    .find((found) => found !== undefined);
  if (mount === undefined) return { absent: "cgroup v2 is not mounted" };
  const path = /^0::(\/.*)$/m.exec(read(self))?.[1];
  if (path === undefined) return { absent: "the daemon is in no cgroup of version 2" };
  const below = mount.root !== "/" && path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
  const own = join(mount.point, below);
  const base = undivided(own);
  return { base, isNamespaceRoot: base.replace(/\/$/, "") === mount.point };
}

/** The group as it was before an earlier daemon divided it. */
function undivided(path: string): string {
  return basename(path) === leafName || basename(path) === controlName ? dirname(path) : path;
}

/** A line of proc_pid_mountinfo(5) of type cgroup2. */
function cgroupMount(line: string): { readonly root: string; readonly point: string } | undefined {
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root, point] = before.split(" ");
  if (!after.startsWith("cgroup2 ") || root === undefined || point === undefined) return undefined;
  const plain = (text: string): string =>
    text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return { root: plain(root), point: plain(point) };
}

/** Why this group is not ours to divide. */
function obstacleAt(base: string, isNamespaceRoot: boolean, sources: CgroupSources): string | undefined {
  const { isOurs, isDelegated: isHandedOn = isDelegated } = sources;
  // The group of the machine is the only one without this file.
  if (!existsSync(join(base, "cgroup.events")))
    return "the daemon is in the root cgroup of the machine; start it as a unit with Delegate=yes, or in a container";
  for (const file of ["", "cgroup.procs", "cgroup.subtree_control"]) {
    try {
      accessSync(join(base, file), constants.W_OK);
    } catch (error) {
      return `the daemon's cgroup ${base} is not delegated to it (${(error as NodeJS.ErrnoException).code}); start it as a unit with Delegate=yes`;
    }
  }
  if (!isHandedOn(base, isNamespaceRoot))
    return `the daemon's cgroup ${base} is not delegated to it; start it as a unit with Delegate=yes`;
  const stranger = isNamespaceRoot
    ? undefined
    : words(read(join(base, "cgroup.procs"))).find((osPid) => !isOurs(Number(osPid)));
  if (stranger === undefined) return undefined;
  return `the daemon's cgroup ${base} holds OS processes of others too, such as ${stranger}; start it as a unit with Delegate=yes`;
}

/** The controllers that groups beside the leaf have now. @throws the OS's error */
function takeOver(base: string, offered: readonly Controller[]): Controller[] {
  if (offered.length === 0) return []; // nothing is handed on, so nobody has to move
  const leaf = join(base, leafName);
  const control = join(base, "cgroup.subtree_control");
  mkdirSync(leaf, { recursive: true });
  for (let tries = 1; ; tries++) {
    const stopper = words(read(join(base, controlName, "cgroup.procs"))).filter(
      (osPid) => Number(osPid) === process.pid,
    );
    for (const osPid of [...words(read(join(base, "cgroup.procs"))), ...stopper]) moveQuietly(osPid, leaf);
    try {
      const missing = offered.filter((controller) => !words(read(control)).includes(controller));
      for (const controller of missing) writeFileSync(control, `+${controller}`, { flag: "a" });
      return [...offered];
    } catch (error) {
      if (tries >= moveTriesMax) throw error;
    }
  }
}

function moveQuietly(osPid: string, leaf: string): void {
  try {
    writeFileSync(join(leaf, "cgroup.procs"), osPid);
  } catch {
    // it has ended, or is a thread of the kernel
  }
}

function removeGroup(path: string): boolean {
  for (let tries = 0; tries < removeTriesMax; tries++) {
    try {
      rmdirSync(path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return true;
      if (code !== "EBUSY" || words(read(join(path, "cgroup.procs"))).length > 0) return false;
    }
  }
  return false;
}

function killQuietly(osPid: number): void {
  try {
    process.kill(osPid, "SIGKILL");
  } catch {
    // it has ended
  }
}

function writeIfThere(file: string, value: string): void {
  if (existsSync(file)) writeFileSync(file, value);
}

/** A line `name 3` of a file of counters; 0 when there is none. */
function counter(file: string, name: string): number {
  const line = read(file)
    .split("\n")
    .find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

function isController(word: string): word is Controller {
  return (controllers as readonly string[]).includes(word);
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Tells the homes on a machine apart (FNV-1a, 32 bits). */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
