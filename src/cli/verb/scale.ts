/**
 * `colos scale`: how many instances a service has, from now on and until the next `colos up` says otherwise.
 *
 * @module
 */
import { instancesMax } from "../../control/config-limit.ts";
import type { WaitOptions } from "../../control/manager.ts";
import { managerVerb } from "../call.ts";
import { readWait, waitOptions } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "../verb.ts";
import { quoted, type Words } from "../words.ts";

export const scale: Verb = managerVerb({
  options: waitOptions,
  read: readScale,
  run: async (input, call) => {
    const options = { goal: "ready" as const, about: [input.name], showsUnchanged: true };
    return tellReport(await withProgress(call, options, (manager) => manager.scale(input)), call);
  },
});

interface ScaleInput extends WaitOptions {
  readonly name: string;
  readonly instances: number;
}

function readScale(words: Words): ScaleInput {
  const [name, count, tooMany] = words.rest;
  if (name === undefined || name === "" || count === undefined) {
    throw words.wrong("a name and a number are needed; write colos scale <name> <instances>");
  }
  if (tooMany !== undefined) throw words.wrong(`takes one name and one number; ${quoted(tooMany)} is too many`);
  const instances = /^\d{1,4}$/.test(count) ? Number(count) : 0;
  if (instances < 1 || instances > instancesMax) {
    throw words.wrong(`${quoted(count)} is not a whole number from 1 to ${instancesMax}`);
  }
  return { name, instances, ...readWait(words) };
}
