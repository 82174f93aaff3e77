/**
 * Torture report: what a torture did and found, and how it tells people.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import type { StoryLine } from "../sim/host.ts";

/** Lines of a story that are kept, and shown. */
export const storyLinesMax = 200;

/** A fault of the plan that could not be injected here. */
export interface Skipped {
  readonly fault: FaultName;
  /** What is missing, as the rest of a sentence that begins with "needs". */
  readonly needs: string;
}

/** Strikes that were tried and did not hit. */
export interface Missed {
  readonly fault: FaultName;
  readonly count: number;
  /** Of the last. */
  readonly reason: string;
}

export interface TortureFailure {
  readonly check: string;
  readonly message: string;
  /** Of the run that failed. The same seed gives the same faults at the same times, on a machine that goes its own way. */
  readonly seed: number;
  readonly atMs: Milliseconds;
  /** The last that happened, in order. */
  readonly story: readonly StoryLine[];
}

export interface TortureReport {
  readonly property: string;
  /** The property held in all runs; what was skipped was not tested. */
  readonly ok: boolean;
  readonly seed: number;
  readonly runsCount: number;
  readonly elapsedMs: Milliseconds;
  /** How often the system was started again after it had been killed. */
  readonly restartsCount: number;
  /** How often each fault of the plan struck; without those that were skipped. */
  readonly struck: Readonly<Partial<Record<FaultName, number>>>;
  readonly skipped: readonly Skipped[];
  readonly missed: readonly Missed[];
  /** Labels of `sometimes` that no run reached. */
  readonly neverSeen: readonly string[];
  readonly failure?: TortureFailure;
}

/** The property does not hold, or it is a weak test. */
export class TortureError extends Error {
  readonly report: TortureReport;

  constructor(message: string, report: TortureReport) {
    super(message);
    this.name = "TortureError";
    this.report = report;
  }
}

/** A report for people. */
export function tellTorture(report: TortureReport): string {
  const { failure, struck, skipped, missed, neverSeen } = report;
  const counts = Object.entries(struck).map(([fault, count]) => `${count} ${fault}`);
  const seconds = (report.elapsedMs / 1000).toFixed(1);
  const held =
    failure === undefined
      ? `property "${report.property}" held in ${report.runsCount} real runs of ${seconds} s altogether`
      : `property "${report.property}" does not hold: ${failure.check}: ${failure.message}`;
  return [
    held,
    counts.length === 0
      ? "no fault struck"
      : `faults: ${counts.join(", ")}; restarts of the system: ${report.restartsCount}`,
    ...skipped.map(({ fault, needs }) => `skipped, not tested: ${fault} needs ${needs}`),
    ...missed.map(({ fault, count, reason }) => `did not hit: ${count} ${fault} (${reason})`),
    ...neverSeen.map((label) => `weak: "${label}" was never reached`),
    ...(failure === undefined ? [] : tellStory(failure)),
  ].join("\n");
}

function tellStory({ seed, atMs, check, message, story }: TortureFailure): string[] {
  const lines = story.map((line) => `  ${figure(line.atMs)}  ${line.subject} ${line.what.split("\n", 1)[0] ?? ""}`);
  const last = `  ${figure(atMs)}  ${check}: ${message.split("\n", 1)[0] ?? ""}`;
  return [`seed ${seed}; what happened:`, ...lines, last];
}

function figure(atMs: Milliseconds): string {
  return `${atMs.toFixed(1)} ms`.padStart(12);
}
