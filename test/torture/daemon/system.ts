/**
 * System: the fleet, its daemon, its clients and whoever watches, from the first start to the last look.
 *
 * @module
 */
import type { Process } from "colos";
import type { TortureWorld } from "colos/testing";
import { randomUUID } from "node:crypto";
import { cpSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { InstanceStatus } from "../../../src/control/service.ts";
import { homeAt, type Home } from "../../../src/daemon/home.ts";
import { markVariable as sweptVariable, startSweeper } from "../../../src/testing/sweep.ts";
import { freePort } from "../../system/free-port.ts";
import { markVariable, osProcessesOf } from "../../system/os-processes.ts";
import { Client, type Pausing } from "./client.ts";
import { Exits, Facts, linesCount, readJournal, wrongLines } from "./evidence.ts";
import { changed, parts, planOf, servers, writeFleet, type Programs, type Wanted } from "./fleet.ts";
import { inTime, Steps } from "./in-time.ts";
import { JobEvidence, jobs } from "./jobs.ts";
import { answerMsMax, openLoads, work, type Load } from "./loads.ts";
import { allUp } from "./moves.ts";
import type { Evidence } from "./part.ts";
import { changeFile, reader, ReaderEvidence } from "./reader.ts";

export interface SystemOptions {
  /** Where the built package is. */
  readonly dist: URL;
  readonly programs: Programs;
  /** Within which all is as it is wanted after the last kill, in milliseconds; default `settledMsDefault`. */
  readonly settledMs?: number;
  /** A folder that gets a copy of the home, for whoever wants to know what has happened. */
  readonly keep?: string;
}

/** Whoever starts the daemon again when it has ended. */
export interface Keeper {
  /** What a daemon did that it may not do. */
  readonly problems: readonly string[];
  /** How often a daemon has ended by SIGKILL. */
  readonly deathsCount: number;
  /** Of the daemon that lives; undefined between two. */
  readonly osPid: number | undefined;
  /** SIGKILL; false when there was none to kill. */
  kill(): boolean;
  /** From now on no other is started; settles when the one there is has ended. */
  ended(): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Starts the first daemon. `folder` is its own, `env` is for all that it starts. */
export type KeeperMaker = (home: Home, folder: string, env: Readonly<Record<string, string>>) => Keeper;

/** The system under torture. */
export interface Campaign {
  readonly home: Home;
  readonly folder: string;
  readonly keeper: Keeper;
  readonly client: Client;
  readonly facts: Facts;
  readonly exits: Exits;
  readonly loads: readonly Load[];
  readonly steps: Steps;
  readonly settledMs: number;
  /** The OS processes of the real programs when they became ready. */
  readonly serverPids: ReadonlyMap<string, number>;
  /** What each part of the fleet has said, by its name. */
  readonly evidences: ReadonlyMap<string, Evidence>;
  /** The first time of each job. */
  readonly firstAt: ReadonlyMap<string, number>;
  /** What was wrong at the end: OS processes left, lines lost, what must have followed in a part of the fleet. */
  readonly atEnd: {
    lines: string[];
    left: string[];
    unsettled: string[];
    linesCount: number;
    readonly missing: Map<string, readonly string[]>;
  };
}

/** A minute, for a machine that has much else to do. */
export const settledMsDefault = 60_000;
/** Within which the daemon has ended after `down`, and all the rest after it, in milliseconds. */
export const goneMsMax = 60_000;
/** A step of the end that asks the daemon now and then may take so long beside that, in milliseconds. */
const askedMsMax = 60_000;
/** The history of an instance has 20 runs, and the busiest begins one each 200 ms. */
const watchEveryMs = 500;
/** Of a job so many rounds have fewer runs. */
const slowRounds = 20;

/** Starts everything; all of it ends with `self`. */
export async function openSystem(
  self: Process,
  world: TortureWorld,
  { programs, keep, settledMs = settledMsDefault }: SystemOptions,
  keeperOf: KeeperMaker,
): Promise<Campaign> {
  const folder = join(world.directory, "fleet");
  mkdirSync(folder, { recursive: true });
  const mark = randomUUID();
  const sweeper = await startSweeper(mark);
  const belonging = { mark, folder: world.directory };
  self.own({
    close: () => {
      if (keep !== undefined) copyFiles(world.directory, keep);
      for (const { pid } of osProcessesOf(belonging)) tryKill(pid);
      void sweeper.undo();
    },
  });
  const env = { [markVariable]: mark, [sweptVariable]: mark };
  const home = homeAt(join(world.directory, "home"));
  const keeper = keeperOf(home, folder, env);
  self.own({ close: () => void keeper.close() });

  const files = writeFleet(folder);
  const ports = { web: await freePort(), redis: await freePort(), nginx: await freePort(), nats: await freePort() };
  const first: Wanted = new Map(changed.map((name) => [name, { target: "up", instances: 1, version: 1 }]));
  const plans = (wanted: Wanted): ReturnType<typeof planOf> => planOf(wanted, files, programs, ports);
  const client = new Client(home.controlSocket, first, plans, { PATH: process.env["PATH"] ?? "", ...env });
  await client.list(self);
  await client.perform(client.apply(first));
  await settled(self, client, ["logger", "web", ...servers.filter((name) => programs[name] !== undefined)]);
  const { instances } = await client.list(self);
  const evidences = new Map(parts.map((part) => [part.name, part.evidence()]));
  const told = parts.flatMap((part) => part.facts);
  const web = { isUp: () => client.isUp("web"), downsCount: () => client.downsOf("web") };
  return {
    ...{
      home,
      folder,
      keeper,
      client,
      facts: new Facts(files.facts, told, [...evidences.values()]),
      exits: new Exits(),
      steps: new Steps(),
    },
    loads: await openLoads(ports, programs, web),
    settledMs,
    serverPids: new Map(instances.filter(({ name }) => isServer(name)).map(({ name, osPid = 0 }) => [name, osPid])),
    evidences,
    firstAt: await firstTimes(self, client),
    atEnd: { lines: [], left: [], unsettled: [], linesCount: 0, missing: new Map() },
  };
}

/** Clients at work and whoever reads what the daemon says, while `deaths` goes on; then the end of everything. */
export async function endure(
  self: Process,
  campaign: Campaign,
  world: TortureWorld,
  deaths: () => Promise<void>,
  chunksLostMax = 0,
): Promise<void> {
  const { loads, steps, atEnd } = campaign;
  let isOver = false;
  self.own({ close: () => void (isOver = true) });
  const { clock } = world.platform;
  const pausing = { sleep: (ms: number) => new Promise<void>((resolve) => void clock.timer(ms, resolve)) };
  const atWork = loads.map((load) => work(pausing, load, () => isOver));
  const watching = watch(pausing, campaign, () => isOver);
  // What it throws is told where it is waited for.
  watching.catch(() => {});
  await deaths();
  steps.begin("everything becomes as it is wanted", campaign.settledMs + askedMsMax);
  atEnd.unsettled.push(...(await unsettled(self, campaign)));
  isOver = true;
  steps.begin("clients and watchers come to their end", answerMsMax + askedMsMax);
  await Promise.all([...atWork, watching]);
  await end(self, campaign, world, chunksLostMax);
  steps.end();
}

/** Reads what services and daemon say of what ends, more often than the daemon forgets it. */
async function watch(pausing: Pausing, { client, facts, exits }: Campaign, isOver: () => boolean): Promise<void> {
  for (let round = 1; !isOver(); round++) {
    facts.read();
    const slow = round % slowRounds === 0 ? Object.keys(jobs.services) : [];
    for (const service of ["talker", "crasher", ...slow]) exits.read(await client.details(pausing, service));
    await pausing.sleep(watchEveryMs);
  }
}

/** When each job is due for the first time: their times are counted from then on, whatever becomes of the daemon. */
async function firstTimes(self: Process, client: Client): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  for (const service of Object.keys(jobs.services)) {
    const [instance] = await client.details(self, service);
    times.set(service, instance?.nextStartAt ?? Number.NaN);
  }
  return times;
}

/** Changes the file that a service is started again for, once it has read the last change. */
export function changeWatched({ folder, evidences }: Campaign): void {
  const evidence = evidences.get(reader.name);
  const number = evidence instanceof ReaderEvidence ? evidence.next() : undefined;
  if (number !== undefined) changeFile(folder, number);
}

/** Waits until these are ready, and gives what is not in time. */
async function settled(self: Process, client: Client, names: readonly string[]): Promise<readonly InstanceStatus[]> {
  const dueMs = performance.now() + settledMsDefault;
  for (;;) {
    const { instances } = await client.list(self);
    const late = instances.filter(({ service, state }) => names.includes(service) && state !== "ready");
    if (late.length === 0 || performance.now() > dueMs) return late;
    await self.sleep(20);
  }
}

/** What is not as it is wanted, for as long as nothing changes it any more. */
async function unsettled(self: Process, campaign: Campaign): Promise<string[]> {
  const { client, facts, serverPids, settledMs } = campaign;
  // Whoever depends on what was removed waits for it; what is wanted last has everything.
  await client.perform(client.apply(allUp(client.wanted)));
  await client.look(self);
  const dueMs = performance.now() + settledMs;
  facts.read();
  const awaited = new Set([...campaign.evidences.values()].flatMap((evidence) => evidence.pending()));
  for (;;) {
    const { instances } = await client.list(self);
    facts.read();
    const problems = [...wantedProblems(client.wanted, instances, facts), ...serverProblems(serverPids, instances)];
    const isLate = performance.now() > dueMs;
    // What is missing in a part of the fleet is told there; all else may only not have come to rest meanwhile.
    const missing = isMissing(campaign, awaited);
    if (isLate || (!missing && problems.length === 0)) return missing ? [] : problems;
    await self.sleep(20);
  }
}

/** Whether something of this has not come yet; which, is told at the end. */
function isMissing({ evidences, atEnd: { missing } }: Campaign, awaited: ReadonlySet<string>): boolean {
  for (const [name, evidence] of evidences)
    missing.set(
      name,
      evidence.pending().filter((each) => awaited.has(each)),
    );
  return [...missing.values()].some((each) => each.length > 0);
}

function wantedProblems(wanted: Wanted, instances: readonly InstanceStatus[], { versions }: Facts): string[] {
  const late = instances.filter(
    ({ service, state }) => state !== "ready" && (service === "logger" || wanted.has(service)),
  );
  const old = instances.filter(({ service, osPid = 0 }) => {
    const due = wanted.get(service)?.version;
    return due !== undefined && versions.get(osPid) !== due;
  });
  const counts = [...wanted].flatMap(([name, { target, instances: number }]) => {
    const count = instances.filter(({ service, state }) => service === name && state === "ready").length;
    const due = target === "up" ? number : 0;
    return count === due ? [] : [`${name}: ${count} are ready, and ${due} are wanted`];
  });
  return [
    ...late.map(({ name, state, reason }) => `${name} is ${state}: ${reason ?? ""}`),
    ...old.map(({ name, reason }) => `${name} is not of the version that is wanted: ${reason ?? ""}`),
    ...counts,
  ];
}

function serverProblems(serverPids: ReadonlyMap<string, number>, instances: readonly InstanceStatus[]): string[] {
  return [...serverPids].flatMap(([server, before]) => {
    const { state, osPid, reason } = instances.find(({ name }) => name === server) ?? {};
    return state === "ready" && osPid === before
      ? []
      : [`${server} is ${state} as OS process ${osPid}, which was ${before}: ${reason ?? ""}`];
  });
}

/** Stops everything, and looks what is left and what was recorded. */
async function end(
  self: Process,
  { client, keeper, facts, exits, home, steps, evidences, firstAt, atEnd }: Campaign,
  { directory }: TortureWorld,
  chunksLostMax: number,
): Promise<void> {
  const untilAt = Date.now();
  steps.begin("the daemon ends after down", goneMsMax);
  const ended = keeper.ended();
  await inTime(client.manager.down({ wait: false }), answerMsMax, "down was not answered");
  await ended;
  steps.begin("everything is gone after down", goneMsMax + askedMsMax);
  const dueMs = performance.now() + goneMsMax;
  const belonging = { mark: "-", folder: directory };
  let left = osProcessesOf(belonging);
  for (; left.length > 0 && performance.now() < dueMs; left = osProcessesOf(belonging)) await self.sleep(20);
  atEnd.left.push(...left.map(({ pid, command }) => `${pid}: ${command}`));
  steps.begin("what was recorded is read", askedMsMax);
  facts.read();
  readJournal(home, exits);
  const ran = evidences.get(jobs.name);
  if (ran instanceof JobEvidence) ran.settle(firstAt, client.taken, untilAt);
  atEnd.lines.push(...wrongLines(home, "logger", 2, facts, chunksLostMax));
  atEnd.lines.push(...wrongLines(home, "talker", 1, facts, chunksLostMax));
  atEnd.linesCount = linesCount(home);
}

function isServer(name: string): boolean {
  return (servers as readonly string[]).includes(name);
}

/** Without pipes and sockets. */
function copyFiles(from: string, to: string): void {
  const isCopied = (path: string): boolean => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isFile() === true || stat?.isDirectory() === true;
  };
  cpSync(from, to, { recursive: true, filter: isCopied });
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}
