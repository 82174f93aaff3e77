/**
 * Files struck: the files that a storage fault concerns.
 *
 * @module
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Files of a folder that one strike takes, at most. */
export const filesStruckMax = 64;

/**
 * The file itself, or the files of a folder and of those in it, `filesStruckMax` at most; none when it is not there. Given an
 * OS process, it is the one that this sees at the path, which may be another in a namespace of its own.
 */
export function filesIn(path: string, osPid?: number): string[] {
  const view = osPid === undefined ? "" : `/proc/${osPid}/root`;
  try {
    if (!statSync(view + path).isDirectory()) return [path];
    return readdirSync(view + path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .slice(0, filesStruckMax)
      .map((entry) => join(entry.parentPath, entry.name).slice(view.length));
  } catch {
    return [];
  }
}
