/**
 * Signals: links, monitors and exits of processes of one kernel against an exact model.
 *
 * Inside one kernel a signal has arrived when its sender goes on. So the model is told of each operation just before it is
 * done, says at once who ends and which notices lie in which mailbox then, and each process compares what it takes with that.
 *
 * @module
 */
import type { ExitReason } from "../../src/kernel/exit-reason.ts";
import { isDown, isExit } from "../../src/kernel/message.ts";
import type { AnyPid, Ref } from "../../src/kernel/pid.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

/** Operations of one process before it only takes what comes. */
const stepsMax = 12;
const processesMax = 7;
const reasons: readonly ExitReason[] = ["boom", "normal", "kill", "shutdown"];

interface Expected {
  readonly kind: "exit" | "down";
  readonly from: AnyPid;
  readonly ref: Ref | null;
  readonly reason: ExitReason;
}

/** What the model knows of one process. */
class Member {
  readonly pid: AnyPid;
  isAlive = true;
  isTrapping = false;
  isDone = false;
  readonly links = new Set<Member>();
  readonly monitors = new Map<Ref, Member>();
  readonly expected: Expected[] = [];

  constructor(pid: AnyPid) {
    this.pid = pid;
  }
}

class Model implements Judged {
  readonly oracle = new Oracle();
  readonly members: Member[] = [];

  memberOf(pid: AnyPid): Member | undefined {
    return this.members.find((member) => member.pid === pid);
  }

  add(pid: AnyPid): Member {
    const member = new Member(pid);
    this.members.push(member);
    return member;
  }

  link(from: Member, to: Member): void {
    if (from === to || from.links.has(to)) return;
    if (to.isAlive) {
      from.links.add(to);
      to.links.add(from);
    } else if (from.isTrapping) {
      from.expected.push({ kind: "exit", from: to.pid, ref: null, reason: "noproc" });
    } else {
      this.end(from, "noproc");
    }
  }

  unlink(from: Member, to: Member): void {
    from.links.delete(to);
    to.links.delete(from);
  }

  monitor(from: Member, ref: Ref, to: Member): void {
    if (to === from) return;
    if (to.isAlive) from.monitors.set(ref, to);
    else from.expected.push({ kind: "down", from: to.pid, ref, reason: "noproc" });
  }

  demonitor(from: Member, ref: Ref, flush: boolean): boolean {
    const existed = from.monitors.delete(ref);
    const position = flush ? from.expected.findIndex((notice) => notice.ref === ref) : -1;
    if (position >= 0) from.expected.splice(position, 1);
    return existed;
  }

  exit(from: Member, to: Member, reason: ExitReason): void {
    if (!to.isAlive) return;
    if (reason === "kill") this.end(to, "killed");
    else if (to.isTrapping) to.expected.push({ kind: "exit", from: from.pid, ref: null, reason });
    else if (reason !== "normal" || from === to) this.end(to, reason);
  }

  end(first: Member, reason: ExitReason): void {
    if (!first.isAlive) return;
    first.isAlive = false;
    const ending = [first];
    for (const member of ending) {
      for (const peer of member.links) {
        peer.links.delete(member);
        if (!peer.isAlive) continue;
        if (peer.isTrapping) {
          peer.expected.push({ kind: "exit", from: member.pid, ref: null, reason });
        } else if (reason !== "normal") {
          peer.isAlive = false;
          ending.push(peer);
        }
      }
      member.links.clear();
      member.monitors.clear();
    }
    for (const watcher of this.members) {
      for (const [ref, watched] of watcher.monitors) {
        if (watched.isAlive) continue;
        watcher.monitors.delete(ref);
        if (watcher.isAlive) watcher.expected.push({ kind: "down", from: watched.pid, ref, reason });
      }
    }
  }

  /** A notice that a process took. */
  take(member: Member, message: unknown): void {
    const position = member.expected.findIndex((notice) => isSame(notice, message));
    if (position >= 0) member.expected.splice(position, 1);
    else this.oracle.fail(`a process got a notice that nobody owes it: ${describe(message)}`);
  }
}

function isSame({ kind, from, ref, reason }: Expected, message: unknown): boolean {
  if (kind === "exit") return isExit(message, from) && message.reason === reason;
  return isDown(message, ref as Ref) && message.from === from && message.reason === reason;
}

function describe(message: unknown): string {
  if (isExit(message)) return `exit ${String(message.reason)}`;
  return isDown(message) ? `down ${String(message.reason)}` : "a message";
}

const operations = [
  "nothing",
  "link",
  "unlink",
  "monitor",
  "demonitor",
  "flush",
  "exit",
  "trap",
  "spawnLink",
  "spawnMonitor",
  "end",
  "wait",
] as const;

/** One process: takes notices, does something to another one, again and again. */
class Actor {
  readonly #self: AnyProcess;
  readonly #model: Model;
  readonly #world: World;
  readonly #member: Member;
  readonly #stream: string;
  readonly #refs: Ref[] = [];

  constructor(self: AnyProcess, model: Model, world: World) {
    this.#self = self;
    this.#model = model;
    this.#world = world;
    this.#member = model.memberOf(self.pid) as Member;
    this.#stream = `${model.members.indexOf(this.#member)}`;
  }

  async live(): Promise<void> {
    for (let step = 0; step < stepsMax; step += 1) {
      await this.#takeFor(this.#world.choose(`gap:${this.#stream}`, [1, 0, 3, 10]));
      if (!this.#member.isAlive) this.#model.oracle.fail("a process runs on after its end");
      const end = this.#act(this.#world.choose(`act:${this.#stream}`, operations));
      if (end !== null) return this.#self.exit(end);
    }
    this.#member.isDone = true;
    for (;;) this.#model.take(this.#member, await this.#self.receive());
  }

  async #takeFor(durationMs: number): Promise<void> {
    for (;;) {
      const message = await this.#self.receive(undefined, { timeoutMs: durationMs });
      if (message === timedOut) return;
      this.#model.take(this.#member, message);
    }
  }

  #other(): Member {
    return this.#world.choose(`whom:${this.#stream}`, this.#model.members);
  }

  /** Does it; a reason when the process is to end by itself. */
  #act(operation: (typeof operations)[number]): ExitReason | null {
    const model = this.#model;
    const member = this.#member;
    const self = this.#self;
    switch (operation) {
      case "link": {
        const other = this.#other();
        model.link(member, other);
        self.link(other.pid);
        return null;
      }
      case "unlink": {
        const other = this.#other();
        model.unlink(member, other);
        self.unlink(other.pid);
        return null;
      }
      case "monitor": {
        const other = this.#other();
        const ref = self.monitor(other.pid);
        this.#refs.push(ref);
        model.monitor(member, ref, other);
        return null;
      }
      case "demonitor":
      case "flush":
        this.#demonitor(operation === "flush");
        return null;
      case "exit": {
        const other = this.#other();
        const reason = this.#world.choose(`reason:${this.#stream}`, reasons);
        model.exit(member, other, reason);
        self.exit(other.pid, reason);
        return null;
      }
      case "trap":
        member.isTrapping = !member.isTrapping;
        self.trapExit(member.isTrapping);
        return null;
      case "spawnLink":
      case "spawnMonitor":
        this.#spawn(operation === "spawnLink");
        return null;
      case "end":
        return this.#end();
      default:
        return null;
    }
  }

  #demonitor(flush: boolean): void {
    const [first, ...others] = this.#refs;
    if (first === undefined) return;
    const ref = this.#world.choose(`ref:${this.#stream}`, [first, ...others]);
    const existed = this.#self.demonitor(ref, { flush });
    const expected = this.#model.demonitor(this.#member, ref, flush);
    this.#model.oracle.expect(existed === expected, "demonitor does not tell whether the monitor was there");
  }

  #spawn(isLinked: boolean): void {
    if (this.#model.members.length >= processesMax) return;
    const body = actorBody(this.#model, this.#world);
    const ref = isLinked ? null : this.#self.spawnMonitor(body, { label: "actor" });
    const pid = ref === null ? this.#self.spawnLink(body, { label: "actor" }) : ref.pid;
    const member = this.#model.add(pid as AnyPid);
    if (ref === null) this.#model.link(this.#member, member);
    else this.#model.monitor(this.#member, ref.ref, member);
  }

  #end(): ExitReason {
    const reason = this.#world.choose(`reason:${this.#stream}`, reasons);
    this.#model.end(this.#member, reason);
    return reason;
  }
}

function actorBody(model: Model, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    try {
      await new Actor(self, model, world).live();
    } catch (thrown) {
      // Linking to a process that has ended throws, and so does what ends the process itself: the model has said so.
      if (model.memberOf(self.pid)?.isAlive === true) model.oracle.fail(`a process crashed: ${String(thrown)}`);
      throw thrown;
    }
  };
}

const property: Property<Model> = {
  name: "signals",
  setup: () => new Model(),
  async workload(self, model, world) {
    for (let count = 0; count < 4; count += 1) {
      const pid = self.spawn(actorBody(model, world), { label: "actor" });
      model.add(pid as AnyPid);
    }
    const isOver = ({ isAlive, isDone }: Member): boolean => !isAlive || isDone;
    while (!model.members.every(isOver)) await self.sleep(50);
    await self.sleep(50);
  },
  always: {
    "who is alive is who the model says": (model, world) =>
      model.members.every((member) => member.isAlive === world.isAlive(member.pid)) ||
      "another process is alive than the model says",
  },
  eventually: {
    "each notice has come": {
      withinMs: 30_000,
      holds: (model) =>
        model.members.every((member) => !member.isAlive || member.expected.length === 0) ||
        "a process never got a notice that it is owed",
    },
    "links and monitors are those of the model": {
      withinMs: 30_000,
      holds: (model) => model.members.every(isAsModelled) || "links or monitors differ from the model",
    },
  },
};

function isAsModelled(member: Member): boolean {
  const process = member.pid.process;
  if (!member.isAlive || process === null) return true;
  const links = process.links ?? new Set();
  const monitors = process.monitors ?? new Set();
  return (
    links.size === member.links.size &&
    [...member.links].every((peer) => links.has(peer.pid)) &&
    monitors.size === member.monitors.size &&
    [...member.monitors.keys()].every((ref) => monitors.has(ref))
  );
}

export const signals: Campaign = campaign(property, { faults: { slow: 0.5 }, window: [0, 500] });
