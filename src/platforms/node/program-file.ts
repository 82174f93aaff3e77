/**
 * Program file: what may be a program, and whether Node loads it as it is.
 *
 * @module
 */
import { statSync } from "node:fs";
import { extname, isAbsolute, relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ProgramError } from "./program-error.ts";

/** What is compiled before Node loads it. */
export const compiledExtensions: readonly string[] = [".ts", ".mts", ".cts", ".tsx", ".jsx"];
const plainExtensions: readonly string[] = [".js", ".mjs", ".cjs"];

/** Whether Node loads the file as it is. */
export function isPlain(path: string): boolean {
  return plainExtensions.includes(extname(path));
}

/** Its absolute path, of a path relative to the working directory or a file URL. @throws ProgramError */
export function programPath(file: string | URL): string {
  const path = file instanceof URL || file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ProgramError(`${shownPath(path)} does not exist`);
  if (!stat.isFile()) throw new ProgramError(`${shownPath(path)} is not a file`);
  const known = [...compiledExtensions, ...plainExtensions];
  if (known.includes(extname(path))) return path;
  throw new ProgramError(`${shownPath(path)} is not a program: its name must end in one of ${known.join(" ")}`);
}

/** Relative to the working directory for what lies in it. */
export function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? path : short;
}
