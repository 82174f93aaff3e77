/**
 * Chaos report: what is said of a chaos that is over.
 *
 * @module
 */
import type { ChaosFaultName, ChaosPlan, ChaosReport, ChaosStrike, ChaosSummary } from "../../control/chaos.ts";

export interface ChaosOutcome {
  readonly plan: ChaosPlan;
  readonly strikes: readonly ChaosStrike[];
  readonly startedAt: number;
  readonly elapsedMs: number;
  readonly end: ChaosReport["end"];
  readonly abort?: string;
  /** What is not as it was before. */
  readonly problems: readonly string[];
}

export function reportOf({ plan, strikes, startedAt, elapsedMs, end, abort, problems }: ChaosOutcome): ChaosReport {
  const left = strikes.flatMap(({ fault, victim, isUndone, problem }) =>
    isUndone ? [] : [`${fault} on ${victim} is not undone: ${problem ?? "it is not over"}`],
  );
  return {
    ...{ home: plan.home, seed: plan.seed, startedAt, elapsedMs: Math.round(elapsedMs), end },
    ...(abort === undefined ? {} : { abort }),
    ...{ strikes, summary: plan.faults.map((fault) => summaryOf(fault, strikes)), skipped: plan.skipped },
    ...{ isUndone: left.length === 0, isWhole: problems.length === 0, problems: [...left, ...problems] },
  };
}

function summaryOf(fault: ChaosFaultName, all: readonly ChaosStrike[]): ChaosSummary {
  const strikes = all.filter((strike) => strike.fault === fault);
  const missedCount = strikes.filter(({ missed }) => missed !== undefined).length;
  const times = strikes.flatMap(({ recoveredAfterMs }) => recoveredAfterMs ?? []).toSorted((a, b) => a - b);
  const figures = times.length === 0 ? {} : { medianMs: medianOf(times), worstMs: times.at(-1)! };
  return { fault, strikesCount: strikes.length - missedCount, missedCount, recoveriesCount: times.length, ...figures };
}

function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
