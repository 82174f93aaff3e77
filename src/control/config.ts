/**
 * Config: what a person may write in `colos.config.(ts|js|json|yaml)`, and what the daemon makes of it.
 * `SystemConfig` is the written form, every field optional where a default is honest; `SystemPlan` is what it
 * means, where every default is filled in, every reference is checked and nothing is ambiguous. Durations may be written as
 * milliseconds or as text ("30 s", "7 days"), sizes as bytes or as text ("512 MiB", "1 GB"); a plan has numbers.
 *
 * Not here: the way from one to the other (`parseConfig`, config-parser.ts), so that a program that types its
 * config with `defineConfig` loads no validation.
 *
 * @module
 */
import type { Duration, Size } from "./quantity.ts";
import type { CarrierName } from "./service.ts";

export type { Duration, Size } from "./quantity.ts";

/** How one looks at a service from outside. Exactly one of the kinds. */
export type ProbeConfig =
  /** A TCP port on 127.0.0.1 (or `host`) accepts a connection. */
  | { readonly port: number; readonly host?: string; readonly timeoutMs?: Duration }
  /** A GET of this URL answers with a status from 200 to 399. */
  | { readonly http: string; readonly timeoutMs?: Duration }
  /** This command exits with 0. */
  | { readonly exec: readonly [string, ...string[]]; readonly timeoutMs?: Duration };

/** How a service says that it can be used. Exactly one of the kinds. `timeoutMs` is for the whole wait; default 30000. */
export type ReadyConfig =
  | ProbeConfig
  /** A line on stdout or stderr contains this text, or matches it when written as `/expression/flags`. */
  | { readonly log: string; readonly timeoutMs?: Duration }
  /** It writes a line to this file descriptor (s6's notification-fd), 3 to 9. */
  | { readonly fd: number; readonly timeoutMs?: Duration }
  /** It sends READY=1 to the socket in NOTIFY_SOCKET (sd_notify(3)). */
  | { readonly notify: true; readonly timeoutMs?: Duration }
  /** Its main process answers this call (programs on coroutine, thread and os-process). */
  | { readonly call: string; readonly timeoutMs?: Duration };

/** Looks at a ready service again and again; `timeoutMs` is for one look, default 5000. */
export type LiveConfig = ProbeConfig & {
  /** Milliseconds between two looks; default 10000. */
  readonly everyMs?: Duration;
  /** So many failures in a row make it unhealthy, and it is restarted; default 3. */
  readonly failuresMax?: number;
};

/** What must be true of a dependency before a dependent starts. */
export type DependencyCondition = "started" | "ready" | "healthy" | "exitedOk";

/** What happens to a dependent when its dependency ends by itself: nothing, it is stopped until the dependency fulfils
 * the condition again, or it is restarted then (OTP's `restForOne`). */
export type DependencyEndPolicy = "ignore" | "stop" | "restart";

export interface DependencyConfig {
  /** Default `ready`. */
  readonly condition?: DependencyCondition;
  /** Default `ignore`. */
  readonly onEnd?: DependencyEndPolicy;
}

/** When a job runs. Exactly one of `cron` and `everyMs`. */
export interface ScheduleConfig {
  /** Five fields (minute hour day month weekday) or `@hourly` and its like, in the time zone. */
  readonly cron?: string;
  readonly everyMs?: Duration;
  /** An IANA name; default: the time zone of the machine. */
  readonly timeZone?: string;
  /** When it still runs at the next time: leave that one out, wait for the end, or end it first. Default `skip`. */
  readonly overlap?: "skip" | "queue" | "replace";
  /** Times that passed while nothing could run: run once, or not at all. Default `skip`. */
  readonly missed?: "skip" | "once";
}

export interface WatchConfig {
  /** Files and folders (with all in them), relative to the config file. */
  readonly paths: readonly string[];
  /** Names and `*` patterns that are passed over; `node_modules`, `.git` and the home always are. */
  readonly ignore?: readonly string[];
  /** Quiet milliseconds after a change before the restart; default 200. */
  readonly delayMs?: Duration;
}

/** Limits for the whole tree of OS processes of one instance. */
export interface LimitsConfig {
  readonly memoryBytes?: Size;
  /** 100 is one core. */
  readonly cpuPercent?: number;
  /** File descriptors of one OS process. */
  readonly fdsMax?: number;
  /** OS processes and threads. */
  readonly pidsMax?: number;
}

export interface LogsConfig {
  /** A file is rotated at this size; default 10 MiB. */
  readonly sizeBytes?: Size;
  /** A file is rotated at this age in milliseconds; default 7 days. */
  readonly ageMs?: Duration;
  /** All files of one instance together; the oldest go first; default 100 MiB. */
  readonly budgetBytes?: Size;
  /** Where each line goes besides. */
  readonly forward?: "stdout" | "journald";
}

/** Where the value of a secret is read at each start. It never reaches the state. Exactly one of the kinds. */
export type SecretConfig =
  | { readonly file: string }
  | { readonly env: string }
  | { readonly exec: readonly [string, ...string[]] };

/** One service, as written. Exactly one of `program` and `command`. */
export interface ServiceConfig {
  /** A TypeScript or JavaScript file, relative to the config file. */
  readonly program?: string;
  /** An executable and its arguments; never a shell string. */
  readonly command?: readonly [string, ...string[]];
  /** Arguments for `program`. */
  readonly args?: readonly string[];
  /** Default: `os-process` for a program, `command` for a command. */
  readonly carrier?: CarrierName;
  /** One sentence for people. */
  readonly description?: string;
  /** One or several words under which verbs take it together with others: `@backend`. */
  readonly tags?: string | readonly string[];
  /** 1 to 1,000; default 1. */
  readonly instances?: number;
  /** Whether `colos up` starts it; default true. */
  readonly autostart?: boolean;
  /** A TCP port that colos itself opens and hands to each instance, so that several share it and none of the
   * connections is refused while one restarts (file descriptor 3, LISTEN_FDS). Programs on `os-process` and commands. */
  readonly listen?: number;
  /** The IP address that `listen` is opened on; default `0.0.0.0`, every IPv4 address of the machine. */
  readonly listenHost?: string;
  /** Added to the environment; null removes a variable. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** Files of KEY=VALUE lines, read anew at each start; later ones win, `env` wins over all. */
  readonly envFiles?: readonly string[];
  /** Variables whose values are looked up at each start. */
  readonly secrets?: Readonly<Record<string, SecretConfig>>;
  /** Working directory, relative to the config file; default: the config file's folder. */
  readonly cwd?: string;
  /** `pipe`: `colos send` and `colos attach` write to its stdin; `null`: stdin is at its end. Default `pipe`. */
  readonly stdin?: "pipe" | "null";
  /** Default `permanent` (OTP supervisor(3), `restart`). */
  readonly restart?: "permanent" | "transient" | "temporary";
  /** Exit codes that count as success; default [0]. */
  readonly successCodes?: readonly number[];
  /** Default `SIGTERM`. */
  readonly stopSignal?: string;
  /** `brutal` (SIGKILL at once), milliseconds between the stop signal and SIGKILL, or `infinity`; default 5000. */
  readonly shutdown?: "brutal" | "infinity" | Duration;
  /** Restarts allowed within `periodMs` before the service counts as exhausted; default 5. */
  readonly maxRestarts?: number;
  /** Length of the sliding restart window in milliseconds; default 30000. */
  readonly periodMs?: Duration;
  /** Delay before a restart: none for the first, then 100 ms, doubling up to 15 s, 20 % jitter, back to the start after 30 s of
   * health. In the foreground the first restart waits too. */
  readonly backoff?: {
    readonly initialMs?: Duration;
    readonly maxMs?: Duration;
    /** The delay grows by this factor with each restart; default 2. */
    readonly factor?: number;
    /** Part of the delay that is random, 0 to 1; default 0.2. */
    readonly jitter?: number;
    /** Milliseconds of readiness after which the delay is `initialMs` again; default 30000. */
    readonly resetAfterMs?: Duration;
  };
  /** When the window is used up: `degraded` goes on slowly, one try each `retryEveryMs`; `failed` gives up. Default `degraded`. */
  readonly exhausted?: {
    readonly policy?: "degraded" | "failed";
    /** Default 60000. */
    readonly retryEveryMs?: Duration;
    /** Runs once each time the window is used up, and when what is not restarted fails. It has the variables of `onCrash`. */
    readonly hook?: readonly [string, ...string[]];
  };
  /**
   * Runs each time that a run ends which nobody asked to end, with COLOS_SERVICE, COLOS_INSTANCE, COLOS_EVENT, COLOS_REASON, COLOS_EXIT_CODE
   * or COLOS_EXIT_SIGNAL, COLOS_RESTARTS, COLOS_COUNT and COLOS_STDERR; at most 10 times a minute.
   */
  readonly onCrash?: readonly [string, ...string[]];
  /** Default: ready when it has run for 300 ms. `timeoutMs` defaults to 30000. */
  readonly ready?: ReadyConfig;
  readonly live?: LiveConfig;
  /** Services that this one needs: names (condition `ready`), or names with more. They stop after it. */
  readonly dependsOn?: readonly string[] | Readonly<Record<string, DependencyConfig>>;
  /** Makes it a job: it runs at these times, and is at rest between them. `restart` defaults to `temporary` then. */
  readonly schedule?: ScheduleConfig;
  /** Restart when these change. */
  readonly watch?: WatchConfig;
  /**
   * Each instance has its next run started ahead: its OS process waits, and takes over at once when the instance ends by itself.
   * A program needs nothing for that; a command has to wait for a line on the file descriptor in COLOS_STANDBY. Default false.
   */
  readonly standby?: boolean;
  /** `colos reload`: milliseconds that the old instance may drain after the new one is ready; default 30000. */
  readonly drainMs?: Duration;
  /** OS user (name or number) that it runs as; needs root. */
  readonly user?: string | number;
  readonly group?: string | number;
  /** -20 to 19. */
  readonly nice?: number;
  readonly limits?: LimitsConfig;
  readonly logs?: LogsConfig;
}

/** A whole system, as written. */
export interface SystemConfig {
  readonly services: Readonly<Record<string, ServiceConfig>>;
}

/** A probe with everything decided. */
export type ProbePlan =
  | { readonly kind: "port"; readonly port: number; readonly host: string; readonly timeoutMs: number }
  | { readonly kind: "http"; readonly url: string; readonly timeoutMs: number }
  | { readonly kind: "exec"; readonly command: readonly [string, ...string[]]; readonly timeoutMs: number };

/** A readiness check with everything decided. */
export type ReadyPlan =
  | { readonly kind: "none" }
  | ProbePlan
  | { readonly kind: "log"; readonly pattern: string; readonly timeoutMs: number }
  | { readonly kind: "fd"; readonly fd: number; readonly timeoutMs: number }
  | { readonly kind: "notify"; readonly timeoutMs: number }
  | { readonly kind: "call"; readonly request: string; readonly timeoutMs: number };

/** A liveness check with everything decided. */
export interface LivePlan {
  readonly probe: ProbePlan;
  readonly everyMs: number;
  readonly failuresMax: number;
}

export interface DependencyPlan {
  readonly name: string;
  readonly condition: DependencyCondition;
  readonly onEnd: DependencyEndPolicy;
}

export interface SchedulePlan {
  readonly when:
    | { readonly kind: "cron"; readonly expression: string }
    | { readonly kind: "every"; readonly everyMs: number };
  /** Absent: the machine's. */
  readonly timeZone?: string;
  readonly overlap: "skip" | "queue" | "replace";
  readonly missed: "skip" | "once";
}

/** Limits with everything decided; absent: none. */
export interface LimitsPlan {
  readonly memoryBytes?: number;
  readonly cpuPercent?: number;
  readonly fdsMax?: number;
  readonly pidsMax?: number;
}

export interface LogsPlan {
  readonly sizeBytes: number;
  readonly ageMs: number;
  readonly budgetBytes: number;
  readonly forward?: "stdout" | "journald";
}

/** One service with everything decided. Paths are absolute. A plan is JSON: it crosses sockets and stands in the state. */
export interface ServicePlan {
  readonly name: string;
  readonly description?: string;
  /** Each once; absent: none. */
  readonly tags?: readonly string[];
  readonly run:
    | { readonly kind: "program"; readonly file: string; readonly args: readonly string[] }
    | { readonly kind: "command"; readonly command: readonly [string, ...string[]] };
  readonly carrier: CarrierName;
  readonly instances: number;
  readonly autostart: boolean;
  readonly listenPort?: number;
  readonly listenHost?: string;
  readonly env: Readonly<Record<string, string | null>>;
  readonly envFiles: readonly string[];
  readonly secrets: Readonly<Record<string, SecretConfig>>;
  readonly cwd: string;
  readonly stdin: "pipe" | "null";
  readonly restart: "permanent" | "transient" | "temporary";
  readonly successCodes: readonly number[];
  readonly stopSignal: string;
  readonly shutdown: "brutal" | "infinity" | number;
  readonly maxRestarts: number;
  readonly periodMs: number;
  readonly backoff: {
    readonly initialMs: number;
    readonly maxMs: number;
    readonly factor: number;
    readonly jitter: number;
    readonly resetAfterMs: number;
  };
  readonly exhausted: {
    readonly policy: "degraded" | "failed";
    readonly retryEveryMs: number;
    readonly hook?: readonly [string, ...string[]];
  };
  readonly onCrash?: readonly [string, ...string[]];
  readonly ready: ReadyPlan;
  readonly live?: LivePlan;
  readonly dependsOn: readonly DependencyPlan[];
  readonly schedule?: SchedulePlan;
  readonly watch?: { readonly paths: readonly string[]; readonly ignore: readonly string[]; readonly delayMs: number };
  /** Absent: nothing is started ahead. */
  readonly standby?: true;
  readonly drainMs: number;
  readonly user?: string | number;
  readonly group?: string | number;
  readonly nice?: number;
  readonly limits: LimitsPlan;
  readonly logs: LogsPlan;
}

/** What the daemon runs: services in an order in which every dependency comes before its dependents. */
export interface SystemPlan {
  readonly services: readonly ServicePlan[];
}

/** Types a `colos.config.ts`; returns its argument unchanged. */
export function defineConfig(config: SystemConfig): SystemConfig {
  return config;
}
