/**
 * Runner: the same random programs on the BEAM and on colos, both traces judged by the model.
 *
 *   npm run conformance                                   1,000 programs
 *   npm run conformance -- --programs 10000 --seed 7
 *   npm run conformance -- --carrier thread --programs 200    coroutine, virtual, thread or model; may be repeated
 *   npm run conformance -- --replay 7:1234                one program, with its traces
 *
 * Prints how many traces were accepted, rejected and left undecided on each side, and of each rejected trace the seed, the
 * program as small as it could be made, the trace, and the command that runs it again. The exit code is 1 when a
 * trace was rejected. Without `erl` only colos is judged.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runOnBeam } from "./beam.ts";
import { colosCarriers, runOnColos, type ColosCarrier } from "./colos.ts";
import { generateProgram, Random } from "./generator.ts";
import { describeProgram, describeTrace, type Program, type Trace } from "./program.ts";
import { judge, type SearchOptions, type Verdict } from "./search.ts";
import { shrink } from "./shrink.ts";
import { walk } from "./walk.ts";

/** Programs in memory at a time. */
const batchSize = 2000;
/** Rejected traces that are shrunk and shown; the others are counted and named. */
const shownMax = 5;
/** Runs of one program while it is shrunk: whether it goes wrong may be a matter of luck. */
const runsPerTry = 8;
const triesMax = 60;

/** `model` runs programs on the model itself, in any order: what is rejected or undecided there is the search's fault. */
type Side = "beam" | "model" | ColosCarrier;
const carriers: readonly string[] = [...colosCarriers, "model"];

interface Options {
  readonly programsCount: number;
  readonly firstIndex: number;
  readonly seed: number;
  readonly sides: readonly Side[];
  readonly isReplay: boolean;
}

interface Rejected {
  readonly side: Side;
  readonly index: number;
  readonly program: Program;
  readonly trace: Trace;
}

/** Runs what the command line asks for; gives the exit code. `folder` is where this file's sources are. */
export async function main(args: readonly string[], folder: URL): Promise<number> {
  const options = parse(args);
  const runner = new Runner(options, folder);
  return runner.run();
}

class Runner {
  readonly #options: Options;
  readonly #folder: URL;
  readonly #counts = new Map<Side, Record<Verdict, number>>();
  readonly #rejected: Rejected[] = [];
  readonly #undecided: string[] = [];

  constructor(options: Options, folder: URL) {
    this.#options = options;
    this.#folder = folder;
    for (const side of options.sides) this.#counts.set(side, { accepted: 0, rejected: 0, undecided: 0 });
  }

  async run(): Promise<number> {
    const { programsCount, firstIndex, isReplay } = this.#options;
    for (let done = 0; done < programsCount; done += batchSize)
      await this.#batch(firstIndex + done, Math.min(batchSize, programsCount - done));
    progress("");
    if (!isReplay) for (const rejected of this.#rejected.slice(0, shownMax)) await this.#show(rejected);
    this.#report();
    return this.#rejected.length === 0 ? 0 : 1;
  }

  async #batch(first: number, count: number): Promise<void> {
    const { seed, sides, isReplay } = this.#options;
    for (const side of sides) {
      const programs = Array.from({ length: count }, (_, offset) =>
        generateProgram(seed, first + offset, { kernelsMany: sides.includes("thread") }),
      );
      const traces = await this.#runOn(side, programs, (done) => progress(`${side}: program ${first + done}`));
      for (const [offset, program] of programs.entries()) {
        if (offset % 100 === 0) progress(`${side}: judging ${first + offset}`);
        const verdict = this.#judge(side, first + offset, program, traces[offset] as Trace);
        if (isReplay)
          out(`${describeProgram(program)}\n${side}: ${verdict}\n${describeTrace(traces[offset] as Trace)}`);
      }
    }
  }

  #judge(side: Side, index: number, program: Program, trace: Trace): Verdict {
    const verdict = judge(program, trace, searchOptions(side));
    const counts = this.#counts.get(side);
    if (counts !== undefined) counts[verdict] += 1;
    if (verdict === "rejected") this.#rejected.push({ side, index, program, trace });
    if (verdict === "undecided") this.#undecided.push(`${side} ${this.#options.seed}:${index}`);
    return verdict;
  }

  #runOn(side: Side, programs: readonly Program[], onTrace?: (done: number) => void): Promise<Trace[]> {
    if (side === "beam")
      return runOnBeam(programs, fileURLToPath(new URL("../otp/differential.erl", this.#folder)), onTrace);
    if (side === "model") {
      const random = new Random(this.#options.seed);
      return Promise.resolve(programs.map((program) => walk(program, random)));
    }
    const programUrl = new URL("role-program.ts", this.#folder).href;
    return runOnColos(programs, { carrier: side, seed: this.#options.seed, programUrl }, onTrace);
  }

  async #show({ side, index, program, trace }: Rejected): Promise<void> {
    progress(`${side}: shrinking ${index}`);
    let smallestTrace = trace;
    const smallest = await shrink(
      program,
      async (smaller) => {
        const traces = await this.#runOn(side, Array<Program>(runsPerTry).fill(smaller));
        const wrong = traces.find((one) => judge(smaller, one, searchOptions(side)) === "rejected");
        smallestTrace = wrong ?? smallestTrace;
        return wrong !== undefined;
      },
      triesMax,
    );
    progress("");
    const name = `${this.#options.seed}:${index}`;
    const carrier = side === "beam" ? "" : ` --carrier ${side}`;
    out(`rejected: ${side}, program ${name}, shrunk to`);
    out(describeProgram(smallest));
    out(`trace:\n${describeTrace(smallestTrace)}`);
    out(`replay: npm run conformance -- --replay ${name}${carrier}\n`);
  }

  #report(): void {
    const { programsCount, seed } = this.#options;
    out(`${programsCount} programs of seed ${seed}`);
    for (const [side, { accepted, rejected, undecided }] of this.#counts)
      out(`${side.padEnd(10)} ${accepted} accepted, ${rejected} rejected, ${undecided} undecided`);
    const more = this.#rejected.slice(shownMax).map(({ side, index }) => `${side} ${seed}:${index}`);
    if (more.length > 0) out(`also rejected: ${more.slice(0, 50).join(", ")}`);
    if (this.#undecided.length > 0) out(`undecided: ${this.#undecided.slice(0, 50).join(", ")}`);
  }
}

/** A thread has a kernel of its own, which cannot know at once who has ended in another. */
function searchOptions(side: Side): SearchOptions {
  return { kernelsMany: side === "thread" };
}

function parse(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      programs: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      carrier: { type: "string", multiple: true, default: ["coroutine", "virtual"] },
      replay: { type: "string" },
    },
  });
  const replayed = values.replay === undefined ? null : programNamed(values.replay);
  const unknown = values.carrier.find((name) => !carriers.includes(name));
  if (unknown !== undefined) throw new Error(`--carrier takes ${carriers.join(", ")}, not "${unknown}"`);
  const hasBeam = spawnSync("erlc", ["+help"]).error === undefined;
  if (!hasBeam) process.stderr.write("The BEAM is left out: it needs erl, Debian package erlang-base.\n");
  return {
    programsCount: replayed === null ? wholeNumber("programs", values.programs) : 1,
    firstIndex: replayed?.index ?? 0,
    seed: replayed?.seed ?? wholeNumber("seed", values.seed),
    sides: [...(hasBeam ? (["beam"] as const) : []), ...(values.carrier as Side[])],
    isReplay: replayed !== null,
  };
}

/** A program as a report names it. */
function programNamed(name: string): { readonly seed: number; readonly index: number } {
  const found = /^(\d+):(\d+)$/.exec(name);
  if (found === null) throw new Error(`--replay takes SEED:INDEX, such as 7:1234, not "${name}"`);
  return { seed: Number(found[1]), index: Number(found[2]) };
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} takes a whole number, not "${text}"`);
  return Number(text);
}

function out(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line that rewrites itself on a terminal, and nothing elsewhere. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}
