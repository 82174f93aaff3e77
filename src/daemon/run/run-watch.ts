/**
 * Run watch: what wakes the daemon about its runs: a change in `runs/`, at once, and a slow look besides.
 *
 * Guarantees: what a change would have told is found by the slow look too, so a watch that the OS refuses (no inotify instance
 * left) or drops (its queue is full) costs time and nothing else.
 *
 * @module
 */
import { watch, type FSWatcher } from "node:fs";
import type { Milliseconds, Platform } from "../../base/platform.ts";
import { runIdOf, type RunFileKind } from "./run-files.ts";
import type { RunId } from "./run.ts";

/** How often the OS is asked who lives, in milliseconds. */
export const pollMs: Milliseconds = 1_000;

/** Those after which a run goes on, or may have ended; what the daemon itself writes says nothing to it. */
const telling: ReadonlySet<RunFileKind> = new Set<RunFileKind>(["notify", "shim", "pid", "ready", "exit"]);

export interface RunWatcher {
  /** A file of the run has changed. */
  changed(id: RunId): void;
  /** It is time to look at all. */
  poll(): void;
}

/** Watches until what it returns is called. Never throws. */
export function watchRuns(folder: string, platform: Pick<Platform, "clock" | "log">, watcher: RunWatcher): () => void {
  // Who starts changes several files, each of which is told more than once.
  const changed = new Set<RunId>();
  let told: NodeJS.Immediate | undefined;
  const tell = (): void => {
    told = undefined;
    const ids = [...changed];
    changed.clear();
    for (const id of ids) watcher.changed(id);
  };
  const slow = (error: unknown): void =>
    platform.log("error", `runs are only looked at every ${pollMs} ms: ${(error as Error).message}`);
  let changes: FSWatcher | undefined;
  try {
    changes = watch(folder, (_event, name) => {
      const file = name === null ? undefined : runIdOf(name);
      if (file === undefined || !telling.has(file.kind)) return;
      changed.add(file.id);
      told ??= setImmediate(tell);
    });
    changes.unref();
    changes.on("error", slow);
  } catch (error) {
    slow(error);
  }
  let cancel: () => void;
  const wait = (): void => {
    cancel = platform.clock.timer(pollMs, () => {
      wait();
      watcher.poll();
    });
  };
  wait();
  return () => {
    clearImmediate(told);
    changes?.close();
    cancel();
  };
}
