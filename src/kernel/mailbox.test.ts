/** Mailboxes: time-outs to the point, and what a full one does; OTP's statements on messages (M) are in test/conformance/. */
import { describe, expect, test } from "vitest";
import { forwarder, idle, World } from "../testing/world.ts";
import { Mailbox, MailboxFullError, type MailboxPolicy } from "./mailbox.ts";
import { isDown } from "./message.ts";
import { timedOut, type AnyProcess } from "./process.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("messages", () => {
  test("a receive with a time-out gives up when the time has come, not before", async () => {
    const world = new World();
    let fired = false;
    void world.self
      .receive((message) => message === "no match", { timeoutMs: 50 })
      .then((result) => {
        fired = result === timedOut;
      });

    await world.advance(49.999);
    const early = fired;
    await world.advance(0.001);

    expect([early, fired]).toEqual([false, true]);
  });

  test("non-matching messages do not put off the time-out of a receive", async () => {
    const world = new World();
    let result: unknown;
    void world.self
      .receive((message) => message === "wanted", { timeoutMs: 100 })
      .then((value) => {
        result = value;
      });

    for (const number of numbers(5)) {
      await world.advance(20);
      world.self.send(world.self.pid, number);
    }

    await world.settle();
    expect(result).toBe(timedOut);
    expect(await world.all()).toEqual(numbers(5));
  });

  test("a receive without a time-out waits for ever", async () => {
    const world = new World();
    const pids = [Infinity, undefined].map((timeoutMs) =>
      world.self.spawn(async (self) => {
        await (timeoutMs === undefined ? self.receive() : self.receive(undefined, { timeoutMs }));
        self.exit("bad");
      }),
    );

    await world.advance(10 ** 12);

    expect(pids.map((pid) => world.self.isAlive(pid))).toEqual([true, true]);
  });

  test("a process waits for one thing at a time: a second receive is refused, the first goes on", async () => {
    const { self } = new World();
    const first = self.receive();

    await expect(self.receive()).rejects.toThrow("already in receive");
    await expect(self.yield()).rejects.toThrow("already in receive");

    self.send(self.pid, "x");
    expect(await first).toBe("x");
  });

  test("a match that throws ends the receiver, not the sender", async () => {
    const world = new World();
    const error = new Error("bad match");
    const body = async (self: AnyProcess): Promise<void> => {
      await self.receive(() => {
        throw error;
      });
    };
    const { pid } = world.self.spawnMonitor(body);
    await world.settle();

    expect(world.self.send(pid, "x")).toBe("x");

    expect(await world.next()).toMatchObject({ type: "down", reason: error });
  });
});

describe("a full mailbox", () => {
  /** What becomes of five messages to a process that holds three and takes none. */
  function overfill(world: World, policy: MailboxPolicy): { sent: unknown[]; kept: unknown[]; droppedCount?: number } {
    const pid = world.self.spawn(idle, { mailbox: { messagesMax: 3, policy } });
    const sent = numbers(5).map((number) => {
      try {
        return world.self.send(pid, number);
      } catch (refused) {
        return refused;
      }
    });
    const kept = pid.process?.mailbox?.peek(10) ?? [];
    return { sent, kept, ...world.self.info(pid) };
  }

  test.each([
    ["dropNewest", [0, 1, 2]],
    ["dropOldest", [2, 3, 4]],
  ] as const)("%s keeps what it says and counts what it drops", (policy, kept) => {
    expect(overfill(new World(), policy)).toMatchObject({ sent: numbers(5), kept, droppedCount: 2 });
  });

  test("failSender throws in the sender and keeps what was there", () => {
    const { sent, kept, droppedCount } = overfill(new World(), "failSender");

    expect(sent.map((result) => result instanceof MailboxFullError)).toEqual([false, false, false, true, true]);
    expect([kept, droppedCount]).toEqual([[0, 1, 2], 2]);
  });

  test("endReceiver, the default, ends the receiver with { tag: mailboxFull }", async () => {
    const world = new World();
    const { pid, ref } = world.self.spawnMonitor(idle, { mailbox: { messagesMax: 3 } });

    for (const number of numbers(5)) world.self.send(pid, number);

    const reason = { tag: "mailboxFull", messagesMax: 3 };
    expect(await world.all()).toEqual([{ type: "down", ref, from: pid, reason }]);
  });

  test("a message that a waiting receiver takes at once does not count", async () => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(forwarder(self.pid), { mailbox: { messagesMax: 1 } });

    for (const number of numbers(5)) {
      await world.settle();
      self.send(pid, number);
    }

    expect(await world.all()).toHaveLength(5);
    expect(self.info(pid)?.droppedCount).toBe(0);
  });

  test.each(["dropNewest", "dropOldest", "failSender", "endReceiver"] as const)(
    "%s: what the kernel says of ends always arrives, and is never dropped for a message",
    async (policy) => {
      const world = new World();
      const { self } = world;
      const pid = self.spawn(
        async (receiver) => {
          const { ref } = receiver.spawnMonitor(idle, { name: "watched" });
          await receiver.receive((message) => message === "go");
          const down = await receiver.receive((message) => isDown(message, ref));
          receiver.send(self.pid, (down as { reason: unknown }).reason);
        },
        { mailbox: { messagesMax: 2, policy } },
      );
      await world.settle();

      self.exit(self.whereis("watched")!, "seen");
      self.send(pid, 1);
      await world.settle();
      if (policy === "dropOldest") for (const number of [2, 3, 4]) self.send(pid, number);
      self.send(pid, "go");

      expect(await world.next()).toBe("seen");
    },
  );

  test("dropOldest with nothing but notices drops the new message", async () => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(
      async (receiver) => {
        for (const name of ["a", "b"]) receiver.spawnMonitor(idle, { name });
        await receiver.receive((message) => message === "go");
      },
      { mailbox: { messagesMax: 2, policy: "dropOldest" } },
    );
    await world.settle();

    for (const name of ["a", "b"]) self.exit(self.whereis(name)!, "x");
    self.send(pid, "lost");

    expect(self.info(pid)).toMatchObject({ messagesCount: 2, droppedCount: 1 });
  });
});

test.each<[Record<string, unknown>, string]>([
  [
    { mailbox: { policy: "blok" } },
    'mailbox.policy is one of dropNewest, dropOldest, failSender, block, endReceiver, not "blok"',
  ],
  [{ mailbox: { messagesMax: -1 } }, "mailbox.messagesMax is a number above 0, not -1"],
  [{ mailbox: { messagesMax: "10" } }, "mailbox.messagesMax is a number above 0, not 10"],
  [{ mailbox: { heldMaxMs: "soon" } }, "mailbox.heldMaxMs is a number above 0, not soon"],
  [{ mailbox: "block" }, "mailbox is an object of limits, not block"],
  [
    { channel: { policy: "drop" } },
    'channel.policy is one of block, dropNewest, dropOldest, failSender, endReceiver, not "drop"',
  ],
  [{ channel: { windowBytes: Number.NaN } }, "channel.windowBytes is a number above 0, not NaN"],
  [{ channel: { windowBytes: 1024 } }, "channel.windowBytes is at least 65536, not 1024"],
  [{ channel: { waitingMaxBytes: 0 } }, "channel.waitingMaxBytes is a number above 0, not 0"],
  [{ channel: 1_000_000 }, "channel is an object of limits, not 1000000"],
])("a limit that is none, such as %j, is refused before anything starts", (options, sentence) => {
  const { self } = new World();
  const before = self.kernel.processesCount;

  expect(() => self.spawn(idle, options as never)).toThrow(sentence);
  expect(self.kernel.processesCount).toBe(before);
});

describe("the queue", () => {
  test("is an array with removal from anywhere, through many blocks", () => {
    const mailbox = new Mailbox();
    const model: number[] = [];
    let seed = 1;
    const draw = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };

    for (let step = 0; step < 20_000; step += 1) {
      if (draw(100) < (step < 10_000 ? 70 : 40) || model.length === 0) {
        mailbox.push(step);
        model.push(step);
        continue;
      }
      const position = draw(3) === 0 ? draw(model.length) : 0;
      const taken = model.splice(position, 1)[0];
      expect(mailbox.find((message) => message === taken)).toBe(position);
      expect(mailbox.takeAt(position)).toBe(taken);
    }

    expect(mailbox.size).toBe(model.length);
    expect(mailbox.peek(model.length)).toEqual(model);
  });
});
