import { describe, expect, test } from "vitest";
import { Machine, upAndReady } from "../../../test/fake-machine.ts";
import type { ServicePlan } from "../../control/config.ts";
import { RunStartError, type RunId } from "../run/run.ts";
import { ownTroubleRetryMaxMs } from "./core-host.ts";
import type { Entry } from "./entry.ts";
import { standbyPatienceMs } from "./run-stop.ts";
import { standbyDelayMinMs } from "./standby.ts";

const plan: Partial<ServicePlan> = { standby: true };
const other: Partial<ServicePlan> = { ...plan, run: { kind: "command", command: ["false"] } };

/** `web.1.1` is ready, and `web.1.2` stands by. */
function standingBy(more: Partial<ServicePlan> = {}): Machine {
  return upAndReady({ web: { ...plan, ...more } });
}

const live = (machine: Machine): { current: RunId | undefined; standby: RunId | undefined } => {
  const [instance] = machine.core.live(machine.core.record.services.get("web")!);
  return { current: instance?.current?.id, standby: instance?.standby?.id };
};
const record = (machine: Machine): { runs: RunId[]; restartsCount: number } => {
  const { runs, restartsCount } = machine.core.record.services.get("web")!.instances.get(1)!;
  return { runs: runs.map(({ id }) => id), restartsCount };
};

describe("a standby", () => {
  test("is started when the instance is ready, and is no run of it", () => {
    const machine = new Machine();
    machine.up({ web: plan });
    machine.runAsked();
    expect(machine.asked).toEqual([]);

    machine.passChecks();
    machine.runAsked();
    expect(machine.checked).toEqual([]);
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.2" });
    expect(record(machine)).toEqual({ runs: ["web.1.1"], restartsCount: 0 });
    expect(machine.states()).toEqual({ web: "ready" });
  });

  test("is there once for each instance, and not for a service that does not say so", () => {
    const machine = upAndReady({ web: { ...plan, instances: 2 }, db: {} });
    expect([...machine.running.keys()].toSorted()).toEqual(["db.1.1", "web.1.1", "web.1.2", "web.2.1", "web.2.2"]);
  });

  test("takes over when the instance ends by itself, and another stands by", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    expect(machine.asked).toEqual([]);
    expect(machine.promoting).toEqual(["web.1.2"]);

    machine.nowMs += 5;
    machine.tellTurns();
    expect(machine.checked).toEqual(["web.1.2"]);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.2", standby: "web.1.3" });
    expect(record(machine)).toEqual({ runs: ["web.1.2", "web.1.1"], restartsCount: 1 });
  });

  test("begins to be up when it takes over, and counts as started after what it depends on", () => {
    const machine = upAndReady({
      db: {},
      web: { ...plan, dependsOn: [{ name: "db", condition: "ready", onEnd: "restart" }] },
    });
    machine.core.renew("db", "asked");
    machine.settle();
    machine.end(live(machine).current!, 1);
    machine.pass(500);
    machine.settle();

    const current = machine.core.record.services.get("web")!.instances.get(1)!.runs[0]!;
    expect(current.dependencies).toEqual({ db: 2 });
    expect(machine.stopping()).toEqual([]);
  });

  test("that is being started when its turn comes is waited for", () => {
    const machine = new Machine();
    machine.up({ web: plan });
    machine.runAsked();
    machine.passChecks();
    machine.end("web.1.1", 1);
    expect(machine.asked).toEqual(["web.1.2"]);

    machine.runAsked();
    expect(machine.promoting).toEqual(["web.1.2"]);
  });

  test("that could not be started when its turn comes is done without", () => {
    const machine = new Machine();
    machine.up({ web: plan });
    machine.runAsked();
    machine.passChecks();
    machine.end("web.1.1", 1);
    machine.asked.length = 0;
    machine.core.startFailed("web.1.2", new RunStartError("no more file descriptors", "EMFILE", true));

    expect(machine.asked).toEqual(["web.1.3"]);
  });

  test("waits out the delay, and takes over then", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    machine.settle();
    machine.end("web.1.2", 1);
    expect(machine.states()).toEqual({ web: "backoff" });
    expect(machine.promoting).toEqual([]);

    machine.pass(100);
    expect(machine.promoting).toEqual(["web.1.3"]);
  });

  test("changes nothing of how often and how fast the service is restarted", () => {
    const endings = (more: Partial<ServicePlan>): readonly unknown[] => {
      const machine = upAndReady({ web: { ...more, maxRestarts: 3 } });
      return Array.from({ length: 6 }, () => {
        machine.end(live(machine).current!, 1);
        const state = machine.states()["web"];
        const delayMs = state === "starting" ? 0 : machine.wakeDue! - machine.nowMs;
        machine.pass(delayMs);
        machine.settle();
        return [state, delayMs, record(machine).restartsCount];
      });
    };
    expect(endings(plan)).toEqual(endings({}));
    expect(endings(plan).at(-1)).toEqual(["degraded", 60_000, 6]);
  });
});

describe("a standby that is not needed", () => {
  const ended: readonly (readonly [string, (machine: Machine) => void])[] = [
    ["is stopped", (machine) => machine.commit({ type: "target", at: 0, service: "web", target: "down" })],
    ["is removed", (machine) => machine.up({ db: {} })],
    ["ends with the system", (machine) => machine.commit({ type: "down", at: 0 })],
  ];
  test.each(ended)("ends with its service when that %s", (_, act) => {
    const machine = standingBy();
    act(machine);
    expect(machine.stopping().toSorted()).toEqual(["web.1.1", "web.1.2"]);
    machine.end("web.1.1", 0);
    expect(machine.core.isIdle).toBe(false);

    machine.end("web.1.2", 0);
    expect(machine.running.size).toBe(0);
    expect(machine.promoting).toEqual([]);
  });

  test("ends with the instances that are too many", () => {
    const machine = upAndReady({ web: { ...plan, instances: 2 } });
    machine.commit({ type: "scaled", at: 0, service: "web", instances: 1 });
    expect(machine.stopping().toSorted()).toEqual(["web.2.1", "web.2.2"]);
  });

  test("ends when the config does not want one any more, and the instance goes on", () => {
    const machine = standingBy();
    machine.up({ web: {} });
    expect(machine.stopping()).toEqual(["web.1.2"]);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.1", standby: undefined });
  });

  test("is replaced when how a run says that it is ready is another, and the instance goes on", () => {
    const machine = standingBy();
    machine.up({ web: { ...plan, ready: { kind: "fd", fd: 5, timeoutMs: 1000 } } });
    expect(machine.stopping()).toEqual(["web.1.2"]);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.3" });
    machine.end("web.1.1", 1);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.3", standby: "web.1.4" });
  });

  test("is replaced after a reload with overlap, once the old run is gone", () => {
    const machine = standingBy({ listenPort: 80 });
    machine.core.renew("web", "asked");
    machine.runAsked();
    machine.passChecks();
    expect(machine.stopping().toSorted()).toEqual(["web.1.1", "web.1.2"]);
    machine.end("web.1.2", 0);
    expect(machine.asked).toEqual([]);

    machine.end("web.1.1", 0);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.3", standby: "web.1.4" });
  });

  test("is killed when it does not end, also of a service that may take for ever", () => {
    const machine = standingBy({ shutdown: "infinity" });
    machine.up({ web: { shutdown: "infinity" } });
    machine.pass(standbyPatienceMs - 1);
    expect(machine.running.get("web.1.2")!.signals).toEqual(["SIGTERM"]);
    machine.pass(1);
    expect(machine.running.get("web.1.2")!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  });
});

describe("a new start that is asked for", () => {
  const asks: readonly (readonly [string, (machine: Machine) => void])[] = [
    ["by somebody, or because a file has changed", (machine) => machine.core.renew("web", "asked")],
    ["by another plan", (machine) => machine.up({ web: other })],
  ];
  test.each(asks)("%s ends the run once a new standby waits, which takes over", (_, ask) => {
    const machine = standingBy();
    ask(machine);
    expect(machine.stopping()).toEqual(["web.1.2"]);
    expect(machine.asked).toEqual([]);
    machine.end("web.1.2", 0);
    expect(machine.asked).toEqual(["web.1.3"]);
    expect(machine.stopping()).toEqual([]);

    machine.runAsked();
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    expect(machine.asked).toEqual([]);
    expect(machine.promoting).toEqual(["web.1.3"]);

    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.3", standby: "web.1.4" });
    expect(record(machine)).toEqual({ runs: ["web.1.3", "web.1.1"], restartsCount: 0 });
  });

  test("does without a standby that cannot be started now", () => {
    const machine = standingBy();
    machine.core.renew("web", "asked");
    machine.end("web.1.2", 0);
    machine.asked.length = 0;
    machine.core.startFailed("web.1.3", new RunStartError("no more OS processes", "EAGAIN", true));
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.end("web.1.1", 0);
    expect(machine.asked).toEqual(["web.1.4"]);
  });

  test("does without a standby that ends at once", () => {
    const machine = standingBy();
    machine.up({ web: other });
    machine.end("web.1.2", 0);
    machine.runAsked();
    machine.end("web.1.3", 1);
    machine.end("web.1.1", 0);
    expect(machine.asked).toEqual(["web.1.4"]);
  });

  test("again meanwhile is not answered by a standby from before", () => {
    const machine = standingBy();
    machine.core.renew("web", "asked");
    machine.end("web.1.2", 0);
    machine.runAsked();
    machine.core.renew("web", "asked again");
    machine.end("web.1.1", 0);
    expect(machine.promoting).toEqual([]);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.4", standby: "web.1.5" });
  });

  test("is not kept waiting by a service that may take its time, as its standby may not", () => {
    const machine = standingBy({ shutdown: 3_600_000 });
    machine.core.renew("web", "asked");
    machine.pass(standbyPatienceMs);
    expect(machine.running.get("web.1.2")!.signals).toEqual(["SIGTERM", "SIGKILL"]);
    expect(machine.running.get("web.1.1")!.signals).toEqual([]);
  });

  test("is one instance after the other", () => {
    const machine = upAndReady({ web: { ...plan, instances: 2 } });
    machine.core.renew("web", "asked");
    expect(machine.stopping().toSorted()).toEqual(["web.1.2", "web.2.2"]);
    machine.end("web.1.2", 0);
    machine.end("web.2.2", 0);
    machine.runAsked();
    expect(machine.stopping()).toEqual(["web.1.1"]);
    machine.settle();
    expect([...machine.running.keys()].toSorted()).toEqual(["web.1.3", "web.1.4", "web.2.3", "web.2.4"]);
  });

  test("is gone on with by the next daemon, whenever this one is killed", () => {
    const steps: readonly ((machine: Machine) => void)[] = [
      (machine) => machine.core.renew("web", "asked"),
      (machine) => machine.end("web.1.2", 0),
      (machine) => machine.runAsked(),
      (machine) => machine.end("web.1.1", 0),
      (machine) => machine.tellTurns(),
    ];
    for (let count = 1; count <= steps.length; count += 1) {
      const machine = standingBy();
      for (const step of steps.slice(0, count)) step(machine);
      machine.killDaemon();
      machine.settle();
      const { current, standby } = live(machine);
      expect([...machine.running.keys()]).toEqual([current, standby]);
      expect(current).not.toBe("web.1.1");
      expect(record(machine).restartsCount).toBe(0);
      expect(machine.overlooked()).toEqual([]);
    }
  });
});

describe("a standby that ends before its turn", () => {
  test("is followed by another after a delay that grows, and the service does not notice", () => {
    const machine = standingBy({ maxRestarts: 3 });
    const delays: number[] = [];
    for (let count = 0; count < 5; count++) {
      machine.end(live(machine).standby!, 1);
      delays.push(machine.wakeDue! - machine.nowMs);
      expect(machine.asked).toEqual([]);
      machine.pass(machine.wakeDue! - machine.nowMs);
      machine.settle();
    }
    expect(delays.slice(0, 3)).toEqual([standbyDelayMinMs, standbyDelayMinMs, standbyDelayMinMs]);
    expect(delays.slice(3)).toEqual([60_000, 60_000]);
    expect(machine.states()).toEqual({ web: "ready" });
    expect(record(machine)).toEqual({ runs: ["web.1.1"], restartsCount: 0 });
    expect([...machine.exhaustedBy, ...machine.crashes]).toEqual([]);
    expect(machine.core.live(machine.core.record.services.get("web")!)[0]!.standbyEnd).toBe("exit code 1");
    expect(machine.core.record.notes.map(({ sentence }) => sentence)).toEqual([
      "a standby of web ended before its turn: exit code 1; another is started in 1 s",
    ]);
  });

  test("does not keep the instance from being started again", () => {
    const machine = standingBy();
    machine.end("web.1.2", 1);
    machine.end("web.1.1", 1);
    expect(machine.asked).toEqual(["web.1.3"]);
  });

  test("is nobody's failure when colos itself was short of something", () => {
    const machine = new Machine();
    machine.up({ web: plan });
    machine.runAsked();
    machine.passChecks();
    machine.asked.length = 0;
    for (let count = 0; count < 20; count++) {
      machine.core.startFailed(live(machine).standby!, new RunStartError("no more OS processes", "EAGAIN", true));
      expect(machine.asked).toEqual([]);
      machine.pass(ownTroubleRetryMaxMs);
      machine.asked.length = 0;
    }
    expect(machine.core.record.notes).toEqual([]);
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.22" });
  });

  test("because it exceeds a limit is told to end, and followed by another", () => {
    const machine = standingBy();
    machine.core.unhealthy("web.1.2", "it uses more memory than it may");
    expect(machine.stopping()).toEqual(["web.1.2"]);
    machine.settle();
    machine.pass(standbyDelayMinMs);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.3" });
    expect(machine.core.record.notes[0]!.sentence).toContain("it uses more memory than it may");
  });
});

describe("a daemon that is killed", () => {
  /** The journal without what came since the last entry of this type, and the disk as it is. */
  function killBefore(machine: Machine, type: Entry["type"], ended: readonly RunId[] = []): void {
    machine.killDaemonBefore(
      type,
      ended.map((id) => machine.foundEnded(id, 1)),
    );
  }
  /** In the end one run, which was told once or more, one that stands by, and one restart. */
  function isRestored(machine: Machine): void {
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.2", standby: "web.1.3" });
    expect([...machine.running.keys()]).toEqual(["web.1.2", "web.1.3"]);
    expect(record(machine)).toEqual({ runs: ["web.1.2", "web.1.1"], restartsCount: 1 });
    expect(machine.states()).toEqual({ web: "ready" });
  }

  test("while one stands by is followed by one that knows it", () => {
    const machine = standingBy();
    machine.killDaemon();
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.2" });
    expect(machine.asked).toEqual([]);
    machine.end("web.1.1", 1);
    isRestored(machine);
  });

  test("before the journal knows that one was started is followed by one that finds it", () => {
    const machine = standingBy();
    killBefore(machine, "begun");
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.2" });
    machine.end("web.1.1", 1);
    isRestored(machine);
  });

  test("when the instance has ended, which the journal does not know, is followed by one that lets the turn come", () => {
    const machine = standingBy();
    machine.running.delete("web.1.1");
    machine.killDaemon([machine.foundEnded("web.1.1", 1)]);
    expect(machine.promoting).toEqual(["web.1.2"]);
    isRestored(machine);
  });

  test("when the journal has the end, but neither it nor the disk that the turn has come", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    killBefore(machine, "promoted");
    expect(machine.promoting).toEqual(["web.1.2"]);
    isRestored(machine);
  });

  test("when the journal says that the turn has come, and the disk does not", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    machine.killDaemon();
    expect(live(machine)).toEqual({ current: "web.1.2", standby: undefined });
    expect(machine.promoting).toEqual(["web.1.2"]);
    isRestored(machine);
  });

  test("when the disk says that the turn has come, and the journal does not", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    machine.tellTurns();
    const turnAt = machine.now();
    machine.pass(1000);
    killBefore(machine, "promoted");
    expect(machine.promoting).toEqual([]);
    expect(machine.checked).toEqual(["web.1.2"]);
    // Else the line with which it says that it is ready would come too early to be looked at.
    expect(machine.core.live(machine.core.record.services.get("web")!)[0]?.current?.startedAt).toBeLessThanOrEqual(
      turnAt,
    );
    isRestored(machine);
  });

  test("when the disk says that the turn has come, and the journal not even that the instance has ended", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    machine.tellTurns();
    killBefore(machine, "ended", ["web.1.1"]);
    expect(live(machine)).toEqual({ current: "web.1.2", standby: undefined });
    expect(machine.promoting).toEqual([]);
    isRestored(machine);
  });

  test("when both say it, and it was not ready", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    machine.tellTurns();
    machine.killDaemon();
    expect(machine.promoting).toEqual([]);
    expect(machine.checked).toEqual(["web.1.2"]);
    isRestored(machine);
  });

  test("and what it had let take over ended unseen: the restart counts", () => {
    const machine = standingBy();
    machine.end("web.1.1", 1);
    machine.tellTurns();
    machine.running.delete("web.1.2");
    killBefore(machine, "promoted", ["web.1.2"]);
    machine.pass(1000);
    machine.settle();
    expect(record(machine)).toEqual({ runs: ["web.1.3", "web.1.2", "web.1.1"], restartsCount: 2 });
  });

  test("and the standby ended unseen: nothing counts, and another is started", () => {
    const machine = standingBy();
    machine.running.delete("web.1.2");
    machine.killDaemon([{ ...machine.foundEnded("web.1.2", 1), isStandby: true }]);
    machine.pass(standbyDelayMinMs);
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.1", standby: "web.1.3" });
    expect(record(machine).restartsCount).toBe(0);
  });

  test("and the machine was restarted: all begins anew", () => {
    const machine = standingBy();
    machine.running.clear();
    machine.killDaemon();
    machine.settle();
    expect(live(machine)).toEqual({ current: "web.1.3", standby: "web.1.4" });
    expect(record(machine).restartsCount).toBe(0);
  });
});
