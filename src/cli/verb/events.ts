/**
 * `colos events`: what happens, from now on, to these or to all, until Ctrl+C.
 *
 * @module
 */
import type { ManagerEvent } from "../../control/manager.ts";
import { managerVerb } from "../call.ts";
import { changeLines } from "../changes.ts";
import { styled } from "../colour.ts";
import { exitCodes } from "../exit-codes.ts";
import { timeText } from "../figures.ts";
import { namesNote, readAbout } from "../names.ts";
import { stateText } from "../plain.ts";
import { streamLines } from "../stream-lines.ts";
import { plainText } from "../text.ts";
import type { Verb } from "../verb.ts";

export const events: Verb = managerVerb({
  notes: ["Without [name…], of all services.", namesNote],
  read: readAbout,
  run: async (about, call) => {
    const manager = await call.connect();
    const line = call.isJson ? (event: ManagerEvent) => JSON.stringify(event) : textOf(call.colour);
    await streamLines(manager.events(about), line, call.host);
    return exitCodes.ok;
  },
});

function textOf(colour: boolean): (event: ManagerEvent) => string {
  return (event) => `${styled("dim", timeText(event.at), colour)} ${eventText(event, colour)}`;
}

function eventText(event: ManagerEvent, colour: boolean): string {
  switch (event.type) {
    case "state":
      return `${event.status.name} = ${stateText(event.status, colour)}`;
    case "change":
      return changeLines([event.change], colour)[0] ?? `  ${event.change.service}: stays`;
    case "note":
      return plainText(`${event.service === undefined ? "" : `${event.service}: `}${event.sentence}`);
  }
}
