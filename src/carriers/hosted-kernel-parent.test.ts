/**
 * The parent's side of a hosted kernel, with a carrier that a test plays.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { boundlessState } from "../kernel/connection.ts";
import { Kernel } from "../kernel/kernel.ts";
import type { DownMessage } from "../kernel/message.ts";
import { program } from "../kernel/program.ts";
import { VirtualPlatform } from "../testing/virtual-platform.ts";
import { carrierExitMs, HostedKernelParent, prepare, signalsWaitingMax } from "./hosted-kernel-parent.ts";
import { waitingMaxBytesDefault, windowBytesDefault } from "./hosted-kernel-outbox.ts";
import type { Item } from "./hosted-kernel.ts";

class Scene {
  readonly platform = new VirtualPlatform();
  readonly kernel = new Kernel(this.platform);
  readonly self = this.kernel.attach<unknown>();
  readonly hosted = new HostedKernelParent(this.kernel);
  readonly sent: Item[] = [];
  killsCount = 0;
  resolve: (url: string) => void = () => {};

  constructor(killSilences = false) {
    const request = { program: program("file:///program.js"), options: {}, parent: this.self.pid, starter: null };
    this.hosted.carry(
      {
        killSilences,
        hasRoom: true,
        state: boundlessState,
        send: (item) => this.sent.push(item),
        kill: () => (this.killsCount += 1),
      },
      prepare(this.kernel, request as never, "played"),
      { resolve: () => new Promise((resolve) => (this.resolve = resolve)) },
    );
    this.self.monitor(this.hosted.pid);
  }

  /** Boots, and forgets what was sent so far. */
  async boot(): Promise<void> {
    this.resolve("file:///program.js");
    await this.platform.settle();
    this.sent.length = 0;
  }

  /** The item by which the program's process tells of its end. */
  down(reason: unknown): Item {
    const [ref] = this.self.monitors ?? [];
    return ["down", this.kernel.id, ref?.serial ?? 0, reason];
  }

  /** Reasons of all down messages so far. */
  async downReasons(): Promise<unknown[]> {
    await this.platform.settle();
    return (this.self.mailbox?.peek(10) ?? []).map((message) => (message as DownMessage).reason);
  }
}

describe("signals for a program whose file is not resolved yet", () => {
  test("wait, and follow the boot in order", async () => {
    const scene = new Scene();
    scene.self.send(scene.hosted.pid as never, "one");
    scene.self.send(scene.hosted.pid as never, "two");
    expect(scene.sent).toEqual([]);

    scene.resolve("file:///program.js");
    await scene.platform.settle();

    expect(scene.sent.map(([kind]) => kind)).toEqual(["boot", "monitor", "message", "message"]);
    expect(scene.sent.slice(2).map((item) => item[3])).toEqual(["one", "two"]);
  });

  test("are bounded: one too many, and the carrier is lost", async () => {
    const scene = new Scene();

    for (let count = 0; count < signalsWaitingMax; count += 1) scene.hosted.send(["message", "0.1", 1, count]);
    scene.hosted.exited({ tag: "signal", name: "SIGKILL" });

    expect(scene.killsCount).toBe(1);
    const cause = { tag: "channelFull", signalsWaitingMax };
    expect(await scene.downReasons()).toMatchObject([{ tag: "carrierDown", cause }]);
  });

  test("are bounded in bytes: from a window on senders are held, and too many end the carrier", async () => {
    const scene = new Scene();
    const add = (sizeBytes: number): void => scene.hosted.send(["message", "0.1", 1, "large"], sizeBytes);

    add(windowBytesDefault - scene.hosted.state.waitingBytes - 1);
    const before = scene.hosted.hasRoom;
    add(1);
    const after = scene.hosted.hasRoom;
    add(waitingMaxBytesDefault - windowBytesDefault);
    const killsBefore = scene.killsCount;
    add(1);

    expect([before, after, killsBefore, scene.killsCount]).toEqual([true, false, 0, 1]);
  });

  test("hold their senders until the boot is sent", async () => {
    const scene = new Scene();
    scene.self.send(scene.hosted.pid as never, "x".repeat(windowBytesDefault));
    let wentOn = false;
    void scene.self.yield().then(() => (wentOn = true));
    await scene.platform.settle();
    const before = wentOn;

    scene.resolve("file:///program.js");
    await scene.platform.settle();

    expect([before, wentOn]).toEqual([false, true]);
  });
});

describe("the end of a program", () => {
  test("is told when its carrier is gone, with what was said after it", async () => {
    const scene = new Scene();
    await scene.boot();

    scene.hosted.receive([["ending"], scene.down("done"), ["goodbye", true, "done"]]);
    const before = await scene.downReasons();
    scene.hosted.exited({ tag: "exitStatus", code: 0 });

    expect([before, await scene.downReasons()]).toEqual([[], ["done"]]);
  });

  test("has the reason of its goodbye when it could not tell all by itself", async () => {
    const scene = new Scene();
    await scene.boot();

    scene.hosted.receive([["ending"], ["goodbye", false, { tag: "exitStatus", code: 3 }]]);
    scene.hosted.exited({ tag: "exitStatus", code: 3 });

    expect(await scene.downReasons()).toEqual([{ tag: "exitStatus", code: 3 }]);
  });

  test("without a goodbye is the loss of its carrier", async () => {
    const scene = new Scene();
    await scene.boot();

    scene.hosted.exited({ tag: "signal", name: "SIGSEGV" });

    const cause = { tag: "signal", name: "SIGSEGV" };
    expect(await scene.downReasons()).toEqual([{ tag: "carrierDown", cause }]);
  });

  test.each([
    ["SIGTERM is its stop's reason", "SIGTERM", "shutdown"],
    [
      "another OS signal is the loss of its carrier",
      "SIGSEGV",
      { tag: "carrierDown", cause: { tag: "signal", name: "SIGSEGV" } },
    ],
  ])("of a stopping script by %s", async (_, name, reason) => {
    const scene = new Scene();
    await scene.boot();

    scene.hosted.receive([["stopping", "shutdown"]]);
    scene.hosted.exited({ tag: "signal", name });

    expect(await scene.downReasons()).toEqual([reason]);
  });
});

describe("kill", () => {
  test("of a carrier that it silences is told at once", async () => {
    const scene = new Scene(true);
    await scene.boot();

    scene.self.exit(scene.hosted.pid, "kill");

    expect(await scene.downReasons()).toEqual(["killed"]);
  });

  test("of another carrier is told when it is gone, and nothing that it still says", async () => {
    const scene = new Scene();
    await scene.boot();

    scene.self.exit(scene.hosted.pid, "kill");
    scene.hosted.receive([["message", scene.kernel.id, scene.self.pid.serial, "too late"]]);
    const before = await scene.downReasons();
    scene.hosted.exited({ tag: "signal", name: "SIGKILL" });

    expect([before, await scene.downReasons()]).toEqual([[], ["killed"]]);
  });

  test("of one that has just ended by itself leaves its reason", async () => {
    const scene = new Scene(true);
    await scene.boot();
    scene.hosted.receive([["ending"], scene.down("done")]);

    scene.self.exit(scene.hosted.pid, "kill");

    expect(await scene.downReasons()).toEqual(["done"]);
  });

  test("of one that stays is reported as carrier_stuck, and its end is told", async () => {
    const scene = new Scene();
    await scene.boot();

    scene.self.exit(scene.hosted.pid, "kill");
    await scene.platform.advance(2 * carrierExitMs);

    expect(await scene.downReasons()).toEqual(["killed"]);
    expect(scene.platform.logged).toMatchObject([{ level: "error", message: /^carrier_stuck/ }]);
  });
});

test("a carrier that stays after its program's goodbye is ended by force", async () => {
  const scene = new Scene();
  await scene.boot();
  scene.hosted.receive([["ending"], scene.down("normal"), ["goodbye", true, "normal"]]);

  await scene.platform.advance(carrierExitMs);

  expect(scene.killsCount).toBe(1);
});

test("a carrier that sends what no kernel sends is ended by force", async () => {
  const scene = new Scene(true);
  await scene.boot();

  scene.hosted.receive([["message", scene.kernel.id, scene.self.pid.serial, { "~": ["unheard of"] }]]);

  const cause = { tag: "protocol", description: expect.stringContaining("unheard of") as string };
  expect(await scene.downReasons()).toEqual([{ tag: "carrierDown", cause }]);
});
