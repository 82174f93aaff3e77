/**
 * Verb: what a file of verb/ exports. The table of all of them is verbs.ts.
 *
 * @module
 */
import type { CliHost } from "./host.ts";
import type { Option, Options, Words } from "./words.ts";

/** One thing that `colos` does. */
export interface Verb {
  /** What the help says besides the summary, a line each. */
  readonly notes: readonly string[];
  readonly options: Options;
  /** Options end at the first word that is none; what follows belongs to somebody else. */
  readonly optionsFirst?: boolean;
  /** Does it. Settles with the exit code. @throws WrongUsage before anything is done */
  run(words: Words, host: CliHost): Promise<number>;
}

export const helpOption: Option = { help: "show this", short: "h" };
