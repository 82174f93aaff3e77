/**
 * Record: what a daemon knows for good. Its shapes, and nothing that happens to them.
 *
 * How it comes about: fold.ts, from the entries of the journal (entry.ts).
 * What runs at this moment is not here: that is found again in the runs of the home (run/run.ts), and is in live.ts.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { RunEnd, RunId } from "../run/run.ts";

/** One run. */
export interface RunRecord {
  readonly id: RunId;
  readonly number: number;
  /** Which version of the plan it runs (run-key.ts). */
  readonly key: string;
  /** What its dependencies were when it began: the number of the run of each that counts. */
  readonly dependencies: Readonly<Record<string, number>>;
  readonly startedAt: number;
  readonly osPid?: number;
  readonly readyAt?: number;
  /** It was started ahead, and its turn has not come. */
  readonly isStandby?: true;
  /** It was told to end. */
  readonly stopping?: Stopping;
  readonly end?: RunEnd;
}

/** Why a run was told to end. */
export interface Stopping {
  readonly at: number;
  readonly why: string;
  /** It is ended because it failed (not ready in time, unhealthy, over a limit), so its end counts as a failure. */
  readonly isFailure: boolean;
  /** It makes room for a newer run that is ready already. */
  readonly drains: boolean;
  /** It has got its stop signal: no later daemon gives it another, which some programs take for "at once". */
  readonly isTold?: boolean;
}

/** What follows the end of a run that nobody asked for. */
export type Outcome =
  /** It is started again at `notBeforeAt`. */
  | {
      readonly kind: "again";
      readonly notBeforeAt: number;
      readonly delayMs: number;
      readonly isExhausted: boolean;
      readonly reason: string;
      /** It did not fail: colos itself is short of something. */
      readonly isOwnTrouble?: true;
    }
  /** Its restart policy says that it is done. */
  | { readonly kind: "done"; readonly isOk: boolean; readonly reason: string }
  /** It is given up. */
  | { readonly kind: "failed"; readonly reason: string };

/** One instance of a service. */
export interface InstanceRecord {
  /** Newest first: the runs that live, and at most `historyMax` (fold-run.ts) that have ended. */
  runs: readonly RunRecord[];
  /** Its next run, started ahead. It is none of `runs` until its turn comes. */
  standby?: RunRecord;
  restartsCount: number;
  /** When restarts of the current window happened, oldest first. */
  restartsAt: readonly number[];
  /** Restarts in a row without health in between. */
  attempts: number;
  /** The window is used up; each try is one of the slow ones. */
  isExhausted: boolean;
  /** What the last unexpected end led to; absent while all is well. */
  outcome?: Outcome;
  /** A job between its times, or one that has not had its first. */
  isAtRest: boolean;
  /** Runs up to this number are to be replaced. */
  renewUpTo: number;
  /** Why they are. */
  renewWhy?: string;
  /** The version that did not become ready, and why; the older run goes on. */
  heldBack?: { readonly key: string; readonly reason: string };
}

/** One service. */
export interface ServiceRecord {
  plan: ServicePlan;
  target: "up" | "down";
  /** Forgotten as soon as nothing of it runs. */
  isRemoved: boolean;
  instances: Map<number, InstanceRecord>;
  /** When a job was last due. */
  firedAt?: number;
  /** It was due while it still ran, and runs again when that has ended. */
  isQueued?: boolean;
  /** Since when there are times to come. */
  scheduledAt?: number;
  /** What its watched files were when they were looked at last (watch/watches.ts). */
  watched?: string;
}

/** A sentence about what happened, for `why`. */
export interface NoteRecord {
  readonly at: number;
  readonly service?: string;
  readonly sentence: string;
}

/** Everything. */
export interface SystemRecord {
  startsCount: number;
  /** Somebody has stopped the system: nothing is wanted until a plan is applied or a service is started. */
  isDown: boolean;
  /** The config file, for people. */
  source: string;
  /** What services inherit. */
  env: Readonly<Record<string, string>>;
  /** In the order of the plan. */
  services: Map<string, ServiceRecord>;
  /** The number of the last run by `<service>.<instance>`, also of services that are gone: no id is used twice. See run-number.ts. */
  lastRuns: Map<string, number>;
  /** No run of a service that is not in `lastRuns` had a higher number. */
  lastRunsFloor: number;
  notes: readonly NoteRecord[];
}

/** A record of nothing. */
export function emptyRecord(): SystemRecord {
  const runs = { lastRuns: new Map(), lastRunsFloor: 0 };
  return { startsCount: 0, isDown: false, source: "", env: {}, services: new Map(), ...runs, notes: [] };
}
