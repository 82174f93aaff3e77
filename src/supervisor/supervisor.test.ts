/** Supervisors: OTP's statements (S), in virtual time, and what is ours: backoff, and staying answerable. */
import { describe, expect, test } from "vitest";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { shutdown } from "../kernel/exit-reason.ts";
import { isDown, isExit } from "../kernel/message.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import { timedOut, type AnyProcess, type StartError } from "../kernel/process.ts";
import { defineProgram, type DefinedProgram } from "../kernel/program.ts";
import { call, cast, ignore, isIgnored, startServer, type Server } from "../server/server.ts";
import { World } from "../testing/world.ts";
import { child, type ChildSpec, type SupervisorEvent, type SupervisorFlags } from "./child-spec.ts";
import {
  countChildren,
  deleteChild,
  describeStartFailure,
  getChildSpec,
  restartChild,
  startChild,
  startSupervisor,
  terminateChild,
  whichChildren,
} from "./supervisor.ts";

type SpecOptions = Partial<Omit<ChildSpec, "id" | "start">>;
/** What a trapping worker does when it is told to stop. */
type Mode = "nice" | "stubborn" | { readonly slowMs: number };

/** Enough restarts for tests that are not about them. */
const many = { maxRestarts: 10, periodMs: 5000 } satisfies SupervisorFlags;

/** A world whose test process starts supervisors and hears from their children. */
class Nursery extends World {
  /** Starts a supervisor linked to the test. */
  supervise(flags: SupervisorFlags, children: readonly ChildSpec[]): Promise<Pid<unknown>> {
    return startSupervisor(this.self, { flags, children });
  }

  /** A child that says `["up", id, pid]` and ends when told `crash` or `["exit", reason]`. */
  worker(id: string, options: SpecOptions = {}): ChildSpec {
    return child(id, this.#program(id), options);
  }

  /** A child that traps exits, says `["down", id, reason]` when told to stop, and then does as `mode` says. */
  trapping(id: string, mode: Mode = "nice", options: SpecOptions = {}): ChildSpec {
    return child(id, this.#program(id, mode), options);
  }

  #program(id: string, mode?: Mode): DefinedProgram<unknown, readonly unknown[]> {
    return defineProgram<unknown, readonly unknown[]>(
      async (self) => {
        self.trapExit(mode !== undefined);
        self.send(this.self.pid, ["up", id, self.pid]);
        self.ready();
        for (;;) {
          const message = await self.receive();
          if (message === "crash") self.exit("crash");
          if (Array.isArray(message) && message[0] === "exit") self.exit(message[1]);
          if (!isExit(message)) continue;
          self.send(this.self.pid, ["down", id, message.reason]);
          if (typeof mode === "object") await self.receive(() => false, { timeoutMs: mode.slowMs });
          if (mode !== "stubborn") self.exit(message.reason);
        }
      },
      { acknowledges: true },
    );
  }

  /** The pid of the next child that says it is up under this id. */
  async up(id: string): Promise<Pid<unknown>> {
    await this.settle();
    const isUp = (message: unknown): boolean => Array.isArray(message) && message[0] === "up" && message[1] === id;
    const message = await this.self.receive(isUp, { timeoutMs: 0 });
    if (message === timedOut) throw new Error(`${id} did not come up`);
    return (message as [string, string, Pid<unknown>])[2];
  }

  /** Ids of what was said since, in order: `+a` for up, `-a` for down. */
  async events(): Promise<string[]> {
    const messages = await this.all();
    return messages.flatMap((message) =>
      Array.isArray(message) ? [`${message[0] === "up" ? "+" : "-"}${message[1]}`] : [],
    );
  }

  crash(pid: Pid<unknown>, reason: ExitReason = "crash"): void {
    this.self.send(pid, ["exit", reason]);
  }

  /** How the supervisor ended, or undefined while it lives. */
  async ended(supervisor: AnyPid): Promise<ExitReason> {
    await this.settle();
    const message = await this.self.receive((each) => isExit(each, supervisor), { timeoutMs: 0 });
    return isExit(message) ? message.reason : undefined;
  }

  /** Pids by id, in order. */
  async children(supervisor: AnyPid): Promise<[string | undefined, AnyPid | "restarting" | undefined][]> {
    const listed = await whichChildren(this.self, supervisor);
    return listed.map(({ id, pid }) => [id, pid]);
  }
}

function nursery(): Nursery {
  const world = new Nursery();
  world.self.trapExit(true);
  return world;
}

const failure = (starting: Promise<unknown>): Promise<ExitReason> =>
  starting.then(
    () => "started",
    (error: StartError) => error.reason,
  );

const failing = (id: string, reason: ExitReason, options: SpecOptions = {}): ChildSpec => ({
  id,
  start: (self) => self.start(defineProgram((body) => body.failStart(reason), { acknowledges: true })),
  ...options,
});

/** Starts once, then fails as often as told, then starts again. */
function flaky(world: Nursery, id: string, failuresCount: number, options: SpecOptions = {}): ChildSpec {
  const good = world.worker(id);
  let startsCount = 0;
  return {
    ...good,
    ...options,
    start: (self) => {
      startsCount += 1;
      if (startsCount === 1 || startsCount > 1 + failuresCount) return good.start(self);
      throw new Error(`flaky ${startsCount}`);
    },
  };
}

describe("starting and stopping", () => {
  test("S1 children start left to right, each before the next", async () => {
    const world = nursery();

    await world.supervise(many, [world.worker("a"), world.worker("b"), world.worker("c")]);

    expect(await world.events()).toEqual(["+a", "+b", "+c"]);
  });

  test("S1 each is ready before the next is started", async () => {
    const world = nursery();
    const slow = defineProgram(
      async (self: AnyProcess) => {
        await self.receive(() => false, { timeoutMs: 100 });
        self.send(world.self.pid as Pid<unknown>, ["up", "slow", self.pid]);
        self.ready();
        await self.receive();
      },
      { acknowledges: true },
    );
    const starting = world.supervise(many, [child("slow", slow), world.worker("b")]);
    await world.advance(99);
    const before = await world.events();

    await world.advance(1);
    await starting;

    expect([before, await world.events()]).toEqual([[], ["+slow", "+b"]]);
  });

  test("S2 children are stopped in reverse start order", async () => {
    const world = nursery();
    const supervisor = await world.supervise(
      many,
      ["a", "b", "c"].map((id) => world.trapping(id)),
    );
    await world.events();

    world.self.exit(supervisor, "shutdown");

    expect(await world.events()).toEqual(["-c", "-b", "-a"]);
  });

  test("S3 a child that fails to start: those already up are stopped in reverse order, the start fails with its id", async () => {
    const world = nursery();

    const reason = await failure(
      world.supervise(many, [world.trapping("a"), world.trapping("b"), failing("bad", "nope"), world.worker("never")]),
    );

    expect(reason).toEqual(shutdown({ tag: "failedToStartChild", id: "bad", reason: "nope" }));
    expect(describeStartFailure(reason)).toBe("bad did not start: nope");
    expect(await world.events()).toEqual(["+a", "+b", "-b", "-a"]);
    expect(world.kernel.processesCount).toBe(1);
  });

  test("S17 defaults: strategy oneForOne, maxRestarts 1, periodMs 5000", async () => {
    const world = nursery();
    const supervisor = await world.supervise({}, [world.worker("a"), world.worker("b")]);
    const b = await world.up("b");

    world.crash(await world.up("a"));
    const second = await world.up("a");
    const between = [world.self.isAlive(supervisor), world.self.isAlive(b)];
    await world.advance(5000);
    world.crash(second);

    expect(between).toEqual([true, true]);
    expect(await world.ended(supervisor)).toBe("shutdown");
  });

  test("S18 child defaults: permanent, worker, shutdown 5000 (infinity for a supervisor)", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a"), world.worker("b", { type: "supervisor" })]);

    const specs = await Promise.all(["a", "b"].map((id) => getChildSpec(world.self, supervisor, id)));

    expect(specs).toMatchObject([
      { value: { restart: "permanent", shutdown: 5000, type: "worker" } },
      { value: { restart: "permanent", shutdown: "infinity", type: "supervisor" } },
    ]);
    expect(await getChildSpec(world.self, supervisor, "zz")).toEqual({ ok: false, error: "notFound" });
  });

  test("S19 shutdown T: exit shutdown, then kill after T for a child that does not stop", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.trapping("a", "stubborn", { shutdown: 100 })]);
    const ref = world.self.monitor(await world.up("a"));

    world.self.exit(supervisor, "shutdown");
    await world.advance(99.9);
    const before = await world.all();
    await world.advance(0.1);

    expect(before).toEqual([["down", "a", "shutdown"]]);
    expect(await world.all()).toMatchObject([
      { type: "down", ref, reason: "killed" },
      { type: "exit", reason: "shutdown" },
    ]);
  });

  test("S20 brutal: the child gets no chance, reason killed", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.trapping("a", "nice", { shutdown: "brutal" })]);
    world.self.monitor(await world.up("a"));

    world.self.exit(supervisor, "shutdown");

    expect(await world.all()).toMatchObject([{ type: "down", reason: "killed" }, { type: "exit" }]);
  });

  test("S21 shutdown infinity waits for a slow child", async () => {
    const world = nursery();
    const slow = world.trapping("a", { slowMs: 3_600_000 }, { shutdown: "infinity" });
    const supervisor = await world.supervise(many, [slow]);

    world.self.exit(supervisor, "shutdown");
    await world.advance(3_599_999);
    const before = await world.ended(supervisor);
    await world.advance(1);

    expect([before, await world.ended(supervisor)]).toEqual([undefined, "shutdown"]);
  });

  test("S38 init ignore of a supervisor: the start says so", async () => {
    const world = nursery();

    expect(isIgnored(await failure(startSupervisor(world.self, ignore)))).toBe(true);
  });

  test("S41 a killed supervisor takes its non-trapping children with it (reason killed)", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    const ref = world.self.monitor(await world.up("a"));

    world.self.exit(supervisor, "kill");

    const signals = await world.all();
    expect(signals.find((signal) => isDown(signal, ref))).toMatchObject({ reason: "killed" });
  });

  test("a supervisor that is killed while it stops a child: that child is told too", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.trapping("a", "stubborn", { shutdown: "infinity" })]);
    await world.events();

    world.self.exit(supervisor, "shutdown");
    await world.settle();
    world.self.exit(supervisor, "kill");

    expect(await world.all()).toMatchObject([
      ["down", "a", "shutdown"],
      { type: "exit", reason: "killed" },
      ["down", "a", "killed"],
    ]);
  });

  test("S42 the death of the supervisor's parent stops it and its children in order", async () => {
    const world = nursery();
    const parent = world.self.spawn(async (self) => {
      await startSupervisor(self, { flags: many, children: [world.trapping("a"), world.trapping("b")] });
      await self.receive();
      self.exit("gone");
    });
    await world.up("b");
    await world.up("a");

    world.self.send(parent, "x" as never);

    expect(await world.all()).toEqual([
      ["down", "b", "shutdown"],
      ["down", "a", "shutdown"],
    ]);
    expect(world.kernel.processesCount).toBe(1);
  });

  test("S51 a child that unlinked itself is still stopped (and waited for) at shutdown", async () => {
    const world = nursery();
    const unlinked: ChildSpec = {
      id: "a",
      start: (supervisor) =>
        supervisor.spawnLink(async (self: AnyProcess) => {
          self.unlink(supervisor.pid);
          self.trapExit(true);
          const message: unknown = await self.receive();
          await self.receive(() => false, { timeoutMs: 500 });
          self.exit(isExit(message) ? message.reason : "odd");
        }),
      shutdown: 1000,
    };
    const supervisor = await world.supervise(many, [unlinked]);
    await world.settle();
    const [[, pid] = []] = await world.children(supervisor);
    const ref = world.self.monitor(pid as AnyPid);

    world.self.exit(supervisor, "shutdown");
    await world.advance(499);
    const before = await world.all();
    await world.advance(1);

    expect(before).toEqual([]);
    expect(await world.all()).toMatchObject([
      { type: "down", ref, reason: "shutdown" },
      { type: "exit", from: supervisor },
    ]);
  });

  test("S52 a start function that gives no pid is an error of that child", async () => {
    const world = nursery();

    const reason = await failure(world.supervise(many, [{ id: "a", start: () => "banana" as never }]));

    expect(reason).toMatchObject({
      detail: { tag: "failedToStartChild", id: "a", reason: { tag: "badReturnValue", value: "banana" } },
    });
  });
});

describe("checks", () => {
  test("S33 duplicate ids are rejected at start", async () => {
    const world = nursery();

    expect(await failure(world.supervise(many, [world.worker("a"), world.worker("a")]))).toEqual({
      tag: "startSpec",
      problem: "duplicateChildName",
      id: "a",
    });
  });

  test("S34 a spec without id or start is rejected", async () => {
    const world = nursery();
    const start = (self: AnyProcess): AnyPid => self.spawnLink(wait);

    expect(await failure(world.supervise(many, [{ start } as never]))).toMatchObject({ problem: "missingId" });
    expect(await failure(world.supervise(many, [{ id: "a" } as never]))).toMatchObject({ problem: "missingStart" });
  });

  const backoff = { initialMs: 100, maxMs: 1000, factor: 2, jitter: 0, resetAfterMs: 1000 };

  test.each([
    [{ strategy: "bogus" }, "invalidStrategy"],
    [{ autoShutdown: "bogus" }, "invalidAutoShutdown"],
    [{ maxRestarts: -1 }, "invalidMaxRestarts"],
    [{ maxRestarts: Number.NaN }, "invalidMaxRestarts"],
    [{ periodMs: 0 }, "invalidPeriodMs"],
    [{ backoff: { ...backoff, jitter: 2 } }, "invalidBackoff"],
    [{ backoff: { ...backoff, initialMs: Number.NaN } }, "invalidBackoff"],
    [{ backoff: { initialMs: 1 } }, "invalidBackoff"],
    [{ backoff: { ...backoff, factor: 0.5 } }, "invalidBackoff"],
  ])("S35 bad supervisor flags are rejected: %j", async (flags, problem) => {
    const world = nursery();

    expect(await failure(world.supervise(flags as SupervisorFlags, []))).toMatchObject({
      tag: "supervisorFlags",
      problem,
    });
  });

  test.each([
    [{ restart: "often" }, "invalidRestart"],
    [{ type: "boss" }, "invalidType"],
    [{ shutdown: -1 }, "invalidShutdown"],
    [{ shutdown: Number.NaN }, "invalidShutdown"],
  ])("a spec with %j is rejected, at start and later", async (options, problem) => {
    const world = nursery();
    const spec = { ...world.worker("a"), ...options } as ChildSpec;
    const supervisor = await world.supervise(many, []);

    expect(await failure(world.supervise(many, [spec]))).toMatchObject({ tag: "startSpec", problem });
    expect(await startChild(world.self, supervisor, spec)).toMatchObject({ ok: false, error: { problem } });
  });

  test("S50 a significant permanent child, or significant with autoShutdown never, is rejected", async () => {
    const world = nursery();
    const transient = world.worker("a", { restart: "transient", significant: true });
    const permanent = world.worker("a", { restart: "permanent", significant: true });

    for (const starting of [
      world.supervise(many, [transient]),
      world.supervise({ ...many, autoShutdown: "anySignificant" }, [permanent]),
    ]) {
      expect(await failure(starting)).toMatchObject({ problem: "badCombination" });
    }
  });
});

describe("restarting", () => {
  test("S4 oneForOne: only the failed child is restarted", async () => {
    const world = nursery();
    await world.supervise(many, [world.worker("a"), world.worker("b")]);
    const [a, b] = [await world.up("a"), await world.up("b")];

    world.crash(a);

    expect(await world.up("a")).not.toBe(a);
    expect(world.self.isAlive(b)).toBe(true);
    expect(await world.events()).toEqual([]);
  });

  test("S5 oneForAll: all others are stopped, then all start in order", async () => {
    const world = nursery();
    const specs = [world.trapping("a"), world.worker("b"), world.trapping("c")];
    await world.supervise({ ...many, strategy: "oneForAll" }, specs);
    const b = await world.up("b");
    await world.events();

    world.crash(b);

    expect(await world.events()).toEqual(["-c", "-a", "+a", "+b", "+c"]);
  });

  test("S6 restForOne: later children are stopped and restarted, earlier ones untouched", async () => {
    const world = nursery();
    const specs = [world.worker("a"), world.worker("b"), world.trapping("c")];
    await world.supervise({ ...many, strategy: "restForOne" }, specs);
    const [a, b] = [await world.up("a"), await world.up("b")];
    await world.events();

    world.crash(b);

    expect(await world.events()).toEqual(["-c", "+b", "+c"]);
    expect(world.self.isAlive(a)).toBe(true);
  });

  test("S7 permanent: restarted after normal, shutdown and abnormal exit", async () => {
    const world = nursery();
    await world.supervise(many, [world.worker("a")]);

    for (const reason of ["normal", "shutdown", shutdown("x"), "boom"]) world.crash(await world.up("a"), reason);

    expect(world.self.isAlive(await world.up("a"))).toBe(true);
  });

  test("S8 transient: restarted after an abnormal exit only", async () => {
    const world = nursery();
    await world.supervise(many, [world.worker("a", { restart: "transient" })]);

    world.crash(await world.up("a"), "boom");
    world.crash(await world.up("a"), "normal");

    expect(await world.events()).toEqual([]);
  });

  test("S9 transient: not restarted after shutdown or { tag: shutdown, … }", async () => {
    const world = nursery();
    const specs = ["a", "b"].map((id) => world.worker(id, { restart: "transient" }));
    await world.supervise(many, specs);

    world.crash(await world.up("a"), "shutdown");
    world.crash(await world.up("b"), shutdown("x"));

    expect(await world.events()).toEqual([]);
  });

  test("S10 temporary: never restarted and its spec is removed on exit", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a", { restart: "temporary" })]);

    world.crash(await world.up("a"));

    expect(await world.events()).toEqual([]);
    expect(await world.children(supervisor)).toEqual([]);
  });

  test("S11 temporary children are not restarted by oneForAll either", async () => {
    const world = nursery();
    const specs = [world.worker("a", { restart: "temporary" }), world.worker("b")];
    const supervisor = await world.supervise({ ...many, strategy: "oneForAll" }, specs);
    await world.up("a");

    world.crash(await world.up("b"));

    const b = await world.up("b");
    expect(await world.events()).toEqual([]);
    expect(await world.children(supervisor)).toEqual([["b", b]]);
  });

  test("S12 a transient child that ended normally keeps its spec with pid undefined", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a", { restart: "transient" })]);

    world.crash(await world.up("a"), "normal");
    await world.settle();

    expect(await world.children(supervisor)).toEqual([["a", undefined]]);
  });

  test("S13 maxRestarts n: n restarts within the period are allowed, the n+1st ends all children and the supervisor", async () => {
    const world = nursery();
    const specs = [world.trapping("other"), world.worker("a")];
    const supervisor = await world.supervise({ maxRestarts: 3, periodMs: 5000 }, specs);
    for (let index = 0; index < 3; index += 1) world.crash(await world.up("a"));
    const last = await world.up("a");
    await world.events();
    const before = await world.ended(supervisor);

    world.crash(last);

    expect(await world.all()).toEqual([
      ["down", "other", "shutdown"],
      { type: "exit", from: supervisor, reason: "shutdown" },
    ]);
    expect([before, world.kernel.processesCount]).toEqual([undefined, 1]);
  });

  test("S14 the window slides, by milliseconds: restarts older than the period do not count", async () => {
    const world = nursery();
    const supervisor = await world.supervise({ maxRestarts: 1, periodMs: 1000 }, [world.worker("a")]);

    for (let index = 0; index < 5; index += 1) {
      world.crash(await world.up("a"));
      await world.advance(1001);
    }
    const alive = world.self.isAlive(supervisor);
    world.crash(await world.up("a"));
    await world.advance(999);
    world.crash(await world.up("a"));

    expect([alive, await world.ended(supervisor)]).toEqual([true, "shutdown"]);
  });

  test("S15 maxRestarts 0: the first failure ends the supervisor", async () => {
    const world = nursery();
    const supervisor = await world.supervise({ maxRestarts: 0 }, [world.worker("a")]);

    world.crash(await world.up("a"));

    expect(await world.ended(supervisor)).toBe("shutdown");
  });

  test("S16 one failure under oneForAll counts as one restart however many siblings", async () => {
    const world = nursery();
    const specs = ["a", "b", "c"].map((id) => world.worker(id));
    const supervisor = await world.supervise({ strategy: "oneForAll", maxRestarts: 1 }, specs);
    const a = await world.up("a");
    await world.events();

    world.crash(a);

    expect(await world.events()).toEqual(["+a", "+b", "+c"]);
    expect(world.self.isAlive(supervisor)).toBe(true);
  });

  test("S22 a restart whose start fails is tried again and counts towards maxRestarts", async () => {
    const world = nursery();
    const exact = await world.supervise({ maxRestarts: 3 }, [flaky(world, "a", 2)]);
    world.crash(await world.up("a"));
    const exactUp = await world.up("a");

    const over = await world.supervise({ maxRestarts: 2 }, [flaky(world, "b", 2)]);
    world.crash(await world.up("b"));

    expect([world.self.isAlive(exactUp), world.self.isAlive(exact)]).toEqual([true, true]);
    expect(await world.ended(over)).toBe("shutdown");
  });

  test("S23 a start that keeps failing on restart ends the supervisor when maxRestarts is passed", async () => {
    const world = nursery();
    const supervisor = await world.supervise({ maxRestarts: 2 }, [flaky(world, "a", 99)]);

    world.crash(await world.up("a"));

    expect(await world.ended(supervisor)).toBe("shutdown");
  });

  test("S24 escalation: a supervisor that gave up is restarted by its parent, with fresh children", async () => {
    const world = nursery();
    const sub: ChildSpec = {
      id: "sub",
      type: "supervisor",
      start: (self) => startSupervisor(self, { flags: { maxRestarts: 1 }, children: [world.worker("w")] }),
    };
    await world.supervise(many, [sub]);

    world.crash(await world.up("w"));
    world.crash(await world.up("w"));

    expect(world.self.isAlive(await world.up("w"))).toBe(true);
  });

  test("S25 a transient sub-supervisor that gave up (reason shutdown) is not restarted", async () => {
    const world = nursery();
    const sub: ChildSpec = {
      id: "sub",
      type: "supervisor",
      restart: "transient",
      start: (self) => startSupervisor(self, { flags: { maxRestarts: 0 }, children: [world.worker("w")] }),
    };
    const top = await world.supervise(many, [sub]);

    world.crash(await world.up("w"));

    expect(await world.events()).toEqual([]);
    expect(world.self.isAlive(top)).toBe(true);
  });

  test("S36 ignore from a child's start: the spec is kept with pid undefined, not restarted", async () => {
    const world = nursery();
    const ignored: ChildSpec = { id: "i", start: (self) => startServer(self, () => ({ init: () => ignore })) };
    const supervisor = await world.supervise(many, [ignored]);

    expect(await world.children(supervisor)).toEqual([["i", undefined]]);
  });

  test("S37 ignore from a temporary child: no spec is kept", async () => {
    const world = nursery();
    const start: ChildSpec["start"] = (self) => startServer(self, () => ({ init: () => ignore }));
    const supervisor = await world.supervise(many, [{ id: "i", restart: "temporary", start }]);

    expect(await startChild(world.self, supervisor, { id: "j", restart: "temporary", start })).toMatchObject({
      ok: true,
      value: undefined,
    });
    expect(await world.children(supervisor)).toEqual([]);
  });

  test("S54 a restarted child keeps its place in the order (restForOne after an earlier restart)", async () => {
    const world = nursery();
    const specs = ["a", "b", "c"].map((id) => world.worker(id));
    await world.supervise({ ...many, strategy: "restForOne" }, specs);
    await world.up("a");
    world.crash(await world.up("b"));
    await world.up("c");
    const [b, c] = [await world.up("b"), await world.up("c")];

    world.crash(c);

    expect(await world.events()).toEqual(["+c"]);
    expect(world.self.isAlive(b)).toBe(true);
  });

  class Cell implements Server<["set", unknown] | "get", never, never> {
    value: unknown = 0;

    handleCall(request: ["set", unknown] | "get"): unknown {
      if (request === "get") return this.value;
      this.value = request[1];
      return "ok";
    }
  }
  const cell = (name: string): ChildSpec => ({
    id: name,
    start: (self) => startServer(self, () => new Cell(), { name }),
  });

  test("S55 child state does not survive a restart", async () => {
    const world = nursery();
    await world.supervise(many, [cell("s55")]);
    await call(world.self, "s55", ["set", 9]);

    world.self.exit(world.self.whereis("s55")!, "kill");
    await world.settle();

    expect(await call(world.self, "s55", "get")).toBe(0);
  });

  test("S56 after a restart the registered name leads to the new process", async () => {
    const world = nursery();
    await world.supervise(many, [cell("s56")]);
    const first = world.self.whereis("s56")!;

    world.self.exit(first, "kill");
    await world.settle();

    expect(world.self.whereis("s56")).toBeDefined();
    expect(world.self.whereis("s56")).not.toBe(first);
  });
});

describe("operations", () => {
  test("S26 startChild with a running id: { tag: alreadyStarted, pid }", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    const pid = await world.up("a");

    const error = { tag: "alreadyStarted", pid };
    expect(await startChild(world.self, supervisor, world.worker("a"))).toEqual({ ok: false, error });
  });

  test("S27 startChild with a stopped id: alreadyPresent", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    await terminateChild(world.self, supervisor, "a");

    expect(await startChild(world.self, supervisor, world.worker("a"))).toEqual({ ok: false, error: "alreadyPresent" });
  });

  test("S28 terminateChild stops without restart and keeps the spec", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    const pid = await world.up("a");

    expect(await terminateChild(world.self, supervisor, "a")).toEqual({ ok: true, value: undefined });

    expect(world.self.isAlive(pid)).toBe(false);
    expect(await world.events()).toEqual([]);
    expect(await world.children(supervisor)).toEqual([["a", undefined]]);
  });

  test("S29 terminateChild of a stopped child is ok; of an unknown id notFound", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    await terminateChild(world.self, supervisor, "a");

    expect(await terminateChild(world.self, supervisor, "a")).toMatchObject({ ok: true });
    expect(await terminateChild(world.self, supervisor, "zz")).toEqual({ ok: false, error: "notFound" });
  });

  test("S30 restartChild: running -> running; stopped -> its pid; unknown -> notFound", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);

    const running = await restartChild(world.self, supervisor, "a");
    await terminateChild(world.self, supervisor, "a");
    await world.events();
    const restarted = await restartChild(world.self, supervisor, "a");

    expect(running).toEqual({ ok: false, error: "running" });
    expect(restarted).toEqual({ ok: true, value: await world.up("a") });
    expect(await restartChild(world.self, supervisor, "zz")).toEqual({ ok: false, error: "notFound" });
  });

  test("S31 deleteChild: running -> running; stopped -> ok and the id is gone", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);

    const running = await deleteChild(world.self, supervisor, "a");
    await terminateChild(world.self, supervisor, "a");

    expect(running).toEqual({ ok: false, error: "running" });
    expect(await deleteChild(world.self, supervisor, "a")).toMatchObject({ ok: true });
    expect(await deleteChild(world.self, supervisor, "a")).toEqual({ ok: false, error: "notFound" });
    expect(await world.children(supervisor)).toEqual([]);
  });

  test("S32 terminateChild does not count as a restart", async () => {
    const world = nursery();
    const supervisor = await world.supervise({ maxRestarts: 1 }, [world.worker("a")]);

    for (let index = 0; index < 5; index += 1) {
      await terminateChild(world.self, supervisor, "a");
      await restartChild(world.self, supervisor, "a");
    }

    expect(world.self.isAlive(supervisor)).toBe(true);
  });

  test("S39 an exit signal from a process that is not the parent does not stop the supervisor", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    const a = await world.up("a");

    world.self.spawn((stranger) => stranger.exit(supervisor, "shutdown"));
    await world.settle();

    expect([world.self.isAlive(supervisor), world.self.isAlive(a)]).toEqual([true, true]);
  });

  test("S40 unexpected messages, casts and calls do not harm a supervisor", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.worker("a")]);
    const a = await world.up("a");
    const nonsense = [undefined, null, 7, "text", {}, { operation: "dance" }, { operation: "startChild" }];

    for (const message of nonsense) {
      world.self.send(supervisor, message);
      cast(world.self, supervisor, message);
    }
    const answers = await Promise.all(nonsense.map((request) => call(world.self, supervisor, request)));

    expect(answers.every((answer) => (answer as { ok: boolean }).ok === false)).toBe(true);
    expect(await world.children(supervisor)).toEqual([["a", a]]);
  });

  test("S47 whichChildren lists id, pid, type; countChildren counts specs, active, supervisors, workers", async () => {
    const world = nursery();
    const specs = [world.worker("a"), world.worker("b", { restart: "transient", type: "supervisor" })];
    const supervisor = await world.supervise(many, specs);
    const a = await world.up("a");

    world.crash(await world.up("b"), "normal");
    await world.settle();

    expect(await whichChildren(world.self, supervisor)).toEqual([
      { id: "a", pid: a, type: "worker" },
      { id: "b", pid: undefined, type: "supervisor" },
    ]);
    expect(await countChildren(world.self, supervisor)).toEqual({ specs: 2, active: 1, supervisors: 1, workers: 1 });
  });

  test("S53 startChild on a running supervisor appends at the end: later start, earlier stop", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, [world.trapping("a")]);
    await startChild(world.self, supervisor, world.trapping("b"));
    await world.events();

    world.self.exit(supervisor, "shutdown");

    expect(await world.events()).toEqual(["-b", "-a"]);
  });

  test("startChild whose start fails gives the reason and keeps no spec", async () => {
    const world = nursery();
    const supervisor = await world.supervise(many, []);

    expect(await startChild(world.self, supervisor, failing("a", "nope"))).toEqual({ ok: false, error: "nope" });
    expect(await world.children(supervisor)).toEqual([]);
  });
});

describe("simpleOneForOne", () => {
  const simple = { ...many, strategy: "simpleOneForOne" } satisfies SupervisorFlags;

  /** A child whose extra argument is its name. */
  function template(world: Nursery, options: SpecOptions & { readonly mode?: Mode } = {}): ChildSpec {
    const { mode, ...spec } = options;
    const start: ChildSpec["start"] = (self, id) =>
      (mode === undefined ? world.worker(String(id)) : world.trapping(String(id), mode)).start(self);
    return { id: "w", start, ...spec };
  }

  test("S43 startChild appends its arguments and any number can run", async () => {
    const world = nursery();
    const supervisor = await world.supervise(simple, [template(world)]);

    for (const id of ["1", "2", "3"]) await startChild(world.self, supervisor, [id]);

    expect(await world.events()).toEqual(["+1", "+2", "+3"]);
    expect(await whichChildren(world.self, supervisor)).toMatchObject([1, 2, 3].map(() => ({ id: undefined })));
    expect(await countChildren(world.self, supervisor)).toEqual({ specs: 1, active: 3, supervisors: 0, workers: 3 });
  });

  test("S43 child(): the arguments come after those of the spec", async () => {
    const world = nursery();
    const got: unknown[] = [];
    const program = async (self: AnyProcess, ...args: unknown[]): Promise<void> => {
      got.push(args);
      await self.receive();
    };
    const supervisor = await world.supervise(simple, [child("w", program, { args: ["fixed"] })]);

    await startChild(world.self, supervisor, ["own", 1]);
    await startChild(world.self, supervisor, []);

    expect(got).toEqual([["fixed", "own", 1], ["fixed"]]);
  });

  test("S44 a crashed permanent child is restarted with the arguments it was started with", async () => {
    const world = nursery();
    const supervisor = await world.supervise(simple, [template(world)]);
    await startChild(world.self, supervisor, ["7"]);

    world.crash(await world.up("7"));

    expect(world.self.isAlive(await world.up("7"))).toBe(true);
  });

  test("S45 restartChild and deleteChild by id are errors; terminateChild works by pid", async () => {
    const world = nursery();
    const supervisor = await world.supervise(simple, [template(world)]);
    await startChild(world.self, supervisor, ["1"]);
    const pid = await world.up("1");

    const error = { ok: false, error: "simpleOneForOne" };
    expect(await restartChild(world.self, supervisor, "w")).toEqual(error);
    expect(await deleteChild(world.self, supervisor, "w")).toEqual(error);
    expect(await terminateChild(world.self, supervisor, "w")).toEqual(error);
    expect(await terminateChild(world.self, supervisor, pid)).toMatchObject({ ok: true });
    expect(await terminateChild(world.self, supervisor, pid)).toEqual({ ok: false, error: "notFound" });
    expect(await world.children(supervisor)).toEqual([]);
  });

  test("S46 children are stopped at the same time: 20 slow children take one delay, not twenty", async () => {
    const world = nursery();
    const supervisor = await world.supervise(simple, [template(world, { mode: { slowMs: 200 }, shutdown: 2000 })]);
    for (let index = 0; index < 20; index += 1) await startChild(world.self, supervisor, [String(index)]);

    world.self.exit(supervisor, "shutdown");
    await world.advance(199);
    const before = await world.ended(supervisor);
    await world.advance(1);

    expect([before, await world.ended(supervisor)]).toEqual([undefined, "shutdown"]);
  });

  test("stubborn children share one deadline", async () => {
    const world = nursery();
    const supervisor = await world.supervise(simple, [template(world, { mode: "stubborn", shutdown: 100 })]);
    for (let index = 0; index < 20; index += 1) await startChild(world.self, supervisor, [String(index)]);

    world.self.exit(supervisor, "shutdown");
    await world.advance(100);

    expect(await world.ended(supervisor)).toBe("shutdown");
    expect(world.kernel.processesCount).toBe(1);
  });

  test("ten thousand children come, go and are stopped", async () => {
    const world = nursery();
    const spec = child("w", defineProgram(wait), { restart: "temporary" });
    const supervisor = await world.supervise(simple, [spec]);
    const pids: AnyPid[] = [];
    for (let index = 0; index < 10_000; index += 1) {
      const result = await startChild(world.self, supervisor, []);
      pids.push((result as { value: AnyPid }).value);
    }

    for (const pid of pids.slice(0, 5000)) world.self.exit(pid, "gone");
    const counts = await countChildren(world.self, supervisor);
    world.self.exit(supervisor, "shutdown");

    expect(counts.active).toBe(5000);
    expect(await world.ended(supervisor)).toBe("shutdown");
    expect(world.kernel.processesCount).toBe(1);
  });
});

describe("automatic shutdown", () => {
  test("S48 anySignificant: the end of one significant child ends the supervisor with shutdown", async () => {
    const world = nursery();
    const specs = [world.worker("a", { restart: "transient", significant: true }), world.trapping("b")];
    const supervisor = await world.supervise({ ...many, autoShutdown: "anySignificant" }, specs);
    const a = await world.up("a");
    await world.events();

    world.crash(a, "normal");

    expect(await world.all()).toEqual([
      ["down", "b", "shutdown"],
      { type: "exit", from: supervisor, reason: "shutdown" },
    ]);
  });

  test("S49 allSignificant: only the end of the last significant child does", async () => {
    const world = nursery();
    const specs = ["a", "b"].map((id) => world.worker(id, { restart: "temporary", significant: true }));
    const supervisor = await world.supervise({ ...many, autoShutdown: "allSignificant" }, specs);

    world.crash(await world.up("a"), "normal");
    const before = await world.ended(supervisor);
    world.crash(await world.up("b"), "boom");

    expect([before, await world.ended(supervisor)]).toEqual([undefined, "shutdown"]);
  });

  test("a significant child that waits for its restart has not ended", async () => {
    const world = nursery();
    const backoff = { initialMs: 100, maxMs: 100, factor: 1, jitter: 0, resetAfterMs: 1000 };
    const specs = ["a", "b"].map((id) => world.worker(id, { restart: "transient", significant: true }));
    const supervisor = await world.supervise({ ...many, autoShutdown: "allSignificant", backoff }, specs);
    const [a, b] = [await world.up("a"), await world.up("b")];

    world.crash(a, "boom");
    world.crash(b, "normal");
    await world.advance(100);

    expect(await world.ended(supervisor)).toBeUndefined();
    expect(world.self.isAlive(await world.up("a"))).toBe(true);
  });
});

describe("backoff", () => {
  const backoff = { initialMs: 100, maxMs: 1000, factor: 2, jitter: 0, resetAfterMs: 10_000 };
  const patient = { maxRestarts: Infinity, backoff } satisfies SupervisorFlags;

  /** Flags that remember what the supervisor did. */
  function watched(flags: SupervisorFlags): { flags: SupervisorFlags; seen: SupervisorEvent[]; delays(): number[] } {
    const seen: SupervisorEvent[] = [];
    return {
      flags: { ...flags, observe: (event) => seen.push(event) },
      seen,
      delays: () => seen.flatMap((event) => (event.type === "restarting" ? [event.delayMs] : [])),
    };
  }

  test("grows by its factor up to its maximum, and is waited for", async () => {
    const world = nursery();
    const { flags, delays } = watched(patient);
    await world.supervise(flags, [world.worker("a")]);

    for (const delayMs of [100, 200, 400, 800, 1000, 1000]) {
      world.crash(await world.up("a"));
      await world.advance(delayMs - 1);
      expect(await world.events()).toEqual([]);
      await world.advance(1);
    }

    expect(delays()).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  test("starts afresh after health, and only after health", async () => {
    const world = nursery();
    const { flags, delays } = watched(patient);
    await world.supervise(flags, [world.worker("a")]);

    for (const livedMs of [10_000, 9999, 9999, 10_000]) {
      const pid = await world.up("a");
      await world.advance(livedMs);
      world.crash(pid);
      await world.settle();
      await world.advance(delays().at(-1) ?? 0);
    }

    expect(delays()).toEqual([100, 200, 400, 100]);
  });

  test("grows while starts fail, however long ago the last health was", async () => {
    const world = nursery();
    const { flags, delays } = watched({ maxRestarts: Infinity, backoff: { ...backoff, resetAfterMs: 500 } });
    await world.supervise(flags, [flaky(world, "a", 6)]);
    const pid = await world.up("a");
    await world.advance(500);

    world.crash(pid);
    await world.advance(10_000);

    expect(delays()).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
    expect(world.self.isAlive(await world.up("a"))).toBe(true);
  });

  test("has jitter: delays differ, and stay between what is left of the full delay and the full delay", async () => {
    const world = nursery();
    const flat = { ...backoff, factor: 1, maxMs: 100, jitter: 0.5 };
    const { flags, delays } = watched({ maxRestarts: Infinity, backoff: flat });
    await world.supervise(flags, [world.worker("a")]);

    for (let index = 0; index < 50; index += 1) {
      world.crash(await world.up("a"));
      await world.advance(100);
    }

    expect(Math.min(...delays())).toBeGreaterThanOrEqual(50);
    expect(Math.max(...delays())).toBeLessThanOrEqual(100);
    expect(new Set(delays()).size).toBeGreaterThan(10);
  });

  test("of 0 stays 0, for ever", async () => {
    const world = nursery();
    const { flags, delays } = watched({ maxRestarts: Infinity, backoff: { ...backoff, initialMs: 0, factor: 10 } });
    await world.supervise(flags, [world.worker("a")]);

    for (let index = 0; index < 400; index += 1) world.crash(await world.up("a"));
    await world.settle();

    expect(new Set(delays())).toEqual(new Set([0]));
  });

  test("a restart that waits is cancelled by terminateChild, and shown as restarting until then", async () => {
    const world = nursery();
    const supervisor = await world.supervise(patient, [world.worker("a")]);
    world.crash(await world.up("a"));
    await world.settle();
    const waiting = await world.children(supervisor);
    const refused = [
      await restartChild(world.self, supervisor, "a"),
      await deleteChild(world.self, supervisor, "a"),
      await startChild(world.self, supervisor, world.worker("a")),
    ];

    await terminateChild(world.self, supervisor, "a");
    await world.advance(10_000);

    expect(waiting).toEqual([["a", "restarting"]]);
    expect(refused.map((result) => (result as { error: unknown }).error)).toEqual([
      "restarting",
      "restarting",
      "alreadyPresent",
    ]);
    expect(await world.events()).toEqual([]);
    expect(await world.children(supervisor)).toEqual([["a", undefined]]);
    expect(world.platform.timersCount).toBe(0);
  });

  test("terminateChild just when the wait is over cancels the restart too", async () => {
    const world = nursery();
    const supervisor = await world.supervise(patient, [world.worker("a")]);
    world.crash(await world.up("a"));
    await world.settle();
    // Before the timer's message in the mailbox, both handled in one go.
    world.self.sendAfter(100, supervisor, "noise");

    world.platform.stall(100);
    const terminating = terminateChild(world.self, supervisor, "a");
    await world.advance(0);
    await terminating;
    await world.advance(10_000);

    expect(await world.events()).toEqual([]);
  });

  test("a supervisor that stops while a restart waits does not start it", async () => {
    const world = nursery();
    const supervisor = await world.supervise(patient, [world.worker("a")]);
    world.crash(await world.up("a"));
    await world.settle();

    world.self.exit(supervisor, "shutdown");
    const ended = await world.ended(supervisor);
    await world.advance(10_000);

    expect([ended, await world.events(), world.platform.timersCount]).toEqual(["shutdown", [], 0]);
  });

  test("oneForAll: all others are stopped at once, and all start together after the wait", async () => {
    const world = nursery();
    const specs = [world.trapping("a"), world.worker("b"), world.trapping("c")];
    const supervisor = await world.supervise({ ...patient, strategy: "oneForAll" }, specs);
    const b = await world.up("b");
    await world.events();

    world.crash(b);
    const stopped = await world.events();
    const waiting = await world.children(supervisor);
    await world.advance(99);
    const before = await world.events();
    await world.advance(1);

    expect([stopped, before, await world.events()]).toEqual([["-c", "-a"], [], ["+a", "+b", "+c"]]);
    expect(waiting).toEqual(["a", "b", "c"].map((id) => [id, "restarting"]));
  });

  test("restForOne: an earlier child that dies during the wait takes the restart over", async () => {
    const world = nursery();
    const specs = ["a", "b", "c"].map((id) => world.worker(id));
    await world.supervise({ ...patient, strategy: "restForOne" }, specs);
    const [a, b] = [await world.up("a"), await world.up("b")];
    await world.events();

    world.crash(b);
    await world.advance(50);
    world.crash(a);
    await world.advance(99);
    const before = await world.events();
    await world.advance(1);

    expect([before, await world.events()]).toEqual([[], ["+a", "+b", "+c"]]);
    await world.advance(10_000);
    expect(await world.events()).toEqual([]);
  });

  test.each(["oneForAll", "restForOne"] as const)(
    "%s: terminateChild of the child that the others wait for lets the others start",
    async (strategy) => {
      const world = nursery();
      const specs = ["a", "b", "c"].map((id) => world.worker(id));
      const supervisor = await world.supervise({ ...patient, strategy }, specs);
      const a = await world.up("a");
      await world.events();
      world.crash(a);
      await world.settle();

      await terminateChild(world.self, supervisor, "a");

      expect(await world.events()).toEqual(["+b", "+c"]);
      expect(await world.children(supervisor)).toMatchObject([
        ["a", undefined],
        ["b", {}],
        ["c", {}],
      ]);
    },
  );

  test("oneForAll: terminateChild of one that waits for another keeps it stopped", async () => {
    const world = nursery();
    const specs = ["a", "b", "c"].map((id) => world.worker(id));
    const supervisor = await world.supervise({ ...patient, strategy: "oneForAll" }, specs);
    const a = await world.up("a");
    await world.events();
    world.crash(a);
    await world.settle();

    await terminateChild(world.self, supervisor, "b");
    await world.advance(100);

    expect(await world.events()).toEqual(["+a", "+c"]);
  });

  test("a child that dies while another is being stopped for a restart is restarted with it, once", async () => {
    const world = nursery();
    const specs = [world.worker("a"), world.worker("b"), world.trapping("c", { slowMs: 50 })];
    await world.supervise({ ...many, strategy: "oneForAll" }, specs);
    const [a, b] = [await world.up("a"), await world.up("b")];
    await world.events();

    world.crash(a);
    await world.settle();
    world.crash(b);
    await world.advance(50);

    expect(await world.events()).toEqual(["-c", "+a", "+b", "+c"]);
    await world.advance(10_000);
    expect(await world.events()).toEqual([]);
  });

  test("a child that dies by itself just before it is stopped is told of with its own reason", async () => {
    const world = nursery();
    const { flags, seen } = watched(many);
    const supervisor = await world.supervise(flags, [world.worker("a")]);
    const a = await world.up("a");

    world.self.exit(a, "its own");
    await terminateChild(world.self, supervisor, "a");
    await world.settle();

    const ends = seen.flatMap((event) => (event.type === "ended" ? [event.reason] : []));
    expect(ends[0]).toBe("its own");
  });
});

describe("a child that fails for ever, under infinite restarts", () => {
  test.each(["start", "run"])("leaves the supervisor answerable and the host served (fails to %s)", async (how) => {
    const world = nursery();
    const crashing = child("a", async (self: AnyProcess) => {
      await self.yield();
      self.exit("soon");
    });
    const spec = how === "start" ? flaky(world, "a", Infinity) : crashing;
    const supervisor = await world.supervise({ maxRestarts: Infinity }, [spec, world.worker("b")]);
    const [a, b] = (await world.children(supervisor)).map(([, pid]) => pid as Pid<unknown>);
    if (how === "start") world.crash(a!);
    const served: string[] = [];
    setImmediate(() => served.push("host"));

    for (let index = 0; index < 50 || served.length === 0; index += 1) {
      const children = await whichChildren(world.self, supervisor);
      expect(children[1]?.pid).toBe(b);
    }
    const deleted = await terminateChild(world.self, supervisor, "a");

    expect(deleted).toMatchObject({ ok: true });
    expect(world.self.isAlive(supervisor)).toBe(true);
  });
});

describe("what a supervisor tells", () => {
  test("is each start, end, restart and giving up, in order", async () => {
    const world = nursery();
    const seen: SupervisorEvent[] = [];
    const supervisor = await world.supervise({ maxRestarts: 2, observe: (event) => seen.push(event) }, [
      flaky(world, "a", 1),
    ]);
    const first = await world.up("a");

    world.crash(first, "one");
    const second = await world.up("a");
    world.crash(second, "two");
    await world.ended(supervisor);

    expect(seen).toEqual([
      { type: "started", id: "a", pid: first },
      { type: "ended", id: "a", pid: first, reason: "one" },
      { type: "restarting", id: "a", delayMs: 0, restartsCount: 1 },
      { type: "startFailed", id: "a", reason: new Error("flaky 2") },
      { type: "restarting", id: "a", delayMs: 0, restartsCount: 2 },
      { type: "started", id: "a", pid: second },
      { type: "ended", id: "a", pid: second, reason: "two" },
      { type: "gaveUp", id: "a", reason: "two" },
    ]);
  });

  test("leaves no monitors and timers behind after a thousand restarts", async () => {
    const world = nursery();
    const supervisor = await world.supervise({ maxRestarts: Infinity, strategy: "oneForAll" }, [
      world.worker("a"),
      world.worker("b"),
    ]);
    for (let index = 0; index < 1000; index += 1) {
      const a = await world.up("a");
      await world.up("b");
      world.crash(a);
    }
    await world.settle();

    const info = world.self.info(supervisor);
    expect([info?.links.length, info?.monitors, info?.messagesCount]).toEqual([3, [], 0]);
    expect(world.kernel.processesCount).toBe(4);
    await world.settle();
    expect(world.platform.timersCount).toBe(0);
  });
});

async function wait(self: AnyProcess): Promise<void> {
  await self.receive();
}
