/**
 * Choices: every decision of a simulated run, each keyed by the stream it belongs to.
 *
 * A decision is a number below a count. Its value is a hash of the run's seed, the stream's name and how many were drawn
 * from that stream before, so that one part of a run that draws more does not shift what others draw. 0 is always the
 * dullest outcome: no fault, no delay, the first of a list.
 * Guarantees: equal seeds give equal choices on every host; a run is told in full by its seed, or by the choices that are
 * not 0 (`ChoiceSet`), and a run of such a set draws 0 wherever the set says nothing.
 * Not here: what is decided.
 *
 * @module
 */

/** One decision that is not 0. */
export interface Choice {
  /** What is decided, as `lat:worker` or `kill.gap`. */
  readonly stream: string;
  /** How many were drawn from the stream before. */
  readonly index: number;
  /** Above 0; for a `chance` it is 1. */
  readonly value: number;
}

/** The source of all decisions of one run. */
export interface Choices {
  /** The stream of that name; the same object each time. Keep it where it is drawn from often. */
  stream(name: string): Stream;
}

/** Where the decisions of one kind come from. */
export interface Stream {
  readonly name: string;
  /** A number in [0, count). */
  choose(count: number): number;
  /** True with a probability between 0 and 1. */
  chance(probability: number): boolean;
  /** The decision of that index, whatever was drawn before: for what is decided at fixed times. Not mixed with the others. */
  chooseAt(index: number, count: number): number;
  chanceAt(index: number, probability: number): boolean;
}

/** Choices drawn from a seed. */
export class SeededChoices implements Choices {
  readonly seed: number;
  readonly #streams = new Map<string, SeededStream>();
  /** Called with each decision that is not 0; null while nobody wants to know. */
  readonly #record: ((choice: Choice) => void) | null;

  constructor(seed: number, record: ((choice: Choice) => void) | null = null) {
    this.seed = seed;
    this.#record = record;
  }

  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new SeededStream(name, mix(hashOf(name) ^ mix(this.seed)), this.#record);
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

class SeededStream implements Stream {
  readonly name: string;
  readonly #key: number;
  readonly #record: ((choice: Choice) => void) | null;
  #index = 0;

  constructor(name: string, key: number, record: ((choice: Choice) => void) | null) {
    this.name = name;
    this.#key = key;
    this.#record = record;
  }

  choose(count: number): number {
    const value = this.#draw() % count;
    if (value !== 0 && this.#record !== null) this.#note(value);
    return value;
  }

  chance(probability: number): boolean {
    const isTrue = this.#draw() < probability * 0x1_0000_0000;
    if (isTrue && this.#record !== null) this.#note(1);
    return isTrue;
  }

  chooseAt(index: number, count: number): number {
    this.#index = index;
    return this.choose(count);
  }

  chanceAt(index: number, probability: number): boolean {
    this.#index = index;
    return this.chance(probability);
  }

  #draw(): number {
    this.#index += 1;
    return mix(this.#key + Math.imul(this.#index, 0x9e37_79b9));
  }

  #note(value: number): void {
    this.#record?.({ stream: this.name, index: this.#index - 1, value });
  }
}

/** Choices that are 0 but for those given. */
export class FixedChoices implements Choices {
  readonly #streams = new Map<string, FixedStream>();
  readonly #values = new Map<string, Map<number, number>>();
  readonly #record: ((choice: Choice) => void) | null;

  /** `record` is called with each given choice that was really drawn. */
  constructor(choices: readonly Choice[], record: ((choice: Choice) => void) | null = null) {
    this.#record = record;
    for (const { stream, index, value } of choices) {
      let values = this.#values.get(stream);
      if (values === undefined) this.#values.set(stream, (values = new Map()));
      values.set(index, value);
    }
  }

  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new FixedStream(name, this.#values.get(name) ?? noValues, this.#record);
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

const noValues: ReadonlyMap<number, number> = new Map();

class FixedStream implements Stream {
  readonly name: string;
  readonly #values: ReadonlyMap<number, number>;
  readonly #record: ((choice: Choice) => void) | null;
  #index = 0;

  constructor(name: string, values: ReadonlyMap<number, number>, record: ((choice: Choice) => void) | null) {
    this.name = name;
    this.#values = values;
    this.#record = record;
  }

  /** A choice made for a longer list means the last of a shorter one. */
  choose(count: number): number {
    const value = Math.min(this.#next(), count - 1);
    if (value > 0) this.#record?.({ stream: this.name, index: this.#index - 1, value });
    return value;
  }

  chance(): boolean {
    return this.choose(2) === 1;
  }

  chooseAt(index: number, count: number): number {
    this.#index = index;
    return this.choose(count);
  }

  chanceAt(index: number): boolean {
    this.#index = index;
    return this.chance();
  }

  #next(): number {
    this.#index += 1;
    return this.#values.get(this.#index - 1) ?? 0;
  }
}

/** Spreads all bits of a 32-bit number over all of the result; unsigned. */
export function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** FNV-1a of the text's UTF-16 units. */
export function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  }
  return hash >>> 0;
}
