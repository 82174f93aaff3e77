/**
 * Service watches: the watches of all services of a system, kept in step with its plan.
 *
 * Guarantees: a service whose `watch` is unchanged keeps its watch, so that an `apply` misses no change; one that is gone or has
 * another loses it at once. A change is one sentence that names at most `namesToldMax` files.
 * Not here: what a change leads to (the manager's core).
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { relative } from "node:path";
import type { Clock } from "../base/platform.ts";
import type { ServicePlan } from "../control/config.ts";
import { watchPaths, type Watching } from "./watch.ts";

/** Files that the sentence of a change names. */
export const namesToldMax = 3;

/** The part of a plan that counts here. */
export type WatchedPlan = Pick<ServicePlan, "name" | "watch" | "cwd">;

export interface ServiceWatchesOptions {
  readonly clock: Clock;
  /** The root of the home, which is never watched. */
  readonly home: string;
  /** Why the service is to be restarted, such as `src/web.ts has changed`. */
  onChange(service: string, why: string): void;
  /** How a watch differs from what one expects, one sentence that names the service. */
  onNotice(sentence: string): void;
}

export class ServiceWatches {
  readonly #options: ServiceWatchesOptions;
  readonly #watches: Map<string, { readonly plan: WatchedPlan; readonly watching: Watching }> = new Map();

  constructor(options: ServiceWatchesOptions) {
    this.#options = options;
  }

  /** Watches what these plans want, and nothing else. Settles when new watches have begun. */
  async apply(plans: readonly WatchedPlan[]): Promise<void> {
    const wanted = new Map(plans.filter(({ watch }) => watch !== undefined).map((plan) => [plan.name, plan]));
    for (const [name, { plan, watching }] of this.#watches) {
      if (isDeepStrictEqual(wanted.get(name)?.watch, plan.watch)) wanted.delete(name);
      else {
        watching.stop();
        this.#watches.delete(name);
      }
    }
    await Promise.all([...wanted.values()].map((plan) => this.#begin(plan)));
  }

  close(): void {
    for (const { watching } of this.#watches.values()) watching.stop();
    this.#watches.clear();
  }

  #begin(plan: WatchedPlan): Promise<void> {
    const { clock, home, onChange, onNotice } = this.#options;
    const watching = watchPaths(plan.watch!, {
      clock,
      home,
      onChange: (paths) => onChange(plan.name, changeSentence(paths, plan.cwd)),
      onNotice: (sentence) => onNotice(`service ${plan.name}: watch: ${sentence}`),
    });
    this.#watches.set(plan.name, { plan, watching });
    return watching.ready;
  }
}

/** Names as a person knows them, relative to the service's folder where they are in it. */
function changeSentence(paths: readonly string[], cwd: string): string {
  const names = paths.slice(0, namesToldMax).map((path) => {
    const below = relative(cwd, path);
    return below === "" || below.startsWith("..") ? path : below;
  });
  const more = paths.length > names.length ? ` and ${paths.length - names.length} more` : "";
  return `${names.join(", ")}${more} ${paths.length === 1 ? "has" : "have"} changed`;
}
