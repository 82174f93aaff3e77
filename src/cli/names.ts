/**
 * Names: the words and options that operations on services share.
 *
 * Not here: whom a pattern or a tag means; the daemon knows who is there.
 *
 * @module
 */
import type { AboutInput, NamesInput, WaitOptions } from "../control/manager.ts";
import { parseSelector } from "../control/selector.ts";
import { durationOption } from "./duration.ts";
import { type Options, quoted, type Words } from "./words.ts";

/** The options of verbs that wait. */
export const waitOptions: Options = {
  wait: { help: "wait until it is done; the default" },
  "no-wait": { help: "return as soon as it is asked for" },
  timeout: { value: "<time>", help: "how long to wait, such as 30s; it goes on then" },
};

/** @throws WrongUsage */
export function readWait(words: Words): WaitOptions {
  const isNoWait = words.has("no-wait");
  if (isNoWait && words.has("wait")) throw words.wrong("--wait and --no-wait are opposites; leave one out");
  if (isNoWait && words.has("timeout")) throw words.wrong("--timeout needs the waiting that --no-wait leaves out");
  const timeoutMs = durationOption(words, "timeout");
  return { ...(isNoWait ? { wait: false } : {}), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

/** What help says of names. */
export const namesNote =
  "Names are services (web), instances (web.2), quoted patterns of them ('web*', '*.2'), or tags (@backend).";

/** One name or more, or `all`. @throws WrongUsage */
export function readNames(words: Words): readonly string[] {
  return checkNames(words.rest, words, `a name is missing; write ${words.command} <name…> or ${words.command} all`);
}

/** Names, or none for everybody. @throws WrongUsage */
export function readAbout(words: Words): AboutInput {
  return words.rest.length === 0 ? {} : { names: readNames(words) };
}

/** Each name once. `missing` is what is said when there are none. @throws WrongUsage */
export function checkNames(written: readonly string[], words: Words, missing: string): readonly string[] {
  const names = [...new Set(written)];
  if (names.length === 0) throw words.wrong(missing);
  if (names.includes("")) throw words.wrong("a name is empty");
  if (names.length > 1 && names.includes("all")) throw words.wrong("all is everything; leave the other names out");
  for (const name of names) checkName(name, words);
  return names;
}

/** Somebody used to another manager may name a program. @throws WrongUsage */
function checkName(name: string, words: Words): void {
  if (parseSelector(name) !== undefined) return;
  if (!/[/]|\.[a-z]+$/i.test(name)) {
    throw words.wrong(
      `${quoted(name)} cannot be a name such as web or web.2, a pattern such as 'web*', or a tag such as @backend`,
    );
  }
  throw words.wrong(
    `${quoted(name)} is not the name of a service; name a program in a config (colos init writes one) and type colos up, ` +
      `or run it in the foreground: colos run ${name}`,
  );
}

/** @throws WrongUsage */
export function readNamesInput(words: Words): NamesInput {
  return { names: readNames(words), ...readWait(words) };
}

/** One name. @throws WrongUsage */
export function readName(words: Words): string {
  const name = words.one("name");
  if (name === undefined) throw words.wrong(`a name is missing; write ${words.command} <name>`);
  return name;
}
