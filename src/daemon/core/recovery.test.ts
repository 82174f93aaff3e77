import { describe, expect, test } from "vitest";
import { upAndReady, type Services } from "../../../test/fake-machine.ts";
import type { DependencyEndPolicy, SchedulePlan } from "../../control/config.ts";

const services = (onEnd: DependencyEndPolicy): Services => ({
  web: { dependsOn: [{ name: "db", condition: "ready", onEnd }] },
  db: {},
});
const job = (overlap: SchedulePlan["overlap"]): Services => ({
  job: { restart: "temporary", schedule: { when: { kind: "every", everyMs: 60_000 }, overlap, missed: "skip" } },
});

test("what only the disk knows of is started again with its dependency, as its policy says", () => {
  const machine = upAndReady(services("restart"));
  machine.killDaemonBefore("begun");
  machine.settle();

  machine.end("db.1.1", 1);
  machine.settle();

  expect(machine.startedEver).toEqual(["db.1.1", "web.1.1", "db.1.2", "web.1.2"]);
});

test("a dependency that only the disk knows of to have begun again has its dependents stopped", () => {
  const machine = upAndReady(services("stop"));
  machine.end("db.1.1", 1);
  machine.runAsked();
  machine.running.set("web.1.1", { signals: [] });

  machine.killDaemonBefore("ended", [machine.foundEnded("db.1.1", 1)]);

  expect(machine.stopping()).toEqual(["web.1.1"]);
  machine.settle();
  expect(machine.startedEver).toEqual(["db.1.1", "web.1.1", "db.1.2", "web.1.2"]);
});

test("a dependency that made room for a newer version stops nobody, before the death of the daemon and after it", () => {
  const machine = upAndReady({ ...services("stop"), db: { listenPort: 80 } });
  machine.core.renew("db", "asked");
  machine.settle();
  expect([...machine.running.keys()]).toEqual(["web.1.1", "db.1.2"]);

  machine.killDaemon();

  expect(machine.stopping()).toEqual([]);
});

test("a dependency that ended beside its successor stops nobody, before the death of the daemon and after it", () => {
  const machine = upAndReady({ ...services("stop"), db: { listenPort: 80 } });
  machine.core.renew("db", "asked");
  machine.runAsked();
  machine.pass(10);
  machine.end("db.1.1", 1);
  machine.settle();
  expect([...machine.running.keys()]).toEqual(["web.1.1", "db.1.2"]);

  machine.killDaemon();

  expect(machine.stopping()).toEqual([]);
});

test("whoever lived on after the end of a dependency lives on when the policy is another since", () => {
  const machine = upAndReady(services("ignore"));
  machine.end("db.1.1", 1);
  machine.settle();
  machine.up(services("stop"));
  machine.settle();
  expect([...machine.running.keys()]).toEqual(["web.1.1", "db.1.2"]);

  machine.killDaemon();

  expect(machine.stopping()).toEqual([]);
});

test("a standby of a dependency whose turn only the disk knows of has the dependents stopped", () => {
  const machine = upAndReady({ ...services("stop"), db: { standby: true } });
  machine.end("db.1.1", 1);
  machine.tellTurns();
  machine.running.set("web.1.1", { signals: [] });

  machine.killDaemonBefore("ended", [machine.foundEnded("db.1.1", 1)]);

  expect(machine.stopping()).toEqual(["web.1.1"]);
});

describe("files that change while no daemon lives", () => {
  const watched: Services = { web: { instances: 2 }, once: { restart: "temporary" } };

  test("have what earlier daemons started started again, once", () => {
    const machine = upAndReady(watched);
    machine.end("once.1.1", 0);
    for (const name of ["web", "once"]) machine.core.watched(name, "w:1");

    for (const seen of ["w:1", "w:2", "w:2"]) {
      machine.killDaemon();
      for (const name of ["web", "once"]) machine.core.watched(name, seen);
      machine.settle();
    }

    expect(machine.startedEver).toEqual(["web.1.1", "web.2.1", "once.1.1", "once.1.2", "web.1.2", "web.2.2"]);
  });

  test("do nothing to what has begun since, to what nobody wants, and when another daemon saw them", () => {
    const machine = upAndReady(watched);
    machine.core.watched("web", "w:1");
    machine.core.renew("web", "a file changed", "w:2");
    machine.settle();
    machine.killDaemon();
    machine.core.watched("web", "w:2");
    machine.end("web.1.2", 1);
    machine.settle();
    machine.commit({ type: "target", at: 0, service: "once", target: "down" });
    machine.settle();
    const before = machine.startedEver.length;

    machine.running.delete("web.2.2");
    machine.killDaemon([machine.foundEnded("web.2.2", 1)]);
    machine.core.watched("web", "w:3");
    machine.core.watched("once", "w:3");
    machine.settle();

    expect(machine.startedEver.slice(before)).toEqual(["web.2.3", "web.1.4"]);
  });

  test("mean nothing when others are watched now", () => {
    const machine = upAndReady(watched);
    machine.core.watched("web", "w:1");
    machine.killDaemon();

    machine.core.watched("web", "other:2");

    expect(machine.stopping()).toEqual([]);
  });
});

test("a job that waited for the end of its last run runs once, though only the disk knows that it has begun", () => {
  const machine = upAndReady(job("queue"));
  machine.pass(60_000);
  machine.settle();
  machine.pass(60_000);
  machine.end("job.1.1", 0);
  machine.runAsked();

  machine.killDaemonBefore("fired");
  machine.settle();
  machine.end("job.1.2", 0);

  expect(machine.asked).toEqual([]);
  expect(machine.states()).toEqual({ job: "scheduled" });
});

test("a time that comes before a queued run begins has a run of its own", () => {
  const machine = upAndReady(job("queue"));
  machine.pass(60_000);
  machine.settle();
  machine.pass(60_000);
  machine.running.clear();
  machine.nowMs += 60_000;

  machine.killDaemon([machine.foundEnded("job.1.1", 0)]);
  machine.settle();
  machine.end("job.1.2", 0);
  machine.settle();

  expect(machine.startedEver).toEqual(["job.1.1", "job.1.2", "job.1.3"]);
});
