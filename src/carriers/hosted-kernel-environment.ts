/**
 * Environment of a hosted kernel: colos's own, changed as asked.
 *
 * @module
 */
import process from "node:process";

/** A copy of colos's environment with `changes`; null removes a variable. */
export function environmentWith(changes: Readonly<Record<string, string | null>> = {}): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete environment[name];
    else environment[name] = value;
  }
  return environment;
}
