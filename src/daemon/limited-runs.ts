/**
 * Limited runs: runs (run/run.ts) whose limits are held from their beginning to their end, whoever started them.
 *
 * Guarantees: it is the contract of `Runs`; besides, a run that the OS kernel ended because of a limit says so in its end
 * (`because`), also when no daemon lived then; `kill` reaches what hides in the run's cgroup; the group goes with the run, and
 * with a start that failed.
 * Not here: how limits are set, which is `Limits.prepare`, given to `openRuns`.
 *
 * @module
 */
import type { LimitsPlan } from "../control/config.ts";
import type { Limits } from "./limits/limits.ts";
import type { RunEnd, RunId, RunListener, Runs } from "./run/run.ts";

/**
 * Opens runs and looks after their limits; `open` is called once, with the listener that is to be told.
 * `limitsOf` knows the limits of a run that an earlier daemon started.
 */
export function openLimitedRuns(
  open: (listener: RunListener) => Runs,
  listener: RunListener,
  limits: Limits,
  limitsOf: (service: string) => LimitsPlan,
): Runs {
  const starting = new Set<RunId>();
  const ended = (id: RunId, end: RunEnd): RunEnd => {
    starting.delete(id);
    const because = limits.ended(id);
    return because === undefined ? end : { ...end, because };
  };
  const runs = open({
    ended: (id, end) => listener.ended(id, ended(id, end)),
    ready: (id) => listener.ready(id),
    status: (id, text) => listener.status(id, text),
  });
  return {
    recover: async () => {
      const found = await runs.recover();
      for (const run of found) if (run.state === "running") limits.began(run.id, limitsOf(run.service));
      const told = found.map((run) => (run.state === "ended" ? { ...run, end: ended(run.id, run.end) } : run));
      const living = new Set(found.flatMap(({ state, id }) => (state === "running" ? [id] : [])));
      limits.sweep((id) => living.has(id));
      return told;
    },
    start: async (spec) => {
      starting.add(spec.id);
      try {
        const identity = await runs.start(spec);
        if (starting.has(spec.id)) limits.began(spec.id, spec.limits); // it may have ended by now
        return identity;
      } catch (error) {
        limits.ended(spec.id);
        throw error;
      } finally {
        starting.delete(spec.id);
      }
    },
    kill: (id) => {
      runs.kill(id);
      limits.kill(id);
    },
    promote: (id) => runs.promote(id),
    signal: (id, name) => runs.signal(id, name),
    write: (id, text) => runs.write(id, text),
    members: (id) => runs.members(id),
    isRunning: (id) => runs.isRunning(id),
    heldListens: () => runs.heldListens(),
    releaseListen: (port, host) => runs.releaseListen(port, host),
    forget: (id) => runs.forget(id),
    close: () => runs.close(),
  };
}
