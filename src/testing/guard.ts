/**
 * Guard: an OS process that does something to the machine and undoes it: when it is told to, when its time is over, and
 * when the OS process that started it is gone, however it went.
 *
 * Guarantees: there is one way of undoing and it always runs: the guard waits at the end of a pipe that only its starter
 * holds, and a kill -9 of the starter closes it as `undo` does. What a guard has done is never older than `limitMs`. It
 * stands in a session of its own, so Ctrl+C in a terminal does not end it before it has undone. Values reach its script as
 * arguments and never as text of the script.
 * Limits: a guard that is itself ended with SIGKILL undoes nothing; what lives only as long as it (a namespace) goes all
 * the same. Needs a POSIX shell, `cat` and `timeout` (coreutils).
 * Not here: what is done to the machine (injectors/).
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Milliseconds } from "../base/platform.ts";

/** The longest that anything may stay done, in milliseconds. */
export const guardLimitMsMax: Milliseconds = 3_600_000;
/** How long doing it may take, in milliseconds; then it is undone, and has failed. */
export const guardStartMsMax: Milliseconds = 10_000;
/** How long undoing may take, in milliseconds; then the guard is ended and `undo` fails. */
export const guardUndoMsMax: Milliseconds = 10_000;
/** Characters kept of what a guard says is wrong. */
const problemMaxChars = 2_000;
/** What a guard says when it has done it. */
const doneLine = "guard: done";

export interface GuardScript {
  /** Shell functions that the two below use. */
  readonly functions?: string;
  /** What is done: shell commands, joined by `&&`; the arguments are `$1` and so on. */
  readonly does: string;
  /** What undoes it, also what was done in part; must not mind that the victim is gone. */
  readonly undoes: string;
  readonly args?: readonly string[];
  /** Undone after so many milliseconds at the latest. */
  readonly limitMs: Milliseconds;
  /** A command that runs the guard, as `unshare --mount`; it must replace itself by what it runs. */
  readonly within?: readonly string[];
  /** Told each line that `does` leaves something behind to write. */
  readonly onLine?: (line: string) => void;
}

/** Nothing was done, or no more than was undone. */
export class GuardError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "GuardError";
  }
}

/** Ends only by the end of its input or of its time; 143 and 130 are only `wait`'s answers to a signal. */
const frame = ({ functions = "", does, undoes }: GuardScript): string => `
${functions}
does() { ${does}
}
undoes() { ${undoes}
}
trap : INT HUP TERM PIPE
limit=$1; shift
if does "$@"; then
  echo "${doneLine}"
  timeout "$limit" cat >/dev/null
  undoes "$@"
else
  undoes "$@" 2>/dev/null
  exit 99
fi`;

export class Guard {
  /** The guard's OS process; for a namespace it is the namespace's holder. */
  readonly pid: number;
  /** Settles when it has undone everything and ended, with what went wrong meanwhile. Never rejects. */
  readonly ended: Promise<string | undefined>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ended: Promise<string | undefined>) {
    this.#child = child;
    this.pid = child.pid as number;
    this.ended = ended;
  }

  /**
   * Starts a guard and waits until it has done its work.
   * @throws GuardError when it could not; RangeError for a limit that is none.
   */
  static async start(script: GuardScript): Promise<Guard> {
    const { limitMs, within = [], args = [], onLine } = script;
    if (!(limitMs > 0 && limitMs <= guardLimitMsMax)) {
      throw new RangeError(`limitMs must be above 0 and at most ${guardLimitMsMax}, not ${limitMs}`);
    }
    const argv = [...within, "sh", "-c", frame(script), "guard", String(limitMs / 1000), ...args];
    const child = spawn(argv[0] as string, argv.slice(1), { detached: true, stdio: ["pipe", "pipe", "pipe"] });
    const output = watchOutput(child, onLine);
    const ended = untilEnded(child, output);
    if (child.pid === undefined) throw new GuardError((await ended) ?? `${argv[0]} could not be started`);
    // A guard that waits keeps nobody waiting: the end of this OS process closes the pipe as well.
    child.unref();
    const guard = new Guard(child, ended);
    const late = timer(guardStartMsMax, `it was not done after ${guardStartMsMax} ms`);
    const failed = await Promise.race([
      output.done.then(() => undefined),
      ended.then((problem) => problem ?? "it ended by itself"),
      late.promise,
    ]);
    late.cancel();
    if (failed === undefined) return guard;
    await guard.undo().catch(() => {});
    throw new GuardError(failed);
  }

  /** Undoes what was done and waits for it. Idempotent. @throws GuardError when something was not undone. */
  async undo(): Promise<void> {
    this.#child.stdin?.destroy();
    this.#child.ref();
    const late = timer(guardUndoMsMax, `it was not undone within ${guardUndoMsMax} ms`);
    const problem = await Promise.race([this.ended, late.promise]);
    late.cancel();
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    if (problem !== undefined) throw new GuardError(problem);
  }
}

interface Output {
  /** The guard has said that it is done. */
  readonly done: Promise<void>;
  problem(): string;
}

function watchOutput(child: ChildProcess, onLine: ((line: string) => void) | undefined): Output {
  let problem = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    if (problem.length < problemMaxChars) problem += chunk.toString().slice(0, problemMaxChars - problem.length);
  });
  child.stdin?.on("error", () => {});
  const done = new Promise<void>((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (line) => (line === doneLine ? resolve() : onLine?.(line)));
  });
  return { done, problem: () => problem.trim().replaceAll(/\s*\n\s*/g, "; ") };
}

function untilEnded(child: ChildProcess, output: Output): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(output.problem() || `the guard ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}

function timer(durationMs: Milliseconds, value: string): { readonly promise: Promise<string>; cancel(): void } {
  let cancel = (): void => {};
  const promise = new Promise<string>((resolve) => {
    const handle = setTimeout(() => resolve(value), durationMs);
    cancel = () => clearTimeout(handle);
  });
  return { promise, cancel };
}
