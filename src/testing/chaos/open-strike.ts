/**
 * Open strike: one strike at one victim, from its beginning until it is undone and the victim is as before.
 *
 * @module
 */
import { performance } from "node:perf_hooks";
import type { Milliseconds } from "../../base/platform.ts";
import { chaosFaults, type ChaosFaultName, type ChaosStateChange, type ChaosStrike } from "../../control/chaos.ts";
import { findProcessStat } from "../../os/process-sample.ts";
import type { Strike } from "../injector.ts";
import { injections, type InjectionSetting } from "./injection.ts";
import { membersMax, type OsProcess, type Victim } from "./victims.ts";

/** State changes that are kept of one strike; later ones are left out. */
export const statesMax = 100;

export class OpenStrike {
  readonly fault: ChaosFaultName;
  readonly victim: Victim;
  readonly at: number = Date.now();
  readonly #struckMs: Milliseconds = performance.now();
  readonly #states: ChaosStateChange[] = [];
  #osProcesses: readonly OsProcess[] = [];
  #strikes: readonly Strike[] = [];
  #missed: string | undefined;
  #problems: readonly string[] = [];
  /** Monotonic: when the victim was last seen to be as before. */
  #backMs: Milliseconds | undefined;
  #isOver = false;
  #isRecovered = false;
  #isUndoWanted = false;

  constructor(fault: ChaosFaultName, victim: Victim) {
    this.fault = fault;
    this.victim = victim;
  }

  /** A strike that found nobody. */
  static missed(fault: ChaosFaultName, victim: Victim, reason: string): OpenStrike {
    const strike = new OpenStrike(fault, victim);
    strike.#missed = reason;
    return strike;
  }

  /** Nothing of the fault is in force any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get isMissed(): boolean {
    return this.#missed !== undefined;
  }

  /** Whether an OS process is one that was struck. */
  hasStruck(osPid: number | undefined): boolean {
    return this.#osProcesses.some((each) => each.osPid === osPid);
  }

  /** Strikes; settles when it is in force, over, or has missed. `onOver` is called once it is no longer in force. */
  async strike(setting: InjectionSetting & { readonly path?: string }, onOver: () => void): Promise<void> {
    const { path, ...rest } = setting;
    const { scope, lasts } = chaosFaults[this.fault];
    const targets = scope === "os-process" ? this.victim.osProcesses() : [{ osPid: process.pid }];
    if (targets.length === 0) return this.#miss("no OS process of it ran");
    if (targets.length > membersMax) return this.#miss(`it has more than ${membersMax} OS processes`);
    if (scope === "os-process") this.#osProcesses = targets as readonly OsProcess[];
    const about = path === undefined ? {} : { path };
    const tries = targets.map((target) => injections[this.fault].strike({ ...target, ...about }, rest));
    const results = await Promise.allSettled(tries);
    this.#strikes = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    if (this.#strikes.length === 0) {
      const refused = results.find((result) => result.status === "rejected");
      return this.#miss(refused === undefined ? "nothing happened" : messageOf(refused.reason));
    }
    void Promise.all(this.#strikes.map(({ ended }) => ended)).then((problems) => {
      this.#isOver = true;
      this.#problems = problems.filter((problem) => problem !== undefined);
      if (lasts) onOver();
    });
    // The end of everything came while it began.
    if (this.#isUndoWanted) await this.undo();
  }

  /** Undoes it at once. Never rejects. */
  async undo(): Promise<void> {
    this.#isUndoWanted = true;
    // While it begins, only its guards may touch the victim; `strike` undoes it then.
    if (this.#strikes.length === 0) return;
    await Promise.allSettled(this.#strikes.map((strike) => strike.undo()));
    if (this.fault === "stop-os-process") for (const each of this.#osProcesses) goOn(each);
  }

  /** Something became of an instance, or of what colos consists of. */
  note(name: string, state: ChaosStateChange["state"], reason?: string): void {
    const isOfVictim = name === this.victim.name || this.victim.kind === "home";
    if (isOfVictim && (state === "ready" || state === "back")) this.#backMs = performance.now();
    if (this.#states.length >= statesMax) return;
    const afterMs = Math.round(performance.now() - this.#struckMs);
    this.#states.push({ name, afterMs, state, ...(reason === undefined ? {} : { reason }) });
  }

  recovered(): void {
    this.#isRecovered = true;
  }

  /** As data. */
  tell(): ChaosStrike {
    const { fault, victim, at } = this;
    const isBack = this.#isRecovered && this.#states.length > 0 && this.#backMs !== undefined;
    const isUndone = this.isMissed || (this.#isOver && this.#problems.length === 0);
    return {
      ...{ at, fault, victim: victim.name, osPids: this.#osProcesses.map(({ osPid }) => osPid) },
      ...(this.#missed === undefined ? {} : { missed: this.#missed }),
      states: this.#states,
      ...(isBack ? { recoveredAfterMs: Math.round(this.#backMs! - this.#struckMs) } : {}),
      ...{ isRecovered: this.isMissed || this.#isRecovered, isUndone },
      ...(this.#problems.length === 0 ? {} : { problem: this.#problems.join("; ") }),
    };
  }

  #miss(reason: string): void {
    this.#missed = reason;
    this.#isOver = true;
  }
}

/** When the guard of a stop was killed, nobody else would let the victim go on. */
function goOn({ osPid, startTicks }: OsProcess): void {
  const stat = findProcessStat(osPid);
  if (stat === undefined || stat.startTicks !== startTicks || stat.state !== "T") return;
  try {
    process.kill(osPid, "SIGCONT");
  } catch {
    // It has ended in between.
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
