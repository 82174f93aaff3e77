/**
 * Watches: the files that services want to be watched, as the plan of the system says at the moment.
 *
 * Guarantees: a service whose `watch` is unchanged keeps its watch, so that an `apply` misses no change; one that is gone or has
 * another loses it at once. What is there when a watch begins is told, so that a change that nobody saw is noticed later.
 *
 * @module
 */
import { createHash } from "node:crypto";
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
  /** `seen`: what is there at this moment; undefined when not all was seen. */
  changed(service: string, why: string, seen: string | undefined): void;
  /** What is there when a watch begins: before `:` which watch it is, after it what its files are. */
  began(service: string, seen: string): void;
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
    const { clock, home, changed, began, notice } = this.#options;
    const which = createHash("sha256")
      .update(JSON.stringify([plan.paths, plan.ignore]))
      .digest("base64url");
    const seenOf = (digest: string): string => `${which}:${digest}`;
    const watching = watchPaths(plan, {
      clock,
      home,
      onBegin: (digest) => began(service, seenOf(digest)),
      onChange: (paths, digest) => {
        const more = paths.length > pathsShownMax ? ` and ${paths.length - pathsShownMax} more` : "";
        const why = `${paths.slice(0, pathsShownMax).join(", ")}${more} changed`;
        changed(service, why, digest === undefined ? undefined : seenOf(digest));
      },
      onNotice: (sentence) => notice(`${service}: ${sentence}`),
    });
    this.#watches.set(service, { plan, watching });
    return watching.ready;
  }
}
