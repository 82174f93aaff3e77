/**
 * Operation report: how an operation went, for a person or a program.
 *
 * Guarantees: what failed is on stderr: the sentence, what it wrote last, and what to do. The exit code is 0 only when
 * nothing failed.
 *
 * @module
 */
import type { InstanceProblem, OperationReport } from "../control/manager.ts";
import type { Call } from "./call.ts";
import { exitCodes } from "./exit-codes.ts";

/** Tells, apart from what progress.ts has shown. Gives the exit code. */
export function tellReport(report: OperationReport, call: Call): number {
  if (call.isJson) call.json(report);
  for (const problem of report.problems) tellProblem(problem, call);
  return report.problems.length === 0 ? exitCodes.ok : exitCodes.failed;
}

function tellProblem({ name, sentence, lastLines, advice }: InstanceProblem, call: Call): void {
  call.complain(`colos: ${sentence.startsWith(name) ? sentence : `${name}: ${sentence}`}`);
  for (const line of lastLines) call.complain(`  | ${line}`);
  if (advice !== undefined) call.complain(`  ${advice}`);
}
