/**
 * The property of a daemon that is killed again and again: nobody whom it looks after notices, and nothing that it has said or
 * was told is lost.
 *
 * `torture` kills at random times (`carrier-loss` of "the daemon"); the workload kills at the moments in which most happens:
 * right after a request was sent, right after its answer, and while the next daemon starts.
 *
 * @module
 */
import type { Process } from "colos";
import type { Plan, Property, TortureWorld, World } from "colos/testing";
import { randomUUID } from "node:crypto";
import { cpSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { InstanceStatus } from "../../../src/control/service.ts";
import { homeAt, type Home } from "../../../src/daemon/home.ts";
import { markVariable as sweptVariable, startSweeper } from "../../../src/testing/sweep.ts";
import { freePort } from "../../system/free-port.ts";
import { markVariable, osProcessesOf } from "../../system/os-processes.ts";
import { Client, type Operation, type Pausing } from "./client.ts";
import { Exits, Facts, linesCount, readJournal, wrongExits, wrongLines } from "./evidence.ts";
import { changed, planOf, servers, writeFleet, type Programs, type Wanted, type WantedService } from "./fleet.ts";
import { Keeper } from "./keeper.ts";
import { openLoads, work, type Load } from "./loads.ts";

export interface CampaignOptions {
  /** Where the built package is. */
  readonly dist: URL;
  readonly programs: Programs;
  /** The daemon is killed so often in all, by `torture` and by the workload. */
  readonly kills: number;
  /** A folder that gets a copy of the home, for whoever wants to know what has happened. */
  readonly keep?: string;
  /** Told now and then. */
  readonly progress?: (kills: number) => void;
}

/** `torture` strikes in this time alone; the workload goes on until there were kills enough. */
const windowMs = 20_000;

/** How often `torture` itself kills. */
export const plan: Plan = {
  faults: { "carrier-loss": 2 },
  window: [0, windowMs],
  targets: ["the daemon"],
};

/** Within which all is as it is wanted after the last kill, and everything is gone after `down`, in milliseconds. */
const settledMsMax = 60_000;
/** After a kill the next comes at most so late, when it strikes a daemon that starts, in milliseconds. */
const startMsMax = 250;

/** How long an operation waits that waits, in milliseconds. */
const waitMsMax = 2_000;
/** The history of an instance has 20 runs, and the busiest begins one each 200 ms. */
const watchEveryMs = 500;

/** The system under torture. */
export interface Campaign {
  readonly home: Home;
  readonly keeper: Keeper;
  readonly client: Client;
  readonly facts: Facts;
  readonly exits: Exits;
  readonly loads: readonly Load[];
  /** The OS processes of the real programs when they became ready. */
  readonly serverPids: ReadonlyMap<string, number>;
  /** What was wrong at the end: OS processes left, lines lost. */
  readonly atEnd: { lines: string[]; left: string[]; unsettled: string[]; linesCount: number };
}

/** Makes the property. */
export function daemonProperty(options: CampaignOptions): Property<Campaign> {
  return {
    name: "nobody notices that the daemon is killed",
    setup: (self, world) => setup(self, world as TortureWorld, options),
    workload: (self, campaign, world) => workload(self, campaign, world, options),
    always: {
      "no run begins twice, and no two of one instance at once": ({ facts }) => none(facts.problems),
      "a daemon starts and ends only as it is told": ({ keeper }) => none(keeper.problems),
      "what was acknowledged holds, and what was cut off is whole": ({ client }) => none(client.problems),
      "no client of a service notices": ({ loads }) => none(loads.flatMap(({ problems }) => problems)),
    },
    eventually: {
      "no exit code is lost": atLast(({ facts, exits }) => wrongExits(facts, exits)),
      "what runs once has run once": atLast(({ facts }) => (facts.starts.get("once.1.1") === 1 ? [] : ["it did not"])),
      "each line is in the log once and in order": atLast(({ atEnd }) => atEnd.lines),
      "everything is as it is wanted": atLast(({ atEnd }) => atEnd.unsettled),
      "no OS process is left after down": atLast(({ atEnd }) => atEnd.left),
    },
    sometimes: ["cut off and done", "cut off and not done", "killed while it started", "killed after an answer"],
  };
}

async function setup(self: Process, world: TortureWorld, { dist, programs, keep }: CampaignOptions): Promise<Campaign> {
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
  const keeper = new Keeper(dist, home, folder, env);
  self.own({ close: () => void keeper.close() });
  world.expose("the daemon", () => keeper.osPid);

  const files = writeFleet(folder);
  const ports = { web: await freePort(), redis: await freePort(), nginx: await freePort(), nats: await freePort() };
  const first: Wanted = new Map(changed.map((name) => [name, { target: "up", instances: 1, version: 1 }]));
  const plans = (wanted: Wanted): ReturnType<typeof planOf> => planOf(wanted, files, programs, ports);
  const client = new Client(home.controlSocket, first, plans, { PATH: process.env["PATH"] ?? "", ...env });
  await client.list(self);
  await client.perform(client.apply(first));
  await settled(self, client, ["logger", "web", ...servers.filter((name) => programs[name] !== undefined)]);
  const { instances } = await client.list(self);
  return {
    ...{ home, keeper, client, facts: new Facts(files.facts), exits: new Exits() },
    loads: await openLoads(ports, programs),
    serverPids: new Map(instances.filter(({ name }) => isServer(name)).map(({ name, osPid = 0 }) => [name, osPid])),
    atEnd: { lines: [], left: [], unsettled: [], linesCount: 0 },
  };
}

async function workload(self: Process, campaign: Campaign, world: World, options: CampaignOptions): Promise<void> {
  const { keeper, client, loads } = campaign;
  let isOver = false;
  self.own({ close: () => void (isOver = true) });
  const { clock } = world.platform;
  const pausing = { sleep: (ms: number) => new Promise<void>((resolve) => void clock.timer(ms, resolve)) };
  const atWork = loads.map((load) => work(pausing, load, () => isOver));
  const watching = watch(pausing, campaign, () => isOver);
  const killed = (): number => keeper.startsCount - 1;
  while (killed() < options.kills || world.nowMs < windowMs) {
    await strike(self, campaign, world);
    await client.look(self);
    options.progress?.(killed());
  }
  campaign.atEnd.unsettled.push(...(await unsettled(self, campaign)));
  isOver = true;
  await Promise.all([...atWork, watching]);
  await end(self, campaign, world as TortureWorld);
}

/** Reads what services and daemon say of what ends, more often than the daemon forgets it. */
async function watch(pausing: Pausing, { client, facts, exits }: Campaign, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    facts.read();
    for (const service of ["talker", "crasher"]) exits.read(await client.details(pausing, service));
    await pausing.sleep(watchEveryMs);
  }
}

/** One operation of the client, and a kill at one of the moments that matter. */
async function strike(self: Process, { keeper, client }: Campaign, world: World): Promise<void> {
  const operation = operationOf(client, world);
  const moment = world.choose("moment", ["after the answer", "after sending", "before sending", "in start-up"]);
  if (moment === "before sending") keeper.kill();
  const work = client.perform(operation);
  if (moment === "after sending") {
    await self.sleep(world.choose("delay", [0, 1, 2, 5, 10, 20]));
    keeper.kill();
  }
  const cutBefore = client.counts.cutOffAndDone;
  const isAnswered = await work;
  if (moment === "after the answer" && keeper.kill() && isAnswered) world.sometimes("killed after an answer");
  if (moment === "in start-up") {
    keeper.kill();
    for (let times = world.choose("again", [1, 2, 3]); times > 0; times--) {
      await self.sleep(world.choose("start", [20, 60, 100, 150, startMsMax]));
      if (keeper.kill()) world.sometimes("killed while it started");
    }
  }
  if (isAnswered) return;
  await client.look(self);
  world.sometimes(client.counts.cutOffAndDone > cutBefore ? "cut off and done" : "cut off and not done");
}

/** What a client may ask for now. */
function operationOf(client: Client, world: World): Operation {
  const { wanted } = client;
  const name = world.choose("service", changed);
  const kind = world.choose("operation", ["apply", "stop", "start", "restart", "reload", "scale", "remove"] as const);
  const wait = world.chance("wait", 0.2);
  const names = { names: [name], wait, timeoutMs: waitMsMax };
  const service = wanted.get(name);
  if (service === undefined || kind === "apply") {
    // Two services at once, and all that was removed is back.
    return client.apply(new Map(changed.map((each) => [each, renewed(wanted.get(each), each)])));
  }
  switch (kind) {
    case "stop":
      return {
        name: kind,
        effect: withService(wanted, name, { ...service, target: "down" }),
        run: (m) => m.stop(names),
      };
    case "remove": {
      // The web's clients are to be served all the time.
      if (name === "web") {
        const effect = withService(wanted, name, { ...service, target: "up" });
        return { name: "reload", effect, run: (m) => m.reload(names) };
      }
      return { name: kind, effect: withService(wanted, name, undefined), run: (m) => m.remove(names) };
    }
    case "scale": {
      const instances = world.choose("instances", [1, 2, 3]);
      const effect = withService(wanted, name, { ...service, instances });
      return { name: kind, effect, run: (m) => m.scale({ name, instances, wait, timeoutMs: waitMsMax }) };
    }
    default: {
      const effect = withService(wanted, name, { ...service, target: "up" });
      return { name: kind, effect, run: (m) => m[kind](names) };
    }
  }
}

/** `alpha` and `beta` get another version together. */
function renewed(service: WantedService | undefined, name: string): WantedService {
  const { instances = 1, version = 1 } = service ?? {};
  return { target: "up", instances, version: name === "gamma" ? version : version + 1 };
}

function withService(wanted: Wanted, name: string, service: WantedService | undefined): Wanted {
  const next = new Map(wanted);
  if (service === undefined) next.delete(name);
  else next.set(name, service);
  return next;
}

/** Waits until these are ready, and gives what is not in time. */
async function settled(self: Process, client: Client, names: readonly string[]): Promise<readonly InstanceStatus[]> {
  const dueMs = performance.now() + settledMsMax;
  for (;;) {
    const { instances } = await client.list(self);
    const late = instances.filter(({ service, state }) => names.includes(service) && state !== "ready");
    if (late.length === 0 || performance.now() > dueMs) return late;
    await self.sleep(20);
  }
}

async function unsettled(self: Process, { client, serverPids }: Campaign): Promise<string[]> {
  // Whoever depends on what was removed waits for it; what is wanted last has everything.
  await client.perform(client.apply(new Map(changed.map((each) => [each, renewed(client.wanted.get(each), each)]))));
  await client.look(self);
  const up = [...client.wanted].filter(([, { target }]) => target === "up").map(([name]) => name);
  const late = await settled(self, client, ["logger", ...serverPids.keys(), ...up]);
  const { instances } = await client.list(self);
  const others = instances.filter(({ name, osPid }) => serverPids.has(name) && serverPids.get(name) !== osPid);
  const counts = [...client.wanted].flatMap(([name, wanted]) => {
    const count = instances.filter(({ service, state }) => service === name && state === "ready").length;
    const due = wanted.target === "up" ? wanted.instances : 0;
    return count === due ? [] : [`${name}: ${count} are ready, and ${due} are wanted`];
  });
  return [
    ...late.map(({ name, state, reason }) => `${name} is ${state}: ${reason ?? ""}`),
    ...others.map(({ name, osPid }) => `${name} is the OS process ${osPid}, and was ${serverPids.get(name)}`),
    ...counts,
  ];
}

/** Stops everything, and looks what is left and what was recorded. */
async function end(self: Process, campaign: Campaign, { directory }: TortureWorld): Promise<void> {
  const { client, keeper, facts, exits, home, atEnd } = campaign;
  const ended = keeper.ended();
  await client.manager.down({ wait: false });
  await ended;
  const mark = { mark: "-", folder: directory };
  const dueMs = performance.now() + settledMsMax;
  let left = osProcessesOf(mark);
  for (; left.length > 0 && performance.now() < dueMs; left = osProcessesOf(mark)) await self.sleep(20);
  atEnd.left.push(...left.map(({ pid, command }) => `${pid}: ${command}`));
  facts.read();
  readJournal(home, exits);
  atEnd.lines.push(...wrongLines(home, "logger", 2, facts), ...wrongLines(home, "talker", 1, facts));
  atEnd.linesCount = linesCount(home);
}

function isServer(name: string): boolean {
  return (servers as readonly string[]).includes(name);
}

function none(problems: readonly string[]): true | string {
  return problems.length === 0 || listOf(problems);
}

/** What is known when the workload is over. */
function atLast(
  problemsOf: (campaign: Campaign) => readonly string[],
): NonNullable<Property<Campaign>["eventually"]>[string] {
  return { withinMs: 1, holds: (campaign) => none(problemsOf(campaign)) };
}

/** The first few, so that a person can read it. */
function listOf(problems: readonly string[]): string {
  const more = problems.length > 5 ? [`and ${problems.length - 5} more`] : [];
  return [...problems.slice(0, 5), ...more].join("\n");
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
