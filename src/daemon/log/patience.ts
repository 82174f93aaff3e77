/**
 * Patience: what the recorder does when the machine is short of something (a full disk, no file descriptors): it waits and tries
 * again, for as long as it takes. Whoever writes into a pipe meanwhile waits too, so nothing is lost.
 *
 * @module
 */
import type { Clock } from "../../base/platform.ts";

/** The wait before the first new try, in milliseconds; it doubles with each. */
export const retryInitialMs = 100;
/** The longest wait between two tries, in milliseconds. */
export const retryMaxMs = 5_000;

/** What is told of the trouble: a sentence while it lasts, undefined when it is over. */
export type TroubleListener = (message: string | undefined) => void;

export class Patience {
  readonly #clock: Clock;
  readonly #listener: TroubleListener;
  #given = false;
  #message: string | undefined;
  #wake: (() => void) | undefined;

  constructor(clock: Clock, listener: TroubleListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** Calls `attempt` until it succeeds. @throws its error once `giveUp` was called */
  async until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (let delayMs = retryInitialMs; ; delayMs = Math.min(2 * delayMs, retryMaxMs)) {
      try {
        const value = await attempt();
        this.#say(undefined);
        return value;
      } catch (error) {
        if (this.#given) throw error;
        this.#say(`${what}: ${(error as Error).message}; trying again until it works`);
        await this.#wait(delayMs);
      }
    }
  }

  /** What waits for its next try does not wait any longer. */
  tryNow(): void {
    this.#wake?.();
  }

  /** From now on the first failure is the last. */
  giveUp(): void {
    this.#given = true;
    this.#wake?.();
  }

  #say(message: string | undefined): void {
    if (message === this.#message) return;
    this.#message = message;
    this.#listener(message);
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.timer(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
