/**
 * Config parser: turns a written config (`SystemConfig`, from whatever file) into a `SystemPlan`, or says
 * everything that is wrong with it.
 *
 * Guarantees: a plan has every default filled in, absolute paths, known and acyclic dependencies, and its
 * services in an order in which each comes after what it depends on, otherwise as written. All problems are
 * reported, not only the first; each is one line that names the file, the line where known, the key, what is
 * wrong and what belongs there. Never throws for a wrong config.
 * Limit: `servicesMax`, and the limits of config-schema.ts.
 * Not here: whether files and executables exist, duplicate keys (the loader of the file knows these).
 *
 * @module
 */
import type { DependencyConfig, DependencyPlan, ReadyPlan, ServicePlan, SystemPlan } from "./config.ts";
import type { ConfigPath, WrittenService } from "./config-schema.ts";
import type { CarrierName } from "./service.ts";
import { checkServiceShape, isPlainObject, shown } from "./config-schema.ts";
import { dependencyOrder } from "./dependency-order.ts";
import { suggestionClause } from "../base/suggestion.ts";

/** Services in one config. */
export const servicesMax = 1000;
/** Characters of a service's name. */
export const serviceNameMax = 64;

/** What a service gets when it says nothing. Times in milliseconds. */
export const serviceDefaults = {
  instances: 1,
  restart: "permanent",
  shutdownMs: 5000,
  maxRestarts: 5,
  periodMs: 30_000,
  backoff: { initialMs: 100, maxMs: 15_000, factor: 2, jitter: 0.2, resetAfterMs: 30_000 },
  readyHost: "127.0.0.1",
  readyTimeoutMs: 30_000,
  stopSignal: "SIGTERM",
  successCodes: [0],
  exhausted: { policy: "degraded", retryEveryMs: 60_000 },
  liveTimeoutMs: 5_000,
  liveEveryMs: 10_000,
  liveFailuresMax: 3,
  watchDelayMs: 200,
  drainMs: 30_000,
  logs: { sizeBytes: 10_485_760, ageMs: 604_800_000, budgetBytes: 104_857_600 },
} as const;

/** Counted from 1. */
export interface ConfigPosition {
  readonly line: number;
  readonly column: number;
}

/** Where the config came from. */
export interface ConfigSource {
  /** The file as messages name it. */
  readonly source: string;
  /** Where in the file this key is written, when that is known. */
  readonly locate?: (path: ConfigPath) => ConfigPosition | undefined;
}

export interface ParseConfigOptions extends ConfigSource {
  /** Absolute; paths in the config are relative to it. */
  readonly directory: string;
  /** Makes `path` absolute; the host knows how paths are written there. */
  readonly resolve: (directory: string, path: string) => string;
}

/** One thing wrong in a config. */
export interface ConfigProblem {
  readonly path: ConfigPath;
  readonly position?: ConfigPosition;
  /** What is wrong, without saying where. */
  readonly sentence: string;
  /** The whole line for a person: `file:line: services.web.restart: sentence`. */
  readonly message: string;
}

export type ParseConfigResult = { readonly plan: SystemPlan } | { readonly problems: readonly ConfigProblem[] };

/** Checks a config and fills in its defaults. */
export function parseConfig(value: unknown, options: ParseConfigOptions): ParseConfigResult {
  const problems: ConfigProblem[] = [];
  const report: Report = (path, sentence) => problems.push(configProblem(options, path, sentence));

  const written = servicesOf(value, report);
  const plans = [...written].flatMap(([name, service]) => planOf(name, service, options, report) ?? []);
  checkListenPorts(plans, report);
  checkDependencies(plans, written, report);
  const { order, cycles } = dependencyOrder(plans);
  for (const cycle of cycles) {
    report(["services", cycle[0]!, "dependsOn"], `the services wait for each other: ${cycle.join(" -> ")}`);
  }

  if (problems.length === 0) return { plan: { services: order } };
  return { problems: problems.toSorted((a, b) => (a.position?.line ?? 0) - (b.position?.line ?? 0)) };
}

/** Makes the line for a person. Takes the nearest outer key that has a position when the key itself has none. */
export function configProblem(source: ConfigSource, path: ConfigPath, sentence: string): ConfigProblem {
  const position = positionOf(source, path);
  const file = position === undefined ? source.source : `${source.source}:${position.line}`;
  const key = path.length === 0 ? "" : ` ${pathText(path)}:`;
  const message = `${file}:${key} ${sentence}`;
  return { path, ...(position === undefined ? {} : { position }), sentence, message };
}

/**
 * The expression in a `ready.log` written as `/expression/flags`; undefined when it is plain text. Throws the
 * engine's SyntaxError for a wrong expression; `parseConfig` has refused those.
 */
export function findLogExpression(pattern: string): RegExp | undefined {
  const match = /^\/(.+)\/([dimsuv]*)$/s.exec(pattern);
  return match === null ? undefined : new RegExp(match[1]!, match[2]);
}

/** Whether a file's name says that it is TypeScript or JavaScript, which is what a program is written in. */
export function isProgramFile(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path);
}

type Report = (path: ConfigPath, sentence: string) => void;

function positionOf(source: ConfigSource, path: ConfigPath): ConfigPosition | undefined {
  for (let length = path.length; length >= 0; length--) {
    const position = source.locate?.(path.slice(0, length));
    if (position !== undefined) return position;
  }
  return undefined;
}

function pathText(path: ConfigPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${shown(part)}]`;
  }
  return text;
}

function servicesOf(value: unknown, report: Report): Map<string, unknown> {
  const none = new Map<string, unknown>();
  if (!isPlainObject(value)) {
    report([], `the config is ${shown(value)}, not an object such as { services: { … } }`);
    return none;
  }
  for (const key of Object.keys(value)) {
    if (key !== "services")
      report([key], `is not known${suggestionClause(key, ["services"]) || "; known is services"}`);
  }
  const services = value["services"];
  if (!Object.hasOwn(value, "services")) report([], "the config has no services; write services: { … }");
  else if (!isPlainObject(services)) report(["services"], `${shown(services)} is not an object of named services`);
  else return namedServices(services, report);
  return none;
}

function namedServices(services: Record<string, unknown>, report: Report): Map<string, unknown> {
  const named = new Map(Object.entries(services));
  if (named.size === 0) report(["services"], "has no service; write at least one");
  if (named.size > servicesMax) report(["services"], `has ${named.size} services; ${servicesMax} are allowed`);
  for (const name of named.keys()) {
    if (name === "") report(["services"], "a service has an empty name");
    else if (!/^[A-Za-z0-9_-]+$/.test(name)) {
      report(["services", name], `${shown(name)} is not a name; names consist of A-Z, a-z, 0-9, _ and -`);
    } else if (name.length > serviceNameMax) {
      report(["services", name], `the name has ${name.length} characters; ${serviceNameMax} are allowed`);
    }
  }
  return named;
}

/** The plan of one service; undefined when it has problems, which are reported. */
function planOf(name: string, value: unknown, options: ParseConfigOptions, report: Report): ServicePlan | undefined {
  let isWrong = false;
  const reportHere: Report = (path, sentence) => {
    isWrong = true;
    report(["services", name, ...path], sentence);
  };
  const shape = checkServiceShape(value);
  if ("problems" in shape) {
    for (const { path, sentence } of shape.problems) reportHere(path, sentence);
    return undefined;
  }
  const { service } = shape;
  const run = runOf(service, options, reportHere);
  const ready = readyOf(service.ready, reportHere);
  const backoff = backoffOf(service.backoff, reportHere);
  if (isWrong || run === undefined || ready === undefined) return undefined;
  return {
    name,
    run,
    carrier: carrierOf(service),
    instances: service.instances ?? serviceDefaults.instances,
    autostart: true,
    ...(service.listen === undefined ? {} : { listenPort: service.listen }),
    ...(service.listenHost === undefined ? {} : { listenHost: service.listenHost }),
    env: { ...service.env },
    envFiles: [],
    secrets: {},
    stdin: "pipe",
    successCodes: serviceDefaults.successCodes,
    stopSignal: serviceDefaults.stopSignal,
    exhausted: serviceDefaults.exhausted,
    drainMs: serviceDefaults.drainMs,
    limits: {},
    logs: serviceDefaults.logs,
    cwd: options.resolve(options.directory, service.cwd ?? "."),
    restart: service.restart ?? serviceDefaults.restart,
    shutdown: service.shutdown ?? serviceDefaults.shutdownMs,
    maxRestarts: service.maxRestarts ?? serviceDefaults.maxRestarts,
    periodMs: service.periodMs ?? serviceDefaults.periodMs,
    backoff,
    ready,
    dependsOn: dependenciesOf(service.dependsOn),
  };
}

/** Names alone mean the defaults. */
function dependenciesOf(written: WrittenService["dependsOn"]): readonly DependencyPlan[] {
  const named = Array.isArray(written)
    ? new Map(written.map((name: string) => [name, {}]))
    : new Map(Object.entries((written ?? {}) as Readonly<Record<string, DependencyConfig>>));
  return [...named].map(([name, { condition = "ready", onEnd = "ignore" }]: [string, DependencyConfig]) => ({
    name,
    condition,
    onEnd,
  }));
}

function carrierOf(service: WrittenService): CarrierName {
  return service.carrier ?? (service.command === undefined ? "os-process" : "command");
}

function runOf(service: WrittenService, options: ParseConfigOptions, report: Report): ServicePlan["run"] | undefined {
  const { program, command, args = [] } = service;
  const carrier = carrierOf(service);
  if (program === undefined && command === undefined) report([], "has neither program nor command; write one of them");
  if (program !== undefined && command !== undefined) report([], "has both program and command; write one of them");
  if ((program === undefined) === (command === undefined)) return undefined;

  if (service.listenHost !== undefined && service.listen === undefined) {
    report(["listenHost"], "an address to listen on needs a port; add listen");
  }
  if (service.listen !== undefined && (carrier === "thread" || carrier === "coroutine")) {
    report(["listen"], `a ${carrier} cannot take over a port; carriers that can are os-process and command`);
  }
  if (command !== undefined) {
    if (carrier !== "command") report(["carrier"], `a command cannot run as ${carrier}; its only carrier is command`);
    if (service.args !== undefined) report(["args"], "belongs to program; put the arguments into command");
    return { kind: "command", command };
  }
  if (carrier === "command") {
    report(["carrier"], "a program cannot run as command; its carriers are coroutine, thread and os-process");
  }
  if (!isProgramFile(program!)) {
    report(["program"], `${shown(program)} is not a TypeScript or JavaScript file; for an executable write command`);
  }
  return { kind: "program", file: options.resolve(options.directory, program!), args };
}

function backoffOf(backoff: WrittenService["backoff"], report: Report): ServicePlan["backoff"] {
  const defaults = serviceDefaults.backoff;
  const initialMs = backoff?.initialMs ?? Math.min(defaults.initialMs, backoff?.maxMs ?? Infinity);
  const maxMs = backoff?.maxMs ?? Math.max(defaults.maxMs, initialMs);
  if (maxMs < initialMs) report(["backoff", "maxMs"], `${maxMs} is less than initialMs, which is ${initialMs}`);
  return {
    initialMs,
    maxMs,
    factor: backoff?.factor ?? defaults.factor,
    jitter: backoff?.jitter ?? defaults.jitter,
    resetAfterMs: backoff?.resetAfterMs ?? defaults.resetAfterMs,
  };
}

const readyKinds = ["port", "http", "log", "exec"] as const;

function readyOf(ready: WrittenService["ready"], report: Report): ReadyPlan | undefined {
  if (ready === undefined) return { kind: "none" };
  const kinds = readyKinds.filter((kind) => ready[kind] !== undefined);
  if (kinds.length !== 1) {
    report(["ready"], `has ${kinds.join(" and ") || "no check"}; write one of port, http, log and exec`);
    return undefined;
  }
  if (ready.host !== undefined && ready.port === undefined) report(["ready", "host"], "belongs to port only");
  const timeoutMs = ready.timeoutMs ?? serviceDefaults.readyTimeoutMs;
  if (ready.port !== undefined) {
    return { kind: "port", port: ready.port, host: ready.host ?? serviceDefaults.readyHost, timeoutMs };
  }
  if (ready.http !== undefined) return { kind: "http", url: ready.http, timeoutMs };
  if (ready.exec !== undefined) return { kind: "exec", command: ready.exec, timeoutMs };
  return { kind: "log", pattern: checkedLogPattern(ready.log!, report), timeoutMs };
}

function checkedLogPattern(pattern: string, report: Report): string {
  try {
    findLogExpression(pattern);
  } catch (error) {
    report(["ready", "log"], `${shown(pattern)} is not an expression: ${(error as Error).message}`);
  }
  return pattern;
}

function checkListenPorts(plans: readonly ServicePlan[], report: Report): void {
  const owners = new Map<number, string>();
  for (const { name, listenPort } of plans) {
    if (listenPort === undefined) continue;
    const owner = owners.get(listenPort);
    if (owner === undefined) owners.set(listenPort, name);
    else report(["services", name, "listen"], `port ${listenPort} already belongs to the service ${owner}`);
  }
}

function checkDependencies(plans: readonly ServicePlan[], known: ReadonlyMap<string, unknown>, report: Report): void {
  for (const { name, dependsOn } of plans) {
    for (const { name: dependency } of dependsOn) {
      const path = ["services", name, "dependsOn"];
      if (dependency === name) report(path, "a service cannot depend on itself");
      else if (!known.has(dependency)) {
        const suggestion = suggestionClause(dependency, known.keys());
        report(path, `there is no service ${shown(dependency)}${suggestion}`);
      }
    }
  }
}
