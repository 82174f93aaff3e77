/**
 * Nemesis: carries out a plan's faults in one run.
 *
 * Faults of processes, carriers, the system and the clock strike by themselves: time is cut into ticks, and at each tick of
 * the window each such fault is one decision, so that a run without one fault still has all others where they were.
 * All other faults strike where a part of the machine asks (`strikes`).
 * Guarantees: nothing strikes outside the window or beyond the budget; the setup and the workload of the property are
 * never struck themselves.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { faults, type FaultLayer, type FaultName, type FaultSource } from "../faults/fault.ts";
import { suggestionClause } from "../base/suggestion.ts";
import { CampaignError } from "./campaign-error.ts";
import type { Machine } from "./machine.ts";
import type { Resident, Site } from "./site.ts";
import { hashOf, mix, type Stream } from "./choices.ts";
import type { Plan, PlannedFault } from "./property.ts";
import type { NetworkFault } from "./sim-network.ts";
import { untilCalm } from "./sim-subject.ts";

/** One decision per fault that strikes by itself and tick, in milliseconds. */
export const tickMs: Milliseconds = 100;
/** Where in its tick a fault strikes: one of so many places. */
const placesPerTick = 10;
/** How long what lasts for a time lasts, the mildest first. */
export const durationsMs: readonly Milliseconds[] = [100, 500, 2000, 10_000];
/** How far the wall clock jumps. */
const stepsMs: readonly Milliseconds[] = [1000, -1000, 3_600_000, -3_600_000, 86_400_000 * 400];
/** Faults of one run unless the budget says otherwise. */
export const faultsMaxDefault = 1000;
export const windowDefault: readonly [Milliseconds, Milliseconds] = [0, 10_000];

/** What the nemesis does to a run. */
export interface NemesisActions {
  /** The whole system is gone and starts again. */
  restartSystem(fault: "kill-system" | "power-loss"): void;
  /** A fault struck: for counts and models. */
  struck(fault: FaultName, subject: string): void;
  strikeNetwork(fault: NetworkFault, target: string | undefined): void;
  mayStrike(resident: Resident): boolean;
}

interface Rated {
  readonly fault: FaultName;
  readonly rate: number;
  readonly strike: Stream;
  readonly place: Stream;
  readonly target: Stream;
  readonly severity: Stream;
}

const atOperations: ReadonlySet<string> = new Set(["delay", "reorder", "crash-in-init"]);

/** Layers whose faults strike a process or its carrier, which targets can mean; others strike paths, addresses, the system. */
const titledLayers: ReadonlySet<FaultLayer> = new Set<FaultLayer>(["process", "carrier", "spawn"]);

/** Whether a fault strikes by itself, at a rate per second; others strike where they are asked for. */
export function strikesByItself(fault: FaultName): boolean {
  const { layer } = faults[fault];
  return ["process", "carrier", "system", "clock"].includes(layer) && !atOperations.has(fault);
}

/** Whether a plan can name a time for a fault. */
export function canBePlanned(fault: FaultName): boolean {
  return strikesByItself(fault) || faults[fault].layer === "network";
}

export class Nemesis implements FaultSource {
  readonly #machine: Machine;
  readonly #plan: Plan;
  readonly #actions: NemesisActions;
  readonly #rates = new Map<FaultName, number>();
  readonly #streams = new Map<string, Stream>();
  readonly #counts = new Map<FaultName, number>();
  #faultsCount = 0;
  #lastMs: Milliseconds = -Infinity;
  #fromMs: Milliseconds = Infinity;

  /** `seed`: of a run that is drawn; null for one that is replayed, where the choices alone decide. */
  constructor(machine: Machine, plan: Plan, seed: number | null, actions: NemesisActions) {
    this.#machine = machine;
    this.#plan = plan;
    this.#actions = actions;
    for (const [name, rate] of Object.entries(plan.faults ?? {})) {
      const fault = name as FaultName;
      const share = seed === null || plan.swarm === false ? 1 : swarmShare(seed, fault);
      if (rate > 0 && share > 0) this.#rates.set(fault, rate * share);
    }
  }

  /** Whether faults may still strike. */
  get inWindow(): boolean {
    const nowMs = this.#machine.nowMs();
    return nowMs >= this.#fromMs && nowMs < this.#machine.calmFromMs;
  }

  /** Begins the window, which is counted from now. */
  begin(): void {
    const nowMs = this.#machine.nowMs();
    const [fromMs, toMs] = this.#plan.window ?? windowDefault;
    this.#fromMs = nowMs + fromMs;
    this.#machine.calmFromMs = nowMs + toMs;
    const rated: Rated[] = [];
    for (const [fault, rate] of this.#rates) {
      if (!strikesByItself(fault)) continue;
      const stream = (what: string): Stream => this.#machine.stream(`${fault}.${what}`);
      rated.push({
        fault,
        rate,
        strike: this.#machine.stream(fault),
        place: stream("at"),
        target: stream("target"),
        severity: stream("severity"),
      });
    }
    if (rated.length > 0) this.#machine.after(fromMs, () => this.#tick(0, rated));
    for (const planned of this.#plan.at ?? []) this.#machine.after(planned.atMs, () => this.#strikePlanned(planned));
  }

  strikes(fault: FaultName, subject: string): boolean {
    const rate = this.#rates.get(fault);
    if (rate === undefined || !this.inWindow || !this.#isWithinBudget(fault)) return false;
    if (titledLayers.has(faults[fault].layer) && !this.#isTarget(subject)) return false;
    if (!this.#stream(fault, subject).chance(rate)) return false;
    this.#count(fault, subject);
    return true;
  }

  severity(fault: FaultName, subject: string, count: number): number {
    return this.#stream(`${fault}.severity`, subject).choose(count);
  }

  #stream(what: string, subject: string): Stream {
    const key = `${what}:${subject}`;
    let stream = this.#streams.get(key);
    if (stream === undefined) this.#streams.set(key, (stream = this.#machine.stream(key)));
    return stream;
  }

  #isWithinBudget(fault: FaultName): boolean {
    const { faultsMax = faultsMaxDefault, perFaultMax } = this.#plan.budget ?? {};
    return this.#faultsCount < faultsMax && (this.#counts.get(fault) ?? 0) < (perFaultMax?.[fault] ?? Infinity);
  }

  #count(fault: FaultName, subject: string): void {
    this.#faultsCount += 1;
    this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1);
    this.#actions.struck(fault, subject);
  }

  #tick(index: number, rated: readonly Rated[]): void {
    if (!this.inWindow) return;
    for (const each of rated) {
      if (!each.strike.chanceAt(index, (each.rate * tickMs) / 1000)) continue;
      const placeMs = (each.place.chooseAt(index, placesPerTick) * tickMs) / placesPerTick;
      this.#machine.after(placeMs, () => {
        if (!this.inWindow) return;
        const quietMs = this.#plan.budget?.quietMs ?? 0;
        if (this.#machine.nowMs() - this.#lastMs < quietMs || !this.#isWithinBudget(each.fault)) return;
        const pick = (count: number): number => each.target.chooseAt(index, count);
        this.#strike(each.fault, pick, (count) => each.severity.chooseAt(index, count), undefined);
      });
    }
    this.#machine.after(tickMs, () => this.#tick(index + 1, rated));
  }

  #strikePlanned({ fault, target }: PlannedFault): void {
    if (faults[fault].layer === "network") {
      this.#done(fault, target ?? "the network");
      this.#actions.strikeNetwork(fault as NetworkFault, target);
      return;
    }
    const first = (): number => 0;
    if (!this.#strike(fault, first, first, target)) {
      this.#machine.broken ??= new CampaignError(
        `the plan's ${fault} at ${Math.round(this.#machine.nowMs())} ms found ${this.#missed(fault, target)}`,
      );
    }
  }

  /** What there was in place of what the plan means. */
  #missed(fault: FaultName, target: string | undefined): string {
    if (target === undefined) return "nothing to strike";
    const titles = new Set<string>();
    if (faults[fault].layer === "carrier") {
      for (const { parent, title } of this.#machine.sites) if (parent !== null) titles.add(title);
    } else {
      for (const resident of this.#machine.liveResidents()) {
        if (this.#actions.mayStrike(resident)) titles.add(resident.title);
      }
    }
    const there = titles.size === 0 ? "nobody" : [...titles].slice(0, 10).join(", ");
    return `no "${target}"${suggestionClause(target, titles) || `; there was ${there}`}`;
  }

  #strike(
    fault: FaultName,
    pick: (count: number) => number,
    severity: (count: number) => number,
    target: string | undefined,
  ): boolean {
    switch (faults[fault].layer) {
      case "process":
        return this.#strikeProcess(fault, pick, severity, target);
      case "carrier":
        return this.#strikeSite(fault, pick, severity, target);
      case "system":
        this.#done(fault, "the system");
        this.#actions.restartSystem(fault as "kill-system" | "power-loss");
        return true;
      default:
        return this.#strikeClock(fault, severity);
    }
  }

  #done(fault: FaultName, subject: string, how = ""): void {
    this.#lastMs = this.#machine.nowMs();
    this.#machine.tell(subject, () => `is struck by ${fault}${how}: ${faults[fault].does}`);
    this.#count(fault, subject);
  }

  #strikeProcess(
    fault: FaultName,
    pick: (count: number) => number,
    severity: (count: number) => number,
    target: string | undefined,
  ): boolean {
    const candidates: Resident[] = [];
    for (const resident of this.#machine.liveResidents()) {
      const isMeant = target === undefined ? this.#isTarget(resident.title) : resident.title === target;
      if (isMeant && !resident.isHung && this.#actions.mayStrike(resident)) candidates.push(resident);
    }
    if (candidates.length === 0) return false;
    const victim = candidates[pick(candidates.length)] as Resident;
    const { process: struck, site } = victim;
    const lateMs = fault === "slow" ? this.#duration(severity) : 0;
    this.#done(fault, `${victim.title} ${struck.pid}`, lateMs === 0 ? "" : ` of ${lateMs} ms`);
    if (fault === "kill") site.kernel.exit(struck.pid, struck.pid, "kill");
    else if (fault === "crash") site.kernel.end(struck, new SimulatedCrash());
    else if (fault === "hang") victim.isHung = true;
    else victim.lateMs += lateMs;
    return true;
  }

  #strikeSite(
    fault: FaultName,
    pick: (count: number) => number,
    severity: (count: number) => number,
    target: string | undefined,
  ): boolean {
    const candidates = this.#machine.sites.filter(
      ({ parent, title }) => parent !== null && (target === undefined ? this.#isTarget(title) : title === target),
    );
    if (candidates.length === 0) return false;
    const victim = candidates[pick(candidates.length)] as Site;
    const lasts = fault === "stop" || fault === "partition";
    const durationMs = lasts ? this.#duration(severity) : 0;
    this.#done(fault, `the carrier of ${victim.title}`, lasts ? ` of ${durationMs} ms` : "");
    if (fault === "stop") victim.stoppedUntilMs = this.#machine.nowMs() + durationMs;
    else if (fault === "partition") victim.cut(durationMs);
    else victim.lose({ tag: "signal", name: "SIGKILL", ...(fault === "oom-kill" ? { cause: "oom-kill" } : {}) });
    return true;
  }

  #strikeClock(fault: FaultName, severity: (count: number) => number): boolean {
    const { wallClock } = this.#machine;
    if (fault === "clock-step") {
      const stepMs = stepsMs[severity(stepsMs.length)] as Milliseconds;
      this.#done(fault, "the clock", ` of ${stepMs} ms`);
      wallClock.step(stepMs);
    } else {
      const kind = severity(2 * durationsMs.length);
      const durationMs = durationsMs[kind >> 1] as Milliseconds;
      this.#done(fault, "the clock", ` of ${durationMs} ms`);
      // A paused virtual machine's monotonic clock has gone on; that of a machine that slept stood still.
      if (kind % 2 === 0) this.#machine.pause(durationMs);
      else wallClock.sleep(durationMs);
    }
    return true;
  }

  /** How long a fault lasts; not beyond the window. */
  #duration(severity: (count: number) => number): Milliseconds {
    const durationMs = durationsMs[severity(durationsMs.length)] as Milliseconds;
    return Math.round(untilCalm(this.#machine, durationMs));
  }

  #isTarget(title: string): boolean {
    const { targets } = this.#plan;
    if (targets === undefined) return true;
    return typeof targets === "function" ? targets(title) : targets.includes(title);
  }
}

/** What a process ends with that the fault `crash` strikes. */
export class SimulatedCrash extends Error {
  constructor() {
    super("crashed on purpose");
    this.name = "SimulatedCrash";
  }
}

/**
 * How much of its rate a fault has in the run of a seed: runs differ in kind, and some have no fault at all (swarm testing).
 */
function swarmShare(seed: number, fault: FaultName): number {
  if (seed % 10 === 0) return 0;
  const drawn = mix(hashOf(fault) ^ mix(seed + 1)) % 8;
  return [0, 0, 0.3, 1, 1, 1, 1, 3][drawn] as number;
}
