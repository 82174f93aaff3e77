import { describe, expect, onTestFinished, test } from "vitest";
import { FakeClock } from "../../../test/fake-cli-host.ts";
import { FakeJournal, FakeRuns } from "../../../test/fake-runs.ts";
import { planOf } from "../../../test/plan-arbitraries.ts";
import type { ServicePlan } from "../../control/config.ts";
import type { Cause, ClearInput, ManagerError, ManagerEvent, OperationReport } from "../../control/manager.ts";
import { dependencyOrder } from "../../control/dependency-order.ts";
import { homeAt } from "../home.ts";
import { ownTroubleRetryMaxMs } from "../core/core-host.ts";
import type { LogOwner } from "../log/line-joiner.ts";
import type { LogStore } from "../log/log-store.ts";
import { JournalError } from "../journal/journal.ts";
import { endsMax, ownTroubleTellMs } from "./arrivals.ts";
import { survivalMs } from "../check/readiness.ts";
import { lateShownMax } from "./operations.ts";
import { ServiceManager } from "./manager.ts";
import { shownMax } from "./targets.ts";
import { RunStartError, type RunListener } from "../run/run.ts";

const [web] = planOf({ services: { web: { command: ["true"] } } }).services;
const basePlan: ServicePlan = { ...web!, backoff: { ...web!.backoff, jitter: 0 } };

type Services = Readonly<Record<string, Partial<ServicePlan>>>;
const fd: Pick<ServicePlan, "ready"> = { ready: { kind: "fd", fd: 3, timeoutMs: 60_000 } };
const on = (name: string, condition: "ready" | "exitedOk" | "healthy" = "ready"): Pick<ServicePlan, "dependsOn"> => ({
  dependsOn: [{ name, condition, onEnd: "ignore" }],
});
const up = (written: Services) => ({
  plan: {
    services: dependencyOrder(Object.entries(written).map(([name, each]) => ({ ...basePlan, name, ...each }))).order,
  },
  env: { PATH: "/bin" },
  source: "colos.config.ts",
});

/** What was recorded, by name: its bytes. */
class FakeLogs implements LogStore {
  readonly bytes: Map<string, number>;
  readonly forgotten: string[] = [];

  constructor(bytes: Readonly<Record<string, number>> = {}) {
    this.bytes = new Map(Object.entries(bytes));
  }
  async owners(): Promise<readonly LogOwner[]> {
    return [...this.bytes.keys()].map((name) => {
      const [service = "", instance] = name.split(".");
      return { service, instance: Number(instance) };
    });
  }
  async sizeOf({ service, instance }: LogOwner): Promise<number> {
    return this.bytes.get(`${service}.${instance}`) ?? 0;
  }
  async empty(owner: LogOwner): Promise<number> {
    const bytes = await this.sizeOf(owner);
    this.bytes.set(`${owner.service}.${owner.instance}`, 0);
    return bytes;
  }
  async forget({ service, instance }: LogOwner): Promise<void> {
    this.forgotten.push(`${service}.${instance}`);
  }
}

/** A manager whose machine and disk do what the test says. */
async function opened({ journal = new FakeJournal(), obeys = true, logs = new FakeLogs() } = {}) {
  const clock = new FakeClock();
  const finished: string[] = [];
  const logged: string[] = [];
  const gone: string[] = [];
  let runs!: FakeRuns;
  const manager = await ServiceManager.open({
    home: homeAt("/home-of-a-test"),
    version: "1",
    clock,
    journal,
    random: () => 0.5,
    openRuns: (listener: RunListener) => (runs = new FakeRuns(listener)),
    environmentOf: (_plan, _instance, inherited) => Promise.resolve(inherited),
    argvOf: () => Promise.resolve(["true"]),
    lastLineSince: () => Promise.resolve(undefined),
    failed: () => {},
    log: (_level, message) => void logged.push(message),
    daemon: () => ({ api: 1, osPid: 1, startedAt: 0, memoryBytes: 0, node: "v20", abilities: [] }),
    refusals: ({ services }) => Promise.resolve(services.some(({ name }) => name === "no") ? ["no is refused"] : []),
    alarmsOf: () => [],
    recordingTroubles: () => [],
    shortage: () => undefined,
    logs,
    isAgain: false,
    describeLimits: () => Promise.resolve([]),
    lastErrors: () => Promise.resolve(["it said this last"]),
    lastLine: () => Promise.resolve(undefined),
    changed: () => {},
    gone: ({ plan }) => void gone.push(plan.name),
    applied: () => {},
    finished: (how) => void finished.push(how),
  });
  const { signal } = runs;
  runs.signal = (id, name) => {
    signal.call(runs, id, name);
    if (obeys && runs.running.has(id)) queueMicrotask(() => runs.end(id));
  };
  onTestFinished(() => manager.close());
  const states = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await manager.list()).instances.map(({ name, state }) => [name, state]));
  return { manager, clock, journal, logs, runs, finished, logged, gone, states };
}

/** Lets all promises settle that can. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

type Opened = Awaited<ReturnType<typeof opened>>;

/** What an operation is answered when the time passes that its services need. */
async function answered<T>({ clock }: Opened, operation: Promise<T>): Promise<T> {
  await settle();
  clock.advance(survivalMs);
  await settle();
  clock.advance(survivalMs);
  return operation;
}

/** Whether an operation is answered yet. */
async function isAnswered(operation: Promise<unknown>): Promise<boolean> {
  await settle();
  return Promise.race([
    operation.then(
      () => true,
      () => true,
    ),
    settle().then(() => false),
  ]);
}

const sentences = ({ problems }: OperationReport): string[] => problems.map(({ sentence }) => sentence);
const sentencesOf = ({ sentence, causes }: Cause): string[] => [sentence, ...causes.flatMap(sentencesOf)];
const refusal = async (operation: Promise<unknown>): Promise<string> => {
  const error = await operation.then(
    () => undefined,
    (reason: unknown) => reason as ManagerError,
  );
  return `${error?.code}: ${error?.message}`;
};

describe("manager: operations", () => {
  test("apply waits until everything is up, and the same plan again does nothing", async () => {
    const system = await opened();
    const services = { db: fd, web: on("db") };
    const applied = system.manager.apply(up(services));
    await settle();
    expect(system.runs.started).toEqual(["db.1.1"]);
    expect(await isAnswered(applied)).toBe(false);

    system.runs.listener.ready("db.1.1");
    const report = await answered(system, applied);
    expect(report.problems).toEqual([]);
    expect(report.instances.map(({ name, state }) => `${name} ${state}`)).toEqual(["db ready", "web ready"]);
    const again = await system.manager.apply(up(services));
    expect(again.changes.map(({ kind }) => kind)).toEqual(["keep", "keep"]);
    expect(system.runs.started).toEqual(["db.1.1", "web.1.1"]);
  });

  test("what is started for a plan has the environment that this plan was applied with", async () => {
    const system = await opened();
    const envs = (): unknown[] => [...system.runs.running.values()].map(({ env }) => env["EPOCH"]);

    void system.manager.apply({ ...up({ web: {} }), env: { EPOCH: "1" } });
    await settle();
    expect(envs()).toEqual(["1"]);
    void system.manager.apply({ ...up({ web: {}, db: {} }), env: { EPOCH: "2" } });
    await settle();

    expect(envs()).toEqual(["1", "2"]);
  });

  test("what says that it is ready before it is known to run is ready", async () => {
    const system = await opened();
    system.runs.onStart = (id) => system.runs.listener.ready(id);
    await answered(system, system.manager.apply(up({ db: fd })));
    expect(await system.states()).toEqual({ db: "ready" });
  });

  test("a plan that cannot run here is refused and changes nothing", async () => {
    const system = await opened();
    expect(await refusal(system.manager.apply(up({ no: {} })))).toBe("refused: no is refused");
    expect(await refusal(system.manager.preview(up({ no: {} })))).toBe("refused: no is refused");
    expect((await system.manager.preview(up({ web: {} }))).changes).toMatchObject([{ service: "web", kind: "add" }]);
    expect(await system.states()).toEqual({});
  });

  test("stop, start and restart answer when it is done", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: { instances: 2 } })));

    expect((await answered(system, system.manager.stop({ names: ["web"] }))).problems).toEqual([]);
    expect(await system.states()).toEqual({ web: "stopped", "web.2": "stopped" });
    expect((await answered(system, system.manager.start({ names: ["all"] }))).problems).toEqual([]);
    const restarted = system.manager.restart({ names: ["web.2"] });
    await answered(system, restarted);
    expect(system.runs.started).toEqual(["web.1.1", "web.2.1", "web.1.2", "web.2.2", "web.2.3"]);
  });

  test("all are those that are kept up: no job is run, and what was stopped stays so", async () => {
    const system = await opened();
    const job: Partial<ServicePlan> = {
      restart: "temporary",
      schedule: { when: { kind: "every", everyMs: 3_600_000 }, overlap: "skip", missed: "skip" },
    };
    await answered(system, system.manager.apply(up({ web: {}, off: {}, job })));
    await answered(system, system.manager.stop({ names: ["off"] }));

    expect((await answered(system, system.manager.restart({ names: ["all"] }))).instances).toMatchObject([
      { name: "web" },
    ]);
    expect(system.runs.started).toEqual(["web.1.1", "off.1.1", "web.1.2"]);

    await system.manager.stop({ names: ["job"] });
    expect((await answered(system, system.manager.start({ names: ["all"] }))).problems).toEqual([]);
    expect(await system.states()).toEqual({ web: "ready", off: "ready", job: "scheduled" });
    expect(system.runs.started).toEqual(["web.1.1", "off.1.1", "web.1.2", "off.1.2"]);

    await answered(system, system.manager.start({ names: ["job"] }));
    expect(system.runs.started.at(-1)).toBe("job.1.1");
  });

  test("scale starts what is missing and stops what is too many", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {} })));
    await answered(system, system.manager.scale({ name: "web", instances: 3 }));
    expect(await system.states()).toEqual({ web: "ready", "web.2": "ready", "web.3": "ready" });
    await answered(system, system.manager.scale({ name: "web", instances: 1 }));
    expect(await system.states()).toEqual({ web: "ready" });
    expect(await refusal(system.manager.restart({ names: ["web.3"] }))).toContain("unknown: there is no service");
    expect(await refusal(system.manager.scale({ name: "web", instances: 1.5 }))).toContain("invalid");
  });

  test("remove forgets the service, and says so", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {}, db: {} })));
    await answered(system, system.manager.remove({ names: ["web"] }));
    expect(await system.states()).toEqual({ db: "ready" });
    expect(system.gone).toEqual(["web"]);
  });

  test("kill sends an OS signal to what runs, and says what does not", async () => {
    const system = await opened({ obeys: false });
    await answered(system, system.manager.apply(up({ web: {}, off: { autostart: false } })));
    const report = await system.manager.kill({ names: ["all"], signal: "SIGUSR1" });
    expect(system.runs.signals).toEqual(["web.1.1 SIGUSR1"]);
    expect(sentences(report)).toEqual(["off does not run"]);
    expect(await refusal(system.manager.kill({ names: ["web"], signal: "SIGNONE" }))).toContain("invalid");
  });

  test("send writes a line to what runs", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {}, off: { autostart: false } })));
    await system.manager.send({ name: "web", text: "hello" });
    expect(system.runs.written).toEqual(["web.1.1 hello\n"]);
    expect(await refusal(system.manager.send({ name: "off", text: "hello" }))).toContain("off does not run");
  });

  test("names that nobody has are refused, with what was meant", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ worker: {} })));
    expect(await refusal(system.manager.stop({ names: ["wroker"] }))).toMatch(/unknown: .*"wroker".*worker/);
    expect(await refusal(system.manager.stop({ names: [] }))).toContain("invalid");
    expect(await refusal(system.manager.stop({ names: ["worker.1"] }))).toContain("this takes whole services");
  });

  test("patterns and tags mean all that have them, instances too, as names do", async () => {
    const system = await opened();
    const tags = { tags: ["back"] };
    await answered(system, system.manager.apply(up({ web: { instances: 2 }, db: tags, worker: tags })));
    const instances = async (operation: Promise<OperationReport>): Promise<string[]> =>
      (await answered(system, operation)).instances.map(({ name }) => name);

    expect(await instances(system.manager.restart({ names: ["*.2"] }))).toEqual(["web.2"]);
    expect(await instances(system.manager.restart({ names: ["w*", "web.1"] }))).toEqual(["web", "web.2", "worker"]);
    expect(await instances(system.manager.stop({ names: ["@back"] }))).toEqual(["db", "worker"]);
    expect(await instances(system.manager.start({ names: ["@back", "db"] }))).toEqual(["db", "worker"]);
    expect(await instances(system.manager.kill({ names: ["?b"], signal: "SIGUSR1" }))).toEqual(["db"]);
    await answered(system, system.manager.remove({ names: ["*"] }));
    expect(await system.states()).toEqual({});
  });

  test("a pattern and a tag are no names: no job is run, and what was stopped stays so", async () => {
    const system = await opened();
    const job: Partial<ServicePlan> = {
      restart: "temporary",
      tags: ["a"],
      schedule: { when: { kind: "every", everyMs: 3_600_000 }, overlap: "skip", missed: "skip" },
    };
    await answered(system, system.manager.apply(up({ web: { tags: ["a"] }, off: { tags: ["a", "b"] }, job })));
    await answered(system, system.manager.stop({ names: ["off"] }));

    await answered(system, system.manager.restart({ names: ["@a"] }));
    expect(system.runs.started).toEqual(["web.1.1", "off.1.1", "web.1.2"]);
    expect(await refusal(system.manager.restart({ names: ["@b", "o*"] }))).toBe(
      "refused: nothing that @b o* means is kept up: off is stopped",
    );

    await answered(system, system.manager.start({ names: ["@a"] }));
    expect(await system.states()).toEqual({ web: "ready", off: "ready", job: "scheduled" });
    await answered(system, system.manager.restart({ names: ["*", "job"] }));
    expect(system.runs.started.slice(-3)).toEqual(["job.1.1", "web.1.3", "off.1.3"]);
  });

  test("what means nobody is refused with what there is, before anything happens", async () => {
    const system = await opened();
    const many = Object.fromEntries(Array.from({ length: shownMax + 2 }, (_, index) => [`s${index}`, {}]));
    await answered(system, system.manager.apply(up({ web: { tags: ["front"], instances: 2 }, db: {} })));

    const stop = (...names: string[]): Promise<string> => refusal(system.manager.stop({ names }));
    expect(await stop("web", "x*")).toBe('unknown: no service matches "x*"; there are web, db');
    expect(await stop("web", "@fornt")).toBe('unknown: no service has the tag "fornt"; did you mean "@front"?');
    expect(await stop("web", "@qqqqqq")).toBe('unknown: no service has the tag "qqqqqq"; there are @front');
    expect(await refusal(system.manager.restart({ names: ["*.3"] }))).toBe(
      'unknown: no instance matches "*.3"; there are web.1, web.2, db.1',
    );
    expect(await stop("web", "*.2")).toBe("invalid: *.2 means instances, such as web.2; this takes whole services");
    expect(await stop("a b")).toContain("invalid");
    expect(await refusal(system.manager.show({ name: "w*" }))).toBe(
      'invalid: "w*" can mean several; this takes one name',
    );
    expect(system.runs.signals).toEqual([]);

    await answered(system, system.manager.apply(up(many)));
    expect(await stop("x*")).toBe(
      `unknown: no service matches "x*"; there are ${Object.keys(many).slice(0, shownMax).join(", ")} and 2 more`,
    );
    expect(await stop("@x")).toBe('unknown: no service has the tag "x"; there are no tags');
  });

  test("a tag that a plan gives or takes away restarts nobody, and counts at once", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {} })));

    const report = await answered(system, system.manager.apply(up({ web: { tags: ["front"] } })));
    expect(report.changes).toEqual([
      { service: "web", kind: "change", effect: "note", fields: [{ path: "tags", to: '["front"]' }] },
    ]);
    expect(system.runs.started).toEqual(["web.1.1"]);
    expect((await system.manager.list({ names: ["@front"] })).instances).toMatchObject([
      { name: "web", tags: ["front"] },
    ]);
  });

  test("down stops dependents first, and then the daemon is to end", async () => {
    const system = await opened();
    const applied = system.manager.apply(up({ db: {}, web: on("db") }));
    await answered(system, applied);
    await answered(system, system.manager.down({}));
    expect(system.runs.signals).toEqual(["web.1.1 SIGTERM", "db.1.1 SIGTERM"]);
    expect(system.finished).toEqual(["down"]);
    expect(await refusal(system.manager.start({ names: ["db"] }))).toContain("ending: the daemon ends");
  });

  test("when the time for down is over the daemon still ends as soon as nothing runs", async () => {
    const system = await opened({ obeys: false });
    await answered(system, system.manager.apply(up({ web: {} })));
    const down = refusal(system.manager.down({ timeoutMs: 1000 }));
    await settle();
    system.clock.advance(1000);
    expect(await down).toContain("timeout");
    expect(system.finished).toEqual([]);

    system.runs.end("web.1.1");
    await settle();
    expect(system.finished).toEqual(["down"]);
  });

  test("a daemon that was given nothing ends when it is not needed, and says so to whoever comes too late", async () => {
    const system = await opened();
    expect(await refusal(system.manager.apply(up({ no: {} })))).toContain("refused: no is refused");
    await system.manager.down({ ifUnused: true });
    expect(system.finished).toEqual(["down"]);
    expect(await refusal(system.manager.apply(up({ web: {} })))).toContain(
      "ending: the daemon ends, and nothing was done",
    );
    expect(system.runs.started).toEqual([]);
  });

  test("a daemon that is being given something, or has been, is needed", async () => {
    const system = await opened();
    const unused = (): Promise<string> => refusal(system.manager.down({ ifUnused: true }));
    let proceed = (): void => {};
    system.journal.hold = (resolve) => (proceed = resolve);
    const applied = system.manager.apply(up({}));
    expect(await unused()).toContain("refused: somebody has given the daemon something to do");
    system.journal.hold = undefined;
    await settle();
    proceed();
    await answered(system, applied);
    expect(await unused()).toContain("refused");
    await answered(system, system.manager.apply(up({ web: {} })));
    expect(await unused()).toContain("refused");
    expect(system.finished).toEqual([]);
  });

  test("a hand-over touches no service", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {} })));
    await system.manager.handOver();
    expect([system.finished, system.runs.signals]).toEqual([["handOver"], []]);
  });
});

describe("manager: waits", () => {
  test("a service that ends at once is a problem, with what it wrote last", async () => {
    const system = await opened();
    const exhausted = { policy: "failed", retryEveryMs: web!.exhausted.retryEveryMs } as const;
    const applied = system.manager.apply(up({ bad: { maxRestarts: 0, exhausted } }));
    await settle();
    system.runs.end("bad.1.1", { code: 3 });
    const report = await answered(system, applied);
    expect(report.problems).toMatchObject([{ name: "bad", lastLines: ["it said this last"] }]);
    expect(sentences(report)[0]).toContain("bad is failed: exit code 3");
  });

  test("what ends again and again, within its restart window, is not waited for without end", async () => {
    const system = await opened();
    const backoff = { initialMs: 0, maxMs: 0, factor: 1, jitter: 0, resetAfterMs: 60_000 };
    const applied = system.manager.apply(up({ web: { maxRestarts: 1_000, backoff } }));
    for (let count = 1; count <= endsMax; count++) {
      expect(await isAnswered(applied)).toBe(false);
      system.runs.end(`web.1.${count}`, { code: 3 });
      system.clock.advance(1);
    }
    expect(sentences(await applied)).toEqual([
      `web has ended ${endsMax} times since, the last time with exit code 3; it is started again`,
    ]);
    await settle();
    expect(system.runs.started).toHaveLength(endsMax + 1);
  });

  test("who waits too long is told what is missing, and what it wrote last", async () => {
    const system = await opened();
    const many = Object.fromEntries(Array.from({ length: lateShownMax }, (_, at) => [`also${at}`, on("db")]));
    const applied = refusal(system.manager.apply({ ...up({ db: fd, ...many, fine: {} }), timeoutMs: 1000 }));
    await settle();
    system.clock.advance(survivalMs);
    await settle();
    system.clock.advance(1000);
    const lines = (await applied).split("\n");
    expect(lines.slice(0, 4)).toEqual([
      "timeout: it was not done within 1 s, and goes on",
      "  db is starting",
      "    | it said this last",
      "  also0 is waiting: waits for db, which is not ready",
    ]);
    expect(lines.at(-1)).toBe("  and 1 more");
    expect(lines.some((line) => line.includes("fine"))).toBe(false);
  });

  test("waiting for what was stopped is told at once, whatever other services do", async () => {
    const system = await opened();
    await system.manager.apply({ ...up({ db: { autostart: false }, web: on("db"), moving: fd }), wait: false });
    await settle();
    expect(await system.states()).toEqual({ db: "stopped", web: "waiting", moving: "starting" });
    const started = await system.manager.start({ names: ["web"] });
    expect(sentences(started)).toEqual(["web waits for db, which is not ready"]);
  });

  test("a dependency that only has to end well is on its way while it runs", async () => {
    const system = await opened();
    const applied = system.manager.apply(up({ migrate: { restart: "temporary" }, web: on("migrate", "exitedOk") }));
    await settle();
    system.clock.advance(60_000);
    expect(await isAnswered(applied)).toBe(false);

    system.runs.end("migrate.1.1");
    expect((await answered(system, applied)).problems).toEqual([]);
    expect(await system.states()).toEqual({ migrate: "stopped", web: "ready" });
  });

  test("a restart whose second instance does not come up says so, and that the first goes on", async () => {
    const system = await opened();
    const exhausted = { policy: "degraded", retryEveryMs: 3_600_000 } as const;
    await answered(system, system.manager.apply(up({ web: { instances: 2, maxRestarts: 0, exhausted } })));
    system.runs.end("web.2.1", { code: 1 });
    await settle();
    system.runs.onStart = (id) =>
      void (id.startsWith("web.2.") && queueMicrotask(() => system.runs.end(id, { code: 1 })));
    const restarted = system.manager.restart({ names: ["web"] });
    expect(sentences(await answered(system, restarted)).join()).toContain("web.2 is degraded");
  });

  test("a stop is told when somebody starts the service meanwhile", async () => {
    const system = await opened({ obeys: false });
    await answered(system, system.manager.apply(up({ web: {} })));
    const stopped = system.manager.stop({ names: ["web"] });
    await settle();
    void system.manager.start({ names: ["web"], wait: false });
    expect(sentences(await stopped)).toEqual(["it was started again meanwhile"]);
  });

  test("a job that failed when somebody ran it is a problem", async () => {
    const system = await opened();
    const schedule: ServicePlan["schedule"] = {
      when: { kind: "every", everyMs: 3_600_000 },
      overlap: "skip",
      missed: "skip",
    };
    await answered(system, system.manager.apply(up({ job: { restart: "temporary", schedule } })));
    const ran = system.manager.restart({ names: ["job"] });
    await settle();
    system.runs.end("job.1.1", { code: 1 });
    expect(sentences(await answered(system, ran))).toEqual(["job has failed: exit code 1"]);
  });

  test("without wait the answer comes at once, and with a time it comes in time", async () => {
    const system = await opened();
    const report = await system.manager.apply({ ...up({ db: fd }), wait: false });
    expect(report.problems).toEqual([]);
    const restarted = refusal(system.manager.restart({ names: ["db"], timeoutMs: 1000 }));
    await settle();
    system.clock.advance(1000);
    expect(await restarted).toContain("timeout");
  });
});

describe("manager: the journal", () => {
  test("nothing is begun or answered before it is synced", async () => {
    const system = await opened();
    let proceed = (): void => {};
    system.journal.hold = (resolve) => (proceed = resolve);
    const applied = system.manager.apply({ ...up({ web: {} }), wait: false });
    expect(await isAnswered(applied)).toBe(false);
    expect(system.runs.started).toEqual([]);

    system.journal.hold = undefined;
    proceed();
    await applied;
    await settle();
    expect(system.runs.started).toEqual(["web.1.1"]);
  });

  test("what colos itself is short of is told wherever people look, and an operation does not wait for ever", async () => {
    const system = await opened();
    system.runs.trouble = new RunStartError("too many open files", "EMFILE", true);
    const applied = system.manager.apply(up({ web: {}, db: {} }));
    for (let count = 0; count < 2; count++) {
      await settle();
      expect(await isAnswered(applied)).toBe(false);
      system.clock.advance(ownTroubleTellMs / 2);
    }
    const { problems } = await applied;
    expect(problems.map(({ sentence }) => sentence)).toEqual(
      ["web", "db"].map((name) =>
        expect.stringMatching(`${name} waits, and is started by itself: .*too many open files`),
      ),
    );
    const [alarm] = (await system.manager.list()).daemon.alarms!;
    expect(alarm).toMatch(/^web, db cannot be started for now: .*too many open files/);
    expect((await system.manager.show({ name: "web" })).alarms).toEqual([alarm]);
    expect((await system.manager.why({ name: "web" })).causes[0]).toEqual({ sentence: alarm, causes: [] });

    system.runs.trouble = undefined;
    system.clock.advance(ownTroubleRetryMaxMs);
    await settle();
    system.clock.advance(survivalMs);
    await settle();
    expect((await system.manager.list()).daemon.alarms).toBeUndefined();
  });

  test("what a wait was too short for is told with what colos itself is short of", async () => {
    const system = await opened();
    system.runs.trouble = new RunStartError("too many open files", "EMFILE", true);
    const applied = system.manager.apply({ ...up({ web: {} }), timeoutMs: 500 });
    await settle();
    system.clock.advance(500);
    expect(await refusal(applied)).toMatch(/it was not done within .*, and goes on; meanwhile: web cannot be started/);
  });

  test("on a full disk an operation is refused without effect, and later it works", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {} })));
    system.journal.trouble = new Error("ENOSPC");
    system.runs.end("web.1.1", { code: 1 });
    await settle();
    expect(await refusal(system.manager.stop({ names: ["web"] }))).toContain("busy: nothing was done");
    system.clock.advance(60_000);
    await settle();
    expect(system.runs.started.at(-1)).toBe("web.1.2");
    expect(system.runs.forgotten).toEqual([]);

    system.journal.trouble = undefined;
    await answered(system, system.manager.stop({ names: ["web"] }));
    expect(await system.states()).toEqual({ web: "stopped" });
    system.clock.advance(1000);
    await settle();
    expect(system.runs.forgotten).toEqual(["web.1.1", "web.1.2"]);
  });

  test("what happens while an operation is written counts after it, in the journal too", async () => {
    const system = await opened();
    const exhausted = { policy: "failed", retryEveryMs: web!.exhausted.retryEveryMs } as const;
    await answered(system, system.manager.apply(up({ web: { maxRestarts: 0, exhausted } })));
    let proceed = (): void => {};
    system.journal.hold = (resolve) => (proceed = resolve);
    const restarted = system.manager.restart({ names: ["web"], wait: false });
    await settle();
    system.runs.end("web.1.1", { code: 1 });
    system.journal.hold = undefined;
    proceed();
    await restarted;
    await settle();
    // The run was to be replaced when it ended, so its end used nothing up.
    expect(system.runs.started).toEqual(["web.1.1", "web.1.2"]);
    expect(system.journal.state.services.get("web")!.instances.get(1)!.outcome).toBeUndefined();
  });

  test("an entry that the journal refuses is not blamed on the disk", async () => {
    const system = await opened();
    system.journal.trouble = new JournalError("limit", "the entry is too long");
    expect(await refusal(system.manager.apply(up({ web: {} })))).toBe("busy: nothing was done: the entry is too long");
  });

  test("the daemon ends although the disk takes nothing", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {} })));
    system.journal.trouble = new Error("ENOSPC");
    system.runs.end("web.1.1", { code: 1 });
    await settle();
    await system.manager.close();
    expect([system.runs.isClosed, system.runs.forgotten]).toEqual([true, []]);
  });
});

describe("manager: looking", () => {
  test("a list is about those that it names", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: { instances: 2 }, db: {} })));
    const names = async (...asked: string[]): Promise<string[]> =>
      (await system.manager.list({ names: asked })).instances.map(({ name }) => name);

    expect(await names("web.2", "db")).toEqual(["web.2", "db"]);
    expect(await names("all")).toEqual(["web", "web.2", "db"]);
    expect(await refusal(system.manager.list({ names: ["wbe"] }))).toContain('did you mean "web"?');
  });

  test("events about some tell nothing of others, and of those that come later", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {}, db: {} })));
    const events = system.manager.events({ names: ["w*"] })[Symbol.asyncIterator]();
    await answered(system, system.manager.apply(up({ web: {}, db: { description: "d" }, worker: {} })));
    system.manager.note("db", "nobody is told");
    system.manager.note("worker", "the last");

    const told: string[] = [];
    for (let event: ManagerEvent | undefined; event?.type !== "note";) {
      event = (await events.next()).value as ManagerEvent;
      told.push(
        event.type === "state" ? event.status.name : event.type === "change" ? event.change.service : event.type,
      );
    }
    expect([...new Set(told)]).toEqual(["worker", "note"]);
    await events.return?.();
    expect(() => system.manager.events({ names: ["x*"] })).toThrow('no service matches "x*"');
  });

  test("a check finds nothing in what is ready, has done its work, or rests between its times", async () => {
    const system = await opened();
    const job: Partial<ServicePlan> = {
      restart: "temporary",
      schedule: { when: { kind: "every", everyMs: 3_600_000 }, overlap: "skip", missed: "skip" },
    };
    const applied = system.manager.apply(up({ web: {}, migrate: { restart: "temporary" }, job }));
    await settle();
    system.runs.end("migrate.1.1", { code: 0, signal: null });
    await answered(system, applied);

    expect(await system.states()).toEqual({ web: "ready", migrate: "stopped", job: "scheduled" });
    expect(sentences(await system.manager.check())).toEqual([]);
    expect(sentences(await system.manager.check({ names: ["job"] }))).toEqual([]);
  });

  test("a check says who is not ready, which job has failed, and why", async () => {
    const system = await opened();
    const job: Partial<ServicePlan> = {
      restart: "temporary",
      schedule: { when: { kind: "every", everyMs: 3_600_000 }, overlap: "skip", missed: "skip" },
    };
    const applied = system.manager.apply(
      up({ db: fd, web: on("db"), off: { autostart: false }, bad: { restart: "temporary" }, job, fine: {} }),
    );
    applied.catch(() => {});
    await settle();
    system.runs.end("bad.1.1", { code: 3, signal: null });
    void system.manager.start({ names: ["job"] });
    await settle();
    expect(sentences(await system.manager.check({ names: ["job"] }))).toEqual([]);
    system.runs.end("job.1.1", { code: 4, signal: null });
    system.clock.advance(survivalMs);
    await settle();
    await answered(system, system.manager.stop({ names: ["fine"] }));

    const report = await system.manager.check();
    expect(sentences(report)).toEqual([
      "db is starting",
      "web is waiting: waits for db, which is not ready",
      "off is stopped: it is not started by itself",
      "bad is failed: exit code 3",
      "job has failed the last time: exit code 4",
      "fine is stopped: somebody stopped it",
    ]);
    expect(report.problems.map(({ name, lastLines }) => `${name} ${lastLines.length}`)).toEqual([
      ...["db 1", "web 0", "off 0", "bad 1", "job 1", "fine 0"],
    ]);
    expect(report.instances).toHaveLength(6);
    expect(sentences(await system.manager.check({ names: ["f*"] }))).toEqual(["fine is stopped: somebody stopped it"]);
  });

  test("events tell each change of a state once", async () => {
    const system = await opened();
    const events = system.manager.events()[Symbol.asyncIterator]();
    const first = events.next();
    await answered(system, system.manager.apply(up({ web: {} })));
    const told: ManagerEvent[] = [(await first).value as ManagerEvent];
    while (told.length < 3) told.push((await events.next()).value as ManagerEvent);
    expect(
      told.map((event) => (event.type === "state" ? `${event.before} to ${event.status.state}` : event.type)),
    ).toEqual(["stopped to starting", "change", "starting to ready"]);
    await events.return?.();
  });

  test("why follows what an instance waits for", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ db: { autostart: false }, web: on("db") })));
    const why = await system.manager.why({ name: "web" });
    expect(why.sentence).toBe("web is waiting: waits for db, which is not ready");
    expect(why.causes.map(({ sentence }) => sentence)).toEqual(["db is stopped"]);
  });

  test("why tells what made colos start a service again", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: {} })));
    system.manager.renew("web", "src/x changed");
    await settle();
    system.clock.advance(survivalMs);
    await settle();
    const sentences = sentencesOf(await system.manager.why({ name: "web" }));
    expect(sentences).toContain("it was told to end: src/x changed");
    expect(sentences.filter((sentence) => sentence.startsWith("web.1.1 ended"))).toHaveLength(1);
  });

  test("why tells how a new version failed while the older one goes on", async () => {
    const system = await opened();
    await answered(system, system.manager.apply(up({ web: { listenPort: 80 } })));
    const restarted = system.manager.restart({ names: ["web"] });
    await settle();
    system.runs.end("web.1.2", { code: 4 });
    expect(sentences(await answered(system, restarted))[0]).toContain("the older version goes on");

    const why = await system.manager.why({ name: "web" });
    expect(sentencesOf(why)).toEqual([
      "web is ready: the older version goes on; the new one did not become ready: exit code 4",
      "web.1.2 ended: exit code 4",
      "it said: it said this last",
      "web.1.1 passed its readiness check, which is none: it counts as ready when it has run for 300 ms",
      "web.1.1 was started as OS process 1001",
    ]);
  });
});

describe("manager: clearing logs", () => {
  const recorded = { "web.1": 10, "web.2": 20, "web.3": 30, "db.1": 5, "old.1": 7, "old.2": 8 };
  async function withLogs(): Promise<Opened & { cleared(input: ClearInput): Promise<Record<string, number>> }> {
    const system = await opened({ logs: new FakeLogs(recorded) });
    await answered(system, system.manager.apply(up({ web: { instances: 2, tags: ["front"] }, db: {}, quiet: {} })));
    const cleared = async (input: ClearInput): Promise<Record<string, number>> => {
      const { logs, bytes } = await system.manager.clearLogs(input);
      expect(logs.reduce((sum, each) => sum + each.bytes, 0)).toBe(bytes);
      return Object.fromEntries(logs.map((each) => [each.name, each.bytes]));
    };
    return { ...system, cleared };
  }

  test.each<[ClearInput, Record<string, number>]>([
    [{ names: ["web"] }, { web: 10, "web.2": 20, "web.3": 30 }],
    [{ names: ["web.2", "d*"] }, { "web.2": 20, db: 5 }],
    [{ names: ["@front"] }, { web: 10, "web.2": 20, "web.3": 30 }],
    [{ names: ["all"] }, { web: 10, "web.2": 20, db: 5 }],
    [{ names: ["old"] }, { old: 7, "old.2": 8 }],
    [{ gone: true }, { "web.3": 30, old: 7, "old.2": 8 }],
    [
      { gone: true, names: ["o*"] },
      { old: 7, "old.2": 8 },
    ],
    [{ names: ["quiet"] }, {}],
  ])("%j", async (input, bytes) => {
    const system = await withLogs();

    expect(await system.cleared({ ...input, preview: true })).toEqual(bytes);
    expect(Object.fromEntries(system.logs.bytes)).toEqual(recorded);
    expect(await system.cleared(input)).toEqual(bytes);
    expect(await system.cleared({ ...input, preview: true })).toEqual(
      Object.fromEntries(Object.keys(bytes).map((name) => [name, 0])),
    );
    const gone = Object.keys(bytes).filter((name) => name.startsWith("old") || name === "web.3");
    expect(system.logs.forgotten).toEqual(gone.map((name) => (name.includes(".") ? name : `${name}.1`)));
  });

  test.each<[ClearInput, string]>([
    [{}, "invalid: nobody is named"],
    [{ names: ["web", "odl"] }, 'unknown: nothing is called "odl"; did you mean "old"?'],
    [{ names: ["web", "x*"] }, 'unknown: no service matches "x*"; there are web, db, quiet'],
    [{ names: ["web", "@x"] }, 'unknown: no service has the tag "x"; there are @front'],
    [{ names: ["web.9"] }, 'unknown: there is no service "web.9"; did you mean "web.2"?'],
    [{ gone: true, names: ["db"] }, 'unknown: nothing that is gone is called "db"; there are web, old'],
  ])("%j is refused before anything is removed", async (input, sentence) => {
    const system = await withLogs();

    expect(await refusal(system.manager.clearLogs(input))).toBe(sentence);
    expect(Object.fromEntries(system.logs.bytes)).toEqual(recorded);
  });

  test("what comes back while others are emptied is not gone any more", async () => {
    const system = await withLogs();
    const empty = system.logs.empty.bind(system.logs);
    system.logs.empty = async (owner) => {
      if (owner.service === "web") await answered(system, system.manager.apply(up({ web: { instances: 2 }, old: {} })));
      return empty(owner);
    };

    expect(await system.cleared({ gone: true })).toEqual({ "web.3": 30, "old.2": 8 });
    expect(system.logs.forgotten).toEqual(["web.3", "old.2"]);
  });

  test("a log that could not be emptied is told", async () => {
    const system = await withLogs();
    system.logs.empty = () => Promise.reject(new Error("the recorder was stopped"));

    expect(await refusal(system.manager.clearLogs({ names: ["db"] }))).toBe(
      "busy: the log of db could not be emptied: the recorder was stopped",
    );
  });
});

describe("manager: standbys", () => {
  const standingBy = async (options: Parameters<typeof opened>[0] = {}): Promise<Opened> => {
    const all = await opened(options);
    await answered(all, all.manager.apply(up({ web: { standby: true } })));
    return all;
  };

  test("are seen with their pid, and not counted", async () => {
    const { manager } = await standingBy();
    expect((await manager.list()).instances).toMatchObject([{ name: "web", osPid: 1001, standbyOsPid: 1002 }]);
    const { instances } = await manager.show({ name: "web" });
    expect(instances[0]!.runs.map(({ id }) => id)).toEqual(["web.1.1"]);
  });

  test("get no OS signal that is meant for who runs, and none of its input", async () => {
    const { manager, runs } = await standingBy({ obeys: false });
    await manager.kill({ names: ["web"], signal: "SIGHUP" });
    await manager.send({ name: "web", text: "hello" });
    expect(runs.signals).toEqual(["web.1.1 SIGHUP"]);
    expect(runs.written).toEqual(["web.1.1 hello\n"]);
  });

  test("are waited for by a stop", async () => {
    const { manager, runs } = await standingBy({ obeys: false });
    const stopped = manager.stop({ names: ["web"] });
    await settle();
    runs.end("web.1.1");
    expect(await isAnswered(stopped)).toBe(false);
    runs.end("web.1.2");
    expect((await stopped).problems).toEqual([]);
  });

  test("that end before their turn are told of by why", async () => {
    const { manager, runs } = await standingBy();
    runs.end("web.1.2", { code: 7 });
    const { causes } = await manager.why({ name: "web" });
    expect(causes.map(({ sentence }) => sentence)).toContain(
      "nothing stands by: the last standby ended before its turn: exit code 7",
    );
  });
});
