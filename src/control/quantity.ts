/**
 * Quantity: sizes and durations as a person writes them, "512 MiB" and "30 s", as bytes and milliseconds.
 *
 * Guarantees: strict: one decimal number, at most one space, one unit that is written as below, nothing else; the result is a
 * whole number, exact, or undefined. kB, MB, GB, TB are powers of 1000 and KiB, MiB, GiB, TiB powers of 1024.
 * Not here: numbers without a unit (they are bytes and milliseconds already), limits of a key (config-schema.ts).
 *
 * @module
 */

/** Bytes in each unit of a size. */
export const sizeUnits = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  TB: 1_000_000_000_000,
  KiB: 1024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
} as const;

/** Milliseconds in each unit of a duration. */
export const durationUnits = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
} as const;

type WithUnit<Unit extends string> = `${number} ${Unit}` | `${number}${Unit}`;

/** A number of bytes, or text such as "512 MiB" or "1 GB". */
export type Size = number | WithUnit<keyof typeof sizeUnits>;
/** A number of milliseconds, or text such as "30 s" or "7 days". */
export type Duration = number | WithUnit<keyof typeof durationUnits>;

/** The bytes that a text such as "1.5 GiB" means; undefined when it is not a size or not a whole number of bytes. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** The milliseconds that a text such as "1.5 h" means; undefined when it is not a duration or not whole. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, durationUnits);
}

/** A time span for a person, in the words of a config, rounded to a tenth: `93 ms`, `1.3 s`, `30 s`, `1 min`, `2 h`, `7 d`. */
export function spanText(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  const units = [
    ["s", 1000, 60],
    ["min", 60_000, 60],
    ["h", 3_600_000, 48],
    ["d", 86_400_000, Infinity],
  ] as const;
  const [unit, unitMs] = units.find(([, each, max]) => milliseconds / each < max - 0.05)!;
  return `${(milliseconds / unitMs).toFixed(1).replace(/\.0$/, "")} ${unit}`;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))? ?([A-Za-z]+)$/.exec(text);
  if (match === null || !Object.hasOwn(units, match[3]!)) return undefined;
  const [, whole, decimals = "", unit] = match;
  const scale = 10n ** BigInt(decimals.length);
  const amount = BigInt(`${whole}${decimals}`) * BigInt(units[unit!]!);
  if (amount % scale !== 0n) return undefined;
  const value = Number(amount / scale);
  return Number.isSafeInteger(value) ? value : undefined;
}
