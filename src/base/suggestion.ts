/**
 * Suggestion: the known word that a person probably meant when they wrote an unknown one.
 *
 * Guarantees: deterministic; of several equally near words the first known one is taken; no suggestion rather
 * than a wild one.
 * Limit: `wordLengthMax`; longer words get no suggestion, because comparing costs length × length.
 *
 * @module
 */

/** Characters; the longest word that is compared. */
export const wordLengthMax = 64;

/** The known word nearest to `written`, or undefined when none is near enough to be what was meant. */
export function findSuggestion(written: string, known: Iterable<string>): string | undefined {
  if (written.length === 0 || written.length > wordLengthMax) return undefined;
  const folded = fold(written);
  let best: string | undefined;
  let bestDistance = 1 + Math.max(1, Math.floor(written.length / 3));
  for (const word of known) {
    if (word.length > wordLengthMax) continue;
    const distance = editDistance(folded, fold(word));
    if (distance < bestDistance) [best, bestDistance] = [word, distance];
  }
  return best;
}

/** `; did you mean "restart"?`, or nothing. To be put behind a sentence. */
export function suggestionClause(written: string, known: Iterable<string>): string {
  const word = findSuggestion(written, known);
  return word === undefined ? "" : `; did you mean "${word}"?`;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(current[column - 1]! + 1, last[column]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1);
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length]!;
}
