/**
 * Torture schedule: which faults strike when, drawn from a seed before a run begins.
 *
 * Guarantees: equal seeds and plans give equal schedules; every fault with a rate above 0 strikes at least once, as far as
 * the budget goes; the budget holds.
 * A fault that strikes by chance in a simulated run (a probability for each write, say) is in force for stretches of time
 * here; its probability is the share of the window that they take.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import type { Choices, Stream } from "../sim/choices.ts";
import type { Plan } from "../sim/property.ts";
import { strikesByItself } from "../sim/nemesis.ts";

/** Faults in one run unless the plan's budget says otherwise. */
export const faultsMaxDefault = 1000;
/** Faults of one kind in one run, whatever the plan's budget says: more do not strike, they only take memory. */
export const strikesMax = 10_000;
/** Whole numbers that a draw of time is made of. */
const grain = 1_000_000;

/** A fault that will strike. */
export interface PlannedStrike {
  readonly atMs: Milliseconds;
  /** The plan says when; otherwise it was drawn. */
  readonly isFixed: boolean;
  readonly fault: FaultName;
  /** A title; undefined for whom `draw` picks. */
  readonly target: string | undefined;
  readonly draw: number;
  /** How long it stays in force, for those that last. */
  readonly forMs: Milliseconds;
}

/** All strikes of a run, in order. */
export function schedule(
  plan: Plan,
  faults: readonly FaultName[],
  choices: Choices,
  setting: {
    readonly window: readonly [Milliseconds, Milliseconds];
    readonly forMs: readonly [Milliseconds, Milliseconds];
  },
): PlannedStrike[] {
  const { window, forMs } = setting;
  const strikeOf = (
    atMs: Milliseconds,
    fault: FaultName,
    stream: Stream,
    isFixed: boolean,
    target?: string,
  ): PlannedStrike => ({
    ...{ atMs, fault, target, isFixed },
    draw: stream.choose(grain),
    forMs: forMs[0] + (stream.choose(grain) / grain) * (forMs[1] - forMs[0]),
  });
  const strikes: PlannedStrike[] = [];
  for (const { atMs, fault, target } of plan.at ?? []) {
    if (faults.includes(fault)) strikes.push(strikeOf(atMs, fault, choices.stream(`at.${fault}`), true, target));
  }
  const most = Math.min(strikesMax, plan.budget?.faultsMax ?? faultsMaxDefault);
  const meanForSeconds = (forMs[0] + forMs[1]) / 2000;
  for (const fault of faults) {
    const rate = plan.faults?.[fault] ?? 0;
    if (rate <= 0) continue;
    const perSecond = strikesByItself(fault) ? rate : rate / meanForSeconds;
    const stream = choices.stream(`strike.${fault}`);
    for (const atMs of times(stream, perSecond, window, most)) strikes.push(strikeOf(atMs, fault, stream, false));
  }
  return withinBudget(
    strikes.toSorted((one, other) => one.atMs - other.atMs),
    plan,
  );
}

/** As a Poisson process has them; one at least. */
function times(
  stream: Stream,
  perSecond: number,
  [fromMs, toMs]: readonly [number, number],
  most: number,
): Milliseconds[] {
  const found: Milliseconds[] = [];
  for (let atMs = fromMs; found.length < most;) {
    atMs += (-Math.log(1 - stream.choose(grain) / grain) / perSecond) * 1000;
    if (atMs >= toMs) break;
    found.push(atMs);
  }
  if (found.length === 0) found.push(fromMs + (stream.choose(grain) / grain) * (toMs - fromMs));
  return found;
}

function withinBudget(strikes: readonly PlannedStrike[], { budget = {} }: Plan): PlannedStrike[] {
  const { faultsMax = faultsMaxDefault, perFaultMax = {}, quietMs = 0 } = budget;
  const counts = new Map<FaultName, number>();
  const kept: PlannedStrike[] = [];
  for (const strike of strikes) {
    const count = counts.get(strike.fault) ?? 0;
    const isQuiet = strike.atMs - (kept.at(-1)?.atMs ?? -Infinity) < quietMs;
    if (kept.length >= faultsMax || count >= (perFaultMax[strike.fault] ?? Infinity) || isQuiet) continue;
    counts.set(strike.fault, count + 1);
    kept.push(strike);
  }
  return kept;
}
