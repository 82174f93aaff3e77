/**
 * Schema parts: what the schemas of the control interface are built of, with the sentence for each way to be wrong.
 *
 * Guarantees: a message says what was written and what belongs there (`"now" is not true or false`); the first problem of a
 * value ends its check, so that a wrong value of a million parts costs no more than its first part.
 * Not here: the place in the value (context/schema.ts), the way to JSON Schema (json-schema.ts).
 *
 * @module
 */
import * as v from "valibot";
import { isPlainObject, shown } from "./config-schema.ts";
import { suggestionClause } from "../base/suggestion.ts";

/** A schema that gives `Output`; what it is made of is nobody's business. */
export type SchemaOf<Output> = v.GenericSchema<unknown, Output>;

/** The message for what is not a `what`. */
const isNot =
  (what: string) =>
  ({ input }: { readonly input: unknown }): string =>
    input === undefined ? `is missing; it is ${what}` : `${shown(input)} is not ${what}`;

/** Text of `least` to `most` characters, without NUL. */
export function text(most: number, least = 0): SchemaOf<string> {
  const what = least === 0 ? `text of at most ${most} characters` : `text of ${least} to ${most} characters`;
  const message = isNot(what);
  return v.pipe(
    v.string(message),
    v.minLength(least, message),
    v.maxLength(most, ({ input }) => `has ${input.length} characters; ${most} are allowed`),
    v.regex(/^[^\0]*$/, "has a NUL character, which the OS cannot take"),
  ) as SchemaOf<string>;
}

/** Text that an expression describes; `what` is the noun phrase for it. */
export function textLike(pattern: RegExp, most: number, what: string): SchemaOf<string> {
  const message = isNot(what);
  return v.pipe(
    v.string(message),
    v.maxLength(most, ({ input }) => `has ${input.length} characters; ${most} are allowed`),
    v.regex(pattern, message),
  ) as SchemaOf<string>;
}

/** A whole number. */
export function whole(least: number, most: number): SchemaOf<number> {
  const message = isNot(`a whole number from ${least} to ${most}`);
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(least, message),
    v.maxValue(most, message),
  ) as SchemaOf<number>;
}

/** A number. */
export function numberFrom(least: number, most: number): SchemaOf<number> {
  const message = isNot(`a number from ${least} to ${most}`);
  return v.pipe(v.number(message), v.minValue(least, message), v.maxValue(most, message)) as SchemaOf<number>;
}

/** True or false. */
export const flag: SchemaOf<boolean> = v.boolean(isNot("true or false")) as SchemaOf<boolean>;

/** One of some words. */
export function oneOf<const Names extends readonly string[]>(names: Names): SchemaOf<Names[number]> {
  return v.picklist(names, ({ input }) => {
    const suggestion = typeof input === "string" ? suggestionClause(input, names) : "";
    return isNot(`one of ${names.join(", ")}${suggestion}`)({ input });
  }) as SchemaOf<Names[number]>;
}

/** A list of `least` to `most` items. */
export function list<Item>(item: SchemaOf<Item>, most: number, least = 0): SchemaOf<Item[]> {
  return v.pipe(
    v.array(item, isNot("a list")),
    v.minLength(least, `is a list of fewer than ${least}`),
    v.maxLength(most, ({ input }) => `has ${input.length} items; ${most} are allowed`),
  ) as SchemaOf<Item[]>;
}

/** A list whose first item is an executable. */
export function command(word: SchemaOf<string>, most: number): SchemaOf<[string, ...string[]]> {
  return list(word, most, 1) as unknown as SchemaOf<[string, ...string[]]>;
}

/** An object with exactly these keys: input is refused when it has others. */
export function record<const E extends v.ObjectEntries>(
  entries: E,
): v.StrictObjectSchema<E, v.ErrorMessage<v.StrictObjectIssue>> {
  return v.strictObject(entries, (issue) => {
    const key = issue.path?.at(-1)?.key;
    const suggestion = suggestionClause(String(key), Object.keys(entries));
    if (issue.expected === "never")
      return `is not known${suggestion || `; known are ${Object.keys(entries).join(", ")}`}`;
    if (issue.expected !== "Object") return "is missing";
    return isNot("an object")(issue);
  });
}

/** An object of names and values; unlike valibot's own it keeps `constructor` and its like, which are names as others are. */
export function mapOf<Value>(value: SchemaOf<Value>, most: number, what: string): MapSchema<Value> {
  const base = v.custom<Record<string, Value>>(isPlainObject, isNot(what));
  const schema = v.pipe(
    base,
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const entries = Object.entries(dataset.value);
      if (entries.length > most) addIssue({ message: `has ${entries.length} names; ${most} are allowed` });
      else reportEntry(entries, value, dataset.value, addIssue);
    }),
  );
  return Object.assign(schema as SchemaOf<Record<string, Value>>, { mapValue: value, mapMax: most });
}

/** What json-schema.ts must know of a map. */
export type MapSchema<Value> = SchemaOf<Record<string, Value>> & {
  readonly mapValue: SchemaOf<Value>;
  readonly mapMax: number;
};

/** The first problem ends the check of its input. */
export function input<Output>(schema: SchemaOf<Output>): SchemaOf<Output> {
  return v.config(schema, { abortEarly: true });
}

type AddIssue = Parameters<Parameters<typeof v.rawCheck<Record<string, unknown>>>[0]>[0]["addIssue"];

function reportEntry(
  entries: readonly (readonly [string, unknown])[],
  schema: SchemaOf<unknown>,
  whole: Record<string, unknown>,
  addIssue: AddIssue,
): void {
  for (const [key, item] of entries) {
    const [issue] = v.safeParse(schema, item, { abortEarly: true }).issues ?? [];
    if (issue === undefined) continue;
    const inner = issue.path ?? [];
    addIssue({
      message: issue.message,
      input: item,
      path: [{ type: "object", origin: "value", input: whole, key, value: item }, ...inner],
    });
    return;
  }
}
