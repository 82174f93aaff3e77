import { describe, expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { needsProgram } from "./debian.ts";
import { runOnBeam } from "./differential/beam.ts";
import { runOnColos } from "./differential/colos.ts";
import { corpus } from "./differential/corpus.ts";
import { generateProgram, Random } from "./differential/generator.ts";
import { describeProgram, describeTrace, type Program, type Trace } from "./differential/program.ts";
import { judge } from "./differential/search.ts";
import { walk } from "./differential/walk.ts";

/** The fixed set: the same programs in every run. */
const seed = 1;
const programsCount = 200;
const programs: readonly Program[] = Array.from({ length: programsCount }, (_, index) => generateProgram(seed, index));
const cases: readonly Program[] = Object.values(corpus);
const all: readonly Program[] = [...programs, ...cases];

/** What is not accepted, for people. */
function problems(of: readonly Program[], traces: readonly Trace[]): string[] {
  return of.flatMap((program, index) => {
    const trace = traces[index] as Trace;
    const verdict = judge(program, trace);
    return verdict === "accepted" ? [] : [`${verdict}:\n${describeProgram(program)}\n${describeTrace(trace)}`];
  });
}

describe("the model", () => {
  test("accepts every run of its own, in whatever order", () => {
    const random = new Random(seed);
    const traces = all.map((program) => walk(program, random));

    expect(problems(all, traces)).toEqual([]);
  });
});

describe("colos", () => {
  test("runs the fixed set on the Node platform as the model says", async () => {
    const traces = await runOnColos(all, { carrier: "coroutine", seed });

    expect(problems(all, traces)).toEqual([]);
  });

  test("runs the fixed set on the virtual platform as the model says", async () => {
    const traces = await runOnColos(all, { carrier: "virtual", seed });

    expect(problems(all, traces)).toEqual([]);
  });
});

needsProgram("erl", "erlang-base").describe("the BEAM", () => {
  test("runs the fixed set as the model says", async () => {
    const traces = await runOnBeam(all, fileURLToPath(new URL("otp/differential.erl", import.meta.url)));

    expect(problems(all, traces)).toEqual([]);
  });
});
