/**
 * Campaign: many runs of one property, each with its own seed, until one fails or all have held.
 *
 * First the corpus of failures that were found before, then the seeds. Every so many seeds one runs twice, and both runs must
 * be the same event for event. A failing run is told by its choices, shrunk to few, and run once more for its story.
 * Bad use is refused before anything runs (`CampaignError`); what shows only afterwards (a fault that never struck, a label
 * that was never reached) is in the report, and `weakness` says it in a sentence.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { faults, type FaultLayer, type FaultName } from "../faults/fault.ts";
import { describeReason } from "../kernel/exit-reason.ts";
import { FixedChoices, SeededChoices, type Choice, type Choices } from "./choices.ts";
import type { StoryLine } from "./host.ts";
import { RestlessError, type MachineHost, type TurnOrder } from "./machine.ts";
import { checkCampaign } from "./campaign-check.ts";
import { Enumeration } from "./enumerated-choices.ts";
import { fifoOrder, pickedOrder, priorityOrder, randomOrder } from "./order.ts";
import { PctPriorities } from "./pct.ts";
import type { CampaignOptions, Plan, Property } from "./property.ts";
import { formatReplay, parseReplay } from "./replay.ts";
import { runOnce, type RunFailure, type RunOutcome } from "./run.ts";
import { shrink } from "./shrink.ts";
import { ModuleNeeded } from "./simulated-carrier.ts";
import { TraceHash } from "./trace-hash.ts";

export const runsDefault = 100;
export const eventsMaxDefault = 1_000_000;
export const selfCheckEveryDefault = 10;
export const shrinkCpuSecondsDefault = 10;
/** Constraints on the order that a failure may need, with `pct`. */
export const pctDepthDefault = 3;
/** Orders that `exhaustive` tries. */
export const exhaustiveRunsDefault = 10_000;
/** Decisions of one run that `exhaustive` goes through. */
export const exhaustiveDepthMax = 200;
/** Where `exhaustive` draws who is next. */
const orderStream = "order";
/** Choices that a replay names; a run of more of them is replayed by its seed. */
export const replayChoicesMax = 100;
/** Candidates that shrinking may run. */
const shrinkCandidatesMax = 10_000;

/** What a campaign needs of the real host. */
export interface CampaignHost extends MachineHost {
  /** CPU time of this OS process. */
  cpuMs(): Milliseconds;
  /** Runs one run; may make its surroundings such that a run cannot look at them. */
  inside<T>(run: () => Promise<T>): Promise<T>;
  /** Errors that nobody awaited since the last call: rejected promises, and what was thrown outside of any process. */
  takeStrays(): readonly unknown[];
  /** The module of a program file. */
  load(url: string): Promise<Readonly<Record<string, unknown>>>;
}

/** What a campaign came to. */
export interface Report {
  /** Whether the property held in all runs. */
  readonly ok: boolean;
  readonly property: string;
  /** Seeds and replays; not the second runs of self-checks, nor those that shrinking needed. */
  readonly runsCount: number;
  /** Of all runs, those too. */
  readonly eventsCount: number;
  readonly virtualMs: Milliseconds;
  readonly cpuMs: Milliseconds;
  /** Of all events of the counted runs: the same for the same campaign on every host. */
  readonly digest: string;
  /** How often each fault struck. */
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
  /** Runs that were run twice and were the same. */
  readonly selfChecksCount: number;
  /** With the scheduler `exhaustive`: whether there is no other order. */
  readonly isExhausted?: boolean;
  /** Faults of the plan that never struck. */
  readonly neverStruck: readonly FaultName[];
  /** Labels of `sometimes` that no run reached. */
  readonly neverSeen: readonly string[];
  /** Of a replay that held: choices that the run never came to, as after the system or the plan has changed. */
  readonly replayUnused?: readonly Choice[];
  /** What makes this a weak test, in one sentence each. */
  readonly weaknesses: readonly string[];
  readonly failure?: Counterexample;
}

/** A failing run. */
export interface Counterexample extends RunFailure {
  /** Undefined for one of the corpus. */
  readonly seed: number | undefined;
  /** Decisions that were not 0 when it was found. */
  readonly choicesFoundCount: number;
  /** Those that are left. */
  readonly choices: readonly Choice[];
  /** What `CampaignOptions.replay` takes. */
  readonly replay: string;
  readonly story: readonly StoryLine[];
  readonly shrinkRunsCount: number;
  readonly shrinkCpuMs: Milliseconds;
  /** False when shrinking reached its limit. */
  readonly isShrunk: boolean;
}

/** Runs a campaign. @throws CampaignError for bad use; EscapedError when a process awaits what cannot be simulated. */
export function runCampaign<System>(
  property: Property<System>,
  plan: Plan,
  options: CampaignOptions,
  host: CampaignHost,
): Promise<Report> {
  checkCampaign(property, plan, options);
  return new Campaign(property, plan, options, host).run();
}

interface RunRequest {
  /** New ones for each run: choices remember what was drawn. */
  readonly choices: () => Choices;
  readonly seed: number | null;
  readonly tells?: boolean;
  /** Default: that of the campaign's scheduler. */
  readonly order?: TurnOrder;
}

class Campaign<System> {
  readonly #property: Property<System>;
  readonly #plan: Plan;
  readonly #options: CampaignOptions;
  readonly #host: CampaignHost;
  readonly #modules = new Map<string, Readonly<Record<string, unknown>>>();
  readonly #faults = new Map<FaultName, number>();
  readonly #labels = new Set<string>();
  readonly #titles = new Set<string>();
  readonly #hash = new TraceHash();
  readonly #startMs: Milliseconds;
  #runsCount = 0;
  #eventsCount = 0;
  #virtualMs: Milliseconds = 0;
  #processesCount = 0;
  #selfChecksCount = 0;
  #isExhausted: boolean | undefined;
  #replayUnused: readonly Choice[] | undefined;
  /** Events of the dullest run, once it is known. */
  #steps = 0;

  constructor(property: Property<System>, plan: Plan, options: CampaignOptions, host: CampaignHost) {
    this.#property = property;
    this.#plan = plan;
    this.#options = options;
    this.#host = host;
    this.#startMs = host.cpuMs();
  }

  async run(): Promise<Report> {
    const { replay, corpus = [] } = this.#options;
    for (const text of replay === undefined ? corpus : [replay]) {
      const failure = await this.#replay(text);
      if (failure !== null) return this.#report(failure);
    }
    return replay === undefined ? await this.#runSeeds() : this.#report();
  }

  async #runSeeds(): Promise<Report> {
    const { seed: first = 1, runs = runsDefault, selfCheckEvery = selfCheckEveryDefault, cpuSeconds } = this.#options;
    if (this.#options.scheduler === "exhaustive") return await this.#runAll();
    for (let seed = first; seed < first + runs; seed += 1) {
      if (cpuSeconds !== undefined && this.#cpuMs() > cpuSeconds * 1000) break;
      const outcome = await this.#runCounted({ choices: () => new SeededChoices(seed), seed });
      if (outcome.failure !== null) {
        const found: Choice[] = [];
        const again = await this.#run({ choices: () => new SeededChoices(seed, (choice) => found.push(choice)), seed });
        const isSameAgain = again.digest === outcome.digest && again.failure !== null;
        if (!isSameAgain) return this.#report(differing(seed, outcome, again));
        return this.#report(await this.#counterexample(seed, found, outcome.failure));
      }
      if (selfCheckEvery > 0 && (seed - first) % selfCheckEvery === 0) {
        const again = await this.#run({ choices: () => new SeededChoices(seed), seed });
        if (again.digest !== outcome.digest) return this.#report(differing(seed, outcome, again));
        this.#selfChecksCount += 1;
      }
    }
    return this.#report();
  }

  /** Every order, and every value of `world.choose` and `world.chance`. */
  async #runAll(): Promise<Report> {
    const { runs = exhaustiveRunsDefault, cpuSeconds } = this.#options;
    // Each of its runs can be made only once, so the modules of programs must be there before.
    await this.#dullestRun();
    const all = new Enumeration({ isEnumerated, runsMax: runs, depthMax: exhaustiveDepthMax });
    let found: Choice[] = [];
    const record = (choice: Choice): void => void found.push(choice);
    for (let choices = all.next(record); choices !== null; choices = all.next(record)) {
      const drawn = choices;
      const { failure } = await this.#runCounted({ choices: () => drawn, seed: null });
      if (failure !== null) return this.#report(await this.#counterexample(undefined, found, failure));
      found = [];
      if (cpuSeconds !== undefined && this.#cpuMs() > cpuSeconds * 1000) break;
    }
    this.#isExhausted = all.complete;
    return this.#report();
  }

  async #replay(text: string): Promise<Counterexample | null> {
    const { seed, choices } = parseReplay(text);
    const used = new Set<string>();
    const note = ({ stream, index }: Choice): void => void used.add(`${stream}#${index}`);
    const request = (): RunRequest =>
      choices === undefined
        ? { choices: () => new SeededChoices(seed as number), seed: seed as number, tells: true }
        : { choices: () => new FixedChoices(choices, note), seed: null, tells: true };
    const { failure, story } = await this.#runCounted(request());
    this.#replayUnused = choices?.filter(({ stream, index }) => !used.has(`${stream}#${index}`));
    if (failure === null) return null;
    return {
      ...failure,
      seed,
      choicesFoundCount: choices?.length ?? 0,
      choices: choices ?? [],
      replay: text,
      story,
      shrinkRunsCount: 0,
      shrinkCpuMs: 0,
      isShrunk: true,
    };
  }

  /** Makes the least of the choices of a failing run. */
  async #counterexample(
    seed: number | undefined,
    found: readonly Choice[],
    failure: RunFailure,
  ): Promise<Counterexample> {
    const fails = async (candidate: readonly Choice[]): Promise<{ readonly used: readonly Choice[] } | null> => {
      const used: Choice[] = [];
      const fixed = (): Choices => new FixedChoices(candidate, (choice) => used.push(choice));
      try {
        const outcome = await this.#run({ choices: fixed, seed: null });
        return outcome.failure !== null && isSame(outcome.failure, failure) ? { used } : null;
      } catch {
        // A run that could not be made, as when a planned fault found nobody: another failure at any rate.
        return null;
      }
    };
    const shrunk = await shrink(found, fails, {
      candidatesMax: shrinkCandidatesMax,
      cpuMsMax: (this.#options.shrinkCpuSeconds ?? shrinkCpuSecondsDefault) * 1000,
      cpuMs: () => this.#host.cpuMs(),
    });
    const last = await this.#run({ choices: () => new FixedChoices(shrunk.choices), seed: null, tells: true });
    const isTold = last.failure !== null && isSame(last.failure, failure);
    const asFound = (): Choices => (seed === undefined ? new FixedChoices(found) : new SeededChoices(seed));
    const told = isTold ? last : await this.#run({ choices: asFound, seed: seed ?? null, tells: true });
    return {
      ...(told.failure ?? failure),
      seed,
      choicesFoundCount: found.length,
      choices: isTold ? shrunk.choices : found,
      replay: this.#replayOf(seed, isTold ? shrunk.choices : found, isTold),
      story: told.story,
      shrinkRunsCount: shrunk.candidates,
      shrinkCpuMs: shrunk.cpuMs,
      isShrunk: isTold && shrunk.complete,
    };
  }

  /** A seed is shorter than many choices, and tells the same run. */
  #replayOf(seed: number | undefined, choices: readonly Choice[], isTold: boolean): string {
    const isShort = isTold && choices.length <= replayChoicesMax;
    return formatReplay(isShort || seed === undefined ? { choices } : { seed });
  }

  async #runCounted(request: RunRequest): Promise<RunOutcome> {
    const outcome = await this.#run(request);
    this.#runsCount += 1;
    this.#hash.addText(outcome.digest);
    this.#processesCount += outcome.processesCount;
    for (const [fault, count] of outcome.faults) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + count);
    for (const label of outcome.labels) this.#labels.add(label);
    for (const title of outcome.titles) this.#titles.add(title);
    return outcome;
  }

  async #run({ choices, seed, tells = false, order: given }: RunRequest): Promise<RunOutcome> {
    for (;;) {
      const drawn = choices();
      const order = given ?? (await this.#order(drawn));
      const outcome = await this.#host.inside(() =>
        runOnce({
          property: this.#property,
          plan: this.#plan,
          choices: drawn,
          seed,
          order,
          host: this.#host,
          modules: this.#modules,
          eventsMax: this.#options.eventsMax ?? eventsMaxDefault,
          tells,
        }),
      );
      this.#eventsCount += outcome.eventsCount;
      this.#virtualMs += outcome.virtualMs;
      // Node tells of rejections that nobody handles once its queue of microtasks is empty.
      await this.#host.drain();
      const [stray] = this.#host.takeStrays();
      const { broken } = outcome;
      if (stray !== undefined && broken === null)
        return { ...outcome, failure: outcome.failure ?? strayFailure(stray, outcome) };
      if (broken === null) return outcome;
      if (broken instanceof ModuleNeeded) {
        this.#modules.set(broken.url, await this.#host.load(broken.url));
        continue;
      }
      if (!(broken instanceof RestlessError)) throw broken;
      return { ...outcome, failure: { check: "rest", message: broken.message, atMs: outcome.virtualMs } };
    }
  }

  async #order(choices: Choices): Promise<TurnOrder> {
    switch (this.#options.scheduler) {
      case "fifo":
        return fifoOrder();
      case "pct": {
        const { pctDepth: depth = pctDepthDefault } = this.#options;
        return priorityOrder(new PctPriorities(choices, { depth, steps: await this.#expectedSteps() }));
      }
      case "exhaustive": {
        const order = choices.stream(orderStream);
        return pickedOrder((count) => order.choose(count));
      }
      default:
        return randomOrder();
    }
  }

  /** As many as the dullest run makes. */
  async #expectedSteps(): Promise<number> {
    if (this.#steps === 0) this.#steps = Math.max(1, (await this.#dullestRun()).eventsCount);
    return this.#steps;
  }

  #dullestRun(): Promise<RunOutcome> {
    return this.#run({ choices: () => new FixedChoices([]), seed: null, order: fifoOrder() });
  }

  #cpuMs(): Milliseconds {
    return this.#host.cpuMs() - this.#startMs;
  }

  #report(failure?: Counterexample): Report {
    const planned = Object.entries(this.#plan.faults ?? {}).filter(([, rate]) => rate > 0);
    const neverStruck = planned.map(([fault]) => fault as FaultName).filter((fault) => !this.#faults.has(fault));
    const neverSeen = (this.#property.sometimes ?? []).filter((label) => !this.#labels.has(label));
    return {
      ok: failure === undefined,
      property: this.#property.name,
      runsCount: this.#runsCount,
      eventsCount: this.#eventsCount,
      virtualMs: this.#virtualMs,
      cpuMs: this.#cpuMs(),
      digest: this.#hash.digest(),
      faults: Object.fromEntries(this.#faults),
      selfChecksCount: this.#selfChecksCount,
      ...(this.#isExhausted === undefined ? {} : { isExhausted: this.#isExhausted }),
      neverStruck,
      neverSeen,
      ...(this.#options.replay === undefined || failure !== undefined || this.#replayUnused === undefined
        ? {}
        : { replayUnused: this.#replayUnused }),
      weaknesses: failure === undefined ? this.#weaknesses(neverStruck, neverSeen) : [],
      ...(failure === undefined ? {} : { failure }),
    };
  }

  #weaknesses(neverStruck: readonly FaultName[], neverSeen: readonly string[]): string[] {
    const weaknesses: string[] = [];
    if (this.#options.replay !== undefined) return weaknesses;
    if (this.#processesCount === 0 && this.#property.workload === undefined) {
      weaknesses.push("the property does nothing: its setup starts no process and it has no workload");
    }
    if (this.#isExhausted === false) {
      weaknesses.push(`not all orders were tried in ${this.#runsCount} runs; more runs, or a smaller program`);
    }
    for (const label of neverSeen) {
      weaknesses.push(`"${label}" was never reached in ${this.#runsCount} runs; more runs, or a plan that leads there`);
    }
    for (const fault of neverStruck) {
      const { does, layer } = faults[fault];
      weaknesses.push(`the fault ${fault} never struck in ${this.#runsCount} runs (${does}); it needs ${needs[layer]}`);
    }
    const { targets } = this.#plan;
    for (const target of Array.isArray(targets) ? (targets as readonly string[]) : []) {
      if (!this.#titles.has(target))
        weaknesses.push(`there was never a process called "${target}", which targets names`);
    }
    return weaknesses;
  }
}

function isEnumerated(stream: string): boolean {
  return stream === orderStream || stream.startsWith("choose:") || stream.startsWith("chance:");
}

/** What a system must have for a fault to strike. */
const needs: Readonly<Record<FaultLayer, string>> = {
  process: "a process that targets allow, while the window lasts",
  carrier: "a program on a carrier of its own, such as thread, that targets allow",
  system: "a longer window or a higher rate",
  clock: "a longer window or a higher rate",
  storage: "something that is read from or written to world.files, while the window lasts",
  spawn: "a program that is started on a carrier of its own, such as thread, while the window lasts",
  network: "something that goes over world.network, while the window lasts",
};

/** Whether two failures are the same one: figures in their messages may differ. */
function isSame(one: RunFailure, other: RunFailure): boolean {
  return one.check === other.check && normalised(one.message) === normalised(other.message);
}

function normalised(message: string): string {
  return message.replace(/\d+(?:[.:]\d+)*/g, "#");
}

function strayFailure(stray: unknown, { virtualMs: atMs }: RunOutcome): RunFailure {
  return {
    check: "stray error",
    message: `${describeReason(stray)} was rejected or thrown, and nobody awaited it; outside of a simulation it would end its process`,
    atMs,
  };
}

function differing(seed: number, one: RunOutcome, other: RunOutcome): Counterexample {
  return {
    check: "determinism",
    message:
      `seed ${seed} ran twice and differently (${one.eventsCount} and ${other.eventsCount} events): something in the system ` +
      "takes its decisions from elsewhere than the world, such as Math.random, Date.now or a global variable that outlives the run",
    atMs: 0,
    seed,
    choicesFoundCount: 0,
    choices: [],
    replay: formatReplay({ seed }),
    story: [],
    shrinkRunsCount: 0,
    shrinkCpuMs: 0,
    isShrunk: false,
  };
}
