/**
 * Held folder: a temporary folder that is removed when it is released, and also when whoever holds it is killed.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Guard, guardLimitMsMax } from "./guard.ts";

export interface HeldFolder {
  /** Absolute. */
  readonly path: string;
  /** Removes it with all that is in it. */
  release(): Promise<void>;
}

/** Makes a folder in the place for temporary ones; its name begins with `prefix`. */
export async function holdFolder(prefix: string): Promise<HeldFolder> {
  const path = join(tmpdir(), `${prefix}${randomUUID().slice(0, 8)}`);
  const guard = await Guard.start({
    does: 'mkdir -m 700 "$1"',
    undoes: 'rm -rf "$1"',
    args: [path],
    limitMs: guardLimitMsMax,
  });
  return { path, release: () => guard.undo() };
}
