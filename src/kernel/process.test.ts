/** Processes: OTP's statements about their life (P) and about exit signals (E), on the coroutine carrier. */
import { describe, expect, test } from "vitest";
import { idle, trapper, World } from "../testing/world.ts";
import { isExit } from "./message.ts";
import type { AnyProcess } from "./process.ts";
import { defineProgram } from "./program.ts";

describe("processes", () => {
  test("P1 spawn returns before the child has run; an error in the child never reaches the spawner", async () => {
    const { self, ...world } = new World();
    let ran = false;

    const pid = self.spawn(() => {
      ran = true;
      throw new Error("boom");
    });

    expect(ran).toBe(false);
    expect(self.isAlive(pid)).toBe(true);
    await world.platform.settle();
    expect(ran).toBe(true);
    expect(self.info()?.messagesCount).toBe(0);
  });

  test("P2 a process whose function returns exits with reason normal", async () => {
    const world = new World();

    const { pid, ref } = world.self.spawnMonitor(() => 42);

    expect(await world.next()).toEqual({ type: "down", ref, from: pid, reason: "normal" });
  });

  test("P3 an uncaught error exits with the Error, its stack included", async () => {
    const world = new World();
    const error = new TypeError("x");

    for (const body of [() => Promise.reject(error), () => thrower(error)]) {
      world.self.spawnMonitor(body);
      expect(await world.next()).toMatchObject({ type: "down", reason: error });
    }
    expect(world.platform.logged.map(({ level }) => level)).toEqual(["error", "error"]);
    expect(world.platform.logged[0]?.message).toContain("TypeError: x\n");
  });

  test("P4 an uncaught throw of another value exits with { tag: nocatch, value }", async () => {
    const world = new World();

    world.self.spawnMonitor(() => thrower("t"));

    expect(await world.next()).toMatchObject({ reason: { tag: "nocatch", value: "t" } });
  });

  test("P5 exit(R) exits with exactly R, any term", async () => {
    const world = new World();

    for (const reason of ["quit", { a: [1] }, 7, null, undefined, "normal"]) {
      const { pid, ref } = world.self.spawnMonitor((self) => self.exit(reason));
      expect(await world.next()).toEqual({ type: "down", ref, from: pid, reason });
    }
  });

  test("P6 spawnLink is atomic: a child that dies at once gives its real reason, never noproc", async () => {
    const { self } = new World();
    self.trapExit(true);

    for (let index = 0; index < 500; index += 1) {
      const pid = self.spawnLink((child) => child.exit("quick"));
      expect(await self.receive()).toEqual({ type: "exit", from: pid, reason: "quick" });
    }
  });

  test("P7 spawnMonitor is atomic: never noproc for a child that dies at once", async () => {
    const { self } = new World();

    for (let index = 0; index < 500; index += 1) {
      const { pid, ref } = self.spawnMonitor((child) => child.exit("quick"));
      expect(await self.receive()).toEqual({ type: "down", ref, from: pid, reason: "quick" });
    }
  });

  test("P8 isAlive is true for a waiting process, false once its DOWN was received", async () => {
    const world = new World();
    const { pid } = world.self.spawnMonitor(idle);
    await world.settle();
    const before = world.self.isAlive(pid);

    world.self.send(pid, "stop");
    await world.next();

    expect([before, world.self.isAlive(pid)]).toEqual([true, false]);
  });

  test("P9 ids of dead processes are not given to new ones (10^4 spawns)", async () => {
    const world = new World();
    const ids = new Set<string>();

    for (let round = 0; round < 10; round += 1) {
      for (let index = 0; index < 1000; index += 1) ids.add(String(world.self.spawn(() => {})));
      await world.settle();
    }

    expect(ids.size).toBe(10_000);
    expect(world.kernel.processesCount).toBe(1);
  });

  test("P10 exit(R) inside try can be caught; the process then goes on", async () => {
    const world = new World();

    world.self.spawnMonitor((self) => {
      try {
        self.exit("a");
      } catch {
        self.exit("caught");
      }
    });

    expect(await world.next()).toMatchObject({ reason: "caught" });
  });

  test("P11 a dead process's state is gone: info gives undefined", async () => {
    const world = new World();
    const pid = await world.deadPid();

    expect(world.self.info(pid)).toBeUndefined();
    expect(pid.process).toBeNull();
    expect(world.kernel.processes()).toEqual([world.self.pid]);
  });

  test("P12 the group of a crash is one process: siblings not linked go on", async () => {
    const world = new World();
    const sibling = world.self.spawn(idle);

    world.self.spawnMonitor(() => thrower(new Error("x")));
    await world.next();

    expect(world.self.isAlive(sibling)).toBe(true);
  });

  test("a process that ends before it has begun never begins", async () => {
    const world = new World();
    let ran = false;
    const { pid } = world.self.spawnMonitor(() => {
      ran = true;
    });

    world.self.exit(pid, "early");

    expect(await world.next()).toMatchObject({ reason: "early" });
    expect(ran).toBe(false);
  });

  test("what a body is given as args comes after self", async () => {
    const world = new World();

    const add = (self: AnyProcess, a: number, b: number): never => self.exit(a + b);
    world.self.spawnMonitor(add, { args: [1, 2] });

    expect(await world.next()).toMatchObject({ reason: 3 });
  });
});

describe("exit signals", () => {
  test("E1 exit(P,R) with another R ends a non-trapping process with R", async () => {
    const world = new World();
    const { pid } = world.self.spawnMonitor(idle);

    world.self.exit(pid, "r1");

    expect(await world.next()).toMatchObject({ type: "down", reason: "r1" });
  });

  test("E2 exit(P,normal) to another non-trapping process is ignored", async () => {
    const world = new World();
    const pid = world.self.spawn(idle);
    await world.settle();

    world.self.exit(pid, "normal");
    await world.settle();

    expect(world.self.isAlive(pid)).toBe(true);
  });

  test.each([
    ["E3 exit(P,normal) to a trapping process arrives as an exit message", "normal"],
    ["E9 a trapping process gets { type: exit, from, reason } as an ordinary message", "why"],
  ])("%s", async (_, reason) => {
    const world = new World();
    const { self } = world;
    const pid = self.spawn(trapper(self.pid));
    await world.settle();

    self.exit(pid, reason);

    expect(await world.next()).toEqual([pid, { type: "exit", from: self.pid, reason }]);
  });

  test.each([
    ["E4 exit(self,normal) ends a non-trapping caller with normal", "normal"],
    ["E12 exit(self,R) of a non-trapping process cannot be caught", "die"],
  ])("%s", async (_, reason) => {
    const world = new World();
    world.self.spawnMonitor(async (self) => {
      try {
        self.exit(self.pid, reason);
      } catch {
        // Like Erlang's catch: it does not help.
      }
      await self.yield();
      self.exit("survived");
    });

    expect(await world.next()).toMatchObject({ reason });
  });

  test("E5 exit(P,kill) cannot be trapped and the reason seen by others is killed", async () => {
    const world = new World();
    const { self } = world;
    const { pid } = self.spawnMonitor(trapper(self.pid));
    await world.settle();

    self.exit(pid, "kill");

    expect(await world.next()).toMatchObject({ type: "down", reason: "killed" });
  });

  test("E6 peers linked to a killed process get the signal killed, which can be trapped", async () => {
    const world = new World();
    world.self.trapExit(true);
    const pid = world.self.spawnLink(idle);

    world.self.exit(pid, "kill");

    expect(await world.next()).toEqual({ type: "exit", from: pid, reason: "killed" });
  });

  test("E7 a process that itself exits with kill sends kill by link; a trapping peer survives it", async () => {
    const world = new World();
    world.self.trapExit(true);

    const pid = world.self.spawnLink((self) => self.exit("kill"));

    expect(await world.next()).toEqual({ type: "exit", from: pid, reason: "kill" });
  });

  test("E8 kill through a link ends a non-trapping peer with reason kill, not killed", async () => {
    const world = new World();

    world.self.spawnMonitor(async (self) => {
      self.spawnLink((child) => child.exit("kill"));
      await self.receive();
    });

    expect(await world.next()).toMatchObject({ reason: "kill" });
  });

  test("E10 exit(P,R) to a dead pid returns true", async () => {
    const world = new World();
    const pid = await world.deadPid();

    expect(world.self.exit(pid, "x")).toBe(true);
  });

  test("E11 of two exit signals the first decides the reason", async () => {
    const world = new World();
    const { pid } = world.self.spawnMonitor(idle);

    world.self.exit(pid, "first");
    world.self.exit(pid, "second");

    expect(await world.all()).toMatchObject([{ reason: "first" }]);
  });

  test.each([
    ["E13 no code of the target runs after a fatal exit signal: finally blocks are not executed", "kill"],
    ["E14 the same holds for a trappable reason when the target does not trap", "shutdown"],
  ])("%s", async (_, reason) => {
    const world = new World();
    const { self } = world;
    let cleaned = 0;
    const waits: ((child: AnyProcess) => Promise<unknown>)[] = [
      (child) => child.receive(),
      (child) => child.receive(undefined, { timeoutMs: 50 }),
      (child) => child.request(self.pid, "anybody?", 50),
      (child) => child.wait(new Promise((resolve) => void setImmediate(resolve))),
      (child) => child.start(neverReady, { timeoutMs: 50 }),
    ];

    for (const wait of waits) {
      const { pid, ref } = self.spawnMonitor(async (child) => {
        try {
          self.kernel.send(self.pid, "waiting");
          await wait(child);
        } finally {
          cleaned += 1;
        }
      });
      await self.receive((message) => message === "waiting");
      self.exit(pid, reason);
      await self.receive((message) => (message as { ref?: unknown }).ref === ref);
    }
    await world.advance(100);

    expect(cleaned).toBe(0);
  });

  test("E15 trapExit set to false again restores the default behaviour", async () => {
    const world = new World();
    const { pid } = world.self.spawnMonitor(async (self) => {
      self.trapExit(true);
      self.trapExit(false);
      await idle(self);
    });
    await world.settle();

    world.self.exit(pid, "r");

    expect(await world.next()).toMatchObject({ type: "down", reason: "r" });
  });

  test("E16 trapExit returns the old value", () => {
    const { self } = new World();

    expect([self.trapExit(true), self.trapExit(false)]).toEqual([false, true]);
  });

  test("E17 exit signals interrupt a process in a computation (here: where it yields), not only in receive", async () => {
    const world = new World();
    let rounds = 0;
    const { pid } = world.self.spawnMonitor(async (self) => {
      for (;;) {
        rounds += 1;
        await self.yield();
      }
    });
    for (let turn = 0; turn < 10; turn += 1) await world.self.yield();

    world.self.exit(pid, "kill");
    const down = await world.self.receive();
    const roundsThen = rounds;
    for (let turn = 0; turn < 10; turn += 1) await world.self.yield();

    expect(down).toMatchObject({ reason: "killed" });
    expect(roundsThen).toBeGreaterThan(0);
    expect(rounds).toBe(roundsThen);
  });

  test("E18 exit signals and messages from one sender keep their order (message first, then death)", async () => {
    const world = new World();
    const { self } = world;
    const echo = async (child: AnyProcess): Promise<void> => {
      child.trapExit(true);
      for (;;) self.kernel.send(self.pid, await child.receive());
    };

    for (let index = 0; index < 100; index += 1) {
      const pid = self.spawn(echo);
      await world.settle();
      self.send(pid, "m");
      self.exit(pid, "r");
      expect(await self.receive()).toBe("m");
      expect(isExit(await self.receive(), self.pid)).toBe(true);
      self.exit(pid, "kill");
    }
  });

  test("a message and a fatal exit in one step: the exit wins, and nothing of the target is seen afterwards", async () => {
    const world = new World();
    const { self } = world;
    const { pid } = self.spawnMonitor(async (child) => {
      const message = await child.receive();
      child.send(self.pid, ["got", message]);
    });
    await world.settle();

    self.send(pid, "m");
    self.exit(pid, "r");

    expect(await world.all()).toMatchObject([{ type: "down", reason: "r" }]);
  });
});

const neverReady = defineProgram(idle, { acknowledges: true });

function thrower(value: unknown): never {
  throw value;
}
