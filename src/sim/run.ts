/**
 * Run: one simulated run of a property, from the setup of its system to the last check.
 *
 * The phases: the setup, as a process; then the window in which faults strike, and the workload beside it; then the calm,
 * until the longest `eventually` and at least `calmMinMs`. `always`, `onSignal` and `model` hold in all of them,
 * `eventually` and `balance` in the calm.
 * After `kill-system` and `power-loss` the setup runs again on what is left, and the workload with what it gives. A setup that
 * fails then is tried again, as a service manager would.
 * Not here: many runs (campaign.ts).
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import type { Network } from "../base/network.ts";
import type { Milliseconds, Platform } from "../base/platform.ts";
import { isThenable } from "../base/thenable.ts";
import type { FaultName } from "../faults/fault.ts";
import { describeReason, type ExitReason } from "../kernel/exit-reason.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isDown, isExit } from "../kernel/message.ts";
import { Observer } from "../kernel/observer.ts";
import type { AnyPid, Ref } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { Request } from "../kernel/request.ts";
import type { Choices } from "./choices.ts";
import type { StoryLine } from "./host.ts";
import { Machine, type MachineHost, type TurnOrder } from "./machine.ts";
import { Nemesis } from "./nemesis.ts";
import {
  Impossible,
  type Plan,
  type ProcessView,
  type Property,
  type RunEvent,
  type SeenSignal,
  type Verdict,
  type World,
} from "./property.ts";
import { describeSignal } from "./signal-text.ts";
import { simulatedCarriers, type Modules } from "./simulated-carrier.ts";
import type { Resident, Site } from "./site.ts";
import { SimNetwork } from "./sim-network.ts";
import { SimulatedFileSystem } from "./sim-file-system.ts";
import { TraceHash } from "./trace-hash.ts";

/** How long the first setup may take. */
export const setupMaxMs: Milliseconds = 600_000;
/** How long a workload may go on after the window. */
export const workloadMaxMs: Milliseconds = 600_000;
/** The calm lasts at least so long. */
export const calmMinMs: Milliseconds = 1000;
/** The machine that the system runs on. */
const here = "here";
/** From the end of the system to its next start. */
const restartAfterMs: Milliseconds = 100;
/** From a setup that failed after a restart to the next try. */
const setupAgainMs: Milliseconds = 1000;

/** Which check failed, and how. */
export interface RunFailure {
  /** The part of the property, as `always "no two leaders"`. */
  readonly check: string;
  readonly message: string;
  readonly atMs: Milliseconds;
  /** What a part of the property threw. */
  readonly cause?: unknown;
}

/** What one run came to. */
export interface RunOutcome {
  /** Null when the property held. */
  readonly failure: RunFailure | null;
  /** Set when the run itself went wrong, such as a process that awaits something of the host. */
  readonly broken: Error | null;
  readonly eventsCount: number;
  readonly virtualMs: Milliseconds;
  /** Faults that struck. */
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly labels: ReadonlySet<string>;
  /** Processes besides setup and workload, and titles that the plan's targets could have meant. */
  readonly processesCount: number;
  readonly titles: ReadonlySet<string>;
  /** Of all events in order: equal runs have equal ones. */
  readonly digest: string;
  readonly story: readonly StoryLine[];
}

export interface RunOptions<System> {
  readonly property: Property<System>;
  readonly plan: Plan;
  readonly choices: Choices;
  /** Of a drawn run; null for one that is replayed. */
  readonly seed: number | null;
  readonly order: TurnOrder;
  readonly host: MachineHost;
  readonly modules: Modules;
  readonly eventsMax: number;
  /** Keep the story. */
  readonly tells: boolean;
}

/** Runs a property once. */
export function runOnce<System>(options: RunOptions<System>): Promise<RunOutcome> {
  return new Run(options).run();
}

class Run<System> implements World {
  readonly #property: Property<System>;
  readonly #options: RunOptions<System>;
  readonly #machine: Machine;
  readonly #nemesis: Nemesis;
  readonly #hash = new TraceHash();
  readonly #faults = new Map<FaultName, number>();
  readonly #labels = new Set<string>();
  readonly #counts = new Map<string, number>();
  readonly #titles = new Set<string>();
  readonly #always: readonly (readonly [string, (system: System, world: World) => Verdict])[];
  readonly #onSignal: readonly (readonly [string, (signal: SeenSignal, system: System, world: World) => Verdict])[];
  readonly #isObserved: boolean;
  readonly files: SimulatedFileSystem;
  /** Of all processes so far, by pid: the story speaks of ended ones too. Kept only for a story. */
  readonly #toldTitles = new Map<string, string>();
  readonly #network: SimNetwork;
  network: Network;
  #processesCount = 0;
  #modelState: unknown;
  #root: Site;
  /** The property's own processes. */
  readonly #own = new Set<AnyProcess>();
  #system: { readonly value: System } | null = null;
  #failure: RunFailure | null = null;
  #hasBegun = false;
  #startsCount = 0;
  #stopRestart: () => void = () => {};
  #isWorkloadDone = false;

  constructor(options: RunOptions<System>) {
    const { property, plan, choices, seed, order, host, tells } = options;
    this.#options = options;
    this.#property = property;
    this.#machine = new Machine(choices, order, host, {
      begins: (resident) => this.#begins(resident),
      logged: (level, message) => this.#machine.tell(level, () => message),
    });
    if (tells) this.#machine.story = [];
    this.#machine.note = (kind, who) => {
      this.#hash.add(kind);
      this.#hash.add(who);
      this.#hash.add(Math.round(this.#machine.nowMs() * 1000));
    };
    this.#nemesis = new Nemesis(this.#machine, plan, seed, {
      restartSystem: (fault) => this.#restart(fault),
      strikeNetwork: (fault, target) => this.#network.strike(fault, target),
      struck: (fault, subject) => this.#struck(fault, subject),
      mayStrike: ({ process }) => !this.#own.has(process),
    });
    this.#machine.faults = this.#nemesis;
    this.files = new SimulatedFileSystem(this.#machine);
    this.#network = new SimNetwork(this.#machine);
    this.network = this.#network.on(here);
    this.#always = Object.entries(property.always ?? {});
    this.#onSignal = Object.entries(property.onSignal ?? {});
    this.#isObserved = tells || this.#onSignal.length > 0 || property.model !== undefined;
    this.#modelState = property.model?.init();
    this.#root = this.#addRoot();
  }

  // --- what the property sees: World ---

  get nowMs(): Milliseconds {
    return this.#machine.nowMs();
  }

  get kernel(): Kernel {
    return this.#root.kernel;
  }

  get platform(): Platform {
    return this.#root.platform;
  }

  get inWindow(): boolean {
    return this.#nemesis.inWindow;
  }

  processes(): readonly ProcessView[] {
    const views: ProcessView[] = [];
    for (const { process, title } of this.#machine.liveResidents()) {
      if (!this.#own.has(process)) views.push({ pid: process.pid, title });
    }
    return views;
  }

  isAlive(pid: AnyPid): boolean {
    for (const { kernel } of this.#machine.sites) {
      if (kernel.id === pid.kernelId)
        return pid.process !== null ? pid.process.kernel === kernel : isAliveIn(kernel, pid);
    }
    return false;
  }

  whereis(name: string): AnyPid | undefined {
    return this.#root.kernel.whereis(name);
  }

  counted(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  fileNow(path: string): Uint8Array | undefined {
    return this.files.peek(path);
  }

  networkOf(machine: string): Network {
    return this.#network.on(machine);
  }

  choose<T>(stream: string, items: readonly T[]): T {
    if (items.length === 0) throw new Error(`world.choose("${stream}") has nothing to choose from`);
    return items[this.#machine.stream(`choose:${stream}`).choose(items.length)] as T;
  }

  chance(stream: string, probability: number): boolean {
    return this.#machine.stream(`chance:${stream}`).chance(probability);
  }

  sometimes(label: string): void {
    this.#labels.add(label);
  }

  count(key: string, by = 1): void {
    this.#counts.set(key, this.counted(key) + by);
  }

  record(what: string, value?: unknown): void {
    this.#machine.tell("the system", () => (value === undefined ? what : `${what}: ${describeReason(value)}`));
    this.#observe({ atMs: this.nowMs, kind: "record", subject: "the system", what, value });
  }

  // --- the phases ---

  async run(): Promise<RunOutcome> {
    const { eventsMax } = this.#options;
    const machine = this.#machine;
    this.#startSetup();
    await machine.run(setupMaxMs, eventsMax, () => this.#isOver() || this.#system !== null);
    if (this.#system === null && !this.#isOver()) this.#fail("setup", `it did not return within ${setupMaxMs} ms`);
    if (!this.#isOver()) {
      this.#hasBegun = true;
      this.#nemesis.begin();
      this.#startWorkload();
      const { calmFromMs } = machine;
      await machine.run(calmFromMs, eventsMax, () => this.#isBad());
      this.files.calm();
      this.#network.calm();
      await this.#finishWorkload(calmFromMs + workloadMaxMs, eventsMax);
      await this.#calm(eventsMax);
    }
    return this.#outcome();
  }

  async #finishWorkload(untilMs: Milliseconds, eventsMax: number): Promise<void> {
    if (this.#isOver() || (this.#isWorkloadDone && this.#system !== null)) return;
    await this.#machine.run(untilMs, eventsMax, () => this.#isBad() || (this.#isWorkloadDone && this.#system !== null));
    if (this.#isOver()) return;
    if (!this.#isWorkloadDone) this.#fail("workload", `it did not end within ${workloadMaxMs} ms after the faults`);
    else if (this.#system === null)
      this.#fail("setup", `it did not succeed within ${workloadMaxMs} ms after the faults`);
  }

  async #calm(eventsMax: number): Promise<void> {
    if (this.#isOver()) return;
    const startMs = this.nowMs;
    const pending = new Map(Object.entries(this.#property.eventually ?? {}));
    const untilMs = startMs + Math.max(calmMinMs, ...[...pending.values()].map(({ withinMs }) => withinMs));
    const verdicts = new Map<string, Verdict>();
    const look = (): void => {
      for (const [name, { withinMs, holds }] of pending) {
        if (this.nowMs > startMs + withinMs) continue;
        const verdict = this.#verdictOf(`eventually "${name}"`, (system) => holds(system, this));
        verdicts.set(name, verdict);
        if (verdict === true) pending.delete(name);
      }
    };
    look();
    await this.#machine.run(untilMs, eventsMax, () => {
      if (pending.size > 0) look();
      return this.#isBad();
    });
    if (this.#isOver()) return;
    look();
    for (const [name, { withinMs }] of pending) {
      const verdict = verdicts.get(name);
      const why = typeof verdict === "string" ? `: ${verdict}` : "";
      this.#fail(`eventually "${name}"`, `it did not hold within ${withinMs} ms after the faults${why}`);
    }
    if (!this.#isOver()) this.#balance();
  }

  #balance(): void {
    for (const [name, count] of Object.entries(this.#property.balance ?? {})) {
      const check = `balance "${name}"`;
      this.#verdictOf(check, (system) => {
        const [got, want] = count(system, this);
        if (got !== want) this.#fail(check, `it is ${got} and must be ${want}`);
        return true;
      });
    }
  }

  #outcome(): RunOutcome {
    const { eventsCount, broken, story } = this.#machine;
    const outcome: RunOutcome = {
      failure: broken === null ? this.#failure : null,
      broken,
      eventsCount,
      virtualMs: this.nowMs,
      faults: this.#faults,
      labels: this.#labels,
      processesCount: this.#processesCount,
      titles: this.#titles,
      digest: this.#hash.digest(),
      story: story ?? [],
    };
    for (const site of [...this.#machine.sites]) this.#machine.killSite(site);
    return outcome;
  }

  // --- the system ---

  #addRoot(): Site {
    const machine = this.#machine;
    const siteOf = (kernel: Kernel): Site => machine.sites.find((site) => site.kernel === kernel) as Site;
    const carriers = simulatedCarriers(machine, siteOf, this.#options.modules, (site) => this.#observeSite(site));
    // A pid from before a restart is nobody's: each start of the system has an id of its own.
    const site = machine.addSite("system", null, { id: String(this.#startsCount), carriers });
    this.#startsCount += 1;
    this.#observeSite(site);
    return site;
  }

  #observeSite(site: Site): void {
    if (this.#isObserved) site.kernel.observer = new RunObserver(site.kernel, this);
  }

  #startSetup(): void {
    const { property } = this.#options;
    const setup = async (self: AnyProcess): Promise<void> => {
      try {
        const value = await property.setup(self, this);
        this.#system = { value };
      } catch (thrown) {
        this.#setupFailed(thrown);
        return;
      }
      if (this.#hasBegun) this.#startWorkload();
      await self.receive(() => false);
    };
    this.#startOwn("setup", setup);
  }

  #setupFailed(thrown: unknown): void {
    if (!this.#hasBegun) {
      this.#fail("setup", describeThrown(thrown), thrown);
      return;
    }
    this.count("setup.failed");
    this.#machine.tell("the system", () => `could not be set up again: ${describeReason(thrown)}`);
    this.#stopRestart();
    this.#stopRestart = this.#machine.after(setupAgainMs, () => this.#restart("kill-system"));
  }

  #startWorkload(): void {
    const { workload } = this.#property;
    const system = this.#system;
    this.#isWorkloadDone = workload === undefined;
    if (workload === undefined || system === null) return;
    this.#startOwn("workload", async (self) => {
      try {
        await workload.call(this.#property, self, system.value, this);
      } catch (thrown) {
        this.#fail("workload", describeThrown(thrown), thrown);
      }
      this.#isWorkloadDone = true;
    });
  }

  #startOwn(label: string, body: (self: AnyProcess) => Promise<void>): void {
    const pid = this.#root.kernel.spawn(body as (self: AnyProcess) => unknown, { label });
    const { process } = pid;
    if (process === null) return;
    this.#own.add(process);
    // Also when a link ends it: nobody would come back to say so.
    process.own({ close: () => this.#ownEnded(label) });
  }

  /** The body of setup or workload may have been cut short. */
  #ownEnded(label: string): void {
    const cause = new Error("its process was ended before it was done, as by a link or an exit signal");
    if (label === "setup" && this.#system === null) this.#setupFailed(cause);
    if (label === "workload" && !this.#isWorkloadDone) this.#fail("workload", cause.message);
  }

  #restart(fault: "kill-system" | "power-loss"): void {
    this.#machine.killSite(this.#root);
    this.#crash(fault);
    this.#system = null;
    this.#own.clear();
    this.#isWorkloadDone = this.#property.workload === undefined;
    // One that strikes while the system is down only makes that longer.
    this.#stopRestart();
    this.#stopRestart = this.#machine.after(restartAfterMs, () => {
      this.#root = this.#addRoot();
      this.#startSetup();
    });
  }

  #crash(fault: "kill-system" | "power-loss"): void {
    if (fault === "kill-system") {
      this.files.crash("page-cache");
      this.#network.hostKilled(here);
    } else {
      this.files.crash("power-loss");
      this.#network.hostLost(here);
      this.#machine.after(restartAfterMs, () => this.#network.hostBack(here));
    }
  }

  #begins(resident: Resident): boolean {
    const { process, title } = resident;
    const { parent } = process;
    if (this.#options.tells) {
      this.#toldTitles.set(String(process.pid), title);
      const by = parent === undefined ? "" : `, spawned by ${this.#titleOfPid(parent)}`;
      this.#machine.tell(`${title} ${process.pid}`, () => `begins${by}`);
    }
    if (this.#own.has(process)) return false;
    this.#processesCount += 1;
    this.#titles.add(title);
    if (!this.#machine.faults.strikes("crash-in-init", title)) return false;
    this.#machine.tell(`${title} ${process.pid}`, () => "is struck by crash-in-init: it ends before it has run");
    resident.site.kernel.end(process, { tag: "crashInInit" });
    return true;
  }

  #struck(fault: FaultName, subject: string): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
    this.count(`fault.${fault}`);
    this.#observe({ atMs: this.nowMs, kind: "fault", subject, what: fault });
  }

  // --- checking ---

  #isOver(): boolean {
    return this.#failure !== null || this.#machine.broken !== null;
  }

  /** After each event. */
  #isBad(): boolean {
    if (this.#system !== null) {
      for (const [name, holds] of this.#always) {
        const check = `always "${name}"`;
        const verdict = this.#verdictOf(check, (system) => holds(system, this));
        if (verdict !== true) this.#fail(check, verdict === false ? "it does not hold" : verdict);
      }
    }
    return this.#isOver();
  }

  #verdictOf(check: string, look: (system: System) => Verdict): Verdict {
    if (this.#system === null) return "the system is down";
    try {
      const verdict: unknown = look(this.#system.value);
      if (typeof verdict === "boolean" || typeof verdict === "string") return verdict;
      const hint = isThenable(verdict) ? ", at once: what must be asked for is asked by the workload" : "";
      this.#fail(check, `it returned ${inWords(verdict)}; a check returns true, or what is wrong${hint}`);
      return false;
    } catch (thrown) {
      this.#fail(check, `it threw ${describeThrown(thrown)}`, thrown);
      return false;
    }
  }

  #fail(check: string, message: string, cause?: unknown): void {
    this.#failure ??= { check, message, atMs: this.nowMs, ...(cause === undefined ? {} : { cause }) };
  }

  /** For models. */
  #observe(event: RunEvent): void {
    const { model } = this.#property;
    if (model === undefined || this.#system === null || this.#isOver()) return;
    this.#verdictOf("model", (system) => {
      const next = model.step(this.#modelState, event, system);
      if (next instanceof Impossible) {
        const what = event.kind === "record" ? `"${event.what}"` : `${event.subject} ${event.what}`;
        this.#fail("model", `${what} is not possible: ${next.why}`);
        return false;
      }
      this.#modelState = next;
      return true;
    });
  }

  /** @internal */
  sawSpawn(process: AnyProcess): void {
    this.#observe({ atMs: this.nowMs, kind: "spawned", subject: titleOf(process), what: "spawned" });
  }

  /** @internal */
  sawEnd(process: AnyProcess, reason: ExitReason): void {
    const title = this.#machine.residents.get(process)?.title ?? titleOf(process);
    this.#machine.tell(`${title} ${process.pid}`, () => `ends: ${describeReason(reason)}`);
    this.#observe({ atMs: this.nowMs, kind: "ended", subject: title, what: "ended", value: reason });
  }

  /** @internal */
  sawSignal(signal: Omit<SeenSignal, "atMs">): void {
    if (this.#options.tells) {
      const text = describeSignal(signal, (pid) => this.#titleOfPid(pid));
      if (text !== undefined) this.#machine.tell(this.#titleOfPid(signal.to), () => text);
    }
    if (this.#system === null || this.#isOver()) return;
    const seen: SeenSignal = { ...signal, atMs: this.nowMs };
    for (const [name, holds] of this.#onSignal) {
      const check = `onSignal "${name}"`;
      const verdict = this.#verdictOf(check, (system) => holds(seen, system, this));
      if (verdict !== true) this.#fail(check, verdict === false ? `it does not hold of ${seen.kind}` : verdict);
    }
  }

  #titleOfPid(pid: AnyPid): string {
    const title = this.#toldTitles.get(String(pid));
    return title === undefined ? String(pid) : `${title} ${pid}`;
  }
}

/** Tells the run what happens in one kernel. */
class RunObserver extends Observer {
  readonly #run: Pick<Run<unknown>, "sawSpawn" | "sawEnd" | "sawSignal">;

  constructor(kernel: Kernel, run: Pick<Run<unknown>, "sawSpawn" | "sawEnd" | "sawSignal">) {
    super(kernel);
    this.#run = run;
  }

  override spawned(process: AnyProcess): void {
    super.spawned(process);
    this.#run.sawSpawn(process);
  }

  override ended(process: AnyProcess, reason: ExitReason): void {
    super.ended(process, reason);
    this.#run.sawEnd(process, reason);
  }

  override delivered(process: AnyProcess, message: unknown): void {
    super.delivered(process, message);
    if (isExit(message)) return;
    const to = process.pid;
    if (isDown(message)) {
      const { from, reason } = message;
      this.#run.sawSignal({
        kind: "down",
        to,
        from: typeof from === "object" ? (from as AnyPid) : undefined,
        body: reason,
      });
    } else if (message instanceof Request) {
      this.#run.sawSignal({ kind: "request", to, from: message.from.owner, body: message.body });
    } else {
      this.#run.sawSignal({ kind: "message", to, from: undefined, body: message });
    }
  }

  override exitReceived(process: AnyProcess, from: AnyPid, reason: ExitReason, overLink: boolean): void {
    super.exitReceived(process, from, reason, overLink);
    this.#run.sawSignal({ kind: "exit", to: process.pid, from, body: reason });
  }

  override replied(process: AnyProcess, ref: Ref, value: unknown): void {
    super.replied(process, ref, value);
    this.#run.sawSignal({ kind: "reply", to: process.pid, from: ref.target ?? undefined, body: value });
  }

  /** The run looks until its end. */
  protected override endIfIdle(): void {}
}

function isAliveIn(kernel: Kernel, pid: AnyPid): boolean {
  return kernel.processes().some(({ serial }) => serial === pid.serial);
}

function titleOf(process: AnyProcess): string {
  const info = process.extra?.name ?? process.extra?.label ?? process.begin?.name;
  return info === undefined || info === "" ? String(process.pid) : `${info} ${process.pid}`;
}

function describeThrown(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : describeReason(thrown);
}
