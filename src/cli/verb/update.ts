/**
 * `colos update`: the daemon of the version that runs makes place for one of the version that was typed. No service notices.
 *
 * Guarantees: what the new version cannot read is refused before the old daemon is asked to go. When the new daemon does not
 * come, that is said with its last words, and the services run on.
 *
 * @module
 */
import { DaemonAbsentError } from "../../control/manager-client.ts";
import type { SystemStatus } from "../../control/manager.ts";
import { managerVerb, type Call } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Verb } from "../verb.ts";

export const update: Verb = managerVerb<undefined>({
  notes: [
    "Install the new colos first, then say this with it. Services run on; only the daemon is another.",
    "An older version than the one that runs is refused when it cannot read what that has written.",
  ],
  read: (words) => {
    words.none();
    return undefined;
  },
  run: takeOver,
});

async function takeOver(_: undefined, call: Call): Promise<number> {
  const { host, home } = call;
  await host.checkHome(home);
  const before = await statusOf(call);
  if (before === undefined) {
    await host.startDaemon(home);
    if (call.isJson) call.json({ before: null, after: (await (await call.connect()).list()).daemon });
    return tell(call, `no daemon was running; one of ${host.version} was started`);
  }
  const { version, osPid } = before.daemon;
  await (await call.connect()).handOver();
  await host.startDaemon(home, osPid);
  const after = await (await call.connect()).list();
  if (call.isJson) call.json({ before: before.daemon, after: after.daemon });
  return tell(
    call,
    `daemon ${version} (OS process ${osPid}) → ${after.daemon.version} (OS process ${after.daemon.osPid}); no service was touched`,
  );
}

function tell(call: Call, sentence: string): number {
  if (call.isTalking) call.print([`colos: ${sentence}`]);
  return exitCodes.ok;
}

async function statusOf(call: Call): Promise<SystemStatus | undefined> {
  try {
    return await (await call.connect()).list();
  } catch (error) {
    if (error instanceof DaemonAbsentError) return undefined;
    throw error;
  }
}
