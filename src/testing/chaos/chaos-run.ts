/**
 * Chaos run: carries out a plan on a running system, watches what becomes of it, and undoes everything.
 *
 * Guarantees: a victim is struck only while it is up and no other strike at it goes on. When its time is over, an abort condition
 * holds or a person wants so, everything is undone at once; when this OS process is killed, the guards undo it.
 * It ends `settleMs` after that at the latest.
 *
 * @module
 */
import { performance } from "node:perf_hooks";
import type { Milliseconds } from "../../base/platform.ts";
import {
  chaosFaults,
  type ChaosEvent,
  type ChaosPlan,
  type ChaosReport,
  type ChaosRequest,
  type ChaosRun,
} from "../../control/chaos.ts";
import type { InstanceStatus } from "../../control/service.ts";
import { Probes, whatHolds } from "./abort.ts";
import { reportOf } from "./chaos-report.ts";
import type { PlannedStrike } from "./chaos-schedule.ts";
import { OpenStrike } from "./open-strike.ts";
import { SystemWatch, type WatchNotice } from "./system-watch.ts";
import { victimsOf, type ChaosGround, type Selection, type Victim } from "./victims.ts";

/** From one look at everything to the next, in milliseconds. */
const lookEveryMs: Milliseconds = 50;

export interface ChaosSetting {
  readonly ground: ChaosGround;
  readonly request: ChaosRequest;
  readonly plan: ChaosPlan;
  readonly selection: Selection;
  readonly schedule: readonly PlannedStrike[];
}

/** What was there before. */
interface Before {
  readonly ready: ReadonlySet<string>;
  readonly restarts: ReadonlyMap<string, number>;
  readonly parts: readonly ("recorder" | "heart")[];
}

interface End {
  readonly how: ChaosReport["end"];
  readonly abort?: string;
}

/** Begins. */
export function startChaos(setting: ChaosSetting, listener: (event: ChaosEvent) => void): ChaosRun {
  const run = new RunningChaos(setting, listener);
  return { ended: run.run(), interrupt: () => run.interrupt() };
}

class RunningChaos {
  readonly #setting: ChaosSetting;
  readonly #listener: (event: ChaosEvent) => void;
  readonly #watch: SystemWatch;
  readonly #probes: Probes;
  readonly #startedAt = Date.now();
  readonly #startedMs = performance.now();
  readonly #strikes: OpenStrike[] = [];
  readonly #open = new Set<OpenStrike>();
  readonly #striking = new Set<Promise<void>>();
  readonly #gone = new Set<OpenStrike>();
  #before: Before = { ready: new Set(), restarts: new Map(), parts: [] };
  #next = 0;
  #end: End | undefined;
  #settledMs = Infinity;
  #isWaitingOver = false;

  constructor(setting: ChaosSetting, listener: (event: ChaosEvent) => void) {
    this.#setting = setting;
    this.#listener = listener;
    this.#watch = new SystemWatch(setting.ground.manager, (notice) => this.#noticed(notice));
    const urls = setting.request.abortWhen.flatMap((condition) => (condition.kind === "probe" ? [condition.url] : []));
    this.#probes = new Probes(urls);
  }

  interrupt(): void {
    if (this.#end === undefined) this.#finish({ how: "interrupted" });
    else this.#isWaitingOver = true;
  }

  async run(): Promise<ChaosReport> {
    let lost: string | undefined;
    try {
      await this.#watch.start();
      this.#before = this.#lookBefore();
      await this.#turns();
    } catch (thrown) {
      lost = thrown instanceof Error ? thrown.message : String(thrown);
    }
    // Strikes that had begun when the end came undo themselves.
    await Promise.allSettled(this.#striking);
    await Promise.allSettled([...this.#open].map((strike) => strike.undo()));
    const problems = lost === undefined ? this.#missing() : [lost];
    this.#watch.end();
    this.#probes.end();
    const { plan } = this.#setting;
    const { how, abort } = this.#end ?? { how: "interrupted" as const };
    return reportOf({
      ...{ plan, strikes: this.#strikes.map((strike) => strike.tell()), startedAt: this.#startedAt },
      ...{ elapsedMs: this.#elapsedMs, end: how, problems, ...(abort === undefined ? {} : { abort }) },
    });
  }

  get #elapsedMs(): Milliseconds {
    return performance.now() - this.#startedMs;
  }

  #lookBefore(): Before {
    const statuses = this.#statuses();
    const { ground } = this.#setting;
    return {
      ready: new Set(statuses.filter(({ state }) => state === "ready").map(({ name }) => name)),
      restarts: new Map(statuses.map(({ name, restartsCount }) => [name, restartsCount])),
      parts: (["recorder", "heart"] as const).filter((part) => ground.findOwn(part) !== undefined),
    };
  }

  #statuses(): readonly InstanceStatus[] {
    return [...this.#watch.instances.values()].map(({ status }) => status);
  }

  /** Looks again and again until it is over. */
  #turns(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => {
        try {
          this.#look();
        } catch (error) {
          clearInterval(timer);
          reject(error as Error);
        }
        if (!this.#isDone()) return;
        clearInterval(timer);
        resolve();
      }, lookEveryMs);
    });
  }

  #isDone(): boolean {
    if (this.#end === undefined) return false;
    if (this.#isWaitingOver || performance.now() >= this.#settledMs) return true;
    return this.#open.size === 0 && this.#striking.size === 0 && this.#missing().length === 0;
  }

  #look(): void {
    for (const strike of this.#open) this.#lookAt(strike);
    if (this.#end !== undefined) return;
    const { request, schedule } = this.#setting;
    const abort = this.#holds();
    if (abort !== undefined) return this.#finish({ how: "aborted", abort });
    if (this.#elapsedMs >= request.forMs) return this.#finish({ how: "time" });
    for (let planned = schedule[this.#next]; planned !== undefined; planned = schedule[this.#next]) {
      if (planned.atMs > this.#elapsedMs) return;
      this.#next += 1;
      this.#strikeAll(planned);
    }
  }

  #holds(): string | undefined {
    return whatHolds(this.#setting.request.abortWhen, {
      instances: this.#watch.instances,
      restartsBefore: this.#before.restarts,
      wereReady: this.#before.ready,
      absentMs: this.#watch.absentMs,
      failedMs: (url) => this.#probes.failedMs(url),
      nowMs: performance.now(),
    });
  }

  #finish(end: End): void {
    this.#end = end;
    this.#settledMs = performance.now() + this.#setting.request.settleMs;
    const { how, abort } = end;
    this.#listener({ type: "settling", at: Date.now(), end: how, ...(abort === undefined ? {} : { abort }) });
    for (const strike of this.#open) void strike.undo();
  }

  #strikeAll({ fault, draw }: PlannedStrike): void {
    const { selection, ground } = this.#setting;
    const victims = this.#victimsFor(fault);
    const free = victims.filter((victim) => this.#isUp(victim) && !this.#isStruck(victim));
    if (free.length === 0) {
      const nobody: Victim = {
        name: victims.map(({ name }) => name).join(", "),
        kind: "instance",
        osProcesses: () => [],
      };
      const missed = OpenStrike.missed(fault, nobody, "nobody was up that was not struck already");
      this.#strikes.push(missed);
      return this.#listener({ type: "strike", strike: missed.tell() });
    }
    const chosen = selection.isAny ? [free[Math.floor(draw * free.length)]!] : free;
    const { holdMs, forMs, path } = this.#setting.request;
    const setting = { home: ground.home, forMs: Math.max(1, Math.min(holdMs, forMs - this.#elapsedMs)) };
    for (const victim of chosen) {
      const strike = new OpenStrike(fault, victim);
      this.#strikes.push(strike);
      this.#open.add(strike);
      const striking = strike
        .strike({ ...setting, ...(path === undefined ? {} : { path }) }, () => {
          this.#listener({ type: "undone", strike: strike.tell() });
        })
        .finally(() => {
          this.#striking.delete(striking);
          if (strike.isMissed) this.#open.delete(strike);
          this.#listener({ type: "strike", strike: strike.tell() });
        });
      this.#striking.add(striking);
    }
  }

  #victimsFor(fault: PlannedStrike["fault"]): readonly Victim[] {
    const { selection, ground } = this.#setting;
    const { scope } = chaosFaults[fault];
    if (scope === "machine") return [{ name: "the machine", kind: "home", osProcesses: () => [] }];
    const victims = victimsOf(selection, this.#statuses(), ground);
    return victims.filter(({ kind }) => (kind === "home") === (scope === "home"));
  }

  #isStruck({ name }: Victim): boolean {
    return [...this.#open].some(({ victim }) => victim.name === name);
  }

  #isUp({ kind, instance }: Victim): boolean {
    switch (kind) {
      case "instance":
        return this.#watch.instances.get(instance?.name ?? "")?.status.state === "ready";
      case "shim":
        return true;
      case "daemon":
        return this.#watch.absentMs === undefined;
      case "home":
        return this.#isAllReady();
      default:
        return this.#setting.ground.findOwn(kind) !== undefined;
    }
  }

  #isAllReady(): boolean {
    return [...this.#before.ready].every((name) => this.#watch.instances.get(name)?.status.state === "ready");
  }

  /** Whether it has recovered. */
  #lookAt(strike: OpenStrike): void {
    const { victim, fault } = strike;
    if (victim.kind === "recorder" || victim.kind === "heart") this.#lookAtOwn(strike);
    if (!strike.isOver || !this.#isUp(victim)) return;
    if (fault === "kill-os-process" && !this.#isReplaced(strike)) return;
    this.#open.delete(strike);
    strike.recovered();
    this.#listener({ type: "recovered", strike: strike.tell() });
  }

  #isReplaced(strike: OpenStrike): boolean {
    const { kind, instance } = strike.victim;
    if (kind === "shim") return true;
    if (kind === "daemon") return !strike.hasStruck(this.#watch.daemonPid);
    if (kind === "recorder" || kind === "heart") return !strike.hasStruck(this.#setting.ground.findOwn(kind)?.osPid);
    const osPid = this.#watch.instances.get(instance?.name ?? "")?.status.osPid;
    return osPid !== undefined && !strike.hasStruck(osPid);
  }

  /** The manager tells nothing of these. */
  #lookAtOwn(strike: OpenStrike): void {
    const { kind, name } = strike.victim;
    const found = this.#setting.ground.findOwn(kind as "recorder" | "heart");
    const isThere = found !== undefined;
    if (!isThere && !this.#gone.has(strike)) {
      this.#gone.add(strike);
      strike.note(name, "gone");
    } else if (isThere && !strike.hasStruck(found.osPid)) {
      strike.note(name, "back");
      this.#gone.delete(strike);
    }
  }

  #noticed(notice: WatchNotice): void {
    if (notice.kind === "daemon") {
      const state = notice.isBack ? "back" : "gone";
      this.#tellState("daemon", state);
      for (const strike of this.#open) if (strike.victim.kind === "daemon") strike.note("daemon", state);
      return;
    }
    const { name, state, reason } = notice.status;
    this.#tellState(name, state, reason);
    for (const strike of this.#open) {
      const { victim } = strike;
      if (victim.instance === undefined || victim.instance.name === name) strike.note(name, state, reason);
    }
  }

  #tellState(name: string, state: InstanceStatus["state"] | "gone" | "back", reason?: string): void {
    const afterMs = Math.round(this.#elapsedMs);
    const change = { name, afterMs, state, ...(reason === undefined ? {} : { reason }) };
    this.#listener({ type: "state", at: Date.now(), change });
  }

  /** What is not as it was before, a sentence each. */
  #missing(): readonly string[] {
    const missing: string[] = [];
    if (this.#watch.absentMs !== undefined) missing.push("no daemon answers");
    for (const name of this.#before.ready) {
      const status = this.#watch.instances.get(name)?.status;
      if (status?.state === "ready") continue;
      const why = status?.reason === undefined ? "" : ` (${status.reason})`;
      missing.push(`${name} is ${status?.state ?? "gone"}${why}`);
    }
    for (const part of this.#before.parts) {
      if (this.#setting.ground.findOwn(part) === undefined) missing.push(`there is no ${part}`);
    }
    return missing;
  }
}
