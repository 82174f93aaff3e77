/**
 * Config parser: turns a written config (`SystemConfig`, from whatever file) into a `SystemPlan`, or says
 * everything that is wrong with it.
 *
 * Guarantees: a plan has every default filled in, absolute paths, known and acyclic dependencies, and its
 * services in an order in which each comes after what it depends on, otherwise as written. All problems are
 * reported, not only the first; each is one line that names the file, the line where known, the key, what is
 * wrong and what belongs there. Never throws for a wrong config.
 * Limit: `servicesMax`, and the limits of config-schema.ts.
 * Not here: one service (config-schema.ts, service-rules.ts, service-plan.ts), whether files and executables exist, duplicate keys (the loader of the file knows these).
 *
 * @module
 */
import { suggestionClause } from "../base/suggestion.ts";
import { serviceNameMax, servicesMax } from "./config-limit.ts";
import type { ServicePlan, SystemPlan } from "./config.ts";
import { checkServiceShape } from "./config-schema.ts";
import { dependencyOrder } from "./dependency-order.ts";
import { findDependencyProblem } from "./dependency-rules.ts";
import { servicePlan } from "./service-plan.ts";
import { checkService, type Report } from "./service-rules.ts";
import { type ConfigPath, isPlainObject, pathText, shown } from "./value-schema.ts";

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

function positionOf(source: ConfigSource, path: ConfigPath): ConfigPosition | undefined {
  for (let length = path.length; length >= 0; length--) {
    const position = source.locate?.(path.slice(0, length));
    if (position !== undefined) return position;
  }
  return undefined;
}

function servicesOf(value: unknown, report: Report): Map<string, unknown> {
  const none = new Map<string, unknown>();
  if (!isPlainObject(value)) {
    if (value === null) report([], "the config is empty; write services: { … }");
    else report([], `the config is ${shown(value)}, not an object such as { services: { … } }`);
    return none;
  }
  for (const key of Object.keys(value)) {
    if (key !== "services")
      report(
        [key],
        `is not known${otherFormatClause(key) ?? (suggestionClause(key, ["services"]) || "; known is services")}`,
      );
  }
  const services = value["services"];
  if (!Object.hasOwn(value, "services")) report([], "the config has no services; write services: { … }");
  else if (!isPlainObject(services)) report(["services"], `${shown(services)} is not an object of named services`);
  else return namedServices(services, report);
  return none;
}

/** A key by which the file of another program is known. */
function otherFormatClause(key: string): string | undefined {
  const whose = { apps: "a PM2 ecosystem file", processes: "a process-compose file" }[key];
  return whose === undefined ? undefined : `; this looks like ${whose}, which colos import <file> turns into a config`;
}

function namedServices(services: Record<string, unknown>, report: Report): Map<string, unknown> {
  const named = new Map(Object.entries(services));
  if (named.size === 0) report(["services"], "has no service; write at least one");
  if (named.size > servicesMax) report(["services"], `has ${named.size} services; ${servicesMax} are allowed`);
  for (const name of named.keys()) {
    if (name === "") report(["services"], "a service has an empty name");
    else if (name === "all")
      report(["services", name], "all means every service wherever a name is taken; give it another name");
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
  checkService(shape.service, reportHere);
  return isWrong ? undefined : servicePlan(name, shape.service, options);
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
  const byName = new Map(plans.map((plan) => [plan.name, plan]));
  for (const { name, dependsOn } of plans) {
    const path = ["services", name, "dependsOn"];
    for (const dependency of dependsOn) {
      const other = byName.get(dependency.name);
      if (dependency.name === name) report(path, "a service cannot depend on itself");
      else if (!known.has(dependency.name)) {
        const suggestion = suggestionClause(dependency.name, known.keys());
        report(path, `there is no service ${shown(dependency.name)}${suggestion}`);
      } else if (other !== undefined) {
        const problem = findDependencyProblem(dependency, other);
        if (problem !== undefined) report([...path, dependency.name], problem);
      }
    }
  }
}
