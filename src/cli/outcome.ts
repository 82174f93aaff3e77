/**
 * Outcome: how a run in the foreground, or the refusal to begin one, is told to a person.
 *
 * @module
 */
import { exitCodes, signalExitCode } from "./exit-codes.ts";
import type { Outcome } from "./foreground.ts";
import type { CliHost } from "./host.ts";
import { plainText } from "./text.ts";

/** Says what went wrong in the foreground, if anything. Gives the exit code. */
export function finish({ exitCode, killedBy, problem }: Outcome, host: CliHost): number {
  if (problem !== undefined) host.stderr.write(`colos: ${plainText(problem)}\n`);
  return killedBy === undefined ? exitCode : signalExitCode(killedBy);
}

/** Says why nothing was done. Gives the exit code. */
export function refuse(problems: readonly string[], host: CliHost): number {
  for (const problem of problems) host.stderr.write(`${plainText(problem)}\n`);
  return exitCodes.usage;
}
