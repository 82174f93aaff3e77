/**
 * OS stop: an OS process stands still (SIGSTOP) and later goes on (SIGCONT), as under a debugger or on a starved machine.
 *
 * @module
 */
import { findProcessStat } from "../../os/process-sample.ts";
import { Guard } from "../guard.ts";
import { attaching, identityOf, isSame, probing, type Injector, type Strike } from "../injector.ts";
import { withVictim } from "../victim.ts";

export const osStop: Injector = attaching(
  {
    name: "os-stop",
    faults: ["stop"],
    needs: "the right to signal the victim, and sh, timeout and cat",
    undoneBy: "a guard that sends SIGCONT",
    probe: () =>
      probing(() =>
        withVictim(async (victim) => {
          const strike = await stop(victim.osPid, 5000);
          const state = findProcessStat(victim.osPid)?.state;
          await strike.undo();
          return state === "T" ? undefined : `the victim did not stop (state ${state})`;
        }),
      ),
  },
  (_fault, { osPid }, { forMs }) => stop(osPid, forMs),
);

function stop(osPid: number, limitMs: number): Promise<Strike> {
  const args = [String(osPid), identityOf(osPid)];
  const does = `is_same "$1" "$2" && kill -STOP "$1"`;
  return Guard.start({ functions: isSame, does, undoes: `is_same "$1" "$2" && kill -CONT "$1" || :`, args, limitMs });
}
