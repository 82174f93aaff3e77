/**
 * Names: the words and options that operations on services share.
 *
 * @module
 */
import type { NamesInput, WaitOptions } from "../control/manager.ts";
import type { InstanceStatus } from "../control/service.ts";
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

/** One name or more, or `all`. @throws WrongUsage */
export function readNames(words: Words): readonly string[] {
  const names = [...new Set(words.rest)];
  if (names.length === 0)
    throw words.wrong(`a name is missing; write ${words.command} <name…> or ${words.command} all`);
  if (names.includes("")) throw words.wrong("a name is empty");
  if (names.length > 1 && names.includes("all")) throw words.wrong("all is everything; leave the other names out");
  for (const name of names) checkName(name, words);
  return names;
}

/** Somebody used to another manager may name a program. @throws WrongUsage */
function checkName(name: string, words: Words): void {
  if (!/[/]|\.[a-z]+$/i.test(name)) return;
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

/** Whether an instance is meant by one of the names. */
export function isNamed(names: readonly string[], { name, service }: InstanceStatus): boolean {
  return names.some((each) => each === "all" || each === name || each === service);
}
