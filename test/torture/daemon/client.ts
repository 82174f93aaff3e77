/**
 * Client: what a person does through the control socket while the daemon dies again and again, and what must be true then.
 *
 * Guarantees: of an operation that was answered, the effect is there ever after. Of one that was cut off, either the whole
 * effect is there or nothing of it, and that does not change by itself.
 *
 * @module
 */
import type { SystemPlan } from "../../../src/control/config.ts";
import { DaemonAbsentError, managerClient } from "../../../src/control/manager-client.ts";
import { ManagerError, type InstanceDetail, type Manager, type SystemStatus } from "../../../src/control/manager.ts";
import { unixHttp } from "../../../src/platforms/node/unix-http.ts";
import { changed, epochOf, type Wanted, type WantedService } from "./fleet.ts";
import { inTime } from "./in-time.ts";
import type { Taken } from "./jobs.ts";

/** How long a daemon that lives may take to answer what is not waited for, and to start, in milliseconds. */
export const answerMsMax = 30_000;
/** From a question that no daemon took to the next, in milliseconds. */
const againMs = 5;

/** What a client can do; `effect` is what is wanted when it was done. */
export interface Operation {
  readonly name: string;
  readonly effect: Wanted;
  run(manager: Manager): Promise<unknown>;
}

export interface Pausing {
  readonly sleep: (ms: number) => Promise<void>;
}

export class Client {
  readonly manager: Manager;
  /** Effects that were lost, halved, or came later by themselves. */
  readonly problems: string[] = [];
  readonly counts = { acknowledged: 0, cutOff: 0, cutOffAndDone: 0, refused: 0 };
  /** When operations were acknowledged. */
  readonly taken: Taken[] = [];
  wanted: Wanted;
  /** How many operations were begun that have a service down, by its name. */
  readonly #downs = new Map<string, number>();
  #possible: readonly Wanted[];
  /** What became of the last operation, for people. */
  #last = "";
  readonly #planOf: (wanted: Wanted) => SystemPlan;
  readonly #env: Readonly<Record<string, string>>;

  constructor(
    socket: string,
    wanted: Wanted,
    planOf: (wanted: Wanted) => SystemPlan,
    env: Readonly<Record<string, string>>,
  ) {
    this.manager = managerClient(unixHttp(socket));
    this.wanted = wanted;
    this.#possible = [wanted];
    this.#planOf = planOf;
    this.#env = env;
  }

  /** What became of the last operation, for people. */
  get last(): string {
    return this.#last;
  }

  /** How many operations were begun so far that have the service down. */
  downsOf(name: string): number {
    return this.#downs.get(name) ?? 0;
  }

  /** Whether a service is wanted up, whatever became of the operation that is under way. */
  isUp(name: string): boolean {
    return this.#possible.every((wanted) => wanted.get(name)?.target === "up");
  }

  /** The operation that makes the config say what is wanted. */
  apply(effect: Wanted, { wait = false } = {}): Operation {
    const env = { ...this.#env, EPOCH: String(epochOf(effect)) };
    const input = { plan: this.#planOf(effect), env, source: "fleet", wait, timeoutMs: answerMsMax };
    return { name: "apply", effect, run: (manager) => manager.apply(input) };
  }

  /** Whether it was answered. What it did is known after `look`. */
  async perform({ name, effect, run }: Operation): Promise<boolean> {
    const before = this.wanted;
    this.#possible = [before, effect];
    for (const service of changed)
      if (effect.get(service)?.target !== "up") this.#downs.set(service, this.downsOf(service) + 1);
    try {
      const sentAt = Date.now();
      await inTime(run(this.manager), 2 * answerMsMax, `${name} was not answered`);
      this.taken.push({ sentAt, answeredAt: Date.now() });
      this.counts.acknowledged += 1;
      this.#possible = [effect];
      this.#last = `${name} was answered`;
      return true;
    } catch (error) {
      this.#last = `${name}: ${String(error)}`;
      if (error instanceof DaemonAbsentError) this.#possible = [before];
      else if (error instanceof ManagerError && error.code === "timeout") {
        // It was taken, and something that it waits for does not come: a dependency that was removed.
        this.#possible = [effect];
        return true;
      } else if (isCutOff(error)) this.counts.cutOff += 1;
      else {
        this.counts.refused += 1;
        this.problems.push(`${name} was refused: ${String(error)}`);
      }
      return false;
    }
  }

  /** Asks what is wanted now, as the daemon has it, and holds it against what must be. */
  async look(self: Pausing): Promise<void> {
    const seen = await this.#settledSeen(self);
    const found = this.#possible.find((each) => textOf(each) === textOf(seen));
    if (found === undefined) {
      const all = this.#possible.map((each) => textOf(each)).join(" or ");
      this.problems.push(`the daemon wants ${textOf(seen)}, and it must want ${all} (${this.#last})`);
    } else if (this.#possible.length > 1 && found === this.#possible[1]) this.counts.cutOffAndDone += 1;
    this.wanted = found ?? seen;
    this.#possible = [this.wanted];
  }

  /** Repeats a question until a daemon answers it. */
  async ask<T>(self: Pausing, question: () => Promise<T>): Promise<T> {
    const dueMs = performance.now() + answerMsMax;
    for (;;) {
      try {
        return await inTime(question(), answerMsMax, "a question was not answered");
      } catch (error) {
        if (!isCutOff(error) || performance.now() > dueMs) throw error;
        await self.sleep(againMs);
      }
    }
  }

  list(self: Pausing): Promise<SystemStatus> {
    return this.ask(self, () => this.manager.list());
  }

  async details(self: Pausing, service: string): Promise<readonly InstanceDetail[]> {
    const { instances } = await this.ask(self, () => this.manager.show({ name: service }));
    return instances;
  }

  /** What is removed is shown as one that is down until it has ended; so that one is looked at again. */
  async #settledSeen(self: Pausing): Promise<Wanted> {
    const dueMs = performance.now() + answerMsMax;
    for (;;) {
      const leaving = new Set<string>();
      const seen = await this.ask(self, () => this.#seen(leaving));
      const isWaited = [...leaving].some((name) => this.#possible.some((wanted) => !wanted.has(name)));
      if (!isWaited || performance.now() > dueMs) return seen;
      await self.sleep(againMs);
    }
  }

  /** `leaving` gets those that are down and have not ended. */
  async #seen(leaving: Set<string>): Promise<Wanted> {
    leaving.clear();
    const wanted = new Map<string, WantedService>();
    for (const name of changed) {
      const detail = await this.manager.show({ name }).catch((error: unknown) => {
        if (error instanceof ManagerError && error.code === "unknown") return undefined;
        throw error;
      });
      if (detail === undefined) continue;
      const { plan, target, instances } = detail;
      if (target === "down" && instances.some(({ state }) => state !== "stopped" && state !== "failed"))
        leaving.add(name);
      wanted.set(name, { target, instances: plan.instances, version: Number(plan.env["VERSION"]) });
    }
    return wanted;
  }
}

/** Whether there was no answer, so that nobody knows what was done. */
export function isCutOff(error: unknown): boolean {
  return (
    error instanceof DaemonAbsentError ||
    (error instanceof ManagerError && error.code === "internal" && error.message.startsWith("the connection to"))
  );
}

/** Stable text, for comparing and for people. */
export function textOf(wanted: Wanted): string {
  const services = [...wanted].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return services
    .map(([name, { target, instances, version }]) => `${name} ${target} ×${instances} v${version}`)
    .join(", ");
}
