/**
 * Groups: members on several carriers join, leave and publish while carriers are lost, and a monitor follows who is in a group.
 *
 * Messages of one publisher keep their order at each member; who is a member in the end is who joined and lives; and what a monitor
 * was told, joined to what it was given first, is just that.
 *
 * @module
 */
import { isDown } from "../../src/kernel/message.ts";
import type { AnyPid, Pid } from "../../src/kernel/pid.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import { Groups, isGroupMessage, startGroups } from "../../src/server/groups.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const rooms = ["red", "blue"] as const;
type Room = (typeof rooms)[number];
const membersCount = 4;
const stepsMax = 12;
/** Longer than any fault lasts, in milliseconds. */
const patienceMs = 60_000;

interface Word {
  readonly from: number;
  readonly room: Room;
  readonly number: number;
}

/** What is known of one member, wherever it runs. */
class Member {
  pid: string | null = null;
  isDone = false;
  /** Whether it has come through to the end. */
  lives = false;
  readonly joined: Record<Room, number> = { red: 0, blue: 0 };
  readonly saidCount: Record<Room, number> = { red: 0, blue: 0 };
}

class System implements Judged {
  readonly oracle = new Oracle();
  readonly members = Array.from({ length: membersCount }, () => new Member());
}

function member(number: number, system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const own = system.members[number] as Member;
    own.pid = String(self.pid);
    const groups = new Groups<Room, Word>(self, "rooms", { timeoutMs: patienceMs });
    const heard = new Map<string, number>();
    const take = ({ from, room, number: said }: Word): void => {
      const key = `${from} ${room}`;
      const before = heard.get(key) ?? 0;
      // Who has joined twice gets each twice.
      system.oracle.expect(said >= before, "messages of one publisher came out of order");
      system.oracle.expect(
        said > 0 && said <= (system.members[from] as Member).saidCount[room],
        "a message came that nobody said",
      );
      heard.set(key, said);
    };
    for (let step = 0; step < stepsMax; step += 1) {
      const act = world.choose(`act:${number}`, ["say", "join", "leave", "say", "join", "leave all"] as const);
      const room = world.choose(`room:${number}`, rooms);
      if (act === "say") {
        own.saidCount[room] += 1;
        groups.publish(room, { from: number, room, number: own.saidCount[room] });
      } else if (act === "join") {
        await groups.join(room);
        own.joined[room] += 1;
      } else if (act === "leave") {
        const left = await groups.leave(room);
        system.oracle.expect(left === own.joined[room] > 0, "leaving says wrongly whether the process was a member");
        own.joined[room] = Math.max(0, own.joined[room] - 1);
      } else {
        await groups.unsubscribe(room);
        own.joined[room] = 0;
      }
      const word = await self.receive(undefined, { timeoutMs: world.choose(`gap:${number}`, [5, 1, 30]) });
      if (word !== timedOut) take(word as Word);
    }
    own.isDone = true;
    for (;;) take((await self.receive()) as Word);
  };
}

/** Follows a room by what it is told, and compares in the end. */
function follower(system: System): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const groups = new Groups<Room, Word>(self, "rooms", { timeoutMs: patienceMs });
    const { ref, members } = await groups.monitor("red");
    const known = new Map<AnyPid, number>();
    const change = (pids: readonly AnyPid[], by: number): void => {
      for (const pid of pids) {
        const count = (known.get(pid) ?? 0) + by;
        system.oracle.expect(count >= 0, "a monitor was told that somebody left who was not there");
        if (count === 0) known.delete(pid);
        else known.set(pid, count);
      }
    };
    change(members, 1);
    for (;;) {
      const message: unknown = await self.receive();
      if (message === "compare") break;
      if (isGroupMessage(message, ref)) change(message.pids, message.type === "groupJoin" ? 1 : -1);
      else system.oracle.fail("a monitor of a group got something else");
    }
    const now = await groups.getMembers("red");
    const seen = [...known].flatMap(([pid, count]) => Array.from({ length: count }, () => String(pid)));
    system.oracle.expect(
      seen.toSorted().join() === now.map(String).toSorted().join(),
      "a monitor of a group missed something",
    );
    await groups.demonitor(ref);
    const { memberships } = await groups.info();
    const total = await Promise.all(rooms.map((room) => groups.getMembers(room)));
    system.oracle.expect(
      memberships === total.flat().length,
      "a scope counts another number of memberships than there are",
    );
    for (const [index, room] of rooms.entries()) compare(system, room, total[index] as readonly AnyPid[]);
  };
}

function compare(system: System, room: Room, pids: readonly AnyPid[]): void {
  for (const { pid, lives, joined } of system.members) {
    const count = pids.filter((other) => String(other) === pid).length;
    const wanted = lives ? joined[room] : 0;
    system.oracle.expect(count === wanted, "a member is in a group more or less often than it joined");
  }
}

const property: Property<System> = {
  name: "groups",
  setup: () => new System(),
  async workload(self, system, world) {
    await startGroups(self, { name: "rooms", label: "rooms" });
    const following = self.spawnMonitor(follower(system), { label: "follower" });
    const pids = system.members.map((_, number) => {
      const carrier = number < 2 ? "coroutine" : "thread";
      return self.spawn(member(number, system, world), { label: "member", carrier });
    });
    await self.sleep(2_000);
    const isOver = ({ isDone, pid }: Member, number: number): boolean => {
      return isDone || (pid !== null && !world.isAlive(pids[number] as AnyPid));
    };
    for (let waitedMs = 0; !system.members.every(isOver) && waitedMs < patienceMs; waitedMs += 500)
      await self.sleep(500);
    await self.sleep(25_000);
    for (const [number, own] of system.members.entries())
      own.lives = own.isDone && world.isAlive(pids[number] as AnyPid);
    self.send(following.pid as Pid<unknown>, "compare");
    const down = await self.receive((message: unknown) => isDown(message, following.ref));
    const { reason } = down as { reason: unknown };
    system.oracle.expect(reason === "normal", `the follower crashed: ${String(reason)}`);
    const groups = new Groups<Room>(self, "rooms", { timeoutMs: patienceMs });
    for (const room of rooms) {
      const isGone = (pid: AnyPid): boolean => !world.isAlive(pid);
      system.oracle.expect(!(await groups.getMembers(room)).some(isGone), "a group keeps a member that has ended");
    }
  },
};

export const groups: Campaign = campaign(property, {
  faults: { kill: 1, "carrier-loss": 0.4, partition: 0.4, delay: 0.1, slow: 0.5 },
  window: [50, 1_500],
  targets: ["member"],
});
