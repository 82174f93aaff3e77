/**
 * Subject: how the faults of a simulated disk name what they strike, and how long those last that last.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import type { SimulatedHost } from "./host.ts";

/** A fault that lasts does so for 1 to `lastingStepsMax` of these, in milliseconds. */
export const lastingStepMs: Milliseconds = 1_000;
export const lastingStepsMax = 10;

/** A path as faults, streams and stories name it: the root is `/`. */
export function subjectOf(path: string): string {
  return path === "" ? "/" : path;
}

/** For how long a fault that has struck lasts. */
export function lastingMs(host: SimulatedHost, fault: FaultName, subject: string): Milliseconds {
  return untilCalm(host, lastingStepMs * (1 + host.faults.severity(fault, subject, lastingStepsMax)));
}

/** What is left of `durationMs` until the calm begins, in which nothing lasts. */
export function untilCalm(host: Pick<SimulatedHost, "calmFromMs" | "nowMs">, durationMs: Milliseconds): Milliseconds {
  return Math.max(0, Math.min(durationMs, (host.calmFromMs ?? Infinity) - host.nowMs()));
}
