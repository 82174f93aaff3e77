/**
 * Names: a name has one holder, and it is free, and what its holder held is closed, before anybody learns of the holder's end.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import type { AnyPid } from "../../src/kernel/pid.ts";
import { StartError, timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import { isTagged } from "../../src/kernel/exit-reason.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const names = ["red", "green", "blue"] as const;
type Name = (typeof names)[number];
const roundsMax = 10;

class System implements Judged {
  readonly oracle = new Oracle();
  /** Who has what, as those who did it know. */
  readonly holders = new Map<Name, AnyPid>();
  /** Held by a process, and closed after its end; by pid. */
  readonly open = new Map<AnyPid, boolean>();
}

/** Holds a name, and something that takes time to close; gives the name up and takes it or another one again. */
function holder(name: Name, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle, holders } = system;
    oracle.expect(self.whereis(name) === self.pid, "a process that was spawned with a name does not have it");
    holders.set(name, self.pid);
    let own: Name | null = name;
    if (world.chance("handle", 0.3)) {
      system.open.set(self.pid, true);
      const closeMs = world.choose("close", [1, 5, 50]);
      const { timers } = self.kernel;
      self.own({
        close: () =>
          new Promise<void>((resolve) => {
            timers.start(closeMs, () => {
              system.open.set(self.pid, false);
              resolve();
            });
          }),
      });
    }
    for (let round = 0; round < 4; round += 1) {
      await self.sleep(world.choose("hold", [5, 1, 20, 60]));
      if (own !== null && world.chance("give up", 0.4)) {
        self.unregister(own);
        if (holders.get(own) === self.pid) holders.delete(own);
        own = null;
      } else if (own === null) {
        const wanted = world.choose("other", names);
        if (self.whereis(wanted) === undefined) {
          try {
            self.register(wanted);
          } catch {
            oracle.fail("a process that gave up its name cannot take another one");
            return;
          }
          holders.set(wanted, self.pid);
          own = wanted;
        }
      }
      oracle.expect(own === null || self.whereis(own) === self.pid, "a process lost its name while it lives");
    }
  };
}

/** Starts holders one after the other, each as soon as the end of the one before is told. */
function keeper(name: Name, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle } = system;
    for (let round = 0; round < roundsMax; round += 1) {
      const pid = await startHolder(self, name, system, world);
      if (pid === null) {
        await self.sleep(7);
        continue;
      }
      const ref = self.monitor(pid);
      const patienceMs = world.choose("patience", [1_000, 30, 3]);
      const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: patienceMs });
      if (down === timedOut) {
        self.exit(pid, world.choose("reason", ["kill", "boom"]));
        await self.receive((message: unknown) => isDown(message, ref));
      }
      for (const other of names) {
        oracle.expect(self.whereis(other) !== pid, "a name is still taken when the end of its holder is told");
      }
      oracle.expect(system.open.get(pid) !== true, "the end of a process was told before what it held was closed");
      for (const [held, by] of system.holders) if (by === pid) system.holders.delete(held);
    }
  };
}

async function startHolder(self: AnyProcess, name: Name, system: System, world: World): Promise<AnyPid | null> {
  const before = self.whereis(name);
  try {
    return await self.start(holder(name, system, world), { name, label: name, link: false });
  } catch (thrown) {
    const reason = thrown instanceof StartError ? thrown.reason : thrown;
    const isTaken = isTagged(reason, "alreadyStarted") || thrown instanceof Error;
    system.oracle.expect(isTaken, "a start under a name failed for another reason than the name");
    system.oracle.expect(before !== undefined || !isTagged(reason, "alreadyStarted"), "a free name was refused");
    return null;
  }
}

const property: Property<System> = {
  name: "names",
  setup: () => new System(),
  async workload(self, system, world) {
    const refs = names.map((name) => self.spawnMonitor(keeper(name, system, world), { label: "keeper" }).ref);
    for (const ref of refs) await self.receive((message: unknown) => isDown(message, ref));
    await self.sleep(200);
  },
  always: {
    "no two processes have one name, and who has one is alive": (system, world) => {
      for (const [name, pid] of system.holders) {
        const found = world.whereis(name);
        if (pid.process?.stage === "live" && found !== pid) return "a live process lost its name to another one";
      }
      for (const name of names) {
        const pid = world.whereis(name);
        if (pid?.process != null && pid.process.stage === "exiting") return "a process that ends still has its name";
      }
      return true;
    },
  },
};

export const nameCampaign: Campaign = campaign(property, {
  faults: { kill: 4, slow: 1 },
  window: [0, 600],
  targets: [...names],
});
