/** Groups: members, monitors, publishing, ends, other kernels, limits. */
import { describe, expect, test } from "vitest";
import { ProcessEnded } from "../kernel/exit-reason.ts";
import { isDown } from "../kernel/message.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import type { AnyProcess, SpawnOptions } from "../kernel/process.ts";
import type { Signal } from "../kernel/signal.ts";
import { pair } from "../testing/tied-worlds.ts";
import { deferred, forwarder, idle, World } from "../testing/world.ts";
import {
  defineGroups,
  Groups,
  GroupsFullError,
  isGroupMessage,
  relayWaitingMaxBytes,
  startGroups,
  type GroupsOptions,
} from "./groups.ts";
import { call } from "./server.ts";
import * as sys from "./sys.ts";

async function scene(
  options: GroupsOptions = {},
): Promise<{ world: World; self: AnyProcess; groups: Groups; scope: AnyPid }> {
  const world = new World();
  const scope = await startGroups(world.self, { name: "scope", ...options });
  return { world, self: world.self, groups: new Groups(world.self, "scope"), scope };
}

/** A process that sends on to the test whatever it gets. */
function listener({ self }: World, mailbox?: SpawnOptions["mailbox"]): Pid<unknown> {
  const options = mailbox === undefined ? {} : { mailbox };
  return self.spawn(forwarder(self.pid), options);
}

describe("members", () => {
  test("join and leave, any process and several at once", async () => {
    const { world, self, groups } = await scene();
    const [a, b] = [self.spawn(idle), self.spawn(idle)];

    await groups.join("g", [a, b]);
    await groups.join("g");
    const before = await groups.getMembers("g");
    const left = await groups.leave("g", [a, self.pid]);

    expect(before).toEqual([a, b, self.pid]);
    expect([left, await groups.getMembers("g")]).toEqual([true, [b]]);
    expect(await groups.getMembers("none")).toEqual([]);
    world.kernel.end(b.process!, "over");
    expect(await groups.whichGroups()).toEqual([]);
  });

  test("a process is a member as often as it joined", async () => {
    const { self, groups } = await scene();
    for (let count = 0; count < 3; count += 1) await groups.join("g");

    await groups.leave("g");

    expect(await groups.getMembers("g")).toEqual([self.pid, self.pid]);
    expect(await groups.info()).toMatchObject({ groups: 1, memberships: 2 });
  });

  test("who is no member cannot leave", async () => {
    const { self, groups } = await scene();
    await groups.join("g", self.spawn(idle));

    expect(await groups.leave("g")).toBe(false);
    expect(await groups.leave("none")).toBe(false);
    expect((await groups.getMembers("g")).length).toBe(1);
  });

  test("a group is there while it has members; names are compared by what they say", async () => {
    const { groups } = await scene();
    await groups.join({ room: 1 });
    await groups.join("other");

    await groups.leave("other");

    expect(await groups.whichGroups()).toEqual([{ room: 1 }]);
    expect(await groups.leave({ room: 1 })).toBe(true);
    expect(await groups.whichGroups()).toEqual([]);
    await expect(groups.join(() => {})).rejects.toThrow("a function is no key");
  });

  test("scopes are apart", async () => {
    const { self, groups } = await scene();
    const other = new Groups(self, await startGroups(self));
    await groups.join("g");

    expect(await other.getMembers("g")).toEqual([]);
  });

  test("the end of a process takes all its memberships before those who watch it learn of it", async () => {
    const { self, groups } = await scene();
    const pid = self.spawn(idle);
    for (const group of ["a", "a", "b"]) await groups.join(group, pid);
    await groups.join("a");
    const ref = self.monitor(pid);

    self.exit(pid, "kill");
    await self.receive((message) => isDown(message, ref));

    expect(await groups.getMembers("a")).toEqual([self.pid]);
    expect(await groups.whichGroups()).toEqual(["a"]);
  });

  test("a process that has ended does not join", async () => {
    const { world, self, groups } = await scene();

    await groups.join("g", [await world.deadPid(), self.pid]);

    expect(await groups.getMembers("g")).toEqual([self.pid]);
  });

  test("leave nothing behind: neither watches nor handles nor groups", async () => {
    const { self, groups, scope } = await scene();
    for (let count = 0; count < 100; count += 1) {
      await groups.join(`g${count}`);
      const { ref } = await groups.monitor(`g${count}`);
      await groups.leave(`g${count}`);
      await groups.demonitor(ref);
    }

    expect(self.extra?.handles?.size).toBe(0);
    expect(self.info(scope)?.monitors).toEqual([]);
    const nothing = { groups: 0, memberships: 0, monitors: 0, processes: 0 };
    expect(await sys.getState(self, scope)).toMatchObject(nothing);
  });

  test("a process that monitors a group it has left is still watched", async () => {
    const { self, groups, scope } = await scene();
    const ready = deferred();
    const watcher = self.spawn(async (own) => {
      const seen = new Groups(own, "scope");
      await seen.monitor("g");
      await seen.join("g");
      await seen.leave("g");
      ready.resolve();
      await idle(own);
    });
    await ready.promise;

    self.exit(watcher, "kill");

    expect(await sys.getState(self, scope)).toMatchObject({ monitors: 0, processes: 0 });
    expect(await groups.whichGroups()).toEqual([]);
  });
});

describe("publishing", () => {
  test("is not for code whose process has ended", async () => {
    const { world, self, groups } = await scene();
    const gate = deferred();
    await groups.subscribe("g");
    let thrown: unknown;
    const pid = self.spawn(async (publisher) => {
      await gate.promise;
      try {
        new Groups(publisher, "scope").publish("g", "from beyond");
      } catch (ended) {
        thrown = ended;
      }
    });
    await world.settle();

    self.exit(pid, "kill");
    gate.resolve();

    expect(await world.all()).toEqual([]);
    expect(thrown).toBeInstanceOf(ProcessEnded);
  });

  test("reaches each member as often as it joined, in order, and nobody else", async () => {
    const { world, groups } = await scene();
    const [a, b, c] = [listener(world), listener(world), listener(world)];
    await groups.join("topic", [a, b, b]);
    await groups.join("other", c);

    for (const message of [1, 2]) groups.publish("topic", message);
    groups.publish("nobody", 3);

    const got = await world.all();
    const of = (pid: AnyPid): unknown[] =>
      got.flatMap((message) => ((message as unknown[])[0] === pid ? [(message as unknown[])[1]] : []));
    expect([of(a), of(b), of(c)]).toEqual([[1, 2], [1, 1, 2, 2], []]);
    expect(await groups.info()).toMatchObject({ published: 3, sent: 6, refused: 0 });
  });

  test("a subscriber gets what is published until it unsubscribes, however often it subscribed", async () => {
    const { world, groups } = await scene();
    await groups.subscribe("topic");
    await groups.subscribe("topic");
    groups.publish("topic", "one");
    await groups.unsubscribe("topic");
    groups.publish("topic", "two");

    expect(await world.all()).toEqual(["one", "one"]);
  });

  test("can pass over one process", async () => {
    const { world, self, groups } = await scene();
    const other = listener(world);
    await groups.join("topic", [self.pid, other]);

    groups.publish("topic", "hello", { except: self.pid });

    expect(await world.all()).toEqual([[other, "hello"]]);
  });

  test("does not fail for a full subscriber, which follows its own policy; others get all", async () => {
    const { world, self, groups } = await scene();
    const policies = ["failSender", "dropNewest", "dropOldest", "endReceiver"] as const;
    const full = policies.map((policy) => self.spawn(idle, { mailbox: { messagesMax: 2, policy } }));
    await world.settle();
    await groups.join("topic", full);
    await groups.subscribe("topic");

    for (const message of [1, 2, 3]) groups.publish("topic", message);

    const counts = full.map((pid) => self.info(pid)).map((info) => [info?.messagesCount, info?.droppedCount]);
    expect(counts).toEqual([
      [2, 1],
      [2, 1],
      [2, 1],
      [undefined, undefined],
    ]);
    expect(await world.all()).toEqual([1, 2, 3]);
    expect(await groups.info()).toMatchObject({ published: 3, sent: 14, refused: 1, memberships: 4 });
  });

  test("a full subscriber that blocks holds the publisher, as it holds any sender", async () => {
    const { world, self } = await scene();
    const slow = self.spawn(idle, { mailbox: { messagesMax: 1, policy: "block" } });
    const steps: string[] = [];
    self.spawn(async (own) => {
      const groups = new Groups(own, "scope");
      await groups.join("topic", slow);
      for (const message of [1, 2]) groups.publish("topic", message);
      steps.push("published");
      await own.yield();
      steps.push("went on");
    });
    await world.settle();
    const held = [...steps];

    self.exit(slow, "kill");
    await world.settle();

    expect([held, steps]).toEqual([["published"], ["published", "went on"]]);
  });

  test("without a scope fails in the publisher", async () => {
    const { self } = await scene();

    expect(() => new Groups(self, "absent").publish("topic", 1)).toThrow('no process is registered as "absent"');
  });
});

describe("monitors", () => {
  test("give the members, then who joins and leaves, by asking or by ending", async () => {
    const { world, self, groups } = await scene();
    const [a, b] = [self.spawn(idle), self.spawn(idle)];
    await groups.join("g", a);

    const { ref, members } = await groups.monitor("g");
    await groups.join("g", [b, b]);
    await groups.join("other", b);
    await groups.leave("g", [a, b]);
    self.exit(b, "kill");

    expect(members).toEqual([a]);
    expect(await world.all()).toEqual([
      { type: "groupJoin", ref, group: "g", pids: [b, b] },
      { type: "groupLeave", ref, group: "g", pids: [a, b] },
      { type: "groupLeave", ref, group: "g", pids: [b] },
    ]);
  });

  test("of a scope tell of all groups", async () => {
    const { world, self, groups } = await scene();
    await groups.join("a");

    const { ref, groups: before } = await groups.monitorScope();
    await groups.join("b");
    await groups.leave("a");

    expect(before).toEqual(new Map([["a", [self.pid]]]));
    expect(await world.all()).toEqual([
      { type: "groupJoin", ref, group: "b", pids: [self.pid] },
      { type: "groupLeave", ref, group: "a", pids: [self.pid] },
    ]);
  });

  test.each(["monitor", "monitorScope"] as const)(
    "after demonitor nothing comes, not even what waits (%s)",
    async (kind) => {
      const { world, groups } = await scene();
      const { ref } = kind === "monitor" ? await groups.monitor("g") : await groups.monitorScope();
      await groups.join("g");

      const existed = [await groups.demonitor(ref), await groups.demonitor(ref)];
      await groups.leave("g");

      expect([existed, await world.all()]).toEqual([[true, false], []]);
    },
  );

  test("end with the process that made them", async () => {
    const { world, self, groups, scope } = await scene({ membershipsMax: 3 });
    const ready = deferred();
    const watcher = self.spawn(async (own) => {
      const seen = new Groups(own, "scope");
      await seen.monitor("g");
      await seen.monitorScope();
      await seen.join("g");
      ready.resolve();
      await idle(own);
    });
    await ready.promise;
    await expect(groups.join("x")).rejects.toThrow(GroupsFullError);

    self.exit(watcher, "kill");
    await groups.join("x", [self.pid, self.pid, self.pid]);

    expect(await groups.whichGroups()).toEqual(["x"]);
    expect([await world.all(), self.info(scope)?.status]).toEqual([[], "waiting"]);
  });

  test("their messages are known", () => {
    expect([isGroupMessage({ type: "groupJoin" }), isGroupMessage({ type: "down" }), isGroupMessage(null)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("from other kernels", () => {
  async function across(): Promise<ReturnType<typeof pair> & { here: Groups; there: Groups }> {
    const both = pair();
    await startGroups(both.root.self, { name: "scope" });
    return { ...both, here: new Groups(both.root.self, "scope"), there: new Groups(both.child.self, "scope") };
  }

  test("processes subscribe and publish, in order, in both directions", async () => {
    const { root, child, here, there } = await across();
    await here.subscribe("down");
    await there.subscribe("up");

    for (const message of [1, 2, 3]) {
      here.publish("up", message);
      there.publish("down", { message });
    }

    expect(await child.all()).toEqual([1, 2, 3]);
    expect(await root.all()).toEqual([{ message: 1 }, { message: 2 }, { message: 3 }]);
    expect(await there.info()).toMatchObject({ published: 6, sent: 6 });
  });

  test("local members and local publishing are those of the asking process's kernel", async () => {
    const { root, child, here, there, childPid, rootPid } = await across();
    await here.join("g");
    await there.join("g");
    await there.join("far");

    expect(await here.getLocalMembers("g")).toEqual([root.self.pid]);
    expect(await there.getLocalMembers("g")).toEqual([child.self.pid]);
    expect(await here.getMembers("g")).toEqual([root.self.pid, childPid]);
    expect(await there.getMembers("g")).toEqual([rootPid, child.self.pid]);
    expect([await here.whichLocalGroups(), await there.whichLocalGroups()]).toEqual([["g"], ["g", "far"]]);
    here.publish("g", "here", { local: true });
    there.publish("g", "there", { local: true });
    expect([await root.all(), await child.all()]).toEqual([["here"], ["there"]]);
  });

  test("the loss of a carrier takes its members and monitors, and tells the monitors of others", async () => {
    const { root, line, here, there, childPid } = await across();
    await there.join("g");
    await there.monitor("g");
    await here.join("g");
    const { ref } = await here.monitor("g");

    line.cut("gone");

    expect(await here.getMembers("g")).toEqual([root.self.pid]);
    expect(await root.all()).toEqual([{ type: "groupLeave", ref, group: "g", pids: [childPid] }]);
    here.publish("g", "after");
    expect(await here.info()).toMatchObject({ sent: 1, refused: 0 });
  });

  test("a monitor there is told of members here", async () => {
    const { child, here, there, rootPid } = await across();
    const { ref, members } = await there.monitor("g");

    await here.join("g");

    expect(members).toEqual([]);
    expect(await child.all()).toEqual([{ type: "groupJoin", ref, group: "g", pids: [rootPid] }]);
  });

  test("what cannot be copied fails in the publisher, and nobody gets it", async () => {
    const { root, here, there } = await across();
    await here.subscribe("g");
    await there.subscribe("g");

    expect(() => here.publish("g", () => {})).toThrow("is a function");
    expect(() => there.publish("g", () => {})).toThrow("is a function");
    expect(await root.all()).toEqual([]);
    expect(await here.info()).toMatchObject({ sent: 0 });
  });

  test("a member's end that arrives after another monitor of it has told is known already", async () => {
    const { root, child, here, childPid } = await across();
    const ref = root.self.monitor(childPid);
    await here.join("g", childPid);

    child.kernel.end(child.self, "over");
    await root.self.receive((message) => isDown(message, ref));

    expect(await here.getMembers("g")).toEqual([]);
  });

  test("messages that wait for a busy scope have a limit; any more are dropped and counted", async () => {
    const { root, child } = pair();
    const mailbox = { messagesMax: 2, policy: "failSender" } as const;
    const scope = await startGroups(root.self, { name: "scope", mailbox });
    await new Groups(root.self, "scope").subscribe("g");
    await sys.suspend(root.self, scope);
    for (const message of [1, 2, 3]) new Groups(child.self, "scope").publish("g", message);
    await root.settle();

    expect(root.self.info(scope)).toMatchObject({ messagesCount: 2, droppedCount: 1 });
  });
});

describe("a channel that takes nothing", () => {
  const channelState = { windowBytes: 1, underWayBytes: 1, creditBytes: 0, waitingCount: 1, droppedCount: 0 };

  /** A scope with a publisher in one other kernel and a member in a third, to which so many bytes wait. */
  async function scopeBetween(
    waitingBytes: number,
  ): Promise<{ both: ReturnType<typeof pair>; sent: Signal[]; here: Groups }> {
    const both = pair();
    const sent: Signal[] = [];
    const id = both.root.kernel.newChildId();
    const send = (signal: Signal): void => void sent.push(signal);
    both.root.kernel.connect(id, { send, hasRoom: false, state: { ...channelState, waitingBytes } });
    await startGroups(both.root.self, { name: "scope" });
    const here = new Groups(both.root.self, "scope");
    await here.join("g", both.root.kernel.mainPidOf(id));
    return { both, sent, here };
  }

  const messages = (sent: readonly Signal[]): number => sent.filter(([kind]) => kind === "message").length;

  test.each([
    [relayWaitingMaxBytes, 0, 1],
    [relayWaitingMaxBytes - 1, 1, 0],
  ])("with %i bytes waiting gets %i of what other kernels publish", async (waitingBytes, wanted, refused) => {
    const { both, sent, here } = await scopeBetween(waitingBytes);

    new Groups(both.child.self, "scope").publish("g", "from there");
    await both.root.settle();

    expect(messages(sent)).toBe(wanted);
    expect(await here.info()).toMatchObject({ published: 1, sent: wanted, refused });
  });

  test("holds a publisher in the scope's kernel", async () => {
    const { both, sent } = await scopeBetween(relayWaitingMaxBytes);
    const steps: string[] = [];
    both.root.self.spawn(async (own) => {
      new Groups(own, "scope").publish("g", "from here");
      steps.push("published");
      await own.yield();
      steps.push("went on");
    });

    await both.root.settle();

    expect([messages(sent), steps]).toEqual([1, ["published"]]);
  });
});

describe("limits", () => {
  test("a full scope refuses the whole join and takes again when there is room", async () => {
    const { self, groups } = await scene({ membershipsMax: 2 });

    await expect(groups.join("g", [self.pid, self.pid, self.pid])).rejects.toThrow(GroupsFullError);
    await groups.join("g", [self.pid, self.pid]);
    await expect(groups.monitor("g")).rejects.toThrow("the scope is full (2 memberships and monitors)");
    await groups.leave("g");

    await groups.monitor("g");
    expect((await groups.getMembers("g")).length).toBe(1);
  });

  test("what is no request is refused, and the scope lives on", async () => {
    const { world, self, groups, scope } = await scene();

    for (const request of [null, 7, {}, { groups: "explode" }]) {
      expect(await call(self, "scope", request)).toMatchObject({ tag: "refused" });
    }
    self.send(scope as Pid<unknown>, "junk");
    self.send(scope as Pid<unknown>, { type: "$publish", group: new Date(0) });
    await world.settle();
    expect(await groups.info()).toMatchObject({ groups: 0, refused: 1 });
  });

  test("a scope is a program for a supervisor", async () => {
    const { self } = new World();

    const groups = new Groups(self, await self.start(defineGroups()));

    expect(await groups.whichGroups()).toEqual([]);
  });

  test.each([
    ["a", 'members are a pid or a list of pids, not "a"'],
    [[5], "a member is a pid, not 5"],
    [null, "members are a pid or a list of pids, not null"],
  ])(
    "members that are none are refused with a sentence, and nobody is watched for them: %j",
    async (wrong, sentence) => {
      const { world, self, groups, scope } = await scene();
      const member = self.spawn(idle);

      await expect(groups.join("g", wrong as never)).rejects.toThrow(sentence);
      await expect(groups.leave("g", wrong as never)).rejects.toThrow(sentence);
      const byHand = { groups: "join", group: "g", pids: [member, wrong] };
      expect(await call(self, scope, byHand)).toMatchObject({ tag: "refused" });

      expect(member.process?.extra?.handles?.size ?? 0).toBe(0);
      expect(await groups.getMembers("g")).toEqual([]);
      expect(world.self.isAlive(scope)).toBe(true);
    },
  );

  test("a limit that is no number is refused with a sentence", () => {
    expect(() => defineGroups({ membershipsMax: Number.NaN })).toThrow(
      "membershipsMax is a whole number of at least 1, not NaN",
    );
  });
});
