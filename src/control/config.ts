/**
 * Config: what a person may write in `colos.config.(ts|js|json|yaml)`, and what the daemon makes of it.
 * `SystemConfig` is the written form, every field optional where a default is honest; `SystemPlan` is what it
 * means, where every default is filled in, every reference is checked and nothing is ambiguous.
 *
 * Not here: the way from one to the other (`parseConfig`, config-parser.ts), so that a program that types its
 * config with `defineConfig` loads no validation.
 *
 * @module
 */
import type { CarrierName } from "./service.ts";

/** How a service says that it can be used. Exactly one of the kinds. */
export type ReadyConfig =
  /** A TCP port on 127.0.0.1 (or `host`) accepts a connection. */
  | { readonly port: number; readonly host?: string; readonly timeoutMs?: number }
  /** A GET of this URL answers with a status from 200 to 399. */
  | { readonly http: string; readonly timeoutMs?: number }
  /** A line on stdout or stderr contains this text, or matches it when written as `/expression/flags`. */
  | { readonly log: string; readonly timeoutMs?: number }
  /** This command exits with 0. */
  | { readonly exec: readonly [string, ...string[]]; readonly timeoutMs?: number };

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
  /** 1 to 1,000; default 1. */
  readonly instances?: number;
  /** A TCP port that colos itself opens and hands to each instance, so that several share it and none of the
   * connections is refused while one restarts (file descriptor 3, LISTEN_FDS). Programs on `os-process` and commands. */
  readonly listen?: number;
  /** The IP address that `listen` is opened on; default `0.0.0.0`, every IPv4 address of the machine. */
  readonly listenHost?: string;
  /** Added to colos's own environment; null removes a variable. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** Working directory, relative to the config file; default: the config file's folder. */
  readonly cwd?: string;
  /** Default `permanent` (OTP supervisor(3), `restart`). */
  readonly restart?: "permanent" | "transient" | "temporary";
  /** `brutal` (SIGKILL at once), milliseconds between the stop signal and SIGKILL, or `infinity`; default 5000. */
  readonly shutdown?: "brutal" | "infinity" | number;
  /** Restarts allowed within `periodMs` before the service counts as failed; default 5. */
  readonly maxRestarts?: number;
  /** Length of the sliding restart window in milliseconds; default 30000. */
  readonly periodMs?: number;
  /** Delay before a restart; default 100 ms, doubling up to 15 s, 20 % jitter, back to the start after 30 s of health. */
  readonly backoff?: {
    readonly initialMs?: number;
    readonly maxMs?: number;
    /** The delay grows by this factor with each restart; default 2. */
    readonly factor?: number;
    /** Part of the delay that is random, 0 to 1; default 0.2. */
    readonly jitter?: number;
    /** Milliseconds of readiness after which the delay is `initialMs` again; default 30000. */
    readonly resetAfterMs?: number;
  };
  /** Default: ready as soon as it runs. `timeoutMs` defaults to 30000. */
  readonly ready?: ReadyConfig;
  /** Services that must be ready before this one starts, and that stop after it. */
  readonly dependsOn?: readonly string[];
}

/** A whole system, as written. */
export interface SystemConfig {
  readonly services: Readonly<Record<string, ServiceConfig>>;
}

/** A readiness check with everything decided. */
export type ReadyPlan =
  | { readonly kind: "none" }
  | { readonly kind: "port"; readonly port: number; readonly host: string; readonly timeoutMs: number }
  | { readonly kind: "http"; readonly url: string; readonly timeoutMs: number }
  | { readonly kind: "log"; readonly pattern: string; readonly timeoutMs: number }
  | { readonly kind: "exec"; readonly command: readonly [string, ...string[]]; readonly timeoutMs: number };

/** One service with everything decided. Paths are absolute. */
export interface ServicePlan {
  readonly name: string;
  readonly run:
    | { readonly kind: "program"; readonly file: string; readonly args: readonly string[] }
    | { readonly kind: "command"; readonly command: readonly [string, ...string[]] };
  readonly carrier: CarrierName;
  readonly instances: number;
  readonly listenPort?: number;
  readonly listenHost?: string;
  readonly env: Readonly<Record<string, string | null>>;
  readonly cwd: string;
  readonly restart: "permanent" | "transient" | "temporary";
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
  readonly ready: ReadyPlan;
  readonly dependsOn: readonly string[];
}

/** What the daemon runs: services in an order in which every dependency comes before its dependents. */
export interface SystemPlan {
  readonly services: readonly ServicePlan[];
}

/** Types a `colos.config.ts`; returns its argument unchanged. */
export function defineConfig(config: SystemConfig): SystemConfig {
  return config;
}
