/**
 * Campaign check: refuses a property, a plan or options that cannot mean anything, before anything runs.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import { suggestionClause } from "../base/suggestion.ts";
import { faults, type FaultName } from "../faults/fault.ts";
import { CampaignError } from "./campaign-error.ts";
import type { Budget, CampaignOptions, Plan, Property } from "./property.ts";
import { parseReplay } from "./replay.ts";
import { canBePlanned, strikesByItself, windowDefault } from "./nemesis.ts";

export { CampaignError };

/** @throws CampaignError */
export function checkCampaign<System>(property: Property<System>, plan: Plan, options: CampaignOptions): void {
  checkProperty(property);
  checkPlan(plan);
  checkOptions(options);
}

function checkProperty<System>(property: Property<System>): void {
  if (typeof property !== "object" || property === null) {
    throw new CampaignError(`a property is { name, setup, … }, not ${inWords(property)}`);
  }
  checkNames("a property has no", property, propertyNames);
  const { name, setup, workload, always, onSignal, balance, eventually, sometimes, model } = property;
  if (typeof name !== "string" || name === "") throw new CampaignError("a property needs a name");
  if (typeof setup !== "function") throw new CampaignError(`property "${name}" needs a function setup(self, world)`);
  for (const [group, given] of Object.entries({ always, onSignal, balance })) {
    if (given !== undefined) checkGroup(name, group, given);
  }
  const checks = [always, onSignal, balance, eventually].flatMap((group) => Object.keys(group ?? {}));
  const isEmpty =
    checks.length === 0 && model === undefined && workload === undefined && (sometimes ?? []).length === 0;
  if (isEmpty) {
    throw new CampaignError(
      `property "${name}" checks nothing: give it always, onSignal, balance, eventually, sometimes or a model, or a workload that throws`,
    );
  }
  for (const [label, part] of Object.entries(eventually ?? {})) {
    const { withinMs } = part;
    if (typeof part.holds !== "function") {
      throw new CampaignError(`eventually "${label}" of "${name}" is { withinMs, holds(system, world) }`);
    }
    if (!(withinMs >= 0))
      throw new CampaignError(`eventually "${label}" of "${name}": withinMs is milliseconds, not ${String(withinMs)}`);
  }
}

function checkPlan(plan: Plan): void {
  checkNames("a plan has no", plan, planNames);
  for (const [fault, rate] of Object.entries(plan.faults ?? {})) {
    checkFault(fault, "faults");
    if (!(rate >= 0)) throw new CampaignError(`the rate of ${fault} is a number from 0 on, not ${String(rate)}`);
    if (!strikesByItself(fault as FaultName) && rate > 1) {
      throw new CampaignError(
        `${fault} strikes with a probability each time that it could, so its rate is at most 1, not ${rate}`,
      );
    }
  }
  checkWindow(plan);
  checkBudget(plan);
  for (const { atMs, fault } of plan.at ?? []) {
    checkFault(fault, "at");
    if (!(atMs >= 0)) throw new CampaignError(`at: ${fault} strikes at milliseconds from 0 on, not ${String(atMs)}`);
    if (!canBePlanned(fault)) {
      throw new CampaignError(`at: ${fault} strikes where it is asked for, not at a time; give it a rate in faults`);
    }
  }
  if (Array.isArray(plan.targets) && plan.targets.length === 0) {
    throw new CampaignError(
      "no run can satisfy this plan: targets is empty, so nothing can be struck; leave it out to allow all",
    );
  }
}

function checkWindow({ window = windowDefault, faults: rates, at }: Plan): void {
  const [fromMs, toMs] = window;
  if (!(fromMs >= 0 && toMs >= fromMs && toMs < Infinity)) {
    throw new CampaignError(`no run can satisfy this plan: its window goes from ${fromMs} to ${toMs} ms`);
  }
  const isWanted = Object.values(rates ?? {}).some((rate) => rate > 0);
  if (isWanted && fromMs === toMs)
    throw new CampaignError("no run can satisfy this plan: it has faults, and its window is empty");
  for (const { atMs, fault } of at ?? []) {
    if (atMs < fromMs)
      throw new CampaignError(
        `no run can satisfy this plan: ${fault} at ${atMs} ms is before the window, which begins at ${fromMs}`,
      );
    if (atMs > toMs)
      throw new CampaignError(
        `no run can satisfy this plan: ${fault} at ${atMs} ms is after the window, which ends at ${toMs}`,
      );
  }
}

function checkBudget({ budget, faults: rates, at }: Plan): void {
  if (budget === undefined) return;
  checkNames("a budget has no", budget, budgetNames);
  const { faultsMax = Infinity, perFaultMax = {}, quietMs = 0 } = budget;
  if (!(quietMs >= 0)) throw new CampaignError(`budget.quietMs is milliseconds, not ${String(quietMs)}`);
  if (!(faultsMax >= (at?.length ?? 0))) {
    throw new CampaignError(
      `no run can satisfy this plan: at has ${at?.length ?? 0} faults, and budget.faultsMax is ${String(faultsMax)}`,
    );
  }
  for (const [fault, count] of Object.entries(perFaultMax)) {
    checkFault(fault, "budget.perFaultMax");
    if (!(count >= 0)) throw new CampaignError(`budget.perFaultMax.${fault} is a count, not ${String(count)}`);
    if (count === 0 && (rates?.[fault as FaultName] ?? 0) > 0) {
      throw new CampaignError(`no run can satisfy this plan: faults has ${fault}, and budget.perFaultMax forbids it`);
    }
    const plannedCount = (at ?? []).filter((planned) => planned.fault === fault).length;
    if (plannedCount > count) {
      throw new CampaignError(
        `no run can satisfy this plan: at has ${plannedCount} ${fault}, and budget.perFaultMax allows ${count}`,
      );
    }
  }
  if (faultsMax === 0 && Object.values(rates ?? {}).some((rate) => rate > 0)) {
    throw new CampaignError("no run can satisfy this plan: it has faults, and budget.faultsMax is 0");
  }
}

function checkFault(name: string, where: string): void {
  if (Object.hasOwn(faults, name)) return;
  const known = Object.keys(faults);
  const rest = suggestionClause(String(name), known);
  throw new CampaignError(
    `${where}: there is no fault "${name}"${rest === "" ? `; there are ${known.join(", ")}` : rest}`,
  );
}

/** Programs without a type checker: a word that nobody reads would be a test of nothing. */
function checkNames(what: string, given: object, known: Readonly<Record<string, true>>): void {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const rest = suggestionClause(name, names);
    throw new CampaignError(`${what} "${name}"${rest === "" ? `, but ${names.join(", ")}` : rest}`);
  }
}

const propertyNames: Readonly<Record<keyof Property<unknown>, true>> = {
  ...{ name: true, setup: true, workload: true, always: true, onSignal: true, balance: true },
  ...{ eventually: true, sometimes: true, model: true },
};
const planNames: Readonly<Record<keyof Plan, true>> = {
  ...{ faults: true, at: true, window: true, swarm: true, budget: true, targets: true },
};
const budgetNames: Readonly<Record<keyof Budget, true>> = { faultsMax: true, perFaultMax: true, quietMs: true };
const optionNames: Readonly<Record<keyof CampaignOptions, true>> = {
  ...{ seed: true, runs: true, cpuSeconds: true, scheduler: true, pctDepth: true, eventsMax: true },
  ...{ selfCheckEvery: true, replay: true, corpus: true, shrinkCpuSeconds: true },
};

/** Every check of a group is a function. */
function checkGroup(name: string, group: string, checks: unknown): void {
  if (typeof checks !== "object" || checks === null) {
    throw new CampaignError(`${group} of "${name}" is an object of checks by name, not ${inWords(checks)}`);
  }
  for (const [label, check] of Object.entries(checks)) {
    if (typeof check !== "function") {
      throw new CampaignError(`${group} "${label}" of "${name}" is a function, not ${inWords(check)}`);
    }
  }
}

function checkReplay(where: string, text: unknown): void {
  if (typeof text !== "string") throw new CampaignError(`${where} is a text, not ${inWords(text)}`);
  try {
    parseReplay(text);
  } catch (error) {
    throw new CampaignError(`${where}: ${(error as Error).message}`);
  }
}

const schedulers = ["random", "pct", "fifo", "exhaustive"];

function checkOptions(options: CampaignOptions): void {
  checkNames("a campaign has no option", options, optionNames);
  const { scheduler = "random", replay, corpus = [], ...numbers } = options;
  if (replay !== undefined) checkReplay("replay", replay);
  corpus.forEach((text, index) => checkReplay(`corpus, entry ${index}`, text));
  if (!schedulers.includes(scheduler)) {
    throw new CampaignError(`scheduler is one of ${schedulers.join(", ")}, not "${String(scheduler)}"`);
  }
  for (const name of [
    "seed",
    "runs",
    "cpuSeconds",
    "eventsMax",
    "selfCheckEvery",
    "shrinkCpuSeconds",
    "pctDepth",
  ] as const) {
    const value = numbers[name];
    if (value !== undefined && !(value >= 0))
      throw new CampaignError(`${name} is a number from 0 on, not ${String(value)}`);
  }
  for (const name of ["seed", "runs", "selfCheckEvery", "pctDepth"] as const) {
    const value = numbers[name] ?? 1;
    if (!Number.isSafeInteger(value)) throw new CampaignError(`${name} is a whole number, not ${String(value)}`);
  }
  if (numbers.pctDepth === 0) throw new CampaignError("pctDepth is 0, and a failure needs one step at least");
  if (numbers.runs === 0) throw new CampaignError("runs is 0, so nothing would be tested");
}
