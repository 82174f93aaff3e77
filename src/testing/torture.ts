/**
 * Torture: a property against the real operating system: real carriers, real kills, real full disks.
 *
 * A property is the same as for `simulate`. Given as an object it runs in this OS process, and processes and their carriers
 * are struck; given as a file (`propertyFile`) its system runs in an OS process of its own, which is also killed and started
 * again on the same folder, and struck by whatever this machine can do (injector-table.ts).
 * Guarantees: a fault that cannot be injected here is in the report as skipped, with what it needs, and never counts as
 * passed. All that is done to the machine is undone, and all that was started ends, also when this OS process is killed
 * meanwhile: guards see to it. Times are monotonic, and every wait has a limit.
 * Unlike `simulate`: a seed gives the same faults at the same times, not the same run; nothing is shrunk; `always` sees what
 * happened up to a moment, not every event. The plan's `swarm` means nothing.
 * Not here: what a run checks (property-run.ts).
 *
 * @module
 */
import { randomInt, randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Milliseconds } from "../base/platform.ts";
import { faults as faultFacts, type FaultName } from "../faults/fault.ts";
import { checkCampaign, CampaignError } from "../sim/campaign-check.ts";
import { mix, SeededChoices } from "../sim/choices.ts";
import { startTicks } from "../os/process-sample.ts";
import type { Plan, Property } from "../sim/property.ts";
import { guardLimitMsMax } from "./guard.ts";
import { holdFolder } from "./held-folder.ts";
import { injectors as allInjectors, injectorsFor, probeOnce } from "./injector-table.ts";
import { openInjectors, type Arsenal, type Injector, type Strike, type Target } from "./injector.ts";
import { PropertyRun, type RealSystem, type RunNotice, type RunningProperty } from "./property-run.ts";
import { startSweeper } from "./sweep.ts";
import { SystemProcess, type PropertyFile } from "./system-process.ts";
import { tellTorture, TortureError, storyLinesMax, type Skipped, type TortureReport } from "./torture-report.ts";
import { schedule, type PlannedStrike } from "./torture-schedule.ts";

/** Seconds that a torture takes unless told otherwise. */
export const tortureSecondsDefault = 10;
/** How long a system may take until its setup has returned, in milliseconds. */
export const setupMsMax: Milliseconds = 60_000;
/** How long a workload may go on after the faults, unless told otherwise. */
export const workloadMsDefault: Milliseconds = 60_000;
/** How long faults that last stay in force, unless told otherwise: drawn between the two. */
export const faultMsDefault: readonly [Milliseconds, Milliseconds] = [100, 1000];
/** From a setup that failed after a restart to the next try. */
const setupAgainMs: Milliseconds = 500;
/** Milliseconds between two looks at `always` in which nothing was seen to happen. */
export const checkEveryMsDefault: Milliseconds = 50;

export interface TortureOptions {
  /** Runs are begun until so much time is over; default `tortureSecondsDefault`. At least one is. */
  readonly seconds?: number;
  /** The same in minutes. */
  readonly minutes?: number;
  /** At most so many runs; default: as many as fit. */
  readonly runs?: number;
  /** Of the first run; default: another each time, and the report says which. */
  readonly seed?: number;
  readonly checkEveryMs?: Milliseconds;
  /** How long faults that last stay in force. */
  readonly faultMs?: readonly [fromMs: Milliseconds, toMs: Milliseconds];
  readonly workloadMs?: Milliseconds;
  /** Default: all that colos has. */
  readonly injectors?: readonly Injector[];
  /** Pass although a label of `sometimes` was never reached; default false. */
  readonly allowWeak?: boolean;
}

/** What a torture needs of colos as a whole. */
export interface TortureHost {
  /** A kernel with all carriers, and files and network of the host. */
  createSystem(directory: string): RealSystem;
  /** The first file of the OS process that a property in a file runs in. */
  readonly entry: URL;
}

/** Names the property that a file exports, so that its system can run in an OS process of its own. */
export function propertyFile(url: string, name = "property"): PropertyFile {
  if (!url.startsWith("file:"))
    throw new CampaignError(`a property's file is a file: URL (import.meta.url), not "${url}"`);
  return { url, name };
}

/**
 * Runs `property` for real under `plan`.
 * @throws TortureError when it does not hold or is weak; CampaignError for bad use.
 */
export async function tortureOn<System>(
  host: TortureHost,
  property: Property<System> | PropertyFile,
  plan: Plan = {},
  options: TortureOptions = {},
): Promise<TortureReport> {
  check(property, plan, options);
  const report = await new Torture(host, property as Property<unknown> | PropertyFile, plan, options).run();
  const isWeak = report.neverSeen.length > 0 && options.allowWeak !== true;
  if (!report.ok || isWeak) throw new TortureError(tellTorture(report), report);
  return report;
}

function check<System>(property: Property<System> | PropertyFile, plan: Plan, options: TortureOptions): void {
  const { at = [], ...rest } = plan;
  // Unlike a simulated run, a real one can have any fault at a time.
  const some: Property<unknown> = { name: "file", setup: () => undefined, workload: () => undefined };
  checkCampaign("url" in property ? some : (property as Property<unknown>), rest, {});
  for (const { atMs, fault } of at) {
    if (!Object.hasOwn(faultFacts, fault)) throw new CampaignError(`there is no fault "${String(fault)}"`);
    if (!(atMs >= 0)) throw new CampaignError(`at: ${fault} strikes at milliseconds from 0 on, not ${String(atMs)}`);
  }
  const { seconds, minutes, faultMs = faultMsDefault } = options;
  for (const [name, value] of Object.entries({ seconds, minutes })) {
    if (value !== undefined && !(value > 0)) throw new CampaignError(`${name} is a number above 0, not ${value}`);
  }
  if (!(faultMs[0] > 0 && faultMs[1] >= faultMs[0] && faultMs[1] <= guardLimitMsMax)) {
    throw new CampaignError(`faultMs goes from ${faultMs[0]} to ${faultMs[1]} ms, and must go up from above 0`);
  }
}

/** How a fault of the plan is injected here. */
type Way =
  | { readonly kind: "process" }
  | { readonly kind: "system" }
  | { readonly kind: "carrier"; readonly injector: Injector }
  | { readonly kind: "ground"; readonly injector: Injector };

/** All runs. */
class Torture {
  readonly #host: TortureHost;
  readonly #property: Property<unknown> | PropertyFile;
  readonly #plan: Plan;
  readonly #options: TortureOptions;
  readonly #ways = new Map<FaultName, Way>();
  readonly #skipped = new Map<FaultName, string>();
  readonly #tally: Tally = { struck: new Map(), missed: new Map(), labels: new Set(), wanted: [], restartsCount: 0 };

  constructor(host: TortureHost, property: Property<unknown> | PropertyFile, plan: Plan, options: TortureOptions) {
    this.#host = host;
    this.#property = property;
    this.#plan = plan;
    this.#options = options;
  }

  async run(): Promise<TortureReport> {
    const { seconds, minutes, runs = Infinity, seed = randomInt(1, 2 ** 31) } = this.#options;
    const limitMs = ((seconds ?? 0) + (minutes ?? 0) * 60 || tortureSecondsDefault) * 1000;
    await this.#findWays();
    const beganMs = performance.now();
    let runsCount = 0;
    let failure: TortureReport["failure"];
    do {
      const leftMs = Math.max(1, limitMs - (performance.now() - beganMs));
      const run = new TortureRun(this.#host, this.#property, {
        ...{ plan: this.#plan, options: this.#options, ways: this.#ways, tally: this.#tally },
        ...{ seed: seed + runsCount, windowMaxMs: leftMs },
      });
      failure = await run.run();
      runsCount += 1;
    } while (failure === undefined && runsCount < runs && performance.now() - beganMs < limitMs);
    return this.#report(seed, runsCount, performance.now() - beganMs, failure);
  }

  #report(seed: number, runsCount: number, elapsedMs: number, failure: TortureReport["failure"]): TortureReport {
    const { struck, missed, labels, restartsCount, wanted } = this.#tally;
    // A carrier that no run had is no fault that was survived.
    for (const [fault, way] of this.#ways) {
      const isAbsent = !struck.has(fault) && missed.get(fault)?.reason === noTarget;
      if (!isAbsent || failure !== undefined) continue;
      const what =
        way.kind === "process" ? "a process that targets allows" : "a process on the carrier os-process or command";
      this.#skipped.set(fault, what);
      missed.delete(fault);
    }
    const skipped: Skipped[] = [...this.#skipped].map(([fault, needs]) => ({ fault, needs }));
    const tested = [...this.#ways.keys()].filter((fault) => !this.#skipped.has(fault));
    return {
      property: this.#property.name,
      ok: failure === undefined,
      ...{ seed, runsCount, elapsedMs, restartsCount, skipped },
      struck: Object.fromEntries(tested.map((fault) => [fault, struck.get(fault) ?? 0])),
      missed: [...missed].map(([fault, { count, reason }]) => ({ fault, count, reason })),
      neverSeen: failure === undefined ? wanted.filter((label) => !labels.has(label)) : [],
      ...(failure === undefined ? {} : { failure }),
    };
  }

  async #findWays(): Promise<void> {
    const rated = Object.entries(this.#plan.faults ?? {}).filter(([, rate]) => rate > 0);
    const wanted = new Set([
      ...rated.map(([fault]) => fault as FaultName),
      ...(this.#plan.at ?? []).map(({ fault }) => fault),
    ]);
    for (const fault of wanted) {
      const way = await this.#wayOf(fault);
      if (typeof way === "string") this.#skipped.set(fault, way);
      else this.#ways.set(fault, way);
    }
  }

  /** How to inject it, or what that needs. */
  async #wayOf(fault: FaultName): Promise<Way | string> {
    if (fault === "kill" || fault === "crash") return { kind: "process" };
    const candidates = injectorsFor(fault, this.#options.injectors ?? allInjectors);
    if (candidates.length === 0) return "a simulated machine (simulate)";
    const { layer } = faultFacts[fault];
    const isFile = "url" in this.#property;
    if (layer !== "carrier" && !isFile)
      return "the property in a file (propertyFile), whose system is an OS process of its own";
    const reasons: string[] = [];
    for (const injector of candidates) {
      const probe = await probeOnce(injector);
      if (probe.works)
        return layer === "system" ? { kind: "system" } : { kind: layer === "carrier" ? "carrier" : "ground", injector };
      const debian = injector.debianPackage === undefined ? "" : `, Debian package ${injector.debianPackage}`;
      reasons.push(`${injector.needs}${debian} (${probe.reason})`);
    }
    return reasons.join("; or ");
  }
}

/**
 * How long a strike waits for somebody to strike, and how often it looks, in milliseconds. It looks `targetLooksMin` times, as many as fit, also
 * where a busy machine makes each look take longer; but no longer than `targetLateMsMax`.
 */
const targetMsMax: Milliseconds = 500;
const targetAgainMs: Milliseconds = 25;
const targetLooksMin = 20;
const targetLateMsMax: Milliseconds = 10_000;
const noTarget = "there was nothing to strike";

/** What all runs together came to. */
interface Tally {
  readonly struck: Map<FaultName, number>;
  readonly missed: Map<FaultName, { count: number; reason: string }>;
  readonly labels: Set<string>;
  /** What the property wants to reach. */
  wanted: readonly string[];
  restartsCount: number;
}

interface RunOrder {
  readonly plan: Plan;
  readonly options: TortureOptions;
  readonly ways: ReadonlyMap<FaultName, Way>;
  readonly tally: Tally;
  readonly seed: number;
  readonly windowMaxMs: Milliseconds;
}

/** One run. */
class TortureRun {
  readonly #host: TortureHost;
  readonly #property: Property<unknown> | PropertyFile;
  readonly #order: RunOrder;
  readonly #choices: SeededChoices;
  readonly #counts = new Map<string, number>();
  readonly #story: { atMs: Milliseconds; subject: string; what: string }[] = [];
  /** In force, each with its injector, which does one thing at a time. */
  readonly #lasting = new Map<Strike, Injector>();
  readonly #waiting = new Set<() => void>();
  #directory = "";
  #beganMs = 0;
  #arsenal: Arsenal | undefined;
  #running: RunningProperty | undefined;
  #startsCount = 0;
  #isReady = false;
  #isWorked = false;
  /** Its end with SIGKILL is what we did. */
  #mayEnd = false;
  #isOver = false;
  #failure: TortureReport["failure"];

  constructor(host: TortureHost, property: Property<unknown> | PropertyFile, order: RunOrder) {
    this.#host = host;
    this.#property = property;
    this.#order = order;
    this.#choices = new SeededChoices(order.seed);
  }

  async run(): Promise<TortureReport["failure"]> {
    const parent = await holdFolder("colos-torture-");
    this.#directory = join(parent.path, "home");
    const mark = randomUUID();
    // Ends what the system left behind, also when nobody is there to do it.
    const sweeper = await startSweeper(mark, parent.path);
    await mkdir(this.#directory);
    try {
      await this.#torture(mark);
    } catch (thrown) {
      this.#fail("torture", thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      this.#isOver = true;
      await this.#end();
      await sweeper
        .undo()
        .catch((error: Error) => this.#fail("torture", `not everything was cleaned up: ${error.message}`));
      await parent.release();
    }
    return this.#failure;
  }

  async #torture(mark: string): Promise<void> {
    const { plan, options, ways, windowMaxMs } = this.#order;
    const [fromMs, toMs] = plan.window ?? [0, 10_000];
    const window: [number, number] = [Math.min(fromMs, windowMaxMs), Math.min(toMs, windowMaxMs)];
    const forMs = options.faultMs ?? faultMsDefault;
    const strikes = schedule(plan, [...ways.keys()], this.#choices, { window, forMs });
    const used = new Set([...ways.values()].flatMap((way) => ("injector" in way ? [way.injector] : [])));
    this.#arsenal = await openInjectors([...used], { folder: this.#directory, limitMs: guardLimitMsMax });
    this.#beganMs = performance.now();
    await this.#start(mark);
    // The window counts from the first moment in which there is something to strike.
    this.#beganMs = performance.now();
    const lanes = new Set(strikes.map(({ fault }) => laneOf(ways.get(fault))));
    const inTurn = [...lanes].map((lane) => {
      const ofLane = strikes.filter(({ fault }) => laneOf(ways.get(fault)) === lane);
      return this.#strikeInTurn(ofLane, window[1], mark);
    });
    await Promise.all(inTurn);
    if (this.#failure !== undefined) return;
    await this.#until(() => false, window[1] - this.#nowMs());
    await Promise.all([...this.#lasting.keys()].map((strike) => strike.ended));
    await this.#untilReady();
    const workloadMs = options.workloadMs ?? workloadMsDefault;
    await this.#until(() => this.#isWorked, workloadMs);
    if (!this.#isWorked) this.#fail("workload", `it did not end within ${workloadMs} ms after the faults`);
    if (this.#failure === undefined) await this.#running?.calm();
  }

  /** One after the other: an injector does one thing at a time. */
  async #strikeInTurn(strikes: readonly PlannedStrike[], windowToMs: Milliseconds, mark: string): Promise<void> {
    for (const strike of strikes) {
      await this.#until(() => false, strike.atMs - this.#nowMs());
      await this.#untilReady();
      await this.#untilFree(strike);
      if (this.#failure !== undefined) return;
      // What had to wait for another to end may have missed its time; but every fault strikes once, however slow the machine is.
      const isFirst = !this.#order.tally.struck.has(strike.fault);
      if (this.#nowMs() > windowToMs && !strike.isFixed && !isFirst)
        this.#missed(strike.fault, "its injector was busy until the window was over");
      else await this.#strike(strike, mark);
    }
  }

  // --- the system ---

  async #start(mark: string): Promise<void> {
    this.#isReady = false;
    this.#isWorked = false;
    this.#mayEnd = false;
    this.#startsCount += 1;
    const { plan, options, seed } = this.#order;
    const checkEveryMs = options.checkEveryMs ?? checkEveryMsDefault;
    const directory = this.#directory;
    if (!("url" in this.#property)) {
      const { targets } = plan;
      const setting = {
        ...{ directory, checkEveryMs, targets },
        startedMs: 0,
        counts: this.#counts,
        choices: this.#choices,
      };
      const run = new PropertyRun(this.#property, this.#host.createSystem(directory), setting, (notice) =>
        this.#noticed(notice),
      );
      this.#running = run;
      run.start();
    } else {
      const targets = titlesOf(plan);
      const order = {
        ...{ property: this.#property, directory, checkEveryMs, targets },
        ...{ seed: mix(seed + this.#startsCount), startedMs: this.#nowMs(), counts: [...this.#counts] },
      };
      const system: SystemProcess = await SystemProcess.start(this.#host.entry, order, {
        mark,
        wrap: (start) => this.#arsenal?.wrap(start) ?? start,
        tell: (notice) => (this.#running === system ? this.#noticed(notice) : this.#noticedLate(notice)),
        nowMs: () => this.#nowMs(),
      });
      this.#running = system;
      void this.#watch(system, mark);
    }
    await this.#untilReady();
  }

  /** Starts it again when its end is our doing; another end is a failure. */
  async #watch(system: SystemProcess, mark: string): Promise<void> {
    const { code, signal } = await system.ended;
    if (this.#isOver || this.#running !== system) return;
    if (!this.#mayEnd || signal !== "SIGKILL") {
      this.#fail("system", `its OS process ended by itself with ${signal ?? `exit code ${code}`}`);
      return;
    }
    this.#isReady = false;
    this.#tell("the system", `is gone (${signal ?? `exit code ${code}`}) and is started again`);
    this.#order.tally.restartsCount += 1;
    await this.#start(mark).catch((thrown: Error) => this.#fail("system", thrown.message));
  }

  async #untilReady(): Promise<void> {
    await this.#until(() => this.#isReady, setupMsMax);
    if (!this.#isReady) this.#fail("setup", `it did not return within ${setupMsMax} ms`);
  }

  async #end(): Promise<void> {
    await Promise.allSettled([...this.#lasting.keys()].map((strike) => strike.undo()));
    await this.#running?.end().catch((error: Error) => this.#fail("end", error.message));
    await this.#arsenal?.close();
  }

  // --- faults ---

  /** Tries again for a while: who was struck before may be on its way back. */
  async #strike(strike: PlannedStrike, mark: string): Promise<void> {
    const way = this.#order.ways.get(strike.fault);
    const beganMs = this.#nowMs();
    for (let looks = 1; ; looks++) {
      // What starts up is not struck: Node ends itself when it lacks files or threads then.
      await this.#untilReady();
      if (way === undefined || this.#failure !== undefined || this.#running === undefined) return;
      const missed = await this.#tryStrike(strike, way, mark).catch((thrown: Error) => thrown.message);
      if (missed === undefined) return;
      const waitedMs = this.#nowMs() - beganMs;
      if (waitedMs >= targetLateMsMax || (waitedMs >= targetMsMax && looks >= targetLooksMin))
        return this.#missed(strike.fault, missed);
      await this.#until(() => false, targetAgainMs);
    }
  }

  /** Why it did not hit; undefined when it did. */
  #tryStrike(strike: PlannedStrike, way: Way, mark: string): Promise<string | undefined> {
    if (way.kind === "process") return this.#strikeProcess(strike);
    if (way.kind === "system") return this.#killSystem(mark);
    return this.#strikeTarget(strike, way.injector, way.kind === "carrier");
  }

  async #strikeProcess({ fault, draw, target }: PlannedStrike): Promise<string | undefined> {
    const title = await this.#running?.strike(fault as "kill" | "crash", draw, target);
    if (title === undefined) return noTarget;
    this.#hit(fault);
    return undefined;
  }

  async #killSystem(mark: string): Promise<undefined> {
    const system = this.#running as SystemProcess;
    this.#tell("the system", "is struck by kill-system");
    this.#hit("kill-system");
    // From here on nobody else starts it again.
    this.#running = undefined;
    this.#isReady = false;
    await system.kill();
    // What it said last has come with its end.
    this.#counts.set("fault.kill-system", (this.#counts.get("fault.kill-system") ?? 0) + 1);
    this.#order.tally.restartsCount += 1;
    await this.#start(mark);
  }

  async #strikeTarget(strike: PlannedStrike, injector: Injector, isCarrier: boolean): Promise<string | undefined> {
    const { fault, forMs } = strike;
    const running = this.#running;
    const found = isCarrier ? await this.#carrierTarget(strike) : this.#systemTarget();
    if (found === undefined || running === undefined || this.#arsenal === undefined) return noTarget;
    const isSystem = running instanceof SystemProcess && found.osPid === running.osPid;
    const isEnd = fault === "oom-kill";
    if (isSystem && isEnd) this.#mayEnd = true;
    const identity = startTicks(found.osPid);
    const lasting = await this.#arsenal.strike(injector, fault, found, { forMs });
    this.#tell(found.title, `is in the grip of ${fault}`);
    if (!isEnd) {
      this.#hit(fault);
      // Not awaited: who stands still hears it later.
      void running.noteFault(fault, found.title).catch(() => {});
    }
    this.#lasting.set(lasting, injector);
    void lasting.ended.then((problem) => {
      this.#lasting.delete(lasting);
      if (problem !== undefined && !this.#isOver) this.#fail("torture", `${fault} was not undone: ${problem}`);
      else this.#tell(found.title, `is free of ${fault}`);
      if (isEnd)
        this.#endedOrNot(fault, isSystem ? undefined : running, found.title, startTicks(found.osPid) !== identity);
    });
    return undefined;
  }

  /** Whether memory was short is seen by who is gone. */
  #endedOrNot(fault: FaultName, told: RunningProperty | undefined, title: string, isGone: boolean): void {
    if (!isGone) return this.#missed(fault, "the victim asked for no more memory in time");
    this.#hit(fault);
    if (told === undefined) this.#counts.set(`fault.${fault}`, (this.#counts.get(`fault.${fault}`) ?? 0) + 1);
    else void told.noteFault(fault, title).catch(() => {});
  }

  async #untilFree({ fault }: PlannedStrike): Promise<void> {
    const way = this.#order.ways.get(fault);
    if (way === undefined || !("injector" in way)) return;
    const before = [...this.#lasting].filter(([, injector]) => injector === way.injector);
    await Promise.all(before.map(([strike]) => strike.ended));
  }

  async #carrierTarget({ fault, draw, target }: PlannedStrike): Promise<(Target & { title: string }) | undefined> {
    const carriers = [...((await this.#running?.carriers()) ?? [])];
    const system = this.#systemTarget();
    // Its loss is kill-system.
    if (fault !== "carrier-loss" && system !== undefined) carriers.push(system);
    const wanted = carriers.filter(({ title }) => target === undefined || title === target);
    return wanted[draw % Math.max(1, wanted.length)];
  }

  #systemTarget(): (Target & { title: string }) | undefined {
    if (!(this.#running instanceof SystemProcess)) return undefined;
    return { title: "the system", osPid: this.#running.osPid, path: this.#directory };
  }

  #hit(fault: FaultName): void {
    const { struck } = this.#order.tally;
    struck.set(fault, (struck.get(fault) ?? 0) + 1);
  }

  #missed(fault: FaultName, reason: string): void {
    const { missed } = this.#order.tally;
    const count = (missed.get(fault)?.count ?? 0) + 1;
    missed.set(fault, { count, reason });
    this.#tell("torture", `missed with ${fault}: ${reason}`);
  }

  // --- what is told ---

  #noticed(notice: RunNotice): void {
    this.#noticedLate(notice);
    if (notice.kind === "ready") this.#isReady = true;
    else if (notice.kind === "worked") this.#isWorked = true;
    else if (notice.kind === "failed") this.#failedIn(notice);
    if (notice.kind !== "told" && notice.kind !== "counted") this.#wake();
  }

  /** After a restart a setup may fail as long as faults strike; who supervises it would try again. */
  #failedIn({ check, message }: { readonly check: string; readonly message: string }): void {
    if (check === "setup" && this.#startsCount > 1 && this.#running instanceof SystemProcess && !this.#isReady) {
      this.#tell("setup", `fails and is tried again: ${message}`);
      this.#mayEnd = true;
      const system = this.#running;
      setTimeout(() => void system.kill().catch(() => {}), setupAgainMs);
      return;
    }
    this.#fail(check, message);
  }

  /** What a system has said that is gone by now. */
  #noticedLate(notice: RunNotice): void {
    if (notice.kind === "told") this.#tell(notice.line.subject, notice.line.what);
    else if (notice.kind === "counted") this.#counts.set(notice.key, (this.#counts.get(notice.key) ?? 0) + notice.by);
    else if (notice.kind === "sometimes") this.#order.tally.labels.add(notice.label);
    else if (notice.kind === "wanted") this.#order.tally.wanted = notice.labels;
  }

  /** Another OS process began its time later; all stories are told in ours. */
  #tell(subject: string, what: string): void {
    this.#story.push({ atMs: this.#nowMs(), subject, what });
    if (this.#story.length > storyLinesMax) this.#story.shift();
  }

  #fail(check: string, message: string): void {
    this.#failure ??= { check, message, seed: this.#order.seed, atMs: this.#nowMs(), story: [...this.#story] };
    this.#wake();
  }

  // --- time ---

  #nowMs(): Milliseconds {
    return performance.now() - this.#beganMs;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Waits until it is so, something has failed, or the time is over. */
  async #until(isSo: () => boolean, limitMs: Milliseconds): Promise<void> {
    const dueMs = performance.now() + limitMs;
    while (!isSo() && this.#failure === undefined) {
      const leftMs = dueMs - performance.now();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(handle);
          this.#waiting.delete(done);
          resolve();
        };
        const handle = setTimeout(done, Math.ceil(leftMs));
        this.#waiting.add(done);
      });
    }
  }
}

/** What is done one after the other. */
function laneOf(way: Way | undefined): unknown {
  return way !== undefined && "injector" in way ? way.injector : way?.kind;
}

/** A function cannot go to another OS process. */
function titlesOf({ targets }: Plan): readonly string[] | undefined {
  if (typeof targets !== "function") return targets;
  throw new CampaignError(
    "targets is a list of titles when the property is in a file: a function stays in this OS process",
  );
}
