/**
 * `colos update`: a new daemon takes over from the one that runs; no service is touched.
 *
 * Guarantees: says which services go on in the very OS processes in which they ran.
 * Limit: `handOverTimeoutMs` for the old daemon to end.
 *
 * @module
 */
import { DaemonAbsentError } from "../../control/manager-client.ts";
import { type Manager, ManagerError } from "../../control/manager.ts";
import type { InstanceStatus } from "../../control/service.ts";
import { type Call, managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import { interruptible } from "../interrupt.ts";
import type { Verb } from "../verb.ts";

/** Milliseconds that the old daemon may take until it is gone. */
export const handOverTimeoutMs = 30_000;
/** Milliseconds between two looks. */
const lookMs = 20;

export const update: Verb = managerVerb({
  notes: ["The new daemon is of the version of the colos that is typed."],
  read: (words) => words.none(),
  run: async (_, call) => {
    const manager = await call.connect();
    const before = await manager.list();
    const after = await interruptible(replace(manager, before.daemon.osPid, call), call.host);
    const running = before.instances.filter(({ osPid }) => osPid !== undefined);
    const kept = running.filter((each) => isSameRun(each, after.instances));
    if (call.isJson)
      call.json({ before: before.daemon, after: after.daemon, instancesKept: kept.map(({ name }) => name) });
    else if (call.isTalking) {
      const versions = `${before.daemon.version} (pid ${before.daemon.osPid}) → ${after.daemon.version} (pid ${after.daemon.osPid})`;
      call.print([`colos: daemon ${versions}; ${kept.length} of ${running.length} instances go on as they are`]);
    }
    return exitCodes.ok;
  },
});

async function replace(manager: Manager, oldPid: number, call: Call): ReturnType<Manager["list"]> {
  await manager.handOver();
  const { clock } = call.host;
  const deadlineMs = clock.monotonicMs() + handOverTimeoutMs;
  while (await isStillThere(manager, oldPid)) {
    if (clock.monotonicMs() >= deadlineMs) {
      throw new ManagerError("timeout", `the old daemon (pid ${oldPid}) has not ended within ${handOverTimeoutMs} ms`);
    }
    await new Promise<void>((resolve) => void clock.timer(lookMs, resolve));
  }
  await call.host.startDaemon(call.home);
  return manager.list();
}

/** Whether the old daemon answers; what is lost in the middle of an answer is one that ends. */
async function isStillThere(manager: Manager, oldPid: number): Promise<boolean> {
  try {
    return (await manager.list()).daemon.osPid === oldPid;
  } catch (error) {
    if (error instanceof DaemonAbsentError) return false;
    if (error instanceof ManagerError) return true;
    throw error;
  }
}

function isSameRun({ name, osPid }: InstanceStatus, instances: readonly InstanceStatus[]): boolean {
  return instances.some((each) => each.name === name && each.osPid === osPid);
}
