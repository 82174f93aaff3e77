/**
 * Manager: what a face can ask of a running daemon, and what it is answered. Types only; the endpoints that carry them,
 * with their schemas, effects and help, are in manager-interface.ts.
 *
 * Guarantees: every value is JSON. Times with `At` are epoch milliseconds. An operation that is answered is kept: it
 * outlives `kill -9` of the daemon and a power loss. With `wait`, the answer comes when each instance concerned is where it
 * was sent, or cannot get there.
 *
 * @module
 */
import type { ServicePlan, SystemPlan } from "./config.ts";
import type { InstanceStatus } from "./service.ts";

/** The daemon itself. */
export interface DaemonStatus {
  readonly version: string;
  /** The control API's version; faces and daemons of the same one understand each other. */
  readonly api: number;
  readonly osPid: number;
  readonly home: string;
  readonly startedAt: number;
  /** How often a daemon of this home was started, this one included. */
  readonly startsCount: number;
  readonly memoryBytes: number;
  readonly node: string;
  /** What holds here and what does not: `cgroup v2` or `rlimits and a sampler`, and why. One sentence each. */
  readonly abilities: readonly string[];
  /** What is wrong with colos itself at this moment: one sentence each. Empty or absent: nothing. */
  readonly alarms?: readonly string[];
}

export interface SystemStatus {
  readonly daemon: DaemonStatus;
  /** In the order of the config. */
  readonly instances: readonly InstanceStatus[];
}

/** How a run ended. `code` and `signal` are both null when nobody saw it: `reason` says why. */
export interface RunExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: number;
  readonly reason?: string;
}

/** One run of one instance, finished or not. */
export interface RunHistory {
  /** `web.2.17`: the 17th run of the second instance of web; never used twice in a home. */
  readonly id: string;
  readonly startedAt: number;
  readonly readyAt?: number;
  readonly osPid?: number;
  readonly exit?: RunExit;
}

export interface InstanceDetail extends InstanceStatus {
  /** Newest first; at most `historyMax` (20). */
  readonly runs: readonly RunHistory[];
  /** Restarts within the current window, and how many there may be. */
  readonly window: { readonly restarts: number; readonly maxRestarts: number; readonly periodMs: number };
  /** When the next attempt or the next time of the job is. */
  readonly nextStartAt?: number;
  readonly logDirectory: string;
  /** Its folder in the home. */
  readonly directory: string;
}

export interface ServiceDetail {
  readonly plan: ServicePlan;
  /** What a person asked for. */
  readonly target: "up" | "down";
  readonly instances: readonly InstanceDetail[];
  readonly dependents: readonly string[];
  /** What limits it and how: one sentence each. */
  readonly limits: readonly string[];
  /** What colos itself is short of at this moment, what concerns the service first: one sentence each. Empty or absent: nothing. */
  readonly alarms?: readonly string[];
}

/** Which part of a plan is different, as a path in the plan. Values are JSON text, cut at 200 characters. */
export interface FieldChange {
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
}

export interface PlanChange {
  readonly service: string;
  readonly kind: "add" | "change" | "remove" | "keep";
  /** What it does to running instances. `note` changes what happens next time only. */
  readonly effect: "start" | "restart" | "scale" | "stop" | "note" | "none";
  readonly fields: readonly FieldChange[];
}

/** Why something is as it is; causes of a line are indented below it. */
export interface Cause {
  readonly at?: number;
  readonly sentence: string;
  readonly causes: readonly Cause[];
}

/** One line of the tree: the system, a service, an instance, an OS process, a process. */
export interface TreeNode {
  readonly kind: "system" | "service" | "instance" | "os-process" | "process";
  readonly name: string;
  readonly text: string;
  readonly children: readonly TreeNode[];
}

/** What went wrong with one instance, for a person. */
export interface InstanceProblem {
  readonly name: string;
  readonly sentence: string;
  /** What it wrote last on stderr, at most 10 lines. */
  readonly lastLines: readonly string[];
  /** What to do. */
  readonly advice?: string;
}

/** What an operation did. It succeeded when `problems` is empty. */
export interface OperationReport {
  readonly instances: readonly InstanceStatus[];
  readonly problems: readonly InstanceProblem[];
}

export interface ApplyReport extends OperationReport {
  readonly changes: readonly PlanChange[];
}

export interface WaitOptions {
  /** Default true. */
  readonly wait?: boolean;
  /** Of the whole operation; default: as long as the services' own times allow. */
  readonly timeoutMs?: number;
}

export interface DownInput extends WaitOptions {
  /** Only a daemon that has nothing to do and was given nothing; any other refuses. Default false. */
  readonly ifUnused?: boolean;
}

export interface NamesInput extends WaitOptions {
  /** Names of services or instances (`web`, `web.2`), patterns (`web*`, `*.2`), tags (`@backend`), or `all`. */
  readonly names: readonly string[];
}

/** Whom a question is about. */
export interface AboutInput {
  /** As those of an operation; default: all. */
  readonly names?: readonly string[];
}

export interface ClearInput {
  /** As those of an operation, and names of services that are gone. Needed unless `gone` is. */
  readonly names?: readonly string[];
  /** Only what is no part of the system any more. */
  readonly gone?: boolean;
  /** Says what would be emptied, and empties nothing. */
  readonly preview?: boolean;
}

/** What was recorded of one instance. */
export interface ClearedLog {
  readonly name: string;
  readonly service: string;
  /** 1-based. */
  readonly instance: number;
  /** What its files took. */
  readonly bytes: number;
}

export interface ClearReport {
  readonly logs: readonly ClearedLog[];
  /** All together. */
  readonly bytes: number;
}

export interface PlanInput {
  readonly plan: SystemPlan;
  /** What services inherit: PATH, HOME, LANG and their like, of whoever applies. */
  readonly env: Readonly<Record<string, string>>;
  /** The config file, for people. */
  readonly source: string;
}

export interface CallInput {
  /** A service, of which the first instance is called, or an instance. */
  readonly name: string;
  /** Any JSON. */
  readonly request: unknown;
  /** Default 5000. */
  readonly timeoutMs?: number;
}

export interface CallReport {
  /** Any JSON. */
  readonly reply: unknown;
}

export type ManagerEvent =
  | { readonly type: "state"; readonly at: number; readonly status: InstanceStatus; readonly before: string }
  | { readonly type: "change"; readonly at: number; readonly change: PlanChange }
  | { readonly type: "note"; readonly at: number; readonly service?: string; readonly sentence: string };

/** The operations. Each rejects with a `ManagerError`. */
export interface Manager {
  list(input?: AboutInput): Promise<SystemStatus>;
  /** Who is not as it should be: services that are not ready and have not done their work, jobs whose last run has failed. */
  check(input?: AboutInput): Promise<OperationReport>;
  show(input: { readonly name: string }): Promise<ServiceDetail>;
  /** What `apply` would do. */
  preview(input: PlanInput): Promise<{ readonly changes: readonly PlanChange[] }>;
  /** Makes the system what the plan says, and removes what it does not say. The same plan twice does nothing. */
  apply(input: PlanInput & WaitOptions): Promise<ApplyReport>;
  start(input: NamesInput): Promise<OperationReport>;
  stop(input: NamesInput): Promise<OperationReport>;
  restart(input: NamesInput): Promise<OperationReport>;
  /** New instances are ready before old ones drain; when a new one does not become ready, the old one stays. */
  reload(input: NamesInput): Promise<OperationReport>;
  scale(input: { readonly name: string; readonly instances: number } & WaitOptions): Promise<OperationReport>;
  /** Stops and forgets. Logs stay. */
  remove(input: NamesInput): Promise<OperationReport>;
  /** Empties what was recorded of them; what is written from now on is recorded. */
  clearLogs(input: ClearInput): Promise<ClearReport>;
  /** Sends an OS signal to the whole group. */
  kill(input: { readonly names: readonly string[]; readonly signal: string }): Promise<OperationReport>;
  /** Writes a line to stdin. */
  send(input: { readonly name: string; readonly text: string }): Promise<void>;
  /** Calls the main process of a program of processes (OTP gen_server:call/3). */
  call(input: CallInput): Promise<CallReport>;
  why(input: { readonly name: string }): Promise<Cause>;
  tree(): Promise<TreeNode>;
  /** What happens from now on, to these or to all, until the caller returns. */
  events(input?: AboutInput): AsyncIterable<ManagerEvent>;
  /** Stops everything in reverse order, then the daemon ends. */
  down(input: DownInput): Promise<OperationReport>;
  /** The daemon ends and touches no service, so that a new one can take over. */
  handOver(): Promise<void>;
}

export type ManagerErrorCode =
  /** No such service or instance. */
  | "unknown"
  /** The input makes no sense. */
  | "invalid"
  /** It cannot be done now, and why is in the sentence. */
  | "refused"
  /** The operation's own `timeoutMs` is over; it goes on. */
  | "timeout"
  /** A limit of the daemon was reached (its queues, its resources); trying again later may help. */
  | "busy"
  /** The daemon ends, and nothing was done; the next one does it. */
  | "ending"
  /** The daemon's own fault. */
  | "internal";

/** Why an operation was not done. The message is a sentence for a person. */
export class ManagerError extends Error {
  override readonly name = "ManagerError";
  readonly code: ManagerErrorCode;
  /** What to do. */
  readonly advice: string | undefined;

  constructor(code: ManagerErrorCode, message: string, advice?: string) {
    super(message);
    this.code = code;
    this.advice = advice;
  }
}
