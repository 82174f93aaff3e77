/**
 * OS kill: ends an OS process with SIGKILL. Nothing in the victim runs any more: no handler, no clean-up.
 *
 * @module
 */
import { attaching, identityOf, over, probing, type Injector } from "../injector.ts";
import { withVictim } from "../victim.ts";

export const osKill: Injector = attaching(
  {
    name: "os-kill",
    faults: ["carrier-loss", "kill-system"],
    needs: "the right to signal the victim",
    undoneBy: "nothing: the victim is gone, and who supervises it starts another",
    probe: () =>
      probing(() =>
        withVictim(async (victim) => {
          process.kill(victim.osPid, "SIGKILL");
          const { signal } = await victim.ended;
          return signal === "SIGKILL" ? undefined : `the victim ended with ${signal}`;
        }),
      ),
  },
  async (_fault, { osPid }) => {
    identityOf(osPid);
    process.kill(osPid, "SIGKILL");
    return over;
  },
);
