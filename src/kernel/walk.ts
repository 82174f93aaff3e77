/**
 * Walk: goes through all processes of a kernel in slices, so that a hundred thousand of them stop nobody.
 *
 * Guarantees: each process that lives from the first slice to the last is seen once, the youngest first; one that ends
 * meanwhile may be left out, one that is spawned meanwhile is. Between slices the host's event loop gets its turn.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { Kernel } from "./kernel.ts";
import type { AnyProcess } from "./process.ts";

/** The longest that one slice takes, in milliseconds, if no single visit takes longer. */
export const walkSliceMs: Milliseconds = 1;
/** The most processes that are visited in one slice. */
export const visitsPerSliceMax = 32_768;
/** Visits between two looks at the clock. */
const clockEvery = 64;

/** Where a walk stands. The kernel moves it on when the process ends that would be next. */
export class Walk {
  next: AnyProcess | null;

  constructor(first: AnyProcess | null) {
    this.next = first;
  }
}

/** Calls `visit` for each process of the kernel. Rejects with what it throws. */
export function walk(kernel: Kernel, visit: (process: AnyProcess) => void): Promise<void> {
  const { clock } = kernel.platform;
  const place = kernel.beginWalk();
  return new Promise((resolve, reject) => {
    const slice = (): void => {
      try {
        const untilMs = clock.monotonicMs() + walkSliceMs;
        for (let count = 1; place.next !== null; count += 1) {
          const process = place.next;
          place.next = process.after;
          visit(process);
          if (count === visitsPerSliceMax || (count % clockEvery === 0 && clock.monotonicMs() > untilMs)) {
            kernel.nextTurn(slice);
            return;
          }
        }
        kernel.endWalk(place);
        resolve();
      } catch (thrown) {
        kernel.endWalk(place);
        reject(thrown);
      }
    };
    kernel.nextTurn(slice);
  });
}
