/**
 * Liveness: looks at a ready service again and again, and says when it has failed too often in a row.
 *
 * Guarantees: never two looks at once; a look that hangs is a failure at its time-out. `onUnhealthy` comes once when
 * `failuresMax` looks in a row have failed, `onHealthy` with the first look that passes and with the first after that. After
 * `stop` nothing is called any more, and what a look under way holds is let go. When colos itself is short of something
 * (`isOwnTrouble`) the look did not happen: it neither fails nor passes.
 * Limits: those of one look (probe.ts). A pause of the whole machine makes at most one look late.
 * Not here: the restart (the manager's core).
 *
 * @module
 */
import type { Clock } from "../../base/platform.ts";
import type { LivePlan } from "../../control/config.ts";
import { ProbeError, probeFailure, probeOnce, type ProbeSubject } from "./probe.ts";

/** What the looks need and whom they tell. */
export interface LiveOptions {
  readonly clock: Clock;
  /** Why, in one sentence without a full stop. */
  onUnhealthy(sentence: string): void;
  onHealthy(): void;
  /** One look; default `probeOnce`. */
  readonly probe?: typeof probeOnce;
}

/** Looks at once, then each `everyMs`; returns how to stop. */
export function startLive(plan: LivePlan, subject: ProbeSubject, options: LiveOptions): () => void {
  const { clock, probe = probeOnce } = options;
  const stopped = new AbortController();
  let cancelTimer: () => void = () => undefined;
  let failuresCount = 0;
  let health: "unknown" | "healthy" | "unhealthy" = "unknown";

  const passed = (): void => {
    failuresCount = 0;
    if (health === "healthy") return;
    health = "healthy";
    options.onHealthy();
  };
  const failed = (error: unknown): void => {
    if (error instanceof ProbeError && error.isOwnTrouble) return;
    failuresCount += 1;
    if (failuresCount < plan.failuresMax || health === "unhealthy") return;
    health = "unhealthy";
    options.onUnhealthy(unhealthySentence(plan, failuresCount, error));
  };
  const look = async (): Promise<void> => {
    const beganMs = clock.monotonicMs();
    const outcome = await probe(plan.probe, subject, stopped.signal).then(
      () => passed,
      (error: unknown) => () => failed(error),
    );
    if (stopped.signal.aborted) return;
    const delayMs = Math.max(0, beganMs + plan.everyMs - clock.monotonicMs());
    cancelTimer = clock.timer(delayMs, () => void look()); // before the listener, which may stop it or throw
    outcome();
  };

  void look();
  return () => {
    stopped.abort(new Error("the looks were stopped"));
    cancelTimer();
  };
}

/** `GET … was not answered with …, 3 times in a row (last: status 500)`. */
function unhealthySentence({ probe }: LivePlan, failuresCount: number, error: unknown): string {
  const times = failuresCount === 1 ? "" : `, ${failuresCount} times in a row`;
  return `${probeFailure(probe)}${times} (last: ${(error as Error).message})`;
}
