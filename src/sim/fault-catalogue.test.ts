import { describe, expect, test } from "vitest";
import { plainHost } from "../../test/plain-host.ts";
import { faults, type FaultName } from "../faults/fault.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { runCampaign, type Report } from "./campaign.ts";
import { strikesByItself } from "./nemesis.ts";
import type { Plan, Property, World } from "./property.ts";

/** Does something again and again, whatever becomes of it. */
function again(label: string, act: (self: AnyProcess) => Promise<unknown>) {
  return (self: AnyProcess): void => {
    const body = async (actor: AnyProcess): Promise<void> => {
      for (;;) {
        await act(actor).catch(() => {});
        await actor.sleep(20);
      }
    };
    self.spawn(body, { label });
  };
}

async function echo(self: AnyProcess): Promise<void> {
  for (;;) self.send((await self.receive()) as AnyPid as never, "echo" as never);
}

async function writeAndRead({ files }: World): Promise<void> {
  const file = await files.open("subject", { read: true, write: true, create: true });
  try {
    for (let part = 0; part < 4; part += 1) await file.write(new Uint8Array(4096).fill(part), part * 4096);
    await file.read(new Uint8Array(4096), 0);
    await file.sync();
    // Left to a power loss.
    for (let part = 0; part < 4; part += 1) await file.write(new Uint8Array(4096).fill(9), part * 4096);
  } finally {
    await file.close();
  }
}

async function serve(self: AnyProcess, { network }: World): Promise<void> {
  const listener = await network.listen({ host: "here", port: 80 }, { owner: self });
  for (let count = 0; count < 3; count += 1) {
    const connection = await listener.accept();
    await connection?.read();
    await connection?.write(new Uint8Array(100));
    connection?.close();
  }
  await listener.close();
}

async function ask(world: World): Promise<void> {
  const connection = await world.networkOf("client").connect({ host: "here", port: 80 }, { timeoutMs: 500 });
  await connection.write(new Uint8Array(100));
  await connection.read({ timeoutMs: 500 });
  connection.close();
}

/** A system that has everything a fault could strike. */
const property: Property<null> = {
  name: "everything",
  sometimes: ["never"],
  setup: (self, world) => {
    again("starter", async (actor) => {
      const pid = actor.spawn(echo, { carrier: "thread", label: "echo" });
      for (let count = 0; count < 10; count += 1) {
        actor.send(pid as never, actor.pid as never);
        await actor.receive(undefined, { timeoutMs: 200 });
      }
      actor.exit(pid, "kill");
    })(self);
    again("spawner", async (actor) => actor.spawn(() => {}, { label: "short" }))(self);
    again("writer", () => writeAndRead(world))(self);
    again("server", (actor) => serve(actor, world))(self);
    again("client", () => ask(world))(self);
    return null;
  },
};

function campaign(plan: Plan): Promise<Report> {
  return runCampaign(property, plan, { runs: 3, selfCheckEvery: 0 }, plainHost);
}

describe("the catalogue of faults", () => {
  for (const fault of Object.keys(faults) as FaultName[]) {
    test(`has ${fault}, which strikes where it can`, async () => {
      const rates = { [fault]: strikesByItself(fault) ? 1 : 0.5 };
      // What is left of unsynced writes is decided at a power loss.
      const isAtPowerLoss = fault === "torn-write" || fault === "reordered-write";
      const report = await campaign({
        faults: isAtPowerLoss ? { ...rates, "power-loss": 1 } : rates,
        swarm: false,
        window: [0, 5_000],
      });

      expect(report.failure).toBeUndefined();
      expect(report.faults[fault]).toBeGreaterThan(0);
    });
  }

  test("none of it strikes before or after the window", async () => {
    const rates = (Object.keys(faults) as FaultName[]).map((fault) => [fault, strikesByItself(fault) ? 1 : 0.1]);
    const times: number[] = [];
    const observed: Property<null> = {
      ...property,
      model: {
        init: () => null,
        step: (state, { kind, atMs }) => {
          if (kind === "fault") times.push(atMs);
          return state;
        },
      },
    };
    const all = Object.fromEntries(rates) as NonNullable<Plan["faults"]>;
    const plan: Plan = { faults: all, swarm: false, window: [1000, 3000] };
    await runCampaign(observed, plan, { runs: 3, selfCheckEvery: 0 }, plainHost);

    expect(times.length).toBeGreaterThan(20);
    // They are counted from the end of the setup.
    expect(times.filter((atMs) => atMs < 1000 || atMs > 3100)).toEqual([]);
  });
});

describe("targets", () => {
  test("hold for what strikes by itself, for starts and for carriers", async () => {
    const struck = new Set<string>();
    const observed: Property<null> = {
      ...property,
      model: {
        init: () => null,
        step: (state, { kind, subject }) => {
          if (kind === "fault") struck.add(subject.replace(/ <.*/, ""));
          return state;
        },
      },
    };
    const rates = { "crash-in-init": 0.2, kill: 2, delay: 0.2, "eagain-spawn": 0.2 };
    await runCampaign(observed, { faults: rates, targets: ["short"] }, { runs: 5, selfCheckEvery: 0 }, plainHost);

    expect([...struck]).toEqual(["short"]);
  });
});
