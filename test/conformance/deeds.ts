/**
 * Deeds: what a puppet can be ordered to do that takes more than one call of its `self`, for the statements on processes,
 * messages, signals and timers.
 *
 * @module
 */
import { isDown, isExit, timedOut, type AnyPid, type AnyProcess, type Pid } from "colos";

export type Deed = (self: AnyProcess, ...args: readonly unknown[]) => unknown;

/** How a child is spawned: the methods of `Process`. */
type Spawner = "spawnLink" | "spawnMonitor";

async function idle(self: AnyProcess): Promise<void> {
  await self.receive((message: unknown) => message === "stop");
}

/** A body that ends at once, without a promise. */
function quick(act: unknown, value: unknown): (self: AnyProcess) => void {
  return (self) => {
    if (act === "throw") throw value;
    if (act === "exit") self.exit(value);
  };
}

function spawnWith(self: AnyProcess, spawner: unknown, body: (child: AnyProcess) => unknown): AnyPid {
  return (spawner as Spawner) === "spawnLink" ? self.spawnLink(body) : self.spawnMonitor(body).pid;
}

/** Waits for the notice of a child's end. */
async function endOf(self: AnyProcess, pid: AnyPid): Promise<unknown> {
  const isIts = (message: unknown): boolean => isExit(message, pid) || (isDown(message) && message.from === pid);
  return ((await self.receive(isIts)) as { readonly reason: unknown }).reason;
}

export const deeds: Readonly<Record<string, Deed>> = {
  /** Spawns a child that fails at once; what was seen when `spawn` returned, and later. */
  spawnBroken: async (self) => {
    let ran = false;
    const pid = self.spawn(() => {
      ran = true;
      throw new Error("boom");
    });
    const atReturn = { ran, isAlive: self.isAlive(pid) };
    self.monitor(pid);
    await endOf(self, pid);
    return { atReturn, ran, messagesCount: self.info()?.messagesCount };
  },
  /** The reason of a child that ends at once; `[act, value]`: `"throw"`, `"exit"` or `"return"`. */
  quickEnd: (self, act, value) => endOf(self, self.spawnMonitor(quick(act, value)).pid),
  /** The reasons of many children, one after the other, that exit at once; `[spawner, count, reason]`. */
  quickEnds: async (self, spawner, count, reason) => {
    const trapped = self.trapExit(true);
    const reasons: unknown[] = [];
    while (reasons.length < (count as number)) {
      reasons.push(await endOf(self, spawnWith(self, spawner, quick("exit", reason))));
    }
    self.trapExit(trapped);
    return reasons;
  },
  /** How many different ids as many children had, and by how many processes the kernel grew; `[count]`. */
  distinctIds: async (self, count) => {
    const before = self.kernel.processesCount;
    const ids = new Set<string>();
    for (let index = 0; index < (count as number); index += 1) {
      const { pid } = self.spawnMonitor(() => {});
      ids.add(String(pid));
      await endOf(self, pid);
    }
    return { idsCount: ids.size, grownBy: self.kernel.processesCount - before };
  },
  /** Whether its kernel lists a process; `[pid]`. */
  isListed: (self, pid) => self.kernel.processes().includes(pid as AnyPid),
  /** Sends 0, 1, 2, …; `[to, count]`. */
  flood: (self, to, count) => {
    for (let index = 0; index < (count as number); index += 1) self.send(to as Pid<unknown>, index);
  },
  /** `[to, messages]` */
  sendAll: (self, to, messages) => {
    for (const message of messages as readonly unknown[]) self.send(to as Pid<unknown>, message);
  },
  /** Takes the message and fails; `[message]`. */
  receiveThenThrow: async (self, wanted) => {
    await self.receive((message: unknown) => message === wanted);
    throw new Error("after receive");
  },
  /** How long a receive that nothing matches took, by its own clock; `[timeoutMs]`. */
  waitInVain: async (self, timeoutMs) => {
    const { clock } = self.kernel.platform;
    const beganMs = clock.monotonicMs();
    const result = await self.receive(() => false, { timeoutMs: timeoutMs as number });
    return { isTimedOut: result === timedOut, tookMs: clock.monotonicMs() - beganMs };
  },
  /** How long a message of `sendAfter` to itself took, by its own clock; `[delayMs]`. */
  timeOfSendAfter: async (self, delayMs) => {
    const { clock } = self.kernel.platform;
    const beganMs = clock.monotonicMs();
    self.sendAfter(delayMs as number, self.pid, "timer");
    await self.receive((message: unknown) => message === "timer");
    return clock.monotonicMs() - beganMs;
  },
  /** Gives way to others; `[times]`. */
  yieldOften: async (self, times) => {
    for (let index = 0; index < (times as number); index += 1) await self.yield();
  },
  /** In which order come the last message of a child, its EXIT and its DOWN; `[rounds]`. */
  lastWords: async (self, rounds) => {
    const trapped = self.trapExit(true);
    const orders = new Set<string>();
    for (let round = 0; round < (rounds as number); round += 1) {
      const pid = self.spawnLink((child) => child.send(self.pid as Pid<unknown>, { type: "last" }));
      self.monitor(pid);
      const types: string[] = [];
      while (types.length < 3) types.push(((await self.receive()) as { readonly type: string }).type);
      orders.add(types.join(", "));
    }
    self.trapExit(trapped);
    return [...orders];
  },
  /** How often the name of a child was still taken when its DOWN came; `[name, rounds]`. */
  namesTakenAtDown: async (self, name, rounds) => {
    let takenCount = 0;
    for (let round = 0; round < (rounds as number); round += 1) {
      const { pid } = self.spawnMonitor(idle, { name: name as string });
      self.send(pid as Pid<unknown>, "stop");
      await endOf(self, pid);
      if (self.whereis(name as string) !== undefined) takenCount += 1;
    }
    return takenCount;
  },
  /** Spawns processes that wait; `[count]`. */
  crowd: (self, count) => Array.from({ length: count as number }, () => self.spawn(idle)),
  /** Spawns processes that wait, linked; `[count]`. */
  linkedCrowd: (self, count) => Array.from({ length: count as number }, () => self.spawnLink(idle)),
  /** `[pids]` */
  linkAll: (self, pids) => {
    for (const pid of pids as readonly AnyPid[]) self.link(pid);
  },
};
