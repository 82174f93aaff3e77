/**
 * Config schema: what one service may look like when written, and the sentence for each way in which it does not.
 *
 * Guarantees: keys that are not in the schema are refused; a sentence says what was written and what belongs there.
 * A schema's message is the noun phrase behind "is not": `"allways" is not one of permanent, transient, temporary`.
 * Not here: rules across fields and services, defaults (config-parser.ts).
 *
 * @module
 */
import * as v from "valibot";
import type { ServiceConfig, ServicePlan } from "./config.ts";
import type { CarrierName } from "./service.ts";
import { suggestionClause } from "../base/suggestion.ts";

/** Instances of one service. */
export const instancesMax = 1000;
/** The highest TCP port number. */
export const portMax = 65_535;
/** Milliseconds, about 24.8 days; a host timer cannot wait longer. */
export const durationMsMax = 2_147_483_647;
/** Restarts within one window; the window remembers each of them. */
export const restartsMax = 10_000;
/** The largest backoff factor. */
export const backoffFactorMax = 100;
/** Characters of a written value that a sentence repeats. */
export const shownCharactersMax = 60;

/** The values of `restart`, in the order in which a sentence lists them. */
export const restartNames = ["permanent", "transient", "temporary"] as const;
/** The values of `carrier`, likewise. */
export const carrierNames: readonly [CarrierName, ...CarrierName[]] = ["coroutine", "thread", "os-process", "command"];

/** A place in a config: keys and list positions from the outside in. */
export type ConfigPath = readonly (string | number)[];

/** One thing wrong in a service, relative to the service. */
export interface ServiceProblem {
  readonly path: ConfigPath;
  readonly sentence: string;
}

/** The fields of `T`, each of which may be absent. */
export type Written<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** A readiness check as written, before it is known which kind it is. */
export type WrittenReady = Written<{
  port: number;
  host: string;
  http: string;
  log: string;
  exec: readonly [string, ...string[]];
  timeoutMs: number;
}>;

/** A service whose fields are each right for themselves. */
export interface WrittenService extends Written<Omit<ServiceConfig, "ready" | "backoff">> {
  readonly ready?: WrittenReady | undefined;
  readonly backoff?: Written<ServicePlan["backoff"]> | undefined;
}

/** Checks the shape of one service. Gives the service or every problem in it. */
export function checkServiceShape(value: unknown): { service: WrittenService } | { problems: ServiceProblem[] } {
  const result = v.safeParse(service, value, { abortPipeEarly: true });
  if (result.success) return { service: result.output };
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

const notEmptyText = (what: string) =>
  v.pipe(
    v.string(what),
    v.minLength(1, what),
    v.check((text) => !text.includes("\0"), `${what} (it contains a NUL character)`),
  );
const argument = v.pipe(
  v.string((issue) => `text${quoteAdvice(issue.input)}`),
  v.check((text) => !text.includes("\0"), "text that can be an argument (it contains a NUL character)"),
);
const wholeNumber = (least: number, most: number, unit = "") => {
  const what = `a whole number${unit} from ${least} to ${most}`;
  return v.pipe(v.number(what), v.integer(what), v.minValue(least, what), v.maxValue(most, what));
};
const numberBetween = (least: number, most: number) => {
  const what = `a number from ${least} to ${most}`;
  return v.pipe(v.number(what), v.minValue(least, what), v.maxValue(most, what));
};
const milliseconds = (least: number) => wholeNumber(least, durationMsMax, " of milliseconds");
const port = wholeNumber(1, portMax);
const oneOf = <const Names extends readonly string[]>(names: Names) =>
  v.picklist(
    names,
    (issue) =>
      `one of ${names.join(", ")}${typeof issue.input === "string" ? suggestionClause(issue.input, names) : ""}`,
  );
const object = (what: string) => v.custom<Record<string, unknown>>(isPlainObject, what);

const commandPhrase = ({ input }: { readonly input: unknown }) => {
  const isLine = typeof input === "string" && input.trim() !== "";
  return `a list of an executable and its arguments${isLine ? `; write ${wordsOf(input)}` : ""}`;
};
const command = v.pipe(
  v.array(argument, commandPhrase),
  v.check((words) => words.length > 0, commandPhrase),
  v.check((words) => words[0] !== "", "a list that starts with an executable"),
  v.transform((words) => words as [string, ...string[]]),
);

const readyEntries = {
  port: v.optional(port),
  host: v.optional(notEmptyText("a host name or address")),
  http: v.optional(
    v.pipe(
      v.string("a URL"),
      v.regex(/^https?:\/\/[^\s/?#]+\S*$/i, "a URL that starts with http:// or https:// and a host"),
    ),
  ),
  log: v.optional(notEmptyText("text or /expression/flags")),
  exec: v.optional(command),
  timeoutMs: v.optional(milliseconds(1)),
};
const backoffEntries = {
  initialMs: v.optional(milliseconds(0)),
  maxMs: v.optional(milliseconds(0)),
  factor: v.optional(numberBetween(1, backoffFactorMax)),
  jitter: v.optional(numberBetween(0, 1)),
  resetAfterMs: v.optional(milliseconds(0)),
};

const env = v.pipe(
  object("an object of variable names and texts"),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const [key, value] of Object.entries(dataset.value)) {
      const message = variableProblem(key, value);
      if (message !== undefined) {
        addIssue({
          message,
          input: value,
          path: [{ type: "object", origin: "value", input: dataset.value, key, value }],
        });
      }
    }
  }),
  v.transform((variables) => variables as Record<string, string | null>),
);

const shutdownPhrase = `brutal, infinity or a whole number of milliseconds from 1 to ${durationMsMax}`;
const shutdown = v.pipe(
  v.custom<"brutal" | "infinity" | number>(
    (value) => value === "brutal" || value === "infinity" || isWholeNumber(value, 1, durationMsMax),
    shutdownPhrase,
  ),
);

const serviceEntries = {
  program: v.optional(notEmptyText("the path of a file")),
  command: v.optional(command),
  args: v.optional(v.array(argument, "a list of texts")),
  carrier: v.optional(oneOf(carrierNames)),
  instances: v.optional(wholeNumber(1, instancesMax)),
  listen: v.optional(port),
  listenHost: v.optional(v.pipe(v.string("an IP address"), v.ip("an IP address"))),
  env: v.optional(env),
  cwd: v.optional(notEmptyText("the path of a folder")),
  restart: v.optional(oneOf(restartNames)),
  shutdown: v.optional(shutdown),
  maxRestarts: v.optional(wholeNumber(0, restartsMax)),
  periodMs: v.optional(milliseconds(1)),
  backoff: v.optional(v.pipe(object("an object such as { initialMs: 100 }"), v.strictObject(backoffEntries))),
  ready: v.optional(v.pipe(object("an object such as { port: 8080 }"), v.strictObject(readyEntries))),
  dependsOn: v.optional(v.array(v.string("the name of a service"), "a list of names of services")),
};
const service = v.pipe(
  object('an object such as { command: ["nginx", "-g", "daemon off;"] }'),
  v.strictObject(serviceEntries),
);

function problemOf(issue: v.BaseIssue<unknown>): ServiceProblem {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
  if (issue.type === "strict_object" && issue.expected === "never") return { path, sentence: unknownKey(path) };
  return { path, sentence: `${shown(issue.input)} is not ${issue.message}` };
}

function unknownKey(path: ConfigPath): string {
  const entries = path.length === 1 ? serviceEntries : path[0] === "ready" ? readyEntries : backoffEntries;
  const names = Object.keys(entries);
  const suggestion = suggestionClause(String(path.at(-1)), names);
  return suggestion === "" ? `is not known; known are ${names.join(", ")}` : `is not known${suggestion}`;
}

function variableProblem(name: string, value: unknown): string | undefined {
  if (name === "" || /[=\0]/.test(name)) return "the value of a variable: its name is empty or contains = or NUL";
  if (value === null) return undefined;
  if (typeof value !== "string") return `text or null${quoteAdvice(value)}`;
  return value.includes("\0") ? "text that can be a variable (it contains a NUL character)" : undefined;
}

function quoteAdvice(value: unknown): string {
  const scalar = typeof value === "number" || typeof value === "boolean";
  return scalar ? `; write "${String(value)}" in quotes` : "";
}

function isWholeNumber(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

function wordsOf(line: string): string {
  const words = line.trim().slice(0, shownCharactersMax).split(/\s+/);
  return `[${words.map((word) => JSON.stringify(word)).join(", ")}]`;
}
