/**
 * Full device: files are replaced by links to /dev/full, so that whoever opens one next reads zeros and finds the disk full
 * when it writes. Needs no right but to the folder.
 *
 * Limits: a file that is open already is not struck, nor one that is made later; at most `filesStruckMax` of a folder.
 *
 * @module
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesIn } from "../files-struck.ts";
import { Guard } from "../guard.ts";
import { attaching, probing, type Injector, type Strike } from "../injector.ts";

export const fullDevice: Injector = attaching(
  {
    name: "full-device",
    faults: ["enospc"],
    needs: "/dev/full and the right to rename the files",
    undoneBy: "a guard that puts the files back",
    probe: () =>
      probing(async (folder) => {
        const file = join(folder, "file");
        writeFileSync(file, "kept");
        const strike = await replace([file], 5000);
        let code: unknown;
        try {
          appendFileSync(file, "lost");
        } catch (error) {
          ({ code } = error as NodeJS.ErrnoException);
        }
        await strike.undo();
        if (readFileSync(file, "utf8") !== "kept") return "the file did not come back";
        return code === "ENOSPC" ? undefined : "the file could still be written";
      }),
  },
  (_fault, { path }, { forMs }, ground) => replace(filesIn(path ?? ground.folder), forMs),
);

function replace(files: readonly string[], limitMs: number): Promise<Strike> {
  if (files.length === 0) throw new Error("there is no file to replace by /dev/full");
  const does = `test -c /dev/full && for f; do mv "$f" "$f.colos-kept" && ln -s /dev/full "$f" || return 1; done`;
  const undoes = `for f; do if test -e "$f.colos-kept"; then rm -f "$f"; mv "$f.colos-kept" "$f"; fi; done`;
  return Guard.start({ does, undoes, args: files, limitMs });
}
