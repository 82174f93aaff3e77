/**
 * Journal trial: the daemon's journal is used while the disk fails and the machine stops at any operation; every start looks at
 * what is there.
 *
 * @module
 */
import { isFileError } from "../src/base/file-system.ts";
import { JournalError, type Journal } from "../src/daemon/journal/journal.ts";
import { openJournal } from "../src/daemon/journal/journal-opening.ts";
import type { FaultName } from "../src/faults/fault.ts";
import { SimulatedFileSystem, type SimulatedFileSystemOptions } from "../src/sim/sim-file-system.ts";
import { seededHost, Stopped, Stops, type FakeSimulatedHost } from "./fake-simulated-host.ts";
import { listOptions } from "./journal-list.ts";

/** What a trial has met, for a test that its faults struck. */
export interface TrialFigures {
  acknowledged: number;
  refused: number;
  starts: number;
  cuts: number;
}

export class JournalTrial {
  readonly figures: TrialFigures = { acknowledged: 0, refused: 0, starts: 0, cuts: 0 };
  readonly #host: FakeSimulatedHost;
  readonly #files: SimulatedFileSystem;
  #journal: Journal<readonly string[], string> | undefined;
  /** Promised over a power loss, in order. */
  #durable: string[] = [];
  /** Acknowledged without a sync since; promised over the end of the OS process. */
  #lasting: string[] = [];
  /** Tried since the last start, acknowledged or not. */
  readonly #tried = new Set<string>();
  readonly #stops: Stops;

  constructor(
    seed: number,
    rates: Readonly<Partial<Record<FaultName, number>>>,
    options: SimulatedFileSystemOptions = {},
  ) {
    this.#host = seededHost(seed, rates);
    this.#files = new SimulatedFileSystem(this.#host, options);
    this.#stops = new Stops(this.#host);
  }

  /** @throws Error when something that was acknowledged is gone, or something is there that nobody wrote */
  async run(): Promise<TrialFigures> {
    const draw = this.#host.stream("trial");
    await this.#restart("process");
    for (let step = 0; step < 40; step += 1) {
      const groups = Array.from({ length: 1 + draw.choose(3) }, (_, index) =>
        this.#append(`${step}.${index} `.padEnd(10 + draw.choose(1_500), "x"), draw.choose(3) > 0),
      );
      const outcomes = await Promise.allSettled(groups);
      if (this.#stops.isStopped) await this.#restart(draw.choose(2) === 0 ? "power" : "process");
      else for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    }
    await this.#restart("power");
    return this.figures;
  }

  async #append(text: string, sync: boolean): Promise<void> {
    this.#tried.add(text);
    try {
      await this.#journal!.append([text], { sync });
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.figures.refused += 1;
      this.#host.now += 500;
      if (this.#journal!.state.includes(text)) throw new Error("a rejected entry is in the state", { cause: error });
      return;
    }
    this.figures.acknowledged += 1;
    this.#lasting.push(text);
    if (!sync) return;
    this.#durable.push(...this.#lasting);
    this.#lasting = [];
  }

  async #restart(lost: "power" | "process"): Promise<void> {
    for (;;) {
      this.#files.crash(lost === "power" ? "power-loss" : "page-cache");
      this.#stops.isStopped = false;
      this.figures.starts += 1;
      try {
        await this.#open();
        return this.#check(lost);
      } catch (error) {
        if (!(error instanceof Stopped)) throw error;
      }
    }
  }

  /** Until it works; what lasts passes. */
  async #open(): Promise<void> {
    for (let round = 0; round < 1_000; round += 1) {
      try {
        this.#journal = await openJournal({ ...listOptions, files: this.#files, path: "journal" });
        if (this.#journal.recovery.cutBytes > 0) this.figures.cuts += 1;
        return;
      } catch (error) {
        if (error instanceof JournalError || !isFileError(error)) throw error;
        this.#host.now += 500;
      }
    }
    throw new Error("the journal does not open");
  }

  #check(lost: "power" | "process"): void {
    const promised = lost === "power" ? this.#durable : [...this.#durable, ...this.#lasting];
    const found = this.#journal!.state;
    let at = 0;
    for (const text of found) {
      if (text === promised[at]) at += 1;
      else if (!this.#tried.has(text)) throw new Error(`an entry that nobody wrote: ${text.slice(0, 10)}`);
    }
    if (at < promised.length) throw new Error(`entry ${at} of ${promised.length} is gone, or out of order`);
    if (new Set(found).size < found.length) throw new Error("an entry is there twice");
    const isDurable = this.#journal!.recovery.problem === undefined;
    // What has come up and was written anew is durable; else what was promised stays promised.
    if (isDurable) this.#durable = [...found];
    if (isDurable || lost === "power") this.#lasting = [];
    this.#tried.clear();
    for (const text of found) this.#tried.add(text);
  }
}
