/**
 * Host: everything that the command line needs from the place where it runs. The composition root (`src/bin.ts`)
 * implements it once; tests implement it with a terminal made of an array.
 *
 * Guarantees: the command line touches `process` nowhere; what it may do to the host is written here.
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import type { Chaos } from "../control/chaos.ts";
import type { SystemPlan } from "../control/config.ts";
import type { LogEntry, LogQuery, LogSelection } from "../control/log.ts";
import type { Manager } from "../control/manager.ts";
import type { RunningSystem } from "../control/service.ts";

/** OS signals that mean that a person, or their session, wants an end. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Where lines go: a terminal, a pipe or a file. `process.stdout` is one. */
export interface Output {
  /** Absent or false: not a terminal. */
  readonly isTTY?: boolean;
  /** Characters across; absent when it is no terminal. */
  readonly columns?: number;
  /** Lines down; absent when it is no terminal. */
  readonly rows?: number;
  /** Bytes written and not yet taken by the reader. */
  readonly writableLength?: number;
  /** False: the reader is slow, and `drain` comes when it has caught up. */
  write(text: string): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "resize" | "drain", listener: () => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  off(event: "resize" | "drain", listener: () => void): unknown;
}

export interface StartOptions {
  /**
   * True: the one service of the plan inherits stdin, stdout and stderr, and no log events come. False: its output
   * comes as log events, and its stdin is empty.
   */
  readonly passthrough: boolean;
}

/** What is wrong with a module that cannot be loaded; an error with `problems` of this kind is shown line by line. */
export interface ModuleProblem {
  /** Absolute; absent when the problem has no place. */
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  /** One sentence without a place. */
  readonly text: string;
}

/** What is to be done about the machine's start. */
export interface StartupAction {
  readonly action: "show" | "write" | "remove";
  /** Default: what the machine has. */
  readonly system?: "systemd" | "openrc" | "cron";
  readonly scope: "system" | "user";
  readonly name: string;
  /** Absolute. */
  readonly home: string;
  /** Absolute; with `remove` it does not matter. */
  readonly config: string;
  readonly env: Readonly<Record<string, string>>;
  /** Who runs it, for scope `system`. */
  readonly user?: string;
}

/** A daemon that answers nothing, though it is there. */
export interface Silence {
  /** Epoch milliseconds. */
  readonly sinceAt: number;
  /** Its heart lives, and puts another in its place when this goes on for `silenceMaxMs`. */
  readonly isWatched: boolean;
  readonly silenceMaxMs: number;
}

/** A daemon in this very OS process. */
export interface ContainedDaemon {
  /** How it came to its end. */
  readonly ended: Promise<"down" | "handOver" | "homeLost">;
  /** Stops every service, then the daemon. */
  down(): Promise<void>;
}

/** The place where `colos` runs. */
export interface CliHost {
  readonly version: string;
  /** Whoever runs colos; 0 is root. */
  readonly userId: number;
  /** Absolute: the folder of whoever runs colos. */
  readonly userFolder: string;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Whether a person can be asked: stdin is a terminal. */
  readonly canAsk: boolean;
  readonly clock: Clock;
  /**
   * Runs a TypeScript or JavaScript file and gives its module namespace. Rejects with an error that has `problems`
   * (ModuleProblem) when it does not compile, and with the file's own error when it throws.
   */
  loadModule(file: string): Promise<unknown>;
  /** Starts a system and returns without waiting for readiness. Throws or rejects when nothing could be started. */
  startSystem(plan: SystemPlan, options: StartOptions): RunningSystem | Promise<RunningSystem>;
  /**
   * The manager of the home (absolute). Each of its operations rejects with a DaemonAbsentError when no daemon lives there. One that
   * died and is being started again by its heart is waited for. `silent` is told when it answers nothing (control/silence.ts); without it
   * nobody looks for that.
   */
  connect(home: string, silent?: (silence: Silence) => void): Promise<Manager>;
  /** The services of the home (absolute) that have logs; no daemon is needed. Empty when there is no home. Rejects when it is somebody else's. */
  loggedServices(home: string): Promise<readonly string[]>;
  /** What services of the home wrote, in the order of time; no daemon is needed. */
  readLogs(home: string, selection: readonly LogSelection[], query: LogQuery): AsyncIterable<LogEntry>;
  /** What a person types, line by line, until the end of the input. */
  inputLines(): AsyncIterable<string>;
  /**
   * Starts a daemon for the home (absolute) and settles when it answers; not before the OS process `after` has ended. It stands in the
   * cgroup of `after`, that is in the same unit or login, or with `here` in that of this OS process. Rejects with a sentence when it does not.
   */
  startDaemon(home: string, after?: number, where?: "there" | "here"): Promise<void>;
  /** Whether the daemon with this OS process id stands in another cgroup than this OS process. */
  isDaemonElsewhere(osPid: number): Promise<boolean>;
  /**
   * Runs the daemon of the home (absolute) in this OS process, and forwards what services write to stdout. Rejects with a sentence when
   * it cannot be.
   */
  startContained(home: string): Promise<ContainedDaemon>;
  /**
   * Remembers who of colos (daemon, heart, recorder) lives in the home (absolute) now. What it returns settles when none of them
   * lives any more, and rejects with a sentence when that takes too long.
   */
  watchEnd(home: string): Promise<() => Promise<void>>;
  /** How many instances run in the home (absolute), also when no daemon does. */
  runningCount(home: string): Promise<number>;
  /** The OS process id of the heart of the home (absolute); undefined when none beats. */
  findHeart(home: string): Promise<number | undefined>;
  /** Failure testing of the system in the home (absolute). */
  openChaos(home: string): Promise<Chaos>;
  /** Rejects with a sentence when a daemon of this version could not read what is in the home (absolute). */
  checkHome(home: string): Promise<void>;
  /** Shows, installs or takes away what starts colos when the machine boots, and gives what a person is told. Rejects with a sentence. */
  startup(action: StartupAction): Promise<string>;
  /** From now on these OS signals go to `listener` and no longer end colos. Returns a function that undoes it. */
  onStopSignal(listener: (signal: StopSignal) => void): () => void;
  /** At its end colos waits no longer than this for readers of stdout and stderr that take nothing; default: for ever. */
  limitLastWrites(timeoutMs: number): void;
  /** Calls `listener` when colos ends, also by an uncaught error; it may only write. Returns a function that undoes it. */
  onExit(listener: () => void): () => void;
}
