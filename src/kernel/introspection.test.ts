/** Looking into a running system: what is known of each process, in its own kernel and from others. */
import { describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { handOver, pair, spawnAt, type Pair } from "../testing/tied-worlds.ts";
import { deferred, idle, World } from "../testing/world.ts";
import { NoAnswerError, relationsShownMax, type ProcessDetails } from "./inspect.ts";
import {
  countWork,
  inspect,
  listProcesses,
  processTree,
  recordPlaces,
  top,
  trace,
  type TreeNode,
} from "./introspection.ts";
import type { AnyPid, Pid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { visitsPerSliceMax, walk } from "./walk.ts";

/** What is known of a process that runs `body`, once all has run. */
async function look(
  world: World,
  body: (self: AnyProcess) => unknown,
  before: (pid: Pid<unknown>) => void = () => {},
): Promise<ProcessDetails> {
  const pid = world.self.spawn(body) as Pid<unknown>;
  before(pid);
  await world.settle();
  const details = await inspect(world.self, pid);
  if (details === undefined) throw new Error("the process has ended");
  return details;
}

describe("what a process waits for", () => {
  test.each<[string, (self: AnyProcess) => unknown, Partial<ProcessDetails>]>([
    ["receive", (self) => self.receive(), { waitsFor: "message", waitsMs: undefined }],
    ["receive with a timeout", (self) => self.receive(() => false, { timeoutMs: 70 }), { waitsMs: 70 }],
    ["sleep", (self) => self.sleep(50), { waitsFor: "time", waitsMs: 50 }],
    ["a bare await", () => deferred().promise, { waitsFor: "host" }],
    ["self.wait", (self) => self.wait(deferred().promise), { waitsFor: "host" }],
    ["a reactor without a message", (self) => self.react(() => {}), { waitsFor: "message" }],
  ])("%s", async (_, body, expected) => {
    expect(await look(new World(), body)).toMatchObject({ status: "waiting", ...expected });
  });

  test("the reply to a call, with who was called", async () => {
    const world = new World();
    const server = world.self.spawn(idle);

    const details = await look(world, (self) => self.request(server, "question"));

    expect(details).toMatchObject({ status: "waiting", waitsFor: "reply", callTargets: [server], monitors: [] });
  });

  test("a reactor that is in the middle of a message waits for the host", async () => {
    const world = new World();

    const details = await look(
      world,
      (self) => self.react(() => deferred().promise),
      (pid) => world.self.send(pid, 1),
    );

    expect(details).toMatchObject({ status: "waiting", waitsFor: "host" });
  });

  test("room in what it has sent to", async () => {
    const world = new World();
    const full = world.self.spawn(idle, { name: "full", mailbox: { messagesMax: 1, policy: "block" } }) as Pid<unknown>;

    const details = await look(world, async (self) => {
      for (const message of [1, 2]) self.send(full, message);
      await self.receive();
    });

    expect(details).toMatchObject({ status: "waiting", waitsFor: "room" });
    expect(details.heldBy).toEqual([expect.stringContaining("full")]);
    expect(await inspect(world.self, full)).toMatchObject({ messagesCount: 2, messagesMax: 1, policy: "block" });
  });

  test("nothing: a process that looks at itself runs", async () => {
    const world = new World({ strays: nodePlatform().strays });
    const { promise, resolve } = deferred<ProcessDetails | undefined>();

    world.self.spawn(async (self: AnyProcess) => resolve(await inspect(self, self.pid)));

    expect(await promise).toMatchObject({ status: "running", waitsFor: undefined });
  });

  test("nothing: one that has just been spawned is runnable", async () => {
    const world = new World();
    const pid = world.self.spawn(idle);

    expect(await inspect(world.self, pid)).toMatchObject({ status: "runnable", label: "idle" });
  });

  test("one whose handles are being closed is exiting", async () => {
    const world = new World();

    const details = await look(world, (self) => self.own({ close: () => deferred().promise }));

    expect(details).toMatchObject({ status: "exiting" });
  });
});

describe("what is known of a process", () => {
  test("links, monitors, ancestry, handles, timers, mailbox", async () => {
    const world = new World();
    const peer = world.self.spawn(idle);
    let child: AnyPid | undefined;
    const parent = world.self.spawn(async (self) => {
      child = self.spawn(
        async (own: AnyProcess) => {
          own.link(peer);
          own.monitor(peer);
          own.own({ close: () => {} });
          own.trapExit(true);
          await idle(own);
        },
        { name: "child", label: "the child" },
      );
      await idle(self);
    });
    await world.settle();
    const watcher = world.self.monitor("child");
    world.self.sendAfter(1000, "child", "later");
    for (let index = 0; index < 12; index += 1) world.self.send("child", index);

    const details = await inspect(world.self, "child", { messagesMax: 3 });

    expect(watcher.owner).toBe(world.self.pid);
    expect(details).toMatchObject({
      ...{ pid: child, name: "child", label: "the child", carrier: "coroutine", parent, trapExit: true },
      ...{ ancestors: [parent, world.self.pid], links: [peer], monitors: [peer], monitoredBy: [world.self.pid] },
      ...{ messagesCount: 12, messages: [0, 1, 2], droppedCount: 0, handlesCount: 1 },
      startedAtMs: undefined,
    });
  });

  test("its first links when it has many, and how many there are", async () => {
    const world = new World();

    const details = await look(world, (self) => {
      for (let index = 0; index <= relationsShownMax; index += 1) self.spawnLink(idle);
      return idle(self);
    });

    expect([details.links.length, details.linksCount]).toEqual([relationsShownMax, relationsShownMax + 1]);
  });

  test("timers whose message is for it", async () => {
    const world = new World();
    const pid = world.self.spawn(idle);
    world.self.sendAfter(1000, pid as Pid<unknown>, "later");

    expect(await inspect(world.self, pid)).toMatchObject({ timersCount: 1 });
  });

  test("when it started, of what was started", async () => {
    const world = new World();
    await world.advance(1234);

    const pid = await world.self.start(idle);

    expect(await inspect(world.self, pid)).toMatchObject({ startedAtMs: 1234 });
  });

  test("memory grows with what waits in the mailbox", async () => {
    const world = new World();
    const small = await look(world, idle);

    const large = await look(world, idle, (pid) => {
      for (let index = 0; index < 100; index += 1) world.self.send(pid, { text: "x".repeat(1000) });
    });

    expect(large.memoryBytes - small.memoryBytes).toBeGreaterThan(100_000);
    expect(large.memoryBytes - small.memoryBytes).toBeLessThan(200_000);
  });

  test("the estimate calls no getter and ends in a message that contains itself", async () => {
    const world = new World();
    const message: Record<string, unknown> = {};
    message["self"] = message;
    Object.defineProperty(message, "trap", { enumerable: true, get: () => unfit() });

    expect(await look(world, idle, (pid) => world.self.send(pid, message))).toMatchObject({ messagesCount: 1 });
  });

  test("nothing, when it has ended or nobody has the name", async () => {
    const world = new World();

    expect(await inspect(world.self, await world.deadPid())).toBeUndefined();
    expect(await inspect(world.self, "nobody")).toBeUndefined();
  });

  test("a mailbox's drops", async () => {
    const world = new World();
    const pid = world.self.spawn(idle, { mailbox: { messagesMax: 1, policy: "dropNewest" } }) as Pid<unknown>;
    for (const message of [1, 2, 3]) world.self.send(pid, message);

    expect(await inspect(world.self, pid)).toMatchObject({ messagesCount: 1, droppedCount: 2 });
  });
});

describe("where a process waits", () => {
  async function waitInHelper(self: AnyProcess): Promise<void> {
    await self.receive();
  }

  test("is known while it is noted: the function and line of its receive, and who called that", async () => {
    const world = new World();
    await recordPlaces(world.self, true);

    const details = await look(world, async function body(self) {
      await self.yield();
      await waitInHelper(self);
    });

    expect(details.waitsAt?.[0]).toMatch(/^waitInHelper .*introspection\.test\.ts:\d+:\d+/);
    expect(details.waitsAt?.[1]).toMatch(/^(async )?body .*introspection\.test\.ts:\d+:\d+/);
  });

  test("is not noted otherwise, and no observer stays", async () => {
    const world = new World();
    await recordPlaces(world.self, true);
    await recordPlaces(world.self, false);

    expect(await look(world, waitInHelper)).toMatchObject({ waitsAt: undefined });
    expect(world.kernel.observer).toBeNull();
  });
});

describe("work", () => {
  test("is counted while it is switched on: messages, turns and time", async () => {
    const world = new World();
    const pid = world.self.spawn((self) => self.react(() => world.platform.stall(3))) as Pid<unknown>;
    await world.settle();
    await countWork(world.self, true);
    for (const message of [1, 2]) world.self.send(pid, message);
    await world.settle();

    expect(await inspect(world.self, pid)).toMatchObject({ work: { messagesCount: 2, turnsCount: 1, timeMs: 6 } });
  });

  test("of an asynchronous body is counted too, where the host tells of it", async () => {
    const world = new World({ strays: nodePlatform().strays });
    await countWork(world.self, true);
    const pid = world.self.spawn(async (self) => {
      for (;;) {
        await self.receive();
        world.platform.stall(5);
        await Promise.resolve();
        world.platform.stall(5);
      }
    }) as Pid<unknown>;
    await world.settle();
    const other = world.self.spawn(idle);
    for (const message of [1, 2]) world.self.send(pid, message);
    await world.settle();

    expect(await inspect(world.self, pid)).toMatchObject({ work: { messagesCount: 2, timeMs: 20 } });
    expect(await inspect(world.self, other)).toMatchObject({ work: { messagesCount: 0, timeMs: 0 } });
    await countWork(world.self, false);
  });

  test("a call counts for the server that it runs in, not for its caller", async () => {
    const world = new World();
    const server = world.self.spawn((self) =>
      self.react((message) => {
        world.platform.stall(7);
        self.reply((message as { from: never }).from, "done");
      }),
    );
    await world.settle();
    await countWork(world.self, true);
    const caller = world.self.spawn(async (self) => {
      await self.request(server, "work");
      await idle(self);
    });
    await world.settle();

    expect(await inspect(world.self, server)).toMatchObject({ work: { messagesCount: 1, timeMs: 7 } });
    expect(await inspect(world.self, caller)).toMatchObject({ work: { messagesCount: 1, timeMs: 0 } });
  });

  test("is forgotten with its process and when it is switched off", async () => {
    const world = new World();
    await countWork(world.self, true);
    const pid = world.self.spawn(idle) as Pid<unknown>;
    world.self.send(pid, "stop");
    await world.reasonOf(pid);
    const window = world.kernel.observer?.standing;

    await countWork(world.self, false);

    expect(window?.worksCount).toBe(1); // the test's own
    expect(world.kernel.observer).toBeNull();
  });

  test("of a process that has ended before its step, or works on after its end, leaves nothing", async () => {
    const world = new World();
    await countWork(world.self, true);
    const killed = world.self.spawn(idle);
    const dead = world.self.spawn(idle);
    await world.settle();
    const { process } = dead;
    const late = world.self.spawn(idle);

    for (const pid of [killed, dead, late]) world.self.exit(pid, "kill");
    if (process !== null) world.kernel.observer?.enter(process);
    await world.settle();

    expect(world.kernel.observer?.standing?.worksCount).toBe(0);
  });
});

describe("top", () => {
  async function crowd(world: World, count: number): Promise<Pid<unknown>[]> {
    const pids = Array.from({ length: count }, () => world.self.spawn(idle) as Pid<unknown>);
    await world.settle();
    return pids;
  }

  test("ranks by queue and by memory", async () => {
    const world = new World();
    const pids = await crowd(world, 20);
    pids.forEach((pid, index) => {
      for (let sent = 0; sent < index; sent += 1) world.self.send(pid, "message");
    });

    const byQueue = await top(world.self, 3, "queue");
    const byMemory = await top(world.self, 2, "memory");

    expect(byQueue.entries.map(({ pid, value }) => [pid, value])).toEqual([
      [pids[19], 19],
      [pids[18], 18],
      [pids[17], 17],
    ]);
    expect(byMemory.entries.map(({ pid }) => pid)).toEqual([pids[19], pids[18]]);
  });

  test("ranks by what was done in a window, and no observer stays", async () => {
    const world = new World();
    const [first, second] = await crowd(world, 2);
    world.self.send(first!, "before the window");
    const ranking = top(world.self, 2, "messages", { windowMs: 100 });
    for (const message of [1, 2]) world.self.send(second!, message);
    world.self.send(first!, 1);

    await world.advance(100);

    expect((await ranking).entries.map(({ pid, value }) => [pid, value])).toEqual([
      [second, 2],
      [first, 1],
    ]);
    expect(world.kernel.observer).toBeNull();
  });

  test("ranks by what was counted anyway", async () => {
    const world = new World();
    const [first, second] = await crowd(world, 2);
    await countWork(world.self, true);
    for (const pid of [first, second, second]) world.self.send(pid!, "message");

    const { entries } = await top(world.self, 1, "messages");

    expect(entries).toMatchObject([{ pid: second, value: 2, label: "idle", parent: world.self.pid }]);
  });

  test("gives all there are when there are fewer, and refuses less than one", async () => {
    const world = new World();
    await crowd(world, 2);

    expect((await top(world.self, 10, "queue")).entries).toHaveLength(3);
    await expect(top(world.self, 0, "queue")).rejects.toThrow(RangeError);
  });

  test("leaves out what ends meanwhile", async () => {
    const world = new World();
    const [first, second] = await crowd(world, 2);
    const ranking = top(world.self, 10, "queue");
    world.kernel.exit(world.self.pid, second!, "kill");

    expect((await ranking).entries.map(({ pid }) => pid)).toEqual([first, world.self.pid]);
  });

  test("goes through many in slices, and lets others run in between", async () => {
    const world = new World();
    await crowd(world, visitsPerSliceMax + 10);
    let turnsCount = 0;
    let isOver = false;
    const turn = (): void => {
      turnsCount += 1;
      if (!isOver) setImmediate(turn);
    };
    turn();

    await top(world.self, 1, "queue");
    isOver = true;

    expect(turnsCount).toBeGreaterThan(2);
  });
});

describe("a walk", () => {
  test("sees each process once, also when the next one ends between two slices", async () => {
    const world = new World();
    const pids = Array.from({ length: visitsPerSliceMax + 3 }, () => world.self.spawn(idle));
    await world.settle();
    const seen: AnyPid[] = [];
    // The youngest is first, so that the last but two of the first slice is followed by these.
    const [third, second, first] = pids.slice(0, 3);

    await walk(world.kernel, ({ pid }) => {
      seen.push(pid);
      if (seen.length === visitsPerSliceMax) for (const next of [first, second]) world.kernel.exit(pid, next!, "kill");
    });

    expect(seen).toHaveLength(visitsPerSliceMax + 2);
    expect(seen.slice(-2)).toEqual([third, world.self.pid]);
  });

  test("ends with what a visit throws", async () => {
    const world = new World();

    await expect(walk(world.kernel, () => unfit())).rejects.toThrow("unfit");
  });
});

describe("lists and trees", () => {
  test("all processes, the youngest first, as many as may be", async () => {
    const world = new World();
    const pids = [world.self.spawn(idle), world.self.spawn(idle)];

    const { processes, processesCount } = await listProcesses(world.self, { processesMax: 2 });

    expect(processes.map(({ pid }) => pid)).toEqual(pids.toReversed());
    expect(processesCount).toBe(3);
  });

  test("who spawned whom, the oldest first", async () => {
    const world = new World();
    world.self.spawn(
      async (self) => {
        for (const name of ["a", "b"]) self.spawn(idle, { name });
        await idle(self);
      },
      { name: "parent" },
    );
    await world.settle();

    const { roots } = await processTree(world.self);

    const names = ({ name, label, children }: TreeNode): unknown => [name ?? label, children.map(names)];
    expect(roots.map(names)).toEqual([["test", [["parent", [["a", []], ["b", []]]]]]]); // prettier-ignore
  });

  test("one whose parent has ended is a root", async () => {
    const world = new World();
    const parent = world.self.spawn((self) => void self.spawn(idle, { name: "orphan" }));
    await world.reasonOf(parent);

    const { roots } = await processTree(world.self);

    expect(roots.map(({ name }) => name)).toEqual([undefined, "orphan"]);
  });
});

describe("from another kernel", () => {
  test("the same is known, and messages that cannot be copied are described", async () => {
    const { root, child } = pair();
    const pid = spawnAt(child, root, idle);
    const there = handOver(pid, root, child) as Pid<unknown>;
    child.self.send(there, "copied");
    child.self.send(there, () => {});

    const details = await inspect(root.self, pid);

    expect(details).toMatchObject({ pid, label: "idle", status: "waiting", waitsFor: "message", messagesCount: 2 });
    expect(details?.messages).toEqual(["copied", expect.objectContaining({ tag: "uncopyable" }) as unknown]);
  });

  test("a name that nobody has here is looked up above", async () => {
    const { root, child } = pair();
    const pid = root.self.spawn(idle, { name: "above" });

    expect(await inspect(child.self, "above")).toMatchObject({ name: "above", pid: handOver(pid, root, child) });
    expect(await inspect(child.self, "nobody")).toBeUndefined();
  });

  test("ancestors are followed across kernels", async () => {
    const { root, child, childPid } = pair();
    const grandparent = root.self.spawn(idle);
    const { process } = child.kernel.spawnMain(handOver(grandparent, root, child), null, {});
    const pid = handOver(process.pid, child, root);

    expect((await inspect(root.self, pid))?.ancestors).toEqual([grandparent, root.self.pid]);
    expect((await inspect(root.self, childPid))?.ancestors).toEqual([]);
  });

  test("one that has ended gives nothing", async () => {
    const { root, child } = pair();
    const pid = spawnAt(child, root, () => {});
    await root.settle();

    expect(await inspect(root.self, pid)).toBeUndefined();
  });

  test("a kernel that does not answer is named when the time is up", async () => {
    const { root, child, line } = pair();
    const pid = spawnAt(child, root, idle);
    line.hold();
    const failed = inspect(root.self, pid, { timeoutMs: 100 }).catch((thrown: unknown) => thrown);

    await root.advance(100);

    expect(await failed).toBeInstanceOf(NoAnswerError);
    expect(await failed).toMatchObject({ kernelId: "0.1", message: expect.stringContaining("0.1") as string });
    expect(root.kernel.exportedRefsCount).toBe(0);
  });

  test("a kernel that is lost while it is asked gives nothing", async () => {
    const { root, child, line } = pair();
    const pid = spawnAt(child, root, idle);
    line.hold();
    const found = inspect(root.self, pid);
    line.cut("gone");

    expect(await found).toBeUndefined();
    expect(await inspect(root.self, pid)).toBeUndefined();
  });

  test("top, list and tree of all kernels, from each of them", async () => {
    const { root, child } = pair();
    const busy = spawnAt(child, root, idle);
    root.self.send(busy, "message");
    await root.settle();

    for (const { self } of [root, child]) {
      const { entries, unanswered } = await top(self, 1, "queue", { scope: "system" });
      expect([entries.map(({ value }) => value), unanswered]).toEqual([[1], []]);
      expect((await listProcesses(self, { scope: "system" })).processesCount).toBe(3);
      expect((await processTree(self, { scope: "system" })).roots).toHaveLength(2);
    }
  });

  test("a question that another version asks is answered with why not", async () => {
    const { root, child, line } = pair();

    line.down.receive(["ask", root.kernel.id, 7, child.kernel.id, 1, { "~": ["of tomorrow"] }]);
    await root.settle();

    const description: unknown = expect.stringContaining("different versions of colos");
    expect(line.sent).toEqual([["reply", child.kernel.id, 7, { ok: false, description }]]);
  });

  test("kernels that do not answer are named beside the ranking of the others", async () => {
    const { root, line } = pair();
    line.hold();
    const ranking = top(root.self, 5, "queue", { scope: "system", timeoutMs: 100 });

    await root.advance(100);

    expect(await ranking).toMatchObject({ entries: [{ pid: root.self.pid }], unanswered: ["0.1"] });
  });

  test("work and places are noted there when they are switched on from here", async () => {
    const two: Pair = pair();
    const kernelOf = two.childPid;
    await countWork(two.root.self, true, { kernelOf });
    await recordPlaces(two.root.self, true, { kernelOf });
    const pid = spawnAt(two.child, two.root, async function somewhere(self) {
      await self.receive();
      await self.receive();
    });
    two.root.self.send(pid, 1);
    await two.root.settle();

    const details = await inspect(two.root.self, pid);

    expect(details).toMatchObject({ work: { messagesCount: 1 } });
    expect(details?.waitsAt?.[0]).toMatch(/somewhere/);
  });
});

function unfit(): never {
  throw new Error("unfit");
}

describe("what makes no sense is refused with a sentence, before anything happens", () => {
  const none = (value: unknown): never => value as never;

  test.each<[string, (self: AnyProcess) => Promise<unknown>]>([
    ["top ranks by memory, queue, messages, turns, time, not cpu", (self) => top(self, 1, none("cpu"))],
    ["top takes a whole number from 1 on, not 1.5", (self) => top(self, 1.5, "memory")],
    ["windowMs is a number of milliseconds that ends", (self) => top(self, 1, "time", { windowMs: Infinity })],
    ["a scope is kernel, system, not all", (self) => top(self, 1, "queue", { scope: none("all") })],
    ['a duration is a number of milliseconds, not "5s"', (self) => top(self, 1, "queue", { timeoutMs: none("5s") })],
    ["a duration is a number", (self) => inspect(self, self.pid, { timeoutMs: Number.NaN })],
    ["messagesMax is a number from 0 on, not -1", (self) => inspect(self, self.pid, { messagesMax: -1 })],
    ["processesMax is a number from 0 on, not all", (self) => listProcesses(self, { processesMax: none("all") })],
    [
      "a trace tells of message, call, reply, send, spawn, exit, not calls",
      (self) => trace(self, self.pid, { kinds: [none("calls")] }),
    ],
    ["a trace tells a pid or a function, not me", (self) => trace(self, self.pid, { to: none("me") })],
  ])("%s", async (sentence, ask) => {
    const world = new World();

    const refused = ask(world.self);

    await expect(refused).rejects.toThrow(sentence);
    expect([world.kernel.observer, world.kernel.processesCount]).toEqual([null, 1]);
  });
});
