/**
 * Fold: how each entry of the journal changes what a daemon knows for good.
 *
 * Guarantees: the record is the fold of its entries and of nothing else, so the next daemon knows what this one knew. A fold
 * never changes the entry it is given, nor shares with it what it changes later. An entry about what is not known any more
 * changes nothing.
 * By kind: what somebody asked for (fold-asked.ts), what a run did (fold-run.ts), what was noticed (fold-noticed.ts), and
 * snapshots (snapshot.ts).
 *
 * @module
 */
import type { Entry, EntryOf } from "./entry.ts";
import { foldAsked } from "./fold-asked.ts";
import { foldNoticed } from "./fold-noticed.ts";
import { foldRun } from "./fold-run.ts";
import type { ServiceRecord, SystemRecord } from "./record.ts";
import { runParts } from "./run-id.ts";
import { foldSnapshot } from "./snapshot.ts";

/** Notes that are remembered. */
export const notesMax = 500;

/** Applies one entry and leaves the record as it was: for the journal, which may have to take an entry back. */
export function fold(record: SystemRecord, entry: Entry): SystemRecord {
  return foldInto(copyFor(record, entry), entry);
}

/** The record with copies of all that the entry may change. */
function copyFor(record: SystemRecord, entry: Entry): SystemRecord {
  const services = new Map(record.services);
  const touched =
    entry.type === "applied" || (entry.type === "target" && record.isDown)
      ? [...services.keys()]
      : "run" in entry && typeof entry.run === "string"
        ? [runParts(entry.run).service]
        : "service" in entry && entry.service !== undefined
          ? [entry.service]
          : [];
  for (const name of touched) {
    const service = services.get(name);
    if (service !== undefined) services.set(name, copyOf(service));
  }
  return { ...record, services, lastRuns: new Map(record.lastRuns) };
}

function copyOf(service: ServiceRecord): ServiceRecord {
  return { ...service, instances: new Map([...service.instances].map(([number, each]) => [number, { ...each }])) };
}

/** Applies one entry, in place. */
export function foldInto(record: SystemRecord, entry: Entry): SystemRecord {
  switch (entry.type) {
    case "snapshot":
    case "kept":
      foldSnapshot(record, entry);
      break;
    case "daemon":
      record.startsCount += 1;
      break;
    case "note":
      foldNote(record, entry);
      break;
    case "down":
    case "applied":
    case "target":
    case "removed":
    case "scaled":
    case "renewed":
      foldAsked(record, entry);
      break;
    case "fired":
    case "recovered":
    case "heldBack":
    case "watched":
    case "gone":
      foldNoticed(record, entry);
      break;
    case "begun":
    case "postponed":
    case "running":
    case "ready":
    case "promoted":
    case "stopping":
    case "told":
    case "ended":
      foldRun(record, entry);
  }
  return record;
}

function foldNote(record: SystemRecord, { at, service, sentence }: EntryOf<"note">): void {
  const note = { at, ...(service === undefined ? {} : { service }), sentence };
  record.notes = [...record.notes, note].slice(-notesMax);
}
