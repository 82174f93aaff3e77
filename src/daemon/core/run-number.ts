/**
 * Run number: which numbers runs have had, so that no id is used twice, also of services that are gone.
 *
 * Limit: `lastRunsMax`. Beyond it a service that is gone begins, when it comes back, above the highest number that was forgotten.
 *
 * @module
 */
import type { SystemRecord } from "./record.ts";

/**
 * Instances whose last number is remembered: those that there are, and of services that are gone so many that there are no more than this.
 * For the others it is remembered how high the numbers came.
 */
export const lastRunsMax = 1_000;

/** A run of an instance has this number, and no other ever has. */
export function keepNumber(record: SystemRecord, service: string, instance: number, number: number): void {
  const place = `${service}.${instance}`;
  record.lastRuns.set(place, Math.max(number, record.lastRuns.get(place) ?? 0));
  if (record.lastRuns.size > lastRunsMax) forgetNumber(record);
}

/** Of the service that is gone and had its first run before those of the others. */
function forgetNumber(record: SystemRecord): void {
  for (const [place, number] of record.lastRuns) {
    if (record.services.has(place.slice(0, place.lastIndexOf(".")))) continue;
    record.lastRuns.delete(place);
    record.lastRunsFloor = Math.max(record.lastRunsFloor, number);
    return;
  }
}

/** The number of the last run that an instance had, or may have had. */
export function lastRunOf({ lastRuns, lastRunsFloor }: SystemRecord, service: string, instance: number): number {
  return lastRuns.get(`${service}.${instance}`) ?? lastRunsFloor;
}
