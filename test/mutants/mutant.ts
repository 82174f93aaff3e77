/**
 * Mutant: one planted defect, kept as data beside the code that it would break and never in it.
 *
 * Each is a mistake that somebody could make: it compiles, most of the unit under it works, and what goes wrong is seen only
 * in an order of events that a simulation has to find.
 *
 * @module
 */

/** A replacement in one source file, and what its user would see. */
export interface Mutant {
  /** Unique; for the command line and the table. */
  readonly id: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** What a user would see, in one sentence. */
  readonly breaks: string;
}

/** The file's text with the defect. @throws Error when `find` does not stand there exactly once. */
export function mutated({ id, file, find, replace }: Mutant, text: string): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    throw new Error(`mutant ${id}: what it replaces stands ${parts.length - 1} times in ${file}, not once`);
  }
  return parts.join(replace);
}
