/** Looking into processes on other carriers: what Node and the operating system say of them, and what a block does. */
import process from "node:process";
import {
  command,
  createSystem,
  inspect,
  NoAnswerError,
  processTree,
  program,
  recordPlaces,
  top,
  trace,
  type AnyPid,
  type Process,
} from "colos";
import { describe, expect, test } from "vitest";
import { needsLinux } from "./debian.ts";

const { kernel } = createSystem();
const file = (name: string): ReturnType<typeof program<unknown>> => program(`./programs/${name}.ts`, import.meta.url);

/** The test, and a program that tells its pid when it is asked. */
async function start(
  name: string,
  carrier: string,
): Promise<{ readonly self: Process<unknown>; readonly pid: AnyPid }> {
  const self = kernel.attach<unknown>();
  return { self, pid: await self.start(file(name), { carrier, link: false, args: [self.pid] }) };
}

describe.each(["thread", "os-process"])("a program on the %s carrier", (carrier) => {
  test("is inspected, with what Node counts", async () => {
    const { self, pid } = await start("counter", carrier);

    const details = await inspect(self, pid);

    expect(details).toMatchObject({ pid, carrier, status: "waiting", waitsFor: "message", parent: self.pid });
    expect(details?.host?.heapUsedBytes).toBeGreaterThan(1e6);
    expect(details?.host?.osPid === process.pid).toBe(carrier === "thread");
    expect(Math.abs(Date.now() - (details?.startedAtMs ?? 0))).toBeLessThan(60_000);
    self.exit(pid, "kill");
  });

  test("that is blocked gives an error with its name", async () => {
    const self = kernel.attach<unknown>();
    const pid = self.spawn(file("busy-loop"), { carrier, args: [self.pid] });
    await self.receive();

    await expect(inspect(self, pid, { timeoutMs: 100 })).rejects.toThrow(NoAnswerError);

    const { unanswered } = await top(self, 3, "memory", { scope: "system", timeoutMs: 100 });
    expect(unanswered).toEqual([pid.kernelId]);
    self.exit(pid, "kill");
  });

  test("tells where its process waits", async () => {
    const { self, pid } = await start("answer", carrier);
    await recordPlaces(self, true, { kernelOf: pid });
    self.send(pid as never, [self.pid, "round"]);
    await self.receive();

    const details = await inspect(self, pid);

    expect(details?.waitsAt?.[0]).toMatch(/answer\.\w+:\d+/);
    self.exit(pid, "kill");
  });

  test("is traced from here", async () => {
    const { self, pid } = await start("answer", carrier);
    const tracing = await trace(self, pid);

    self.send(pid as never, [self.pid, "round"]);

    const told = [await self.receive(), await self.receive(), await self.receive()];
    expect(told).toMatchObject([
      { type: "trace", trace: tracing, event: { kind: "message", pid, message: [self.pid, "round"] } },
      { type: "trace", event: { kind: "send", pid, peer: self.pid, message: "round" } },
      "round",
    ]);
    self.exit(pid, "kill");
  });
});

test("the tree of all kernels has programs on other carriers below who started them", async () => {
  const { self, pid } = await start("counter", "thread");

  const { roots } = await processTree(self, { scope: "system" });

  const own = roots.find((node) => node.pid === self.pid);
  expect(own?.children.map((node) => node.pid)).toContain(pid);
  self.exit(pid, "kill");
});

needsLinux().describe("a command", () => {
  test("is inspected, with what the operating system counts", async () => {
    const self = kernel.attach<unknown>();
    let osPid = 0;
    const onOsPid = (known: number): void => void (osPid = known);
    const pid = await self.start(command("sleep", "1000"), { onOsPid, link: false });

    // Between fork and exec it has no memory of its own.
    let details = await inspect(self, pid);
    while (details?.host?.residentBytes === 0) details = await inspect(self, pid);

    expect(details).toMatchObject({ label: "sleep", carrier: "command", waitsFor: "host", host: { osPid } });
    expect(details?.host?.residentBytes).toBeGreaterThan(0);
    expect(details?.host?.cpuMs).toBeGreaterThanOrEqual(0);
    self.exit(pid, "kill");
  });
});
