/**
 * Daemon name: the file `daemon` of a home, in which the daemon says who it is, for its heart and for people.
 *
 * Guarantees: a reader sees the old text or the new, never a part. On a full disk the file that is there is written over in
 * place, which needs no room; when even that fails it is tried again each `nameRetryMs`.
 *
 * @module
 */
import { closeSync, ftruncateSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import type { Clock } from "../base/platform.ts";
import type { Home } from "./home.ts";
import { identityLines, identityOf } from "./os-identity.ts";
import { reasonText } from "./reason-text.ts";

/** Milliseconds before a name that the disk did not take is written again. */
export const nameRetryMs = 1_000;

/** Says who this daemon is. Returns what ends the trying. */
export function nameDaemon(home: Home, version: string, clock: Clock, told: (problem: string) => void): () => void {
  const text = `${identityLines(identityOf(process.pid)!)}${version}\n`;
  let cancel = (): void => {};
  let isTold = false;
  const attempt = (): void => {
    try {
      write(home.daemon, text);
    } catch (error) {
      if (!isTold) told(`${home.daemon} cannot be written, and is tried again: ${reasonText(error)}`);
      isTold = true;
      cancel = clock.timer(nameRetryMs, attempt);
    }
  };
  attempt();
  return () => cancel();
}

function write(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch {
    rmSync(`${path}.new`, { force: true, recursive: true });
    overwrite(path, text);
  }
}

/** One short write(2), which nobody sees half. */
function overwrite(path: string, text: string): void {
  const file = openSync(path, "r+");
  try {
    writeSync(file, text, 0);
    ftruncateSync(file, Buffer.byteLength(text));
  } finally {
    closeSync(file);
  }
}
