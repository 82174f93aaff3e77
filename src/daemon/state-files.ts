/**
 * State files: what a person sees of each instance with `ls` and `cat`: one plain file for each fact, below
 * `services/<name>/<instance>/`.
 *
 * Guarantees: files follow the state; a reader never sees half a file. They are for looking at only: nothing reads them back, and
 * a disk that does not take them harms nobody.
 *
 * @module
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { reasonText } from "./reason-text.ts";
import { endSentence } from "./core/outcome.ts";
import type { LiveInstance } from "./core/live.ts";
import type { ServiceRecord } from "./core/record.ts";
import { instanceFolder, removedState, type Home } from "./home.ts";

export class StateFiles {
  readonly #home: Home;
  readonly #log: (message: string) => void;
  /** What is to be written, by instance; only the newest counts. */
  readonly #waiting = new Map<string, ReadonlyMap<string, string | undefined>>();
  #writing: Promise<void> | undefined;

  constructor(home: Home, log: (message: string) => void) {
    this.#home = home;
    this.#log = log;
  }

  /** The state of an instance is another. */
  changed(service: ServiceRecord, live: LiveInstance): void {
    this.#waiting.set(instanceFolder(this.#home, service.plan.name, live.number), factsOf(service, live));
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** A service is no more; its logs stay. */
  removed(service: string, instance: number): void {
    const folder = instanceFolder(this.#home, service, instance);
    this.#waiting.set(folder, new Map(factNames.map((name) => [name, name === "state" ? removedState : undefined])));
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Settles when all is written that there is to write. */
  async flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    // Not at once: several changes follow each other closely.
    await Promise.resolve();
    for (const [folder, facts] of this.#waiting) {
      this.#waiting.delete(folder);
      try {
        await writeFacts(folder, facts);
      } catch (error) {
        this.#log(`the state of ${folder} could not be written: ${reasonText(error)}`);
      }
    }
  }
}

const factNames = ["state", "reason", "pid", "standby", "exit", "ready", "restarts", "limits"] as const;

function factsOf(
  { plan, instances, isRemoved }: ServiceRecord,
  live: LiveInstance,
): ReadonlyMap<string, string | undefined> {
  const record = instances.get(live.number);
  const last = record?.runs.find(({ end }) => end !== undefined);
  const readyAt = live.current?.readyAt;
  const limits = Object.entries(plan.limits).map(([name, value]) => `${name} ${value}`);
  const facts: Record<(typeof factNames)[number], string | undefined> = {
    state: live.state === "stopped" && (isRemoved || live.number > plan.instances) ? removedState : live.state,
    reason: live.reason,
    pid: live.current?.osPid?.toString(),
    standby: live.standby?.osPid?.toString(),
    exit: last?.end === undefined ? undefined : endSentence(last.end),
    ready: readyAt === undefined ? undefined : new Date(readyAt).toISOString(),
    restarts: String(record?.restartsCount ?? 0),
    limits: limits.length === 0 ? undefined : limits.join("\n"),
  };
  return new Map(Object.entries(facts));
}

async function writeFacts(folder: string, facts: ReadonlyMap<string, string | undefined>): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of facts) {
    const file = join(folder, name);
    if (text === undefined) await rm(file, { force: true });
    else {
      await writeFile(`${file}.new`, `${text}\n`);
      await rename(`${file}.new`, file);
    }
  }
}
