/**
 * Confirm: asks a person before something is done that cannot be taken back.
 *
 * Guarantees: only `y` or `yes` is a yes; where nobody can be asked (no terminal, `--json`) it is a no, with what to do.
 *
 * @module
 */
import type { Call } from "./call.ts";

export interface Question {
  /** What is not done without a yes, as the beginning of a sentence: `logs are emptied`. */
  readonly what: string;
  /** One word or two, as `Strike`. */
  readonly question: string;
}

/** Whether somebody agrees. */
export async function isConfirmed({ what, question }: Question, call: Call): Promise<boolean> {
  if (call.isJson || !call.host.canAsk) {
    call.complain(`colos: ${what} only when somebody agrees; nobody can be asked here`);
    call.complain("  Look at it with --dry-run, then say --yes.");
    return false;
  }
  call.host.stderr.write(`${question}? Type yes: `);
  for await (const line of call.host.inputLines()) {
    if (/^\s*(?:y|yes)\s*$/i.test(line)) return true;
    break;
  }
  call.complain("colos: nothing was done");
  return false;
}
