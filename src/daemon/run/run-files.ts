/**
 * Run files: what stands in `runs/` about one run, who writes it, and what it says when it is read at any moment.
 *
 * ```
 * <run>.spec    daemon  what was started, without its environment (JSON); a run without it is over and forgotten
 * <run>.standby daemon  it was started ahead and waits; removed when its turn comes, before it is told
 * <run>.shim    shim    its pid and start ticks; on a full disk also `exit <status>`
 * <run>.claim   whoever made it first decides: the shim starts the service, or a daemon has given the run up
 * <run>.notify  shim    waits for the notify socket
 * <run>.pid     service its pid and start ticks, before it executes
 * <run>.ready   recorder
 * <run>.exit    shim    exit status; the time of the file is when it ended
 * ```
 * Guarantees: a file that is being written reads as absent: only the line end makes it whole. The spec comes by rename.
 * Limit: nothing is synced; after a power loss nothing runs, and a torn spec says only what its name says.
 *
 * @module
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import type { LogsPlan } from "../../control/config.ts";
import { withSpareDescriptor } from "../../os/spare-descriptor.ts";
import type { Home } from "../home.ts";
import type { OsIdentity, RunEnd, RunId, RunSpec } from "./run.ts";

/** The files of a run in `runs/`, in the order in which they are removed: without a spec, a late shim starts nothing. */
export const runFileKinds = ["spec", "standby", "pid", "ready", "notify", "exit", "shim", "claim"] as const;
export type RunFileKind = (typeof runFileKinds)[number];
/** What a run has in `pipes/`. */
export const pipeKinds = ["out", "err", "in", "ready", "notify", "call", "go"] as const;
export type PipeKind = (typeof pipeKinds)[number];

/** What a later daemon needs of a spec. */
export interface RunRecord {
  readonly id: RunId;
  readonly service: string;
  readonly instance: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly stdin: "pipe" | "null";
  /** It was started ahead; whether it still waits, the file `standby` says. */
  readonly isStandby?: true;
  readonly readiness?: RunSpec["readiness"];
  readonly limits: RunSpec["limits"];
  readonly logs: LogsPlan;
  readonly listen: RunSpec["listen"];
  /** A cgroup (absolute path) that everything of the run is in. */
  readonly cgroup?: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly bootId: string;
}

/** The one exit status that a shell has for two things: at most this is a code, above it a signal. */
const signalStatusBase = 128;

export function runFile(home: Home, id: RunId, kind: RunFileKind): string {
  return join(home.runs, `${id}.${kind}`);
}

export function pipeFile(home: Home, id: RunId, kind: PipeKind): string {
  return join(home.pipes, `${id}.${kind}`);
}

/** Which run a name in `runs/` belongs to; undefined for what is none of a run's files. */
export function runIdOf(name: string): { readonly id: RunId; readonly kind: RunFileKind } | undefined {
  const dot = name.lastIndexOf(".");
  const kind = runFileKinds.find((known) => known === name.slice(dot + 1));
  return kind === undefined || dot <= 0 ? undefined : { id: name.slice(0, dot), kind };
}

/** @throws what the OS says, such as ENOSPC; then nothing of it is left */
export function writeRecord(home: Home, record: RunRecord): void {
  const file = runFile(home, record.id, "spec");
  try {
    writeFileSync(`${file}.draft`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    renameSync(`${file}.draft`, file);
  } catch (error) {
    // On a full disk each try would leave one.
    rmSync(`${file}.draft`, { force: true });
    throw error;
  }
}

/** All runs that are not forgotten. What is left of forgotten ones is removed. @throws when what is there cannot be read */
export function recordsIn(home: Home): RunRecord[] {
  const ids = new Set<RunId>();
  for (const name of withSpareDescriptor(() => readdirSync(home.runs))) {
    const file = runIdOf(name);
    if (file !== undefined) ids.add(file.id);
    else if (name.endsWith(".draft")) rmSync(join(home.runs, name), { force: true });
  }
  for (const name of withSpareDescriptor(() => readdirSync(home.pipes))) {
    const [, id, kind] = /^(.+)\.([^.]+)$/.exec(name) ?? [];
    if (id !== undefined && pipeKinds.some((known) => known === kind)) ids.add(id);
  }
  return [...ids].flatMap((id) => {
    const record = readRecord(home, id);
    if (record === undefined) removeRun(home, id);
    return record === undefined ? [] : [record];
  });
}

/** A torn spec gives what the run's id says, as of another boot. @throws when it is there and cannot be read */
export function readRecord(home: Home, id: RunId): RunRecord | undefined {
  const file = runFile(home, id, "spec");
  const text = readSpec(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as RunRecord;
  } catch {
    const [, service = id, instance = "1"] = /^(.+)\.(\d+)\.\d+$/.exec(id) ?? [];
    const logs = { sizeBytes: 0, ageMs: 0, budgetBytes: 0 };
    const startedAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const torn = { argv: [], cwd: "/", stdin: "null", listen: [], limits: {}, logs, startedAt, bootId: "" } as const;
    return { id, service, instance: Number(instance), ...torn };
  }
}

/** Only one that is not there says that the run is forgotten, and not one that cannot be read for want of a file descriptor. */
function readSpec(file: string): string | undefined {
  try {
    return withSpareDescriptor(() => readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Pid and start ticks as the shim or the service wrote them. */
export function readIdentity(file: string, boot: string): OsIdentity | undefined {
  const [, pid, ticks] = /^(\d+) (\d+)\n(?:exit |$)/.exec(readText(file) ?? "") ?? [];
  return pid === undefined ? undefined : { osPid: Number(pid), startTicks: Number(ticks), bootId: boot };
}

/** How the shim says that it ended. On a full disk a new file takes nothing, and the one that says who it is has room. */
export function readExit(home: Home, id: RunId): RunEnd | undefined {
  return exitIn(runFile(home, id, "exit"), /^(\d+)\n$/) ?? exitIn(runFile(home, id, "shim"), /\nexit (\d+)\n$/);
}

function exitIn(file: string, form: RegExp): RunEnd | undefined {
  const [, status] = form.exec(readText(file) ?? "") ?? [];
  if (status === undefined) return undefined;
  return { ...endOf(Number(status)), at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
}

/** From a shell's exit status to a code or an OS signal. */
export function endOf(status: number): { readonly code: number | null; readonly signal: string | null } {
  const number = status - signalStatusBase;
  const signal = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return signal === undefined ? { code: status, signal: null } : { code: null, signal };
}

/** Takes the run for this daemon, so that no shim starts it. False when somebody has it. */
export function tryClaim(home: Home, id: RunId): boolean {
  try {
    withSpareDescriptor(() => closeSync(openSync(runFile(home, id, "claim"), "wx", 0o600)));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes everything on disk of a run. */
export function removeRun(home: Home, id: RunId): void {
  const cgroup = readRecord(home, id)?.cgroup;
  for (const kind of runFileKinds) rmSync(runFile(home, id, kind), { force: true });
  for (const kind of pipeKinds) rmSync(pipeFile(home, id, kind), { force: true });
  if (cgroup !== undefined) removeCgroup(cgroup);
}

/** It has files, but only an empty folder's removal means the group; the OS refuses while somebody is in it. */
function removeCgroup(cgroup: string): void {
  try {
    rmdirSync(cgroup);
  } catch {
    // Whoever made it removes it.
  }
}

/** Asked first, because it is mostly not there when a run is looked at each second, and an error that is thrown costs more. */
function readText(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return withSpareDescriptor(() => readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
