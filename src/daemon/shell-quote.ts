/**
 * Shell quote: text as one word of a `/bin/sh` script.
 *
 * Guarantees: the shell takes the word as it is, whatever is in it but NUL, which no argument of an OS process can have.
 *
 * @module
 */

/** The text between single quotes. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
