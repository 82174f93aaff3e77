/**
 * Chaos schedule: when which fault strikes, drawn from a seed before anything begins.
 *
 * Guarantees: equal requests and seeds give equal schedules. One strike at least, `strikesMax` at most. Gaps differ by up to a half from their
 * mean, so that strikes do not fall in step with what the system does regularly.
 *
 * @module
 */
import type { Milliseconds } from "../../base/platform.ts";
import type { ChaosFaultName } from "../../control/chaos.ts";
import { SeededChoices } from "../../sim/choices.ts";

/** Strikes of one chaos. */
export const strikesMax = 10_000;
/** Whole numbers that a draw is made of. */
const grain = 1_000_000;

export interface PlannedStrike {
  readonly atMs: Milliseconds;
  readonly fault: ChaosFaultName;
  /** In [0, 1): which of the victims. */
  readonly draw: number;
}

export interface ScheduleSetting {
  readonly faults: readonly ChaosFaultName[];
  readonly perMinute: number;
  readonly forMs: Milliseconds;
  readonly seed: number;
}

/** All strikes, in order. */
export function scheduleChaos({ faults, perMinute, forMs, seed }: ScheduleSetting): readonly PlannedStrike[] {
  const choices = new SeededChoices(seed);
  const [gaps, kinds, places] = [choices.stream("gap"), choices.stream("fault"), choices.stream("victim")];
  const meanMs = 60_000 / perMinute;
  const strikes: PlannedStrike[] = [];
  let atMs = Math.min(forMs / 2, (gaps.choose(grain) / grain) * meanMs);
  while (atMs < forMs && strikes.length < strikesMax) {
    const fault = faults[kinds.choose(faults.length)]!;
    strikes.push({ atMs: Math.round(atMs), fault, draw: places.choose(grain) / grain });
    atMs += meanMs * (0.5 + gaps.choose(grain) / grain);
  }
  return strikes;
}
