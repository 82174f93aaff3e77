import { describe, expect, test } from "vitest";
import { call, startServer } from "../server/server.ts";
import { startSupervisor } from "../supervisor/supervisor.ts";
import type { AnyProcess } from "../kernel/process.ts";
import type { Property } from "../sim/property.ts";
import { PropertyError, simulate } from "./simulate.ts";

const names = ["a", "b", "c"];

/** Three services under a supervisor, and a client that calls them. */
function services(maxRestarts: number): Property<null> {
  const child = (id: string) => ({
    id,
    start: (supervisor: AnyProcess) =>
      startServer(supervisor, () => ({ handleCall: (count: number) => count + 1 }), { name: id }),
  });
  return {
    name: "all services come back",
    async setup(self) {
      await startSupervisor(self, { flags: { maxRestarts }, children: names.map(child) }, { name: "root" });
      return null;
    },
    async workload(self, _system, world) {
      for (let round = 0; round < 200; round += 1) {
        await self.sleep(100);
        try {
          await call(self, world.choose("which", names), 1);
        } catch {
          world.sometimes("a call failed");
        }
      }
    },
    eventually: {
      "all are there": {
        withinMs: 5000,
        holds: (_system, world) => names.every((name) => world.whereis(name) !== undefined),
      },
    },
    sometimes: ["a call failed"],
  };
}

async function failureOf(run: Promise<unknown>): Promise<PropertyError> {
  const failure: unknown = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof PropertyError)) throw new Error("the property held", { cause: failure });
  return failure;
}

const plan = { faults: { kill: 1 }, targets: names, window: [0, 20_000] } as const;

describe("a property that holds", () => {
  test("gives a report of what was tried", async () => {
    const report = await simulate(services(Infinity), plan);

    expect(report).toMatchObject({ ok: true, runsCount: 100, selfChecksCount: 10, weaknesses: [] });
    expect(report.faults.kill).toBeGreaterThan(100);
    expect(report.eventsCount).toBeGreaterThan(10_000);
  });
});

describe("a property that does not hold", () => {
  test("shrinks to the few decisions that matter and tells their story", async () => {
    const { message, report } = await failureOf(simulate(services(1), plan));

    expect(report.failure?.choices.map(({ stream }) => stream)).toEqual(["kill", "kill"]);
    expect(message).toContain('property "all services come back" does not hold: eventually "all are there"');
    expect(message).toMatch(/ms {2}root <0:\d+> ends: shutdown/);
    expect(message).toMatch(
      /replay: COLOS_REPLAY='all services come back: kill#\d+=1 kill#\d+=1' npx vitest run src\/testing\/simulate\.test\.ts$/,
    );
  });

  test("fails in the same way when it is replayed", async () => {
    const { report } = await failureOf(simulate(services(1), plan));

    const again = await failureOf(simulate(services(1), plan, { replay: report.failure?.replay ?? "" }));

    expect(again.report).toMatchObject({ runsCount: 1, failure: { message: report.failure?.message } });
    expect(again.report.failure?.story).toEqual(report.failure?.story);
  });
});
