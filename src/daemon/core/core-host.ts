/**
 * Core host: what the core tells whoever does what it decides, and asks of them.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { InstanceState } from "../../control/service.ts";
import type { RunEnd, RunId } from "../run/run.ts";
import type { LiveInstance, LiveRun } from "./live.ts";
import type { Entry } from "./entry.ts";
import type { ServiceRecord } from "./record.ts";

/** The first and the longest wait when colos itself is short of something, in milliseconds; it doubles with each try. */
export const ownTroubleRetryMs = 1_000;
export const ownTroubleRetryMaxMs = 10_000;

/** A run has ended that nobody asked to end (`crash`), or what failed is not tried again as before (`exhausted`). */
export interface ServiceFailure {
  readonly event: "crash" | "exhausted";
  readonly plan: ServicePlan;
  readonly instance: number;
  readonly reason: string;
  readonly end: RunEnd;
  /** When it was taken in, epoch milliseconds: what the next run writes comes later. */
  readonly at: number;
  /** Of the run; epoch milliseconds. */
  readonly startedAt: number;
  /** Of the instance. */
  readonly restartsCount: number;
}

/** What the core tells. No call may call back into the core at once. */
export interface CoreHost {
  /** Epoch milliseconds; may be set back or forward at any time. */
  now(): number;
  /** Milliseconds since some moment; only grows. */
  monotonicMs(): number;
  /** From 0 to below 1. */
  random(): number;
  /** Keeps entries that the core made itself. They are in the record already. */
  keep(entry: Entry): void;
  /** `started` or `startFailed` follows. */
  start(run: LiveRun, plan: ServicePlan, instance: number): void;
  /** Tells a standby that its turn has come; `promoted` follows. Safe to say twice. */
  promote(run: LiveRun, plan: ServicePlan, instance: number): void;
  /**
   * OS signal to the group; `told` follows. Before it the journal has what was kept so far, when the disk takes it: of a run that
   * ends by it the next daemon knows that it was to.
   */
  signal(run: RunId, name: string): void;
  /** The same with SIGKILL to all of it; nothing follows. */
  kill(run: RunId): void;
  /** Begins the readiness check; `ready` or `notReady` follows unless `endChecks` comes first. */
  check(run: LiveRun, plan: ServicePlan, instance: number): void;
  /** Begins liveness checks; `unhealthy` may follow. */
  watchOver(run: LiveRun, plan: ServicePlan, instance: number): void;
  endChecks(run: RunId): void;
  /** Somebody may want to hear of it at once: as soon as the journal has it, when the disk takes it, so that no later daemon tells it again. */
  failed(failure: ServiceFailure): void;
  /** The end of a run was taken in. */
  forget(run: RunId): void;
  /** An instance is not what it was: its state, its run, or why. */
  changed(service: ServiceRecord, instance: LiveInstance, before: InstanceState): void;
  /** Nothing of a removed service is left. */
  gone(service: ServiceRecord): void;
  /** `wake` is to be called then, instead of at any time said before. */
  wakeAt(at: number | undefined): void;
  /** When a job is due that was due at `lastAt`, as `nextDue` of control/schedule.ts. */
  nextDue(plan: ServicePlan, lastAt: number, now: number): number | undefined;
}
