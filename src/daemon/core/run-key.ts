/**
 * Run key: which version of a plan a run runs.
 *
 * Guarantees: two plans have the same key exactly when a run of one need not be replaced to be a run of the other.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { ServicePlan } from "../../control/config.ts";
import { runFields } from "../../control/plan-diff.ts";

/** What a standby has from its plan beside that: how it says that it is ready is wired up when it is started. */
const standbyFields: readonly (keyof ServicePlan)[] = [...runFields, "ready"];

const runKeys = new WeakMap<ServicePlan, string>();
const standbyKeys = new WeakMap<ServicePlan, string>();

/** 16 hexadecimal digits. */
export function runKey(plan: ServicePlan): string {
  return keyOf(plan, runFields, runKeys);
}

/** The same for a run that is started ahead: two plans have the same exactly when a standby of one can take over for the other. */
export function standbyKey(plan: ServicePlan): string {
  return keyOf(plan, standbyFields, standbyKeys);
}

function keyOf(plan: ServicePlan, fields: readonly (keyof ServicePlan)[], keys: WeakMap<ServicePlan, string>): string {
  let key = keys.get(plan);
  if (key === undefined) {
    const taken = fields.map((field) => [field, plan[field] ?? null]);
    key = createHash("sha256").update(JSON.stringify(taken, sortedKeys)).digest("hex").slice(0, 16);
    keys.set(plan, key);
  }
  return key;
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
