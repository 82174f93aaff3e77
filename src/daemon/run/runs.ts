/**
 * Runs: the OS processes of one home, over the death of the daemon. It implements the contract in run.ts.
 *
 * What is on disk decides; this OS process only watches it and keeps what can be read again. A change of `runs/` wakes it
 * at once; each `pollMs` it also asks the OS who lives, which notices what leaves no file: a shim that was killed.
 * Guarantees: each run that was started ends once, with `listener.ended`, unless `close` came first. An OS signal goes
 * only to an OS process whose pid and start ticks are those of the run, or that is in its group, or has its mark.
 * Limits: between that look and kill(2) a pid could in theory become somebody else's; Linux has a remedy (pidfd), Node has
 * none. A service whose shim is killed goes on, but nobody sees its exit status.
 *
 * @module
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import type { Milliseconds, Platform } from "../../base/platform.ts";
import type { Home } from "../home.ts";
import type { Recorder } from "../log/recorder.ts";
import { bootId, isAlive } from "../os-identity.ts";
import { newRun, ownerOf, recordedRun, recordOf, type ActiveRun } from "./active-run.ts";
import * as files from "./run-files.ts";
import type { RunRecord } from "./run-files.ts";
import { ListenHolders, type ListenPlace } from "./listen-holder.ts";
import { RunInput } from "./run-input.ts";
import {
  launchShim,
  shimCall,
  shimError,
  shimPath,
  startError,
  type Preparation,
  type ShimCall,
} from "./run-launch.ts";
import { RunMembers, type Member } from "./run-members.ts";
import { stopLeftovers } from "./run-leftovers.ts";
import {
  RunStartError,
  type OsIdentity,
  type RecoveredRun,
  type RunEnd,
  type RunId,
  type RunListener,
  type Runs,
  type RunSpec,
} from "./run.ts";
import { isWaiting, keepWaiting, tellTurn } from "./run-turn.ts";
import { watchRuns } from "./run-watch.ts";
import { installShim } from "./shim-script.ts";
import { SpareFifos } from "./spare-fifos.ts";

/** How long a shim may take until its service runs, in milliseconds; then the start has failed. */
export const startMs: Milliseconds = 15_000;
/** The FIFOs of every run; the shim takes the last one for a sign that it has all. */
const pipeKindsAlways: readonly files.PipeKind[] = ["out", "err", "in"];
/** How long the end of a run waits for the recorder to have read all, in milliseconds. */
export const drainMs: Milliseconds = 5_000;

/** How long `forget` waits for the end of a shim that was killed, in milliseconds. */
export const shimEndMs: Milliseconds = 2_000;
const shimLookMs: Milliseconds = 2;

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
  readonly #holders: ListenHolders;
  readonly #members: RunMembers;
  readonly #spare: SpareFifos;
  #watching: (() => void) | undefined;
  #stopNotes: (() => void) | undefined;
  #recovery: Promise<unknown> | undefined;
  #untold: (() => void)[] | undefined;
  #closed = false;

  constructor(options: RunsOptions) {
    this.#home = options.home;
    this.#listener = options.listener;
    this.#recorder = options.recorder;
    this.#platform = options.platform;
    this.#members = new RunMembers(options.home.root);
    this.#holders = new ListenHolders(options.home, options.platform.clock);
    this.#ownPath = options.ownPath ?? process.env["PATH"] ?? "";
    this.#prepare = options.prepare ?? (() => ({}));
    this.#spare = new SpareFifos(options.home.spare, shimPath(this.#ownPath));
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
      const release = await this.#launch(run, call, spec);
      this.#limitBeginning(run);
      this.#look(run);
      const failure = await run.beginning;
      release();
      if (failure !== undefined) throw failure;
      return run.identity!;
    } catch (error) {
      await this.#giveUp(run);
      this.#runs.delete(spec.id);
      removeQuietly(this.#home, spec.id);
      throw startError(error, spec);
    }
  }

  promote(id: RunId): void {
    const run = this.#runs.get(id);
    if (run === undefined || run.phase === "ended" || !isWaiting(this.#home, run.record)) return;
    this.#letTurnCome(run);
  }

  signal(id: RunId, name: string): void {
    const run = this.#runs.get(id);
    if (run?.identity === undefined || run.phase !== "running" || !isAlive(run.identity)) return;
    if (sendTo(-run.identity.osPid, name) === "absent") sendTo(run.identity.osPid, name);
  }

  kill(id: RunId): void {
    const run = this.#runs.get(id);
    if (run === undefined || run.phase === "ended") return;
    run.isKilled = true;
    this.signal(id, "SIGKILL");
    if (run.record.cgroup !== undefined) killCgroup(run.record.cgroup);
    for (const { osPid } of this.#members.lookNow().membersOf(ownerOf(run))) sendTo(osPid, "SIGKILL");
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
    return this.#members
      .lookThisTurn()
      .membersOf(ownerOf(run))
      .map(({ osPid }) => osPid);
  }

  async forget(id: RunId): Promise<void> {
    this.#runs.delete(id);
    const shim = files.readIdentity(files.runFile(this.#home, id, "shim"), bootId() ?? "");
    // It holds what the run wrote until now.
    if (shim !== undefined && isAlive(shim)) sendTo(shim.osPid, "SIGKILL");
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
    await this.#spare.close();
  }

  async #recover(): Promise<readonly RecoveredRun[]> {
    this.#untold = [];
    this.#spare.fill();
    this.#watch();
    const found: Promise<RecoveredRun>[] = [];
    for (const record of files.recordsIn(this.#home)) found.push(this.#recoverRun(record));
    const recovered = await Promise.all(found);
    this.#platform.clock.timer(0, () => this.#tellAll());
    return recovered;
  }

  /** Starts the shim, or has it started by who has the socket. Returns what is called when it has begun. */
  async #launch(run: ActiveRun, call: ShimCall, spec: RunSpec): Promise<() => void> {
    const [place] = spec.listen;
    if (place !== undefined) {
      await this.#holders.start(place, call);
      return () => {};
    }
    const shim = await launchShim(call, spec);
    void shim.ended.then(({ status, problem }) => this.#shimEnded(run, shimError(spec, status, problem)));
    return () => shim.release();
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
        if (run !== undefined) this.#look(run);
      },
      poll: () => {
        for (const run of this.#runs.values()) this.#check(run);
      },
    });
  }

  /** Goes on as far as the files say. */
  #look(run: ActiveRun): void {
    const { id, bootId } = run.record;
    run.shim ??= files.readIdentity(files.runFile(this.#home, id, "shim"), bootId);
    if (run.phase === "starting") {
      if (existsSync(files.runFile(this.#home, id, "notify"))) this.#attach(run);
      run.identity = files.readIdentity(files.runFile(this.#home, id, "pid"), bootId);
      if (run.identity === undefined) return;
      run.phase = "running";
      // What a standby writes waits in its pipes, and comes first when its turn has come.
      if (!isWaiting(this.#home, run.record)) this.#attach(run);
      run.began();
      if (run.isKilled) this.kill(id);
    }
    if (run.phase !== "running") return;
    if (!run.isReady && existsSync(files.runFile(this.#home, id, "ready"))) {
      run.isReady = true;
      this.#tell(() => this.#listener.ready(id));
    }
    const end = files.readExit(this.#home, id);
    if (end !== undefined) void this.#finish(run, end);
  }

  /** What no file says: who lives. */
  #check(run: ActiveRun): void {
    this.#look(run);
    if (run.isTurnDue) this.#letTurnCome(run);
    if (run.shim === undefined || isAlive(run.shim)) return;
    this.#look(run); // it may have written its last file between the two looks
    if (run.phase === "starting") run.began(new RunStartError(lostBeforeBegin, "EIO", true));
    if (run.phase === "running" && !isAlive(run.identity!)) void this.#finish(run, this.#lost(lostShim));
  }

  /** Tells a standby; when the OS does not permit it now, at the next look. */
  #letTurnCome(run: ActiveRun): void {
    run.isTurnDue = true;
    this.#attach(run);
    tellTurn(this.#home, run.record.id, this.#platform.clock).then(
      () => (run.isTurnDue = false),
      (error: unknown) =>
        this.#log("warning", `${run.record.id} is told again that its turn has come: ${String(error)}`),
    );
  }

  #shimEnded(run: ActiveRun, error: RunStartError): void {
    if (this.#closed) return;
    this.#look(run);
    if (run.phase === "starting") run.began(error);
    else this.#check(run);
  }

  #limitBeginning(run: ActiveRun): void {
    const sentence = `${run.record.argv[0]} could not be started: its shim did not get to it within ${startMs} ms`;
    const cancel = this.#platform.clock.timer(startMs, () => run.began(new RunStartError(sentence, "ETIMEDOUT", true)));
    void run.beginning.then(cancel);
  }

  /** After this, the run does not begin any more, and nothing of it is left. */
  async #giveUp(run: ActiveRun): Promise<void> {
    run.phase = "ended";
    try {
      files.tryClaim(this.#home, run.record.id);
    } catch {
      // The disk is full: then no shim has claimed it either, and its spec is removed.
    }
    const shim = run.shim ?? files.readIdentity(files.runFile(this.#home, run.record.id, "shim"), run.record.bootId);
    if (shim !== undefined && isAlive(shim)) sendTo(shim.osPid, "SIGKILL");
    await this.#stopLeftovers(run, "SIGKILL");
    // The recorder may have opened what belongs to it already.
    if (run.isAttached) this.#recorder.drained(run.record.id, drainMs).catch(() => {});
  }

  async #finish(run: ActiveRun, end: RunEnd): Promise<void> {
    const { id } = run.record;
    run.phase = "ending";
    this.#attach(run); // a standby's last words are read too
    await this.#stopLeftovers(run, run.isKilled ? "SIGKILL" : "SIGTERM");
    await this.#recorder.drained(id, drainMs).catch((error: unknown) => this.#log("error", `${id}: ${String(error)}`));
    run.phase = "ended";
    this.#tell(() => this.#listener.ended(id, end));
  }

  #stopLeftovers(run: ActiveRun, first: NodeJS.Signals): Promise<void> {
    const { id } = run.record;
    const look = async (): Promise<readonly Member[]> => (await this.#members.look()).membersOf(ownerOf(run));
    return stopLeftovers({ look, first, group: run.identity?.osPid, clock: this.#platform.clock }).then((left) => {
      if (left > 0) this.#log("error", `${id} has ended, but ${left} of its OS processes still run after SIGKILL`);
    });
  }

  async #recoverRun(record: RunRecord): Promise<RecoveredRun> {
    const { id, service, instance, startedAt } = record;
    const run = this.#add(record);
    const end = await this.#recoveredEnd(run);
    const standby = isWaiting(this.#home, record) ? ({ isStandby: true } as const) : {};
    const of = { id, service, instance, startedAt, ...standby };
    // The daemon before may have been killed before it told it.
    if (end === undefined && record.isStandby === true && of.isStandby !== true) this.#letTurnCome(run);
    if (end === undefined) return { ...of, state: "running", identity: run.identity!, isReady: run.isReady };
    run.phase = "ended";
    const isBlameless = end.lost === lostBoot || end.lost === neverBegan;
    return {
      ...of,
      state: "ended",
      end,
      isBlameless,
      ...(run.identity === undefined ? {} : { identity: run.identity }),
    };
  }

  /** How it ended; undefined while it runs. */
  async #recoveredEnd(run: ActiveRun): Promise<RunEnd | undefined> {
    const { id, bootId: boot } = run.record;
    run.identity = files.readIdentity(files.runFile(this.#home, id, "pid"), boot);
    run.shim = files.readIdentity(files.runFile(this.#home, id, "shim"), boot);
    run.isReady = existsSync(files.runFile(this.#home, id, "ready"));
    if (boot !== (bootId() ?? "")) return files.readExit(this.#home, id) ?? this.#lost(lostBoot);
    if (files.tryClaim(this.#home, id)) return this.#lost(neverBegan);
    if (run.identity === undefined) {
      this.#limitBeginning(run);
      this.#check(run);
      if (run.shim === undefined) return this.#lost(neverBegan); // an earlier daemon has claimed it
      const failure = await run.beginning;
      if (failure === undefined) return undefined;
      await this.#giveUp(run);
      return this.#lost(neverBegan);
    }
    // While the phase is this, no file wakes anybody: the end found here is told here alone.
    run.phase = "ending";
    const isServiceAlive = isAlive(run.identity);
    const end = files.readExit(this.#home, id);
    if (end === undefined && (isServiceAlive || (run.shim !== undefined && isAlive(run.shim)))) {
      run.phase = "running";
      if (!isWaiting(this.#home, run.record)) this.#attach(run);
      return undefined;
    }
    // With nobody who holds its pipes there is nothing left to read.
    if (run.shim !== undefined && isAlive(run.shim)) this.#attach(run);
    await this.#stopLeftovers(run, "SIGTERM");
    await this.#recorder.drained(id, drainMs).catch((error: unknown) => this.#log("error", `${id}: ${String(error)}`));
    return end ?? files.readExit(this.#home, id) ?? this.#lost(lostShim);
  }

  #attach(run: ActiveRun): void {
    if (run.isAttached) return;
    run.isAttached = true;
    const attached = this.#recorder.attach(recordedRun(this.#home, run.record));
    attached.catch((error: unknown) => {
      run.isAttached = false;
      // A service whose notify socket is not there could never say that it is ready.
      const isNeeded = run.record.readiness?.kind === "notify";
      if (isNeeded) run.began(new RunStartError(String((error as Error).message), "EIO", true));
      this.#log("error", `what ${run.record.id} writes is not recorded: ${String(error)}`);
    });
  }

  #note(id: RunId, note: string): void {
    if (!this.#runs.has(id)) return;
    for (const line of note.split("\n")) {
      if (line !== "" && line !== "READY=1") this.#tell(() => this.#listener.status(id, line));
    }
  }

  /** What happens during `recover` is told after its answer, which says that the run runs. */
  #tell(what: () => void): void {
    if (this.#closed) return;
    if (this.#untold === undefined) what();
    else this.#untold.push(what);
  }

  #tellAll(): void {
    const untold = this.#untold ?? [];
    this.#untold = undefined;
    for (const what of untold) this.#tell(what);
  }

  #lost(why: string): RunEnd {
    return { code: null, signal: null, at: this.#platform.clock.wallMs(), lost: why };
  }

  #log(level: "warning" | "error", message: string): void {
    this.#platform.log(level, message);
  }
}

const lostBoot = "the machine was restarted";
const neverBegan = "the daemon ended before it began";
const lostBeforeBegin = "its shim was killed before it began";
const lostShim = "its shim was killed, so nobody saw how it ended";

function removeQuietly(home: Home, id: RunId): void {
  try {
    files.removeRun(home, id);
  } catch {
    // The next daemon finds it and removes it.
    rmSync(files.runFile(home, id, "spec"), { force: true });
  }
}

/** SIGKILL to everything in it at once, so that nothing forks away; since Linux 5.14. */
function killCgroup(cgroup: string): void {
  try {
    writeFileSync(`${cgroup}/cgroup.kill`, "1");
  } catch {
    // Then its members get theirs one by one.
  }
}

/** kill(2); a negative pid is a group. */
function sendTo(osPid: number, name: string): "sent" | "absent" | "refused" {
  try {
    process.kill(osPid, name);
    return "sent";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? "absent" : "refused";
  }
}
