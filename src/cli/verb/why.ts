/**
 * `colos why`: why a service is as it is; the causes of each line are indented below it.
 *
 * @module
 */
import type { Cause } from "../../control/manager.ts";
import { managerVerb } from "../call.ts";
import { styled } from "../colour.ts";
import { exitCodes } from "../exit-codes.ts";
import { timeText } from "../figures.ts";
import { readName } from "../names.ts";
import { plainText } from "../text.ts";
import type { Verb } from "../verb.ts";

export const why: Verb = managerVerb({
  read: readName,
  run: async (name, call) => {
    const cause = await (await call.connect()).why({ name });
    if (call.isJson) call.json(cause);
    else if (!call.isQuiet) call.print(causeLines(cause, call.colour));
    return exitCodes.ok;
  },
});

function causeLines({ at, sentence, causes }: Cause, colour: boolean, indent = ""): readonly string[] {
  const time = at === undefined ? "" : ` ${styled("dim", `(${timeText(at)})`, colour)}`;
  const line = `${indent}${plainText(sentence)}${time}`;
  return [line, ...causes.flatMap((each) => causeLines(each, colour, `${indent}  `))];
}
