/**
 * State files: what a person sees of each instance with `ls` and `cat`: one plain file for each fact, below
 * `services/<name>/<instance>/`.
 *
 * Guarantees: files follow the state; a reader never sees half a file. They are for looking at only: nothing reads them back, and
 * a disk that does not take them harms nobody; what it does not take is tried again each `stateRetryMs`. Of a state that is on its way to
 * another only what lasts `passingMs` is written: most are over before, and of fifty services that start each file is one more for the disk.
 *
 * @module
 */
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Milliseconds } from "../base/platform.ts";
import type { InstanceState } from "../control/service.ts";
import { reasonText } from "./reason-text.ts";
import { endSentence } from "./core/outcome.ts";
import type { LiveInstance } from "./core/live.ts";
import type { ServiceRecord } from "./core/record.ts";
import { instanceFolder, removedState, type Home } from "./home.ts";

/** How long a state that is on its way to another lasts before it is written, in milliseconds. */
export const passingMs: Milliseconds = 200;
/** Milliseconds before what the disk did not take is written again. */
export const stateRetryMs = 2_000;

const passingStates: ReadonlySet<InstanceState> = new Set<InstanceState>(["starting", "stopping", "waiting"]);

export class StateFiles {
  readonly #home: Home;
  readonly #clock: Clock;
  readonly #log: (message: string) => void;
  /** What is to be written, by instance; only the newest counts. */
  readonly #waiting = new Map<string, ReadonlyMap<string, string | undefined>>();
  /** The same, of what perhaps passes. */
  readonly #passing = new Map<string, ReadonlyMap<string, string | undefined>>();
  #cancelPassing: (() => void) | undefined;
  /** What stands in the files, by instance: of fifty services that start, only what is new is written. */
  readonly #written = new Map<string, ReadonlyMap<string, string | undefined>>();
  #writing: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(home: Home, clock: Clock, log: (message: string) => void) {
    this.#home = home;
    this.#clock = clock;
    this.#log = log;
  }

  /** The state of an instance is another. */
  changed(service: ServiceRecord, live: LiveInstance): void {
    const folder = instanceFolder(this.#home, service.plan.name, live.number);
    const facts = factsOf(service, live);
    if (!passingStates.has(live.state)) return this.#put(folder, facts);
    this.#passing.set(folder, facts);
    this.#cancelPassing ??= this.#clock.timer(passingMs, () => this.#putPassing());
    return undefined;
  }

  /** A service is no more; its logs stay. */
  removed(service: string, instance: number): void {
    const folder = instanceFolder(this.#home, service, instance);
    this.#put(folder, new Map(factNames.map((name) => [name, name === "state" ? removedState : undefined])));
  }

  /** Settles when all was tried that there is to write; what the disk does not take is not tried again after that. */
  async flushed(): Promise<void> {
    this.#putPassing();
    while (this.#writing !== undefined) await this.#writing;
    this.#cancelRetry?.();
  }

  #begin(): void {
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  #putPassing(): void {
    this.#cancelPassing?.();
    this.#cancelPassing = undefined;
    for (const [folder, facts] of this.#passing) this.#put(folder, facts);
  }

  #put(folder: string, facts: ReadonlyMap<string, string | undefined>): void {
    this.#passing.delete(folder);
    this.#waiting.set(folder, facts);
    this.#begin();
  }

  async #write(): Promise<void> {
    // Not at once: several changes follow each other closely.
    await Promise.resolve();
    const refused = new Map<string, ReadonlyMap<string, string | undefined>>();
    for (const [folder, facts] of this.#waiting) {
      this.#waiting.delete(folder);
      const before = this.#written.get(folder);
      this.#written.delete(folder); // what it is while it is being written nobody knows
      try {
        await writeFacts(folder, facts, before ?? (await factsThere(folder)));
        if (facts.get("state") !== removedState) this.#written.set(folder, facts);
      } catch (error) {
        if (this.#cancelRetry === undefined)
          this.#log(`the state of ${folder} could not be written, and is tried again: ${reasonText(error)}`);
        refused.set(folder, facts);
      }
    }
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    if (refused.size > 0) this.#retryLater(refused);
  }

  #retryLater(refused: ReadonlyMap<string, ReadonlyMap<string, string | undefined>>): void {
    // What has changed meanwhile is newer.
    for (const [folder, facts] of refused) if (!this.#waiting.has(folder)) this.#waiting.set(folder, facts);
    this.#cancelRetry = this.#clock.timer(stateRetryMs, () => this.#begin());
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

/** Makes the folder. Facts whose files are there count as other than any that is to be written. */
async function factsThere(folder: string): Promise<ReadonlyMap<string, string | undefined>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new Map((await readdir(folder)).map((name) => [name, ""]));
}

async function writeFacts(
  folder: string,
  facts: ReadonlyMap<string, string | undefined>,
  before: ReadonlyMap<string, string | undefined>,
): Promise<void> {
  for (const [name, text] of facts) {
    if (text === before.get(name)) continue;
    const file = join(folder, name);
    if (text === undefined) await rm(file, { force: true });
    else {
      await writeFile(`${file}.new`, `${text}\n`);
      await rename(`${file}.new`, file);
    }
  }
}
