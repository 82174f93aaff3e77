import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { ServicePlan, SystemPlan } from "./config.ts";
import { parseConfig } from "./config-parser.ts";
import { systemPlanSchema } from "./plan-schema.ts";

const options = {
  source: "colos.config.json",
  directory: "/shop",
  resolve: (at: string, path: string) => `${at}/${path}`,
};

function planOf(services: Record<string, unknown>): SystemPlan {
  const result = parseConfig({ services }, options);
  if ("problems" in result) throw new Error(result.problems.map(({ message }) => message).join("\n"));
  return result.plan;
}

const passes = (value: unknown): boolean => v.is(systemPlanSchema, value);
const withService = (change: Partial<Record<keyof ServicePlan | "colour", unknown>>): unknown => {
  const [service] = planOf({ web: { command: ["./web"] } }).services;
  return { services: [{ ...service, ...change }] };
};

describe("plan schema", () => {
  test("a plan of the parser passes unchanged, also as JSON", () => {
    const plan = planOf({
      web: { command: ["./web"], listen: 80, env: { __proto__: null, constructor: "x", A: null }, ready: { port: 80 } },
      api: { program: "api.ts", dependsOn: ["web"], ready: { log: "up" }, shutdown: "infinity" },
    });

    expect(v.parse(systemPlanSchema, structuredClone(plan))).toEqual(plan);
    const json = JSON.stringify(plan);
    expect(v.parse(systemPlanSchema, JSON.parse(json))).toEqual(plan);
  });

  test.each<[string, Parameters<typeof withService>[0]]>([
    ["an unknown key", { colour: 1 }],
    ["an undefined key", { live: undefined }],
    ["a relative path", { cwd: "shop" }],
    ["a standby that is none", { standby: false }],
    ["an unknown word", { carrier: "vm" }],
    ["too many instances", { instances: 1001 }],
    ["no exit code of success", { successCodes: [] }],
    ["a readiness of no kind", { ready: { kind: "maybe" } }],
    ["a readiness with a key of another kind", { ready: { kind: "none", port: 1 } }],
    ["a secret of two kinds", { secrets: { A: { file: "/a", env: "B" } } }],
    ["a secret that is its value", { secrets: { A: "value" } }],
    ["a variable with = in its name", { env: { "A=B": "c" } }],
    ["too little memory", { limits: { memoryBytes: 1 } }],
    ["an OS signal that cannot be caught", { stopSignal: "SIGKILL" }],
    ["a name with a slash", { name: "../web" }],
  ])("%s is refused", (_, change) => {
    expect(passes(withService({}))).toBe(true);
    expect(passes(withService(change))).toBe(false);
  });

  test.each<unknown>([undefined, null, [], {}, { services: {} }, { services: [null] }, { services: [], more: 1 }])(
    "%j is no plan",
    (value) => {
      expect(passes(value)).toBe(false);
    },
  );
});
