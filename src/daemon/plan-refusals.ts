/**
 * Plan refusals: why a plan cannot be run on this machine, or by this daemon, though it makes sense.
 *
 * @module
 */
import type { SystemPlan } from "../control/config.ts";
import type { Limits } from "./limits/limits.ts";
import { journaldProblem } from "./log/forward.ts";

/** Why a plan cannot be run here: one sentence each, which begins with the key. Empty: it can. */
export async function refusalsOf({ services }: SystemPlan, limits: Limits): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const plan of services) {
    for (const sentence of await limits.refusals(plan)) problems.push(`services.${plan.name}.${sentence}`);
    const journald = plan.logs.forward === "journald" ? journaldProblem() : undefined;
    if (journald !== undefined) problems.push(`services.${plan.name}.logs.forward: ${journald}`);
    if (plan.ready.kind === "call" && plan.carrier !== "os-process") {
      problems.push(
        `services.${plan.name}.ready.call: the daemon calls programs on the carrier os-process alone; use log or port on ${plan.carrier}`,
      );
    }
    if (plan.ready.kind === "call" && plan.user !== undefined) {
      problems.push(
        `services.${plan.name}.ready.call: the daemon calls programs of its own user alone; leave out user, or use log, fd or port`,
      );
    }
  }
  return problems;
}
