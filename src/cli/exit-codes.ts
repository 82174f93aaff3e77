/**
 * Exit codes: what the number that `colos` ends with says. docs/cli.md shows the same table to people.
 *
 * | exit code | means |
 * | --- | --- |
 * | 0 | it worked; a system in the foreground was stopped in an orderly way |
 * | 1 | it failed: a service, the daemon, or the way to it; `colos ps --check`: somebody is not well |
 * | 2 | wrong usage, an unknown name, or something is wrong with the config; nothing was done |
 * | 3 | no daemon is running, and the verb needs one; nothing was done |
 * | 4 | not there in time (`--timeout`); it goes on |
 * | 5 | refused: by the daemon, another version, or for want of permission; nothing was done |
 * | 6 | `colos plan --check`: there is something to change |
 * | 7 | `colos chaos`: its abort condition held; everything was undone |
 * | 128 + n | OS signal n ended the waiting, or made colos kill a system in the foreground |
 * | any | `colos run`: the program's own code, or 128 + n when OS signal n ended it |
 *
 * @module
 */
import type { StopSignal } from "./host.ts";

/** The exit codes that have a meaning of their own. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  noDaemon: 3,
  timeout: 4,
  refused: 5,
  changes: 6,
  aborted: 7,
  signal: 128,
} as const;

/** The numbers of the OS signals, the same on every POSIX system. */
const signalNumbers: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** What a shell says of an OS process that this OS signal ended. */
export function signalExitCode(signal: StopSignal): number {
  return exitCodes.signal + signalNumbers[signal];
}
