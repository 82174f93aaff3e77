/**
 * Mailboxes: selective receive against a list, limits with exact counts, and senders that are held and let go.
 *
 * @module
 */
import { HeldTooLongError } from "../../src/kernel/gate.ts";
import { MailboxFullError } from "../../src/kernel/mailbox.ts";
import { isDown } from "../../src/kernel/message.ts";
import type { AnyPid, Pid } from "../../src/kernel/pid.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

class System implements Judged {
  readonly oracle = new Oracle();
}

/** Sends to itself and takes from any place; a list says what must come. */
function selective(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const list: number[] = [];
    let number = 0;
    // A long mailbox is rare, and then every step of it is dear.
    const isLong = world.chance("long", 0.05);
    for (let step = 0; step < (isLong ? 8 : 25); step += 1) {
      const burst = isLong ? world.choose("burst", [1_100, 2, 600]) : world.choose("burst", [1, 2, 5]);
      for (let count = 0; count < burst; count += 1) {
        number += 1;
        list.push(number);
        self.send(self.pid as Pid<unknown>, number);
      }
      const takes = isLong ? world.choose("takes", [700, 3]) : world.choose("takes", [1, 2, 4]);
      for (let count = 0; count < takes; count += 1) await takeOne(self, system, world, list, isLong);
    }
    for (const wanted of list) {
      const message = await self.receive(undefined, { timeoutMs: 0 });
      system.oracle.expect(message === wanted, "a mailbox lost a message or changed their order");
      if (message !== wanted) return;
    }
    const rest = await self.receive(undefined, { timeoutMs: 0 });
    system.oracle.expect(rest === timedOut, "a mailbox holds a message twice");
  };
}

async function takeOne(self: AnyProcess, system: System, world: World, list: number[], isLong: boolean): Promise<void> {
  // The dullest one is what a run of few choices does again and again: in a long mailbox, to take from its young end.
  const kinds = ["first", "third", "even", "young"] as const;
  const kind = world.choose("kind", isLong ? kinds.toReversed() : kinds);
  const youngest = list.at(-1) ?? 0;
  const matches: Readonly<Record<typeof kind, (message: unknown) => boolean>> = {
    first: () => true,
    third: (message) => (message as number) % 3 === 0,
    even: (message) => (message as number) % 2 === 0,
    young: (message) => (message as number) > youngest - 3,
  };
  const match = matches[kind];
  const position = list.findIndex(match);
  const wanted = position < 0 ? timedOut : list[position];
  if (position >= 0) list.splice(position, 1);
  const message = await self.receive(match, { timeoutMs: 0 });
  system.oracle.expect(message === wanted, "a selective receive took another message than the first that matches");
}

const policies = ["dropNewest", "dropOldest", "failSender"] as const;

/** Fills a mailbox that nobody empties: what stays and what is counted is known exactly. */
async function limited(self: AnyProcess, system: System, world: World): Promise<void> {
  const { oracle } = system;
  const policy = world.choose("policy", policies);
  const messagesMax = world.choose("max", [3, 1, 6]);
  const sentCount = world.choose("sent", [2, 4, 9]);
  const withNotice = world.chance("notice", 0.5);
  const watched = self.spawn((other) => other.receive(), { label: "watched" });
  const full = self.spawn(
    async (other) => {
      if (withNotice) other.monitor(watched);
      other.send(self.pid as Pid<unknown>, "ready");
      await other.receive(() => false);
    },
    { label: "full", mailbox: { messagesMax, policy } },
  );
  await self.receive((message: unknown) => message === "ready");
  if (withNotice) self.exit(watched, "kill");
  // A notice takes a place, but no limit ever refuses or drops it.
  const room = Math.max(0, messagesMax - (withNotice ? 1 : 0));
  let refusedCount = 0;
  for (let number = 1; number <= sentCount; number += 1) {
    try {
      self.send(full as Pid<unknown>, number);
    } catch (thrown) {
      oracle.expect(thrown instanceof MailboxFullError, "a full mailbox failed its sender with something else");
      refusedCount += 1;
    }
  }
  const { process } = full as AnyPid;
  if (process === null) return;
  const messages = process.mailbox?.peek(100) ?? [];
  const numbers = messages.filter((message) => typeof message === "number");
  const lostCount = Math.max(0, sentCount - room);
  const isOnlyNotice = room === 0 && policy === "dropOldest";
  const stays = isOnlyNotice ? [] : expectedNumbers(policy, sentCount, room);
  oracle.expect(String(numbers) === String(stays), "a full mailbox holds other messages than its policy says");
  oracle.expect(!withNotice || messages.some((message) => isDown(message)), "a full mailbox lost a down message");
  const droppedCount = self.info(full as AnyPid)?.droppedCount;
  oracle.expect(droppedCount === lostCount, "a full mailbox counted another number of dropped messages");
  oracle.expect(
    refusedCount === (policy === "failSender" ? lostCount : 0),
    "a full mailbox refused the wrong messages",
  );
  self.exit(full as AnyPid, "kill");
  self.exit(watched as AnyPid, "kill");
}

function expectedNumbers(policy: (typeof policies)[number], sentCount: number, room: number): number[] {
  const all = Array.from({ length: sentCount }, (_, index) => index + 1);
  return policy === "dropOldest" ? all.slice(-room) : all.slice(0, room);
}

/** Milliseconds after which a sender that is still held waits for something that never comes. */
const heldMaxMs = 30_000;

/** Sends more than fits to a receiver that takes in bursts and ends at some time; nobody may be held for ever. */
function pressing(system: System, to: AnyPid, count: number): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const beganMs = self.kernel.platform.clock.monotonicMs();
    try {
      for (let number = 0; number < count; number += 1) {
        self.send(to as Pid<unknown>, [self.pid, number]);
        await self.yield();
      }
    } catch (thrown) {
      system.oracle.expect(
        !(thrown instanceof HeldTooLongError),
        "a sender was held although there was room or nobody left",
      );
      throw thrown;
    }
    const lastedMs = self.kernel.platform.clock.monotonicMs() - beganMs;
    system.oracle.expect(lastedMs < heldMaxMs, "a sender was held although there was room or nobody left");
  };
}

function taking(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const numbers = new Map<AnyPid, number>();
    for (let round = 0; round < 6; round += 1) {
      await self.receive(() => false, { timeoutMs: world.choose("idle", [5, 40, 0]) });
      const takes = world.choose("takes", [2, 6, 1]);
      for (let count = 0; count < takes; count += 1) {
        const message: unknown = await self.receive(undefined, { timeoutMs: 0 });
        if (message === timedOut) break;
        const [from, number] = message as [AnyPid, number];
        const wanted = (numbers.get(from) ?? -1) + 1;
        system.oracle.expect(number === wanted, "messages of a held sender came out of order");
        numbers.set(from, number);
      }
    }
    if (world.chance("stays", 0.5)) for (;;) await self.receive();
  };
}

/** Two that fill each other's mailbox while neither takes anything: they must not wait for each other. */
function partner(system: System): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const other = (await self.receive((message: unknown) => isPartner(message))) as { partner: AnyPid };
    try {
      for (let number = 0; number < 6; number += 1) {
        self.send(other.partner as Pid<unknown>, number);
        await self.yield();
      }
      for (let number = 0; number < 6; number += 1) {
        const message = await self.receive((message: unknown) => message === number, { timeoutMs: 20_000 });
        if (message === timedOut) return;
      }
    } catch (thrown) {
      system.oracle.expect(
        !(thrown instanceof HeldTooLongError),
        "two processes wait for room in each other's mailbox",
      );
      throw thrown;
    }
  };
}

function isPartner(message: unknown): boolean {
  return typeof message === "object" && message !== null && "partner" in message;
}

/** Is killed between its turns: nothing of it may run after that. */
function yielding(system: System): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (let count = 0; count < 20; count += 1) {
      await self.yield();
      system.oracle.expect(self.isAlive(self.pid), "a process runs on after its end");
    }
  };
}

const property: Property<System> = {
  name: "mailboxes",
  setup: () => new System(),
  async workload(self, system, world) {
    const mailbox = { messagesMax: world.choose("limit", [2, 1, 4]), policy: "block" } as const;
    const taker = self.spawn(taking(system, world), { label: "taker", mailbox }) as AnyPid;
    const yielder = self.spawn(yielding(system), { label: "yielder" }) as AnyPid;
    const bodies = [selective(system, world), pressing(system, taker, 8), pressing(system, taker, 5)];
    const refs = bodies.map((body) => self.spawnMonitor(body, { label: "busy" }).ref);
    const limit = { messagesMax: 2, policy: "block" } as const;
    const partners = [0, 1].map(() => self.spawnMonitor(partner(system), { label: "partner", mailbox: limit }));
    const [one, other] = partners as [(typeof partners)[number], (typeof partners)[number]];
    self.send(one.pid as Pid<unknown>, { partner: other.pid });
    self.send(other.pid as Pid<unknown>, { partner: one.pid });
    await self.sleep(world.choose("kill after", [1, 0, 3, 7]));
    self.exit(yielder, "kill");
    for (const ref of refs) {
      const down = await self.receive((message: unknown) => isDown(message, ref), { timeoutMs: heldMaxMs });
      if (down !== timedOut) continue;
      // Whoever takes nothing any more holds its senders rightly, until it ends.
      self.exit(taker, "kill");
      await self.receive((message: unknown) => isDown(message, ref));
    }
    for (const { ref } of partners) await self.receive((message: unknown) => isDown(message, ref));
    await limited(self, system, world);
  },
};

export const mailboxes: Campaign = campaign(property, {
  faults: { kill: 1, slow: 1 },
  window: [0, 300],
  targets: ["taker", "yielder"],
});
