import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { basePlan } from "../../test/base-plan.ts";
import { FakeClock } from "../../test/fake-cli-host.ts";
import { turn } from "../../test/system/turn.ts";
import type { ServicePlan } from "../control/config.ts";
import { liveInstance, type LiveInstance } from "./core/live.ts";
import { foldInto } from "./core/fold.ts";
import { emptyRecord, type ServiceRecord } from "./core/record.ts";
import { homeAt, instanceFolder, removedState, type Home } from "./home.ts";
import { passingMs, StateFiles, stateRetryMs } from "./state-files.ts";

const plan: ServicePlan = { ...basePlan, limits: { pidsMax: 9 } };

function newHome(): Home {
  const root = mkdtempSync(join(tmpdir(), "colos-state-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return homeAt(root);
}

function ready(): { readonly service: ServiceRecord; readonly live: LiveInstance } {
  const record = foldInto(emptyRecord(), { type: "applied", at: 0, source: "", env: {}, services: [plan] });
  const live = liveInstance("web", 1);
  const run = { id: "web.1.1", number: 1, key: "", startedAt: 0, dependencies: {}, isStandby: false } as const;
  live.current = { ...run, phase: "ready", osPid: 42, readyAt: Date.UTC(2026, 0, 1) };
  live.standby = { ...run, id: "web.1.2", number: 2, isStandby: true, phase: "running", osPid: 43 };
  live.state = "ready";
  return { service: record.services.get("web")!, live };
}

/** The files of an instance that is ready and has a standby. */
async function written() {
  const home = newHome();
  const folder = instanceFolder(home, "web", 1);
  const files = new StateFiles(home, new FakeClock(), () => {});
  const { service, live } = ready();
  files.changed(service, live);
  await files.flushed();
  return { folder, files, service, live };
}

const factsOf = (folder: string): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8").trimEnd()]));

test("state files: one plain file for each fact; a fact that is no more has none", async () => {
  const { folder, files, service, live } = await written();
  expect(factsOf(folder)).toEqual({
    state: "ready",
    pid: "42",
    standby: "43",
    ready: "2026-01-01T00:00:00.000Z",
    restarts: "0",
    limits: "pidsMax 9",
  });

  live.current = undefined;
  live.standby = undefined;
  live.state = "backoff";
  live.reason = "exit code 1";
  files.changed(service, live);
  await files.flushed();
  expect(factsOf(folder)).toEqual({ state: "backoff", reason: "exit code 1", restarts: "0", limits: "pidsMax 9" });
});

test("state files: of changes that come together the newest counts, and of a removed service that it is removed", async () => {
  const home = newHome();
  const files = new StateFiles(home, new FakeClock(), () => {});
  const { service, live } = ready();
  files.changed(service, live);
  files.changed(service, live);
  files.removed("web", 1);
  await files.flushed();
  expect(factsOf(instanceFolder(home, "web", 1))).toEqual({ state: removedState });
});

test("state files: a disk that takes none is told, and later ones are written", async () => {
  const home = newHome();
  const told: string[] = [];
  const files = new StateFiles(home, new FakeClock(), (message) => void told.push(message));
  const { service, live } = ready();
  writeFileSync(home.services, "in the way");
  files.changed(service, live);
  await files.flushed();
  expect(told[0]).toContain("could not be written");

  rmSync(home.services);
  files.changed(service, live);
  await files.flushed();
  expect(existsSync(join(instanceFolder(home, "web", 1), "pid"))).toBe(true);
});

test("state files: what the disk did not take is there once it does, without another change", async () => {
  const home = newHome();
  const clock = new FakeClock();
  const files = new StateFiles(home, clock, () => {});
  const { service, live } = ready();
  writeFileSync(home.services, "in the way");
  files.changed(service, live);
  while (clock.timersCount === 0) await new Promise((resolve) => void setImmediate(resolve));

  rmSync(home.services);
  clock.advance(stateRetryMs);
  await files.flushed();

  expect(factsOf(instanceFolder(home, "web", 1))).toMatchObject({ state: "ready", pid: "42" });
});

test("state files: what has not changed is not written again, unless it was not taken before", async () => {
  const { folder, files, service, live } = await written();
  writeFileSync(join(folder, "pid"), "kept\n");
  files.changed(service, live);
  await files.flushed();
  expect(factsOf(folder)["pid"]).toBe("kept");

  mkdirSync(join(folder, "reason.new"));
  live.reason = "held back";
  files.changed(service, live);
  await files.flushed();
  rmdirSync(join(folder, "reason.new"));
  files.changed(service, live);
  await files.flushed();
  expect(factsOf(folder)).toMatchObject({ pid: "42", reason: "held back" });
});

test("state files: a state that passes is not written, and one that lasts is", async () => {
  const home = newHome();
  const folder = instanceFolder(home, "web", 1);
  const clock = new FakeClock();
  const files = new StateFiles(home, clock, () => {});
  const { service, live } = ready();
  live.state = "starting";
  files.changed(service, live);
  clock.advance(passingMs - 1);
  expect(existsSync(folder)).toBe(false);
  live.state = "ready";
  files.changed(service, live);
  await files.flushed();
  expect(factsOf(folder)["state"]).toBe("ready");

  live.state = "stopping";
  files.changed(service, live);
  clock.advance(passingMs);
  while (readFileSync(join(folder, "state"), "utf8") !== "stopping\n") await turn();
});
