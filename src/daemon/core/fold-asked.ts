/**
 * Fold of what somebody asked for: a plan, a start or stop, a removal, a number of instances, new runs.
 *
 * @module
 */
import type { ServicePlan } from "../../control/config.ts";
import type { EntryOf } from "./entry.ts";
import { addInstances, forgive } from "./instance-record.ts";
import type { ServiceRecord, SystemRecord } from "./record.ts";
import { lastRunOf } from "./run-number.ts";

type AskedEntry = EntryOf<"down" | "applied" | "target" | "removed" | "scaled" | "renewed">;

export function foldAsked(record: SystemRecord, entry: AskedEntry): void {
  if (entry.type === "down") record.isDown = true;
  else if (entry.type === "applied") foldApplied(record, entry);
  else {
    const service = record.services.get(entry.service);
    if (service !== undefined) foldOfService(record, service, entry);
  }
}

function foldApplied(record: SystemRecord, entry: EntryOf<"applied">): void {
  const before = record.services;
  record.isDown = false;
  record.source = entry.source;
  record.env = entry.env;
  record.services = new Map();
  for (const plan of entry.services) {
    const service = before.get(plan.name) ?? newService(plan, entry.at);
    before.delete(plan.name);
    if (service.plan.schedule === undefined && plan.schedule !== undefined) service.scheduledAt = entry.at;
    service.plan = plan;
    if (plan.watch === undefined) delete service.watched;
    service.isRemoved = false;
    if (plan.autostart) {
      service.target = "up";
      for (const instance of service.instances.values()) forgive(instance, { keepsDone: true });
    }
    record.services.set(plan.name, service);
    addInstances(service);
  }
  for (const [name, service] of before) {
    service.isRemoved = true;
    service.target = "down";
    record.services.set(name, service);
  }
}

function newService(plan: ServicePlan, at: number): ServiceRecord {
  return {
    plan,
    target: plan.autostart ? "up" : "down",
    isRemoved: false,
    instances: new Map(),
    ...(plan.schedule === undefined ? {} : { scheduledAt: at }),
  };
}

type OfServiceEntry = Exclude<AskedEntry, { type: "down" | "applied" }>;

function foldOfService(record: SystemRecord, service: ServiceRecord, entry: OfServiceEntry): void {
  switch (entry.type) {
    case "target":
      foldTarget(record, service, entry);
      break;
    case "removed":
      service.isRemoved = true;
      service.target = "down";
      break;
    case "scaled":
      // Those that are added again begin anew.
      for (const [number, instance] of service.instances) if (number > service.plan.instances) forgive(instance);
      service.plan = { ...service.plan, instances: entry.instances };
      addInstances(service);
      break;
    case "renewed":
      foldRenewed(record, service, entry);
  }
}

function foldTarget(record: SystemRecord, service: ServiceRecord, { target, isAtRest }: EntryOf<"target">): void {
  if (target === "up") endDown(record);
  service.target = target;
  for (const instance of service.instances.values()) {
    forgive(instance);
    instance.isAtRest = (target === "down" || isAtRest === true) && service.plan.schedule !== undefined;
  }
}

/** What is started alone does not bring all the others back. */
function endDown(record: SystemRecord): void {
  if (!record.isDown) return;
  record.isDown = false;
  for (const service of record.services.values()) service.target = "down";
}

function foldRenewed(record: SystemRecord, service: ServiceRecord, entry: EntryOf<"renewed">): void {
  for (const [number, instance] of service.instances) {
    if (entry.instance !== undefined && entry.instance !== number) continue;
    forgive(instance);
    instance.isAtRest = false;
    instance.renewUpTo = lastRunOf(record, service.plan.name, number);
    instance.renewWhy = entry.why;
  }
}
