/**
 * Run plan: the system that `colos run` runs, which has one service.
 *
 * Guarantees: the plan has passed the same checks as a config. A target whose name ends like TypeScript or
 * JavaScript is a program, any other is a command; `--carrier` overrides that. Paths are the caller's: relative
 * to where `colos` was typed, also with `--cwd`.
 *
 * @module
 */
import { basename, resolve } from "node:path";
import type { ServiceConfig, SystemPlan } from "../control/config.ts";
import type { CarrierName } from "../control/service.ts";
import { serviceNameMax } from "../control/config-limit.ts";
import { parseConfig } from "../control/config-parser.ts";
import { isProgramFile } from "../control/service-rules.ts";
import { missingFiles } from "./config-file.ts";

/** `colos run`. */
export interface RunInvocation {
  /** A TypeScript or JavaScript file, or a command. */
  readonly target: string;
  readonly args: readonly string[];
  readonly restart: NonNullable<ServiceConfig["restart"]>;
  readonly carrier?: CarrierName;
  readonly name?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly shutdown?: NonNullable<ServiceConfig["shutdown"]>;
}

/** Builds the plan, or gives the sentences that say why it cannot be run. */
export function runPlan(
  invocation: RunInvocation,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly plan: SystemPlan } | { readonly problems: readonly string[] } {
  const name = invocation.name ?? nameFrom(invocation.target);
  const options = { source: "colos run", directory: cwd, resolve };
  const parsed = parseConfig({ services: { [name]: serviceOf(invocation, cwd) } }, options);
  const problems = "problems" in parsed ? parsed.problems : missingFiles(parsed.plan, options, env);
  if ("plan" in parsed && problems.length === 0) return parsed;
  return { problems: problems.map(({ sentence }) => `colos run: ${sentence}`) };
}

function serviceOf(invocation: RunInvocation, cwd: string): ServiceConfig {
  const { target, args, restart, carrier, env, shutdown } = invocation;
  const isProgram = carrier === undefined ? isProgramFile(target) : carrier !== "command";
  // The OS looks for a relative command in the working directory of the new process, a person in their own.
  const executable = invocation.cwd !== undefined && target.includes("/") ? resolve(cwd, target) : target;
  return {
    ...(isProgram ? { program: target, args } : { command: [executable, ...args] }),
    ...(carrier === undefined ? {} : { carrier }),
    ...(invocation.cwd === undefined ? {} : { cwd: invocation.cwd }),
    ...(shutdown === undefined ? {} : { shutdown }),
    restart,
    env,
  };
}

function nameFrom(target: string): string {
  const name = basename(target)
    .replace(/\.[^.]*$/, "")
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .slice(0, serviceNameMax);
  return name === "" || name === "-" ? "program" : name;
}
