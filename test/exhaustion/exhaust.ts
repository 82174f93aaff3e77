/**
 * Exhaust: one kind of shortage on one system, from its beginning until everything is as it is wanted, and the judgement.
 *
 * @module
 */
import { statSync } from "node:fs";
import type { InstanceStatus } from "../../src/control/service.ts";
import { calm, crasher, fragile, job, loggersCount, swapped, writeFleet } from "./fleet.ts";
import { exitProblems, lineProblems, memoryProblems, wordProblems } from "./judge.ts";
import type { Kind } from "./kinds.ts";
import { Operator } from "./operator.ts";
import { passed, System } from "./system.ts";
import { Watcher } from "./watcher.ts";

/** How long everything may take to be as it is wanted once the shortage is over, in milliseconds. */
export const backMsMax = 30_000;
/** How long a killed daemon may take to be back, in milliseconds: its heart looks each 2 s. */
export const daemonBackMsMax = 30_000;
/** The longest that `ps` may take while the machine has a core for it, in milliseconds. */
export const psMsMax = 1_000;

export interface ExhaustOptions {
  readonly dist: URL;
  readonly kind: Kind;
  /** Settles when a third of the shortage is over. */
  third(watcher: Watcher, operator: Operator): Promise<void>;
  /** Changes what must be found, to see that it is. */
  readonly sabotage?: (system: System) => void;
  /** The folder stays. */
  readonly keep?: boolean;
  /** `ps` is not judged by the clock, on a machine that has other work. */
  readonly isUntimed?: boolean;
}

export interface Outcome {
  readonly problems: readonly string[];
  /** What happened, in figures, for people. */
  readonly figures: readonly string[];
  readonly folder: string;
}

/** Runs it. Rejects only when it could not be begun. */
export async function exhaust(options: ExhaustOptions): Promise<Outcome> {
  const { dist, kind } = options;
  const userId = kind.userId?.();
  const system = new System({ dist, ...(userId === undefined ? {} : { userId }) });
  const problems: string[] = [];
  let figures: readonly string[] = [];
  try {
    kind.prepare?.(system);
    await writeFleet(system);
    if (kind.start === undefined) await start(system, kind.wrap ?? []);
    else kind.start(system);
    figures = await judged(options, system, problems);
  } finally {
    problems.push(...(await system.close()));
    try {
      kind.cleanUp?.(system);
    } catch (error) {
      problems.push(String(error));
    }
    if (problems.length > 0) problems.push(`the daemon said: ${system.log().slice(-4000)}`);
    if (options.keep !== true) system.remove();
  }
  return { problems: [...new Set(problems)], figures, folder: system.folder };
}

async function start(system: System, wrap: readonly string[]): Promise<void> {
  const up = await system.run([...wrap, ...system.words("up", "--timeout", "60s")] as [string, ...string[]]);
  if (up.code !== 0) throw new Error(`up ended with ${up.code}: ${up.stderr}`);
}

async function judged(options: ExhaustOptions, system: System, problems: string[]): Promise<readonly string[]> {
  const { kind } = options;
  const watcher = new Watcher(system);
  const operator = new Operator(system);
  const isUp = await until(backMsMax, async () => isAsWanted(await watcher.askList()));
  if (!isUp) throw new Error(`it did not come up: ${[...watcher.problems, textOf(watcher), system.log()].join("; ")}`);
  watcher.problems.length = 0;
  watcher.psMs.length = 0;
  watcher.ownPsMs.length = 0;
  const hasHeart = system.hasHeart;
  const journalBytes = journalSize(system);

  kind.begin(system);
  await during(options, { system, watcher, operator, problems });
  kind.end(system);

  const endedMs = performance.now();
  const isBack = await until(backMsMax, async () => {
    const status = await watcher.askList();
    return isAsWanted(status) && (status?.daemon.alarms ?? []).length === 0 && system.hasHeart === hasHeart;
  });
  const backMs = performance.now() - endedMs;
  if (!isBack) problems.push(`not everything is as it is wanted ${backMsMax} ms after the end: ${textOf(watcher)}`);
  await operator.perform("start", "20s");
  await operator.look();
  if (operator.counts.acknowledged === 0) problems.push("no operation was acknowledged, not even after the end");
  await watcher.askExits();
  await system.colos("stop", "logger", crasher);
  await watcher.askExits();
  const counted = await verdict(options, { system, watcher, operator, problems });
  return [
    `ps: ${timesText(watcher.psMs)}; while the machine had a core for it: ${timesText(watcher.ownPsMs)}`,
    countsText(operator),
    counted,
    `${memoryFigures(watcher)}; journal ${kibibytes(journalBytes)} to ${kibibytes(journalSize(system))}`,
    `back ${(backMs / 1000).toFixed(1)} s after the end`,
    ...[...watcher.alarms].slice(0, 3).map((alarm) => `said: ${alarm}`),
  ];
}

interface Trial {
  readonly system: System;
  readonly watcher: Watcher;
  readonly operator: Operator;
  readonly problems: string[];
}

/** The shortage, from its beginning to its end. */
async function during({ kind, third, sabotage }: ExhaustOptions, trial: Trial): Promise<void> {
  const { system, watcher, operator, problems } = trial;
  const before = system.daemonPid;
  watcher.begin();
  operator.begin();
  await third(watcher, operator);
  killService(watcher, problems);
  await third(watcher, operator);
  await operator.end();
  if (kind.killsDaemon === true) await killDaemon(system, watcher, problems);
  sabotage?.(system);
  await third(watcher, operator);
  await watcher.end();
  if (kind.killsDaemon !== true && system.daemonPid !== before)
    problems.push(`the daemon was OS process ${before} and is ${system.daemonPid}`);
}

/** Adds what was not right. Gives what was counted. */
async function verdict({ kind, isUntimed }: ExhaustOptions, trial: Trial): Promise<string> {
  const { system, watcher, operator, problems } = trial;
  const worstMs = Math.max(0, ...watcher.ownPsMs);
  if (isUntimed !== true && worstMs > psMsMax) problems.push(`ps took ${Math.round(worstMs)} ms, machine left aside`);
  const lines = await lineProblems(system);
  const exits = exitProblems(system, watcher);
  problems.push(...watcher.problems, ...operator.problems, ...lines.problems, ...exits.problems);
  problems.push(...restartProblems(watcher.last?.instances ?? []));
  problems.push(...wordProblems(kind.says, watcher), ...memoryProblems(watcher.memory));
  const jobsCount = system.told().filter(([what]) => what === "job").length;
  return `log lines: ${lines.count}; exit codes: ${exits.count}; jobs: ${jobsCount}`;
}

function countsText({ counts }: Operator): string {
  const all = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return `operations: ${all.join(", ")}`;
}

function kibibytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}

/** From outside, so that it has to be started again in the middle of the shortage. */
function killService(watcher: Watcher, problems: string[]): void {
  const osPid = watcher.last?.instances.find(({ name }) => name === fragile)?.osPid;
  if (osPid === undefined) problems.push(`${fragile} does not run`);
  else process.kill(osPid, "SIGKILL");
}

async function killDaemon(system: System, watcher: Watcher, problems: string[]): Promise<void> {
  await watcher.end();
  const before = system.daemonPid;
  if (before !== undefined) process.kill(before, "SIGKILL");
  const isBack = await until(daemonBackMsMax, async () => {
    const now = system.daemonPid;
    return now !== undefined && now !== before && (await system.colos("ps", "--quiet")).code === 0;
  });
  if (!isBack) problems.push(`no daemon came back within ${daemonBackMsMax} ms`);
  watcher.begin();
}

/** All but who is stopped by the operator, and who crashes as it is meant to. */
function isAsWanted(status: { readonly instances: readonly InstanceStatus[] } | undefined): boolean {
  if (status === undefined) return false;
  const isRight = ({ service, state }: InstanceStatus): boolean => {
    if (service === crasher) return state === "ready" || state === "backoff" || state === "starting";
    if (service === job) return state === "scheduled" || state === "ready" || state === "starting";
    return service === swapped ? state === "ready" || state === "stopped" : state === "ready";
  };
  const expected = calm.length - 1 + loggersCount + [fragile, crasher, swapped, job].length;
  return status.instances.length === expected && status.instances.every(isRight);
}

/** What was charged to whom. */
function restartProblems(instances: readonly InstanceStatus[]): string[] {
  return instances.flatMap(({ name, service, restartsCount }) => {
    const most = calm.some((each) => each === service) || service === swapped ? 0 : service === fragile ? 1 : Infinity;
    return restartsCount <= most ? [] : [`${name} was restarted ${restartsCount} times, and ${most} are its own`];
  });
}

function timesText(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return `${sorted.length} times, median ${at(0.5)} ms, worst ${at(1)} ms`;
}

function memoryFigures({ memory }: Watcher): string {
  const mib = (bytes = 0): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const [first, last] = [memory[0], memory.at(-1)];
  const daemon = `daemon ${mib(first?.daemonBytes)} to ${mib(last?.daemonBytes)}`;
  return `memory: ${daemon}, recorder ${mib(first?.recorderBytes)} to ${mib(last?.recorderBytes)}`;
}

function journalSize({ home }: System): number {
  return statSync(home.journal).size;
}

function textOf({ last }: Watcher): string {
  const states = (last?.instances ?? []).map(({ name, state, reason }) => `${name} ${state} ${reason ?? ""}`.trim());
  return [...states, ...(last?.daemon.alarms ?? [])].join("; ");
}

async function until(timeoutMs: number, isDone: () => Promise<boolean>): Promise<boolean> {
  const dueMs = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > dueMs) return false;
    await passed(100);
  }
  return true;
}
