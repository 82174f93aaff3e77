/**
 * Property run: one run of a property in a real kernel: its setup, its workload, its checks, and the faults that a kernel can
 * do to its own processes.
 *
 * Guarantees: `always` is checked after what the kernel was seen to do (once for all that happened in one turn of the event
 * loop) and at a fixed interval; `onSignal` and the model see each signal and end in the order in which the kernel delivers
 * them. After the first failure nothing is checked any more. A check that throws is a failure.
 * Unlike a simulated run: what happens inside one synchronous step, or in the kernel of a carrier, is seen by its outcome
 * only; `processes()` knows the root kernel and the program of each carrier below it.
 * Not here: when faults strike (torture.ts), another OS process that runs this (system-process.ts).
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FileSystem } from "../base/file-system.ts";
import type { Network } from "../base/network.ts";
import type { Milliseconds } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import { describeReason } from "../kernel/exit-reason.ts";
import { inspect } from "../kernel/introspection.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isDown, isExit } from "../kernel/message.ts";
import { observerOf } from "../kernel/observer.ts";
import type { AnyPid } from "../kernel/pid.ts";
import { labelOf, type AnyProcess } from "../kernel/process.ts";
import { Trace, type TraceEvent, type TraceKind } from "../kernel/trace.ts";
import type { Choices } from "../sim/choices.ts";
import type { StoryLine } from "../sim/host.ts";
import {
  Impossible,
  type ProcessView,
  type Property,
  type RunEvent,
  type SeenSignal,
  type Verdict,
  type World,
} from "../sim/property.ts";
import { LocalMachines } from "./local-machines.ts";

/** How long ending all processes of a run may take, in milliseconds; what is left then is told. */
export const endMsMax: Milliseconds = 10_000;
/** Different keys that a run may count. */
export const countedKeysMax = 100_000;
/** Titles of the two processes that a property consists of. */
const setupTitle = "setup";
const workloadTitle = "workload";

/** A system to run a property in. */
export interface RealSystem {
  readonly kernel: Kernel;
  /** The files of the property's folder. */
  readonly files: FileSystem;
  readonly network: Network;
}

/** What a property's setup and workload get when they run for real. */
export interface TortureWorld extends World {
  /** A folder of its own, absolute; it is there again after the system was killed. */
  readonly directory: string;
  /**
   * Names an OS process that the system has started by other means than a carrier, such as `colosUp`, as one that faults of
   * carriers may strike. `osPid` is asked each time and gives undefined while there is none.
   */
  expose(title: string, osPid: () => number | undefined): void;
}

/** What a run tells whoever runs it, in order. */
export type RunNotice =
  | { readonly kind: "told"; readonly line: StoryLine }
  | { readonly kind: "counted"; readonly key: string; readonly by: number }
  | { readonly kind: "sometimes"; readonly label: string }
  /** What the property wants to reach. */
  | { readonly kind: "wanted"; readonly labels: readonly string[] }
  /** The property is set up. */
  | { readonly kind: "ready" }
  /** The workload has returned. */
  | { readonly kind: "worked" }
  | { readonly kind: "failed"; readonly check: string; readonly message: string };

/** What a run begins with. */
export interface RunSetting {
  readonly choices: Choices;
  readonly directory: string;
  /** Milliseconds since the first start of the system; 0 for the first. */
  readonly startedMs: Milliseconds;
  /** What was counted before the system was killed. */
  readonly counts: ReadonlyMap<string, number>;
  readonly checkEveryMs: Milliseconds;
  /** Titles that may be struck; undefined for all. */
  readonly targets: readonly string[] | ((title: string) => boolean) | undefined;
}

/** Faults that a kernel does to a process of its own. */
export type ProcessFault = "kill" | "crash";

/** An OS process that carries a process of the system. */
export interface CarrierTarget {
  readonly title: string;
  readonly osPid: number;
}

/** A running system, wherever it runs. */
export interface RunningProperty {
  /** Strikes the process that `draw` picks, or the one with that title; its title, undefined when there is none. */
  strike(fault: ProcessFault, draw: number, title?: string): Promise<string | undefined>;
  /** OS processes that carry a process of the system and may be struck. */
  carriers(): Promise<readonly CarrierTarget[]>;
  /** Something else has struck `subject`: the story, the model and `counted` know. */
  noteFault(fault: FaultName, subject: string): Promise<void>;
  /** Checks what must become true, and the balance; nothing strikes any more. */
  calm(): Promise<void>;
  /** Ends all processes. Never rejects. */
  end(): Promise<void>;
}

const traced: readonly TraceKind[] = ["message", "call", "reply", "spawn", "exit"];

export class PropertyRun<System> implements RunningProperty {
  readonly #property: Property<System>;
  readonly #real: RealSystem;
  readonly #kernel: Kernel;
  readonly #setting: RunSetting;
  readonly #tell: (notice: RunNotice) => void;
  readonly #counts: Map<string, number>;
  readonly #beganMs: Milliseconds;
  /** Stands for the run: watches, asks, and is nobody's target. */
  readonly #agent: AnyProcess;
  readonly #spy: Spy;
  /** What the system has named to be struck. */
  readonly #exposed = new Map<string, () => number | undefined>();
  /** The processes that are no targets. */
  readonly #own = new Set<AnyPid>();
  readonly #world: TortureWorld;
  #system: { readonly value: System } | undefined;
  #modelState: unknown;
  #inWindow = true;
  #isChecking = false;
  #isFailed = false;
  #isEnding = false;
  #stopTicking: () => void = () => {};

  constructor(property: Property<System>, real: RealSystem, setting: RunSetting, tell: (notice: RunNotice) => void) {
    const { kernel } = real;
    this.#property = property;
    this.#real = real;
    this.#kernel = kernel;
    this.#setting = setting;
    this.#tell = tell;
    this.#counts = new Map(setting.counts);
    this.#beganMs = kernel.platform.clock.monotonicMs() - setting.startedMs;
    this.#agent = kernel.attach("torture");
    this.#agent.react((message) => this.#noticed(message));
    this.#own.add(this.#agent.pid);
    this.#spy = new Spy(this.#agent, (event) => this.#saw(event));
    observerOf(kernel).addTrace(this.#spy);
    this.#world = this.#makeWorld();
    if (property.model !== undefined) this.#modelState = property.model.init();
  }

  /** Starts setup and, when it is done, the workload. Returns at once. */
  start(): void {
    this.#tell({ kind: "wanted", labels: this.#property.sometimes ?? [] });
    this.#watch((self) => this.#setUp(self), setupTitle);
    this.#tick();
  }

  async #setUp(self: AnyProcess): Promise<void> {
    this.#system = { value: await this.#property.setup(self, this.#world) };
    this.#tell({ kind: "ready" });
    this.#checkAlways();
    const { workload } = this.#property;
    if (workload === undefined) this.#tell({ kind: "worked" });
    else this.#watch((worker) => this.#work(worker), workloadTitle);
    // Lives on: what it started is linked to it.
    await self.receive(() => false);
  }

  async #work(self: AnyProcess): Promise<void> {
    const system = this.#system as { readonly value: System };
    await this.#property.workload?.(self, system.value, this.#world);
    this.#tell({ kind: "worked" });
  }

  /** A process whose failure is that of the run. */
  #watch(body: (self: AnyProcess) => Promise<void>, label: string): void {
    const { pid } = this.#agent.spawnMonitor(body, { label });
    this.#own.add(pid);
  }

  #noticed(message: unknown): void {
    if (!isDown(message) || this.#isEnding) return;
    const { from, reason } = message as { readonly from: unknown; readonly reason: unknown };
    if (reason === "normal") return;
    const title = this.#system === undefined ? "setup" : "system or workload";
    this.#fail(
      title,
      `${String(from)} ended: ${reason instanceof Error ? (reason.stack ?? reason) : describeReason(reason)}`,
    );
  }

  // --- what is seen ---

  #saw(event: TraceEvent): void {
    if (this.#isFailed || this.#isEnding) return;
    const title = event.name ?? String(event.pid);
    if (event.kind === "spawn") this.#event({ kind: "spawned", subject: title, what: "is spawned" });
    else if (event.kind === "exit") {
      this.#event({
        kind: "ended",
        subject: title,
        what: `ends: ${describeReason(event.message)}`,
        value: event.message,
      });
    } else this.#signal(event);
    this.#checkSoon();
  }

  #signal(event: TraceEvent): void {
    const { onSignal } = this.#property;
    if (onSignal === undefined || this.#system === undefined) return;
    const signal = seenSignal(event, this.#world.nowMs);
    for (const [name, holds] of Object.entries(onSignal)) {
      this.#judge(name, () => holds(signal, (this.#system as { readonly value: System }).value, this.#world));
    }
  }

  #event(event: Omit<RunEvent, "atMs">): void {
    const atMs = this.#world.nowMs;
    const what = event.kind === "fault" ? `is struck by ${event.what}` : event.what;
    this.#tell({ kind: "told", line: { atMs, subject: event.subject, what } });
    const { model } = this.#property;
    if (model === undefined || this.#system === undefined || this.#isFailed) return;
    try {
      const next = model.step(this.#modelState, { ...event, atMs }, this.#system.value);
      if (next instanceof Impossible) this.#fail("model", next.why);
      else this.#modelState = next;
    } catch (thrown) {
      this.#fail("model", `the model threw: ${describeReason(thrown)}`);
    }
  }

  // --- checks ---

  /** Once for all that happens in this turn. */
  #checkSoon(): void {
    if (this.#isChecking || this.#property.always === undefined) return;
    this.#isChecking = true;
    this.#kernel.platform.scheduling.macrotask(() => {
      this.#isChecking = false;
      this.#checkAlways();
    });
  }

  #tick(): void {
    const again = (): void => {
      this.#checkAlways();
      this.#stopTicking = this.#kernel.platform.clock.timer(this.#setting.checkEveryMs, again);
    };
    this.#stopTicking = this.#kernel.platform.clock.timer(this.#setting.checkEveryMs, again);
  }

  #checkAlways(): void {
    const system = this.#system;
    if (system === undefined || this.#isEnding) return;
    for (const [name, holds] of Object.entries(this.#property.always ?? {})) {
      this.#judge(name, () => holds(system.value, this.#world));
    }
  }

  #judge(check: string, ask: () => Verdict): void {
    if (this.#isFailed) return;
    const verdict = verdictOf(ask);
    if (verdict !== true) this.#fail(check, verdict);
  }

  #fail(check: string, message: string): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#tell({ kind: "failed", check, message });
  }

  async calm(): Promise<void> {
    this.#inWindow = false;
    const system = this.#system;
    if (system === undefined) return;
    const { eventually = {}, balance = {} } = this.#property;
    const waits = Object.entries(eventually).map(async ([name, { withinMs, holds }]) => {
      const verdict = await this.#becomesTrue(withinMs, () => holds(system.value, this.#world));
      if (verdict !== true) this.#fail(name, `not within ${withinMs} ms: ${verdict}`);
    });
    await Promise.all(waits);
    this.#checkAlways();
    for (const [name, count] of Object.entries(balance)) {
      this.#judge(name, () => {
        const [got, want] = count(system.value, this.#world);
        return got === want || `${got}, and it must be ${want}`;
      });
    }
  }

  /** Asks again and again until it holds or the time is over; at least twice. */
  async #becomesTrue(withinMs: Milliseconds, ask: () => Verdict): Promise<true | string> {
    const dueMs = this.#world.nowMs + withinMs;
    for (;;) {
      const isLast = this.#world.nowMs >= dueMs;
      const verdict = verdictOf(ask);
      if (verdict === true || isLast || this.#isFailed) return verdict;
      await this.#pause(Math.min(this.#setting.checkEveryMs, Math.max(1, dueMs - this.#world.nowMs)));
    }
  }

  #pause(durationMs: Milliseconds): Promise<void> {
    return new Promise((resolve) => void this.#kernel.platform.clock.timer(durationMs, resolve));
  }

  // --- faults ---

  async strike(fault: ProcessFault, draw: number, title?: string): Promise<string | undefined> {
    const candidates = this.#candidates(fault).filter((one) => title === undefined || one.title === title);
    const struck = candidates[draw % Math.max(1, candidates.length)];
    if (struck === undefined) return undefined;
    const { pid } = struck;
    const { process } = pid;
    // The kernel says by itself that it ended; the cause comes first.
    await this.noteFault(fault, struck.title);
    if (fault === "crash" && process !== null) this.#kernel.end(process, new Error("crashed on purpose"));
    else this.#kernel.exit(this.#agent.pid, pid, "kill");
    return struck.title;
  }

  /** Only the kernel that a process runs in can end it with an error that nobody expects. */
  #candidates(fault: ProcessFault): ProcessView[] {
    return this.#processes()
      .filter(({ pid, title }) => this.#isTarget(pid, title) && (fault === "kill" || pid.kernelId === this.#kernel.id))
      .toSorted((one, other) => compare(one.title, other.title) || one.pid.serial - other.pid.serial);
  }

  async carriers(): Promise<readonly CarrierTarget[]> {
    const found: CarrierTarget[] = [];
    for (const [title, osPidOf] of this.#exposed) {
      const osPid = osPidOf();
      if (osPid !== undefined && this.#allows(title)) found.push({ title, osPid });
    }
    for (const { pid, title } of this.#processes()) {
      if (!this.#isTarget(pid, title)) continue;
      const isHere = pid.kernelId === this.#kernel.id;
      if (isHere && pid.process?.extra?.host === undefined) continue;
      const details = await inspect(this.#agent, pid, { timeoutMs: 1000 }).catch(() => undefined);
      const { osPid, carrier } = details?.host ?? {};
      // A thread is part of this OS process.
      if (osPid !== undefined && carrier !== "thread")
        found.push({ title: details?.name ?? details?.label ?? title, osPid });
    }
    return found;
  }

  async noteFault(fault: FaultName, subject: string): Promise<void> {
    this.#event({ kind: "fault", subject, what: fault });
    this.#count(`fault.${fault}`, 1);
  }

  #isTarget(pid: AnyPid, title: string): boolean {
    return !this.#own.has(pid) && title !== "names" && this.#allows(title);
  }

  #allows(title: string): boolean {
    const { targets } = this.#setting;
    if (targets === undefined) return true;
    return typeof targets === "function" ? targets(title) : targets.includes(title);
  }

  // --- ending ---

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#stopTicking();
    const { clock } = this.#kernel.platform;
    const dueMs = clock.monotonicMs() + endMsMax;
    for (;;) {
      const left = this.#processes().filter(({ pid, title }) => pid !== this.#agent.pid && title !== "names");
      if (left.length === 0) break;
      if (clock.monotonicMs() > dueMs) {
        const titles = left.slice(0, 10).map(({ title }) => title);
        this.#tell({ kind: "failed", check: "end", message: `still there after ${endMsMax} ms: ${titles.join(", ")}` });
        break;
      }
      for (const { pid } of left) this.#kernel.exit(this.#agent.pid, pid, "kill");
      await this.#pause(5);
    }
    observerOf(this.#kernel).removeTrace(this.#spy);
    this.#kernel.end(this.#agent, "normal");
    this.#kernel.close();
  }

  // --- the world ---

  #processes(): ProcessView[] {
    const here = this.#kernel.processes();
    const below = this.#kernel.childIds().map((id) => this.#kernel.mainPidOf(id));
    return [...here, ...below].map((pid) => ({ pid, title: this.#titleOf(pid) }));
  }

  #titleOf(pid: AnyPid): string {
    const { process } = pid;
    return (
      (process === null ? undefined : (process.extra?.name ?? labelOf(process))) ??
      this.#kernel.nameOf(pid) ??
      String(pid)
    );
  }

  #count(key: string, by: number): void {
    if (!this.#counts.has(key) && this.#counts.size >= countedKeysMax) {
      this.#fail("count", `more than ${countedKeysMax} different keys are counted; "${key}" is one too many`);
      return;
    }
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
    this.#tell({ kind: "counted", key, by });
  }

  #makeWorld(): TortureWorld {
    const kernel = this.#kernel;
    const { choices, directory } = this.#setting;
    const { files } = this.#real;
    const { networkOf } = new LocalMachines(this.#real.network);
    const nowMs = (): Milliseconds => kernel.platform.clock.monotonicMs() - this.#beganMs;
    const isInWindow = (): boolean => this.#inWindow;
    return {
      ...{ directory, kernel, files, networkOf },
      network: networkOf("here"),
      fileNow: (path) => contentOf(join(directory, path)),
      platform: kernel.platform,
      get nowMs() {
        return nowMs();
      },
      get inWindow() {
        return isInWindow();
      },
      processes: () => this.#processes().filter(({ pid, title }) => pid !== this.#agent.pid && title !== "names"),
      isAlive: (pid) =>
        pid.kernelId === kernel.id ? kernel.processOf(pid) !== null : kernel.childIds().includes(pid.kernelId),
      whereis: (name) => this.#agent.whereis(name),
      counted: (key) => this.#counts.get(key) ?? 0,
      choose: (stream, items) => items[choices.stream(stream).choose(items.length)] as (typeof items)[number],
      chance: (stream, probability) => choices.stream(stream).chance(probability),
      expose: (title, osPid) => void this.#exposed.set(title, osPid),
      sometimes: (label) => this.#tell({ kind: "sometimes", label }),
      count: (key, by = 1) => this.#count(key, by),
      record: (what, value) =>
        this.#event({ kind: "record", subject: "the system", what: recorded(what, value), value }),
    };
  }
}

/** Hears all that happens in a kernel; a trace with nobody at its end. */
class Spy extends Trace {
  readonly #agent: AnyProcess;
  readonly #saw: (event: TraceEvent) => void;

  constructor(agent: AnyProcess, saw: (event: TraceEvent) => void) {
    super(agent, { of: [], kinds: traced, messagesMax: Infinity, perSecondMax: Infinity, to: agent.pid });
    this.#agent = agent;
    this.#saw = saw;
  }

  override note(kind: TraceKind, process: AnyProcess, peer: TraceEvent["peer"], message: unknown): void {
    if (process === this.#agent || !traced.includes(kind)) return;
    const name = process.extra?.name ?? labelOf(process);
    this.#saw({ kind, pid: process.pid, name, peer, message, atMs: 0 });
  }
}

function seenSignal(event: TraceEvent, atMs: Milliseconds): SeenSignal {
  const { pid: to, message, peer } = event;
  const from = typeof peer === "object" && "kernelId" in peer && !("route" in peer) ? (peer as AnyPid) : undefined;
  if (event.kind === "call") return { kind: "request", to, from, atMs, body: message };
  if (event.kind === "reply") return { kind: "reply", to, from, atMs, body: message };
  if (isExit(message)) return { kind: "exit", to, from: message.from, atMs, body: message.reason };
  if (isDown(message)) {
    const { from: ended } = message;
    return { kind: "down", to, from: typeof ended === "string" ? undefined : ended, atMs, body: message.reason };
  }
  return { kind: "message", to, from: undefined, atMs, body: message };
}

/** A value, or what is wrong. */
function verdictOf(ask: () => Verdict): true | string {
  try {
    const verdict = ask();
    return verdict === false ? "it does not hold" : verdict;
  } catch (thrown) {
    return `the check threw: ${describeReason(thrown)}`;
  }
}

function recorded(what: string, value: unknown): string {
  if (value === undefined) return what;
  try {
    return `${what} ${JSON.stringify(value)}`.slice(0, 200);
  } catch {
    return what;
  }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function contentOf(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
