/**
 * Simulated carrier: runs programs on kernels of their own in this heap, as the thread and the os-process carrier do in
 * theirs. It goes by the name of the carrier it stands for, so the same system runs on both.
 *
 * Guarantees: signals are copied, take time, and keep their order per channel; a carrier can be lost, stopped or cut off at
 * any moment, and then each process on it gives exactly one exit. When the program ends, everything else on its carrier
 * ends too.
 * Unlike the real ones it also takes functions and defined programs, because nothing has to be loaded for them; of files it
 * takes those that were loaded before the run (`modules`).
 * Not here: when faults strike (nemesis.ts); windows of channels: a simulated channel always has room.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { adoptLineage, callersMax, lineageOf, type Lineage } from "../kernel/ancestry.ts";
import type { Connection } from "../kernel/connection.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Kernel, Starter, StartRequest } from "../kernel/kernel.ts";
import type { AnyPid, Ref } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { acknowledgingBody, defineProgram, definedProgramOf, type DefinedProgram } from "../kernel/program.ts";
import type { Channel, Signal } from "../kernel/signal.ts";
import type { Stream } from "./choices.ts";
import { durationsMs } from "./nemesis.ts";
import type { Machine } from "./machine.ts";
import type { Site } from "./site.ts";
import { untilCalm } from "./sim-subject.ts";

/** How long a signal takes, in milliseconds; the first is the dullest. */
const latenciesMs: readonly Milliseconds[] = [0.05, 0.05, 0.05, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20, 50];
/** How long a signal waits that others are to overtake, in milliseconds, the mildest first. */
const overtakenMs: readonly Milliseconds[] = [5, 20, 50, 100];
/** How long a carrier takes to start, in milliseconds. */
const startsMs: Readonly<Record<string, Milliseconds>> = { thread: 40, "os-process": 80 };
/** How long until the loss of a carrier is noticed, in milliseconds. */
const lossNoticedMs: Milliseconds = 5;

/** A program file that was not loaded before the run. */
export class ModuleNeeded extends Error {
  readonly url: string;

  constructor(url: string) {
    super(`the program ${url} is not loaded`);
    this.name = "ModuleNeeded";
    this.url = url;
  }
}

/** Modules of program files, by URL. */
export type Modules = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** The carriers of a site, by name. */
export function simulatedCarriers(
  machine: Machine,
  siteOf: (kernel: Kernel) => Site,
  modules: Modules,
  added: (site: Site) => void,
): ReadonlyMap<string, Starter> {
  const carriers = new Map<string, Starter>();
  for (const name of Object.keys(startsMs)) {
    carriers.set(name, {
      start: (kernel, request) => {
        const program = definedOf(request, machine, modules);
        // What cannot be copied refuses the start before there is anything that a fault could strike.
        const wires = wiresOf(kernel, request);
        const hosted = new SimulatedHosted(machine, siteOf(kernel), carriers, name, request);
        added(hosted.site);
        hosted.start(program, wires, request.options);
        return hosted.pid;
      },
    });
  }
  carriers.set("coroutine", {
    start: (kernel, request) => {
      const program = definedOf(request, machine, modules);
      const { args, label, mailbox, callers } = request.options;
      const { parent, starter } = request;
      return kernel.spawnLocal(parent, acknowledgingBody(program) as never, args, { label, mailbox, callers, starter });
    },
  });
  return carriers;
}

/** What the program gets from who starts it, as copies. */
type Wires = Readonly<Record<"parent" | "lineage" | "callers" | "starter" | "args", unknown>>;

/** @throws UncopyableError */
function wiresOf(kernel: Kernel, { options, parent, starter }: StartRequest): Wires {
  return {
    parent: kernel.encode(parent, "parent"),
    lineage: kernel.encode(lineageOf(kernel, parent), "lineage"),
    callers: kernel.encode(options.callers?.slice(0, callersMax), "callers"),
    starter: kernel.encode(starter, "starter"),
    args: kernel.encode(options.args, "args"),
  };
}

function definedOf(
  { program }: StartRequest,
  machine: Machine,
  modules: Modules,
): DefinedProgram<unknown, readonly unknown[]> {
  if (typeof program === "function") return defineProgram(program as never);
  if (program.kind === "defined") return program as unknown as DefinedProgram<unknown, readonly unknown[]>;
  if (program.kind === "command") {
    throw new Error(`the command ${program.file} cannot be simulated; put a process in its place, or use torture`);
  }
  const module = modules.get(program.url);
  if (module === undefined) {
    machine.broken ??= new ModuleNeeded(program.url);
    throw new ModuleNeeded(program.url);
  }
  const defined = definedProgramOf(module["default"]) ?? definedProgramOf(module["module.exports"]);
  if (defined === undefined) {
    throw new Error(`${program.url} is an ordinary script; only programs made with defineProgram can be simulated`);
  }
  return defined;
}

class SimulatedHosted implements Channel {
  readonly pid: AnyPid;
  readonly #machine: Machine;
  readonly #parent: Site;
  readonly site: Site;
  readonly #down: Connection;
  #up: Connection | null = null;
  readonly #name: string;
  readonly #latency: Stream;
  readonly #start: Stream;
  /** When the last signal arrives, downwards and upwards. */
  readonly #lastMs = { down: 0, up: 0 };
  /** On their way, in order: whatever arrives, the oldest is the next to be taken. */
  readonly #underWay: Readonly<Record<"down" | "up", (() => void)[]>> = { down: [], up: [] };
  #cutUntilMs: Milliseconds = 0;
  #isOver = false;
  #waiting: Signal[] | null = [];

  constructor(
    machine: Machine,
    parent: Site,
    carriers: ReadonlyMap<string, Starter>,
    name: string,
    { options, program }: StartRequest,
  ) {
    this.#machine = machine;
    this.#parent = parent;
    this.#name = name;
    const id = parent.kernel.newChildId();
    const bodyName = typeof program === "function" ? program.name : "";
    const title = options.name ?? options.label ?? (bodyName === "" ? name : bodyName);
    this.site = machine.addSite(title, parent, { id, carriers });
    this.site.lose = (cause) => this.#lose(cause);
    this.site.cut = (durationMs) => {
      this.#cutUntilMs = machine.nowMs() + durationMs;
    };
    this.#latency = machine.stream(`latency:${title}`);
    this.#start = machine.stream(`start:${title}`);
    this.#down = parent.kernel.connect(id, this);
    this.pid = parent.kernel.mainPidOf(id);
  }

  start(program: DefinedProgram<unknown, readonly unknown[]>, plan: Wires, options: StartRequest["options"]): void {
    const failure = this.#startFailure();
    const startMs = startsMs[this.#name] as Milliseconds;
    const delayMs = failure === null ? startMs * (1 + this.#start.choose(4)) : 0;
    this.#machine.after(delayMs, () => {
      if (this.#isOver) return;
      if (failure === null) this.#boot(program, plan, options);
      else this.#end(failure, failure);
    });
  }

  #startFailure(): Error | null {
    const { faults } = this.#machine;
    const { title } = this.site;
    if (faults.strikes("eagain-spawn", title)) return spawnError("EAGAIN", title, "too many OS processes or threads");
    if (faults.strikes("enomem-spawn", title)) return spawnError("ENOMEM", title, "memory is short");
    if (faults.strikes("emfile", title)) return spawnError("EMFILE", title, "too many files are open");
    return null;
  }

  #boot(
    program: DefinedProgram<unknown, readonly unknown[]>,
    plan: Wires,
    { label, mailbox }: StartRequest["options"],
  ): void {
    const { kernel } = this.site;
    const decode = (wire: unknown): unknown => kernel.decode(wire as never);
    const parentId = this.#parent.kernel.id;
    this.#up = kernel.connect(parentId, { send: (signal) => this.#carry("up", signal) }, "uplink");
    const parent = decode(plan.parent) as AnyPid;
    adoptLineage(kernel, decode(plan.lineage) as Lineage);
    const callers = decode(plan.callers) as readonly AnyPid[] | undefined;
    const main = kernel.spawnMain(
      parent,
      decode(plan.starter) as Ref | null,
      {
        label: label ?? this.site.title,
        ...(mailbox === undefined ? {} : { mailbox }),
        ...(callers === undefined ? {} : { callers }),
      },
      (reason) => this.#programEnded(reason),
    );
    const args = (decode(plan.args) ?? []) as readonly never[];
    const body = acknowledgingBody(program);
    main.begin((self: AnyProcess) => body(self, ...args));
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const signal of waiting) this.#carry("down", signal);
  }

  send(signal: Signal): void {
    if (this.#waiting === null) this.#carry("down", signal);
    else this.#waiting.push(signal);
  }

  condemn(): void {
    this.#end({ tag: "killed" }, "killed");
  }

  #carry(direction: "down" | "up", signal: Signal): void {
    if (this.#isOver) return;
    this.#later(direction, () => {
      if (this.#isOver) return;
      if (direction === "down") this.#up?.receive(signal);
      else if (!this.#parent.isDead) this.#down.receive(signal);
    });
  }

  /** Runs `task` at the other end, after all that is on its way there. */
  #later(direction: "down" | "up", task: () => void): void {
    const { faults } = this.#machine;
    let delayMs = latenciesMs[this.#latency.choose(latenciesMs.length)] as Milliseconds;
    if (faults.strikes("delay", this.site.title)) {
      const severity = faults.severity("delay", this.site.title, durationsMs.length);
      const longerMs = Math.round(untilCalm(this.#machine, durationsMs[severity] as Milliseconds));
      this.#machine.tell(
        `the carrier of ${this.site.title}`,
        () => `has a signal ${longerMs} ms longer under way (delay)`,
      );
      delayMs += longerMs;
    }
    if (faults.strikes("reorder", this.site.title)) {
      delayMs += overtakenMs[faults.severity("reorder", this.site.title, overtakenMs.length)] as Milliseconds;
    }
    const nowMs = this.#machine.nowMs();
    const atMs = Math.max(nowMs + delayMs, this.#lastMs[direction], this.#cutUntilMs);
    this.#lastMs[direction] = atMs;
    const queue = this.#underWay[direction];
    queue.push(task);
    const arrive = (): void => {
      const site = direction === "down" ? this.site : this.#parent;
      // What stands still takes nothing, and what is cut off meanwhile waits again.
      const untilMs = Math.max(site.stoppedUntilMs, this.#cutUntilMs);
      if (untilMs > this.#machine.nowMs()) this.#machine.at(untilMs, arrive);
      else queue.shift()?.();
    };
    // By the time itself: sums of delays that should be equal differ in their last bits.
    this.#machine.at(atMs, arrive);
  }

  /** What it said before is still on its way; its carrier is gone after that. */
  #programEnded(reason: ExitReason): void {
    this.#later("up", () => this.#end({ tag: "programEnded", reason }, "noproc"));
  }

  #lose(cause: unknown): void {
    if (this.#isOver) return;
    this.#machine.killSite(this.site);
    this.#machine.after(lossNoticedMs, () => this.#end(cause));
  }

  #end(cause: unknown, reason?: ExitReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#machine.killSite(this.site);
    if (!this.#parent.isDead) this.#down.lost(cause, reason);
  }
}

function spawnError(code: string, title: string, why: string): Error {
  return Object.assign(new Error(`${title} could not be started: ${code}, ${why}`), { code });
}
