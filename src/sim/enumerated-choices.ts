/**
 * Enumerated choices: every combination of a run's decisions, one run after the other, depth first.
 *
 * Each run repeats the decisions of the one before it up to the last that had an alternative, takes that, and draws 0 from
 * there on. So the first run is the dullest, and what is kept between runs is one path.
 * Guarantees: each combination runs exactly once, also where what is decided later depends on what was decided earlier; it is
 * said whether all of them ran, or which limit was in the way; a run that does not repeat itself is an error. Streams that are
 * not enumerated draw 0.
 * Not here: leaving out combinations that come to the same (two signals to different processes in either order).
 *
 * @module
 */
import type { Choice, Choices, Stream } from "./choices.ts";

export interface EnumerationLimits {
  /** Whether the decisions of that stream are enumerated; all others are 0. */
  readonly isEnumerated: (stream: string) => boolean;
  /** Combinations that may run. */
  readonly runsMax: number;
  /** Decisions of one run that are enumerated; later ones are 0. Those with one outcome do not count. */
  readonly depthMax: number;
}

/** A decision of the current path. */
interface Decision {
  readonly stream: string;
  readonly count: number;
  value: number;
}

/**
 * All combinations: `for (let choices = all.next(); choices !== null; choices = all.next()) run(choices)`.
 * Between two calls of `next` the run is over.
 */
export class Enumeration {
  readonly #limits: EnumerationLimits;
  readonly #path: Decision[] = [];
  /** Decisions of the path that the current run has drawn. */
  #drawn = 0;
  #runs = 0;
  #isExhausted = false;
  #isCut = false;
  #stoppedBy: "runsMax" | null = null;

  constructor(limits: EnumerationLimits) {
    this.#limits = limits;
  }

  /** Runs that were begun. */
  get runs(): number {
    return this.#runs;
  }

  /** Whether every combination has run. */
  get complete(): boolean {
    return this.#isExhausted && !this.#isCut;
  }

  /** The limit for which combinations were left out; null where none was, or not yet. */
  get stoppedBy(): "runsMax" | "depthMax" | null {
    return this.#stoppedBy ?? (this.#isCut ? "depthMax" : null);
  }

  /** The choices of the next run, each that is not 0 told to `record`; null when all have run, or as many as may. */
  next(record: ((choice: Choice) => void) | null = null): Choices | null {
    if (this.#runs > 0 && !this.#isExhausted) this.#advance();
    if (this.#isExhausted) return null;
    if (this.#runs >= this.#limits.runsMax) {
      this.#stoppedBy = "runsMax";
      return null;
    }
    this.#runs += 1;
    this.#drawn = 0;
    return new EnumeratedChoices(this.#limits.isEnumerated, (stream, count) => this.#decide(stream, count), record);
  }

  /** Once for each run. */
  #advance(): void {
    if (this.#stoppedBy !== null) return;
    const missed = this.#path[this.#drawn];
    if (missed !== undefined) throw notRepeated(this.#runs, this.#drawn, missed, "ended");
    let last = this.#path.at(-1);
    while (last !== undefined && last.value + 1 >= last.count) {
      this.#path.pop();
      last = this.#path.at(-1);
    }
    if (last === undefined) this.#isExhausted = true;
    else last.value += 1;
  }

  #decide(stream: string, count: number): number {
    if (!(count > 1)) return 0;
    const decision = this.#path[this.#drawn];
    if (decision !== undefined) {
      if (decision.stream !== stream || decision.count !== count) {
        throw notRepeated(this.#runs, this.#drawn, decision, `drew one of ${count} from ${stream}`);
      }
      this.#drawn += 1;
      return decision.value;
    }
    if (this.#drawn >= this.#limits.depthMax) {
      this.#isCut = true;
      return 0;
    }
    this.#path.push({ stream, count, value: 0 });
    this.#drawn += 1;
    return 0;
  }
}

function notRepeated(run: number, at: number, decision: Decision, instead: string): Error {
  const { stream, count } = decision;
  return new Error(
    `run ${run} does not repeat the one before it: decision ${at + 1} was one of ${count} from ${stream}, and this run ${instead}. ` +
      "Something in it does not come from its choices.",
  );
}

class EnumeratedChoices implements Choices {
  readonly #streams = new Map<string, Stream>();
  readonly #isEnumerated: (stream: string) => boolean;
  readonly #decide: (stream: string, count: number) => number;
  readonly #record: ((choice: Choice) => void) | null;

  constructor(
    isEnumerated: (stream: string) => boolean,
    decide: (stream: string, count: number) => number,
    record: ((choice: Choice) => void) | null,
  ) {
    this.#isEnumerated = isEnumerated;
    this.#decide = decide;
    this.#record = record;
  }

  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = this.#isEnumerated(name) ? new EnumeratedStream(name, this.#decide, this.#record) : new DullStream(name);
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

class EnumeratedStream implements Stream {
  readonly name: string;
  readonly #decide: (stream: string, count: number) => number;
  readonly #record: ((choice: Choice) => void) | null;
  #index = 0;
  /** What `chooseAt` has given: who asks for an index again gets the same. */
  readonly #given = new Map<number, number>();

  constructor(
    name: string,
    decide: (stream: string, count: number) => number,
    record: ((choice: Choice) => void) | null,
  ) {
    this.name = name;
    this.#decide = decide;
    this.#record = record;
  }

  choose(count: number): number {
    const value = this.#decide(this.name, count);
    if (value > 0) this.#record?.({ stream: this.name, index: this.#index, value });
    this.#index += 1;
    return value;
  }

  /** What cannot happen is no alternative; what is sure is, for a run of few choices draws false for it as well. */
  chance(probability: number): boolean {
    return this.choose(probability > 0 ? 2 : 1) === 1;
  }

  chooseAt(index: number, count: number): number {
    const given = this.#given.get(index);
    if (given !== undefined) return Math.min(given, count - 1);
    this.#index = index;
    const value = this.choose(count);
    this.#given.set(index, value);
    return value;
  }

  chanceAt(index: number, probability: number): boolean {
    return this.chooseAt(index, probability > 0 ? 2 : 1) === 1;
  }
}

class DullStream implements Stream {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  choose(): number {
    return 0;
  }

  chance(): boolean {
    return false;
  }

  chooseAt(): number {
    return 0;
  }

  chanceAt(): boolean {
    return false;
  }
}
