/**
 * Daemon: the composition of one home: lock, journal, recorder, runs, manager, control API, heart.
 *
 * Guarantees: its start is its recovery: whatever the last daemon left, however it ended, is found and goes on. One daemon for a
 * home; a second is refused and changes nothing. The end of the daemon ends no service, except after `down`.
 * Limits: programs on the carriers coroutine and thread run in an OS process of their own each, so that they outlive the
 * daemon as all others do.
 *
 * @module
 */
import { statSync } from "node:fs";
import { serveControl } from "./control/control-server.ts";
import { openDaemonJournal } from "./daemon-journal.ts";
import type { DaemonEnd, DaemonOptions } from "./daemon-options.ts";
import { DaemonSelf } from "./daemon-self.ts";
import { DaemonServices } from "./daemon-services.ts";
import { FolderError, makeFolder } from "./folders.ts";
import { watchHome } from "./home-watch.ts";
import type { Home } from "./home.ts";
import { JournalError } from "./journal/journal.ts";
import { acquireLock } from "./lock.ts";

export interface Daemon {
  /** How it came to its end. */
  readonly ended: Promise<DaemonEnd>;
  /** Ends the daemon; every service goes on. Idempotent. */
  close(): Promise<void>;
  /** Stops every service, then the daemon. */
  down(): Promise<void>;
}

/** A daemon that cannot be. The message is a sentence for a person. */
export class DaemonRefusedError extends Error {
  override readonly name = "DaemonRefusedError";
}

/** Takes the home over and serves it. @throws DaemonRefusedError, LockError, JournalError, each a sentence for a person */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { home } = options;
  makeHome(home);
  const lock = await acquireLock(home.lock);
  if ("heldBy" in lock) {
    const who = lock.heldBy === undefined ? "" : ` (OS process ${lock.heldBy.osPid})`;
    throw new DaemonRefusedError(`a daemon${who} runs in ${home.root} already`);
  }
  try {
    return await compose(options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Only whoever runs the daemon may look into the home: logs and sockets are in it. */
function makeHome({ root, runs, pipes, services, log }: Home): void {
  try {
    for (const folder of [root, runs, pipes, services, log]) makeFolder(folder);
  } catch (error) {
    throw error instanceof FolderError ? new DaemonRefusedError(error.message, { cause: error }) : error;
  }
  const { uid, mode } = statSync(root);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new DaemonRefusedError(`${root} belongs to another user (${uid}); choose another home with --home`);
  }
  if ((mode & 0o077) !== 0) {
    throw new DaemonRefusedError(`${root} is open to other users; close it with chmod 700 ${root}`);
  }
}

async function compose(options: DaemonOptions): Promise<Daemon> {
  const { home, version } = options;
  const self = new DaemonSelf(options);
  const { clock, log } = self;
  const journal = await openDaemonJournal(home, options.salvage === true, log).catch((error: unknown) => {
    // Only a person can mend it: to start again for it changes nothing.
    if (error instanceof JournalError) self.restHeart();
    throw error;
  });
  let resolveEnded: (how: DaemonEnd) => void = () => {};
  const ended = new Promise<DaemonEnd>((resolve) => {
    resolveEnded = resolve;
  });
  const { services, manager } = await DaemonServices.open(options, self, journal, (how) => resolveEnded(how));
  const warn = (line: string): void => log("warning", line);
  const control = await serveControl({ socket: home.controlSocket, manager, version, log: warn });
  log("info", `the daemon serves ${home.root}; ${journal.recovery.entriesCount} entries were read`);

  const stopWatchingHome = watchHome(home.lock, clock, () => {
    log("error", `${home.root} was deleted or replaced: ${homeLostSentence}`);
    // A container ends with its daemon, and its services with it.
    if (options.isContained !== true) resolveEnded("homeLost");
  });
  let closing: Promise<void> | undefined;
  const close = async (how?: DaemonEnd): Promise<void> => {
    stopWatchingHome();
    self.leave(how);
    services.quiet();
    await control.close();
    await services.close(how);
    self.close();
  };
  return {
    ended: ended.then(async (how) => {
      await (closing ??= close(how));
      return how;
    }),
    close: () => (closing ??= close()),
    down: async () => void (await manager.down({ wait: true })),
  };
}

const homeLostSentence = "this daemon ends, and what runs goes on with nobody who looks after it";
