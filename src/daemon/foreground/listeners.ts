/**
 * Listeners: who follows what happens in a system that runs in the foreground.
 *
 * Guarantees: a listener that throws is told nothing more and harms nobody; what it does runs in the asynchronous context of whoever
 * added it.
 *
 * @module
 */
import { AsyncResource } from "node:async_hooks";
import type { SystemEvent } from "../../control/service.ts";
import { describeReason } from "../../kernel/exit-reason.ts";

export class Listeners {
  readonly #listeners = new Set<(event: SystemEvent) => void>();
  readonly #log: (sentence: string) => void;

  /** `log` takes what went wrong in a listener. */
  constructor(log: (sentence: string) => void) {
    this.#log = log;
  }

  /** Returns a function that removes it. */
  add(listener: (event: SystemEvent) => void): () => void {
    // Called for a process that may be ended for what goes wrong in it later; that is not the listener's process.
    const entry = AsyncResource.bind((event: SystemEvent) => listener(event));
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  tell(event: SystemEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (thrown) {
        this.#listeners.delete(listener);
        const why = thrown instanceof Error ? String(thrown.stack) : describeReason(thrown);
        this.#log(`a listener of the system threw and is told nothing more: ${why}`);
      }
    }
  }
}
