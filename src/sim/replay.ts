/**
 * Replay: the text that tells a run, short enough to stand in a report, a commit and a command.
 *
 * `seed 17` is the run that this seed draws. `victim#2=1 kill.gap#0=3` is the run in which the third draw from `victim`
 * gives 1, the first from `kill.gap` gives 3, and every other draw 0. `none` is the run in which every draw gives 0.
 * `seed 17 victim#2=1` is a run of these choices that was found under that seed.
 * Guarantees: reading what was written gives the same; the text is one line, and between single quotes a POSIX shell
 * leaves it as it is. Of a stream's name, letters, digits and `_ . : / @ + , ~ ( ) [ ] < > * -` stand for themselves; all
 * else is written as the bytes of its UTF-8, `%20` for a space, and a lone surrogate as `%uD800`.
 * Not here: which property, plan and scheduler the run belongs to; whoever replays it names them.
 *
 * @module
 */
import type { Choice } from "./choices.ts";

/** What tells a run: a seed, choices, or both. */
export interface Replay {
  /** Draws the run; where there are choices, it only says under which seed they were found. */
  readonly seed?: number;
  /** All decisions that are not 0. */
  readonly choices?: readonly Choice[];
}

/** Stands where there are choices, but not one. */
const none = "none";

const form = 'a replay is "seed 17", or choices such as "victim#2=1 kill.gap#0=3", or "none"';

/** The text of a run. RangeError for a number that cannot be told or a choice that is told twice, TypeError when nothing is told. */
export function formatReplay(replay: Replay): string {
  const { seed, choices } = replay;
  if (seed === undefined && choices === undefined) throw new TypeError(form);
  const words: string[] = [];
  if (seed !== undefined) words.push(`seed ${wholeNumber(seed, 0, "a seed")}`);
  if (choices?.length === 0) words.push(none);
  const places = new Set<string>();
  for (const { stream, index, value } of choices ?? []) {
    const place = `${escapeName(stream)}#${wholeNumber(index, 0, "a choice's index")}`;
    if (places.has(place)) throw new RangeError(`${place} is given twice`);
    places.add(place);
    words.push(`${place}=${wholeNumber(value, 1, "a choice's value")}`);
  }
  return words.join(" ");
}

/** The run that a text tells. SyntaxError, with the place and what should stand there. */
export function parseReplay(text: string): Replay {
  const words = [...text.matchAll(/\S+/g)].map((match) => new Word(match[0], match.index));
  const first = words[0];
  if (first === undefined) throw new SyntaxError(`the replay is empty; ${form}`);
  if (first.text !== "seed") return { choices: parseChoices(words) };
  const number = words[1];
  if (number === undefined) throw first.error("a seed is a number, as in seed 17");
  const seed = number.wholeNumber(number.text, 0, "a seed");
  return words.length === 2 ? { seed } : { seed, choices: parseChoices(words.slice(2)) };
}

function parseChoices(words: readonly Word[]): Choice[] {
  if (words.length === 1 && words[0]?.text === none) return [];
  const choices: Choice[] = [];
  const places = new Set<string>();
  for (const word of words) {
    const choice = parseChoice(word);
    const place = `${choice.index}#${choice.stream}`;
    if (places.has(place)) throw word.error(`draw ${choice.index} of this stream is given twice`);
    places.add(place);
    choices.push(choice);
  }
  return choices;
}

function parseChoice(word: Word): Choice {
  if (word.text === none) throw word.error("none stands alone, for a run without choices");
  // The name takes as much as it can: one that was written by hand may itself contain # and =.
  const parts = /^(.*)#([^#=]*)=([^#=]*)$/s.exec(word.text);
  const [, name, index, value] = parts ?? [];
  if (name === undefined || index === undefined || value === undefined) {
    throw word.error("a choice is written stream#index=value, as victim#2=1");
  }
  return {
    stream: unescapeName(name, word),
    index: word.wholeNumber(index, 0, "a choice's index"),
    value: word.wholeNumber(value, 1, "a choice's value"),
  };
}

/** A part of the text that is parsed. */
class Word {
  readonly text: string;
  readonly #offset: number;

  constructor(text: string, offset: number) {
    this.text = text;
    this.#offset = offset;
  }

  error(sentence: string): SyntaxError {
    return new SyntaxError(`the replay is wrong at character ${this.#offset + 1}, "${this.text}": ${sentence}`);
  }

  wholeNumber(digits: string, min: number, what: string): number {
    const number = /^\d+$/.test(digits) ? Number(digits) : NaN;
    if (!Number.isSafeInteger(number) || number < min) {
      throw this.error(`${what} is a whole number of at least ${min}, not "${digits}"`);
    }
    return number;
  }
}

function wholeNumber(number: number, min: number, what: string): number {
  if (Number.isSafeInteger(number) && number >= min) return number;
  throw new RangeError(`${what} is a whole number of at least ${min}, not ${number}`);
}

const toEscape = /[^\p{L}\p{N}_.:/@+,~()[\]<>*-]/gu;

function escapeName(name: string): string {
  return name.replace(toEscape, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const unit = character.charCodeAt(0);
  if (character.length === 1 && unit >= 0xd800 && unit <= 0xdfff) return `%u${unit.toString(16).toUpperCase()}`;
  const escaped = encodeURIComponent(character);
  // encodeURIComponent leaves ! and ' as they are.
  return escaped === character ? `%${unit.toString(16).toUpperCase()}` : escaped;
}

/** Escaped bytes that belong together, an escaped surrogate, or a % that begins neither. */
const escape = /(?:%[0-9a-f]{2})+|%u([0-9a-f]{4})|%/gi;

function unescapeName(name: string, word: Word): string {
  return name.replace(escape, (bytes: string, unit: string | undefined) => {
    if (unit !== undefined) return String.fromCharCode(Number.parseInt(unit, 16));
    try {
      return decodeURIComponent(bytes);
    } catch {
      throw word.error(`${bytes} stands for no character; a % is written %25`);
    }
  });
}
