/**
 * Two kernels in one heap, tied by channels in memory: what a kernel guarantees about its neighbours.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import type { Connection } from "./connection.ts";
import { Kernel } from "./kernel.ts";
import type { DownMessage } from "./message.ts";
import type { AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { MessageTooLargeError, type Signal } from "./signal.ts";

interface Tie {
  readonly toChild: Connection;
  readonly toParent: Connection;
}

function tie(parent: Kernel, child: Kernel): Tie {
  const toParent: Connection = child.connect(
    parent.id,
    { send: (signal: Signal) => queueMicrotask(() => toChild.receive(signal)) },
    "uplink",
  );
  const toChild: Connection = parent.connect(child.id, {
    send: (signal: Signal) => queueMicrotask(() => toParent.receive(signal)),
  });
  return { toChild, toParent };
}

function family(): { root: Kernel; child: Kernel; main: AnyProcess; rootPid: AnyPid } & Tie {
  const platform = nodePlatform();
  const root = new Kernel(platform);
  const child = new Kernel(platform, { id: root.newChildId() });
  const ties = tie(root, child);
  const rootProcess = root.attach();
  root.encode(rootProcess.pid);
  const rootPid = child.decode(root.encode(rootProcess.pid)) as AnyPid;
  const { process: main, begin } = child.spawnMain(rootPid, null, {});
  begin(() => new Promise(() => {}));
  return { root, child, main, rootPid, ...ties };
}

describe("a kernel that loses the one above it", () => {
  test("keeps the links and monitors among its own processes", async () => {
    const { child, toParent } = family();
    const watcher = child.attach<DownMessage>();
    const watched = watcher.spawnLink(() => new Promise(() => {}));
    watcher.monitor(watched);

    toParent.lost("gone");

    expect(watcher.isAlive(watched)).toBe(true);
    expect(watcher.info()?.links).toEqual([watched]);
    expect(await watcher.receive(undefined, { timeoutMs: 0 })).toBeTypeOf("symbol");
  });

  test("tells its processes the end of those above, and the kernels below it too", async () => {
    const { root, child, rootPid, toParent } = family();
    const grandchild = new Kernel(nodePlatform(), { id: child.newChildId() });
    tie(child, grandchild);
    const near = child.attach<DownMessage>();
    const far = grandchild.attach<DownMessage>();
    const farTarget = grandchild.decode(root.encode(root.attach().pid)) as AnyPid;
    const farSibling = grandchild.decode(child.encode(near.pid)) as AnyPid;
    near.monitor(rootPid);
    far.monitor(farTarget);
    far.monitor(farSibling);

    toParent.lost("gone");

    const reason = { tag: "carrierDown", cause: "gone" };
    expect(await near.receive()).toMatchObject({ type: "down", from: rootPid, reason });
    expect(await far.receive()).toMatchObject({ type: "down", from: farTarget, reason });
    expect(far.info()?.monitors).toEqual([farSibling]);
  });

  test("tells the end of what was asked for by name and not found yet, also in the kernels below it", async () => {
    const { child, toParent } = family();
    const grandchild = new Kernel(nodePlatform(), { id: child.newChildId() });
    tie(child, grandchild);
    const near = child.attach<DownMessage>();
    const far = grandchild.attach<DownMessage>();
    const refs = [near.monitor("far up"), far.monitor("far up")];
    const failed = far.request("far up", "?", Infinity).catch((failure: unknown) => failure);

    toParent.lost("gone");

    const reason = { tag: "carrierDown", cause: "gone" };
    expect(await near.receive()).toEqual({ type: "down", ref: refs[0], from: "far up", reason });
    expect(await far.receive()).toEqual({ type: "down", ref: refs[1], from: "far up", reason });
    expect(await failed).toMatchObject({ reason: { tag: "call", reason, to: "far up" } });
  });
});

describe("a name that nobody has, asked for from another kernel", () => {
  function asked(send: (self: AnyProcess) => unknown): { outcome: unknown; lines: readonly string[] } {
    const lines: string[] = [];
    const root = new Kernel(nodePlatform({ writeLine: (line) => lines.push(line) }));
    const child = new Kernel(nodePlatform(), { id: root.newChildId() });
    tie(root, child);
    return { outcome: send(child.attach()), lines };
  }

  test("fails a call with noproc, and there is nothing to warn of", async () => {
    const { outcome, lines } = asked((self) => self.request("nobody", "hello"));

    await expect(outcome).rejects.toMatchObject({ reason: { tag: "call", reason: "noproc", to: "nobody" } });
    expect(lines).toEqual([]);
  });

  test("swallows a message, with a warning", async () => {
    const { outcome, lines } = asked(async (self) => {
      self.send("nobody", "hello");
      await self.request("nobody", "hello").catch(() => {});
    });

    await outcome;

    expect(lines).toEqual(['colos warning: a message to "nobody" was dropped: nobody has that name']);
  });
});

describe("a channel that refuses a message", () => {
  test("fails the sender, and not a kernel in between", () => {
    const lines: string[] = [];
    const root = new Kernel(nodePlatform({ writeLine: (line) => lines.push(line) }));
    const refuse = (): never => {
      throw new MessageTooLargeError(11, 10);
    };
    const id = root.newChildId();
    root.connect(id, { send: refuse });
    const from = root.connect(root.newChildId(), { send: () => {} });

    expect(() => root.send(root.mainPidOf(id), "big")).toThrow("11 bytes is larger");
    from.receive(["message", id, 1, "big"]);

    expect(lines).toEqual([expect.stringContaining("was dropped")]);
  });
});

describe("the name of a process of another kernel", () => {
  test.each(["monitor", "link"] as const)("is free when a %s made before the name tells of its end", async (how) => {
    const { root, child, main } = family();
    const watcher = root.attach();
    watcher.trapExit(true);
    const mainPid = root.decode(child.encode(main.pid)) as AnyPid;
    watcher[how](mainPid);
    watcher.register("main", mainPid);

    await watcher.yield();
    child.end(main, "shutdown");

    expect(await watcher.receive()).toMatchObject({ reason: "shutdown" });
    expect(watcher.whereis("main")).toBeUndefined();
  });

  test("is free when the loss of that kernel is told", async () => {
    const { root, child, main, toChild } = family();
    const watcher = root.attach();
    const mainPid = root.decode(child.encode(main.pid)) as AnyPid;
    watcher.register("main", mainPid);
    watcher.monitor(mainPid);

    toChild.lost("gone");

    expect(await watcher.receive()).toMatchObject({ reason: { tag: "carrierDown" } });
    expect(watcher.whereis("main")).toBeUndefined();
  });

  test("can be taken again at once", async () => {
    const { root, child, main } = family();
    const watcher = root.attach();
    const mainPid = root.decode(child.encode(main.pid)) as AnyPid;
    watcher.monitor(mainPid);
    watcher.register("main", mainPid);
    await watcher.yield();
    child.end(main, "shutdown");
    await watcher.receive();

    watcher.register("main");
    await watcher.yield();

    expect(watcher.whereis("main")).toBe(watcher.pid);
  });
});
