/**
 * `colos remove`: stops services and forgets them. Their logs stay.
 *
 * @module
 */
import { managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import { isNamed, readNamesInput, waitOptions } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "../verb.ts";

export const remove: Verb = managerVerb({
  notes: ["colos up adds what its config says again."],
  options: waitOptions,
  read: readNamesInput,
  run: async (input, call) => {
    const concerns = isNamed.bind(undefined, input.names);
    const options = { goal: "stopped" as const, concerns, showsUnchanged: false };
    const report = await withProgress(call, options, (manager) => manager.remove(input));
    const exitCode = tellReport(report, call);
    if (call.isTalking && exitCode === exitCodes.ok) {
      const what = input.names.includes("all") ? "everything" : input.names.join(", ");
      call.print([`colos: ${input.wait === false ? "removing" : "removed"} ${what}; the logs stay`]);
    }
    return exitCode;
  },
});
