/**
 * `colos plan`: what `colos up` would change. Changes nothing, starts nothing.
 *
 * @module
 */
import { managerVerb } from "../call.ts";
import { changeLines, hasChanges } from "../changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { readPlan } from "../plan-input.ts";
import type { Verb } from "../verb.ts";

export const plan: Verb = managerVerb({
  notes: [
    "Without [config], colos.config.(ts|js|mjs|json|yaml|yml) in the working directory.",
    "+ is added, - is removed, ~ is changed, each with what that does to what runs.",
  ],
  options: { check: { help: `end with exit code ${exitCodes.changes} when there is something to change` } },
  read: (words) => ({ config: words.one("config"), isCheck: words.has("check") }),
  run: async ({ config, isCheck }, call) => {
    const input = await readPlan(config, call);
    if (input === undefined) return exitCodes.usage;
    const { changes } = await (await call.connect()).preview(input);
    if (call.isJson) call.json({ changes });
    else if (!call.isQuiet) call.print(hasChanges(changes) ? changeLines(changes, call.colour) : ["nothing to change"]);
    return isCheck && hasChanges(changes) ? exitCodes.changes : exitCodes.ok;
  },
});
