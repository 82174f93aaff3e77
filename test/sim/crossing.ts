/**
 * Crossing: links that are made and undone on two carriers at the same time, so that the signals meet on their way.
 *
 * Whatever crosses, in the end both sides know of a link or neither does (leftovers.ts), nothing comes of a link that was undone,
 * and a link to a process that has ended gives its exit.
 *
 * @module
 */
import { isExit } from "../../src/kernel/message.ts";
import type { AnyPid, Pid } from "../../src/kernel/pid.ts";
import { timedOut, type AnyProcess } from "../../src/kernel/process.ts";
import type { Property, World } from "../../src/sim/property.ts";
import { campaign, Oracle, type Campaign, type Judged } from "./campaign.ts";

const stepsMax = 8;

class System implements Judged {
  readonly oracle = new Oracle();
}

function actor(number: number, system: System, world: World): (self: AnyProcess, root: AnyPid) => Promise<void> {
  return async (self, root) => {
    self.trapExit(true);
    self.send(root as Pid<unknown>, { here: self.pid });
    const { other } = (await self.receive((message: unknown) => isIntroduction(message))) as { other: AnyPid };
    for (let step = 0; step < stepsMax; step += 1) {
      const exit = await self.receive((message: unknown) => isExit(message), {
        timeoutMs: world.choose(`gap:${number}`, [0.1, 0.05, 0.2, 1, 5]),
      });
      // Nobody ends before all have done their last step, so no exit can come.
      system.oracle.expect(exit === timedOut, "an exit came of a process that lives");
      const act = world.choose(`act:${number}`, ["link", "unlink", "nothing"] as const);
      if (act === "link") self.link(other);
      else if (act === "unlink") self.unlink(other);
    }
    await self.receive((message: unknown) => message === "end");
  };
}

function isIntroduction(message: unknown): boolean {
  return typeof message === "object" && message !== null && "other" in message;
}

const property: Property<System> = {
  name: "crossing",
  setup: () => new System(),
  async workload(self, system, world) {
    const args: [AnyPid] = [self.pid];
    const pids = [0, 1].map((number) => {
      const carrier = number === 0 && world.chance("beside", 0.5) ? "coroutine" : "thread";
      return self.spawn(actor(number, system, world), { label: `actor ${number}`, carrier, args }) as AnyPid;
    });
    const isHere = (message: unknown): boolean => typeof message === "object" && message !== null && "here" in message;
    for (const _ of pids) await self.receive(isHere);
    const [one, other] = pids as [AnyPid, AnyPid];
    self.send(one as Pid<unknown>, { other });
    self.send(other as Pid<unknown>, { other: one });
    await self.sleep(25_000);
    // One lives on, and the other one ends with whatever links it has.
    if (world.chance("ends", 0.3)) self.send(other as Pid<unknown>, "end");
  },
};

export const crossing: Campaign = campaign(property, { faults: { delay: 0.2 }, window: [0, 200] });
