/**
 * Servers: each call has one outcome and it is its own, requests are handled one at a time and in order, and what a server
 * promises about its beginning and its end holds, while clients and servers are killed and slow.
 *
 * @module
 */
import { Exit, isTagged } from "../../src/kernel/exit-reason.ts";
import { isDown, isExit } from "../../src/kernel/message.ts";
import type { AnyPid, Pid, Ref } from "../../src/kernel/pid.ts";
import { StartError, timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import { call, cast, goOn, noReply, startServer, stop, type Outcome, type Server } from "../../src/server/server.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const callsMax = 12;
/** What subtracting times may lose. */
const roundingMs = 0.001;

class System implements Judged {
  readonly oracle = new Oracle();
  callsCount = 0;
  serversCount = 0;
}

interface Question {
  readonly client: AnyPid;
  readonly number: number;
  readonly how: "at once" | "await" | "later" | "crash" | "stop" | "quiet";
}

/** How long a server waits for silence, in milliseconds. */
const silenceMs = 40;

class Desk implements Server<Question, Question, unknown> {
  readonly #self: AnyProcess;
  readonly #system: System;
  readonly #world: World;
  readonly #lastNumbers = new Map<AnyPid, number>();
  #isBusy = false;
  #hasBegun = false;
  #lastMessageMs = 0;
  #isWaiting = false;
  isTerminated = false;

  constructor(self: AnyProcess, system: System, world: World) {
    this.#self = self;
    this.#system = system;
    this.#world = world;
  }

  init(): Outcome {
    this.#self.trapExit(true);
    return goOn({ continueWith: "begin" });
  }

  async handleContinue(): Promise<void> {
    await this.#pause("begin");
    this.#hasBegun = true;
  }

  handleCall(question: Question, from: Ref): unknown {
    this.#note(question);
    if (question.how === "crash") throw new Error("crash");
    if (question.how === "stop") return stop("done");
    if (question.how === "await") return this.#answerAfterPause(question);
    if (question.how === "later") {
      this.#answerLater(question, from);
      return noReply;
    }
    return question.number;
  }

  handleCast(question: Question): Outcome | undefined {
    this.#note(question);
    if (question.how !== "quiet") return undefined;
    this.#isWaiting = true;
    return goOn({ timeoutMs: silenceMs });
  }

  handleInfo(message: unknown): void {
    if ((message as { type?: unknown } | null)?.type !== "timeout") return;
    const { oracle } = this.#system;
    const silentMs = this.#self.kernel.platform.clock.monotonicMs() - this.#lastMessageMs;
    oracle.expect(
      this.#isWaiting && silentMs >= silenceMs - roundingMs,
      "a server's time-out for silence came although messages came",
    );
    this.#isWaiting = false;
  }

  terminate(): void {
    this.isTerminated = true;
  }

  #note({ client, number }: Question): void {
    const { oracle } = this.#system;
    oracle.expect(this.#hasBegun, "a request was handled before what init continued with");
    oracle.expect(!this.#isBusy, "a server handles two requests at the same time");
    oracle.expect(!this.isTerminated, "a server handles a request after terminate");
    oracle.expect(number > (this.#lastNumbers.get(client) ?? 0), "requests of one client were handled out of order");
    this.#lastNumbers.set(client, number);
    this.#lastMessageMs = this.#self.kernel.platform.clock.monotonicMs();
    this.#isWaiting = false;
  }

  async #answerAfterPause({ number }: Question): Promise<number> {
    this.#isBusy = true;
    await this.#pause("answer");
    this.#isBusy = false;
    this.#lastMessageMs = this.#self.kernel.platform.clock.monotonicMs();
    return number;
  }

  #answerLater({ number }: Question, from: Ref): void {
    const laterMs = this.#world.choose("later", [10, 60, 2]);
    this.#self.spawn(
      async (other) => {
        await other.sleep(laterMs);
        other.reply(from, number);
      },
      { label: "clerk" },
    );
  }

  async #pause(what: string): Promise<void> {
    await this.#self.receive(() => false, { timeoutMs: this.#world.choose(what, [5, 1, 30, 80]) });
  }
}

/** Keeps one server up under a name, and looks at how each of them ends. */
function office(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    self.trapExit(true);
    for (let round = 0; round < 5; round += 1) {
      let desk: Desk | null = null;
      const pid = await startServer(self, (server) => (desk = new Desk(server, system, world)), {
        name: "desk",
        label: "desk",
      });
      system.serversCount += 1;
      // A linked process that ends is not the server's parent.
      if (world.chance("linked", 0.5)) self.spawn((other) => linkedFor(other, pid), { label: "linked" });
      const exit = await self.receive((message: unknown) => isExit(message, pid), { timeoutMs: 400 });
      const last = exit === timedOut ? await endOf(self, pid) : exit;
      const { reason } = last as { reason: unknown };
      // Only what kills it leaves no time to clean up.
      const cleaned = (desk as Desk | null)?.isTerminated === true || reason === "killed" || isStruck(reason);
      system.oracle.expect(cleaned, "a server ended without terminate");
      system.oracle.expect(reason !== "sibling", "a server ended with a process that is not its parent");
    }
  };
}

async function endOf(self: AnyProcess, pid: AnyPid): Promise<unknown> {
  self.exit(pid, "shutdown");
  return await self.receive((message: unknown) => isExit(message, pid));
}

/** A crash from outside strikes between callbacks. */
function isStruck(reason: unknown): boolean {
  return reason instanceof Error && reason.message !== "crash";
}

async function linkedFor(self: AnyProcess, server: AnyPid): Promise<void> {
  self.trapExit(true);
  self.link(server);
  await self.receive(() => false, { timeoutMs: 60 });
  self.exit("sibling");
}

function client(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle } = system;
    let number = 0;
    for (let count = 0; count < callsMax; count += 1) {
      await self.receive(() => false, { timeoutMs: world.choose("think", [5, 1, 20, 100]) });
      number += 1;
      const how = world.choose("how", [
        "at once",
        "await",
        "later",
        "at once",
        "crash",
        "await",
        "stop",
        "later",
      ] as const);
      const question: Question = { client: self.pid, number, how };
      if (world.chance("cast", 0.3)) {
        cast(self, "desk", { client: self.pid, number, how: world.choose("quiet", ["quiet", "at once"] as const) });
        continue;
      }
      const timeoutMs = world.choose("timeout", [1_000, 40, 10]);
      const beganMs = self.kernel.platform.clock.monotonicMs();
      try {
        const reply = await call(self, "desk", question, timeoutMs);
        oracle.expect(reply === number, "a call got the answer of another call");
      } catch (thrown) {
        noteFailure(self, oracle, thrown, beganMs, timeoutMs);
      }
      oracle.expect(self.isAlive(self.pid), "a client that was ended runs on");
      const stray = await self.receive(undefined, { timeoutMs: 0 });
      oracle.expect(stray === timedOut, "something of a call came to its caller's mailbox");
    }
    const stray = await self.receive(undefined, { timeoutMs: 300 });
    oracle.expect(stray === timedOut, "something of a call came to its caller's mailbox");
  };
}

function noteFailure(self: AnyProcess, oracle: Oracle, thrown: unknown, beganMs: number, timeoutMs: number): void {
  const isCall = thrown instanceof Exit && isTagged(thrown.reason, "call");
  oracle.expect(isCall, "a call failed with something else than a failed call");
  if (!isCall) return;
  const { reason } = thrown.reason as { reason?: unknown };
  const lastedMs = self.kernel.platform.clock.monotonicMs() - beganMs;
  if (reason === "timeout") oracle.expect(lastedMs >= timeoutMs - roundingMs, "a call timed out too early");
  const isEnd =
    reason instanceof Error || ["noproc", "killed", "done", "shutdown", "timeout"].includes(reason as string);
  oracle.expect(isEnd, "a call failed with a reason that no server ended with");
}

/** A one-time alias with a monitor: the first answer ends both. */
function subscriber(system: System): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    const { oracle } = system;
    for (let round = 0; round < 3; round += 1) {
      const other = self.spawn(answering, { label: "answering" });
      const ref = self.monitor(other as AnyPid, { alias: "once" });
      self.send(other as Pid<unknown>, ref);
      const first: unknown = await self.receive();
      if (isDown(first)) continue;
      oracle.expect(first === "one", "an alias gave another message than the first");
      const stray = await self.receive(undefined, { timeoutMs: 100 });
      oracle.expect(stray === timedOut, "a one-time alias went on after its first message");
    }
  };
}

async function answering(self: AnyProcess): Promise<void> {
  const ref = (await self.receive()) as Ref;
  self.send(ref, "one");
  await self.receive(() => false, { timeoutMs: 5 });
  self.send(ref, "two");
}

/** Starts servers that take longer than they may. */
function impatient(system: System, world: World): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (let round = 0; round < 4; round += 1) {
      const initMs = world.choose("init", [2, 20, 50]);
      let late: AnyPid | null = null;
      const create = (server: AnyProcess): Server => ({
        init: async () => {
          late = server.pid;
          await server.receive(() => false, { timeoutMs: initMs });
        },
      });
      try {
        const pid = await startServer(self, create, { label: "late", link: false, timeoutMs: 20 });
        self.exit(pid, "kill");
      } catch (thrown) {
        const isTimeout = thrown instanceof StartError && thrown.reason === "timeout";
        system.oracle.expect(isTimeout, "a start failed with something else than its time-out");
      }
      await self.receive(() => false, { timeoutMs: 1 });
      const lives = late !== null && self.isAlive(late);
      system.oracle.expect(!lives, "a process lives on although its start has failed");
    }
  };
}

const property: Property<System> = {
  name: "servers",
  setup: () => new System(),
  async workload(self, system, world) {
    const bodies = [office, client, client, client, impatient].map((body) => body(system, world));
    bodies.push(subscriber(system));
    const labels = ["office", "client", "client", "client", "impatient", "subscriber"];
    const refs = bodies.map((body, index) => self.spawnMonitor(body, { label: labels[index] as string }).ref);
    for (const ref of refs) await self.receive((message: unknown) => isDown(message, ref));
    await self.sleep(500);
  },
};

export const servers: Campaign = campaign(property, {
  faults: { kill: 3, slow: 1, suspend: 0.5 },
  window: [0, 1_000],
  targets: ["desk", "client"],
});
