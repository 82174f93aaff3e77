/**
 * Injector table: all injectors, and which of them work on this machine.
 *
 * @module
 */
import type { FaultName } from "../faults/fault.ts";
import type { Injector, Probe } from "./injector.ts";
import * as all from "./injectors/index.ts";

/** All injectors; of two that make the same fault the earlier is taken where both work. */
export const injectors: readonly Injector[] = [
  ...[all.osKill, all.osStop, all.resourceLimit, all.smallTmpfs, all.strace],
  ...[all.netNamespace, all.fakedTime, all.controlGroup, all.loopDisk, all.fullDevice],
];

const probed = new WeakMap<Injector, Promise<Probe>>();

/** Whether an injector works here; each is tried once in this OS process. */
export function probeOnce(injector: Injector): Promise<Probe> {
  let probe = probed.get(injector);
  if (probe === undefined) probed.set(injector, (probe = injector.probe()));
  return probe;
}

/** The injectors that can make a fault. */
export function injectorsFor(fault: FaultName, among: readonly Injector[] = injectors): readonly Injector[] {
  return among.filter((injector) => injector.faults.includes(fault));
}

/** A table for people: what works on this machine, and what the others need. */
export async function injectorTable(among: readonly Injector[] = injectors): Promise<string> {
  const lines: string[] = [];
  for (const injector of among) {
    const probe = await probeOnce(injector);
    lines.push(`${injector.name.padEnd(16)} ${probe.works ? "works" : "does not work here"}`);
    lines.push(`  makes     ${injector.faults.join(", ")}`);
    lines.push(`  strikes   ${injector.attaches ? "any OS process" : "an OS process that is started for it"}`);
    lines.push(`  undone by ${injector.undoneBy}`);
    if (probe.works) continue;
    const debian = injector.debianPackage === undefined ? "" : ` (Debian package ${injector.debianPackage})`;
    lines.push(`  needs     ${injector.needs}${debian}`);
    lines.push(`  because   ${probe.reason}`);
  }
  return lines.join("\n");
}
