import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configs, planOf, plans } from "../../test/plan-arbitraries.ts";
import type { PlanChange } from "./manager.ts";
import { fieldTextMax, planChanges } from "./plan-diff.ts";

const web = (fields: Record<string, unknown> = {}) => planOf({ services: { web: { command: ["web"], ...fields } } });
const changeOfWeb = (fields: Record<string, unknown>, before: Record<string, unknown> = {}): PlanChange =>
  planChanges(web(before), web(fields))[0]!;

/** The same JSON value with the keys of its objects in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => reversed(item));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, inner]) => [key, reversed(inner)]));
}

describe("plan changes: one service", () => {
  test.each<[string, Record<string, unknown>, PlanChange["effect"], PlanChange["fields"]]>([
    ["nothing", {}, "none", []],
    [
      "a command",
      { command: ["web", "-v"] },
      "restart",
      [{ path: "run.command", from: '["web"]', to: '["web","-v"]' }],
    ],
    ["a new variable", { env: { PORT: "1" } }, "restart", [{ path: "env.PORT", to: '"1"' }]],
    ["a variable with a strange name", { env: { "a.b": "1" } }, "restart", [{ path: 'env["a.b"]', to: '"1"' }]],
    ["more instances", { instances: 2 }, "scale", [{ path: "instances", from: "1", to: "2" }]],
    [
      "instances and environment",
      { instances: 2, env: { A: null } },
      "restart",
      [
        { path: "env.A", to: "null" },
        { path: "instances", from: "1", to: "2" },
      ],
    ],
    ["a description", { description: "shop" }, "note", [{ path: "description", to: '"shop"' }]],
    ["a tag", { tags: "back" }, "note", [{ path: "tags", to: '["back"]' }]],
    ["a file size", { logs: { sizeBytes: 5000 } }, "note", [{ path: "logs.sizeBytes", from: "10485760", to: "5000" }]],
    [
      "a kind of readiness",
      { ready: { notify: true } },
      "note",
      [{ path: "ready", from: '{"kind":"none"}', to: '{"kind":"notify","timeoutMs":30000}' }],
    ],
    ["a limit", { limits: { fdsMax: 64 } }, "restart", [{ path: "limits.fdsMax", to: "64" }]],
  ])("%s", (_, fields, effect, changes) => {
    const change = changeOfWeb(fields);

    expect(change).toMatchObject({ service: "web", effect });
    expect(change.kind).toBe(effect === "none" ? "keep" : "change");
    expect(change.fields.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual(changes);
  });

  test("what is no longer there has no new value", () => {
    expect(changeOfWeb({}, { user: "www" }).fields).toEqual([{ path: "user", from: '"www"' }]);
  });

  test("a long value is cut", () => {
    const [field] = changeOfWeb({ env: { A: "x".repeat(1000) } }).fields;

    expect(field!.to).toHaveLength(fieldTextMax);
    expect(field!.to!.endsWith("…")).toBe(true);
  });

  test("a new value where only the cut part differs is a change", () => {
    const long = (end: string) => ({ env: { A: "x".repeat(1000) + end } });

    expect(changeOfWeb(long("a"), long("b")).kind).toBe("change");
  });

  test("the order of dependencies and of exit codes says nothing", () => {
    const plan = (dependsOn: string[], successCodes: number[]) =>
      planOf({
        services: { a: { command: ["a"] }, b: { command: ["b"] }, web: { command: ["web"], dependsOn, successCodes } },
      });

    expect(planChanges(plan(["a", "b"], [0, 10, 9]), plan(["b", "a"], [9, 10, 0])).map(({ kind }) => kind)).toEqual([
      "keep",
      "keep",
      "keep",
    ]);
  });
});

describe("plan changes: a system", () => {
  test("what is new starts, unless it is not to start by itself", () => {
    const after = planOf({
      services: {
        web: { command: ["web"] },
        tool: { command: ["tool"], autostart: false },
        job: { command: ["job"], schedule: { cron: "@daily" } },
      },
    });

    expect(planChanges(undefined, after).map(({ service, kind, effect }) => [service, kind, effect])).toEqual([
      ["web", "add", "start"],
      ["tool", "add", "none"],
      ["job", "add", "none"],
    ]);
  });

  test("what is gone stops, and comes last", () => {
    const before = planOf({ services: { db: { command: ["db"] }, web: { command: ["web"] } } });

    expect(planChanges(before, web())).toEqual([
      { service: "web", kind: "keep", effect: "none", fields: [] },
      { service: "db", kind: "remove", effect: "stop", fields: [] },
    ]);
  });

  test("equal plans are kept, whatever the order of their keys", () => {
    fc.assert(
      fc.property(configs, (config) => {
        const changes = planChanges(planOf(config), planOf(reversed(config)));

        expect(changes.every(({ kind }) => kind === "keep")).toBe(true);
      }),
    );
  });

  test("each service comes once; it is kept when its plans say the same", () => {
    fc.assert(
      fc.property(plans, plans, (before, after) => {
        const changes = planChanges(before, after);

        const namesOf = (kinds: readonly string[]) =>
          changes.filter(({ kind }) => kinds.includes(kind)).map(({ service }) => service);
        const known = new Map(before.services.map((service) => [service.name, service]));
        expect(namesOf(["add", "change", "keep"])).toEqual(after.services.map(({ name }) => name));
        expect(new Set(namesOf(["remove"]))).toEqual(
          new Set([...known.keys()].filter((name) => !after.services.some((service) => service.name === name))),
        );
        const isSame = ({ name }: { name: string }) => {
          const other = known.get(name);
          const service = after.services.find((each) => each.name === name)!;
          return other !== undefined && isDeepStrictEqual(sorted(service), sorted(other));
        };
        expect(namesOf(["keep"])).toEqual(after.services.filter(isSame).map(({ name }) => name));
        expect(namesOf(["add"])).toEqual(after.services.flatMap(({ name }) => (known.has(name) ? [] : [name])));
      }),
    );
  });

  test("the fields of a change are just those that differ", () => {
    fc.assert(
      fc.property(plans, plans, (before, after) => {
        const back = planChanges(after, before);

        for (const { service, kind, fields } of planChanges(before, after)) {
          if (kind !== "change") continue;
          const there = back.find((change) => change.service === service)!;
          const turned = there.fields.map(({ path, from, to }) => JSON.stringify([path, to, from]));
          expect(new Set(turned)).toEqual(
            new Set(fields.map(({ path, from, to }) => JSON.stringify([path, from, to]))),
          );
        }
      }),
    );
  });
});

function sorted(service: unknown): unknown {
  const { dependsOn, successCodes, ...rest } = service as {
    dependsOn: readonly { name: string }[];
    successCodes: readonly number[];
  };
  const byName = dependsOn.toSorted((a, b) => a.name.localeCompare(b.name));
  return { ...rest, dependsOn: byName, successCodes: successCodes.toSorted((a, b) => a - b) };
}
