/**
 * State machines: the order of postponed events, and time-outs of states, silence and names, against a model in the test.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import type { AnyProcess } from "../../src/kernel/process.ts";
import { cast } from "../../src/server/server.ts";
import {
  eventTimeout,
  keepState,
  nextState,
  postpone,
  startStateMachine,
  stateTimeout,
  timeout,
  type Action,
  type MachineEvent,
  type MachineResult,
  type StateMachine,
} from "../../src/server/state-machine.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

class System implements Judged {
  readonly oracle = new Oracle();
  handledCount = 0;
  sentCount = 0;
}

type State = "shut" | "open" | "ajar";

interface DoorTypes {
  readonly state: State;
  readonly cast: Order;
  readonly timeout: number;
}

type Order =
  | { readonly kind: "item"; readonly number: number }
  | { readonly kind: "go"; readonly state: State }
  | { readonly kind: "quiet"; readonly forMs: number }
  | { readonly kind: "alarm"; readonly inMs: number }
  | { readonly kind: "noAlarm" }
  | { readonly kind: "busy"; readonly forMs: number };

/** Takes items only while it is open, and knows by itself which time-outs run. */
class Door implements StateMachine<DoorTypes> {
  readonly #self: AnyProcess;
  readonly #system: System;
  readonly #world: World;
  /** Each time-out carries the number under which it was set. */
  #setsCount = 0;
  #stateSet = 0;
  #silenceSet = 0;
  #alarmSet = 0;
  readonly #dueMs = new Map<number, number>();
  #lastItem = 0;

  constructor(self: AnyProcess, system: System, world: World) {
    this.#self = self;
    this.#system = system;
    this.#world = world;
  }

  init(): MachineResult<DoorTypes> & ReturnType<typeof nextState<State>> {
    return nextState("shut" as State);
  }

  handleEvent(event: MachineEvent<DoorTypes>, state: State): MachineResult<DoorTypes> {
    const silence = this.#silenceSet;
    this.#silenceSet = 0;
    if (event.type === "stateTimeout") return this.#fired(event.content, this.#stateSet, "state", state);
    if (event.type === "eventTimeout") return this.#fired(event.content, silence, "silence", state);
    if (event.type === "timeout") return this.#fired(event.content, this.#alarmSet, "name", state);
    return event.type === "cast" ? this.#take(event.content as Order, state) : keepState();
  }

  #take(order: Order, state: State): MachineResult<DoorTypes> {
    switch (order.kind) {
      case "item":
        return this.#takeItem(order.number, state);
      case "go":
        return this.#go(order.state, state);
      case "quiet":
        this.#silenceSet = this.#set(order.forMs);
        return keepState(eventTimeout(order.forMs, this.#silenceSet));
      case "alarm":
        this.#alarmSet = this.#set(order.inMs);
        return keepState(timeout("alarm", order.inMs, this.#alarmSet));
      case "noAlarm":
        this.#alarmSet = 0;
        return keepState(timeout("alarm", "cancel"));
      default:
        return this.#self.receive(() => false, { timeoutMs: order.forMs }).then(() => undefined);
    }
  }

  #takeItem(number: number, state: State): MachineResult<DoorTypes> {
    if (state !== "open") return keepState(postpone);
    this.#system.oracle.expect(number === this.#lastItem + 1, "events were handled in another order than they came in");
    this.#lastItem = number;
    this.#system.handledCount += 1;
    return keepState();
  }

  #go(to: State, from: State): MachineResult<DoorTypes> {
    if (to === from) return nextState(to);
    const actions: Action[] = [];
    this.#stateSet = 0;
    const forMs = this.#world.choose("stay", [0, 20, 5, 60]);
    if (forMs > 0) {
      this.#stateSet = this.#set(forMs);
      actions.push(stateTimeout(forMs, this.#stateSet));
    }
    return nextState(to, ...actions);
  }

  #set(inMs: number): number {
    this.#setsCount += 1;
    this.#dueMs.set(this.#setsCount, this.#self.kernel.platform.clock.monotonicMs() + inMs);
    return this.#setsCount;
  }

  #fired(content: number, wanted: number, what: string, state: State): MachineResult<DoorTypes> {
    const { oracle } = this.#system;
    oracle.expect(content === wanted, `a time-out of the ${what} fired that was over`);
    const nowMs = this.#self.kernel.platform.clock.monotonicMs();
    oracle.expect(nowMs >= (this.#dueMs.get(content) ?? 0), "a time-out fired early");
    if (what === "state") {
      this.#stateSet = 0;
      return this.#go("open", state);
    }
    if (what === "name") this.#alarmSet = 0;
    return keepState();
  }
}

function visitor(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const machine = await startStateMachine(self, (door) => new Door(door, system, world), { label: "door" });
    for (let step = 0; step < 25; step += 1) {
      const kind = world.choose("order", ["item", "go", "item", "quiet", "alarm", "noAlarm", "busy", "item"] as const);
      cast(self, machine, orderOf(kind, system, world));
      await self.receive(() => false, { timeoutMs: world.choose("gap", [1, 0, 5, 20, 60]) });
    }
    cast(self, machine, { kind: "go", state: "open" } satisfies Order);
    await self.receive(() => false, { timeoutMs: 300 });
    cast(self, machine, { kind: "go", state: "open" } satisfies Order);
    await self.receive(() => false, { timeoutMs: 25_000 });
    system.oracle.expect(system.handledCount === system.sentCount, "a postponed event never came again");
  };
}

function orderOf(kind: Order["kind"], system: System, world: World): Order {
  switch (kind) {
    case "item":
      system.sentCount += 1;
      return { kind, number: system.sentCount };
    case "go":
      return { kind, state: world.choose("state", ["open", "shut", "ajar"] as const) };
    case "quiet":
      return { kind, forMs: world.choose("quiet", [10, 30, 2]) };
    case "alarm":
      return { kind, inMs: world.choose("alarm", [15, 5, 40]) };
    case "busy":
      return { kind, forMs: world.choose("busy", [10, 25, 50]) };
    default:
      return { kind };
  }
}

const property: Property<System> = {
  name: "state machines",
  setup: () => new System(),
  async workload(self, system, world) {
    const { ref } = self.spawnMonitor(visitor(system, world), { label: "visitor" });
    await self.receive((message: unknown) => isDown(message, ref));
  },
};

export const stateMachines: Campaign = campaign(property, {
  faults: { slow: 1, suspend: 1, "clock-step": 1 },
  window: [0, 500],
});
