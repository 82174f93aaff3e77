/**
 * Limit: refuses what a program without a type checker gives in place of a number, before it does harm: every comparison
 * with NaN is false, so a limit that is none never ends anything.
 *
 * Not here: what must be true if colos itself is right (invariant.ts), what the kernel's calls take (kernel/argument.ts).
 *
 * @module
 */

/** @throws RangeError unless `value` is a whole number from `min` to `max`; without a `max`, Infinity is one too. */
export function assertWhole(name: string, value: unknown, min: number, max?: number): void {
  const isWhole = Number.isInteger(value) || (value === Infinity && max === undefined);
  if (isWhole && (value as number) >= min && (value as number) <= (max ?? Infinity)) return;
  const range = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new RangeError(`${name} is a whole number ${range}, not ${inWords(value)}`);
}

/** @throws RangeError unless `value` is a number of milliseconds; one below 0 counts as 0, Infinity is for ever. */
export function assertMilliseconds(name: string, value: unknown): void {
  if (typeof value === "number" && !Number.isNaN(value)) return;
  throw new RangeError(`${name} is a number of milliseconds, not ${inWords(value)}`);
}

/** A value that is wrong, in a sentence. */
export function inWords(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  if (typeof value !== "object" || value === null) return String(value);
  const maker: unknown = Object.getPrototypeOf(value)?.constructor;
  return Array.isArray(value) ? "a list" : `an object (${typeof maker === "function" ? maker.name : "Object"})`;
}
