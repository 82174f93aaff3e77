/**
 * Log store: all that was recorded in a home, by instance, also of services that are gone.
 *
 * Guarantees: files are removed by the recorder alone, which may have them open; a folder goes only when nothing is in it.
 * Not here: reading lines (read-logs.ts), whose logs are meant (manager/log-clearing.ts).
 *
 * @module
 */
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { instanceFolder, logFolder, type Home } from "../home.ts";
import type { LogOwner } from "./line-joiner.ts";
import { currentName, rotatedFiles } from "./log-folder.ts";
import type { Recorder } from "./recorder.ts";

export interface LogStore {
  /** Every instance that has a folder in the home, by name. */
  owners(): Promise<readonly LogOwner[]>;
  /** Bytes that its files take. */
  sizeOf(owner: LogOwner): Promise<number>;
  /** Removes what was recorded. Settles with the bytes that it took. @throws Error with a sentence */
  empty(owner: LogOwner): Promise<number>;
  /** Takes away what is left of an instance that is no more, once its log is empty. Never rejects. */
  forget(owner: LogOwner): Promise<void>;
}

/** The store of the home. */
export function openLogStore(home: Home, recorder: Pick<Recorder, "empty">): LogStore {
  return {
    owners: () => ownersIn(home),
    sizeOf: ({ service, instance }) => sizeOf(logFolder(home, service, instance)),
    empty: ({ service, instance }) => recorder.empty(service, instance),
    forget: ({ service, instance }) => forget(instanceFolder(home, service, instance)).catch(() => {}),
  };
}

/** Every instance that has a folder, of the services that are wanted. */
export async function ownersIn(
  { services }: Home,
  isWanted: (service: string) => boolean = () => true,
): Promise<LogOwner[]> {
  const owners: LogOwner[] = [];
  for (const service of await namesIn(services)) {
    if (!isWanted(service)) continue;
    const numbers = (await namesIn(join(services, service))).map(Number);
    for (const instance of numbers.toSorted((one, other) => one - other))
      if (Number.isInteger(instance) && instance > 0) owners.push({ service, instance });
  }
  return owners;
}

async function sizeOf(directory: string): Promise<number> {
  const names = [...(await rotatedFiles(directory)), currentName];
  const sizes = names.map(async (name) => (await stat(join(directory, name)).catch(() => undefined))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Whoever begins to write there meanwhile keeps the folder. */
async function forget(folder: string): Promise<void> {
  await rmdir(join(folder, "log")).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rm(join(folder, "state"), { force: true });
  await rmdir(folder);
  await rmdir(dirname(folder));
}

/** The names in a folder, in order; none when there is no folder. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
