/**
 * Command start: from a command line and its options to an OS process.
 *
 * Guarantees: no shell ever sees the arguments. The OS process leads a session and a process group of its own.
 * Limits: Node makes the standard streams of socket pairs, so a program that opens /dev/stdout by name fails (it can
 * write to it); `output: "ignore"` and `"inherit"` do not have that.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { CommandLine, HostOptions } from "../kernel/program.ts";
import { findExecutable } from "../os/executable.ts";

/** systemd's protocol wants the executable's own pid in its environment, which is known only between fork and exec. */
const listenWrapper = ["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$0" "$@"'] as const;

type Environment = Readonly<Record<string, string>>;

/**
 * Starts the executable. The caller owns the child. One without a `pid` did not start: its `error` event follows.
 * @throws what the OS refuses at once; see `explainStart`.
 */
export function startCommand(line: CommandLine, options: HostOptions): ChildProcess {
  const { listenFds = [], output = "ignore", stdin = "pipe", cwd } = options;
  const outlet = output === "inherit" || output === "ignore" ? output : "pipe";
  const env = environment(options.env, listenFds.length);
  const [file, args] = listenFds.length === 0 ? [line.file, line.args] : wrapped(line, env, cwd);
  return spawn(file, args, {
    detached: true,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdio: [stdin, outlet, outlet, ...listenFds],
  });
}

function environment(added: HostOptions["env"] = {}, listenFdsCount: number): Environment {
  const env: Record<string, string> = {};
  const listen = listenFdsCount === 0 ? {} : { LISTEN_FDS: String(listenFdsCount) };
  for (const [name, value] of Object.entries({ ...process.env, ...added, ...listen })) {
    if (value !== null && value !== undefined) env[name] = value;
  }
  return env;
}

/** The shell would only answer 127, so what it is to execute is looked up here. */
function wrapped(
  line: CommandLine,
  env: Environment,
  cwd: string | undefined,
): [file: string, args: readonly string[]] {
  const file = findExecutable(line.file, env["PATH"] ?? "", cwd);
  const [shell, ...shellArgs] = listenWrapper;
  return [shell, [...shellArgs, file, ...line.args]];
}
