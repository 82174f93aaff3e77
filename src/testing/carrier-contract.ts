/**
 * Carrier contract: one suite for all carriers. What a case states holds on each of them, or the carrier's test names
 * the case under `skip` with a sentence that says why not.
 *
 * It knows no test framework: `test` is passed in (vitest's and node:test's both fit). Each case gets a system of its own
 * and ends every process that it started. Nothing here waits for time to pass; `hearMs` only bounds a failure.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Carrier } from "../carriers/carrier.ts";
import type { Milliseconds } from "../base/platform.ts";
import { isTagged } from "../kernel/exit-reason.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isDown, isExit, type DownMessage } from "../kernel/message.ts";
import { Pid, type AnyPid, type Ref } from "../kernel/pid.ts";
import { StartError, timedOut, type AnyProcess, type Process, type SpawnOptions } from "../kernel/process.ts";
import type { Program } from "../kernel/program.ts";
import { UncopyableError } from "../kernel/wire.ts";
import { declareCases, type ContractSuite } from "./contract.ts";

/** The longest wait for one message before a case counts as failed, in milliseconds. */
export const hearMs: Milliseconds = 20_000;
/** Messages per direction in the cases about order. */
export const burstCount = 10_000;
/** Processes at once in the case about many. */
export const crowdCount = 20;

/** A program and how it is spawned; the suite adds the carrier. */
export interface Launch {
  readonly program: Program<never, readonly never[]>;
  readonly options?: SpawnOptions;
}

/**
 * The same few programs for each carrier. What they say to `listener` is text: strings, Uint8Array, or a command's
 * output. Except `absent`, each says `ready` when it is.
 */
export interface CarrierFixtures {
  /** Says every string or Uint8Array that it is sent, in order, until it is ended. Does not trap exits. */
  echo(listener: AnyPid): Launch;
  /** Says `0\n` to `${burstCount - 1}\n` and ends normally at once. */
  burst(listener: AnyPid): Launch;
  /** Says `busy\n` and then never yields. */
  busyLoop(listener: AnyPid): Launch;
  endNormally(): Launch;
  /** Ends at once with exactly `reason`. */
  endWithReason(): Launch & { readonly reason: unknown };
  /** Fails at once as an uncaught error does. */
  crash(): Launch & { isReason(reason: unknown): boolean };
  /** Names a program that does not exist; `sentence` tells a person so. */
  absent(): Launch & { readonly sentence: RegExp };
  /** Loses its carrier when struck. */
  loss(listener: AnyPid): Launch & {
    /** Pids of further processes on the same carrier, each said to the listener as a message. */
    readonly innerCount: number;
    /** Ends the carrier from outside, or makes the program do so. */
    strike(subject: { readonly kernel: Kernel; readonly pid: AnyPid; readonly osPid: number | undefined }): void;
    isReason(reason: unknown): boolean;
  };
}

/** A kernel with the carrier, for one case. */
export interface CarrierSystem {
  readonly kernel: Kernel;
  /** Called when the case is over and its processes have ended. */
  close?(): void | PromiseLike<void>;
}

export interface CarrierSuite extends ContractSuite {
  readonly carrier: Carrier;
  system(): CarrierSystem;
  readonly fixtures: CarrierFixtures;
}

/** Declares all cases. @throws Error when `skip` names a case that there is not. */
export function testCarrier(suite: CarrierSuite): void {
  declareCases("carrier", suite, cases, () => {
    const system = suite.system();
    return { scene: new Scene(suite, system.kernel), system };
  });
}

type Case = (scene: Scene) => Promise<void> | void;

/** A spawned program, and the process that spawned it and listens to it. */
interface Subject {
  readonly pid: Pid<unknown>;
  readonly listener: Process<unknown>;
  readonly ref: Ref;
  osPid: number | undefined;
}

function programOf({ program }: Launch): Program<unknown, readonly unknown[]> {
  return program as Program<unknown, readonly unknown[]>;
}

type How = "spawn" | "spawnLink" | "spawnMonitor";

class Scene {
  readonly kernel: Kernel;
  readonly carrier: Carrier;
  readonly fixtures: CarrierFixtures;
  readonly #spawned: AnyPid[] = [];

  constructor({ carrier, fixtures }: CarrierSuite, kernel: Kernel) {
    this.kernel = kernel;
    this.carrier = carrier;
    this.fixtures = fixtures;
  }

  /** A process of the kernel that traps exits, for the case to look through. */
  listener(): Process<unknown> {
    const listener = this.kernel.attach("listener");
    listener.trapExit(true);
    return listener;
  }

  options(launch: Launch, more: SpawnOptions = {}): SpawnOptions {
    return { ...launch.options, ...more, carrier: this.carrier.name };
  }

  /** Spawns with a listener of its own; `ref` is set with `spawnMonitor`. */
  spawn(how: How, launchFor: (listener: AnyPid) => Launch, more: SpawnOptions = {}): Subject {
    const listener = this.listener();
    const launch = launchFor(listener.pid);
    const options = this.options(launch, {
      ...more,
      onOsPid: (osPid) => {
        subject.osPid = osPid;
      },
    });
    const program = programOf(launch);
    const spawned =
      how === "spawnMonitor" ? listener.spawnMonitor(program, options) : { pid: listener[how](program, options) };
    const subject: Subject = { ref: undefined as never, ...spawned, listener, osPid: undefined };
    this.#spawned.push(subject.pid);
    return subject;
  }

  /** Ends what is left, and waits for it. */
  async end(): Promise<void> {
    const broom = this.listener();
    for (const pid of this.#spawned) {
      const ref = broom.monitor(pid);
      broom.exit(pid, "kill");
      await hear(broom, (message) => isDown(message, ref), "the end of a process");
    }
  }
}

// --- listening ---

/** The next message that matches; fails the case when none comes. */
async function hear<T>(listener: AnyProcess, match: (message: unknown) => message is T & {}, what: string): Promise<T>;
async function hear(listener: AnyProcess, match: (message: unknown) => boolean, what: string): Promise<unknown>;
async function hear(listener: AnyProcess, match: (message: unknown) => boolean, what: string): Promise<unknown> {
  const message = await listener.receive(match, { timeoutMs: hearMs });
  assert.notEqual(message, timedOut, `nothing came within ${hearMs} ms while waiting for ${what}`);
  return message;
}

async function hearDown(listener: AnyProcess, ref: Ref): Promise<DownMessage> {
  return (await hear(listener, (message) => isDown(message, ref), "a down message")) as DownMessage;
}

async function hearExit(listener: AnyProcess, from: AnyPid): Promise<unknown> {
  const message = await hear(listener, (message) => isExit(message, from), "an exit message");
  return (message as { readonly reason: unknown }).reason;
}

/** Whatever has arrived and matches, without waiting. */
async function heard(listener: AnyProcess, match: (message: unknown) => boolean): Promise<unknown[]> {
  const found: unknown[] = [];
  for (;;) {
    const message = await listener.receive(match, { timeoutMs: 0 });
    if (message === timedOut) return found;
    found.push(message);
  }
}

const decoder = new TextDecoder();

/** What a fixture said; undefined for other messages. */
function textOf(message: unknown): string | undefined {
  if (typeof message === "string") return message;
  if (message instanceof Uint8Array) return decoder.decode(message);
  const { type, data } = (message ?? {}) as { readonly type?: unknown; readonly data?: unknown };
  return type === "output" && data instanceof Uint8Array ? decoder.decode(data) : undefined;
}

function isText(message: unknown): boolean {
  return textOf(message) !== undefined;
}

/** The next text as long as `expected`, in however many pieces, is exactly that. */
async function hearText(listener: AnyProcess, expected: string): Promise<void> {
  let text = "";
  while (text.length < expected.length)
    text += textOf(await hear(listener, isText, JSON.stringify(expected.slice(-20))));
  assertSameText(text, expected);
}

/** Without a diff of 10,000 lines. */
function assertSameText(text: string, expected: string): void {
  if (text === expected) return;
  const [found, wanted] = [text.split("\n"), expected.split("\n")];
  const line = wanted.findIndex((item, index) => item !== found[index]);
  assert.fail(
    `line ${line} of ${wanted.length} is ${JSON.stringify(found[line])}, not ${JSON.stringify(wanted[line])}`,
  );
}

async function assertAnswers(
  { pid, listener }: Pick<Subject, "pid" | "listener">,
  text = "still here\n",
): Promise<void> {
  listener.send(pid, text);
  await hearText(listener, text);
}

const burstText: string = Array.from({ length: burstCount }, (_, index) => `${index}\n`).join("");

// --- the cases ---

const startCases: Readonly<Record<string, Case>> = {
  async "spawn gives a pid at once, before the program runs"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.burst);

    assert.ok(pid instanceof Pid);
    assert.deepEqual(await heard(listener, isText), []);
    await hearDown(listener, ref);
  },

  async "start waits until the program is ready"(scene) {
    const listener = scene.listener();
    const launch = scene.fixtures.echo(listener.pid);

    const pid = await listener.start(programOf(launch), scene.options(launch));

    await assertAnswers({ pid, listener });
    listener.exit(pid, "kill");
    assert.equal(await hearExit(listener, pid), "killed");
  },

  async "a program that does not exist fails its start with a sentence"(scene) {
    const listener = scene.listener();
    const launch = scene.fixtures.absent();

    const failure: unknown = await listener.start(programOf(launch), scene.options(launch)).then(
      () => assert.fail("it started"),
      (error: unknown) => error,
    );

    assert.ok(failure instanceof StartError);
    assert.match(failure.message, launch.sentence);
  },

  async "a program that does not exist ends its process with an error that says so"(scene) {
    const launch = scene.fixtures.absent();

    const { listener, ref } = scene.spawn("spawnMonitor", () => launch);

    const { reason } = await hearDown(listener, ref);
    assert.ok(reason instanceof Error);
    assert.match(reason.message, launch.sentence);
  },

  async "twenty run at once"(scene) {
    const crowd = Array.from({ length: crowdCount }, () => scene.spawn("spawnMonitor", scene.fixtures.echo));

    await Promise.all(crowd.map((subject, index) => assertAnswers(subject, `number ${index}\n`)));

    for (const { pid, listener } of crowd) listener.exit(pid, "shutdown");
    const downs = await Promise.all(crowd.map(({ listener, ref }) => hearDown(listener, ref)));
    assert.deepEqual(new Set(downs.map(({ reason }) => reason)), new Set(["shutdown"]));
  },
};

const messageCases: Readonly<Record<string, Case>> = {
  async "messages arrive and answers come back"(scene) {
    await assertAnswers(scene.spawn("spawn", scene.fixtures.echo), "hello\n");
  },

  async "a message sent before the program runs is kept for it"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    listener.send(pid, "early\n");

    await hearText(listener, "early\n");
  },

  async "ten thousand messages keep their order both ways"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);

    for (let index = 0; index < burstCount; index += 1) listener.send(pid, `${index}\n`);

    await hearText(listener, burstText);
  },

  async "a message changed after sending arrives as it was sent"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    const message = new TextEncoder().encode("before\n");

    listener.send(pid, message);
    message.fill(0x21);

    await hearText(listener, "before\n");
  },

  async "a value that cannot be copied fails in the sender and nothing is sent"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);

    for (const value of [() => {}, Symbol("s"), new WeakMap(), { inner: () => {} }]) {
      assert.throws(() => listener.send(pid, value as unknown), UncopyableError);
    }

    await assertAnswers({ pid, listener }, "only this\n");
  },

  async "sending to a process that has ended is silent"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.endNormally);
    await hearDown(listener, ref);

    listener.send(pid, "anybody?\n");

    assert.deepEqual(await heard(listener, () => true), []);
  },

  async "a process can be reached by its name, which is free when its end is known"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.echo, { name: "echo" });

    assert.equal(listener.whereis("echo"), pid);
    listener.send("echo", "by name\n");
    await hearText(listener, "by name\n");
    listener.exit(pid, "shutdown");
    await hearDown(listener, ref);

    assert.equal(listener.whereis("echo"), undefined);
    assert.throws(() => listener.send("echo", "nobody\n"), /no process is registered as "echo"/);
  },
};

const reasonCases: Readonly<Record<string, Case>> = {
  async "a program that returns ends with normal"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.endNormally);

    assert.deepEqual(await hearDown(listener, ref), { type: "down", ref, from: pid, reason: "normal" });
  },

  async "spawnMonitor gives the real reason of a program that fails at once"(scene) {
    const launch = scene.fixtures.endWithReason();
    const { listener, ref } = scene.spawn("spawnMonitor", () => launch);

    assert.deepEqual((await hearDown(listener, ref)).reason, launch.reason);
  },

  async "spawnLink gives the real reason of a program that fails at once"(scene) {
    const launch = scene.fixtures.endWithReason();
    const { pid, listener } = scene.spawn("spawnLink", () => launch);

    assert.deepEqual(await hearExit(listener, pid), launch.reason);
  },

  async "a crash is its process's reason"(scene) {
    const launch = scene.fixtures.crash();
    const { listener, ref } = scene.spawn("spawnMonitor", () => launch);

    const { reason } = await hearDown(listener, ref);

    assert.ok(launch.isReason(reason), `the reason is ${String(reason)}`);
  },

  async "a crash leaves others on the same carrier alone"(scene) {
    const other = scene.spawn("spawn", scene.fixtures.echo);
    const { listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.crash);

    await hearDown(listener, ref);

    await assertAnswers(other);
  },

  async "everything said before the end arrives before the down message"(scene) {
    const { listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.burst);

    let text = "";
    let message = await hear(listener, () => true, "output or the end");
    for (; !isDown(message, ref); message = await hear(listener, () => true, "output or the end")) {
      text += textOf(message) ?? "";
    }

    assertSameText(text, burstText);
    assert.equal((message as DownMessage).reason, "normal");
    assert.deepEqual(await heard(listener, () => true), []);
  },
};

const exitCases: Readonly<Record<string, Case>> = {
  async "an exit signal ends it with the signal's reason"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.echo);
    await assertAnswers({ pid, listener });

    listener.exit(pid, "shutdown");

    assert.equal((await hearDown(listener, ref)).reason, "shutdown");
  },

  async "the first of two exit signals decides the reason"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.echo);
    await assertAnswers({ pid, listener });

    listener.exit(pid, { tag: "first" });
    listener.exit(pid, { tag: "second" });

    assert.deepEqual((await hearDown(listener, ref)).reason, { tag: "first" });
  },

  async "an exit signal with reason normal is ignored"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);

    listener.exit(pid, "normal");

    await assertAnswers({ pid, listener });
  },

  async "an exit signal to a process that has ended is silent"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.endNormally);
    await hearDown(listener, ref);

    assert.equal(listener.exit(pid, "shutdown"), true);

    assert.deepEqual(await heard(listener, () => true), []);
  },

  async "kill ends it, and others see killed"(scene) {
    const { pid, listener } = scene.spawn("spawnLink", scene.fixtures.echo);
    const ref = listener.monitor(pid);
    await assertAnswers({ pid, listener });

    listener.exit(pid, "kill");

    assert.equal((await hearDown(listener, ref)).reason, "killed");
    assert.equal(await hearExit(listener, pid), "killed");
  },

  async "kill ends one that has not run yet"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.echo);

    listener.exit(pid, "kill");

    assert.equal((await hearDown(listener, ref)).reason, "killed");
  },

  async "kill ends a loop that never yields"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.busyLoop);
    await hearText(listener, "busy\n");

    listener.exit(pid, "kill");

    assert.equal((await hearDown(listener, ref)).reason, "killed");
  },

  async "the loss of a carrier gives each process on it exactly one exit"(scene) {
    let launch: ReturnType<CarrierFixtures["loss"]> | undefined;
    const subject = scene.spawn("spawnMonitor", (listener) => (launch = scene.fixtures.loss(listener)));
    assert.ok(launch !== undefined);
    const { innerCount, isReason, strike } = launch;
    const { pid, listener, ref } = subject;
    const inner: AnyPid[] = [];
    while (inner.length < innerCount) inner.push((await hear(listener, isPid, "an inner pid")) as AnyPid);
    await hearText(listener, "ready\n");
    const refs = inner.map((pid) => listener.monitor(pid));
    for (const linked of [pid, ...inner]) listener.link(linked);

    strike({ kernel: scene.kernel, pid, osPid: subject.osPid });

    const { reason } = await hearDown(listener, ref);
    assert.ok(isReason(reason), `the reason is ${JSON.stringify(reason)}`);
    assert.deepEqual(await hearExit(listener, pid), reason);
    for (const [index, ref] of refs.entries()) {
      assert.ok(isTagged((await hearDown(listener, ref)).reason, "carrierDown"));
      assert.ok(isTagged(await hearExit(listener, inner[index] as AnyPid), "carrierDown"));
    }
    assert.deepEqual(await heard(listener, (message) => isDown(message) || isExit(message)), []);
  },
};

const linkCases: Readonly<Record<string, Case>> = {
  async "the end of a linked process ends it, with the same reason"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.echo);
    await assertAnswers({ pid, listener });

    scene.kernel.spawn((self) => {
      self.link(pid);
      self.exit({ tag: "together" });
    });

    assert.deepEqual((await hearDown(listener, ref)).reason, { tag: "together" });
  },

  async "its end ends a linked process that does not trap exits"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    const partner = listener.spawnMonitor(async (self: Process<unknown>) => {
      self.link(pid);
      self.send(listener.pid as AnyPid as Pid<unknown>, "linked");
      await self.receive();
    });
    await hearText(listener, "linked");

    listener.exit(pid, { tag: "together" });

    assert.deepEqual((await hearDown(listener, partner.ref)).reason, { tag: "together" });
  },

  async "the normal end of a linked process leaves it running"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    const partner = listener.spawnMonitor((self) => void self.link(pid));

    await hearDown(listener, partner.ref);

    await assertAnswers({ pid, listener });
  },

  async "its normal end is an exit message for one that traps exits"(scene) {
    const { pid, listener } = scene.spawn("spawnLink", scene.fixtures.endNormally);

    assert.equal(await hearExit(listener, pid), "normal");
  },

  async "after unlink neither end reaches the other"(scene) {
    const subject = scene.spawn("spawnLink", scene.fixtures.echo);
    const { pid, listener } = subject;
    const partner = listener.spawnMonitor((self) => {
      self.link(pid);
      self.unlink(pid);
      self.exit({ tag: "alone" });
    });
    await hearDown(listener, partner.ref);
    await assertAnswers(subject);

    listener.unlink(pid);
    const ref = listener.monitor(pid);
    listener.exit(pid, "shutdown");

    await hearDown(listener, ref);
    assert.deepEqual(await heard(listener, (message) => isExit(message)), []);
  },

  async "linking to one that has ended gives noproc"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.endNormally);
    await hearDown(listener, ref);

    listener.link(pid);

    assert.equal(await hearExit(listener, pid), "noproc");
  },
};

const monitorCases: Readonly<Record<string, Case>> = {
  async "each monitor gives exactly one down message"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    const refs = [listener.monitor(pid), listener.monitor(pid), listener.monitor(pid)];
    await assertAnswers({ pid, listener });

    listener.exit(pid, "shutdown");

    for (const ref of refs) assert.equal((await hearDown(listener, ref)).reason, "shutdown");
    assert.deepEqual(await heard(listener, (message) => isDown(message)), []);
  },

  async "after demonitor no down message comes"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    const ended = listener.monitor(pid);
    const kept = listener.monitor(pid);
    await assertAnswers({ pid, listener });

    assert.equal(listener.demonitor(ended), true);
    listener.exit(pid, "shutdown");

    await hearDown(listener, kept);
    assert.deepEqual(await heard(listener, (message) => isDown(message)), []);
  },

  async "the watcher's end does not touch it"(scene) {
    const { pid, listener } = scene.spawn("spawn", scene.fixtures.echo);
    const watcher = listener.spawnMonitor((self) => {
      self.monitor(pid);
      self.exit({ tag: "alone" });
    });

    await hearDown(listener, watcher.ref);

    await assertAnswers({ pid, listener });
  },

  async "monitoring one that has ended gives noproc"(scene) {
    const { pid, listener, ref } = scene.spawn("spawnMonitor", scene.fixtures.endNormally);
    await hearDown(listener, ref);

    const late = listener.monitor(pid);

    assert.equal((await hearDown(listener, late)).reason, "noproc");
  },
};

const cases: Readonly<Record<string, Case>> = {
  ...startCases,
  ...messageCases,
  ...reasonCases,
  ...exitCases,
  ...linkCases,
  ...monitorCases,
};

function isPid(message: unknown): message is AnyPid {
  return message instanceof Pid;
}
