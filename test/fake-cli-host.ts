/**
 * Fake CLI host: a terminal, a clock, a system and a host that tests hold in their hands, for src/cli.
 *
 * Guarantees: nothing happens by itself; time passes when `clock.advance` says so, events come when `emit` says so.
 * The terminal understands what live.ts writes and throws at any other escape, so that a screen in a test is what
 * a person would see.
 *
 * @module
 */
import type { Clock } from "../src/base/platform.ts";
import type {
  CliHost,
  ContainedDaemon,
  Output,
  Silence,
  StartOptions,
  StartupAction,
  StopSignal,
} from "../src/cli/host.ts";
import type { Chaos } from "../src/control/chaos.ts";
import type { SystemPlan } from "../src/control/config.ts";
import { DaemonAbsentError } from "../src/control/manager-client.ts";
import type { LogEntry, LogQuery, LogSelection } from "../src/control/log.ts";
import type { Manager } from "../src/control/manager.ts";
import type { InstanceStatus, RunningSystem, SystemEvent } from "../src/control/service.ts";

/** An instance of a service of the same name, ready, unless `rest` says otherwise. */
export function instance(name: string, rest: Partial<InstanceStatus> = {}): InstanceStatus {
  return { name, service: name, instance: 1, carrier: "os-process", state: "ready", restartsCount: 0, ...rest };
}

/** Time that stands still until it is advanced. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly fire: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  timer(delayMs: number, fire: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timersCount(): number {
    return this.#timers.size;
  }

  advance(milliseconds: number): void {
    const endMs = this.#nowMs + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.dueMs);
      due.fire();
    }
    this.#nowMs = endMs;
  }
}

/** A pipe or file that remembers what was written. */
export class FakeOutput implements Output {
  readonly writes: string[] = [];
  readonly isTTY: boolean = false;
  writableLength = 0;
  /** The reader has to catch up before more is written. */
  isFull = false;
  #wrote: () => void = () => {};
  readonly #listeners = new Set<{ readonly event: string; readonly listener: (error: Error) => void }>();

  get text(): string {
    return this.writes.join("");
  }

  get lines(): readonly string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /** Settles when so many writes were made. */
  async written(count: number): Promise<void> {
    while (this.writes.length < count) await new Promise<void>((resolve) => (this.#wrote = resolve));
  }

  write(text: string): boolean {
    this.writes.push(text);
    this.#wrote();
    return !this.isFull;
  }

  on(event: string, listener: (error: Error) => void): void {
    this.#listeners.add({ event, listener });
  }

  off(event: string, listener: (error: Error) => void): void {
    for (const each of this.#listeners) {
      if (each.event === event && each.listener === listener) this.#listeners.delete(each);
    }
  }

  emit(event: "error" | "resize" | "drain", error: Error = new Error("no reason")): void {
    for (const each of this.#listeners) if (each.event === event) each.listener(error);
  }
}

/** A terminal that shows what was written. Lines wider than it are an error unless wrapping is off. */
export class FakeTerminal extends FakeOutput {
  override readonly isTTY = true;
  columns: number;
  rows: number;
  isCursorShown = true;
  isWrapping = true;
  /** Scrolled off the top, oldest first. */
  readonly scrolledOff: string[] = [];
  #screen: string[] = [""];
  #row = 0;
  #column = 0;

  constructor(columns = 100, rows = 10) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  /** What stands on the screen, without empty lines at the end. */
  get screen(): readonly string[] {
    return this.#screen.slice(0, this.#screen.findLastIndex((line) => line !== "") + 1);
  }

  override write(text: string): boolean {
    // oxlint-disable-next-line no-control-regex
    for (const [token] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|[^]/gu)) this.#obey(token);
    return super.write(text);
  }

  /** Changes the height as terminals do: what no longer fits goes off the top. */
  resize(columns: number, rows: number): void {
    const excess = Math.max(0, this.#row + 1 - rows);
    this.scrolledOff.push(...this.#screen.splice(0, excess));
    this.#row -= excess;
    [this.columns, this.rows] = [columns, rows];
    this.emit("resize");
  }

  #obey(token: string): void {
    if (token === "\r") this.#column = 0;
    else if (token === "\n") this.#lineFeed();
    else if (token === "\u001b[?25l") this.isCursorShown = false;
    else if (token === "\u001b[?25h") this.isCursorShown = true;
    else if (token === "\u001b[?7l") this.isWrapping = false;
    else if (token === "\u001b[?7h") this.isWrapping = true;
    else if (token === "\u001b[2K") this.#screen[this.#row] = "";
    else if (token === "\u001b[J") this.#clearBelow();
    else if (token.startsWith("\u001b[") && token.endsWith("A"))
      this.#row = Math.max(0, this.#row - Number(token.slice(2, -1)));
    else if (/^\P{Cc}$/u.test(token)) this.#print(token);
    else throw new Error(`the fake terminal does not know ${JSON.stringify(token)}`);
  }

  #lineFeed(): void {
    this.#row++;
    this.#column = 0;
    if (this.#row >= this.rows) {
      this.scrolledOff.push(this.#screen.shift()!);
      this.#row--;
    }
    this.#screen[this.#row] ??= "";
  }

  #clearBelow(): void {
    this.#screen.length = this.#row + 1;
    this.#screen[this.#row] = this.#screen[this.#row]!.slice(0, this.#column);
  }

  #print(character: string): void {
    if (this.isWrapping && this.#column >= this.columns) throw new Error("a line is wider than the terminal");
    const line = this.#screen[this.#row]!.padEnd(this.#column);
    this.#screen[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column++;
  }
}

/** A system that does what the test says. */
export class FakeSystem implements RunningSystem {
  statuses: readonly InstanceStatus[];
  stopsCount = 0;
  killsCount = 0;
  readonly ended: Promise<number>;
  readonly #listeners = new Set<(event: SystemEvent) => void>();
  #end: (exitCode: number) => void = () => {};

  constructor(...statuses: readonly InstanceStatus[]) {
    this.statuses = statuses;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  instances(): readonly InstanceStatus[] {
    return this.statuses;
  }

  subscribe(listener: (event: SystemEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listenersCount(): number {
    return this.#listeners.size;
  }

  emit(event: SystemEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  log(name: string, text: string, stream: "stdout" | "stderr" = "stdout"): void {
    this.emit({ type: "log", line: { name, stream, text } });
  }

  /** Puts a status in the place of the one with the same name. */
  change(status: InstanceStatus): void {
    const before = this.statuses.find(({ name }) => name === status.name)?.state ?? "waiting";
    this.statuses = this.statuses.map((each) => (each.name === status.name ? status : each));
    this.emit({ type: "state", status, before });
  }

  stop(): void {
    this.stopsCount++;
    if (this.stopsCount === 1) this.emit({ type: "stopping" });
  }

  kill(): void {
    this.killsCount++;
  }

  end(exitCode: number, problem?: string): void {
    this.emit({ type: "ended", exitCode, ...(problem === undefined ? {} : { problem }) });
    this.#end(exitCode);
  }
}

/** A host whose parts can be looked at. `startSystem` gives `system`. */
export class FakeHost implements CliHost {
  readonly version = "1.2.3";
  userId = 1000;
  readonly userFolder = "/home/ada";
  cwd = "/";
  env: Record<string, string | undefined> = { PATH: "/usr/bin:/bin" };
  stdout: FakeOutput = new FakeOutput();
  stderr: FakeOutput = new FakeOutput();
  readonly clock: FakeClock = new FakeClock();
  readonly system: FakeSystem;
  /** The daemon's; undefined when no daemon runs. */
  manager: Manager | undefined;
  /** Told by the test that the daemon does not answer; undefined: nobody wants to know. */
  silent: ((silence: Silence) => void) | undefined;
  heartPid: number | undefined;
  canAsk = false;
  /** What `openChaos` gives. */
  chaos: Chaos | undefined;
  /** The daemon that `startDaemon` starts. */
  startable: Manager | undefined;
  /** Homes that were asked, and in which a daemon was started. */
  readonly connected: string[] = [];
  readonly daemonsStarted: string[] = [];
  /** What startDaemon was to wait for. */
  readonly endsAwaited: (number | undefined)[] = [];
  /** Where startDaemon was to start it. */
  readonly places: ("there" | "here" | undefined)[] = [];
  /** Whether the daemon stands in another cgroup. */
  isElsewhere = false;
  /** Why this version cannot read the home. */
  homeProblem: string | undefined;
  readonly startups: StartupAction[] = [];
  /** What services wrote, and what was asked of it. */
  entries: AsyncIterable<LogEntry> | Iterable<LogEntry> = [];
  services: readonly string[] = [];
  readonly logsAsked: (readonly [home: string, selection: readonly LogSelection[], query: LogQuery])[] = [];
  /** What a person types. */
  input: AsyncIterable<string> | Iterable<string> = [];
  readonly exitListeners = new Set<() => void>();
  started: { readonly plan: SystemPlan; readonly options: StartOptions } | undefined;
  readonly #signalListeners = new Set<(signal: StopSignal) => void>();
  #announceStart: () => void = () => {};
  #announceListener: () => void = () => {};
  /** Settles when somebody listens for OS signals. */
  readonly isListening: Promise<void> = new Promise((resolve) => {
    this.#announceListener = resolve;
  });
  /** Settles when `startSystem` was called and the face is on. */
  readonly hasStarted: Promise<void>;

  constructor(system: FakeSystem = new FakeSystem()) {
    this.system = system;
    this.hasStarted = new Promise((resolve) => {
      this.#announceStart = resolve;
    });
  }

  loadModule(_file: string): Promise<unknown> {
    return Promise.reject(new Error("this test loads no modules"));
  }

  startSystem(plan: SystemPlan, options: StartOptions): RunningSystem | Promise<RunningSystem> {
    this.started = { plan, options };
    setImmediate(this.#announceStart);
    return this.system;
  }

  connect(home: string, silent?: (silence: Silence) => void): Promise<Manager> {
    this.connected.push(home);
    this.silent = silent;
    const absent = (): never => {
      throw new DaemonAbsentError("nobody answers");
    };
    const target = {} as Manager;
    // As the real one: no connection is made before the first operation.
    const lazy = new Proxy(target, {
      get: (_, name: keyof Manager) => {
        if (name === ("then" as string)) return undefined;
        const { manager } = this;
        return manager === undefined ? absent : manager[name].bind(manager);
      },
    });
    return Promise.resolve(lazy);
  }

  loggedServices(_home: string): Promise<readonly string[]> {
    return Promise.resolve(this.services);
  }

  async *readLogs(home: string, selection: readonly LogSelection[], query: LogQuery): AsyncGenerator<LogEntry> {
    this.logsAsked.push([home, selection, query]);
    yield* this.entries;
  }

  async *inputLines(): AsyncGenerator<string> {
    yield* this.input;
  }

  openChaos(_home: string): Promise<Chaos> {
    return this.chaos === undefined ? Promise.reject(new Error("this test has no chaos")) : Promise.resolve(this.chaos);
  }

  startContained(_home: string): Promise<ContainedDaemon> {
    return Promise.reject(new Error("no daemon runs in a test"));
  }

  /** Instances that run, with a daemon or without. */
  instancesCount = 0;

  runningCount(_home: string): Promise<number> {
    return Promise.resolve(this.instancesCount);
  }

  /** How often somebody has waited until nothing of colos was left. */
  endsWatchedCount = 0;

  watchEnd(_home: string): Promise<() => Promise<void>> {
    return Promise.resolve(() => {
      this.endsWatchedCount += 1;
      return Promise.resolve();
    });
  }

  findHeart(_home: string): Promise<number | undefined> {
    return Promise.resolve(this.heartPid);
  }

  checkHome(_home: string): Promise<void> {
    return this.homeProblem === undefined ? Promise.resolve() : Promise.reject(new Error(this.homeProblem));
  }

  isDaemonElsewhere(): Promise<boolean> {
    return Promise.resolve(this.isElsewhere);
  }

  startDaemon(home: string, after?: number, where?: "there" | "here"): Promise<void> {
    if (this.startable === undefined) {
      return Promise.reject(new Error("a daemon cannot be started here\n  | no space left"));
    }
    this.daemonsStarted.push(home);
    this.endsAwaited.push(after);
    this.places.push(where);
    this.manager = this.startable;
    return Promise.resolve();
  }

  startup(action: StartupAction): Promise<string> {
    this.startups.push(action);
    return Promise.resolve(`${action.action} ${action.name}\n`);
  }

  onStopSignal(listener: (signal: StopSignal) => void): () => void {
    this.#signalListeners.add(listener);
    this.#announceListener();
    return () => this.#signalListeners.delete(listener);
  }

  get signalListenersCount(): number {
    return this.#signalListeners.size;
  }

  signal(signal: StopSignal): void {
    for (const listener of this.#signalListeners) listener(signal);
  }

  /** What `limitLastWrites` was told. */
  lastWritesMs: number | undefined;

  limitLastWrites(timeoutMs: number): void {
    this.lastWritesMs = timeoutMs;
  }

  onExit(listener: () => void): () => void {
    this.exitListeners.add(listener);
    return () => this.exitListeners.delete(listener);
  }
}
