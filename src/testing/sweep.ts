/**
 * Sweep: ends all OS processes that were started in the course of something, by a mark in their environment.
 *
 * Limits: who removes the mark from its environment, or belongs to another user, is not found.
 *
 * @module
 */
import { Guard, guardLimitMsMax } from "./guard.ts";

/** The environment variable that the mark stands in. */
export const markVariable = "COLOS_TORTURE_MARK";

/** Starts a guard that, when it is undone, ends all that have the mark and then removes `folder`, when one is given. */
export function startSweeper(mark: string, folder = ""): Promise<Guard> {
  return Guard.start({ does: ":", undoes: sweep, args: [mark, folder], limitMs: guardLimitMsMax });
}

/** Twice, for what was being started meanwhile. What has ended is waited for: a folder is removed after its last writer. */
const sweep = `
  for round in 1 2; do
    for f in $(grep -lszF "${markVariable}=$1" /proc/[0-9]*/environ 2>/dev/null); do
      p=\${f#/proc/}; kill -KILL "\${p%/environ}" 2>/dev/null
    done
  done
  n=0; while test $n -lt 200 && grep -qszF "${markVariable}=$1" /proc/[0-9]*/environ 2>/dev/null; do
    n=$((n+1)); sleep 0.01
  done
  test -z "$2" || rm -rf "$2"`;
