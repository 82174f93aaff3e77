/**
 * Plan check: a plan that somebody hands over, over the control socket or from a file, taken only when `parseConfig` could
 * have made it.
 *
 * Guarantees: what is accepted has the structure of `systemPlanSchema`, keeps every rule that a config keeps, and its services
 * come after what they depend on. The rules are written once: the plan is put back into the form of a config, and that has to
 * mean the same plan. Never throws.
 * Limits: those of plan-schema.ts; `problemsMax` problems are told.
 *
 * @module
 */
import type { ServicePlan, SystemConfig, SystemPlan } from "./config.ts";
import { parseConfig } from "./config-parser.ts";
import { planChanges } from "./plan-diff.ts";
import { systemPlanSchema } from "./plan-schema.ts";
import { writtenConfig } from "./plan-config.ts";
import { checkValue, pathText } from "./value-schema.ts";

/** Problems that are told of one plan. */
export const problemsMax = 100;

export type ParsePlanResult = { readonly plan: SystemPlan } | { readonly problems: readonly string[] };

/** Takes a plan from outside, or says what is wrong with it, one line each. */
export function parsePlan(value: unknown): ParsePlanResult {
  const checked = checkValue(systemPlanSchema, value);
  if ("problems" in checked) {
    return wrong(checked.problems.map(({ path, sentence }) => `plan: ${pathText(path)}: ${sentence}`));
  }
  const plan = checked.value;
  const twice = plan.services.filter(({ name }, at) => plan.services.findIndex((each) => each.name === name) !== at);
  if (twice.length > 0) return wrong(twice.map(({ name }) => `plan: services.${name}: stands there twice`));
  // A system without services is right as a plan: everything is removed.
  if (plan.services.length === 0) return { plan };
  const config: SystemConfig = writtenConfig(plan);
  const meant = parseConfig(config, { source: "plan", directory: "/", resolve: (_, path) => path });
  if ("problems" in meant) return wrong(meant.problems.map(({ message }) => message));
  const problems = [...differences(plan, meant.plan), ...misplaced(plan)];
  return problems.length > 0 ? wrong(problems) : { plan };
}

function wrong(problems: readonly string[]): ParsePlanResult {
  const more = problems.length - problemsMax;
  return { problems: more > 0 ? [...problems.slice(0, problemsMax), `plan: ${more} more problems`] : problems };
}

/** Fields that no config means, such as a slow retry of a service that is given up. */
function differences(plan: SystemPlan, meant: SystemPlan): string[] {
  return planChanges(meant, plan).flatMap(({ service, fields }) =>
    fields.map(({ path, from, to }) => `plan: services.${service}.${path}: ${to} is not ${from}, as the rest means`),
  );
}

function misplaced({ services }: SystemPlan): string[] {
  const seen = new Set<string>();
  return services.flatMap(({ name, dependsOn }: ServicePlan) => {
    seen.add(name);
    const late = dependsOn.filter((dependency) => !seen.has(dependency.name));
    return late.map((dependency) => `plan: services.${name}: comes before ${dependency.name}, which it depends on`);
  });
}
