/**
 * `colos call`: a request to the main process of a program of processes, and its reply.
 *
 * @module
 */
import type { CallInput } from "../../control/manager.ts";
import { requestOf } from "../../control/program-call.ts";
import { managerVerb } from "../call.ts";
import { durationOption } from "../duration.ts";
import { exitCodes } from "../exit-codes.ts";
import { plainText } from "../text.ts";
import type { Verb } from "../verb.ts";
import type { Words } from "../words.ts";

export const call: Verb = {
  ...managerVerb({
    notes: [
      "The request is JSON, or else text. Options stand before the name.",
      "The reply is JSON; a text is shown as it is.",
    ],
    options: { timeout: { value: "<time>", help: "how long to wait for the reply, such as 30s (default: 5s)" } },
    read: readCall,
    run: async (input, asked) => {
      const { reply } = await (await asked.connect()).call(input);
      if (asked.isJson) asked.json({ reply });
      else asked.print([typeof reply === "string" ? plainText(reply) : JSON.stringify(reply)]);
      return exitCodes.ok;
    },
  }),
  optionsFirst: true,
};

function readCall(words: Words): CallInput {
  const [name, ...parts] = words.rest;
  if (name === undefined || name === "" || parts.length === 0) {
    throw words.wrong("a name and a request are needed; write colos call <name> <request>");
  }
  const timeoutMs = durationOption(words, "timeout");
  return { name, request: requestOf(parts.join(" ")), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}
