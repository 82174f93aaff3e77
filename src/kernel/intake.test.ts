import { describe, expect, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { Kernel } from "./kernel.ts";
import { MailboxFullError, type Intake, type MailboxLimit } from "./mailbox.ts";
import type { AnyPid, Pid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { UncopyableError } from "./wire.ts";

/** Keeps strings, at most `bytesMax` characters. */
class Shelf implements Intake {
  readonly items: string[] = [];
  readonly bytesMax = 4;
  onRoom: (() => void) | null = null;

  get size(): number {
    return this.items.length;
  }

  take(message: unknown, forced = false): boolean {
    if (typeof message !== "string") throw new UncopyableError("message", "no text", "send a string");
    if (!forced && this.size > 0 && this.items.join("").length + message.length > this.bytesMax) return false;
    this.items.push(message);
    return true;
  }

  dropOldest(): boolean {
    return this.items.shift() !== undefined;
  }
}

const lines: string[] = [];
const platform = nodePlatform({ writeLine: (line) => void lines.push(line) });

function spawnShelf(
  kernel: Kernel,
  mailbox: MailboxLimit = {},
): { readonly shelf: Shelf; readonly pid: Pid<unknown>; readonly ended: Promise<unknown> } {
  const shelf = new Shelf();
  const stay = (self: { receive(): Promise<unknown> }): Promise<unknown> => self.receive();
  const pid = kernel.spawnLocal(null, stay, undefined, { mailbox, intake: shelf }) as Pid<unknown>;
  const watcher = kernel.attach();
  watcher.monitor(pid);
  return { shelf, pid, ended: watcher.receive() };
}

describe("intake", () => {
  test("takes messages in order, also before the process runs", () => {
    const kernel = new Kernel(platform);
    const { shelf, pid } = spawnShelf(kernel);

    kernel.send(pid, "a");
    kernel.send(pid, "b");

    expect(shelf.items).toEqual(["a", "b"]);
    expect(kernel.info(pid)?.messagesCount).toBe(2);
  });

  test("refuses in the sender, and nothing is sent", () => {
    const kernel = new Kernel(platform);
    const { shelf, pid } = spawnShelf(kernel);

    expect(() => kernel.attach().send(pid, 1)).toThrow(UncopyableError);
    expect(() => kernel.attach().send(pid, 1)).toThrow("message is no text");
    expect(shelf.size).toBe(0);
  });

  test("holds its sender with the policy block, until there is room", async () => {
    const kernel = new Kernel(platform);
    const { shelf, pid } = spawnShelf(kernel, { policy: "block" });
    const sender = kernel.attach();
    const wentOn: string[] = [];

    sender.send(pid, "abcd");
    sender.send(pid, "e");
    const held = sender.yield().then(() => wentOn.push("yield"));
    await new Promise((resolve) => void setImmediate(resolve));
    const before = [...wentOn];
    shelf.items.length = 0;
    shelf.onRoom?.();
    await held;

    expect([before, wentOn]).toEqual([[], ["yield"]]);
    expect(() => kernel.send(pid, "ab")).not.toThrow();
  });

  test("leaves the kernel's own messages to the mailbox", async () => {
    const kernel = new Kernel(platform);
    const shelf = new Shelf();
    const heard: unknown[] = [];
    const watcher = kernel.attach();
    const pid = kernel.spawnLocal(
      null,
      async (self) => {
        self.trapExit(true);
        heard.push(await self.receive());
      },
      undefined,
      { intake: shelf },
    );
    watcher.monitor(pid);
    await watcher.yield();

    watcher.exit(pid, "shutdown");

    expect(await watcher.receive()).toMatchObject({ type: "down", reason: "normal" });
    expect(heard).toEqual([{ type: "exit", from: watcher.pid, reason: "shutdown" }]);
    expect(shelf.size).toBe(0);
  });

  test("refuses a request, also where an idle reactor would answer at once", async () => {
    const kernel = new Kernel(platform);
    const reacted: unknown[] = [];
    const react = (self: AnyProcess): void => self.react((notice) => void reacted.push(notice));
    const pid = kernel.spawnLocal(null, react, undefined, { intake: new Shelf() });
    const caller = kernel.attach();
    await caller.yield();

    await expect(caller.request(pid, "a")).rejects.toThrow(UncopyableError);
    expect(reacted).toEqual([]);
  });

  test("takes one message of any size when it has none", () => {
    const kernel = new Kernel(platform);
    const { shelf, pid } = spawnShelf(kernel);

    kernel.send(pid, "longer than the limit");

    expect(shelf.items).toEqual(["longer than the limit"]);
  });
});

describe("a full intake", () => {
  test("ends the receiver by default", async () => {
    const kernel = new Kernel(platform);
    const { pid, ended } = spawnShelf(kernel);

    for (const text of ["abc", "de", "f"]) kernel.send(pid, text);

    expect(await ended).toMatchObject({ type: "down", reason: { tag: "mailboxFull", bytesMax: 4 } });
  });

  test("fails the sender where the policy says so", () => {
    const kernel = new Kernel(platform);
    const { shelf, pid } = spawnShelf(kernel, { policy: "failSender" });
    kernel.send(pid, "abc");

    expect(() => kernel.send(pid, "de")).toThrow(MailboxFullError);
    expect(() => kernel.send(pid, "de")).toThrow("(4 bytes); slow down or raise mailbox.bytesMax");
    expect(shelf.items).toEqual(["abc"]);
    expect(kernel.info(pid)?.droppedCount).toBe(2);
  });

  test.each([
    ["dropNewest", ["abc"], 1],
    ["dropOldest", ["defg"], 1],
  ] as const)("follows %s and counts", (policy, kept, droppedCount) => {
    const kernel = new Kernel(platform);
    const { shelf, pid } = spawnShelf(kernel, { policy });

    kernel.send(pid, "abc");
    kernel.send(pid, "defg");

    expect(shelf.items).toEqual(kept);
    expect(kernel.info(pid)?.droppedCount).toBe(droppedCount);
  });
});

describe("a message from another kernel that the intake refuses", () => {
  test("is dropped, counted and logged, and later ones arrive", async () => {
    const near = new Kernel(platform);
    const far = new Kernel(platform, { id: "0.1" });
    const down = near.connect("0.1", { send: (signal) => queueMicrotask(() => up.receive(signal)) });
    const up = far.connect("0", { send: (signal) => down.receive(signal) }, "uplink");
    const { shelf, pid } = spawnShelf(near);
    const farPid = far.decode(near.encode(pid)) as AnyPid;

    far.send(farPid, { no: "text" });
    far.send(farPid, "yes");

    expect(shelf.items).toEqual(["yes"]);
    expect(near.info(pid)?.droppedCount).toBe(1);
    expect(lines.at(-1)).toContain("was dropped: message is no text");
  });
});
