/**
 * Shrink: from the choices of a failing run to the few that the failure needs.
 *
 * Candidates are tried from the boldest to the most careful: no choice at all; one class of streams alone; then, over and
 * over until nothing helps, without classes, without streams, without single choices, with lower values, without pairs, and
 * with choices that are drawn earlier. Each that still fails takes the place of what was best, less the choices that its run
 * never drew.
 * Guarantees: equal runs shrink equally; what comes out has failed in the very form in which it is given (or is what was
 * put in); no candidate runs twice; when `complete`, leaving out any one choice, stream or class, or lowering any one value
 * by 1, does not fail, and among 8 choices or fewer neither does leaving out any two. That is not always the smallest set
 * there is.
 * Not here: running a candidate, and what makes two failures the same.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { type Choice, hashOf, mix } from "./choices.ts";

/**
 * Runs a candidate. Where it fails as the original did: the choices that it drew, in the order in which it drew them. Null
 * where it does not fail, or fails in another way.
 */
export type FailsTheSame = (candidate: readonly Choice[]) => Promise<{ readonly used: readonly Choice[] } | null>;

export interface ShrinkLimits {
  /** Candidates that may run. */
  readonly candidatesMax: number;
  /** CPU time after which no further candidate begins. */
  readonly cpuMsMax: Milliseconds;
  /** CPU time that has passed; only differences count. */
  readonly cpuMs: () => Milliseconds;
}

export interface ShrinkResult {
  /** The smallest failing set that was found; what was put in when no candidate failed. */
  readonly choices: readonly Choice[];
  /** Whether nothing was left to try. */
  readonly complete: boolean;
  /** The limit that was reached; null when `complete`. */
  readonly stoppedBy: "candidatesMax" | "cpuMsMax" | null;
  /** Candidates that ran. */
  readonly candidates: number;
  /** CPU time that it took. */
  readonly cpuMs: Milliseconds;
}

/** Choices of which pairs are tried: 28 candidates for 8. */
const pairsOfMax = 8;

/** Choices that are tried at earlier draws; with more, that would take more runs than all else. */
const movedMax = 32;
/** Rounds of trying that; what comes nearer to the beginning by small steps stays where it is then. */
const earlierRoundsMax = 6;

/** Finds the few among `choices`, with which a run fails, that the failure needs. */
export async function shrink(
  choices: readonly Choice[],
  fails: FailsTheSame,
  limits: ShrinkLimits,
): Promise<ShrinkResult> {
  return await new Shrinking(choices, fails, limits).run();
}

/** The class of a stream: its name up to the first colon. `lat:a>b` and `lat:b>a` are both latencies. */
function classOf({ stream }: Choice): string {
  const end = stream.indexOf(":");
  return end < 0 ? stream : stream.slice(0, end);
}

function streamOf({ stream }: Choice): string {
  return stream;
}

class Shrinking {
  #best: readonly Choice[];
  readonly #fails: FailsTheSame;
  readonly #limits: ShrinkLimits;
  readonly #startMs: Milliseconds;
  /** Keys of candidates that ran. */
  readonly #tried = new Set<string>();
  #candidates = 0;
  #earlierRounds = 0;
  #stoppedBy: ShrinkResult["stoppedBy"] = null;

  constructor(choices: readonly Choice[], fails: FailsTheSame, limits: ShrinkLimits) {
    this.#best = choices;
    this.#fails = fails;
    this.#limits = limits;
    this.#startMs = limits.cpuMs();
    this.#tried.add(keyOf(choices));
  }

  async run(): Promise<ShrinkResult> {
    await this.#attempt([]);
    await this.#keepOneClass();
    let before: readonly Choice[];
    do {
      before = this.#best;
      await this.#dropGroups(classOf);
      await this.#dropGroups(streamOf);
      await this.#dropGroups(null);
      await this.#lowerValues();
      if (this.#best === before) await this.#dropPairs();
      if (this.#best === before) await this.#drawEarlier();
    } while (this.#best !== before && this.#stoppedBy === null);
    return {
      choices: this.#best,
      complete: this.#stoppedBy === null,
      stoppedBy: this.#stoppedBy,
      candidates: this.#candidates,
      cpuMs: this.#limits.cpuMs() - this.#startMs,
    };
  }

  /** Runs a candidate that is smaller than the best, and makes it the best if it fails. */
  async #attempt(candidate: readonly Choice[]): Promise<boolean> {
    if (this.#stoppedBy !== null) return false;
    const key = keyOf(candidate);
    if (this.#tried.has(key)) return false;
    this.#stoppedBy = this.#limitReached();
    if (this.#stoppedBy !== null) return false;
    this.#tried.add(key);
    this.#candidates += 1;
    const failure = await this.#fails(candidate);
    if (failure === null) return false;
    // What it drew is at most the candidate; a run that says otherwise would keep shrinking from ending.
    this.#best = isAtMost(failure.used, candidate) ? failure.used : candidate;
    this.#tried.add(keyOf(this.#best));
    return true;
  }

  #limitReached(): ShrinkResult["stoppedBy"] {
    if (this.#candidates >= this.#limits.candidatesMax) return "candidatesMax";
    if (this.#limits.cpuMs() - this.#startMs >= this.#limits.cpuMsMax) return "cpuMsMax";
    return null;
  }

  /** One class is often enough, and to find that takes one run for each. */
  async #keepOneClass(): Promise<void> {
    const classes = groupsOf(this.#best, classOf);
    if (classes.length < 2) return;
    for (const group of classes) {
      if (await this.#attempt(group)) return;
    }
  }

  /**
   * Leaves out groups: about half of them at once, then a fourth, down to two and to single ones. From the last to the
   * first, because what is drawn late depends on what was drawn early and not the other way round.
   */
  async #dropGroups(nameOf: GroupName | null): Promise<void> {
    let groups = groupsOf(this.#best, nameOf);
    let size = 1 << (31 - Math.clz32(Math.max(1, groups.length - 1)));
    let end = groups.length;
    while (size >= 1 && this.#stoppedBy === null) {
      const start = Math.max(0, end - size);
      const dropped = new Set(groups.slice(start, end).flat());
      if (await this.#attempt(this.#best.filter((choice) => !dropped.has(choice)))) {
        groups = groupsOf(this.#best, nameOf);
      }
      // Groups that nobody drew any more are gone as well, so `start` may now be beyond some that were tried already;
      // those before it are all still to come.
      end = Math.min(start, groups.length);
      if (end === 0) {
        size /= 2;
        end = groups.length;
      }
    }
  }

  /** Leaves out any two of a few that cannot be left out one by one, as a fault and what undoes it. */
  async #dropPairs(): Promise<void> {
    for (let first = 0; first < this.#best.length && this.#best.length <= pairsOfMax; first += 1) {
      for (let second = first + 1; second < this.#best.length; second += 1) {
        await this.#attempt(this.#best.filter((_, at) => at !== first && at !== second));
      }
    }
  }

  async #lowerValues(): Promise<void> {
    await this.#attempt(this.#best.map((choice) => ({ ...choice, value: 1 })));
    for (const choice of this.#best) await this.#lowerValue(choice);
  }

  /** Tries 1, then halves what is between a value that does not fail and one that does. */
  async #lowerValue({ stream, index }: Choice): Promise<void> {
    const value = this.#valueOf(stream, index);
    // An earlier round came down to this value already, with the other choices as they are.
    if (value < 2 || this.#tried.has(keyOf(this.#with(stream, index, value - 1)))) return;
    let tooLow = 0;
    for (let tried = 1; tried > tooLow && tried < this.#valueOf(stream, index) && this.#stoppedBy === null;) {
      if (!(await this.#attempt(this.#with(stream, index, tried)))) tooLow = tried;
      tried = Math.floor((tooLow + this.#valueOf(stream, index)) / 2);
    }
  }

  /**
   * Lets choices be drawn earlier: all of them, those of one index, each alone. What happens early needs less to lead up to
   * it, makes a shorter story, and comes to the same choices whichever seed found the failure.
   */
  async #drawEarlier(): Promise<void> {
    if (this.#best.length > movedMax || this.#earlierRounds >= earlierRoundsMax) return;
    this.#earlierRounds += 1;
    await this.#drawGroupEarlier(this.#best);
    const places = this.#best;
    const together = groupsOf(places, ({ index }) => `${index}`).filter(({ length }) => length > 1);
    for (const group of [...together, ...groupsOf(places, null)]) await this.#drawGroupEarlier(group);
  }

  /** Moves the group's first choice to index 0, then halves what is between a place that does not fail and one that does. */
  async #drawGroupEarlier(group: readonly Choice[]): Promise<void> {
    const farthest = Math.min(...group.map(({ index }) => index));
    const nearest = this.#movedBy(group, 0, 1);
    // An earlier round found this place already, with the other choices as they are.
    if (nearest !== null && this.#tried.has(keyOf(nearest))) return;
    let [moved, tooFar] = [0, farthest + 1];
    for (let tried = farthest; tried > moved && tried < tooFar && this.#stoppedBy === null;) {
      const candidate = this.#movedBy(group, moved, tried);
      if (candidate !== null && (await this.#attempt(candidate))) moved = tried;
      else tooFar = tried;
      tried = Math.ceil((moved + tooFar) / 2);
    }
  }

  /**
   * The best, with a group that has moved by `from` already moved by `to`. Null where it is not there any more, or two would
   * be in one place.
   */
  #movedBy(group: readonly Choice[], from: number, to: number): Choice[] | null {
    const places = new Set(group.map(({ stream, index }) => placeOf(stream, index - from)));
    const taken = new Set<string>();
    let count = 0;
    const candidate = this.#best.map((choice) => {
      const isMoved = places.has(placeOf(choice.stream, choice.index));
      if (isMoved) count += 1;
      const result = isMoved ? { ...choice, index: choice.index - (to - from) } : choice;
      taken.add(placeOf(result.stream, result.index));
      return result;
    });
    return count === group.length && taken.size === candidate.length ? candidate : null;
  }

  #with(stream: string, index: number, value: number): Choice[] {
    return this.#best.map((choice) =>
      choice.stream === stream && choice.index === index ? { stream, index, value } : choice,
    );
  }

  /** 0 where the best does without that choice. */
  #valueOf(stream: string, index: number): number {
    return this.#best.find((choice) => choice.stream === stream && choice.index === index)?.value ?? 0;
  }
}

type GroupName = (choice: Choice) => string;

/** The choices by name, each group where its first choice stands; without a name each choice is a group. */
function groupsOf(choices: readonly Choice[], nameOf: GroupName | null): Choice[][] {
  if (nameOf === null) return choices.map((choice) => [choice]);
  const groups = new Map<string, Choice[]>();
  for (const choice of choices) {
    const name = nameOf(choice);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [choice]);
    else group.push(choice);
  }
  return [...groups.values()];
}

function placeOf(stream: string, index: number): string {
  return `${index}#${stream}`;
}

/** Whether a run drew no more than it was given. */
function isAtMost(used: readonly Choice[], given: readonly Choice[]): boolean {
  return used.length < given.length || (used.length === given.length && sumOf(used) <= sumOf(given));
}

function sumOf(choices: readonly Choice[]): number {
  let sum = 0;
  for (const { value } of choices) sum += value;
  return sum;
}

/** Equal for equal sets of choices in whatever order. A hash of 64 bits, as the texts of large sets would fill the memory. */
function keyOf(choices: readonly Choice[]): string {
  let low = 0;
  let high = 0;
  for (const { stream, index, value } of choices) {
    const place = mix(hashOf(stream) + Math.imul(index, 0x9e37_79b9));
    low = (low + mix(place ^ value)) | 0;
    high = (high + mix(mix(place ^ 0x5bd1_e995) + value)) | 0;
  }
  return `${choices.length}:${low}:${high}`;
}
