/**
 * Snapshot: the record as entries that make it, the shortest list with the same fold.
 *
 * @module
 */
import type { Entry, EntryOf } from "./entry.ts";
import type { SystemRecord } from "./record.ts";

/** The record as the entries that make it, one for each service, so that none is large. */
export function snapshotOf(record: SystemRecord): readonly Entry[] {
  const { services, lastRuns, ...rest } = record;
  return [
    { type: "snapshot", rest, lastRuns: [...lastRuns] },
    ...[...services.values()].map((each): Entry => ({
      type: "kept",
      service: each.plan.name,
      kept: { ...each, instances: [...each.instances] },
    })),
  ];
}

export function foldSnapshot(record: SystemRecord, entry: EntryOf<"snapshot" | "kept">): void {
  if (entry.type === "snapshot") {
    Object.assign(record, entry.rest, { services: new Map(), lastRuns: new Map(entry.lastRuns) });
    return;
  }
  const { instances, ...kept } = entry.kept;
  const copies = instances.map(([number, each]) => [number, { ...each }] as const);
  record.services.set(entry.service, { ...kept, instances: new Map(copies) });
}
