import { describe, expect, test } from "vitest";
import { check, type Schema } from "../context/schema.ts";
import type { ServicePlan } from "./config.ts";
import { parseConfig } from "./config-parser.ts";
import type {
  ApplyReport,
  Cause,
  ManagerEvent,
  NamesInput,
  OperationReport,
  PlanChange,
  PlanInput,
  RunHistory,
  ServiceDetail,
  SystemStatus,
  TreeNode,
  WaitOptions,
} from "./manager.ts";
import * as schema from "./manager-schema.ts";
import type { InstanceStatus } from "./service.ts";

/** With every field: a field that is new in manager.ts is absent here, and this file no longer compiles. */
type Full<T> = T extends ServicePlan
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Full<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]-?: Full<Exclude<T[Key], undefined>> }
      : T;

function plan(): ServicePlan {
  const source = { source: "c.json", directory: "/", resolve: (at: string, path: string) => `${at}/${path}` };
  const parsed = parseConfig({ services: { web: { command: ["a"], env: { constructor: "x" } } } }, source);
  if ("problems" in parsed) throw new Error(parsed.problems.map(({ message }) => message).join("\n"));
  return parsed.plan.services[0]!;
}

const status: Full<InstanceStatus> = {
  name: "web.2",
  service: "web",
  instance: 2,
  carrier: "command",
  tags: ["backend"],
  state: "backoff",
  reason: "it ended with exit code 1",
  osPid: 1,
  standbyOsPid: 7,
  uptimeMs: 2,
  restartsCount: 3,
  memoryBytes: 4,
  cpuPercent: 5.5,
  lastLogLine: "hello",
};
const exit = { code: null, signal: "SIGKILL", at: 9, reason: "the machine was restarted" };
const run: Full<RunHistory> = { id: "web.2.17", startedAt: 6, readyAt: 7, osPid: 8, exit: exit as never };
const change: Full<PlanChange> = {
  service: "web",
  kind: "change",
  effect: "restart",
  fields: [{ path: "env.PORT", from: '"1"', to: '"2"' }],
};
const report: Full<OperationReport> = {
  instances: [status],
  problems: [{ name: "web", sentence: "it did not become ready", lastLines: ["oops"], advice: "Look at its log." }],
};

describe("what the manager answers passes whole", () => {
  const systemStatus: Full<SystemStatus> = {
    daemon: {
      version: "1",
      api: 1,
      osPid: 2,
      home: "/h",
      startedAt: 3,
      startsCount: 4,
      memoryBytes: 5,
      node: "v20",
      abilities: ["cgroup v2: not delegated"],
      alarms: ["cannot write the log"],
    },
    instances: [status],
  };
  const detail: Full<ServiceDetail> = {
    plan: plan(),
    target: "up",
    instances: [
      {
        ...status,
        runs: [run],
        window: { restarts: 1, maxRestarts: 5, periodMs: 30_000 },
        nextStartAt: 10,
        logDirectory: "/h/log",
        directory: "/h/web",
      },
    ],
    dependents: ["api"],
    limits: ["memory: 1 GB by cgroup"],
    alarms: ["cannot write the log"],
  };
  const applied: Full<ApplyReport> = { ...report, changes: [change] };
  const cause: Full<Cause> = { at: 1, sentence: "a", causes: [{ at: 2, sentence: "b", causes: [] }] };
  const tree: Full<TreeNode> = {
    kind: "system",
    name: "a",
    text: "b",
    children: [{ kind: "os-process", name: "c", text: "", children: [] }],
  };
  const events: readonly Full<ManagerEvent>[] = [
    { type: "state", at: 1, status, before: "ready" },
    { type: "change", at: 2, change },
    { type: "note", at: 3, service: "web", sentence: "hello" },
  ];
  test.each<[string, Schema, unknown]>([
    ["list", schema.systemStatus, systemStatus],
    ["show", schema.serviceDetail, detail],
    ["preview", schema.previewReport, { changes: [change] }],
    ["apply", schema.applyReport, applied],
    ["restart", schema.operationReport, report],
    ["why", schema.cause, cause],
    ["tree", schema.treeNode, tree],
    ...events.map((event): [string, Schema, unknown] => [`the event ${event.type}`, schema.managerEvent, event]),
  ])("%s", (_name, of, value) => {
    expect(check(of, value)).toEqual({ value });
  });
});

describe("what the manager is asked passes whole", () => {
  const wait: Full<WaitOptions> = { wait: false, timeoutMs: 5 };
  const names: Full<NamesInput> = { names: ["web", "web.2", "all"], ...wait };
  const planInput: Full<PlanInput> = {
    plan: { services: [plan()] },
    env: { PATH: "/bin", toString: "x" },
    source: "c",
  };
  test.each<[string, Schema, unknown]>([
    ["restart", schema.namesInput, names],
    ["show", schema.nameInput, { name: "web.12" }],
    ["down", schema.waitInput, wait],
    ["preview", schema.planInput, planInput],
    ["apply", schema.applyInput, { ...planInput, ...wait }],
    ["scale", schema.scaleInput, { name: "web", instances: 1000, ...wait }],
    ["kill", schema.killInput, { names: ["web"], signal: "SIGRTMIN" }],
    ["send", schema.sendInput, { name: "web", text: "x".repeat(schema.sendTextBytesMax) }],
  ])("%s", (_name, of, value) => {
    expect(check(of, value)).toEqual({ value });
  });

  test.each(["web.0", "web.", "web.1.2", "a/b", "", "web.10000", "w".repeat(65)])("%j is no name", (name) => {
    expect(check(schema.nameInput, { name })).toHaveProperty("problem");
  });

  test("the first problem of many is the one that is told", () => {
    const many = Array.from({ length: schema.namesMax }, () => 1);

    expect(check(schema.namesInput, { names: many })).toEqual({
      problem:
        "names[0]: 1 is not the name of a service or an instance, such as web or web.2, a pattern such as web*, a tag such as @backend, or all",
    });
  });

  test("more names than namesMax are refused", () => {
    const many = Array.from({ length: schema.namesMax + 1 }, () => "web");

    expect(check(schema.namesInput, { names: many })).toEqual({
      problem: "names: a list is not a list of 1 to 1000 names (it has 1001 entries; 1000 are allowed)",
    });
  });
});
