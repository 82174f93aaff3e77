/**
 * Postponed entries: keeps what waits for the disk from growing while colos tries again and again to start what it cannot.
 *
 * Guarantees: the entries that are left fold to the same record as all of them. What is being written stays as it is.
 *
 * @module
 */
import type { Entry } from "../core/entry.ts";
import { runParts } from "../core/run-id.ts";

type Postponed = Extract<Entry, { readonly type: "postponed" }>;

/** Entries of which the beginning of the run was dropped: nothing that was written waits for them. */
const whole = new WeakSet<Entry>();

/** Removes from `entries`, but for the first `inFlightCount`, what `entry`, which comes next, says again. */
export function dropSubsumed(entries: Entry[], inFlightCount: number, entry: Postponed): void {
  const { service, instance } = runParts(entry.run);
  for (let at = entries.length - 1; at >= inFlightCount; at -= 1) {
    const waiting = entries[at]!;
    if (waiting.type === "begun" && waiting.run.id === entry.run) {
      whole.add(entry);
      entries.splice(at, 1);
    } else if (waiting.type === "postponed" && whole.has(waiting) && isOf(waiting, service, instance)) {
      if (waiting.outcome === undefined || entry.outcome !== undefined) entries.splice(at, 1);
    }
  }
}

function isOf({ run }: Postponed, service: string, instance: number): boolean {
  const parts = runParts(run);
  return parts.service === service && parts.instance === instance;
}
