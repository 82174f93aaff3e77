/**
 * Failure hooks: which command of the user is told of a service's failure (`onCrash`, `exhausted.hook`), how often, and what it is told.
 *
 * Guarantees: nothing waits for a hook, and a service's state does not depend on one. Of what a hook is not told at once, because
 * a service fails too often, it is told afterwards: the last failure, and how many there were.
 * Limits: `hooksMax` hooks of one kind for each service within `hooksPeriodMs`; those of hook.ts. A hook is told at most once of one
 * end, unless the disk takes nothing; of one that it was not told of before the daemon ends, not at all.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../base/platform.ts";
import type { ServicePlan } from "../control/config.ts";
import type { ServiceFailure } from "./core/core-host.ts";
import { runHook } from "./hook.ts";
import { tellingLines } from "./last-words.ts";
import { reasonText } from "./reason-text.ts";

/** Hooks of one kind that are run for one service within `hooksPeriodMs`, whatever its instances do; what is more is told at its end. */
export const hooksMax = 10;
/** In milliseconds; it slides. */
export const hooksPeriodMs: Milliseconds = 60_000;
/** Lines of stderr that a hook is told. */
export const hookLinesMax = 10;
/** Characters of all of them; the OS takes 128 KiB in one variable. */
export const hookLinesCharsMax = 8_192;

export interface FailureHooksOptions {
  readonly clock: Clock;
  /** All of a run's environment, which its hooks have too. Rejects with a sentence. */
  environmentOf(plan: ServicePlan, instance: number): Promise<Readonly<Record<string, string>>>;
  /** The last lines that an instance has written to stderr in that time, epoch milliseconds. */
  lastErrors(service: string, instance: number, sinceAt: number, untilAt: number): Promise<readonly string[]>;
  /** Keeps a sentence for whoever asks why. */
  note(service: string, sentence: string): void;
  /** Default: that of hook.ts. */
  readonly run?: typeof runHook;
}

/** The hooks of one kind of one service. */
interface Told {
  /** When those of the period were run, by the monotonic clock. */
  ranAtMs: number[];
  /** Failures that no hook was told of. */
  count: number;
  last: ServiceFailure;
  /** The next hook waits for the end of the period. */
  cancel: (() => void) | undefined;
}

export class FailureHooks {
  readonly #options: FailureHooksOptions;
  readonly #told = new Map<string, Told>();

  constructor(options: FailureHooksOptions) {
    this.#options = options;
  }

  /** Has the hook run that the service has for it. */
  tell(failure: ServiceFailure): void {
    if (hookOf(failure) === undefined) return;
    const { clock } = this.#options;
    const key = `${failure.plan.name} ${failure.event}`;
    const told = this.#told.get(key) ?? { ranAtMs: [], count: 0, last: failure, cancel: undefined };
    this.#told.set(key, told);
    told.count += 1;
    told.last = failure;
    if (told.cancel !== undefined) return;
    const now = clock.monotonicMs();
    told.ranAtMs = told.ranAtMs.filter((at) => now - at < hooksPeriodMs);
    if (told.ranAtMs.length < hooksMax) return this.#run(told);
    told.cancel = clock.timer(told.ranAtMs[0]! + hooksPeriodMs - now, () => {
      told.cancel = undefined;
      told.ranAtMs.shift();
      this.#run(told);
    });
  }

  /** Nothing of a service is left. */
  forget(service: string): void {
    for (const event of ["crash", "exhausted"] satisfies ServiceFailure["event"][]) {
      this.#told.get(`${service} ${event}`)?.cancel?.();
      this.#told.delete(`${service} ${event}`);
    }
  }

  /** No hook is run any more; those that run go on. */
  close(): void {
    for (const { cancel } of this.#told.values()) cancel?.();
    this.#told.clear();
  }

  #run(told: Told): void {
    const { count, last } = told;
    const { name } = last.plan;
    told.ranAtMs.push(this.#options.clock.monotonicMs());
    told.count = 0;
    const problem = this.#call(last, count).catch((error: unknown) => `its hook was not run: ${reasonText(error)}`);
    void problem.then((sentence) => {
      if (sentence !== undefined) this.#options.note(name, sentence);
    });
  }

  async #call(failure: ServiceFailure, count: number): Promise<string | undefined> {
    const { environmentOf, lastErrors, run = runHook } = this.#options;
    const { plan, instance, startedAt, at } = failure;
    const [env, lines] = await Promise.all([
      environmentOf(plan, instance),
      lastErrors(plan.name, instance, startedAt, at).catch(() => []),
    ]);
    return run(hookOf(failure)!, { ...env, ...variablesOf(failure, count, lines) }, { cwd: plan.cwd });
  }
}

function hookOf({ event, plan }: ServiceFailure): readonly [string, ...string[]] | undefined {
  return event === "crash" ? plan.onCrash : plan.exhausted.hook;
}

function variablesOf(
  { event, reason, end, restartsCount }: ServiceFailure,
  count: number,
  lines: readonly string[],
): Record<string, string> {
  const said = tellingLines(lines, hookLinesMax).join("\n").slice(-hookLinesCharsMax);
  return {
    COLOS_EVENT: event,
    COLOS_REASON: withoutNul(reason),
    COLOS_COUNT: String(count),
    COLOS_RESTARTS: String(restartsCount),
    COLOS_STDERR: withoutNul(said),
    ...(end.code === null ? {} : { COLOS_EXIT_CODE: String(end.code) }),
    ...(end.signal === null ? {} : { COLOS_EXIT_SIGNAL: end.signal }),
  };
}

/** No variable can hold one. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "");
}
