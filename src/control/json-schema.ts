/**
 * JSON Schema: what a schema of the control interface says, as JSON Schema 2020-12, for OpenAPI and tools of an AI.
 *
 * Guarantees: covers every kind that the definitions use and throws at any other, so that nothing is silently left out; a
 * schema that contains itself becomes a reference.
 * Limits: what JSON Schema cannot say (bytes of a text, rules across fields) is checked and not described.
 *
 * @module
 */
import type { Schema } from "../context/schema.ts";
import { nothing } from "../context/schema.ts";

/** A JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What of a valibot schema or action this file looks at. */
interface Part {
  readonly kind: string;
  readonly type: string;
  readonly requirement?: unknown;
  readonly pipe?: readonly Part[];
  readonly metadata?: { readonly valueOfNames?: Part; readonly jsonSchema?: JsonSchema };
  /** Of an input (manager-schema.ts): what it is made of. */
  readonly valibot?: Part;
  readonly wrapped?: Part;
  readonly item?: Part;
  readonly entries?: Readonly<Record<string, Part>>;
  readonly options?: readonly (Part | string | number)[];
  readonly literal?: unknown;
  readonly getter?: () => Part;
}

/** Collects schemas that have names, which others refer to. */
export class JsonSchemas {
  readonly #names = new Map<unknown, string>();
  readonly #prefix: string;
  /** The schemas by name. */
  readonly named: Record<string, JsonSchema> = {};

  /** References are `prefix` and the name. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Gives a schema a name, so that it stands in the document once. */
  name(name: string, schema: Schema): void {
    this.#names.set(schema, name);
    this.named[name] = this.#describe(schema as unknown as Part);
  }

  /** The schema, or a reference to it; undefined for nothing. @throws TypeError for a kind that is not known here */
  of(schema: Schema): JsonSchema | undefined {
    return schema === nothing ? undefined : this.#of(schema as unknown as Part);
  }

  #of(part: Part): JsonSchema {
    const name = this.#names.get(part);
    return name === undefined ? this.#describe(part) : { $ref: `${this.#prefix}${name}` };
  }

  #describe(part: Part): JsonSchema {
    if (part.valibot !== undefined) return this.#describe(part.valibot);
    if (part.pipe === undefined) return this.#plain(part);
    const told = part.pipe.find(({ type }) => type === "metadata")?.metadata;
    if (told?.jsonSchema !== undefined) return told.jsonSchema;
    if (told?.valueOfNames !== undefined) return { type: "object", additionalProperties: this.#of(told.valueOfNames) };
    // A later schema of a pipe says more than the check in front of it.
    const base = this.#plain(part.pipe.findLast(({ kind }) => kind === "schema")!);
    const actions = part.pipe.filter(({ kind }) => kind !== "schema");
    return Object.assign({}, base, ...actions.map((action) => constraint(action, base))) as JsonSchema;
  }

  #plain(part: Part): JsonSchema {
    switch (part.type) {
      case "string":
      case "number":
      case "boolean":
        return { type: part.type };
      case "literal":
        return { const: part.literal };
      case "unknown":
        return {};
      case "picklist":
        return { enum: part.options };
      case "array":
        return { type: "array", items: this.#of(part.item!) };
      case "object":
      case "strict_object":
        return this.#object(part);
      case "union":
      case "variant":
        return { anyOf: (part.options as readonly Part[]).map((option) => this.#of(option)) };
      case "nullable":
        return { anyOf: [this.#of(part.wrapped!), { type: "null" }] };
      case "exact_optional":
        return this.#of(part.wrapped!);
      case "lazy":
        return this.#of(part.getter!());
      default:
        throw new TypeError(`there is no JSON Schema for a schema of the kind ${part.type}`);
    }
  }

  #object(part: Part): JsonSchema {
    const entries = Object.entries(part.entries ?? {});
    const required = entries.filter(([, entry]) => entry.type !== "exact_optional").map(([key]) => key);
    return {
      type: "object",
      properties: Object.fromEntries(entries.map(([key, entry]) => [key, this.#of(entry)])),
      ...(required.length === 0 ? {} : { required }),
      ...(part.type === "strict_object" ? { additionalProperties: false } : {}),
    };
  }
}

/** What an action of a pipe adds. */
function constraint(action: Part, base: JsonSchema): JsonSchema {
  const { requirement } = action;
  const isList = base["type"] === "array";
  switch (action.type) {
    case "min_length":
      return requirement === 0 ? {} : { [isList ? "minItems" : "minLength"]: requirement };
    case "max_length":
      return { [isList ? "maxItems" : "maxLength"]: requirement };
    case "max_bytes":
      // A character has at least one byte.
      return { maxLength: requirement };
    case "integer":
      return { type: "integer" };
    case "min_value":
      return { minimum: requirement };
    case "max_value":
      return { maximum: requirement };
    case "regex":
      return { pattern: (requirement as RegExp).source };
    case "check":
    case "raw_check":
    case "transform":
    case "ip":
      return {};
    default:
      throw new TypeError(`there is no JSON Schema for a check of the kind ${action.type}`);
  }
}
