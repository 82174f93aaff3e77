/**
 * `colos plan`: what `colos up` would change. Changes nothing, starts nothing.
 *
 * @module
 */
import { DaemonAbsentError } from "../../control/manager-client.ts";
import type { PlanChange, PlanInput } from "../../control/manager.ts";
import { type Call, managerVerb } from "../call.ts";
import { changeLines, hasChanges } from "../changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { readPlan } from "../plan-input.ts";
import type { Verb } from "../verb.ts";

export const plan: Verb = managerVerb({
  notes: [
    "Without [config], colos.config.(ts|js|mjs|json|yaml|yml) in the working directory.",
    "+ is added, - is removed, ~ is changed, each with what that does to what runs.",
    "Without a daemon nothing runs, so all of the config is added.",
  ],
  options: { check: { help: `end with exit code ${exitCodes.changes} when there is something to change` } },
  read: (words) => ({ config: words.one("config"), isCheck: words.has("check") }),
  run: async ({ config, isCheck }, call) => {
    const input = await readPlan(config, call);
    if (input === undefined) return exitCodes.usage;
    const changes = await changesTo(input, call);
    if (call.isJson) call.json({ changes });
    else if (!call.isQuiet) call.print(hasChanges(changes) ? changeLines(changes, call.colour) : ["nothing to change"]);
    return isCheck && hasChanges(changes) ? exitCodes.changes : exitCodes.ok;
  },
});

async function changesTo(input: PlanInput, call: Call): Promise<readonly PlanChange[]> {
  try {
    return (await (await call.connect()).preview(input)).changes;
  } catch (error) {
    const isNew = error instanceof DaemonAbsentError && (await call.host.runningCount(call.home)) === 0;
    if (!isNew) throw error;
    const { planChanges } = await import("../../control/plan-diff.ts");
    if (call.isTalking) call.complain(`colos: no daemon is running in ${call.home}; colos up starts one, and this`);
    return planChanges(undefined, input.plan);
  }
}
