/**
 * Listen release: which of the sockets that are held for services are let go, and when.
 *
 * @module
 */
import type { ServiceRecord, SystemRecord } from "./core/record.ts";
import { listenHostDefault } from "./host/run-host.ts";
import type { Runs } from "./run/run.ts";

/** Sockets that no plan wants any more are let go, also those of an earlier daemon. */
export function releaseSockets({ services }: SystemRecord, runs: Runs | undefined): void {
  const wanted = new Set(
    [...services.values()].flatMap(({ plan: { listenPort, listenHost = listenHostDefault }, isRemoved }) =>
      listenPort === undefined || isRemoved ? [] : [`${listenHost}:${listenPort}`],
    ),
  );
  for (const { port, host } of runs?.heldListens() ?? [])
    if (!wanted.has(`${host}:${port}`)) runs?.releaseListen(port, host);
}

/** Of a service that somebody stopped, clients are to be refused, not kept waiting for an instance that does not come. */
export function releaseWhenStopped({ plan, target, instances }: ServiceRecord, runs: Runs | undefined): void {
  if (plan.listenPort === undefined || target === "up") return;
  const isRunning = [...instances.values()].some(
    ({ runs: each, standby }) => standby !== undefined || each.some(({ end }) => end === undefined),
  );
  if (!isRunning) runs?.releaseListen(plan.listenPort, plan.listenHost ?? listenHostDefault);
}

/** Also those that an earlier daemon opened. */
export function releaseAllSockets(runs: Runs | undefined): void {
  for (const { port, host } of runs?.heldListens() ?? []) runs?.releaseListen(port, host);
}
