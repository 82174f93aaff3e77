import { describe, expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { needsProgram } from "./debian.ts";
import { runOnBeam } from "./differential/beam.ts";
import { runOnColos } from "./differential/colos.ts";
import { corpus } from "./differential/corpus.ts";
import { generateProgram, Random } from "./differential/generator.ts";
import { illegal, mutate } from "./differential/mutation.ts";
import { describeProgram, describeTrace, type Program, type Trace } from "./differential/program.ts";
import type { Fault } from "./differential/role-body.ts";
import { main } from "./differential/runner.ts";
import { judge } from "./differential/search.ts";
import { shrink, withoutInstruction } from "./differential/shrink.ts";
import { walk } from "./differential/walk.ts";

/** The fixed set: the same programs in every run. */
const seed = 1;
const programsCount = 200;
const programs: readonly Program[] = Array.from({ length: programsCount }, (_, index) => generateProgram(seed, index));
const all: readonly Program[] = [...programs, ...Object.values(corpus)];
/** Instructions of a program for which every order can be tried. */
const smallMax = 14;

/** Wrong traces of one kind that are judged. */
const mutantsMax = 30;

/** What is not accepted, for people. */
function problems(traces: readonly Trace[]): string[] {
  return all.flatMap((program, index) => {
    const trace = traces[index] as Trace;
    const verdict = judge(program, trace);
    return verdict === "accepted" ? [] : [`${verdict}:\n${describeProgram(program)}\n${describeTrace(trace)}`];
  });
}

const random = new Random(seed);
/** A run of each program on the model itself. */
const walks: readonly Trace[] = all.map((program) => walk(program, random));

describe("the model", () => {
  test("accepts every run of its own, in whatever order", () => {
    expect(problems(walks)).toEqual([]);
  });

  test.each(Object.entries(illegal))("rejects %s", (_, mutation) => {
    const wrongs = walks.flatMap((trace, index) => {
      const program = all[index] as Program;
      const wrong = mutation(program, trace);
      return wrong === undefined ? [] : [{ program, wrong }];
    });
    const verdicts = wrongs.slice(0, mutantsMax).map(({ program, wrong }) => judge(program, wrong));

    expect(verdicts.length).toBeGreaterThan(0);
    expect(verdicts.filter((verdict) => verdict !== "rejected")).toEqual([]);
  });

  test("accepts that a trapped exit to oneself comes when it is trapped no more, as seen on the BEAM", () => {
    const program: Program = [
      [
        { op: "trapExit", on: true },
        { op: "exit", to: 0, reason: "boom" },
        { op: "trapExit", on: false },
        { op: "receive", match: "down", timeoutMs: 0 },
      ],
    ];
    const ended = (reason: string): Trace => [{ observed: ["false", "true", "true"], end: { kind: "ended", reason } }];

    expect(judge(program, ended("boom"))).toBe("accepted");
    expect(judge(program, ended("normal"))).toBe("rejected");
  });

  test("says with shortcuts what it says when it tries every order", () => {
    const verdicts = walks.flatMap((trace, index) => {
      const program = all[index] as Program;
      if (program.flat().length > smallMax) return [];
      const mutated = mutate(trace, random);
      return [[judge(program, mutated), judge(program, mutated, { exhaustive: true })]];
    });

    expect(verdicts.filter(([fast, exhaustive]) => fast !== exhaustive)).toEqual([]);
    expect(new Set(verdicts.flat())).toEqual(new Set(["accepted", "rejected"]));
  });

  test("counts a trace as undecided when it would have to look at too many states", () => {
    const [program] = programs as readonly [Program];
    const [trace] = walks as readonly [Trace];

    expect(judge(program, trace, { statesMax: 1 })).toBe("undecided");
  });
});

describe("colos", () => {
  test("runs the fixed set on the Node platform as the model says", async () => {
    expect(problems(await runOnColos(all, { carrier: "coroutine", seed }))).toEqual([]);
  });

  test("runs the fixed set on the virtual platform as the model says", async () => {
    expect(problems(await runOnColos(all, { carrier: "virtual", seed }))).toEqual([]);
  });

  test.each<Fault>(["duplicateExit", "noFlush", "noUnlink"])("is found out with the fault %s", async (fault) => {
    const traces = await runOnColos(all, { carrier: "virtual", seed, fault });

    expect(traces.some((trace, index) => judge(all[index] as Program, trace) === "rejected")).toBe(true);
  });
});

needsProgram("erl", "erlang-base").describe("the BEAM", () => {
  test("runs the fixed set as the model says", async () => {
    const traces = await runOnBeam(all, fileURLToPath(new URL("otp/differential.erl", import.meta.url)));

    expect(problems(traces)).toEqual([]);
  });
});

describe("the generator", () => {
  test("gives the same program for the same seed and index", () => {
    expect(generateProgram(7, 3)).toEqual(generateProgram(7, 3));
    expect(generateProgram(7, 3)).not.toEqual(generateProgram(7, 4));
  });

  test("uses every instruction", () => {
    const used = new Set(all.flat(2).map(({ op }) => op));

    expect(used.size).toBe(24);
  });
});

describe("shrinking", () => {
  test("leaves only what it takes to go wrong", async () => {
    const program: Program = [
      [
        { op: "trapExit", on: true },
        { op: "monitor", to: 0 },
        { op: "demonitor", monitor: 1, flush: true },
        { op: "link", to: 0 },
      ],
    ];

    const smallest = await shrink(program, async (one) => one.flat().some(({ op }) => op === "demonitor"), 50);

    expect(smallest).toEqual([
      [
        { op: "monitor", to: 0 },
        { op: "demonitor", monitor: 0, flush: true },
      ],
    ]);
  });

  test("takes what is about a monitor away with it", () => {
    const program: Program = [
      [{ op: "monitor", to: 0 }, { op: "demonitor", monitor: 0, flush: false }, { op: "park" }],
    ];

    expect(withoutInstruction(program, 0, 0)).toEqual([[{ op: "park" }]]);
  });
});

describe("npm run conformance", () => {
  test.each([
    [["--replay", "x"], '--replay takes SEED:INDEX, such as 7:1234, not "x"'],
    [["--replay", "7:"], '--replay takes SEED:INDEX, such as 7:1234, not "7:"'],
    [["--programs", "-1"], /--programs/],
    [["--programs", "1e3"], '--programs takes a whole number, not "1e3"'],
    [["--carrier", "tread"], '--carrier takes coroutine, virtual, thread, model, not "tread"'],
  ])("refuses %j with a sentence, before anything runs", async (args, sentence) => {
    await expect(main(args, new URL("differential/", import.meta.url))).rejects.toThrow(sentence);
  });
});
