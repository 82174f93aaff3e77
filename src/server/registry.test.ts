/** Registries: unique and duplicate keys, values, ends, starting via a key, other kernels, limits. */
import { describe, expect, test } from "vitest";
import { isDown } from "../kernel/message.ts";
import type { AnyPid } from "../kernel/pid.ts";
import { StartError, type AnyProcess } from "../kernel/process.ts";
import { handOver, pair } from "../testing/tied-worlds.ts";
import { deferred, idle, World } from "../testing/world.ts";
import { defineRegistry, Registry, startRegistry, via, registryWaitersMax, type RegistryOptions } from "./registry.ts";
import { call, defineServer, ignore, startServer, stop } from "./server.ts";

type Names = Registry<unknown, unknown>;

/** A world with a registry called `names`, as the test and as further processes see it. */
async function scene(
  options: Partial<RegistryOptions> = {},
): Promise<{ world: World; self: AnyProcess; names: Names; as: (self: AnyProcess) => Names }> {
  const world = new World();
  await startRegistry(world.self, { keys: "unique", name: "names", ...options });
  const as = (self: AnyProcess): Names => new Registry(self, "names");
  return { world, self: world.self, names: as(world.self), as };
}

/** A process that registers `keys` and waits. */
async function member(world: World, ...keys: readonly (readonly [key: unknown, value?: unknown])[]): Promise<AnyPid> {
  const registered = deferred();
  const pid = world.self.spawn(async (self) => {
    const names: Names = new Registry(self, "names");
    for (const [key, value] of keys) await names.register(key, value);
    registered.resolve();
    await idle(self);
  });
  await registered.promise;
  return pid;
}

async function startReason(start: Promise<unknown>): Promise<unknown> {
  const error: unknown = await start.then(
    () => "started",
    (thrown: unknown) => thrown,
  );
  return error instanceof StartError ? error.reason : error;
}

describe("a registry with unique keys", () => {
  test("gives a key to one process, with its value", async () => {
    const { world, self, names } = await scene();
    const holder = await member(world, ["a", 1]);

    expect(await names.register("a", 2)).toEqual({ ok: false, error: { tag: "alreadyRegistered", pid: holder } });
    expect(await names.register("b", 3)).toEqual({ ok: true, value: self.whereis("names") });
    expect(await names.lookup("a")).toEqual([{ pid: holder, value: 1 }]);
    expect(await names.whereis("b")).toBe(self.pid);
    expect(await names.lookup("c")).toEqual([]);
    expect(await names.count()).toBe(2);
  });

  test("does not let a process register a key of its own again", async () => {
    const { self, names } = await scene();
    await names.register("a", 1);

    expect(await names.register("a", 2)).toEqual({ ok: false, error: { tag: "alreadyRegistered", pid: self.pid } });
    expect(await names.values("a")).toEqual([1]);
  });

  test("of many that ask for a key at the same time, one gets it", async () => {
    const { world } = await scene();
    const results: boolean[] = [];
    for (let count = 0; count < 100; count += 1) {
      world.self.spawn(async (self) => {
        const { ok } = await new Registry<string>(self, "names").register("one");
        results.push(ok);
        await idle(self);
      });
    }
    await world.settle();

    expect(results.filter(Boolean)).toHaveLength(1);
    expect(results).toHaveLength(100);
  });

  test("finds structured keys by what they say", async () => {
    const { world, names } = await scene();
    const room = await member(world, [{ room: 1, floor: [2] }, "value"]);

    expect(await names.whereis({ floor: [2], room: 1 })).toBe(room);
    expect(await names.whereis({ floor: [2] })).toBeUndefined();
    expect(await names.keys(room)).toEqual([{ room: 1, floor: [2] }]);
  });

  test("refuses a key that is none in the caller, and lives on", async () => {
    const { names } = await scene();

    await expect(names.register(new Date(0), 1)).rejects.toThrow("a Date is no key");
    expect(await names.count()).toBe(0);
  });

  test("only who registered a key unregisters it", async () => {
    const { world, self, names } = await scene();
    const holder = await member(world, ["a", 1]);
    await names.register("b", 2);

    await names.unregister("a");
    await names.unregister("b");
    await names.unregister("c");

    expect([await names.whereis("a"), await names.whereis("b")]).toEqual([holder, undefined]);
    expect(await names.register("b", 3)).toMatchObject({ ok: true });
    expect(await names.whereis("b")).toBe(self.pid);
  });

  test("updates the value of its holder only, also when updates overlap", async () => {
    const { world, names } = await scene();
    await member(world, ["other", 1]);
    await names.register("mine", 1);

    const increment = (value: unknown): number => Number(value) + 1;
    await Promise.all([names.updateValue("mine", increment), names.updateValue("mine", increment)]);

    expect(await names.updateValue("mine", increment)).toEqual({ value: 4, old: 3 });
    expect(await names.updateValue("other", increment)).toBeUndefined();
    expect(await names.updateValue("none", increment)).toBeUndefined();
  });
});

describe("a registry with duplicate keys", () => {
  test("keeps all registrations in order, of one process too", async () => {
    const { world, names } = await scene({ keys: "duplicate" });
    const a = await member(world, ["topic", 1], ["topic", 2]);
    const b = await member(world, ["topic", 3]);

    expect(await names.lookup("topic")).toEqual([
      { pid: a, value: 1 },
      { pid: a, value: 2 },
      { pid: b, value: 3 },
    ]);
    expect([await names.keys(a), await names.values("topic", a)]).toEqual([
      ["topic", "topic"],
      [1, 2],
    ]);
  });

  test("dispatches to all, and not to nobody", async () => {
    const { world, names } = await scene({ keys: "duplicate" });
    const pids = [await member(world, ["topic"]), await member(world, ["topic"])];

    expect(await names.dispatch("topic", (entries) => entries.map(({ pid }) => pid))).toEqual(pids);
    expect(await names.dispatch("other", () => "called")).toBeUndefined();
  });

  test("matches values, and unregisters those that match", async () => {
    const { names } = await scene({ keys: "duplicate" });
    const values = [{ kind: "a", at: [1, 2] }, { kind: "b", at: [1, 3] }, "a", { at: [1] }];
    for (const value of values) await names.register("k", value);
    const matching = async (pattern: unknown): Promise<unknown[]> =>
      (await names.match("k", pattern)).map(({ value }) => value);

    expect(await matching({ at: [1] })).toEqual([values[0], values[1], values[3]]);
    expect(await matching({ kind: "a" })).toEqual([values[0]]);
    expect(await matching("a")).toEqual(["a"]);
    expect(await matching({ kind: undefined })).toEqual([]);
    await names.unregisterMatch("k", { at: [1] });
    expect(await names.values("k")).toEqual(["a"]);
  });

  test("has no values to update", async () => {
    const { names } = await scene({ keys: "duplicate" });

    await expect(names.updateValue("k", (value) => value)).rejects.toThrow("needs a registry with unique keys");
  });
});

describe("the end of a registered process", () => {
  test("takes all that it registered, before those who watch it learn of it (N18)", async () => {
    const { world, self, names } = await scene({ keys: "duplicate" });
    const pid = await member(world, ["a"], ["a"], ["b"]);
    await names.register("a", 1);
    const ref = self.monitor(pid);

    self.exit(pid, "kill");
    await self.receive((message) => isDown(message, ref));

    expect(await names.lookup("a")).toEqual([{ pid: self.pid, value: 1 }]);
    expect([await names.lookup("b"), await names.keys(pid), await names.count()]).toEqual([[], [], 1]);
  });

  test("frees its key at once, also while what it holds takes time to close", async () => {
    const { world, self, names } = await scene();
    const open = deferred();
    const pid = await member(world, ["a"]);
    pid.process?.own({ close: () => open.promise });

    self.exit(pid, "kill");

    expect(await names.register("a", 2)).toMatchObject({ ok: true });
    open.resolve();
  });

  test("leaves nothing behind: neither watches nor handles", async () => {
    const { world, self, names } = await scene();
    const server = self.whereis("names")!;
    const pid = await member(world, ["a"]);
    self.exit(pid, "kill");
    for (let count = 0; count < 100; count += 1) {
      await names.register("a", 1);
      await names.unregister("a");
    }

    expect(self.info(server)?.monitors).toEqual([]);
    expect(self.extra?.handles?.size ?? 0).toBe(0);
  });

  test("of the registry: registered processes live on, and a new registry begins empty", async () => {
    const { world, self } = await scene();
    const pid = await member(world, ["a"]);
    self.trapExit(true);
    self.exit(self.whereis("names")!, "kill");
    await world.settle();

    await startRegistry(self, { keys: "unique", name: "names" });

    expect(await new Registry(self, "names").count()).toBe(0);
    expect(self.isAlive(pid)).toBe(true);
    expect(pid.process?.extra?.handles?.size).toBe(0);
  });
});

describe("via", () => {
  const echo = defineServer((self) => ({ handleCall: (request: unknown) => [self.pid, request] }));

  test("a server started via a key has it, and is called and told by it", async () => {
    const { world, self, names } = await scene();
    const pid = await self.start(echo, { via: via("names", "echo", "its value") });

    expect(await names.call("echo", 1)).toEqual([pid, 1]);
    expect(await names.lookup("echo")).toEqual([{ pid, value: "its value" }]);
    await expect(names.call("nobody", 1)).rejects.toMatchObject({ reason: { tag: "call", reason: "noproc" } });
    await names.cast("nobody", 1);
    expect(await names.send("nobody", 1)).toBe(false);
    await names.register("test", 0);
    expect(await names.send("test", "hello")).toBe(true);
    expect(await world.all()).toEqual(["hello"]);
  });

  test("it is registered before its init runs", async () => {
    const { self, names } = await scene();
    const seen: unknown[] = [];

    const pid = await startServer(
      self,
      (own) => ({ init: async () => void seen.push(await new Registry(own, "names").whereis("k")) }),
      { via: via("names", "k") },
    );

    expect(seen).toEqual([pid]);
    expect(await names.count()).toBe(1);
  });

  test("a taken key: alreadyStarted with who has it, and nothing is started", async () => {
    const { world, self } = await scene();
    const pid = await self.start(echo, { via: via("names", "echo") });
    const before = world.kernel.processesCount;

    const reason = await startReason(self.start(echo, { via: via("names", "echo") }));

    expect(reason).toEqual({ tag: "alreadyStarted", pid });
    expect(world.kernel.processesCount).toBe(before);
  });

  test("of many started at the same time via one key, one starts and all others learn its pid", async () => {
    const { world, self, names } = await scene();
    const starts = Array.from({ length: 50 }, () => startReason(self.start(echo, { via: via("names", "k") })));

    const reasons = await Promise.all(starts);
    await world.settle();

    const pid = await names.whereis("k");
    expect(reasons.filter((reason) => reason === "started")).toHaveLength(1);
    const refused = reasons.filter((reason) => reason !== "started");
    expect(refused).toEqual(Array.from({ length: 49 }, () => ({ tag: "alreadyStarted", pid })));
  });

  test.each([
    ["ignores", ignore],
    ["stops", stop("no")],
  ])("a server whose init %s frees its key", async (_, outcome) => {
    const { self, names } = await scene();
    self.trapExit(true);

    await startReason(startServer(self, () => ({ init: () => outcome }), { via: via("names", "k") }));

    expect(await names.count()).toBe(0);
    expect(await names.register("k", 1)).toMatchObject({ ok: true });
  });

  test("a start that is refused after the claim gives the key back", async () => {
    const { self, names } = await scene();

    await expect(self.start(echo, { carrier: "balloon", via: via("names", "k") })).rejects.toThrow("no carrier");

    expect(await names.register("k", 1)).toMatchObject({ ok: true });
  });

  test("without its registry nothing is started", async () => {
    const { self } = await scene();

    const reason = await startReason(self.start(echo, { via: via("absent", "k") }));

    expect(reason).toMatchObject({ tag: "call", reason: "noproc" });
  });

  test("who asks for a key while somebody is about to start under it waits for the outcome", async () => {
    const { world, names, as } = await scene();
    const other = world.kernel.attach();
    const claim = await via("names", "k").claim(other);
    const registering = names.register("k", 1);
    const claiming = startReason(via("names", "k").claim(world.self));
    await world.settle();
    const during = await names.lookup("k");

    const started = world.self.spawn(idle);
    claim.assign(started);

    const taken = { tag: "alreadyRegistered", pid: started };
    expect([during, await registering]).toEqual([[], { ok: false, error: taken }]);
    expect(await claiming).toEqual({ tag: "alreadyStarted", pid: started });
    expect(await as(other).whereis("k")).toBe(started);
  });

  test("the end of who claimed a key lets the next one have it", async () => {
    const { world, names } = await scene();
    const other = world.kernel.attach();
    await via("names", "k").claim(other);
    const registering = names.register("k", 1);
    await world.settle();

    world.kernel.end(other, "gone");

    expect(await registering).toMatchObject({ ok: true });
  });
});

describe("from other kernels", () => {
  test("processes register themselves, are found, and are gone with their end", async () => {
    const { root, child } = pair();
    await startRegistry(root.self, { keys: "unique", name: "names" });
    const there = child.kernel.attach();
    const names = new Registry<string, number>(root.self, "names");
    await new Registry<string, number>(there, "names").register("far", 7);
    const ref = root.self.monitor(handOver(there.pid, child, root));

    const found = await names.lookup("far");
    child.kernel.end(there, "over");
    await root.self.receive((message) => isDown(message, ref));

    expect(found).toEqual([{ pid: handOver(there.pid, child, root), value: 7 }]);
    expect(await names.lookup("far")).toEqual([]);
  });

  test("an end that another watcher learns of first has taken the key already", async () => {
    const { root, child } = pair();
    const there = child.kernel.attach();
    const pid = handOver(there.pid, child, root);
    const ref = root.self.monitor(pid);
    await startRegistry(root.self, { keys: "unique", name: "names" });
    await new Registry<string>(there, "names").register("far");

    child.kernel.end(there, "over");
    await root.self.receive((message) => isDown(message, ref));

    expect(await new Registry(root.self, "names").count()).toBe(0);
  });

  test("the loss of their carrier takes all that they registered", async () => {
    const { root, child, line } = pair();
    await startRegistry(root.self, { keys: "duplicate", name: "names" });
    for (const key of ["a", "b"]) await new Registry<string>(child.kernel.attach(), "names").register(key);
    const names = new Registry<string>(root.self, "names");
    await names.register("a");

    line.cut("gone");

    expect([await names.count(), await names.lookup("b")]).toEqual([1, []]);
  });

  test("a value that cannot be copied is refused to them, and the registry lives on", async () => {
    const { root, child } = pair();
    await startRegistry(root.self, { keys: "unique", name: "names" });
    await new Registry<string, () => void>(root.self, "names").register("k", () => {});

    await expect(new Registry(child.self, "names").lookup("k")).rejects.toThrow("is a function");
    expect(await new Registry(child.self, "names").count()).toBe(1);
  });

  test("a server can be started there via a key, and called from here by it", async () => {
    const { root, child } = pair();
    await startRegistry(root.self, { keys: "unique", name: "names" });

    await startServer(child.self, () => ({ handleCall: (step: number) => step + 1 }), {
      via: via("names", ["far", 1]),
    });
    await root.settle();

    expect(await new Registry(root.self, "names").call(["far", 1], 4)).toBe(5);
    const again = startServer(root.self, () => ({}), { via: via("names", ["far", 1]) });
    expect(await startReason(again)).toMatchObject({ tag: "alreadyStarted" });
  });
});

describe("listeners and limits", () => {
  test("listeners learn of what comes and goes", async () => {
    const world = new World();
    const listeners = [world.self.pid, "nobody"];
    const registry = await startRegistry(world.self, { keys: "unique", name: "names", listeners });
    const pid = await member(world, ["a", 1]);

    world.self.exit(pid, "kill");

    expect(await world.all()).toEqual([
      { type: "registered", registry, key: "a", pid, value: 1 },
      { type: "unregistered", registry, key: "a", pid },
    ]);
  });

  test("a full registry refuses, and takes again when there is room", async () => {
    const { names } = await scene({ entriesMax: 2 });
    for (const key of ["a", "b"]) await names.register(key, 0);

    expect(await names.register("c", 0)).toEqual({ ok: false, error: { tag: "registryFull", entriesMax: 2 } });
    await names.unregister("a");
    expect(await names.register("c", 0)).toMatchObject({ ok: true });
  });

  test("so many may wait for one key, and no more", async () => {
    const { world, names } = await scene();
    const claim = await via("names", "k").claim(world.kernel.attach());
    const waiting = Array.from({ length: registryWaitersMax }, () => names.register("k", 1));

    expect(await names.register("k", 1)).toEqual({
      ok: false,
      error: { tag: "tooManyWait", waitersMax: registryWaitersMax },
    });
    claim.release();
    expect((await Promise.all(waiting)).filter(({ ok }) => ok)).toHaveLength(1);
  });

  test("what is no request is refused, and the registry lives on", async () => {
    const { self, names } = await scene();

    for (const request of [null, 7, {}, { registry: "explode" }]) {
      expect(await call(self, "names", request)).toMatchObject({ tag: "refused" });
    }
    const loop: unknown[] = [];
    loop.push(loop);
    await names.register("k", loop);
    const other: unknown[] = [];
    other.push(other);
    await expect(names.match("k", other)).rejects.toThrow("call stack");
    expect(await names.count()).toBe(1);
  });

  test("a registry is a program for a supervisor", async () => {
    const world = new World();

    const pid = await world.self.start(defineRegistry({ keys: "unique" }));

    expect(await new Registry(world.self, pid).count()).toBe(0);
  });

  test.each([
    [undefined, `a registry's keys are "unique" or "duplicate", not undefined`],
    [{ keys: "uniqe" }, `a registry's keys are "unique" or "duplicate", not "uniqe"`],
    [{ keys: "unique", entriesMax: Number.NaN }, "entriesMax is a whole number of at least 1, not NaN"],
    [{ keys: "unique", listeners: "log" }, `a registry's listeners are a list of pids and names, not "log"`],
  ])("options that make no sense are refused with a sentence: %j", (options, sentence) => {
    expect(() => defineRegistry(options as never)).toThrow(sentence);
  });

  test("says in sentences what a key, a holder and a limit are", async () => {
    const { self, names } = await scene();
    const start = (key: unknown, registry = "names") =>
      startServer(self, () => ({}), { link: false, via: via(registry, key) });
    await start([1n, "a"]);

    await expect(start([1n, "a"])).rejects.toThrow(/^names\/\["1","a"\] is not free: the key belongs to <0:\d+>$/);
    await expect(names.call({ big: 2n }, "ask")).rejects.toThrow(/^a call to names\/\{"big":"2"\} failed \(noproc\)$/);
    await expect(start("b", "nobody")).rejects.toThrow("nobody/b was not given out: a call to nobody failed (noproc)");
    await startRegistry(self, { keys: "duplicate", name: "many" });
    await expect(new Registry<string>(self, "many").updateValue("a", () => {})).rejects.toThrow(
      /^updateValue needs a registry with unique keys$/,
    );
  });
});
