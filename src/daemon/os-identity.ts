/**
 * OS identity: who an OS process is over its death and the reuse of its pid: pid, start ticks and boot id, as they are asked of
 * /proc and as they stand in a file, one per line.
 *
 * Guarantees: two OS processes of one machine never have the same identity. Who cannot be looked at, because this OS process is short
 * of file descriptors, counts as alive: to take it for dead would start it twice.
 * Limits: Linux with /proc; elsewhere nobody has one.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { findProcessStat, lookAtProcess } from "../os/process-sample.ts";
import { withSpareDescriptor } from "../os/spare-descriptor.ts";
import { isOwnTrouble } from "./own-trouble.ts";
import type { OsIdentity } from "./run/run.ts";

let knownBootId: string | undefined;

/** The id of this boot of the machine; undefined without /proc. */
export function bootId(): string | undefined {
  try {
    return readBootId();
  } catch {
    return undefined;
  }
}

/** @throws the OS's error when this OS process is short of what it takes to look */
function readBootId(): string | undefined {
  try {
    knownBootId ??= withSpareDescriptor(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch (error) {
    if (isOwnTrouble((error as NodeJS.ErrnoException).code)) throw error;
  }
  return knownBootId;
}

/** Who has this pid now, a zombie included; undefined when there is nobody. */
export function identityOf(osPid: number): OsIdentity | undefined {
  const boot = bootId();
  const stat = findProcessStat(osPid);
  return boot === undefined || stat === undefined ? undefined : { osPid, startTicks: stat.startTicks, bootId: boot };
}

/**
 * Whether this very OS process still lives. One that has ended and was not waited for does not. Who cannot be looked at does, as far
 * as kill(2) says.
 */
export function isAlive(identity: OsIdentity): boolean {
  return tryIsAlive(identity) ?? exists(identity.osPid);
}

/** The same, for whoever kills: who cannot be looked at may be somebody else by now. */
export function isSurelyAlive(identity: OsIdentity): boolean {
  return tryIsAlive(identity) ?? false;
}

/** undefined: this OS process is short of what it takes to look. */
function tryIsAlive({ osPid, startTicks, bootId: boot }: OsIdentity): boolean | undefined {
  try {
    if (boot !== readBootId()) return false;
    const stat = lookAtProcess(osPid);
    return stat !== undefined && stat.startTicks === startTicks && stat.state !== "Z" && stat.state !== "X";
  } catch {
    return undefined;
  }
}

/** kill(2), which needs no file descriptor. */
function exists(osPid: number): boolean {
  try {
    process.kill(osPid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** As it stands in a file. */
export function identityLines({ osPid, startTicks, bootId: boot }: OsIdentity): string {
  return `${osPid}\n${startTicks}\n${boot}\n`;
}

/** Reads what `identityLines` wrote; undefined for anything else, also for a part of it. Lines after the third are not looked at. */
export function identityOfLines(text: string): OsIdentity | undefined {
  const fields = /^([1-9]\d{0,9})\n(\d{1,16})\n([0-9a-f-]{36})\n/.exec(text);
  if (fields === null) return undefined;
  const [, osPid, startTicks, boot] = fields;
  return { osPid: Number(osPid), startTicks: Number(startTicks), bootId: boot! };
}
