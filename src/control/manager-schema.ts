/**
 * Manager schema: what the operations of the manager take and answer (manager.ts), as schemas.
 *
 * Guarantees: input is exact, so a field that nobody knows is refused instead of passed over; of output, a field that is not
 * in the type is left out, so a client never sees what is not documented.
 *
 * @module
 */
import * as v from "valibot";
import type {
  ApplyReport,
  Cause,
  DaemonStatus,
  InstanceDetail,
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
import type { InstanceStatus } from "./service.ts";
import { serviceNameMax, servicesMax } from "./config-parser.ts";
import { carrierNames, durationMsMax, instancesMax } from "./config-schema.ts";
import { osSignalName, planTextMax, servicePlan, systemPlan, variables } from "./plan-schema.ts";
import { flag, input, list, record, text, textLike, whole, type SchemaOf } from "./schema-parts.ts";

/** Names in one operation. */
export const namesMax: number = servicesMax;
/** Bytes of the line that `send` writes. */
export const sendTextBytesMax = 65_536;

const wait = {
  wait: v.exactOptional(flag),
  timeoutMs: v.exactOptional(whole(1, durationMsMax)),
};
const name = textLike(/^[\w-]+(?:\.\d+)?$/, serviceNameMax + 6, "the name of a service or an instance (web, web.2)");
const names = list(name, namesMax, 1);
const plan = {
  plan: systemPlan,
  env: variables,
  source: text(planTextMax),
};

/** One service or instance. */
export const nameInput: SchemaOf<{ readonly name: string }> = input(record({ name }));
/** Services or instances. */
export const namesInput: SchemaOf<NamesInput> = input(record({ names, ...wait }));
/** Whether and how long to wait. */
export const waitInput: SchemaOf<WaitOptions> = input(record(wait));
/** A plan. */
export const planInput: SchemaOf<PlanInput> = input(record(plan));
/** A plan, and whether to wait. */
export const applyInput: SchemaOf<PlanInput & WaitOptions> = input(record({ ...plan, ...wait }));
/** How many instances. */
export const scaleInput: SchemaOf<{ readonly name: string; readonly instances: number } & WaitOptions> = input(
  record({ name, instances: whole(1, instancesMax), ...wait }),
);
/** An OS signal to services or instances. */
export const killInput: SchemaOf<{ readonly names: readonly string[]; readonly signal: string }> = input(
  record({ names, signal: osSignalName }),
);
/** A line for stdin. */
export const sendInput: SchemaOf<{ readonly name: string; readonly text: string }> = input(
  record({
    name,
    text: v.pipe(
      v.string("is not text"),
      v.maxBytes(sendTextBytesMax, `has more than ${sendTextBytesMax} bytes; send it in pieces`),
    ),
  }),
);

const at = v.number();
const count = v.number();
const optionalText = v.exactOptional(v.string());

const state = v.picklist([
  "waiting",
  "starting",
  "ready",
  "stopping",
  "stopped",
  "backoff",
  "degraded",
  "scheduled",
  "failed",
]);

const instanceEntries = {
  name: v.string(),
  service: v.string(),
  instance: count,
  carrier: v.picklist(carrierNames),
  state,
  reason: optionalText,
  osPid: v.exactOptional(count),
  uptimeMs: v.exactOptional(count),
  restartsCount: count,
  memoryBytes: v.exactOptional(count),
  cpuPercent: v.exactOptional(count),
  lastLogLine: optionalText,
};
/** One instance. */
export const instanceStatus: SchemaOf<InstanceStatus> = v.object(instanceEntries);

const daemonStatus: SchemaOf<DaemonStatus> = v.object({
  version: v.string(),
  api: count,
  osPid: count,
  home: v.string(),
  startedAt: at,
  startsCount: count,
  memoryBytes: count,
  node: v.string(),
  abilities: v.array(v.string()),
});

/** Everything, in short. */
export const systemStatus: SchemaOf<SystemStatus> = v.object({
  daemon: daemonStatus,
  instances: v.array(instanceStatus),
});

const runHistory: SchemaOf<RunHistory> = v.object({
  id: v.string(),
  startedAt: at,
  readyAt: v.exactOptional(at),
  osPid: v.exactOptional(count),
  exit: v.exactOptional(
    v.object({ code: v.nullable(v.number()), signal: v.nullable(v.string()), at, reason: optionalText }),
  ),
});

const instanceDetail: SchemaOf<InstanceDetail> = v.object({
  ...instanceEntries,
  runs: v.array(runHistory),
  window: v.object({ restarts: count, maxRestarts: count, periodMs: count }),
  nextStartAt: v.exactOptional(at),
  logDirectory: v.string(),
  directory: v.string(),
});

/** One service in full. */
export const serviceDetail: SchemaOf<ServiceDetail> = v.object({
  plan: servicePlan,
  target: v.picklist(["up", "down"]),
  instances: v.array(instanceDetail),
  dependents: v.array(v.string()),
  limits: v.array(v.string()),
});

const planChange: SchemaOf<PlanChange> = v.object({
  service: v.string(),
  kind: v.picklist(["add", "change", "remove", "keep"]),
  effect: v.picklist(["start", "restart", "scale", "stop", "note", "none"]),
  fields: v.array(v.object({ path: v.string(), from: optionalText, to: optionalText })),
});

/** What a plan changes. */
export const previewReport: SchemaOf<{ readonly changes: readonly PlanChange[] }> = v.object({
  changes: v.array(planChange),
});

const reportEntries = {
  instances: v.array(instanceStatus),
  problems: v.array(
    v.object({ name: v.string(), sentence: v.string(), lastLines: v.array(v.string()), advice: optionalText }),
  ),
};
/** What an operation did. */
export const operationReport: SchemaOf<OperationReport> = v.object(reportEntries);
/** What applying a plan did. */
export const applyReport: SchemaOf<ApplyReport> = v.object({ ...reportEntries, changes: v.array(planChange) });

/** Why something is as it is. */
export const cause: SchemaOf<Cause> = v.object({
  at: v.exactOptional(at),
  sentence: v.string(),
  causes: v.array(v.lazy(() => cause)),
});

/** The tree of everything. */
export const treeNode: SchemaOf<TreeNode> = v.object({
  kind: v.picklist(["system", "service", "instance", "os-process", "process"]),
  name: v.string(),
  text: v.string(),
  children: v.array(v.lazy(() => treeNode)),
});

/** Something that happened. */
export const managerEvent: SchemaOf<ManagerEvent> = v.variant("type", [
  v.object({ type: v.literal("state"), at, status: instanceStatus, before: v.string() }),
  v.object({ type: v.literal("change"), at, change: planChange }),
  v.object({ type: v.literal("note"), at, service: optionalText, sentence: v.string() }),
]);
