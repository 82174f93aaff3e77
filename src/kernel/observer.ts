/**
 * Observer: what a kernel notes about its processes while somebody wants to know: counts of their work, where they wait,
 * and traces.
 *
 * Guarantees: a kernel that nobody watches has none, and each place that would tell it compares with null, no more. Work is
 * counted in windows that are opened and closed (recon's proc_window), not always, because counting costs.
 * Time is the host's: where the platform tells of asynchronous work (`Strays.watch`), all that a process's code does counts
 * for it; elsewhere only what runs in a step of the scheduler.
 * Limits: nothing is noted of what happened before; of a process that waited already, nobody knows where.
 * Not here: what is made of it (inspect.ts, top.ts), the form of traces (trace.ts).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Kernel } from "./kernel.ts";
import type { AnyPid, Ref } from "./pid.ts";
import { Process, type AnyProcess } from "./process.ts";
import { Request } from "./request.ts";
import type { Trace } from "./trace.ts";

/** What one process did in a window. */
export interface Work {
  /** Messages, requests and replies that arrived. */
  messagesCount: number;
  /** How often its code got to run. */
  turnsCount: number;
  /** How long its code ran, in milliseconds. */
  timeMs: Milliseconds;
}

/** The work of all processes of a kernel since a moment. */
export class Window {
  readonly sinceMs: Milliseconds;
  readonly #works = new Map<AnyProcess, Work>();

  constructor(sinceMs: Milliseconds) {
    this.sinceMs = sinceMs;
  }

  /** Undefined when it has done nothing. */
  find(process: AnyProcess): Work | undefined {
    return this.#works.get(process);
  }

  of(process: AnyProcess): Work {
    let work = this.#works.get(process);
    if (work === undefined) {
      work = { messagesCount: 0, turnsCount: 0, timeMs: 0 };
      this.#works.set(process, work);
    }
    return work;
  }

  /** Processes of which something is counted. */
  get worksCount(): number {
    return this.#works.size;
  }

  forget(process: AnyProcess): void {
    this.#works.delete(process);
  }
}

/** The kernel's observer, which it has from now until all that was switched on is off again. */
export function observerOf(kernel: Kernel): Observer {
  return (kernel.observer ??= new Observer(kernel));
}

export class Observer {
  readonly #kernel: Kernel;
  readonly #windows = new Set<Window>();
  readonly #traces = new Set<Trace>();
  /** Where each process called `receive`: errors, because a stack is cheap to take and dear to print. */
  #places: WeakMap<AnyProcess, Error> | null = null;
  /** The window that stays open until it is switched off. */
  standing: Window | null = null;
  /** Whose code runs, innermost last; null for nobody's. */
  readonly #running: (AnyProcess | null)[] = [];
  #chargedMs: Milliseconds = 0;
  #unwatch: (() => void) | null = null;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  // --- switching on and off ---

  /** From now on work is counted in the window that is returned, until `closeWindow`. */
  openWindow(): Window {
    const { clock, strays } = this.#kernel.platform;
    const window = new Window(clock.monotonicMs());
    this.#windows.add(window);
    this.#unwatch ??=
      strays.watch?.({
        begin: (owner) => this.#begin(owner instanceof Process && owner.kernel === this.#kernel ? owner : null),
        end: () => this.leave(),
      }) ?? null;
    return window;
  }

  closeWindow(window: Window): void {
    this.#windows.delete(window);
    if (this.#windows.size === 0) {
      this.#unwatch?.();
      this.#unwatch = null;
      this.#running.length = 0;
    }
    this.endIfIdle();
  }

  /** Counts all work until it is switched off. */
  countWork(on: boolean): void {
    if (on) this.standing ??= this.openWindow();
    else if (this.standing !== null) {
      const window = this.standing;
      this.standing = null;
      this.closeWindow(window);
    }
    this.endIfIdle();
  }

  /** Notes where processes wait. */
  recordPlaces(on: boolean): void {
    this.#places = on ? (this.#places ?? new WeakMap()) : null;
    this.endIfIdle();
  }

  addTrace(trace: Trace): void {
    this.#traces.add(trace);
  }

  removeTrace(trace: Trace): void {
    this.#traces.delete(trace);
    this.endIfIdle();
  }

  /** Leaves the kernel without an observer when nothing is left to note. */
  protected endIfIdle(): void {
    if (this.#windows.size + this.#traces.size === 0 && this.#places === null) this.#kernel.observer = null;
  }

  // --- what the kernel tells ---

  /** `process` has been made. */
  spawned(process: AnyProcess): void {
    for (const trace of this.#traces) trace.note("spawn", process, process.parent, undefined);
  }

  /** `process` has ended. */
  ended(process: AnyProcess, reason: ExitReason): void {
    for (const window of this.#windows) window.forget(process);
    for (const trace of this.#traces) trace.note("exit", process, undefined, reason);
  }

  /** `message` has come for `process`. */
  delivered(process: AnyProcess, message: unknown): void {
    for (const window of this.#windows) window.of(process).messagesCount += 1;
    for (const trace of this.#traces) {
      if (message instanceof Request) trace.note("call", process, message.from.owner, message.body);
      else trace.note("message", process, undefined, message);
    }
  }

  /** An exit signal of `from` has come for `process`, whatever becomes of it. */
  exitReceived(_process: AnyProcess, _from: AnyPid, _reason: ExitReason, _overLink: boolean): void {}

  /** The answer to a request of `process` has come. */
  replied(process: AnyProcess, ref: Ref, value: unknown): void {
    for (const window of this.#windows) window.of(process).messagesCount += 1;
    for (const trace of this.#traces) trace.note("reply", process, ref.targetName ?? ref.target ?? undefined, value);
  }

  /** `process` sends a message, a request or a reply. */
  sent(process: AnyProcess, to: AnyPid | Ref | string, message: unknown): void {
    for (const trace of this.#traces) trace.note("send", process, to, message);
  }

  /** `process` is about to wait in `receive`. */
  waits(process: AnyProcess): void {
    this.#places?.set(process, new Error("waits"));
  }

  /** The stack of the `receive` that `process` waits in; undefined when it was not noted. */
  placeOf(process: AnyProcess): string | undefined {
    return this.#places?.get(process)?.stack;
  }

  /** Code of `process` begins to run. */
  enter(process: AnyProcess): void {
    this.#begin(process);
  }

  /** What began last has returned. */
  leave(): void {
    if (this.#windows.size === 0 || this.#running.length === 0) return;
    this.#charge();
    this.#running.pop();
  }

  #begin(process: AnyProcess | null): void {
    if (this.#windows.size === 0) return;
    this.#charge();
    this.#running.push(process);
    // What one that has ended still does counts for nobody: its count is forgotten and would come back for ever.
    if (process === null || process.stage === "dead") return;
    for (const window of this.#windows) window.of(process).turnsCount += 1;
  }

  /** The time since the last change belongs to who runs. */
  #charge(): void {
    const nowMs = this.#kernel.platform.clock.monotonicMs();
    const process = this.#running.at(-1) ?? null;
    if (process !== null && process.stage !== "dead") {
      for (const window of this.#windows) window.of(process).timeMs += nowMs - this.#chargedMs;
    }
    this.#chargedMs = nowMs;
  }
}
