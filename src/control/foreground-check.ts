/**
 * Foreground check: what of a plan only the daemon can do, so that a system in the foreground is refused before anything
 * starts instead of running as something else.
 *
 * Limit: what a config says as the default is, nobody can tell from a plan; `exhausted.policy` is always what it is in the foreground.
 *
 * @module
 */
import type { ServicePlan, SystemPlan } from "./config.ts";
import { serviceDefaults } from "./service-plan.ts";
import type { ConfigPath } from "./value-schema.ts";

/** One field that needs the daemon. */
export interface ForegroundProblem {
  readonly path: ConfigPath;
  readonly sentence: string;
}

/** What does nothing for `plan` in the foreground, and does no harm there, each with its place in the config. */
export function foregroundNotes(plan: SystemPlan): ForegroundProblem[] {
  return plan.services.flatMap((service) =>
    ineffective(service).map((path) => ({
      path: ["services", service.name, ...path],
      sentence: "has no effect in the foreground",
    })),
  );
}

function ineffective({ logs, drainMs, exhausted }: ServicePlan): ConfigPath[] {
  const defaults = serviceDefaults;
  const paths: ConfigPath[] = [];
  for (const key of ["sizeBytes", "ageMs", "budgetBytes"] as const)
    if (logs[key] !== defaults.logs[key]) paths.push(["logs", key]);
  if (logs.forward !== undefined) paths.push(["logs", "forward"]);
  if (drainMs !== defaults.drainMs) paths.push(["drainMs"]);
  if (exhausted.retryEveryMs !== defaults.exhausted.retryEveryMs) paths.push(["exhausted", "retryEveryMs"]);
  return paths;
}

const sentence = "needs the daemon; run colos up without --foreground, or leave it out";

/** What the foreground cannot do for `plan`, each with its place in the config. */
export function foregroundProblems(plan: SystemPlan): ForegroundProblem[] {
  return plan.services.flatMap((service) =>
    needed(service).map((path) => ({ path: ["services", service.name, ...path], sentence })),
  );
}

/**
 * The services that start by themselves and those that they need; the others stay as if they were not there. Keeps the order.
 */
export function startedServices(plan: SystemPlan): SystemPlan {
  const wanted = new Set<string>();
  for (const { name, autostart, dependsOn } of plan.services.toReversed()) {
    if (!autostart && !wanted.has(name)) continue;
    wanted.add(name);
    for (const dependency of dependsOn) wanted.add(dependency.name);
  }
  return { services: plan.services.filter(({ name }) => wanted.has(name)) };
}

function needed(service: ServicePlan): ConfigPath[] {
  const { ready, exhausted, dependsOn, successCodes, run, stopSignal } = service;
  const keys = (["onCrash", "live", "schedule", "watch", "standby", "user", "group", "nice"] as const).filter(
    (key) => key in service,
  );
  const paths: ConfigPath[] = keys.map((key) => [key]);
  if (ready.kind === "fd" || ready.kind === "notify" || ready.kind === "call") paths.push(["ready", ready.kind]);
  if (Object.keys(service.limits).length > 0) paths.push(["limits"]);
  if (Object.keys(service.secrets).length > 0) paths.push(["secrets"]);
  if (service.envFiles.length > 0) paths.push(["envFiles"]);
  if (exhausted.hook !== undefined) paths.push(["exhausted", "hook"]);
  if (successCodes.length !== 1 || successCodes[0] !== 0) paths.push(["successCodes"]);
  if (run.kind === "program" && stopSignal !== "SIGTERM") paths.push(["stopSignal"]);
  for (const { name, condition, onEnd } of dependsOn) {
    if (condition !== "ready") paths.push(["dependsOn", name, "condition"]);
    if (onEnd !== "ignore") paths.push(["dependsOn", name, "onEnd"]);
  }
  return paths;
}
