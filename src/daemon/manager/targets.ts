/**
 * Targets: which instances the names mean that a person gives.
 *
 * Guarantees: a name that means nothing is refused with the one that was perhaps meant; an instance that is named twice is one target.
 *
 * @module
 */
import { suggestionClause } from "../../base/suggestion.ts";
import { ManagerError } from "../../control/manager.ts";
import type { Core } from "../core/core.ts";
import type { LiveInstance } from "../core/live.ts";
import type { ServiceRecord } from "../core/record.ts";

/** One instance of one service. */
export interface Target {
  readonly service: string;
  readonly number: number;
}

/** What one name means; without a number it is all instances of the service. */
export interface Named {
  readonly service: ServiceRecord;
  readonly number?: number;
}

export class Targets {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  everything(): Target[] {
    return [...this.#core.record.services.values()].flatMap((service) => this.of(service));
  }

  /** The instances of a service. */
  of(service: ServiceRecord): Target[] {
    return this.#core.live(service).map(({ number }) => ({ service: service.plan.name, number }));
  }

  /** @throws ManagerError `invalid` without a name, `unknown` for one that means nothing */
  named(names: readonly string[]): Target[] {
    if (names.length === 0) throw new ManagerError("invalid", "no name was given", "name services, or write all");
    const targets = names.flatMap((name) => {
      if (name === "all") return this.everything();
      const { service, number } = this.find(name);
      return this.of(service).filter((each) => number === undefined || each.number === number);
    });
    return distinct(targets);
  }

  /** @throws ManagerError `unknown` */
  find(name: string): Named {
    const [, base, digits] = /^([^.]+)(?:\.(\d+))?$/.exec(name) ?? [];
    const service = base === undefined ? undefined : this.service(base);
    const number = digits === undefined ? undefined : Number(digits);
    const isThere =
      number === undefined || (service !== undefined && this.#core.instance(service, number) !== undefined);
    if (service !== undefined && isThere) {
      return { service, ...(number === undefined ? {} : { number }) };
    }
    const known = this.everything().map((each) => this.live(each)?.name ?? each.service);
    const clause = suggestionClause(name, known);
    throw new ManagerError(
      "unknown",
      `there is no service ${JSON.stringify(name)}${clause}`,
      clause === "" ? "colos ps lists what there is" : undefined,
    );
  }

  service(name: string): ServiceRecord | undefined {
    return this.#core.record.services.get(name);
  }

  live({ service, number }: Target): LiveInstance | undefined {
    const record = this.service(service);
    return record === undefined ? undefined : this.#core.instance(record, number);
  }
}

/** Each once, in their order. */
export function distinct(targets: readonly Target[]): Target[] {
  return [...new Map(targets.map((each) => [`${each.service}.${each.number}`, each])).values()];
}
