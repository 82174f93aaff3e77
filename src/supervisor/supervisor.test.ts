/**
 * Supervisors: what OTP's statements do not say, and what takes virtual time: backoff, the window in milliseconds, errors for
 * unknown calls. The statements are in test/conformance/supervisors.ts.
 */
import { describe, expect, test } from "vitest";
import { describeReason, Exit } from "../kernel/exit-reason.ts";
import { isExit } from "../kernel/message.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import { StartError, type AnyProcess } from "../kernel/process.ts";
import { call, cast, defineServer, ignore } from "../server/server.ts";
import * as sys from "../server/sys.ts";
import { handOver, pair } from "../testing/tied-worlds.ts";
import { idle, World } from "../testing/world.ts";
import {
  child,
  type Backoff,
  type ChildSpec,
  type StartChild,
  type SupervisorEvent,
  type SupervisorFlags,
} from "./child-spec.ts";
import { startDynamicSupervisor } from "./dynamic-supervisor.ts";
import {
  countChildren,
  deleteChild,
  findChild,
  getChildSpec,
  restartChild,
  startChild,
  startSupervisor,
  terminateChild,
  whichChildren,
} from "./supervisor.ts";

/** How a member takes an exit signal: not at all, at once and telling, so many milliseconds later, or never. */
type Manner = "plain" | "nice" | "stubborn" | number;

type MemberOptions = Omit<ChildSpec, "id" | "start"> & { readonly manner?: Manner };

/** A world, a supervisor's children, and a log of what they did in the order in which they did it. */
class Family {
  readonly world = new World();
  readonly self: AnyProcess = this.world.self;
  readonly events: SupervisorEvent[] = [];
  #log: string[] = [];
  readonly #pids = new Map<string, Pid<unknown>>();

  constructor() {
    this.self.trapExit(true);
  }

  /** Starts a supervisor that allows ten restarts unless told otherwise. */
  start(children: readonly ChildSpec[], flags: SupervisorFlags = {}): Promise<Pid<unknown>> {
    const observe = (event: SupervisorEvent): void => void this.events.push(event);
    return startSupervisor(this.self, { flags: { maxRestarts: 10, observe, ...flags }, children });
  }

  member(id: string, { manner = "plain", ...options }: MemberOptions = {}): ChildSpec {
    return child(id, (self: AnyProcess) => this.live(self, id, manner), options);
  }

  /** A member whose every start after the first, up to and including number `until`, fails. */
  flaky(id: string, until: number, options: MemberOptions = {}): ChildSpec {
    const { start } = this.member(id, options);
    let startsCount = 0;
    return {
      ...options,
      id,
      start: (self) => {
        startsCount += 1;
        if (startsCount === 1 || startsCount > until) return start(self);
        this.#log.push(`failed ${id}`);
        throw new Error(`flaky ${startsCount}`);
      },
    };
  }

  async live(self: AnyProcess, id: string, manner: Manner = "plain"): Promise<void> {
    this.#pids.set(id, self.pid);
    this.#log.push(`up ${id}`);
    self.trapExit(manner !== "plain");
    for (;;) {
      const message: unknown = await self.receive();
      if (!isExit(message)) self.exit((message as { readonly exit: unknown }).exit);
      this.#log.push(`down ${id} ${String(message.reason)}`);
      if (manner === "stubborn") continue;
      if (typeof manner === "number") await self.sleep(manner);
      self.exit(message.reason);
    }
  }

  /** What happened since the last look, once everything has run. */
  async log(): Promise<string[]> {
    await this.world.settle();
    const log = this.#log;
    this.#log = [];
    return log;
  }

  pid(id: string): Pid<unknown> {
    return this.#pids.get(id)!;
  }

  /** Whether the youngest process of a member, or the given one, lives. */
  isUp(member: string | AnyPid): boolean {
    return this.self.isAlive(typeof member === "string" ? this.pid(member) : member);
  }

  /** Ends a member and lets follow what follows. */
  async end(id: string, reason: unknown): Promise<void> {
    this.self.send(this.pid(id), { exit: reason });
    await this.world.settle();
  }

  crash(id: string): Promise<void> {
    return this.end(id, "crash");
  }

  /** The reason of a supervisor's end, or "alive". */
  async endOf(supervisor: AnyPid): Promise<unknown> {
    const exit = (await this.world.all()).find((message) => isExit(message, supervisor));
    return isExit(exit) ? exit.reason : this.isUp(supervisor) ? "alive" : "no exit message";
  }

  /** Stops a supervisor as its parent does. */
  async stop(supervisor: AnyPid): Promise<void> {
    this.self.exit(supervisor, "shutdown");
    await this.world.settle();
  }

  /** What `whichChildren` says, without types. */
  async list(supervisor: AnyPid): Promise<[string | undefined, unknown][]> {
    return (await whichChildren(this.self, supervisor)).map(({ id, pid }) => [id, pid]);
  }

  /** What was observed, in short. */
  story(): string[] {
    return this.events.map(({ type, id }) => `${type} ${id}`);
  }

  /** The delays of all restarts so far. */
  delays(): number[] {
    return this.events.flatMap((event) => (event.type === "restarting" ? [event.delayMs] : []));
  }
}

/** Why something did not start. */
async function startReason(start: Promise<unknown>): Promise<unknown> {
  const error: unknown = await start.then(
    () => "started",
    (thrown: unknown) => thrown,
  );
  return error instanceof StartError ? error.reason : error;
}

const doesNotStart: StartChild = () => {
  throw new Error("nope");
};

const ignored = (id: string, options: Omit<ChildSpec, "id" | "start"> = {}): ChildSpec =>
  child(
    id,
    defineServer(() => ({ init: () => ignore })),
    options,
  );

describe("start and stop", () => {
  test("shutdown T: kill comes after T, not before", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a", { manner: "stubborn", shutdown: 100 })]);
    const ref = family.self.monitor(family.pid("a"));
    await family.log();

    await family.stop(supervisor);
    await family.world.advance(99);
    const before = family.isUp("a");
    await family.world.advance(1);

    expect([before, family.isUp("a")]).toEqual([true, false]);
    expect(await family.log()).toEqual(["down a shutdown"]);
    expect(await family.world.all()).toContainEqual({ type: "down", ref, from: family.pid("a"), reason: "killed" });
  });

  test("shutdown infinity waits longer than any default", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a", { manner: 60_000, shutdown: "infinity" })]);

    await family.stop(supervisor);
    await family.world.advance(59_999);
    const before = await family.endOf(supervisor);
    await family.world.advance(1);

    expect([before, await family.endOf(supervisor)]).toEqual(["alive", "shutdown"]);
  });

  test("a child that is being stopped is told when its supervisor is killed meanwhile", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a", { manner: "stubborn", shutdown: "infinity" })]);
    await family.stop(supervisor);

    family.self.exit(supervisor, "kill");

    expect(await family.log()).toEqual(["up a", "down a shutdown", "down a killed"]);
  });
});

describe("strategies", () => {
  test.each(["oneForAll", "restForOne"] as const)(
    "%s: a terminated child and one that ended normally start with their group again, as in OTP",
    async (strategy) => {
      const family = new Family();
      const children = [family.member("a"), family.member("b"), family.member("c", { restart: "transient" })];
      const supervisor = await family.start(children, { strategy });
      await terminateChild(family.self, supervisor, "b");
      await family.end("c", "normal");
      await family.log();

      await family.crash("a");

      expect(await family.log()).toEqual(["up a", "up b", "up c"]);
    },
  );

  test("restForOne: a terminated child before the one that failed stays stopped", async () => {
    const family = new Family();
    const supervisor = await family.start(
      ["a", "b", "c"].map((id) => family.member(id)),
      { strategy: "restForOne" },
    );
    await terminateChild(family.self, supervisor, "a");
    await family.log();

    await family.crash("b");

    expect(await family.log()).toEqual(["up b", "up c"]);
  });
});

describe("restart window", () => {
  test("the window slides by milliseconds, and what is in it counts", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a")], { maxRestarts: 1, periodMs: 1000 });

    await family.crash("a");
    await family.world.advance(1001);
    await family.crash("a");
    const slid = await family.endOf(supervisor);
    await family.world.advance(1000);
    await family.crash("a");

    expect([slid, await family.endOf(supervisor)]).toEqual(["alive", "shutdown"]);
  });

  test("the default window is 5 seconds", async () => {
    const family = new Family();
    const children = [family.member("a"), family.member("b")];
    const supervisor = await startSupervisor(family.self, { children });

    await family.crash("a");
    await family.world.advance(5001);
    await family.crash("a");
    const before = await family.endOf(supervisor);
    await family.world.advance(5000);
    await family.crash("a");

    expect([before, await family.endOf(supervisor)]).toEqual(["alive", "shutdown"]);
    expect(await family.log()).toEqual(["up a", "up b", "up a", "up a"]);
  });
});

describe("operations", () => {
  test("an unknown call is answered with an error, and the supervisor lives on", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a")]);

    for (const request of ["junk", 7, null, undefined, { operation: "explode" }]) {
      const error = { tag: "unknownRequest", request };
      expect(await call(family.self, supervisor, request)).toEqual({ ok: false, error });
    }
    cast(family.self, supervisor, "junk");

    expect(await family.list(supervisor)).toEqual([["a", family.pid("a")]]);
  });

  test("startChild with something that is no spec is answered with an error", async () => {
    const family = new Family();
    const supervisor = await family.start([]);

    for (const spec of [undefined, null, "a", {}, []]) {
      const result = await startChild(family.self, supervisor, spec as never);
      expect(result).toMatchObject({ ok: false, error: { tag: "startSpec", problem: "missingId" } });
    }
  });

  test("a child added by startChild whose start fails leaves no spec behind", async () => {
    const family = new Family();
    const supervisor = await family.start([]);

    const result = await startChild(family.self, supervisor, { id: "bad", start: doesNotStart });

    expect(result).toEqual({ ok: false, error: new Error("nope") });
    expect(await family.list(supervisor)).toEqual([]);
  });
});

describe("asked from another carrier", () => {
  test("a supervisor describes why a child did not start when the reason does not cross, and lives on", async () => {
    const { root, child } = pair();
    const start: StartChild = () => {
      throw new Exit({ why: () => {} });
    };
    const init = { flags: { strategy: "simpleOneForOne" }, children: [{ id: "w", start }] } as const;
    const supervisor = handOver(await startSupervisor(child.self, init), child, root);

    expect(await startChild(root.self, supervisor, [])).toMatchObject({ ok: false, error: { tag: "uncopyable" } });
    expect(await countChildren(root.self, supervisor)).toMatchObject({ specs: 1, active: 0 });
  });
});

describe("specs and flags", () => {
  test.each([
    { initialMs: Number.NaN },
    { initialMs: Infinity },
    { maxMs: -1 },
    { factor: 0.5 },
    { jitter: 2 },
    { resetAfterMs: undefined },
  ])("a backoff with %j is rejected", async (wrong) => {
    const backoff = { ...steady(100), ...wrong } as Backoff;

    expect(await startReason(new Family().start([], { backoff }))).toMatchObject({
      tag: "supervisorFlags",
      problem: "invalidBackoff",
    });
  });

  test.each([
    [5, "invalidFlags"],
    [{ intensity: 3 }, "unknownFlag"],
    [{ maxRestarts: "3" }, "invalidMaxRestarts"],
    [{ periodMs: "5" }, "invalidPeriodMs"],
    [{ backoff: null }, "invalidBackoff"],
    [{ strategy: "dynamic", maxChildren: "2" }, "invalidMaxChildren"],
    [{ observe: true }, "invalidObserve"],
  ])("flags that are none are rejected: %j", async (flags, problem) => {
    const { self } = new Family();

    const reason = await startReason(startSupervisor(self, { flags: flags as never, children: [] }));

    expect(reason).toMatchObject({ tag: "supervisorFlags", problem });
    expect(describeReason(reason)).toMatch(/^(?:the|a supervisor).* not /);
  });

  test.each([
    [{ shutdown: "5000" }, "invalidShutdown"],
    [{ shutdown: Number.NaN }, "invalidShutdown"],
    [{ significant: "yes" }, "invalidSignificant"],
    [{ restart: null }, "invalidRestart"],
  ])("a spec that is none is rejected: %j", async (wrong, problem) => {
    const family = new Family();

    const reason = await startReason(family.start([{ ...family.member("a"), ...wrong } as never]));

    expect(reason).toMatchObject({ tag: "startSpec", problem });
    expect(describeReason(reason)).toMatch(/^a child's .* not /);
  });

  test.each([undefined, {}, { children: {} }])("an init that gives no children is rejected: %j", async (wanted) => {
    const { self } = new Family();

    const reason = await startReason(startSupervisor(self, () => wanted as never));

    expect(reason).toEqual({ tag: "badReturnFromInit", value: wanted });
  });

  test("a child without a program is rejected where it is written", () => {
    expect(() => child("db", undefined as never)).toThrow(
      'the child "db" needs a program, such as defineServer(…), not undefined',
    );
  });
});

describe("simpleOneForOne", () => {
  /** Starts a supervisor of members named by the argument of `startChild`. */
  const startSimple = (family: Family, options: MemberOptions = {}): Promise<Pid<unknown>> => {
    const start: StartChild = (self, id) => family.member(String(id), options).start(self);
    const { manner: _, ...rest } = options;
    return family.start([{ id: "w", start, ...rest }], { strategy: "simpleOneForOne" });
  };

  test("takes a list of arguments, and no spec", async () => {
    const family = new Family();
    const supervisor = await startSimple(family);

    const { ok, error } = (await startChild(family.self, supervisor, family.member("a"))) as {
      ok: false;
      error: unknown;
    };

    expect([ok, error]).toMatchObject([false, { tag: "startSpec", problem: "argumentsNotAList" }]);
    expect(describeReason(error)).toMatch(/^a simpleOneForOne supervisor is given a list of arguments .*"id":"a"/);
  });

  test("ten thousand children come, go and are stopped", async () => {
    const family = new Family();
    const spec = child("w", idle, { restart: "temporary" });
    const supervisor = await family.start([spec], { strategy: "simpleOneForOne", observe: () => {} });
    const pids: AnyPid[] = [];
    for (let index = 0; index < 10_000; index += 1) {
      const result = await startChild(family.self, supervisor, []);
      pids.push((result as { readonly value: AnyPid }).value);
    }

    for (const pid of pids.slice(0, 5000)) family.self.exit(pid, "gone");
    const { active } = await countChildren(family.self, supervisor);
    await family.stop(supervisor);

    expect([active, await family.endOf(supervisor)]).toEqual([5000, "shutdown"]);
    expect(family.world.kernel.processesCount).toBe(1);
  });

  test("20 slow children are stopped in one delay, not twenty", async () => {
    const family = new Family();
    const supervisor = await startSimple(family, { manner: 200, shutdown: 2000 });
    for (let index = 0; index < 20; index += 1) await startChild(family.self, supervisor, [`${index}`]);

    await family.stop(supervisor);
    await family.world.advance(199);
    const before = await family.endOf(supervisor);
    await family.world.advance(1);

    expect([before, await family.endOf(supervisor)]).toEqual(["alive", "shutdown"]);
  });

  test("20 stubborn children are killed after one shutdown time, not twenty", async () => {
    const family = new Family();
    const supervisor = await startSimple(family, { manner: "stubborn", shutdown: 2000 });
    for (let index = 0; index < 20; index += 1) await startChild(family.self, supervisor, [`${index}`]);

    await family.stop(supervisor);
    await family.world.advance(2000);

    expect(await family.endOf(supervisor)).toBe("shutdown");
  });

  test("a child whose restart is ignored is forgotten", async () => {
    const family = new Family();
    let startsCount = 0;
    const start: StartChild = (self) => {
      startsCount += 1;
      return startsCount === 1 ? family.member("a").start(self) : ignored("a").start(self);
    };
    const supervisor = await family.start([{ id: "w", start }], { strategy: "simpleOneForOne" });
    await startChild(family.self, supervisor, []);

    await family.crash("a");

    expect(startsCount).toBe(2);
    expect(await family.list(supervisor)).toEqual([]);
  });

  test("getChildSpec gives the spec before any child runs", async () => {
    const family = new Family();
    const supervisor = await startSimple(family);

    const start: unknown = expect.any(Function);
    expect(await getChildSpec(family.self, supervisor, "w")).toMatchObject({ ok: true, value: { id: "w", start } });
  });
});

describe("a dynamic supervisor", () => {
  const flags = { maxRestarts: 10 };

  test("starts children of any spec, also of the same id, and lists them without ids", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, flags);

    const results = [];
    for (const spec of [family.member("a"), family.member("a"), family.member("s", { type: "supervisor" })]) {
      results.push(await startChild(family.self, supervisor, spec));
    }

    const pids = results.map((result) => (result.ok ? result.value : undefined));
    expect(new Set(pids).size).toBe(3);
    expect(await family.list(supervisor)).toEqual(pids.map((pid) => [undefined, pid]));
    expect(await countChildren(family.self, supervisor)).toEqual({ specs: 3, active: 3, supervisors: 1, workers: 2 });
    expect(await getChildSpec(family.self, supervisor, pids[2]!)).toMatchObject({ value: { id: "s" } });
    expect(await getChildSpec(family.self, supervisor, "s")).toEqual({ ok: false, error: "notFound" });
  });

  test("restarts each child by its own policy and forgets those that it does not", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, flags);
    for (const restart of ["permanent", "transient", "temporary"] as const) {
      await startChild(family.self, supervisor, family.member(restart, { restart }));
    }
    await family.log();

    for (const id of ["permanent", "transient", "temporary"]) await family.crash(id);
    const crashed = await family.log();
    for (const id of ["permanent", "transient"]) await family.end(id, "normal");

    expect(crashed).toEqual(["up permanent", "up transient"]);
    expect(await family.log()).toEqual(["up permanent"]);
    expect(await family.list(supervisor)).toEqual([[undefined, family.pid("permanent")]]);
  });

  test("takes maxChildren, refuses one more, and takes again after an end", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, { ...flags, maxChildren: 2 });
    for (const id of ["a", "b"]) await startChild(family.self, supervisor, family.member(id, { restart: "temporary" }));

    expect(await startChild(family.self, supervisor, family.member("c"))).toEqual({ ok: false, error: "maxChildren" });
    await family.crash("a");
    expect(await startChild(family.self, supervisor, family.member("c"))).toMatchObject({ ok: true });
    expect(await family.log()).toEqual(["up a", "up b", "up c"]);
  });

  test("counts a child that waits for its restart, and maxChildren holds for simpleOneForOne too", async () => {
    const family = new Family();
    const waits = { backoff: steady(100), maxChildren: 1 };
    const supervisor = await family.start([family.member("a")], { strategy: "simpleOneForOne", ...waits });
    await startChild(family.self, supervisor, []);
    await family.crash("a");

    expect(await startChild(family.self, supervisor, [])).toEqual({ ok: false, error: "maxChildren" });
  });

  test("terminateChild takes a pid, and forgets the child", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, flags);
    await startChild(family.self, supervisor, family.member("a"));
    const pid = family.pid("a");

    expect(await terminateChild(family.self, supervisor, "a")).toEqual({ ok: false, error: "dynamic" });
    expect(await terminateChild(family.self, supervisor, pid)).toEqual({ ok: true, value: undefined });
    expect(await terminateChild(family.self, supervisor, pid)).toEqual({ ok: false, error: "notFound" });
    expect(await restartChild(family.self, supervisor, "a")).toEqual({ ok: false, error: "dynamic" });
    expect(await deleteChild(family.self, supervisor, "a")).toEqual({ ok: false, error: "dynamic" });
    expect([await family.list(supervisor), family.isUp(pid)]).toEqual([[], false]);
  });

  test("a child that waits for its restart is cancelled by the pid it had", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, { ...flags, backoff: steady(100) });
    await startChild(family.self, supervisor, family.member("a"));
    const former = family.pid("a");
    await family.crash("a");
    const waiting = await family.list(supervisor);

    const result = await terminateChild(family.self, supervisor, former);
    await family.world.advance(1000);

    expect(waiting).toEqual([[undefined, "restarting"]]);
    expect([result, await family.list(supervisor)]).toEqual([{ ok: true, value: undefined }, []]);
    expect(await family.log()).toEqual(["up a"]);
  });

  test("once it has restarted, the pid it had means nothing", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, { ...flags, backoff: steady(100) });
    await startChild(family.self, supervisor, family.member("a"));
    const former = family.pid("a");
    await family.crash("a");

    await family.world.advance(100);

    expect(await terminateChild(family.self, supervisor, former)).toEqual({ ok: false, error: "notFound" });
    expect(family.isUp("a")).toBe(true);
  });

  test("gives up when the restart window is used up", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, { maxRestarts: 1 });
    for (const id of ["a", "b"]) await startChild(family.self, supervisor, family.member(id));

    await family.crash("a");
    await family.crash("b");

    expect([await family.endOf(supervisor), family.isUp("a")]).toEqual(["shutdown", false]);
  });

  test("each child gets the extra arguments after its own, at every start", async () => {
    const family = new Family();
    const got: unknown[] = [];
    const program = async (self: AnyProcess, ...args: unknown[]): Promise<void> => {
      got.push(args);
      await self.receive();
      self.exit("crash");
    };
    const supervisor = await startDynamicSupervisor(family.self, { ...flags, extraArguments: ["extra"] });
    const result = await startChild(family.self, supervisor, child("w", program, { args: ["own"] }));

    family.self.send(result.ok ? (result.value as Pid<unknown>) : family.self.pid, "go");
    await family.world.settle();

    expect(got).toEqual([
      ["own", "extra"],
      ["own", "extra"],
    ]);
  });

  test("stops children at the same time, each with its own patience", async () => {
    const family = new Family();
    const supervisor = await startDynamicSupervisor(family.self, flags);
    for (const [id, shutdownMs] of [["slow", 1000] as const, ["quick", 100] as const]) {
      await startChild(family.self, supervisor, family.member(id, { manner: "stubborn", shutdown: shutdownMs }));
    }

    await family.stop(supervisor);
    await family.world.advance(100);
    const before = [family.isUp("slow"), family.isUp("quick")];
    await family.world.advance(900);

    expect([before, await family.endOf(supervisor)]).toEqual([[true, false], "shutdown"]);
  });

  test.each([
    [{ strategy: "dynamic", maxChildren: -1 }, "invalidMaxChildren"],
    [{ strategy: "dynamic", maxChildren: Number.NaN }, "invalidMaxChildren"],
    [{ strategy: "oneForOne", maxChildren: 3 }, "invalidMaxChildren"],
    [{ strategy: "dynamic", extraArguments: 7 as never }, "invalidExtraArguments"],
    [{ strategy: "simpleOneForOne", extraArguments: [1] }, "invalidExtraArguments"],
  ] satisfies [SupervisorFlags, string][])("flags %j are rejected", async (flags, problem) => {
    expect(await startReason(new Family().start([], flags))).toMatchObject({ tag: "supervisorFlags", problem });
  });

  test("it begins without children", async () => {
    const family = new Family();

    const reason = await startReason(family.start([family.member("a")], { strategy: "dynamic" }));

    expect(reason).toMatchObject({ tag: "startSpec", problem: "dynamicBeginsWithoutChildren" });
  });
});

describe("findChild", () => {
  test("gives the pid of a child that runs", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a"), family.member("b")]);
    await terminateChild(family.self, supervisor, "b");

    const found = await Promise.all(["a", "b", "c"].map((id) => findChild(family.self, supervisor, id)));

    expect(found).toEqual([family.pid("a"), undefined, undefined]);
  });
});

describe("autoShutdown", () => {
  const transient: MemberOptions = { restart: "transient", significant: true };
  const temporary: MemberOptions = { restart: "temporary", significant: true };

  test("anySignificant: a temporary child that crashes ends the supervisor", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a", temporary)], { autoShutdown: "anySignificant" });

    await family.crash("a");

    expect(await family.endOf(supervisor)).toBe("shutdown");
  });

  test.each(["transient", "temporary"] as const)(
    "anySignificant: a %s child that only its group's restart stopped does not end the supervisor",
    async (restart) => {
      const family = new Family();
      const children = [family.member("a", { restart, significant: true }), family.member("b")];
      const supervisor = await family.start(children, { strategy: "oneForAll", autoShutdown: "anySignificant" });

      await family.crash("b");

      expect(await family.endOf(supervisor)).toBe("alive");
      expect((await family.list(supervisor)).map(([id]) => id)).toEqual(restart === "transient" ? ["a", "b"] : ["b"]);
    },
  );

  test("allSignificant: a temporary child that its group's restart removed counts as ended", async () => {
    const family = new Family();
    const children = [family.member("a", temporary), family.member("b", transient), family.member("c")];
    const supervisor = await family.start(children, { strategy: "oneForAll", autoShutdown: "allSignificant" });
    await family.crash("c");
    const before = await family.endOf(supervisor);

    await family.end("b", "normal");

    expect([before, await family.endOf(supervisor)]).toEqual(["alive", "shutdown"]);
  });

  test("a child stopped by terminateChild ends nobody, but counts as ended for allSignificant", async () => {
    const family = new Family();
    const children = [family.member("a", transient), family.member("b", transient)];
    const one = await family.start(children, { autoShutdown: "anySignificant" });
    await terminateChild(family.self, one, "a");
    const all = await family.start(children, { autoShutdown: "allSignificant" });
    await terminateChild(family.self, all, "a");
    const before = await family.endOf(all);

    await family.end("b", { tag: "shutdown", detail: "done" });

    expect([before, await family.endOf(all), await family.endOf(one)]).toEqual(["alive", "shutdown", "alive"]);
  });

  test.each(["anySignificant", "allSignificant"] as const)("%s holds for simpleOneForOne children", async (policy) => {
    const family = new Family();
    const start: StartChild = (self, id) => family.member(String(id)).start(self);
    const spec = { id: "w", start, restart: "transient", significant: true } as const;
    const supervisor = await family.start([spec], { strategy: "simpleOneForOne", autoShutdown: policy });
    for (const id of ["1", "2"]) await startChild(family.self, supervisor, [id]);

    await family.end("1", "normal");
    const afterOne = await family.endOf(supervisor);
    if (policy === "allSignificant") await family.end("2", "normal");

    expect(afterOne).toBe(policy === "anySignificant" ? "shutdown" : "alive");
    expect(family.isUp(supervisor)).toBe(false);
  });

  test("a significant child that waits for its restart has not ended", async () => {
    const family = new Family();
    const significant: MemberOptions = { restart: "transient", significant: true };
    const children = [family.member("a", significant), family.member("b", significant)];
    const supervisor = await family.start(children, { autoShutdown: "allSignificant", backoff: steady(100) });

    await family.crash("a");
    await family.end("b", "normal");
    const waiting = await family.endOf(supervisor);
    await family.world.advance(100);
    const again = family.isUp("a");
    await family.end("a", "normal");

    expect([waiting, again, await family.endOf(supervisor)]).toEqual(["alive", true, "shutdown"]);
  });

  test("a significant child that restarts with another one has not ended", async () => {
    const family = new Family();
    const significant: MemberOptions = { restart: "transient", significant: true };
    const children = [family.member("a", significant), family.member("b"), family.member("c", significant)];
    const flags = { strategy: "restForOne", autoShutdown: "allSignificant", backoff: steady(100) } as const;
    const supervisor = await family.start(children, flags);

    await family.crash("b");
    await family.end("a", "normal");
    const waiting = await family.endOf(supervisor);
    await family.world.advance(100);

    expect([waiting, family.isUp("c")]).toEqual(["alive", true]);
  });
});

/** Always the same delay. */
function steady(delayMs: number): Backoff {
  return { initialMs: delayMs, maxMs: delayMs, factor: 1, jitter: 0, resetAfterMs: Infinity };
}

describe("backoff", () => {
  const growing: Backoff = { initialMs: 100, maxMs: 500, factor: 2, jitter: 0, resetAfterMs: 10_000 };

  test("it grows with each restart and is capped", async () => {
    const family = new Family();
    await family.start([family.member("a")], { backoff: growing });
    await family.log();

    for (const delayMs of [100, 200, 400, 500, 500]) {
      await family.crash("a");
      await family.world.advance(delayMs - 1);
      expect(await family.log()).toEqual([]);
      await family.world.advance(1);
      expect(await family.log()).toEqual(["up a"]);
    }
    expect(family.delays()).toEqual([100, 200, 400, 500, 500]);
  });

  test("it grows with each start that fails", async () => {
    const family = new Family();
    await family.start([family.flaky("a", 4)], { backoff: growing });

    await family.crash("a");
    await family.world.advance(1200);

    expect(family.delays()).toEqual([100, 200, 400, 500]);
    expect(await family.log()).toEqual(["up a", "failed a", "failed a", "failed a", "up a"]);
  });

  test("its jitter takes off a random part of the delay, and no more", async () => {
    const family = new Family();
    const backoff = { ...steady(1000), jitter: 0.25 };
    await family.start([family.member("a")], { backoff, maxRestarts: Infinity });

    for (let count = 0; count < 50; count += 1) {
      await family.crash("a");
      await family.world.advance(1000);
    }

    const delays = family.delays();
    expect(delays).toHaveLength(50);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(750);
    expect(Math.min(...delays)).toBeLessThan(800);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1000);
    expect(Math.max(...delays)).toBeGreaterThan(950);
  });

  test("it starts again at the first delay after health", async () => {
    const family = new Family();
    await family.start([family.member("a")], { backoff: growing });

    await family.crash("a");
    await family.world.advance(100 + 9999);
    await family.crash("a");
    await family.world.advance(200 + 10_000);
    await family.crash("a");

    expect(family.delays()).toEqual([100, 200, 100]);
  });

  test("it grows while starts fail, however healthy the child was before", async () => {
    const family = new Family();
    await family.world.advance(1);
    await family.start([family.flaky("a", 4)], { backoff: growing });
    await family.world.advance(60_000);

    await family.crash("a");
    await family.world.advance(1200);

    expect(family.delays()).toEqual([100, 200, 400, 500]);
  });

  test("health counts too when the child ended because its group restarts", async () => {
    const family = new Family();
    await family.start([family.member("a"), family.member("b")], { backoff: growing, strategy: "oneForAll" });
    await family.crash("b");
    await family.world.advance(100 + 10_000);

    await family.crash("a");
    await family.world.advance(100);
    await family.crash("b");

    expect(family.delays()).toEqual([100, 100, 100]);
  });

  test("a restart that waits is shown, and terminateChild cancels it", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a")], { backoff: steady(100) });
    await family.crash("a");
    const waiting = await family.list(supervisor);

    const result = await terminateChild(family.self, supervisor, "a");
    await family.world.advance(1000);

    expect(waiting).toEqual([["a", "restarting"]]);
    expect(result).toEqual({ ok: true, value: undefined });
    expect(await family.list(supervisor)).toEqual([["a", undefined]]);
    expect(await family.log()).toEqual(["up a"]);
  });

  test("while a restart waits, deleteChild and restartChild are refused with restarting", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a")], { backoff: steady(100) });
    await family.crash("a");
    const refused = { ok: false, error: "restarting" };

    expect(await deleteChild(family.self, supervisor, "a")).toEqual(refused);
    expect(await restartChild(family.self, supervisor, "a")).toEqual(refused);
    await family.world.advance(100);
    expect(family.isUp("a")).toBe(true);
  });

  test("so they are for one whose group waits, which would start before its turn", async () => {
    const family = new Family();
    const members = [family.member("a"), family.member("b")];
    const supervisor = await family.start(members, { strategy: "oneForAll", backoff: steady(100) });
    await family.crash("a");
    const refused = { ok: false, error: "restarting" };

    expect(await restartChild(family.self, supervisor, "b")).toEqual(refused);
    expect(await deleteChild(family.self, supervisor, "b")).toEqual(refused);
    await family.log();
    await family.world.advance(100);
    expect(await family.log()).toEqual(["up a", "up b"]);
  });

  test("terminateChild and restartChild in a wait start the child once", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a")], { backoff: steady(100) });
    await family.crash("a");

    await terminateChild(family.self, supervisor, "a");
    await restartChild(family.self, supervisor, "a");
    await family.world.advance(1000);

    expect(await family.log()).toEqual(["up a", "up a"]);
  });

  test("a supervisor that is stopped in a wait starts nothing any more", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a")], { backoff: steady(100) });
    await family.crash("a");

    await family.stop(supervisor);
    await family.world.advance(1000);

    expect(await family.endOf(supervisor)).toBe("shutdown");
    expect(await family.log()).toEqual(["up a"]);
  });

  test("oneForAll: everybody waits stopped, then all start in order", async () => {
    const family = new Family();
    const children = ["a", "b", "c"].map((id) => family.member(id, { manner: "nice" }));
    await family.start(children, { strategy: "oneForAll", backoff: steady(100) });
    await family.log();

    await family.crash("b");
    await family.world.advance(99);
    const waiting = await family.log();
    await family.world.advance(1);

    expect(waiting).toEqual(["down c shutdown", "down a shutdown"]);
    expect(await family.log()).toEqual(["up a", "up b", "up c"]);
  });

  test("oneForAll: a child that dies while the others are being stopped does not count again", async () => {
    const family = new Family();
    const children = [family.member("a"), family.member("b"), family.member("c", { manner: 50 })];
    const supervisor = await family.start(children, { strategy: "oneForAll", backoff: steady(100), maxRestarts: 1 });

    await family.crash("b");
    await family.crash("a");
    await family.world.advance(150);

    expect(await family.endOf(supervisor)).toBe("alive");
    expect(await family.log()).toEqual(["up a", "up b", "up c", "down c shutdown", "up a", "up b", "up c"]);
    expect(family.delays()).toEqual([100]);
    const ends = family.events.flatMap((event) => (event.type === "ended" ? [[event.id, event.reason]] : []));
    expect(ends).toEqual([
      ["b", "crash"],
      ["c", "shutdown"],
      ["a", "crash"],
    ]);
  });

  test("oneForAll: a child that was added in the wait and dies restarts all together, once", async () => {
    const family = new Family();
    const flags = { strategy: "oneForAll", backoff: steady(100) } as const;
    const supervisor = await family.start([family.member("a"), family.member("b")], flags);
    await family.crash("b");
    await family.world.advance(60);
    await startChild(family.self, supervisor, family.member("late"));
    await family.log();

    await family.crash("late");
    await family.world.advance(99);
    const waiting = await family.log();
    await family.world.advance(1000);

    expect(waiting).toEqual([]);
    expect(await family.log()).toEqual(["up a", "up b", "up late"]);
  });

  test("oneForAll: a child that restartChild started in the wait is not started twice", async () => {
    const family = new Family();
    const flags = { strategy: "oneForAll", backoff: steady(100) } as const;
    const supervisor = await family.start([family.member("a"), family.member("b")], flags);
    await family.crash("b");
    await family.log();

    await restartChild(family.self, supervisor, "a");
    await family.world.advance(1000);

    expect(await family.log()).toEqual(["up a", "up b"]);
  });

  test("restForOne: an earlier child that dies in the wait takes the waiting ones along, once", async () => {
    const family = new Family();
    const children = ["a", "b", "c"].map((id) => family.member(id, { manner: "nice" }));
    await family.start(children, { strategy: "restForOne", backoff: steady(100) });
    await family.crash("b");
    await family.world.advance(60);
    await family.log();

    await family.crash("a");
    await family.world.advance(99);
    const waiting = await family.log();
    await family.world.advance(1000);

    expect(waiting).toEqual([]);
    expect(await family.log()).toEqual(["up a", "up b", "up c"]);
  });
});

describe("a group that waits for a restart", () => {
  test.each(["oneForAll", "restForOne"] as const)(
    "%s: all that will start are shown as restarting",
    async (strategy) => {
      const family = new Family();
      const children = ["a", "b", "c"].map((id) => family.member(id));
      const supervisor = await family.start(children, { strategy, backoff: steady(100) });

      await family.crash("a");

      expect(await family.list(supervisor)).toEqual(["a", "b", "c"].map((id) => [id, "restarting"]));
    },
  );

  test.each(["oneForAll", "restForOne"] as const)(
    "%s: goes on without the child it waits for when that is terminated",
    async (strategy) => {
      const family = new Family();
      const children = ["a", "b", "c"].map((id) => family.member(id));
      const supervisor = await family.start(children, { strategy, backoff: steady(100) });
      await family.crash("a");
      await family.log();

      await terminateChild(family.self, supervisor, "a");

      expect(await family.log()).toEqual(["up b", "up c"]);
      expect((await family.list(supervisor))[0]).toEqual(["a", undefined]);
    },
  );

  test("a child that is terminated in the wait is not started by that restart, but by the next", async () => {
    const family = new Family();
    const children = ["a", "b", "c"].map((id) => family.member(id));
    const supervisor = await family.start(children, { strategy: "oneForAll", backoff: steady(100) });
    await family.crash("a");
    await family.log();

    await terminateChild(family.self, supervisor, "b");
    await family.world.advance(100);
    const first = await family.log();
    await family.crash("a");
    await family.world.advance(100);

    expect(first).toEqual(["up a", "up c"]);
    expect(await family.log()).toEqual(["up a", "up b", "up c"]);
  });

  test.each([
    ["a child of the group that waits", "b"],
    ["the child that it waits for", "a"],
  ])("startChild of %s is answered with restarting", async (_, id) => {
    const family = new Family();
    const children = ["a", "b"].map((name) => family.member(name));
    const supervisor = await family.start(children, { strategy: "oneForAll", backoff: steady(100) });
    await family.crash("a");

    expect(await startChild(family.self, supervisor, family.member(id))).toEqual({ ok: false, error: "restarting" });
  });

  test("a delay of 0 stays 0, for ever", async () => {
    const family = new Family();
    const backoff = { ...steady(100), initialMs: 0, factor: 10 };
    await family.start([family.member("a")], { maxRestarts: Infinity, backoff });

    for (let index = 0; index < 400; index += 1) await family.crash("a");

    expect(new Set(family.delays())).toEqual(new Set([0]));
  });

  test("leaves no monitors, messages and timers behind after a thousand restarts", async () => {
    const family = new Family();
    const children = [family.member("a"), family.member("b", { manner: "nice" })];
    const supervisor = await family.start(children, { maxRestarts: Infinity, strategy: "oneForAll" });

    for (let index = 0; index < 1000; index += 1) await family.crash("a");
    await family.world.settle();

    expect(family.self.info(supervisor)).toMatchObject({ monitors: [], messagesCount: 0 });
    expect(family.self.info(supervisor)?.links).toHaveLength(3);
    expect([family.world.kernel.processesCount, family.world.platform.timersCount]).toEqual([4, 0]);
  });
});

describe("restarts that fail", () => {
  test("a child that never starts again and unlimited restarts still let whichChildren answer", async () => {
    const family = new Family();
    const supervisor = await family.start([family.flaky("a", Infinity), family.member("b")], { maxRestarts: Infinity });
    family.self.send(family.pid("a"), { exit: "crash" });

    for (let count = 0; count < 3; count += 1) {
      expect(await family.list(supervisor)).toContainEqual(["b", family.pid("b")]);
    }
    expect(await terminateChild(family.self, supervisor, "a")).toEqual({ ok: true, value: undefined });
    expect(await family.list(supervisor)).toEqual([
      ["a", undefined],
      ["b", family.pid("b")],
    ]);
  });

  test("a child that ends at once and unlimited restarts still let whichChildren answer", async () => {
    const family = new Family();
    const hopeless = child("a", () => {});
    const supervisor = await family.start([hopeless], { maxRestarts: Infinity });

    expect(await family.list(supervisor)).toHaveLength(1);
    expect(await terminateChild(family.self, supervisor, "a")).toEqual({ ok: true, value: undefined });
    expect(await family.list(supervisor)).toEqual([["a", undefined]]);
  });

  test("oneForAll: all that started again are stopped before the next attempt", async () => {
    const family = new Family();
    const children = [family.member("a", { manner: "nice" }), family.flaky("b", 2), family.member("c")];
    await family.start(children, { strategy: "oneForAll" });
    await family.log();

    await family.crash("c");

    expect(await family.log()).toEqual([
      "down a shutdown",
      "up a",
      "failed b",
      "down a shutdown",
      "up a",
      "up b",
      "up c",
    ]);
  });

  test("restForOne: the next attempt begins with the one that failed", async () => {
    const family = new Family();
    const children = [family.member("a", { manner: "nice" }), family.flaky("b", 2), family.member("c")];
    await family.start(children, { strategy: "restForOne" });
    await family.log();

    await family.crash("a");

    expect(await family.log()).toEqual(["up a", "failed b", "up b", "up c"]);
  });
});

describe("observe", () => {
  test("it tells of starts, ends and restarts in order", async () => {
    const family = new Family();
    const supervisor = await family.start([family.member("a"), family.flaky("b", 2)], { maxRestarts: 2 });
    const [a, b] = [family.pid("a"), family.pid("b")];

    await family.crash("b");
    const again = family.pid("b");
    await family.crash("b");

    expect(await family.endOf(supervisor)).toBe("shutdown");
    expect(family.events).toEqual([
      { type: "started", id: "a", pid: a },
      { type: "started", id: "b", pid: b },
      { type: "ended", id: "b", pid: b, reason: "crash" },
      { type: "restarting", id: "b", delayMs: 0, restartsCount: 1 },
      { type: "startFailed", id: "b", reason: new Error("flaky 2") },
      { type: "restarting", id: "b", delayMs: 0, restartsCount: 2 },
      { type: "started", id: "b", pid: again },
      { type: "ended", id: "b", pid: again, reason: "crash" },
      { type: "gaveUp", id: "b", reason: "crash" },
      { type: "ended", id: "a", pid: a, reason: "shutdown" },
    ]);
  });

  test("one that throws is logged, and harms no child", async () => {
    const family = new Family();
    const observe = (): never => {
      throw new Error("no disk");
    };
    const supervisor = await family.start([family.member("a")], { observe });

    await family.crash("a");

    expect(await family.log()).toEqual(["up a", "up a"]);
    expect(await family.list(supervisor)).toEqual([["a", family.pid("a")]]);
    const { message } = family.world.platform.logged[0]!;
    expect(message).toBe(`the observe of supervisor ${supervisor} threw: Error: no disk`);
  });

  test("it does not tell of a child whose start was ignored", async () => {
    const family = new Family();

    await family.start([ignored("i")]);
    await family.world.settle();

    expect(family.events).toEqual([]);
  });

  test("it tells of a group's restart in the order of the group", async () => {
    const family = new Family();
    await family.start([family.member("a"), family.member("b"), family.member("c")], { strategy: "restForOne" });
    family.events.length = 0;

    await family.crash("b");

    expect(family.story()).toEqual(["ended b", "restarting b", "ended c", "started b", "started c"]);
  });
});

test("sys shows a supervisor's strategy, window and children, and does not replace them", async () => {
  const family = new Family();
  const supervisor = await family.start([family.member("a")], { maxRestarts: 2, periodMs: 100 });

  const state = await sys.getState(family.world.self, supervisor);

  const [child] = await whichChildren(family.world.self, supervisor);
  expect(state).toEqual({ strategy: "oneForOne", maxRestarts: 2, periodMs: 100, children: [child] });
  await expect(sys.replaceState(family.world.self, supervisor, {})).rejects.toMatchObject({ refusal: "unsupported" });
});
