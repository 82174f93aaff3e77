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
import { always, eventually } from "./checks.ts";
import { answerMsMax } from "./client.ts";
import { ChildKeeper } from "./keeper.ts";
import { nextMove } from "./moves.ts";
import { changeWatched, endure, openSystem, type Campaign, type SystemOptions } from "./system.ts";

export interface CampaignOptions extends SystemOptions {
  /** The daemon is killed so often in all, by `torture` and by the workload. */
  readonly kills: number;
  /** That of the plan; default `windowMsDefault`. */
  readonly windowMs?: number;
  /** Told now and then. */
  readonly progress?: (kills: number) => void;
}

/** `torture` strikes in this time alone, in milliseconds; the workload goes on until there were kills enough. */
export const windowMsDefault = 20_000;

/** How often `torture` itself kills. */
export function plan(windowMs: number = windowMsDefault): Plan {
  return { faults: { "carrier-loss": 2 }, window: [0, windowMs], targets: ["the daemon"] };
}

/** After a kill the next comes at most so late, when it strikes a daemon that starts, in milliseconds. */
const startMsMax = 250;
/** How long one operation, its kills and the look after it may take, in milliseconds. */
const strikeMsMax = 4 * answerMsMax;

/** Makes the property. */
export function daemonProperty(options: CampaignOptions): Property<Campaign> {
  return {
    name: "nobody notices that the daemon is killed",
    setup: async (self, world) => {
      const campaign = await openSystem(
        self,
        world as TortureWorld,
        options,
        (home, folder, env) => new ChildKeeper(options.dist, home, folder, env),
      );
      (world as TortureWorld).expose("the daemon", () => campaign.keeper.osPid);
      return campaign;
    },
    workload: (self, campaign, world) =>
      endure(self, campaign, world as TortureWorld, async () => {
        const { keeper, client } = campaign;
        const { windowMs = windowMsDefault } = options;
        while (keeper.deathsCount < options.kills || world.nowMs < windowMs) {
          await strike(self, campaign, world);
          await client.look(self);
          options.progress?.(keeper.deathsCount);
        }
      }),
    always,
    eventually,
    sometimes: ["cut off and done", "cut off and not done", "killed while it started", "killed after an answer"],
  };
}

/** One operation of the client, and a kill at one of the moments that matter. */
async function strike(self: Process, campaign: Campaign, world: World): Promise<void> {
  const { keeper, client, steps } = campaign;
  const operation = nextMove(client, world);
  const fileChanges = world.choose("file", ["never", "never", "never", "before", "while no daemon lives"]);
  if (fileChanges === "before") changeWatched(campaign);
  const kill = (): boolean => {
    const isKilled = keeper.kill();
    if (isKilled && fileChanges === "while no daemon lives") changeWatched(campaign);
    return isKilled;
  };
  const moment = world.choose("moment", ["after the answer", "after sending", "before sending", "in start-up"]);
  steps.begin(`after ${keeper.deathsCount} kills, ${operation.name}, killed ${moment}`, strikeMsMax);
  if (moment === "before sending") kill();
  const work = client.perform(operation);
  if (moment === "after sending") {
    await self.sleep(world.choose("delay", [0, 1, 2, 5, 10, 20]));
    kill();
  }
  const cutBefore = client.counts.cutOffAndDone;
  const isAnswered = await work;
  steps.note(client.last);
  if (moment === "after the answer" && kill() && isAnswered) world.sometimes("killed after an answer");
  if (moment === "in start-up") {
    kill();
    for (let times = world.choose("again", [1, 2, 3]); times > 0; times--) {
      await self.sleep(world.choose("start", [20, 60, 100, 150, startMsMax]));
      if (kill()) world.sometimes("killed while it started");
    }
  }
  if (isAnswered) return;
  await client.look(self);
  world.sometimes(client.counts.cutOffAndDone > cutBefore ? "cut off and done" : "cut off and not done");
}
