/**
 * Find program: where a packaged program is, for tests and for scripts that run without vitest.
 *
 * @module
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** System folders that a person's PATH often lacks; Debian puts nginx there. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The absolute path of an executable, in PATH or in a system folder; undefined when there is none. */
export function findProgram(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...systemFolders];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
