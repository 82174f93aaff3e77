/**
 * Watcher: asks all the time how the system is, the way a person does, and keeps what it is told.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import type { ServiceDetail, SystemStatus } from "../../src/control/manager.ts";
import { isAlive } from "../../src/daemon/os-identity.ts";
import { readIdentity, readRecord, runFile, runIdOf } from "../../src/daemon/run/run-files.ts";
import { residentBytes } from "../system/os-processes.ts";
import { crasher, swapped } from "./fleet.ts";
import { passed, type Said, type System } from "./system.ts";

/** From one `ps` to the next, in milliseconds. */
const pauseMs = 150;
/** So many `ps` later, more is asked. */
const detailsEvery = 8;

/** States that a service may not come to because colos is short of something. */
const badStates: ReadonlySet<string> = new Set(["failed", "degraded"]);

export interface Memory {
  readonly atMs: number;
  readonly daemonBytes: number;
  readonly recorderBytes: number;
}

export class Watcher {
  readonly #system: System;
  /** How long each `colos ps` took, in milliseconds. */
  readonly psMs: number[] = [];
  /** The same without the time in which the machine had no core for it. */
  readonly ownPsMs: number[] = [];
  /** What was not right. */
  readonly problems: string[] = [];
  /** What the daemon said that it is short of. */
  readonly alarms: Set<string> = new Set();
  /** Exit codes that `show` has told, by run. */
  readonly exits: Map<string, number | null> = new Map();
  readonly memory: Memory[] = [];
  /** What `ps`, `show` and `why` said to a person, once there was an alarm. */
  texts: { readonly ps: string; readonly show: string; readonly why: string } | undefined;
  last: SystemStatus | undefined;
  #isOver = false;
  #working: Promise<void> = Promise.resolve();

  constructor(system: System) {
    this.#system = system;
  }

  /** Begins to ask. */
  begin(): void {
    this.#isOver = false;
    this.#working = this.#work();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#working;
  }

  async #work(): Promise<void> {
    for (let count = 0; !this.#isOver; count += 1) {
      await this.askList();
      this.#lookForTwins();
      this.#weigh();
      if (count % detailsEvery === detailsEvery - 1) await this.#askMore();
      await passed(pauseMs);
    }
  }

  /** One `colos ps`. */
  async askList(): Promise<SystemStatus | undefined> {
    const said = await this.#system.colos("ps", "--json");
    this.psMs.push(said.tookMs);
    this.ownPsMs.push(said.tookMs - said.heldMs);
    if (said.code !== 0) {
      this.problems.push(`ps ended with ${said.code} after ${Math.round(said.tookMs)} ms: ${said.stderr.trim()}`);
      return undefined;
    }
    const status = JSON.parse(said.stdout) as SystemStatus;
    this.last = status;
    for (const alarm of status.daemon.alarms ?? []) this.alarms.add(alarm);
    for (const { name, state, reason } of status.instances)
      if (badStates.has(state)) this.problems.push(`${name} is ${state}: ${reason}`);
    return status;
  }

  /** Exit codes before they are forgotten, and what a person is told. */
  async #askMore(): Promise<void> {
    await this.askExits();
    if (this.texts !== undefined || this.alarms.size === 0) return;
    const [ps, show, why] = [
      await this.#system.colos("ps"),
      await this.#system.colos("show", swapped),
      await this.#system.colos("why", swapped),
    ].map(({ stdout }: Said) => stdout);
    if (ps!.includes("\n! ")) this.texts = { ps: ps!, show: show!, why: why! };
  }

  async askExits(): Promise<void> {
    const said = await this.#system.colos("show", crasher, "--json");
    if (said.code !== 0) return;
    for (const { runs } of (JSON.parse(said.stdout) as ServiceDetail).instances)
      for (const { id, exit } of runs) if (exit !== undefined) this.exits.set(id, exit.code);
  }

  /** Two runs of one instance that live at the same time. */
  #lookForTwins(): void {
    const { home } = this.#system;
    const living = new Map<string, string>();
    for (const name of readdirSync(home.runs)) {
      const file = runIdOf(name);
      if (file?.kind !== "pid") continue;
      const record = readRecord(home, file.id);
      const identity = record === undefined ? undefined : readIdentity(runFile(home, file.id, "pid"), record.bootId);
      if (identity === undefined || !isAlive(identity)) continue;
      const instance = file.id.slice(0, file.id.lastIndexOf("."));
      const other = living.get(instance);
      if (other !== undefined) this.problems.push(`${other} and ${file.id} run at the same time`);
      living.set(instance, file.id);
    }
  }

  #weigh(): void {
    const { daemonPid, recorderPid } = this.#system;
    if (daemonPid === undefined) return;
    this.memory.push({
      atMs: performance.now(),
      daemonBytes: residentBytes(daemonPid),
      recorderBytes: recorderPid === undefined ? 0 : residentBytes(recorderPid),
    });
  }
}

/** File descriptors that an OS process has open. */
export function descriptorsOf(osPid: number): number {
  return readdirSync(`/proc/${osPid}/fd`).length;
}

/** What the OS kernel would let an OS process have: the hard limit of a line of /proc/<pid>/limits. */
export function hardLimitOf(osPid: number, line: string): string {
  const text = readFileSync(`/proc/${osPid}/limits`, "utf8").split("\n");
  const found = text.find((each) => each.startsWith(line));
  return found?.slice(line.length).trim().split(/\s+/)[1] ?? "unlimited";
}
