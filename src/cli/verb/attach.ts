/**
 * `colos attach`: what an instance writes comes here, what is typed goes to its stdin. Leaving it leaves it running.
 *
 * @module
 */
import { ManagerError, type Manager } from "../../control/manager.ts";
import type { InstanceStatus } from "../../control/service.ts";
import { type Call, managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import { failureOf } from "../failure.ts";
import { logLine } from "../log-lines.ts";
import { readName } from "../names.ts";
import { streamLines } from "../stream-lines.ts";
import type { Verb } from "../verb.ts";

/** Lines of what it wrote before, for orientation. */
export const linesBefore = 10;

export const attach: Verb = managerVerb({
  notes: ["Each line that is typed goes to its stdin. Ctrl+C or Ctrl+D detaches; the service goes on."],
  read: readName,
  run: async (name, call) => {
    const manager = await call.connect();
    const { service, instance, name: instanceName } = oneOf((await manager.show({ name })).instances, name);
    if (call.isTalking) call.complain(`colos: attached to ${instanceName}; Ctrl+C detaches, the service goes on`);
    const query = { follow: true, linesMax: linesBefore };
    const entries = call.host.readLogs(call.home, [{ service, instance }], query);
    const text = logLine({ colour: call.colour, services: [], showsName: false, showsTime: false });
    const line = call.isJson ? (entry: unknown) => JSON.stringify(entry) : text;
    const output = streamLines(entries, line, call.host);
    await Promise.race([output, sendInput(manager, instanceName, call)]);
    if (call.isTalking) call.complain(`colos: detached from ${instanceName}, which goes on`);
    return exitCodes.ok;
  },
});

/** @throws ManagerError when the name is that of several */
function oneOf(instances: readonly InstanceStatus[], name: string): InstanceStatus {
  const [first, second] = instances;
  if (first !== undefined && second === undefined) return first;
  const names = instances.map((each) => each.name).join(", ");
  throw new ManagerError("invalid", `${name} has ${instances.length} instances; attach to one of ${names}`);
}

/** Settles at the end of what is typed. */
async function sendInput(manager: Manager, name: string, call: Call): Promise<void> {
  for await (const text of call.host.inputLines()) {
    try {
      await manager.send({ name, text });
    } catch (error) {
      // It may be restarting; what is typed next can arrive again.
      call.complain(`colos: ${failureOf(error, call.home).message}`);
    }
  }
}
