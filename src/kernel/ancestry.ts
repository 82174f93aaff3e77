/**
 * Ancestry: who spawned a process, who spawned that one, and on whose behalf it works (OTP's `$ancestors`, Elixir's
 * `$callers`).
 *
 * Nothing is stored per process: each pid knows its parent's pid, so the chain stands also when ancestors have ended. The
 * program of a thread or OS process is told of its ancestors when it is started, so their chain goes on there.
 * Guarantees: an ancestor has the name that it has, or had at its end; of another kernel, the name it had when that kernel's
 * program was started.
 * Limits: `ancestorsMax` generations; of ended ancestors in a row only the nearest `endedAncestorsMax` are kept, so that a
 * process that is replaced by its own child for ever leaves nothing behind. Callers: `callersMax`, the nearest.
 * Unlike OTP, which copies the list into each process and keeps the names of the time of the spawn.
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";
import type { AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";

/** Generations that `ancestors` goes back. */
export const ancestorsMax = 64;
/** Ended ancestors in a row that are kept; older ones are passed over. */
export const endedAncestorsMax = 16;
/** Callers that a process is told of. */
export const callersMax = 16;

/** One process of a chain of parents. */
export interface Ancestor {
  readonly pid: AnyPid;
  readonly name: string | undefined;
}

/** The parents of a process, nearest first; also after they have ended. */
export function ancestorPidsOf(pid: AnyPid): AnyPid[] {
  const ancestors: AnyPid[] = [];
  for (let { parent } = pid; parent !== null && ancestors.length < ancestorsMax; { parent } = parent) {
    ancestors.push(parent);
  }
  return ancestors;
}

/** What a task or another process that works on behalf of `process` is told of as its callers (`SpawnOptions.callers`). */
export function callersOf(process: AnyProcess): readonly AnyPid[] {
  return [process.pid, ...process.callers].slice(0, callersMax);
}

/** @internal `ended` has ended: takes those out of its line that are too old to be kept. */
export function shortenAncestry(ended: AnyPid): void {
  let last = ended;
  for (let keptCount = 1; keptCount < endedAncestorsMax; keptCount += 1) {
    // The way of almost all: the parent lives.
    if (last.parent === null || !hasEnded(last.parent, ended)) return;
    last = last.parent;
  }
  while (last.parent !== null && hasEnded(last.parent, ended)) last.parent = last.parent.parent;
}

/** Of other kernels nothing is known here; those are few. */
function hasEnded(pid: AnyPid, own: AnyPid): boolean {
  return pid.process === null && pid.kernelId === own.kernelId;
}

/** @internal What a kernel on another carrier is told of its program's ancestors: the parent first. */
export type Lineage = readonly (readonly [pid: AnyPid, name: string | null])[];

/** @internal */
export function lineageOf(kernel: Kernel, parent: AnyPid): Lineage {
  return [parent, ...ancestorPidsOf(parent)].map((pid) => [pid, kernel.nameOf(pid) ?? null]);
}

/** @internal Takes over what another kernel told. */
export function adoptLineage(kernel: Kernel, lineage: Lineage): void {
  for (const [index, [pid, name]] of lineage.entries()) {
    if (pid.parent === null) pid.parent = lineage[index + 1]?.[0] ?? null;
    if (name !== null) kernel.rememberName(pid, name);
  }
}
