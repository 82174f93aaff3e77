/**
 * Dependency rules: which conditions a service can ever fulfil.
 *
 * @module
 */
import type { DependencyPlan, ServicePlan } from "./config.ts";

/** Why `other` can never be what `dependency` waits for, in one sentence; undefined when it can. */
export function findDependencyProblem({ condition }: DependencyPlan, other: ServicePlan): string | undefined {
  const { name, restart, live, schedule } = other;
  if (condition === "exitedOk") {
    return restart === "permanent"
      ? `${name} is started again whenever it ends, so exitedOk never holds; give ${name} restart transient or temporary`
      : undefined;
  }
  if (schedule !== undefined) {
    return `${name} is a job and at rest between its times, so it is not ${condition} for long; write condition exitedOk`;
  }
  if (condition === "healthy" && live === undefined) {
    return `${name} has no liveness check to be healthy by; add live to ${name}, or write condition ready`;
  }
  return undefined;
}
