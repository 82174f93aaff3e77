/**
 * Evidence: what the services did, by their own account and by that of colos, and where the two differ.
 *
 * @module
 */
import { existsSync, openSync, readdirSync, readFileSync, readSync, closeSync } from "node:fs";
import { join } from "node:path";
import type { InstanceDetail, RunExit } from "../../../src/control/manager.ts";
import { parseCriLine } from "../../../src/daemon/log/cri-format.ts";
import { instanceFolder, logFolder, type Home } from "../../../src/daemon/home.ts";
import { chunkBytesMax } from "../../../src/daemon/log/pipe-reader.ts";
import { runParts } from "../../../src/daemon/core/run-id.ts";
import type { Evidence, Fact } from "./part.ts";

const factsChunkBytes = 65_536;

/** The file of facts, read as it grows. */
export class Facts {
  /** How often each run began. */
  readonly starts = new Map<string, number>();
  /** The versions of those that have one, by OS process. */
  readonly versions = new Map<number, number>();
  /** Exit codes as the services chose them. */
  readonly codes = new Map<string, number>();
  /** Lines on each stream of the runs that ended in order. */
  readonly wrote = new Map<string, number>();
  /** Runs that began while another of their instance still ran, or that began before. */
  readonly problems: string[] = [];
  readonly #file: string;
  readonly #told: ReadonlySet<string>;
  readonly #evidences: readonly Evidence[];
  #offset = 0;
  #rest = "";

  /** @param told what the parts of the fleet write beside what all write */
  constructor(file: string, told: readonly string[], evidences: readonly Evidence[]) {
    this.#file = file;
    this.#told = new Set(told);
    this.#evidences = evidences;
  }

  /** Reads what is new. */
  read(): void {
    const file = openSync(this.#file, "r");
    const buffer = Buffer.alloc(factsChunkBytes);
    for (;;) {
      const count = readSync(file, buffer, 0, buffer.length, this.#offset);
      if (count === 0) break;
      this.#offset += count;
      const lines = (this.#rest + buffer.toString("latin1", 0, count)).split("\n");
      this.#rest = lines.pop()!;
      for (const line of lines) this.#take(line);
    }
    closeSync(file);
  }

  #take(line: string): void {
    const [what = "", run = "", ...values] = line.split(" ");
    const [value, version] = values;
    if (what === "start" || this.#told.has(what)) this.#tell({ what, run, ...runParts(run), values });
    if (what === "start") {
      const count = (this.starts.get(run) ?? 0) + 1;
      this.starts.set(run, count);
      if (version) this.versions.set(Number(value), Number(version));
      if (count > 1) this.problems.push(`${run} began ${count} times`);
    } else if (what === "twice") this.problems.push(`${run} began while another run of its instance was not gone`);
    else if (what === "code") this.codes.set(run, Number(value));
    else if (what === "wrote") this.wrote.set(run, Number(value));
    else if (!this.#told.has(what)) this.problems.push(`a fact that nobody wrote so: ${line}`);
  }

  #tell(fact: Fact): void {
    for (const evidence of this.#evidences) evidence.take(fact);
  }
}

/** How runs ended, as the daemon tells it; the history of an instance is short, so it is read again and again. */
export class Exits {
  readonly exits = new Map<string, RunExit>();
  readonly problems: string[] = [];

  read(instances: readonly InstanceDetail[]): void {
    for (const { id, exit } of instances.flatMap(({ runs }) => runs)) {
      if (exit !== undefined) this.take(id, exit);
    }
  }

  take(id: string, exit: RunExit): void {
    const before = this.exits.get(id);
    this.exits.set(id, exit);
    if (before === undefined || (before.code === exit.code && before.signal === exit.signal)) return;
    this.problems.push(`${id} ended with ${JSON.stringify(before)} and with ${JSON.stringify(exit)}`);
  }
}

/** What the journal of a daemon that has ended says of runs that ended last. */
export function readJournal(home: Home, exits: Exits): void {
  for (const line of readFileSync(home.journal, "utf8").split("\n")) {
    const entry = line.includes("{") ? (JSON.parse(line.slice(line.indexOf("{"))) as JournalEntry) : undefined;
    if (entry?.type === "ended") exits.take(entry.run, entry.end);
    for (const [, { runs }] of entry?.kept?.instances ?? []) {
      for (const { id, end } of runs) if (end !== undefined) exits.take(id, end);
    }
  }
}

interface JournalEntry {
  readonly type: string;
  readonly run: string;
  readonly end: RunExit;
  readonly kept?: {
    readonly instances: readonly (readonly [number, { readonly runs: readonly { id: string; end?: RunExit }[] }])[];
  };
}

/** Exit codes that are not those that the services chose. */
export function wrongExits(facts: Facts, { exits, problems }: Exits): string[] {
  const wrong = [...facts.codes].flatMap(([run, code]) => {
    const exit = exits.get(run);
    if (exit?.code === code) return [];
    return [`${run} ended with exit code ${code}, and the history says ${JSON.stringify(exit)}`];
  });
  return [...problems, ...wrong];
}

/**
 * Lines that are not in the log once and in order. Each pipe may have lost so many chunks as recorders were killed: what such a
 * one had in its hands.
 */
export function wrongLines(home: Home, service: string, instances: number, facts: Facts, chunksLostMax = 0): string[] {
  const wrong: string[] = [];
  const pipes = new Map<string, { last: number; lostBytes: number }>();
  const pipeOf = (run: string, stream: string): { last: number; lostBytes: number } => {
    const key = `${run} ${stream}`;
    const pipe = pipes.get(key) ?? { last: 0, lostBytes: 0 };
    pipes.set(key, pipe);
    return pipe;
  };
  for (let instance = 1; instance <= instances; instance++) {
    for (const { stream, text } of linesOf(home, service, instance)) {
      // A shell says by itself that its child was told to end.
      const [, run, number] = /^([a-z]+\.\d+\.\d+) (\d+)\.$/.exec(text) ?? [];
      if (run === undefined) continue;
      const pipe = pipeOf(run, stream);
      const isLate = Number(number) <= pipe.last;
      if (isLate || (chunksLostMax === 0 && Number(number) !== pipe.last + 1))
        wrong.push(`${service}.${instance} ${stream}: "${text}" where line ${pipe.last + 1} is due`);
      pipe.lostBytes += (Number(number) - pipe.last - 1) * lineBytes(run, Number(number));
      pipe.last = Number(number);
    }
  }
  for (const [run, count] of facts.wrote) {
    if (!run.startsWith(`${service}.`)) continue;
    for (const stream of ["stdout", "stderr"]) {
      const { last } = pipeOf(run, stream);
      pipeOf(run, stream).lostBytes += Math.max(0, count - last) * lineBytes(run, count);
      if (last > count || (chunksLostMax === 0 && last !== count))
        wrong.push(`${run} wrote ${count} lines to ${stream}, and ${last} are in the log`);
    }
  }
  for (const [pipe, { lostBytes }] of pipes) {
    if (chunksLostMax > 0 && lostBytes > chunksLostMax * chunkBytesMax)
      wrong.push(`${pipe} has lost ${lostBytes} bytes, and ${chunksLostMax} recorders were killed`);
  }
  return wrong;
}

/** As the fleet writes it, with its line end. */
function lineBytes(run: string, number: number): number {
  return `${run} ${number}.\n`.length;
}

/** How many whole lines are in the logs of all instances. */
export function linesCount(home: Home): number {
  if (!existsSync(home.services)) return 0;
  let count = 0;
  for (const service of readdirSync(home.services)) {
    for (const instance of readdirSync(join(home.services, service))) {
      if (existsSync(join(instanceFolder(home, service, Number(instance)), "log")))
        count += linesOf(home, service, Number(instance)).length;
    }
  }
  return count;
}

interface Line {
  readonly stream: string;
  readonly text: string;
}

/** Oldest first; names of full files are their times, and `current` is the newest. */
function linesOf(home: Home, service: string, instance: number): Line[] {
  const folder = logFolder(home, service, instance);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".log"))
    .toSorted();
  const lines: Line[] = [];
  const open = new Map<string, string>();
  for (const name of [...names, "current"]) {
    const bytes = readFileSync(join(folder, name));
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(10, start);
      if (end < 0) break;
      const line = parseCriLine(bytes, start, end);
      start = end + 1;
      if (line === undefined) continue;
      const text = (open.get(line.stream) ?? "") + bytes.toString("utf8", line.textStart, line.textEnd);
      if (!line.isFinished) open.set(line.stream, text);
      else {
        open.delete(line.stream);
        lines.push({ stream: line.stream, text });
      }
    }
  }
  return lines;
}
