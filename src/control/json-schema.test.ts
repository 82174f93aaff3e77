import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { endpoint, type Endpoint } from "../context/interface.ts";
import { nothing, type Schema } from "../context/schema.ts";
import { JsonSchemas } from "./json-schema.ts";
import { managerInterfaces } from "./manager-interface.ts";
import { openApi } from "./openapi.ts";

const of = (schema: Schema): unknown => new JsonSchemas("#/").of(schema);

describe("json schema", () => {
  test.each<[Schema, unknown]>([
    [v.string(), { type: "string" }],
    [v.pipe(v.string(), v.minLength(1), v.maxLength(9)), { type: "string", minLength: 1, maxLength: 9 }],
    [v.pipe(v.string(), v.regex(/^a$/)), { type: "string", pattern: "^a$" }],
    [v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9)), { type: "integer", minimum: 1, maximum: 9 }],
    [v.boolean(), { type: "boolean" }],
    [v.literal("a"), { const: "a" }],
    [v.picklist(["a", "b"]), { enum: ["a", "b"] }],
    [v.nullable(v.string()), { anyOf: [{ type: "string" }, { type: "null" }] }],
    [v.pipe(v.array(v.string()), v.maxLength(3)), { type: "array", items: { type: "string" }, maxItems: 3 }],
    [
      v.strictObject({ a: v.string(), b: v.exactOptional(v.string()) }),
      {
        type: "object",
        properties: { a: { type: "string" }, b: { type: "string" } },
        required: ["a"],
        additionalProperties: false,
      },
    ],
    [v.object({}), { type: "object", properties: {} }],
    [v.union([v.string(), v.number()]), { anyOf: [{ type: "string" }, { type: "number" }] }],
    [nothing, undefined],
  ])("%#", (schema, expected) => {
    expect(of(schema)).toEqual(expected);
  });

  test("a schema that contains itself becomes a reference", () => {
    const tree: v.GenericSchema = v.object({ children: v.array(v.lazy(() => tree)) });
    const schemas = new JsonSchemas("#/s/");

    schemas.name("Tree", tree);

    expect(schemas.of(tree)).toEqual({ $ref: "#/s/Tree" });
    expect(schemas.named["Tree"]).toMatchObject({ properties: { children: { items: { $ref: "#/s/Tree" } } } });
  });

  test.each([v.bigint(), v.custom(() => true), v.pipe(v.string(), v.email())])(
    "%#: a kind that is not known is refused",
    (schema) => {
      expect(() => of(schema)).toThrow(/there is no JSON Schema for a (?:schema|check) of the kind/);
    },
  );
});

describe("openapi", () => {
  test("every reference leads somewhere", () => {
    const document = openApi("1.0.0");
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];

    const { schemas } = document["components"] as { schemas: object };
    expect(references.length).toBeGreaterThan(10);
    for (const [, name] of references) expect(schemas).toHaveProperty(name!);
  });

  const all = Object.values(managerInterfaces).flatMap(({ endpoints }) => Object.entries(endpoints)) as [
    string,
    Endpoint,
  ][];
  test.each(all)("%s has help in one line, and effects", (_name, { help, effects, positional = "name" }) => {
    expect(help).toMatch(/^[A-Z][^\n]*[^.]$/);
    expect(effects.length).toBeGreaterThan(0);
    expect(["name", "names"]).toContain(positional);
  });

  test("what only looks is said to", () => {
    const reading = all.filter(([, { effects }]) => effects.every((effect) => effect === "read"));

    expect(reading.map(([name]) => name).toSorted()).toEqual([
      "check",
      "events",
      "list",
      "preview",
      "show",
      "tree",
      "why",
    ]);
  });

  test("a definition that makes no sense is refused", () => {
    const sound = { input: nothing, output: nothing, effects: [], help: "Do it" };

    expect(() => endpoint({ ...sound, help: "two\nlines" })).toThrow(/is one line/);
    expect(() => endpoint({ ...sound, effects: ["everything" as never] })).toThrow(/is no effect/);
  });
});
