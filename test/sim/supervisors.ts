/**
 * Supervisors: who is started, stopped and restarted, in which order and when, against an executable model.
 *
 * A run is quiet or wild. In a quiet one children are ended one at a time, and everything that follows is compared line by
 * line. In a wild one children are killed, crash and fail to start at any time, also while others are being stopped, and what
 * holds always is checked: the window, the delays, that nobody is started twice and nobody is left behind.
 *
 * @module
 */
import { isDown, isExit } from "../../src/kernel/message.ts";
import type { AnyPid } from "../../src/kernel/pid.ts";
import { StartError, timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import type { ChildSpec } from "../../src/supervisor/child-spec.ts";
import {
  countChildren,
  deleteChild,
  restartChild,
  startSupervisor,
  terminateChild,
  whichChildren,
  type SupervisorInit,
} from "../../src/supervisor/supervisor.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";
import { SupervisorModel, type ChildPlan } from "./supervisor-model.ts";

const roundsMax = 8;
const stopMs = 30;
const shutdownMs = 200;
const stubbornShutdownMs = 40;
/** After it everything that one end leads to has happened, in milliseconds. */
const calmMs = 1_500;

class System implements Judged {
  readonly oracle = new Oracle();
  /** Starts that are to fail, by child. */
  readonly failures = new Map<string, number>();
  /** Slow children that are stopping and have not finished. */
  readonly stopping = new Set<string>();
  isWild = false;
}

function specOf(plan: ChildPlan, model: SupervisorModel, system: System, world: World): ChildSpec {
  const shutdown = plan.kind === "stubborn" ? stubbornShutdownMs : shutdownMs;
  return {
    id: plan.id,
    restart: plan.restart,
    significant: plan.significant,
    shutdown,
    start: async (self) => {
      model.attempted(plan.id);
      const left = system.failures.get(plan.id) ?? 0;
      if (left > 0) {
        system.failures.set(plan.id, left - 1);
        throw new StartError("not now", "the start fails");
      }
      const label = `${system.isWild ? "wild" : "quiet"} ${plan.id}`;
      return await self.start(childBody(plan, model, system, world), { label });
    },
  };
}

function childBody(
  plan: ChildPlan,
  model: SupervisorModel,
  system: System,
  world: World,
): (self: AnyProcess) => unknown {
  return async (self) => {
    model.began(plan.id, self.pid);
    self.own({ close: () => model.ended(plan.id, self.pid) });
    if (plan.kind === "unlinked") unlinkParent(self);
    if (plan.kind === "plain" || plan.kind === "unlinked") return await self.receive();
    self.trapExit(true);
    for (;;) {
      const exit = await self.receive((message: unknown) => isExit(message));
      if (plan.kind === "stubborn") continue;
      system.stopping.add(plan.id);
      await self.receive(() => false, { timeoutMs: world.choose("stop", [stopMs, 1]) });
      system.stopping.delete(plan.id);
      return self.exit((exit as { reason: unknown }).reason);
    }
  };
}

function unlinkParent(self: AnyProcess): void {
  if (self.parent !== undefined) self.unlink(self.parent);
}

const ids = ["a", "b", "c", "d"] as const;

function draw(system: System, world: World): { readonly model: SupervisorModel } {
  const strategy = world.choose("strategy", ["oneForOne", "oneForAll", "restForOne"] as const);
  const autoShutdown = world.choose("auto", ["never", "never", "anySignificant", "allSignificant"] as const);
  const withBackoff = world.chance("backoff", 0.4);
  const backoff = { initialMs: 10, factor: 2, maxMs: 80, jitter: 0, resetAfterMs: 300 };
  const plans = ids.slice(0, world.choose("children", [3, 2, 4])).map((id): ChildPlan => {
    const restart = world.choose("restart", ["permanent", "transient", "temporary", "permanent"] as const);
    const kinds = ["plain", "slow stop", "stubborn", ...(system.isWild ? [] : ["unlinked"]), "plain"] as const;
    const kind = world.choose("kind", kinds) as ChildPlan["kind"];
    const significant = autoShutdown !== "never" && restart !== "permanent" && world.chance("significant", 0.7);
    return { id, restart, kind, significant };
  });
  const flags = {
    strategy,
    autoShutdown,
    maxRestarts: world.choose("max", [2, 1, 3, 0]),
    periodMs: world.choose("period", [4_000, 1_000, 10_000]),
    ...(withBackoff ? { backoff } : {}),
  };
  const { clock } = world.platform;
  return { model: new SupervisorModel(system.oracle, flags, plans, () => clock.monotonicMs()) };
}

/** Starts the supervisor, ends its children and looks. */
function owner(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { model } = draw(system, world);
    self.trapExit(true);
    const children = model.plans.map((plan) => specOf(plan, model, system, world));
    const flags = {
      ...model.flags,
      observe: (event: Parameters<SupervisorModel["observe"]>[0]) => model.observe(event),
    };
    const supervisor = await startOne(self, system, { flags, children });
    if (supervisor === null) {
      system.oracle.expect(model.alive.size === 0, "a child outlives a supervisor that did not start");
      return;
    }
    model.isUp = true;
    compare(
      system,
      model,
      model.plans.map((plan) => `start ${plan.id}`),
      "when it started",
    );
    const isOver = system.isWild
      ? await wildRounds(self, supervisor, model, system, world)
      : await quietRounds(self, supervisor, model, system, world);
    if (!isOver) await stopAll(self, supervisor, model, system);
    system.oracle.expect(model.alive.size === 0, "a child outlives its supervisor");
  };
}

/** Null when a child was struck while it was started: then the start of all must fail. */
async function startOne(self: AnyProcess, system: System, init: SupervisorInit): Promise<AnyPid | null> {
  try {
    return await startSupervisor(self, init, { label: "supervisor", link: true });
  } catch (thrown) {
    if (!system.isWild || !(thrown instanceof StartError)) throw thrown;
    return null;
  }
}

function compare(system: System, model: SupervisorModel, expected: readonly string[], when: string): void {
  const isSame = model.trace.join() === expected.join();
  if (!isSame && !system.isWild) {
    system.oracle.fail(`a supervisor did [${model.trace.join(", ")}] and not [${expected.join(", ")}] ${when}`);
  }
  model.trace = [];
}

const reasons = ["boom", "normal", "shutdown", "kill", { tag: "shutdown", detail: 1 }] as const;

/** True when the supervisor has ended. */
async function quietRounds(
  self: AnyProcess,
  supervisor: AnyPid,
  model: SupervisorModel,
  system: System,
  world: World,
): Promise<boolean> {
  const ref = self.monitor(supervisor);
  for (let round = 0; round < roundsMax; round += 1) {
    await self.receive(() => false, { timeoutMs: gapOf(model, world) });
    const act = world.choose("act", ["end", "end", "end", "terminate", "fail", "restart", "waiting"] as const);
    const isOver =
      act === "end" || act === "fail"
        ? await endOne(self, ref, model, system, world, act === "fail")
        : act === "waiting"
          ? await stopWhileWaiting(self, supervisor, ref, model, world)
          : await onRequest(self, supervisor, model, system, world, act === "restart");
    if (isOver) return true;
    await look(self, supervisor, model, system);
  }
  self.demonitor(ref, { flush: true });
  return false;
}

/** Often so long that the next restart meets the edge of the window. */
function gapOf(model: SupervisorModel, world: World): number {
  const oldestMs = model.oldestRestartMs;
  const gapMs = world.choose("gap", [10, 400, 1_000, -1, 3_000]);
  if (gapMs >= 0) return gapMs;
  return oldestMs === undefined ? 10 : Math.max(10, oldestMs + model.flags.periodMs - model.now());
}

async function endOne(
  self: AnyProcess,
  ref: ReturnType<AnyProcess["monitor"]>,
  model: SupervisorModel,
  system: System,
  world: World,
  failing: boolean,
): Promise<boolean> {
  // A supervisor does not learn of the end of a child that has unlinked itself.
  const linked = model.plans.filter((plan) => plan.kind !== "unlinked" && model.alive.has(plan.id));
  const [first, ...others] = linked.map(({ id }) => id);
  if (first === undefined) return false;
  const id = world.choose("whom", [first, ...others]);
  const pid = model.alive.get(id) as AnyPid;
  const kind = model.plans.find((plan) => plan.id === id)?.kind;
  const reason = kind === "slow stop" || kind === "stubborn" ? "kill" : world.choose("reason", reasons);
  if (failing) system.failures.set(id, world.choose("failures", [1, 2, 6]));
  model.trace = [];
  const alive = new Set(model.alive.keys());
  if (reason === "normal") self.send(pid as never, "end" as never);
  else self.exit(pid, reason);
  const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: calmMs });
  const expected = model.expectedAfterEnd(id, reason === "kill" ? "killed" : reason, alive);
  if (failing && system.failures.get(id) !== undefined) {
    system.failures.delete(id);
    // How often it is tried is the window's matter, which the model checks as it happens.
    model.trace = [];
    if (down !== timedOut) system.oracle.expect(model.gaveUp || expected.ends, "a supervisor ended without giving up");
    return down !== timedOut;
  }
  compare(system, model, expected.trace, `when a child ended (${model.flags.strategy})`);
  system.oracle.expect((down !== timedOut) === expected.ends, "a supervisor ended, or lives on, when it must not");
  if (down !== timedOut)
    system.oracle.expect(
      (down as { reason: unknown }).reason === "shutdown",
      "a supervisor ended with another reason than shutdown",
    );
  return down !== timedOut;
}

/** Stops one child while its group waits for a restart: it must stay down. */
async function stopWhileWaiting(
  self: AnyProcess,
  supervisor: AnyPid,
  ref: ReturnType<AnyProcess["monitor"]>,
  model: SupervisorModel,
  world: World,
): Promise<boolean> {
  const [first, ...others] = model.plans.filter(
    (plan) => plan.restart === "permanent" && plan.kind !== "unlinked" && model.alive.has(plan.id),
  );
  if (first === undefined || model.flags.backoff === undefined || model.isWindowFull) return false;
  const { id } = world.choose("waiting", [first, ...others]);
  self.exit(model.alive.get(id) as AnyPid, "kill");
  await self.receive(() => false, { timeoutMs: 5 });
  const other = world.choose("stopped", model.plans);
  model.keepsDelays = false;
  await terminateChild(self, supervisor, other.id);
  model.held.add(other.id);
  const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: calmMs });
  model.keepsDelays = true;
  model.plans = model.plans.filter((plan) => plan.restart !== "temporary" || model.alive.has(plan.id));
  model.trace = [];
  return down !== timedOut;
}

async function onRequest(
  self: AnyProcess,
  supervisor: AnyPid,
  model: SupervisorModel,
  system: System,
  world: World,
  restarts: boolean,
): Promise<boolean> {
  const [first, ...others] = model.plans;
  if (first === undefined) return false;
  const plan = world.choose("asked", [first, ...others]);
  const { oracle } = system;
  const wasAlive = model.alive.has(plan.id);
  model.trace = [];
  if (restarts) {
    model.held.delete(plan.id);
    const result = await restartChild(self, supervisor, plan.id);
    oracle.expect(result.ok !== wasAlive, "restartChild was refused, or was not, when it must not be");
    compare(system, model, wasAlive ? [] : [`start ${plan.id}`], "on restartChild");
    return false;
  }
  const result = await terminateChild(self, supervisor, plan.id);
  oracle.expect(result.ok, "terminateChild was refused");
  compare(system, model, wasAlive ? [`end ${plan.id}`] : [], "on terminateChild");
  model.held.add(plan.id);
  if (plan.restart === "temporary") model.plans = model.plans.filter((other) => other !== plan);
  else if (world.chance("delete", 0.2)) {
    oracle.expect((await deleteChild(self, supervisor, plan.id)).ok, "deleteChild was refused");
    model.plans = model.plans.filter((other) => other !== plan);
  }
  return false;
}

/** What the supervisor says of its children is what they know of themselves. */
async function look(self: AnyProcess, supervisor: AnyPid, model: SupervisorModel, system: System): Promise<void> {
  const { oracle } = system;
  const shown = await whichChildren(self, supervisor);
  oracle.expect(
    shown.map(({ id }) => id).join() === model.plans.map(({ id }) => id).join(),
    "whichChildren names other children",
  );
  for (const { id, pid } of shown) {
    oracle.expect(pid === "restarting" || pid === model.alive.get(id as string), "whichChildren shows another pid");
  }
  const counts = await countChildren(self, supervisor);
  oracle.expect(counts.active === model.alive.size, "countChildren counts other children as active");
  for (const plan of model.plans) {
    const isMissing = plan.restart === "permanent" && !model.alive.has(plan.id) && !model.held.has(plan.id);
    oracle.expect(!isMissing, "a permanent child is not running");
  }
}

/** True when the supervisor has ended. */
async function wildRounds(
  self: AnyProcess,
  supervisor: AnyPid,
  model: SupervisorModel,
  system: System,
  world: World,
): Promise<boolean> {
  const ref = self.monitor(supervisor);
  for (let round = 0; round < roundsMax; round += 1) {
    const down = await self.receive((message: unknown) => isDown(message, ref), {
      timeoutMs: world.choose("gap", [20, 5, 100, 300, 0]),
    });
    if (down !== timedOut) return true;
    const [first, ...others] = [...model.alive];
    if (first === undefined) continue;
    const [id, pid] = world.choose("whom", [first, ...others]);
    if (world.chance("fails", 0.3)) system.failures.set(id, 1);
    self.exit(pid, world.choose("reason", ["kill", "boom", "shutdown"] as const));
  }
  system.failures.clear();
  const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: calmMs });
  if (down !== timedOut) return true;
  for (const plan of model.plans) {
    const isMissing = plan.restart === "permanent" && !model.alive.has(plan.id);
    system.oracle.expect(!isMissing, "a permanent child is not running");
  }
  self.demonitor(ref, { flush: true });
  return false;
}

async function stopAll(self: AnyProcess, supervisor: AnyPid, model: SupervisorModel, system: System): Promise<void> {
  model.trace = [];
  const expected = model.expectedAtStop();
  self.exit(supervisor, "shutdown");
  const exit = await self.receive((message: unknown) => isExit(message, supervisor), { timeoutMs: 10_000 });
  system.oracle.expect(exit !== timedOut, "a supervisor does not come to an end");
  compare(system, model, expected, "when it was stopped");
  if (!system.isWild) system.oracle.expect(system.stopping.size === 0, "a child that was stopping in time was killed");
}

const property: Property<System> = {
  name: "supervisors",
  setup: () => new System(),
  async workload(self, system, world) {
    system.isWild = world.chance("wild", 0.3);
    const { ref } = self.spawnMonitor(owner(system, world), { label: "owner" });
    const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: 200_000 });
    system.oracle.expect(down !== timedOut, "a supervisor does not come to an end");
    const reason = down === timedOut ? "normal" : (down as { reason: unknown }).reason;
    system.oracle.expect(reason === "normal", `the owner of a supervisor crashed: ${String(reason)}`);
  },
};

export const supervisors: Campaign = campaign(property, {
  faults: { kill: 2, crash: 1, "clock-step": 1 },
  window: [0, 2_000],
  targets: (title) => title.startsWith("wild"),
});
