/**
 * The carriers that host a kernel of their own, thread and os-process: what they guarantee beyond the carrier contract.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  createSystem,
  isDown,
  MessageTooLargeError,
  nodePlatform,
  program,
  threadCarrier,
  UncopyableError,
  type AnyPid,
  type DownMessage,
  type OutputMessage,
  type Process,
  type SpawnOptions,
} from "colos";
import { describe, expect, test } from "vitest";
import { needsLinux } from "./debian.ts";
import { gone } from "./system/os-processes.ts";

const linux = needsLinux();
const hosts = ["thread", "os-process"] as const;
const file = (name: string): ReturnType<typeof program<unknown>> => program(`./programs/${name}`, import.meta.url);
const answer = program<readonly [AnyPid | "exit", unknown]>("./programs/answer.ts", import.meta.url);
const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });

/** Runs a program to its end: all that it said, and its reason. */
async function run(
  name: string,
  carrier: string,
  more: (self: Process<unknown>) => SpawnOptions = () => ({}),
): Promise<{ readonly reason: unknown; readonly messages: unknown[]; readonly output: string }> {
  const self = kernel.attach<unknown>();
  const { ref } = self.spawnMonitor(file(name), { carrier, output: self.pid, ...more(self) });
  return untilDown(self, ref);
}

async function untilDown(
  self: Process<unknown>,
  ref: DownMessage["ref"],
): Promise<{ readonly reason: unknown; readonly messages: unknown[]; readonly output: string }> {
  const messages: unknown[] = [];
  let output = "";
  for (;;) {
    const message = await self.receive();
    if (isDown(message, ref)) return { reason: message.reason, messages, output };
    if (isOutput(message)) output += new TextDecoder().decode(message.data);
    else messages.push(message);
  }
}

function isOutput(message: unknown): message is OutputMessage {
  return (message as OutputMessage | null)?.type === "output";
}

async function downReason(self: Process<unknown>): Promise<unknown> {
  return ((await self.receive((message) => isDown(message))) as DownMessage).reason;
}

describe.each(hosts)("a program on the %s carrier", (carrier) => {
  test("gets pids that are the same object each time", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(answer, { carrier, link: false });

    self.send(pid, [self.pid, { self: self.pid, pid }]);

    expect(await self.receive()).toEqual({ self: self.pid, pid });
    self.exit(pid, "kill");
  });

  test("fails with the file and line that does not compile", async () => {
    const folder = mkdtempSync(join(tmpdir(), "colos-"));
    const path = join(folder, "broken.ts");
    writeFileSync(path, "export const fine = 1;\nexport const = 2;\n");
    const self = kernel.attach<unknown>();

    self.spawnMonitor(program(pathToFileURL(path).href), { carrier });

    expect(await downReason(self)).toMatchObject({ message: expect.stringContaining("broken.ts:2") as string });
    rmSync(folder, { recursive: true });
  });

  test("ends with what its top level throws", async () => {
    const { reason } = await run("top-level-error.ts", carrier);

    expect(reason).toBeInstanceOf(RangeError);
    expect((reason as Error).stack).toMatch(/top-level-error\.ts:1/);
  });

  test("is not started with arguments that cannot be copied", () => {
    const self = kernel.attach();
    const args = [{ save: () => {} }];

    expect(() => self.spawn(answer as never, { carrier, args })).toThrow(UncopyableError);
    expect(() => self.spawn(answer as never, { carrier, args })).toThrow("args[0].save is a function");
  });

  test("says everything before process.exit ends it with the code", async () => {
    const { reason, messages } = await run("last-words.ts", carrier, ({ pid }) => ({ args: [pid, 10_000, 3] }));

    expect(reason).toEqual({ tag: "exitStatus", code: 3 });
    expect(messages).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
  });

  test("ends normally by process.exit(0)", async () => {
    const { reason, messages } = await run("last-words.ts", carrier, ({ pid }) => ({ args: [pid, 1, 0] }));

    expect([reason, messages]).toEqual(["normal", [0]]);
  });

  test("sends to a sibling on another carrier", async () => {
    const self = kernel.attach<unknown>();
    const siblings = await Promise.all(hosts.map((host) => self.start(answer, { carrier: host, link: false })));
    const near = await self.start(answer, { carrier, link: false });

    for (const sibling of siblings) self.send(near, [sibling as AnyPid, [self.pid, `through ${String(sibling)}`]]);

    const heard = [await self.receive(), await self.receive()];
    expect(heard.toSorted()).toEqual(siblings.map((sibling) => `through ${String(sibling)}`).toSorted());
    for (const pid of [...siblings, near]) self.exit(pid, "kill");
  });

  test.each(hosts)("starts others on the %s carrier, which end with it", async (inner) => {
    const self = kernel.attach<unknown>();
    const outer = self.spawnMonitor(file("nest.ts"), { carrier, args: [self.pid, inner] });
    const innerPid = (await self.receive()) as AnyPid;
    const innerRef = self.monitor(innerPid);
    self.send(innerPid as never, [self.pid, "hello"]);
    const heard = await self.receive();

    self.send(outer.pid, "end");

    const downs = [await self.receive(), await self.receive()] as DownMessage[];
    expect(heard).toBe("hello");
    expect(downs.find(({ ref }) => ref === outer.ref)?.reason).toBe("normal");
    expect(downs.find(({ ref }) => ref === innerRef)?.reason).toMatchObject({ tag: "carrierDown" });
  });
});

describe.each(hosts)("a script on the %s carrier", (carrier) => {
  test("ends normally when it has nothing left to do, after its output", async () => {
    const { reason, output } = await run("script-report.ts", carrier, () => ({
      argv: ["--port", "80"],
      env: { CHOSEN: "yes", HOME: null },
    }));

    const path = fileURLToPath(new URL("programs/script-report.ts", import.meta.url));
    expect(reason).toBe("normal");
    expect(JSON.parse(output)).toEqual({ argv: [path, "--port", "80"], cwd: process.cwd(), chosen: "yes" });
  });

  test.each([
    ["process.exit(3)", "code", { tag: "exitStatus", code: 3 }],
    ["process.exitCode = 4", "exitCode", { tag: "exitStatus", code: 4 }],
    ["an error in a timer", "error", new RangeError("later")],
    ["a rejection nobody handles", "rejection", new RangeError("nobody waits")],
  ])("ends by %s with that reason", async (_, how, expected) => {
    expect((await run("script-exit.ts", carrier, () => ({ argv: [how] }))).reason).toEqual(expected);
  });

  test("keeps its own handler of uncaught errors", async () => {
    const { reason, output } = await run("script-exit.ts", carrier, () => ({ argv: ["handler"] }));

    expect([reason, output]).toEqual(["normal", "handled later\n"]);
  });

  test("is ready once evaluated and ends with the reason of its stop", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(file("script-service.ts"), { carrier, link: false });
    self.monitor(pid);

    self.exit(pid, "shutdown");

    expect(await downReason(self)).toBe("shutdown");
  });

  test("ends at once by an exit signal that is no stop", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(file("script-service.ts"), { carrier, link: false });
    self.monitor(pid);

    self.exit(pid, { tag: "enough" });

    expect(await downReason(self)).toEqual({ tag: "enough" });
  });

  test("has all its output delivered before its end, also what it writes just before process.exit()", async () => {
    const { reason, output } = await run("script-output.ts", carrier);

    expect([reason, output.length]).toEqual(["normal", 1_000_000]);
  });

  test("is the main module when it is CommonJS", async () => {
    expect((await run("script-common.cjs", carrier)).output).toBe("main\n");
  });
});

describe("a thread", () => {
  test("refuses what only an OS process can have", () => {
    const self = kernel.attach();

    expect(() => self.spawn(answer, { carrier: "thread", cwd: "/" })).toThrow("no working directory of its own");
    expect(() => self.spawn(answer, { carrier: "thread", listenFds: [0] })).toThrow("no file descriptors of its own");
  });

  test("that exhausts its heap is lost with that cause", async () => {
    const carrier = threadCarrier({
      loader: { resolve: (url) => Promise.resolve(url) },
      entry: new URL("../dist/thread-entry.js", import.meta.url),
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    const folder = mkdtempSync(join(tmpdir(), "colos-"));
    const path = join(folder, "hungry.mjs");
    writeFileSync(path, "const held = []; for (;;) held.push(Array.from({ length: 10_000 }, (_, n) => n));");
    const system = createSystem({ carriers: [carrier] });
    const self = system.kernel.attach<unknown>();

    self.spawnMonitor(program(pathToFileURL(path).href), { carrier: "thread" });

    const reason = await downReason(self);
    expect(reason).toMatchObject({ tag: "carrierDown", cause: { code: "ERR_WORKER_OUT_OF_MEMORY" } });
    rmSync(folder, { recursive: true });
  });
});

describe("an OS process", () => {
  test("runs a script's own handler for its stop", async () => {
    const self = kernel.attach<unknown>();
    const options = { carrier: "os-process", output: self.pid, argv: ["handler"], link: false };
    const pid = await self.start(file("script-service.ts"), options);
    const ref = self.monitor(pid);

    self.exit(pid, "shutdown");

    const { reason, output } = await untilDown(self, ref);
    expect([reason, output]).toEqual(["shutdown", "running\nstopping\n"]);
  });

  test("that takes no notice of its stop can be killed", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(file("busy-loop.ts"), { carrier: "os-process", args: [self.pid], link: false });
    self.monitor(pid);

    self.exit(pid, "shutdown");
    self.exit(pid, "kill");

    expect(await downReason(self)).toBe("killed");
  });

  test("runs in the working directory that it is given", async () => {
    const { output } = await run("script-report.ts", "os-process", () => ({ cwd: "/" }));

    expect(JSON.parse(output)).toMatchObject({ cwd: "/" });
  });

  linux.test("takes its whole group along", async () => {
    const self = kernel.attach<unknown>();
    const { pid, ref } = self.spawnMonitor(file("grandchild.ts"), { carrier: "os-process", args: [self.pid] });
    const grandchild = (await self.receive()) as number;

    self.exit(pid, "kill");

    expect((await untilDown(self, ref)).reason).toBe("killed");
    await gone(grandchild);
  });

  linux.test("ends by itself when its parent is killed", async () => {
    const parent = spawn(process.execPath, [fileURLToPath(new URL("programs/parent.mjs", import.meta.url))], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    let output = "";
    const ready = new Promise<void>((resolve) => {
      parent.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("<0.1:1>")) resolve();
      });
    });
    await ready;

    parent.kill("SIGKILL");

    // The end of the output is the end of everybody who holds it, and the child does.
    await once(parent.stdout, "end");
    await gone(Number.parseInt(output, 10));
  });

  test("serves on a socket that it is handed", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const self = kernel.attach<unknown>();
    const options = { carrier: "os-process", output: self.pid, listenFds: [fdOf(server)] };
    const { ref } = self.spawnMonitor(file("listening.ts"), options);
    await self.receive((message) => isOutput(message));
    server.close();

    const said = await text(connect(port, "127.0.0.1"));

    expect(said).toBe("1 true");
    expect((await untilDown(self, ref)).reason).toBe("normal");
  });

  test("is not sent a message that is too large for a frame, and goes on", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(answer, { carrier: "os-process", link: false });

    expect(() => self.send(pid, [self.pid, new Uint8Array(65 * 2 ** 20)])).toThrow(MessageTooLargeError);
    self.send(pid, [self.pid, "still here"]);

    expect(await self.receive()).toBe("still here");
    self.exit(pid, "kill");
  });

  test("that takes nothing is lost when too much waits for it", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(file("busy-loop.ts"), { carrier: "os-process", args: [self.pid], link: false });
    self.monitor(pid);
    const large = new Uint8Array(60 * 2 ** 20);

    for (let count = 0; count < 5; count += 1) self.send(pid, large);

    expect(await downReason(self)).toMatchObject({ tag: "carrierDown", cause: { tag: "channelFull" } });
  });
});

describe.each(["thread", "os-process"])("the channel to a %s", (carrier) => {
  const messageBytes = 2 ** 20;
  const windowBytes = 2 ** 20;
  const messagesMax = 4;

  test("holds a fast sender back: 200 MB go through a window of 1 MB and a mailbox of four messages", async () => {
    const self = kernel.attach<unknown>();
    const count = 200;
    const mailbox = { messagesMax, policy: "block" } as const;
    const args = [self.pid, count];
    const pid = await self.start(file("slow.ts"), { carrier, link: false, args, mailbox, channel: { windowBytes } });
    const message = new Uint8Array(messageBytes);
    let heldBytesMax = 0;

    for (let index = 0; index < count; index += 1) {
      self.send(pid, message);
      const [connection] = kernel.connections().filter(({ kernelId }) => kernelId === pid.kernelId);
      heldBytesMax = Math.max(heldBytesMax, (connection?.underWayBytes ?? 0) + (connection?.waitingBytes ?? 0));
      await self.yield();
    }
    const told = (await self.receive()) as { waitingMax: number; lengthSum: number };

    expect(told.lengthSum).toBe(count * messageBytes);
    // What fills the window, one that found it nearly full, and one for each time that word of it was on its way.
    expect(heldBytesMax).toBeLessThan(windowBytes + 2 * messageBytes);
    expect(told.waitingMax).toBeLessThan(messagesMax + 4);
  });

  test("drops by its policy and counts exactly, while signals pass", async () => {
    const self = kernel.attach<unknown>();
    const channel = { windowBytes: 2 ** 16, policy: "dropNewest" } as const;
    const pid = await self.start(file("answer.ts"), { carrier, link: false, channel });
    const sentCount = 1000;

    for (let index = 0; index < sentCount; index += 1) self.send(pid, [self.pid, `${index}${"x".repeat(1000)}`]);
    const ref = self.monitor(pid);
    const dropped = kernel.connections().find(({ kernelId }) => kernelId === pid.kernelId)?.droppedCount ?? 0;
    let answersCount = 0;
    while (answersCount < sentCount - dropped) {
      await self.receive();
      answersCount += 1;
    }
    self.exit(pid, "kill");

    expect(dropped).toBeGreaterThan(0);
    expect(await self.receive()).toMatchObject({ type: "down", ref, reason: "killed" });
  });

  test("refuses a window that is too small, and starts nothing", () => {
    const self = kernel.attach<unknown>();

    expect(() => self.spawn(file("answer.ts"), { carrier, channel: { windowBytes: 1 } })).toThrow(RangeError);
  });
});

function fdOf(server: Server): number {
  return (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

test.each(hosts)("an option that is none is refused before a %s is started", (carrier) => {
  const self = kernel.attach();
  const before = kernel.connections().length;

  const start = (options: unknown) => (): unknown =>
    self.spawn(answer, { carrier, ...(options as SpawnOptions) } as never);

  expect(start({ output: "self" })).toThrow(/^the output of .*answer\.ts is a pid, a function, .*, not "self"$/);
  expect(start({ argv: "x" })).toThrow(/^the argv of .*answer\.ts is a list of strings, not "x"$/);
  expect(start({ args: 5 })).toThrow(/^the args of .*answer\.ts are a list, not 5$/);
  expect(kernel.connections().length).toBe(before);
});
