import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { basePlan } from "../../../test/base-plan.ts";
import { FakeClock } from "../../../test/fake-cli-host.ts";
import { FakeJournal, FakeRuns } from "../../../test/fake-runs.ts";
import { freePort } from "../../../test/system/free-port.ts";
import { turn } from "../../../test/system/turn.ts";
import { homeAt } from "../home.ts";
import type { ServicePlan } from "../../control/config.ts";
import { Core } from "../core/core.ts";
import { ownTroubleRetryMaxMs, ownTroubleRetryMs } from "../core/core-host.ts";
import type { Entry } from "../core/entry.ts";
import { emptyRecord } from "../core/record.ts";
import { snapshotOf } from "../core/snapshot.ts";
import { EnvironmentError } from "../environment.ts";
import { JournalError } from "../journal/journal.ts";
import { entriesWaitingMax, journalRetryMs } from "./journal-writer.ts";
import { survivalMs } from "../check/readiness.ts";
import { watchRetryMs } from "./run-checks.ts";
import { RunHost } from "./run-host.ts";
import { RunStartError, type RecoveredRun } from "../run/run.ts";

const web = basePlan;

/** What a found run has passed. */
const ready = { kind: "fd", fd: 3, timeoutMs: 1000 } as const;

const applied = (plan: ServicePlan): Entry => ({ type: "applied", at: 0, source: "", env: {}, services: [plan] });
const note = (sentence: string): Entry => ({ type: "note", at: 0, sentence });

/** A host with a core, on a machine that does what the test says. */
function hosted() {
  const clock = new FakeClock();
  const journal = new FakeJournal();
  const logged: string[] = [];
  const failures: string[] = [];
  const environment: { answer: () => Promise<Record<string, string>> } = { answer: () => Promise.resolve({}) };
  const trouble: { recording: readonly string[]; shortage: string | undefined } = {
    recording: [],
    shortage: undefined,
  };
  let runs!: FakeRuns;
  const host = new RunHost({
    clock,
    journal,
    home: homeAt("/nowhere"),
    random: () => 0.5,
    openRuns: (listener) => (runs = new FakeRuns(listener)),
    environmentOf: () => environment.answer(),
    argvOf: () => Promise.resolve(["true"]),
    lastLineSince: () => Promise.resolve(undefined),
    failed: ({ event, plan }) => void failures.push(`${plan.name} ${event}`),
    log: (_level, message) => void logged.push(message),
    settled: () => {},
    changed: () => {},
    gone: () => {},
    recordingTroubles: () => trouble.recording,
    shortage: () => trouble.shortage,
  });
  const core = new Core(emptyRecord(), host);
  const state = (): string | undefined => core.live(core.record.services.get("web")!)[0]?.state;
  return { clock, journal, logged, failures, environment, trouble, runs, host, core, state };
}

/** A service, and one that is not started again and ends with it; both run. */
async function pair() {
  const made = hosted();
  const dependsOn = [{ name: "db", condition: "ready", onEnd: "stop" } as const];
  const services: ServicePlan[] = [
    { ...web, name: "db", ready },
    { ...web, name: "once", ready, restart: "temporary", dependsOn },
  ];
  await made.host.recover(made.core);
  await made.host.commit([{ type: "applied", at: 0, source: "", env: {}, services }]);
  for (const id of ["db.1.1", "once.1.1"]) {
    await settle();
    made.runs.listener.ready(id);
  }
  await settle();
  expect(made.runs.started).toEqual(["db.1.1", "once.1.1"]);
  return made;
}

/** Returns how the write that waits is let through. */
function holdWrites(journal: ReturnType<typeof hosted>["journal"]): () => void {
  let write = (): void => {};
  journal.hold = (proceed) => void (write = proceed);
  return () => write();
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

const running: RecoveredRun = {
  id: "web.1.1",
  service: "web",
  instance: 1,
  startedAt: 0,
  state: "running",
  identity: { osPid: 7, startTicks: 1, bootId: "boot" },
  isReady: true,
};

describe("run host: the journal", () => {
  test("what a disk did not take for a while is there afterwards, all of it and in order", async () => {
    const { host, journal, clock, logged } = hosted();
    journal.trouble = new Error("ENOSPC");
    for (const sentence of ["one", "two"]) host.keep(note(sentence));
    const flushed = host.flushed();
    await settle();
    clock.advance(journalRetryMs);
    await settle();
    host.keep(note("three"));
    journal.trouble = undefined;
    clock.advance(journalRetryMs);
    expect(await flushed).toBe(true);
    expect(journal.entries).toEqual([note("one"), note("two"), note("three")]);
    expect(logged).toHaveLength(2);
  });

  test("no more wait for the disk than the limit", async () => {
    const { host, journal, clock } = hosted();
    journal.trouble = new Error("ENOSPC");
    for (let count = 0; count <= entriesWaitingMax; count++) host.keep(note(String(count)));
    await settle();
    journal.trouble = undefined;
    clock.advance(journalRetryMs);
    await host.flushed();
    expect(journal.entries.length).toBe(entriesWaitingMax);
  });

  test("tries that colos was too short of something for are one waiting entry, which says what all of them said", async () => {
    const { host, journal, core, runs, clock } = hosted();
    await host.recover(core);
    runs.trouble = new RunStartError("no file descriptors", "EMFILE", true);
    await host.commit([applied(web)]);
    await settle();
    journal.trouble = new Error("ENOSPC");
    for (let count = 0; count < 50; count++) {
      clock.advance(ownTroubleRetryMaxMs);
      await settle();
    }
    const before = journal.entries.length;
    journal.trouble = undefined;
    clock.advance(journalRetryMs);
    await settle();

    expect(journal.entries.length - before).toBeLessThanOrEqual(3);
    expect(core.record.lastRuns.get("web.1")).toBeGreaterThan(40);
    expect(journal.state.lastRuns).toEqual(core.record.lastRuns);
    expect(journal.state.services).toEqual(core.record.services);
  });

  test("an operation takes along what waits, before itself", async () => {
    const { host, journal, core, runs } = hosted();
    await host.recover(core);
    journal.trouble = new Error("ENOSPC");
    host.keep(note("before"));
    await settle();
    journal.trouble = undefined;
    await host.commit([applied(web)]);
    expect(journal.entries.map(({ type }) => type).slice(0, 2)).toEqual(["note", "applied"]);
    await settle();
    expect(runs.started).toEqual(["web.1.1"]);
  });

  test("what waits is taken along by an operation, and then the journal is no trouble any more", async () => {
    const { host, journal } = hosted();
    journal.trouble = new Error("ENOSPC");
    host.keep(note("before"));
    await settle();
    expect(host.alarms.all).toHaveLength(1);
    journal.trouble = undefined;
    await host.commit([note("operation")]);
    expect(host.alarms.all).toEqual([]);
  });

  test("a run is told to end when the journal knows that it is to, and after that the journal knows that it was told", async () => {
    const { journal, runs } = await pair();
    const write = holdWrites(journal);
    runs.end("db.1.1", { code: 1 });
    await settle();
    expect(runs.signals).toEqual([]);
    write();
    await settle();
    expect(runs.signals).toEqual(["once.1.1 SIGTERM"]);
    const stopping = () => journal.state.services.get("once")?.instances.get(1)?.runs[0]?.stopping;
    expect(stopping()?.why).toBe("db has ended");
    expect(stopping()?.isTold).toBe(undefined);
    write();
    await settle();
    expect(stopping()?.isTold).toBe(true);
  });

  test("a run that is to end is told so as soon as the disk refuses, also what was being written before that was known", async () => {
    const { host, journal, runs } = await pair();
    const write = holdWrites(journal);
    host.keep(note("being written"));
    await settle();
    runs.end("db.1.1", { code: 1 });
    await settle();
    expect(runs.signals).toEqual([]);
    journal.trouble = new Error("ENOSPC");
    write();
    await settle();
    expect(runs.signals).toEqual(["once.1.1 SIGTERM"]);
  });

  test("an operation that is refused says nothing of whether the disk takes that a run is to end", async () => {
    const { host, journal, runs } = await pair();
    const write = holdWrites(journal);
    host.keep(note("being written"));
    await settle();
    runs.end("db.1.1", { code: 1 });
    const refused = host.commit([note("much too long")]).catch(() => "refused");
    write();
    await settle();
    journal.trouble = new JournalError("limit", "it is too long");
    write();
    expect(await refused).toBe("refused");
    await settle();
    expect(runs.signals).toEqual([]);
    journal.trouble = undefined;
    write();
    await settle();
    expect(runs.signals).toEqual(["once.1.1 SIGTERM"]);
  });

  test("who wants to hear of an end hears of it when the journal has it, so that the next daemon does not tell it again", async () => {
    const { journal, runs, failures } = await pair();
    const write = holdWrites(journal);
    runs.end("db.1.1", { code: 1 });
    await settle();
    expect(failures).toEqual([]);
    write();
    await settle();
    expect(
      journal.state.services
        .get("db")
        ?.instances.get(1)
        ?.runs.find(({ number }) => number === 1)?.end?.code,
    ).toBe(1);
    expect(failures).toEqual(["db crash"]);
  });

  test("a temporary service that ends because of its dependency is not done, though the daemon is killed at once", async () => {
    const { journal, runs } = await pair();
    runs.end("db.1.1", { code: 1 });
    while (runs.signals.length === 0) await Promise.resolve();
    const kept = structuredClone(journal.state);

    const next = hosted();
    next.core.commit(snapshotOf(kept));
    const end = { code: 0, signal: null, at: 0 };
    const found = { service: "once", instance: 1, startedAt: 0, state: "ended", end, isBlameless: false } as const;
    next.runs.found = [
      { ...found, id: "once.1.1" },
      { ...found, id: "db.1.1", service: "db", end: { ...end, code: 1 } },
    ];
    await next.host.recover(next.core);
    await settle();
    next.runs.listener.ready(next.runs.started.at(-1)!);
    await settle();
    const states = ["db", "once"].map((name) => next.core.live(next.core.record.services.get(name)!)[0]?.state);
    expect(states).toEqual(["ready", "starting"]);
  });

  test("a run is told to end though the disk takes nothing", async () => {
    const { journal, runs } = await pair();
    journal.trouble = new Error("ENOSPC");
    runs.end("db.1.1", { code: 1 });
    await settle();
    expect(runs.signals).toEqual(["once.1.1 SIGTERM"]);
  });

  test("files of a run are removed after its end stands in the journal", async () => {
    const { host, journal, core, runs, clock } = hosted();
    await host.recover(core);
    await host.commit([applied(web)]);
    await settle();
    journal.trouble = new Error("ENOSPC");
    runs.end("web.1.1", { code: 1 });
    await settle();
    expect(runs.forgotten).toEqual([]);
    journal.trouble = undefined;
    clock.advance(journalRetryMs);
    await settle();
    expect(runs.forgotten).toEqual(["web.1.1"]);
    expect(journal.entries.filter(({ type }) => type === "ended")).toHaveLength(1);
  });
});

describe("run host: recovery", () => {
  test("an end that comes before the core knows the run is told when it does", async () => {
    const { host, core, runs } = hosted();
    core.commit([applied(web)]);
    runs.found = [running];
    runs.listener.ended("web.1.1", { code: 4, signal: null, at: 0 });
    expect(runs.forgotten).toEqual([]);
    await host.recover(core);
    await settle();
    expect([runs.forgotten, runs.started]).toEqual([["web.1.1"], ["web.1.2"]]);
  });

  test("what has said that it is ready while no daemon lived is ready, and stays so", async () => {
    const { host, core, runs, clock, state } = hosted();
    core.commit([applied({ ...web, ready: { kind: "fd", fd: 3, timeoutMs: 10 } })]);
    runs.found = [running];
    await host.recover(core);
    await settle();
    expect(state()).toBe("ready");
    clock.advance(60_000);
    await settle();
    expect([state(), runs.signals]).toEqual(["ready", []]);
  });
});

describe("run host: checks", () => {
  test("what a check that was ended says later is not told", async () => {
    const { host, core, runs, state } = hosted();
    await host.recover(core);
    await host.commit([applied({ ...web, ready: { kind: "fd", fd: 3, timeoutMs: 60_000 } })]);
    await settle();
    await host.commit([{ type: "target", at: 0, service: "web", target: "down" }]);
    runs.listener.ready("web.1.1");
    await settle();
    expect(state()).toBe("stopping");
  });

  test("liveness checks that cannot begin are tried again, and nobody ends for it", async () => {
    const { host, core, runs, clock, environment, logged, state } = hosted();
    const live: ServicePlan["live"] = {
      probe: { kind: "exec", command: ["true"], timeoutMs: 1000 },
      everyMs: 1000,
      failuresMax: 1,
    };
    core.commit([applied({ ...web, live, ready })]);
    runs.found = [running];
    environment.answer = () => Promise.reject(new Error("the env file is gone"));
    await host.recover(core);
    await settle();
    expect(state()).toBe("ready");
    clock.advance(watchRetryMs);
    await settle();
    expect(logged.filter((line) => line.includes("the env file is gone"))).toHaveLength(2);
    expect(runs.signals).toEqual([]);
    await host.close();
  });

  const late: ServicePlan = { ...web, maxRestarts: 0, ready: { kind: "fd", fd: 3, timeoutMs: 1 } };
  const untilTrue = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => void setImmediate(resolve));
  };

  test("who is not ready in time while its output cannot be recorded is not to blame, and is waited for", async () => {
    const { host, core, runs, clock, trouble, logged, state } = hosted();
    trouble.recording = ["cannot write the log: the disk is full"];
    await host.recover(core);
    await host.commit([applied(late)]);
    await untilTrue(() => logged.some((line) => line.includes("is checked again: cannot write the log")));
    expect([state(), runs.signals]).toEqual(["starting", []]);
    expect(host.alarms.of("web")[0]).toContain("web cannot be judged for now: cannot write the log");

    trouble.recording = [];
    clock.advance(1000);
    runs.listener.ready("web.1.1");
    await untilTrue(() => state() === "ready");
    expect(host.alarms.all).toEqual([]);
  });

  test("who is not ready in time otherwise is to blame", async () => {
    const { host, core, runs } = hosted();
    await host.recover(core);
    await host.commit([applied(late)]);
    await untilTrue(() => runs.signals.length > 0);
    expect(runs.signals).toEqual(["web.1.1 SIGTERM"]);
  });

  test("liveness: who does not answer while its output cannot be recorded is not to blame", async () => {
    const { host, core, runs, clock, trouble, state } = hosted();
    const probe = { kind: "exec", command: ["false"], timeoutMs: 1000 } as const;
    trouble.recording = ["cannot write the log: the disk is full"];
    core.commit([applied({ ...web, ready, live: { probe, everyMs: 1000, failuresMax: 1 } })]);
    runs.found = [running];
    await host.recover(core);
    await untilTrue(() => host.alarms.all.length > 0);
    expect([state(), runs.signals]).toEqual(["ready", []]);

    trouble.recording = [];
    clock.advance(1000);
    await untilTrue(() => runs.signals.length > 0);
    expect(host.alarms.all).toEqual([]);
    await host.close();
  });

  test("without file descriptors to spare nothing is started, and that is nobody's failure", async () => {
    const { host, core, runs, clock, trouble, state } = hosted();
    trouble.shortage = "colos has no more file descriptors";
    await host.recover(core);
    await host.commit([applied({ ...web, maxRestarts: 0 })]);
    await settle();
    expect([state(), runs.started]).toEqual(["backoff", []]);

    trouble.shortage = undefined;
    clock.advance(ownTroubleRetryMs);
    await settle();
    expect([state(), runs.started]).toEqual(["starting", ["web.1.2"]]);
  });

  test("an environment that colos is too short of something to make is not the service's failure", async () => {
    const { host, core, environment, clock, runs, state } = hosted();
    await host.recover(core);
    environment.answer = () => Promise.reject(new EnvironmentError("too many open files", "EMFILE"));
    const exhausted = { policy: "failed", retryEveryMs: 1 } as const;
    await host.commit([applied({ ...web, maxRestarts: 0, exhausted })]);
    await settle();
    expect(state()).toBe("backoff");
    environment.answer = () => Promise.resolve({});
    clock.advance(1000);
    await settle();
    expect([state(), runs.started]).toEqual(["starting", ["web.1.2"]]);
  });

  test("what declares no check is ready when it has run for a while, and not before", async () => {
    const { host, core, clock, state } = hosted();
    await host.recover(core);
    await host.commit([applied(web)]);
    await settle();
    clock.advance(survivalMs - 1);
    await settle();
    expect(state()).toBe("starting");
    clock.advance(1);
    await settle();
    expect(state()).toBe("ready");
  });

  test("what declares no check and ends at once is never ready, however late its end is told", async () => {
    const { host, core, runs, clock, journal, state } = hosted();
    await host.recover(core);
    await host.commit([applied(web)]);
    await settle();
    const spec = runs.running.get("web.1.1")!;
    runs.running.delete("web.1.1");
    clock.advance(survivalMs);
    await settle();
    expect(state()).toBe("starting");
    runs.running.set("web.1.1", spec);
    runs.end("web.1.1", { code: 3 });
    await settle();
    expect(journal.entries.map(({ type }) => type)).not.toContain("ready");
  });
});

describe("run host: standbys", () => {
  test("are started as such, and told when their turn comes", async () => {
    const { host, core, clock, runs, state } = hosted();
    await host.recover(core);
    await host.commit([applied({ ...web, standby: true })]);
    await settle();
    clock.advance(survivalMs);
    await settle();
    expect([...runs.running.values()].map(({ id, isStandby }) => [id, isStandby])).toEqual([
      ["web.1.1", undefined],
      ["web.1.2", true],
    ]);

    runs.end("web.1.1", { code: 1 });
    await settle();
    expect(runs.promoted).toEqual(["web.1.2"]);
    clock.advance(survivalMs);
    await settle();
    expect(state()).toBe("ready");
  });

  test("do not mind that the port is taken, unless it still is when their turn comes", async () => {
    const { host, core, runs, state } = hosted();
    const port = await freePort();
    const server = createServer((socket) => socket.destroy());
    onTestFinished(() => void server.close());
    const ready: ServicePlan["ready"] = { kind: "port", port, host: "127.0.0.1", timeoutMs: 60_000 };
    await host.recover(core);
    await host.commit([applied({ ...web, standby: true, ready })]);
    while (!runs.running.has("web.1.1")) await turn();
    server.listen(port, "127.0.0.1");
    while (!runs.running.has("web.1.2")) await turn();
    expect(state()).toBe("ready");

    runs.end("web.1.1", { code: 1 });
    while (runs.signals.length === 0) await turn();
    expect(runs.signals).toEqual(["web.1.2 SIGTERM"]);
    expect(runs.promoted).toEqual([]);
    expect(core.live(core.record.services.get("web")!)[0]?.reason).toMatch(/^port \d+ on 127.0.0.1 is already in use/);
    await host.close();
  });
});
