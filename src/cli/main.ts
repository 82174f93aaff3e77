/**
 * Main: the `colos` command, from the words that were typed to the exit code.
 *
 * | exit code | means |
 * | --- | --- |
 * | 0 | it worked; a system was stopped in an orderly way |
 * | 1 | the system failed, or could not be started |
 * | 2 | wrong usage, or something is wrong with the config; nothing was started |
 * | 128 + n | a second OS signal n made colos kill the system (130: Ctrl+C twice) |
 * | any | `colos run`: the program's own code, or 128 + n when OS signal n ended it |
 *
 * Guarantees: what was asked for goes to stdout, colos's own problems go to stderr, one line each. With `run`,
 * stdout and stderr belong to the program.
 * Not here: the process; the composition root calls `runCli`, sets the exit code and lets output drain.
 *
 * @module
 */
import type { InstanceStatus, RunningSystem } from "../control/service.ts";
import { parseArguments, type RunInvocation, type UpInvocation } from "./arguments.ts";
import { wantsColour } from "./colour.ts";
import { type Face, type Outcome, runForeground } from "./foreground.ts";
import type { CliHost, StopSignal } from "./host.ts";
import { keepLastLines, type LastLines } from "./last-lines.ts";
import { startLive } from "./live.ts";
import { startPlain } from "./plain.ts";
import { plainText } from "./text.ts";

/** The exit codes that have a meaning of their own. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, signal: 128 } as const;

/** The numbers of the OS signals, the same on every POSIX system. */
const signalNumbers: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Does what `argv` (the words after `colos`) says. Settles with the exit code; never rejects for what a person did. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  // Without a listener a reader that goes away would end colos, and leave services behind.
  host.stdout.on("error", () => {});
  host.stderr.on("error", () => {});
  const invocation = parseArguments(argv);
  switch (invocation.verb) {
    case "run":
      return run(invocation, host);
    case "up":
      return up(invocation, host);
    case "version":
      host.stdout.write(`colos ${host.version}\n`);
      return exitCodes.ok;
    case "help":
      (invocation.isAsked ? host.stdout : host.stderr).write(invocation.text);
      return invocation.isAsked ? exitCodes.ok : exitCodes.usage;
    case "wrong":
      return refuse([invocation.problem], host);
  }
}

async function run(invocation: RunInvocation, host: CliHost): Promise<number> {
  const { runPlan } = await import("./run-plan.ts");
  const planned = runPlan(invocation, host.cwd, host.env);
  if ("problems" in planned) return refuse(planned.problems, host);
  const outcome = await runForeground(planned.plan, host, { passthrough: true, face: restartsFace(host) });
  return finish(outcome, host);
}

async function up(invocation: UpInvocation, host: CliHost): Promise<number> {
  // With the parsers, which other verbs need not wait for.
  const { loadConfigFile } = await import("./config-file.ts");
  const loaded = await loadConfigFile(invocation.config, host);
  if ("problems" in loaded) return refuse(loaded.problems, host);
  const isLive = host.stdout.isTTY === true && !invocation.plain && host.env["TERM"] !== "dumb";
  const colour = wantsColour(host.env, host.stdout.isTTY === true);
  let lastLines: LastLines | undefined;
  const face: Face = (system) => {
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

  const outcome = await runForeground(loaded.plan, host, { passthrough: false, face });
  if (lastLines !== undefined) reportFailed(outcome.system?.instances() ?? [], lastLines, host);
  return finish(outcome, host);
}

/** Says on stderr why the program is started again, and leaves stdout to it. */
function restartsFace(host: CliHost): Face {
  return (system: RunningSystem) =>
    system.subscribe((event) => {
      if (event.type !== "state" || event.status.state !== "backoff") return;
      const { name, reason } = event.status;
      host.stderr.write(`colos: ${name} is restarted${reason === undefined ? "" : `: ${plainText(reason)}`}\n`);
    });
}

function finish({ exitCode, killedBy, problem }: Outcome, host: CliHost): number {
  if (problem !== undefined) host.stderr.write(`colos: ${plainText(problem)}\n`);
  return killedBy === undefined ? exitCode : exitCodes.signal + signalNumbers[killedBy];
}

function refuse(problems: readonly string[], host: CliHost): number {
  for (const problem of problems) host.stderr.write(`${plainText(problem)}\n`);
  return exitCodes.usage;
}

/** The live table had one line of each, and plain lines may be far away; a person who must act needs them here. */
function reportFailed(instances: readonly InstanceStatus[], lastLines: LastLines, host: CliHost): void {
  for (const { name, state } of instances) {
    const lines = state === "failed" ? lastLines.of(name) : [];
    if (lines.length === 0) continue;
    host.stderr.write(`colos: the last lines of ${name}:\n${lines.map((line) => `  | ${line}\n`).join("")}`);
  }
}
