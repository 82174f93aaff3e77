/**
 * Operator: somebody who stops, starts and restarts a service now and then, by the real command, and remembers what was answered.
 *
 * Guarantees: what was acknowledged must be so ever after; what was refused must say why in a sentence; what was taken and is late may
 * come later. Nothing else is allowed.
 *
 * @module
 */
import type { ServiceDetail } from "../../src/control/manager.ts";
import { swapped } from "./fleet.ts";
import { passed, type Said, type System } from "./system.ts";

type Target = "up" | "down";

/** From one operation to the next, in milliseconds. */
const pauseMs = 700;
/** Ways to say that colos itself is short of something. */
export const namesShortage =
  /written down|disk is full|ENOSPC|No space left|short of|file descriptors|EMFILE|Too many open|too many files|EAGAIN|Cannot fork|temporarily unavailable|it is started by itself/i;

export class Operator {
  readonly #system: System;
  readonly counts = { acknowledged: 0, refused: 0, late: 0, unanswered: 0 };
  readonly problems: string[] = [];
  /** What may be wanted now. */
  #possible: ReadonlySet<Target> = new Set<Target>(["up"]);
  isOver = false;
  #working: Promise<void> = Promise.resolve();

  constructor(system: System) {
    this.#system = system;
  }

  get operationsCount(): number {
    const { acknowledged, refused, late, unanswered } = this.counts;
    return acknowledged + refused + late + unanswered;
  }

  begin(): void {
    this.#working = this.#work();
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.#working;
  }

  async #work(): Promise<void> {
    const verbs = ["stop", "start", "restart"] as const;
    for (let count = 0; !this.isOver; count += 1) {
      await this.perform(verbs[count % verbs.length]!);
      await this.look();
      await passed(pauseMs);
    }
  }

  /** One operation on the service that is there for it. */
  async perform(verb: "stop" | "start" | "restart", timeout = "2s"): Promise<void> {
    const said = await this.#system.colos(verb, swapped, "--timeout", timeout);
    const target = verb === "stop" ? "down" : "up";
    const taken = new Set<Target>([target]);
    if (said.code === 0) {
      this.counts.acknowledged += 1;
      this.#possible = taken;
    } else if (/nothing was done/.test(said.stderr)) {
      this.counts.refused += 1;
      this.#mustNameShortage(verb, said);
    } else if (/is not known/.test(said.stderr)) {
      this.#isUnanswered(target);
    } else if (/goes on/.test(said.stderr) || said.code === 1) {
      this.counts.late += 1;
      this.#possible = taken;
      if (said.code === 1) this.#mustNameShortage(verb, said);
    } else {
      this.#isUnanswered(target);
      if (said.stderr.trim() === "") this.problems.push(`${verb} ended with ${said.code} and said nothing`);
    }
  }

  /** What the daemon says is wanted must be one of what may be. */
  async look(): Promise<void> {
    const said = await this.#system.colos("show", swapped, "--json");
    if (said.code !== 0) return;
    const { target } = JSON.parse(said.stdout) as ServiceDetail;
    if (!this.#possible.has(target))
      this.problems.push(`${swapped} is wanted ${target}, and what was answered says ${[...this.#possible].join()}`);
    this.#possible = new Set([target]);
  }

  /** Nobody said whether it was taken; that alone must be said. */
  #isUnanswered(target: Target): void {
    this.counts.unanswered += 1;
    this.#possible = new Set([...this.#possible, target]);
  }

  #mustNameShortage(verb: string, { code, stderr }: Said): void {
    if (!namesShortage.test(stderr)) this.problems.push(`${verb} ended with ${code} and names no shortage: ${stderr}`);
  }
}
