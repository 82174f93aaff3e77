/**
 * Fold of what a daemon noticed about a service: a job is due, an instance is well again, a version does not become ready, watched files
 * are as they are, nothing is left of one that was removed.
 *
 * @module
 */
import type { EntryOf } from "./entry.ts";
import { forgive } from "./instance-record.ts";
import type { ServiceRecord, SystemRecord } from "./record.ts";

type NoticedEntry = EntryOf<"fired" | "recovered" | "heldBack" | "watched" | "gone">;

export function foldNoticed(record: SystemRecord, entry: NoticedEntry): void {
  const service = record.services.get(entry.service);
  if (service === undefined) return;
  switch (entry.type) {
    case "fired":
      foldFired(service, entry);
      break;
    case "recovered": {
      const instance = service.instances.get(entry.instance);
      if (instance !== undefined) forgive(instance);
      break;
    }
    case "heldBack": {
      const instance = service.instances.get(entry.instance);
      if (instance === undefined) return;
      instance.heldBack = { key: entry.key, reason: entry.reason };
      instance.renewUpTo = 0;
      break;
    }
    case "watched":
      service.watched = entry.seen;
      break;
    case "gone":
      record.services.delete(entry.service);
  }
}

function foldFired(service: ServiceRecord, entry: EntryOf<"fired">): void {
  service.firedAt = entry.dueAt;
  service.isQueued = entry.how === "queue";
  if (entry.how !== "run") return;
  for (const instance of service.instances.values()) {
    const { outcome } = instance;
    forgive(instance);
    // That its time has come again is no sign that colos is short of nothing any more.
    if (outcome?.kind === "again" && outcome.isOwnTrouble === true) instance.outcome = outcome;
    instance.isAtRest = false;
  }
}
