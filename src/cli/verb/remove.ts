/**
 * `colos remove`: stops services and forgets them. Their logs stay.
 *
 * @module
 */
import { managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import { namesNote, readNamesInput, waitOptions } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "../verb.ts";

export const remove: Verb = managerVerb({
  notes: [
    namesNote,
    "colos up adds what its config says again. colos logs shows what it has written, colos logs --clear empties it.",
  ],
  options: waitOptions,
  read: readNamesInput,
  run: async (input, call) => {
    const options = { goal: "stopped" as const, about: input.names, showsUnchanged: false };
    const report = await withProgress(call, options, (manager) => manager.remove(input));
    const exitCode = tellReport(report, call);
    if (call.isTalking && exitCode === exitCodes.ok) {
      const what = input.names.includes("all") ? "everything" : input.names.join(", ");
      call.print([`colos: ${input.wait === false ? "removing" : "removed"} ${what}; the logs stay`]);
    }
    return exitCode;
  },
});
