/**
 * Mailboxes with the policy `block`: who sends to a full one is held at its next await, until there is room.
 *
 * @module
 */
import { array, asyncProperty, assert, constantFrom, integer, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { deferred, idle, World } from "../testing/world.ts";
import { HeldTooLongError, heldMaxMsDefault, overshootMax } from "./gate.ts";
import { MailboxFullError, type MailboxLimit } from "./mailbox.ts";
import type { Pid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { turnCredit } from "./scheduler.ts";

/** A process that takes a message each time it is told to: `take` says what, after the gate has done its work. */
interface Consumer {
  readonly pid: Pid<unknown>;
  take(): Promise<unknown>;
  readonly waitingCount: () => number;
}

const next = { next: true };

function consumer(world: World, mailbox: MailboxLimit = {}): Consumer {
  const taken: unknown[] = [];
  const { platform, kernel } = world;
  let takeOne: (() => void) | null = null;
  const pid = kernel.spawn(
    async (self: AnyProcess) => {
      for (;;) {
        await self.wait(new Promise<void>((resolve) => (takeOne = resolve)));
        taken.push(await self.receive());
      }
    },
    { mailbox: { messagesMax: 4, policy: "block", ...mailbox } },
  ) as Pid<unknown>;
  const take = async (): Promise<unknown> => {
    await platform.settle();
    takeOne?.();
    await platform.settle();
    return taken.shift();
  };
  return { pid, take, waitingCount: () => kernel.info(pid)?.messagesCount ?? 0 };
}

/** A process that sends `count` messages, with a yield after each, and says how far it is. */
function producer(
  world: World,
  to: Pid<unknown>,
  count: number,
  name = "",
): { readonly pid: Pid<unknown>; sentCount: number } {
  const progress = { pid: undefined as unknown as Pid<unknown>, sentCount: 0 };
  progress.pid = world.kernel.spawn(async (self: AnyProcess) => {
    for (let index = 0; index < count; index += 1) {
      self.send(to, `${name}${index}`);
      progress.sentCount += 1;
      await self.yield();
    }
  }) as Pid<unknown>;
  return progress;
}

describe("a full mailbox that blocks", () => {
  test("holds its sender after one message more than fits", async () => {
    const world = new World();
    const slow = consumer(world);
    const fast = producer(world, slow.pid, 1000);

    await world.settle();

    expect([fast.sentCount, slow.waitingCount()]).toEqual([5, 5]);
  });

  test("lets the sender go on as messages are taken, and nothing is lost or out of order", async () => {
    const world = new World();
    const slow = consumer(world);
    const fast = producer(world, slow.pid, 50);
    const taken: unknown[] = [];

    for (let count = 0; count < 50; count += 1) {
      taken.push(await slow.take());
      expect(slow.waitingCount()).toBeLessThanOrEqual(5);
    }

    expect(taken).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    expect([fast.sentCount, world.kernel.info(slow.pid)?.droppedCount]).toEqual([50, 0]);
  });

  test("lets senders go on in the order in which they were held, one for each place", async () => {
    const world = new World();
    const slow = consumer(world, { messagesMax: 1 });
    const producers = ["a", "b", "c"].map((name) => producer(world, slow.pid, 3, name));
    const taken: unknown[] = [];

    for (let count = 0; count < 9; count += 1) {
      taken.push(await slow.take());
      expect(slow.waitingCount()).toBeLessThanOrEqual(1 + producers.length);
    }

    expect(taken.filter((message) => String(message).startsWith("a"))).toEqual(["a0", "a1", "a2"]);
    expect(taken.slice(0, 4).toSorted()).toEqual(["a0", "a1", "b0", "c0"]);
    expect(producers.map(({ sentCount }) => sentCount)).toEqual([3, 3, 3]);
  });

  test.each(["receive", "yield", "wait", "request", "sleep"] as const)("holds its sender in %s", async (what) => {
    const world = new World();
    const slow = consumer(world, { messagesMax: 1 });
    const answering = world.kernel.spawn(async (self: AnyProcess) => {
      const { from } = (await self.receive()) as { from: never };
      self.reply(from, "answer");
    });
    let wentOn = false;
    const sender = world.kernel.spawn(async (self: AnyProcess) => {
      self.send(slow.pid, 1);
      self.send(slow.pid, 2);
      if (what === "receive") await self.receive();
      else if (what === "yield") await self.yield();
      else if (what === "wait") await self.wait(Promise.resolve());
      else if (what === "request") await self.request(answering, "question");
      else await self.sleep(10);
      wentOn = true;
    });
    world.self.send(sender, "for receive");
    await world.advance(100);
    const before = wentOn;

    await slow.take();
    await slow.take();
    await world.advance(100);

    expect([before, wentOn]).toEqual([false, true]);
  });

  test("holds a reactor: its own mailbox waits, and so do those who send to it", async () => {
    const world = new World();
    const slow = consumer(world, { messagesMax: 1 });
    const relay = world.kernel.spawn((self: AnyProcess) => self.react((message) => void self.send(slow.pid, message)), {
      mailbox: { messagesMax: 2, policy: "block" },
    }) as Pid<unknown>;
    const fast = producer(world, relay, 100);

    await world.settle();
    const stalled = [fast.sentCount, slow.waitingCount(), world.kernel.info(relay)?.messagesCount];
    const taken: unknown[] = [];
    for (let count = 0; count < 100; count += 1) taken.push(await slow.take());

    expect(stalled).toEqual([5, 2, 3]);
    expect(taken).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
  });

  test("takes what a sender sends in one go up to the limit for that, then fails the send, and counts it", async () => {
    const world = new World();
    const slow = consumer(world);
    const { self } = world;

    for (let count = 0; count < 4 + overshootMax; count += 1) self.send(slow.pid, count);

    expect(() => self.send(slow.pid, "one more")).toThrow(MailboxFullError);
    expect(() => self.send(slow.pid, "one more")).toThrow("await something");
    expect(world.kernel.info(slow.pid)).toMatchObject({ messagesCount: 4 + overshootMax, droppedCount: 2 });
  });

  test("fails a sender that is no process, because nothing can hold it", async () => {
    const world = new World();
    const slow = consumer(world);

    for (let count = 0; count < 4; count += 1) world.kernel.send(slow.pid, count);

    expect(() => world.kernel.send(slow.pid, 4)).toThrow(MailboxFullError);
    expect(world.kernel.info(slow.pid)).toMatchObject({ messagesCount: 4, droppedCount: 1 });
  });

  test("always takes what the kernel has to say", async () => {
    const world = new World();
    const slow = consumer(world, { messagesMax: 1 });
    world.kernel.spawn((self: AnyProcess) => self.send(slow.pid, 1));
    await world.settle();

    slow.pid.process?.monitor(await world.deadPid());

    expect(slow.waitingCount()).toBe(2);
  });

  test("frees its senders when its owner ends", async () => {
    const world = new World();
    const slow = consumer(world);
    const fast = producer(world, slow.pid, 1000);
    await world.settle();

    world.self.exit(slow.pid, "kill");
    await world.settle();

    expect(fast.sentCount).toBe(1000);
  });

  test("can hold nobody who has ended: kill works, and the claim is gone", async () => {
    const world = new World();
    const slow = consumer(world, { messagesMax: 1 });
    const first = producer(world, slow.pid, 3, "first");
    const second = producer(world, slow.pid, 3, "second");
    await world.settle();

    world.self.monitor(first.pid);
    world.self.exit(first.pid, "kill");
    const down = await world.next();
    const claimsCount = slow.pid.process?.extra?.gate?.claimsCount;
    for (let count = 0; count < 5; count += 1) await slow.take();

    expect(down).toMatchObject({ type: "down", reason: "killed" });
    expect(claimsCount).toBe(1);
    expect([first.sentCount, second.sentCount, slow.waitingCount()]).toEqual([2, 3, 0]);
  });

  test("that waits for two things goes on with both, also when the turn is over", async () => {
    const world = new World();
    const { kernel, self } = world;
    const slow = kernel.spawn(idle, { mailbox: { messagesMax: 1, policy: "block" } }) as Pid<unknown>;
    const work = deferred<string>();
    let both: unknown;
    const pid = kernel.spawn(async (sender: AnyProcess) => {
      const parts = Promise.all([sender.wait(work.promise), sender.receive()]);
      for (const message of [1, 2]) sender.send(slow, message);
      both = await parts;
    }) as Pid<unknown>;
    const nobody = await world.deadPid();
    await world.settle();
    work.resolve("work");
    await world.settle();

    for (let count = 0; count < turnCredit; count += 1) self.request(nobody, "spends a step").catch(() => {});
    kernel.exit(self.pid, slow, "kill");
    self.send(pid, "message");
    await world.settle();

    expect(both).toEqual(["work", "message"]);
  });
});

describe("a sender that is held too long", () => {
  test("gets the error where it waits, and can go on", async () => {
    const world = new World();
    const slow = consumer(world, { heldMaxMs: 1000 });
    const caught: unknown[] = [];
    world.kernel.spawn(async (self: AnyProcess) => {
      for (let count = 0; count < 5; count += 1) self.send(slow.pid, count);
      try {
        await self.receive();
      } catch (error) {
        caught.push(error);
      }
      caught.push(await self.receive(undefined, { timeoutMs: 0 }));
    });

    await world.advance(999);
    const before = caught.length;
    await world.advance(1);

    expect(before).toBe(0);
    expect(caught[0]).toBeInstanceOf(HeldTooLongError);
    expect((caught[0] as Error).message).toMatch(/^held back for 1000 ms, because <0:\d+> is full/);
    expect(caught).toHaveLength(2);
  });

  test("ends with it when it is a reactor", async () => {
    const world = new World();
    const slow = consumer(world);
    const relay = world.kernel.spawn((self: AnyProcess) =>
      self.react((message) => void self.send(slow.pid, message)),
    ) as Pid<unknown>;
    for (let count = 0; count < 10; count += 1) world.self.send(relay, count);
    world.self.monitor(relay);

    await world.advance(heldMaxMsDefault);

    expect(await world.next()).toMatchObject({ type: "down", reason: { name: "HeldTooLongError" } });
  });

  test("leaves no timer behind when it goes on in time", async () => {
    const world = new World();
    const slow = consumer(world, { messagesMax: 1 });
    producer(world, slow.pid, 2);
    await world.settle();

    const before = world.platform.timersCount;
    await slow.take();
    await slow.take();

    expect([before, world.platform.timersCount]).toEqual([1, 0]);
  });
});

describe("processes that send to each other's full mailboxes", () => {
  test("do not wait for each other: who would close the circle goes on", async () => {
    const world = new World();
    const messagesMax = 3;
    const rounds = 50;
    const { self } = world;
    const partner = async (process: AnyProcess): Promise<void> => {
      const other = (await process.receive()) as Pid<unknown>;
      for (let count = 0; count < rounds; count += 1) process.send(other, count);
      for (let count = 0; count < rounds; count += 1) await process.receive();
      self.pid.process?.kernel.send(self.pid, "done");
    };
    const mailbox: MailboxLimit = { messagesMax, policy: "block" };
    const pids = [1, 2, 3].map(() => world.kernel.spawn(partner, { mailbox }) as Pid<unknown>);
    pids.forEach((pid, index) => self.send(pid, pids[(index + 1) % pids.length]));

    expect(await world.all()).toEqual(["done", "done", "done"]);
    expect(world.platform.timersCount).toBe(0);
  });

  test("one that sends to itself is not held by itself", async () => {
    const world = new World();
    const pid = world.kernel.spawn(
      async (self: AnyProcess) => {
        for (let count = 0; count < 5; count += 1) self.send(self.pid, count);
        for (let count = 0; count < 5; count += 1) world.kernel.send(world.self.pid, await self.receive());
        await idle(self);
      },
      { mailbox: { messagesMax: 1, policy: "block" } },
    );

    expect(await world.all()).toEqual([0, 1, 2, 3, 4]);
    expect(world.self.isAlive(pid)).toBe(true);
  });
});

describe("sendWhenRoom", () => {
  test("sends at once while there is room", async () => {
    const world = new World();
    const slow = consumer(world);

    expect(await world.self.sendWhenRoom(slow.pid, next)).toBe(next);

    expect(slow.waitingCount()).toBe(1);
  });

  test("waits for room and goes over nothing", async () => {
    const world = new World();
    const slow = consumer(world);
    let sentCount = 0;
    world.kernel.spawn(async (self: AnyProcess) => {
      for (; sentCount < 10; sentCount += 1) await self.sendWhenRoom(slow.pid, sentCount, { timeoutMs: Infinity });
    });
    const taken: unknown[] = [];

    await world.settle();
    const before = [sentCount, slow.waitingCount()];
    for (let count = 0; count < 10; count += 1) {
      taken.push(await slow.take());
      expect(slow.waitingCount()).toBeLessThanOrEqual(4);
    }

    expect(before).toEqual([4, 4]);
    expect(taken).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("fails when there is no room in time, and then nothing was sent", async () => {
    const world = new World();
    const slow = consumer(world);
    for (let count = 0; count < 4; count += 1) world.self.send(slow.pid, count);

    const sent = world.self.sendWhenRoom(slow.pid, "late", { timeoutMs: 50 }).catch((error: unknown) => error);
    await world.advance(50);

    expect(await sent).toBeInstanceOf(HeldTooLongError);
    expect(String(await sent)).toContain("held back for 50 ms");

    const taken: unknown[] = [];
    for (let count = 0; count < 4; count += 1) taken.push(await slow.take());
    expect([taken, slow.waitingCount()]).toEqual([[0, 1, 2, 3], 0]);
  });

  test("of a process to itself goes over no limit either", async () => {
    const world = new World();
    let sentCount = 0;

    const { pid } = world.self.spawnMonitor(
      async (self: AnyProcess) => {
        for (;;) {
          await self.sendWhenRoom(self.pid as Pid<unknown>, "to myself");
          sentCount += 1;
        }
      },
      { mailbox: { messagesMax: 2, policy: "block" } },
    );

    expect(await world.next()).toMatchObject({ from: pid, reason: expect.any(MailboxFullError) as unknown });
    expect(sentCount).toBe(2 + overshootMax);
  });

  test("to a mailbox with another policy is send", async () => {
    const world = new World();
    const slow = consumer(world, { policy: "dropNewest" });

    for (let count = 0; count < 6; count += 1) await world.self.sendWhenRoom(slow.pid, count);

    expect(world.kernel.info(slow.pid)).toMatchObject({ messagesCount: 4, droppedCount: 2 });
  });

  test("settles when the receiver ends meanwhile", async () => {
    const world = new World();
    const slow = consumer(world);
    for (let count = 0; count < 4; count += 1) world.self.send(slow.pid, count);

    const sent = world.self.sendWhenRoom(slow.pid, "last");
    world.self.exit(slow.pid, "kill");

    expect(await sent).toBe("last");
  });
});

describe("whatever processes do", () => {
  const step = record({
    what: constantFrom("send", "send", "receive", "yield", "kill"),
    whom: integer({ min: 0, max: 4 }),
  });

  /** Takes its steps one after the other, each when the one before is over; says how far it is. */
  function actor(steps: readonly { readonly what: string; readonly whom: number }[], pids: Pid<unknown>[]) {
    return async (self: AnyProcess): Promise<void> => {
      await self.yield();
      for (const { what, whom } of steps) {
        const pid = pids[whom % pids.length] as Pid<unknown>;
        if (what === "send") self.send(pid, what);
        else if (what === "kill") self.exit(pid, "kill");
        else if (what === "receive") await self.receive(undefined, { timeoutMs: 10 });
        else await self.yield();
      }
      await idle(self);
    };
  }

  test("nobody is held by a mailbox that is empty or gone, and nobody waits in a circle", async () => {
    const scripts = array(array(step, { maxLength: 30 }), { minLength: 2, maxLength: 5 });
    await assert(
      asyncProperty(scripts, integer({ min: 1, max: 3 }), async (actors, messagesMax) => {
        const world = new World();
        const pids: Pid<unknown>[] = [];
        for (const steps of actors) {
          const mailbox: MailboxLimit = { messagesMax, policy: "block", heldMaxMs: Infinity };
          pids.push(world.kernel.spawn(actor(steps, pids), { mailbox }) as Pid<unknown>);
        }
        await world.advance(1000);
        for (const pid of pids) {
          const holders = [...(pid.process?.extra?.held?.gates ?? [])];
          for (const gate of holders) expect(gate.owner?.mailbox?.size).toBeGreaterThan(0);
          const seen = new Set(pid.process === null ? [] : [pid.process]);
          for (const process of seen) {
            for (const gate of process.extra?.held?.gates ?? []) {
              if (gate.owner === null || !gate.holds(process)) continue;
              expect(gate.owner).not.toBe(pid.process);
              seen.add(gate.owner);
            }
          }
        }
        for (const pid of pids) if (pid.process !== null) world.self.exit(pid, "kill");
        await world.settle();
        expect(world.platform.timersCount).toBe(0);
      }),
    );
  });
});
