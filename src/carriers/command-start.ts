/**
 * Command start: from a command line and its options to an OS process, and from what the OS refuses to a sentence.
 *
 * Guarantees: no shell ever sees the arguments. The OS process leads a session and a process group of its own.
 * Limits: Node makes the standard streams of socket pairs, so a program that opens /dev/stdout by name fails (it can
 * write to it); `output: "ignore"` and `"inherit"` do not have that.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { CommandLine, HostOptions } from "../kernel/program.ts";

/** A start that the OS refused. `code` is the OS's, such as `ENOENT`. */
export interface CommandStartError extends Error {
  readonly code: string;
}

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
  const [file, args] = listenFds.length === 0 ? [line.file, line.args] : wrapped(line, env);
  return spawn(file, args, {
    detached: true,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdio: [stdin, outlet, outlet, ...listenFds],
  });
}

/** The sentence for a person, with the OS's code; `error` is its cause. */
export function explainStart(error: unknown, line: CommandLine, options: HostOptions): CommandStartError {
  const code = String((error as { code?: unknown } | null)?.code ?? "EUNKNOWN");
  const sentence = folderProblem(options.cwd) ?? sentenceFor(code, error, line);
  return Object.assign(new Error(sentence, { cause: error }), { code });
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
function wrapped(line: CommandLine, env: Environment): [file: string, args: readonly string[]] {
  const file = line.file.includes("/") ? line.file : findOnPath(line.file, env["PATH"] ?? "");
  if (file === undefined) throw Object.assign(new Error(`no ${line.file} on PATH`), { code: "ENOENT" });
  accessSync(file, constants.X_OK);
  const [shell, ...shellArgs] = listenWrapper;
  return [shell, [...shellArgs, file, ...line.args]];
}

function findOnPath(file: string, path: string): string | undefined {
  const candidates = path.split(delimiter).map((folder) => join(folder === "" ? "." : folder, file));
  return candidates.find((candidate) => isExecutable(candidate));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The OS reports a bad working directory with the codes of a bad executable. */
function folderProblem(cwd: string | undefined): string | undefined {
  if (cwd === undefined) return undefined;
  const stat = statSync(cwd, { throwIfNoEntry: false });
  if (stat === undefined) return `the working directory ${cwd} does not exist`;
  if (!stat.isDirectory()) return `the working directory ${cwd} is not a folder`;
  try {
    accessSync(cwd, constants.X_OK);
    return undefined;
  } catch {
    return `the working directory ${cwd} may not be entered`;
  }
}

function sentenceFor(code: string, error: unknown, { file, args }: CommandLine): string {
  switch (code) {
    case "ENOENT":
      return absentSentence(file);
    case "ENOTDIR":
      return `${file} does not exist: a part of its path is not a folder`;
    case "EACCES":
      return `${file} may not be executed: it is a folder, or lacks the permission`;
    case "E2BIG":
      return `${file} was given more arguments or environment than the OS takes (${args.length} arguments)`;
    case "EAGAIN":
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return `${file} could not be started because the machine is short of ${scarce[code]}`;
    default:
      return `${file} could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const scarce = {
  EAGAIN: "OS processes",
  EMFILE: "file descriptors in this OS process",
  ENFILE: "file descriptors",
  ENOMEM: "memory",
} as const;

function absentSentence(file: string): string {
  if (!file.includes("/")) return `${file} was not found on PATH`;
  const exists = statSync(file, { throwIfNoEntry: false }) !== undefined;
  return exists ? `${file} names an interpreter that does not exist` : `${file} does not exist`;
}
