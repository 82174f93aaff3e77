/** Exit signals: OTP's statements (E). */
import { expect } from "vitest";
import { timedOut, type ExitReason } from "colos";
import type { Ground } from "./ground.ts";
import { waitMs, waysToWait } from "./kernel-subjects.ts";
import type { Statement } from "./statement.ts";

/** Ends a process that waits in that way; `noproc` or a reason of its own when its wait was over before. */
async function endWaiting(ground: Ground, way: string, reason: string, limitMs: number): Promise<ExitReason> {
  const { self } = ground;
  const pid = await ground.spawn("cleaner", [self.pid, way, limitMs]);
  await self.receive((message) => message === "waiting");
  const ended = ground.reasonOf(pid);
  self.exit(pid, reason);
  return ended;
}

/** Whatever way it waits in, nothing of a process runs after `reason` has reached it. */
async function proveNothingRuns(ground: Ground, reason: string): Promise<void> {
  const { self } = ground;
  const sibling = await ground.puppet();
  let longestMs = waitMs;
  for (const way of waysToWait) {
    // On a slow host a wait may be over before the signal has come: then once more with twice the time.
    for (let limitMs = waitMs; ; limitMs *= 2) {
      longestMs = Math.max(longestMs, limitMs);
      const ended = await endWaiting(ground, way, reason, limitMs);
      if (ended === (reason === "kill" ? "killed" : reason)) break;
      await self.receive((message) => message === "cleaned");
    }
  }
  // Longer than any of them would have waited.
  await sibling.receive("never", longestMs + waitMs);

  expect(await self.receive((message) => message === "cleaned", { timeoutMs: 0 })).toBe(timedOut);
}

/** Sends itself an exit signal and catches what that throws: it does not help. */
async function proveSelfEnds(ground: Ground, reason: string): Promise<void> {
  const pid = await ground.spawn("selfEnder", [reason]);
  const sibling = await ground.puppet();
  await sibling.do("monitor", pid);
  const elsewhere = ground.reasonOf(pid);

  await sibling.do("send", pid, "go");

  expect(await sibling.receive({ type: "down" })).toMatchObject({ reason });
  expect(await elsewhere).toBe(reason);
}

/** A trapping process gets the exit signal as a message. */
function proveTrapped(ground: Ground, reason: unknown): Promise<void> {
  return ground.eachTwo(async (a, b) => {
    await b.do("trapExit", true);

    await a.do("exit", b.pid, reason);

    expect(await b.mailbox()).toEqual([{ type: "exit", from: a.pid, reason }]);
  });
}

export const exits: readonly Statement[] = [
  {
    id: "E1",
    sentence: "exit(P,R) with another R ends a non-trapping process with R",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const reason = ground.reasonOf(b.pid);

        await a.do("exit", b.pid, "r1");

        expect(await reason).toBe("r1");
      }),
  },
  {
    id: "E2",
    sentence: "exit(P,normal) to another non-trapping process is ignored",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("exit", b.pid, "normal");

        expect(await b.isAlive()).toBe(true);
        expect(await b.mailbox()).toEqual([]);
      }),
  },
  {
    id: "E3",
    sentence: "exit(P,normal) to a trapping process arrives as an exit message",
    prove: (ground) => proveTrapped(ground, "normal"),
  },
  {
    id: "E4",
    sentence: "exit(self,normal) ends a non-trapping caller with normal",
    prove: (ground) => proveSelfEnds(ground, "normal"),
  },
  {
    id: "E5",
    sentence: "exit(P,kill) cannot be trapped and the reason seen by others is killed",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await b.do("trapExit", true);
        await a.do("monitor", b.pid);
        const reason = ground.reasonOf(b.pid);

        await a.do("exit", b.pid, "kill");

        expect(await reason).toBe("killed");
        expect(await a.receive({ type: "down" })).toMatchObject({ from: b.pid, reason: "killed" });
      }),
  },
  {
    id: "E6",
    sentence: "peers linked to a killed process get the signal killed, which can be trapped",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("trapExit", true);
        await a.do("link", b.pid);
        expect(await b.isAlive()).toBe(true);

        ground.self.exit(b.pid, "kill");

        expect(await a.receive({ type: "exit" })).toEqual({ type: "exit", from: b.pid, reason: "killed" });
        expect(await a.isAlive()).toBe(true);
      }),
  },
  {
    id: "E7",
    sentence: "a process that itself exits with kill sends kill by link; a trapping peer survives it",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("trapExit", true);
        await a.do("link", b.pid);

        await b.end("exitUncaught", "kill");

        expect(await a.receive({ type: "exit" })).toEqual({ type: "exit", from: b.pid, reason: "kill" });
        expect(await a.isAlive()).toBe(true);
      }),
  },
  {
    id: "E8",
    sentence: "kill through a link ends a non-trapping peer with reason kill, not killed",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("link", b.pid);
        const reason = ground.reasonOf(a.pid);

        await b.end("exitUncaught", "kill");

        expect(await reason).toBe("kill");
      }),
  },
  {
    id: "E9",
    sentence: "a trapping process gets { type: exit, from, reason } as an ordinary message",
    prove: async (ground) => {
      await proveTrapped(ground, "why");
      await proveTrapped(ground, { tag: "because", detail: [1, "two"] });
    },
  },
  {
    id: "E10",
    sentence: "exit(P,R) to a dead pid returns true",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();

        expect(await a.do("exit", await ground.deadPid(there), "x")).toBe(true);
        expect(await a.isAlive()).toBe(true);
      }),
  },
  {
    id: "E11",
    sentence: "of two exit signals the first decides the reason",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("monitor", b.pid);
        const reason = ground.reasonOf(b.pid);

        await a.steps(["exit", b.pid, "first"], ["exit", b.pid, "second"]);

        expect(await reason).toBe("first");
        expect(await a.receive({ type: "down" })).toMatchObject({ reason: "first" });
        expect(await a.mailbox()).toEqual([]);
      }),
  },
  {
    id: "E12",
    sentence: "exit(self,R) of a non-trapping process cannot be caught",
    prove: (ground) => proveSelfEnds(ground, "die"),
  },
  {
    id: "E13",
    sentence: "no code of the target runs after a fatal exit signal: finally blocks are not executed",
    prove: (ground) => proveNothingRuns(ground, "kill"),
  },
  {
    id: "E14",
    sentence: "the same holds for a trappable reason when the target does not trap",
    prove: (ground) => proveNothingRuns(ground, "shutdown"),
  },
  {
    id: "E15",
    sentence: "trapExit set to false again restores the default behaviour",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await b.do("trapExit", true);
        await b.do("trapExit", false);
        const reason = ground.reasonOf(b.pid);

        await a.do("exit", b.pid, "r");

        expect(await reason).toBe("r");
      }),
  },
  {
    id: "E16",
    sentence: "trapExit returns the old value",
    prove: async (ground) => {
      const a = await ground.puppet();

      expect(await a.steps(["trapExit", true], ["trapExit", false])).toEqual([false, true]);
    },
  },
  {
    id: "E17",
    sentence: "exit signals interrupt a process in a computation, not only in receive",
    difference: "a computation is interrupted where it yields; a carrier can be ended in the midst of one",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const [a, witness] = [await here.puppet(), await there.puppet()];
        const pid = await there.spawn("spinner", [witness.pid]);
        await witness.receive(undefined);
        await witness.do("monitor", pid);
        const reason = ground.reasonOf(pid);

        await a.do("exit", pid, "kill");

        expect(await reason).toBe("killed");
        await witness.do("yieldOften", 1000);
        expect((await witness.mailbox()).at(-1)).toMatchObject({ type: "down", from: pid, reason: "killed" });
      }),
  },
  {
    id: "E18",
    sentence: "exit signals and messages from one sender keep their order (message first, then death)",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await b.do("trapExit", true);
        const rounds = Array.from({ length: 100 }, (_, index) => index);

        await a.steps(...rounds.flatMap((round) => [["send", b.pid, round] as const, ["exit", b.pid, round] as const]));

        const expected = rounds.flatMap((round) => [round, { type: "exit", from: a.pid, reason: round }]);
        expect(await b.mailbox()).toEqual(expected);
      }),
  },
];
