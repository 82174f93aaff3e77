/**
 * Timers: OTP's statements (T). Time is real here, so that only "not before" is proved; that they fire when they are due
 * is proved with virtual time, in timer.test.ts.
 */
import { expect } from "vitest";
import type { Statement } from "./statement.ts";
import { kept } from "./ground.ts";

export const timers: readonly Statement[] = [
  {
    id: "T1",
    sentence: "sendAfter delivers once, not before T",
    prove: async (ground) => {
      expect(await (await ground.puppet()).do("timeOfSendAfter", 30)).toBeGreaterThanOrEqual(30);

      await ground.eachTwo(async (a, b) => {
        await a.do("sendAfter", 5, b.pid, "x");

        expect(await b.receive()).toBe("x");
        expect(await b.receive(undefined, 20)).toBe("timedOut");
      });
    },
  },
  {
    id: "T2",
    sentence: "cancelTimer gives the remaining milliseconds and the message never comes",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const [, remainingMs] = await a.steps(["sendAfter", 30, b.pid, "x"], ["cancelTimer", kept("0")]);

        expect(remainingMs).toBeGreaterThan(0);
        expect(remainingMs).toBeLessThanOrEqual(30);
        expect(await b.receive(undefined, 50)).toBe("timedOut");
      }),
  },
  {
    id: "T3",
    sentence: "cancelTimer of a fired timer gives false; its message may already be queued",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.keep("timer", "sendAfter", 1, b.pid, "x");
        await a.do("waitInVain", 10);

        expect(await a.do("cancelTimer", kept("timer"))).toBe(false);

        expect(await b.mailbox()).toEqual(["x"]);
      }),
  },
  {
    id: "T4",
    sentence: "startTimer's message is { type: timeout, ref, message }",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const ref = await a.do("startTimer", 5, b.pid, "m");

        expect(await b.receive()).toEqual({ type: "timeout", ref, message: "m" });
      }),
  },
  {
    id: "T5",
    sentence: "a timer to a dead pid or an unknown name is dropped silently",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();
        const dead = await ground.deadPid(there);

        await a.steps(["sendAfter", 1, dead, "x"], ["sendAfter", 1, "nobody", "x"], ["sendAfter", 5, a.pid, "later"]);

        expect(await a.receive("later")).toBe("later");
        expect(await a.mailbox()).toEqual([]);
        expect(await a.isAlive()).toBe(true);
      }),
  },
  {
    id: "T6",
    sentence: "a timer to a name is resolved when it fires",
    prove: async (ground) => {
      const a = await ground.puppet();
      await a.steps(["sendAfter", 5, "t6", "x"], ["register", "t6", a.pid]);
      expect(await a.receive()).toBe("x");

      // A name that is known in the test's kernel only.
      const b = await ground.localPuppet();
      await b.do("register", "t6 above", b.pid);
      await a.do("sendAfter", 5, "t6 above", "y");
      expect(await b.receive()).toBe("y");
    },
  },
  {
    id: "T7",
    sentence: "timers fire in order of their due time",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.steps(...[40, 10, 30, 20].map((delayMs) => ["sendAfter", delayMs, b.pid, delayMs] as const));

        const received: unknown[] = [];
        while (received.length < 4) received.push(await b.receive());
        expect(received).toEqual([10, 20, 30, 40]);
      }),
  },
  {
    id: "T8",
    sentence: "readTimer gives remaining time, false after firing",
    prove: async (ground) => {
      const a = await ground.puppet();
      const [, remainingMs] = await a.steps(["sendAfter", 20, a.pid, "x"], ["readTimer", kept("0")]);

      await a.receive("x");

      expect(remainingMs).toBeGreaterThan(0);
      expect(remainingMs).toBeLessThanOrEqual(20);
      expect(await a.do("readTimer", kept("0"))).toBe(false);
    },
  },
  {
    id: "T9",
    sentence: "a timer of a dead owner still fires for a living target",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const ended = ground.reasonOf(a.pid);

        await a.steps(["sendAfter", 20, b.pid, "late"], ["return"]).catch(() => {});

        expect(await ended).toBe("normal");
        expect(await b.receive()).toBe("late");
      }),
  },
];
