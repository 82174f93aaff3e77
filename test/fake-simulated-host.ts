/**
 * Fake simulated host: what the parts of a simulated machine get, without a machine: operations happen in the order in which
 * they were begun, each moves the clock on, and a test says which faults strike.
 *
 * @module
 */
import type { FaultName, FaultSource } from "../src/faults/fault.ts";
import { FixedChoices, SeededChoices, type Choices, type Stream } from "../src/sim/choices.ts";
import type { SimulatedHost } from "../src/sim/host.ts";

/** Whether a fault strikes, and how hard: a number is its severity (cut to what is possible), true is 0. */
export type Strike = (fault: FaultName, subject: string) => boolean | number;

export class FakeSimulatedHost implements SimulatedHost {
  /** Each line as `subject: what`. */
  readonly told: string[] = [];
  /** May be replaced in the middle of a test. */
  strike: Strike;
  now = 0;
  faults: FaultSource;
  readonly #choices: Choices;
  #severity = 0;

  constructor(strike: Strike = () => false, choices: Choices = new FixedChoices([])) {
    this.strike = strike;
    this.#choices = choices;
    this.faults = {
      strikes: (fault, subject) => {
        const struck = this.strike(fault, subject);
        this.#severity = typeof struck === "number" ? struck : 0;
        return struck !== false;
      },
      severity: (_fault, _subject, count) => Math.min(this.#severity, count - 1),
    };
  }

  stream(name: string): Stream {
    return this.#choices.stream(name);
  }

  nowMs(): number {
    return this.now;
  }

  after(): () => void {
    throw new Error("no timers here");
  }

  async operate<T>(durationMs: number, perform: () => T): Promise<T> {
    this.now += durationMs;
    return perform();
  }

  waitFor<T>(start: (settle: { resolve(value: T): void; reject(error: unknown): void }) => void): Promise<T> {
    return new Promise((resolve, reject) => start({ resolve, reject }));
  }

  tell(subject: string, what: () => string): void {
    this.told.push(`${subject}: ${what()}`);
  }
}

/** A host on which everything is drawn from a seed: each fault strikes with the probability given. */
export function seededHost(seed: number, rates: Readonly<Partial<Record<FaultName, number>>>): FakeSimulatedHost {
  const choices = new SeededChoices(seed);
  const host = new FakeSimulatedHost(() => false, choices);
  host.faults = {
    strikes: (fault, subject) => choices.stream(`fault.${fault}:${subject}`).chance(rates[fault] ?? 0),
    severity: (fault, subject, count) => choices.stream(`severity.${fault}:${subject}`).choose(count),
  };
  return host;
}

/** The operation that was begun never returns: its OS process or the machine has stopped. */
export class Stopped extends Error {}

/** Lets a host stop at any of its operations, one in a hundred; from then on none returns, until `isStopped` is taken back. */
export class Stops {
  isStopped = false;

  constructor(host: FakeSimulatedHost) {
    const { operate } = host;
    const stops = host.stream("stop");
    host.operate = async (durationMs, perform) => {
      this.isStopped ||= stops.chance(0.01);
      if (this.isStopped) throw new Stopped();
      return operate.call(host, durationMs, perform) as ReturnType<typeof perform>;
    };
  }
}
