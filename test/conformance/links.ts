/** Links: OTP's statements (L). */
import { expect } from "vitest";
import { isDown, type AnyPid } from "colos";
import type { Statement } from "./statement.ts";

export const links: readonly Statement[] = [
  {
    id: "L1",
    sentence: "a link is two-way: either side's abnormal exit ends the other",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        for (const linkerEnds of [true, false]) {
          const [a, b] = [await here.puppet(), await there.puppet()];
          await a.do("link", b.pid);
          const [first, second] = linkerEnds ? [a, b] : [b, a];
          const reason = ground.reasonOf(second.pid);

          await first.end("exitUncaught", "bye");

          expect(await reason).toBe("bye");
        }
      }),
  },
  {
    id: "L2",
    sentence: "linking twice is one link: exactly one exit message",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("trapExit", true);
        await a.do("link", b.pid);
        await a.do("link", b.pid);
        await b.do("link", a.pid);

        await b.end("exitUncaught", "bye");

        expect(await a.mailbox()).toEqual([{ type: "exit", from: b.pid, reason: "bye" }]);
      }),
  },
  {
    id: "L3",
    sentence: "one unlink undoes repeated links",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("trapExit", true);
        await a.do("link", b.pid);
        await a.do("link", b.pid);

        await a.do("unlink", b.pid);
        await b.end("exitUncaught", "bye");

        expect(await a.mailbox()).toEqual([]);
      }),
  },
  {
    id: "L4",
    sentence: "link to a dead pid when trapping gives an exit message with noproc",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();
        const dead = await ground.deadPid(there);
        await a.do("trapExit", true);

        await a.do("link", dead);

        expect(await a.receive()).toEqual({ type: "exit", from: dead, reason: "noproc" });
        expect(await a.do("info")).toMatchObject({ links: [] });
      }),
  },
  {
    id: "L5",
    sentence: "link to a dead pid when not trapping is an error noproc in the caller",
    difference: "of a pid of another kernel it learns later, by an exit signal noproc, as from another node in OTP",
    prove: async (ground) => {
      const a = await ground.puppet();
      const dead = await ground.deadPid();
      await expect(a.do("link", dead)).rejects.toMatchObject({ name: "Exit", reason: "noproc" });
      expect(await a.isAlive()).toBe(true);
      if (ground.carrier === "coroutine") return;

      for (const [here, there] of [
        [ground, ground.local],
        [ground.local, ground],
      ] as const) {
        const b = await here.puppet();
        const gone = await ground.deadPid(there);
        const reason = ground.reasonOf(b.pid);
        // The signal may be there before the order is answered.
        await b.do("link", gone).catch(() => {});
        expect(await reason).toBe("noproc");
      }
    },
  },
  {
    id: "L6",
    sentence: "link to oneself is true and without effect",
    prove: async (ground) => {
      const a = await ground.puppet();

      expect(await a.do("link", a.pid)).toBe(true);
      expect(await a.do("info")).toMatchObject({ links: [] });
    },
  },
  {
    id: "L7",
    sentence: "after unlink returns, no exit signal of that link is delivered",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();
        await a.do("trapExit", true);

        for (let round = 0; round < 30; round += 1) {
          const quitter = await there.spawn("quitter");
          const reason = ground.reasonOf(quitter);
          await a.steps(["link", quitter], ["send", quitter, "go"], ["unlink", quitter]);
          expect(await reason).toBe("x");
          expect(await a.mailbox()).toEqual([]);
        }
      }),
  },
  {
    id: "L8",
    sentence: "unlink does not remove an exit message already in the mailbox",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("trapExit", true);
        await a.do("link", b.pid);
        await b.end("exitUncaught", "x");
        expect(await a.do("info")).toMatchObject({ messagesCount: 1 });

        await a.do("unlink", b.pid);

        expect(await a.mailbox()).toEqual([{ type: "exit", from: b.pid, reason: "x" }]);
      }),
  },
  {
    id: "L9",
    sentence: "unlink of a process that is not linked is true and without effect",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        expect(await a.do("unlink", b.pid)).toBe(true);
        expect([await a.isAlive(), await b.isAlive()]).toEqual([true, true]);
      }),
  },
  {
    id: "L10",
    sentence: "a normal exit does not end linked non-trapping peers",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("link", b.pid);

        expect(await b.end("return")).toBe("normal");

        expect(await a.isAlive()).toBe(true);
        expect(await a.mailbox()).toEqual([]);
      }),
  },
  {
    id: "L11",
    sentence: "a trapping peer gets an exit message with normal for a normal exit",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("trapExit", true);
        await a.do("link", b.pid);

        await b.end("return");

        expect(await a.mailbox()).toEqual([{ type: "exit", from: b.pid, reason: "normal" }]);
      }),
  },
  {
    id: "L12",
    sentence: "the reason travels unchanged along a chain of links",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const [a, b, c] = [await here.puppet(), await there.puppet(), await here.puppet()];
        const origin = { code: 1, nested: [{ why: "so" }] };
        await a.do("link", b.pid);
        await b.do("link", c.pid);
        const [ofA, ofB] = [ground.reasonOf(a.pid), ground.reasonOf(b.pid)];

        const ofC = await c.end("exitUncaught", origin);

        expect([await ofA, await ofB, ofC]).toEqual([origin, origin, origin]);
        if (ground.carrier === "coroutine") expect(await ofA).toBe(origin);
      }),
  },
  {
    id: "L13",
    sentence: "a trapping process stops the chain",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const [a, b, c] = [await here.puppet(), await there.puppet(), await here.puppet()];
        await b.do("trapExit", true);
        await a.do("link", b.pid);
        await b.do("link", c.pid);

        await c.end("exitUncaught", "o");

        expect(await b.mailbox()).toEqual([{ type: "exit", from: c.pid, reason: "o" }]);
        expect([await a.isAlive(), await b.isAlive()]).toEqual([true, true]);
      }),
  },
  {
    id: "L14",
    sentence: "after the exit signal the link is gone on both sides",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const [a, b] = [await here.puppet(), await there.puppet()];
        await a.do("trapExit", true);
        await a.do("link", b.pid);

        await b.end("exitUncaught", "bye");
        await a.receive({ type: "exit" });

        expect(await a.do("info")).toMatchObject({ links: [] });
        expect(await (await there.puppet()).do("info", b.pid)).toBe(undefined);
      }),
  },
  {
    id: "L15",
    sentence: "links are seen by both sides",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("link", b.pid);

        expect(await a.do("info")).toMatchObject({ links: [b.pid] });
        expect(await b.do("info")).toMatchObject({ links: [a.pid] });
      }),
  },
  {
    id: "L16",
    sentence: "a crash takes all linked non-trapping processes (star of 1000)",
    prove: async (ground) => {
      await ground.eachPair(async (here, there) => {
        const [hub, helper] = [await here.puppet(), await there.puppet()];
        const points = (await helper.do("crowd", 1000)) as AnyPid[];
        await hub.do("linkAll", points);
        const refs = new Set(points.map((pid) => ground.self.monitor(pid)));

        await hub.end("exitUncaught", "b");

        for (const ref of refs) {
          expect(await ground.self.receive((message) => isDown(message, ref))).toMatchObject({ reason: "b" });
        }
        expect(refs.size).toBe(1000);
      });

      const hub = await ground.puppet();
      const children = (await hub.do("linkedCrowd", 1000)) as AnyPid[];
      const refs = children.map((pid) => ground.self.monitor(pid));
      await hub.end("exitUncaught", "b");
      for (const ref of refs) {
        expect(await ground.self.receive((message) => isDown(message, ref))).toMatchObject({ reason: "b" });
      }
    },
  },
];
