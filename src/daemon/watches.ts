/**
 * Watches: the files that services want to be watched, as the plan of the system says at the moment.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../base/platform.ts";
import type { ServicePlan } from "../control/config.ts";
import { watchPaths, type Watching } from "./watch.ts";

/** Paths that a reason names. */
const pathsShownMax = 3;

export interface WatchesOptions {
  readonly clock: Clock;
  /** The home of colos, which is never watched. */
  readonly home: string;
  changed(service: string, why: string): void;
  notice(sentence: string): void;
}

export class Watches {
  readonly #options: WatchesOptions;
  readonly #watches = new Map<
    string,
    { readonly plan: NonNullable<ServicePlan["watch"]>; readonly watching: Watching }
  >();

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** From now on what these plans say is watched, and nothing else. */
  set(plans: readonly ServicePlan[]): void {
    const wanted = new Map(plans.map((plan) => [plan.name, plan.watch]));
    for (const [service, { plan, watching }] of this.#watches) {
      if (isDeepStrictEqual(wanted.get(service), plan)) continue;
      watching.stop();
      this.#watches.delete(service);
    }
    for (const [service, plan] of wanted) {
      if (plan !== undefined && !this.#watches.has(service)) this.#begin(service, plan);
    }
  }

  close(): void {
    this.set([]);
  }

  #begin(service: string, plan: NonNullable<ServicePlan["watch"]>): void {
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
  }
}
