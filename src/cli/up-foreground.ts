/**
 * Up in the foreground: `colos up --foreground`, a system without a daemon, with the live table or lines on it.
 *
 * @module
 */
import type { InstanceStatus } from "../control/service.ts";
import { wantsColour } from "./colour.ts";
import { loadConfigFile } from "./config-file.ts";
import { type ForegroundFace, runForeground } from "./foreground.ts";
import { foregroundPlan } from "./foreground-plan.ts";
import type { CliHost } from "./host.ts";
import { keepLastLines, type LastLines } from "./last-lines.ts";
import { startLive } from "./live.ts";
import { finish, refuse } from "./outcome.ts";
import { startPlain } from "./plain.ts";

export interface UpInvocation {
  /** Absent: look in the working directory. */
  readonly config?: string;
  /** Log lines even where a live table would be possible. */
  readonly plain: boolean;
}

/** Runs the system until it ends. Gives the exit code. */
export async function upForeground(invocation: UpInvocation, host: CliHost): Promise<number> {
  const loaded = await loadConfigFile(invocation.config, host);
  if ("problems" in loaded) return refuse(loaded.problems, host);
  const planned = foregroundPlan(loaded, host.env);
  if ("problems" in planned) return refuse(planned.problems, host);
  for (const note of planned.notes) host.stderr.write(`colos: ${note}\n`);
  const isLive = host.stdout.isTTY === true && !invocation.plain && host.env["TERM"] !== "dumb";
  const colour = wantsColour(host.env, host.stdout.isTTY === true);
  let lastLines: LastLines | undefined;
  const face: ForegroundFace = (system) => {
    lastLines = keepLastLines(system);
    if (!isLive) return startPlain(system, { output: host.stdout, colour });
    const { clock } = host;
    return startLive(system, {
      output: host.stdout,
      clock,
      title: loaded.name,
      colour,
      onExit: (end) => host.onExit(end),
    });
  };

  const outcome = await runForeground(planned.plan, host, { passthrough: false, face });
  if (lastLines !== undefined) reportFailed(outcome.system?.instances() ?? [], lastLines, host);
  return finish(outcome, host);
}

/** The live table had one line of each, and plain lines may be far away; a person who must act needs them here. */
function reportFailed(instances: readonly InstanceStatus[], lastLines: LastLines, host: CliHost): void {
  for (const { name, state } of instances) {
    const lines = state === "failed" ? lastLines.of(name) : [];
    if (lines.length === 0) continue;
    host.stderr.write(`colos: the last lines of ${name}:\n${lines.map((line) => `  | ${line}\n`).join("")}`);
  }
}
