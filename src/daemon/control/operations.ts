/**
 * Operations: carries out requests for endpoints of the manager: checks what goes in and what comes out, and counts what is
 * under way.
 *
 * Guarantees: the manager sees only input that fits its types; a client sees only output that does; what the manager throws
 * becomes a problem. An operation counts until it has ended, also when nobody waits for it any more.
 *
 * @module
 */
import { isReading } from "../../context/interface.ts";
import { check } from "../../context/schema.ts";
import { mapItems } from "../../context/stream.ts";
import type { Manager } from "../../control/manager.ts";
import { problem, problemOfError, type Problem } from "../../control/problem.ts";
import type { ControlLimits } from "./limits.ts";
import type { Route } from "./routes.ts";

/** What came of a request. */
export type Answer =
  | { readonly value: unknown }
  | { readonly items: AsyncIterable<unknown>; readonly release: () => void }
  | { readonly problem: Problem };

/** Notes what the daemon itself did wrong. */
export type Report = (sentence: string, error: unknown) => void;

type Kind = "reads" | "acts" | "streams";

/** The requests of all clients. */
export class Operations {
  readonly #manager: Manager;
  readonly #most: Readonly<Record<Kind, number>>;
  readonly #underWay: Record<Kind, number> = { reads: 0, acts: 0, streams: 0 };
  readonly #report: Report;

  constructor(manager: Manager, limits: ControlLimits, report: Report) {
    this.#manager = manager;
    this.#most = { reads: limits.readsMax, acts: limits.actsMax, streams: limits.streamsMax };
    this.#report = report;
  }

  /** Carries it out. Never rejects. The caller of a stream calls `release` when it is over. */
  async run(route: Route, input: unknown): Promise<Answer> {
    const checked = check(route.endpoint.input, input);
    if ("problem" in checked) return { problem: problem("invalid", checked.problem) };
    const kind: Kind = route.endpoint.stream ? "streams" : isReading(route.endpoint) ? "reads" : "acts";
    if (this.#underWay[kind] >= this.#most[kind]) return { problem: busy(kind, this.#most[kind]) };
    this.#underWay[kind] += 1;
    const release = once(() => {
      this.#underWay[kind] -= 1;
    });
    try {
      const answer = this.#call(route, checked.value);
      if (route.endpoint.stream)
        return {
          items: mapItems(answer as AsyncIterable<unknown>, (item) => this.#output(route, item)),
          release,
        };
      const value = this.#output(route, await answer);
      release();
      return { value };
    } catch (error) {
      release();
      return { problem: this.#problemOf(route, error) };
    }
  }

  #call(route: Route, input: unknown): unknown {
    const operation = this.#manager[route.name] as (input: unknown) => unknown;
    return operation.call(this.#manager, input);
  }

  #output(route: Route, value: unknown): unknown {
    const checked = check(route.endpoint.output, value);
    if ("value" in checked) return checked.value;
    throw new TypeError(`${route.group}.${route.name} gave what it must not give: ${checked.problem}`);
  }

  #problemOf(route: Route, error: unknown): Problem {
    const found = problemOfError(error);
    if (found.code === "internal") this.#report(`${route.path} failed: ${found.detail}`, error);
    return found;
  }
}

function busy(kind: Kind, most: number): Problem {
  const what = { reads: "questions", acts: "operations", streams: "streams" }[kind];
  return problem("busy", `${most} ${what} are under way, which is the limit`, { advice: "Try again in a moment." });
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
