/**
 * Resource limit: the soft limits of a running OS process are lowered (prlimit), so that it meets "too many open files",
 * "too many OS processes" or "file too large" where it opens, starts or writes next.
 *
 * The hard limits stay, so what was lowered can be raised again without any right. A victim of root is never refused an
 * OS process for its number, so `eagain-spawn` wants another user; `strace` does it for root too.
 * `short-write`: a file may not grow beyond `fileBytesMax`; the write that crosses it is short, the next fails with EFBIG.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import type { FaultName } from "../../faults/fault.ts";
import { Guard, GuardError } from "../guard.ts";
import { attaching, identityOf, isSame, probing, type Injector, type Strike } from "../injector.ts";
import { withVictim } from "../victim.ts";

/** How long a file may get under `short-write`, in bytes. */
export const fileBytesMax = 4096;

export const resourceLimit: Injector = attaching(
  {
    name: "resource-limit",
    // Victims are of this user as a rule.
    faults: ["emfile", "short-write", ...(process.geteuid?.() === 0 ? [] : (["eagain-spawn"] as const))],
    needs: "prlimit, and for eagain-spawn a user who is not root",
    debianPackage: "util-linux",
    undoneBy: "a guard that raises the limit again",
    probe: () =>
      probing(() =>
        withVictim(async (victim) => {
          const strike = await limit("emfile", victim.osPid, 5000);
          const opened = await victim.run('require("fs").openSync("/dev/null")');
          await strike.undo();
          return opened === "EMFILE" ? undefined : `the victim opened a file beyond its limit (${String(opened)})`;
        }),
      ),
  },
  (fault, { osPid }, { forMs }) => limit(fault, osPid, forMs),
);

function limit(fault: FaultName, osPid: number, limitMs: number): Promise<Strike> {
  return lowerLimit(osPid, () => lowered(fault, osPid), limitMs);
}

/** A soft limit of an OS process, as prlimit calls it. */
export interface LoweredLimit {
  readonly name: string;
  readonly value: number;
}

/** Lowers a soft limit of a running OS process until it is undone. @throws GuardError when it is not there */
export async function lowerLimit(osPid: number, to: () => LoweredLimit, limitMs: number): Promise<Strike> {
  const identity = identityOf(osPid);
  const { name, value } = to();
  const before = execFileSync("prlimit", ["--pid", String(osPid), `--${name}`, "--noheadings", "--output=SOFT"], {
    encoding: "utf8",
  }).trim();
  const args = [String(osPid), identity, `--${name}=${value}:`, `--${name}=${before}:`];
  const does = `is_same "$1" "$2" && prlimit --pid "$1" "$3"`;
  return Guard.start({
    functions: isSame,
    does,
    undoes: `! is_same "$1" "$2" || prlimit --pid "$1" "$4"`,
    args,
    limitMs,
  });
}

function lowered(fault: FaultName, osPid: number): LoweredLimit {
  if (fault === "short-write") return { name: "fsize", value: fileBytesMax };
  if (fault === "eagain-spawn") {
    const user = execFileSync("stat", ["--format=%u", `/proc/${osPid}`], { encoding: "utf8" }).trim();
    if (user === "0") throw new GuardError("root is never refused an OS process for their number");
    return { name: "nproc", value: 1 };
  }
  // What is open stays open; the next number is refused.
  return { name: "nofile", value: openCount(osPid) };
}

/** Numbers are given from below, so that a limit at the first free one refuses the next file. */
function openCount(osPid: number): number {
  const open = new Set(readdirSync(`/proc/${osPid}/fd`).map(Number));
  let free = 0;
  while (open.has(free)) free += 1;
  return free;
}
