/**
 * Platform: the only way from engine-neutral code to the host. Time, randomness, ids, scheduling, the log and
 * the ownership of stray errors all come through here, so that a simulator can stand in for the machine.
 *
 * Guarantees: neutral code never touches a host global; a test (`test/tidy.test.ts`) and the compiler
 * (`types: []`) hold it to that.
 * Not here: files, sockets, OS processes; those belong to carriers and stores.
 *
 * @module
 */

/** Milliseconds, possibly fractional. */
export type Milliseconds = number;

/** Time. `monotonicMs` never steps back; `wallMs` may jump and is only for display and calendars. */
export interface Clock {
  monotonicMs(): Milliseconds;
  /** Milliseconds since 1970-01-01 UTC. */
  wallMs(): Milliseconds;
  /** Runs `fire` once, not before `delayMs` have passed. Returns a function that cancels it; idempotent. */
  timer(delayMs: Milliseconds, fire: () => void): () => void;
}

/** Where the scheduler gets its turns. */
export interface Scheduling {
  /** Runs `task` before control returns to the host's event loop. */
  microtask(task: () => void): void;
  /** Runs `task` after the host's event loop had a turn for timers and I/O. */
  macrotask(task: () => void): void;
}

/**
 * Ownership of stray errors: a rejected promise nobody awaits, a throw in a host timer, an emitter's error.
 * The host remembers which owner's code started the asynchronous work.
 */
export interface Strays {
  /** Runs `body`; asynchronous work it starts belongs to `owner`. */
  run<T>(owner: object, body: () => T): T;
  /** Calls `listener` for each stray error whose owner is known. Errors without an owner stay the host's. */
  listen(listener: (owner: object, error: unknown) => void): () => void;
  /** A promise of a value that is there, where the host can make it cheaper because no error can come of it. */
  resolved?<T>(value: T): Promise<T>;
  /** Whose code runs now, where the host can tell. */
  current?(): object | undefined;
  /** Tells of each piece of asynchronous work that begins and ends, until what it returns is called. Costly. */
  watch?(watcher: WorkWatcher): () => void;
}

/** What is told of asynchronous work; pieces are nested or one after the other. */
export interface WorkWatcher {
  begin(owner: object | undefined): void;
  end(): void;
}

/** How much a log entry matters. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** The host, as neutral code sees it. */
export interface Platform {
  readonly clock: Clock;
  /** A whole number in [0, 2^32); `stream` names what is decided, so that a replay can tell the draws apart. */
  random(stream: string): number;
  /** A new id, unique among all systems that may ever meet; `kind` says what for. */
  id(kind: string): string;
  readonly scheduling: Scheduling;
  readonly strays: Strays;
  /** Never throws. `facts` are for machines, `message` for people. */
  log(level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>): void;
}
