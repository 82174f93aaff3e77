/**
 * Live: what the core knows of the runs that exist at this moment. It is lost with the daemon and found again.
 *
 * @module
 */
import { instanceName, type InstanceState } from "../../control/service.ts";
import type { RunId } from "../run/run.ts";

/** A run that has not ended. */
export interface LiveRun {
  readonly id: RunId;
  readonly number: number;
  /** Which version of the plan it runs; of a standby, which it was started for (run-key.ts). */
  key: string;
  /** Of a standby: when it was started ahead; once its turn has come: that moment. */
  startedAt: number;
  dependencies: Readonly<Record<string, number>>;
  /** It was started ahead, and its turn has not come. */
  isStandby: boolean;
  /** `asked`: not there yet; `running`: it runs and is not ready. */
  phase: "asked" | "running" | "ready";
  osPid?: number;
  /** An earlier daemon started it. */
  readonly isAdopted?: true;
  readyAt?: number;
  /** What its liveness check says; absent before the first look. */
  isHealthy?: boolean;
  /** What it says of itself (sd_notify STATUS). */
  says?: string;
  stop?: LiveStop;
}

export interface LiveStop {
  readonly why: string;
  readonly isFailure: boolean;
  readonly drains: boolean;
  /** When it is killed, by the monotonic clock; undefined: never. */
  readonly killDueMs: number | undefined;
  /** Its stop signal is on its way, or it has got it. */
  isTold: boolean;
  isKilled: boolean;
}

/** One instance at this moment. */
export interface LiveInstance {
  readonly number: number;
  readonly name: string;
  /** The run that counts. */
  current: LiveRun | undefined;
  /** The one that is to take its place when it is ready. */
  next: LiveRun | undefined;
  /** Those that make room. */
  readonly draining: Set<LiveRun>;
  /** Its next run, started ahead. */
  standby: LiveRun | undefined;
  /** Standbys in a row that ended by themselves. */
  standbyFailures: number;
  /** Before this no standby is started, by the monotonic clock. */
  standbyNotBeforeMs: number;
  /** How long the wait for it is, in milliseconds, when colos itself was short of something; undefined: it was short of nothing. */
  standbyDelayMs: number | undefined;
  /** How the last one ended by itself; undefined once one has taken over. */
  standbyEnd: string | undefined;
  /** Before this no successor is tried, by the monotonic clock: colos itself was short of something. */
  nextNotBeforeMs: number;
  /** How long that wait is, in milliseconds; undefined: it was short of nothing. */
  nextDelayMs: number | undefined;
  state: InstanceState;
  reason: string | undefined;
  /** What was last told of it. */
  shown: string;
}

/** A live instance of which nothing runs. */
export function liveInstance(service: string, number: number): LiveInstance {
  const name = instanceName(service, number);
  return {
    number,
    name,
    current: undefined,
    next: undefined,
    draining: new Set(),
    standby: undefined,
    standbyFailures: 0,
    standbyNotBeforeMs: 0,
    standbyDelayMs: undefined,
    standbyEnd: undefined,
    nextNotBeforeMs: 0,
    nextDelayMs: undefined,
    state: "stopped",
    reason: undefined,
    shown: "",
  };
}

/** All runs of an instance, its standby too. */
export function runsOf({ current, next, draining, standby }: LiveInstance): LiveRun[] {
  return [current, next, ...draining, standby].filter((run) => run !== undefined);
}

/** Whether anything of an instance runs. */
export function hasRuns(instance: LiveInstance | undefined): boolean {
  return instance !== undefined && runsOf(instance).length > 0;
}
