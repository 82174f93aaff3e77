/**
 * Service order: where each service stands in the plan, and who depends on it, so that a change of one service is looked at
 * where it can matter and nowhere else.
 *
 * @module
 */
import type { ServiceRecord } from "./record.ts";

export class ServiceOrder {
  readonly #services: ReadonlyMap<string, ServiceRecord>;
  readonly #places: ReadonlyMap<string, number>;
  readonly #dependents = new Map<string, string[]>();

  /** As the plans are now; it does not change with them. */
  constructor(services: ReadonlyMap<string, ServiceRecord>) {
    this.#services = services;
    this.#places = new Map([...services.keys()].map((name, place) => [name, place]));
    for (const { plan } of services.values()) {
      for (const { name } of plan.dependsOn) {
        const dependents = this.#dependents.get(name);
        if (dependents === undefined) this.#dependents.set(name, [plan.name]);
        else dependents.push(plan.name);
      }
    }
  }

  /** Whether it is still the order of these. */
  isOf(services: ReadonlyMap<string, ServiceRecord>): boolean {
    return this.#services === services;
  }

  dependentsOf(name: string): readonly string[] {
    return this.#dependents.get(name) ?? [];
  }

  /** The service, what it depends on and what depends on it. */
  around(name: string): readonly string[] {
    const dependencies = this.#services.get(name)?.plan.dependsOn.map((each) => each.name) ?? [];
    return [name, ...dependencies, ...this.dependentsOf(name)];
  }

  /** Dependencies first. */
  sorted(names: Iterable<string>): string[] {
    const placeOf = (name: string): number => this.#places.get(name) ?? 0;
    return [...names].toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
