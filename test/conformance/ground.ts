/**
 * Ground: what a statement is proved on. The observer is a process of the test's own kernel; the processes under test run on
 * the carrier, so that on `thread` and `os-process` every signal between them and the observer crosses a border.
 *
 * @module
 */
import {
  createSystem,
  defineProgram,
  Exit,
  isDown,
  isTagged,
  nodePlatform,
  program,
  type AnyPid,
  type ExitReason,
  type Kernel,
  type Pid,
  type Process,
  type SpawnOptions,
} from "colos";
import hostProgram, { type SpawnOrder } from "./host.ts";
import type { Kept, Order, Outcome, Step } from "./puppet-body.ts";
import type { ConformanceCarrier } from "./statement.ts";

/** A system with a host on the carrier; serves any number of statements, one after the other. */
export class Stage {
  readonly carrier: ConformanceCarrier;
  readonly kernel: Kernel;
  readonly #self: Process<unknown>;
  readonly #host: AnyPid;

  private constructor(carrier: ConformanceCarrier, kernel: Kernel, self: Process<unknown>, host: AnyPid) {
    this.carrier = carrier;
    this.kernel = kernel;
    this.#self = self;
    this.#host = host;
  }

  static async open(carrier: ConformanceCarrier): Promise<Stage> {
    const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
    const self = kernel.attach<unknown>("stage");
    const file = program("./host.ts", import.meta.url);
    const host =
      carrier === "coroutine"
        ? self.spawn(defineProgram(hostProgram.body))
        : await self.start(file, { carrier, link: false });
    return new Stage(carrier, kernel, self, host as AnyPid);
  }

  /** Fresh ground for one statement. */
  ground(): Ground {
    return new Ground(this.carrier, this.kernel, this.#host);
  }

  async close(): Promise<void> {
    const ref = this.#self.monitor(this.#host);
    this.#self.exit(this.#host, "kill");
    await this.#self.receive((message) => isDown(message, ref));
    this.kernel.close();
  }
}

/** Where processes can stand: on the carrier under test (the ground itself), or in the test's own kernel (`local`). */
export interface Side {
  spawn(subject: string, args?: readonly unknown[], options?: SpawnOrder["options"]): Promise<Pid<unknown>>;
  puppet(options?: SpawnOrder["options"]): Promise<Puppet>;
}

export class Ground implements Side {
  readonly carrier: ConformanceCarrier;
  readonly kernel: Kernel;
  /** The observer. */
  readonly self: Process<unknown>;
  readonly #host: AnyPid;
  readonly #spawned: AnyPid[] = [];

  constructor(carrier: ConformanceCarrier, kernel: Kernel, host: AnyPid) {
    this.carrier = carrier;
    this.kernel = kernel;
    this.self = kernel.attach<unknown>("observer");
    this.#host = host;
  }

  /** Spawns a subject on the carrier under test. It has begun to run no sooner than it answers. */
  async spawn(subject: string, args: readonly unknown[] = [], options?: SpawnOrder["options"]): Promise<Pid<unknown>> {
    const order: SpawnOrder = { subject, args, ...(options === undefined ? {} : { options }) };
    const pid = (await this.self.request(this.#host, order)) as Pid<unknown>;
    this.#spawned.push(pid);
    return pid;
  }

  /** A process under test that does what it is told. */
  async puppet(options?: SpawnOrder["options"]): Promise<Puppet> {
    return new Puppet(this, await this.spawn("puppet", [], options));
  }

  /** A puppet in the test's own kernel, to stand on the other side of the border. */
  async localPuppet(options: SpawnOptions<[]> = {}): Promise<Puppet> {
    const { puppet } = await import("./puppet-body.ts");
    return this.puppetAt(this.self.spawn(puppet, options));
  }

  /** The other side of the border. */
  get local(): Side {
    return {
      spawn: async (subject, args = [], options = {}) => {
        const { subjects } = await import("./subjects.ts");
        const pid = this.self.spawn(subjects[subject]!, { ...options, args });
        this.#spawned.push(pid);
        return pid as Pid<unknown>;
      },
      puppet: (options) => this.localPuppet(options),
    };
  }

  /**
   * Proves what concerns two processes for both on the carrier, and for each of them in turn in the test's kernel.
   * Whatever one side has told the other has arrived when an order that was given later is answered.
   */
  async eachPair(prove: (here: Side, there: Side) => Promise<void>): Promise<void> {
    await prove(this, this);
    await prove(this, this.local);
    await prove(this.local, this);
  }

  /** The same for a new puppet on each side. */
  eachTwo(prove: (here: Puppet, there: Puppet) => Promise<void>): Promise<void> {
    return this.eachPair(async (here, there) => prove(await here.puppet(), await there.puppet()));
  }

  /** The pid of a process under test that has ended. */
  async deadPid(side: Side = this): Promise<AnyPid> {
    const puppet = await side.puppet();
    await puppet.end("return");
    return puppet.pid;
  }

  /** Drives a puppet that another one has spawned. */
  puppetAt(pid: AnyPid): Puppet {
    this.#spawned.push(pid);
    return new Puppet(this, pid);
  }

  /** Waits until `pid` has ended, and why; of one that ended before, `noproc`. */
  async reasonOf(pid: AnyPid): Promise<ExitReason> {
    // With a process of its own, so that several can wait.
    const watcher = this.kernel.attach<unknown>("watcher");
    const ref = watcher.monitor(pid);
    const down = await watcher.receive((message) => isDown(message, ref));
    this.kernel.end(watcher, "normal");
    return (down as { readonly reason: ExitReason }).reason;
  }

  /** Ends what the statement has left. */
  async clear(): Promise<void> {
    for (const pid of this.#spawned) this.self.exit(pid, "kill");
    for (const pid of this.#spawned) await this.reasonOf(pid);
    this.kernel.end(this.self, "normal");
  }
}

/** How a statement drives a puppet. An order that ends the puppet rejects with an Exit whose reason tells why. */
export class Puppet {
  readonly pid: AnyPid;
  readonly #ground: Ground;

  constructor(ground: Ground, pid: AnyPid) {
    this.#ground = ground;
    this.pid = pid;
  }

  /** Orders a method of `Process` or one of the puppet's own, and gives its result; what it throws is thrown here. */
  async do(name: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#settle(await this.#order(name, args, undefined));
  }

  /** As `do`; the puppet keeps the result under `keepAs`, for `kept`. */
  async keep(keepAs: string, name: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#settle(await this.#order(name, args, keepAs));
  }

  /** `receive` with a pattern (see `Pattern`); `"timedOut"` when nothing came in time. */
  async receive(pattern?: unknown, timeoutMs?: number): Promise<unknown> {
    return this.do("receive", pattern, timeoutMs);
  }

  /** Orders several things at once, done without a pause; gives their results. */
  async steps(...steps: readonly Step[]): Promise<unknown[]> {
    return (await this.do("steps", ...steps)) as unknown[];
  }

  /** Whether it still obeys. */
  async isAlive(): Promise<boolean> {
    return (await this.do("give", true)) === true;
  }

  /** Takes all messages that are there. */
  async mailbox(): Promise<unknown[]> {
    return (await this.do("mailbox")) as unknown[];
  }

  /** Orders its end, by `return`, `throw`, `exitUncaught` or anything else that ends it, and waits for it. */
  async end(name: "return" | "throw" | "exitUncaught" | "exit", ...args: readonly unknown[]): Promise<ExitReason> {
    const reason = this.#ground.reasonOf(this.pid);
    await this.#order(name, args, undefined).catch((failed: unknown) => {
      if (!(failed instanceof Exit && isTagged(failed.reason, "call"))) throw failed;
    });
    return reason;
  }

  #order(name: string, args: readonly unknown[], keepAs: string | undefined): Promise<Outcome> {
    const order: Order = { type: "order", name, args, keepAs };
    return this.#ground.self.request(this.pid, order, Infinity) as Promise<Outcome>;
  }

  #settle(outcome: Outcome): unknown {
    if (outcome.type === "thrown") throw outcome.error;
    return outcome.type === "timedOut" ? "timedOut" : outcome.value;
  }
}

/** In an order's arguments: what the puppet kept under that name. */
export function kept(name: string): Kept {
  return { type: "kept", name };
}
