/**
 * Arbitraries: values of a property (orders, keys, byte strings) described by arbitraries of fast-check and decided by the
 * run's own choices.
 *
 * Each number that an arbitrary asks for is a decision of one stream, so values are the same again with the same seed, stand
 * in a replay, and shrink with all other decisions of the run: 0 gives the number nearest to zero, the shortest list, the
 * first of several. Large numbers are drawn by their magnitude, so small and large ones are about as frequent.
 * fast-check is whoever's who uses it: any version whose arbitraries have `generate` (3 and 4), and nothing is imported here.
 * Not here: fast-check's own shrinking, which knows nothing of the run.
 * Limits: an arbitrary that refuses what it was given (`filter`) is given other numbers after `refusalsMax` that were 0.
 *
 * @module
 */
import type { World } from "../sim/property.ts";

/** What is needed of an arbitrary of fast-check. */
export interface ArbitraryLike<T> {
  generate(random: never, biasFactor: number | undefined): { readonly value: T };
}

/** Decisions of one value that were 0 one after the other, before other numbers take their place. */
export const refusalsMax = 256;

/** A value of `arbitrary`, decided by the run. `stream` names the decisions, as for `world.choose`. */
export function draw<T>(world: Pick<World, "choose">, stream: string, arbitrary: ArbitraryLike<T>): T {
  return arbitrary.generate(new ChosenNumbers(world, stream) as never, undefined).value;
}

const byteValues = 256;
/** The lists from which decisions are made, by length. */
const indexLists: (readonly number[])[] = [];

function indices(count: number): readonly number[] {
  return (indexLists[count] ??= Array.from({ length: count }, (_, index) => index));
}

/** Stands in the place of fast-check's `Random`. */
class ChosenNumbers {
  readonly #world: Pick<World, "choose">;
  readonly #stream: string;
  #zerosCount = 0;

  constructor(world: Pick<World, "choose">, stream: string) {
    this.#world = world;
    this.#stream = stream;
  }

  /** The same decisions go on: what clones it wants to draw the same again later, and draws something new. */
  clone(): this {
    return this;
  }

  nextInt(min = -0x8000_0000, max = 0x7fff_ffff): number {
    return Number(this.nextBigInt(BigInt(min), BigInt(max)));
  }

  nextBigInt(min: bigint, max: bigint): bigint {
    const place = this.#place(max - min + 1n);
    if (min >= 0n) return min + place;
    if (max <= 0n) return max - place;
    return aroundZero(place, min, max);
  }

  next(bits: number): number {
    return this.nextInt(0, 2 ** bits - 1);
  }

  nextBoolean(): boolean {
    return this.#index(2) === 1;
  }

  nextDouble(): number {
    return (this.next(26) * 2 ** 27 + this.next(27)) / 2 ** 53;
  }

  getState(): undefined {
    return undefined;
  }

  /** A number below `count`. */
  #place(count: bigint): bigint {
    if (count <= BigInt(byteValues)) return BigInt(this.#index(Number(count)));
    const bitsMax = (count - 1n).toString(2).length;
    // First how many digits, then all but the first of them.
    const bits = this.#index(bitsMax + 1);
    if (bits === 0) return 0n;
    let place = 1n;
    for (let left = bits - 1; left > 0; left -= Math.min(left, 8)) {
      const digits = Math.min(left, 8);
      place = (place << BigInt(digits)) | BigInt(this.#index(2 ** digits));
    }
    return place < count ? place : count - 1n;
  }

  #index(count: number): number {
    if (count === 1) return 0;
    const index = this.#world.choose(this.#stream, indices(count));
    this.#zerosCount = index === 0 ? this.#zerosCount + 1 : 0;
    return this.#zerosCount > refusalsMax ? this.#zerosCount % count : index;
  }
}

/** 0, 1, -1, 2, -2 …, and on with one side where the other is over. */
function aroundZero(place: bigint, min: bigint, max: bigint): bigint {
  const bothSides = 2n * (max < -min ? max : -min);
  if (place > bothSides) return max < -min ? -(place - max) : place + min;
  return place % 2n === 1n ? (place + 1n) / 2n : -(place / 2n);
}
