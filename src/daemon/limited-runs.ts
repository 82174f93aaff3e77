/**
 * Limited runs: runs whose limits are held from their beginning to their end, whoever started them.
 *
 * @module
 */
import type { LimitsPlan } from "../control/config.ts";
import type { Limits } from "./limits/limits.ts";
import type { RunEnd, RunId, RunListener, Runs } from "./run/run.ts";

/** A listener that is told what the OS kernel did because of a limit. */
export function limitedListener(listener: RunListener, limits: Limits): RunListener {
  return {
    ended: (id: RunId, end: RunEnd): void => {
      const because = limits.ended(id);
      listener.ended(id, because === undefined ? end : { ...end, because });
    },
    ready: (id) => listener.ready(id),
    status: (id, text) => listener.status(id, text),
  };
}

/** `limitsOf` knows the limits of a run that an earlier daemon started. */
export function limitedRuns(runs: Runs, limits: Limits, limitsOf: (service: string) => LimitsPlan): Runs {
  return {
    recover: async () => {
      const found = await runs.recover();
      const living = new Set(found.flatMap(({ state, id }) => (state === "running" ? [id] : [])));
      limits.sweep((id) => living.has(id));
      for (const run of found) if (run.state === "running") limits.began(run.id, limitsOf(run.service));
      return found;
    },
    start: async (spec) => {
      const identity = await runs.start(spec);
      limits.began(spec.id, spec.limits);
      return identity;
    },
    kill: (id) => {
      limits.kill(id);
      runs.kill(id);
    },
    signal: (id, name) => runs.signal(id, name),
    write: (id, text) => runs.write(id, text),
    members: (id) => runs.members(id),
    releaseListen: (port, host) => runs.releaseListen(port, host),
    forget: (id) => runs.forget(id),
    close: () => runs.close(),
  };
}
