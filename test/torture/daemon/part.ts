/**
 * Part: services of the fleet that have one thing in common, and what must hold of it by what they say themselves.
 *
 * @module
 */
import type { ServiceConfig } from "../../../src/control/config.ts";

/** One line of the file of facts. */
export interface Fact {
  readonly what: string;
  readonly run: string;
  readonly service: string;
  /** Which run of its instance. */
  readonly number: number;
  readonly values: readonly string[];
}

export interface Part {
  /** What must hold, as the name of the check. */
  readonly name: string;
  /** By file name. */
  readonly scripts: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, ServiceConfig>>;
  /** Facts that are told by no other part. */
  readonly facts: readonly string[];
  evidence(): Evidence;
}

/** What a part has said so far. */
export interface Evidence {
  readonly problems: string[];
  /** Facts come in the order in which they were written. */
  take(fact: Fact): void;
  /** What must follow soon and has not, each by a name of its own. */
  pending(): readonly string[];
}
