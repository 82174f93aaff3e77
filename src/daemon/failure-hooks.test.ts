import { describe, expect, test } from "vitest";
import { basePlan } from "../../test/base-plan.ts";
import { FakeClock } from "../../test/fake-cli-host.ts";
import type { ServicePlan } from "../control/config.ts";
import type { ServiceFailure } from "./core/core-host.ts";
import { FailureHooks, hookLinesCharsMax, hookLinesMax, hooksMax, hooksPeriodMs } from "./failure-hooks.ts";

const plan: ServicePlan = {
  ...basePlan,
  name: "web",
  cwd: "/srv",
  onCrash: ["./crashed"],
  exhausted: { policy: "degraded", retryEveryMs: 1, hook: ["./exhausted"] },
};
const failure: ServiceFailure = {
  event: "crash",
  plan,
  instance: 2,
  reason: "exit code 3",
  end: { code: 3, signal: null, at: 20 },
  at: 30,
  startedAt: 10,
  restartsCount: 4,
};

interface Called {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
}

/** Hooks that are written down in the place of being run. */
function hooksOf(more: { lines?: readonly string[]; problem?: string; environment?: () => Promise<never> } = {}) {
  const clock = new FakeClock();
  const calls: Called[] = [];
  const notes: string[] = [];
  const asked: unknown[] = [];
  const hooks = new FailureHooks({
    clock,
    environmentOf: more.environment ?? ((_, instance) => Promise.resolve({ COLOS_INSTANCE: String(instance) })),
    lastErrors: (...of) => {
      asked.push(of);
      return more.lines === undefined ? Promise.reject(new Error("no file")) : Promise.resolve(more.lines);
    },
    note: (service, sentence) => void notes.push(`${service}: ${sentence}`),
    run: (command, env, { cwd } = {}) => {
      calls.push({ command, env, cwd });
      return Promise.resolve(more.problem);
    },
  });
  return { clock, hooks, calls, notes, asked };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe("what a hook is told", () => {
  test("is who failed, how, how often, and what it wrote last", async () => {
    const { hooks, calls, asked } = hooksOf({ lines: ["starting", "no disk"] });
    hooks.tell(failure);
    await settle();
    expect(asked).toEqual([["web", 2, 10, 30]]);
    const env = {
      COLOS_INSTANCE: "2",
      COLOS_EVENT: "crash",
      COLOS_REASON: "exit code 3",
      COLOS_EXIT_CODE: "3",
      COLOS_RESTARTS: "4",
      COLOS_COUNT: "1",
      COLOS_STDERR: "starting\nno disk",
    };
    expect(calls).toEqual([{ command: ["./crashed"], env, cwd: "/srv" }]);
  });

  test("is an OS signal in the place of an exit code, and nothing of lines that cannot be read", async () => {
    const { hooks, calls } = hooksOf();
    hooks.tell({ ...failure, event: "exhausted", end: { code: null, signal: "SIGKILL", at: 20 } });
    await settle();
    expect(calls).toMatchObject([{ command: ["./exhausted"] }]);
    expect(calls[0]?.env).toMatchObject({ COLOS_EVENT: "exhausted", COLOS_EXIT_SIGNAL: "SIGKILL", COLOS_STDERR: "" });
    expect(calls[0]?.env).not.toHaveProperty("COLOS_EXIT_CODE");
  });

  test("is the last lines, no longer than fits, without what no variable can hold", async () => {
    const lines = Array.from({ length: hookLinesMax + 1 }, (_, index) => `${index}\0${"x".repeat(hookLinesCharsMax)}`);
    const { hooks, calls } = hooksOf({ lines });
    hooks.tell({ ...failure, reason: "a\0b" });
    await settle();
    const { COLOS_STDERR: said = "", COLOS_REASON: reason } = calls[0]!.env;
    expect([said.length <= hookLinesCharsMax, said.includes("\0"), reason]).toEqual([true, false, "ab"]);
  });

  test("goes to nobody without a hook for it", async () => {
    const { hooks, calls } = hooksOf();
    const { onCrash: _, ...silent } = plan;
    hooks.tell({ ...failure, plan: { ...silent, exhausted: { policy: "failed", retryEveryMs: 1 } } });
    await settle();
    expect(calls).toEqual([]);
  });

  test("and what goes wrong is noted of the service", async () => {
    const failing = hooksOf({ problem: "the hook ./crashed failed: exit code 1" });
    const blind = hooksOf({ environment: () => Promise.reject(new Error("there is no secret")) });
    for (const { hooks } of [failing, blind]) hooks.tell(failure);
    await settle();
    expect(failing.notes).toEqual(["web: the hook ./crashed failed: exit code 1"]);
    expect(blind.notes).toEqual([expect.stringMatching(/^web: its hook was not run: there is no secret/)]);
  });
});

describe("how often a hook is told", () => {
  const counts = (calls: readonly Called[]): (string | undefined)[] => calls.map(({ env }) => env["COLOS_COUNT"]);

  test("has a limit; what is more it is told at the end of the period, with how many there were", async () => {
    const { hooks, calls, clock } = hooksOf();
    for (let count = 0; count < hooksMax; count += 1) hooks.tell(failure);
    hooks.tell({ ...failure, reason: "second to last" });
    hooks.tell({ ...failure, reason: "last", instance: 3 });
    await settle();
    expect(counts(calls)).toEqual(Array.from({ length: hooksMax }, () => "1"));

    clock.advance(hooksPeriodMs - 1);
    await settle();
    expect(calls.length).toBe(hooksMax);

    clock.advance(1);
    await settle();
    expect(calls.length).toBe(hooksMax + 1);
    expect(calls.at(-1)?.env).toMatchObject({ COLOS_COUNT: "2", COLOS_REASON: "last", COLOS_INSTANCE: "3" });
    expect(clock.timersCount).toBe(0);
  });

  test("is counted for each service and each kind, and begins anew when the period is over", async () => {
    const { hooks, calls, clock } = hooksOf();
    const all = [failure, { ...failure, event: "exhausted" }, { ...failure, plan: { ...plan, name: "db" } }] as const;
    for (let count = 0; count < hooksMax; count += 1) for (const each of all) hooks.tell(each);
    clock.advance(hooksPeriodMs);
    for (let count = 0; count < hooksMax; count += 1) hooks.tell(failure);
    await settle();
    expect(calls.length).toBe(4 * hooksMax);
    expect(clock.timersCount).toBe(0);
  });

  test("is over with the service, and with the daemon", async () => {
    const { hooks, calls, clock } = hooksOf();
    for (let count = 0; count <= hooksMax; count += 1) hooks.tell(failure);
    hooks.forget("web");
    for (let count = 0; count <= hooksMax; count += 1) hooks.tell(failure);
    hooks.close();
    clock.advance(hooksPeriodMs);
    await settle();
    expect(calls.length).toBe(2 * hooksMax);
  });
});
