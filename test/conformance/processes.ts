/** Processes: OTP's statements (P). */
import { expect } from "vitest";
import { isDown, isExit, program, type ExitReason } from "colos";
import type { Ground } from "./ground.ts";
import type { Statement } from "./statement.ts";

/** A program of its own on the carrier, when that is not the test's kernel. */
const endProgram = program("../programs/end.ts", import.meta.url);

/** What ends a process under test, as a sibling and a process of another kernel see it. */
async function reasonsOf(
  ground: Ground,
  how: "return" | "throw" | "exitUncaught",
  ...args: readonly unknown[]
): Promise<ExitReason[]> {
  const [sibling, puppet] = [await ground.puppet(), await ground.puppet()];
  await sibling.do("monitor", puppet.pid);
  const elsewhere = await puppet.end(how, ...args);
  const down = (await sibling.receive({ type: "down" })) as { readonly reason: ExitReason };
  return [down.reason, elsewhere];
}

export const processes: readonly Statement[] = [
  {
    id: "P1",
    sentence: "spawn returns before the child has run; an error in the child never reaches the spawner",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      expect(await puppet.do("spawnBroken")).toEqual({
        atReturn: { ran: false, isAlive: true },
        ran: true,
        messagesCount: 0,
      });
      expect(await puppet.isAlive()).toBe(true);
      if (ground.carrier === "coroutine") return;

      const pid = ground.self.spawn(endProgram, { carrier: ground.carrier, args: ["crash"] });
      expect(await ground.reasonOf(pid)).toBeInstanceOf(RangeError);
      expect(ground.self.info()?.messagesCount).toBe(0);
    },
  },
  {
    id: "P2",
    sentence: "a process whose function returns exits with reason normal",
    prove: async (ground) => {
      expect(await reasonsOf(ground, "return")).toEqual(["normal", "normal"]);
      expect(await (await ground.puppet()).do("quickEnd", "return")).toBe("normal");
    },
  },
  {
    id: "P3",
    sentence: "an uncaught error exits with the Error, its stack included",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      const reasons = [
        ...(await reasonsOf(ground, "throw", new TypeError("x"))),
        await puppet.do("quickEnd", "throw", new TypeError("x")),
      ];

      for (const reason of reasons) {
        expect(reason).toBeInstanceOf(TypeError);
        expect(reason).toMatchObject({ message: "x", stack: expect.stringContaining("TypeError: x\n") as string });
      }
    },
  },
  {
    id: "P4",
    sentence: "an uncaught throw of another value exits with { tag: nocatch, value }",
    prove: async (ground) => {
      const puppet = await ground.puppet();
      const reason = { tag: "nocatch", value: "t" };

      expect(await reasonsOf(ground, "throw", "t")).toEqual([reason, reason]);
      expect(await puppet.do("quickEnd", "throw", "t")).toEqual(reason);
    },
  },
  {
    id: "P5",
    sentence: "exit(R) exits with exactly R, any term",
    prove: async (ground) => {
      for (const reason of ["quit", { a: [1] }, 7, null, undefined, "normal"]) {
        expect(await reasonsOf(ground, "exitUncaught", reason)).toEqual([reason, reason]);
      }
    },
  },
  {
    id: "P6",
    sentence: "spawnLink is atomic: a child that dies at once gives its real reason, never noproc",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      expect(await puppet.do("quickEnds", "spawnLink", 500, "quick")).toEqual(Array(500).fill("quick"));
      if (ground.carrier === "coroutine") return;

      ground.self.trapExit(true);
      const pid = ground.self.spawnLink(endProgram, { carrier: ground.carrier, args: ["quick"] });
      expect(await ground.self.receive((message) => isExit(message, pid))).toMatchObject({ reason: "quick" });
    },
  },
  {
    id: "P7",
    sentence: "spawnMonitor is atomic: never noproc for a child that dies at once",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      expect(await puppet.do("quickEnds", "spawnMonitor", 500, "quick")).toEqual(Array(500).fill("quick"));
      if (ground.carrier === "coroutine") return;

      const { pid, ref } = ground.self.spawnMonitor(endProgram, { carrier: ground.carrier, args: ["quick"] });
      expect(await ground.self.receive((message) => isDown(message, ref))).toMatchObject({
        from: pid,
        reason: "quick",
      });
    },
  },
  {
    id: "P8",
    sentence: "isAlive is true for a waiting process, false once its DOWN was received",
    difference: "it answers for processes of the own kernel only",
    prove: async (ground) => {
      const [a, b] = [await ground.puppet(), await ground.puppet()];
      await a.do("monitor", b.pid);
      const before = await a.do("isAlive", b.pid);

      await b.end("return");
      await a.receive({ type: "down" });

      expect([before, await a.do("isAlive", b.pid)]).toEqual([true, false]);
    },
  },
  {
    id: "P9",
    sentence: "ids of dead processes are not given to new ones (10^4 spawns)",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      expect(await puppet.do("distinctIds", 10_000)).toEqual({ idsCount: 10_000, grownBy: 0 });
    },
  },
  {
    id: "P10",
    sentence: "exit(R) inside try can be caught; the process then goes on",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      await expect(puppet.do("exit", "a")).rejects.toMatchObject({ name: "Exit", reason: "a" });

      expect(await puppet.isAlive()).toBe(true);
      expect(await puppet.end("exitUncaught", "later")).toBe("later");
    },
  },
  {
    id: "P11",
    sentence: "a dead process's state is gone: info gives undefined",
    prove: async (ground) => {
      const sibling = await ground.puppet();
      const puppet = await ground.puppet();
      const before = await sibling.do("isListed", puppet.pid);

      await sibling.do("send", puppet.pid, "unread");
      await puppet.end("return");

      expect(await sibling.do("info", puppet.pid)).toBe(undefined);
      expect([before, await sibling.do("isListed", puppet.pid)]).toEqual([true, false]);
    },
  },
  {
    id: "P12",
    sentence: "the group of a crash is one process: siblings not linked go on",
    prove: async (ground) => {
      const [sibling, puppet, elsewhere] = [await ground.puppet(), await ground.puppet(), await ground.localPuppet()];

      await puppet.end("throw", new Error("x"));

      expect(await sibling.isAlive()).toBe(true);
      expect(await elsewhere.isAlive()).toBe(true);
    },
  },
];
