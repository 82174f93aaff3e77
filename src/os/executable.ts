/**
 * Executable: what a command line would run, found before it runs, and the sentence for what the OS refuses.
 *
 * Guarantees: searches as execvp(3) does: a name with a slash is a path (relative to the working directory), any other is
 * searched for on the given PATH, left to right. A bad working directory, which the OS reports with the codes of a bad
 * executable, is told apart.
 * Limit: what is found now may be gone when it is run.
 *
 * @module
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

/** What Linux reads of the first line of a script. */
const interpreterMaxBytes = 256;

/** A start that the OS refused. `code` is the OS's, such as `ENOENT`. */
export interface CommandStartError extends Error {
  readonly code: string;
}

/** What is to be executed. */
export interface ExecutableLine {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * The path of what `file` names, absolute unless `cwd` is left out.
 * @throws an Error with the OS's `code`; `explainStart` makes a sentence of it.
 */
export function findExecutable(file: string, path: string, cwd = ""): string {
  const found = file.includes("/") ? resolve(cwd, file) : findOnPath(file, path, cwd);
  if (found === undefined) throw Object.assign(new Error(`no ${file} on PATH`), { code: "ENOENT" });
  accessSync(found, constants.X_OK);
  if (statSync(found).isDirectory()) throw Object.assign(new Error(`${file} is a folder`), { code: "EACCES" });
  assertInterpreter(found);
  return found;
}

/** @throws an Error with the OS's `code` when nothing can be run in this working directory */
export function assertFolder(cwd: string): void {
  accessSync(cwd, constants.X_OK);
  if (!statSync(cwd).isDirectory()) throw Object.assign(new Error(`${cwd} is not a folder`), { code: "ENOTDIR" });
}

/** The sentence for a person, with the OS's code; `error` is its cause. */
export function explainStart(error: unknown, line: ExecutableLine, cwd: string | undefined): CommandStartError {
  const code = String((error as { code?: unknown } | null)?.code ?? "EUNKNOWN");
  const sentence = folderProblem(cwd) ?? sentenceFor(code, error, line, cwd);
  return Object.assign(new Error(sentence, { cause: error }), { code });
}

/** The OS says ENOENT for a script whose interpreter is absent; a shell in between would only answer 127. */
function assertInterpreter(path: string): void {
  const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(beginningOf(path)) ?? [];
  if (interpreter !== undefined) accessSync(interpreter, constants.X_OK);
}

function beginningOf(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return ""; // it may be executed and not read
  }
  try {
    const bytes = Buffer.alloc(interpreterMaxBytes);
    return bytes.toString("utf8", 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

function findOnPath(file: string, path: string, cwd: string): string | undefined {
  const candidates = path.split(delimiter).map((folder) => resolve(cwd, folder, file));
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

function sentenceFor(code: string, error: unknown, { file, args }: ExecutableLine, cwd = ""): string {
  switch (code) {
    case "ENOENT":
      return absentSentence(file, cwd);
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

function absentSentence(file: string, cwd: string): string {
  if (!file.includes("/")) return `${file} was not found on PATH`;
  const exists = statSync(resolve(cwd, file), { throwIfNoEntry: false }) !== undefined;
  return exists ? `${file} names an interpreter that does not exist` : `${file} does not exist`;
}
