/**
 * Active run: what this OS process knows of one run, what of it goes to disk, and what of it the recorder is told.
 *
 * @module
 */
import { logFolder, type Home } from "../home.ts";
import type { RecordedRun } from "../log/recorder.ts";
import { bootId } from "../os-identity.ts";
import { pipeFile, type RunRecord } from "./run-files.ts";
import type { RunInput } from "./run-input.ts";
import type { Preparation } from "./run-launch.ts";
import type { RunOwner } from "./run-members.ts";
import type { OsIdentity, RunSpec, RunStartError } from "./run.ts";

/** One run, from its start to its end. */
export interface ActiveRun {
  readonly record: RunRecord;
  phase: "starting" | "running" | "ending" | "ended";
  shim: OsIdentity | undefined;
  identity: OsIdentity | undefined;
  input: RunInput | undefined;
  isAttached: boolean;
  isReady: boolean;
  isKilled: boolean;
  /** Of a standby whose turn has come: it is still to be told. */
  isTurnDue: boolean;
  /** Called when it runs, or will not. */
  readonly began: (failure?: RunStartError) => void;
  readonly beginning: Promise<RunStartError | undefined>;
}

/** A run that has not begun. */
export function newRun(record: RunRecord): ActiveRun {
  let began: ActiveRun["began"] = () => {};
  const beginning = new Promise<RunStartError | undefined>((resolve) => {
    began = resolve;
  });
  const flags = { isAttached: false, isReady: false, isKilled: false, isTurnDue: false } as const;
  return {
    record,
    phase: "starting",
    shim: undefined,
    identity: undefined,
    input: undefined,
    ...flags,
    began,
    beginning,
  };
}

/** Whose members are its own. */
export function ownerOf({ record, identity, shim }: ActiveRun): RunOwner {
  return { id: record.id, service: identity, shim, cgroup: record.cgroup };
}

/** What goes to disk: nothing secret. */
export function recordOf(spec: RunSpec, { cgroup }: Preparation, startedAt: number): RunRecord {
  const { id, service, instance, argv, cwd, stdin, listen, isStandby, readiness, limits, logs } = spec;
  const optional = {
    ...(isStandby === undefined ? {} : { isStandby }),
    ...(readiness === undefined ? {} : { readiness }),
    ...(cgroup === undefined ? {} : { cgroup }),
  };
  return {
    id,
    service,
    instance,
    argv,
    cwd,
    stdin,
    listen,
    limits,
    logs,
    ...optional,
    startedAt,
    bootId: bootId() ?? "",
  };
}

/** What the recorder has to read. */
export function recordedRun(home: Home, { id, service, instance, readiness, logs }: RunRecord): RecordedRun {
  return {
    id,
    service,
    instance,
    stdout: pipeFile(home, id, "out"),
    stderr: pipeFile(home, id, "err"),
    ...(readiness?.kind === "fd" ? { ready: pipeFile(home, id, "ready") } : {}),
    ...(readiness?.kind === "notify" ? { notify: pipeFile(home, id, "notify") } : {}),
    ...(readiness?.kind === "log" ? { readyLine: readiness.pattern } : {}),
    directory: logFolder(home, service, instance),
    logs,
  };
}
