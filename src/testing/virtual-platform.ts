/**
 * Virtual platform: a Platform whose time stands still until a test moves it, for tests of timers, deadlines and
 * backoff that neither wait nor hope.
 *
 * Guarantees: `advance` fires each timer at its own due time, earliest first, and lets everything that follows from it
 * run before the next; `settle` returns when nothing that was scheduled through this platform is left to run.
 * Randomness is a fixed sequence. Tasks run on the host's own queues, so the order among them is the real one.
 * Not here: stray errors (they need a host; `strays` may be given), seeded worlds and faults (sim).
 *
 * @module
 */
import type { Clock, LogLevel, Milliseconds, Platform, Scheduling, Strays } from "../base/platform.ts";

/** One line that was logged. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
}

/** What can be chosen about a virtual platform. */
export interface VirtualPlatformOptions {
  /** Default: nobody owns anything. */
  readonly strays?: Strays;
}

interface VirtualTimer {
  readonly dueMs: Milliseconds;
  readonly fire: () => void;
}

const noStrays: Strays = { run: (_owner, body) => body(), listen: () => () => {} };

export class VirtualPlatform implements Platform {
  readonly clock: Clock;
  readonly scheduling: Scheduling;
  readonly strays: Strays;
  /** Everything that was logged, oldest first. */
  readonly logged: LogEntry[] = [];
  #nowMs: Milliseconds = 0;
  /** Soonest first; those of one due time in the order in which they were started. */
  #timers: VirtualTimer[] = [];
  #tasksCount = 0;
  #idsCount = 0;
  #randomState = 1;

  constructor(options: VirtualPlatformOptions = {}) {
    this.strays = options.strays ?? noStrays;
    this.clock = {
      monotonicMs: () => this.#nowMs,
      wallMs: () => this.#nowMs,
      timer: (delayMs, fire) => this.#startTimer(delayMs, fire),
    };
    this.scheduling = {
      microtask: (task) => this.#schedule(task, queueMicrotask),
      macrotask: (task) => this.#schedule(task, (run) => void setImmediate(run)),
    };
  }

  /** xorshift32 from a fixed seed. */
  random(): number {
    let state = this.#randomState;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#randomState = state;
    return state >>> 0;
  }

  id(kind: string): string {
    this.#idsCount += 1;
    return `${kind}-${this.#idsCount}`;
  }

  log(level: LogLevel, message: string): void {
    this.logged.push({ level, message });
  }

  /** How many host timers are armed. */
  get timersCount(): number {
    return this.#timers.length;
  }

  /** Lets run what can run now. */
  async settle(): Promise<void> {
    do await new Promise<void>((resolve) => void setImmediate(resolve));
    while (this.#tasksCount > 0);
  }

  /** Moves time by `durationMs`, firing what becomes due on the way. */
  async advance(durationMs: Milliseconds): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await this.settle();
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= untilMs; next = this.#timers[0]) {
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fire();
      await this.settle();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  /** Moves time without firing anything, as a busy or suspended machine does; the next `advance` fires what is late. */
  stall(durationMs: Milliseconds): void {
    this.#nowMs += durationMs;
  }

  #startTimer(delayMs: Milliseconds, fire: () => void): () => void {
    const timer: VirtualTimer = { dueMs: this.#nowMs + Math.max(0, delayMs), fire };
    const later = this.#timers.findIndex((other) => other.dueMs > timer.dueMs);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  #schedule(task: () => void, queue: (run: () => void) => void): void {
    this.#tasksCount += 1;
    queue(() => {
      this.#tasksCount -= 1;
      task();
    });
  }
}
