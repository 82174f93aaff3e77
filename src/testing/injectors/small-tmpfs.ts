/**
 * Small tmpfs: the victim's folder is a memory file system of its own, seen by the victim alone, that is filled up
 * (`enospc`) or made read-only (`erofs`).
 *
 * `erofs` remounts the file system; where files are open for writing the OS refuses that, and then a read-only view of the
 * folder is laid over it: what is open stays writable, what is opened next is not.
 * Limits: the folder begins empty and is gone with the victims.
 *
 * @module
 */
import type { Guard } from "../guard.ts";
import { openInjectors, probing, type Ground, type Injector, type OpenInjector } from "../injector.ts";
import { withVictim } from "../victim.ts";

/** How much fits into the folder, in bytes. */
export const tmpfsBytes: number = 4 * 1024 * 1024;
/** The file that fills it up. */
const filler = ".colos-filler";

export const smallTmpfs: Injector = {
  name: "small-tmpfs",
  faults: ["enospc", "erofs"],
  needs: "unshare, nsenter and mount, and a kernel that gives this user a user namespace, or root",
  debianPackage: "util-linux",
  attaches: false,
  namespaces: ["mount"],
  undoneBy: "a guard; and the file system is gone with its last victim",
  probe: () =>
    probing(async (folder) => {
      const arsenal = await openInjectors([smallTmpfs], { folder, limitMs: 10_000 });
      try {
        return await withVictim(async (victim) => {
          const write = `require("fs").writeFileSync(${JSON.stringify(`${folder}/file`)}, "x".repeat(100))`;
          const strike = await arsenal.strike(smallTmpfs, "enospc", victim, { forMs: 5000 });
          const during = await victim.run(write);
          await strike.undo();
          const after = await victim.run(write);
          return during === "ENOSPC" && after === "ok" ? undefined : `a write gave ${during}, and afterwards ${after}`;
        }, arsenal.wrap);
      } finally {
        await arsenal.close();
      }
    }),
  open: openTmpfs,
};

async function openTmpfs({ namespaces, folder, limitMs }: Ground): Promise<OpenInjector> {
  if (namespaces === undefined) throw new Error("a small tmpfs stands in a mount namespace");
  const mounted: Guard = await namespaces.guard({
    does: `mount -t tmpfs -o "size=$2" tmpfs "$1"`,
    undoes: `umount -l "$1"`,
    args: [folder, String(tmpfsBytes)],
    limitMs,
  });
  return {
    wrap: (start) => start,
    strike: (fault, _target, { forMs }) =>
      fault === "enospc"
        ? namespaces.guard({
            does: `{ dd if=/dev/zero "of=$1" bs=4k 2>/dev/null; dd if=/dev/zero bs=1 "of=$1" oflag=append conv=notrunc 2>/dev/null; test -s "$1"; }`,
            undoes: `rm -f "$1"`,
            args: [`${folder}/${filler}`],
            limitMs: forMs,
          })
        : namespaces.guard({
            does: `if mount -o remount,ro "$1" 2>/dev/null; then over=no; else
              mount --bind "$1" "$1" && over=yes && mount -o remount,bind,ro "$1"; fi`,
            undoes: `case $over in yes) umount -l "$1";; no) mount -o remount,rw "$1";; esac`,
            args: [folder],
            limitMs: forMs,
          }),
    close: () => mounted.undo(),
  };
}
