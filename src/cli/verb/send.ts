/**
 * `colos send`: a line to the stdin of an instance.
 *
 * @module
 */
import { managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Verb } from "../verb.ts";
import type { Words } from "../words.ts";

export const send: Verb = {
  ...managerVerb({
    notes: ["Options stand before the name; the words after it are the line, with a space between them."],
    read: readSend,
    run: async (input, call) => {
      await (await call.connect()).send(input);
      if (call.isJson) call.json({});
      return exitCodes.ok;
    },
  }),
  optionsFirst: true,
};

function readSend(words: Words): { readonly name: string; readonly text: string } {
  const [name, ...text] = words.rest;
  if (name === undefined || name === "" || text.length === 0) {
    throw words.wrong("a name and a text are needed; write colos send <name> <text>");
  }
  return { name, text: text.join(" ") };
}
