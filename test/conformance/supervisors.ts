/** Supervisors: OTP's statements (S). */
import {
  countChildren,
  deleteChild,
  getChildSpec,
  isDown,
  isIgnored,
  maxRestartsDefault,
  restartChild,
  shutdown,
  startChild,
  terminateChild,
  timedOut,
  whichChildren,
  type AnyPid,
  type DownMessage,
  type ExitReason,
  type SupervisorFlags,
} from "colos";
import { expect } from "vitest";
import type { Ground, Puppet } from "./ground.ts";
import type { Failure } from "./server-subjects.ts";
import type { Statement } from "./statement.ts";
import type { ChildPlan, SupervisorPlan } from "./supervisor-subjects.ts";

type MemberOptions = Omit<ChildPlan, "id">;

const member = (id: string, options: MemberOptions = {}): ChildPlan => ({ id, ...options });
const nice = (id: string): ChildPlan => ({ id, manner: "nice" });
const ok = (value: unknown): object => ({ ok: true, value });
const failed = (error: unknown): object => ({ ok: false, error });

/** Supervisors on the carrier, a parent that survives them, and a log of what their children lived through. */
class Family {
  readonly ground: Ground;
  readonly parent: Puppet;
  #log: string[] = [];
  readonly #args = new Map<string, unknown>();
  readonly #pids = new Map<string, AnyPid>();
  readonly #downs: DownMessage[] = [];

  private constructor(ground: Ground, parent: Puppet) {
    this.ground = ground;
    this.parent = parent;
  }

  static async gather(ground: Ground): Promise<Family> {
    const parent = await ground.puppet();
    await parent.do("trapExit", true);
    return new Family(ground, parent);
  }

  /** Starts a supervisor that allows ten restarts unless told otherwise. */
  start(children: readonly ChildPlan[], flags: SupervisorFlags = {}): Promise<Supervisor> {
    return this.startPlan({ children, flags: { maxRestarts: 10, ...flags } });
  }

  async startPlan(plan: SupervisorPlan): Promise<Supervisor> {
    return new Supervisor(this, (await this.parent.do("startSupervisor", plan, this.ground.self.pid)) as AnyPid);
  }

  /** Why one does not start. */
  async startReason(plan: SupervisorPlan): Promise<ExitReason> {
    return ((await this.parent.do("startSupervisor", plan, this.ground.self.pid)) as Failure).failed;
  }

  /** What the children lived through since the last look. */
  async log(): Promise<string[]> {
    for (;;) {
      const message: unknown = await this.ground.self.receive(() => true, { timeoutMs: 0 });
      if (message === timedOut) break;
      this.#note(message);
    }
    const log = this.#log;
    this.#log = [];
    return log;
  }

  /** The youngest process of that member. */
  pid(id: string): AnyPid {
    return this.#pids.get(id)!;
  }

  /** What its youngest process was started with. */
  args(id: string): unknown {
    return this.#args.get(id);
  }

  isUp(pid: AnyPid): Promise<unknown> {
    return this.parent.do("isAlive", pid);
  }

  /** Does something and waits for the end of `pid`; its reason. */
  async endOf(pid: AnyPid, act: () => unknown): Promise<ExitReason> {
    const { self } = this.ground;
    const ref = self.monitor(pid);
    await act();
    for (;;) {
      const down = this.#downs.find((message) => isDown(message, ref));
      if (down !== undefined) return down.reason;
      this.#note(await self.receive());
    }
  }

  #note(message: unknown): void {
    if (isDown(message)) {
      this.#downs.push(message);
      return;
    }
    const [event, id, pid, detail] = message as readonly [string, string, AnyPid, unknown];
    this.#log.push(event === "down" ? `down ${id} ${String(detail)}` : `${event} ${id}`);
    if (event !== "up") return;
    this.#pids.set(id, pid);
    this.#args.set(id, detail);
  }
}

/** A supervisor under test. */
class Supervisor {
  readonly family: Family;
  readonly pid: AnyPid;

  constructor(family: Family, pid: AnyPid) {
    this.family = family;
    this.pid = pid;
  }

  /** What `whichChildren` says, without types, once no restart is under way. */
  async list(): Promise<[string | undefined, unknown][]> {
    for (;;) {
      const children = await whichChildren(this.family.ground.self, this.pid);
      if (children.every(({ pid }) => pid !== "restarting")) return children.map(({ id, pid }) => [id, pid]);
    }
  }

  /** Ends a member and waits until the supervisor has done what follows, which may be that it ends. */
  async end(id: string, reason: unknown): Promise<void> {
    await this.family.log();
    const pid = this.family.pid(id);
    await this.endPid(pid, () => this.family.ground.self.send(pid as never, { exit: reason }));
  }

  async endPid(pid: AnyPid, act: () => unknown): Promise<void> {
    await this.family.endOf(pid, act);
    // Its end was in the supervisor's mailbox before it was known here.
    await this.list().catch(() => {});
  }

  crash(id: string): Promise<void> {
    return this.end(id, "crash");
  }

  isUp(): Promise<unknown> {
    return this.family.isUp(this.pid);
  }

  /** Stops it as its parent does; its reason. */
  stop(): Promise<ExitReason> {
    return this.family.endOf(this.pid, () => this.family.parent.do("exit", this.pid, "shutdown"));
  }

  startChild(plan: ChildPlan): Promise<unknown> {
    return this.family.parent.do("startChild", this.pid, plan, this.family.ground.self.pid);
  }

  /** Starts an anonymous child, across the border. */
  startSimple(...args: readonly unknown[]): Promise<unknown> {
    return startChild(this.family.ground.self, this.pid, args);
  }

  terminateChild(id: string | AnyPid): Promise<unknown> {
    return terminateChild(this.family.ground.self, this.pid, id);
  }

  restartChild(id: string): Promise<unknown> {
    return restartChild(this.family.ground.self, this.pid, id);
  }

  deleteChild(id: string): Promise<unknown> {
    return deleteChild(this.family.ground.self, this.pid, id);
  }

  count(): Promise<unknown> {
    return countChildren(this.family.ground.self, this.pid);
  }
}

/** A statement about one family. */
function statement(
  id: string,
  sentence: string,
  prove: (family: Family) => Promise<void>,
  more: Pick<Statement, "difference" | "except"> = {},
): Statement {
  return { id, sentence, ...more, prove: async (ground) => prove(await Family.gather(ground)) };
}

const startAndStop: readonly Statement[] = [
  statement("S1", "children start left to right, each before the next", async (family) => {
    await family.start([member("a"), member("b"), member("c")]);

    expect(await family.log()).toEqual(["up a", "up b", "up c"]);
  }),
  statement("S2", "children are stopped in reverse start order", async (family) => {
    const supervisor = await family.start([nice("a"), nice("b"), nice("c")]);
    await family.log();

    expect(await supervisor.stop()).toBe("shutdown");
    expect(await family.log()).toEqual(["down c shutdown", "down b shutdown", "down a shutdown"]);
  }),
  statement(
    "S3",
    "a child does not start: those that are up stop in reverse order, and the start fails",
    async (family) => {
      const reason = await family.startReason({ children: [nice("a"), nice("b"), member("bad", { kind: "fails" })] });

      expect(reason).toEqual(shutdown({ tag: "failedToStartChild", id: "bad", reason: new Error("nope") }));
      expect(await family.log()).toEqual(["up a", "up b", "down b shutdown", "down a shutdown"]);
    },
  ),
  statement(
    "S19",
    "shutdown with a time: exit signal shutdown, then kill for a child that does not stop",
    async (family) => {
      const supervisor = await family.start([member("a", { manner: "stubborn", shutdown: 30 })]);
      await family.log();

      expect(await family.endOf(family.pid("a"), () => supervisor.stop())).toBe("killed");
      expect(await family.log()).toEqual(["down a shutdown", "still a"]);
    },
  ),
  statement("S20", "brutal: the child gets no chance and ends with killed", async (family) => {
    const supervisor = await family.start([member("a", { manner: "nice", shutdown: "brutal" })]);
    await family.log();

    expect(await family.endOf(family.pid("a"), () => supervisor.stop())).toBe("killed");
    expect(await family.log()).toEqual([]);
  }),
  statement("S21", "shutdown infinity waits for a slow child", async (family) => {
    const supervisor = await family.start([member("a", { manner: 20, shutdown: "infinity" })]);
    await family.log();

    expect(await family.endOf(family.pid("a"), () => supervisor.stop())).toBe("shutdown");
    expect(await family.log()).toEqual(["down a shutdown", "done a"]);
  }),
  statement("S38", "init of a supervisor gives ignore: so does its start", async (family) => {
    expect(isIgnored(await family.startReason({ children: [], isIgnored: true }))).toBe(true);
  }),
  statement(
    "S39",
    "an exit signal from a process that is not the parent does not stop the supervisor",
    async (family) => {
      const supervisor = await family.start([member("a")]);
      await family.log();
      const stranger = await family.ground.puppet();

      await stranger.do("exit", supervisor.pid, "shutdown");
      family.ground.self.exit(supervisor.pid, "shutdown");

      expect(await supervisor.list()).toEqual([["a", family.pid("a")]]);
      expect([await supervisor.isUp(), await family.isUp(family.pid("a"))]).toEqual([true, true]);
    },
  ),
  statement("S40", "unexpected plain messages do not harm a supervisor", async (family) => {
    const supervisor = await family.start([member("a", { restart: "transient" })]);
    await supervisor.end("a", "normal");
    const before = await supervisor.list();

    for (const junk of ["junk", null, undefined, [], { type: "exit" }, { type: "$restart" }, { type: "down" }]) {
      family.ground.self.send(supervisor.pid as never, junk as never);
    }

    expect(await supervisor.list()).toEqual(before);
    expect(await family.log()).toEqual([]);
  }),
  statement("S41", "a killed supervisor takes its children that do not trap exits with it", async (family) => {
    const supervisor = await family.start([member("a")]);
    await family.log();

    const end = (): unknown => family.ground.self.exit(supervisor.pid, "kill");

    expect(await family.endOf(family.pid("a"), end)).toBe("killed");
  }),
  statement("S42", "the end of the supervisor's parent stops it and its children in order", async (family) => {
    const supervisor = await family.start([nice("a"), nice("b")]);
    await family.log();

    await family.endOf(supervisor.pid, () => family.parent.do("return").catch(() => {}));

    expect(await family.log()).toEqual(["down b shutdown", "down a shutdown"]);
  }),
  statement("S51", "a child that removed its link is still stopped, and waited for", async (family) => {
    const supervisor = await family.start([member("a", { unlinks: true, manner: 10 })]);
    await family.log();

    expect(await supervisor.stop()).toBe("shutdown");
    expect(await family.log()).toEqual(["down a shutdown", "done a"]);
    expect(await family.isUp(family.pid("a"))).toBe(false);
  }),
  statement("S52", "a start function that gives no pid is an error of that child", async (family) => {
    const reason = await family.startReason({ children: [member("a", { kind: "noPid" })] });

    const badReturn = { tag: "badReturnValue", value: "banana" };
    expect(reason).toEqual(shutdown({ tag: "failedToStartChild", id: "a", reason: badReturn }));
  }),
];

const strategies: readonly Statement[] = [
  statement("S4", "oneForOne: only the failed child is restarted", async (family) => {
    const supervisor = await family.start([member("a"), member("b")]);
    await family.log();
    const [a, b] = [family.pid("a"), family.pid("b")];

    await supervisor.crash("a");

    expect(await family.log()).toEqual(["up a"]);
    const isUp = [await family.isUp(a), await family.isUp(family.pid("a")), await family.isUp(b)];
    expect(isUp).toEqual([false, true, true]);
  }),
  statement("S5", "oneForAll: all others are stopped, then all start in order", async (family) => {
    const supervisor = await family.start([nice("a"), nice("b"), nice("c")], { strategy: "oneForAll" });

    await supervisor.crash("b");

    expect(await family.log()).toEqual(["down c shutdown", "down a shutdown", "up a", "up b", "up c"]);
  }),
  statement("S6", "restForOne: later children are stopped and restarted, earlier ones untouched", async (family) => {
    const children = ["a", "b", "c", "d"].map(nice);
    const supervisor = await family.start(children, { strategy: "restForOne" });
    await family.log();
    const a = family.pid("a");

    await supervisor.crash("b");

    expect(await family.log()).toEqual(["down d shutdown", "down c shutdown", "up b", "up c", "up d"]);
    expect(await family.isUp(a)).toBe(true);
  }),
  statement("S53", "startChild appends at the end: later start, earlier stop", async (family) => {
    const supervisor = await family.start([nice("a")]);

    await supervisor.startChild(nice("b"));
    await supervisor.stop();

    expect(await family.log()).toEqual(["up a", "up b", "down b shutdown", "down a shutdown"]);
  }),
  statement("S54", "a restarted child keeps its place in the order", async (family) => {
    const supervisor = await family.start([member("a"), member("b"), member("c")], { strategy: "restForOne" });
    await supervisor.crash("b");
    await family.log();
    const b = family.pid("b");

    await supervisor.crash("c");

    expect(await family.log()).toEqual(["up c"]);
    expect(await family.isUp(b)).toBe(true);
  }),
];

const policies: readonly Statement[] = [
  statement("S7", "permanent: restarted after a normal, a shutdown and an abnormal end", async (family) => {
    const supervisor = await family.start([member("a")]);

    for (const reason of ["normal", "shutdown", shutdown("x"), "boom"]) {
      await supervisor.end("a", reason);
      expect(await family.log()).toEqual(["up a"]);
    }
  }),
  statement("S8", "transient: restarted after an abnormal end only", async (family) => {
    const supervisor = await family.start([member("a", { restart: "transient" })]);

    await supervisor.end("a", "boom");
    const afterBoom = await family.log();
    await supervisor.end("a", "normal");

    expect([afterBoom, await family.log()]).toEqual([["up a"], []]);
  }),
  statement("S9", "transient: not restarted after shutdown, with or without a detail", async (family) => {
    const supervisor = await family.start(["a", "b"].map((id) => member(id, { restart: "transient" })));

    await supervisor.end("a", "shutdown");
    await supervisor.end("b", shutdown("x"));

    expect(await family.log()).toEqual([]);
  }),
  statement("S10", "temporary: never restarted, and its spec is removed at its end", async (family) => {
    const supervisor = await family.start([member("a", { restart: "temporary" })]);

    await supervisor.crash("a");

    expect([await supervisor.list(), await family.log()]).toEqual([[], []]);
  }),
  statement("S11", "temporary children are not restarted by oneForAll either", async (family) => {
    const children = [member("a", { restart: "temporary" }), member("b")];
    const supervisor = await family.start(children, { strategy: "oneForAll" });

    await supervisor.crash("b");

    expect(await family.log()).toEqual(["up b"]);
    expect(await supervisor.list()).toEqual([["b", family.pid("b")]]);
  }),
  statement("S12", "a transient child that ended normally keeps its spec, without a pid", async (family) => {
    const supervisor = await family.start([member("a", { restart: "transient" })]);

    await supervisor.end("a", "normal");

    expect(await supervisor.list()).toEqual([["a", undefined]]);
  }),
  statement(
    "S36",
    "a child's start is ignored: its spec is kept without a pid, and it is not restarted",
    async (family) => {
      const supervisor = await family.start([member("i", { kind: "ignored" })], { maxRestarts: 0 });

      expect(await supervisor.list()).toEqual([["i", undefined]]);
      expect(await supervisor.isUp()).toBe(true);
    },
  ),
  statement("S37", "a temporary child's start is ignored: no spec is kept", async (family) => {
    const supervisor = await family.start([member("i", { kind: "ignored", restart: "temporary" })]);

    expect(await supervisor.list()).toEqual([]);
  }),
  statement(
    "S55",
    "a child's state does not survive a restart unless it is stored outside the child",
    async (family) => {
      const children = [
        member("inside", { kind: "counter", name: "s55 inside" }),
        member("outside", { kind: "counter", name: "s55 outside", isStoredOutside: true }),
      ];
      const supervisor = await family.start(children);
      const counts: unknown[] = [];

      for (const name of ["s55 inside", "s55 outside"]) {
        counts.push(await family.parent.do("call", name, "increment"));
        const pid = (await family.parent.do("whereis", name)) as AnyPid;
        await supervisor.endPid(pid, () => family.ground.self.exit(pid, "kill"));
        counts.push(await family.parent.do("call", name, "increment"));
      }

      expect(counts).toEqual([1, 1, 1, 2]);
    },
  ),
  statement("S56", "after a restart the registered name leads to the new process", async (family) => {
    const supervisor = await family.start([member("counter", { kind: "counter", name: "s56" })]);
    const before = (await family.parent.do("whereis", "s56")) as AnyPid;

    await supervisor.endPid(before, () => family.ground.self.exit(before, "kill"));

    const after = (await family.parent.do("whereis", "s56")) as AnyPid;
    expect(await supervisor.list()).toEqual([["counter", after]]);
    expect(String(after)).not.toBe(String(before));
  }),
];

/** A window that no test outlasts. */
const longMs = 600_000;

const restarts: readonly Statement[] = [
  statement(
    "S13",
    "maxRestarts restarts are allowed within the period; the next one ends all with shutdown",
    async (family) => {
      const supervisor = await family.start([nice("other"), member("a")], { maxRestarts: 3, periodMs: longMs });

      for (let count = 0; count < 3; count += 1) await supervisor.crash("a");
      const before = await supervisor.isUp();
      await family.log();
      const reason = await family.endOf(supervisor.pid, () => supervisor.crash("a"));

      expect([before, reason]).toEqual([true, "shutdown"]);
      expect(await family.log()).toEqual(["down other shutdown"]);
    },
  ),
  statement("S14", "the window slides: restarts that are older than the period do not count", async (family) => {
    const supervisor = await family.start([member("a")], { maxRestarts: 1, periodMs: 10 });
    await family.log();

    for (let count = 0; count < 3; count += 1) {
      await supervisor.crash("a");
      await family.log();
      // Nothing happens for longer than the period.
      expect(await family.ground.self.receive(() => true, { timeoutMs: 12 })).toBe(timedOut);
    }

    expect(await supervisor.isUp()).toBe(true);
  }),
  statement("S15", "maxRestarts 0: the first failure ends the supervisor", async (family) => {
    const supervisor = await family.start([member("a")], { maxRestarts: 0 });

    expect(await family.endOf(supervisor.pid, () => supervisor.crash("a"))).toBe("shutdown");
  }),
  statement("S16", "one failure under oneForAll counts as one restart however many siblings", async (family) => {
    const children = [member("a"), member("b"), member("c")];
    const supervisor = await family.start(children, { strategy: "oneForAll", maxRestarts: 1, periodMs: longMs });

    await supervisor.crash("a");

    expect(await supervisor.isUp()).toBe(true);
    expect(await family.log()).toEqual(["up a", "up b", "up c"]);
  }),
  statement("S17", "defaults: oneForOne, one restart within five seconds", async (family) => {
    const supervisor = await family.startPlan({ children: [member("a"), member("b")] });

    await supervisor.crash("a");
    const log = await family.log();
    const reason = await family.endOf(supervisor.pid, () => supervisor.crash("a"));

    expect([log, reason, maxRestartsDefault]).toEqual([["up a"], "shutdown", 1]);
  }),
  statement("S22", "a restart that does not start is tried again and counts", async (family) => {
    const flaky = member("a", { kind: "flaky", failsUntil: 3 });
    const supervisor = await family.start([flaky], { maxRestarts: 3, periodMs: longMs });

    await supervisor.crash("a");
    const log = await family.log();
    const before = await supervisor.isUp();
    const reason = await family.endOf(supervisor.pid, () => supervisor.crash("a"));

    expect(log).toEqual(["failed a", "failed a", "up a"]);
    expect([before, reason]).toEqual([true, "shutdown"]);
  }),
  statement(
    "S23",
    "a start that keeps failing on restart ends the supervisor when maxRestarts is passed",
    async (family) => {
      const supervisor = await family.start([member("a", { kind: "flaky" })], { maxRestarts: 2, periodMs: longMs });
      await family.log();

      expect(await family.endOf(supervisor.pid, () => supervisor.crash("a"))).toBe("shutdown");
      expect(await family.log()).toEqual(["failed a", "failed a"]);
    },
  ),
  statement("S24", "a supervisor that gave up is restarted by its parent, with fresh children", async (family) => {
    const lower: SupervisorPlan = { flags: { periodMs: longMs }, children: [member("w")] };
    const top = await family.start([member("sub", { kind: lower, type: "supervisor" })]);
    const [[, before]] = (await top.list()) as [[string, AnyPid]];
    const sub = new Supervisor(family, before);

    await sub.crash("w");
    const afterOne = await family.log();
    await sub.crash("w");
    const [[, after]] = (await top.list()) as [[string, AnyPid]];

    expect([afterOne, await family.log()]).toEqual([["up w"], ["up w"]]);
    expect(String(after)).not.toBe(String(before));
    expect(await new Supervisor(family, after).list()).toEqual([["w", family.pid("w")]]);
  }),
  statement("S25", "a transient supervisor that gave up, which is shutdown, is not restarted", async (family) => {
    const lower: SupervisorPlan = { flags: { maxRestarts: 0 }, children: [member("w")] };
    const top = await family.start([member("sub", { kind: lower, type: "supervisor", restart: "transient" })]);
    const [[, sub]] = (await top.list()) as [[string, AnyPid]];

    await new Supervisor(family, sub).crash("w");

    expect(await top.list()).toEqual([["sub", undefined]]);
    expect(await family.log()).toEqual([]);
  }),
  statement("S32", "terminateChild does not count as a restart", async (family) => {
    const supervisor = await family.start([member("a")], { maxRestarts: 1, periodMs: longMs });

    for (let count = 0; count < 5; count += 1) {
      await supervisor.terminateChild("a");
      await supervisor.restartChild("a");
    }
    const log = await family.log();
    await supervisor.crash("a");

    expect(await supervisor.isUp()).toBe(true);
    expect([log, await family.log()]).toEqual([Array.from({ length: 6 }, () => "up a"), ["up a"]]);
  }),
];

const operations: readonly Statement[] = [
  statement("S26", "startChild with the id of a running child: alreadyStarted with its pid", async (family) => {
    const supervisor = await family.start([member("a")]);
    await family.log();

    const result = await supervisor.startChild(member("a"));

    expect(result).toEqual(failed({ tag: "alreadyStarted", pid: family.pid("a") }));
  }),
  statement("S27", "startChild with the id of a stopped child: alreadyPresent", async (family) => {
    const supervisor = await family.start([member("a")]);
    await supervisor.terminateChild("a");

    expect(await supervisor.startChild(member("a"))).toEqual(failed("alreadyPresent"));
  }),
  statement("S28", "terminateChild stops without a restart and keeps the spec", async (family) => {
    const supervisor = await family.start([member("a")]);

    await supervisor.terminateChild("a");

    expect(await supervisor.list()).toEqual([["a", undefined]]);
    expect(await family.log()).toEqual(["up a"]);
    expect(await family.isUp(family.pid("a"))).toBe(false);
  }),
  statement("S29", "terminateChild of a stopped child is ok, of an unknown id notFound", async (family) => {
    const supervisor = await family.start([member("a")]);

    await supervisor.terminateChild("a");

    expect(await supervisor.terminateChild("a")).toEqual(ok(undefined));
    expect(await supervisor.terminateChild("zz")).toEqual(failed("notFound"));
  }),
  statement(
    "S30",
    "restartChild: of a running child an error, of a stopped one a pid, of an unknown id notFound",
    async (family) => {
      const supervisor = await family.start([member("a")]);

      const running = await supervisor.restartChild("a");
      await supervisor.terminateChild("a");
      const stopped = await supervisor.restartChild("a");
      await family.log();

      expect([running, stopped]).toEqual([failed("running"), ok(family.pid("a"))]);
      expect(await supervisor.restartChild("zz")).toEqual(failed("notFound"));
    },
  ),
  statement(
    "S31",
    "deleteChild: of a running child an error; of a stopped one ok, and the id is gone",
    async (family) => {
      const supervisor = await family.start([member("a")]);

      const running = await supervisor.deleteChild("a");
      await supervisor.terminateChild("a");
      const stopped = await supervisor.deleteChild("a");

      expect([running, stopped]).toEqual([failed("running"), ok(undefined)]);
      expect(await supervisor.list()).toEqual([]);
    },
  ),
  statement(
    "S47",
    "whichChildren lists id, pid and type; countChildren counts specs, active, supervisors and workers",
    async (family) => {
      const children = [member("a"), member("b", { restart: "transient" })];
      const sub = member("sub", { kind: { children: [] }, type: "supervisor" });
      const supervisor = await family.start([...children, sub]);

      await supervisor.end("b", "normal");

      expect(await whichChildren(family.ground.self, supervisor.pid)).toEqual([
        { id: "a", pid: family.pid("a"), type: "worker" },
        { id: "b", pid: undefined, type: "worker" },
        { id: "sub", pid: expect.anything() as unknown, type: "supervisor" },
      ]);
      expect(await supervisor.count()).toEqual({ specs: 3, active: 2, supervisors: 1, workers: 2 });
    },
    { difference: "there is no list of modules: programs are values, and there is no loading of new code." },
  ),
];

const specs: readonly Statement[] = [
  statement(
    "S18",
    "defaults of a child: permanent, worker, shutdown 5000 ms; infinity for a supervisor",
    async (family) => {
      const supervisor = await family.start([member("a"), member("b", { type: "supervisor" })]);
      const specOf = (id: string): Promise<unknown> => getChildSpec(family.ground.self, supervisor.pid, id);

      const spec = { restart: "permanent", significant: false };
      expect(await specOf("a")).toMatchObject(ok({ ...spec, id: "a", shutdown: 5000, type: "worker" }));
      expect(await specOf("b")).toMatchObject(ok({ ...spec, id: "b", shutdown: "infinity", type: "supervisor" }));
      expect(await specOf("zz")).toEqual(failed("notFound"));
      expect(await supervisor.isUp()).toBe(true);
    },
  ),
  statement("S33", "ids that are there twice are rejected at start", async (family) => {
    const reason = await family.startReason({ children: [member("a"), member("a")] });

    expect(reason).toEqual({ tag: "startSpec", problem: "duplicateChildName", id: "a" });
    expect(await family.log()).toEqual([]);
  }),
  statement("S34", "a spec without id or start is rejected", async (family) => {
    const noId = await family.startReason({ children: [member("a", { kind: "noId" })] });
    const noStart = await family.startReason({ children: [member("a", { kind: "noStart" })] });

    expect(noId).toMatchObject({ tag: "startSpec", problem: "missingId" });
    expect(noStart).toMatchObject({ tag: "startSpec", problem: "missingStart", value: "a" });
  }),
  statement("S35", "bad flags of a supervisor are rejected", async (family) => {
    const problems: [SupervisorFlags, string][] = [
      [{ strategy: "bogus" as never }, "invalidStrategy"],
      [{ maxRestarts: -1 }, "invalidMaxRestarts"],
      [{ maxRestarts: NaN }, "invalidMaxRestarts"],
      [{ periodMs: 0 }, "invalidPeriodMs"],
      [{ autoShutdown: "bogus" as never }, "invalidAutoShutdown"],
    ];

    for (const [flags, problem] of problems) {
      expect(await family.startReason({ flags, children: [] })).toMatchObject({ tag: "supervisorFlags", problem });
    }
  }),
  statement(
    "S50",
    "a significant child that is permanent, or under autoShutdown never, is rejected",
    async (family) => {
      const rejected = { tag: "startSpec", problem: "badCombination" };
      const transient = member("a", { restart: "transient", significant: true });
      const permanent = member("a", { restart: "permanent", significant: true });

      expect(await family.startReason({ children: [transient] })).toMatchObject(rejected);
      const flags = { autoShutdown: "anySignificant" } as const;
      expect(await family.startReason({ flags, children: [permanent] })).toMatchObject(rejected);
    },
  ),
];

const simple = { strategy: "simpleOneForOne" } as const;
const byArgument: MemberOptions = { isNamedByArgument: true };

const anonymous: readonly Statement[] = [
  statement("S43", "simpleOneForOne: startChild appends its arguments, and any number can run", async (family) => {
    const supervisor = await family.start([member("w", byArgument)], simple);

    for (const id of ["1", "2", "3"]) await supervisor.startSimple(id);

    expect(await family.log()).toEqual(["up 1", "up 2", "up 3"]);
    expect(await supervisor.list()).toEqual(["1", "2", "3"].map((id) => [undefined, family.pid(id)]));
    expect(await supervisor.count()).toEqual({ specs: 1, active: 3, supervisors: 0, workers: 3 });

    const fixed = await family.start([member("w", { args: ["fixed"] })], simple);
    const got: unknown[] = [];
    for (const args of [["own", 1], []]) {
      await fixed.startSimple(...args);
      await family.log();
      got.push(family.args("w"));
    }
    expect(got).toEqual([["fixed", "own", 1], ["fixed"]]);
  }),
  statement(
    "S44",
    "simpleOneForOne: a child that crashed is restarted with the arguments it was started with",
    async (family) => {
      const supervisor = await family.start([member("w", byArgument)], simple);
      await supervisor.startSimple("7", "more");

      await supervisor.crash("7");

      expect(await family.log()).toEqual(["up 7"]);
      expect(family.args("7")).toEqual(["7", "more"]);
      expect(await supervisor.list()).toEqual([[undefined, family.pid("7")]]);
    },
  ),
  statement(
    "S45",
    "simpleOneForOne: restartChild and deleteChild by id are errors; terminateChild works by pid",
    async (family) => {
      const supervisor = await family.start([member("w", byArgument)], simple);
      await supervisor.startSimple("1");
      await family.log();
      const refused = failed("simpleOneForOne");

      expect(await supervisor.restartChild("w")).toEqual(refused);
      expect(await supervisor.deleteChild("w")).toEqual(refused);
      expect(await supervisor.terminateChild("w")).toEqual(refused);
      expect(await supervisor.terminateChild(family.pid("1"))).toEqual(ok(undefined));
      expect([await supervisor.list(), await family.isUp(family.pid("1"))]).toEqual([[], false]);
    },
    { difference: "terminateChild takes a pid with every strategy." },
  ),
  statement("S46", "simpleOneForOne: children are stopped at the same time", async (family) => {
    const supervisor = await family.start([member("w", { ...byArgument, manner: 20 })], simple);
    for (let index = 0; index < 20; index += 1) await supervisor.startSimple(`${index}`);
    await family.log();

    const reason = await supervisor.stop();

    // All are told to stop before the first one has.
    const events = (await family.log()).map((line) => line.split(" ")[0]);
    const times = (event: string): string[] => Array.from({ length: 20 }, () => event);
    expect([reason, events]).toEqual(["shutdown", [...times("down"), ...times("done")]]);
  }),
];

const automatic: readonly Statement[] = [
  statement(
    "S48",
    "anySignificant: the end of one significant child ends the supervisor with shutdown",
    async (family) => {
      const children = [member("a", { restart: "transient", significant: true }), member("b")];
      const supervisor = await family.start(children, { autoShutdown: "anySignificant" });

      await supervisor.crash("a");
      const restarted = await supervisor.isUp();
      const reason = await family.endOf(supervisor.pid, () => supervisor.end("a", "normal"));

      expect([restarted, reason]).toEqual([true, "shutdown"]);
      expect(await family.isUp(family.pid("b"))).toBe(false);
    },
  ),
  statement("S49", "allSignificant: only the end of the last significant child does", async (family) => {
    const significant: MemberOptions = { restart: "temporary", significant: true };
    const children = [member("a", significant), member("b", significant), member("c")];
    const supervisor = await family.start(children, { autoShutdown: "allSignificant" });

    await supervisor.end("a", "normal");
    const before = await supervisor.isUp();
    const reason = await family.endOf(supervisor.pid, () => supervisor.crash("b"));

    expect([before, reason]).toEqual([true, "shutdown"]);
  }),
];

export const supervisors: readonly Statement[] = [
  ...startAndStop,
  ...strategies,
  ...policies,
  ...restarts,
  ...operations,
  ...specs,
  ...anonymous,
  ...automatic,
].toSorted((one, other) => Number(one.id.slice(1)) - Number(other.id.slice(1)));
