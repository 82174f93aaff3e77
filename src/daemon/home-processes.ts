/**
 * Home processes: who of colos lives in a home: the daemon, its heart, the recorder, as they have written down themselves; and
 * the services that run there. For whoever waits for their end, and for whoever asks while no daemon answers.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findHeart } from "./boot/heart.ts";
import type { Home } from "./home.ts";
import { identityOfLines, isAlive } from "./os-identity.ts";
import { readIdentity, readRecord, runFile, runIdOf } from "./run/run-files.ts";
import { isWaiting } from "./run/run-turn.ts";
import type { OsIdentity } from "./run/run.ts";

/** How long the end of everything is waited for, in milliseconds, once everything was told to end. */
export const goneTimeoutMs = 15_000;
/** Milliseconds between two looks. */
export const goneLookMs = 10;

/** An OS process of colos itself. */
export interface HomeProcess {
  readonly what: "daemon" | "heart" | "recorder";
  readonly identity: OsIdentity;
}

/** Those that live now. */
export function homeProcesses(home: Home): readonly HomeProcess[] {
  const found: readonly (readonly [HomeProcess["what"], OsIdentity | undefined])[] = [
    ["daemon", livingIn(home.daemon)],
    ["heart", findHeart(home)],
    ["recorder", livingIn(join(home.root, "recorder.lock"))],
  ];
  return found.flatMap(([what, identity]) => (identity === undefined ? [] : [{ what, identity }]));
}

/** Settles when none of them lives. @throws Error with a sentence after `timeoutMs` */
export async function awaitGone(processes: readonly HomeProcess[], timeoutMs: number = goneTimeoutMs): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const left = processes.filter(({ identity }) => isAlive(identity));
    if (left.length === 0) return;
    if (performance.now() > deadlineMs) {
      const names = left.map(({ what, identity }) => `the ${what} (OS process ${identity.osPid})`).join(" and ");
      throw new Error(
        `every service is stopped, but ${names} did not end within ${timeoutMs} ms; colos kills nobody here, kill does`,
      );
    }
    await pause(goneLookMs);
  }
}

/** How many runs of services live in the home, whether or not a daemon does; standbys do not count. */
export function livingRunsCount(home: Home): number {
  let names: readonly string[];
  try {
    names = readdirSync(home.runs);
  } catch {
    return 0; // there is no home
  }
  const ids = names.flatMap((name) => {
    const file = runIdOf(name);
    return file?.kind === "pid" ? [file.id] : [];
  });
  return ids.filter((id) => {
    const record = readRecord(home, id);
    if (record !== undefined && isWaiting(home, record)) return false;
    const identity = record === undefined ? undefined : readIdentity(runFile(home, id, "pid"), record.bootId);
    return identity !== undefined && isAlive(identity);
  }).length;
}

function livingIn(path: string): OsIdentity | undefined {
  try {
    const identity = identityOfLines(readFileSync(path, "utf8"));
    return identity !== undefined && isAlive(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}
