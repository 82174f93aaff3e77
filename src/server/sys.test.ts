/** Sys on servers: halting, looking at and changing what runs, here and across a border. */
import { describe, expect, test } from "vitest";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { UncopyableError } from "../kernel/wire.ts";
import { handOver, pair, type Pair } from "../testing/tied-worlds.ts";
import { deferred, idle, World } from "../testing/world.ts";
import { call, cast, goOn, startServer, stopServer, type Server } from "./server.ts";
import * as sys from "./sys.ts";
import type { SystemEventMessage } from "./system.ts";

/** Its state is a field; it tells `listener` of each cast and info. */
class Counter {
  value = 0;
  readonly #listener: AnyPid | undefined;

  constructor(listener?: AnyPid) {
    this.#listener = listener;
  }

  handleCall(step: number): number {
    this.value += step;
    return this.value;
  }

  handleCast(message: unknown): void {
    this.handleInfo(message);
  }

  handleInfo(message: unknown): void {
    if (this.#listener?.process != null)
      this.#listener.process.kernel.send(this.#listener, ["got", message, this.value]);
  }
}

/** Its state is private. */
class Vault implements Server<"get"> {
  #secret: unknown = "initial";

  handleCall(): unknown {
    return this.#secret;
  }

  systemGetState(): unknown {
    return { secret: this.#secret };
  }

  systemReplaceState(state: { readonly secret: unknown }): void {
    this.#secret = state.secret;
  }

  formatStatus(): unknown {
    return "hidden";
  }
}

interface Scene extends World {
  readonly server: Pid<unknown>;
}

async function scene(create: (self: AnyProcess) => Server<never, never, never>): Promise<Scene> {
  const world = new World();
  return Object.assign(world, { server: await startServer(world.self, create) });
}

/** A server in the kernel below, as the root knows it. */
async function across(create: () => Server<never, never, never>): Promise<Pair & { readonly server: Pid<unknown> }> {
  const two = pair();
  const pid = await startServer(two.child.self, create);
  return { ...two, server: handOver(pid, two.child, two.root) as Pid<unknown> };
}

describe("suspend and resume", () => {
  test("what was sent before comes before the suspension", async () => {
    const world = new World();
    const server = await startServer(world.self, () => new Counter(world.self.pid));
    cast(world.self, server, "before");

    await sys.suspend(world.self, server);

    expect(await world.next()).toEqual(["got", "before", 0]);
  });

  test("twice is once, and resume of one that runs does nothing", async () => {
    const { self, server } = await scene(() => new Counter());
    await sys.resume(self, server);
    await sys.suspend(self, server);
    await sys.suspend(self, server);

    await sys.resume(self, server);

    expect(await call(self, server, 1)).toBe(1);
  });

  test("a call to a suspended server runs into its timeout and is handled later", async () => {
    const world = await scene(() => new Counter());
    await sys.suspend(world.self, world.server);
    const late = call(world.self, world.server, 5, 100).catch(
      (thrown: unknown) => (thrown as { reason: unknown }).reason,
    );
    await world.advance(100);

    await sys.resume(world.self, world.server);

    expect(await late).toMatchObject({ tag: "call", reason: "timeout" });
    expect(await call(world.self, world.server, 1)).toBe(6);
  });

  test("a suspended server is looked at and changed", async () => {
    const { self, server } = await scene(() => new Counter());
    await sys.suspend(self, server);

    await sys.replaceState(self, server, { value: 9 });

    expect(await sys.getState(self, server)).toEqual({ value: 9 });
    expect(await sys.getStatus(self, server)).toMatchObject({ mode: "suspended", kind: "server", module: "Counter" });
  });

  test("a suspended server is stopped in order, and its terminate runs", async () => {
    const world = new World();
    const server = await startServer(world.self, () => ({
      terminate: (reason: ExitReason) => void world.self.send(world.self.pid, ["terminate", reason]),
    }));
    await sys.suspend(world.self, server);

    await stopServer(world.self, server);

    expect(await world.next()).toEqual(["terminate", "normal"]);
  });

  test("its parent's exit ends a suspended server that traps exits", async () => {
    const world = new World();
    const started = deferred<AnyPid>();
    const parent = world.self.spawn(async (self) => {
      started.resolve(
        await startServer(self, (own) => {
          own.trapExit(true);
          return { terminate: (reason: ExitReason) => void world.self.send(world.self.pid, ["terminate", reason]) };
        }),
      );
      await idle(self);
    });
    const server = await started.promise;
    await sys.suspend(world.self, server);

    world.self.exit(parent, "shutdown");

    expect(await world.reasonOf(server)).toBe("shutdown");
    expect(await world.next()).toEqual(["terminate", "shutdown"]);
  });

  test("other exits wait in the mailbox of a suspended server that traps exits", async () => {
    const world = new World();
    const server = await startServer(world.self, (own) => {
      own.trapExit(true);
      return new Counter(world.self.pid);
    });
    await sys.suspend(world.self, server);
    const other = world.self.spawn(idle);
    world.kernel.exit(other, server, "odd");
    const before = await world.all();

    await sys.resume(world.self, server);

    expect(before).toEqual([]);
    expect(await world.next()).toEqual(["got", { type: "exit", from: other, reason: "odd" }, 0]);
  });

  test("the mailbox limit of a suspended server holds", async () => {
    const world = new World();
    const server = await startServer(world.self, () => new Counter(), {
      mailbox: { messagesMax: 2, policy: "dropNewest" },
    });
    await sys.suspend(world.self, server);

    for (const message of [1, 2, 3]) world.self.send(server, message);

    expect(world.self.info(server)).toMatchObject({ messagesCount: 2, droppedCount: 1 });
  });

  test("a server's timeout does not run while it is suspended, and begins anew after each system message", async () => {
    const world = new World();
    const listener = new Counter(world.self.pid);
    const server = await startServer(world.self, () => ({
      init: () => goOn({ timeoutMs: 100 }),
      handleInfo: (message: unknown) => listener.handleInfo(message),
    }));
    await world.advance(60);
    await sys.getState(world.self, server);
    await world.advance(60);
    await sys.suspend(world.self, server);
    await world.advance(1000);
    await sys.resume(world.self, server);
    await world.advance(99);
    const early = await world.all();

    await world.advance(1);

    expect(early).toEqual([]);
    expect(await world.next()).toMatchObject(["got", { type: "timeout" }, 0]);
  });
});

describe("getState and replaceState", () => {
  test("show the fields of a live server, and change them by a function", async () => {
    const { self, server } = await scene(() => new Counter());
    await call(self, server, 2);

    const replaced = await sys.replaceState(self, server, (state: Counter) => ({ value: state.value * 10 }));

    expect(replaced).toEqual({ value: 20 });
    expect(await sys.getState(self, server)).toEqual({ value: 20 });
    expect(await call(self, server, 1)).toBe(21);
  });

  test("a field that is not in the new state is removed, functions and processes are no state", async () => {
    const { self, server } = await scene((own) => ({ own, a: 1, b: 2, handleInfo: () => {} }));

    await sys.replaceState(self, server, { a: 3 });

    expect(await sys.getState(self, server)).toEqual({ a: 3 });
  });

  test("what is given is not the server's object, but a new one each time", async () => {
    const { self, server } = await scene(() => new Counter());
    const state = (await sys.getState(self, server)) as { value: number };

    state.value = 99;

    expect(await sys.getState(self, server)).toEqual({ value: 0 });
  });

  test("a server with private fields says itself what its state is", async () => {
    const { self, server } = await scene(() => new Vault());

    await sys.replaceState(self, server, { secret: "changed" });

    expect(await sys.getState(self, server)).toEqual({ secret: "changed" });
    expect(await call(self, server, "get")).toBe("changed");
    expect((await sys.getStatus(self, server)).state).toBe("hidden");
  });

  test.each([
    ["a function that throws", new Counter(), () => unfit(), "callbackFailed", "unfit"],
    ["a value that is no object", new Counter(), 7, "callbackFailed", "a state is an object"],
    ["a frozen server", Object.freeze({ value: 1 }), { value: 2 }, "callbackFailed", "frozen"],
    ["a server that only shows its state", { systemGetState: () => 1 }, 2, "unsupported", "systemReplaceState"],
  ])("%s is refused, and the server lives on unchanged", async (_, server, change, refusal, description) => {
    const { self, server: pid } = await scene(() => server as Server);
    const before = await sys.getState(self, pid);

    const refused = sys.replaceState(self, pid, change);

    await expect(refused).rejects.toMatchObject({ name: "SysError", refusal });
    await expect(refused).rejects.toThrow(description);
    expect(await sys.getState(self, pid)).toEqual(before);
  });

  test("fail like a call: nobody there, a timeout", async () => {
    const world = await scene(() => ({ handleInfo: async () => deferred().promise }));
    world.self.send(world.server, "hang");
    await world.settle();

    const late = sys.getState(world.self, world.server, { timeoutMs: 50 }).catch((thrown: unknown) => thrown);
    await world.advance(50);

    expect(await late).toMatchObject({ reason: { tag: "call", reason: "timeout" } });
    await expect(sys.getState(world.self, "nobody")).rejects.toMatchObject({ reason: { reason: "noproc" } });
  });
});

describe("statistics, log and trace", () => {
  test("statistics count what comes in and goes out from when they are switched on", async () => {
    const world = await scene(() => new Counter());
    await call(world.self, world.server, 1);
    await sys.statistics(world.self, world.server, true);
    await call(world.self, world.server, 1);
    cast(world.self, world.server, "x");
    world.self.send(world.server, "y");

    const counted = await sys.statistics(world.self, world.server, "get");
    await sys.statistics(world.self, world.server, false);

    expect(counted).toMatchObject({ startedAtMs: 0, messagesInCount: 3, messagesOutCount: 1 });
    expect(await sys.statistics(world.self, world.server, "get")).toBeUndefined();
  });

  test("work is the time handlers take", async () => {
    const world = await scene((own) => ({
      handleCall: () => (own.kernel.platform as typeof world.platform).stall(7),
    }));
    await sys.statistics(world.self, world.server, true);

    await call(world.self, world.server, "work");

    expect(await sys.statistics(world.self, world.server, "get")).toMatchObject({ workMs: 7 });
  });

  test("the log keeps the newest events, as many as it may", async () => {
    const world = await scene(() => new Counter());
    await sys.log(world.self, world.server, true, { eventsMax: 3 });
    for (const step of [1, 2]) await call(world.self, world.server, step);
    cast(world.self, world.server, "x");

    const events = await sys.log(world.self, world.server, "get");
    await sys.log(world.self, world.server, false);

    const peer = world.self.pid;
    expect(events).toEqual([
      { type: "in", kind: "call", message: 2, peer, atMs: 0 },
      { type: "out", kind: "reply", message: 3, peer, atMs: 0 },
      { type: "in", kind: "cast", message: "x", peer: undefined, atMs: 0 },
    ]);
    expect(await sys.log(world.self, world.server, "get")).toEqual([]);
  });

  test("a log changed while it is full keeps its newest events", async () => {
    const world = await scene(() => new Counter());
    await sys.log(world.self, world.server, true, { eventsMax: 3 });
    for (const message of [1, 2, 3, 4]) world.self.send(world.server, message);

    await sys.log(world.self, world.server, true, { eventsMax: 2 });

    expect((await sys.log(world.self, world.server, "get")).map(({ message }) => message)).toEqual([3, 4]);
  });

  test.each([0, 1.5, 10_001])("a log of %s events is refused", async (eventsMax) => {
    const { self, server } = await scene(() => new Counter());

    await expect(sys.log(self, server, true, { eventsMax })).rejects.toThrow(RangeError);
  });

  test("what switches nothing, or is told of nothing, is refused with a sentence", async () => {
    const { self, server } = await scene(() => new Counter());

    await expect(sys.statistics(self, server, "on" as never)).rejects.toThrow(
      /^statistics is switched by .* not "on"$/,
    );
    await expect(sys.log(self, server, undefined as never)).rejects.toThrow(/^log is switched by .* not undefined$/);
    await expect(sys.trace(self, server, true as never)).rejects.toThrow(
      /^a trace goes to a pid or a function.* true$/,
    );
    expect(await sys.getStatus(self, server)).toMatchObject({
      debug: { statistics: false, logEventsMax: 0, trace: false },
    });
  });

  test("a trace tells a process, and ends at its limit", async () => {
    const world = await scene(() => new Counter());
    await sys.trace(world.self, world.server, world.self.pid, { eventsMax: 3 });

    for (const step of [1, 2, 3]) await call(world.self, world.server, step);

    const told = (await world.all()) as SystemEventMessage[];
    expect(told.map(({ from, event }) => [from, event.type, event.message])).toEqual([
      [world.server, "in", 1],
      [world.server, "out", 1],
      [world.server, "in", 2],
    ]);
    expect(await sys.getStatus(world.self, world.server)).toMatchObject({ debug: { trace: false } });
  });

  test("a trace ends when its process has ended", async () => {
    const world = await scene(() => new Counter());
    await sys.trace(world.self, world.server, await world.deadPid());

    await call(world.self, world.server, 1);

    expect(await sys.getStatus(world.self, world.server)).toMatchObject({ debug: { trace: false } });
  });

  test("a trace whose function throws ends, and the server does not", async () => {
    const world = await scene(() => new Counter());
    await sys.trace(world.self, world.server, () => unfit());

    expect(await call(world.self, world.server, 1)).toBe(1);
    expect(world.platform.logged.map(({ message }) => message)).toEqual([
      expect.stringContaining("ended: Error: unfit") as string,
    ]);
  });
});

describe("a server in another kernel", () => {
  test("is suspended, resumed, looked at and given a state", async () => {
    const { root, server } = await across(() => new Counter());
    await sys.suspend(root.self, server);
    const waiting = call(root.self, server, 1);

    const replaced = await sys.replaceState(root.self, server, { value: 41 });
    await sys.resume(root.self, server);

    expect(replaced).toEqual({ value: 41 });
    expect(await waiting).toBe(42);
    expect(await sys.getState(root.self, server)).toEqual({ value: 42 });
  });

  test("gives a named error for a state that cannot be copied, and lives on", async () => {
    const { root, server } = await across(() => Object.assign(new Counter(), { table: { save: Symbol("save") } }));

    const refused = sys.getState(root.self, server);

    await expect(refused).rejects.toMatchObject({ name: "SysError", refusal: "uncopyable" });
    await expect(refused).rejects.toThrow("state.table.save is a symbol");
    expect(await call(root.self, server, 1)).toBe(1);
    expect(await sys.getStatus(root.self, server)).toMatchObject({ state: { tag: "uncopyable" } });
  });

  test("is not given a function", async () => {
    const { root, server } = await across(() => new Counter());

    await expect(sys.replaceState(root.self, server, () => ({}))).rejects.toThrow(UncopyableError);
  });

  test("tells a trace and a log, with a description of what cannot be copied", async () => {
    const { root, child, server } = await across(() => new Counter());
    const local = handOver(server, root, child) as Pid<unknown>;
    await sys.trace(root.self, server, root.self.pid);
    await sys.log(root.self, server, true);

    child.self.send(local, () => {});

    const [told] = (await root.all()) as SystemEventMessage[];
    const [logged] = await sys.log(root.self, server, "get");
    expect(told?.event.message).toMatchObject({ tag: "uncopyable" });
    expect(logged?.message).toMatchObject({ tag: "uncopyable" });
  });
});

function unfit(): never {
  throw new Error("unfit");
}
