import { describe, expect, test } from "vitest";
import { plainHost } from "../../test/plain-host.ts";
import { startServer, call, cast } from "../server/server.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { runCampaign, type Report } from "./campaign.ts";
import type { CampaignOptions, Plan, Property } from "./property.ts";

function campaign(
  workload: NonNullable<Property<null>["workload"]>,
  plan: Plan = {},
  options: CampaignOptions = { runs: 5 },
): Promise<Report> {
  const property = { name: "subject", setup: () => null, sometimes: ["never"], workload };
  return runCampaign(property, plan, options, plainHost);
}

describe("time goes on only when all that follows has run:", () => {
  test("what comes of an answer while its asker waits for something else", async () => {
    const timesMs: number[] = [];
    const report = await campaign(async (self, _system, world) => {
      const server = await startServer(self, () => ({ handleCall: () => self.kernel.id }), {});
      const answered = call(self, server, "ask").then(async () => {
        for (let count = 0; count < 50; count += 1) await Promise.resolve();
        timesMs.push(world.nowMs);
      });
      await self.sleep(1000);
      await answered;
    });

    expect(report.failure).toBeUndefined();
    expect(timesMs.every((timeMs) => timeMs < 100)).toBe(true);
  });

  test("a handle that takes time to close delays the end of its owner by just that", async () => {
    const report = await campaign(async (self, _system, world) => {
      const owner = self.spawn((other) => {
        const { timers } = other.kernel;
        other.own({ close: () => new Promise<void>((resolve) => void timers.start(70, resolve)) });
      });
      const beganMs = world.nowMs;
      self.monitor(owner as AnyPid);
      await self.receive();
      const lastedMs = world.nowMs - beganMs;
      if (lastedMs < 70 || lastedMs > 100) throw new Error(`the end was told after ${lastedMs} ms`);
    });

    expect(report.failure).toBeUndefined();
  });
});

describe("an idle server", () => {
  test("now and then answers on its caller's stack, and keeps the order", async () => {
    const depths = new Set<number>();
    const report = await campaign(async (self) => {
      const handled: number[] = [];
      const handle = (number: number): number => {
        depths.add(self.kernel.nestedCount);
        return handled.push(number);
      };
      const server = await startServer(self, () => ({
        handleCall: handle,
        handleCast: (number: number) => void handle(number),
      }));
      for (let number = 0; number < 40; number += 2) {
        cast(self, server, number);
        await call(self, server, number + 1);
        await call(self, server, number + 1);
      }
      if (handled.some((number, index) => index > 0 && number < (handled[index - 1] as number))) {
        throw new Error("out of order");
      }
    });

    expect(report.failure).toBeUndefined();
    expect(depths).toEqual(new Set([0, 1]));
  });

  test("that awaits something then is waited for as after a turn of its own", async () => {
    const report = await campaign(async (self) => {
      const pause = async (server: AnyProcess): Promise<string> => {
        for (let count = 0; count < 50; count += 1) await Promise.resolve();
        await server.sleep(10);
        return "answer";
      };
      const server = await startServer(self, (server) => ({ handleCall: () => pause(server) }));
      for (let count = 0; count < 20; count += 1) {
        if ((await call(self, server, "ask")) !== "answer") throw new Error("another answer");
        await self.sleep(5);
      }
    });

    expect(report.failure).toBeUndefined();
  });
});

describe("a cut", () => {
  test("lets what was on its way through in its order", async () => {
    const report = await campaign(
      async (self) => {
        const receiver = self.spawn(
          async (other, root: AnyPid) => {
            for (let count = 0; count < 60; count += 1) {
              const number: unknown = await other.receive();
              if (number !== count) other.send(root as never, `${String(number)} in place of ${count}` as never);
            }
            other.send(root as never, "done" as never);
          },
          { carrier: "thread", label: "receiver", args: [self.pid] as [AnyPid] },
        );
        for (let count = 0; count < 60; count += 1) {
          self.send(receiver as never, count as never);
          await self.sleep(20);
        }
        const word: unknown = await self.receive();
        if (word !== "done") throw new Error(String(word));
      },
      { faults: { partition: 2, delay: 0.3 }, window: [0, 2000], swarm: false },
      { runs: 30 },
    );

    expect(report.failure).toBeUndefined();
    expect(report.faults.partition).toBeGreaterThan(10);
  });
});

describe("crash-in-init", () => {
  test("strikes only whom the plan means", async () => {
    const ended: string[] = [];
    await campaign(
      async (self) => {
        for (const label of ["meant", "other"]) {
          const pid = self.spawn((one) => one.receive(), { label });
          self.monitor(pid as AnyPid);
          const down = await self.receive(undefined, { timeoutMs: 100 });
          if (typeof down === "object") ended.push(label);
        }
      },
      { faults: { "crash-in-init": 1 }, targets: ["meant"], swarm: false },
      { runs: 1, selfCheckEvery: 0 },
    );

    expect(ended).toEqual(["meant"]);
  });
});
