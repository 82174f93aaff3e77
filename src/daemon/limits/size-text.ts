/**
 * Size text: a number of bytes as a person writes it in a config.
 *
 * @module
 */

/** `200 MiB` when it is a whole number of these, otherwise `312.4 MB`. */
export function sizeText(bytes: number): string {
  const mib = bytes / 1_048_576;
  return Number.isInteger(mib) && mib > 0 ? `${mib} MiB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
