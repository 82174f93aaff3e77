/**
 * Fake machine: what runs, a journal and a clock, for tests of the core: the test says what the OS does, and when the daemon is killed.
 *
 * @module
 */
import type { ServicePlan } from "../src/control/config.ts";
import { dependencyOrder } from "../src/control/dependency-order.ts";
import { Core } from "../src/daemon/core/core.ts";
import type { CoreHost, ServiceFailure } from "../src/daemon/core/core-host.ts";
import type { LiveInstance } from "../src/daemon/core/live.ts";
import type { Entry } from "../src/daemon/core/entry.ts";
import { fold } from "../src/daemon/core/fold.ts";
import { emptyRecord, type ServiceRecord, type SystemRecord } from "../src/daemon/core/record.ts";
import { runParts } from "../src/daemon/core/run-id.ts";
import type { RecoveredRun, RunId } from "../src/daemon/run/run.ts";
import { basePlan } from "./base-plan.ts";

export type Services = Readonly<Record<string, Partial<ServicePlan>>>;

/** As it comes back from the journal. */
export function throughJson(entry: Entry): Entry {
  const text = JSON.stringify(entry);
  return JSON.parse(text) as Entry;
}

/** A machine on which the core starts runs that do what a test says. */
export class Machine implements CoreHost {
  nowMs = 1_000_000;
  elapsedMs = 0;
  /** What the journal holds. */
  entries: Entry[] = [];
  /** What runs, over the death of the core. */
  readonly #startedAt = new Map<RunId, number>();
  readonly running = new Map<RunId, { signals: string[] }>();
  readonly startedEver: RunId[] = [];
  readonly asked: RunId[] = [];
  /** Standbys that are to be told that their turn has come. */
  readonly promoting: RunId[] = [];
  /** Standbys that wait, as the disk has it. */
  readonly waiting = new Set<RunId>();
  /** Runs that have got a stop signal of which the core does not know yet. */
  readonly #signalled: RunId[] = [];
  readonly checked: RunId[] = [];
  readonly exhaustedBy: string[] = [];
  readonly crashes: string[] = [];
  readonly forgotten: RunId[] = [];
  readonly told: string[] = [];
  wakeDue: number | undefined;
  core: Core;

  constructor() {
    this.core = new Core(emptyRecord(), this);
    this.core.recover([]);
  }

  now = (): number => this.nowMs;
  monotonicMs = (): number => this.elapsedMs;
  random = (): number => 0.5;
  keep(entry: Entry): void {
    this.entries.push(structuredClone(entry));
  }
  start(run: { readonly id: RunId; readonly isStandby: boolean }): void {
    this.asked.push(run.id);
    if (run.isStandby) this.waiting.add(run.id);
  }
  promote(run: { readonly id: RunId }): void {
    this.promoting.push(run.id);
  }
  signal(id: RunId, name: string): void {
    this.running.get(id)?.signals.push(name);
    this.#signalled.push(id);
  }
  kill(id: RunId): void {
    this.running.get(id)?.signals.push("SIGKILL");
  }
  check(run: { readonly id: RunId }): void {
    this.checked.push(run.id);
  }
  watchOver(): void {}
  endChecks(id: RunId): void {
    const at = this.checked.indexOf(id);
    if (at >= 0) this.checked.splice(at, 1);
  }
  failed({ event, plan, reason }: ServiceFailure): void {
    if (event === "exhausted") this.exhaustedBy.push(plan.name);
    else this.crashes.push(`${plan.name}: ${reason}`);
  }
  forget(id: RunId): void {
    this.forgotten.push(id);
  }
  changed(_service: unknown, live: LiveInstance): void {
    this.told.push(`${live.name} ${live.state} ${live.current?.id ?? "-"} ${live.current?.osPid ?? "-"}`);
  }
  gone(service: ServiceRecord): void {
    this.told.push(`${service.plan.name} gone`);
  }
  wakeAt(at: number | undefined): void {
    this.wakeDue = at;
  }
  nextDue(_plan: ServicePlan, lastAt: number): number {
    return lastAt + 60_000;
  }

  commit(...entries: Entry[]): void {
    this.entries.push(...entries);
    this.core.commit(entries);
  }

  up(written: Services): void {
    const services = dependencyOrder(
      Object.entries(written).map(([name, each]) => ({ ...basePlan, name, ...each })),
    ).order;
    this.commit({ type: "applied", at: this.nowMs, source: "test", env: {}, services });
  }

  /** The OS has started what was asked for. */
  runAsked(): void {
    for (const id of this.asked.splice(0)) {
      this.startedEver.push(id);
      this.#startedAt.set(id, this.nowMs);
      this.running.set(id, { signals: [] });
      this.core.started(id, 100 + this.startedEver.length);
    }
  }

  /** Standbys hear that their turn has come. */
  tellTurns(): void {
    for (const id of this.promoting.splice(0)) {
      this.waiting.delete(id);
      this.core.promoted(id);
    }
  }

  #tellSignals(): void {
    for (const id of this.#signalled.splice(0)) this.core.told(id);
  }

  passChecks(): void {
    for (const id of this.checked.splice(0)) this.core.ready(id);
  }

  /** All that was asked for runs and is ready, and what is told to end has ended. */
  settle(): void {
    for (let round = 0; round < 100; round++) {
      const left = [this.asked, this.promoting, this.checked, this.stopping()];
      if (left.every(({ length }) => length === 0)) return;
      this.runAsked();
      this.tellTurns();
      this.passChecks();
      for (const id of this.stopping()) this.end(id, 0);
    }
    throw new Error("it does not settle");
  }

  stopping(): RunId[] {
    return [...this.running].filter(([, { signals }]) => signals.length > 0).map(([id]) => id);
  }

  end(id: RunId, code: number): void {
    this.running.delete(id);
    this.waiting.delete(id);
    this.core.ended(id, { code, signal: null, at: this.nowMs });
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.elapsedMs += ms;
    if (this.wakeDue !== undefined && this.wakeDue <= this.nowMs) this.core.wake();
  }

  /** Somebody sets the time of day. */
  setClock(byMs: number): void {
    this.nowMs += byMs;
    this.core.wake();
  }

  /** What would change when it looked at everything once more. */
  overlooked(): readonly unknown[] {
    const seen = (): unknown =>
      structuredClone([this.asked, this.promoting, this.checked, [...this.running], this.states()]);
    const before = seen();
    this.core.reconcileAll();
    const after = seen();
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [before, after];
  }

  /** The daemon is killed, with all that it had asked for and had not begun; a new one takes over. */
  killDaemon(more: readonly RecoveredRun[] = []): void {
    this.#tellSignals();
    this.asked.length = 0;
    this.promoting.length = 0;
    this.checked.length = 0;
    const record = this.entries.reduce((state: SystemRecord, entry) => fold(state, entry), emptyRecord());
    this.core = new Core(record, this);
    this.core.recover([...[...this.running.keys()].map((id) => this.found(id)), ...more]);
  }

  /** As if it had been killed when the journal had the entries before the last of this type alone. */
  killDaemonBefore(type: Entry["type"], more: readonly RecoveredRun[] = []): void {
    this.#tellSignals();
    this.entries.length = this.entries.findLastIndex((entry) => entry.type === type);
    this.killDaemon(more);
  }

  found(id: RunId): RecoveredRun {
    const { service, instance } = runParts(id);
    const identity = { osPid: 99, startTicks: 1, bootId: "b" };
    const standby = this.waiting.has(id) ? ({ isStandby: true } as const) : {};
    const startedAt = this.#startedAt.get(id) ?? this.nowMs;
    return { id, service, instance, startedAt, ...standby, state: "running", identity, isReady: false };
  }

  foundEnded(id: RunId, code: number | null, isBlameless = false): RecoveredRun {
    const { service, instance } = runParts(id);
    const end = { code, signal: null, at: this.nowMs, ...(code === null ? { lost: "it never began" } : {}) };
    return { id, service, instance, startedAt: this.nowMs, state: "ended", end, isBlameless };
  }

  states(): Record<string, string> {
    const states: Record<string, string> = {};
    for (const service of this.core.record.services.values()) {
      for (const { name, state } of this.core.live(service)) states[name] = state;
    }
    return states;
  }

  reason(name: string): string | undefined {
    for (const service of this.core.record.services.values()) {
      for (const live of this.core.live(service)) if (live.name === name) return live.reason;
    }
    return undefined;
  }
}

/** A machine on which everything is ready. */
export function upAndReady(services: Services): Machine {
  const machine = new Machine();
  machine.up(services);
  machine.settle();
  return machine;
}
