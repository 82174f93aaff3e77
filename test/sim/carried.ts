/**
 * Carried: supervised servers on carriers that are lost, stand still, are cut off and cannot be started.
 *
 * However a carrier fails, its child ends once for its supervisor, is restarted, has its name again, and in the end each child
 * runs exactly once.
 *
 * @module
 */
import { Exit, isTagged } from "../../src/kernel/exit-reason.ts";
import { isDown } from "../../src/kernel/message.ts";
import type { AnyPid } from "../../src/kernel/pid.ts";
import { StartError, type AnyProcess } from "../../src/kernel/process.ts";
import { call, defineServer } from "../../src/server/server.ts";
import { child, type SupervisorEvent } from "../../src/supervisor/child-spec.ts";
import { startSupervisor } from "../../src/supervisor/supervisor.ts";
import type { Property, View, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const names = ["left", "middle", "right"] as const;
const callsMax = 15;
const windowMs = 3_000;

class System implements Judged {
  readonly oracle = new Oracle();
  /** Children as the supervisor tells of them. */
  readonly running = new Map<string, AnyPid>();
  isOver = false;

  observe(event: SupervisorEvent): void {
    const { oracle, running } = this;
    if (event.type === "started") {
      oracle.expect(!running.has(event.id), "a child was started that still runs");
      running.set(event.id, event.pid);
    } else if (event.type === "ended") {
      oracle.expect(running.get(event.id) === event.pid, "an end was told of a child that does not run");
      running.delete(event.id);
    } else if (event.type === "gaveUp") {
      oracle.fail("a supervisor gave up that must not");
    }
  }
}

const echo = defineServer(() => ({ handleCall: (number: number) => number }));

function owner(system: System): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    self.trapExit(true);
    const children = names.map((name) => child(name, echo, { name, carrier: "thread", timeoutMs: 30_000 }));
    const backoff = { initialMs: 10, factor: 2, maxMs: 500, jitter: 0, resetAfterMs: 1_000 };
    const flags = { maxRestarts: Infinity, backoff, observe: (event: SupervisorEvent) => system.observe(event) };
    for (let isUp = false; !isUp;) {
      try {
        await startSupervisor(self, { flags, children }, { label: "supervisor" });
        isUp = true;
      } catch (thrown) {
        if (!(thrown instanceof StartError)) throw thrown;
        system.oracle.expect(system.running.size === 0, "a child outlives a supervisor that did not start");
        await self.receive(() => false, { timeoutMs: 100 });
      }
    }
    await self.receive(() => false);
  };
}

function client(number: number, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (let count = 1; count <= callsMax || world.inWindow; count += 1) {
      await self.receive(() => false, { timeoutMs: world.choose(`think:${number}`, [200, 50, 10]) });
      const name = world.choose(`whom:${number}`, names);
      try {
        const reply = await call(self, name, number * 1_000 + count, world.choose("timeout", [2_000, 100]));
        system.oracle.expect(reply === number * 1_000 + count, "a call got the answer of another call");
      } catch (thrown) {
        const failure = thrown instanceof Exit && isTagged(thrown.reason, "call") ? thrown.reason["reason"] : thrown;
        const isKnown =
          isTagged(failure, "carrierDown") || ["noproc", "timeout", "killed", "shutdown"].includes(failure as string);
        system.oracle.expect(isKnown || isCrash(failure), "a call failed with a reason that nothing ended with");
      }
    }
  };
}

/** What crashes and what cannot be started ends with an error, or before it has run. */
function isCrash(failure: unknown): boolean {
  return failure instanceof Error || isTagged(failure, "crashInInit");
}

const property: Property<System> = {
  name: "carried",
  setup: () => new System(),
  async workload(self, system, world) {
    self.spawn(owner(system), { label: "owner" });
    await self.sleep(500);
    const refs = [0, 1].map((number) => self.spawnMonitor(client(number, system, world), { label: "client" }).ref);
    for (const ref of refs) await self.receive((message: unknown) => isDown(message, ref));
  },
  eventually: {
    "each child runs once and has its name": { withinMs: 60_000, holds: (system, world) => isWhole(system, world) },
  },
};

function isWhole({ running }: System, world: View): boolean | string {
  for (const name of names) {
    const pid = running.get(name);
    if (pid === undefined || !world.isAlive(pid)) return "a child does not run";
    if (world.whereis(name) !== pid) return "a child does not have its name";
    if (world.processes().filter(({ title }) => title === name).length !== 1) return "a child runs more than once";
  }
  return true;
}

export const carried: Campaign = campaign(property, {
  faults: {
    "carrier-loss": 1,
    "oom-kill": 0.3,
    partition: 0.3,
    stop: 0.3,
    "eagain-spawn": 0.3,
    delay: 0.05,
    kill: 0.5,
    crash: 0.5,
    "crash-in-init": 0.1,
    "enomem-spawn": 0.2,
    suspend: 0.1,
  },
  window: [0, windowMs],
  targets: [...names],
});
