/** Kernels tied by channels: signals across them mean what they mean within one, and the loss of one is told exactly once. */
import { describe, expect, test } from "vitest";
import { below, handOver, pair, spawnAt, tie, type Line } from "../testing/tied-worlds.ts";
import { deferred, forwarder, idle, trapper, World } from "../testing/world.ts";
import { carrierDown, type CallFailed } from "./exit-reason.ts";
import type { Starter } from "./kernel.ts";
import { isDown } from "./message.ts";
import type { AnyPid, Pid, Ref } from "./pid.ts";
import type { Request } from "./request.ts";
import { UncopyableError } from "./wire.ts";

describe("two kernels", () => {
  test("a pid is one object in each, and comes home as itself", async () => {
    const { root, child, childPid } = pair();

    root.self.send(childPid, [root.self.pid, childPid]);

    const [from, own] = (await child.next()) as AnyPid[];
    expect([from?.kernelId, from?.process]).toEqual(["0", null]);
    expect(own).toBe(child.self.pid);
    expect(from).toBe(handOver(root.self.pid, root, child));
  });

  test("messages keep their order (M1) and are copies (K2)", async () => {
    const { root, child, childPid } = pair();
    const message = { list: [0] };

    for (let index = 0; index < 1000; index += 1) {
      message.list[0] = index;
      root.self.send(childPid, message);
    }

    expect(await child.all()).toEqual(Array.from({ length: 1000 }, (_, index) => ({ list: [index] })));
  });

  test("what cannot be copied fails in the sender, and nothing is sent (K3)", async () => {
    const { root, child, childPid, line } = pair();

    expect(() => root.self.send(childPid, { run: () => {} })).toThrow(UncopyableError);
    await expect(root.self.request(childPid, () => {})).rejects.toThrow(UncopyableError);

    expect([await child.all(), line.sent]).toEqual([[], []]);
  });

  test.each(["the root's process", "the child's process"])("a link ends both when %s ends", async (which) => {
    const { root, child } = pair();
    const there = child.self.spawn(idle);
    const remote = handOver(there, child, root) as Pid<unknown>;
    const here = root.self.spawn(async (self) => {
      self.link(remote);
      await idle(self);
    });
    await root.settle();
    root.self.monitor(here);
    child.self.monitor(there);

    if (which === "the root's process") root.self.exit(here, "bye");
    else root.self.exit(remote, "bye");

    expect([await root.all(), await child.all()]).toMatchObject([[{ reason: "bye" }], [{ reason: "bye" }]]);
  });

  test("a trapping process gets the exit of a link once, and the link is gone on both sides", async () => {
    const { root, child } = pair();
    root.self.trapExit(true);
    const pid = spawnAt(child, root, async (self) => self.exit(await self.receive()));
    root.self.link(pid);
    root.self.link(pid);
    await root.settle();
    const linksBefore = root.self.info()?.links;

    root.self.send(pid, { code: 7 });

    expect(await root.all()).toEqual([{ type: "exit", from: pid, reason: { code: 7 } }]);
    expect([linksBefore, root.self.info()?.links]).toEqual([[pid], []]);
  });

  test("a link to a dead process gives noproc; a monitor too", async () => {
    const { root, child } = pair();
    root.self.trapExit(true);
    const pid = handOver(await child.deadPid(), child, root);

    root.self.link(pid);
    const ref = root.self.monitor(pid);

    expect(await root.all()).toEqual([
      { type: "exit", from: pid, reason: "noproc" },
      { type: "down", ref, from: pid, reason: "noproc" },
    ]);
  });

  test("after unlink no exit of that link is delivered, also when it is on its way (L7)", async () => {
    const { root, child, line } = pair();
    root.self.trapExit(true);
    const there = child.self.spawn(idle);
    const pid = handOver(there, child, root);
    root.self.link(pid);
    await root.settle();

    line.hold();
    child.self.exit(there, "kill");
    root.self.unlink(pid);
    line.release();

    expect(await root.all()).toEqual([]);
  });

  test("unlink holds on both sides", async () => {
    const { root, child } = pair();
    const there = child.self.spawn(trapper(child.self.pid));
    const pid = handOver(there, child, root);
    const { pid: here } = root.self.spawnMonitor(async (self) => {
      self.link(pid);
      await self.receive();
      self.unlink(pid);
      self.exit("quiet");
    });
    await root.settle();

    root.self.send(here, "go" as never);
    await root.settle();

    expect([await child.all(), child.self.info(there)?.links]).toEqual([[], []]);
  });

  describe("that link and unlink at the same moment agree on whether there is a link", () => {
    type Act = "link" | "unlink";

    /** What each side sees of the link once both have done theirs, neither knowing of the other's. */
    async function linksAfter(here: readonly Act[], there: readonly Act[]): Promise<boolean[]> {
      const { root, child, line, childPid, rootPid } = pair();
      line.hold();
      for (const act of here) root.self[act](childPid);
      for (const act of there) child.self[act](rootPid);
      line.release();
      await root.settle();
      return [root, child].map(({ self }) => self.info()?.links.length === 1);
    }

    const sequences: readonly (readonly Act[])[] = [
      [],
      ["link"],
      ["link", "unlink"],
      ["link", "unlink", "link"],
      ["link", "unlink", "link", "unlink"],
    ];

    test.each(sequences.flatMap((here) => sequences.map((there) => [here, there] as const)))(
      "%j and %j",
      async (here, there) => {
        const lastWords = new Set([here.at(-1), there.at(-1)]);

        // The last word of one side that unlinks counts, also against a link of the other.
        const isLinked = lastWords.has("link") && !lastWords.has("unlink");
        expect(await linksAfter(here, there)).toEqual([isLinked, isLinked]);
      },
    );

    test("also when some of what was on its way has arrived in between", async () => {
      const { root, child, line, childPid, rootPid } = pair();
      const acts = [
        () => root.self.link(childPid),
        () => root.self.unlink(childPid),
        () => child.self.link(rootPid),
        () => child.self.unlink(rootPid),
      ];
      let seed = 1;
      const draw = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;

      for (let round = 0; round < 300; round += 1) {
        const steps = Array.from({ length: 2 + draw(6) }, () => draw(acts.length));
        line.hold();
        for (const step of steps) {
          acts[step]!();
          if (draw(3) > 0) continue;
          line.release();
          line.hold();
          await root.settle();
        }
        line.release();
        await root.settle();
        const [here, there] = [root, child].map(({ self }) => self.info()?.links.length);
        expect([steps, here]).toEqual([steps, there]);
      }
    });

    test("and a link that is made after all of that holds", async () => {
      const { root, child, line, childPid, rootPid } = pair();
      line.hold();
      root.self.link(childPid);
      child.self.link(rootPid);
      root.self.unlink(childPid);
      line.release();
      await root.settle();

      child.self.link(rootPid);
      await root.settle();

      expect([root.self.info()?.links, child.self.info()?.links]).toEqual([[childPid], [rootPid]]);
    });

    test("and a link that was undone while the other kernel was lost is not remembered", async () => {
      const { root, line, childPid } = pair();
      root.self.link(childPid);
      await root.settle();
      line.hold();
      root.self.unlink(childPid);
      line.cut("gone");
      root.self.trapExit(true);

      root.self.link(childPid);

      expect(await root.all()).toEqual([{ type: "exit", from: childPid, reason: "noproc" }]);
    });
  });

  test("a monitor gives one DOWN with its ref and the reason", async () => {
    const { root, child } = pair();
    const pid = spawnAt(child, root, async (self) => self.exit(await self.receive()));
    const refs = [root.self.monitor(pid), root.self.monitor(pid)];

    root.self.send(pid, "why");

    expect(await root.all()).toEqual(refs.map((ref) => ({ type: "down", ref, from: pid, reason: "why" })));
    expect(root.self.info()?.monitors).toEqual([]);
  });

  test("monitors of another kernel are seen by monitoredBy, and end with their owner", async () => {
    const { root, child } = pair();
    const there = child.self.spawn(idle);
    const pid = handOver(there, child, root);
    const watcher = root.self.spawn(async (self) => {
      self.monitor(pid);
      await idle(self);
    });
    await root.settle();
    const before = child.self.info(there)?.monitoredBy;

    root.self.exit(watcher, "kill");
    await root.settle();

    expect(before).toEqual([handOver(watcher, root, child)]);
    expect(child.self.info(there)?.monitoredBy).toEqual([]);
  });

  test("after demonitor no DOWN comes, also when it is on its way (N5)", async () => {
    const { root, child, line } = pair();
    const there = child.self.spawn(idle);
    const ref = root.self.monitor(handOver(there, child, root));
    await root.settle();

    line.hold();
    child.self.exit(there, "kill");
    const existed = root.self.demonitor(ref);
    line.release();

    expect([existed, await root.all()]).toEqual([true, []]);
  });

  test.each([["r"], [{ tag: "shutdown", detail: [1] }], ["normal"]])(
    "exit reason %j arrives as it is",
    async (reason) => {
      const { root, child } = pair();
      const pid = spawnAt(child, root, async (self) => self.exit(await self.receive()));
      const ref = root.self.monitor(pid);

      root.self.send(pid, reason);

      expect(await root.all()).toEqual([{ type: "down", ref, from: pid, reason }]);
    },
  );

  test("an Error as exit reason arrives as an Error; one that cannot be copied as its description", async () => {
    const { root, child } = pair();
    class Odd {
      readonly say = (): string => "odd";
    }
    const reasons = [new RangeError("far"), new Odd()];
    for (const reason of reasons) {
      const pid = spawnAt(child, root, async (self) => {
        await self.receive();
        self.exit(reason);
      });
      root.self.monitor(pid);
      root.self.send(pid, "go");
    }

    expect(await root.all()).toMatchObject([
      { reason: expect.any(RangeError) },
      { reason: { tag: "uncopyable", description: "{}" } },
    ]);
  });

  test.each([
    ["kill", true, "killed"],
    ["kill", false, "killed"],
    ["r", false, "r"],
  ])("exit signal %s (trapping: %s) ends with %s", async (signal, trapping, reason) => {
    const { root, child, childPid } = pair();
    const pid = spawnAt(child, root, trapping ? trapper(childPid) : idle);
    await root.settle();
    root.self.monitor(pid);

    root.self.exit(pid, signal);

    expect(await root.all()).toMatchObject([{ type: "down", reason }]);
  });

  test("exit signals to a trapping process arrive as messages, normal too (E3, E9)", async () => {
    const { root, child, rootPid } = pair();
    const there = child.self.spawn(trapper(child.self.pid));
    const pid = handOver(there, child, root);
    await root.settle();

    for (const reason of ["normal", "why"]) root.self.exit(pid, reason);

    expect(await child.all()).toEqual([
      [there, { type: "exit", from: rootPid, reason: "normal" }],
      [there, { type: "exit", from: rootPid, reason: "why" }],
    ]);
  });

  test("the last message arrives before EXIT and DOWN (M11, K4)", async () => {
    const { root, child, rootPid } = pair();
    root.self.trapExit(true);
    const pid = spawnAt(child, root, async (self) => {
      await self.receive();
      self.send(rootPid, "last");
    });
    root.self.link(pid);
    root.self.monitor(pid);

    root.self.send(pid, "go");

    expect(await root.all()).toMatchObject(["last", { type: "exit" }, { type: "down" }]);
  });

  test("a request gets its reply, from another process too, and leaves nothing behind", async () => {
    const { root, child } = pair();
    const pid = spawnAt(child, root, async (self) => {
      for (;;) {
        const { from, body } = (await self.receive()) as Request;
        self.spawn((other) => other.reply(from, ["re", body]));
      }
    });

    const replies = await Promise.all([root.self.request(pid, 1), root.self.request(pid, 2)]);
    await root.settle();

    expect(replies).toEqual([
      ["re", 1],
      ["re", 2],
    ]);
    expect(root.self.info()).toMatchObject({ messagesCount: 0, monitors: [] });
    expect(child.self.info(pid)?.monitoredBy ?? []).toEqual([]);
    expect(root.kernel.exportedRefsCount).toBe(0);
  });

  test("a request fails with what ended the asked process, with noproc, or with timeout", async () => {
    const { root, child } = pair();
    const dies = spawnAt(child, root, async (self) => {
      await self.receive();
      self.exit("died");
    });
    const dead = handOver(await child.deadPid(), child, root);
    const silent = spawnAt(child, root, idle);

    const reasons = Promise.all(
      [dies, dead, silent].map((pid) =>
        root.self.request(pid, "?", 50).catch((exit: { reason: CallFailed }) => exit.reason.reason),
      ),
    );
    await root.advance(50);

    expect(await reasons).toEqual(["died", "noproc", "timeout"]);
    expect(root.kernel.exportedRefsCount).toBe(0);
  });

  test("a reply that comes after the time-out is dropped (G9)", async () => {
    const { root, child, childPid } = pair();
    const outcome = root.self.request(childPid, "?", 50).catch(() => "timed out");
    const { from } = (await child.next()) as Request;
    await root.advance(50);

    child.self.reply(from, "late");

    expect([await outcome, await root.all()]).toEqual(["timed out", []]);
  });

  test("an alias works from the other side until it is switched off; a full mailbox there drops and counts", async () => {
    const { root, child, childPid } = pair();
    const there = child.self.spawn(
      async (self) => {
        const alias = self.alias();
        self.send(child.self.pid, alias);
        await self.receive((message: unknown) => message === "off");
        self.unalias(alias);
        await idle(self);
      },
      { mailbox: { messagesMax: 2, policy: "failSender" } },
    );
    const alias = handOver((await child.next()) as Ref, child, root);

    for (const message of [1, 2, 3]) root.self.send(alias, message);
    await root.settle();
    const full = child.self.info(there);
    child.self.send(there, "off" as never);
    root.self.send(alias, 4);
    await root.settle();

    expect(full).toMatchObject({ messagesCount: 2, droppedCount: 1 });
    expect(child.self.info(there)).toMatchObject({ messagesCount: 2, droppedCount: 1 });
    expect([child.kernel.exportedRefsCount, childPid.process]).toEqual([0, null]);
  });

  test("an alias for one message of a monitor that watches nobody is not kept after it", async () => {
    const { root, child } = pair();
    const ref = root.self.monitor(root.self.pid, { alias: "once" });
    const there = handOver(ref, root, child);

    for (const message of ["first", "second"]) child.self.send(there, message);

    expect(await root.all()).toEqual(["first"]);
    expect(root.kernel.exportedRefsCount).toBe(0);
  });

  test("refs that only travel are not kept", async () => {
    const { root, childPid, child } = pair();
    const timer = root.self.sendAfter(1000, root.self.pid, "x");
    for (let index = 0; index < 100; index += 1) {
      const ref = root.self.monitor(childPid);
      root.self.send(childPid, [timer, ref]);
      root.self.demonitor(ref);
    }

    await child.all();

    expect(root.kernel.exportedRefsCount).toBe(0);
    expect(root.self.pid.process?.extra?.exportedRefs ?? new Set()).toEqual(new Set());
  });

  test("a process of another kernel can have a name here, until it ends", async () => {
    const { root, child } = pair();
    const there = child.self.spawn(forwarder(child.self.pid));
    const pid = handOver(there, child, root);
    root.self.register("remote", pid);
    root.self.send("remote", "x");
    const ref = root.self.monitor("remote");

    expect(root.self.whereis("remote")).toBe(pid);
    expect(await child.all()).toEqual([[there, "x"]]);
    expect(() => root.self.register("other", pid)).toThrow('already registered as "remote"');

    child.self.exit(there, "kill");

    expect(await root.all()).toEqual([{ type: "down", ref, from: "remote", reason: "killed" }]);
    expect(root.self.whereis("remote")).toBeUndefined();
  });

  test("a name of a process of another kernel can be given back and given again, without traces", async () => {
    const { root, child, childPid } = pair();
    for (let index = 0; index < 10; index += 1) {
      root.self.register("remote", childPid);
      root.self.unregister("remote");
    }
    root.self.register("remote", childPid);
    await root.settle();

    expect(child.self.info()?.monitoredBy).toHaveLength(1);
    expect(root.self.whereis("remote")).toBe(childPid);
  });

  test("signals that come before the program's process exists do not hide it", async () => {
    const root = new World();
    const child = below(root);
    tie(root, child);
    const mainPid = root.kernel.mainPidOf(child.kernel.id);
    const early = root.self.monitor(mainPid);
    await root.settle();
    const parent = handOver(root.self.pid, root, child);

    const main = child.kernel.spawnMain(parent, null, {});
    main.begin(forwarder(parent));
    root.self.send(mainPid as Pid<unknown>, "hello");

    expect(await root.all()).toEqual([
      { type: "down", ref: early, from: mainPid, reason: "noproc" },
      [mainPid, "hello"],
    ]);
  });
});

describe("the loss of a kernel", () => {
  test("gives exactly one exit per link and one DOWN per monitor, with { tag: carrierDown, cause } (K5)", async () => {
    const { root, child, line } = pair();
    root.self.trapExit(true);
    const pids = [1, 2].map(() => spawnAt(child, root, idle));
    const refs = pids.map((pid) => {
      root.self.link(pid);
      return root.self.monitor(pid);
    });
    const dying = child.self.spawn(idle);
    root.self.monitor(handOver(dying, child, root));
    const outcome = root.self.request(pids[0]!, "?").catch((exit: { reason: CallFailed }) => exit.reason.reason);
    await root.settle();

    line.hold();
    child.self.exit(dying, "on its way");
    line.cut("cable");
    line.release();

    const reason = carrierDown("cable");
    const signals = (await root.all()) as { type: string; ref?: Ref; from: AnyPid; reason: unknown }[];
    expect(signals.filter(({ type }) => type === "exit").map(({ from }) => from)).toEqual(pids);
    expect(signals.flatMap(({ ref }) => ref ?? [])).toHaveLength(3);
    expect(refs.every((ref) => signals.some((signal) => isDown(signal, ref)))).toBe(true);
    expect(signals.map((signal) => signal.reason)).toEqual(signals.map(() => reason));
    expect(await outcome).toEqual(reason);
    expect(root.self.info()).toMatchObject({ links: [], monitors: [] });
  });

  test("the program itself ends with its own reason, all else on it with carrierDown", async () => {
    const root = new World();
    const child = below(root);
    const line = tie(root, child);
    const main = child.kernel.spawnMain(handOver(root.self.pid, root, child), null, {});
    main.begin(idle);
    const other = spawnAt(child, root, idle);
    root.self.monitor(root.kernel.mainPidOf(child.kernel.id));
    root.self.monitor(other);
    await root.settle();

    line.cut("exited", { tag: "exitStatus", code: 3 });

    expect(await root.all()).toMatchObject([
      { reason: { tag: "exitStatus", code: 3 } },
      { from: other, reason: carrierDown("exited") },
    ]);
  });

  test("ends non-trapping linked processes, and does not touch others", async () => {
    const { root, child, line } = pair();
    const remote = spawnAt(child, root, idle);
    const linked = root.self.spawn(async (self) => {
      self.link(remote);
      await idle(self);
    });
    const other = root.self.spawn(idle);
    await root.settle();
    root.self.monitor(linked);

    line.cut("cable");

    expect(await root.all()).toMatchObject([{ reason: carrierDown("cable") }]);
    expect(root.self.isAlive(other)).toBe(true);
  });

  test("afterwards messages vanish, links and monitors give noproc, names are free (M2, L4, N2)", async () => {
    const { root, line, childPid } = pair();
    root.self.trapExit(true);
    root.self.register("remote", childPid);
    await root.settle();
    line.cut("cable");
    await root.settle();

    root.self.send(childPid, "x");
    root.self.link(childPid);
    const ref = root.self.monitor(childPid);

    expect(await root.all()).toEqual([
      { type: "exit", from: childPid, reason: "noproc" },
      { type: "down", ref, from: childPid, reason: "noproc" },
    ]);
    expect(root.self.whereis("remote")).toBeUndefined();
  });

  test("does not count the watchers there any more", async () => {
    const { root, child, line } = pair();
    const here = root.self.spawn(idle);
    child.self.monitor(handOver(here, root, child));
    await root.settle();

    line.cut("cable");

    expect(root.self.info(here)?.monitoredBy).toEqual([]);
  });

  test("above: all that is not below is gone, and what is here and below lives on", async () => {
    const { root, child, line, rootPid } = pair();
    const grandchild = below(child);
    tie(child, grandchild);
    child.self.trapExit(true);
    const local = child.self.spawnLink(idle);
    const lower = spawnAt(grandchild, child, idle);
    child.self.link(lower);
    const ref = child.self.monitor(rootPid);
    grandchild.self.trapExit(true);
    const rootFarAway = handOver(root.self.pid, root, grandchild);
    grandchild.self.link(rootFarAway);
    const middle = handOver(local, child, grandchild);
    const watched = grandchild.self.monitor(middle);
    await root.settle();

    line.cut("cable");

    const reason = carrierDown("cable");
    expect(await child.all()).toEqual([{ type: "down", ref, from: rootPid, reason }]);
    expect(await grandchild.all()).toEqual([{ type: "exit", from: rootFarAway, reason }]);
    expect(child.self.info()?.links).toEqual([local, lower]);
    child.self.exit(local, "later");
    expect(await grandchild.all()).toEqual([{ type: "down", ref: watched, from: middle, reason: "later" }]);
  });
});

describe("two children of one kernel", () => {
  function family(): {
    root: World;
    one: World;
    two: World;
    lines: Line[];
    onePid: Pid<unknown>;
    twoPid: Pid<unknown>;
  } {
    const root = new World();
    const [one, two] = [below(root), below(root)];
    const lines = [tie(root, one), tie(root, two)];
    return {
      root,
      one,
      two,
      lines,
      onePid: handOver(one.self.pid, one, two),
      twoPid: handOver(two.self.pid, two, one),
    };
  }

  test("reach each other through it: messages, requests, links and monitors", async () => {
    const { one, two, onePid, twoPid } = family();
    one.self.trapExit(true);
    const there = two.self.spawn(trapper(two.self.pid));
    const pid = handOver(there, two, one);
    const ref = one.self.monitor(pid);
    one.self.link(pid);
    one.self.send(twoPid, "hello");
    const reply = one.self.request(twoPid, "how are you?");
    await one.settle();
    const [hello, request] = (await two.all()) as [unknown, Request];
    two.self.reply(request.from, "well");

    two.self.exit(there, "kill");

    expect([hello, await reply]).toEqual(["hello", "well"]);
    expect(await one.all()).toEqual([
      { type: "exit", from: pid, reason: "killed" },
      { type: "down", ref, from: pid, reason: "killed" },
    ]);
    two.self.send(onePid, "bye");
    expect(await one.all()).toEqual(["bye"]);
  });

  test("learn of each other's loss exactly once, also of what they asked for at that moment", async () => {
    const { one, two, lines, twoPid } = family();
    one.self.trapExit(true);
    const pid = spawnAt(two, one, idle);
    const before = one.self.monitor(pid);
    one.self.link(pid);
    await one.settle();

    lines[0]!.hold();
    const during = one.self.monitor(twoPid);
    lines[1]!.cut("cable");
    lines[0]!.release();

    const signals = (await one.all()) as { type: string; ref?: Ref; reason: unknown }[];
    expect(signals.map(({ type, ref }) => ref ?? type).toSorted()).toEqual([before, during, "exit"].toSorted());
    expect(signals.filter(({ ref }) => ref !== during).map(({ reason }) => reason)).toEqual([
      carrierDown("cable"),
      carrierDown("cable"),
    ]);
    const after = one.self.monitor(pid);
    expect(await one.all()).toEqual([{ type: "down", ref: after, from: pid, reason: "noproc" }]);
  });

  test("a child of a child is lost with it", async () => {
    const { root, one, two, lines } = family();
    const deep = below(one);
    tie(one, deep);
    const pid = spawnAt(deep, two, idle);
    const ref = two.self.monitor(pid);
    two.self.send(pid, "x");
    await root.settle();
    expect(deep.kernel.id).toBe("0.1.1");

    lines[0]!.cut("cable");

    expect(await two.all()).toEqual([{ type: "down", ref, from: pid, reason: carrierDown("cable") }]);
  });
});

test("a start that fails with what cannot be copied tells its starter so", async () => {
  const { root, child } = pair();
  const started = deferred<unknown>();
  const asker = root.self.alias();
  const starter = handOver(asker, root, child);
  const main = child.kernel.spawnMain(handOver(root.self.pid, root, child), starter, {});

  main.begin((self) => self.failStart({ because: () => {} }));
  void root.self.receive().then(started.resolve);

  expect(await started.promise).toMatchObject({ ready: false, reason: { tag: "uncopyable" } });
});

test("a start that its carrier refuses leaves nothing behind", async () => {
  const refusing: Starter = {
    start(kernel, { starter }) {
      kernel.encode(starter);
      throw new Error("it cannot be started");
    },
  };
  const { kernel, self } = new World({ carriers: new Map([["refusing", refusing]]) });

  await expect(self.start(idle, { carrier: "refusing" })).rejects.toThrow("it cannot be started");

  expect([kernel.exportedRefsCount, self.info()?.monitors]).toEqual([0, []]);
});
