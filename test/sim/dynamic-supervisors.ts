/**
 * Dynamic supervisors: children that come and go, never more than there may be, and none of them forgotten.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import type { AnyPid } from "../../src/kernel/pid.ts";
import { StartError, timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import type { RestartPolicy } from "../../src/supervisor/child-spec.ts";
import { startDynamicSupervisor } from "../../src/supervisor/dynamic-supervisor.ts";
import { countChildren, startChild, terminateChild, whichChildren } from "../../src/supervisor/supervisor.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const stepsMax = 30;
const calmMs = 500;
const windowMs = 300;
/** From then on nobody is struck, and whoever was has been restarted; in milliseconds. */
const calmFromMs = windowMs + 200;

class System implements Judged {
  readonly oracle = new Oracle();
  /** Children that run, with their policy; a restart that is under way has no entry. */
  readonly alive = new Map<AnyPid, RestartPolicy>();
  isOver = false;
}

function childBody(restart: RestartPolicy, system: System): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    system.alive.set(self.pid, restart);
    self.own({ close: () => void system.alive.delete(self.pid) });
    system.oracle.expect(!system.isOver, "a child was started after its supervisor had ended");
    await self.receive();
  };
}

function keeper(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle, alive } = system;
    const maxChildren = world.choose("max", [3, 1, 5]);
    const supervisor = await startDynamicSupervisor(
      self,
      { maxChildren, maxRestarts: 1_000 },
      { label: "supervisor", link: false },
    );
    for (let step = 0; step < stepsMax; step += 1) {
      const act = world.choose("act", ["start", "start", "end", "terminate", "look", "start"] as const);
      if (act === "start") await startOne(self, supervisor, maxChildren, system, world);
      else if (act === "look") await look(self, supervisor, system, world);
      else await endOne(self, supervisor, system, world, act === "terminate");
      await self.receive(() => false, { timeoutMs: world.choose("gap", [20, 0, 5]) });
    }
    await self.receive(() => false, { timeoutMs: calmMs });
    await look(self, supervisor, system, world);
    const ref = self.monitor(supervisor);
    self.exit(supervisor, "kill");
    await self.receive((message: unknown) => isDown(message, ref));
    system.isOver = true;
    oracle.expect(alive.size === 0, "a child outlives its supervisor");
  };
}

async function startOne(
  self: AnyProcess,
  supervisor: AnyPid,
  maxChildren: number,
  system: System,
  world: World,
): Promise<void> {
  const { oracle, alive } = system;
  const restart = world.choose("restart", ["transient", "permanent", "temporary"] as const);
  const fails = world.chance("fails", 0.1);
  const before = alive.size;
  const result = await startChild(self, supervisor, {
    id: "child",
    restart,
    start: (starter) => {
      if (fails) throw new StartError("not now", "the start fails");
      return starter.start(childBody(restart, system), { label: "child" });
    },
  });
  const isFull = !result.ok && result.error === "maxChildren";
  oracle.expect(alive.size <= maxChildren, "a dynamic supervisor runs more children than it may");
  // While one of them is being restarted it has its place.
  if (isFull)
    oracle.expect(
      before >= maxChildren || world.nowMs < calmFromMs,
      "a dynamic supervisor says that it is full when it is not",
    );
  const isStruck = !result.ok && result.error === "killed";
  oracle.expect(result.ok || isFull || fails || isStruck, "a child was not started for another reason");
}

async function endOne(
  self: AnyProcess,
  supervisor: AnyPid,
  system: System,
  world: World,
  onRequest: boolean,
): Promise<void> {
  const [first, ...others] = [...system.alive];
  if (first === undefined) return;
  const [pid, restart] = world.choose("whom", [first, ...others]);
  if (onRequest) {
    await terminateChild(self, supervisor, pid);
    system.oracle.expect(!system.alive.has(pid), "terminateChild came back before the child had ended");
    return;
  }
  const reason = world.choose("reason", ["shutdown", "kill", "boom", "end"] as const);
  const before = system.alive.size;
  const isCalm = world.nowMs > calmFromMs;
  if (reason === "end") self.send(pid as never, "end" as never);
  else self.exit(pid, reason);
  await self.receive(() => false, { timeoutMs: 60 });
  const isOrderly = reason === "shutdown" || reason === "end";
  const returns = restart === "permanent" || (restart === "transient" && !isOrderly);
  const expected = before - (returns ? 0 : 1);
  if (isCalm) system.oracle.expect(system.alive.size === expected, "another number of children runs than must");
}

async function look(self: AnyProcess, supervisor: AnyPid, system: System, world: World): Promise<void> {
  const shown = await whichChildren(self, supervisor);
  const counts = await countChildren(self, supervisor);
  const running = shown.filter(({ pid }) => pid !== "restarting");
  const isKnown = ({ pid }: { readonly pid: unknown }): boolean => system.alive.has(pid as AnyPid);
  // One that has just been struck is shown until the supervisor learns of it.
  if (world.nowMs < calmFromMs) return;
  system.oracle.expect(counts.active === running.length, "countChildren and whichChildren do not agree");
  system.oracle.expect(running.every(isKnown), "whichChildren shows a child that does not run");
}

const property: Property<System> = {
  name: "dynamic supervisors",
  setup: () => new System(),
  async workload(self, system, world) {
    const { ref } = self.spawnMonitor(keeper(system, world), { label: "keeper" });
    const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: 120_000 });
    system.oracle.expect(down !== timedOut, "a dynamic supervisor does not answer");
    const reason = down === timedOut ? "normal" : (down as { reason: unknown }).reason;
    system.oracle.expect(reason === "normal", `the keeper crashed: ${String(reason)}`);
  },
};

export const dynamicSupervisors: Campaign = campaign(property, {
  faults: { kill: 3 },
  window: [0, windowMs],
  targets: ["child"],
});
