/**
 * Up in a container: `colos up --container`, the daemon in this very OS process, for images of which colos is the command.
 *
 * Guarantees: what services write comes out of stdout, each line after the instance's name. SIGTERM, SIGINT and SIGHUP stop everything
 * in reverse order. It ends with 0 after that, or after a `colos down` from elsewhere in the container; anything else is a failure.
 * Whoever reads nothing of what comes out holds up neither the services nor the end: colos's own lines are left out while more than
 * `waitingBytesMax` wait, and at the end they have `lastWritesMs`.
 * Limits: no heart: a container's runtime starts it again. How long an end may take is the runtime's to say. Orphans are reaped by
 * an init in front (daemon/boot/container.ts), not here.
 *
 * @module
 */
import type { SystemPlan } from "../control/config.ts";
import type { Manager, ManagerEvent } from "../control/manager.ts";
import type { Call } from "./call.ts";
import { exitCodes } from "./exit-codes.ts";
import { readPlan } from "./plan-input.ts";
import { plainText } from "./text.ts";

/** Bytes of colos's own lines that may wait for a reader. */
export const waitingBytesMax = 262_144;
/** How long the end waits for a reader that takes nothing, in milliseconds. */
export const lastWritesMs = 1_000;

/** Runs the system until it ends. Gives the exit code; rejects with what the daemon or the manager rejects with. */
export async function upContainer(config: string | undefined, call: Call): Promise<number> {
  const { host, home } = call;
  const input = await readPlan(config, call);
  if (input === undefined) return exitCodes.usage;
  host.limitLastWrites(lastWritesMs);
  const stop = new Stop();
  const offSignals = host.onStopSignal(() => stop.ask());
  try {
    const daemon = await host.startContained(home);
    stop.means(() => daemon.down());
    const manager = await call.connect();
    const offEvents = follow(manager, (event) => tell(event, call));
    try {
      // Not waited for: that a service fails is told as it happens, and the others go on.
      if (!stop.isAsked) await manager.apply({ ...input, plan: forwarded(input.plan), wait: false });
    } catch (error) {
      await daemon.down();
      await daemon.ended;
      throw error;
    }
    const how = await daemon.ended;
    offEvents();
    if (how === "down") return exitCodes.ok;
    call.complain("colos: the daemon handed over to another one, which a container does not outlive");
    return exitCodes.failed;
  } finally {
    offSignals();
  }
}

/** The wish for an end, which may come before there is anything to end. */
class Stop {
  isAsked = false;
  #end: (() => Promise<void>) | undefined;

  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    void this.#end?.();
  }

  means(end: () => Promise<void>): void {
    this.#end = end;
    if (this.isAsked) void end();
  }
}

function forwarded({ services, ...rest }: SystemPlan): SystemPlan {
  return {
    ...rest,
    services: services.map((plan) => ({ ...plan, logs: { ...plan.logs, forward: "stdout" as const } })),
  };
}

function tell(event: ManagerEvent, call: Call): void {
  if (!call.isTalking || (call.host.stdout.writableLength ?? 0) > waitingBytesMax) return;
  if (event.type === "note") call.print([plainText(`colos | ${event.sentence}`)]);
  if (event.type !== "state") return;
  const { name, state, reason } = event.status;
  call.print([plainText(`colos | ${name} is ${state}${reason === undefined ? "" : `: ${reason}`}`)]);
}

function follow(manager: Manager, listener: (event: ManagerEvent) => void): () => void {
  const events = manager.events()[Symbol.asyncIterator]();
  const pump = async (): Promise<void> => {
    for (let next = await events.next(); next.done !== true; next = await events.next()) listener(next.value);
  };
  pump().catch(() => {}); // it ends with the daemon
  return () => void events.return?.().catch(() => {});
}
