/**
 * Situation: all that a decision depends on: what is wanted (the record), what there is (the live runs) and what time it is. It
 * decides which services are to be looked at, and when again; what becomes of them, the other files of this folder decide.
 *
 * Guarantees: an entry that is kept stands in the record at once, and the services that it can matter to are looked at.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { RunId } from "../run/run.ts";
import type { CoreHost } from "./core-host.ts";
import { hasRuns, liveInstance, runsOf, type LiveInstance, type LiveRun } from "./live.ts";
import type { Entry } from "./entry.ts";
import { foldInto } from "./fold.ts";
import type { ServiceRecord, SystemRecord } from "./record.ts";
import { runParts } from "./run-id.ts";
import { lastRunOf } from "./run-number.ts";
import { ServiceOrder } from "./service-order.ts";

/** A change of the time of day against the monotonic clock that counts as setting it, in milliseconds. */
export const clockStepMinMs = 500;

/** A run, and whose it is. */
export interface FoundRun {
  readonly service: ServiceRecord;
  readonly instance: LiveInstance;
  readonly run: LiveRun;
}

export class Situation {
  readonly record: SystemRecord;
  readonly host: CoreHost;
  readonly #live = new Map<string, Map<number, LiveInstance>>();
  /** Services that something has happened to, or around. */
  #touched: Set<string> | "all" = "all";
  #order: ServiceOrder;
  /** When each service is to be looked at again. */
  readonly #wakes = new Map<string, number>();
  /** Between the time of day and the monotonic clock: it changes when the clock is set. */
  #clockOffsetMs: number;

  constructor(record: SystemRecord, host: CoreHost) {
    this.record = record;
    this.host = host;
    this.#order = new ServiceOrder(record.services);
    this.#clockOffsetMs = host.now() - host.monotonicMs();
  }

  // --- what is wanted ---

  /** Whether a run of this instance is to be there. */
  isWanted(service: ServiceRecord, number: number): boolean {
    if (this.record.isDown || service.target === "down" || service.isRemoved || number > service.plan.instances)
      return false;
    const record = service.instances.get(number);
    if (record === undefined) return false;
    if (service.plan.schedule !== undefined) return !record.isAtRest;
    return record.outcome === undefined || record.outcome.kind === "again";
  }

  /** Takes an entry into the record. */
  take(entry: Entry): void {
    foldInto(this.record, entry);
    this.#touchFor(entry);
  }

  /** The same for one that was made here: the journal gets it too. */
  keep(entry: Entry): void {
    this.take(entry);
    this.host.keep(entry);
  }

  // --- what there is ---

  /** Every instance that is to be, or of which something runs. */
  instancesOf(service: ServiceRecord): LiveInstance[] {
    return [...service.instances.keys()].map((number) => this.instance(service.plan.name, number));
  }

  /** One of them. */
  instance(name: string, number: number): LiveInstance {
    const instances = this.#liveOf(name);
    let instance = instances.get(number);
    if (instance === undefined) instances.set(number, (instance = liveInstance(name, number)));
    return instance;
  }

  /** The same, when anything is known of it. */
  findInstance(name: string, number: number): LiveInstance | undefined {
    return this.#live.get(name)?.get(number);
  }

  findRun(id: RunId): FoundRun | undefined {
    const { service: name, instance: number } = runParts(id);
    const service = this.record.services.get(name);
    const instance = this.findInstance(name, number);
    const run = instance === undefined ? undefined : runsOf(instance).find((each) => each.id === id);
    return service === undefined || instance === undefined || run === undefined
      ? undefined
      : { service, instance, run };
  }

  /** Whether nothing runs. */
  get isIdle(): boolean {
    for (const instances of this.#live.values()) for (const each of instances.values()) if (hasRuns(each)) return false;
    return true;
  }

  /** Which life of a service it is: it grows when the service is started again. */
  generation(name: string): number {
    return this.findInstance(name, 1)?.current?.number ?? this.lastRun(name, 1);
  }

  /** Which life of each dependency it is. */
  generations({ dependsOn }: ServicePlan): Readonly<Record<string, number>> {
    return Object.fromEntries(dependsOn.map(({ name }) => [name, this.generation(name)]));
  }

  /** The number of the last run of an instance; 0: there was none. */
  lastRun(name: string, instance: number): number {
    return lastRunOf(this.record, name, instance);
  }

  /** Services that depend on this one. */
  dependentsOf(name: string): readonly string[] {
    return this.#order.dependentsOf(name);
  }

  /** Nothing of a service is left. */
  forget(name: string): void {
    this.#live.delete(name);
    this.#wakes.delete(name);
  }

  // --- what is to be looked at ---

  touch(name: string): void {
    if (this.#touched !== "all") for (const each of this.#order.around(name)) this.#touched.add(each);
  }

  touchAll(): void {
    this.#touched = "all";
  }

  /** Touches what was to be looked at by now. */
  touchDue(): void {
    const now = this.host.now();
    if (this.#touched !== "all") for (const [name, at] of this.#wakes) if (at <= now) this.#touched.add(name);
  }

  /** When the clock was set, every time that was waited for means something else. */
  noticeClock(): void {
    const offsetMs = this.host.now() - this.host.monotonicMs();
    if (Math.abs(offsetMs - this.#clockOffsetMs) < clockStepMinMs) return;
    this.#clockOffsetMs = offsetMs;
    this.touchAll();
  }

  /** What was touched since the last call, dependencies first. */
  takeTouched(): ServiceRecord[] {
    const { services } = this.record;
    if (!this.#order.isOf(services)) this.#order = new ServiceOrder(services);
    const touched = this.#touched;
    this.#touched = new Set();
    if (touched === "all") return [...services.values()];
    return this.#order.sorted(touched).flatMap((name) => services.get(name) ?? []);
  }

  /** Has a service looked at again then, or earlier. */
  wake(name: string, at: number): void {
    this.#wakes.set(name, Math.min(at, this.#wakes.get(name) ?? at));
  }

  /** A service is being looked at. */
  endWake(name: string): void {
    this.#wakes.delete(name);
  }

  /** When something is to be looked at next. */
  get wakeAt(): number | undefined {
    let wakeAt: number | undefined;
    for (const at of this.#wakes.values()) if (wakeAt === undefined || at < wakeAt) wakeAt = at;
    return wakeAt;
  }

  #touchFor(entry: Entry): void {
    if (entry.type === "applied" || entry.type === "down" || entry.type === "target") this.touchAll();
    else if ("run" in entry && typeof entry.run === "string") this.touch(runParts(entry.run).service);
    else if (entry.type !== "note" && "service" in entry) this.touch(entry.service);
  }

  #liveOf(name: string): Map<number, LiveInstance> {
    let instances = this.#live.get(name);
    if (instances === undefined) this.#live.set(name, (instances = new Map()));
    return instances;
  }
}
