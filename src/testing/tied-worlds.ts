/**
 * Tied worlds: kernels of one heap with a channel between them, for tests of what crosses carriers.
 *
 * @module
 */
import type { Connection } from "../kernel/connection.ts";
import type { Pid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import type { Channel, Signal } from "../kernel/signal.ts";
import { World } from "./world.ts";

/** A line between two kernels of one heap that copies, keeps order, and can be held up or cut. */
export interface Line {
  /** Signals wait until `release`. */
  hold(): void;
  release(): void;
  /** Both ends learn that the other is gone; what was on its way is lost. */
  cut(cause: unknown, mainReason?: unknown): void;
  /** The upper kernel's view of the line. */
  readonly down: Connection;
  /** All signals that went over the line, in order. */
  readonly sent: Signal[];
}

/** Ties two kernels by a channel that copies; `downward` is what the channel to the lower one says of itself. */
export function tie(upper: World, lower: World, downward: Partial<Channel> = {}): Line {
  const sent: Signal[] = [];
  const held: (() => void)[] = [];
  let isHeld = false;
  let isCut = false;
  const carry = (deliver: () => void): void => {
    if (isHeld) held.push(deliver);
    else upper.platform.scheduling.macrotask(() => (isCut ? undefined : deliver()));
  };
  const channel = (receive: (signal: Signal) => void): Channel => ({
    send: (signal) => {
      sent.push(signal);
      const copy = structuredClone(signal);
      carry(() => receive(copy));
    },
  });
  const { send } = channel((signal) => up.receive(signal));
  const down = upper.kernel.connect(lower.kernel.id, Object.assign(downward, { send }));
  const up = lower.kernel.connect(
    upper.kernel.id,
    channel((signal) => down.receive(signal)),
    "uplink",
  );
  return {
    sent,
    down,
    hold: () => {
      isHeld = true;
    },
    release: () => {
      isHeld = false;
      for (const deliver of held.splice(0)) carry(deliver);
    },
    cut: (cause, mainReason) => {
      isCut = true;
      held.length = 0;
      down.lost(cause, mainReason);
      up.lost(cause);
    },
  };
}

/** A root kernel and one below it. */
export interface Pair {
  readonly root: World;
  readonly child: World;
  readonly line: Line;
  /** The pid of the child's test process, as the root knows it. */
  readonly childPid: Pid<unknown>;
  readonly rootPid: Pid<unknown>;
}

/** A world below another, not tied to it yet. */
export function below(world: World): World {
  return new World({ id: world.kernel.newChildId(), platform: world.platform });
}

/** Hands a value from one kernel to another, as a carrier does with the arguments of a program. */
export function handOver<T>(value: T, from: World, to: World): T {
  return to.kernel.decode(structuredClone(from.kernel.encode(value))) as T;
}

/** Two worlds, tied. */
export function pair(): Pair {
  const root = new World();
  const child = below(root);
  const line = tie(root, child);
  const childPid = handOver(child.self.pid, child, root);
  const rootPid = handOver(root.self.pid, root, child);
  return { root, child, line, childPid, rootPid };
}

/** A process in `there`, as `here` knows it. */
export function spawnAt(there: World, here: World, body: (self: AnyProcess) => unknown): Pid<unknown> {
  return handOver(there.self.spawn(body), there, here) as Pid<unknown>;
}
