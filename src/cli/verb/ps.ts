/**
 * `colos ps`: services and how they are. Starts nothing.
 *
 * @module
 */
import type { DaemonStatus } from "../../control/manager.ts";
import { managerVerb } from "../call.ts";
import { styled } from "../colour.ts";
import { exitCodes } from "../exit-codes.ts";
import { bytesText, uptimeText } from "../figures.ts";
import { instanceTable } from "../table.ts";
import { plainText } from "../text.ts";
import type { Verb } from "../verb.ts";

export const ps: Verb = managerVerb({
  notes: ["With --quiet, only the names of the instances, a line each."],
  read: (words) => words.none(),
  run: async (_, call) => {
    const manager = await call.connect();
    const status = await manager.list();
    const { daemon, instances } = status;
    if (call.isJson) call.json(status);
    else if (call.isQuiet) call.print(instances.map(({ name }) => name));
    else {
      const { heading, blocks } = instanceTable(instances, call.columns, call.colour);
      const rows =
        instances.length === 0 ? ["no services; colos up adds those of a config"] : [heading, ...blocks.flat()];
      const daemonLine = daemonText(daemon, call.host.clock.wallMs());
      const alarms = (daemon.alarms ?? []).map((each) => styled("yellow", plainText(`! ${each}`), call.colour));
      call.print([...rows, "", styled("dim", daemonLine, call.colour), ...alarms]);
    }
    return exitCodes.ok;
  },
});

/** The daemon in one line, for people. */
function daemonText(
  { version, osPid, home, startedAt, startsCount, memoryBytes }: DaemonStatus,
  nowMs: number,
): string {
  const starts = startsCount > 1 ? `, start ${startsCount}` : "";
  const age = uptimeText(Math.max(0, nowMs - startedAt));
  return plainText(`daemon ${version} in ${home}: pid ${osPid}, up ${age}${starts}, ${bytesText(memoryBytes)}`);
}
