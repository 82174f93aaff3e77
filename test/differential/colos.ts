/**
 * colos: runs programs through the public API and collects their traces; the twin of the collector in
 * `otp/differential.erl`.
 *
 * On `coroutine` and `thread` the Node platform gives the time, on `virtual` the virtual one, where each program has a
 * kernel, a clock and an end of its own. Where a process lets others run is drawn from the seed.
 *
 * @module
 */
import { createSystem, isDown, Kernel, nodePlatform, timedOut, type AnyPid, type Platform, type Process } from "colos";
import { VirtualPlatform } from "../../src/testing/virtual-platform.ts";
import type { End, Message, Observation, Program, ProcessTrace, Reason, Role, Trace } from "./program.ts";
import { finish, roleBody, type Fault, type RawObservation, type Report, type RoleSetup } from "./role-body.ts";

/** What runs the programs. */
export type ColosCarrier = "coroutine" | "virtual" | "thread";
/** All of them. */
export const colosCarriers: readonly ColosCarrier[] = ["coroutine", "virtual", "thread"];

export interface ColosOptions {
  readonly carrier: ColosCarrier;
  readonly seed: number;
  /** The file `role-program.ts`; needed for threads only. */
  readonly programUrl?: string;
  readonly fault?: Fault | undefined;
}

/** Programs that run at the same time. */
const slots: Readonly<Record<ColosCarrier, number>> = { coroutine: 100, virtual: 1, thread: 4 };
/** A time without an observation after which nothing more is expected, in milliseconds; longer than any delay. */
const quietMs: Readonly<Record<ColosCarrier, number>> = { coroutine: 10, virtual: 10, thread: 60 };
/** Runs of one program until it has come to rest before it was asked for its mailboxes. */
const runsMax = 10;
/** So long may a program go on making observations, in milliseconds. */
const programMaxMs = 60_000;

/** Runs `programs` on colos. */
export async function runOnColos(
  programs: readonly Program[],
  options: ColosOptions,
  onTrace: (done: number) => void = () => {},
): Promise<Trace[]> {
  const traces: Trace[] = [];
  const work = programs.entries();
  let done = 0;
  const runSome = async (): Promise<void> => {
    for (const [index, program] of work) {
      traces[index] = await runOne(program, { ...options, seed: options.seed + index });
      onTrace((done += 1));
    }
  };
  await Promise.all(Array.from({ length: slots[options.carrier] }, runSome));
  return traces;
}

async function runOne(program: Program, options: ColosOptions): Promise<Trace> {
  if (options.carrier === "thread") return collect(program, options, () => createSystem({ platform }).kernel);
  if (options.carrier === "coroutine") return collect(program, options, () => new Kernel(platform));
  const virtual = new VirtualPlatform();
  const run = { trace: undefined as Trace | undefined, error: undefined as unknown };
  void collect(program, options, () => new Kernel(virtual)).then(
    (trace) => (run.trace = trace),
    (error: unknown) => (run.error = error),
  );
  for (let passedMs = 0; passedMs < programMaxMs; passedMs += 1) {
    await virtual.advance(1);
    if (run.trace !== undefined) return run.trace;
    if (run.error !== undefined) throw run.error;
  }
  throw new Error(`a program did not come to rest:\n${JSON.stringify(program)}`);
}

/** What a crashed process ended with is in its trace. */
const platform: Platform = nodePlatform({ writeLine: () => {} });

async function collect(program: Program, options: ColosOptions, kernelFor: () => Kernel): Promise<Trace> {
  for (let run = 1; run <= runsMax; run += 1) {
    const kernel = kernelFor();
    try {
      const trace = await new Collector(kernel, program, options).run();
      if (trace !== undefined) return trace;
    } finally {
      kernel.close();
    }
  }
  throw new Error(`a program did not come to rest in ${runsMax} runs:\n${JSON.stringify(program)}`);
}

class Collector {
  readonly #self: Process<unknown>;
  readonly #kernel: Kernel;
  readonly #program: Program;
  readonly #options: ColosOptions;
  readonly #roles = new Map<AnyPid, Role>();
  readonly #live = new Set<AnyPid>();
  readonly #seen: (RawObservation[] | undefined)[] = [];
  readonly #ends: (End | undefined)[] = [];

  constructor(kernel: Kernel, program: Program, options: ColosOptions) {
    this.#kernel = kernel;
    this.#self = kernel.attach("collector");
    this.#program = program;
    this.#options = options;
  }

  /** Undefined when the program was not at rest after all. */
  async run(): Promise<Trace | undefined> {
    this.#spawnFirst();
    await this.#untilQuiet();
    const isComplete = await this.#askForRest();
    await this.#endAll();
    this.#kernel.exit(this.#self.pid, this.#self.pid, "kill");
    return isComplete ? this.#program.map((_, role) => this.#processTrace(role)) : undefined;
  }

  #spawnFirst(): void {
    const { carrier, programUrl = "", seed, fault } = this.#options;
    const setup: RoleSetup = {
      collector: this.#self.pid,
      program: this.#program,
      role: 0,
      knows: this.#program.map(() => null),
      carrier: carrier === "thread" ? "thread" : "coroutine",
      programUrl,
      seed,
      fault,
    };
    // The first process is a coroutine, so that each program has at least two kernels.
    this.#watch(this.#self.spawn(roleBody, { args: [setup] }), 0);
  }

  #watch(pid: AnyPid, role: Role): void {
    if (this.#roles.has(pid)) return;
    this.#roles.set(pid, role);
    this.#live.add(pid);
    this.#self.monitor(pid);
  }

  async #untilQuiet(): Promise<void> {
    for (;;) {
      await this.#listen();
      const allWait = [...this.#live].every((pid) => this.#waits(pid));
      if (!(await this.#listen()) && allWait) return;
    }
  }

  /** What runs in another kernel is believed to wait once it has begun. */
  #waits(pid: AnyPid): boolean {
    const info = this.#kernel.info(pid);
    return info === undefined ? this.#seen[this.#roles.get(pid) as Role] !== undefined : info.status === "waiting";
  }

  /** Until nothing comes for a while; true when something came. */
  async #listen(): Promise<boolean> {
    for (let heard = false; ; heard = true) {
      const message = await this.#self.receive(undefined, { timeoutMs: quietMs[this.#options.carrier] });
      if (message === timedOut) return heard;
      this.#hear(message);
    }
  }

  #hear(message: unknown): void {
    if (isDown(message)) {
      const pid = message.from as AnyPid;
      this.#live.delete(pid);
      this.#ends[this.#roles.get(pid) as Role] = { kind: "ended", reason: reasonText(message.reason, "unknown") };
      return;
    }
    const report = message as Report;
    if (report.type === "began") {
      this.#watch(report.pid, report.role);
      this.#seen[report.role] ??= [];
    } else if (report.type === "spawned") {
      this.#watch(report.pid, report.child);
      this.#seen[report.role]?.push("ok");
    } else if (report.type === "observed") {
      this.#seen[report.role]?.push(report.observation);
    } else if (report.type === "rest") {
      const rest = report.rest.map((raw) => this.#observation(raw) as Message);
      this.#ends[report.role] = { kind: "waiting", rest };
    }
  }

  /**
   * All are asked before any is ended, so that no end shows in another's mailbox. False when something happened after
   * all, as on a machine that stood still.
   */
  async #askForRest(): Promise<boolean> {
    const live = [...this.#live];
    for (const pid of live) this.#self.send(pid as never, finish as never);
    for (let count = 0; count < live.length; count += 1) {
      const message = await this.#self.receive();
      this.#hear(message);
      if ((message as Report).type !== "rest") return false;
    }
    return true;
  }

  /** Also what was spawned meanwhile. */
  async #endAll(): Promise<void> {
    const ends = [...this.#ends];
    while (this.#live.size > 0) {
      for (const pid of this.#live) this.#self.exit(pid, "kill");
      this.#hear(await this.#self.receive());
    }
    this.#ends.splice(0, Infinity, ...ends);
  }

  #processTrace(role: Role): ProcessTrace | null {
    const seen = this.#seen[role];
    const end = this.#ends[role];
    if (seen === undefined || end === undefined) return null;
    return { observed: seen.map((raw) => this.#observation(raw)), end };
  }

  #observation(raw: RawObservation): Observation {
    if (typeof raw === "string") return raw;
    switch (raw[0]) {
      case "pid":
        return ["pid", this.#role(raw[1])];
      case "exit":
        return ["exit", this.#role(raw[1]), reasonText(raw[2])];
      case "down":
        return ["down", raw[1], (typeof raw[2] === "string" ? raw[2] : this.#role(raw[2])) as Role, reasonText(raw[3])];
      default:
        return raw as Message;
    }
  }

  #role(pid: AnyPid): Role {
    return this.#roles.get(pid) ?? -1;
  }
}

/** `noproc` says of the collector's own monitors that it came too late. */
function reasonText(reason: unknown, noproc: Reason = "noproc"): Reason {
  if (typeof reason === "string") return reason === "noproc" ? noproc : reason;
  const { tag, detail } = (reason ?? {}) as { readonly tag?: unknown; readonly detail?: unknown };
  return tag === "tagged" ? `tagged:${String(detail)}` : `strange: ${String(reason)} ${JSON.stringify(reason)}`;
}
