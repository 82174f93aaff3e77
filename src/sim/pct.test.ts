/**
 * PCT's ranks, and that a tiny program's failures are found as often as is guaranteed. The seeds are fixed, so the counts are
 * the same each time.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { type Choice, type Choices, FixedChoices, SeededChoices } from "./choices.ts";
import { PctPriorities } from "./pct.ts";
import { parseReplay } from "./replay.ts";

const processes = ["A", "B", "C", "D"];
const stepsEach = 5;
const steps = processes.length * stepsEach;

/** Runs the program; its steps in the order in which they were made, as `A0 A1 B0 …`. */
function run(choices: Choices, depth: number): string[] {
  const priorities = new PctPriorities(choices, { depth, steps });
  const waiting = processes.map((name) => ({ name, made: 0, rank: priorities.rankOf() }));
  const order: string[] = [];
  while (waiting.length > 0) {
    waiting.sort((a, b) => a.rank - b.rank);
    const [first] = waiting;
    if (first === undefined) break;
    order.push(`${first.name}${first.made}`);
    first.made += 1;
    first.rank = priorities.step() ?? first.rank;
    if (first.made === stepsEach) waiting.shift();
  }
  return order;
}

/** The share of runs in which these steps come in this order. */
function shareOf(wanted: readonly string[], depth: number, runs: number): number {
  let found = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const order = run(new SeededChoices(seed), depth);
    const places = wanted.map((step) => order.indexOf(step));
    if (places.every((place, at) => at === 0 || (places[at - 1] ?? 0) < place)) found += 1;
  }
  return found / runs;
}

function bound(depth: number): number {
  return 1 / (processes.length * steps ** (depth - 1));
}

function allOf(name: string): string[] {
  return Array.from({ length: stepsEach }, (_, made) => `${name}${made}`);
}

describe("PCT", () => {
  test("without choices goes through the processes in the order of their creation", () => {
    expect(run(new FixedChoices([]), 5)).toEqual(processes.flatMap(allOf));
  });

  test("with one choice moves one process back, or lets one fall behind at one step", () => {
    const runOf = (text: string): string[] => run(new FixedChoices(parseReplay(text).choices ?? []), 3);
    expect(runOf("pct.rank#1=1")).toEqual(["A", "C", "D", "B"].flatMap(allOf));
    expect(runOf("pct.change#0=2")).toEqual(["A0", "A1", ...["B", "C", "D"].flatMap(allOf), "A2", "A3", "A4"]);
  });

  test("does the same again with the choices that it drew", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const drawn: Choice[] = [];
      const order = run(new SeededChoices(seed, (choice) => drawn.push(choice)), 4);
      expect(run(new FixedChoices(drawn), 4)).toEqual(order);
    }
  });

  test("gives each order of creation the same chance", () => {
    const counts = new Map<string, number>();
    for (let seed = 1; seed <= 24_000; seed += 1) {
      const order = run(new SeededChoices(seed), 1)
        .filter((step) => step.endsWith("0"))
        .join(" ");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // 1,000 each; the standard deviation is 31.
    expect(Math.min(...counts.values())).toBeGreaterThan(870);
    expect(Math.max(...counts.values())).toBeLessThan(1130);
  });

  test("gives ranks that are all different, also where all draw the same", () => {
    const priorities = new PctPriorities(new FixedChoices([]), { depth: 3, steps: 10 });
    const ranks = Array.from({ length: 1000 }, () => priorities.rankOf());
    expect(ranks).toEqual([...new Set(ranks)].toSorted((a, b) => a - b));
  });

  test("lets a process fall behind every other, also behind those that are created later", () => {
    const priorities = new PctPriorities(new FixedChoices([{ stream: "pct.change", index: 0, value: 2 }]), {
      depth: 2,
      steps: 10,
    });
    expect(priorities.step()).toBeUndefined();
    const behind = priorities.step();
    const later = Array.from({ length: 100 }, () =>
      new PctPriorities(new SeededChoices(1), { depth: 1, steps: 1 }).rankOf(),
    );
    expect(behind).toBeGreaterThan(Math.max(...later, priorities.rankOf()));
    expect(Array.from({ length: 20 }, () => priorities.step())).toEqual(Array.from({ length: 20 }));
  });

  /** What must come in this order for the program to fail, and of which depth that is. */
  const failures: readonly [what: string, depth: number, order: readonly string[]][] = [
    ["one process comes before another", 1, ["D0", "A0"]],
    ["a write comes between a check and the use of what was checked", 2, ["A2", "B4", "A3"]],
    ["two processes cross, each between two steps of the other", 3, ["A1", "B2", "A2", "B3"]],
  ];

  test.each(failures)("finds that %s (depth %i) as often as it guarantees", (_, depth, order) => {
    expect(shareOf(order, depth, 20_000)).toBeGreaterThanOrEqual(bound(depth));
  });

  test.each(failures.slice(1))("does not find that %s (depth %i) with less depth", (_, depth, order) => {
    expect(shareOf(order, depth - 1, 2_000)).toBe(0);
  });

  test.each([0, 1.5, NaN])("refuses a depth and a number of steps of %d", (count) => {
    const choices = new FixedChoices([]);
    expect(() => new PctPriorities(choices, { depth: count, steps })).toThrow(
      new RangeError(`depth of pct is a whole number of at least 1, not ${count}`),
    );
    expect(() => new PctPriorities(choices, { depth: 2, steps: count })).toThrow(
      new RangeError(`steps of pct is a whole number of at least 1, not ${count}`),
    );
  });
});
