/**
 * Waits: who waits until something holds, and looks again each time the core has settled.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../../base/platform.ts";
import { ManagerError } from "../../control/manager.ts";
import { spanText } from "../../control/quantity.ts";

export class Waits {
  readonly #clock: Clock;
  readonly #alarms: () => readonly string[];
  readonly #looks = new Set<() => void>();

  /** `alarms`: what colos itself is short of, for who has waited too long. */
  constructor(clock: Clock, alarms: () => readonly string[]) {
    this.#clock = clock;
    this.#alarms = alarms;
  }

  /** Somebody should look again. */
  settled(): void {
    for (const look of this.#looks) look();
  }

  /** Looks now and then each time, until it says that it need not any more. */
  whenever(look: () => "again" | "enough"): void {
    if (look() === "enough") return;
    const again = (): void => {
      if (look() === "enough") this.#looks.delete(again);
    };
    this.#looks.add(again);
  }

  /** Rejects with `timeout` when it takes longer; undefined: it may take as long as it does. */
  until(isDone: () => boolean, timeoutMs: Milliseconds | undefined): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel =
        timeoutMs === undefined
          ? (): void => {}
          : this.#clock.timer(timeoutMs, () => {
              this.#looks.delete(look);
              reject(tooLate(timeoutMs, this.#alarms()));
            });
      const look = (): void => {
        if (!isDone()) return;
        this.#looks.delete(look);
        cancel();
        resolve();
      };
      this.#looks.add(look);
    });
  }
}

function tooLate(timeoutMs: Milliseconds, [alarm]: readonly string[]): ManagerError {
  const meanwhile = alarm === undefined ? "" : `; meanwhile: ${alarm}`;
  const sentence = `it was not done within ${spanText(timeoutMs)}, and goes on${meanwhile}`;
  return new ManagerError("timeout", sentence, "colos ps shows where it is");
}
