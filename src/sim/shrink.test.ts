/**
 * What shrinking comes to, in how many runs, and where it stops: with made-up failures, and with a small program.
 *
 * @module
 */
import { array, assert, asyncProperty, integer, nat, record, uniqueArray } from "fast-check";
import { describe, expect, test } from "vitest";
import { type Choice, FixedChoices, hashOf, mix, SeededChoices, type Choices } from "./choices.ts";
import { parseReplay, formatReplay } from "./replay.ts";
import { shrink, type FailsTheSame, type ShrinkLimits } from "./shrink.ts";

const unlimited: ShrinkLimits = { candidatesMax: Infinity, cpuMsMax: Infinity, cpuMs: () => 0 };

/** A failure that draws all that it is given. */
function failing(predicate: (has: (stream: string, index: number) => number, all: readonly Choice[]) => boolean): {
  readonly fails: FailsTheSame;
  /** The candidates that ran, as text. */
  readonly ran: string[];
} {
  const ran: string[] = [];
  const fails: FailsTheSame = async (candidate) => {
    ran.push(formatReplay({ choices: candidate }));
    const has = (stream: string, index: number): number =>
      candidate.find((choice) => choice.stream === stream && choice.index === index)?.value ?? 0;
    return predicate(has, candidate) ? { used: candidate } : null;
  };
  return { fails, ran };
}

/** A thousand choices of 25 streams in 5 classes. */
function thousandChoices(): Choice[] {
  const classes = ["lat", "think", "kill", "disk", "net"];
  return Array.from({ length: 1000 }, (_, at) => ({
    stream: `${classes[at % 5] ?? ""}:${mix(at) % 5}`,
    index: at,
    value: 1 + (mix(at + 1) % 20),
  }));
}

function choicesOf(text: string): readonly Choice[] {
  return parseReplay(text).choices ?? [];
}

describe("shrink", () => {
  test("finds the three choices of a thousand that a failure needs, and the least value", async () => {
    const choices = thousandChoices();
    const [a, b, c] = [choices[100], choices[503], { stream: "kill:x", index: 7, value: 400 }];
    if (a === undefined || b === undefined) throw new Error("there are not that many choices");
    const { fails, ran } = failing(
      (has) => has(a.stream, a.index) > 0 && has(b.stream, b.index) > 0 && has("kill:x", 7) >= 3,
    );
    const result = await shrink([...choices, c], fails, unlimited);
    expect(result).toEqual({
      choices: [
        { ...a, value: 1 },
        { ...b, value: 1 },
        { ...c, value: 3 },
      ],
      complete: true,
      stoppedBy: null,
      candidates: ran.length,
      cpuMs: 0,
    });
    expect(ran.length).toBeLessThan(120);
  });

  test("needs one run when nothing is needed", async () => {
    const { fails, ran } = failing(() => true);
    expect((await shrink(thousandChoices(), fails, unlimited)).choices).toEqual([]);
    expect(ran).toEqual(["none"]);
  });

  test("finds a class that is enough in one run for each class", async () => {
    const { fails, ran } = failing((_, all) => all.some(({ stream }) => stream.startsWith("net:")));
    const { choices } = await shrink(thousandChoices(), fails, unlimited);
    expect(choices).toMatchObject([{ stream: expect.stringMatching(/^net:/), value: 1 }]);
    expect(ran.length).toBeLessThan(25);
  });

  test("keeps what it was given when no part of it fails", async () => {
    const choices = choicesOf("a#0=1 b#0=1");
    const { fails, ran } = failing(() => false);
    expect(await shrink(choices, fails, unlimited)).toMatchObject({ choices, complete: true });
    expect(ran).toEqual(["none", "a#0=1", "b#0=1"]);
  });

  test("finds a value among a thousand by halving", async () => {
    const { fails, ran } = failing((has) => has("a", 0) >= 700);
    expect((await shrink(choicesOf("a#0=1000"), fails, unlimited)).choices).toEqual(choicesOf("a#0=700"));
    expect(ran.length).toBeLessThan(16);
  });

  test("leaves out what another choice made necessary", async () => {
    // `excuse` alone keeps the system from failing, unless `denial` is there; both together change nothing.
    const { fails } = failing((has) => has("cause", 0) > 0 && (has("excuse", 0) === 0 || has("denial", 0) > 0));
    const choices = choicesOf("denial#0=1 cause#0=1 excuse#0=1 other#0=2 other#1=2");
    expect((await shrink(choices, fails, unlimited)).choices).toEqual(choicesOf("cause#0=1"));
  });

  test("leaves out two that only together can be left out, among few", async () => {
    const { fails } = failing((has) => has("cause", 0) > 0 && has("wound", 0) === has("cure", 0));
    const choices = choicesOf("wound#0=1 cause#0=1 cure#0=1");
    expect((await shrink(choices, fails, unlimited)).choices).toEqual(choicesOf("cause#0=1"));
  });

  describe("lets choices be drawn earlier", () => {
    /** Two kills, each of which needs a victim of the same index, so many draws apart. */
    function twoKills(apart: (distance: number) => boolean): FailsTheSame {
      return failing((has, all) => {
        const hits = all.filter(({ stream, index }) => stream === "kill" && has("victim", index) > 0);
        return hits.some((first) => hits.some((second) => apart(second.index - first.index)));
      }).fails;
    }

    test("those of one index together", async () => {
      const { choices } = await shrink(
        choicesOf("kill#20=1 victim#20=3 kill#90=1 victim#90=3"),
        twoKills((distance) => distance > 0),
        unlimited,
      );
      expect(formatReplay({ choices })).toBe("kill#0=1 victim#0=1 kill#1=1 victim#1=1");
    });

    test("all of them together, where the distance counts", async () => {
      const fails = twoKills((distance) => distance === 70);
      const { choices, candidates } = await shrink(
        choicesOf("kill#20=1 victim#20=1 kill#90=1 victim#90=1"),
        fails,
        unlimited,
      );
      expect(formatReplay({ choices })).toBe("kill#0=1 victim#0=1 kill#70=1 victim#70=1");
      expect(candidates).toBeLessThan(100);
    });

    test("one alone, and as early as does fail", async () => {
      const { fails, ran } = failing(
        (has, all) => has("a", 3) > 0 && all.some(({ stream, index }) => stream === "b" && index >= 37),
      );
      const { choices } = await shrink(choicesOf("a#3=1 b#400=1"), fails, unlimited);
      expect(formatReplay({ choices })).toBe("a#3=1 b#37=1");
      expect(ran.length).toBeLessThan(30);
    });

    test("and leaves out what only led up to them", async () => {
      // The victim is drawn once for each kill, so the fourth needs three kills before it.
      const { fails } = failing((_, all) => {
        const kills = all.filter(({ stream }) => stream === "kill").length;
        return all.some(({ stream, index }) => stream === "victim" && index < kills);
      });
      const { choices } = await shrink(choicesOf("kill#0=1 kill#1=1 kill#5=1 kill#7=1 victim#3=2"), fails, unlimited);
      expect(formatReplay({ choices })).toBe("kill#0=1 victim#0=1");
    });

    test("but not more than 32, nor for more than six rounds", async () => {
      const many = Array.from({ length: 33 }, (_, at) => ({ stream: "a", index: at + 5, value: 1 }));
      const needsAll = failing((_, all) => all.length === many.length);
      expect((await shrink(many, needsAll.fails, unlimited)).choices).toEqual(many);
      const needsMost = failing((_, all) => all.length === many.length - 1);
      const moved = await shrink(many.slice(1), needsMost.fails, unlimited);
      expect(moved.choices.map(({ index }) => index)).toEqual(Array.from({ length: 32 }, (_, at) => at));

      // Two that must stay within three draws of each other come nearer to the beginning by a few draws in each round.
      const near = failing((has, all) => {
        const [b, c] = [all.find(({ stream }) => stream === "b"), all.find(({ stream }) => stream === "c")];
        return has("a", 0) > 0 && b !== undefined && c !== undefined && Math.abs(b.index - c.index) <= 3;
      });
      const crawled = await shrink(choicesOf("a#0=1 b#900=1 c#901=1"), near.fails, unlimited);
      expect(crawled.complete).toBe(true);
      expect(crawled.choices[1]?.index).toBeGreaterThan(850);
      expect(crawled.choices[1]?.index).toBeLessThan(900);
    });
  });

  test("comes to one where an odd number fails", async () => {
    const { fails } = failing((_, all) => all.length % 2 === 1);
    const choices = Array.from({ length: 31 }, (_, index) => ({ stream: "a", index, value: 2 }));
    const result = await shrink(choices, fails, unlimited);
    expect([result.complete, result.choices.length]).toEqual([true, 1]);
  });

  test("runs nothing twice, and the same in the same order each time", async () => {
    const runs = [1, 2].map(() => failing((has, all) => has("lat:0", 5) > 0 || mix(all.length) % 3 === 0));
    const choices = thousandChoices();
    const [first, second] = await Promise.all(runs.map(async ({ fails }) => shrink(choices, fails, unlimited)));
    expect(first).toEqual(second);
    expect(runs[0]?.ran).toEqual(runs[1]?.ran);
    expect(new Set(runs[0]?.ran).size).toBe(runs[0]?.ran.length);
  });

  test("ends even where a run claims to have drawn more than it was given", async () => {
    const choices = choicesOf("a#0=5 b#0=1 c#0=1");
    const fails: FailsTheSame = async (candidate) => (candidate.length > 0 ? { used: choices } : null);
    expect((await shrink(choices, fails, unlimited)).choices).toHaveLength(1);
  });

  describe("stops", () => {
    test("at the limit of candidates, with the best so far", async () => {
      const { fails, ran } = failing((has) => has("lat:0", 5) > 0 && has("b", 0) > 0);
      const choices = [...thousandChoices(), ...choicesOf("lat:0#5=9 b#0=9")];
      const result = await shrink(choices, fails, { ...unlimited, candidatesMax: 12 });
      expect(result).toMatchObject({ complete: false, stoppedBy: "candidatesMax", candidates: 12 });
      expect(ran).toHaveLength(12);
      expect(result.choices.length).toBeLessThan(choices.length);
      expect(await fails(result.choices)).not.toBeNull();
    });

    test("at the limit of CPU time, before the next candidate", async () => {
      let spentMs = 1000;
      const { fails, ran } = failing((has) => has("lat:0", 5) > 0);
      const slow: FailsTheSame = async (candidate) => {
        spentMs += 100;
        return await fails(candidate);
      };
      const limits = { candidatesMax: Infinity, cpuMsMax: 250, cpuMs: () => spentMs };
      const result = await shrink(thousandChoices(), slow, limits);
      expect(result).toMatchObject({ complete: false, stoppedBy: "cpuMsMax", candidates: 3, cpuMs: 300 });
      expect(ran).toHaveLength(3);
    });

    test("without a run when nothing may run", async () => {
      const { fails, ran } = failing(() => true);
      const choices = choicesOf("a#0=1");
      expect(await shrink(choices, fails, { ...unlimited, candidatesMax: 0 })).toMatchObject({
        choices,
        complete: false,
      });
      expect(ran).toEqual([]);
    });
  });

  const someChoices = uniqueArray(
    record({ stream: integer({ min: 0, max: 6 }).map((n) => `c${n >> 1}:${n}`), index: nat(9), value: nat(40) }),
    { selector: ({ stream, index }) => `${stream}#${index}`, maxLength: 40, size: "max" },
  ).map((choices) => choices.map((choice) => ({ ...choice, value: choice.value + 1 })));

  test("comes to exactly what is needed, where more choices never hinder a failure", async () => {
    await assert(
      asyncProperty(someChoices, array(nat(), { maxLength: 4 }), async (choices, picks) => {
        const picked = new Set(picks.map((pick) => choices[pick % choices.length]));
        const needed = choices
          .filter((choice) => picked.has(choice))
          .map((choice) => ({ ...choice, value: 1 + (choice.value >> 1) }));
        const { fails } = failing((has) => needed.every(({ stream, index, value }) => has(stream, index) >= value));
        expect((await shrink(choices, fails, unlimited)).choices).toEqual(needed);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("comes to a failure that fails no more with any one choice less or one value lower, whatever the failure", async () => {
    await assert(
      asyncProperty(someChoices, nat(), async (choices, salt) => {
        const original = formatReplay({ choices });
        const { fails } = failing((_, all) => {
          const text = formatReplay({ choices: all });
          return text === original || mix(hashOf(text) + salt) % 4 === 0;
        });
        const result = await shrink(choices, fails, unlimited);
        const smaller = result.choices.flatMap((choice, at) => [
          result.choices.toSpliced(at, 1),
          ...(choice.value > 1 ? [result.choices.with(at, { ...choice, value: choice.value - 1 })] : []),
        ]);
        const outcomes = await Promise.all([result.choices, ...smaller].map(fails));
        expect(outcomes.map((outcome) => outcome !== null)).toEqual([true, ...smaller.map(() => false)]);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe("a program's failure", () => {
  /** Kills one of five now and then; fails when the third is killed twice within ten rounds, the second time slowly. */
  function run(choices: Choices): boolean {
    const [kill, victim, noise] = [choices.stream("kill"), choices.stream("kill.victim"), choices.stream("think:all")];
    let lastRound = -Infinity;
    for (let round = 0; round < 200; round += 1) {
      noise.choose(1000);
      if (!kill.chance(0.1) || victim.chooseAt(round, 5) !== 2) continue;
      // Drawn only where a victim is, so leaving out a kill takes choices with it; the streams of others stay as they are.
      const isSlow = choices.stream("slow:it").chooseAt(round, 50) >= 20;
      if (isSlow && round - lastRound < 10) return true;
      lastRound = round;
    }
    return false;
  }

  test("shrinks to two kills, whom they hit and one slow end, whichever seed found it", async () => {
    const found: Choice[][] = [];
    for (let seed = 1; seed <= 200; seed += 1) {
      const drawn: Choice[] = [];
      if (run(new SeededChoices(seed, (choice) => drawn.push(choice)))) found.push(drawn);
    }
    const fails: FailsTheSame = async (candidate) => {
      const used: Choice[] = [];
      return run(new FixedChoices(candidate, (choice) => used.push(choice))) ? { used } : null;
    };
    const results = await Promise.all(found.map(async (drawn) => shrink(drawn, fails, unlimited)));
    expect(results.length).toBeGreaterThan(40);
    for (const { choices } of results) {
      expect(await fails(choices)).toEqual({ used: choices });
      expect(formatReplay({ choices })).toBe("kill#0=1 kill.victim#0=2 kill#1=1 kill.victim#1=2 slow:it#1=20");
    }
    expect(median(results.map(({ candidates }) => candidates))).toBeLessThan(130);
  });
});

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}
