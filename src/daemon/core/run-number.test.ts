import { expect, test } from "vitest";
import { basePlan } from "../../../test/base-plan.ts";
import type { ServicePlan } from "../../control/config.ts";
import { fold, foldInto } from "./fold.ts";
import { emptyRecord, type SystemRecord } from "./record.ts";
import { runId } from "./run-id.ts";
import { lastRunOf, lastRunsMax } from "./run-number.ts";
import { snapshotOf } from "./snapshot.ts";

const plan = (name: string): ServicePlan => ({ ...basePlan, name });

/** A service has a run of this number, and is gone. */
function cameAndWent(record: SystemRecord, name: string, number: number, stays: readonly ServicePlan[]): void {
  const apply = (services: readonly ServicePlan[]): void =>
    void foldInto(record, { type: "applied", at: 0, source: "", env: {}, services });
  apply([...stays, plan(name)]);
  const run = { id: runId(name, 1, number), number, key: "", dependencies: {}, startedAt: 0 };
  foldInto(record, { type: "begun", at: 0, service: name, instance: 1, run });
  apply(stays);
  foldInto(record, { type: "gone", at: 0, service: name });
}

test("of services that are gone no more numbers are remembered than the limit, and none is used twice", () => {
  const record = emptyRecord();
  const web = plan("web");
  cameAndWent(record, "first", 41, []);
  foldInto(record, { type: "applied", at: 0, source: "", env: {}, services: [web] });
  const run = { id: "web.1.7", number: 7, key: "", dependencies: {}, startedAt: 0 };
  foldInto(record, { type: "begun", at: 0, service: "web", instance: 1, run });
  for (let count = 0; count < lastRunsMax - 2; count++) cameAndWent(record, `job${count}`, 3, [web]);
  expect(record.lastRuns.size).toBe(lastRunsMax);
  expect(lastRunOf(record, "unknown", 1)).toBe(0);

  cameAndWent(record, "last", 5, [web]);
  expect(record.lastRuns.size).toBe(lastRunsMax);
  expect(lastRunOf(record, "first", 1)).toBe(41);
  expect(lastRunOf(record, "unknown", 1)).toBe(41);

  for (let count = 0; count < lastRunsMax; count++) cameAndWent(record, `other${count}`, 3, [web]);
  expect(record.lastRuns.size).toBe(lastRunsMax);
  expect(lastRunOf(record, "web", 1)).toBe(7);
  expect(snapshotOf(record).reduce(fold, emptyRecord())).toEqual(record);
});
