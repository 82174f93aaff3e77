/**
 * Registries and groups: what ended processes registered and joined is gone, requests that wait for a key are answered, and what
 * is counted is what is there.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import type { AnyPid } from "../../src/kernel/pid.ts";
import { StartError, timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import { isTagged } from "../../src/kernel/exit-reason.ts";
import { Groups, startGroups } from "../../src/server/groups.ts";
import { Registry, startRegistry, via } from "../../src/server/registry.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const keys = ["one", "two", "three"] as const;
const rooms = ["red", "blue"] as const;
const stepsMax = 10;
/** A request that takes longer than anything strikes, in milliseconds. */
const patienceMs = 40_000;

class System implements Judged {
  readonly oracle = new Oracle();
}

/** Registers, joins, leaves, and may be killed at any of it. */
function member(world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const registry = new Registry<string>(self, "keys", { timeoutMs: patienceMs });
    const groups = new Groups<string>(self, "rooms", { timeoutMs: patienceMs });
    for (let step = 0; step < stepsMax; step += 1) {
      const act = world.choose("act", ["register", "join", "unregister", "leave", "join", "start", "end"] as const);
      if (act === "register") await registry.register(world.choose("key", keys), undefined);
      else if (act === "unregister") await registry.unregister(world.choose("key", keys));
      else if (act === "join") await groups.join(world.choose("room", rooms));
      else if (act === "leave") await groups.leave(world.choose("room", rooms));
      else if (act === "start") await startUnderKey(self, world);
      else if (world.chance("ends", 0.4)) return;
      await self.receive(() => false, { timeoutMs: world.choose("gap", [5, 0, 20]) });
    }
  };
}

async function startUnderKey(self: AnyProcess, world: World): Promise<void> {
  const initMs = world.choose("init", [5, 30, 0]);
  const body = async (started: AnyProcess): Promise<void> => {
    await started.receive(() => false, { timeoutMs: world.choose("life", [20, 5, 100]) });
  };
  const slow = { claim: (starter: AnyProcess) => slowly(starter, initMs, world.choose("key", keys)) };
  try {
    await self.start(body, { label: "started", link: false, via: slow });
  } catch (thrown) {
    if (!(thrown instanceof StartError)) throw thrown;
  }
}

/** Holds the key for a while before anything is started under it. */
async function slowly(
  self: AnyProcess,
  holdMs: number,
  key: string,
): Promise<Awaited<ReturnType<ReturnType<typeof via>["claim"]>>> {
  const claim = await via("keys", key).claim(self);
  await self.receive(() => false, { timeoutMs: holdMs });
  return claim;
}

/** Keeps so many members going, and compares what is told with who lives. */
function watcher(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle } = system;
    const registry = new Registry<string>(self, "keys", { timeoutMs: patienceMs });
    const groups = new Groups<string>(self, "rooms", { timeoutMs: patienceMs });
    const members = Array.from({ length: 5 }, () => self.spawnMonitor(member(world), { label: "member" }));
    for (let left = members.length; left > 0; left -= 1) {
      const down = await self.receive((message: unknown) => isDown(message), { timeoutMs: patienceMs });
      if (down === timedOut) {
        oracle.fail("a request to a registry or a scope was never answered");
        return;
      }
      const { from: ended, reason } = down as { readonly from: AnyPid; readonly reason: unknown };
      const isUnanswered = isTagged(reason, "call") && reason["reason"] === "timeout";
      oracle.expect(!isUnanswered, "a request to a registry or a scope was never answered");
      // Whatever it knew of that process was gone before this one was told of its end.
      oracle.expect((await registry.keys(ended)).length === 0, "a registry keeps what an ended process registered");
      for (const room of rooms) {
        const isIn = (await groups.getMembers(room)).includes(ended);
        oracle.expect(!isIn, "a group keeps a member that has ended");
      }
    }
    await self.receive(() => false, { timeoutMs: 25_000 });
    await settle(self, system, registry, groups);
  };
}

/** Once nobody is left, nothing is left. */
async function settle(
  self: AnyProcess,
  { oracle }: System,
  registry: Registry<string>,
  groups: Groups<string>,
): Promise<void> {
  for (const key of keys) {
    const pid = await registry.whereis(key);
    oracle.expect(pid === undefined || self.isAlive(pid), "a registry gives out a process that has ended");
    const result = await registry.register(key, undefined);
    oracle.expect(result.ok || pid !== undefined, "a key that nobody has cannot be registered");
  }
  oracle.expect(
    (await registry.count()) === keys.length,
    "a registry counts another number of registrations than there are",
  );
  for (const key of keys) await registry.unregister(key);
  oracle.expect((await registry.count()) === 0, "a registry counts registrations that are gone");
  const { memberships } = await groups.info();
  oracle.expect(memberships === 0, "a scope counts memberships that are gone");
}

const property: Property<System> = {
  name: "registries",
  setup: () => new System(),
  async workload(self, system, world) {
    await startRegistry(self, { keys: "unique", name: "keys", label: "keys" });
    await startGroups(self, { name: "rooms", label: "rooms" });
    const { ref } = self.spawnMonitor(watcher(system, world), { label: "watcher" });
    const down = await self.receive((message: unknown) => isDown(message, ref));
    const { reason } = down as { reason: unknown };
    system.oracle.expect(reason === "normal", `the watcher crashed: ${String(reason)}`);
  },
};

export const registries: Campaign = campaign(property, {
  faults: { kill: 8, crash: 4, slow: 1 },
  window: [0, 300],
  targets: ["member", "started"],
});
