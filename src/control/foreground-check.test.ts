import { describe, expect, test } from "vitest";
import { planOf } from "../../test/plan-arbitraries.ts";
import { foregroundProblems, startedServices } from "./foreground-check.ts";

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
