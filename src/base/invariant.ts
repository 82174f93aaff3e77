/**
 * Invariant: states what must be true if the program is right. It stays on in production.
 *
 * Not here: bad input from people or programs; that gets an error of its own with a remedy.
 *
 * @module
 */

/** Throws when `condition` is false: a defect in colos, not in what was asked of it. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`colos is in a state that must not exist: ${what}. Please report this.`);
}
