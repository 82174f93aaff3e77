/**
 * Operations: what faces have done to the system: apply, start, stop, remove, restart, scale, down.
 *
 * Guarantees: an operation is written to the journal, synced, before it is begun and before it is answered; what makes no sense
 * is refused before anything happens. With `wait` the answer comes when each instance concerned is where it was sent, or
 * cannot get there, and then it says why, with what the service wrote last.
 * Not here: when an instance has arrived (arrivals.ts), decisions (core/).
 *
 * @module
 */
import type { SystemPlan } from "../../control/config.ts";
import { instancesMax } from "../../control/config-limit.ts";
import {
  ManagerError,
  type ApplyReport,
  type DownInput,
  type InstanceProblem,
  type ManagerEvent,
  type NamesInput,
  type OperationReport,
  type PlanChange,
  type PlanInput,
  type WaitOptions,
} from "../../control/manager.ts";
import { parsePlan } from "../../control/plan-check.ts";
import { planChanges } from "../../control/plan-diff.ts";
import type { InstanceStatus } from "../../control/service.ts";
import type { Core } from "../core/core.ts";
import type { Entry } from "../core/entry.ts";
import type { SystemRecord } from "../core/record.ts";
import type { RunHost } from "../host/run-host.ts";
import { JournalError } from "../journal/journal.ts";
import { reasonText } from "../reason-text.ts";
import { arrived, type Arrival, type Arrivals } from "./arrivals.ts";
import type { LastLines } from "./last-lines.ts";
import { stateWords } from "./manager-view.ts";
import { distinct, type Target, type Targets } from "./targets.ts";
import type { Waits } from "./waits.ts";

export interface OperationsOptions {
  readonly core: Core;
  readonly host: RunHost;
  readonly targets: Targets;
  readonly arrivals: Arrivals;
  readonly waits: Waits;
  readonly lastLines: LastLines;
  statuses(targets: readonly Target[]): InstanceStatus[];
  emit(event: ManagerEvent): void;
  /** Why this plan cannot be run here: one sentence each. Empty: it can. */
  refusals(plan: SystemPlan): Promise<readonly string[]>;
  /** Called when the plan of the system is another. */
  applied(record: SystemRecord): void;
  /** The daemon ends: nothing is begun any more. */
  isFinished(): boolean;
  /** Nothing runs any more after `down`. */
  downDone(): void;
}

/** Instances that an operation names which has waited too long. */
export const lateShownMax = 5;

/** What changes the plan of the system. */
const planEntries: ReadonlySet<Entry["type"]> = new Set<Entry["type"]>(["applied", "removed", "scaled"]);

export class Operations {
  readonly #options: OperationsOptions;
  readonly #core: Core;
  readonly #host: RunHost;
  readonly #targets: Targets;
  readonly #arrivals: Arrivals;
  /** This daemon was told to stop everything. */
  #isEnding = false;
  /** Operations that are not in the record yet. */
  #givingCount = 0;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#host = options.host;
    this.#targets = options.targets;
    this.#arrivals = options.arrivals;
  }

  async preview(input: PlanInput): Promise<{ readonly changes: readonly PlanChange[] }> {
    await this.#refuseWhatCannotRun(input.plan);
    return { changes: this.#changesTo(input.plan) };
  }

  async apply(input: PlanInput & WaitOptions): Promise<ApplyReport> {
    this.#refuseWhenEnding();
    const { at, changes } = await this.#giving(() => this.#follow(input));
    for (const change of changes) if (change.kind !== "keep") this.#options.emit({ type: "change", at, change });
    const report = await this.#finish(this.#targets.everything(), input, (target) => {
      const service = this.#targets.service(target.service);
      if (service === undefined || service.isRemoved) return this.#arrivals.hasStopped(target);
      if (target.number > service.plan.instances) return this.#arrivals.hasStopped(target);
      return service.target === "up" ? this.#arrivals.isUp(target, at) : arrived;
    });
    return { ...report, changes };
  }

  /** From now on the plan is followed. */
  async #follow({
    plan,
    source,
    env,
  }: PlanInput): Promise<{ readonly at: number; readonly changes: readonly PlanChange[] }> {
    await this.#refuseWhatCannotRun(plan);
    const changes = this.#changesTo(plan);
    const at = this.#host.now();
    await this.#commit([{ type: "applied", at, source, env, services: plan.services }]);
    return { at, changes };
  }

  /** @throws ManagerError `invalid`, or `refused` when this machine cannot do it */
  async #refuseWhatCannotRun(plan: SystemPlan): Promise<void> {
    assertPlan(plan);
    const refusals = await this.#options.refusals(plan);
    if (refusals.length > 0) throw new ManagerError("refused", refusals.join("\n"));
  }

  async start(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => {
        const up = { type: "target", at: this.#host.now(), service, target: "up" } as const;
        const isNamed = this.#targets.isNamedItself(input.names, { service, number: 1 });
        if (isNamed || this.#targets.service(service)?.plan.schedule === undefined) return up;
        return this.#isWantedUp({ service }) ? undefined : { ...up, isAtRest: true };
      },
      (target, sinceAt) => this.#arrivals.isUp(target, sinceAt),
    );
  }

  async stop(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => ({ type: "target", at: this.#host.now(), service, target: "down" }),
      (target) =>
        this.#targets.service(target.service)?.target === "up"
          ? { ok: false, sentence: "it was started again meanwhile" }
          : this.#arrivals.hasStopped(target),
    );
  }

  async remove(input: NamesInput): Promise<OperationReport> {
    return this.#operate(
      input,
      (service) => ({ type: "removed", at: this.#host.now(), service }),
      (target) =>
        this.#targets.service(target.service)?.isRemoved === false
          ? { ok: false, sentence: "it was added again meanwhile" }
          : this.#arrivals.hasStopped(target),
    );
  }

  /**
   * Of what listens with `listen`, the next run is ready before the old one is stopped. Of those that are not named themselves, only what
   * is kept up is meant.
   */
  async renew(input: NamesInput): Promise<OperationReport> {
    this.#refuseWhenEnding();
    const targets = this.#renewed(input.names);
    const at = this.#host.now();
    const entries = targets.map(({ service, number }): Entry => ({
      type: "renewed",
      at,
      service,
      instance: number,
      why: "it is started again",
    }));
    const ups = [...new Set(targets.map(({ service }) => service))]
      .filter((service) => this.#core.record.isDown || this.#targets.service(service)?.target === "down")
      .map((service): Entry => ({ type: "target", at, service, target: "up" }));
    await this.#commit([...ups, ...entries]);
    return this.#finish(targets, input, (target) => this.#arrivals.isUp(target, at));
  }

  /** @throws ManagerError `refused` when a pattern or a tag means only what is stopped, or has its times */
  #renewed(names: readonly string[]): readonly Target[] {
    const named = this.#targets.named(names);
    const targets = named.filter((each) => this.#targets.isNamedItself(names, each) || this.#isKeptUp(each));
    if (targets.length > 0 || names.includes("all")) return targets;
    const [first] = this.#options.statuses(named.slice(0, 1));
    throw new ManagerError(
      "refused",
      `nothing that ${names.join(" ")} means is kept up: ${first?.name} is ${stateWords(first?.state ?? "stopped")}`,
      `to start what is stopped: colos start ${names.map((name) => `'${name}'`).join(" ")}`,
    );
  }

  async scale(input: { readonly name: string; readonly instances: number } & WaitOptions): Promise<OperationReport> {
    const { service, number } = this.#targets.find(input.name);
    const { instances } = input;
    if (number !== undefined) throw new ManagerError("invalid", `${input.name} is one instance; scale takes a service`);
    if (!Number.isInteger(instances) || instances < 0 || instances > instancesMax) {
      throw new ManagerError("invalid", `${instances} is not a number of instances from 0 to ${instancesMax}`);
    }
    this.#refuseWhenEnding();
    const before = this.#targets.of(service);
    const at = this.#host.now();
    await this.#commit([{ type: "scaled", at, service: service.plan.name, instances }]);
    const after = this.#targets.of(service);
    return this.#finish(distinct([...before, ...after]), input, (target) => {
      const now = this.#targets.service(target.service);
      if (target.number <= instances) return this.#isWantedUp(target) ? this.#arrivals.isUp(target, at) : arrived;
      if (now !== undefined && target.number <= now.plan.instances)
        return { ok: false, sentence: "it was added again meanwhile" };
      return this.#arrivals.hasStopped(target);
    });
  }

  async down(input: DownInput): Promise<OperationReport> {
    if (input.ifUnused === true) return this.#leave();
    const targets = this.#targets.everything();
    this.#isEnding = true;
    // A system can be stopped whatever the disk takes; only a daemon that dies meanwhile would not know of it.
    await this.#host.commitAnyway([{ type: "down", at: this.#host.now() }]);
    try {
      return await this.#finish(targets, input, (target) => this.#arrivals.hasStopped(target));
    } finally {
      // Also when nobody waits for it any more.
      this.finishWhenDown();
    }
  }

  /** Ends the daemon, which nobody can give anything any more from here on. */
  #leave(): OperationReport {
    const { isDown, services, source } = this.#core.record;
    const isEmpty = isDown || (services.size === 0 && source === "");
    if (this.#givingCount > 0 || !isEmpty || !this.#core.isIdle)
      throw new ManagerError("refused", "somebody has given the daemon something to do");
    this.#options.downDone();
    return { instances: [], problems: [] };
  }

  /** Ends the daemon once nothing runs any more, unless somebody applies a plan before. */
  finishWhenDown(): void {
    this.#options.waits.whenever(() => {
      const { isDown } = this.#core.record;
      if (isDown && !this.#core.isIdle) return "again";
      if (isDown) this.#options.downDone();
      return "enough";
    });
  }

  async #operate(
    input: NamesInput,
    entryOf: (service: string) => Entry | undefined,
    isDone: (target: Target, sinceAt: number) => Arrival,
  ): Promise<OperationReport> {
    this.#refuseWhenEnding();
    const targets = this.#targets.namedServices(input.names);
    const services = [...new Set(targets.map(({ service }) => service))];
    const sinceAt = this.#host.now();
    await this.#commit(services.map(entryOf).filter((entry) => entry !== undefined));
    return this.#finish(targets, input, (target) => isDone(target, sinceAt));
  }

  /** While the work is under way the daemon is not unused. */
  async #giving<T>(work: () => Promise<T>): Promise<T> {
    this.#givingCount += 1;
    try {
      return await work();
    } finally {
      this.#givingCount -= 1;
    }
  }

  /** Written and synced, then done. */
  async #commit(entries: readonly Entry[]): Promise<void> {
    try {
      await this.#giving(() => this.#host.commit(entries));
    } catch (error) {
      if (error instanceof JournalError) throw new ManagerError("busy", `nothing was done: ${error.message}`);
      throw new ManagerError(
        "busy",
        `nothing was done, because it could not be written down: ${reasonText(error)}`,
        "make room on the disk and try again",
      );
    }
    if (entries.some(({ type }) => planEntries.has(type))) this.#options.applied(this.#core.record);
  }

  #changesTo(plan: SystemPlan): readonly PlanChange[] {
    const services = [...this.#core.record.services.values()]
      .filter(({ isRemoved }) => !isRemoved)
      .map((each) => each.plan);
    return planChanges({ services }, plan).map((change) => {
      const service = this.#targets.service(change.service);
      const isStopped = service?.target === "down" || (service !== undefined && this.#core.record.isDown);
      const next = plan.services.find(({ name }) => name === change.service);
      if (!isStopped || change.kind === "remove" || next?.autostart !== true) return change;
      return { ...change, kind: "change", effect: next.schedule === undefined ? "start" : "none" };
    });
  }

  #refuseWhenEnding(): void {
    if (this.#options.isFinished())
      throw new ManagerError("ending", "the daemon ends, and nothing was done", "Try again in a moment.");
    if (this.#isEnding) throw new ManagerError("refused", "the system is being stopped");
  }

  async #finish(
    targets: readonly Target[],
    input: WaitOptions,
    isDone: (target: Target) => Arrival,
  ): Promise<OperationReport> {
    if (input.wait === false) return { instances: this.#options.statuses(targets), problems: [] };
    const isLate = (each: Target): boolean => (isDone(each) ?? this.#arrivals.stuck(each)) === undefined;
    try {
      await this.#options.waits.until(() => !targets.some(isLate), input.timeoutMs);
    } catch (error) {
      throw error instanceof ManagerError ? await this.#lateError(error, targets.filter(isLate)) : error;
    }
    const problems: InstanceProblem[] = [];
    // Before anything else happens: what is told belongs together.
    const instances = this.#options.statuses(targets);
    const arrivals = targets.map((target) => [target, isDone(target) ?? this.#arrivals.stuck(target)] as const);
    for (const [target, arrival] of arrivals) {
      if (arrival?.ok === false) problems.push(await this.#options.lastLines.problem(target, arrival.sentence));
    }
    return { instances, problems };
  }

  /** The same error with who is not there yet, and what each wrote last. */
  async #lateError({ code, message, advice }: ManagerError, late: readonly Target[]): Promise<ManagerError> {
    const lines = [message];
    for (const { name, state, reason, service, instance } of this.#options.statuses(late.slice(0, lateShownMax))) {
      const why = reason === undefined ? "" : `: ${reason}`;
      const lastLines = await this.#options.lastLines.lines({ service, number: instance });
      lines.push(`  ${name} is ${stateWords(state)}${why}`, ...lastLines.map((line) => `    | ${line}`));
    }
    if (late.length > lateShownMax) lines.push(`  and ${late.length - lateShownMax} more`);
    return new ManagerError(code, lines.join("\n"), advice);
  }

  /** It is up, and no job, which has its times. */
  #isKeptUp(target: Target): boolean {
    return this.#isWantedUp(target) && this.#targets.service(target.service)?.plan.schedule === undefined;
  }

  #isWantedUp({ service }: Pick<Target, "service">): boolean {
    return !this.#core.record.isDown && this.#targets.service(service)?.target === "up";
  }
}

/** @throws ManagerError `invalid` for a plan that no machine could run */
function assertPlan({ services }: SystemPlan): void {
  const checked = parsePlan({ services });
  if ("problems" in checked) throw new ManagerError("invalid", checked.problems.join("\n"));
}
