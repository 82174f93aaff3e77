/**
 * Sweep: ends all OS processes that were started in the course of something: those that have its mark in their environment,
 * and those that name its folder on their command line or stand in it, for some have no environment of their starter (the
 * holder of a listening socket) or write their title over it (nginx).
 *
 * Limits: who has none of the three, or belongs to another user, is not found.
 *
 * @module
 */
import { Guard, guardLimitMsMax, guardUndoMsMax } from "./guard.ts";

/** The environment variable that the mark stands in. */
export const markVariable = "COLOS_TORTURE_MARK";

/**
 * Starts a guard that, when it is undone, ends all that have the mark or the folder, and then removes the folder. `folder` is
 * absolute, without symbolic links; without one only the mark counts.
 */
export function startSweeper(mark: string, folder = ""): Promise<Guard> {
  return Guard.start({ functions, does: ":", undoes: sweep, args: [mark, folder], limitMs: guardLimitMsMax });
}

/** The guard itself has the folder on its command line too, but nothing below it; and who looks for it must not have it at all. */
const functions = `
found() {
  for f in $(
    grep -lszF "${markVariable}=$1" /proc/[0-9]*/environ
    test -z "$2" || echo "$2/" | grep -lszF -f - /proc/[0-9]*/cmdline
  ); do
    p=\${f#/proc/}; echo "\${p%%/*}"
  done
  test -n "$2" || return 0
  ls -ld /proc/[0-9]*/cwd | while read -r line; do
    case $line in *" -> $2/"*) p=\${line##* /proc/}; echo "\${p%%/*}" ;; esac
  done
}`;

/** Half of what undoing may take, in seconds: what has ended with SIGKILL is soon gone, unless the machine is very busy. */
const goneSeconds = guardUndoMsMax / 2000;

/** Twice, for what was being started meanwhile. What has ended is waited for: a folder is removed after its last writer. */
const sweep = `
  for round in 1 2; do
    for p in $(found "$1" "$2" 2>/dev/null); do kill -KILL "$p" 2>/dev/null; done
  done
  end=$(($(date +%s) + ${goneSeconds}))
  while test "$(date +%s)" -lt $end && test -n "$(found "$1" "$2" 2>/dev/null)"; do sleep 0.02; done
  test -z "$2" || rm -rf "$2"`;
