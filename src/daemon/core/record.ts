/**
 * Record: what a daemon knows for good, as a fold over the entries of its journal.
 *
 * Guarantees: the record is the fold of its entries and of nothing else, so the next daemon knows what this one knew. Entries
 * are JSON; a fold never changes the entry it is given, nor shares with it what it changes later.
 * What runs at this moment is not here: that is found again in the runs of the home (run/run.ts).
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { RunEnd, RunId } from "../run/run.ts";

/** Finished runs that are remembered of each instance. */
export const historyMax = 20;

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
  /** Newest first: the runs that live, and at most `historyMax` that have ended. */
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

/** Notes that are remembered. */
export const notesMax = 500;

/**
 * Instances whose last number is remembered: those that there are, and of services that are gone so many that there are no more than this.
 * For the others it is remembered how high the numbers came.
 */
export const lastRunsMax = 1_000;

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
  /** The number of the last run by `<service>.<instance>`, also of services that are gone: no id is used twice. See `lastRunsMax`. */
  lastRuns: Map<string, number>;
  /** No run of a service that is not in `lastRuns` had a higher number. */
  lastRunsFloor: number;
  notes: readonly NoteRecord[];
}

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

/** A service as JSON. */
export interface KeptService extends Omit<ServiceRecord, "instances"> {
  readonly instances: readonly (readonly [number, InstanceRecord])[];
}

/** A record of nothing. */
export function emptyRecord(): SystemRecord {
  const runs = { lastRuns: new Map(), lastRunsFloor: 0 };
  return { startsCount: 0, isDown: false, source: "", env: {}, services: new Map(), ...runs, notes: [] };
}

/** The parts of a run's id. @throws Error for what is no id */
export function runParts(id: RunId): { readonly service: string; readonly instance: number; readonly number: number } {
  const [, service, instance, number] = /^([^.]+)\.(\d+)\.(\d+)$/.exec(id) ?? [];
  if (service === undefined) throw new Error(`${id} is not the id of a run`);
  return { service, instance: Number(instance), number: Number(number) };
}

/** The id of a run. */
export function runId(service: string, instance: number, number: number): RunId {
  return `${service}.${instance}.${number}`;
}

/** Applies one entry and leaves the record as it was: for the journal, which may have to take an entry back. */
export function fold(record: SystemRecord, entry: Entry): SystemRecord {
  return foldInto(copyFor(record, entry), entry);
}

/** The record with copies of all that the entry may change. */
function copyFor(record: SystemRecord, entry: Entry): SystemRecord {
  const services = new Map(record.services);
  const touched =
    entry.type === "applied" || (entry.type === "target" && record.isDown)
      ? [...services.keys()]
      : "run" in entry && typeof entry.run === "string"
        ? [runParts(entry.run).service]
        : "service" in entry && entry.service !== undefined
          ? [entry.service]
          : [];
  for (const name of touched) {
    const service = services.get(name);
    if (service !== undefined) services.set(name, copyOf(service));
  }
  return { ...record, services, lastRuns: new Map(record.lastRuns) };
}

function copyOf(service: ServiceRecord): ServiceRecord {
  return { ...service, instances: new Map([...service.instances].map(([number, each]) => [number, { ...each }])) };
}

/** Applies one entry, in place. An entry about what is not known any more changes nothing. */
export function foldInto(record: SystemRecord, entry: Entry): SystemRecord {
  switch (entry.type) {
    case "snapshot":
      return Object.assign(record, entry.rest, { services: new Map(), lastRuns: new Map(entry.lastRuns) });
    case "kept": {
      const { instances, ...kept } = entry.kept;
      const copies = instances.map(([number, each]) => [number, { ...each }] as const);
      record.services.set(entry.service, { ...kept, instances: new Map(copies) });
      break;
    }
    case "daemon":
      record.startsCount += 1;
      break;
    case "down":
      record.isDown = true;
      break;
    case "applied":
      foldApplied(record, entry);
      break;
    case "note":
      record.notes = [
        ...record.notes,
        { at: entry.at, ...(entry.service === undefined ? {} : { service: entry.service }), sentence: entry.sentence },
      ].slice(-notesMax);
      break;
    case "running":
    case "ready":
    case "promoted":
    case "stopping":
    case "told":
    case "ended":
      foldRun(record, entry);
      break;
    case "postponed":
      foldPostponed(record, entry);
      break;
    default: {
      const service = record.services.get(entry.service);
      if (service !== undefined) foldService(record, service, entry);
    }
  }
  return record;
}

function foldApplied(record: SystemRecord, entry: Extract<Entry, { type: "applied" }>): void {
  const before = record.services;
  record.isDown = false;
  record.source = entry.source;
  record.env = entry.env;
  record.services = new Map();
  for (const plan of entry.services) {
    const service = before.get(plan.name) ?? newService(plan, entry.at);
    before.delete(plan.name);
    if (service.plan.schedule === undefined && plan.schedule !== undefined) service.scheduledAt = entry.at;
    service.plan = plan;
    if (plan.watch === undefined) delete service.watched;
    service.isRemoved = false;
    if (plan.autostart) {
      service.target = "up";
      for (const instance of service.instances.values()) forgive(instance, { keepsDone: true });
    }
    record.services.set(plan.name, service);
    addInstances(service);
  }
  for (const [name, service] of before) {
    service.isRemoved = true;
    service.target = "down";
    record.services.set(name, service);
  }
}

function newService(plan: ServicePlan, at: number): ServiceRecord {
  return {
    plan,
    target: plan.autostart ? "up" : "down",
    isRemoved: false,
    instances: new Map(),
    ...(plan.schedule === undefined ? {} : { scheduledAt: at }),
  };
}

function addInstances(service: ServiceRecord): void {
  for (let number = 1; number <= service.plan.instances; number++) {
    if (service.instances.has(number)) continue;
    service.instances.set(number, {
      runs: [],
      restartsCount: 0,
      restartsAt: [],
      attempts: 0,
      isExhausted: false,
      isAtRest: service.plan.schedule !== undefined,
      renewUpTo: 0,
    });
  }
}

/** Nothing of what went wrong counts any more. */
function forgive(instance: InstanceRecord, { keepsDone = false } = {}): void {
  instance.restartsAt = [];
  instance.attempts = 0;
  instance.isExhausted = false;
  delete instance.heldBack;
  if (!(keepsDone && instance.outcome?.kind === "done" && instance.outcome.isOk)) delete instance.outcome;
}

type ServiceEntry = Exclude<
  Entry,
  { type: "snapshot" | "kept" | "daemon" | "down" | "applied" | "note" | "postponed" | RunEntry["type"] }
>;

function foldService(record: SystemRecord, service: ServiceRecord, entry: ServiceEntry): void {
  switch (entry.type) {
    case "target":
      if (entry.target === "up") endDown(record);
      service.target = entry.target;
      for (const instance of service.instances.values()) {
        forgive(instance);
        instance.isAtRest = (entry.target === "down" || entry.isAtRest === true) && service.plan.schedule !== undefined;
      }
      return;
    case "removed":
      service.isRemoved = true;
      service.target = "down";
      return;
    case "scaled":
      // Those that are added again begin anew.
      for (const [number, instance] of service.instances) if (number > service.plan.instances) forgive(instance);
      service.plan = { ...service.plan, instances: entry.instances };
      addInstances(service);
      return;
    case "renewed":
      for (const [number, instance] of service.instances) {
        if (entry.instance !== undefined && entry.instance !== number) continue;
        forgive(instance);
        instance.isAtRest = false;
        instance.renewUpTo = lastRunOf(record, service.plan.name, number);
        instance.renewWhy = entry.why;
      }
      return;
    case "fired":
      service.firedAt = entry.dueAt;
      service.isQueued = entry.how === "queue";
      if (entry.how !== "run") return;
      for (const instance of service.instances.values()) {
        const { outcome } = instance;
        forgive(instance);
        // That its time has come again is no sign that colos is short of nothing any more.
        if (outcome?.kind === "again" && outcome.isOwnTrouble === true) instance.outcome = outcome;
        instance.isAtRest = false;
      }
      return;
    case "watched":
      service.watched = entry.seen;
      return;
    case "gone":
      record.services.delete(entry.service);
      return;
    case "begun":
      foldBegun(record, service, entry);
      return;
    case "recovered": {
      const instance = service.instances.get(entry.instance);
      if (instance !== undefined) forgive(instance);
      return;
    }
    case "heldBack": {
      const instance = service.instances.get(entry.instance);
      if (instance === undefined) return;
      instance.heldBack = { key: entry.key, reason: entry.reason };
      instance.renewUpTo = 0;
    }
  }
}

/** What is started alone does not bring all the others back. */
function endDown(record: SystemRecord): void {
  if (!record.isDown) return;
  record.isDown = false;
  for (const service of record.services.values()) service.target = "down";
}

function foldBegun(record: SystemRecord, service: ServiceRecord, entry: Extract<Entry, { type: "begun" }>): void {
  const { instance: number, run } = entry;
  keepNumber(record, `${service.plan.name}.${number}`, run.number);
  const instance = service.instances.get(number);
  if (instance === undefined) return;
  if (run.isStandby === true) instance.standby = run;
  else addRun(instance, run);
}

function addRun(instance: InstanceRecord, run: RunRecord): void {
  let endedCount = 0;
  const kept = instance.runs.filter(({ end }) => end === undefined || ++endedCount < historyMax);
  instance.runs = [run, ...kept];
}

function foldPostponed(record: SystemRecord, entry: Extract<Entry, { type: "postponed" }>): void {
  const { service, instance: number, number: runNumber } = runParts(entry.run);
  keepNumber(record, `${service}.${number}`, runNumber);
  const instance = record.services.get(service)?.instances.get(number);
  if (instance === undefined) return;
  if (instance.standby?.id === entry.run) delete instance.standby;
  instance.runs = instance.runs.filter(({ id }) => id !== entry.run);
  if (entry.outcome !== undefined) instance.outcome = entry.outcome;
}

/** No number is used twice. */
function keepNumber(record: SystemRecord, place: string, number: number): void {
  record.lastRuns.set(place, Math.max(number, record.lastRuns.get(place) ?? 0));
  if (record.lastRuns.size > lastRunsMax) forgetNumber(record);
}

/** Of the service that is gone and had its first run before those of the others. */
function forgetNumber(record: SystemRecord): void {
  for (const [place, number] of record.lastRuns) {
    if (record.services.has(place.slice(0, place.lastIndexOf(".")))) continue;
    record.lastRuns.delete(place);
    record.lastRunsFloor = Math.max(record.lastRunsFloor, number);
    return;
  }
}

/** The number of the last run that an instance had, or may have had. */
export function lastRunOf({ lastRuns, lastRunsFloor }: SystemRecord, service: string, instance: number): number {
  return lastRuns.get(`${service}.${instance}`) ?? lastRunsFloor;
}

type RunEntry = Extract<Entry, { type: "running" | "ready" | "promoted" | "stopping" | "told" | "ended" }>;

function foldRun(record: SystemRecord, entry: RunEntry): void {
  const { service, instance: number } = runParts(entry.run);
  const { plan, instances } = record.services.get(service) ?? {};
  const instance = instances?.get(number);
  if (plan === undefined || instance === undefined) return;
  if (instance.standby?.id === entry.run) return foldStandby(instance, instance.standby, entry);
  instance.runs = instance.runs.map((run) => (run.id === entry.run ? changedRun(run, entry) : run));
  if (entry.type !== "ended") return;
  if (entry.outcome === undefined) return;
  instance.outcome = entry.outcome;
  if (entry.outcome.kind !== "again") {
    instance.isAtRest = true;
    return;
  }
  instance.restartsCount += 1;
  instance.isExhausted = entry.outcome.isExhausted;
  if (entry.counts !== true) return;
  instance.attempts += 1;
  // No more than decide whether the window is used up.
  instance.restartsAt = [...instance.restartsAt, entry.at].slice(-Math.max(1, plan.maxRestarts));
}

/** Of one whose turn never came nothing is remembered. */
function foldStandby(instance: InstanceRecord, standby: RunRecord, entry: RunEntry): void {
  if (entry.type !== "promoted" && entry.type !== "ended") {
    instance.standby = changedRun(standby, entry);
    return;
  }
  delete instance.standby;
  if (entry.type === "promoted") addRun(instance, changedRun(standby, entry));
}

function changedRun(run: RunRecord, entry: RunEntry): RunRecord {
  switch (entry.type) {
    case "promoted": {
      const { isStandby: _, ...rest } = run;
      return { ...rest, startedAt: entry.at, dependencies: entry.dependencies };
    }
    case "running":
      return { ...run, osPid: entry.osPid };
    case "ready":
      return { ...run, readyAt: entry.at };
    case "stopping": {
      const { at, why, isFailure, drains } = entry;
      return { ...run, stopping: { at, why, isFailure, drains } };
    }
    case "told":
      return run.stopping === undefined ? run : { ...run, stopping: { ...run.stopping, isTold: true } };
    case "ended":
      return { ...run, end: entry.end };
  }
}

/** The record as the entries that make it, one for each service, so that none is large. */
export function snapshotOf(record: SystemRecord): readonly Entry[] {
  const { services, lastRuns, ...rest } = record;
  return [
    { type: "snapshot", rest, lastRuns: [...lastRuns] },
    ...[...services.values()].map((each): Entry => ({
      type: "kept",
      service: each.plan.name,
      kept: { ...each, instances: [...each.instances] },
    })),
  ];
}

/** An entry as it was read from a file. @throws Error for what is none */
export function decodeEntry(value: unknown): Entry {
  const type = (value as { readonly type?: unknown } | null)?.type;
  if (typeof type !== "string") throw new Error("it is not an entry of the manager's journal");
  return value as Entry;
}
