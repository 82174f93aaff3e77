/**
 * Service: what the manager says about the services it runs. Definitions only: the daemon produces these
 * values, every face (command line, later HTTP, MCP, dashboard) shows them.
 *
 * Guarantees: a state is never better than the truth. `started` is not `ready`: an instance is `ready` only
 * after its own readiness check passed, or at once when it declared none.
 *
 * @module
 */

/**
 * - `waiting`: a dependency is not ready yet
 * - `starting`: the OS process or thread runs, its readiness check has not passed
 * - `ready`: the readiness check passed (or none was declared and it runs)
 * - `stopping`: told to stop, not gone yet
 * - `stopped`: ended and not to be restarted (its restart policy says so)
 * - `backoff`: ended, will be restarted after a delay
 * - `degraded`: ended, its restart window is used up, will be tried again slowly
 * - `scheduled`: a job that is at rest until its next time
 * - `failed`: given up; a person must act
 */
export type InstanceState =
  | "waiting"
  | "starting"
  | "ready"
  | "stopping"
  | "stopped"
  | "backoff"
  | "degraded"
  | "scheduled"
  | "failed";

/** What executes a service's process. */
export type CarrierName = "coroutine" | "thread" | "os-process" | "command";

/** A snapshot of one instance of one service. */
export interface InstanceStatus {
  /** Unique: the service's name, or `name.2` for the second of several instances. */
  readonly name: string;
  readonly service: string;
  /** 1-based. */
  readonly instance: number;
  readonly carrier: CarrierName;
  /** Of its service; absent when it has none. */
  readonly tags?: readonly string[];
  readonly state: InstanceState;
  /** Why it is in this state, one sentence without a full stop; absent when there is nothing to say. */
  readonly reason?: string;
  /** The OS process id; absent when nothing runs, and for threads and coroutines. */
  readonly osPid?: number;
  /** Of its standby, when one waits: the OS process that is to take over. */
  readonly standbyOsPid?: number;
  /** Milliseconds since the current run started; absent when nothing runs. */
  readonly uptimeMs?: number;
  /** Restarts since the system was started. */
  readonly restartsCount: number;
  /** Resident memory of the OS process and its group, or the thread's heap, in bytes. */
  readonly memoryBytes?: number;
  /** CPU use since the previous sample; 100 is one core. */
  readonly cpuPercent?: number;
  /** What it wrote last; when it failed, the line of stderr that says most about it. */
  readonly lastLogLine?: string;
}

/** One line that an instance wrote. */
export interface LogLine {
  readonly name: string;
  readonly stream: "stdout" | "stderr";
  /** Without the line end. */
  readonly text: string;
}

/** What a face is told while a system runs in the foreground. */
export type SystemEvent =
  | { readonly type: "log"; readonly line: LogLine }
  | { readonly type: "state"; readonly status: InstanceStatus; readonly before: InstanceState }
  /** Every service became ready for the first time. */
  | { readonly type: "up"; readonly elapsedMs: number }
  /** An orderly stop has begun. */
  | { readonly type: "stopping" }
  /** Everything has ended. `problem` is the sentence for a person when this is not an orderly end. */
  | { readonly type: "ended"; readonly exitCode: number; readonly problem?: string };

/** A running system, as a face sees it. */
export interface RunningSystem {
  /** All instances, in the order of the config. */
  instances(): readonly InstanceStatus[];
  subscribe(listener: (event: SystemEvent) => void): () => void;
  /** Begins an orderly stop: reverse order, each instance with its own shutdown time. Idempotent. */
  stop(): void;
  /** Ends everything at once, with SIGKILL where there is an OS process. Idempotent. */
  kill(): void;
  /** Settles with the process exit code when nothing runs any more. Never rejects. */
  readonly ended: Promise<number>;
}

/** What people call an instance: the first one, or the only one, as its service. `number` is 1-based. */
export function instanceName(service: string, number: number): string {
  return number === 1 ? service : `${service}.${number}`;
}
