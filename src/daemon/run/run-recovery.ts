/**
 * Run recovery: what became of a run that an earlier daemon started.
 *
 * Guarantees: a run that has not begun never begins later: whoever finds it claims it first. One that runs is watched from here on.
 *
 * @module
 */
import { existsSync } from "node:fs";
import type { Home } from "../home.ts";
import { bootId, isAlive } from "../os-identity.ts";
import type { ActiveRun } from "./active-run.ts";
import * as files from "./run-files.ts";
import { lostShim, type RunFollower } from "./run-follower.ts";
import type { RecoveredRun, RunEnd } from "./run.ts";
import { isWaiting } from "./run-turn.ts";

const lostBoot = "the machine was restarted";
const neverBegan = "the daemon ended before it began";

export async function recoverRun(home: Home, run: ActiveRun, follower: RunFollower): Promise<RecoveredRun> {
  const { id, service, instance, startedAt } = run.record;
  const end = await recoveredEnd(home, run, follower);
  const standby = isWaiting(home, run.record) ? ({ isStandby: true } as const) : {};
  const of = { id, service, instance, startedAt, ...standby };
  // The daemon before may have been killed before it told it.
  if (end === undefined && run.record.isStandby === true && of.isStandby !== true) follower.letTurnCome(run);
  if (end === undefined) return { ...of, state: "running", identity: run.identity!, isReady: run.isReady };
  run.phase = "ended";
  const isBlameless = end.lost === lostBoot || end.lost === neverBegan;
  const identity = run.identity === undefined ? {} : { identity: run.identity };
  return { ...of, state: "ended", end, isBlameless, ...identity };
}

/** How it ended; undefined while it runs. */
async function recoveredEnd(home: Home, run: ActiveRun, follower: RunFollower): Promise<RunEnd | undefined> {
  const { id, bootId: boot } = run.record;
  run.identity = files.readIdentity(files.runFile(home, id, "pid"), boot);
  run.shim = files.readIdentity(files.runFile(home, id, "shim"), boot);
  run.isReady = existsSync(files.runFile(home, id, "ready"));
  if (boot !== (bootId() ?? "")) return files.readExit(home, id) ?? follower.lost(lostBoot);
  if (files.tryClaim(home, id)) return follower.lost(neverBegan);
  if (run.identity === undefined) return recoveredBeginning(run, follower);
  // While the phase is this, no file wakes anybody: the end found here is told here alone.
  run.phase = "ending";
  const isServiceAlive = isAlive(run.identity);
  const end = files.readExit(home, id);
  if (end === undefined && (isServiceAlive || isShimAlive(run))) {
    run.phase = "running";
    follower.attachUnlessWaiting(run);
    return undefined;
  }
  // With nobody who holds its pipes there is nothing left to read.
  if (isShimAlive(run)) follower.attach(run);
  await follower.clear(run);
  return end ?? files.readExit(home, id) ?? follower.lost(lostShim);
}

/** Its shim was at it when the daemon ended. */
async function recoveredBeginning(run: ActiveRun, follower: RunFollower): Promise<RunEnd | undefined> {
  follower.limitBeginning(run);
  follower.check(run);
  if (run.shim === undefined) return follower.lost(neverBegan); // an earlier daemon has claimed it
  const failure = await run.beginning;
  if (failure === undefined) return undefined;
  await follower.giveUp(run);
  return follower.lost(neverBegan);
}

function isShimAlive({ shim }: ActiveRun): boolean {
  return shim !== undefined && isAlive(shim);
}
