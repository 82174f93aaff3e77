import { describe, expect, test } from "vitest";
import { planOf } from "../../test/plan-arbitraries.ts";
import { foregroundNotes, foregroundProblems, startedServices } from "./foreground-check.ts";

const placesOf = (fields: Record<string, unknown>): string[] =>
  foregroundProblems(
    planOf({ services: { db: { command: ["db"], restart: "transient" }, web: { command: ["web"], ...fields } } }),
  ).map(({ path }) => path.slice(1).join("."));

describe("foreground check", () => {
  test.each<[Record<string, unknown>, string[]]>([
    [{}, []],
    [{ stopSignal: "SIGINT", autostart: false, logs: { sizeBytes: 5000 }, drainMs: 1 }, []],
    [{ dependsOn: ["db"], ready: { log: "up" } }, []],
    [{ ready: { notify: true } }, ["web.ready.notify"]],
    [{ ready: { port: 1 }, live: { port: 1 } }, ["web.live"]],
    [{ schedule: { everyMs: 5000 } }, ["web.schedule"]],
    [{ watch: { paths: ["a"] } }, ["web.watch"]],
    [{ standby: true }, ["web.standby"]],
    [{ standby: false }, []],
    [{ user: 0, nice: 0 }, ["web.user", "web.nice"]],
    [{ limits: { fdsMax: 100 } }, ["web.limits"]],
    [{ secrets: { A: { env: "B" } } }, ["web.secrets"]],
    [{ envFiles: [".env"] }, ["web.envFiles"]],
    [{ exhausted: { hook: ["mail"] } }, ["web.exhausted.hook"]],
    [{ onCrash: ["mail"] }, ["web.onCrash"]],
    [{ successCodes: [0, 1] }, ["web.successCodes"]],
    [
      { dependsOn: { db: { condition: "exitedOk", onEnd: "stop" } } },
      ["web.dependsOn.db.condition", "web.dependsOn.db.onEnd"],
    ],
  ])("%j", (fields, places) => {
    expect(placesOf(fields)).toEqual(places);
  });

  test("a program in the foreground is asked to end in one way only", () => {
    const plan = planOf({ services: { web: { program: "web.ts", stopSignal: "SIGINT" } } });

    expect(foregroundProblems(plan)).toHaveLength(1);
  });
});

test.each<[Record<string, unknown>, string[]]>([
  [{}, []],
  [
    { logs: { sizeBytes: 5000, ageMs: 1, forward: "stdout" }, drainMs: 1 },
    ["logs.sizeBytes", "logs.ageMs", "logs.forward", "drainMs"],
  ],
  [{ exhausted: { retryEveryMs: 5 } }, ["exhausted.retryEveryMs"]],
])("what has no effect in the foreground is named: %j", (fields, places) => {
  const notes = foregroundNotes(planOf({ services: { web: { command: ["web"], ...fields } } }));

  expect(notes.map(({ path }) => path.slice(2).join("."))).toEqual(places);
});

describe("what starts in the foreground", () => {
  test("a service without autostart starts when one that starts needs it", () => {
    const plan = planOf({
      services: {
        tool: { command: ["tool"], autostart: false },
        base: { command: ["base"], autostart: false },
        db: { command: ["db"], autostart: false, dependsOn: ["base"] },
        web: { command: ["web"], dependsOn: ["db"] },
      },
    });

    expect(startedServices(plan).services.map(({ name }) => name)).toEqual(["base", "db", "web"]);
  });
});
