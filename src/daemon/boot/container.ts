/**
 * Container: colos as all there is in a container: who reaps, who is told to end, how much memory there is.
 *
 * `containerInit` is a `/bin/sh` script to be pid 1, with the real command as its arguments. Node cannot be it: it waits for its
 * own children alone, so an OS process whose parent has ended stays as a zombie and takes up one of the container's pids
 * for ever. A shell that waits for one child reaps all the others that come to it (dash, busybox, bash).
 *
 * Guarantees of the script: OS signals to pid 1 (TERM, INT, HUP, QUIT, USR1, USR2) come to the command; on a terminal, which
 * sends INT and QUIT to both, once. Its exit code is the command's, 128 + n when OS signal n ended it. When it ends, the kernel
 * ends everything in the container. stdin is the command's.
 * Limits: how long an end may take is the container runtime's to say (10 s with most); the rest is killed without notice.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Words } from "./startup.ts";

/** See the module's documentation; a copy for images is examples/container/init.sh. */
export const containerInit = `#!/bin/sh
# The first process of a container: reaps orphans, passes OS signals and the exit code on.
# Usage: init.sh command [arguments]
child= early= signalled= code=
forward() {
  signalled=yes
  if [ -n "$child" ]; then kill -"$1" "$child" 2>/dev/null; else early=$1; fi
}
# TERM, HUP, USR1, USR2.
for number in 15 1 10 12; do trap "forward $number" "$number"; done
if [ -t 0 ]; then
  # The terminal sends these to the command too.
  trap 'signalled=yes' INT QUIT
else
  trap 'forward 2' INT
  trap 'forward 3' QUIT
fi
exec 3<&0
# It would have ended what has no handler yet.
[ -z "$early" ] || exit $((128 + early))
"$@" <&3 3<&- &
child=$!
exec 3<&-
# It came before the shell knew whom to pass it to.
[ -z "$early" ] || forward "$early"
while :; do
  signalled=
  wait "$child"
  now=$?
  # It had ended before the OS signal came, and was waited for already.
  [ -n "$code" ] && [ "$now" -eq 127 ] && break
  code=$now
  [ -n "$signalled" ] || break
done
exit "$code"
`;

/** The command as the child of an init, for whoever is pid 1. */
export function containerCommand(command: Words): Words {
  return ["/bin/sh", "-c", containerInit, "colos-init", ...command];
}

/** What the container allows; undefined where it sets no limit. */
export interface ContainerLimits {
  readonly memoryMaxBytes?: number;
  readonly pidsMax?: number;
  /** Cores, possibly a fraction. */
  readonly cpusMax?: number;
}

/** A share of the container's memory is enough for a daemon, and the services have the rest. */
export const heapShare = 0.25;
/** In mebibytes; below, Node itself does not start well. */
export const heapMinMebibytes = 64;
/** In mebibytes; a daemon that needs more has a fault. */
export const heapMaxMebibytes = 512;

/** Reads what the cgroup of this OS process and those above it allow (v2, else v1). Never throws. */
export function readContainerLimits(root = "/sys/fs/cgroup", own = "/proc/self/cgroup"): ContainerLimits {
  const version2 = /^0::(.*)$/m.exec(textOf(own))?.[1] ?? "/";
  const folders = foldersAbove(root, version2);
  const memory = [
    ...folders.map((folder) => number(textOf(join(folder, "memory.max")))),
    number(textOf(join(root, "memory/memory.limit_in_bytes"))),
  ];
  const pids = [
    ...folders.map((folder) => number(textOf(join(folder, "pids.max")))),
    number(textOf(join(root, "pids/pids.max"))),
  ];
  const cpus = [
    ...folders.map((folder) => cores(textOf(join(folder, "cpu.max")))),
    cores(`${textOf(join(root, "cpu/cpu.cfs_quota_us")).trim()} ${textOf(join(root, "cpu/cpu.cfs_period_us"))}`),
  ];
  return {
    ...limit("memoryMaxBytes", memory),
    ...limit("pidsMax", pids),
    ...limit("cpusMax", cpus),
  };
}

/** What holds in this container, one sentence each without a full stop; for the daemon's abilities. */
export function containerSentences({ memoryMaxBytes, pidsMax, cpusMax }: ContainerLimits): readonly string[] {
  return [
    ...(memoryMaxBytes === undefined ? [] : [`the container has ${mebibytes(memoryMaxBytes)} MiB of memory`]),
    ...(pidsMax === undefined ? [] : [`the container has room for ${pidsMax} OS processes and threads`]),
    ...(cpusMax === undefined ? [] : [`the container has ${cpusMax} of the machine's cores`]),
  ];
}

/** What pid 1 that reaps nobody means, for a person; undefined for every other pid. */
export function initProblem(pid: number): string | undefined {
  if (pid !== 1) return undefined;
  return (
    "colos is pid 1 of this container and cannot reap orphans, so zombies will use up its pids: " +
    "let the container's runtime start an init (docker run --init), or put examples/container/init.sh in front"
  );
}

/** Node's flags for a daemon in this container. */
export function heapFlags({ memoryMaxBytes }: ContainerLimits): readonly string[] {
  if (memoryMaxBytes === undefined) return [];
  const share = Math.floor(mebibytes(memoryMaxBytes) * heapShare);
  return [`--max-old-space-size=${Math.min(heapMaxMebibytes, Math.max(heapMinMebibytes, share))}`];
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}

/** The folder of a cgroup and those above it, which limit it too. */
function foldersAbove(root: string, path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return Array.from({ length: names.length + 1 }, (_, depth) => join(root, ...names.slice(0, names.length - depth)));
}

/** The least, when there is one. */
function limit<Key extends keyof ContainerLimits>(
  key: Key,
  values: readonly (number | undefined)[],
): Partial<Record<Key, number>> {
  const known = values.filter((value) => value !== undefined);
  return (known.length === 0 ? {} : { [key]: Math.min(...known) }) as Partial<Record<Key, number>>;
}

/** cgroup v1 says "none" with the largest number of pages there is. */
function number(text: string): number | undefined {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  return value > 0 && value < 2 ** 60 ? value : undefined;
}

/** `<quota> <period>`, both in microseconds. */
function cores(text: string): number | undefined {
  const [, quota, period] = /^(\d+) (\d+)\s*$/.exec(text) ?? [];
  return quota === undefined ? undefined : Math.round((Number(quota) / Number(period)) * 100) / 100;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
