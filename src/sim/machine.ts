/**
 * Machine: the simulated host of one run. Virtual time, the order of turns, and the kernels that live on it.
 *
 * A run is a row of events, taken by (time, rank, order of scheduling). An event gives one process a turn or does one
 * thing of the machine (a timer, a signal that arrives, a fault). The next event waits until every process that ran is
 * parked: in `receive`, in a request, in an operation of the machine, or ended. So nothing depends on how many ticks a
 * promise takes, and a process that awaits what the machine knows nothing of is found and named (`EscapedError`).
 * Guarantees: equal choices give the same events in the same order. Nothing of a site (a kernel and what it started) that
 * is dead ever runs again. A timer never fires early.
 * Limits: code that a process starts and does not await is not waited for; a process whose calls run side by side counts
 * as parked while one of them is open, and then the host's queue is emptied before the next event.
 * Not here: which faults strike when (nemesis.ts), what is checked (run.ts).
 *
 * @module
 */
import type { Clock, LogLevel, Milliseconds, Platform, Scheduling, Strays } from "../base/platform.ts";
import { noFaults, type FaultSource } from "../faults/fault.ts";
import { Kernel, type Starter } from "../kernel/kernel.ts";
import { isHeld, labelOf, type AnyProcess } from "../kernel/process.ts";
import type { Turns } from "../kernel/scheduler.ts";
import type { Choices, Stream } from "./choices.ts";
import type { SimulatedHost, StoryLine } from "./host.ts";
import { ReadyEntry, ReadyHeap } from "./ready-heap.ts";
import { untilCalm } from "./sim-subject.ts";
import { WallClock } from "./wall-clock.ts";

/** Rounds of the host's microtask queue in which a process must come to wait for something of the machine. */
export const parkTicksMax = 10_000;
/** Awaited, it lets the host's microtask queue go one round on. */
const tick = Promise.resolve();
/** Ticks after which an ended process whose handles have closed has told so; more than the kernel's promises need. */
const closeTicks = 20;
/** Wall-clock milliseconds at the start of a run: 2000-01-01. */
const startWallMs: Milliseconds = Date.UTC(2000, 0, 1);
/** How often an idle server answers on its caller's stack, as the kernel's scheduler mostly lets it. */
const nestedShare = 0.25;
/** Events at one instant before the run counts as one that never rests. */
export const eventsPerInstantMax = 100_000;
/** Lines of a run's story that are kept; the oldest are forgotten first. */
export const storyLinesMax = 10_000;

/** What a machine needs of the real host. */
export interface MachineHost {
  /** Settles when nothing is left in the host's microtask queue. */
  drain(): Promise<void>;
}

/** How turns are drawn. */
export interface TurnOrder {
  /** How much later than now the turn of a process comes, in milliseconds. */
  delayMs(resident: Resident): Milliseconds;
  /** Whose turn comes first at one instant: the lower rank. */
  rank(resident: Resident): number;
  /** A process was given a turn. */
  turned?(resident: Resident): void;
  /** Which of several events at one instant is next; absent: the first. */
  pick?(count: number): number;
}

/** A process awaits something that is not of the simulated machine. */
export class EscapedError extends Error {
  readonly title: string;

  constructor(title: string) {
    super(
      `process ${title} awaits something outside the simulation; only what goes through \`self\` and \`world\` can be ` +
        "simulated (receive, sleep, request, files, network), not timers, promises or I/O of the host",
    );
    this.name = "EscapedError";
    this.title = title;
  }
}

/** Events follow each other without end, and time stands still or the run's limit is reached. */
export class RestlessError extends Error {
  constructor(what: string) {
    super(what);
    this.name = "RestlessError";
  }
}

/** What the machine knows of a process. */
export class Resident {
  readonly process: AnyProcess;
  readonly site: Site;
  /** Its name, else its label, else `process`; processes that follow each other under a supervisor share it. */
  readonly title: string;
  /** Counts all processes of the run. */
  readonly number: number;
  readonly turns: Stream;
  /** Gets no turn any more. */
  isHung = false;
  /** Added to its next turn. */
  lateMs: Milliseconds = 0;
  /** For the order of turns to use. */
  rank = 0;
  operationsCount = 0;
  /** Requests and operations that were open when it was found parked last. */
  openCount = 0;

  constructor(process: AnyProcess, site: Site, title: string, number: number, turns: Stream) {
    this.process = process;
    this.site = site;
    this.title = title;
    this.number = number;
    this.turns = turns;
  }

  get isLive(): boolean {
    return this.process.stage !== "dead" && this.process.stage !== "exiting" && !this.site.isDead;
  }
}

/** A kernel on the machine, with what runs it: the system's own OS process, or a simulated carrier. */
export class Site {
  readonly title: string;
  readonly parent: Site | null;
  readonly children: Set<Site> = new Set();
  readonly platform: Platform;
  kernel: Kernel = undefined as never;
  step: (process: AnyProcess) => void = undefined as never;
  isDead = false;
  stoppedUntilMs: Milliseconds = 0;
  /** Ends it from outside, for the reason that its processes get; set by its carrier. */
  lose: (cause: unknown) => void = () => {};
  /** Lets no signal through in either direction for so long; set by its carrier. */
  cut: (durationMs: Milliseconds) => void = () => {};

  constructor(title: string, parent: Site | null, platform: Platform) {
    this.title = title;
    this.parent = parent;
    this.platform = platform;
  }
}

class Event extends ReadyEntry {
  readonly resident: Resident | null;
  readonly task: (() => void) | null;
  readonly site: Site | null;

  constructor(
    timeMs: Milliseconds,
    rank: number,
    sequence: number,
    resident: Resident | null,
    task: (() => void) | null,
    site: Site | null,
  ) {
    super(timeMs, rank, sequence);
    this.resident = resident;
    this.task = task;
    this.site = site;
  }
}

/** What the machine reports while it runs. */
export interface MachineEvents {
  /** A process is about to run for the first time; true: it must not. */
  begins(resident: Resident): boolean;
  logged(level: LogLevel, message: string): void;
}

export class Machine implements SimulatedHost {
  faults: FaultSource = noFaults;
  calmFromMs: Milliseconds = Infinity;
  eventsCount = 0;
  /** Shows the same time of day at the start of all runs. */
  readonly wallClock: WallClock;
  readonly sites: Site[] = [];
  readonly residents: Map<AnyProcess, Resident> = new Map();
  /** Kept while somebody wants to read it. */
  story: StoryLine[] | null = null;
  /** Set once something was wrong with the run itself; it ends then. */
  broken: Error | null = null;
  readonly #choices: Choices;
  readonly #order: TurnOrder;
  readonly #host: MachineHost;
  readonly #events: MachineEvents;
  readonly #heap = new ReadyHeap<Event>();
  /** Called with each event: what kind of thing, whose (a resident's number). */
  note: ((kind: number, who: number) => void) | null = null;
  /** Processes that were found parked in a request: replies do not come as events of their own. */
  readonly #asking = new Set<Resident>();
  /** A server has answered on the stack of whoever ran. */
  #wasNested = false;
  /** Ended processes whose handles are being closed: what they wait for settles without anybody's turn. */
  readonly #closing = new Set<AnyProcess>();
  #nowMs: Milliseconds = 0;
  #sequence = 0;
  #instantCount = 0;
  #residentsCount = 0;
  #idsCount = 0;
  /** Residents after which the ended ones are looked for. */
  #sweepFrom = 64;
  #running: Resident | null = null;

  constructor(choices: Choices, order: TurnOrder, host: MachineHost, events: MachineEvents) {
    this.wallClock = new WallClock(() => this.#nowMs, startWallMs);
    this.#choices = choices;
    this.#order = order;
    this.#host = host;
    this.#events = events;
  }

  // --- for the parts of the machine ---

  nowMs(): Milliseconds {
    return this.#nowMs;
  }

  stream(name: string): Stream {
    return this.#choices.stream(name);
  }

  after(delayMs: Milliseconds, fire: () => void): () => void {
    return this.#schedule(delayMs, fire, null);
  }

  /** Runs `fire` at a time; those of one time in the order in which they were asked for. */
  at(timeMs: Milliseconds, fire: () => void): void {
    this.#push(new Event(timeMs, 0, 0, null, fire, null));
  }

  operate<T>(durationMs: Milliseconds, perform: () => T): Promise<T> {
    return this.waitFor((settle) => {
      this.#schedule(
        durationMs,
        () => {
          try {
            settle.resolve(perform());
          } catch (thrown) {
            settle.reject(thrown);
          }
        },
        null,
      );
    });
  }

  waitFor<T>(start: (settle: { resolve(value: T): void; reject(error: unknown): void }) => void): Promise<T> {
    const resident = this.#running;
    if (resident !== null) resident.operationsCount += 1;
    return new Promise<T>((resolve, reject) => {
      let isSettled = false;
      const settled = (settle: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        if (resident === null) {
          settle();
          return;
        }
        this.#returns(resident);
        if (resident.isLive) settle();
      };
      start({
        resolve: (value) => settled(() => resolve(value)),
        reject: (error) => settled(() => reject(error)),
      });
    });
  }

  tell(subject: string, what: () => string): void {
    const { story } = this;
    if (story === null) return;
    story.push({ atMs: this.#nowMs, subject, what: what() });
    if (story.length > 2 * storyLinesMax) story.splice(0, story.length - storyLinesMax);
  }

  // --- sites ---

  /** A site with a kernel of its own. */
  addSite(
    title: string,
    parent: Site | null,
    options: { readonly id?: string; readonly carriers: ReadonlyMap<string, Starter>; readonly strays?: Strays },
  ): Site {
    const site: Site = new Site(
      title,
      parent,
      this.#platformOf(() => site, options.strays),
    );
    site.kernel = new Kernel(site.platform, {
      ...(options.id === undefined ? {} : { id: options.id }),
      carriers: options.carriers,
      turns: (step) => {
        site.step = step;
        return this.#turnsOf(site);
      },
    });
    parent?.children.add(site);
    this.sites.push(site);
    return site;
  }

  /** Nothing of this site, or of what it started, runs any more; nobody is told. */
  killSite(site: Site): void {
    if (site.isDead) return;
    site.isDead = true;
    site.kernel.close();
    site.parent?.children.delete(site);
    this.sites.splice(this.sites.indexOf(site), 1);
    for (const resident of this.residents.values()) if (resident.site === site) this.forget(resident);
    for (const child of [...site.children]) this.killSite(child);
  }

  forget(resident: Resident): void {
    this.residents.delete(resident.process);
    this.#asking.delete(resident);
  }

  /** The live processes, oldest first. */
  *liveResidents(): Iterable<Resident> {
    for (const resident of this.residents.values()) if (resident.isLive) yield resident;
  }

  #platformOf(site: () => Site, strays: Strays | undefined): Platform {
    const clock: Clock = {
      monotonicMs: () => this.#nowMs,
      wallMs: () => this.wallClock.wallMs(),
      timer: (delayMs, fire) => this.#schedule(Math.max(0, delayMs), fire, site()),
    };
    const later = (task: () => void): void => void this.#schedule(0, task, site());
    const scheduling: Scheduling = { microtask: later, macrotask: later };
    const random = this.#choices;
    return {
      clock,
      scheduling,
      strays: strays ?? { run: (owner, body) => this.#run(owner, body), listen: () => () => {} },
      random: (stream) => random.stream(`random:${stream}`).choose(0x1_0000_0000),
      id: (kind) => `${kind}-${(this.#idsCount += 1)}`,
      log: (level, message) => this.#events.logged(level, message),
    };
  }

  /** Code of a process that has no turn: it answers on its caller's stack, or it has ended and closes what it held. */
  #run<T>(owner: object, body: () => T): T {
    const process = owner as AnyProcess;
    const resident = this.residents.get(process);
    if (process.stage === "exiting") this.#closing.add(process);
    else if (resident !== undefined && resident !== this.#running) {
      this.#asking.add(resident);
      this.#wasNested = true;
    }
    return body();
  }

  #turnsOf(site: Site): Turns {
    const nests = this.stream("nested");
    return {
      spend: (nested = false) => nested && nests.chance(nestedShare),
      nextTurn: (task) => this.#nextTurn(task, site),
      enqueue: (process) => {
        process.queued = true;
        this.#scheduleTurn(this.residents.get(process) ?? this.#admit(process, site));
      },
      begin: (process) => {
        process.queued = true;
        // Its name comes after its pid; the title is taken when its turn has come.
        this.#schedule(0, () => this.#scheduleTurn(this.#admit(process, site)), site);
      },
    };
  }

  /** Whoever asked for it waits for it. */
  #nextTurn(task: () => void, site: Site): void {
    const resident = this.#running;
    if (resident !== null) resident.operationsCount += 1;
    this.#schedule(
      0,
      () => {
        if (resident !== null) this.#returns(resident);
        task();
      },
      site,
    );
  }

  /** An operation of a process is over, and what awaits it may run. */
  #returns(resident: Resident): void {
    resident.operationsCount -= 1;
    if (!resident.isLive) return;
    this.#asking.add(resident);
    this.#running = resident;
  }

  #admit(process: AnyProcess, site: Site): Resident {
    if (this.residents.size > this.#sweepFrom) this.#sweep();
    const title = process.extra?.name ?? labelOf(process) ?? "process";
    this.#residentsCount += 1;
    const resident = new Resident(process, site, title, this.#residentsCount, this.stream(`turn:${title}`));
    this.residents.set(process, resident);
    return resident;
  }

  #sweep(): void {
    for (const resident of this.residents.values()) if (!resident.isLive) this.forget(resident);
    this.#sweepFrom = 64 + 2 * this.residents.size;
  }

  #scheduleTurn(resident: Resident): void {
    if (resident.isHung) return;
    let delayMs = this.#order.delayMs(resident);
    if (resident.lateMs > 0) {
      delayMs += untilCalm(this, resident.lateMs);
      resident.lateMs = 0;
    }
    this.#push(new Event(this.#nowMs + delayMs, this.#order.rank(resident), 0, resident, null, resident.site));
  }

  #schedule(delayMs: Milliseconds, task: () => void, site: Site | null): () => void {
    const event = new Event(this.#nowMs + delayMs, 0, 0, null, task, site);
    this.#push(event);
    return () => this.#heap.cancel(event);
  }

  #push(event: Event): void {
    this.#sequence += 1;
    event.sequence = this.#sequence;
    this.#heap.push(event);
  }

  // --- running ---

  /** Everything goes on later at once, as in a virtual machine that was paused. */
  pause(durationMs: Milliseconds): void {
    this.#nowMs += durationMs;
  }

  /**
   * Takes events until `check` says that it is over, nothing is left to happen before `untilMs`, or the run is broken.
   * Time is `untilMs` then, unless it was over before.
   */
  async run(untilMs: Milliseconds, eventsMax: number, check: () => boolean): Promise<void> {
    for (;;) {
      const event = this.#next(untilMs);
      if (event === null) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return;
      }
      const { resident, task } = event;
      this.eventsCount += 1;
      if (resident === null) {
        this.note?.(1, 0);
        (task as () => void)();
      } else {
        this.note?.(2, resident.number);
        this.#turn(resident);
      }
      if (this.#mustPark()) await this.#park();
      if (this.broken !== null || check()) return;
      if (this.eventsCount >= eventsMax) {
        this.broken = new RestlessError(`the run did not come to its end within ${eventsMax} events`);
        return;
      }
    }
  }

  #next(untilMs: Milliseconds): Event | null {
    for (;;) {
      const event = this.#order.pick === undefined ? this.#heap.pop() : this.#pick(this.#order.pick.bind(this.#order));
      if (event === undefined) return null;
      if (event.timeMs > untilMs) {
        this.#heap.push(event);
        return null;
      }
      const { site } = event;
      if (site !== null && site.isDead) continue;
      if (site !== null && site.stoppedUntilMs > event.timeMs) {
        event.timeMs = site.stoppedUntilMs;
        this.#push(event);
        continue;
      }
      if (event.timeMs > this.#nowMs) {
        this.#nowMs = event.timeMs;
        this.#instantCount = 0;
      } else if ((this.#instantCount += 1) > eventsPerInstantMax) {
        const who = event.resident === null ? "the machine" : event.resident.title;
        this.broken = new RestlessError(
          `${eventsPerInstantMax} events happened at ${this.#nowMs} ms and time stands still; the last turn was of ${who}`,
        );
        return null;
      }
      return event;
    }
  }

  /** One of the events at the next instant. */
  #pick(pick: (count: number) => number): Event | undefined {
    const first = this.#heap.pop();
    if (first === undefined) return undefined;
    const ready = [first];
    for (
      let next = this.#heap.peek();
      next !== undefined && next.timeMs <= Math.max(first.timeMs, this.#nowMs);
      next = this.#heap.peek()
    ) {
      this.#heap.pop();
      ready.push(next);
    }
    const chosen = ready[pick(ready.length)] as Event;
    for (const event of ready) if (event !== chosen) this.#heap.push(event);
    return chosen;
  }

  #turn(resident: Resident): void {
    const { process } = resident;
    this.#order.turned?.(resident);
    process.queued = false;
    // That nothing of an ended process runs is the kernel's own promise.
    if (resident.site.isDead || resident.isHung) return;
    if (process.stage === "new" && this.#events.begins(resident)) return;
    this.#running = resident;
    resident.site.step(process);
  }

  /** Most turns are of servers that answer at once: nobody has to be waited for. */
  #mustPark(): boolean {
    if (this.#closing.size > 0 || this.#wasNested) return true;
    const ran = this.#running;
    if (ran !== null) {
      if (!isParked(ran) || openWaits(ran) > 0) return true;
      this.#running = null;
    }
    return this.#unparked() !== null || this.#wasAnswered();
  }

  /** Whether a wait is over of somebody who waits for something else too: what follows from it needs the host's queue. */
  #wasAnswered(): boolean {
    for (const resident of this.#asking) if (openWaits(resident) < resident.openCount) return true;
    return false;
  }

  /** Waits until whoever ran, and whoever may have got an answer, waits again. */
  async #park(): Promise<void> {
    const ran = this.#running;
    if (ran !== null && !isParked(ran)) await this.#parkOne(ran);
    if (ran !== null) {
      const openCount = openWaits(ran);
      if (openCount > 0) this.#asking.add(ran);
      ran.openCount = openCount;
      // Several waits of one process: what follows one of them may still be on its way.
      if (openCount > 1) await this.#host.drain();
    }
    this.#running = null;
    // Whoever goes on may answer another.
    for (let next = this.#unparked(); next !== null; next = this.#unparked()) {
      this.#running = next;
      await this.#parkOne(next);
      next.openCount = openWaits(next);
      this.#running = null;
      if (this.broken !== null) return;
    }
    // Whoever waits for something else already may not have gone on with its answer yet.
    if (this.#wasNested || this.#wasAnswered()) await this.#host.drain();
    this.#wasNested = false;
    for (const resident of this.#asking) {
      resident.openCount = openWaits(resident);
      if (resident.openCount === 0) this.#asking.delete(resident);
    }
    if (this.#closing.size > 0) await this.#close();
  }

  /** Lets what closes get as far as it can without time going on. */
  async #close(): Promise<void> {
    for (let ticks = 0; ticks < closeTicks; ticks += 1) await tick;
    for (const process of this.#closing) {
      const isGone = !this.sites.some(({ kernel }) => kernel === process.kernel);
      if (process.stage === "dead" || isGone) this.#closing.delete(process);
    }
  }

  #unparked(): Resident | null {
    for (const resident of this.#asking) if (!isParked(resident)) return resident;
    return null;
  }

  async #parkOne(resident: Resident): Promise<void> {
    for (let ticks = 0; ticks < parkTicksMax; ticks += 1) {
      await tick;
      if (isParked(resident)) return;
    }
    this.broken ??= new EscapedError(`${resident.title} ${resident.process.pid}`);
  }
}

function isParked(resident: Resident): boolean {
  const { process } = resident;
  if (process.wake !== null || process.resume !== null || process.queued) return true;
  if (process.reactor !== null && !process.busy) return true;
  return !resident.isLive || process.stage === "new" || openWaits(resident) > 0 || isHeld(process);
}

/** Requests and operations that the process waits for. */
function openWaits(resident: Resident): number {
  let count = resident.operationsCount;
  const { monitors } = resident.process;
  if (monitors !== null) for (const ref of monitors) if (ref.pending !== null) count += 1;
  return count;
}
