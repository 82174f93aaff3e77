/**
 * A SimulatedHost for tests of the parts of a simulated machine: virtual time that goes on by itself as long as there is
 * something to wait for, and faults by script.
 *
 * Time moves only when nothing else can run: one timer per turn of the event loop, earliest first, in order of their start.
 *
 * @module
 */
import type { Milliseconds } from "../src/base/platform.ts";
import type { FaultName, FaultSource } from "../src/faults/fault.ts";
import { FixedChoices, type Choices, type Stream } from "../src/sim/choices.ts";
import type { SimulatedHost, StoryLine } from "../src/sim/host.ts";

interface Timer {
  readonly dueMs: Milliseconds;
  readonly fire: () => void;
}

/** Strikes where it was told to. */
export class ScriptedFaults implements FaultSource {
  /** What was asked, as `fault subject`, in order. */
  readonly asked: string[] = [];
  readonly #strikes: Map<string, number> = new Map();
  readonly #severities: Partial<Record<FaultName, number>> = {};

  /** The next `count` times that `fault` may strike `subject`, it does. */
  next(fault: FaultName, subject: string, severity = 0, count = 1): void {
    this.#strikes.set(`${fault} ${subject}`, count);
    this.#severities[fault] = severity;
  }

  strikes(fault: FaultName, subject: string): boolean {
    const key = `${fault} ${subject}`;
    this.asked.push(key);
    const left = this.#strikes.get(key) ?? 0;
    this.#strikes.set(key, left - 1);
    return left > 0;
  }

  severity(fault: FaultName, _subject: string, count: number): number {
    return Math.min(this.#severities[fault] ?? 0, count - 1);
  }
}

export class VirtualHost implements SimulatedHost {
  readonly faults: ScriptedFaults = new ScriptedFaults();
  readonly story: StoryLine[] = [];
  readonly #choices: Choices;
  #nowMs: Milliseconds = 0;
  #timers: Timer[] = [];
  #isPumping = false;

  /** Without choices each is 0. */
  constructor(choices: Choices = new FixedChoices([])) {
    this.#choices = choices;
  }

  stream(name: string): Stream {
    return this.#choices.stream(name);
  }

  nowMs(): Milliseconds {
    return this.#nowMs;
  }

  after(delayMs: Milliseconds, fire: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + delayMs, fire };
    const later = this.#timers.findIndex((other) => other.dueMs > timer.dueMs);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    this.#pump();
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  operate<T>(durationMs: Milliseconds, perform: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.after(durationMs, () => {
        try {
          resolve(perform());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  waitFor<T>(start: (settle: { resolve(value: T): void; reject(error: unknown): void }) => void): Promise<T> {
    return new Promise((resolve, reject) => start({ resolve, reject }));
  }

  tell(subject: string, what: () => string): void {
    this.story.push({ atMs: this.#nowMs, subject, what: what() });
  }

  /** Virtual time passes. */
  pause(durationMs: Milliseconds): Promise<void> {
    return this.operate(durationMs, () => undefined);
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      const next = this.#timers.shift();
      if (next === undefined) return;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fire();
      if (this.#timers.length > 0) this.#pump();
    });
  }
}
