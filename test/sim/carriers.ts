/**
 * Carriers: what processes on several simulated carriers know of each other, while carriers are slow, cut off and lost.
 *
 * Signals between kernels take time and cross each other, so there is no exact model. Instead everything is counted: each
 * message has a number of its sender for its receiver, each monitor gives at most one down, a call has one outcome that is
 * possible, and when all has calmed nobody knows of a process that is gone (leftovers.ts).
 *
 * @module
 */
import { Exit, isTagged, type ExitReason } from "../../src/kernel/exit-reason.ts";
import { HeldTooLongError } from "../../src/kernel/gate.ts";
import { isDown, isExit } from "../../src/kernel/message.ts";
import type { AnyPid, Pid, Ref } from "../../src/kernel/pid.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import { Request } from "../../src/kernel/request.ts";
import type { Property, View, World } from "../../src/sim/property.ts";
import { Registry, startRegistry } from "../../src/server/registry.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const stepsMax = 14;
const actorsCount = 7;
/** Messages to the slow sink, which holds its sender. */
const floodCount = 20;

interface Numbered {
  readonly type: "numbered";
  readonly from: number;
  readonly number: number;
}

interface Everybody {
  readonly type: "everybody";
  readonly pids: readonly AnyPid[];
}

interface Asked {
  readonly call: number;
  readonly ends: boolean;
}

/** What is known of one actor, wherever it runs; shared by all kernels of the run because they share the heap. */
class Record {
  readonly number: number;
  /** By receiver. */
  readonly sentCounts: number[] = Array.from({ length: actorsCount }, () => 0);
  /** By sender. */
  readonly receivedCounts: number[] = Array.from({ length: actorsCount }, () => 0);
  self: AnyProcess | null = null;
  isDone = false;

  constructor(number: number) {
    this.number = number;
  }
}

class System implements Judged {
  readonly oracle = new Oracle();
  readonly records: readonly Record[] = Array.from({ length: actorsCount }, (_, number) => new Record(number));
  readonly handledCalls = new Set<number>();
  callsCount = 0;
  /** Those that the root registered, by name. */
  readonly named = new Map<string, AnyPid>();
}

const operations = [
  "nothing",
  "send",
  "send",
  "link",
  "unlink",
  "monitor",
  "flush",
  "call",
  "callToEnd",
  "register",
  "end",
  "unlink",
  "link",
] as const;

class Actor {
  readonly #self: AnyProcess;
  readonly #system: System;
  readonly #world: World;
  readonly #record: Record;
  readonly #refs = new Map<Ref, number>();
  /** Told of their end: nothing may come from them any more. */
  readonly #ended = new Set<number>();
  readonly #registry: Registry<string>;
  #pids: readonly AnyPid[] = [];

  constructor(self: AnyProcess, number: number, system: System, world: World) {
    this.#self = self;
    this.#system = system;
    this.#world = world;
    this.#record = system.records[number] as Record;
    this.#record.self = self;
    this.#registry = new Registry<string>(self, "keys", { timeoutMs: 2_000 });
  }

  async live(): Promise<void> {
    this.#self.trapExit(this.#choose("traps", [true, false]));
    const everybody = (await this.#self.receive((message: unknown) => isEverybody(message))) as Everybody;
    this.#pids = everybody.pids;
    for (let step = 0; step < stepsMax; step += 1) {
      await this.#takeFor(this.#choose("gap", [1, 5, 20, 100, 300]));
      const reason = await this.#act(this.#choose("act", operations));
      if (reason !== null) return this.#self.exit(reason);
    }
    this.#record.isDone = true;
    for (;;) this.#take(await this.#self.receive());
  }

  #choose<T>(what: string, items: readonly T[]): T {
    return this.#world.choose(`${what}:${this.#record.number}`, items);
  }

  #numberOf(pid: AnyPid): number {
    return this.#pids.indexOf(pid);
  }

  async #takeFor(durationMs: number): Promise<void> {
    for (;;) {
      const message = await this.#self.receive(undefined, { timeoutMs: durationMs });
      if (message === timedOut) return;
      this.#take(message);
    }
  }

  #take(message: unknown): void {
    const { oracle } = this.#system;
    if (isNumbered(message)) this.#takeNumbered(message);
    else if (message instanceof Request) this.#answer(message);
    else if (isDown(message)) {
      const number = this.#refs.get(message.ref);
      oracle.expect(number !== undefined, "a down came for a monitor that was over");
      this.#refs.delete(message.ref);
      if (number !== undefined) this.#noteEnd(number, message.reason);
    } else if (isExit(message)) {
      const number = this.#numberOf(message.from);
      oracle.expect(number >= 0, "an exit came from nobody that is known");
      if (number >= 0) this.#noteEnd(number, message.reason);
    } else {
      oracle.fail("a message came that nobody has sent");
    }
  }

  #takeNumbered({ from, number }: Numbered): void {
    const { oracle } = this.#system;
    const { receivedCounts } = this.#record;
    const before = receivedCounts[from] as number;
    oracle.expect(number === before + 1, "messages of one sender came out of order, twice or not at all");
    oracle.expect(!this.#ended.has(from), "a message came after the end of its sender was told");
    receivedCounts[from] = number;
  }

  #noteEnd(number: number, reason: ExitReason): void {
    const { oracle, records } = this.#system;
    this.#ended.add(number);
    const ended = records[number] as Record;
    if (isTagged(reason, "own")) {
      const isComplete = this.#record.receivedCounts[number] === ended.sentCounts[this.#record.number];
      oracle.expect(isComplete, "an end was told before messages that were sent before it");
    }
    const name = `actor ${number}`;
    const isFree = !isIn("0", this.#self) || this.#self.whereis(name) === undefined;
    oracle.expect(isFree, "a name is still taken when the end of its holder is told");
  }

  #answer(request: Request): void {
    const { call, ends } = request.body as Asked;
    this.#system.handledCalls.add(call);
    if (ends) this.#self.exit({ tag: "own", call });
    this.#self.reply(request.from, call);
  }

  /** Does it; a reason when the process is to end by itself. */
  async #act(operation: (typeof operations)[number]): Promise<ExitReason | null> {
    const self = this.#self;
    const number = this.#choose("whom", [0, 1, 2, 3, 4, 5, 6]);
    const pid = this.#pids[number] as AnyPid;
    if (number === this.#record.number) return null;
    if (operation === "send") this.#send(number, pid);
    else if (operation === "link") self.link(pid);
    else if (operation === "unlink") self.unlink(pid);
    else if (operation === "monitor") this.#refs.set(self.monitor(pid), number);
    else if (operation === "flush") this.#demonitor();
    else if (operation === "call" || operation === "callToEnd") await this.#call(pid, operation === "callToEnd");
    else if (operation === "register") await this.#register();
    return operation === "end" ? { tag: "own", call: -1 } : null;
  }

  #send(number: number, pid: AnyPid): void {
    const { sentCounts } = this.#record;
    const count = (sentCounts[number] as number) + 1;
    sentCounts[number] = count;
    this.#self.send(pid as Pid<unknown>, {
      type: "numbered",
      from: this.#record.number,
      number: count,
    } satisfies Numbered);
  }

  #demonitor(): void {
    const [first, ...others] = this.#refs.keys();
    if (first === undefined) return;
    const ref = this.#choose("ref", [first, ...others]);
    this.#self.demonitor(ref, { flush: true });
    this.#refs.delete(ref);
  }

  async #call(pid: AnyPid, ends: boolean): Promise<void> {
    const { oracle, handledCalls } = this.#system;
    const call = (this.#system.callsCount += 1);
    const timeoutMs = this.#choose("timeout", [3_000, 30, 5]);
    try {
      const reply = await this.#self.request(pid, { call, ends } satisfies Asked, timeoutMs);
      oracle.expect(reply === call, "a call got the answer of another call");
    } catch (thrown) {
      const failure = thrown instanceof Exit && isTagged(thrown.reason, "call") ? thrown.reason["reason"] : thrown;
      const isLie = failure === "noproc" && handledCalls.has(call);
      oracle.expect(!isLie, "a call that ended the server failed with noproc");
      const isKnownEnd = isTagged(failure, "own") || isTagged(failure, "carrierDown");
      const isKnown =
        isKnownEnd || ["noproc", "timeout", "killed"].includes(failure as string) || failure instanceof Error;
      oracle.expect(isKnown, `a call failed with ${JSON.stringify(failure)}`);
    }
  }

  async #register(): Promise<void> {
    try {
      await this.#registry.register(`key ${this.#record.number}`, undefined);
    } catch {
      // The way to the registry was cut for too long.
    }
  }
}

function isIn(kernelId: string, self: AnyProcess): boolean {
  return self.kernel.id === kernelId;
}

function isNumbered(message: unknown): message is Numbered {
  return typeof message === "object" && (message as Numbered | null)?.type === "numbered";
}

function isEverybody(message: unknown): message is Everybody {
  return typeof message === "object" && (message as Everybody | null)?.type === "everybody";
}

function body(number: number, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return (self) => new Actor(self, number, system, world).live();
}

/** An actor that starts two more: one beside itself, one on a carrier below. Both tell `root` who they are. */
function parentBody(number: number, system: System, world: World): (self: AnyProcess, root: AnyPid) => Promise<void> {
  return (self, root) => {
    const beside = self.spawn(body(number + 1, system, world), { label: `actor ${number + 1}` });
    const below = self.spawn(body(number + 2, system, world), { label: `actor ${number + 2}`, carrier: "thread" });
    self.send(root as Pid<unknown>, { type: "started", pids: [beside, below] });
    return body(number, system, world)(self);
  };
}

/** Takes a message now and then; its mailbox holds who sends more. */
async function sink(self: AnyProcess): Promise<void> {
  for (;;) {
    await self.receive();
    await self.sleep(30);
  }
}

function flood(system: System, to: AnyPid): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    try {
      for (let count = 0; count < floodCount; count += 1) {
        self.send(to as Pid<unknown>, count);
        await self.receive(() => false, { timeoutMs: 10 });
      }
    } catch (thrown) {
      system.oracle.expect(!(thrown instanceof HeldTooLongError), "a sender was held for a minute");
      throw thrown;
    }
  };
}

const property: Property<System> = {
  name: "carriers",
  setup: () => new System(),
  async workload(self, system, world) {
    await startRegistry(self, { keys: "unique", name: "keys", label: "keys" });
    const pids: AnyPid[] = [];
    pids[0] = self.spawn(body(0, system, world), { label: "actor 0" });
    for (const number of [1, 4]) {
      const args: [AnyPid] = [self.pid];
      pids[number] = self.spawn(parentBody(number, system, world), {
        label: `actor ${number}`,
        carrier: "thread",
        args,
      });
      const started = await self.receive(
        (message: unknown) => (message as { type?: unknown } | null)?.type === "started",
        {
          timeoutMs: 5_000,
        },
      );
      if (started === timedOut) return;
      const [beside, below] = (started as { pids: readonly AnyPid[] }).pids;
      pids[number + 1] = beside as AnyPid;
      pids[number + 2] = below as AnyPid;
    }
    for (const [number, pid] of pids.entries()) {
      if (number > 0 && world.chance("named", 0.5)) {
        self.register(`actor ${number}`, pid);
        system.named.set(`actor ${number}`, pid);
      }
    }
    const mailbox = { messagesMax: 2, policy: "block" } as const;
    const slow = self.spawn(sink, { label: "sink", carrier: "thread", mailbox });
    const flooding = self.spawnMonitor(flood(system, slow), { label: "flood" });
    for (const pid of pids) self.send(pid as Pid<unknown>, { type: "everybody", pids } satisfies Everybody);
    const isOver = (record: Record): boolean => record.isDone || !isLive(record, world);
    while (!system.records.every(isOver)) await self.sleep(500);
    // The longest delay and the longest cut, one after the other.
    await self.sleep(25_000);
    await self.receive((message: unknown) => isDown(message, flooding.ref));
    const registry = new Registry<string>(self, "keys", { timeoutMs: 60_000 });
    const entries = await Promise.all(pids.map((_, number) => registry.whereis(`key ${number}`)));
    const isAlive = (pid: AnyPid | undefined): boolean => pid === undefined || world.isAlive(pid);
    system.oracle.expect(entries.every(isAlive), "a registry gave out a process that has ended");
  },
  eventually: {
    "each message between live processes has come": {
      withinMs: 10_000,
      holds: (system, world) => hasAll(system, world),
    },
    "who has a name is alive": { withinMs: 10_000, holds: (system, world) => areAlive(system, world) },
  },
};

function hasAll({ records }: System, world: View): boolean | string {
  for (const from of records) {
    for (const to of records) {
      if (!isLive(from, world) || !isLive(to, world) || !to.isDone) continue;
      if (from.sentCounts[to.number] !== to.receivedCounts[from.number])
        return "a message between live processes is lost";
    }
  }
  return true;
}

function isLive({ self }: Record, world: View): boolean {
  return self !== null && self.stage === "live" && world.isAlive(self.pid);
}

function areAlive(system: System, world: View): boolean | string {
  for (const [name, pid] of system.named) {
    if (world.whereis(name) === pid && !world.isAlive(pid)) return "a name leads to a process that has ended";
  }
  return true;
}

export const carriers: Campaign = campaign(property, {
  faults: {
    "carrier-loss": 0.3,
    partition: 0.3,
    stop: 0.2,
    "oom-kill": 0.1,
    delay: 0.1,
    slow: 0.2,
    kill: 0.3,
    crash: 0.3,
    suspend: 0.1,
    "clock-step": 0.1,
  },
  window: [100, 3_000],
  targets: (title) => title.startsWith("actor") || title === "sink",
});
