/**
 * Targets: which instances the words mean by which a person names them (control/selector.ts).
 *
 * Guarantees: a word that means nobody is refused, with the name that was perhaps meant or those that there are; an instance that is
 * named twice is one target.
 * Limit: `shownMax` names and tags are told.
 *
 * @module
 */
import { suggestionClause } from "../../base/suggestion.ts";
import { ManagerError, type AboutInput } from "../../control/manager.ts";
import { isSet, meansInstances, parseSelector, selects, servicesOf, type Selector } from "../../control/selector.ts";
import type { Core } from "../core/core.ts";
import type { LiveInstance } from "../core/live.ts";
import type { ServiceRecord } from "../core/record.ts";

/** Names or tags that are told to who named nobody. */
export const shownMax = 12;

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

  /** @throws ManagerError `invalid` without a name, `unknown` for one that means nobody */
  named(names: readonly string[]): Target[] {
    if (names.length === 0) throw new ManagerError("invalid", "no name was given", "name services, or write all");
    return distinct(names.flatMap((name) => this.#meant(name)));
  }

  /** All instances of the services. @throws ManagerError as `named`, and `invalid` for a word that means instances */
  namedServices(names: readonly string[]): Target[] {
    for (const name of names) {
      if (!meansInstances(selectorOf(name))) continue;
      const [first] = this.#meant(name);
      const meant = isSet(selectorOf(name))
        ? `means instances, such as ${first!.service}.${first!.number}`
        : "is one instance";
      throw new ManagerError(
        "invalid",
        `${name} ${meant}; this takes whole services`,
        "colos scale changes how many there are",
      );
    }
    return this.named(names);
  }

  /** Those whom a question is about. @throws ManagerError as `named` */
  about({ names }: AboutInput = {}): Target[] {
    return names === undefined ? this.everything() : this.named(names);
  }

  /** Whether the words mean the instance, or without a number any of the service. */
  isMeant(
    names: readonly string[],
    { service, number }: { readonly service: string; readonly number?: number },
  ): boolean {
    const tags = this.service(service)?.plan.tags;
    return names.some((name) => {
      const selector = selectorOf(name);
      if (number !== undefined) return selects(selector, { service, number, tags });
      return selects(servicesOf(selector), { service, number: 1, tags });
    });
  }

  /** Whether it is named itself, and not only one of all, of a pattern or of a tag. */
  isNamedItself(names: readonly string[], { service, number }: Target): boolean {
    return names.some((name) => {
      const selector = selectorOf(name);
      return !isSet(selector) && selects(selector, { service, number });
    });
  }

  /** @throws ManagerError `unknown` */
  find(name: string): Named {
    const selector = selectorOf(name);
    if (selector.kind !== "name")
      throw new ManagerError("invalid", `${JSON.stringify(name)} can mean several; this takes one name`);
    const { number } = selector;
    const service = this.service(selector.service);
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

  #meant(name: string): Target[] {
    const selector = selectorOf(name);
    if (selector.kind === "name") {
      const { service, number } = this.find(name);
      return this.of(service).filter((each) => number === undefined || each.number === number);
    }
    const meant = this.everything().filter(({ service, number }) =>
      selects(selector, { service, number, tags: this.service(service)?.plan.tags }),
    );
    if (meant.length === 0 && selector.kind !== "all") throw this.#nobody(name, selector);
    return meant;
  }

  #nobody(name: string, selector: Selector): ManagerError {
    const services = [...this.#core.record.services.values()];
    if (selector.kind === "tag") {
      const tags = [...new Set(services.flatMap(({ plan }) => plan.tags ?? []))].map((tag) => `@${tag}`);
      const others = suggestionClause(name, tags) || thoseThere("tags", tags);
      return new ManagerError("unknown", `no service has the tag ${JSON.stringify(selector.tag)}${others}`);
    }
    const known = meansInstances(selector)
      ? this.everything().map(({ service, number }) => `${service}.${number}`)
      : services.map(({ plan }) => plan.name);
    const what = meansInstances(selector) ? "instances" : "services";
    return new ManagerError(
      "unknown",
      `no ${what.slice(0, -1)} matches ${JSON.stringify(name)}${thoseThere(what, known)}`,
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

/** @throws ManagerError `invalid` for what is none */
function selectorOf(name: string): Selector {
  const selector = parseSelector(name);
  if (selector !== undefined) return selector;
  throw new ManagerError(
    "invalid",
    `${JSON.stringify(name)} cannot be a name, a pattern such as web* or a tag such as @backend`,
  );
}

/** The end of a sentence. */
export function thoseThere(what: string, names: readonly string[]): string {
  if (names.length === 0) return `; there are no ${what}`;
  const more = names.length > shownMax ? ` and ${names.length - shownMax} more` : "";
  return `; there are ${names.slice(0, shownMax).join(", ")}${more}`;
}

/** Each once, in their order. */
export function distinct(targets: readonly Target[]): Target[] {
  return [...new Map(targets.map((each) => [`${each.service}.${each.number}`, each])).values()];
}
