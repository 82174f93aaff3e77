/**
 * Last lines: what instances wrote last, where it tells a person why they are as they are.
 *
 * Guarantees: only what the last run wrote to stderr, for that of earlier ones would mislead; lines that cannot be read are left out.
 * Limits: `lastLinesMax` lines of a problem, `lastLineCharactersMax` characters in a list; at most `lastLinesAtOnceMax` are read at
 * the same time, for each has files open; one after the other while colos has no file descriptors to spare.
 *
 * @module
 */
import type { InstanceProblem } from "../../control/manager.ts";
import type { InstanceState, InstanceStatus } from "../../control/service.ts";
import { tellingLine, tellingLines } from "../last-words.ts";
import type { Target, Targets } from "./targets.ts";

/** Instances whose last line is read at the same time; Node.js reads four files at once, and each of these takes a file descriptor. */
export const lastLinesAtOnceMax = 8;
/** Characters of the last line that a list repeats. */
export const lastLineCharactersMax = 1_000;
/** Lines of stderr that a problem repeats. */
export const lastLinesMax = 10;

/** Where they are read. */
export interface LineSource {
  /** The last lines that an instance has written to stderr since then. */
  lastErrors(service: string, instance: number, sinceAt: number): Promise<readonly string[]>;
  /** The last line that an instance has written. */
  lastLine(service: string, instance: number): Promise<string | undefined>;
  /** What colos itself is short of: one sentence. */
  shortage(): string | undefined;
}

/** Its last run failed, and none is there. */
const failedStates: ReadonlySet<InstanceState> = new Set<InstanceState>(["backoff", "degraded", "failed"]);

/** Somebody or something else keeps it from being ready. */
const restStates: ReadonlySet<InstanceState> = new Set<InstanceState>(["waiting", "stopping", "stopped"]);

export class LastLines {
  readonly #targets: Targets;
  readonly #source: LineSource;

  constructor(targets: Targets, source: LineSource) {
    this.#targets = targets;
    this.#source = source;
  }

  /** The line that tells most of why it failed. */
  async tellingOf(target: Target): Promise<string | undefined> {
    return tellingLine(await this.#errors(target));
  }

  /** What its last run has said of itself, oldest first. */
  async lines(target: Target): Promise<readonly string[]> {
    return tellingLines(await this.#errors(target), lastLinesMax);
  }

  /** What is wrong with an instance, with what it said of it unless nothing of its own is the matter. */
  async finding(target: Target, sentence: string): Promise<InstanceProblem> {
    const problem = await this.problem(target, sentence);
    return restStates.has(this.#targets.live(target)?.state ?? "stopped") ? { ...problem, lastLines: [] } : problem;
  }

  /** What an operation could not do, with what the instance said of it. */
  async problem(target: Target, sentence: string): Promise<InstanceProblem> {
    const lastLines = await this.lines(target);
    const name = this.#targets.live(target)?.name ?? target.service;
    return { name, sentence, lastLines, advice: `colos why ${name} tells more, colos logs ${name} all that it wrote` };
  }

  /** The same with the line that each wrote last. */
  async added(statuses: readonly InstanceStatus[]): Promise<InstanceStatus[]> {
    const shown: InstanceStatus[] = [];
    const atOnce = this.#source.shortage() === undefined ? lastLinesAtOnceMax : 1;
    for (let at = 0; at < statuses.length; at += atOnce) {
      const some = statuses.slice(at, at + atOnce).map(async (status) => {
        const lastLogLine = await this.#words(status);
        return lastLogLine === undefined
          ? status
          : { ...status, lastLogLine: lastLogLine.slice(0, lastLineCharactersMax) };
      });
      shown.push(...(await Promise.all(some)));
    }
    return shown;
  }

  /** Of what failed, the line that says most: few programs end with the error itself. */
  async #words({ service, instance, state }: InstanceStatus): Promise<string | undefined> {
    const telling = failedStates.has(state) ? await this.tellingOf({ service, number: instance }) : undefined;
    return telling ?? (await this.#source.lastLine(service, instance).catch(() => undefined));
  }

  async #errors({ service, number }: Target): Promise<readonly string[]> {
    const last = this.#targets.service(service)?.instances.get(number)?.runs[0];
    return last === undefined ? [] : this.#source.lastErrors(service, number, last.startedAt).catch(() => []);
  }
}
