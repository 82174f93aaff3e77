/**
 * Argument: refuses what a program without a type checker gives where something else belongs, with one sentence and before
 * anything happens, as Erlang's `badarg` does. A wrong number that is let in does its harm much later and elsewhere.
 *
 * @module
 */
import { assertMilliseconds } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { Pid } from "./pid.ts";

/** @throws RangeError for what is no number of milliseconds; Infinity is one. */
export function assertDuration(durationMs: Milliseconds): void {
  assertMilliseconds("a duration", durationMs);
}

/** @throws TypeError when `given` is no pid; `what` begins the sentence. */
export function assertPid(what: string, given: unknown): void {
  if (!(given instanceof Pid)) throw new TypeError(`${what} takes a pid, not ${String(given)}`);
}

/** @throws TypeError when `given` is no function. */
export function assertFunction(what: string, given: unknown): void {
  if (typeof given !== "function") throw new TypeError(`${what} takes a function, not ${String(given)}`);
}

/** @throws TypeError when `given` has nothing that closes it. */
export function assertHandle(given: { readonly close: unknown } | null | undefined): void {
  if (typeof given?.close !== "function")
    throw new TypeError(`own takes what has a function close, not ${String(given)}`);
}

/** @throws RangeError when `given` is none of `known`; `what` begins the sentence. */
export function assertOneOf(what: string, known: readonly string[], given: string): void {
  if (!known.includes(given)) throw new RangeError(`${what} ${known.join(", ")}, not ${String(given)}`);
}

/** @throws RangeError when `given` is no number, or below 0. */
export function assertCount(what: string, given: number): void {
  if (typeof given === "number" && given >= 0) return;
  throw new RangeError(`${what} is a number from 0 on, not ${String(given)}`);
}

/** @throws Error when `limit` is no object, or has a policy that is none of `policies`. */
export function assertLimit(what: string, limit: { readonly policy?: string }, policies: readonly string[]): void {
  if (typeof limit !== "object" || limit === null)
    throw new Error(`${what} is an object of limits, not ${String(limit)}`);
  const { policy } = limit;
  if (policy === undefined || policies.includes(policy)) return;
  throw new Error(`${what}.policy is one of ${policies.join(", ")}, not "${String(policy)}"`);
}

/** @throws RangeError when one of the numbers that are given is none, or not above 0. */
export function assertAboveZero(what: string, numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value = 1] of Object.entries(numbers)) {
    if (typeof value === "number" && value > 0) continue;
    throw new RangeError(`${what}.${name} is a number above 0, not ${String(value)}`);
  }
}
