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
  AboutInput,
  ApplyReport,
  CallInput,
  CallReport,
  Cause,
  ClearInput,
  ClearReport,
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
  DownInput,
  WaitOptions,
} from "./manager.ts";
import type { Schema, SchemaResult } from "../context/schema.ts";
import { suggestionClause } from "../base/suggestion.ts";
import type { InstanceStatus } from "./service.ts";
import { carrierNames, instancesMax, isServiceName, servicesMax } from "./config-limit.ts";
import { callMsMax } from "./program-call.ts";
import { parseSelector } from "./selector.ts";
import { servicePlanSchema, systemPlanSchema } from "./plan-schema.ts";
import {
  argument,
  checkValue,
  durationMsMax,
  isPlainObject,
  keys,
  listOf,
  named,
  variableNameProblem,
  wholeNumber,
  type Schema as SchemaOf,
} from "./value-schema.ts";

/** Names in one operation. */
export const namesMax: number = servicesMax;
/** Characters of the path of the config file that a plan is of. */
export const sourceMax = 4096;
/** Bytes of the line that `send` writes. */
export const sendTextBytesMax = 65_536;

/** What an endpoint takes. */
export interface InputSchema<Input> extends Schema<Input> {
  /** What it is made of, for json-schema.ts. */
  readonly valibot: SchemaOf<Input>;
}

const wait = {
  wait: v.exactOptional(v.boolean("true or false")),
  timeoutMs: v.exactOptional(wholeNumber(1, durationMsMax, " of milliseconds")),
};
const namePhrase = "the name of a service or an instance, such as web or web.2";
const name = v.pipe(
  v.string(namePhrase),
  v.check((text) => isServiceName(text.replace(/\.[1-9]\d{0,3}$/, "")), namePhrase),
);
const selectorPhrase = `${namePhrase}, a pattern such as web*, a tag such as @backend, or all`;
const selector = v.pipe(
  v.string(selectorPhrase),
  v.check((text) => parseSelector(text) !== undefined, selectorPhrase),
);
const names = listOf(selector, `a list of 1 to ${namesMax} names`, 1, namesMax);
const plan = {
  plan: systemPlanSchema,
  env: named("an object of variable names and texts", argument, variableNameProblem),
  source: v.pipe(v.string("text"), v.maxLength(sourceMax, `text of at most ${sourceMax} characters`)),
};
const osSignal = v.pipe(
  v.string("an OS signal such as SIGTERM"),
  v.regex(/^SIG[A-Z][A-Z0-9]{1,11}$/, "an OS signal such as SIGTERM"),
);

/** One service or instance. */
export const nameInput: InputSchema<{ readonly name: string }> = input({ name });
/** Those whom a question is about; nothing at all means everybody. */
export const aboutInput: InputSchema<AboutInput | undefined> = optionalInput({ names: v.exactOptional(names) });
/** Services or instances. */
export const namesInput: InputSchema<NamesInput> = input({ names, ...wait });
/** Whether and how long to wait. */
export const waitInput: InputSchema<WaitOptions> = input(wait);
/** The same, and which daemon is meant. */
export const downInput: InputSchema<DownInput> = input({
  ...wait,
  ifUnused: v.exactOptional(v.boolean("true or false")),
});
/** A plan. */
export const planInput: InputSchema<PlanInput> = input(plan);
/** A plan, and whether to wait. */
export const applyInput: InputSchema<PlanInput & WaitOptions> = input({ ...plan, ...wait });
/** How many instances. */
export const scaleInput: InputSchema<{ readonly name: string; readonly instances: number } & WaitOptions> = input({
  name,
  instances: wholeNumber(1, instancesMax),
  ...wait,
});
/** Whose logs, and whether only to say so. */
export const clearInput: InputSchema<ClearInput> = input({
  names: v.exactOptional(names),
  gone: v.exactOptional(v.boolean("true or false")),
  preview: v.exactOptional(v.boolean("true or false")),
});
/** An OS signal to services or instances. */
export const killInput: InputSchema<{ readonly names: readonly string[]; readonly signal: string }> = input({
  names,
  signal: osSignal,
});
/** A line for stdin. */
export const sendInput: InputSchema<{ readonly name: string; readonly text: string }> = input({
  name,
  text: v.pipe(v.string("text"), v.maxBytes(sendTextBytesMax, `text of at most ${sendTextBytesMax} bytes`)),
});

/** A request to a program. */
export const callInput: InputSchema<CallInput> = input({
  name,
  request: v.unknown(),
  timeoutMs: v.exactOptional(wholeNumber(1, callMsMax, " of milliseconds")),
});

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
  standbyOsPid: v.exactOptional(count),
  uptimeMs: v.exactOptional(count),
  tags: v.exactOptional(v.array(v.string())),
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
  alarms: v.exactOptional(v.array(v.string())),
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
  plan: servicePlanSchema,
  target: v.picklist(["up", "down"]),
  instances: v.array(instanceDetail),
  dependents: v.array(v.string()),
  limits: v.array(v.string()),
  alarms: v.exactOptional(v.array(v.string())),
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

/** What was emptied. */
export const clearReport: SchemaOf<ClearReport> = v.object({
  logs: v.array(v.object({ name: v.string(), service: v.string(), instance: count, bytes: count })),
  bytes: count,
});

/** What a program replied. */
export const callReport: SchemaOf<CallReport> = v.object({ reply: v.unknown() });

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

/** An object with these keys and no others. The first problem ends the check, so that a wrong value of a million parts
 * costs no more than its first part. */
function input<const Entries extends v.ObjectEntries>(
  entries: Entries,
): InputSchema<v.InferOutput<v.StrictObjectSchema<Entries, undefined>>> {
  type Input = v.InferOutput<v.StrictObjectSchema<Entries, undefined>>;
  const valibot = v.config(
    v.pipe(v.custom<Record<string, unknown>>(isPlainObject, "an object"), keys(entries)) as SchemaOf<Input>,
    { abortEarly: true },
  );
  const validate = (value: unknown): SchemaResult<Input> => {
    const result = checkValue(valibot, value);
    if ("value" in result) return result;
    // A key that is written wrong explains the one that is missing.
    const stranger = isPlainObject(value) ? Object.keys(value).find((key) => !Object.hasOwn(entries, key)) : undefined;
    if (stranger !== undefined) return { issues: [{ path: [stranger], message: notKnown(stranger, entries) }] };
    return { issues: result.problems.map(({ path, sentence }) => ({ path, message: sentence })) };
  };
  return { "~standard": { version: 1, vendor: "colos", validate }, valibot };
}

/** As `input`, and may be left out. */
function optionalInput<const Entries extends v.ObjectEntries>(
  entries: Entries,
): InputSchema<v.InferOutput<v.StrictObjectSchema<Entries, undefined>> | undefined> {
  const { valibot, "~standard": standard } = input(entries);
  const validate: typeof standard.validate = (value) => standard.validate(value === undefined ? {} : value);
  return { "~standard": { ...standard, validate }, valibot };
}

function notKnown(key: string, entries: v.ObjectEntries): string {
  const known = Object.keys(entries);
  return `is not known${suggestionClause(key, known) || `; known are ${known.join(", ")}`}`;
}
