/**
 * Stuck: whether what somebody waits for can still come by itself.
 *
 * Guarantees: an instance is stuck when something that it needs is where only a person, or much time, gets it out of: stopped, failed,
 * degraded, not there. While anything that it needs is on its way, it is not; what other services do does not matter.
 *
 * @module
 */
import type { DependencyPlan } from "../../control/config.ts";
import type { Core } from "./core.ts";
import type { LiveInstance } from "./live.ts";
import type { ServiceRecord } from "./record.ts";

/** Why an instance that is waiting, or whose run is to be replaced, does not get on; undefined: something is on its way. */
export function stuckOf(
  core: Core,
  service: ServiceRecord,
  live: LiveInstance,
  seen: ReadonlySet<LiveInstance> = new Set(),
): string | undefined {
  if (seen.has(live)) return undefined;
  const seenToo = new Set([...seen, live]);
  if (live.state === "waiting") return stuckDependency(core, service, seenToo);
  if (live.state !== "ready" || live.next !== undefined || !core.isStale(service, live)) return undefined;
  for (const other of core.live(service)) {
    if (other === live) continue;
    const why = other.state === "degraded" ? `${other.name} is degraded` : stuckOf(core, service, other, seenToo);
    if (why !== undefined && other.state !== "ready") return `its older run goes on: ${why}`;
  }
  const why = stuckDependency(core, service, seenToo);
  return why === undefined ? undefined : `its older run goes on: it ${why}`;
}

function stuckDependency(core: Core, service: ServiceRecord, seen: ReadonlySet<LiveInstance>): string | undefined {
  for (const { dependency, sentence } of core.unmetOf(service.plan))
    if (!canCome(core, dependency, seen)) return sentence;
  return undefined;
}

function canCome(core: Core, { name, condition }: DependencyPlan, seen: ReadonlySet<LiveInstance>): boolean {
  const service = core.record.services.get(name);
  if (service === undefined || service.plan.instances === 0) return false;
  return core.live(service).every((live) => {
    switch (live.state) {
      case "starting":
      case "stopping":
      case "backoff":
        return !service.isRemoved && service.target === "up";
      case "ready":
        return true;
      case "waiting":
        return stuckOf(core, service, live, seen) === undefined;
      default: {
        const outcome = service.instances.get(live.number)?.outcome;
        return condition === "exitedOk" && outcome?.kind === "done" && outcome.isOk;
      }
    }
  });
}
