/**
 * strace: system calls of a running OS process fail or take long, as strace makes them do, without any right but to trace
 * the victim. While it is traced the victim is slow in all it asks of the OS.
 *
 * Storage faults strike the files that are there when the strike begins (`filesStruckMax`); a sync that fails once fails
 * in the OS's way: what it should have kept is not lost here, only said to be.
 * Limits: one strike of a victim at a time (an OS process has one tracer). `eio-fsync-once` ends with its first hit; a sync
 * of another thread in the same millisecond may fail as well.
 *
 * @module
 */
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import type { FaultName } from "../../faults/fault.ts";
import { filesIn } from "../files-struck.ts";
import { Guard, GuardError } from "../guard.ts";
import { attaching, identityOf, isSame, probing, type Injector, type Strike } from "../injector.ts";
import { withVictim } from "../victim.ts";

/** How long an operation on a file takes under `slow-disk`, in microseconds. */
export const slowDiskMicroseconds = 500_000;

const writes = "write,pwrite64,writev,pwritev";
const syncs = "fsync,fdatasync";

/** Which calls, and what becomes of them; `files`: only those on the files of the target. */
const injections: Readonly<Partial<Record<FaultName, { calls: string; becomes: string; files: boolean }>>> = {
  "eio-write": { calls: writes, becomes: "error=EIO", files: true },
  "eio-read": { calls: "read,pread64,readv", becomes: "error=EIO", files: true },
  "eio-fsync-once": { calls: syncs, becomes: "error=EIO", files: true },
  "slow-disk": { calls: `${writes},${syncs}`, becomes: `delay_exit=${slowDiskMicroseconds}`, files: true },
  enospc: { calls: writes, becomes: "error=ENOSPC", files: true },
  // glibc starts threads with clone3 and OS processes with these.
  "eagain-spawn": { calls: "clone,fork,vfork", becomes: "error=EAGAIN", files: false },
  "enomem-spawn": { calls: "clone,fork,vfork", becomes: "error=ENOMEM", files: false },
  "net-down": { calls: "connect", becomes: "error=ENETUNREACH", files: false },
  "port-in-use": { calls: "bind", becomes: "error=EADDRINUSE", files: false },
};

export const strace: Injector = attaching(
  {
    name: "strace",
    faults: Object.keys(injections) as FaultName[],
    needs: "strace, and a kernel that lets one OS process trace another of its user (Yama ptrace_scope 0, or root)",
    debianPackage: "strace",
    undoneBy: "a guard that ends strace; when strace itself is killed the OS lets the victim go on untouched",
    probe: () =>
      probing((folder) =>
        withVictim(async (victim) => {
          const path = join(folder, "file");
          writeFileSync(path, "");
          const strike = await trace("eio-write", victim.osPid, [path], 5000);
          const during = await victim.run(`require("fs").writeFileSync(${JSON.stringify(path)}, "x")`);
          await strike.undo();
          const after = await victim.run(`require("fs").writeFileSync(${JSON.stringify(path)}, "x")`);
          return during === "EIO" && after === "ok" ? undefined : `a write gave ${during}, and afterwards ${after}`;
        }),
      ),
  },
  (fault, { osPid, path }, { forMs }, ground) => trace(fault, osPid, filesIn(path ?? ground.folder, osPid), forMs),
);

async function trace(fault: FaultName, osPid: number, files: readonly string[], limitMs: number): Promise<Strike> {
  const injection = injections[fault];
  if (injection === undefined) throw new Error(`strace cannot make ${fault}`);
  const { calls, becomes } = injection;
  if (injection.files && files.length === 0) throw new GuardError(`there is no file that ${fault} could strike`);
  const paths = injection.files ? files.map((file) => `--trace-path=${file}`) : [];
  const isOnce = fault === "eio-fsync-once";
  const seen: { guard?: Guard; isHit?: boolean } = {};
  const hit = (): void => {
    seen.isHit = true;
    void seen.guard?.undo().catch(() => {});
  };
  const guard = await Guard.start({
    // Attached once all threads have a tracer. What strace writes goes to the guard's starter, who waits for the hit.
    functions: `${isSame}
      is_at_work() { s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; case \${s##*) } in Z*) return 1;; esac; }
      attached() { for t in "/proc/$1"/task/*/status; do
        grep -q '^TracerPid:[[:space:]]*[1-9]' "$t" || return 1; done; }`,
    does: `is_same "$1" "$2" || return 1
      victim=$1; shift 2
      strace -f -qq ${isOnce ? "" : "-o /dev/null"} "$@" -p "$victim" ${isOnce ? "2>&1" : ""} & tracer=$!
      until attached "$victim"; do kill -0 $tracer 2>/dev/null || return 1; sleep 0.005; done`,
    // A victim that is killed while its call is held up can leave strace waiting for ever; without strace it is let go.
    undoes: `test -n "$tracer" || return 0
      kill -TERM $tracer 2>/dev/null; n=0
      while is_at_work $tracer; do
        n=$((n+1)); test $n -lt 100 || kill -KILL $tracer 2>/dev/null; sleep 0.01
      done
      wait $tracer 2>/dev/null; :`,
    args: [...[String(osPid), identityOf(osPid)], ...paths, ...[`--trace=${calls}`, `--inject=${calls}:${becomes}`]],
    limitMs,
    onLine: (line) => {
      if (isOnce && line.includes("(INJECTED)")) hit();
    },
  });
  // It may have hit before the guard said that it is there.
  seen.guard = guard;
  if (seen.isHit === true) hit();
  return guard;
}
