/** Traces: what they tell, and what ends them. */
import { describe, expect, test } from "vitest";
import { handOver, pair, spawnAt } from "../testing/tied-worlds.ts";
import { idle, World } from "../testing/world.ts";
import { NoAnswerError } from "./inspect.ts";
import { trace } from "./introspection.ts";
import type { Pid, Ref } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import type { Request } from "./request.ts";
import type { TraceEnded, TraceEvent, TraceMessage } from "./trace.ts";

type Told = TraceMessage | TraceEnded;

/** What the test was told, in short. */
function short(messages: readonly unknown[]): unknown[] {
  return (messages as Told[]).map((told) =>
    told.type === "traceEnded" ? told.reason : [told.event.kind, told.event.pid, told.event.peer, told.event.message],
  );
}

/** Ends the trace as a user does. */
async function end(world: World, tracing: Parameters<World["reasonOf"]>[0]): Promise<void> {
  world.kernel.exit(world.self.pid, tracing, "shutdown");
  await world.settle();
}

/** Answers requests with what it is asked. */
function echo(self: AnyProcess): void {
  self.react((message) => {
    const { from, body } = message as Request;
    self.reply(from, body);
  });
}

describe("a trace", () => {
  test("tells of messages, sends and the end of one process, in order", async () => {
    const world = new World();
    const other = world.self.spawn(idle) as Pid<unknown>;
    const pid = world.self.spawn(async (self) => {
      self.send(other, await self.receive());
      self.exit("done");
    }) as Pid<unknown>;
    await trace(world.self, pid);

    world.self.send(pid, "hello");
    world.self.send(other, "not traced");

    expect(short(await world.all())).toEqual([
      ["message", pid, undefined, "hello"],
      ["send", pid, other, "hello"],
      ["exit", pid, undefined, "done"],
    ]);
  });

  test("tells of calls where they come, and of replies where they are awaited", async () => {
    const world = new World();
    const server = world.self.spawn(echo);
    await world.settle();
    const listener = world.kernel.attach();
    await trace(world.self, (process) => process.label === "echo" || process.label === "asker", {
      kinds: ["call", "reply"],
    });
    const ask = world.self.spawn(async function asker(self: AnyProcess) {
      await self.request(server, "question");
      self.send(listener.pid, "over");
    }) as Pid<unknown>;
    await listener.receive();

    expect(short(await world.all())).toEqual([
      ["call", server, ask, "question"],
      ["reply", ask, server, "question"],
    ]);
  });

  test("tells of the calls that a process makes and the replies that it gives", async () => {
    const world = new World();
    const server = world.self.spawn(echo);
    await world.settle();
    await trace(world.self, ({ label }) => label === "echo" || label === "asker", { kinds: ["send"] });
    const asker = world.self.spawn(async function asker(self: AnyProcess) {
      await self.request(server, "question");
    }) as Pid<unknown>;

    const told = short(await world.all()) as unknown[][];

    expect(told).toMatchObject([
      ["send", asker, server, "question"],
      ["send", server, expect.objectContaining({ owner: asker }) as unknown, "question"],
    ]);
  });

  test("tells of spawns that its predicate accepts, with the parent and the name", async () => {
    const world = new World();
    const events: (TraceEvent | TraceEnded)[] = [];
    const tracing = await trace(world.self, ({ label }) => label === "idle", {
      to: (event) => void events.push(event),
    });

    const pid = world.self.spawn(idle);
    world.self.spawn(() => {});
    await world.settle();
    await end(world, tracing);

    expect(events).toMatchObject([{ kind: "spawn", pid, peer: world.self.pid, name: "idle" }, { reason: "stopped" }]);
    expect(world.kernel.observer).toBeNull();
  });

  test("ends when it has told of as many events as it may", async () => {
    const world = new World();
    const pid = world.self.spawn(idle) as Pid<unknown>;
    const tracing = await trace(world.self, pid, { messagesMax: 2 });

    for (const message of [1, 2, 3]) world.self.send(pid, message);
    await world.settle();

    expect(short(await world.all())).toEqual([
      ["message", pid, undefined, 1],
      ["message", pid, undefined, 2],
      "messagesMax",
    ]);
    expect(world.self.isAlive(tracing)).toBe(false);
    expect(world.kernel.observer).toBeNull();
  });

  test("ends when there are more events in a second than it stands", async () => {
    const world = new World();
    const pid = world.self.spawn(idle) as Pid<unknown>;
    await trace(world.self, pid, { perSecondMax: 2 });
    const sendTwo = (): void => [1, 2].forEach((message) => world.self.send(pid, message));
    sendTwo();
    await world.advance(1000);
    sendTwo();
    const before = short(await world.all());

    world.self.send(pid, 3);

    expect(before).toHaveLength(4);
    expect(short(await world.all())).toEqual(["perSecondMax"]);
    await world.settle();
    expect(world.kernel.observer).toBeNull();
  });

  test("ends when the tracer has ended", async () => {
    const world = new World();
    const pid = world.self.spawn(idle) as Pid<unknown>;
    const tracer = world.self.spawn(idle);
    const tracing = await trace(world.self, pid, { to: tracer });

    world.kernel.exit(world.self.pid, tracer, "kill");
    await world.settle();

    expect(world.self.isAlive(tracing)).toBe(false);
    expect(world.kernel.observer).toBeNull();
  });

  test("ends when the tracer's mailbox refuses", async () => {
    const world = new World();
    const pid = world.self.spawn(idle) as Pid<unknown>;
    const tracer = world.self.spawn(idle, { mailbox: { messagesMax: 1, policy: "failSender" } });
    await trace(world.self, pid, { to: tracer });

    for (const message of [1, 2, 3]) world.self.send(pid, message);
    await world.settle();

    expect(world.self.info(tracer)).toMatchObject({ messagesCount: 1, droppedCount: 1 });
    expect(world.kernel.observer).toBeNull();
  });

  test("ends when its predicate throws", async () => {
    const world = new World();
    const fail = (): never => {
      throw new Error("unfit");
    };
    await trace(world.self, fail);

    const pid = world.self.spawn(idle) as Pid<unknown>;
    world.self.send(pid, 1);

    expect(short(await world.all())).toEqual(["stopped"]);
    expect(world.platform.logged.at(-1)?.message).toMatch(/predicate threw: Error: unfit/);
  });

  test("does not tell of the tracer and of itself", async () => {
    const world = new World();
    await trace(world.self, () => true);

    world.self.send(world.self.pid, "mine");

    expect(await world.all()).toEqual(["mine"]);
  });

  test("is one of several, each with its own limit", async () => {
    const world = new World();
    const pid = world.self.spawn(idle) as Pid<unknown>;
    await trace(world.self, pid, { messagesMax: 1 });
    await trace(world.self, pid);

    world.self.send(pid, 1);
    world.self.send(pid, 2);

    expect(short(await world.all())).toHaveLength(4);
  });

  test.each([{ messagesMax: 0 }, { perSecondMax: 0 }, { messagesMax: Number.NaN }])(
    "is refused with %o",
    async (limits) => {
      const { self } = new World();

      await expect(trace(self, self.pid, limits)).rejects.toThrow(RangeError);
    },
  );
});

describe("a trace in another kernel", () => {
  test("tells of its processes, with a description of what cannot be copied, and is ended from here", async () => {
    const { root, child } = pair();
    const pid = spawnAt(child, root, idle);
    const tracing = await trace(root.self, pid);
    const there = handOver(pid, root, child) as Pid<unknown>;

    child.self.send(there, "copied");
    child.self.send(there, () => {});
    await root.settle();
    root.self.exit(tracing, "shutdown");
    await root.settle();

    const told = (await root.all()) as Told[];
    expect(short(told.slice(0, 1))).toEqual([["message", pid, undefined, "copied"]]);
    expect(told.slice(1)).toMatchObject([
      { event: { message: { tag: "uncopyable" } } },
      { type: "traceEnded", trace: tracing, reason: "stopped" },
    ]);
    expect(child.kernel.observer).toBeNull();
  });

  test("ends with the kernel of the tracer", async () => {
    const { root, child, line } = pair();
    await trace(root.self, spawnAt(child, root, idle));

    line.cut("gone");
    await root.settle();

    expect(child.kernel.observer).toBeNull();
  });

  test("that cannot begin leaves no process behind", async () => {
    const { root, line, childPid } = pair();
    const { processesCount } = root.kernel;
    line.hold();

    const failed = trace(root.self, childPid, { to: () => {}, timeoutMs: 100 }).catch((failure: unknown) => failure);
    await root.advance(100);

    expect(await failed).toBeInstanceOf(NoAnswerError);
    expect(root.kernel.processesCount).toBe(processesCount);
  });

  test("watches processes of one kernel only", async () => {
    const { root, childPid } = pair();

    await expect(trace(root.self, [root.self.pid, childPid])).rejects.toThrow("one kernel");
  });
});

test("what happens to a ref that is sent to is told as it is", async () => {
  const world = new World();
  const alias: Ref = world.self.alias();
  const pid = world.self.spawn(async (self) => {
    await self.receive();
    self.send(alias, "through the alias");
    await idle(self);
  }) as Pid<unknown>;
  const listener = world.kernel.attach();
  await trace(world.self, pid, { kinds: ["send"], to: listener.pid });

  world.self.send(pid, "go");
  await world.settle();

  expect(await listener.receive()).toMatchObject({
    event: { kind: "send", peer: alias, message: "through the alias" },
  });
});
