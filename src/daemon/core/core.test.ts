import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Machine, throughJson, upAndReady, type Services } from "../../../test/fake-machine.ts";
import type { DependencyEndPolicy, SchedulePlan, ServicePlan } from "../../control/config.ts";
import { RunStartError } from "../run/run.ts";
import { Core } from "./core.ts";
import { ownTroubleRetryMaxMs, ownTroubleRetryMs } from "./core-host.ts";
import type { Entry } from "./entry.ts";
import { fold } from "./fold.ts";
import { emptyRecord, type InstanceRecord, type SystemRecord } from "./record.ts";
import { snapshotOf } from "./snapshot.ts";

const quick: Partial<ServicePlan> = {};
const on = (name: string, onEnd: DependencyEndPolicy = "ignore"): Pick<ServicePlan, "dependsOn"> => ({
  dependsOn: [{ name, condition: "ready", onEnd }],
});
const hourly: Partial<ServicePlan> = {
  restart: "temporary",
  schedule: { when: { kind: "every", everyMs: 3_600_000 }, overlap: "skip", missed: "skip" },
};
const target = (service: string, to: "up" | "down"): Entry => ({ type: "target", at: 0, service, target: to });

describe("start and stop", () => {
  test("a dependent starts when its dependency is ready, not when it runs", () => {
    const machine = new Machine();
    machine.up({ web: { ...quick, ...on("db") }, db: quick });
    machine.runAsked();
    expect(machine.states()).toEqual({ db: "starting", web: "waiting" });
    expect(machine.reason("web")).toBe("waits for db, which is not ready");

    machine.passChecks();
    expect(machine.asked).toEqual(["web.1.1"]);
  });

  test("at the end of the system dependents end first", () => {
    const machine = upAndReady({ web: { ...quick, ...on("db") }, db: quick });

    machine.commit({ type: "down", at: machine.now() });
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    expect(machine.stopping()).toEqual(["db.1.1"]);
    machine.end("db.1.1", 0);
    expect(machine.core.isIdle).toBe(true);
  });

  test("a daemon that is killed while everything is stopped is followed by one that goes on with it", () => {
    const machine = upAndReady({ web: { ...quick, ...on("db") }, db: quick, job: hourly });
    machine.commit({ type: "down", at: machine.now() });

    machine.killDaemon();
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    machine.end("db.1.1", 0);
    machine.killDaemon();
    machine.pass(7_200_000);

    expect(machine.asked).toEqual([]);
    expect(machine.states()).toEqual({ web: "stopped", db: "stopped", job: "stopped" });
  });

  test("a system that was stopped is up again by a plan, of which alone something starts", () => {
    const machine = upAndReady({ web: quick, db: quick });
    machine.commit({ type: "down", at: machine.now() });
    machine.settle();

    machine.killDaemon();
    machine.up({ other: quick, db: quick });

    expect(machine.asked).toEqual(["other.1.1", "db.1.2"]);
  });

  test("in a system that was stopped a service is started alone", () => {
    const machine = upAndReady({ web: quick, db: quick });
    machine.commit({ type: "down", at: machine.now() });
    machine.settle();

    machine.commit(target("db", "up"));
    machine.settle();
    machine.killDaemon();
    machine.settle();

    expect(machine.states()).toEqual({ web: "stopped", db: "ready" });
  });

  test("what does not end in time is killed", () => {
    const machine = upAndReady({ web: { ...quick, shutdown: 700 } });

    machine.commit(target("web", "down"));
    expect(machine.running.get("web.1.1")!.signals).toEqual(["SIGTERM"]);
    machine.pass(699);
    expect(machine.running.get("web.1.1")!.signals).toEqual(["SIGTERM"]);
    machine.pass(1);
    expect(machine.running.get("web.1.1")!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  });

  test("a stop that comes while the OS is still starting it is carried out when it runs", () => {
    const machine = new Machine();
    machine.up({ web: quick });
    machine.commit(target("web", "down"));
    machine.runAsked();
    expect(machine.stopping()).toEqual(["web.1.1"]);
  });

  test("a removed service is forgotten when it has ended, and its run numbers are not used again", () => {
    const machine = upAndReady({ web: quick, db: quick });
    machine.up({ db: quick });
    machine.settle();
    expect(machine.states()).toEqual({ db: "ready" });

    machine.up({ web: quick, db: quick });
    expect(machine.asked).toEqual(["web.1.2"]);
  });
});

describe("what nobody asked for", () => {
  test("the first restart is at once, the delay grows with each failure, and health begins anew", () => {
    const machine = upAndReady({ web: quick });
    const delays: number[] = [];
    for (let count = 0; count < 3; count++) {
      machine.end(machine.startedEver.at(-1)!, 1);
      const delayMs = machine.states()["web"] === "backoff" ? machine.wakeDue! - machine.nowMs : 0;
      delays.push(delayMs);
      machine.pass(delayMs);
      machine.settle();
    }
    expect(delays).toEqual([0, 100, 200]);

    machine.pass(30_000);
    machine.end(machine.startedEver.at(-1)!, 1);
    expect(machine.asked).toHaveLength(1);
  });

  test("a used-up window degrades to slow tries, tells the hook once, and is forgotten after health", () => {
    const machine = upAndReady({
      web: { ...quick, maxRestarts: 2, exhausted: { policy: "degraded", retryEveryMs: 5000 } },
    });
    for (let count = 0; count < 3; count++) {
      machine.end(machine.startedEver.at(-1)!, 7);
      if (count < 2) machine.pass(1000);
      machine.settle();
    }
    expect(machine.states()).toEqual({ web: "degraded" });
    expect(machine.reason("web")).toBe("exit code 7; tried again slowly, in 5 s");
    expect(machine.exhaustedBy).toEqual(["web"]);

    machine.pass(5000);
    machine.settle();
    machine.end(machine.startedEver.at(-1)!, 7);
    expect(machine.states()).toEqual({ web: "degraded" });
    expect(machine.exhaustedBy).toEqual(["web"]);

    machine.pass(5000);
    machine.settle();
    machine.pass(30_000);
    machine.end(machine.startedEver.at(-1)!, 7);
    expect(machine.states()).toEqual({ web: "starting" });
  });

  test("a service that is healthy for long and then fails always uses up a window that slides", () => {
    const machine = upAndReady({ web: quick });
    machine.pass(3_600_000);
    let restarts = 0;
    while (machine.states()["web"] !== "degraded") {
      machine.end(machine.startedEver.at(-1)!, 1);
      if (machine.states()["web"] === "degraded") break;
      if (machine.states()["web"] === "backoff") machine.pass(machine.wakeDue! - machine.nowMs);
      machine.settle();
      restarts += 1;
    }
    expect(restarts).toBe(5);
  });

  test("of restarts no more are remembered than the window has room for", () => {
    const machine = upAndReady({ web: { ...quick, maxRestarts: 2 } });
    for (let count = 0; count < 9; count++) {
      machine.end(machine.startedEver.at(-1)!, 1);
      machine.pass(70_000);
      machine.settle();
    }
    expect(machine.core.record.services.get("web")!.instances.get(1)!.restartsAt.length).toBeLessThanOrEqual(2);
  });

  test("the policy failed gives up until somebody starts it again", () => {
    const machine = upAndReady({ web: { ...quick, maxRestarts: 0, exhausted: { policy: "failed", retryEveryMs: 1 } } });
    machine.end("web.1.1", 1);
    expect(machine.states()).toEqual({ web: "failed" });
    machine.pass(3_600_000);
    expect(machine.asked).toEqual([]);

    machine.commit(target("web", "up"));
    expect(machine.asked).toEqual(["web.1.2"]);
  });

  test("temporary and transient services that ended well stay so", () => {
    const machine = upAndReady({ once: { ...quick, restart: "temporary" }, well: { ...quick, restart: "transient" } });
    machine.end("once.1.1", 1);
    machine.end("well.1.1", 0);
    expect(machine.states()).toEqual({ once: "failed", well: "stopped" });
    expect(machine.asked).toEqual([]);
  });

  test("what colos itself is short of is never counted", () => {
    const machine = new Machine();
    machine.up({ web: { ...quick, maxRestarts: 0, exhausted: { policy: "failed", retryEveryMs: 1 } } });
    for (let count = 0; count < 50; count++) {
      machine.core.startFailed(machine.asked.pop()!, new RunStartError("no file descriptors", "EMFILE", true));
      machine.pass(ownTroubleRetryMaxMs);
    }
    machine.settle();
    expect(machine.states()).toEqual({ web: "ready" });
  });

  test("what is not restarted and fails tells the hook; what ends well, or is stopped, does not", () => {
    const once: Partial<ServicePlan> = { ...quick, restart: "temporary" };
    const machine = upAndReady({ bad: once, good: once, stopped: once });
    machine.end("good.1.1", 0);
    machine.core.commit([{ type: "target", at: machine.now(), service: "stopped", target: "down" }]);
    machine.end("stopped.1.1", 3);
    expect(machine.exhaustedBy).toEqual([]);

    machine.end("bad.1.1", 3);
    expect(machine.exhaustedBy).toEqual(["bad"]);
  });

  test("each end that nobody asked for is a crash; one that is as it should be is none", () => {
    const machine = upAndReady({
      web: quick,
      job: { ...quick, restart: "transient" },
      ill: quick,
      renewed: quick,
      stopped: quick,
    });
    machine.end("web.1.1", 0);
    machine.end("job.1.1", 0);
    machine.core.unhealthy("ill.1.1", "it does not answer");
    machine.end("ill.1.1", 0);
    machine.core.renew("renewed", "asked");
    machine.end("renewed.1.1", 1);
    machine.commit({ type: "target", at: 0, service: "stopped", target: "down" });
    machine.end("stopped.1.1", 1);
    expect(machine.crashes).toEqual(["web: exit code 0", "ill: it does not answer"]);

    machine.settle();
    machine.end("web.1.2", 1);
    expect(machine.crashes.at(-1)).toBe("web: exit code 1");
    expect(machine.exhaustedBy).toEqual([]);
  });

  test("a version that does not become ready has crashed, while the older one goes on", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.core.renew("web", "asked");
    machine.runAsked();
    machine.end("web.1.2", 3);
    expect(machine.crashes).toEqual(["web: exit code 3"]);
    expect(machine.states()).toEqual({ web: "ready" });
  });

  test("what colos itself is short of leaves no run, no restart and no end behind", () => {
    const machine = upAndReady({ web: quick });
    machine.end("web.1.1", 7);
    const recordOf = (): InstanceRecord => machine.core.record.services.get("web")!.instances.get(1)!;
    const { runs, restartsCount, attempts } = recordOf();
    for (let count = 0; count < 30; count++) {
      machine.core.startFailed(machine.asked.pop()!, new RunStartError("no file descriptors", "EMFILE", true));
      machine.pass(ownTroubleRetryMaxMs);
    }

    const after = recordOf();
    expect(after.runs.filter(({ end }) => end !== undefined)).toEqual(runs.filter(({ end }) => end !== undefined));
    expect([after.restartsCount, after.attempts]).toEqual([restartsCount, attempts]);
    expect(machine.reason("web")).toContain("no file descriptors");
  });

  test("what colos itself is short of is tried again after longer and longer waits, up to the limit", () => {
    const machine = new Machine();
    machine.up({ web: quick });
    const waitsMs: number[] = [];
    for (let count = 0; count < 6; count++) {
      machine.core.startFailed(machine.asked.pop()!, new RunStartError("no file descriptors", "EMFILE", true));
      let waitedMs = 0;
      for (; machine.asked.length === 0; waitedMs += 100) machine.pass(100);
      waitsMs.push(waitedMs);
    }

    expect(waitsMs).toEqual([1, 2, 4, 8, 10, 10].map((times) => times * ownTroubleRetryMs));
    expect(waitsMs.at(-1)).toBe(ownTroubleRetryMaxMs);
  });

  test("a job whose time comes again meanwhile waits as long as all others", () => {
    const machine = new Machine();
    machine.up({ job: hourly });
    machine.pass(60_000);
    let triesCount = 0;
    for (let seconds = 0; seconds < 600; seconds++) {
      for (const id of machine.asked.splice(0)) {
        triesCount += 1;
        machine.core.startFailed(id, new RunStartError("no file descriptors", "EMFILE", true));
      }
      machine.pass(1000);
    }

    expect(triesCount).toBeLessThanOrEqual(600_000 / ownTroubleRetryMaxMs + 4);
    expect(triesCount).toBeGreaterThan(50);
    machine.pass(ownTroubleRetryMaxMs);
    machine.runAsked();
    expect(machine.startedEver).toHaveLength(1);
  });

  test("after a start that worked, the next shortage begins with the first wait", () => {
    const machine = new Machine();
    machine.up({ web: quick });
    const refuse = (): void =>
      machine.core.startFailed(machine.asked.pop()!, new RunStartError("no file descriptors", "EMFILE", true));
    for (let count = 0; count < 4; count++) {
      refuse();
      machine.pass(ownTroubleRetryMaxMs);
    }
    machine.settle();
    machine.end([...machine.running.keys()].at(-1)!, 1);
    refuse();
    machine.pass(ownTroubleRetryMs);

    expect(machine.asked).toHaveLength(1);
  });

  test("what is not ready in time is ended and counts as failed", () => {
    const machine = new Machine();
    machine.up({ web: { ...quick, maxRestarts: 0, exhausted: { policy: "failed", retryEveryMs: 1 } } });
    machine.runAsked();
    machine.core.notReady("web.1.1", "port 80 did not answer");
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    expect(machine.reason("web")).toContain("port 80 did not answer");
  });
});

describe("the time of day is set", () => {
  test("back: a delay is not prolonged", () => {
    const machine = upAndReady({ web: quick });
    machine.end("web.1.1", 1);
    machine.setClock(-86_400_000);
    machine.pass(100);
    expect(machine.asked).toEqual(["web.1.2"]);
  });

  test.each([-86_400_000, 86_400_000])("by %d ms: what is told to end has its time, and no more", (byMs) => {
    const machine = upAndReady({ web: { ...quick, shutdown: 700 } });
    machine.commit(target("web", "down"));
    machine.setClock(byMs);
    expect(machine.running.get("web.1.1")!.signals).toEqual(["SIGTERM"]);
    machine.pass(700);
    expect(machine.running.get("web.1.1")!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  });

  test("back: restarts that happened later do not fill the window", () => {
    const machine = upAndReady({ web: { ...quick, maxRestarts: 1 } });
    machine.end("web.1.1", 1);
    machine.pass(100);
    machine.settle();
    machine.setClock(-86_400_000);
    machine.end("web.1.2", 1);
    expect(machine.states()).toEqual({ web: "backoff" });
  });
});

describe("what is told", () => {
  test("a new run of an instance that stays ready, and each OS process", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.core.renew("web", "asked");
    machine.told.length = 0;
    machine.settle();
    expect(machine.told).toContain("web ready web.1.2 102");
  });

  test("a state that a new daemon finds, though it be that of the beginning", () => {
    const machine = upAndReady({ once: { ...quick, restart: "temporary" } });
    machine.running.clear();
    machine.told.length = 0;
    machine.killDaemon([machine.foundEnded("once.1.1", 0)]);
    expect(machine.told).toEqual(["once stopped - -"]);
  });

  test("that nothing of a removed service is left", () => {
    const machine = upAndReady({ web: quick });
    machine.commit({ type: "removed", at: 0, service: "web" });
    machine.settle();
    expect(machine.told.at(-1)).toBe("web gone");
  });
});

describe("dependencies that end", () => {
  test("what has no instance is not there", () => {
    const machine = new Machine();
    machine.up({ db: { ...quick, instances: 0 }, web: { ...quick, ...on("db") } });
    expect(machine.reason("web")).toBe("waits for db, which has no instance");
  });

  const services = (onEnd: DependencyEndPolicy): Services => ({ web: { ...quick, ...on("db", onEnd) }, db: quick });

  test("ignore: the dependent goes on", () => {
    const machine = upAndReady(services("ignore"));
    machine.end("db.1.1", 1);
    expect(machine.stopping()).toEqual([]);
  });

  test("stop: the dependent stops at once and starts when the dependency is ready again", () => {
    const machine = upAndReady(services("stop"));
    machine.end("db.1.1", 1);
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    expect(machine.states()["web"]).toBe("waiting");
    machine.pass(100);
    machine.settle();
    expect(machine.states()).toEqual({ db: "ready", web: "ready" });
  });

  test("restart: the dependent goes on and is started again when the dependency is back", () => {
    const machine = upAndReady(services("restart"));
    machine.end("db.1.1", 1);
    expect(machine.stopping()).toEqual([]);
    machine.pass(100);
    machine.settle();
    expect(machine.states()).toEqual({ db: "ready", web: "ready" });
    expect(machine.startedEver).toEqual(["db.1.1", "web.1.1", "db.1.2", "web.1.2"]);
  });
});

describe("renewal", () => {
  test("instances are replaced one after the other, each when the one before is ready", () => {
    const machine = upAndReady({ web: { ...quick, instances: 3 } });
    machine.core.renew("web", "asked");
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    machine.runAsked();
    expect(machine.stopping()).toEqual([]);
    machine.passChecks();
    expect(machine.stopping()).toEqual(["web.2.1"]);
    machine.settle();
    expect([...machine.running.keys()]).toEqual(["web.1.2", "web.2.2", "web.3.2"]);
  });

  test("with a shared socket the new run is ready before the old one is told to end", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.core.renew("web", "asked");
    machine.runAsked();
    expect(machine.stopping()).toEqual([]);
    machine.passChecks();
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.settle();
    expect([...machine.running.keys()]).toEqual(["web.1.2"]);
    expect(machine.states()).toEqual({ web: "ready" });
  });

  test("a new version that does not become ready is rolled back: the old run goes on", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.up({ web: { ...quick, run: { kind: "command", command: ["false"] }, listenPort: 80 } });
    machine.runAsked();
    machine.core.notReady("web.1.2", "it said nothing");
    machine.end("web.1.2", 0);
    machine.pass(60_000);

    expect([...machine.running.keys()]).toEqual(["web.1.1"]);
    expect(machine.asked).toEqual([]);
    expect(machine.reason("web")).toBe("the older version goes on; the new one did not become ready: it said nothing");
  });

  test("a successor that colos could not start is tried again a while later", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.core.renew("web", "asked");
    for (let count = 0; count < 3; count++) {
      machine.core.startFailed(machine.asked.pop()!, new RunStartError("no file descriptors", "EMFILE", true));
      expect(machine.asked).toEqual([]);
      machine.pass(ownTroubleRetryMaxMs);
    }
    machine.settle();
    expect([...machine.running.keys()]).toEqual(["web.1.5"]);
  });

  test("a readiness check that speaks too late ends nothing", () => {
    const machine = upAndReady({ web: quick });
    machine.core.notReady("web.1.1", "it said nothing");
    expect(machine.stopping()).toEqual([]);
  });

  test("an instance that is added again begins anew", () => {
    const exhausted = { policy: "failed", retryEveryMs: 1 } as const;
    const machine = upAndReady({ web: { ...quick, instances: 2, maxRestarts: 0, exhausted } });
    machine.end("web.2.1", 1);
    expect(machine.states()).toEqual({ web: "ready", "web.2": "failed" });
    for (const instances of [1, 2]) machine.commit({ type: "scaled", at: 0, service: "web", instances });
    expect(machine.asked).toEqual(["web.2.2"]);
  });

  test("an instance that makes room is there until it has ended", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.core.renew("web", "asked");
    machine.runAsked();
    machine.passChecks();
    machine.commit({ type: "scaled", at: 0, service: "web", instances: 0 });
    machine.end("web.1.2", 0);
    expect(machine.states()).toEqual({ web: "stopping" });
  });

  test("the same config twice changes nothing", () => {
    const machine = upAndReady({ web: { ...quick, instances: 2 }, db: quick });
    machine.up({ web: { ...quick, instances: 2 }, db: quick });
    expect([machine.asked, machine.stopping()]).toEqual([[], []]);
  });

  test("a change that a running instance does not need is only noted", () => {
    const machine = upAndReady({ web: quick });
    machine.up({ web: { ...quick, maxRestarts: 9 } });
    expect([machine.asked, machine.stopping()]).toEqual([[], []]);
  });
});

describe("jobs", () => {
  const job = (overlap: SchedulePlan["overlap"]): Services => ({
    job: { restart: "temporary", schedule: { when: { kind: "every", everyMs: 60_000 }, overlap, missed: "skip" } },
  });

  test("a job rests until its time, runs, and rests again", () => {
    const machine = new Machine();
    machine.up(job("skip"));
    expect(machine.states()).toEqual({ job: "scheduled" });
    machine.pass(60_000);
    machine.settle();
    machine.end("job.1.1", 0);
    expect(machine.states()).toEqual({ job: "scheduled" });
    machine.pass(60_000);
    expect(machine.asked).toEqual(["job.1.2"]);
  });

  test.each([
    ["skip", ["job.1.1"]],
    ["queue", ["job.1.1", "job.1.2"]],
    ["replace", ["job.1.1", "job.1.2"]],
  ] as const)("overlap %s", (overlap, expected) => {
    const machine = new Machine();
    machine.up(job(overlap));
    machine.pass(60_000);
    machine.settle();
    machine.pass(60_000);
    expect(machine.stopping()).toEqual(overlap === "replace" ? ["job.1.1"] : []);
    machine.end("job.1.1", 0);
    machine.settle();
    expect(machine.startedEver).toEqual(expected);
  });
});

describe("the death of the daemon", () => {
  test("what was to be started again is, also when the journal does not know that its end was asked for", () => {
    const machine = upAndReady({ once: { ...quick, restart: "temporary" } });
    machine.commit({ type: "renewed", at: machine.nowMs, service: "once", why: "somebody asked for it" });
    expect(machine.stopping()).toEqual(["once.1.1"]);
    machine.running.delete("once.1.1");
    machine.killDaemonBefore("stopping", [machine.foundEnded("once.1.1", 143)]);

    expect(machine.asked).toEqual(["once.1.2"]);
  });

  test("a job that began and of whose time the journal does not know is not run for that time again", () => {
    const machine = new Machine();
    machine.up({
      job: {
        restart: "temporary",
        schedule: { when: { kind: "every", everyMs: 60_000 }, overlap: "queue", missed: "skip" },
      },
    });
    machine.pass(60_000);
    machine.runAsked();
    machine.killDaemonBefore("fired");
    machine.settle();
    machine.end("job.1.1", 0);
    machine.settle();
    expect(machine.startedEver).toEqual(["job.1.1"]);

    machine.pass(60_000);
    expect(machine.asked).toEqual(["job.1.2"]);
  });

  test("nothing is decided before it is known what runs", () => {
    const machine = upAndReady({ web: quick });
    machine.core = new Core(machine.core.record, machine);
    machine.core.commit([{ type: "daemon", at: 0, version: "2", osPid: 1 }]);
    expect(machine.asked).toEqual([]);
  });

  test("a successor that never began because the daemon died is tried again", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.up({ web: { ...quick, run: { kind: "command", command: ["false"] }, listenPort: 80 } });
    expect(machine.asked).toEqual(["web.1.2"]);
    machine.killDaemon([machine.foundEnded("web.1.2", null, true)]);

    expect(machine.asked).toEqual(["web.1.3"]);
    machine.settle();
    expect([...machine.running.keys()]).toEqual(["web.1.3"]);
  });

  test("a successor that was ready when the daemon died takes over", () => {
    const machine = upAndReady({ web: { ...quick, listenPort: 80 } });
    machine.core.renew("web", "asked");
    machine.runAsked();
    machine.passChecks();
    machine.running.get("web.1.1")!.signals.length = 0;
    machine.killDaemonBefore("stopping");

    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.settle();
    expect([...machine.running.keys()]).toEqual(["web.1.2"]);
    expect(machine.states()).toEqual({ web: "ready" });
  });

  test("what is being stopped gets its stop signal once, however many daemons see to it", () => {
    const machine = upAndReady({ web: quick });
    machine.commit({ type: "target", at: machine.nowMs, service: "web", target: "down" });
    const { signals } = machine.running.get("web.1.1")!;
    machine.killDaemon();
    expect(signals).toEqual(["SIGTERM"]);

    machine.pass(1_000_000);
    expect(signals).toEqual(["SIGTERM", "SIGKILL"]);
  });

  test("a stop signal of which the journal does not know is given again", () => {
    const machine = upAndReady({ web: quick });
    machine.commit({ type: "target", at: machine.nowMs, service: "web", target: "down" });
    machine.killDaemonBefore("told");

    expect(machine.running.get("web.1.1")!.signals).toEqual(["SIGTERM", "SIGTERM"]);
  });

  test("dependents of what a new daemon has not looked at yet go on", () => {
    const live: ServicePlan["live"] = {
      probe: { kind: "exec", command: ["true"], timeoutMs: 100 },
      everyMs: 1000,
      failuresMax: 1,
    };
    const dependsOn = [{ name: "db", condition: "healthy", onEnd: "stop" } as const];
    const machine = new Machine();
    machine.up({ db: { ...quick, live }, web: { ...quick, dependsOn } });
    machine.settle();
    machine.core.healthy("db.1.1");
    machine.settle();
    machine.killDaemon();
    expect(machine.stopping()).toEqual([]);

    machine.core.unhealthy("db.1.1", "it does not answer");
    expect(machine.stopping()).toEqual(["db.1.1", "web.1.1"]);
  });

  test("of ends that no daemon has seen, the newest run's decides what follows", () => {
    const machine = upAndReady({ once: { ...quick, restart: "temporary" } });
    machine.killDaemon([machine.foundEnded("once.1.2", 1), machine.foundEnded("once.1.3", 0)]);
    expect(machine.states()).toEqual({ once: "ready" });
    machine.running.delete("once.1.1");
    machine.killDaemon([machine.foundEnded("once.1.1", 1), machine.found("once.1.9")]);
    expect(machine.states()).toEqual({ once: "starting" });
    expect(machine.stopping()).toEqual([]);
  });

  test("an end that was known long ago changes nothing", () => {
    const machine = upAndReady({ web: { ...quick, maxRestarts: 100 } });
    for (let count = 0; count < 30; count++) {
      machine.end(machine.startedEver.at(-1)!, 1);
      machine.pass(60_000);
      machine.settle();
    }
    const before = machine.entries.length;
    machine.killDaemon([machine.foundEnded("web.1.2", 1)]);
    expect(machine.entries.length).toBe(before);
    expect(machine.forgotten.at(-1)).toBe("web.1.2");
  });

  test("a run of which nothing is found is started again and did not fail", () => {
    const machine = upAndReady({ once: { ...quick, restart: "temporary" } });
    machine.running.clear();
    machine.killDaemon();
    expect(machine.asked).toEqual(["once.1.2"]);
  });

  test("an ended window is remembered", () => {
    const machine = upAndReady({ web: { ...quick, maxRestarts: 2 } });
    for (let count = 0; count < 3; count++) {
      machine.end(machine.startedEver.at(-1)!, 1);
      machine.killDaemon();
      if (count < 2) machine.pass(1000);
      machine.settle();
    }
    expect(machine.states()).toEqual({ web: "degraded" });
  });

  test("at any moment, whatever happens: nothing runs twice, nothing is lost, and all that is wanted is ready in the end", () => {
    const services = {
      db: { ...quick, instances: 2, standby: true as const },
      web: { ...quick, listenPort: 80, instances: 2, standby: true as const, ...on("db", "stop") },
      job: { ...quick, ...on("web", "restart") },
    };
    const action = fc.oneof(
      fc.constant({ type: "run" } as const),
      fc.constant({ type: "ready" } as const),
      fc.constant({ type: "turns" } as const),
      fc.constant({ type: "killDaemon" } as const),
      fc.record({ type: fc.constant("end" as const), which: fc.nat(), code: fc.constantFrom(0, 1) }),
      fc.record({ type: fc.constant("notReady" as const), which: fc.nat() }),
      fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(50, 1_000, 40_000) }),
      fc.record({
        type: fc.constant("target" as const),
        service: fc.constantFrom("db", "web", "job"),
        to: fc.constantFrom("up" as const, "down" as const),
      }),
      fc.record({ type: fc.constant("renew" as const), service: fc.constantFrom("db", "web", "job") }),
      fc.record({ type: fc.constant("scale" as const), instances: fc.integer({ min: 0, max: 4 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const machine = new Machine();
        machine.up(services);
        for (const each of actions) {
          const ids = [...machine.running.keys()];
          const at = "which" in each && ids.length > 0 ? ids[each.which % ids.length] : undefined;
          if (each.type === "run") machine.runAsked();
          if (each.type === "ready") machine.passChecks();
          if (each.type === "turns") machine.tellTurns();
          if (each.type === "killDaemon") machine.killDaemon();
          if (each.type === "end" && at !== undefined) machine.end(at, each.code);
          if (each.type === "notReady" && at !== undefined) machine.core.notReady(at, "late");
          if (each.type === "pass") machine.pass(each.ms);
          if (each.type === "target") machine.commit(target(each.service, each.to));
          if (each.type === "renew") machine.core.renew(each.service, "asked");
          if (each.type === "scale")
            machine.commit({ type: "scaled", at: 0, service: "web", instances: each.instances });
          expect(machine.overlooked()).toEqual([]);
          expect(new Set(machine.startedEver).size).toBe(machine.startedEver.length);
          for (const name of new Set(ids.map((id) => id.replace(/\.\d+$/, "")))) {
            const others = [...machine.running].flatMap(([id, { signals }]) =>
              id.startsWith(`${name}.`) && signals.length === 0 ? [machine.waiting.has(id)] : [],
            );
            expect(others.filter((waits) => waits).length).toBeLessThanOrEqual(1);
            expect(others.filter((waits) => !waits).length).toBeLessThanOrEqual(name.startsWith("web") ? 2 : 1);
          }
        }
        for (const name of ["db", "web", "job"]) machine.commit(target(name, "up"));
        machine.commit({ type: "scaled", at: 0, service: "web", instances: 2 });
        for (let round = 0; round < 20; round++) {
          machine.settle();
          machine.pass(70_000);
        }
        expect(new Set(Object.values(machine.states()))).toEqual(new Set(["ready"]));
        machine.commit({ type: "down", at: machine.now() });
        machine.settle();
        expect(machine.core.isIdle).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("the record is what its snapshot says", () => {
    const machine = upAndReady({ web: { ...quick, instances: 2 }, db: quick });
    machine.end("web.1.1", 3);
    machine.pass(200);
    const again = snapshotOf(machine.core.record).reduce(
      (state: SystemRecord, entry) => fold(state, throughJson(entry)),
      emptyRecord(),
    );
    expect(again).toEqual(machine.core.record);
  });
});
