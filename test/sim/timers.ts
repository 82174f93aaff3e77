/**
 * Timers: nothing early, nothing late, nothing cancelled, and all in the order of their due times.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import type { Ref } from "../../src/kernel/pid.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const stepsMax = 40;
/** What subtracting times may lose. */
const roundingMs = 0.001;

class System implements Judged {
  readonly oracle = new Oracle();
}

interface Due {
  readonly number: number;
  readonly dueMs: number;
}

/** A process that gives all messages on with the time at which they were put into its mailbox: it does nothing else. */
function clockwork(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle } = system;
    const { clock } = self.kernel.platform;
    const due = new Map<Ref, Due>();
    const cancelled = new Set<number>();
    let number = 0;
    let lastDueMs = 0;
    const take = (message: unknown): void => {
      const { number, dueMs } = message as Due;
      const nowMs = clock.monotonicMs();
      oracle.expect(nowMs >= dueMs, "a timer fired early");
      oracle.expect(dueMs >= lastDueMs, "timers fired in another order than that of their due times");
      oracle.expect(!cancelled.has(number), "a cancelled timer fired");
      lastDueMs = dueMs;
      for (const [ref, timer] of due) if (timer.number === number) due.delete(ref);
    };
    for (let step = 0; step < stepsMax; step += 1) {
      const act = world.choose("act", ["start", "start", "wait", "cancel", "wait", "start"]);
      if (act === "start") {
        const delayMs = world.choose("delay", [10, 3, 50, 7, 100, 31, 0, 64]);
        number += 1;
        const timer: Due = { number, dueMs: clock.monotonicMs() + delayMs };
        due.set(self.sendAfter(delayMs, self.pid, timer), timer);
      } else if (act === "cancel") {
        const [first, ...others] = due.keys();
        if (first === undefined) continue;
        const ref = world.choose("which", [first, ...others]);
        const timer = due.get(ref) as Due;
        const leftMs = self.cancelTimer(ref);
        if (leftMs === false) continue;
        oracle.expect(
          leftMs === Math.max(0, Math.ceil(timer.dueMs - clock.monotonicMs())),
          "a cancelled timer had another time left",
        );
        cancelled.add(timer.number);
        due.delete(ref);
      } else {
        const waitMs = world.choose("wait", [5, 1, 20, 60]);
        const untilMs = clock.monotonicMs() + waitMs;
        const message = await self.receive(undefined, { timeoutMs: waitMs });
        if (message === timedOut) oracle.expect(clock.monotonicMs() >= untilMs, "a receive ended before its time-out");
        else take(message);
      }
    }
    for (;;) {
      const leftMs = Math.max(0, ...[...due.values()].map(({ dueMs }) => dueMs - clock.monotonicMs()));
      if (due.size === 0) break;
      // Late by no more than the machine lets its turns be.
      const message = await self.receive(undefined, { timeoutMs: leftMs + 5_000 });
      if (message === timedOut) {
        oracle.fail("a timer never fired");
        return;
      }
      take(message);
    }
    const rest = await self.receive(undefined, { timeoutMs: 200 });
    oracle.expect(rest === timedOut, "a timer fired twice, or one that was cancelled");
  };
}

/** Timed receives beside messages of others: no time-out of one receive may end another one. */
function patient(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { clock } = self.kernel.platform;
    for (let step = 0; step < 15; step += 1) {
      const waitMs = world.choose("patience", [20, 5, 50, 0]);
      if (world.chance("poke", 0.5)) self.sendAfter(world.choose("poke in", [1, 4, 19, 30]), self.pid, "poke");
      const beganMs = clock.monotonicMs();
      const message = await self.receive(undefined, { timeoutMs: waitMs });
      const lastedMs = clock.monotonicMs() - beganMs;
      if (message === timedOut)
        system.oracle.expect(lastedMs >= waitMs - roundingMs, "a receive ended before its time-out");
    }
  };
}

/** Timers of many durations at the same time: each comes at its time. */
function punctual(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { platform, timers } = self.kernel;
    const { clock } = platform;
    const countMax = 8;
    let firedCount = 0;
    for (let count = 0; count < countMax; count += 1) {
      const delayMs = world.choose("in", [40, 10, 90, 25, 70, 15, 55, 33, 5, 120]);
      const dueMs = clock.monotonicMs() + delayMs;
      timers.start(delayMs, () => {
        firedCount += 1;
        system.oracle.expect(clock.monotonicMs() >= dueMs, "a timer fired early");
        system.oracle.expect(clock.monotonicMs() <= dueMs, "a timer fired late");
      });
      if (world.chance("pause", 0.3)) await self.receive(() => false, { timeoutMs: 2 });
    }
    await self.receive(() => false, { timeoutMs: 500 });
    system.oracle.expect(firedCount === countMax, "a timer never fired");
  };
}

const property: Property<System> = {
  name: "timers",
  setup: () => new System(),
  async workload(self, system, world) {
    const bodies = [clockwork(system, world), patient(system, world)];
    const refs = bodies.map((body) => self.spawnMonitor(body, { label: "timed" }).ref);
    for (const ref of refs) await self.receive((message: unknown) => isDown(message, ref));
    await self.sleep(1_000);
    const { ref } = self.spawnMonitor(punctual(system, world), { label: "punctual" });
    await self.receive((message: unknown) => isDown(message, ref));
  },
};

export const timers: Campaign = campaign(property, {
  faults: { slow: 1, suspend: 1, "clock-step": 2 },
  window: [0, 300],
});
