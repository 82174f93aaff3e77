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
import type { Platform } from "../base/platform.ts";
import type { ServicePlan, SystemPlan } from "../control/config.ts";
import { planBytesMax } from "../control/manager-interface.ts";
import { apiVersion } from "../control/manager-routes.ts";
import { withSpareDescriptor } from "../os/spare-descriptor.ts";
import { nodeFileSystem } from "../platforms/node/node-file-system.ts";
import { containerSentences, initProblem, readContainerLimits } from "./boot/container.ts";
import { serveControl } from "./control/control-server.ts";
import { decodeEntry } from "./core/entry.ts";
import { fold } from "./core/fold.ts";
import { emptyRecord, type ServiceRecord, type SystemRecord } from "./core/record.ts";
import { runParts } from "./core/run-id.ts";
import { snapshotOf } from "./core/snapshot.ts";
import { environmentOf } from "./environment.ts";
import { FailureHooks } from "./failure-hooks.ts";
import { keepHeart } from "./boot/heart.ts";
import { openLimitedRuns } from "./limited-runs.ts";
import { openLimits, type Limits } from "./limits/limits.ts";
import { readLinesMax } from "./last-words.ts";
import { lastLine } from "./log/last-line.ts";
import { lastLines } from "./log/read-logs.ts";
import type { Preparation } from "./run/run-launch.ts";
import type { RunListener, Runs, RunSpec } from "./run/run.ts";
import { listenHostDefault } from "./host/run-host.ts";
import { Watches } from "./watch/watches.ts";
import type { Home } from "./home.ts";
import { JournalError, openJournal } from "./journal/journal.ts";
import { acquireLock } from "./lock.ts";
import { RecorderAlarms } from "./log/recorder-alarms.ts";
import { journaldProblem } from "./log/forward.ts";
import { openLogStore } from "./log/log-store.ts";
import { openRecorder } from "./log/recorder-client.ts";
import { ServiceManager } from "./manager/manager.ts";
import { nameDaemon } from "./daemon-name.ts";
import { DescriptorReserve } from "./descriptor-reserve.ts";
import { FolderError, makeFolder } from "./folders.ts";
import { watchHome } from "./home-watch.ts";
import { OwnAlarms } from "./own-alarms.ts";
import { callEnv, listenEnv } from "./program/program-env.ts";
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
  /** What Node loads before a program that was handed a listening socket. */
  readonly listenEntry: URL;
  /** The command that starts a daemon for this home; absent: no heart watches over this one. */
  readonly restartCommand?: readonly [string, ...string[]];
  /** The heart started this one, after another that was not told to end. */
  readonly isAgain?: boolean;
  /** Goes on with what is whole of a damaged journal. */
  readonly salvage?: boolean;
  /**
   * This OS process is what a container is for: lines that are forwarded to stdout come out of its own, and what the container
   * allows is among the daemon's abilities.
   */
  readonly isContained?: boolean;
}

/** How a daemon came to its end: `homeLost`, because its home was deleted or replaced. */
export type DaemonEnd = "down" | "handOver" | "homeLost";

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
  const { home, platform, version } = options;
  const { clock } = platform;
  const startedAt = clock.wallMs();
  const log = (level: "info" | "warning" | "error", message: string): void => platform.log(level, message);
  const ownAlarms = new OwnAlarms();
  const reserve = new DescriptorReserve({
    clock,
    onChange: (sentence) => {
      ownAlarms.set("file descriptors", sentence);
      log("warning", sentence ?? "there are file descriptors again");
    },
  });
  const stopNaming = nameDaemon(home, version, clock, (sentence) => log("error", sentence));

  const { restartCommand } = options;
  const heart =
    restartCommand === undefined
      ? undefined
      : keepHeart({
          home,
          clock,
          command: restartCommand,
          cwd: "/",
          onNote: (sentence) => log("warning", sentence),
          onTrouble: (sentence) => ownAlarms.set("heart", sentence),
        });
  const journal = await openJournal({
    files: nodeFileSystem(home.root),
    path: "journal",
    version: journalVersion,
    initial: emptyRecord(),
    fold,
    snapshot: snapshotOf,
    decode: decodeEntry,
    // A plan is one entry, and the control API takes one of this size.
    limits: { entryMaxChars: 2 * planBytesMax },
    salvage: options.salvage === true,
  }).catch((error: unknown) => {
    // Only a person can mend it: to start again for it changes nothing.
    if (error instanceof JournalError) heart?.rest("down");
    throw error;
  });
  const { damagedFile, cutBytes, problem } = journal.recovery;
  if (damagedFile !== undefined)
    log("error", `the journal was damaged; what was whole is used, the rest is in ${damagedFile}`);
  if (cutBytes > 0) log("warning", `${cutBytes} bytes that were never finished were cut off the journal`);
  if (problem !== undefined) log("error", `the journal takes nothing for now: ${problem}`);
  const recorder = await openRecorder({
    home,
    clock,
    log: platform.log,
    entry: options.recorderEntry,
    startsLate: true,
    stdout: options.isContained === true ? "inherit" : "ignore",
  });
  const contained = options.isContained === true ? containerSentences(readContainerLimits()) : [];
  const pidProblem = options.isContained === true ? initProblem(process.pid) : undefined;
  ownAlarms.set("pid 1", pidProblem);
  if (pidProblem !== undefined) log("warning", pidProblem);
  const alarms = new RecorderAlarms(home, recorder);
  const stateFiles = new StateFiles(home, clock, (message) => log("warning", message));
  const holder: { manager?: ServiceManager; runs?: Runs; record: SystemRecord } = { record: journal.state };
  const planOf = (service: string): ServicePlan | undefined => holder.record.services.get(service)?.plan;
  const limits = await openLimits({
    home: home.root,
    clock,
    membersOf: (ids) => new Map(ids.map((id) => [id, holder.runs?.members(id) ?? []])),
    onExceeded: (run, sentence) => holder.manager?.exceeded(run, sentence),
    onNotice: (run, sentence) => holder.manager?.note(runParts(run).service, sentence),
  });
  const watches = new Watches({
    clock,
    home: home.root,
    changed: (service, why, seen) => holder.manager?.renew(service, why, seen),
    began: (service, seen) => holder.manager?.watched(service, seen),
    notice: (sentence) => log("warning", sentence),
  });
  const openSystemRuns = (listener: RunListener): Runs => {
    const prepare = async (spec: RunSpec): Promise<Preparation> => {
      const prepared = await limits.prepare(spec);
      const env = { ...listenEnv(spec, options.listenEntry), ...callEnv(home, planOf(spec.service), spec) };
      return { ...prepared, env: { ...prepared.env, ...env } };
    };
    const open = (told: RunListener): Runs => openRuns({ home, listener: told, recorder, platform, prepare });
    return (holder.runs = openLimitedRuns(open, listener, limits, (service) => planOf(service)?.limits ?? {}));
  };
  const envOf = (
    plan: ServicePlan,
    instance: number,
    inherited: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> =>
    environmentOf(plan, instance, inherited, { warn: (sentence) => log("warning", sentence) });
  const lastErrors = (service: string, instance: number, sinceAt: number): Promise<readonly string[]> =>
    lastLines(home, service, instance, "stderr", readLinesMax, sinceAt);
  const note = (service: string, sentence: string): void => holder.manager?.note(service, sentence);
  const hookEnvOf = (plan: ServicePlan, instance: number): Promise<Record<string, string>> =>
    envOf(plan, instance, holder.record.env);
  const hooks = new FailureHooks({ clock, environmentOf: hookEnvOf, lastErrors, note });
  let memoryBytes = residentBytes() ?? 0;
  let resolveEnded: (how: DaemonEnd) => void = () => {};
  const ended = new Promise<DaemonEnd>((resolve) => {
    resolveEnded = resolve;
  });

  const manager = await ServiceManager.open({
    home,
    version,
    clock,
    journal,
    logs: openLogStore(home, recorder),
    log,
    random: () => platform.random("manager.backoff") / 2 ** 32,
    openRuns: openSystemRuns,
    environmentOf: envOf,
    argvOf: async (plan) => argvOf(plan, options),
    lastLineSince: async (service, instance, sinceAt) =>
      (await lastLines(home, service, instance, undefined, 1, sinceAt)).at(-1),
    failed: (failure) => hooks.tell(failure),
    daemon: () => ({
      api: apiVersion,
      osPid: process.pid,
      startedAt,
      memoryBytes: (memoryBytes = residentBytes() ?? memoryBytes),
      node: process.version,
      abilities: [...limits.abilities, ...contained],
      alarms: [...ownAlarms.all, ...alarms.all],
    }),
    refusals: (plan) => refusalsOf(plan, limits),
    describeLimits: (plan) => limits.describe(plan),
    alarmsOf: (service) => [...ownAlarms.of(service), ...alarms.of(service)],
    recordingTroubles: (service) => alarms.of(service),
    shortage: () => {
      reserve.look();
      return reserve.shortage;
    },
    lastErrors,
    lastLine: (service, instance) => lastLine(home, service, instance),
    changed: (service, instance) => {
      stateFiles.changed(service, instance);
      releaseWhenStopped(service, holder.runs);
    },
    gone: ({ plan, instances }) => {
      hooks.forget(plan.name);
      for (const number of instances.keys()) stateFiles.removed(plan.name, number);
    },
    applied: (next) => {
      releaseSockets(next, holder.runs);
      holder.record = copyOfPlans(next);
      watches
        .set([...next.services.values()].flatMap(({ plan, isRemoved }) => (isRemoved ? [] : [plan])))
        .catch((error: unknown) => log("error", `not all is watched: ${reasonText(error)}`));
      for (const { plan } of next.services.values()) {
        for (let number = 1; number <= plan.instances; number++) recorder.setLimits(plan.name, number, plan.logs);
      }
    },
    isAgain: options.isAgain === true,
    finished: (how) => resolveEnded(how),
  });
  holder.manager = manager;
  const control = await serveControl({
    socket: home.controlSocket,
    manager,
    version,
    log: (line) => log("warning", line),
  });
  log("info", `the daemon serves ${home.root}; ${journal.recovery.entriesCount} entries were read`);

  const stopWatchingHome = watchHome(home.lock, clock, () => {
    log("error", `${home.root} was deleted or replaced: ${homeLostSentence}`);
    // A container ends with its daemon, and its services with it.
    if (options.isContained !== true) resolveEnded("homeLost");
  });
  let closing: Promise<void> | undefined;
  const close = async (how?: DaemonEnd): Promise<void> => {
    if (how === "down" || how === "handOver") heart?.rest(how === "down" ? "down" : { handOverMs });
    stopWatchingHome();
    stopNaming();
    watches.close();
    hooks.close();
    limits.close();
    await control.close();
    if (how === "down") releaseAllSockets(holder.runs);
    await manager.close();
    await stateFiles.flushed();
    await (how === "down" ? recorder.stop() : recorder.close());
    heart?.close();
    reserve.close();
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

/** Of this OS process; undefined without a file descriptor to look with. */
function residentBytes(): number | undefined {
  try {
    return withSpareDescriptor(() => process.memoryUsage.rss());
  } catch {
    return undefined;
  }
}

const homeLostSentence = "this daemon ends, and what runs goes on with nobody who looks after it";

/** How long the heart starts nothing while one daemon hands over to the next, in milliseconds. */
export const handOverMs = 30_000;

/** Why a plan cannot be run here: one sentence each. */
async function refusalsOf({ services }: SystemPlan, limits: Limits): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const plan of services) {
    for (const sentence of await limits.refusals(plan)) problems.push(`services.${plan.name}.${sentence}`);
    const journald = plan.logs.forward === "journald" ? journaldProblem() : undefined;
    if (journald !== undefined) problems.push(`services.${plan.name}.logs.forward: ${journald}`);
    if (plan.ready.kind === "call" && plan.carrier !== "os-process") {
      problems.push(
        `services.${plan.name}.ready.call: the daemon calls programs on the carrier os-process alone; use log or port on ${plan.carrier}`,
      );
    }
    if (plan.ready.kind === "call" && plan.user !== undefined) {
      problems.push(
        `services.${plan.name}.ready.call: the daemon calls programs of its own user alone; leave out user, or use log, fd or port`,
      );
    }
  }
  return problems;
}

/** Sockets that no plan wants any more are let go, also those of an earlier daemon. */
function releaseSockets({ services }: SystemRecord, runs: Runs | undefined): void {
  const wanted = new Set(
    [...services.values()].flatMap(({ plan: { listenPort, listenHost = listenHostDefault }, isRemoved }) =>
      listenPort === undefined || isRemoved ? [] : [`${listenHost}:${listenPort}`],
    ),
  );
  for (const { port, host } of runs?.heldListens() ?? [])
    if (!wanted.has(`${host}:${port}`)) runs?.releaseListen(port, host);
}

/** Of a service that somebody stopped, clients are to be refused, not kept waiting for an instance that does not come. */
function releaseWhenStopped({ plan, target, instances }: ServiceRecord, runs: Runs | undefined): void {
  if (plan.listenPort === undefined || target === "up") return;
  const isRunning = [...instances.values()].some(
    ({ runs: each, standby }) => standby !== undefined || each.some(({ end }) => end === undefined),
  );
  if (!isRunning) runs?.releaseListen(plan.listenPort, plan.listenHost ?? listenHostDefault);
}

/** Also those that an earlier daemon opened. */
function releaseAllSockets(runs: Runs | undefined): void {
  for (const { port, host } of runs?.heldListens() ?? []) runs?.releaseListen(port, host);
}

/** The core changes its record in place; of this one only plans and the environment count. */
function copyOfPlans(record: SystemRecord): SystemRecord {
  return { ...record, services: new Map([...record.services].map(([name, each]) => [name, { ...each }])) };
}

/** What an instance executes: its command, or what runs its program in an OS process of its own. */
function argvOf(plan: ServicePlan, { programCommand }: DaemonOptions): readonly [string, ...string[]] {
  const { run } = plan;
  if (run.kind === "command") return run.command;
  const [file, ...words] = programCommand(plan);
  return [file, ...words, run.file, ...run.args];
}
