import { describe, expect, test } from "vitest";
import type { FaultName } from "../faults/fault.ts";
import { SeededChoices } from "../sim/choices.ts";
import type { Plan } from "../sim/property.ts";
import { faultsMaxDefault, schedule, strikesMax, type PlannedStrike } from "./torture-schedule.ts";

const setting = { window: [100, 1100], forMs: [100, 300] } as const;

function drawn(plan: Plan, seed = 1): PlannedStrike[] {
  const faults = [...Object.keys(plan.faults ?? {}), ...(plan.at ?? []).map(({ fault }) => fault)] as FaultName[];
  return schedule(plan, [...new Set(faults)], new SeededChoices(seed), setting);
}

describe("torture schedule", () => {
  test("equal seeds give equal strikes, others give others", () => {
    const plan: Plan = { faults: { kill: 20, stop: 5 } };

    expect(drawn(plan, 7)).toEqual(drawn(plan, 7));
    expect(drawn(plan, 8)).not.toEqual(drawn(plan, 7));
  });

  test("strikes come in order, within the window and as long as was said", () => {
    const strikes = drawn({ faults: { kill: 50, enospc: 0.5 } });

    expect(strikes.map(({ atMs }) => atMs)).toEqual(
      strikes.map(({ atMs }) => atMs).toSorted((one, other) => one - other),
    );
    expect(strikes.every(({ atMs, forMs }) => atMs >= 100 && atMs <= 1100 && forMs >= 100 && forMs <= 300)).toBe(true);
  });

  test("a rate is strikes per second for what strikes by itself, else a share of the time", () => {
    const counts = Array.from({ length: 200 }, (_, seed) => drawn({ faults: { kill: 20, enospc: 0.5 } }, seed));
    const mean = (fault: FaultName): number =>
      counts.reduce((sum, strikes) => sum + strikes.filter((strike) => strike.fault === fault).length, 0) /
      counts.length;

    expect(mean("kill")).toBeGreaterThan(19);
    expect(mean("kill")).toBeLessThan(21);
    // 0.5 of a second in stretches of 0.2 seconds; never none.
    expect(mean("enospc")).toBeGreaterThan(2.3);
    expect(mean("enospc")).toBeLessThan(2.9);
  });

  test("every fault strikes at least once, however rare", () => {
    expect(
      drawn({ faults: { kill: 0.0001, "clock-step": 0.0001 } })
        .map(({ fault }) => fault)
        .toSorted(),
    ).toEqual(["clock-step", "kill"]);
  });

  test("a fault at a time comes at that time, to its target", () => {
    const [strike] = drawn({ at: [{ atMs: 5, fault: "enospc", target: "store" }] });

    expect(strike).toMatchObject({ atMs: 5, fault: "enospc", target: "store", isFixed: true });
  });

  test("the budget holds: altogether, for each fault, and in between", () => {
    expect(drawn({ faults: { kill: 100 }, budget: { faultsMax: 3 } })).toHaveLength(3);
    expect(drawn({ faults: { kill: 100 }, budget: { perFaultMax: { kill: 2 } } })).toHaveLength(2);
    const quiet = drawn({ faults: { kill: 100 }, budget: { quietMs: 200 } }).map(({ atMs }) => atMs);
    expect(quiet.length).toBeGreaterThan(1);
    expect(quiet.slice(1).every((atMs, index) => atMs - (quiet[index] as number) >= 200)).toBe(true);
  });

  test("there are never more than the default limit, or than the budget says", () => {
    expect(drawn({ faults: { kill: 1_000_000 } })).toHaveLength(faultsMaxDefault);
    const more = faultsMaxDefault + 500;
    expect(drawn({ faults: { kill: 1_000_000 }, budget: { faultsMax: more } })).toHaveLength(more);
    expect(drawn({ faults: { kill: 1e9 }, budget: { faultsMax: Infinity } })).toHaveLength(strikesMax);
  });
});
