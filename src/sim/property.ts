/**
 * Property: what must hold of a system whatever fails, and the plan of what fails. One definition for simulation
 * (`simulate`) and for the real machine (`torture`).
 *
 * @module
 */
import type { FileSystem } from "../base/file-system.ts";
import type { Network } from "../base/network.ts";
import type { Milliseconds, Platform } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";

/** A check's answer: true, or what is wrong (false: no more is known than the check's name). */
export type Verdict = boolean | string;

/** A property of a system: it holds in every run that the plan allows, or it does not hold. */
export interface Property<System> {
  /** For people, and in the command that replays a failing run. */
  readonly name: string;
  /**
   * Builds the system, as the body of the process `self`, and gives what the checks look at. Runs again after `kill-system`
   * and `power-loss`, with the files that are left.
   */
  setup(self: AnyProcess, world: World): System | Promise<System>;
  /** Uses the system, as a process of its own. The run ends once it has returned, the faults are over and all has calmed. */
  workload?(self: AnyProcess, system: System, world: World): void | Promise<void>;
  /** Holds after every event. */
  readonly always?: Readonly<Record<string, (system: System, world: View) => Verdict>>;
  /** Holds of every signal, at the moment it is delivered. */
  readonly onSignal?: Readonly<Record<string, (signal: SeenSignal, system: System, world: View) => Verdict>>;
  /** Exact accounting, at the end: what was counted, and what it must be. */
  readonly balance?: Readonly<Record<string, (system: System, world: View) => readonly [got: number, want: number]>>;
  /** Becomes true within so many milliseconds once faults have stopped and the workload is done. */
  readonly eventually?: Readonly<Record<string, Eventually<System>>>;
  /** Labels that `world.sometimes` must have been given in at least one run, or the test itself is weak. */
  readonly sometimes?: readonly string[];
  /** What the system may do, as an executable model. */
  readonly model?: Model<System>;
}

export interface Eventually<System> {
  readonly withinMs: Milliseconds;
  holds(system: System, world: View): Verdict;
}

/** Takes each event in turn; every one must be possible in the state that those before it have led to. */
export interface Model<System, State = unknown> {
  init(): State;
  /** The next state, or `impossible(why)`. */
  step(state: State, event: RunEvent, system: System): State | Impossible;
}

/** What a model answers to an event that it does not allow. */
export class Impossible {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** The model does not allow this event. */
export function impossible(why: string): Impossible {
  return new Impossible(why);
}

/** What a model sees: the ends of processes, faults, and what the system says with `world.record`. */
export interface RunEvent {
  readonly atMs: Milliseconds;
  readonly kind: "spawned" | "ended" | "fault" | "record";
  /** A process (its name or label), or what the fault struck. */
  readonly subject: string;
  /** What was recorded, the fault's name. */
  readonly what: string;
  readonly value?: unknown;
}

/** A signal, as it reaches its process. */
export interface SeenSignal {
  readonly kind: "message" | "request" | "reply" | "exit" | "down";
  readonly to: AnyPid;
  /** Unknown for messages: a message does not say who sent it. */
  readonly from: AnyPid | undefined;
  readonly atMs: Milliseconds;
  /** The message, or the exit's or down's reason. */
  readonly body: unknown;
}

/** What checks may look at. */
export interface View {
  /** Milliseconds since the run began. */
  readonly nowMs: Milliseconds;
  /** The root kernel; another one after the system was killed. */
  readonly kernel: Kernel;
  /** The live processes of all kernels of the run. */
  processes(): readonly ProcessView[];
  isAlive(pid: AnyPid): boolean;
  whereis(name: string): AnyPid | undefined;
  /** How often something was counted: with `world.count`, or `fault.<name>` for each fault that struck. */
  counted(key: string): number;
  /** Whether faults may still strike. */
  readonly inWindow: boolean;
  /** What is in a file now; undefined where there is none. */
  fileNow(path: string): Uint8Array | undefined;
}

export interface ProcessView {
  readonly pid: AnyPid;
  /** Its name, else its label, else its pid. */
  readonly title: string;
  readonly reason?: ExitReason;
}

/** What a property's setup and workload work with. */
export interface World extends View {
  readonly platform: Platform;
  /** A disk of its own, empty at the start of each run; what is on it outlives `kill-system` and, if synced, `power-loss`. */
  readonly files: FileSystem;
  /** The network as the system sees it; its machine is called `here`. */
  readonly network: Network;
  /** The network as another machine sees it, whose name others reach it by: for clients and peers. */
  networkOf(machine: string): Network;
  /** One of `items`; the first is the simplest, and what shrinking comes to. */
  choose<T>(stream: string, items: readonly T[]): T;
  /** True with this probability; false is the simplest. A place in the system that may fail on purpose. */
  chance(stream: string, probability: number): boolean;
  /** Notes that something worth testing has happened. */
  sometimes(label: string): void;
  count(key: string, by?: number): void;
  /** Tells the story, and the model. */
  record(what: string, value?: unknown): void;
}

/** Which faults, how often, when and on whom. */
export interface Plan {
  /** How often each fault strikes: per second of virtual time for those that strike by themselves, else per chance to. */
  readonly faults?: Readonly<Partial<Record<FaultName, number>>>;
  /** Faults at fixed times: a regression test. */
  readonly at?: readonly PlannedFault[];
  /** Milliseconds from the start in which faults strike; default 0 to 10,000. What comes after is calm. */
  readonly window?: readonly [fromMs: Milliseconds, toMs: Milliseconds];
  /** In each run some faults are left out and rates differ, so that runs differ in kind; default true. */
  readonly swarm?: boolean;
  /** Upper bounds that keep the property satisfiable. */
  readonly budget?: Budget;
  /** Titles (names or labels) of processes that may be struck; default: all but the property's own two. */
  readonly targets?: readonly string[] | ((title: string) => boolean);
}

export interface PlannedFault {
  readonly atMs: Milliseconds;
  readonly fault: FaultName;
  readonly target?: string;
}

export interface Budget {
  /** Faults in one run; default 1,000. */
  readonly faultsMax?: number;
  /** Of each kind. */
  readonly perFaultMax?: Readonly<Partial<Record<FaultName, number>>>;
  /** Milliseconds between two faults that strike by themselves; default 0. */
  readonly quietMs?: Milliseconds;
}

/** How processes take turns. */
export type Scheduler =
  /** Delays and orders drawn at random. The default; finds most. */
  | "random"
  /** Random priorities with few changes (PCT): finds rare orders of few processes. */
  | "pct"
  /** First come, first served; only faults differ. */
  | "fifo"
  /** Every order, for programs of few steps. */
  | "exhaustive";

export interface CampaignOptions {
  /** The first seed; default 1. */
  readonly seed?: number;
  /** Runs, each with the next seed; default 100. */
  readonly runs?: number;
  /** Ends the campaign after so many seconds of CPU time; default: no limit. */
  readonly cpuSeconds?: number;
  readonly scheduler?: Scheduler;
  /** With `pct`: how many ordering constraints a failure may need; default 3. */
  readonly pctDepth?: number;
  /** Events in one run before it counts as one that never rests; default 1,000,000. */
  readonly eventsMax?: number;
  /** Every so many seeds one runs twice and must be the same; default 10, 0 for none. */
  readonly selfCheckEvery?: number;
  /** Choices of a failing run, as a report prints them: only that run. */
  readonly replay?: string;
  /** Replays of failures found before; they run first. */
  readonly corpus?: readonly string[];
  /** CPU seconds that shrinking may take; default 10. */
  readonly shrinkCpuSeconds?: number;
}
