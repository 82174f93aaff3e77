/**
 * Kernel subjects: bodies for the statements on processes, messages, signals and timers that a puppet cannot be.
 *
 * @module
 */
import { defineProgram, type AnyPid, type AnyProcess, type Pid } from "colos";
import type { Subject } from "./subject.ts";

/** The ways in which a process waits. */
export const waysToWait = ["receive", "receive with a time-out", "request", "wait", "start"] as const;

/** Milliseconds that those wait at first which have a limit. */
export const waitMs = 50;

const neverReady = defineProgram(idler, { acknowledges: true });

async function idler(self: AnyProcess): Promise<void> {
  await self.receive((message: unknown) => message === "stop");
}

function waitAs(way: unknown, self: AnyProcess, to: AnyPid, limitMs: number): Promise<unknown> {
  if (way === "receive") return self.receive();
  if (way === "receive with a time-out") return self.receive(undefined, { timeoutMs: limitMs });
  if (way === "request") return self.request(to, "anybody?", limitMs);
  if (way === "wait")
    return self.wait(new Promise((resolve) => self.kernel.timers.start(limitMs, () => resolve(undefined))));
  return self.start(neverReady, { timeoutMs: limitMs });
}

export const kernelSubjects: Readonly<Record<string, Subject>> = {
  /** Ends at `stop`, leaving all other messages in its mailbox. */
  idler,
  /** Exits with `x` at the first message. */
  quitter: async (self) => {
    await self.receive();
    self.exit("x");
  },
  /** Sends on whatever it gets, as `[its pid, message]`; `[to]`. */
  forwarder: async (self, to) => {
    for (;;) self.send(to as Pid<unknown>, [self.pid, await self.receive()]);
  },
  /** Sends 0, 1, 2, … with pauses; `[to, pauseMs]`. */
  ticker: async (self, to, pauseMs) => {
    for (let count = 0; ; count += 1) {
      self.send(to as Pid<unknown>, count);
      await self.sleep(pauseMs as number);
    }
  },
  /** At the first message sends itself an exit signal and tries to go on; `[reason]`. */
  selfEnder: async (self, reason) => {
    await self.receive();
    try {
      self.exit(self.pid, reason);
    } catch {
      // Like Erlang's catch: it does not help.
    }
    await self.yield();
    self.exit("survived");
  },
  /** Waits in one of the `waysToWait` and says so if its `finally` ever runs; `[to, way, limitMs]`. */
  cleaner: async (self, to, way, limitMs) => {
    try {
      self.kernel.send(to as AnyPid, "waiting");
      await waitAs(way, self, to as AnyPid, limitMs as number);
    } finally {
      self.kernel.send(to as AnyPid, "cleaned");
    }
  },
  /** Computes for ever, giving way now and then, and tells of every hundredth time; `[to]`. */
  spinner: async (self, to) => {
    for (let rounds = 0; ; rounds += 1) {
      if (rounds % 100 === 0) self.kernel.send(to as AnyPid, ["rounds", rounds]);
      await self.yield();
    }
  },
};
