/**
 * Host options: refuses what a program without a type checker gives in place of an option of a carrier with an OS process or
 * a thread, before anything is started: an output that is none would only be noticed at the first byte.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import { Pid } from "../kernel/pid.ts";
import type { SpawnOptions } from "../kernel/process.ts";
import type { HostOptions } from "../kernel/program.ts";

const isText = (value: unknown): boolean => typeof value === "string";
const isFunction = (value: unknown): boolean => typeof value === "function";
const isListOf = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every((item) => isItem(item));

/** What each option is, in a sentence, and whether a value is that. */
const options: {
  readonly [Name in keyof Pick<SpawnOptions, Exclude<keyof HostOptions, "channel" | "stopSignal">>]-?: readonly [
    what: string,
    is: (value: unknown) => boolean,
  ];
} = {
  env: [
    "an object of strings, and null for what is removed",
    (value) =>
      typeof value === "object" &&
      value !== null &&
      isListOf(Object.values(value), (item) => item === null || isText(item)),
  ],
  cwd: ["an absolute path", (value) => typeof value === "string" && value.startsWith("/")],
  output: [
    'a pid, a function, "inherit" or "ignore"',
    (value) => value instanceof Pid || isFunction(value) || value === "inherit" || value === "ignore",
  ],
  listenFds: [
    "a list of file descriptors",
    (value) => isListOf(value, (fd) => Number.isInteger(fd) && (fd as number) >= 0),
  ],
  argv: ["a list of strings", (value) => isListOf(value, isText)],
  stdin: ['"pipe" or "inherit"', (value) => value === "pipe" || value === "inherit"],
  onOsPid: ["a function", isFunction],
  onOsExit: ["a function", isFunction],
};

/** @throws TypeError with a sentence; `program` is what would have been started. */
export function assertHostOptions(program: string, given: SpawnOptions): void {
  for (const [name, [what, is]] of Object.entries(options)) {
    const value: unknown = given[name as keyof typeof options];
    if (value !== undefined && !is(value)) {
      throw new TypeError(`the ${name} of ${program} is ${what}, not ${inWords(value)}`);
    }
  }
  if (given.args !== undefined && !Array.isArray(given.args)) {
    throw new TypeError(`the args of ${program} are a list, not ${inWords(given.args)}`);
  }
}
