/**
 * Hook: a command of the user that is told when something has happened to a service.
 *
 * Guarantees: never rejects, never throws, never takes longer than `timeoutMs` and what killing takes, and nothing of it is left
 * afterwards. What goes wrong is one sentence, for the log; the service's state does not depend on it.
 * Limits: `hookTimeoutMs`. At most `hooksAtOnceMax` at a time: a system in which everything fails must not start everything's hooks.
 *
 * @module
 */
import { quote, runCommand, type Command } from "./bounded-command.ts";

/** How long a hook may take unless somebody says otherwise, in milliseconds. */
export const hookTimeoutMs = 30_000;
/** Hooks of this OS process that run at a time; one more is not run. */
export const hooksAtOnceMax = 16;

export interface HookOptions {
  /** Absolute; default `/`. */
  readonly cwd?: string;
  /** Milliseconds; default `hookTimeoutMs`. */
  readonly timeoutMs?: number;
}

let runningCount = 0;

/** What went wrong with the hook, as a sentence; undefined when it exited with 0. `env` is all of its environment. */
export async function runHook(
  command: Command,
  env: Readonly<Record<string, string>>,
  { cwd = "/", timeoutMs = hookTimeoutMs }: HookOptions = {},
): Promise<string | undefined> {
  const about = `the hook ${quote(command.join(" "))}`;
  if (runningCount >= hooksAtOnceMax) return `${about} was not run: ${hooksAtOnceMax} hooks run already`;
  runningCount += 1;
  try {
    const { isOk, how, lastWords } = await runCommand(command, { cwd, env, timeoutMs });
    return isOk ? undefined : `${about} failed: ${how}${lastWords === "" ? "" : `: ${lastWords}`}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return `${about} cannot be started in ${cwd}: ${code ?? message}`;
  } finally {
    runningCount -= 1;
  }
}
