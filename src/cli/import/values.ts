/**
 * Values: what other programs' files hold, read with the tolerance that those programs have.
 *
 * @module
 */
import { isPlainObject } from "../../control/value-schema.ts";

/** A scalar as text; undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

/** One text or a list of them. */
export function textsOf(value: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.flatMap((item) => textOf(item) ?? []);
}

/** A finite number, also one that is written as text. */
export function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

/** A number of `unit`s as whole milliseconds of at least 1; undefined when it is none. */
export function millisecondsOf(value: unknown, unit: number): number | undefined {
  const number = numberOf(value);
  return number === undefined || number < 0 ? undefined : Math.max(1, Math.round(number * unit));
}

/** `true`, `"true"`, `1`. */
export function isOn(value: unknown): boolean {
  return value === true || value === "true" || value === 1;
}

/** Variables as a map or as a list of `NAME=value`; a name alone has the value undefined. */
export function variablesOf(value: unknown): Map<string, string | undefined> {
  if (isPlainObject(value)) {
    return new Map(Object.entries(value).map(([name, text]) => [name, text === null ? undefined : textOf(text)]));
  }
  return new Map(
    textsOf(value).map((line) => {
      const at = line.indexOf("=");
      return at < 0 ? [line, undefined] : [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `1m30s`, `1.5h`, in milliseconds; undefined for anything else. */
export function spanOf(value: unknown): number | undefined {
  const text = textOf(value)?.trim() ?? "";
  if (!/^(?:[\d.]+\s*(?:ns|us|µs|ms|s|m|h|d|w))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)\s*(ns|us|µs|ms|s|m|h|d|w)/g)) {
    total += Number(count) * durationUnits[unit!]!;
  }
  return Number.isFinite(total) ? Math.max(1, Math.round(total)) : undefined;
}

const sizeFactors: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1_048_576,
  g: 1_073_741_824,
  t: 1_099_511_627_776,
};

/** `300M`, `1gb`, `512MiB` and plain bytes; letters are powers of 1024 as these programs have it. */
export function bytesOf(value: unknown): number | undefined {
  const match = /^([\d.]+)\s*([kmgt]?)(?:i?b)?$/i.exec(textOf(value)?.trim() ?? "");
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * sizeFactors[match[2]!.toLowerCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
