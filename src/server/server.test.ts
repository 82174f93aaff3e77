/** Servers: OTP's statements about gen_server (G), except what sys adds (G27, G28). */
import { describe, expect, test } from "vitest";
import { carrierDown, type CallFailed, type ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid, Ref } from "../kernel/pid.ts";
import type { AnyProcess, StartError, StartOptions } from "../kernel/process.ts";
import { pair } from "../testing/tied-worlds.ts";
import { deferred, idle, World } from "../testing/world.ts";
import {
  call,
  cast,
  defineServer,
  goOn,
  ignore,
  isIgnored,
  noReply,
  reply,
  startServer,
  stop,
  stopServer,
  stopWithReply,
  type Server,
} from "./server.ts";

type Any = Server<never, never, never>;
type Action = (server: Probe, from?: Ref) => unknown;

/** A server that does what it is asked to and tells the test what happened. */
class Probe implements Server<Action | "get", Action, unknown> {
  readonly self: AnyProcess;
  readonly test: Pid<unknown>;
  state: unknown = 0;

  constructor(self: AnyProcess, test: AnyPid) {
    this.self = self;
    this.test = test as Pid<unknown>;
  }

  handleCall(request: Action | "get", from: Ref): unknown {
    return request === "get" ? this.state : request(this, from);
  }

  handleCast(action: Action): unknown {
    return action(this);
  }

  handleInfo(message: unknown): unknown {
    if (typeof message === "function") return (message as Action)(this);
    this.self.send(this.test, ["info", message]);
    return undefined;
  }

  handleContinue(what: unknown): void {
    this.self.send(this.test, ["continue", what]);
  }

  terminate(reason: ExitReason): void {
    this.self.send(this.test, ["terminate", reason]);
  }
}

async function start(world: World, init: (server: Probe) => unknown = () => {}, options: StartOptions = {}) {
  const create = (self: AnyProcess): Any => {
    const probe = new Probe(self, world.self.pid);
    return Object.assign(probe, { init: () => init(probe) });
  };
  return (await startServer(world.self, create, { link: false, ...(options as object) })) as Pid<unknown>;
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
  test("G1 start returns only after init has returned", async () => {
    const world = new World();
    const initialized = deferred();
    let isStarted = false;
    const starting = start(world, () => initialized.promise).then(() => {
      isStarted = true;
    });

    await world.settle();
    const before = isStarted;
    initialized.resolve();
    await starting;

    expect([before, isStarted]).toEqual([false, true]);
  });

  test("G2 init stop(R): start fails with R; a trapping parent also gets an exit message with R", async () => {
    const world = new World();
    world.self.trapExit(true);

    expect(await failure(start(world, () => stop("r"), { link: true }))).toBe("r");
    expect(await world.all()).toMatchObject([{ type: "exit", reason: "r" }]);
  });

  test("G3 init ignore: start says so, the process ends normally", async () => {
    const world = new World();
    world.self.trapExit(true);

    expect(isIgnored(await failure(start(world, () => ignore, { link: true })))).toBe(true);
    expect(await world.all()).toMatchObject([{ type: "exit", reason: "normal" }]);
  });

  test.each([
    ["throws", () => thrower(new Error("x"))],
    ["rejects", () => Promise.reject(new Error("x"))],
  ])("G4 init %s: start fails with the Error", async (_, init) => {
    expect(await failure(start(new World(), init))).toEqual(new Error("x"));
  });

  test("G4 a constructor that throws: start fails with the Error", async () => {
    const { self } = new World();

    expect(await failure(startServer(self, () => thrower(new Error("x")), { link: false }))).toEqual(new Error("x"));
  });

  test("G5 start with a time-out: fails with timeout, and the half-started process is killed", async () => {
    const world = new World();
    world.self.trapExit(true);
    let pid: AnyPid | undefined;
    const starting = failure(start(world, () => new Promise(() => {}), { timeoutMs: 50, onSpawn: (p) => (pid = p) }));

    await world.advance(50);

    expect([await starting, world.self.isAlive(pid!), await world.all()]).toEqual(["timeout", false, []]);
  });

  test("G6 a registered name already taken: { tag: alreadyStarted, pid }", async () => {
    const world = new World();
    const pid = await start(world, undefined, { name: "g6" });

    expect(await failure(start(world, undefined, { name: "g6" }))).toEqual({ tag: "alreadyStarted", pid });
  });

  test("G17 handleContinue after init runs before any queued message", async () => {
    const world = new World();

    await start(world, (server) => {
      server.self.send(server.self.pid, "early");
      return goOn({ continueWith: "c1" });
    });

    expect(await world.all()).toEqual([
      ["continue", "c1"],
      ["info", "early"],
    ]);
  });

  test("G17 also when handleContinue takes its time", async () => {
    const world = new World();
    const continued = deferred();
    const events: string[] = [];
    const create = (self: AnyProcess): Any => ({
      init: () => {
        self.send(self.pid, "early");
        return goOn({ continueWith: 1 });
      },
      handleContinue: async () => {
        await continued.promise;
        events.push("continue");
      },
      handleInfo: () => void events.push("info"),
    });
    const pid = await startServer(world.self, create);
    await world.settle();
    const before = [...events];

    continued.resolve();
    await world.settle();

    expect([before, events]).toEqual([[], ["continue", "info"]]);
    expect(world.self.isAlive(pid)).toBe(true);
  });

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

  test("a server that ends before it is ready fails its start with what ended it", async () => {
    const world = new World();

    const starting = failure(start(world, (server) => server.self.exit(server.self.pid, "early")));

    expect(await starting).toBe("early");
  });
});

describe("calls", () => {
  test("G7 a call gives the reply and the state is kept between calls", async () => {
    const world = new World();
    const pid = await start(world);

    const set = await call(
      world.self,
      pid,
      act((server) => {
        server.state = 7;
        return "ok";
      }),
    );

    expect([set, await call(world.self, pid, "get")]).toEqual(["ok", 7]);
  });

  test("G8 a call time-out exits the caller and leaves the server running", async () => {
    const world = new World();
    const pid = await start(world);
    const never = act(() => noReply);
    const caller = world.self.spawnMonitor((self) => call(self, pid, never, 20));

    await world.advance(20);

    const reason = { tag: "call", reason: "timeout", to: String(pid) };
    expect(await world.all()).toEqual([{ type: "down", ref: caller.ref, from: caller.pid, reason }]);
    expect(world.self.isAlive(pid)).toBe(true);
  });

  test("G9 the reply that comes after a time-out is not delivered to the caller's mailbox", async () => {
    const world = new World();
    const pid = await start(world);
    const slow = act(async (server) => {
      await server.self.sleep(60);
      return "late";
    });
    const calling = callFailure(call(world.self, pid, slow, 20));

    await world.advance(150);

    expect([await calling, await world.all()]).toEqual([["call", "timeout"], []]);
  });

  test("G10 a call to a dead server, or to a name nobody has, fails with noproc", async () => {
    const world = new World();
    const pid = await start(world);
    await stopServer(world.self, pid);
    await world.all();

    for (const server of [pid, "nobody"]) {
      expect(await callFailure(call(world.self, server, "get"))).toEqual(["call", "noproc"]);
    }
  });

  test("G11 the server dies during a call: the caller fails with its reason, not with a time-out", async () => {
    const world = new World();
    const pid = await start(world);

    expect(
      await callFailure(
        call(
          world.self,
          pid,
          act((server) => server.self.exit("died")),
        ),
      ),
    ).toEqual(["call", "died"]);
  });

  test("G12 a call to oneself fails with callingSelf", async () => {
    const world = new World();
    const pid = await start(world, undefined, { name: "g12" });
    const inner = (to: AnyPid | string): Action => act((server) => callFailure(call(server.self, to, "get")));

    for (const to of [pid, "g12"]) {
      expect(await call(world.self, pid, inner(to))).toEqual(["call", "callingSelf"]);
    }
  });

  test("G13 a call may be answered later, by another process", async () => {
    const world = new World();
    const pid = await start(world);
    const delegate = act((server, from) => {
      server.self.spawn(async (other) => {
        await other.sleep(10);
        other.reply(from!, "ok");
      });
      return noReply;
    });
    const calling = call(world.self, pid, delegate);

    await world.advance(10);

    expect(await calling).toBe("ok");
  });

  test("G14 stopWithReply: the reply is sent before terminate and before the DOWN", async () => {
    const world = new World();
    const pid = await start(world);
    const ref = world.self.monitor(pid);
    let messagesThen: number | undefined;

    const answer = await call(
      world.self,
      pid,
      act(() => stopWithReply("r", "bye")),
    ).then((value) => {
      messagesThen = world.self.info()?.messagesCount;
      return value;
    });

    expect([answer, messagesThen]).toEqual(["bye", expect.any(Number)]);
    expect(await world.all()).toEqual([["terminate", "r"], { type: "down", ref, from: pid, reason: "r" }]);
  });

  test("G29 requests are handled one at a time, in mailbox order, also when they take time", async () => {
    const world = new World();
    const pid = await start(world, (server) => {
      server.state = [];
    });

    for (let index = 0; index < 100; index += 1) {
      cast(
        world.self,
        pid,
        act(async (server) => {
          const before = server.state as number[];
          if (index % 3 === 0) await server.self.sleep(index % 7);
          server.state = [...before, index];
        }),
      );
    }
    const asking = call(world.self, pid, "get", Infinity);
    await world.advance(1000);

    expect(await asking).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test("G30 a call by a caller with 10^5 messages in its mailbox does not look at them", async () => {
    const world = new World();
    const pid = await start(world);
    for (let index = 0; index < 100_000; index += 1) world.self.send(world.self.pid, index);
    const { mailbox } = world.self;
    let looks = 0;
    const find = mailbox!.find.bind(mailbox);
    mailbox!.find = (match) => {
      looks += 1;
      return find(match);
    };

    for (let index = 0; index < 20; index += 1) await call(world.self, pid, "get");

    expect([looks, world.self.info()?.messagesCount]).toEqual([0, 100_000]);
  });

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
  test("G15 a cast never fails, also for a dead pid or an unknown name", async () => {
    const world = new World();

    expect(cast(world.self, await world.deadPid(), "x")).toBeUndefined();
    expect(cast(world.self, "nope", "x")).toBeUndefined();
  });

  test("G16 other messages go to handleInfo; without one they are logged and dropped", async () => {
    const world = new World();
    const pid = await start(world);
    const deaf = await startServer(world.self, () => ({}));

    world.self.send(pid, "hey");
    world.self.send(deaf, "hey");

    expect(await world.all()).toEqual([["info", "hey"]]);
    expect(world.self.isAlive(deaf)).toBe(true);
    expect(world.platform.logged).toMatchObject([{ level: "warning" }]);
  });

  test("G21 an exit from a process that is not the parent goes to handleInfo of a trapping server", async () => {
    const world = new World();
    const pid = await start(world, (server) => void server.self.trapExit(true));

    world.self.exit(pid, "odd");

    expect(await world.all()).toEqual([["info", { type: "exit", from: world.self.pid, reason: "odd" }]]);
    expect(world.self.isAlive(pid)).toBe(true);
  });

  test("G23 the time-out of a return value fires only if no message came first", async () => {
    const world = new World();
    const pid = await start(world, () => goOn({ timeoutMs: 40 }));
    await world.advance(40);
    const first = await world.all();

    world.self.send(pid, "a");
    await world.advance(80);

    expect(first).toMatchObject([["info", { type: "timeout" }]]);
    expect(await world.all()).toEqual([["info", "a"]]);
  });

  test("G23 a message before the time-out ends the wait", async () => {
    const world = new World();
    const pid = await start(world, () => goOn({ timeoutMs: 40 }));

    await world.advance(39);
    world.self.send(pid, "a");
    await world.advance(100);

    expect(await world.all()).toEqual([["info", "a"]]);
  });

  test("G23 a time-out that ran out while the server was busy with a message does not count", async () => {
    const world = new World();
    const pid = await start(world, () => goOn({ timeoutMs: 40 }));

    world.self.send(
      pid,
      act((server) => server.self.sleep(100)),
    );
    await world.advance(200);

    expect(await world.all()).toEqual([]);
  });

  test("G23 a new time-out takes the place of the old one", async () => {
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

  test("G31 an Outcome that is thrown counts as returned", async () => {
    const world = new World();
    const pid = await start(world);

    const thrown = [() => thrower(reply(7)), () => Promise.reject(reply(7))];

    for (const action of thrown) expect(await call(world.self, pid, act(action))).toBe(7);
    expect(isIgnored(await failure(start(world, () => thrower(ignore))))).toBe(true);
    expect(isIgnored(await failure(start(world, () => Promise.reject(ignore))))).toBe(true);
  });
});

describe("the end of a server", () => {
  test.each([
    ["throws", () => thrower(new Error("x"))],
    ["rejects", () => Promise.reject(new Error("x"))],
  ])("G18 a callback that %s calls terminate with the error, then exits with it", async (_, crash) => {
    const world = new World();
    const pid = await start(world);
    const ref = world.self.monitor(pid);

    world.self.send(pid, act(crash));

    const reason = new Error("x");
    expect(await world.all()).toEqual([["terminate", reason], { type: "down", ref, from: pid, reason }]);
  });

  test("G19 a non-trapping server ended by an exit signal does not run terminate", async () => {
    const world = new World();
    const pid = await start(world);
    const ref = world.self.monitor(pid);

    world.self.exit(pid, "shutdown");

    expect(await world.all()).toEqual([{ type: "down", ref, from: pid, reason: "shutdown" }]);
  });

  test("G20 a trapping server runs terminate when its parent sends exit", async () => {
    const world = new World();
    world.self.trapExit(true);
    const pid = await start(world, (server) => void server.self.trapExit(true), { link: true });

    world.self.exit(pid, "shutdown");

    expect(await world.all()).toEqual([["terminate", "shutdown"], { type: "exit", from: pid, reason: "shutdown" }]);
  });

  test.each([true, false])(
    "G22 the parent's death ends the server with the parent's reason (trapping: %s)",
    async (trapping) => {
      const world = new World();
      const parent = world.self.spawn(async (self) => {
        const create = (server: AnyProcess): Any =>
          Object.assign(new Probe(server, world.self.pid), { init: () => void server.trapExit(trapping) });
        self.send(world.self.pid, await startServer(self, create));
        await self.receive();
        self.exit("pdead");
      });
      const pid = (await world.next()) as AnyPid;
      const ref = world.self.monitor(pid);

      world.self.send(parent, "x" as never);

      const down = { type: "down", ref, from: pid, reason: "pdead" };
      expect(await world.all()).toEqual(trapping ? [["terminate", "pdead"], down] : [down]);
    },
  );

  test("G22 also when the parent dies during init", async () => {
    const world = new World();
    const initialized = deferred();
    const pids: AnyPid[] = [];
    const parent = world.self.spawn(async (self) => {
      const create = (server: AnyProcess): Any => ({
        init: () => {
          server.trapExit(true);
          pids.push(server.pid);
          return initialized.promise;
        },
      });
      await startServer(self, create);
    });
    await world.settle();
    world.self.monitor(pids[0]!);

    world.self.exit(parent, "pdead");
    initialized.resolve();

    expect(await world.all()).toMatchObject([{ type: "down", reason: "pdead" }]);
  });

  test("G24 stop(P,R) is synchronous: the process is dead when it returns", async () => {
    const world = new World();
    const pid = await start(world);

    await stopServer(world.self, pid, "r", 1000);

    expect(world.self.isAlive(pid)).toBe(false);
    expect(await world.all()).toEqual([["terminate", "r"]]);
  });

  test("G24 a stop that takes too long fails with timeout and leaves nothing in the mailbox", async () => {
    const world = new World();
    const pid = world.self.spawn(idle);
    const stopping = callFailure(stopServer(world.self, pid, "normal", 50));

    await world.advance(50);
    world.self.exit(pid, "kill");

    expect([await stopping, await world.all()]).toEqual([["call", "timeout"], []]);
  });

  test("G24 a stop of a server that ends with another reason fails with it", async () => {
    const world = new World();
    const pid = await start(world, (server) => {
      Object.assign(server, { terminate: () => server.self.exit("worse") });
    });

    await expect(stopServer(world.self, pid)).rejects.toMatchObject({ reason: "worse" });
  });

  test("G25 stop of a dead server, or of a name nobody has, exits with noproc", async () => {
    const world = new World();
    const pid = await start(world);
    await stopServer(world.self, pid);

    for (const server of [pid, "nobody"]) {
      await expect(stopServer(world.self, server)).rejects.toMatchObject({ reason: "noproc" });
    }
  });

  test("a server of the kernel above is stopped by its name, and a name that nobody has there is noproc", async () => {
    const { root, child } = pair();
    await startServer(root.self, () => ({}), { name: "above" });

    await stopServer(child.self, "above");

    expect(root.self.whereis("above")).toBeUndefined();
    await expect(stopServer(child.self, "above")).rejects.toMatchObject({ reason: "noproc" });
  });

  test("G26 a bad return value stops the server with { tag: badReturnValue, value }", async () => {
    const world = new World();
    const reason = { tag: "badReturnValue", value: "rubbish" };

    for (const action of [() => "rubbish", () => Promise.resolve("rubbish"), () => thrower("rubbish")]) {
      const pid = await start(world);
      world.self.send(pid, act(action));
      expect(await world.reasonOf(pid)).toEqual(reason);
    }
    expect(await failure(start(world, () => "rubbish"))).toEqual(reason);
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

function thrower(value: unknown): never {
  throw value;
}
