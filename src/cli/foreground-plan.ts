/**
 * Foreground plan: what `colos up --foreground` runs of a plan, or why it cannot.
 *
 * Guarantees: what needs the daemon is refused before anything starts, with file, line and key. Env files are read once, here;
 * services without autostart are left out unless another one needs them.
 * What has no effect there is said with its place, and does not stop anything.
 * Limit: a restart sees the env files as they were at the start.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { ServicePlan, SystemPlan } from "../control/config.ts";
import { configProblem } from "../control/config-parser.ts";
import { parseEnvFile } from "../control/env-file.ts";
import { foregroundNotes, foregroundProblems, startedServices } from "../control/foreground-check.ts";
import type { LoadedConfig } from "./config-file.ts";

/** The plan for the foreground. `env` is colos's own environment, which env files may refer to. */
export function foregroundPlan(
  { plan, source }: LoadedConfig,
  env: Readonly<Record<string, string | undefined>>,
): { readonly plan: SystemPlan; readonly notes: readonly string[] } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const services = startedServices(plan).services.map((service) => withEnvFiles(service, env, problems));
  const unable = foregroundProblems({ services });
  problems.push(...unable.map(({ path, sentence }) => configProblem(source, path, sentence).message));
  if (services.length === 0)
    problems.push(`${source.source}: has no service that starts by itself; remove an autostart: false`);
  if (problems.length > 0) return { problems };
  const notes = foregroundNotes({ services });
  return {
    plan: { services },
    notes: notes.map(({ path, sentence }) => configProblem(source, path, sentence).message),
  };
}

function withEnvFiles(
  service: ServicePlan,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): ServicePlan {
  if (service.envFiles.length === 0) return service;
  let variables: Readonly<Record<string, string>> = {};
  for (const file of service.envFiles) {
    const read = readEnvFile(file, { ...env, ...variables });
    if ("problems" in read) problems.push(...read.problems.map(({ message }) => message));
    else variables = { ...variables, ...read.variables };
  }
  return { ...service, envFiles: [], env: { ...variables, ...service.env } };
}

function readEnvFile(file: string, env: Readonly<Record<string, string | undefined>>): ReturnType<typeof parseEnvFile> {
  try {
    return parseEnvFile(readFileSync(file, "utf8"), { source: file, env });
  } catch (error) {
    const sentence = `cannot be read: ${(error as Error).message}`;
    return { problems: [{ line: 1, sentence, message: `${file}: ${sentence}` }] };
  }
}
