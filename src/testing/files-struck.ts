/**
 * Files struck: the files that a storage fault concerns.
 *
 * @module
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Files of a folder that one strike takes, at most. */
export const filesStruckMax = 64;

/** The file itself, or the files of a folder and of those in it, `filesStruckMax` at most; none when it is not there. */
export function filesIn(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .slice(0, filesStruckMax)
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
