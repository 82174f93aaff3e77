/** Monitors and aliases: OTP's statements (N). */
import { expect } from "vitest";
import type { AnyPid, ProcessInfo, Ref } from "colos";
import { kept, type Ground, type Puppet } from "./ground.ts";
import type { Statement } from "./statement.ts";

/** Monitors a process that it tells to end, and ends the monitor before that can be: no DOWN comes. */
async function demonitorInTime(ground: Ground, a: Puppet, idler: AnyPid): Promise<void> {
  const reason = ground.reasonOf(idler);
  const results = await a.steps(["monitor", idler], ["send", idler, "stop"], ["demonitor", kept("0")]);
  expect(results[2]).toBe(true);
  expect(await reason).toBe("normal");
  expect(await a.mailbox()).toEqual([]);
}

export const monitors: readonly Statement[] = [
  {
    id: "N1",
    sentence: "DOWN is { type: down, ref, from, reason } with the monitor's own unique ref",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const first = await a.keep("first", "monitor", b.pid);
        const second = await a.keep("second", "monitor", b.pid);
        await a.do("demonitor", kept("first"));

        await b.end("return");

        expect(await a.mailbox()).toEqual([{ type: "down", ref: second, from: b.pid, reason: "normal" }]);
        expect(first).not.toEqual(second);
      }),
  },
  {
    id: "N2",
    sentence: "monitor of a dead pid gives DOWN with noproc at once",
    difference: "of a pid of another kernel as soon as that kernel has answered",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();
        const dead = await ground.deadPid(there);

        const [ref, info] = (await a.steps(["monitor", dead], ["info"])) as [Ref, ProcessInfo];

        if (here === there) expect(info.messagesCount).toBe(1);
        expect(await a.receive()).toEqual({ type: "down", ref, from: dead, reason: "noproc" });
        expect(await a.mailbox()).toEqual([]);
      }),
  },
  {
    id: "N3",
    sentence: "monitors are one-way: death of the watcher does not touch the watched",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("monitor", b.pid);
        expect(((await b.do("info")) as ProcessInfo).monitoredBy).toContainEqual(a.pid);

        await a.end("exitUncaught", "x");

        expect(((await b.do("info")) as ProcessInfo).monitoredBy).not.toContainEqual(a.pid);
        expect(await b.isAlive()).toBe(true);
      }),
  },
  {
    id: "N4",
    sentence: "n monitors give n DOWN messages, one per ref",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const refs = await a.steps(["monitor", b.pid], ["monitor", b.pid], ["monitor", b.pid]);

        await b.end("return");

        expect(await a.mailbox()).toEqual(refs.map((ref) => ({ type: "down", ref, from: b.pid, reason: "normal" })));
        expect(new Set(refs.map(String)).size).toBe(3);
      }),
  },
  {
    id: "N5",
    sentence: "after demonitor no DOWN of that ref is added",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const a = await here.puppet();

        for (let round = 0; round < 30; round += 1) await demonitorInTime(ground, a, await there.spawn("idler"));
      }),
  },
  {
    id: "N6",
    sentence: "demonitor leaves a DOWN that is already queued",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const ref = await a.keep("ref", "monitor", b.pid);
        await b.end("return");
        expect(await a.do("info")).toMatchObject({ messagesCount: 1 });

        await a.do("demonitor", kept("ref"));

        expect(await a.mailbox()).toMatchObject([{ type: "down", ref }]);
      }),
  },
  {
    id: "N7",
    sentence: "demonitor with flush removes it",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.keep("ref", "monitor", b.pid);
        const other = await a.keep("other", "monitor", b.pid);
        await b.end("return");
        expect(await a.do("info")).toMatchObject({ messagesCount: 2 });

        await a.do("demonitor", kept("ref"), { flush: true });

        expect(await a.mailbox()).toMatchObject([{ type: "down", ref: other }]);
      }),
  },
  {
    id: "N8",
    sentence: "demonitor tells whether the monitor still existed",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.keep("ref", "monitor", b.pid);

        expect(await a.steps(["demonitor", kept("ref")], ["demonitor", kept("ref")])).toEqual([true, false]);
      }),
  },
  {
    id: "N9",
    sentence: "only the owner ends its monitor: a demonitor by another process has no effect on the owner's DOWN",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        const [owner, b] = [await here.puppet(), await there.puppet()];
        const ref = await owner.keep("ref", "monitor", b.pid);

        for (const other of [await here.puppet(), await there.puppet()]) {
          expect(await other.do("demonitor", ref)).toBe(false);
        }
        await b.end("return");

        expect(await owner.mailbox()).toEqual([{ type: "down", ref, from: b.pid, reason: "normal" }]);
      }),
  },
  {
    id: "N10",
    sentence: "a normal exit gives DOWN normal",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        await a.do("monitor", b.pid);

        await b.end("return");

        expect(await a.mailbox()).toMatchObject([{ type: "down", reason: "normal" }]);
      }),
  },
  {
    id: "N11",
    sentence: "monitor by registered name: from is the name",
    prove: async (ground) => {
      const [a, b] = [await ground.puppet(), await ground.puppet({ name: "n11" })];
      const ref = await a.do("monitor", "n11");
      await b.end("return");
      expect(await a.mailbox()).toEqual([{ type: "down", ref, from: "n11", reason: "normal" }]);

      // The name is known in the test's kernel, above the carrier's.
      for (const [here, there] of [
        [ground, ground.local],
        [ground.local, ground],
        [ground, ground],
      ] as const) {
        const [c, d] = [await here.puppet(), await there.puppet()];
        ground.self.register("n11", d.pid);
        const above = await c.do("monitor", "n11");
        await d.end("return");
        expect(await c.mailbox()).toEqual([{ type: "down", ref: above, from: "n11", reason: "normal" }]);
      }
    },
  },
  {
    id: "N12",
    sentence: "monitor of an unknown name gives DOWN noproc",
    prove: async (ground) => {
      const a = await ground.puppet();

      const ref = await a.do("monitor", "n12");

      expect(await a.receive()).toEqual({ type: "down", ref, from: "n12", reason: "noproc" });
    },
  },
  {
    id: "N13",
    sentence: "a name monitor stays with the process that had the name",
    prove: async (ground) => {
      for (const side of [ground, ground.local]) {
        const a = await ground.puppet();
        const [first, second, registrar] = [await side.puppet(), await side.puppet(), await side.puppet()];
        await registrar.do("register", "n13", first.pid);
        const ref = await a.do("monitor", "n13");
        // Once this is answered, the monitor has found its process.
        expect(await first.isAlive()).toBe(true);
        await registrar.do("unregister", "n13");
        await registrar.do("register", "n13", second.pid);

        await second.end("return");
        const afterSecond = await a.mailbox();
        await first.end("return");

        expect(afterSecond).toEqual([]);
        expect(await a.mailbox()).toMatchObject([{ type: "down", ref, from: "n13" }]);
      }
    },
  },
  {
    id: "N14",
    sentence: "monitoring yourself gives a ref and never a DOWN",
    prove: async (ground) => {
      const a = await ground.puppet();

      const ref = (await a.do("monitor", a.pid)) as Ref;

      expect(ref.owner).toEqual(a.pid);
      const info = (await a.do("info")) as ProcessInfo;
      expect(info).toMatchObject({ monitors: [], messagesCount: 0 });
      expect(info.monitoredBy).not.toContainEqual(a.pid);
    },
  },
  {
    id: "N15",
    sentence: "an alias of a monitor (once): the first reply through it ends the monitor",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const ref = await a.keep("ref", "monitor", b.pid, { alias: "once" });

        await b.steps(["send", ref, "reply"], ["send", ref, "second"]);
        expect(await a.do("info")).toMatchObject({ monitors: [] });
        await b.end("return");

        expect(await a.mailbox()).toEqual(["reply"]);
      }),
  },
  {
    id: "N16",
    sentence: "messages sent through an inactive alias are dropped",
    prove: (ground) =>
      ground.eachPair(async (here, there) => {
        for (const end of ["demonitor", "down"]) {
          const [a, b, c] = [await here.puppet(), await there.puppet(), await there.puppet()];
          const ref = await a.keep("ref", "monitor", b.pid, { alias: "untilDown" });
          await c.do("send", ref, "in time");

          if (end === "demonitor") await a.do("demonitor", kept("ref"), { flush: true });
          else await b.end("return");
          await c.do("send", ref, "late");

          const messages = await a.mailbox();
          expect(messages.filter((message) => typeof message === "string")).toEqual(["in time"]);
        }
      }),
  },
  {
    id: "N17",
    sentence: "unalias stops delivery; messages already queued stay",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        const alias = await a.keep("alias", "alias");
        await b.do("send", alias, "one");
        expect(await a.do("info")).toMatchObject({ messagesCount: 1 });

        expect(await a.steps(["unalias", kept("alias")], ["unalias", kept("alias")])).toEqual([true, false]);
        await b.do("send", alias, "two");

        expect(await a.mailbox()).toEqual(["one"]);
      }),
  },
  {
    id: "N18",
    sentence: "DOWN comes after the process's name was released",
    prove: async (ground) => {
      const a = await ground.puppet();
      expect(await a.do("namesTakenAtDown", "n18", 300)).toBe(0);

      for (let round = 0; round < 20; round += 1) {
        const b = await ground.puppet();
        ground.self.register("n18", b.pid);
        await b.end("return");
        expect(ground.self.whereis("n18")).toBe(undefined);
      }
    },
  },
  {
    id: "N19",
    sentence: "monitors of a process are visible by introspection (monitoredBy)",
    prove: (ground) =>
      ground.eachTwo(async (a, b) => {
        ground.self.register("n19", b.pid);

        await a.steps(["monitor", b.pid], ["monitor", "n19"]);

        const { monitoredBy } = (await b.do("info")) as ProcessInfo;
        expect(monitoredBy.filter((pid) => String(pid) === String(a.pid))).toHaveLength(2);
        expect(((await a.do("info")) as ProcessInfo).monitors).toEqual([b.pid, "n19"]);
        ground.self.unregister("n19");
      }),
  },
];
