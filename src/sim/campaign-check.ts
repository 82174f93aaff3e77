/**
 * Campaign check: refuses a property, a plan or options that cannot mean anything, before anything runs.
 *
 * @module
 */
import { faults, type FaultName } from "../faults/fault.ts";
import type { CampaignOptions, Plan, Property } from "./property.ts";
import { canBePlanned, strikesByItself, windowDefault } from "./nemesis.ts";

/** A property, a plan or options make no sense; the message says what and where. */
export class CampaignError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CampaignError";
  }
}

/** @throws CampaignError */
export function checkCampaign<System>(property: Property<System>, plan: Plan, options: CampaignOptions): void {
  checkProperty(property);
  checkPlan(plan);
  checkOptions(options);
}

function checkProperty<System>(property: Property<System>): void {
  const { name, setup, workload, always, onSignal, balance, eventually, sometimes, model } = property;
  if (typeof name !== "string" || name === "") throw new CampaignError("a property needs a name");
  if (typeof setup !== "function") throw new CampaignError(`property "${name}" needs a function setup(self, world)`);
  const checks = [always, onSignal, balance, eventually].flatMap((group) => Object.keys(group ?? {}));
  const isEmpty =
    checks.length === 0 && model === undefined && workload === undefined && (sometimes ?? []).length === 0;
  if (isEmpty) {
    throw new CampaignError(
      `property "${name}" checks nothing: give it always, onSignal, balance, eventually, sometimes or a model, or a workload that throws`,
    );
  }
  for (const [label, { withinMs }] of Object.entries(eventually ?? {})) {
    if (!(withinMs >= 0))
      throw new CampaignError(`eventually "${label}" of "${name}": withinMs is milliseconds, not ${String(withinMs)}`);
  }
}

function checkPlan(plan: Plan): void {
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
    if (atMs < fromMs || atMs > toMs)
      throw new CampaignError(
        `no run can satisfy this plan: ${fault} at ${atMs} ms is outside of the window, which goes from ${fromMs} to ${toMs} ms`,
      );
  }
}

function checkBudget({ budget, faults: rates, at }: Plan): void {
  if (budget === undefined) return;
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
  throw new CampaignError(`${where}: there is no fault "${name}"; there are ${Object.keys(faults).join(", ")}`);
}

/** Options that are whole numbers, and the least they can be. */
const wholeNumbers = [
  ["seed", 0],
  ["runs", 0],
  ["selfCheckEvery", 0],
  ["pctDepth", 1],
] as const;
const schedulers = ["random", "pct", "fifo", "exhaustive"];

function checkOptions({ scheduler = "random", ...numbers }: CampaignOptions): void {
  if (!schedulers.includes(scheduler)) {
    throw new CampaignError(`scheduler is one of ${schedulers.join(", ")}, not "${String(scheduler)}"`);
  }
  for (const name of ["cpuSeconds", "eventsMax", "shrinkCpuSeconds"] as const) {
    const value = numbers[name];
    if (value !== undefined && !(value >= 0))
      throw new CampaignError(`${name} is a number from 0 on, not ${String(value)}`);
  }
  for (const [name, least] of wholeNumbers) {
    const value = numbers[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least))
      throw new CampaignError(`${name} is a whole number from ${least} on, not ${String(value)}`);
  }
  if (numbers.runs === 0) throw new CampaignError("runs is 0, so nothing would be tested");
}
