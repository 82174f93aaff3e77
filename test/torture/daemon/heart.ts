/**
 * The property of a daemon that its heart starts again: the same as without (property.ts), also when heart and recorder are killed
 * now and then. A killed recorder loses what it had in its hands, one chunk of each pipe; nothing else is lost.
 *
 * Daemon and heart are never killed at the same time: nobody would start either again, as docs/survival.md says.
 *
 * @module
 */
import type { Process } from "colos";
import type { Plan, Property, TortureWorld, World } from "colos/testing";
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findHeart } from "../../../src/daemon/boot/heart.ts";
import { daemonNodeOptions } from "../../../src/daemon/boot/node-options.ts";
import { awaitGone, homeProcesses, type HomeProcess } from "../../../src/daemon/home-processes.ts";
import type { Home } from "../../../src/daemon/home.ts";
import { always, eventually } from "./checks.ts";
import { answerMsMax } from "./client.ts";
import { nextMove } from "./moves.ts";
import {
  changeWatched,
  endure,
  goneMsMax,
  openSystem,
  type Campaign,
  type Keeper,
  type SystemOptions,
} from "./system.ts";

export interface HeartOptions extends SystemOptions {
  /** In each, `daemonKillsMax` daemons, a recorder and a heart are killed. */
  readonly rounds: number;
}

/** `torture` itself strikes nobody: the moments are chosen in the workload. */
export const heartPlan: Plan = { window: [0, 1] };

/** Daemons that are killed before a new heart begins to count anew: each start comes later than the one before. */
const daemonKillsMax = 3;
/** How long one operation, a kill and a new daemon may take, in milliseconds. */
const strikeMsMax = 4 * answerMsMax;
/** From one look for what has ended or begun to the next, in milliseconds. */
const lookMs = 20;

/** Makes the property. */
export function heartProperty(options: HeartOptions): Property<Campaign> {
  return {
    name: "nobody notices that daemon, heart and recorder are killed",
    setup: (self, world) =>
      openSystem(
        self,
        world as TortureWorld,
        options,
        (home, folder, env) => new HeartKeeper(options.dist, home, folder, env),
      ),
    workload: (self, campaign, world) => {
      const rounds = async (): Promise<void> => {
        for (let round = 0; round < options.rounds; round++) await oneRound(self, campaign, world);
      };
      // Each round kills one recorder, and one more with a daemon.
      return endure(self, campaign, world as TortureWorld, rounds, 2 * options.rounds);
    },
    always,
    eventually,
    sometimes: ["the heart brought a daemon back", "another recorder went on", "another heart beats"],
  };
}

async function oneRound(self: Process, campaign: Campaign, world: World): Promise<void> {
  const withRecorder = world.choose("with the recorder", [...Array(daemonKillsMax).keys()]);
  for (let count = 0; count < daemonKillsMax; count++) {
    await strike(self, campaign, world, "daemon", count === withRecorder);
    world.sometimes("the heart brought a daemon back");
  }
  await strike(self, campaign, world, "recorder");
  world.sometimes("another recorder went on");
  await strike(self, campaign, world, "heart");
  world.sometimes("another heart beats");
}

/** One operation, a kill around it, and whoever was killed is back. */
async function strike(
  self: Process,
  campaign: Campaign,
  world: World,
  victim: HomeProcess["what"],
  andRecorder = false,
): Promise<void> {
  const { client, home, steps } = campaign;
  const operation = nextMove(client, world);
  steps.begin(`${operation.name}, and the ${victim} is killed${andRecorder ? " with the recorder" : ""}`, strikeMsMax);
  const work = client.perform(operation);
  await self.sleep(world.choose("delay", [0, 2, 5, 20, 100]));
  const killed = killOf(campaign, victim);
  changeWatched(campaign);
  if (andRecorder) killOf(campaign, "recorder");
  await work;
  steps.note(client.last);
  await client.look(self);
  // A recorder comes with the next run, and there is always one soon.
  while (!homeProcesses(home).some(({ what, identity }) => what === victim && identity.osPid !== killed))
    await self.sleep(lookMs);
}

/** The OS process that was killed; undefined when there was none. */
function killOf({ home, keeper }: Campaign, victim: HomeProcess["what"]): number | undefined {
  const osPid = homeProcesses(home).find(({ what }) => what === victim)?.identity.osPid;
  if (victim === "daemon") keeper.kill();
  else if (osPid !== undefined) process.kill(osPid, "SIGKILL");
  return osPid;
}

/** The first daemon is started here, all others by the heart. */
class HeartKeeper implements Keeper {
  readonly problems: string[] = [];
  deathsCount = 0;
  readonly #home: Home;

  constructor(dist: URL, home: Home, folder: string, env: Readonly<Record<string, string>>) {
    this.#home = home;
    const output = openSync(join(folder, "daemon.output"), "a");
    const entry = fileURLToPath(new URL("daemon-entry.cjs", dist));
    const args = [...daemonNodeOptions, entry, home.root];
    const options = { env: { ...process.env, ...env }, detached: true };
    spawn(process.execPath, args, { ...options, stdio: ["ignore", output, output] }).unref();
    closeSync(output);
  }

  get osPid(): number | undefined {
    return homeProcesses(this.#home).find(({ what }) => what === "daemon")?.identity.osPid;
  }

  kill(): boolean {
    const { osPid } = this;
    if (osPid === undefined) return false;
    process.kill(osPid, "SIGKILL");
    this.deathsCount += 1;
    return true;
  }

  /** `down` ends the heart too, so that none starts another. */
  async ended(): Promise<void> {
    await awaitGone(homeProcesses(this.#home), goneMsMax);
    const statuses = [...heartLog(this.#home).matchAll(/has ended with exit status (\d+)/g)].map(
      ([, status]) => status,
    );
    const others = statuses.filter((status) => status !== killedStatus);
    for (const status of others) this.problems.push(`a daemon ended by itself with exit status ${status}`);
  }

  async close(): Promise<void> {
    const heart = findHeart(this.#home);
    if (heart !== undefined) process.kill(heart.osPid, "SIGKILL");
    this.kill();
  }
}

/** As a shell says SIGKILL. */
const killedStatus = "137";

function heartLog({ log }: Home): string {
  try {
    return readFileSync(join(log, "heart"), "utf8");
  } catch {
    return ""; // it had nothing to say
  }
}
