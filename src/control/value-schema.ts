/**
 * Value schema: the values that configs and plans consist of, each with the phrase for a person when it is not one.
 *
 * Guarantees: a schema's message is the noun phrase behind "is not": `"allways" is not one of permanent, transient`. The
 * message for a key that is not known is a whole sentence. Names that objects inherit are ordinary names.
 * Limits: `listMax`, `textMax`, and what each schema is made with.
 *
 * @module
 */
import * as v from "valibot";
import { suggestionClause } from "../base/suggestion.ts";

/** Entries of a list or of an object of names, unless a key says otherwise. */
export const listMax = 10_000;
/** Characters of a text. */
export const textMax = 131_072;
/** The highest TCP port number. */
export const portMax = 65_535;
/** Milliseconds, about 24.8 days; a host timer cannot wait longer. */
export const durationMsMax = 2_147_483_647;
/** Characters of a written value that a sentence repeats. */
export const shownCharactersMax = 60;

/** A place in a config: keys and list positions from the outside in. */
export type ConfigPath = readonly (string | number)[];

/** One thing wrong, relative to what was checked. */
export interface ValueProblem {
  readonly path: ConfigPath;
  readonly sentence: string;
}

/** A schema that gives a `T`. */
export type Schema<T> = v.GenericSchema<unknown, T>;

type Command = readonly [string, ...string[]];

/** Checks `value`. Gives the value or every problem in it. */
export function checkValue<T>(schema: Schema<T>, value: unknown): { value: T } | { problems: ValueProblem[] } {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return { value: result.output };
  return { problems: result.issues.map((issue) => problemOf(issue)) };
}

/** Whether this is an object with keys; lists, dates, maps and functions are not. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** A value as a sentence repeats it: short, in JSON, or named when it is too large for that. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const text = value.length > shownCharactersMax ? `${value.slice(0, shownCharactersMax)}…` : value;
  return JSON.stringify(text);
}

/** A place as a sentence names it: `services.web.args[0]`. */
export function pathText(path: ConfigPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${shown(part)}]`;
  }
  return text;
}

/** A text that is not empty and has no NUL. */
export function notEmptyText(what: string): Schema<string> {
  return v.pipe(
    v.string(what),
    v.minLength(1, what),
    v.maxLength(textMax, `${what} (it has more than ${textMax} characters)`),
    v.check((text) => !text.includes("\0"), `${what} (it contains a NUL character)`),
  );
}

/** A text that execve(2) takes as an argument. */
export const argument: Schema<string> = v.pipe(
  v.string((issue) => `text${quoteAdvice(issue.input)}`),
  v.maxLength(textMax, `text that can be an argument (it has more than ${textMax} characters)`),
  v.check((text) => !text.includes("\0"), "text that can be an argument (it contains a NUL character)"),
);

/** A list of at most `most` entries. */
export function listOf<T>(item: Schema<T>, what: string, least = 0, most: number = listMax): Schema<T[]> {
  return v.pipe(
    v.array(item, what),
    v.minLength(least, what),
    v.maxLength(most, (issue) => `${what} (it has ${issue.input.length} entries; ${most} are allowed)`),
  );
}

/** A number without fraction from `least` to `most`. */
export function wholeNumber(least: number, most: number, unit = ""): Schema<number> {
  const what = `a whole number${unit} from ${least} to ${most}`;
  return v.pipe(v.number(what), v.integer(what), v.minValue(least, what), v.maxValue(most, what));
}

/** A number from `least` to `most`. */
export function numberBetween(least: number, most: number): Schema<number> {
  const what = `a number from ${least} to ${most}`;
  return v.pipe(v.number(what), v.minValue(least, what), v.maxValue(most, what));
}

/** Milliseconds from `least` to what a host timer can wait. */
export function milliseconds(least: number, most: number = durationMsMax): Schema<number> {
  return wholeNumber(least, most, " of milliseconds");
}

export const port: Schema<number> = wholeNumber(1, portMax);

/** One of some words; a near one is suggested. */
export function oneOf<const Name extends string>(names: readonly Name[]): Schema<Name> {
  const all = names.join(", ");
  return v.picklist(
    names,
    ({ input }) => `one of ${all}${typeof input === "string" ? suggestionClause(input, names) : ""}`,
  );
}

/**
 * An object that has these keys and no others. The schema knows its keys, so that `v.variant` can choose by one. `elsewhere`: what is
 * meant by words that are near to another key, or to none.
 */
export function keys<const Entries extends v.ObjectEntries>(
  entries: Entries,
  elsewhere: Readonly<Record<string, keyof Entries & string>> = {},
): v.StrictObjectSchema<Entries, v.ErrorMessage<v.StrictObjectIssue>> {
  const known = Object.keys(entries);
  const unknown = (key: string): string => {
    const meant = Object.hasOwn(elsewhere, key) ? elsewhere[key] : undefined;
    const suggestion = meant === undefined ? suggestionClause(key, known) : `; did you mean "${meant}"?`;
    return suggestion === "" ? `is not known; known are ${known.join(", ")}` : `is not known${suggestion}`;
  };
  return v.strictObject(entries, ({ expected, input }) =>
    expected === "never" ? unknown(String(input)) : "is missing",
  );
}

/** The same for any value; lists, dates and the like are answered with `what` belongs there. */
export function object<const Entries extends v.ObjectEntries>(
  what: string,
  entries: Entries,
  elsewhere?: Readonly<Record<string, keyof Entries & string>>,
): Schema<v.InferOutput<v.StrictObjectSchema<Entries, undefined>>> {
  return v.pipe(v.custom<Record<string, unknown>>(isPlainObject, what), keys(entries, elsewhere));
}

/** An object whose keys are names; `nameProblem` is the phrase for a name that is none. */
export function named<T>(
  what: string,
  value: Schema<T>,
  nameProblem: (name: string) => string | undefined,
): Schema<Readonly<Record<string, T>>> {
  return v.pipe(
    v.custom<Record<string, unknown>>(isPlainObject, what),
    v.check((object) => Object.keys(object).length <= listMax, `${what} (${listMax} are allowed)`),
    v.rawTransform(({ dataset, addIssue }) => {
      const input = dataset.value;
      const output: [string, T][] = [];
      for (const [key, entry] of Object.entries(input)) {
        const item = { type: "object", origin: "value", input, key, value: entry } as const;
        const problem = nameProblem(key);
        if (problem !== undefined) {
          addIssue({ message: problem, input: entry, path: [item] });
          continue;
        }
        const result = v.safeParse(value, entry, { abortPipeEarly: true });
        if (result.success) output.push([key, result.output]);
        else {
          for (const { message, input, path = [] } of result.issues)
            addIssue({ message, input, path: [item, ...path] });
        }
      }
      return Object.fromEntries(output);
    }),
    // For json-schema.ts, which cannot look into the check above.
    v.metadata({ valueOfNames: value }),
  );
}

/** An executable and its arguments. */
export const command: Schema<Command> = v.pipe(
  listOf(argument, "a list of an executable and its arguments"),
  v.check((words) => words.length > 0, "a list of an executable and its arguments"),
  v.check((words) => words[0] !== "", "a list that starts with an executable"),
  v.transform((words) => words as unknown as Command),
);

/** Values of variables; null removes one. */
export const variables: Schema<Readonly<Record<string, string | null>>> = named(
  "an object of variable names and texts",
  v.pipe(
    v.custom<string | null>(
      (value) => value === null || typeof value === "string",
      ({ input }) => `text or null${quoteAdvice(input)}`,
    ),
    v.check((text) => text === null || text.length <= textMax, `text of at most ${textMax} characters`),
    v.check((text) => text?.includes("\0") !== true, "text that can be a variable (it contains a NUL character)"),
    v.metadata({ jsonSchema: { type: ["string", "null"], maxLength: textMax } }),
  ),
  variableNameProblem,
);

/** The phrase for a name that no variable of an environment can have. */
export function variableNameProblem(name: string): string | undefined {
  return name === "" || /[=\0]/.test(name)
    ? "the value of a variable: its name is empty or contains = or NUL"
    : undefined;
}

/** The same for a secret. What is no name of a shell's variable goes over a command line, where everybody may see it. */
export function secretNameProblem(name: string): string | undefined {
  return (
    variableNameProblem(name) ??
    (/^[A-Za-z_]\w*$/.test(name)
      ? undefined
      : "a secret: its name has more than letters, digits and _, so its value would be seen on a command line; use a file")
  );
}

const ipAddress = "an IP address";
export const ip: Schema<string> = v.pipe(v.string(ipAddress), v.ip(ipAddress));

export const httpUrl: Schema<string> = v.pipe(
  v.string("a URL"),
  v.maxLength(textMax, "a URL"),
  v.regex(/^https?:\/\/[^\s/?#]+\S*$/i, "a URL that starts with http:// or https:// and a host"),
);

/** OS signals that can ask a program to end. */
export const stopSignalNames: readonly string[] = [
  ...["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGABRT", "SIGALRM", "SIGCONT"],
  ...["SIGPIPE", "SIGPOLL", "SIGPROF", "SIGPWR", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGVTALRM"],
  ...["SIGIO", "SIGXCPU", "SIGXFSZ"],
];

/** SIGKILL and SIGSTOP cannot be caught, so they ask for nothing. */
export const stopSignal: Schema<string> = v.pipe(
  v.string(({ input }) => stopSignalPhrase(input)),
  v.check(
    (name) => stopSignalNames.includes(name),
    ({ input }) => stopSignalPhrase(input),
  ),
);

function stopSignalPhrase(input: unknown): string {
  const what = "the name of an OS signal that a program can catch, such as SIGTERM";
  if (input === "SIGKILL") return `${what}; to end it at once write shutdown: "brutal"`;
  return typeof input === "string" ? `${what}${suggestionClause(input, stopSignalNames)}` : what;
}

/** What people write for a truth value elsewhere, in YAML and in variables. */
const truthWords: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  y: true,
  1: true,
  enabled: true,
  false: false,
  no: false,
  off: false,
  n: false,
  0: false,
  disabled: false,
};

/** `true` or `false`, with advice for whoever wrote it in other words. */
export const truthValue: Schema<boolean> = v.boolean(({ input }) => {
  const isText = typeof input === "string";
  const meant = isText || typeof input === "number" ? truthWords[String(input).trim().toLowerCase()] : undefined;
  return meant === undefined ? "true or false" : `true or false; write ${meant}${isText ? " without quotes" : ""}`;
});

/** Advice for a number or truth value that should have been text. */
export function quoteAdvice(value: unknown): string {
  const scalar = typeof value === "number" || typeof value === "boolean";
  return scalar ? `; write "${String(value)}" in quotes` : "";
}

/** A message that begins with a verb is a sentence. */
function problemOf(issue: v.BaseIssue<unknown>): ValueProblem {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
  if (issue.message.startsWith("is ")) return { path, sentence: issue.message };
  return { path, sentence: `${shown(issue.input)} is not ${issue.message}` };
}
