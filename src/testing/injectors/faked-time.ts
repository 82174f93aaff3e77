/**
 * Faked time: the wall clock of the victim jumps, the monotonic one does not (libfaketime, preloaded into the victim).
 *
 * Limits: only what asks the time through the C library, as Node does; children inherit it. Memory of the jump is a file in
 * the injector's folder: when it is gone the victim sees the real time again.
 *
 * @module
 */
import { existsSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Guard, GuardError } from "../guard.ts";
import { holdFolder } from "../held-folder.ts";
import { openInjectors, probing, type Injector, type OpenInjector } from "../injector.ts";
import { withVictim } from "../victim.ts";

/** How far the clock jumps, in seconds. */
export const clockStepSeconds = 3600;

export const fakedTime: Injector = {
  name: "faked-time",
  faults: ["clock-step"],
  needs: "libfaketime, and a victim that is linked dynamically",
  debianPackage: "libfaketime",
  attaches: false,
  undoneBy: "a guard that sets the clock back",
  probe: () =>
    probing(async (folder) => {
      const arsenal = await openInjectors([fakedTime], { folder, limitMs: 10_000 });
      try {
        return await withVictim(async (victim) => {
          const before = Number(await victim.run("return Date.now()"));
          const strike = await arsenal.strike(fakedTime, "clock-step", victim, { forMs: 5000 });
          const during = Number(await victim.run("return Date.now()"));
          await strike.undo();
          const steppedMs = during - before;
          return steppedMs > (clockStepSeconds - 1) * 1000 ? undefined : `the clock went on by ${steppedMs} ms`;
        }, arsenal.wrap);
      } finally {
        await arsenal.close();
      }
    }),
  open: openFakedTime,
};

async function openFakedTime(): Promise<OpenInjector> {
  const library = findLibrary();
  if (library === undefined) throw new GuardError("libfaketime.so.1 was not found");
  const folder = await holdFolder("colos-time-");
  const file = join(folder.path, "offset");
  await writeFile(file, "+0\n");
  const env = {
    ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file },
    ...{ FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" },
  };
  return {
    wrap: (start) => ({ ...start, env: { ...start.env, ...env } }),
    // Written beside and renamed: the victim reads the file at any time.
    strike: (_fault, _target, { forMs }) =>
      Guard.start({
        does: `echo "$2" >"$1.new" && mv "$1.new" "$1"`,
        undoes: `echo +0 >"$1.new" && mv "$1.new" "$1"`,
        args: [file, `+${clockStepSeconds}`],
        limitMs: forMs,
      }),
    close: () => folder.release(),
  };
}

/** Debian has it in a folder named for the architecture. */
function findLibrary(): string | undefined {
  const folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];
  const nested = folders.flatMap((folder) => {
    try {
      return readdirSync(folder).map((name) => join(folder, name));
    } catch {
      return [];
    }
  });
  return [...folders, ...nested]
    .map((folder) => join(folder, "faketime", "libfaketime.so.1"))
    .find((path) => existsSync(path));
}
