/**
 * `colos kill`: an OS signal to all OS processes of services.
 *
 * Guarantees: the OS signal's name is checked before anything is sent.
 *
 * @module
 */
import { constants } from "node:os";
import { suggestionClause } from "../../base/suggestion.ts";
import { managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import { checkNames, namesNote } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import type { Verb } from "../verb.ts";
import { quoted, type Words } from "../words.ts";

export const kill: Verb = managerVerb({
  notes: [
    namesNote,
    "The signal is SIGTERM unless the last word is one, in capitals: HUP, SIGHUP, or its number.",
    "It goes to every OS process of the service. To end a service for good, use colos stop.",
  ],
  options: { signal: { value: "<signal>", help: "the signal, also where a service is called like one", short: "s" } },
  read: readKill,
  run: async ({ names, signal }, call) => {
    const report = await (await call.connect()).kill({ names, signal });
    const exitCode = tellReport(report, call);
    if (call.isTalking && exitCode === exitCodes.ok) {
      const running = report.instances.filter(({ osPid }) => osPid !== undefined);
      const whom = running.map(({ name, osPid }) => `${name} (pid ${osPid})`).join(", ");
      call.print([whom === "" ? "colos: nothing runs that could get it" : `colos: sent ${signal} to ${whom}`]);
    }
    return exitCode;
  },
});

function readKill(words: Words): { readonly names: readonly string[]; readonly signal: string } {
  const option = words.last("signal");
  const last = words.rest.at(-1);
  const isSignal = option === undefined && words.rest.length > 1 && /^(?:[A-Z][A-Z0-9]*|\d+)$/.test(last!);
  const named = isSignal ? words.rest.slice(0, -1) : words.rest;
  const names = checkNames(named, words, "a name is missing; write colos kill <name…> [signal]");
  return { names, signal: signalName(option ?? (isSignal ? last! : "SIGTERM"), words) };
}

/** `SIGHUP` for `HUP`, `SIGHUP` or `1`. @throws WrongUsage */
function signalName(text: string, words: Words): string {
  const known = Object.entries(constants.signals);
  const found = known.find(([name, number]) => name === text || name === `SIG${text}` || String(number) === text);
  if (found !== undefined) return found[0];
  const names = known.flatMap(([name]) => [name, name.slice("SIG".length)]);
  const clause = suggestionClause(text, names);
  throw words.wrong(`${quoted(text)} is not an OS signal${clause || "; kill -l lists them"}`);
}
