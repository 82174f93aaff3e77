/**
 * Reference: the scenario by which the simulator is measured. Twenty processes under supervisors of three strategies, clients that
 * call them, kills and crashes, slow and failing inits, and a child that does not stop by itself, with all oracles on.
 *
 * The supervisors stand under a root that starts them again when they give up. What is checked: the restart window and the order
 * of each supervisor (supervisor-model.ts), no child runs twice, each call has its own answer, and when all is calm everybody
 * is up.
 *
 * @module
 */
import { isTagged, Exit } from "../../src/kernel/exit-reason.ts";
import { isDown, isExit } from "../../src/kernel/message.ts";
import type { AnyPid, Ref } from "../../src/kernel/pid.ts";
import { StartError, type AnyProcess } from "../../src/kernel/process.ts";
import { call, startServer, type Server } from "../../src/server/server.ts";
import type { ChildSpec, Strategy } from "../../src/supervisor/child-spec.ts";
import { startSupervisor } from "../../src/supervisor/supervisor.ts";
import type { Plan, Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";
import { SupervisorModel, type ChildPlan } from "./supervisor-model.ts";

const strategies: readonly Strategy[] = ["oneForOne", "oneForAll", "restForOne"];
/** Children of each of the three supervisors; with the supervisors, their root and the clients, twenty processes. */
const childrenOfEach = 4;
const clientsCount = 4;
const supervisorFlags = { maxRestarts: 5, periodMs: 5_000 };

/** How long a scenario lasts. */
export interface ReferenceSize {
  /** Of faults and clients, in virtual milliseconds. */
  readonly durationMs: number;
}

class System implements Judged {
  readonly oracle = new Oracle();
  readonly models = new Map<string, SupervisorModel>();
}

/** A server that answers now, after a pause, or never, and whose start may be slow or fail. */
class Clerk implements Server<Question> {
  readonly #self: AnyProcess;
  readonly #world: World;

  constructor(self: AnyProcess, world: World) {
    this.#self = self;
    this.#world = world;
  }

  async init(): Promise<void> {
    if (this.#world.chance("slow init", 0.1)) await this.#pause(50);
    if (this.#world.inWindow && this.#world.chance("failing init", 0.05)) throw new Error("init fails");
  }

  handleCall(question: Question, from: Ref): unknown {
    if (question.how === "crash") throw new Error("crash");
    return question.how === "slow" ? this.#pause(30).then(() => question.number) : this.#answer(question, from);
  }

  #answer({ number }: Question, from: Ref): number {
    this.#world.sometimes("a call was answered");
    return from === undefined ? 0 : number;
  }

  async #pause(durationMs: number): Promise<void> {
    await this.#self.receive(() => false, { timeoutMs: durationMs });
  }
}

interface Question {
  readonly number: number;
  readonly how: "at once" | "slow" | "crash";
}

/** A child that never stops by itself. */
async function stubborn(self: AnyProcess): Promise<void> {
  self.trapExit(true);
  for (;;) await self.receive((message: unknown) => isExit(message));
}

function childSpec(plan: ChildPlan, model: SupervisorModel, world: World): ChildSpec {
  const watched = (pid: AnyPid): AnyPid => {
    model.began(plan.id, pid);
    // It may have been struck already when its start is heard of.
    if (pid.process === null) model.ended(plan.id, pid);
    else pid.process.own({ close: () => model.ended(plan.id, pid) });
    return pid;
  };
  return {
    id: plan.id,
    shutdown: plan.kind === "stubborn" ? 40 : 1_000,
    start: async (self) => {
      model.attempted(plan.id);
      if (plan.kind === "stubborn") return watched(self.spawnLink(stubborn, { label: plan.id }));
      const name = plan.id;
      return watched(await startServer(self, (server) => new Clerk(server, world), { name, label: plan.id }));
    },
  };
}

function supervisorSpec(strategy: Strategy, system: System, world: World): ChildSpec {
  const plans = Array.from({ length: childrenOfEach }, (_, index): ChildPlan => {
    const kind = index === 2 && strategy === "oneForAll" ? "stubborn" : "plain";
    return { id: `${strategy} ${index}`, restart: "permanent", kind, significant: false };
  });
  const { clock } = world.platform;
  return {
    id: strategy,
    type: "supervisor",
    start: async (self) => {
      // A new supervisor begins with an empty window.
      const model = new SupervisorModel(system.oracle, { ...supervisorFlags, strategy }, plans, () =>
        clock.monotonicMs(),
      );
      const before = system.models.get(strategy);
      system.oracle.expect(before === undefined || before.alive.size === 0, "a child outlives its supervisor");
      system.models.set(strategy, model);
      const flags = {
        ...model.flags,
        observe: (event: Parameters<SupervisorModel["observe"]>[0]) => model.observe(event),
      };
      const children = plans.map((plan) => childSpec(plan, model, world));
      const pid = await startSupervisor(self, { flags, children }, { label: strategy });
      model.isUp = true;
      return pid;
    },
  };
}

/** Starts the tree, and keeps it when all is over. */
function owner(ready: Ref, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    self.trapExit(true);
    const children = strategies.map((strategy) => supervisorSpec(strategy, system, world));
    const flags = { maxRestarts: 1_000_000, periodMs: 1_000 };
    for (let isUp = false; !isUp;) {
      try {
        await startSupervisor(self, { flags, children }, { label: "root" });
        isUp = true;
      } catch (thrown) {
        // An init has failed, and with it the start as a whole.
        if (!(thrown instanceof StartError)) throw thrown;
      }
    }
    self.send(ready, "ready");
    for (;;) await self.receive((message: unknown) => !isExit(message));
  };
}

function client(number: number, untilMs: number, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const think = `think:${number}`;
    const whom = `whom:${number}`;
    const how = `how:${number}`;
    for (let count = 1; world.nowMs < untilMs; count += 1) {
      await self.receive(() => false, { timeoutMs: world.choose(think, [2, 1, 4, 20]) });
      const name = `${world.choose(whom, strategies)} ${world.choose(whom, [0, 1, 3])}`;
      const question: Question = {
        number: count,
        how: world.choose(how, ["at once", "at once", "at once", "slow"] as const),
      };
      try {
        const reply = await call(self, name, question, 500);
        system.oracle.expect(reply === count, "a call got the answer of another call");
      } catch (thrown) {
        const isCall = thrown instanceof Exit && isTagged(thrown.reason, "call");
        system.oracle.expect(isCall, "a call failed with something else than a failed call");
      }
    }
  };
}

function property({ durationMs }: ReferenceSize): Property<System> {
  return {
    name: "reference",
    setup: () => new System(),
    async workload(self, system, world) {
      const ready = self.alias();
      self.spawn(owner(ready, system, world), { label: "owner" });
      await self.receive((message: unknown) => message === "ready");
      self.unalias(ready);
      const refs = Array.from({ length: clientsCount }, (_, number) => {
        return self.spawnMonitor(client(number, durationMs, system, world), { label: `client ${number}` }).ref;
      });
      for (const ref of refs) await self.receive((message: unknown) => isDown(message, ref));
    },
    eventually: {
      "all children are up": {
        withinMs: 20_000,
        holds: ({ models }) => {
          const isUp = ({ alive, isUp }: SupervisorModel): boolean => isUp && alive.size === childrenOfEach;
          return [...models.values()].every(isUp) || "a child is not up";
        },
      },
    },
  };
}

/** About three times in a second somebody is struck. */
function plan({ durationMs }: ReferenceSize): Plan {
  // Not a supervisor: when one is killed, a child that traps exits rightly lives on.
  const isStruck = (title: string): boolean => strategies.some((strategy) => title.startsWith(`${strategy} `));
  return {
    faults: { kill: 1.5, crash: 1 },
    window: [100, durationMs],
    budget: { faultsMax: 1_000_000 },
    targets: isStruck,
  };
}

export function reference(size: ReferenceSize): Campaign {
  return campaign(property(size), plan(size));
}
