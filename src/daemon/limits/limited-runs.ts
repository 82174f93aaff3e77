/**
 * Limited runs: runs (run/run.ts) whose limits are looked after from their start to their end, over the death of the daemon.
 *
 * Guarantees: it is the contract of `Runs`, with three additions: what is over a limit is told, `kill` reaches what hides in the
 * run's cgroup too, and a run that the OS kernel ended because of a limit says so in its end (`why`).
 * Limits: those of limits.ts. Each look of the sampler asks for the members of each run that it looks after.
 * Not here: setting the limits, which is `Limits.prepare`, given to `openRuns`.
 *
 * @module
 */
import type { LimitsPlan } from "../../control/config.ts";
import type { RunId, RunListener, Runs } from "../run/run.ts";
import type { Limits } from "./limits.ts";

export interface LimitedRunsOptions {
  readonly limits: Limits;
  /** Limits of a service whose run an earlier daemon started; undefined when it is not known any more. */
  limitsOf(service: string): LimitsPlan | undefined;
}

/** Opens runs and looks after their limits. `open` is called once, with the listener that is to be told. */
export function openLimitedRuns(
  open: (listener: RunListener) => Runs,
  listener: RunListener,
  { limits, limitsOf }: LimitedRunsOptions,
): Runs {
  const starting = new Set<RunId>();
  const runs = open({
    ended: (id, end) => {
      starting.delete(id);
      const why = limits.ended(id);
      listener.ended(id, why === undefined ? end : { ...end, why });
    },
    ready: (id) => listener.ready(id),
    status: (id, text) => listener.status(id, text),
  });
  limits.useMembers((ids: readonly RunId[]) => new Map(ids.map((id) => [id, runs.members(id)])));
  return {
    recover: async () => {
      const found = await runs.recover();
      const running = found.filter(({ state }) => state === "running");
      for (const { id, service } of running) limits.began(id, limitsOf(service) ?? {});
      for (const { id, state } of found) if (state === "ended") limits.ended(id);
      const alive = new Set(running.map(({ id }) => id));
      limits.sweep((id) => alive.has(id));
      return found;
    },
    start: async (spec) => {
      starting.add(spec.id);
      try {
        const identity = await runs.start(spec);
        if (starting.delete(spec.id)) limits.began(spec.id, spec.limits); // it may have ended by now
        return identity;
      } catch (error) {
        starting.delete(spec.id);
        limits.ended(spec.id);
        throw error;
      }
    },
    kill: (id) => {
      runs.kill(id);
      limits.kill(id);
    },
    signal: (id, name) => runs.signal(id, name),
    write: (id, text) => runs.write(id, text),
    members: (id) => runs.members(id),
    releaseListen: (port, host) => runs.releaseListen(port, host),
    forget: (id) => runs.forget(id),
    close: async () => {
      limits.close();
      await runs.close();
    },
  };
}
