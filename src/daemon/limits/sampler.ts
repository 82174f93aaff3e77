/**
 * Sampler: looks at runs from time to time and tells which is over a limit that the OS kernel does not hold for it.
 *
 * Guarantees: one look for all runs. A run over its memory or its number of OS processes is told once, at the look that finds it.
 * Memory counts shared pages once: when the sum of the resident sizes is over the limit, the proportional sizes decide, where the
 * OS tells them. A run over its CPU limit for `cpuOverMs` is told once, and again only after it was under it.
 * Limits: what grows and bursts between two looks is not seen; whoever takes all memory of the machine in less than `sampleEveryMs`
 * meets the OS kernel first. OS processes that nobody finds (see run-members.ts) are not counted.
 * Not here: what follows; CPU use is told and not held, because to hold it would mean to stop the service again and again.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Clock } from "../../base/platform.ts";
import type { LimitsPlan } from "../../control/config.ts";
import { findProcessStat } from "../../os/process-sample.ts";
import type { RunId } from "../run/run.ts";
import { sizeText } from "./size-text.ts";

/** Milliseconds between two looks. */
export const sampleEveryMs = 1_000;
/** How long a run may be over its CPU limit before that is told, in milliseconds. */
export const cpuOverMs = 10_000;

/** What the OS says of all OS processes of one run together. */
export interface RunSample {
  readonly processesCount: number;
  /** OS processes and threads, as `pidsMax` counts them. */
  readonly threadsCount: number;
  readonly residentBytes: number;
  /** CPU time used so far, and by children that were waited for. Falls when a member ends whom nobody waits for. */
  readonly cpuMs: number;
}

/** Limits of one run that are looked after here; others are held elsewhere. */
export interface SampledRun {
  readonly id: RunId;
  readonly limits: Pick<LimitsPlan, "memoryBytes" | "cpuPercent" | "pidsMax">;
}

export interface SamplerOptions {
  readonly clock: Clock;
  /** The pids of these runs; a run that is absent is not looked at. */
  membersOf(ids: readonly RunId[]): ReadonlyMap<RunId, readonly number[]>;
  /** The run is over a limit for which it is to be ended: one sentence. */
  onExceeded(run: RunId, sentence: string): void;
  /** The run is over a limit that is only told: one sentence. */
  onNotice(run: RunId, sentence: string): void;
  /** For tests. */
  readonly procFolder?: string;
}

/** Adds up what /proc says of these OS processes; who has ended is left out. */
export function sampleMembers(osPids: readonly number[], procFolder?: string): RunSample {
  const stats = osPids.map((osPid) => findProcessStat(osPid, procFolder)).filter((stat) => stat !== undefined);
  const sum = (value: (stat: (typeof stats)[number]) => number): number =>
    stats.reduce((total, stat) => total + value(stat), 0);
  return {
    processesCount: stats.length,
    threadsCount: sum(({ threadsCount }) => threadsCount),
    residentBytes: sum(({ residentBytes }) => residentBytes),
    cpuMs: sum(({ cpuMs, reapedCpuMs }) => cpuMs + reapedCpuMs),
  };
}

interface Watched extends SampledRun {
  last: { readonly atMs: number; readonly cpuMs: number } | undefined;
  overSinceMs: number | undefined;
  isCpuTold: boolean;
}

/** Looks as long as there is somebody to look at. */
export class LimitSampler {
  readonly #options: SamplerOptions;
  readonly #runs: Map<RunId, Watched> = new Map();
  #cancelTimer: (() => void) | undefined;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  watch({ id, limits }: SampledRun): void {
    this.#runs.set(id, { id, limits, last: undefined, overSinceMs: undefined, isCpuTold: false });
    this.#cancelTimer ??= this.#options.clock.timer(sampleEveryMs, () => this.#look());
  }

  unwatch(id: RunId): void {
    this.#runs.delete(id);
    if (this.#runs.size === 0) this.stop();
  }

  stop(): void {
    this.#runs.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #look(): void {
    this.#cancelTimer = this.#options.clock.timer(sampleEveryMs, () => this.#look());
    const members = this.#options.membersOf([...this.#runs.keys()]);
    for (const run of [...this.#runs.values()]) {
      const osPids = members.get(run.id);
      if (osPids !== undefined) this.#judge(run, osPids);
    }
  }

  #judge(run: Watched, osPids: readonly number[]): void {
    const sample = sampleMembers(osPids, this.#options.procFolder);
    const sentence = this.#memorySentence(run, sample, osPids) ?? pidsSentence(run, sample);
    if (sentence === undefined) return this.#judgeCpu(run, sample);
    this.unwatch(run.id);
    this.#options.onExceeded(run.id, sentence);
  }

  #memorySentence({ limits }: Watched, sample: RunSample, osPids: readonly number[]): string | undefined {
    const { memoryBytes } = limits;
    if (memoryBytes === undefined || sample.residentBytes <= memoryBytes) return undefined;
    const usedBytes = proportionalBytes(osPids, this.#options.procFolder) ?? sample.residentBytes;
    if (usedBytes <= memoryBytes) return undefined;
    return `it uses ${sizeText(usedBytes)} of memory, and its limit is ${sizeText(memoryBytes)}`;
  }

  #judgeCpu(run: Watched, { cpuMs }: RunSample): void {
    const { cpuPercent } = run.limits;
    if (cpuPercent === undefined) return;
    const nowMs = this.#options.clock.monotonicMs();
    const { last } = run;
    run.last = { atMs: nowMs, cpuMs };
    if (last === undefined || nowMs <= last.atMs) return;
    const usedPercent = (Math.max(0, cpuMs - last.cpuMs) / (nowMs - last.atMs)) * 100;
    if (usedPercent <= cpuPercent) {
      run.overSinceMs = undefined;
      run.isCpuTold = false;
      return;
    }
    run.overSinceMs ??= last.atMs;
    if (run.isCpuTold || nowMs - run.overSinceMs < cpuOverMs) return;
    run.isCpuTold = true;
    const use = `it has used more than ${cpuPercent} % of a core, its limit, for ${cpuOverMs / 1000} s (${Math.round(usedPercent)} % now)`;
    this.#options.onNotice(run.id, `${use}; nothing holds it back here, this is only told`);
  }
}

function pidsSentence({ limits }: Watched, { threadsCount }: RunSample): string | undefined {
  const { pidsMax } = limits;
  if (pidsMax === undefined || threadsCount <= pidsMax) return undefined;
  return `it has ${threadsCount} OS processes and threads, and its limit is ${pidsMax}`;
}

/** Each shared page counts for its part (proc_pid_smaps(5), Pss); undefined when the OS does not tell it of everybody. */
function proportionalBytes(osPids: readonly number[], procFolder = "/proc"): number | undefined {
  let kib = 0;
  for (const osPid of osPids) {
    try {
      const text = readFileSync(`${procFolder}/${osPid}/smaps_rollup`, "latin1");
      kib += Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ESRCH") return undefined; // otherwise it has ended
    }
  }
  return Number.isNaN(kib) ? undefined : kib * 1024;
}
