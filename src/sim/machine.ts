/**
 * Machine: the simulated host of one run. Virtual time, the order of turns, and the kernels that live on it.
 *
 * A run is a row of events, taken by (time, rank, order of scheduling). An event gives one process a turn or does one
 * thing of the machine (a timer, a signal that arrives, a fault). A message, a reply and the end of an operation each
 * resume a process in a turn of its own, never in the middle of another's. The next event waits until the process that ran
 * is parked: in `receive`, in a request, in an operation of the machine, or ended. So nothing depends on how many ticks
 * a promise takes, and a process that awaits what the machine knows nothing of is found and named (`EscapedError`).
 * Guarantees: equal choices give the same events in the same order. Nothing of a site (a kernel and what it started) that
 * is dead ever runs again. A timer never fires early.
 * Limits: code that a process starts and does not await is not waited for; a process whose calls run side by side counts
 * as parked while one of them is open, and then the host's queue is emptied before the next event.
 * Not here: who lives on it (site.ts), which faults strike when (nemesis.ts), what is checked (run.ts).
 *
 * @module
 */
import type { Clock, LogLevel, Milliseconds, Platform, Scheduling, Strays } from "../base/platform.ts";
import { noFaults, type FaultSource } from "../faults/fault.ts";
import { Kernel, type Starter } from "../kernel/kernel.ts";
import { isHeld, labelOf, type AnyProcess } from "../kernel/process.ts";
import type { PendingReply } from "../kernel/request.ts";
import type { Turns } from "../kernel/scheduler.ts";
import type { Choices, Stream } from "./choices.ts";
import type { SimulatedHost, StoryLine } from "./host.ts";
import { ReadyEntry, ReadyHeap } from "./ready-heap.ts";
import { untilCalm } from "./sim-subject.ts";
import { Resident, Site } from "./site.ts";
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
/** Events after which the host's event loop turns once: what is held weakly is let go only then. */
const eventsPerHostTurn = 8192;
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
  /** Processes that were found waiting for room: a hold that takes too long ends without a turn of theirs. */
  readonly #held = new Set<Resident>();
  /** Servers that have answered on the stack of whoever ran. */
  readonly #nested: Resident[] = [];
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
  /** Whether other parts of the running process wait for something, so that it looks parked while this one goes on. */
  #isDivided = false;

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
    if (resident !== null) resident.waitsCount += 1;
    return new Promise<T>((resolve, reject) => {
      let isSettled = false;
      const settled = (settle: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        if (resident === null) settle();
        else this.#scheduleReturn(resident, settle);
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
    this.#held.delete(resident);
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

  /**
   * Code of a process that has no turn: it answers on its caller's stack, or it has ended and closes what it held. What it
   * begins is its own, not that of whoever runs.
   */
  #run<T>(owner: object, body: () => T): T {
    const process = owner as AnyProcess;
    const running = this.#running;
    const isClosing = process.stage === "exiting";
    if (!isClosing && running?.process === process) return body();
    const resident = isClosing ? null : (this.residents.get(process) ?? null);
    if (isClosing) this.#closing.add(process);
    else if (resident !== null) this.#nested.push(resident);
    this.#running = resident;
    try {
      return body();
    } finally {
      this.#running = running;
    }
  }

  #turnsOf(site: Site): Turns {
    const nests = this.stream("nested");
    return {
      spend: (nested = false) => nested && nests.chance(nestedShare),
      nextTurn: (task) => this.#nextTurn(task, site),
      asks: (pending) => this.#asks(pending),
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

  /** The kernel's own work, done also when the process that it is for has ended; else that process waits for it. */
  #nextTurn(task: () => void, site: Site): void {
    const resident = this.#running;
    if (resident !== null) resident.waitsCount += 1;
    const runTask = (): void => {
      if (resident !== null) this.#returns(resident);
      task();
    };
    this.#schedule(0, runTask, site);
  }

  /** What the process waited for is over: what is done now is done in its turn. */
  #returns(resident: Resident): void {
    resident.waitsCount -= 1;
    if (!resident.isLive || resident.isHung) return;
    this.#running = resident;
    this.#isDivided = isParked(resident);
  }

  /** A reply resumes who asked in a turn of its own, not in the middle of the turn of who answers. */
  #asks(pending: PendingReply): void {
    const resident = this.residents.get(pending.caller);
    if (resident === undefined) return;
    const { resolve, fail } = pending;
    resident.waitsCount += 1;
    pending.resolve = (value) => this.#scheduleReturn(resident, () => resolve(value));
    pending.fail = (reason) => this.#scheduleReturn(resident, () => fail(reason));
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
    this.#scheduleStep(resident, null);
  }

  /** Something that the process waits for is over: it goes on in a turn of its own. */
  #scheduleReturn(resident: Resident, goOn: () => void): void {
    if (resident.isLive) this.#scheduleStep(resident, goOn);
  }

  #scheduleStep(resident: Resident, goOn: (() => void) | null): void {
    if (resident.isHung) return;
    let delayMs = this.#order.delayMs(resident);
    if (resident.lateMs > 0) {
      delayMs += untilCalm(this, resident.lateMs);
      resident.lateMs = 0;
    }
    this.#push(new Event(this.#nowMs + delayMs, this.#order.rank(resident), 0, resident, goOn, resident.site));
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
        this.#turn(resident, task);
      }
      if (this.#mustPark()) await this.#park();
      if (this.eventsCount % eventsPerHostTurn === 0) await this.#host.drain();
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

  /** One step of a process: the kernel's, or on from what it waited for. */
  #turn(resident: Resident, goOn: (() => void) | null): void {
    const { process } = resident;
    this.#order.turned?.(resident);
    if (resident.isHung) return;
    if (goOn !== null) {
      this.#returns(resident);
      if (resident.isLive) goOn();
      return;
    }
    process.queued = false;
    // That nothing of an ended process runs is the kernel's own promise.
    if (process.stage === "new" && this.#events.begins(resident)) return;
    this.#running = resident;
    this.#isDivided = resident.waitsCount > 0;
    resident.site.step(process);
  }

  /** Most turns are of servers that answer at once: nobody has to be waited for. */
  #mustPark(): boolean {
    if (this.#closing.size > 0 || this.#held.size > 0) return true;
    if (this.#nested.length > 0) return true;
    const ran = this.#running;
    if (ran === null) return false;
    if (!isParked(ran) || this.#isDivided || ran.waitsCount > 1 || isHeld(ran.process)) return true;
    this.#running = null;
    return false;
  }

  /** Waits until whoever ran waits again. */
  async #park(): Promise<void> {
    const ran = this.#running;
    if (ran !== null) {
      await this.#parkOne(ran);
      // Several waits of one process: what follows one of them may still be on its way.
      if (this.#isDivided || ran.waitsCount > 1) await this.#host.drain();
    }
    // What follows from an answer on the stack of who asked may be on its way, while that waits for something else.
    if (this.#nested.length > 0) await this.#host.drain();
    // Those that ran has asked on its stack, and whom they have asked in turn.
    for (const resident of this.#nested) {
      if (!resident.process.busy) continue;
      this.#running = resident;
      await this.#parkOne(resident);
      // What it waited for before may hide what follows from the question.
      await this.#host.drain();
    }
    this.#nested.length = 0;
    for (const resident of this.#held) {
      if (isHeld(resident.process)) continue;
      this.#held.delete(resident);
      this.#running = resident;
      await this.#parkOne(resident);
    }
    this.#running = null;
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

  async #parkOne(resident: Resident): Promise<void> {
    for (let ticks = 0; !isParked(resident); ticks += 1) {
      if (ticks === parkTicksMax) {
        this.broken ??= new EscapedError(`${resident.title} ${resident.process.pid}`);
        return;
      }
      await tick;
    }
    if (isHeld(resident.process)) this.#held.add(resident);
  }
}

function isParked(resident: Resident): boolean {
  const { process } = resident;
  if (process.wake !== null || process.resume !== null || process.queued) return true;
  if (process.reactor !== null && !process.busy) return true;
  return resident.waitsCount > 0 || !resident.isLive || process.stage === "new" || isHeld(process);
}
