/**
 * Instance state: decides what a person is told of an instance, and when.
 *
 * @module
 */
import { spanText } from "../../control/quantity.ts";
import type { InstanceState } from "../../control/service.ts";
import { firstUnmet } from "./dependencies.ts";
import type { LiveInstance, LiveRun } from "./live.ts";
import { dueAt } from "./outcome.ts";
import type { InstanceRecord, ServiceRecord } from "./record.ts";
import type { Situation } from "./situation.ts";

interface Shown {
  readonly state: InstanceState;
  readonly reason: string | undefined;
}

/** Tells the host when an instance is not what it was. */
export function showInstance(situation: Situation, service: ServiceRecord, instance: LiveInstance): void {
  const { state, reason } = stateOf(situation, service, instance);
  const before = instance.state;
  instance.state = state;
  instance.reason = reason;
  const { current, standby } = instance;
  // These two count down in their reason.
  const why = state === "backoff" || state === "degraded" ? "" : (reason ?? "");
  const shown = `${state} ${current?.id ?? ""} ${current?.osPid ?? ""} ${standby?.osPid ?? ""} ${why}`;
  if (shown === instance.shown) return;
  instance.shown = shown;
  situation.host.changed(service, instance, before);
}

function stateOf(situation: Situation, service: ServiceRecord, instance: LiveInstance): Shown {
  const { current, next, draining } = instance;
  const record = service.instances.get(instance.number);
  if (current !== undefined) return runningState(current, next, record);
  if (draining.size > 0) return { state: "stopping", reason: undefined };
  const outcome = record?.outcome;
  if (outcome?.kind === "failed") return { state: "failed", reason: outcome.reason };
  if (!situation.isWanted(service, instance.number)) {
    if (service.plan.schedule !== undefined && service.target === "up" && !situation.record.isDown)
      return { state: "scheduled", reason: outcome?.reason };
    return outcome?.kind === "done" && !outcome.isOk
      ? { state: "failed", reason: outcome.reason }
      : { state: "stopped", reason: outcome?.reason };
  }
  const unmet = firstUnmet(situation, service.plan);
  if (unmet !== undefined) return { state: "waiting", reason: unmet };
  if (outcome?.kind === "again") {
    const now = situation.host.now();
    const inTime = spanText(Math.max(0, dueAt(record!, now) - now));
    const when = `tried again ${outcome.isExhausted ? "slowly, " : ""}in ${inTime}`;
    return { state: outcome.isExhausted ? "degraded" : "backoff", reason: `${outcome.reason}; ${when}` };
  }
  return { state: "waiting", reason: undefined };
}

function runningState(current: LiveRun, next: LiveRun | undefined, record: InstanceRecord | undefined): Shown {
  if (current.stop !== undefined) return { state: "stopping", reason: current.stop.why };
  if (current.phase === "ready") return { state: "ready", reason: readyReason(current, next, record) };
  return {
    state: "starting",
    reason: record?.outcome?.kind === "again" ? `after: ${record.outcome.reason}` : undefined,
  };
}

function readyReason(
  current: LiveRun,
  next: LiveRun | undefined,
  record: InstanceRecord | undefined,
): string | undefined {
  if (next !== undefined) return `${next.id} is to take its place`;
  if (record?.heldBack !== undefined)
    return `the older version goes on; the new one did not become ready: ${record.heldBack.reason}`;
  return current.says;
}
