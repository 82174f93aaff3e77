/**
 * Run follower: takes each run from one phase to the next, as far as its files and the OS say.
 *
 * Guarantees: each run that begins ends once: its leftovers are stopped, what it wrote is recorded, and then it is told, unless the
 * listening has ended before.
 * Limits: a service whose shim is killed goes on, but nobody sees its exit status. `startMs`, `drainMs`.
 * Not here: starting (runs.ts), what an earlier daemon left (run-recovery.ts).
 *
 * @module
 */
import { existsSync, rmSync } from "node:fs";
import type { Milliseconds, Platform } from "../../base/platform.ts";
import type { Home } from "../home.ts";
import type { Recorder } from "../log/recorder.ts";
import { isAlive, isSurelyAlive } from "../os-identity.ts";
import { ownerOf, recordedRun, type ActiveRun } from "./active-run.ts";
import * as files from "./run-files.ts";
import { stopLeftovers } from "./run-leftovers.ts";
import type { Member, RunMembers } from "./run-members.ts";
import { killRun, sendTo } from "./run-signal.ts";
import { isWaiting, tellTurn } from "./run-turn.ts";
import { RunStartError, type RunEnd, type RunListener } from "./run.ts";

/** How long a shim may take until its service runs, in milliseconds; then the start has failed. */
export const startMs: Milliseconds = 15_000;
/** How long the end of a run waits for the recorder to have read all, in milliseconds. */
export const drainMs: Milliseconds = 5_000;

const lostBeforeBegin = "its shim was killed before it began";
export const lostShim = "its shim was killed, so nobody saw how it ended";

export interface RunFollowerOptions {
  readonly home: Home;
  readonly recorder: Recorder;
  readonly platform: Pick<Platform, "clock" | "log">;
  readonly members: RunMembers;
  /** Tells the listener, when it may be told. */
  tell(what: (listener: RunListener) => void): void;
}

export class RunFollower {
  readonly #options: RunFollowerOptions;

  constructor(options: RunFollowerOptions) {
    this.#options = options;
  }

  /** Goes on as far as the files say. */
  look(run: ActiveRun): void {
    const { home, members, tell } = this.#options;
    const { id, bootId } = run.record;
    run.shim ??= files.readIdentity(files.runFile(home, id, "shim"), bootId);
    if (run.phase === "starting") {
      if (existsSync(files.runFile(home, id, "notify"))) this.attach(run);
      run.identity = files.readIdentity(files.runFile(home, id, "pid"), bootId);
      if (run.identity === undefined) return;
      run.phase = "running";
      this.attachUnlessWaiting(run);
      run.began();
      if (run.isKilled) killRun(run, members);
    }
    if (run.phase !== "running") return;
    if (!run.isReady && existsSync(files.runFile(home, id, "ready"))) {
      run.isReady = true;
      tell((listener) => listener.ready(id));
    }
    const end = files.readExit(home, id);
    if (end !== undefined) void this.#finish(run, end);
  }

  /** The same, and what no file says: who lives. */
  check(run: ActiveRun): void {
    this.look(run);
    if (run.isTurnDue) this.letTurnCome(run);
    if (run.shim === undefined || isAlive(run.shim)) return;
    this.look(run); // it may have written its last file between the two looks
    if (run.phase === "starting") run.began(new RunStartError(lostBeforeBegin, "EIO", true));
    if (run.phase === "running" && !isAlive(run.identity!)) void this.#finish(run, this.lost(lostShim));
  }

  /** Its shim is not there any more; `error` is what that means for one that has not begun. */
  shimEnded(run: ActiveRun, error: RunStartError): void {
    this.look(run);
    if (run.phase === "starting") run.began(error);
    else this.check(run);
  }

  /** From now on it has `startMs` to begin. */
  limitBeginning(run: ActiveRun): void {
    const sentence = `${run.record.argv[0]} could not be started: its shim did not get to it within ${startMs} ms`;
    const late = (): void => run.began(new RunStartError(sentence, "ETIMEDOUT", true));
    void run.beginning.then(this.#options.platform.clock.timer(startMs, late));
  }

  /** After this, the run does not begin any more, and nothing of it is left. */
  async giveUp(run: ActiveRun): Promise<void> {
    const { home, recorder } = this.#options;
    const { id, bootId } = run.record;
    run.phase = "ended";
    const shimFile = files.runFile(home, id, "shim");
    try {
      files.tryClaim(home, id);
    } catch {
      // The disk is full: then no shim has claimed it either, and its spec is removed.
    }
    const shim = run.shim ?? files.readIdentity(shimFile, bootId);
    // What is to be the service looks for it after it has said who it is: so either it goes no further, or it is known here.
    rmSync(shimFile, { force: true });
    run.identity ??= files.readIdentity(files.runFile(home, id, "pid"), bootId);
    for (const each of [shim, run.identity])
      if (each !== undefined && isSurelyAlive(each)) sendTo(each.osPid, "SIGKILL");
    await this.#stopLeftovers(run, "SIGKILL");
    // The recorder may have opened what belongs to it already.
    if (run.isAttached) recorder.drained(id, drainMs).catch(() => {});
  }

  /** Settles when nothing of it runs any more and what it wrote is recorded. */
  async clear(run: ActiveRun): Promise<void> {
    // At once: mostly nothing is left that could still write, and its next run waits for this.
    const drained = this.#drained(run);
    const hadLeftovers = await this.#stopLeftovers(run, run.isKilled ? "SIGKILL" : "SIGTERM");
    await drained;
    if (hadLeftovers) await this.#drained(run);
  }

  /** Tells a standby that its turn has come; when the OS does not permit it now, at the next look. */
  letTurnCome(run: ActiveRun): void {
    const { home, platform } = this.#options;
    const { id } = run.record;
    run.isTurnDue = true;
    tellTurn(home, id, platform.clock).then(
      () => (run.isTurnDue = false),
      (error: unknown) => this.#log("warning", `${id} is told again that its turn has come: ${String(error)}`),
    );
    this.attach(run);
  }

  /** What a standby writes waits in its pipes, and comes first in its log when its turn has come. */
  attachUnlessWaiting(run: ActiveRun): void {
    if (!isWaiting(this.#options.home, run.record)) this.attach(run);
  }

  /** Has what it writes recorded. */
  attach(run: ActiveRun): void {
    if (run.isAttached) return;
    run.isAttached = true;
    const attached = this.#options.recorder.attach(recordedRun(this.#options.home, run.record));
    attached.catch((error: unknown) => {
      run.isAttached = false;
      // A service whose notify socket is not there could never say that it is ready.
      const isNeeded = run.record.readiness?.kind === "notify";
      if (isNeeded) run.began(new RunStartError(String((error as Error).message), "EIO", true));
      this.#log("error", `what ${run.record.id} writes is not recorded: ${String(error)}`);
    });
  }

  /** An end that nobody saw. */
  lost(why: string): RunEnd {
    return { code: null, signal: null, at: this.#options.platform.clock.wallMs(), lost: why };
  }

  async #finish(run: ActiveRun, end: RunEnd): Promise<void> {
    run.phase = "ending";
    this.attach(run); // a standby's last words are read too
    await this.clear(run);
    run.phase = "ended";
    this.#options.tell((listener) => listener.ended(run.record.id, end));
  }

  /** Whether there were any. */
  async #stopLeftovers(run: ActiveRun, first: NodeJS.Signals): Promise<boolean> {
    const { members, platform } = this.#options;
    let isAny = false;
    const look = async (): Promise<readonly Member[]> => {
      const found = (await members.look()).membersOf(ownerOf(run));
      isAny ||= found.length > 0;
      return found;
    };
    const left = await stopLeftovers({ look, first, group: run.identity?.osPid, clock: platform.clock });
    if (left > 0)
      this.#log("error", `${run.record.id} has ended, but ${left} of its OS processes still run after SIGKILL`);
    return isAny;
  }

  #drained({ record: { id } }: ActiveRun): Promise<void> {
    return this.#options.recorder
      .drained(id, drainMs)
      .catch((error: unknown) => this.#log("error", `${id}: ${String(error)}`));
  }

  #log(level: "warning" | "error", message: string): void {
    this.#options.platform.log(level, message);
  }
}
