/**
 * Executable: what the OS would run for a command's first word, found before it is run, so that a misspelt word
 * is a sentence about the config and not a service that fails.
 *
 * Guarantees: searches as execvp(3) does: a word with a slash is a path (relative to the working directory of
 * the command), any other word is searched for on the command's own PATH, left to right.
 * Limit: what is found now may be gone when it is run.
 *
 * @module
 */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";

/** Where execvp(3) searches when there is no PATH (glibc's confstr). */
export const pathDefault = "/bin:/usr/bin";

/** What is at a path. */
export type FileKind = "file" | "folder" | "other" | "missing";

/** Whether a path is a file or a folder; what cannot be looked at counts as missing. */
export function fileKind(path: string): FileKind {
  try {
    const entry = statSync(path);
    return entry.isFile() ? "file" : entry.isDirectory() ? "folder" : "other";
  } catch {
    return "missing";
  }
}

/** What stands behind "is wrong" for a command's first word; undefined when the OS can run it. */
export function findExecutableProblem(word: string, cwd: string, path: string | undefined): string | undefined {
  if (word.includes("/")) return pathProblem(word, resolve(cwd, word));
  const candidates = (path ?? pathDefault).split(":").map((folder) => resolve(cwd, folder, word));
  if (candidates.some((file) => fileKind(file) === "file" && isExecutable(file))) return undefined;
  return `${JSON.stringify(word)} was not found on PATH`;
}

function pathProblem(word: string, file: string): string | undefined {
  const kind = fileKind(file);
  if (kind === "missing") return `${JSON.stringify(word)} does not exist`;
  if (kind !== "file") return `${JSON.stringify(word)} is not a file`;
  return isExecutable(file) ? undefined : `${JSON.stringify(word)} is not executable; run chmod +x on it`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
