/**
 * Instance record: how one begins, and what is forgotten of it when its troubles do not count any more.
 *
 * @module
 */
import type { InstanceRecord, ServiceRecord } from "./record.ts";

/** Adds the instances that the plan of a service has and its record has not. */
export function addInstances(service: ServiceRecord): void {
  for (let number = 1; number <= service.plan.instances; number++) {
    if (service.instances.has(number)) continue;
    service.instances.set(number, {
      runs: [],
      restartsCount: 0,
      restartsAt: [],
      attempts: 0,
      isExhausted: false,
      isAtRest: service.plan.schedule !== undefined,
      renewUpTo: 0,
    });
  }
}

/** Nothing of what went wrong counts any more. */
export function forgive(instance: InstanceRecord, { keepsDone = false }: { readonly keepsDone?: boolean } = {}): void {
  instance.restartsAt = [];
  instance.attempts = 0;
  instance.isExhausted = false;
  delete instance.heldBack;
  if (!(keepsDone && instance.outcome?.kind === "done" && instance.outcome.isOk)) delete instance.outcome;
}
