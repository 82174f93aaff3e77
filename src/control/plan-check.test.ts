import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planOf, plans } from "../../test/plan-arbitraries.ts";
import type { ServicePlan } from "./config.ts";
import { parsePlan, problemsMax } from "./plan-check.ts";

function problemsOf(value: unknown): readonly string[] {
  const result = parsePlan(value);
  return "problems" in result ? result.problems : [];
}

const [web] = planOf({ services: { web: { command: ["web"] } } }).services;
const problemsOfWeb = (change: Partial<Record<keyof ServicePlan, unknown>>) =>
  problemsOf({ services: [{ ...web, ...change }] });

describe("plan check", () => {
  test("every plan of a config is taken as it is, also through JSON", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const json = JSON.stringify(plan);

        expect(parsePlan(JSON.parse(json))).toEqual({ plan: JSON.parse(json) });
      }),
    );
  });

  test("a plan without services is a plan", () => {
    expect(parsePlan({ services: [] })).toEqual({ plan: { services: [] } });
  });

  test.each<[Partial<Record<keyof ServicePlan, unknown>>, string]>([
    [{ cwd: "shop" }, 'plan: services[0].cwd: "shop" is not an absolute path'],
    [{ carrier: "thread" }, "plan: services.web.carrier: a command cannot run as thread; its only carrier is command"],
    [
      { dependsOn: [{ name: "db", condition: "ready", onEnd: "ignore" }] },
      'plan: services.web.dependsOn: there is no service "db"',
    ],
    [{ listenHost: "::1" }, "plan: services.web.listenHost: an address to listen on needs a port; add listen"],
    [
      { exhausted: { policy: "failed", retryEveryMs: 5 } },
      "plan: services.web.exhausted.retryEveryMs: 5 is not 60000, as the rest means",
    ],
    [
      { run: { kind: "program", file: "/web.ts", args: [] }, carrier: "thread", stdin: "null" },
      "plan: services.web.stdin: a thread has no OS process of its own to do this with; carriers that have are os-process and command",
    ],
  ])("%j", (change, problem) => {
    expect(problemsOfWeb(change)).toEqual([problem]);
  });

  test("a service that stands there twice is refused", () => {
    expect(problemsOf({ services: [web, web] })).toEqual(["plan: services.web: stands there twice"]);
  });

  test("a service before its dependency is refused", () => {
    const plan = planOf({ services: { db: { command: ["db"] }, web: { command: ["web"], dependsOn: ["db"] } } });

    expect(problemsOf({ services: plan.services.toReversed() })).toEqual([
      "plan: services.web: comes before db, which it depends on",
    ]);
  });

  test("at most so many problems are told", () => {
    const env = Object.fromEntries(Array.from({ length: problemsMax + 3 }, (_, at) => [`V${at}`, at]));

    const problems = problemsOfWeb({ env });

    expect(problems).toHaveLength(problemsMax + 1);
    expect(problems.at(-1)).toBe("plan: 3 more problems");
  });

  test("no value makes it throw", () => {
    fc.assert(
      fc.property(fc.jsonValue(), plans, fc.nat(), (value, plan, at) => {
        const service = plan.services[0]!;
        const keys = Object.keys(service);

        expect(parsePlan(value)).toHaveProperty("problems");
        expect(parsePlan({ services: [{ ...service, [keys[at % keys.length]!]: value }] })).toBeTypeOf("object");
      }),
    );
  });
});
