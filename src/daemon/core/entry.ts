/**
 * Entry: one line of the journal, which is one thing that happened to what a daemon knows for good.
 *
 * Guarantees: entries are JSON. What each does is in fold.ts.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { RunEnd, RunId } from "../run/run.ts";
import type { InstanceRecord, Outcome, RunRecord, ServiceRecord, Stopping, SystemRecord } from "./record.ts";

/** One line of the journal. `at`: epoch milliseconds. */
export type Entry =
  | {
      readonly type: "snapshot";
      readonly rest: Omit<SystemRecord, "services" | "lastRuns">;
      readonly lastRuns: readonly (readonly [string, number])[];
    }
  | { readonly type: "kept"; readonly service: string; readonly kept: KeptService }
  | { readonly type: "daemon"; readonly at: number; readonly version: string; readonly osPid: number }
  /** The system is stopped, and stays so. */
  | { readonly type: "down"; readonly at: number }
  | {
      readonly type: "applied";
      readonly at: number;
      readonly source: string;
      readonly env: Readonly<Record<string, string>>;
      readonly services: readonly ServicePlan[];
    }
  | {
      readonly type: "target";
      readonly at: number;
      readonly service: string;
      readonly target: "up" | "down";
      /** A job is not run now, but at its next time. */
      readonly isAtRest?: true;
    }
  | { readonly type: "removed"; readonly at: number; readonly service: string }
  | { readonly type: "scaled"; readonly at: number; readonly service: string; readonly instances: number }
  /** All runs that there are now are to be replaced, of one instance or of all. */
  | {
      readonly type: "renewed";
      readonly at: number;
      readonly service: string;
      readonly instance?: number;
      readonly why: string;
    }
  /** A job's time has come: `dueAt` is the time that it was due. */
  | {
      readonly type: "fired";
      readonly at: number;
      readonly service: string;
      readonly dueAt: number;
      readonly how: "run" | "skip" | "queue";
    }
  /** Its watched files were looked at. */
  | { readonly type: "watched"; readonly at: number; readonly service: string; readonly seen: string }
  | { readonly type: "gone"; readonly at: number; readonly service: string }
  | {
      readonly type: "begun";
      readonly at: number;
      readonly service: string;
      readonly instance: number;
      readonly run: RunRecord;
    }
  | { readonly type: "running"; readonly at: number; readonly run: RunId; readonly osPid: number }
  | { readonly type: "ready"; readonly at: number; readonly run: RunId }
  /** The turn of a standby has come: it is the instance's run from now on. */
  | {
      readonly type: "promoted";
      readonly at: number;
      readonly run: RunId;
      /** Which version of the plan it runs; older entries have none, as a standby's was the same. */
      readonly key?: string;
      readonly dependencies: Readonly<Record<string, number>>;
    }
  | ({ readonly type: "stopping"; readonly run: RunId } & Stopping)
  /** A run that is to end was given its stop signal. */
  | { readonly type: "told"; readonly at: number; readonly run: RunId }
  | {
      readonly type: "ended";
      readonly at: number;
      readonly run: RunId;
      readonly end: RunEnd;
      readonly outcome?: Outcome;
      readonly counts?: boolean;
    }
  /**
   * A run that could not begin, because colos itself is short of something: it is no part of the history. It says all that `begun` and
   * an earlier one of the instance said.
   */
  | {
      readonly type: "postponed";
      readonly at: number;
      readonly run: RunId;
      /** Absent: another run goes on. */
      readonly outcome?: Outcome;
    }
  /** It has been healthy long enough: its troubles are forgotten. */
  | { readonly type: "recovered"; readonly at: number; readonly service: string; readonly instance: number }
  | {
      readonly type: "heldBack";
      readonly at: number;
      readonly service: string;
      readonly instance: number;
      readonly key: string;
      readonly reason: string;
    }
  | { readonly type: "note"; readonly at: number; readonly service?: string; readonly sentence: string };

/** The entries of a type. */
export type EntryOf<Type extends Entry["type"]> = Extract<Entry, { readonly type: Type }>;

/** A service as JSON. */
export interface KeptService extends Omit<ServiceRecord, "instances"> {
  readonly instances: readonly (readonly [number, InstanceRecord])[];
}

/** An entry as it was read from a file. @throws Error for what is none */
export function decodeEntry(value: unknown): Entry {
  const type = (value as { readonly type?: unknown } | null)?.type;
  if (typeof type !== "string") throw new Error("it is not an entry of the manager's journal");
  return value as Entry;
}
