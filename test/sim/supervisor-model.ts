/**
 * Supervisor model: what a supervisor must do, as a few lists and sets.
 *
 * It is told what the supervisor says it does (`observe`), when children are being started, run and have ended, all at the
 * moment it happens, and says what must come next.
 *
 * @module
 */
import { isOrderly, type ExitReason } from "../../src/kernel/exit-reason.ts";
import type { AnyPid } from "../../src/kernel/pid.ts";
import type { Backoff, RestartPolicy, SupervisorEvent, SupervisorFlags } from "../../src/supervisor/child-spec.ts";
import type { Oracle } from "./campaign.ts";

export type ChildKind = "plain" | "slow stop" | "stubborn" | "unlinked";

export interface ChildPlan {
  readonly id: string;
  readonly restart: RestartPolicy;
  readonly kind: ChildKind;
  readonly significant: boolean;
}

interface ModelFlags extends SupervisorFlags {
  readonly maxRestarts: number;
  readonly periodMs: number;
}

export class SupervisorModel {
  readonly oracle: Oracle;
  readonly flags: ModelFlags;
  readonly now: () => number;
  /** Children that the supervisor must know, in start order. */
  plans: ChildPlan[];
  readonly alive = new Map<string, AnyPid>();
  /** Stopped on request: not started with a restart that waits. */
  readonly held = new Set<string>();
  /** What happened to children since the last look, as `start a` and `end a`. */
  trace: string[] = [];
  gaveUp = false;
  /** Its first children are up. */
  isUp = false;
  restartsCount = 0;
  /** False while a child is stopped for which others wait: it lets them go on at once. */
  keepsDelays = true;
  #restartsMs: number[] = [];
  /** A start of this child has failed, and that must be counted before the next one. */
  #uncounted: string | null = null;
  readonly #startedMs = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  /** When a start may begin at the soonest. */
  readonly #notBeforeMs = new Map<string, number>();

  constructor(oracle: Oracle, flags: ModelFlags, plans: readonly ChildPlan[], now: () => number) {
    this.oracle = oracle;
    this.flags = flags;
    this.plans = [...plans];
    this.now = now;
  }

  // --- what children do ---

  attempted(id: string): void {
    if (!this.isUp) return;
    const { oracle } = this;
    oracle.expect(this.#uncounted !== id, "a start that failed was tried again without being counted");
    oracle.expect(!this.held.has(id), "a child that was stopped on request was started by a restart that waited");
    oracle.expect(
      !this.keepsDelays || this.now() >= (this.#notBeforeMs.get(id) ?? 0),
      "a restart came before its delay was over",
    );
    oracle.expect(!this.alive.has(id), "a child was started that still runs");
    oracle.expect(
      this.plans.some((plan) => plan.id === id),
      "a child was started that is none any more",
    );
  }

  began(id: string, pid: AnyPid): void {
    this.trace.push(`start ${id}`);
    this.alive.set(id, pid);
  }

  ended(id: string, pid: AnyPid): void {
    this.trace.push(`end ${id}`);
    if (this.alive.get(id) === pid) this.alive.delete(id);
  }

  // --- what the supervisor says ---

  observe(event: SupervisorEvent): void {
    if (event.type === "started") this.#started(event.id);
    else if (event.type === "ended") this.#childEnded(event.id, event.reason);
    else if (event.type === "startFailed") this.#uncounted = event.id;
    else if (event.type === "restarting") this.#restarting(event.id, event.delayMs);
    else this.#giveUp();
  }

  #started(id: string): void {
    this.#startedMs.set(id, this.now());
  }

  #childEnded(id: string, reason: ExitReason): void {
    this.oracle.expect(reason !== "noproc", "the end of a child is told with noproc");
    const livedMs = this.now() - (this.#startedMs.get(id) ?? 0);
    if (livedMs >= (this.flags.backoff?.resetAfterMs ?? Infinity)) this.#attempts.set(id, 0);
  }

  #restarting(id: string, delayMs: number): void {
    this.restartsCount += 1;
    this.oracle.expect(!this.#countIsTooMuch(), "a supervisor restarts more often than its window allows");
    this.#uncounted = null;
    this.oracle.expect(delayMs === this.#delayOf(id), "a restart waits for another time than its backoff says");
    for (const plan of this.affected(id)) {
      this.held.delete(plan.id);
      this.#notBeforeMs.set(plan.id, this.now() + delayMs);
    }
  }

  #delayOf(id: string): number {
    const { backoff } = this.flags;
    if (backoff === undefined) return 0;
    const attempts = this.#attempts.get(id) ?? 0;
    this.#attempts.set(id, attempts + 1);
    return delayAfter(backoff, attempts);
  }

  #giveUp(): void {
    this.oracle.expect(this.#countIsTooMuch(), "a supervisor gave up although its window allows one more restart");
    this.#uncounted = null;
    this.gaveUp = true;
  }

  /** Counts a restart now; true when it is one too many. */
  #countIsTooMuch(): boolean {
    const nowMs = this.now();
    this.#restartsMs = this.#restartsMs.filter((timeMs) => nowMs - timeMs <= this.flags.periodMs);
    this.#restartsMs.push(nowMs);
    return this.#restartsMs.length > this.flags.maxRestarts;
  }

  /** When the oldest restart that counts was, for a test that wants to meet the edge of the window. */
  get oldestRestartMs(): number | undefined {
    return this.#restartsMs[0];
  }

  /** Whether one more restart now would be one too many. */
  get isWindowFull(): boolean {
    const nowMs = this.now();
    const counted = this.#restartsMs.filter((timeMs) => nowMs - timeMs <= this.flags.periodMs);
    return counted.length >= this.flags.maxRestarts;
  }

  // --- what must follow ---

  /** Those that restart together with `id`, in start order, itself included. */
  affected(id: string): ChildPlan[] {
    const position = this.plans.findIndex((plan) => plan.id === id);
    if (this.flags.strategy === "oneForAll") return [...this.plans];
    if (this.flags.strategy === "restForOne") return this.plans.slice(position);
    return this.plans.slice(position, position + 1);
  }

  /**
   * What has happened once `id`, alone of those that were `alive`, has ended with `reason`; the model's children are those that
   * remain then. Whether its window let it restart was checked when the supervisor said so.
   */
  expectedAfterEnd(
    id: string,
    reason: ExitReason,
    alive: ReadonlySet<string>,
  ): { readonly trace: readonly string[]; readonly ends: boolean } {
    const plan = this.plans.find((other) => other.id === id) as ChildPlan;
    const own = [`end ${id}`];
    const isRestarted = plan.restart === "permanent" || (plan.restart === "transient" && !isOrderly(reason));
    if (!isRestarted) {
      if (plan.restart === "temporary") this.plans = this.plans.filter((other) => other !== plan);
      const ends = plan.significant && this.#endsWith(id, alive);
      return { trace: ends ? [...own, ...this.#stops(this.plans, id, alive)] : own, ends };
    }
    if (this.gaveUp) return { trace: [...own, ...this.#stops(this.plans, id, alive)], ends: true };
    const affected = this.affected(id);
    const stops = this.#stops(affected, id, alive);
    const isGone = (other: ChildPlan): boolean =>
      other.restart === "temporary" && other !== plan && affected.includes(other);
    this.plans = this.plans.filter((other) => !isGone(other));
    const starts = affected.filter((other) => !isGone(other)).map((other) => `start ${other.id}`);
    return { trace: [...own, ...stops, ...starts], ends: false };
  }

  #endsWith(id: string, alive: ReadonlySet<string>): boolean {
    if (this.flags.autoShutdown === "anySignificant") return true;
    return !this.plans.some((plan) => plan.significant && plan.id !== id && alive.has(plan.id));
  }

  #stops(plans: readonly ChildPlan[], without: string, alive: ReadonlySet<string>): string[] {
    const running = plans.filter((plan) => plan.id !== without && alive.has(plan.id));
    return running.toReversed().map((plan) => `end ${plan.id}`);
  }

  /** What an orderly stop of all does. */
  expectedAtStop(): readonly string[] {
    return this.#stops(this.plans, "", new Set(this.alive.keys()));
  }
}

function delayAfter(backoff: Backoff, attempts: number): number {
  return Math.min(backoff.maxMs, backoff.initialMs * backoff.factor ** attempts);
}
