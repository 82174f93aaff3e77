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
  // The signal is taken when the OS gets to it.
  const does = `is_same "$1" "$2" && kill -STOP "$1" && until is_still "$1"; do sleep 0.002; done`;
  return Guard.start({
    functions: `${isSame}\n${isStill}`,
    does,
    undoes: `is_same "$1" "$2" && kill -CONT "$1" || :`,
    args,
    limitMs,
  });
}

/** Shell function: true when the OS process `$1` is stopped, or gone. */
const isStill = `is_still() {
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  case \${s##*) } in [TtZX]*) return 0;; esac
  return 1
}`;
