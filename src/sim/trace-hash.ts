/**
 * Trace hash: a run's events as one number of 64 bits, by which two runs of one seed are seen to be the same without
 * either having been kept.
 *
 * Guarantees: equal sequences of numbers and texts give equal digests on every host and version; sequences that differ
 * give different ones as surely as 64 bits allow. Adding costs a few nanoseconds and keeps nothing but the hashes of up to
 * `textsMax` texts.
 * Not here: protection against somebody who wants two runs to look the same; what an event consists of.
 *
 * @module
 */
import { mix } from "./choices.ts";

/** Texts whose hash is kept when nothing else was said. */
const textsMaxDefault = 10_000;

/** Tell what the next words are parts of: a number that is no whole one of 32 bits, or a text. */
const wideMark = 0x3c6e_f372;
const textMark = 0x1b87_3593;

/** Takes the events of a run, one after the other. */
export class TraceHash {
  #low = 0x811c_9dc5 | 0;
  #high = 0x2545_f491 | 0;
  /** Words added, so that events that change nothing else count all the same. */
  #count = 0;
  readonly #texts = new Map<string, TextHash>();
  readonly #textsMax: number;
  readonly #wide = new DataView(new ArrayBuffer(8));

  /** `textsMax`: when there are more, all are forgotten and hashed again. The digest does not depend on it. */
  constructor(textsMax: number = textsMaxDefault) {
    this.#textsMax = textsMax;
  }

  /** Any number; 0 and -0 are one, and so is every NaN. */
  add(value: number): void {
    const word = value | 0;
    if (word === value) this.#mixIn(word);
    else this.#addWide(value);
  }

  /** A text. Its own hash is made once, so this is meant for names that come again and again. */
  addText(text: string): void {
    const { low, high } = this.#texts.get(text) ?? this.#hashOf(text);
    this.#mark(textMark);
    this.#mixIn(low);
    this.#mixIn(high);
  }

  /** The hash of what was added so far, as 16 hexadecimal digits. More can be added. */
  digest(): string {
    const low = mix(this.#low ^ this.#count);
    const high = mix(this.#high ^ low);
    return hex(high) + hex(mix(low + high));
  }

  #mixIn(word: number): void {
    // Two lanes that take the word in different ways: what is equal in one by chance is not in the other.
    const low = Math.imul(this.#low ^ word, 0x85eb_ca6b);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high, 0x9e37_79b1) + word;
    this.#high = Math.imul((high << 13) | (high >>> 19), 0xc2b2_ae35);
    this.#count = (this.#count + 1) | 0;
  }

  /** Changes the state as no word does. */
  #mark(mark: number): void {
    this.#low = Math.imul(this.#low, mark | 1);
    this.#high ^= mark;
  }

  #addWide(value: number): void {
    this.#mark(wideMark);
    // The bits of a NaN are the host's choice.
    if (Number.isNaN(value)) return;
    this.#wide.setFloat64(0, value);
    this.#mixIn(this.#wide.getInt32(0));
    this.#mixIn(this.#wide.getInt32(4));
  }

  #hashOf(text: string): TextHash {
    if (this.#texts.size >= this.#textsMax) this.#texts.clear();
    let low = text.length;
    let high = 0x6a09_e667;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      low = Math.imul(low ^ unit, 0x0100_0193);
      high = mix(high + unit);
    }
    const hash = { low: mix(low), high };
    this.#texts.set(text, hash);
    return hash;
  }
}

interface TextHash {
  readonly low: number;
  readonly high: number;
}

/** Where two runs part: the first event that is not the same in both. */
export interface Difference<Event> {
  /** Counted from 0. */
  readonly index: number;
  /** Undefined where that run has ended already. */
  readonly first: Event | undefined;
  readonly second: Event | undefined;
}

/** The first event in which two recordings differ; null when they are the same. Without `isSame`, events are numbers or texts. */
export function firstDifference<Event>(
  first: readonly Event[],
  second: readonly Event[],
  isSame: (first: Event, second: Event) => boolean = Object.is,
): Difference<Event> | null {
  const shorter = Math.min(first.length, second.length);
  let index = 0;
  while (index < shorter && isSame(first[index] as Event, second[index] as Event)) index += 1;
  if (index === first.length && index === second.length) return null;
  return { index, first: first[index], second: second[index] };
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
