/**
 * Loop disk: the victim's folder is an ext4 file system on a disk image that stands on a memory file system; when that is
 * full the disk fails as a real one does: a write is taken, and the sync fails once, with the data lost, and then says that
 * all is well. The error is EIO or ENOSPC, as the kernel translates that of the disk. There is no journal: one that cannot
 * be written would leave the file system read-only for good.
 *
 * Needs the real root: a user namespace may not mount a disk.
 * Limits: the folder begins with `lost+found` alone and is gone with the victims; what was lost stays lost.
 *
 * @module
 */
import { openInjectors, probing, type Ground, type Injector, type OpenInjector } from "../injector.ts";
import { withVictim } from "../victim.ts";

/** How large the disk says that it is, and how much of it there is, in mebibytes. */
export const diskMebibytes = 64;
const backedMebibytes = 24;

export const loopDisk: Injector = {
  name: "loop-disk",
  faults: ["eio-fsync-once"],
  needs: "root, a loop device, mount and mkfs.ext4",
  debianPackage: "e2fsprogs",
  attaches: false,
  namespaces: ["mount"],
  undoneBy: "a guard; and the disk is gone with its last victim",
  probe: () =>
    probing(async (folder) => {
      const arsenal = await openInjectors([loopDisk], { folder, limitMs: 20_000 });
      try {
        return await withVictim(async (victim) => {
          await victim.run(`kept.file = require("fs").openSync(${JSON.stringify(`${folder}/file`)}, "a")`);
          const strike = await arsenal.strike(loopDisk, "eio-fsync-once", victim, { forMs: 10_000 });
          const during = await victim.run(syncMuch);
          const again = await victim.run('require("fs").fsyncSync(kept.file)');
          await strike.undo();
          const failed = during === "EIO" || during === "ENOSPC";
          return failed && again === "ok" ? undefined : `a sync gave ${during}, and the next ${again}`;
        }, arsenal.wrap);
      } finally {
        await arsenal.close();
      }
    }),
  open: openLoop,
};

const syncMuch =
  'const fs = require("fs"); fs.writeSync(kept.file, Buffer.alloc(1 << 22, "x")); fs.fsyncSync(kept.file)';

async function openLoop({ namespaces, folder, limitMs }: Ground): Promise<OpenInjector> {
  if (namespaces === undefined) throw new Error("a loop disk stands in a mount namespace");
  const mounted = await namespaces.guard({
    does: `mount -t tmpfs -o "size=$2m" tmpfs "$1" && truncate -s "$3M" "$1/image" &&
      mkfs.ext4 -q -E nodiscard -O ^has_journal "$1/image" && mkdir "$1/disk" && mount -o loop,nodiscard "$1/image" "$1/disk" &&
      mkdir "$1.back" && mount --bind "$1" "$1.back" && mount --bind "$1/disk" "$1"`,
    undoes: `umount -l "$1" 2>/dev/null; umount -l "$1.back/disk" 2>/dev/null; umount -l "$1.back" 2>/dev/null
      umount -l "$1" 2>/dev/null; rmdir "$1.back" 2>/dev/null; :`,
    args: [folder, String(backedMebibytes), String(diskMebibytes)],
    limitMs,
  });
  return {
    wrap: (start) => start,
    strike: (_fault, _target, { forMs }) =>
      namespaces.guard({
        does: `{ dd if=/dev/zero "of=$1" bs=64k 2>/dev/null; test -s "$1"; }`,
        undoes: `rm -f "$1"`,
        args: [`${folder}.back/filler`],
        limitMs: forMs,
      }),
    close: () => mounted.undo(),
  };
}
