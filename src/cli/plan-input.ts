/**
 * Plan input: a config file as what the manager is told to run.
 *
 * @module
 */
import type { PlanInput } from "../control/manager.ts";
import type { Call } from "./call.ts";
import { inheritedEnv } from "./inherited.ts";
import { refuse } from "./outcome.ts";

/** Reads a config. undefined: it is wrong, and that has been told (exit code 2). */
export async function readPlan(config: string | undefined, call: Call): Promise<PlanInput | undefined> {
  const { host } = call;
  // The parsers of configs are heavy; the verbs that have none are fast without them.
  const { loadConfigFile } = await import("./config-file.ts");
  const loaded = await loadConfigFile(config, host);
  if ("problems" in loaded) {
    if (call.isJson) call.json({ error: { code: "config", message: loaded.problems.join("\n") } });
    refuse(loaded.problems, host);
    return undefined;
  }
  return { plan: loaded.plan, env: inheritedEnv(host.env), source: loaded.file };
}
