/**
 * Leftovers: whether what live processes know of each other is true, once all has calmed.
 *
 * A link that only one side has, a monitor of a process that has ended, a watcher that nobody knows of, a ref that is held for
 * nobody: none of them is seen by a test that only looks at messages, and each of them grows without end.
 *
 * @module
 */
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { AnyProcess } from "../../src/kernel/process.ts";
import type { Verdict, View } from "../../src/sim/property.ts";

/** True, or the first thing that is not as it must be. */
export function auditLeftovers(world: View): Verdict {
  const processes = allProcesses(world);
  for (const process of processes.values()) {
    const verdict =
      auditLinks(process, processes) ?? auditMonitors(process, processes) ?? auditWatchers(process, processes);
    if (verdict !== undefined) return verdict;
  }
  return auditRefs(processes.values()) ?? true;
}

/** By what their pids look like, which is the same in all kernels; those that belong to the property too. */
function allProcesses(world: View): Map<string, AnyProcess> {
  const kernels = new Set<Kernel>([world.kernel]);
  for (const { pid } of world.processes()) if (pid.process !== null) kernels.add(pid.process.kernel);
  const processes = new Map<string, AnyProcess>();
  for (const kernel of kernels) {
    for (const pid of kernel.processes()) if (pid.process !== null) processes.set(String(pid), pid.process);
  }
  return processes;
}

function auditLinks(process: AnyProcess, processes: ReadonlyMap<string, AnyProcess>): string | undefined {
  for (const link of process.links ?? []) {
    const peer = processes.get(String(link));
    if (peer === undefined) return "a live process is linked to one that has ended";
    const isKnown = [...(peer.links ?? [])].some((back) => String(back) === String(process.pid));
    if (!isKnown) return "only one side of a link knows of it";
  }
  return undefined;
}

function auditMonitors(process: AnyProcess, processes: ReadonlyMap<string, AnyProcess>): string | undefined {
  for (const ref of process.monitors ?? []) {
    if (ref.target === null) continue;
    const watched = processes.get(String(ref.target));
    if (watched === undefined) return "a live process still monitors one that has ended";
    const isKnown = [...(watched.watchers ?? [])].some((other) => String(other) === String(ref));
    if (!isKnown) return "a monitored process does not know of its monitor";
  }
  return undefined;
}

function auditWatchers(process: AnyProcess, processes: ReadonlyMap<string, AnyProcess>): string | undefined {
  for (const ref of process.watchers ?? []) {
    const owner = processes.get(String(ref.owner));
    if (owner === undefined) return "a process is watched for one that has ended";
    const isKnown = [...(owner.monitors ?? [])].some((other) => String(other) === String(ref));
    if (!isKnown) return "a process is watched, and the owner of the monitor does not know of it";
  }
  return undefined;
}

/** Each kernel holds just the refs that another one may still answer to. */
function auditRefs(processes: Iterable<AnyProcess>): string | undefined {
  const heldCounts = new Map<Kernel, number>();
  for (const process of processes) {
    const known = heldCounts.get(process.kernel) ?? 0;
    heldCounts.set(process.kernel, known + heldRefsOf(process));
  }
  for (const [kernel, count] of heldCounts) {
    if (kernel.exportedRefsCount > count) return "a kernel holds refs that nobody can answer to any more";
  }
  return undefined;
}

function heldRefsOf(process: AnyProcess): number {
  const { monitors, extra, kernel } = process;
  const held = new Set(extra?.exportedRefs ?? []);
  for (const ref of monitors ?? []) if (ref.target === null || ref.target.kernelId !== kernel.id) held.add(ref);
  return held.size;
}
