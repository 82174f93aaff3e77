/**
 * Back-pressure between kernels: who sends to a full mailbox or through a full channel is held, wherever it lives.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { below, handOver, pair, tie } from "../testing/tied-worlds.ts";
import { World } from "../testing/world.ts";
import { overshootMax } from "./gate.ts";
import { MailboxFullError } from "./mailbox.ts";
import type { AnyPid, Pid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";

/** Sends `count` messages, and lets the line carry each before the next. */
function producer(world: World, to: AnyPid, count: number): { readonly pid: Pid<unknown>; sentCount: number } {
  const progress = { pid: undefined as unknown as Pid<unknown>, sentCount: 0 };
  progress.pid = world.kernel.spawn(async (self: AnyProcess) => {
    for (let index = 0; index < count; index += 1) {
      self.send(to as Pid<unknown>, index);
      progress.sentCount += 1;
      await self.wait(new Promise<void>((resolve) => world.platform.scheduling.macrotask(resolve)));
    }
  }) as Pid<unknown>;
  return progress;
}

const messagesMax = 8;

/** A process of `there`, as `here` knows it, that takes as many messages as each number it is told says. */
function consumer(there: World, here: World): { readonly pid: Pid<unknown>; take(count: number): Promise<unknown[]> } {
  const taken: unknown[] = [];
  let start: (count: number) => void = () => {};
  const pid = there.kernel.spawn(
    async (self: AnyProcess) => {
      for (;;) {
        let count = await self.wait(new Promise<number>((resolve) => (start = resolve)));
        for (; count > 0; count -= 1) taken.push(await self.receive());
      }
    },
    { mailbox: { messagesMax, policy: "block" } },
  );
  const take = async (count: number): Promise<unknown[]> => {
    await here.settle();
    start(count);
    await here.settle();
    return taken.splice(0);
  };
  return { pid: handOver(pid, there, here) as Pid<unknown>, take };
}

describe("back-pressure across kernels", () => {
  test("a full mailbox that blocks holds its senders in another kernel, and nothing is lost", async () => {
    const { root, child } = pair();
    const slow = consumer(child, root);
    const fast = producer(root, slow.pid, 100);
    await root.settle();
    const sentBefore = fast.sentCount;
    const taken: unknown[] = [];

    for (let count = 0; count < 25; count += 1) taken.push(...(await slow.take(4)));

    expect(sentBefore).toBeLessThan(messagesMax + 10);
    expect(taken).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(fast.sentCount).toBe(100);
  });

  test("it holds its senders two kernels away, and their way back is told each of them", async () => {
    const root = new World();
    const one = below(root);
    const other = below(root);
    tie(root, one);
    const line = tie(root, other);
    const slow = consumer(one, root);
    const pid = handOver(slow.pid, root, other);
    const fast = producer(other, pid, 100);
    await root.settle();
    const sentBefore = fast.sentCount;

    const taken = await slow.take(100);

    expect(sentBefore).toBeLessThan(messagesMax + 10);
    expect(taken).toHaveLength(100);
    expect(line.sent.filter(([kind]) => kind === "full").length).toBeGreaterThan(0);
  });

  test("a held sender goes on when the receiver ends, and when its kernel is lost", async () => {
    for (const how of ["ends", "is lost"] as const) {
      const { root, child, line } = pair();
      const slow = consumer(child, root);
      const fast = producer(root, slow.pid, 100);
      await root.settle();
      const sentBefore = fast.sentCount;

      if (how === "ends") root.self.exit(slow.pid, "kill");
      else line.cut("gone");
      await root.settle();

      expect(sentBefore).toBeLessThan(messagesMax + 10);
      expect(fast.sentCount).toBe(100);
    }
  });

  test("a sender that awaits nothing fails once it has sent what one may", async () => {
    const { root, child } = pair();
    const slow = consumer(child, root);
    for (let count = 0; count <= messagesMax; count += 1) root.self.send(slow.pid, count);
    await root.settle();

    for (let count = 0; count < overshootMax; count += 1) root.self.send(slow.pid, count);

    expect(() => root.self.send(slow.pid, "one more")).toThrow(MailboxFullError);
  });

  test("sendWhenRoom waits for a mailbox of another kernel", async () => {
    const { root, child } = pair();
    const slow = consumer(child, root);
    for (let count = 0; count <= messagesMax; count += 1) root.self.send(slow.pid, count);
    await root.settle();

    const sent = root.self.sendWhenRoom(slow.pid, "later");
    await slow.take(messagesMax + 1);

    expect(await sent).toBe("later");
    expect(await slow.take(1)).toEqual(["later"]);
  });

  test("a channel without room holds who sends messages, and lets every other signal pass", async () => {
    const root = new World();
    const child = below(root);
    const room = { hasRoom: true };
    const line = tie(root, child, room);
    const childPid = handOver(child.self.pid, child, root);
    const fast = producer(root, childPid, 10);
    room.hasRoom = false;
    await root.settle();
    const heldCount = [fast.sentCount, line.down.info().heldCount];

    root.self.monitor(childPid);
    const passed = line.sent.at(-1)?.[0];
    room.hasRoom = true;
    line.down.room();
    await root.settle();

    expect(heldCount).toEqual([1, 1]);
    expect(passed).toBe("monitor");
    expect([fast.sentCount, line.down.info().heldCount]).toEqual([10, 0]);
  });

  test("a way without room holds senders in the kernels that it is forwarded for", async () => {
    const root = new World();
    const slow = below(root);
    const other = below(root);
    const room = { hasRoom: false };
    const line = tie(root, slow, room);
    tie(root, other);
    const pid = handOver(handOver(slow.self.pid, slow, root), root, other);
    const fast = producer(other, pid, 10);
    await root.settle();
    const sentBefore = fast.sentCount;

    room.hasRoom = true;
    line.down.room();
    await root.settle();

    expect(sentBefore).toBeLessThan(10);
    expect(fast.sentCount).toBe(10);
    expect(await slow.all()).toHaveLength(10);
  });

  test("sendWhenRoom waits for a way further on, and goes over nothing", async () => {
    const root = new World();
    const slow = below(root);
    const other = below(root);
    const room = { hasRoom: false };
    const line = tie(root, slow, room);
    tie(root, other);
    const pid = handOver(handOver(slow.self.pid, slow, root), root, other) as Pid<unknown>;
    other.self.send(pid, "fills it");
    await root.settle();

    const sent = other.self.sendWhenRoom(pid, "later");
    await root.settle();
    const carriedBefore = line.sent.length;
    room.hasRoom = true;
    line.down.room();

    expect([await sent, carriedBefore]).toEqual(["later", 1]);
    expect(await slow.all()).toEqual(["fills it", "later"]);
  });

  test("the kernel tells how its channels stand", () => {
    const { root, child } = pair();

    expect(root.kernel.connections()).toMatchObject([{ kernelId: child.kernel.id, heldCount: 0, droppedCount: 0 }]);
    expect(child.kernel.connections()).toMatchObject([{ kernelId: root.kernel.id, creditBytes: Infinity }]);
  });
});
