/**
 * Plan diff: what changes when one plan takes the place of another, and what that does to running instances.
 *
 * Guarantees: pure; equal plans are all `keep`; each service of either plan comes once, those of the new plan in its order
 * and then those that go. The order of keys, of dependencies, tags and exit codes says nothing. Secrets cannot appear: a plan
 * has only where they are.
 * Limit: `fieldTextMax` characters of a value.
 * Not here: doing it (the manager's core), what a plan is compared with (the journal).
 *
 * @module
 */
import type { ServicePlan, SystemPlan } from "./config.ts";
import type { FieldChange, PlanChange } from "./manager.ts";
import { type ConfigPath, isPlainObject, pathText } from "./value-schema.ts";

/** Characters of the text of a value. */
export const fieldTextMax = 200;

/** What a change of each field does: an instance cannot get another program or environment while it runs. */
const effects: Readonly<Record<Exclude<keyof ServicePlan, "name">, "restart" | "scale" | "note">> = {
  run: "restart",
  carrier: "restart",
  listenPort: "restart",
  listenHost: "restart",
  env: "restart",
  envFiles: "restart",
  secrets: "restart",
  cwd: "restart",
  stdin: "restart",
  user: "restart",
  group: "restart",
  nice: "restart",
  limits: "restart",
  instances: "scale",
  description: "note",
  tags: "note",
  autostart: "note",
  restart: "note",
  successCodes: "note",
  stopSignal: "note",
  shutdown: "note",
  maxRestarts: "note",
  periodMs: "note",
  backoff: "note",
  exhausted: "note",
  onCrash: "note",
  ready: "note",
  live: "note",
  dependsOn: "note",
  schedule: "note",
  watch: "note",
  standby: "note",
  drainMs: "note",
  logs: "note",
};

/** The fields that a run takes from its plan when it begins and that cannot be changed later. */
export const runFields: readonly (keyof ServicePlan)[] = (Object.keys(effects) as (keyof typeof effects)[]).filter(
  (field) => effects[field] === "restart",
);

/** The heaviest first. */
const effectOrder = ["restart", "scale", "note"] as const;

/** What turns `before` (undefined: nothing) into `after`. */
export function planChanges(before: SystemPlan | undefined, after: SystemPlan): PlanChange[] {
  const known = new Map(before?.services.map((service) => [service.name, service]));
  const changes = after.services.map((service) => changeOf(known.get(service.name), service));
  const names = new Set(after.services.map(({ name }) => name));
  const gone = [...known.keys()].filter((name) => !names.has(name));
  return [...changes, ...gone.map((service): PlanChange => ({ service, kind: "remove", effect: "stop", fields: [] }))];
}

function changeOf(before: ServicePlan | undefined, after: ServicePlan): PlanChange {
  const service = after.name;
  if (before === undefined) {
    const starts = after.autostart && after.schedule === undefined;
    return { service, kind: "add", effect: starts ? "start" : "none", fields: [] };
  }
  const different = (Object.keys(effects) as (keyof typeof effects)[])
    .map((key) => ({ key, fields: differences([key], settled(key, before), settled(key, after)) }))
    .filter(({ fields }) => fields.length > 0);
  if (different.length === 0) return { service, kind: "keep", effect: "none", fields: [] };
  const effect = effectOrder.find((each) => different.some(({ key }) => effects[key] === each))!;
  return { service, kind: "change", effect, fields: different.flatMap(({ fields }) => fields) };
}

/** A field without an order that says nothing. */
function settled(key: keyof typeof effects, plan: ServicePlan): unknown {
  if (key === "dependsOn") return Object.fromEntries(plan.dependsOn.map(({ name, ...more }) => [name, more]));
  if (key === "successCodes") return plan.successCodes.toSorted((a, b) => a - b);
  if (key === "tags") return plan.tags?.toSorted();
  return plan[key];
}

function differences(path: ConfigPath, from: unknown, to: unknown): FieldChange[] {
  if (isPlainObject(from) && isPlainObject(to) && from["kind"] === to["kind"]) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
    return [...keys].flatMap((key) => differences([...path, key], own(from, key), own(to, key)));
  }
  const [fromText, toText] = [textOf(from), textOf(to)];
  if (fromText === toText) return [];
  return [{ path: pathText(path), ...cut("from", fromText), ...cut("to", toText) }];
}

function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** JSON with the keys of objects in one order; undefined for nothing. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item) ?? "null").join(",")}]`;
  if (!isPlainObject(value)) return JSON.stringify(value);
  const entries = Object.keys(value)
    .toSorted()
    .flatMap((key) => {
      const text = textOf(value[key]);
      return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`];
    });
  return `{${entries.join(",")}}`;
}

function cut<Key extends "from" | "to">(key: Key, text: string | undefined): { readonly [Name in Key]?: string } {
  if (text === undefined) return {};
  const shortened = text.length > fieldTextMax ? `${text.slice(0, fieldTextMax - 1)}…` : text;
  return { [key]: shortened } as { readonly [Name in Key]?: string };
}
