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
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import type { Platform } from "../base/platform.ts";
import type { ServicePlan } from "../control/config.ts";
import { apiVersion } from "../control/manager-routes.ts";
import { nodeFileSystem } from "../platforms/node/node-file-system.ts";
import { serveControl } from "./control-server.ts";
import { decodeEntry, emptyRecord, fold, snapshotOf, type SystemRecord } from "./core/record.ts";
import { environmentOf } from "./environment.ts";
import type { Home } from "./home.ts";
import { openJournal } from "./journal.ts";
import { acquireLock } from "./lock.ts";
import { openRecorder } from "./log/recorder-client.ts";
import { ServiceManager } from "./manager.ts";
import { identityLines, identityOf } from "./os-identity.ts";
import { reasonText } from "./reason-text.ts";
import { openRuns } from "./run/runs.ts";
import { StateFiles } from "./state-files.ts";

/** The version of the journal's entries. */
export const journalVersion = 1;

export interface DaemonOptions {
  readonly home: Home;
  readonly platform: Platform;
  readonly version: string;
  /** The recorder's first file. */
  readonly recorderEntry: URL;
  /** What runs a program in an OS process of its own: words before the program's file and arguments. */
  programCommand(plan: ServicePlan): readonly [string, ...string[]];
  /** The command that starts a daemon for this home; absent: no heart watches over this one. */
  readonly restartCommand?: readonly [string, ...string[]];
  /** Services' lines that are forwarded to stdout come out of this OS process's. */
  readonly forwards?: boolean;
}

export interface Daemon {
  /** How it came to its end. */
  readonly ended: Promise<"down" | "handOver">;
  /** Ends the daemon; every service goes on. Idempotent. */
  close(): Promise<void>;
  /** Stops every service, then the daemon. */
  down(): Promise<void>;
}

/** A daemon that cannot be. The message is a sentence for a person. */
export class DaemonRefusedError extends Error {
  override readonly name = "DaemonRefusedError";
}

/** Takes the home over and serves it. @throws DaemonRefusedError */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { home, platform } = options;
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
    platform.log("error", `the daemon did not start: ${reasonText(error)}`);
    throw error;
  }
}

/** Only whoever runs the daemon may look into the home: logs and sockets are in it. */
function makeHome({ root, runs, pipes, services, log }: Home): void {
  for (const folder of [root, runs, pipes, services, log]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(root);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new DaemonRefusedError(`${root} belongs to another user (${uid}); choose another home with --home`);
  }
  if ((mode & 0o077) !== 0) {
    throw new DaemonRefusedError(`${root} is open to other users; close it with chmod 700 ${root}`);
  }
}

async function compose(options: DaemonOptions): Promise<Daemon> {
  const { home, platform, version } = options;
  const { clock } = platform;
  const startedAt = clock.wallMs();
  const log = (level: "info" | "warning" | "error", message: string): void => platform.log(level, message);
  writeFileSync(home.daemon, `${identityLines(identityOf(process.pid)!)}${version}\n`, { mode: 0o600 });

  const journal = await openJournal({
    files: nodeFileSystem(home.root),
    path: "journal",
    version: journalVersion,
    initial: emptyRecord(),
    fold,
    snapshot: snapshotOf,
    decode: decodeEntry,
  });
  const recorder = await openRecorder({
    home,
    clock,
    log: platform.log,
    entry: options.recorderEntry,
    stdout: options.forwards === true ? "inherit" : "ignore",
  });
  const stateFiles = new StateFiles(home, (message) => log("warning", message));
  let resolveEnded: (how: "down" | "handOver") => void = () => {};
  const ended = new Promise<"down" | "handOver">((resolve) => (resolveEnded = resolve));
  let record: SystemRecord = journal.state;

  const manager = await ServiceManager.open({
    home,
    version,
    clock,
    journal,
    log,
    random: () => platform.random("manager.backoff") / 2 ** 32,
    openRuns: (listener) => openRuns({ home, listener, recorder, platform }),
    environmentOf: (plan, instance) =>
      environmentOf(plan, instance, record.env, { warn: (sentence) => log("warning", sentence) }),
    argvOf: async (plan) => argvOf(plan, options),
    onLine: () => () => {},
    runHook: () => {},
    daemon: () => ({
      api: apiVersion,
      osPid: process.pid,
      startedAt,
      memoryBytes: process.memoryUsage.rss(),
      node: process.version,
      abilities: [],
    }),
    refusals: async () => [],
    lastLines: async () => {
      return [];
    },
    changed: (service, instance) => stateFiles.changed(service, instance),
    applied: (next) => {
      record = next;
    },
    finished: (how) => resolveEnded(how),
  });
  const control = await serveControl({
    socket: home.controlSocket,
    manager,
    version,
    log: (line) => log("warning", line),
  });
  log("info", `the daemon serves ${home.root}, ${journal.recovery.entriesCount} entries were read`);

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await control.close();
    await manager.close();
    await stateFiles.flushed();
    await recorder.close();
  };
  return {
    ended: ended.then(async (how) => {
      await (closing ??= close());
      if (how === "down") await recorder.stop();
      return how;
    }),
    close: () => (closing ??= close()),
    down: async () => void (await manager.down({ wait: true })),
  };
}

/** What an instance executes: its command, or what runs its program in an OS process of its own. */
function argvOf(plan: ServicePlan, { programCommand }: DaemonOptions): readonly [string, ...string[]] {
  const { run } = plan;
  if (run.kind === "command") return run.command;
  const [file, ...words] = programCommand(plan);
  return [file, ...words, run.file, ...run.args];
}
