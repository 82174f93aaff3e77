/**
 * `colos heart`: whether somebody watches over the daemon, and whether the daemon answers. Starts nothing.
 *
 * @module
 */
import { DaemonAbsentError } from "../../control/manager-client.ts";
import { type Call, managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Verb } from "../verb.ts";

export const heart: Verb = managerVerb({
  notes: [
    "The heart starts the daemon again when it dies or freezes; the daemon starts the heart.",
    `The exit code is ${exitCodes.ok} when both live, ${exitCodes.noDaemon} when no daemon runs, ${exitCodes.failed} when only the heart is missing.`,
  ],
  read: (words) => words.none(),
  run: async (_, call) => {
    const heartPid = await call.host.findHeart(call.home);
    const daemonPid = await findDaemon(call);
    if (call.isJson) call.json({ heart: pidOrNull(heartPid), daemon: pidOrNull(daemonPid) });
    else if (call.isTalking) {
      const heartText = heartPid === undefined ? "no heart beats" : `the heart beats (pid ${heartPid})`;
      const daemonText = daemonPid === undefined ? "no daemon runs" : `the daemon answers (pid ${daemonPid})`;
      call.print([`${call.home}: ${heartText}, ${daemonText}`]);
    }
    if (daemonPid === undefined) return exitCodes.noDaemon;
    return heartPid === undefined ? exitCodes.failed : exitCodes.ok;
  },
});

async function findDaemon(call: Call): Promise<number | undefined> {
  try {
    return (await (await call.connect()).list()).daemon.osPid;
  } catch (error) {
    if (error instanceof DaemonAbsentError) return undefined;
    throw error;
  }
}

function pidOrNull(osPid: number | undefined): { readonly osPid: number } | null {
  return osPid === undefined ? null : { osPid };
}
