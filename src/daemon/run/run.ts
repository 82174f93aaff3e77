/**
 * Run: one life of one instance as an OS process, from a spec to an exit, over the death of the daemon.
 *
 * Guarantees: a run id is run at most once. Whoever runs is found again by pid, start ticks and boot id, and its exit status is
 * on disk whether or not a daemon lived when it ended. No OS signal ever goes to somebody who has the pid later.
 * Not here: what to run and when (the manager's core), what it writes (log/).
 *
 * @module
 */
import type { LimitsPlan, LogsPlan } from "../../control/config.ts";

/** `<service>.<instance>.<number>`, unique for ever in a home. */
export type RunId = string;

/** What is to run. */
export interface RunSpec {
  readonly id: RunId;
  readonly service: string;
  /** 1-based. */
  readonly instance: number;
  /** An executable, by path or on the PATH of `env`, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** All of it, secrets included; never written down. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** At most one listening socket, shared by all runs that name it; the service has it as 3, with LISTEN_FDS. */
  readonly listen: readonly { readonly port: number; readonly host: string }[];
  readonly stdin: "pipe" | "null";
  /** It is started ahead: it waits until `promote`. */
  readonly isStandby?: true;
  /** How it says that it is ready, when the recorder has to listen for it. */
  readonly readiness?:
    | { readonly kind: "fd"; readonly fd: number }
    | { readonly kind: "notify" }
    | { readonly kind: "log"; readonly pattern: string };
  readonly user?: string | number;
  readonly group?: string | number;
  readonly nice?: number;
  readonly limits: LimitsPlan;
  readonly logs: LogsPlan;
}

/** Who an OS process is, so that a later one of the same pid is somebody else. */
export interface OsIdentity {
  readonly osPid: number;
  /** Clock ticks since boot (proc(5), stat field 22). */
  readonly startTicks: number;
  readonly bootId: string;
}

/** How a run ended. */
export interface RunEnd {
  /** null when a signal ended it, or nobody saw how. */
  readonly code: number | null;
  readonly signal: string | null;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Why nobody saw how: the machine was restarted, the shim was killed, it never began. */
  readonly lost?: string;
  /** What the OS did to it because of a limit. */
  readonly because?: string;
}

/** A run that an earlier daemon started. */
export type RecoveredRun = {
  readonly id: RunId;
  readonly service: string;
  readonly instance: number;
  readonly startedAt: number;
  /** It was started ahead, and was not told that its turn has come. */
  readonly isStandby?: true;
} & (
  | { readonly state: "running"; readonly identity: OsIdentity; readonly isReady: boolean }
  | {
      readonly state: "ended";
      readonly end: RunEnd;
      readonly identity?: OsIdentity;
      /** It never began, or the machine was restarted: nothing that the service did. */
      readonly isBlameless: boolean;
    }
);

/** A start that failed. Nothing runs. */
export class RunStartError extends Error {
  override readonly name = "RunStartError";
  /** The OS's code, such as `ENOENT`, `EMFILE`. */
  readonly code: string;
  /** colos itself is short of something (file descriptors, OS processes, memory, disk): not the service's failure. */
  readonly isOwnTrouble: boolean;

  constructor(message: string, code: string, isOwnTrouble: boolean, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.isOwnTrouble = isOwnTrouble;
  }
}

/** What the manager is told of its runs. Calls never throw. */
export interface RunListener {
  /** Everything of it is gone and everything it wrote is recorded, or the wait for that has ended. */
  ended(id: RunId, end: RunEnd): void;
  /** It said that it is ready (`readiness` of its spec). */
  ready(id: RunId): void;
  /** What it does now, in its own words: STATUS=… of sd_notify(3). */
  status(id: RunId, text: string): void;
}

/** The runs of one home. */
export interface Runs {
  /** What earlier daemons left. Called once, before anything is started; what runs is watched from then on. */
  recover(): Promise<readonly RecoveredRun[]>;
  /** Settles when the OS process runs. @throws RunStartError */
  start(spec: RunSpec): Promise<OsIdentity>;
  /**
   * Lets a standby begin: it is told, now or as soon as the OS permits, also by a later daemon. Again, or for a run that is none,
   * nothing more happens. What it wrote before is recorded from now on.
   */
  promote(id: RunId): void;
  /** Sends an OS signal to the run's process group; nothing happens when it has ended. */
  signal(id: RunId, name: string): void;
  /** SIGKILL to everything that belongs to the run, also to what left its group, where the OS shows it. `ended` follows. */
  kill(id: RunId): void;
  /** Writes to its stdin. @throws Error with a sentence when it has none, or does not read */
  write(id: RunId, text: string): Promise<void>;
  /** OS processes that belong to the run, in no order. */
  members(id: RunId): readonly number[];
  /** Whether anything of the run runs; cheaper than its members while its first OS process lives. */
  isRunning(id: RunId): boolean;
  /** Listening sockets that are held, also since an earlier daemon. */
  heldListens(): readonly { readonly port: number; readonly host: string }[];
  /** Closes a listening socket of `listen`, once no service is to accept on it. Instances that still do go on. */
  releaseListen(port: number, host: string): void;
  /** Removes what is on disk of an ended run, once its end stands in the journal. */
  forget(id: RunId): Promise<void>;
  /** Ends the watching; every run goes on. */
  close(): Promise<void>;
}
