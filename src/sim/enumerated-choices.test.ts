/**
 * That every combination of decisions runs exactly once, and what is said when not all could.
 *
 * @module
 */
import { type Arbitrary, array, assert, constant, integer, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { type Choice, type Choices, FixedChoices } from "./choices.ts";
import { Enumeration, type EnumerationLimits } from "./enumerated-choices.ts";

const all: EnumerationLimits = { isEnumerated: () => true, runsMax: 10_000, depthMax: 100 };

function runAll<Outcome>(
  run: (choices: Choices) => Outcome,
  limits: Partial<EnumerationLimits> = {},
): {
  readonly outcomes: Outcome[];
  readonly enumeration: Enumeration;
} {
  const enumeration = new Enumeration({ ...all, ...limits });
  const outcomes: Outcome[] = [];
  for (let choices = enumeration.next(); choices !== null; choices = enumeration.next()) outcomes.push(run(choices));
  return { outcomes, enumeration };
}

/** A decision, and for each of its outcomes the decision that comes after it. */
interface Tree {
  readonly children: readonly Tree[];
}

/** The paths from the root to the leaves, each as the numbers of the children. */
function pathsOf({ children }: Tree): string[] {
  if (children.length === 0) return [""];
  return children.flatMap((child, at) => pathsOf(child).map((path) => `${at}${path}`));
}

function treeOf(levels: number): Arbitrary<Tree> {
  if (levels === 0) return constant({ children: [] });
  return array(treeOf(levels - 1), { maxLength: 3, size: "max" }).map((children) => ({ children }));
}

function walk(tree: Tree, choices: Choices): string {
  let path = "";
  for (let { children } = tree; children.length > 0;) {
    const value = choices.stream(`level ${path.length}`).choose(children.length);
    path += value;
    children = children[value]?.children ?? [];
  }
  return path;
}

describe("an enumeration", () => {
  test("runs once where nothing is decided", () => {
    const { outcomes, enumeration } = runAll(() => "ran");
    expect([outcomes, enumeration.runs, enumeration.complete, enumeration.stoppedBy]).toEqual([["ran"], 1, true, null]);
  });

  test("runs every combination once, the dullest first", () => {
    const { outcomes, enumeration } = runAll((choices) => {
      const [a, b] = [choices.stream("a"), choices.stream("b")];
      return `${a.choose(2)}${b.choose(3)}${a.choose(1)}${b.chance(0.001) ? "t" : "f"}`;
    });
    expect(outcomes).toEqual([
      "000f",
      "000t",
      "010f",
      "010t",
      "020f",
      "020t",
      "100f",
      "100t",
      "110f",
      "110t",
      "120f",
      "120t",
    ]);
    expect([enumeration.runs, enumeration.complete]).toEqual([12, true]);
  });

  test("runs every path of any tree once, in order, and the choices it tells replay it", () => {
    assert(
      property(treeOf(4), integer({ min: 1, max: 50 }), (root, runsMax) => {
        const enumeration = new Enumeration({ ...all, runsMax });
        const paths: string[] = [];
        const replayed: string[] = [];
        const told: Choice[] = [];
        const record = (choice: Choice): void => void told.push(choice);
        for (let choices = enumeration.next(record); choices !== null; choices = enumeration.next(record)) {
          paths.push(walk(root, choices));
          replayed.push(walk(root, new FixedChoices(told.splice(0))));
        }
        const wanted = pathsOf(root);
        expect(paths).toEqual(wanted.slice(0, runsMax));
        expect(replayed).toEqual(paths);
        expect(enumeration.complete).toBe(wanted.length <= runsMax);
        expect(enumeration.stoppedBy).toBe(wanted.length <= runsMax ? null : "runsMax");
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("draws 0 from streams that are not enumerated", () => {
    const { outcomes, enumeration } = runAll(
      (choices) => {
        const [turn, lat] = [choices.stream("turn"), choices.stream("lat:a")];
        return [turn.choose(2), lat.choose(9), lat.chance(1), lat.chooseAt(3, 9), lat.chanceAt(4, 1)];
      },
      { isEnumerated: (stream) => stream === "turn" },
    );
    expect(outcomes).toEqual([
      [0, 0, false, 0, false],
      [1, 0, false, 0, false],
    ]);
    expect(enumeration.complete).toBe(true);
  });

  test("says that it was cut at the limit of runs", () => {
    const { outcomes, enumeration } = runAll((choices) => choices.stream("a").choose(5), { runsMax: 3 });
    expect(outcomes).toEqual([0, 1, 2]);
    expect([enumeration.runs, enumeration.complete, enumeration.stoppedBy]).toEqual([3, false, "runsMax"]);
    expect([enumeration.next(), enumeration.runs, enumeration.complete]).toEqual([null, 3, false]);
  });

  test("is complete when the last combination is the last run that it may have", () => {
    const { enumeration } = runAll((choices) => choices.stream("a").choose(3), { runsMax: 3 });
    expect([enumeration.runs, enumeration.complete, enumeration.stoppedBy, enumeration.next()]).toEqual([
      3,
      true,
      null,
      null,
    ]);
  });

  test("says that it was cut at the limit of depth, and enumerates what is above it", () => {
    const draw = (choices: Choices): string => {
      const stream = choices.stream("a");
      return `${stream.choose(2)}${stream.choose(1)}${stream.choose(2)}${stream.choose(2)}`;
    };
    const { outcomes, enumeration } = runAll(draw, { depthMax: 2 });
    expect(outcomes).toEqual(["0000", "0010", "1000", "1010"]);
    expect([enumeration.complete, enumeration.stoppedBy]).toEqual([false, "depthMax"]);
    expect(runAll(draw, { depthMax: 3 }).enumeration.complete).toBe(true);
  });

  test("is not complete before it has run", () => {
    const enumeration = new Enumeration(all);
    expect([enumeration.runs, enumeration.complete]).toEqual([0, false]);
    enumeration.next();
    expect([enumeration.runs, enumeration.complete]).toEqual([1, false]);
  });

  test("takes what cannot happen for no alternative", () => {
    const { outcomes } = runAll((choices) => [choices.stream("a").chance(0), choices.stream("a").chanceAt(7, 0)]);
    expect(outcomes).toEqual([[false, false]]);
  });

  test("gives the decision of an index to everybody who asks for it", () => {
    const told: Choice[] = [];
    const enumeration = new Enumeration(all);
    const outcomes: unknown[] = [];
    const record = (choice: Choice): void => void told.push(choice);
    for (let choices = enumeration.next(record); choices !== null; choices = enumeration.next(record)) {
      const stream = choices.stream("a");
      outcomes.push([stream.chooseAt(4, 3), stream.chooseAt(4, 3), stream.chooseAt(4, 2)]);
    }
    expect(outcomes).toEqual([
      [0, 0, 0],
      [1, 1, 1],
      [2, 2, 1],
    ]);
    expect(told).toEqual([
      { stream: "a", index: 4, value: 1 },
      { stream: "a", index: 4, value: 2 },
    ]);
  });

  test.each<[string, (run: number) => (choices: Choices) => unknown]>([
    [
      "run 2 does not repeat the one before it: decision 1 was one of 2 from a, and this run ended. ",
      (run) => (choices) => run === 1 && choices.stream("a").choose(2),
    ],
    [
      "run 2 does not repeat the one before it: decision 1 was one of 2 from a, and this run drew one of 3 from a. ",
      (run) => (choices) => choices.stream("a").choose(1 + run),
    ],
    [
      "run 2 does not repeat the one before it: decision 1 was one of 2 from a1, and this run drew one of 2 from a2. ",
      (run) => (choices) => choices.stream(`a${run}`).choose(2),
    ],
  ])("refuses a run that is decided by something else: %s", (message, runOf) => {
    let run = 0;
    const step = (choices: Choices): unknown => runOf((run += 1))(choices);
    expect(() => runAll(step)).toThrow(`${message}Something in it does not come from its choices.`);
  });
});
