/**
 * Arguments: what a person typed after `colos`, as an invocation, or the sentence that says why it is none.
 *
 * Guarantees: nothing is guessed. An unknown verb or option is refused, with the one that was probably meant.
 * Options of `run` stand before the program; everything after the program belongs to it, whatever it looks like.
 * `--` ends the options. Of an option given twice the last counts; `--env` adds up.
 * Not here: whether files exist and what a service may be called (run-plan.ts, config-file.ts).
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { ServiceConfig } from "../control/config.ts";
import type { CarrierName } from "../control/service.ts";
import { carrierNames, restartNames } from "../control/config-limit.ts";
import { isProgramFile } from "../control/service-rules.ts";
import { durationMsMax } from "../control/value-schema.ts";
import { suggestionClause } from "../base/suggestion.ts";

/** `colos run`. */
export interface RunInvocation {
  readonly verb: "run";
  /** A TypeScript or JavaScript file, or a command. */
  readonly target: string;
  readonly args: readonly string[];
  readonly restart: NonNullable<ServiceConfig["restart"]>;
  readonly carrier?: CarrierName;
  readonly name?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly shutdown?: NonNullable<ServiceConfig["shutdown"]>;
}

/** `colos up --foreground`. */
export interface UpInvocation {
  readonly verb: "up";
  /** Absent: look in the working directory. */
  readonly config?: string;
  /** Log lines even where a live table would be possible. */
  readonly plain: boolean;
}

/** What was asked for. */
export type Invocation =
  | RunInvocation
  | UpInvocation
  /** `isAsked` is false when nothing was typed at all. */
  | { readonly verb: "help"; readonly text: string; readonly isAsked: boolean }
  | { readonly verb: "version" }
  /** Wrong usage; `problem` is the line for a person. */
  | { readonly verb: "wrong"; readonly problem: string };

/** Understands the words after `colos`. Never throws. */
export function parseArguments(argv: readonly string[]): Invocation {
  try {
    return invocationOf(argv);
  } catch (error) {
    if (error instanceof WrongUsage) return { verb: "wrong", problem: error.message };
    throw error;
  }
}

class WrongUsage extends Error {}

interface Option {
  /** What stands for the value in the help; absent for a switch. */
  readonly value?: string;
  readonly help: string;
  readonly short?: string;
}
type Options = Readonly<Record<string, Option>>;

interface Verb {
  readonly usage: string;
  readonly summary: string;
  readonly notes: readonly string[];
  readonly options: Options;
  readonly read: (argv: readonly string[]) => Invocation;
}

const help: Option = { help: "show this", short: "h" };

const runOptions: Options = {
  restart: { value: restartNames.join("|"), help: "when to start it again after it ended (default: temporary, never)" },
  carrier: { value: carrierNames.join("|"), help: "what executes it (default: os-process, or command)" },
  name: { value: "<name>", help: "what to call it (default: the file's name)" },
  env: { value: "<KEY=VALUE>", help: "set an environment variable; may be repeated" },
  cwd: { value: "<folder>", help: "its working directory" },
  shutdown: { value: "<ms>|brutal|infinity", help: "time between the stop signal and SIGKILL (default: 5000)" },
  help,
};

const upOptions: Options = {
  foreground: { help: "run until Ctrl+C; the only way so far" },
  plain: { help: "print log lines instead of the live table, also on a terminal" },
  "no-tty": { help: "the same as --plain" },
  help,
};

const globalOptions: Options = { help, version: { help: "show the version", short: "V" } };

const verbs: Readonly<Record<string, Verb>> = {
  run: {
    usage: "colos run [options] <file.ts|file.js|command> [args…]",
    summary: "run one program or command in the foreground, supervised",
    notes: [
      "Its output is passed through unchanged, and its exit code becomes the exit code of colos.",
      "Options stand before the program; everything after it belongs to the program.",
    ],
    options: runOptions,
    read: readRun,
  },
  up: {
    usage: "colos up --foreground [options] [config]",
    summary: "run the services of a config until Ctrl+C",
    notes: [
      "Without [config], colos.config.(ts|js|mjs|json|yaml|yml) in the working directory.",
      "Ctrl+C stops in reverse order of dependency; a second Ctrl+C kills.",
    ],
    options: upOptions,
    read: readUp,
  },
};

function invocationOf(argv: readonly string[]): Invocation {
  const [first, ...rest] = argv;
  if (first === undefined) return { verb: "help", text: helpText(), isAsked: false };
  if (first.startsWith("-")) return readGlobal(argv);
  if (first === "help")
    return { verb: "help", text: rest[0] === undefined ? helpText() : verbHelp(rest[0]), isAsked: true };
  return verbNamed(first).read(rest);
}

function readGlobal(argv: readonly string[]): Invocation {
  const { values } = readOptions("colos", argv, globalOptions);
  if (values.has("help")) return { verb: "help", text: helpText(), isAsked: true };
  if (values.has("version")) return { verb: "version" };
  throw new WrongUsage("colos: a verb is missing; colos --help lists them");
}

function readRun(argv: readonly string[]): Invocation {
  const { values, rest } = readOptions("colos run", argv, runOptions);
  if (values.has("help")) return { verb: "help", text: verbHelp("run"), isAsked: true };
  const [target, ...args] = rest;
  if (target === undefined || target === "") {
    throw new WrongUsage("colos run: the program is missing; write colos run <file or command> [args…]");
  }
  const carrier = values.has("carrier") ? choice("--carrier", last(values, "carrier")!, carrierNames) : undefined;
  const [name, cwd, shutdown] = [last(values, "name"), last(values, "cwd"), last(values, "shutdown")];
  return {
    verb: "run",
    target,
    args,
    restart: choice("--restart", last(values, "restart") ?? "temporary", restartNames),
    ...(carrier === undefined ? {} : { carrier }),
    ...(name === undefined ? {} : { name }),
    env: Object.fromEntries((values.get("env") ?? []).map(variable)),
    ...(cwd === undefined ? {} : { cwd }),
    ...(shutdown === undefined ? {} : { shutdown: shutdownTime(shutdown) }),
  };
}

function readUp(argv: readonly string[]): Invocation {
  const { values, rest } = readOptions("colos up", argv, upOptions, { optionsAnywhere: true });
  if (values.has("help")) return { verb: "help", text: verbHelp("up"), isAsked: true };
  const [config, tooMany] = rest;
  if (tooMany !== undefined) throw new WrongUsage(`colos up: takes one config; ${quoted(tooMany)} is too many`);
  if (config === "") throw new WrongUsage("colos up: the config's name is empty");
  if (!values.has("foreground")) {
    throw new WrongUsage("colos up: the daemon does not exist yet; write colos up --foreground");
  }
  const plain = values.has("plain") || values.has("no-tty");
  return { verb: "up", ...(config === undefined ? {} : { config }), plain };
}

function verbNamed(name: string): Verb {
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb !== undefined) return verb;
  const clause = isProgramFile(name) ? `; did you mean colos run ${name}?` : suggestionClause(name, Object.keys(verbs));
  throw new WrongUsage(`colos: ${quoted(name)} is not a verb${clause || "; colos --help lists them"}`);
}

type Values = ReadonlyMap<string, readonly string[]>;

/** Reads options up to the first word that is none, or among all words. A switch has the value "". */
function readOptions(
  command: string,
  argv: readonly string[],
  options: Options,
  { optionsAnywhere = false } = {},
): { readonly values: Values; readonly rest: readonly string[] } {
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  for (const token of tokensOf(argv, options)) {
    if (token.kind === "option-terminator") return { values, rest: [...rest, ...argv.slice(token.index + 1)] };
    if (token.kind === "positional") {
      if (!optionsAnywhere) return { values, rest: argv.slice(token.index) };
      rest.push(token.value);
    } else {
      const value = valueOf(command, token, options);
      values.set(token.name, [...(values.get(token.name) ?? []), value]);
    }
  }
  return { values, rest };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function tokensOf(argv: readonly string[], options: Options) {
  const config = Object.entries(options).map(([name, { value, short }]) => {
    const type = value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, short === undefined ? { type } : { type, short }] as const;
  });
  return parseArgs({ args: [...argv], options: Object.fromEntries(config), strict: false, tokens: true }).tokens;
}

function valueOf(command: string, token: OptionToken, options: Options): string {
  const { name, rawName, value, inlineValue } = token;
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    const clause = suggestionClause(name, Object.keys(options)).replace('"', '"--');
    throw new WrongUsage(
      `${command}: ${quoted(rawName)} is not an option${clause || `; ${command} --help lists them`}`,
    );
  }
  if (option.value === undefined) {
    if (value !== undefined) throw new WrongUsage(`${command}: ${rawName} takes no value`);
    return "";
  }
  const isNextOption = inlineValue !== true && value !== undefined && /^-./.test(value);
  if (value === undefined || value === "" || isNextOption) {
    throw new WrongUsage(`${command}: ${rawName} needs a value: ${rawName} ${option.value}`);
  }
  return value;
}

function last(values: Values, name: string): string | undefined {
  return values.get(name)?.at(-1);
}

function choice<const Name extends string>(option: string, value: string, names: readonly Name[]): Name {
  const name = names.find((candidate) => candidate === value);
  if (name !== undefined) return name;
  const clause = suggestionClause(value, names);
  throw new WrongUsage(`colos run: ${option}: ${quoted(value)} is not one of ${names.join(", ")}${clause}`);
}

function variable(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new WrongUsage(`colos run: --env: ${quoted(text)} is not KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function shutdownTime(text: string): "brutal" | "infinity" | number {
  if (text === "brutal" || text === "infinity") return text;
  const milliseconds = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (milliseconds >= 1 && milliseconds <= durationMsMax) return milliseconds;
  throw new WrongUsage(
    `colos run: --shutdown: ${quoted(text)} is not brutal, infinity or a whole number of milliseconds from 1 to ${durationMsMax}`,
  );
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function helpText(): string {
  const lines = Object.values(verbs).map(({ usage, summary }) => `  ${usage}\n      ${summary}`);
  const options = optionLines(globalOptions);
  return `colos: a program, process and service manager\n\n${lines.join("\n")}\n\n${options}\n\ncolos <verb> --help tells more.\n`;
}

function verbHelp(name: string): string {
  const { usage, summary, notes, options } = verbNamed(name);
  return `${usage}\n    ${summary}\n\n${notes.join("\n")}\n\n${optionLines(options)}\n`;
}

function optionLines(options: Options): string {
  const rows = Object.entries(options).map(([name, { value, short, help: text }]) => {
    const names = `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
    return names.length > 30 ? `  ${names}\n${" ".repeat(34)}${text}` : `  ${names.padEnd(30)}  ${text}`;
  });
  return rows.join("\n");
}
