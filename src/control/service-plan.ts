/**
 * Service plan: what a checked service means, with every default filled in and every path absolute.
 *
 * Not here: whether it is right (config-schema.ts, service-rules.ts).
 *
 * @module
 */
import type {
  DependencyConfig,
  DependencyPlan,
  LimitsPlan,
  LivePlan,
  LogsPlan,
  ProbePlan,
  ReadyPlan,
  SchedulePlan,
  SecretConfig,
  ServicePlan,
} from "./config.ts";
import type { Written, WrittenLive, WrittenProbe, WrittenReady, WrittenService } from "./config-schema.ts";
import { carrierOf } from "./service-rules.ts";

/** What a service gets when it says nothing. Times in milliseconds. */
export const serviceDefaults = {
  instances: 1,
  restart: "permanent",
  jobRestart: "temporary",
  shutdownMs: 5000,
  maxRestarts: 5,
  periodMs: 30_000,
  backoff: { initialMs: 100, maxMs: 15_000, factor: 2, jitter: 0.2, resetAfterMs: 30_000 },
  probeHost: "127.0.0.1",
  readyTimeoutMs: 30_000,
  stopSignal: "SIGTERM",
  successCodes: [0],
  exhausted: { policy: "degraded", retryEveryMs: 60_000 },
  liveTimeoutMs: 5000,
  liveEveryMs: 10_000,
  liveFailuresMax: 3,
  watchDelayMs: 200,
  drainMs: 30_000,
  logs: { sizeBytes: 10_485_760, ageMs: 604_800_000, budgetBytes: 104_857_600 },
} as const;

/** Where relative paths begin. */
export interface PathOptions {
  /** Absolute; paths in the config are relative to it. */
  readonly directory: string;
  /** Makes `path` absolute; the host knows how paths are written there. */
  readonly resolve: (directory: string, path: string) => string;
}

/** The plan of a service that has passed its checks. */
export function servicePlan(name: string, service: WrittenService, { directory, resolve }: PathOptions): ServicePlan {
  const at = (path: string): string => resolve(directory, path);
  const { description, listen, listenHost, user, group, nice } = service;
  const fallbackRestart = service.schedule === undefined ? serviceDefaults.restart : serviceDefaults.jobRestart;
  return {
    name,
    ...present({ description, tags: tagsOf(service.tags) }),
    run: runOf(service, at),
    carrier: carrierOf(service),
    instances: service.instances ?? serviceDefaults.instances,
    autostart: service.autostart ?? true,
    ...present({ listenPort: listen, listenHost }),
    env: { ...service.env },
    envFiles: (service.envFiles ?? []).map((path) => at(path)),
    secrets: secretsOf(service.secrets ?? {}, at),
    cwd: at(service.cwd ?? "."),
    stdin: service.stdin ?? "pipe",
    restart: service.restart ?? fallbackRestart,
    successCodes: [...new Set(service.successCodes ?? serviceDefaults.successCodes)],
    stopSignal: service.stopSignal ?? serviceDefaults.stopSignal,
    shutdown: service.shutdown ?? serviceDefaults.shutdownMs,
    maxRestarts: service.maxRestarts ?? serviceDefaults.maxRestarts,
    periodMs: service.periodMs ?? serviceDefaults.periodMs,
    backoff: backoffOf(service.backoff ?? {}),
    exhausted: exhaustedOf(service.exhausted ?? {}),
    ...present({ onCrash: service.onCrash }),
    ready: readyOf(service.ready),
    ...present({ live: liveOf(service.live) }),
    dependsOn: dependenciesOf(service.dependsOn),
    ...present({ schedule: scheduleOf(service.schedule), watch: watchOf(service.watch, at) }),
    ...(service.standby === true ? { standby: true } : {}),
    drainMs: service.drainMs ?? serviceDefaults.drainMs,
    ...present({ user, group, nice }),
    limits: present<LimitsPlan>(service.limits ?? {}),
    logs: logsOf(service.logs ?? {}),
  };
}

type At = (path: string) => string;

/** Without the keys whose value is undefined; order kept. */
function present<T extends object>(fields: Written<T>): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function runOf({ program, command, args = [] }: WrittenService, at: At): ServicePlan["run"] {
  if (command !== undefined) return { kind: "command", command };
  return { kind: "program", file: at(program!), args };
}

function tagsOf(written: WrittenService["tags"] = []): readonly string[] | undefined {
  const tags = [...new Set(typeof written === "string" ? [written] : written)];
  return tags.length === 0 ? undefined : tags;
}

function secretsOf(secrets: Readonly<Record<string, SecretConfig>>, at: At): ServicePlan["secrets"] {
  const entries = Object.entries(secrets).map(([name, secret]): [string, SecretConfig] => {
    if ("file" in secret && secret.file !== undefined) return [name, { file: at(secret.file) }];
    return [name, present<SecretConfig>(secret) as SecretConfig];
  });
  return Object.fromEntries(entries);
}

function backoffOf(backoff: Written<ServicePlan["backoff"]>): ServicePlan["backoff"] {
  const defaults = serviceDefaults.backoff;
  const initialMs = backoff.initialMs ?? Math.min(defaults.initialMs, backoff.maxMs ?? Infinity);
  return {
    initialMs,
    maxMs: backoff.maxMs ?? Math.max(defaults.maxMs, initialMs),
    factor: backoff.factor ?? defaults.factor,
    jitter: backoff.jitter ?? defaults.jitter,
    resetAfterMs: backoff.resetAfterMs ?? defaults.resetAfterMs,
  };
}

function exhaustedOf({ policy, retryEveryMs, hook }: Written<ServicePlan["exhausted"]>): ServicePlan["exhausted"] {
  return {
    policy: policy ?? serviceDefaults.exhausted.policy,
    retryEveryMs: retryEveryMs ?? serviceDefaults.exhausted.retryEveryMs,
    ...present({ hook }),
  };
}

function readyOf(ready: WrittenReady | undefined): ReadyPlan {
  if (ready === undefined) return { kind: "none" };
  const timeoutMs = ready.timeoutMs ?? serviceDefaults.readyTimeoutMs;
  if (ready.log !== undefined) return { kind: "log", pattern: ready.log, timeoutMs };
  if (ready.fd !== undefined) return { kind: "fd", fd: ready.fd, timeoutMs };
  if (ready.notify !== undefined) return { kind: "notify", timeoutMs };
  if (ready.call !== undefined) return { kind: "call", request: ready.call, timeoutMs };
  return probeOf(ready, timeoutMs);
}

function liveOf(live: WrittenLive | undefined): LivePlan | undefined {
  if (live === undefined) return undefined;
  return {
    probe: probeOf(live, live.timeoutMs ?? serviceDefaults.liveTimeoutMs),
    everyMs: live.everyMs ?? serviceDefaults.liveEveryMs,
    failuresMax: live.failuresMax ?? serviceDefaults.liveFailuresMax,
  };
}

function probeOf({ port, host, http, exec }: WrittenProbe, timeoutMs: number): ProbePlan {
  if (port !== undefined) return { kind: "port", port, host: host ?? serviceDefaults.probeHost, timeoutMs };
  if (http !== undefined) return { kind: "http", url: http, timeoutMs };
  return { kind: "exec", command: exec!, timeoutMs };
}

/** Names alone mean the defaults. */
function dependenciesOf(written: WrittenService["dependsOn"] = []): readonly DependencyPlan[] {
  const isList = (value: typeof written): value is readonly string[] => Array.isArray(value);
  const named: readonly (readonly [string, Written<DependencyConfig>])[] = isList(written)
    ? [...new Set(written)].map((name) => [name, {}])
    : Object.entries(written);
  return named.map(([name, { condition = "ready", onEnd = "ignore" }]) => ({ name, condition, onEnd }));
}

function scheduleOf(schedule: WrittenService["schedule"]): SchedulePlan | undefined {
  if (schedule === undefined) return undefined;
  const { cron, everyMs, timeZone, overlap = "skip", missed = "skip" } = schedule;
  const when: SchedulePlan["when"] =
    cron === undefined ? { kind: "every", everyMs: everyMs! } : { kind: "cron", expression: cron.trim() };
  return { when, ...present({ timeZone }), overlap, missed };
}

function watchOf(watch: WrittenService["watch"], at: At): ServicePlan["watch"] {
  if (watch === undefined) return undefined;
  return {
    paths: watch.paths.map((path) => at(path)),
    ignore: watch.ignore ?? [],
    delayMs: watch.delayMs ?? serviceDefaults.watchDelayMs,
  };
}

/** A file is never larger than all files may be. */
function logsOf({ sizeBytes, ageMs, budgetBytes, forward }: Written<LogsPlan>): LogsPlan {
  const defaults = serviceDefaults.logs;
  return {
    sizeBytes: sizeBytes ?? Math.min(defaults.sizeBytes, budgetBytes ?? Infinity),
    ageMs: ageMs ?? defaults.ageMs,
    budgetBytes: budgetBytes ?? Math.max(defaults.budgetBytes, sizeBytes ?? 0),
    ...present({ forward }),
  };
}
