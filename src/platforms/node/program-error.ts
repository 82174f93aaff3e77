/**
 * Program error: why a program cannot be loaded, as a sentence for the person who wrote it.
 *
 * Not here: errors that the program's own code throws while it is loaded; those pass through as they are.
 *
 * @module
 */

/** One place in a program that does not compile. */
export interface ProgramProblem {
  /** Absolute; absent when the problem has no place. */
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based, in UTF-16 units as editors count. */
  readonly column?: number;
  /** One sentence without a place and without a full stop. */
  readonly text: string;
}

/** A program does not exist, is no program, or does not compile. The message names file, line and column. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  /** Everything that was found, in the order of the message; at least one. */
  readonly problems: readonly ProgramProblem[];

  constructor(message: string, problems: readonly ProgramProblem[] = [{ text: message }], options?: ErrorOptions) {
    super(message, options);
    this.problems = problems;
  }
}
