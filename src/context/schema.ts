/**
 * Schema: how an endpoint says what it takes and gives: Standard Schema v1, the interface that the validation libraries of
 * TypeScript share, written down here, so that no library is needed to know it. valibot's schemas fit as they are.
 *
 * Guarantees: a failed check becomes one sentence that begins with the place (`plan.services[0].restart: …`).
 * Limits: `problemsShownMax`; checks that answer with a promise are refused, because a value must not change between its
 * check and its use.
 * Not here: JSON Schema (control/json-schema.ts).
 *
 * @module
 */

/** Problems of one value that a sentence tells; the rest are counted. */
export const problemsShownMax = 3;

/** One thing wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a check gives. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** Checks a value of any kind; see https://standardschema.dev. */
export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/** A value that was checked, or what is wrong with it in a sentence without a full stop. */
export type Checked<Output> = { readonly value: Output } | { readonly problem: string };

/** Checks `value`. @throws TypeError when the schema answers later */
export function check<Output>(schema: Schema<Output>, value: unknown): Checked<Output> {
  const result = schema["~standard"].validate(value);
  if ("then" in result) throw new TypeError("a schema of an endpoint answers at once, not with a promise");
  return result.issues === undefined ? { value: result.value } : { problem: problemOf(result.issues) };
}

/** Nothing: neither input nor output. Takes undefined and `{}`, which is what nothing looks like in JSON. */
export const nothing: Schema<void> = {
  "~standard": {
    version: 1,
    vendor: "colos",
    validate: (value) =>
      value === undefined || isEmptyObject(value)
        ? { value: undefined }
        : { issues: [{ message: "nothing belongs here; leave it out" }] },
  },
};

/** Whether an endpoint that takes this can be called without an input. @throws TypeError when the schema answers later */
export function mayBeLeftOut(schema: Schema): boolean {
  return "value" in check(schema, undefined);
}

function isEmptyObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0;
}

function problemOf(issues: readonly SchemaIssue[]): string {
  const shown = issues.slice(0, problemsShownMax).map(({ message, path }) => {
    const place = pathText(path ?? []);
    return place === "" ? message : `${place}: ${message}`;
  });
  const more = issues.length - shown.length;
  return more === 0 ? shown.join("; ") : `${shown.join("; ")}; and ${more} more`;
}

function pathText(path: NonNullable<SchemaIssue["path"]>): string {
  let text = "";
  for (const part of path) {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") text += `[${key}]`;
    else if (typeof key === "string" && /^[\w-]+$/.test(key)) text += text === "" ? key : `.${key}`;
    else text += `[${JSON.stringify(String(key))}]`;
  }
  return text;
}
