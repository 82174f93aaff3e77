/**
 * Watches: the files that services want to be watched, as the plan of the system says at the moment.
 *
 * Guarantees: a service whose `watch` is unchanged keeps its watch, so that an `apply` misses no change; one that is gone or has
 * another loses it at once.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../base/platform.ts";
import type { ServicePlan } from "../../control/config.ts";
import { watchPaths, type Watching } from "./watch.ts";

/** Paths that a reason names. */
export const pathsShownMax = 3;

export interface WatchesOptions {
  readonly clock: Clock;
  /** The home of colos, which is never watched. */
  readonly home: string;
  changed(service: string, why: string): void;
  notice(sentence: string): void;
}

/** The part of a plan that counts here. */
export type WatchedPlan = Pick<ServicePlan, "name" | "watch">;

export class Watches {
  readonly #options: WatchesOptions;
  readonly #watches = new Map<
    string,
    { readonly plan: NonNullable<ServicePlan["watch"]>; readonly watching: Watching }
  >();

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** From now on what these plans say is watched, and nothing else. Settles when new watches have begun. */
  async set(plans: readonly WatchedPlan[]): Promise<void> {
    const wanted = new Map(plans.map((plan) => [plan.name, plan.watch]));
    for (const [service, { plan, watching }] of this.#watches) {
      if (isDeepStrictEqual(wanted.get(service), plan)) continue;
      watching.stop();
      this.#watches.delete(service);
    }
    const fresh = [...wanted].filter(([service]) => !this.#watches.has(service));
    await Promise.all(fresh.map(([service, plan]) => plan && this.#begin(service, plan)));
  }

  close(): void {
    void this.set([]);
  }

  #begin(service: string, plan: NonNullable<ServicePlan["watch"]>): Promise<void> {
    const { clock, home, changed, notice } = this.#options;
    const watching = watchPaths(plan, {
      clock,
      home,
      onChange: (paths) => {
        const more = paths.length > pathsShownMax ? ` and ${paths.length - pathsShownMax} more` : "";
        changed(service, `${paths.slice(0, pathsShownMax).join(", ")}${more} changed`);
      },
      onNotice: (sentence) => notice(`${service}: ${sentence}`),
    });
    this.#watches.set(service, { plan, watching });
    return watching.ready;
  }
}
