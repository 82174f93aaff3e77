/** Names: OTP's statements (R). */
import { expect } from "vitest";
import type { Statement } from "./statement.ts";

export const names: readonly Statement[] = [
  {
    id: "R1",
    sentence: "a name is taken once: a second register fails",
    prove: async (ground) => {
      const [a, b] = [await ground.puppet(), await ground.puppet()];
      await a.do("register", "r1", a.pid);

      await expect(b.do("register", "r1", b.pid)).rejects.toThrow(`the name "r1" is taken by ${a.pid}`);
      await expect(b.do("spawnPuppet", { name: "r1" })).rejects.toThrow("is taken");

      // The same for processes under test in the test's own kernel.
      const c = await ground.puppet();
      ground.self.register("r1 above", c.pid);
      expect(() => ground.self.register("r1 above", b.pid)).toThrow(`the name "r1 above" is taken by ${c.pid}`);
    },
  },
  {
    id: "R2",
    sentence: "a process has at most one local name",
    prove: async (ground) => {
      const [registrar, a] = [await ground.puppet(), await ground.puppet({ name: "r2a" })];

      await expect(registrar.do("register", "r2b", a.pid)).rejects.toThrow('already registered as "r2a"');
      await registrar.do("unregister", "r2a");
      await registrar.do("register", "r2b", a.pid);

      expect(await registrar.steps(["whereis", "r2a"], ["whereis", "r2b"])).toEqual([undefined, a.pid]);

      const b = await ground.puppet();
      ground.self.register("r2a above", b.pid);
      expect(() => ground.self.register("r2b above", b.pid)).toThrow('already registered as "r2a above"');
    },
  },
  {
    id: "R3",
    sentence: "a dead pid cannot be registered",
    difference: "of a dead pid of another kernel the name is free again as soon as that kernel has answered",
    prove: async (ground) => {
      const a = await ground.puppet();
      const dead = await ground.deadPid();

      await expect(a.do("register", "r3", dead)).rejects.toThrow("has ended and cannot be registered");
      if (ground.carrier === "coroutine") return;

      const gone = await ground.deadPid();
      ground.self.register("r3 above", gone);
      expect(await ground.reasonOf(gone)).toBe("noproc");
      expect(ground.self.whereis("r3 above")).toBe(undefined);
    },
  },
  {
    id: "R4",
    sentence: "the name is free after exit and can be taken by the restarted process",
    prove: async (ground) => {
      const sibling = await ground.puppet();
      const first = await ground.puppet({ name: "r4" });
      const reason = ground.reasonOf(first.pid);
      await sibling.do("exit", first.pid, "kill");
      await reason;
      const second = await ground.puppet({ name: "r4" });
      expect(await sibling.do("whereis", "r4")).toEqual(second.pid);

      // The same in the test's kernel.
      const [third, fourth] = [await ground.puppet(), await ground.puppet()];
      ground.self.register("r4 above", third.pid);
      await third.end("throw", new Error("x"));
      ground.self.register("r4 above", fourth.pid);
      expect(ground.self.whereis("r4 above")).toBe(fourth.pid);
    },
  },
  {
    id: "R5",
    sentence: "unregister of an unknown name fails",
    prove: async (ground) => {
      const a = await ground.puppet();

      await expect(a.do("unregister", "r5")).rejects.toThrow('no process is registered as "r5"');
    },
  },
  {
    id: "R6",
    sentence: "a name is resolved at send time",
    prove: async (ground) => {
      // In the kernel of the sender, and in the test's kernel, which the sender's asks.
      for (const [side, name] of [
        [ground, "r6"],
        [ground.local, "r6 above"],
      ] as const) {
        const [sender, registrar] = [await ground.puppet(), await side.puppet()];
        const [a, b] = [await side.puppet(), await side.puppet()];

        await registrar.do("register", name, a.pid);
        await sender.do("send", name, 1);
        await registrar.do("unregister", name);
        await registrar.do("register", name, b.pid);
        await sender.do("send", name, 2);

        expect([await a.mailbox(), await b.mailbox()]).toEqual([[1], [2]]);
      }
    },
  },
  {
    id: "R7",
    sentence: "whereis gives undefined for a free name",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      expect(await puppet.do("whereis", "nobody")).toBe(undefined);
    },
  },
];
