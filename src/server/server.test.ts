/** Servers: what OTP's statements do not say, and what takes virtual time; the statements are in test/conformance/servers.ts. */
import { describe, expect, test } from "vitest";
import { carrierDown, type CallFailed, type ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid, Ref } from "../kernel/pid.ts";
import type { AnyProcess, StartError } from "../kernel/process.ts";
import { UncopyableError } from "../kernel/wire.ts";
import { handOver, pair } from "../testing/tied-worlds.ts";
import { deferred, World } from "../testing/world.ts";
import { call, defineServer, goOn, ignore, isIgnored, reply, startServer, stopServer, type Server } from "./server.ts";

type Any = Server<never, never, never>;
type Action = (server: Probe) => unknown;

/** A server that does what it is asked to and tells the test what else it was sent. */
class Probe implements Server<Action, never, unknown> {
  readonly self: AnyProcess;
  readonly test: Pid<unknown>;

  constructor(self: AnyProcess, test: AnyPid) {
    this.self = self;
    this.test = test as Pid<unknown>;
  }

  handleCall(request: Action): unknown {
    return request(this);
  }

  handleInfo(message: unknown): void {
    this.self.send(this.test, ["info", message]);
  }
}

async function start(world: World, init: (server: Probe) => unknown = () => {}) {
  const create = (self: AnyProcess): Any => {
    const probe = new Probe(self, world.self.pid);
    return Object.assign(probe, { init: () => init(probe) });
  };
  return (await startServer(world.self, create, { link: false })) as Pid<unknown>;
}

/** Why a start failed. */
const failure = (starting: Promise<unknown>): Promise<ExitReason> =>
  starting.then(
    () => "started",
    (error: StartError) => error.reason,
  );

/** Why a call failed. */
const callFailure = (calling: Promise<unknown>): Promise<ExitReason> =>
  calling.then(
    (value) => ["replied", value],
    (exit: { reason: CallFailed }) => [exit.reason.tag, exit.reason.reason],
  );

const act = (action: Action): Action => action;

describe("starting a server", () => {
  test("a handleContinue that fails after init ends the server through terminate", async () => {
    const world = new World();
    const reasons: ExitReason[] = [];
    const create = (): Any => ({
      init: () => goOn({ continueWith: 1 }),
      handleContinue: () => Promise.reject(new Error("x")),
      terminate: (reason: ExitReason) => void reasons.push(reason),
    });

    const pid = await startServer(world.self, create, { link: false });

    expect([await world.reasonOf(pid), reasons]).toEqual([new Error("x"), [new Error("x")]]);
  });

  test.each([
    [undefined, "defineServer takes a function, not undefined"],
    [() => undefined, "a server is an object with callbacks or methods, and its function gave undefined"],
    [() => Array, /^.*a server is an object with callbacks or methods, and its function gave the function Array/],
  ])("what makes no server fails the start in a sentence (%#)", async (create, sentence) => {
    const world = new World();
    const start = async () => startServer(world.self, create as never, { link: false });

    await expect(start()).rejects.toThrow(sentence);
  });

  test("a server that ends before it is ready fails its start with what ended it", async () => {
    const world = new World();

    const starting = failure(start(world, (server) => server.self.exit(server.self.pid, "early")));

    expect(await starting).toBe("early");
  });
});

describe("calls", () => {
  test("a call without handleCall stops the server with badCall", async () => {
    const world = new World();
    const pid = await startServer(world.self, () => ({}), { link: false });

    const reason = { tag: "badCall", request: "?" };
    expect(await callFailure(call(world.self, pid, "?"))).toEqual(["call", reason]);
  });

  test("several calls of one process may be open at once", async () => {
    const world = new World();
    const pids = [await start(world), await start(world)];

    const answers = await Promise.all(
      pids.map((pid) =>
        call(
          world.self,
          pid,
          act((server) => server.self.pid),
        ),
      ),
    );

    expect(answers).toEqual(pids);
  });
});

describe("other messages", () => {
  test("a message to a server without handleInfo is logged", async () => {
    const world = new World();
    const pid = await start(world);
    const deaf = await startServer(world.self, () => ({}));

    world.self.send(pid, "hey");
    world.self.send(deaf, "hey");

    expect(await world.all()).toEqual([["info", "hey"]]);
    expect(world.self.isAlive(deaf)).toBe(true);
    expect(world.platform.logged).toMatchObject([{ level: "warning" }]);
  });

  test.each([
    [() => reply(1, { timeoutMs: "40" as unknown as number }), 'timeoutMs is a number of milliseconds, not "40"'],
    [() => goOn({ timeoutMs: Number.NaN }), "timeoutMs is a number of milliseconds, not NaN"],
    [() => goOn(5000 as never), "next is { timeoutMs, continueWith }, not 5000"],
  ])("what cannot come next is an error of the callback: %s", async (handleCall, sentence) => {
    const world = new World();
    const reasons: ExitReason[] = [];
    const pid = await startServer(
      world.self,
      (): Any => ({ handleCall, terminate: (reason: ExitReason) => void reasons.push(reason) }),
      { link: false },
    );

    const failed = await callFailure(call(world.self, pid, "go"));

    expect(reasons).toEqual([expect.objectContaining({ message: expect.stringContaining(sentence) })]);
    expect(failed).toEqual(["call", reasons[0]]);
  });

  test("a server continues as often as it likes, and others have their turn in between", async () => {
    const world = new World();
    let isOver = false;
    let stepsCount = 0;
    const create = (): Any => ({
      handleCall: () => reply("begun", { continueWith: "on" }),
      handleContinue: () => {
        stepsCount += 1;
        return isOver || stepsCount > 200_000 ? undefined : goOn({ continueWith: "on" });
      },
    });
    const pid = await startServer(world.self, create);
    expect(await call(world.self, pid, "begin")).toBe("begun");

    world.self.spawn(() => {
      isOver = true;
    });
    await world.settle();

    expect([world.self.isAlive(pid), stepsCount < 200_000]).toEqual([true, true]);

    isOver = false;
    stepsCount = 100_000;
    await call(world.self, pid, "begin");
    await world.settle();
    expect([world.self.isAlive(pid), stepsCount]).toEqual([true, 200_001]);
  });

  test("a message one millisecond before a time-out ends the wait", async () => {
    const world = new World();
    const pid = await start(world, () => goOn({ timeoutMs: 40 }));

    await world.advance(39);
    world.self.send(pid, "a");
    await world.advance(100);

    expect(await world.all()).toEqual([["info", "a"]]);
  });

  test("a new time-out takes the place of the old one, to the millisecond", async () => {
    const world = new World();
    const fired: number[] = [];
    const create = (): Any => ({
      init: () => goOn({ timeoutMs: 40, continueWith: 1 }),
      handleContinue: () => goOn({ timeoutMs: 60 }),
      handleInfo: () => void fired.push(world.platform.clock.monotonicMs()),
    });
    await startServer(world.self, create);

    await world.advance(500);

    expect(fired).toEqual([60]);
  });
});

describe("the end of a server", () => {
  test("a server of the kernel above is stopped by its name, and a name that nobody has there is noproc", async () => {
    const { root, child } = pair();
    await startServer(root.self, () => ({}), { name: "above" });

    await stopServer(child.self, "above");

    expect(root.self.whereis("above")).toBeUndefined();
    await expect(stopServer(child.self, "above")).rejects.toMatchObject({ reason: "noproc" });
  });

  test("a server cannot stop itself from outside: it would wait for its own end", async () => {
    const world = new World();
    const pid = await startServer(world.self, (self): Any => ({
      handleCall: () => callFailure(stopServer(self, self.pid)),
    }));

    expect(await call(world.self, pid, "stop")).toEqual(["call", "callingSelf"]);

    world.self.register("me");
    expect(await callFailure(stopServer(world.self, "me"))).toEqual(["call", "callingSelf"]);
  });

  test("terminate may take its time: the server is dead after it", async () => {
    const world = new World();
    const cleaned = deferred();
    const pid = await start(world, (server) => void Object.assign(server, { terminate: () => cleaned.promise }));
    let isStopped = false;
    const stopping = stopServer(world.self, pid).then(() => {
      isStopped = true;
    });
    await world.settle();
    const before = isStopped;

    cleaned.resolve();
    await stopping;

    expect([before, isStopped]).toEqual([false, true]);
  });
});

describe("a server on another carrier", () => {
  test.each([
    ["reply", () => reply(() => {})],
    ["return value", () => () => {}],
  ])("cleans up and ends when its %s cannot be copied to the caller, who learns why", async (_, handleCall) => {
    const { root, child } = pair();
    const reasons: ExitReason[] = [];
    const create = (): Any => ({ handleCall, terminate: (reason: ExitReason) => void reasons.push(reason) });
    const there = await startServer(child.self, create, { link: false });

    const failure = await callFailure(call(root.self, handOver(there, child, root), "?"));

    expect(failure).toEqual(["call", expect.objectContaining({ name: "UncopyableError" })]);
    expect(reasons).toEqual([expect.any(UncopyableError)]);
    expect(child.self.isAlive(there)).toBe(false);
  });

  test("says that it is ignored in a form that crosses", async () => {
    const root = new World();
    const child = new World({ id: root.kernel.newChildId(), platform: root.platform });
    const program = defineServer(() => ({ init: () => ignore }));
    const messages: unknown[] = [];
    const up = child.kernel.connect("0", { send: (signal) => void messages.push(structuredClone(signal)) }, "uplink");
    const starter = root.self.alias();
    const parent = child.kernel.decode(root.kernel.encode(root.self.pid)) as AnyPid;
    const main = child.kernel.spawnMain(parent, child.kernel.decode(root.kernel.encode(starter)) as Ref, {});

    main.begin(program.body as (self: AnyProcess) => unknown);
    await root.settle();

    const [, , , wire] = messages[0] as readonly [string, string, number, unknown];
    const { ready, reason } = root.kernel.decode(wire) as { ready: boolean; reason: ExitReason };
    expect([ready, isIgnored(reason)]).toEqual([false, true]);
    up.lost(carrierDown("over"));
  });
});
