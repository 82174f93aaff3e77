/**
 * Arrivals: whether an instance is where an operation sent it, or cannot get there.
 *
 * Guarantees: nothing is said to be up before its own check says so. What failed before the operation began does not count.
 * Limits: what has ended `endsMax` times since then is not waited for any more; it is started again all the same.
 *
 * @module
 */
import type { Core } from "../core/core.ts";
import { runsOf, type LiveInstance } from "../core/live.ts";
import type { InstanceRecord, ServiceRecord } from "../core/record.ts";
import { endSentence } from "../core/outcome.ts";
import { stuckOf } from "../core/stuck.ts";
import { stateWords } from "./manager-view.ts";
import type { Target, Targets } from "./targets.ts";

/** An operation that waits says that colos itself is short of something once a try waits for so long, in milliseconds. */
export const ownTroubleTellMs = 4_000;

/**
 * Ends of an instance since an operation began, after which the operation waits no more. Its restart window may never be used up: a period
 * that is shorter than the backoff, or many restarts allowed.
 */
export const endsMax = 10;

/** What an operation waits for. undefined: not yet. */
export type Arrival = { readonly ok: true } | { readonly ok: false; readonly sentence: string } | undefined;

export const arrived: Arrival = { ok: true };

export interface ArrivalOptions {
  readonly core: Core;
  readonly targets: Targets;
}

export class Arrivals {
  readonly #options: ArrivalOptions;

  constructor(options: ArrivalOptions) {
    this.#options = options;
  }

  /** `sinceAt`: when the operation began; what failed before does not count. */
  isUp(target: Target, sinceAt: number): Arrival {
    const { core, targets } = this.#options;
    const service = targets.service(target.service);
    const live = targets.live(target);
    const record = service?.instances.get(target.number);
    if (service === undefined || live === undefined || service.isRemoved)
      return { ok: false, sentence: "it was removed meanwhile" };
    if (service.target === "down" || core.record.isDown) return { ok: false, sentence: "it was stopped meanwhile" };
    if (live.state === "ready") {
      if (live.next !== undefined || core.isStale(service, live)) return undefined;
      if (record?.heldBack === undefined) return arrived;
      return { ok: false, sentence: live.reason ?? "the older version goes on" };
    }
    const outcome = record?.outcome;
    if (live.state === "scheduled" && outcome?.kind === "done" && !outcome.isOk && isNew(record, sinceAt))
      return { ok: false, sentence: `${live.name} has failed: ${outcome.reason}` };
    if (live.state === "scheduled" || (live.state === "stopped" && outcome?.kind === "done")) return arrived;
    // Not ready in time: the next try would take as long again.
    const late = record?.runs.find(
      ({ startedAt, stopping, end }) => end !== undefined && startedAt >= sinceAt && stopping?.isFailure === true,
    );
    if (late !== undefined)
      return { ok: false, sentence: `${live.name} is ${stateWords(live.state)}: ${late.stopping!.why}` };
    // Not at the first tries: most shortages are over in a moment.
    if (outcome?.kind === "again" && outcome.isOwnTrouble === true && outcome.delayMs >= ownTroubleTellMs)
      return { ok: false, sentence: `${live.name} waits, and is started by itself: ${live.reason ?? outcome.reason}` };
    if (live.state === "failed" || live.state === "degraded")
      return { ok: false, sentence: `${live.name} is ${stateWords(live.state)}: ${live.reason ?? ""}` };
    return this.#restless(live, record, sinceAt);
  }

  /** It ends again and again. */
  #restless({ name }: LiveInstance, record: InstanceRecord | undefined, sinceAt: number): Arrival {
    const ends = (record?.runs ?? []).filter(
      ({ startedAt, stopping, end }) => end !== undefined && startedAt >= sinceAt && stopping === undefined,
    );
    if (ends.length < endsMax) return undefined;
    const why = endSentence(ends[0]!.end!);
    return {
      ok: false,
      sentence: `${name} has ended ${ends.length} times since, the last time with ${why}; it is started again`,
    };
  }

  /** Why it is not as it should be, in a sentence; undefined: it is ready, has done its work, or is a job that has not failed. */
  wrongWith(target: Target): string | undefined {
    const service = this.#options.targets.service(target.service);
    const live = this.#options.targets.live(target);
    if (service === undefined || live === undefined || live.state === "ready") return undefined;
    const outcome = service.instances.get(target.number)?.outcome;
    const hasFailed = outcome !== undefined && !(outcome.kind === "done" && outcome.isOk);
    if (service.plan.schedule !== undefined) {
      if (!hasFailed) return undefined;
      return live.state === "scheduled"
        ? `${live.name} has failed the last time: ${outcome.reason}`
        : `${live.name} has failed: ${live.reason ?? outcome.reason}`;
    }
    if (live.state === "stopped" && outcome !== undefined && !hasFailed) return undefined;
    const why = live.reason ?? (live.state === "stopped" ? this.#whyStopped(service) : undefined);
    return `${live.name} is ${stateWords(live.state)}${why === undefined ? "" : `: ${why}`}`;
  }

  #whyStopped({ target, plan, isRemoved }: ServiceRecord): string | undefined {
    if (isRemoved) return "it is removed";
    if (target === "up") return undefined;
    return plan.autostart ? "somebody stopped it" : "it is not started by itself";
  }

  hasStopped(target: Target): Arrival {
    const live = this.#options.targets.live(target);
    return live === undefined || runsOf(live).length === 0 ? arrived : undefined;
  }

  /** Waiting for something that nothing is on its way to. */
  stuck(target: Target): Arrival {
    const { core, targets } = this.#options;
    const service = targets.service(target.service);
    const live = targets.live(target);
    const why = service === undefined || live === undefined ? undefined : stuckOf(core, service, live);
    return why === undefined ? undefined : { ok: false, sentence: `${live!.name} ${why}` };
  }
}

/** Whether its last run began then or later. */
function isNew(record: InstanceRecord | undefined, sinceAt: number): boolean {
  return (record?.runs[0]?.startedAt ?? -Infinity) >= sinceAt;
}
