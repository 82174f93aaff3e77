/** Messages and mailbox: OTP's statements (M). */
import { expect } from "vitest";
import type { Statement } from "./statement.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export const messages: readonly Statement[] = [
  {
    id: "M1",
    sentence: "messages of one sender to one receiver arrive in send order (10^4)",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("flood", b.pid, 10_000);

        expect(await b.mailbox()).toEqual(numbers(10_000));
      }),
  },
  {
    id: "M2",
    sentence: "sending to a dead pid is silent and returns the message",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();

        expect(await a.do("send", await ground.deadPid(there), "hello")).toBe("hello");
        expect(await a.isAlive()).toBe(true);
      }),
  },
  {
    id: "M3",
    sentence: "sending to an unregistered local name fails at once in the sender",
    except: {
      thread: "a kernel below another asks the one above for a name that nobody has here, and a send does not wait",
      "os-process":
        "a kernel below another asks the one above for a name that nobody has here, and a send does not wait",
    },
    prove: async (ground) => {
      const a = await ground.puppet();

      await expect(a.do("send", "nobody", "x")).rejects.toThrow('no process is registered as "nobody"');
    },
  },
  {
    id: "M4",
    sentence: "receive takes the first message in arrival order that matches any clause",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("sendAll", b.pid, ["a", "b", "c", "b"]);

        expect(await b.receive({ anyOf: ["c", "b"] })).toBe("b");
        expect(await b.receive({ anyOf: ["c", "b"] })).toBe("c");
      }),
  },
  {
    id: "M5",
    sentence: "messages that do not match stay, in order",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("sendAll", b.pid, [1, 2, 3, 4]);

        expect(await b.receive(3)).toBe(3);

        expect(await b.mailbox()).toEqual([1, 2, 4]);
      }),
  },
  {
    id: "M6",
    sentence: "receive with time-out 0 scans the whole mailbox first",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.steps(["flood", b.pid, 1000], ["send", b.pid, "hit"]);

        expect(await b.receive("hit", 0)).toBe("hit");
        expect(await b.receive("hit", 0)).toBe("timedOut");
        expect(await b.do("info")).toMatchObject({ messagesCount: 1000 });
      }),
  },
  {
    id: "M7",
    sentence: "receive with time-out T fires when nothing matching came within T, never earlier",
    prove: async (ground) => {
      const [a, b] = [await ground.puppet(), await ground.puppet()];
      await a.do("send", b.pid, "no match");

      const { isTimedOut, tookMs } = (await b.do("waitInVain", 50)) as { isTimedOut: boolean; tookMs: number };

      expect(isTimedOut).toBe(true);
      expect(tookMs).toBeGreaterThanOrEqual(50);
    },
  },
  {
    id: "M8",
    sentence: "non-matching messages do not restart the receive timer",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const b = await there.puppet();
        await here.spawn("ticker", [b.pid, 5]);

        // The ticker never stops: a timer that it restarted would never fire.
        expect(await b.receive("wanted", 60)).toBe("timedOut");

        const ticks = await b.mailbox();
        expect(ticks.length).toBeGreaterThan(0);
        expect(ticks).toEqual(numbers(ticks.length));
      }),
  },
  {
    id: "M9",
    sentence: "receive without a time-out never fires",
    prove: async (ground) => {
      const [a, b, c] = [await ground.puppet(), await ground.puppet(), await ground.puppet()];
      const without = b.do("receive", "go");
      const withInfinity = c.do("receive", "go", Infinity);

      expect(await a.receive("never", 50)).toBe("timedOut");
      await a.steps(["send", b.pid, "go"], ["send", c.pid, "go"]);

      expect([await without, await withInfinity]).toEqual(["go", "go"]);
    },
  },
  {
    id: "M10",
    sentence: "a process can send to itself",
    prove: async (ground) => {
      const a = await ground.puppet();

      await a.do("send", a.pid, "x");

      expect(await a.mailbox()).toEqual(["x"]);
    },
  },
  {
    id: "M11",
    sentence: "a message sent before the sender exits arrives before its EXIT and its DOWN",
    prove: async (ground) => {
      expect(await (await ground.puppet()).do("lastWords", 300)).toEqual(["last, exit, down"]);

      await ground.eachPair(async (here, there) => {
        const b = await there.puppet();
        await b.do("trapExit", true);
        for (let round = 0; round < 10; round += 1) {
          const a = await here.puppet();
          await b.steps(["link", a.pid], ["monitor", a.pid]);
          const ended = ground.reasonOf(a.pid);
          void a.steps(["send", b.pid, "last"], ["exitUncaught", "bye"]).catch(() => {});
          await ended;

          expect(await b.mailbox()).toMatchObject([
            "last",
            { type: "exit", from: a.pid },
            { type: "down", from: a.pid },
          ]);
        }
      });
    },
  },
  {
    id: "M12",
    sentence: "order is promised per pair: A to C never reorders, also when it comes through B",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const [a, c] = [await here.puppet(), await there.puppet()];
        for (const side of [here, there]) {
          const b = await side.spawn("forwarder", [c.pid]);

          await a.steps(...numbers(40).map((number) => ["send", number % 2 === 0 ? b : c.pid, number] as const));

          const direct: unknown[] = [];
          const forwarded: unknown[] = [];
          while (direct.length + forwarded.length < 40) {
            const message = await c.receive();
            if (Array.isArray(message)) forwarded.push(message);
            else direct.push(message);
          }
          expect(direct).toEqual(numbers(40).filter((number) => number % 2 === 1));
          expect(forwarded).toEqual(numbers(20).map((number) => [b, number * 2]));
        }
      }),
  },
  {
    id: "M13",
    sentence: "a sender is not blocked by a receiver that never reads (10^5 sends)",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("flood", b.pid, 100_000);

        expect(await b.do("info")).toMatchObject({ messagesCount: 100_000 });
      }),
  },
  {
    id: "M14",
    sentence: "an exception in a receive clause leaves the taken message removed and the others kept",
    prove: async (ground) => {
      const [a, b] = [await ground.puppet(), await ground.puppet()];
      await a.do("sendAll", b.pid, ["a", "b"]);

      await expect(b.do("receiveThenThrow", "a")).rejects.toThrow("after receive");

      expect(await b.mailbox()).toEqual(["b"]);
    },
  },
  {
    id: "M15",
    sentence: "the mailbox of a crashed process is dropped; a restarted process starts empty",
    prove: async (ground) => {
      const sibling = await ground.puppet();
      const first = await ground.puppet({ name: "worker" });
      await sibling.do("send", "worker", "junk");
      await first.end("throw", new Error("x"));

      const second = await ground.puppet({ name: "worker" });

      expect(await second.do("info")).toMatchObject({ messagesCount: 0 });
      expect(await second.mailbox()).toEqual([]);
      expect(await sibling.do("whereis", "worker")).toEqual(second.pid);
    },
  },
];
