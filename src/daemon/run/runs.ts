/**
 * Runs: the OS processes of one home, over the death of the daemon. It implements the contract in run.ts.
 *
 * What is on disk decides; this OS process only watches it and keeps what can be read again. A change of `runs/` wakes it
 * at once; each `pollMs` it also asks the OS who lives, which notices what leaves no file: a shim that was killed.
 * Guarantees: each run that was started ends once, with `listener.ended`, unless `close` came first.
 * Not here: from one phase to the next (run-follower.ts), OS signals (run-signal.ts), what the shim does (shim-script.ts).
 *
 * @module
 */
import { mkdirSync, rmSync } from "node:fs";
import type { Milliseconds, Platform } from "../../base/platform.ts";
import type { Home } from "../home.ts";
import type { Recorder } from "../log/recorder.ts";
import { bootId, isAlive, isSurelyAlive } from "../os-identity.ts";
import { newRun, recordOf, type ActiveRun } from "./active-run.ts";
import * as files from "./run-files.ts";
import type { RunRecord } from "./run-files.ts";
import { ListenHolders, type ListenPlace } from "./listen-holder.ts";
import { RunFollower } from "./run-follower.ts";
import { RunInput } from "./run-input.ts";
import { Launcher } from "./launcher.ts";
import { shimCall, shimError, shimPath, startError, type Preparation, type ShimCall } from "./run-launch.ts";
import { RunMembers } from "./run-members.ts";
import { recoverRun } from "./run-recovery.ts";
import { killRun, membersSeen, sendTo, signalRun } from "./run-signal.ts";
import type { OsIdentity, RecoveredRun, RunId, RunListener, Runs, RunSpec, RunStartError } from "./run.ts";
import { isWaiting, keepWaiting } from "./run-turn.ts";
import { watchRuns } from "./run-watch.ts";
import { installShim } from "./shim-script.ts";
import { SpareFifos } from "./spare-fifos.ts";

/** The FIFOs of every run; the shim takes the last one for a sign that it has all. */
const pipeKindsAlways: readonly files.PipeKind[] = ["out", "err", "in"];
/** How long `forget` waits for the end of a shim that was killed, in milliseconds. */
export const shimEndMs: Milliseconds = 2_000;
const shimLookMs: Milliseconds = 2;
/** What a person is told of sd_notify(3) begins with it. */
const statusWord = "STATUS=";

export interface RunsOptions {
  readonly home: Home;
  readonly listener: RunListener;
  readonly recorder: Recorder;
  readonly platform: Pick<Platform, "clock" | "log">;
  /** The daemon's own PATH, on which `setsid` and `mkfifo` are found too. Default: PATH of this OS process. */
  readonly ownPath?: string;
  /** What limits, user and group need; asked at each start. Rejects with a RunStartError. */
  readonly prepare?: (spec: RunSpec) => Preparation | Promise<Preparation>;
}

/** Makes the folders of the home that runs need. Nothing is watched before `recover`. */
export function openRuns(options: RunsOptions): Runs {
  const { home } = options;
  for (const folder of [home.root, home.runs, home.pipes, home.spare])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  installShim(home);
  return new HomeRuns(options);
}

class HomeRuns implements Runs {
  readonly #home: Home;
  readonly #listener: RunListener;
  readonly #recorder: Recorder;
  readonly #platform: Pick<Platform, "clock" | "log">;
  readonly #ownPath: string;
  readonly #prepare: NonNullable<RunsOptions["prepare"]>;
  readonly #runs = new Map<RunId, ActiveRun>();
  readonly #launcher: Launcher;
  readonly #holders: ListenHolders;
  readonly #members: RunMembers;
  readonly #follower: RunFollower;
  readonly #spare: SpareFifos;
  #watching: (() => void) | undefined;
  #stopNotes: (() => void) | undefined;
  #recovery: Promise<unknown> | undefined;
  #untold: ((listener: RunListener) => void)[] | undefined;
  #closed = false;

  constructor(options: RunsOptions) {
    this.#home = options.home;
    this.#listener = options.listener;
    this.#recorder = options.recorder;
    this.#platform = options.platform;
    this.#members = new RunMembers(options.home.root);
    this.#follower = new RunFollower({ ...options, members: this.#members, tell: (what) => this.#tell(what) });
    this.#ownPath = options.ownPath ?? process.env["PATH"] ?? "";
    const path = shimPath(this.#ownPath);
    this.#launcher = new Launcher(options.home, path);
    this.#holders = new ListenHolders(options.home, options.platform.clock, path);
    this.#prepare = options.prepare ?? (() => ({}));
    this.#spare = new SpareFifos(options.home.spare, path);
  }

  recover(): Promise<readonly RecoveredRun[]> {
    const recovery = this.#recover();
    this.#recovery = recovery.catch(() => {});
    return recovery;
  }

  async start(spec: RunSpec): Promise<OsIdentity> {
    await this.#recovery; // which would take what is being started for something that never began
    this.#watch();
    const preparation = await this.#prepare(spec);
    const call = shimCall(this.#home, spec, preparation, this.#ownPath);
    const run = this.#add(recordOf(spec, preparation, this.#platform.clock.wallMs()));
    try {
      if (spec.isStandby === true) keepWaiting(this.#home, spec.id);
      files.writeRecord(this.#home, run.record);
      this.#spare.take(pipeKindsAlways.map((kind) => files.pipeFile(this.#home, spec.id, kind)));
      await this.#launch(run, call, spec);
      this.#follower.limitBeginning(run);
      this.#follower.look(run);
      const failure = await run.beginning;
      this.#launcher.began(spec.id);
      if (failure !== undefined) throw failure;
      // The first look reads every environment; a turn is not to wait for that. One that the OS refuses is made at the turn.
      if (spec.isStandby === true) this.#members.look().catch(() => {});
      return run.identity!;
    } catch (error) {
      this.#launcher.began(spec.id);
      if (run.shim === undefined && (error as RunStartError).code === "ETIMEDOUT") this.#launcher.renew();
      await this.#follower.giveUp(run);
      this.#runs.delete(spec.id);
      removeQuietly(this.#home, spec.id);
      throw startError(error, spec);
    }
  }

  promote(id: RunId): void {
    const run = this.#runs.get(id);
    if (run !== undefined && run.phase !== "ended" && isWaiting(this.#home, run.record))
      this.#follower.letTurnCome(run);
  }

  signal(id: RunId, name: string): void {
    const run = this.#runs.get(id);
    if (run !== undefined) signalRun(run, name);
  }

  kill(id: RunId): void {
    const run = this.#runs.get(id);
    if (run !== undefined) killRun(run, this.#members);
  }

  async write(id: RunId, text: string): Promise<void> {
    const run = this.#runs.get(id);
    if (run?.phase !== "running") throw new Error("nothing runs that could read it");
    if (run.record.stdin === "null") throw new Error('the service has no input; its config says stdin: "null"');
    run.input ??= new RunInput(files.pipeFile(this.#home, id, "in"), this.#platform.clock);
    await run.input.write(text);
  }

  heldListens(): readonly ListenPlace[] {
    return this.#holders.places();
  }

  releaseListen(port: number, host: string): void {
    this.#holders.release({ port, host });
  }

  members(id: RunId): readonly number[] {
    const run = this.#runs.get(id);
    if (run === undefined || run.phase === "ended") return [];
    return membersSeen(() => this.#members.lookThisTurn(), run).map(({ osPid }) => osPid);
  }

  isRunning(id: RunId): boolean {
    const identity = this.#runs.get(id)?.identity;
    return (identity !== undefined && isAlive(identity)) || this.members(id).length > 0;
  }

  async forget(id: RunId): Promise<void> {
    this.#runs.delete(id);
    const shim = files.readIdentity(files.runFile(this.#home, id, "shim"), bootId() ?? "");
    // It holds what the run wrote until now.
    if (shim !== undefined && isSurelyAlive(shim)) sendTo(shim.osPid, "SIGKILL");
    files.removeRun(this.#home, id);
    if (shim !== undefined) await this.#untilDead(shim);
  }

  /** SIGKILL comes before the end itself. */
  async #untilDead(identity: OsIdentity): Promise<void> {
    const { clock } = this.#platform;
    const dueMs = clock.monotonicMs() + shimEndMs;
    while (isAlive(identity) && clock.monotonicMs() < dueMs)
      await new Promise<void>((resolve) => void clock.timer(shimLookMs, resolve));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watching?.();
    this.#stopNotes?.();
    this.#runs.clear();
    this.#launcher.close();
    await this.#spare.close();
  }

  async #recover(): Promise<readonly RecoveredRun[]> {
    this.#untold = [];
    this.#spare.fill();
    this.#watch();
    const found: Promise<RecoveredRun>[] = [];
    for (const record of files.recordsIn(this.#home))
      found.push(recoverRun(this.#home, this.#add(record), this.#follower));
    const recovered = await Promise.all(found);
    this.#platform.clock.timer(0, () => this.#tellAll());
    return recovered;
  }

  /** Has the shim started, by who has the socket when there is one. */
  async #launch(run: ActiveRun, call: ShimCall, spec: RunSpec): Promise<void> {
    const [place] = spec.listen;
    if (place !== undefined) return this.#holders.start(place, call);
    return this.#launcher.start(spec.id, call, ({ status, problem }) => {
      if (!this.#closed) this.#follower.shimEnded(run, shimError(spec, status, problem));
    });
  }

  #add(record: RunRecord): ActiveRun {
    const run = newRun(record);
    this.#runs.set(record.id, run);
    return run;
  }

  #watch(): void {
    if (this.#watching !== undefined || this.#closed) return;
    this.#stopNotes = this.#recorder.onNote((id, note) => this.#note(id, note));
    this.#watching = watchRuns(this.#home.runs, this.#platform, {
      changed: (id) => {
        const run = this.#runs.get(id);
        if (run !== undefined) this.#follower.look(run);
      },
      poll: () => {
        for (const run of this.#runs.values()) this.#follower.check(run);
      },
    });
  }

  #note(id: RunId, note: string): void {
    if (!this.#runs.has(id)) return;
    // What else there is, such as BARRIER=1 and MAINPID, is for whoever runs the protocol and not for people.
    for (const line of note.split("\n")) {
      if (line.startsWith(statusWord)) this.#tell((listener) => listener.status(id, line.slice(statusWord.length)));
    }
  }

  /** What happens during `recover` is told after its answer, which says that the run runs. */
  #tell(what: (listener: RunListener) => void): void {
    if (this.#closed) return;
    if (this.#untold === undefined) what(this.#listener);
    else this.#untold.push(what);
  }

  #tellAll(): void {
    const untold = this.#untold ?? [];
    this.#untold = undefined;
    for (const what of untold) this.#tell(what);
  }
}

/** What cannot be removed is found by the next daemon; what kept the run from being started is told, and not this. */
function removeQuietly(home: Home, id: RunId): void {
  const all = (): void => files.removeRun(home, id);
  const specAlone = (): void => rmSync(files.runFile(home, id, "spec"), { force: true });
  for (const remove of [all, specAlone]) {
    try {
      return remove();
    } catch {
      // The next one.
    }
  }
}
