/**
 * Words: what a person typed after `colos <verb>`, as options and the rest, or the sentence that says what is wrong.
 *
 * Guarantees: nothing is guessed. An unknown option is refused, with the one that was probably meant. `--` ends the
 * options. Of an option given twice the last counts, unless the verb asks for `all`.
 * Not here: which verbs there are (verbs.ts), what their words mean (verb/).
 *
 * @module
 */
import { parseArgs } from "node:util";
import { suggestionClause } from "../base/suggestion.ts";

/** What was typed makes no sense; the message is the line for a person. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}

export interface Option {
  /** What stands for the value in the help; absent for a switch. */
  readonly value?: string;
  /** What the value can be, for completion; needless where `value` says so: `bash|zsh`. */
  readonly values?: readonly string[];
  readonly help: string;
  readonly short?: string;
}

/** By name, without the dashes. */
export type Options = Readonly<Record<string, Option>>;

/** The words of one command. */
export class Words {
  /** `colos start`: what sentences begin with. */
  readonly command: string;
  /** What is no option. */
  readonly rest: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(command: string, values: ReadonlyMap<string, readonly string[]>, rest: readonly string[]) {
    this.command = command;
    this.#values = values;
    this.rest = rest;
  }

  /** Whether the option was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The option's values, in order. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The option's value; of several the last. */
  last(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** The only word; undefined when there is none. @throws WrongUsage when there are more, or it is empty */
  one(what: string): string | undefined {
    const [word, tooMany] = this.rest;
    if (tooMany !== undefined) throw this.wrong(`takes one ${what}; ${quoted(tooMany)} is too many`);
    if (word === "") throw this.wrong(`the ${what} is empty`);
    return word;
  }

  /** @throws WrongUsage when there is any word */
  none(): void {
    const [tooMany] = this.rest;
    if (tooMany !== undefined) throw this.wrong(`takes options only; ${quoted(tooMany)} is too many`);
  }

  /** The option's value, which must be one of these. @throws WrongUsage */
  choice<const Name extends string>(option: string, names: readonly Name[]): Name | undefined {
    const value = this.last(option);
    if (value === undefined) return undefined;
    const name = names.find((candidate) => candidate === value);
    if (name !== undefined) return name;
    const clause = suggestionClause(value, names);
    throw this.wrong(`--${option}: ${quoted(value)} is not one of ${names.join(", ")}${clause}`);
  }

  /** The error that says so. */
  wrong(problem: string): WrongUsage {
    return new WrongUsage(`${this.command}: ${problem}`);
  }
}

export interface ReadOptions {
  /** Options end at the first word that is none. Default: they may stand anywhere. */
  readonly optionsFirst?: boolean;
}

/** Reads what was typed after `command`. @throws WrongUsage */
export function readWords(
  command: string,
  argv: readonly string[],
  options: Options,
  { optionsFirst = false }: ReadOptions = {},
): Words {
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  for (const token of tokensOf(argv, options)) {
    if (token.kind === "option-terminator") {
      return new Words(command, values, [...rest, ...argv.slice(token.index + 1)]);
    }
    if (token.kind === "positional") {
      if (optionsFirst) return new Words(command, values, argv.slice(token.index));
      rest.push(token.value);
    } else {
      const value = valueOf(command, token, options);
      values.set(token.name, [...(values.get(token.name) ?? []), value]);
    }
  }
  return new Words(command, values, rest);
}

/** Columns of a line of help. */
export const helpColumns = 100;

/** The help of each option; long ones go on below. */
export function optionLines(options: Options): string {
  const indent = " ".repeat(34);
  const rows = Object.entries(options).map(([name, { value, short, help }]) => {
    const names = `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
    const text = wrapped(help, helpColumns - indent.length).join(`\n${indent}`);
    return names.length > 30 ? `  ${names}\n${indent}${text}` : `  ${names.padEnd(30)}  ${text}`;
  });
  return rows.join("\n");
}

/** A text as lines of so many columns, broken between words. */
export function wrapped(text: string, columns: number): readonly string[] {
  if (text.length <= columns) return [text];
  const space = text.lastIndexOf(" ", columns);
  const end = space <= 0 ? columns : space;
  return [text.slice(0, end), ...wrapped(text.slice(end).trimStart(), columns)];
}

/** A word in a sentence. */
export function quoted(text: string): string {
  return JSON.stringify(text);
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
    const isSignal = Object.hasOwn(options, "signal") && /^-(?:\d|[A-Z])/.test(rawName);
    const clause = isSignal
      ? "; write an OS signal behind the name, without a dash: colos kill web HUP"
      : suggestionClause(name, Object.keys(options)).replace('"', '"--');
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
