/**
 * Child spec: how a supervisor starts, restarts and stops one child, and the check that a spec makes sense.
 *
 * Words and defaults are OTP's (supervisor(3)): permanent, worker, shutdown 5000 ms (infinity for a supervisor). New
 * here: `backoff`, and the restart window in milliseconds instead of whole seconds.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess, StartOptions } from "../kernel/process.ts";
import type { Program } from "../kernel/program.ts";

/** Milliseconds between the exit signal `shutdown` and `kill` (S18). */
export const shutdownMsDefault = 5000;
/** Restarts allowed within `periodMsDefault` (S17; OTP `intensity`). */
export const maxRestartsDefault = 1;
/** Length of the sliding restart window in milliseconds (S17; OTP `period` is 5 seconds). */
export const periodMsDefault = 5000;

/** When a child that ended is started again (S7 to S12). */
export type RestartPolicy = "permanent" | "transient" | "temporary";
/** How a child is stopped: at once with `kill`, with `kill` after so many milliseconds, or with patience (S19 to S21). */
export type ShutdownPolicy = "brutal" | "infinity" | number;
/**
 * Who else is restarted when a child ends (S4 to S6, S43). With the last two children have no place and no id of their
 * own, come and go by pid, and are alone in their fate: of one spec, or each of its own (Elixir's DynamicSupervisor).
 */
export type Strategy = "oneForOne" | "oneForAll" | "restForOne" | "simpleOneForOne" | "dynamic";
/** Whether the end of significant children ends the supervisor (S48, S49). */
export type AutoShutdown = "never" | "anySignificant" | "allSignificant";

/** Waiting before a restart: OTP restarts at once, which turns one failure into a storm. */
export interface Backoff {
  /** Delay before the first restart, in milliseconds. */
  readonly initialMs: number;
  /** The longest delay, in milliseconds. */
  readonly maxMs: number;
  /** The delay grows by this factor with each restart. */
  readonly factor: number;
  /** Part of the delay that is random, 0 to 1, so that many children do not restart in step. */
  readonly jitter: number;
  /** A child that lived this many milliseconds starts again at `initialMs`. */
  readonly resetAfterMs: number;
}

/** Starts a child, linked to the supervisor (OTP's `start` MFA). Rejecting means that it did not start. */
export type StartChild = (self: AnyProcess, ...args: readonly unknown[]) => AnyPid | PromiseLike<AnyPid>;

/** One child. */
export interface ChildSpec {
  /** Unique in its supervisor; with `dynamic` for people only. */
  readonly id: string;
  readonly start: StartChild;
  /** Default `permanent`. */
  readonly restart?: RestartPolicy;
  /** Default 5000 ms; `infinity` for a supervisor. */
  readonly shutdown?: ShutdownPolicy;
  /** Default `worker`. */
  readonly type?: "worker" | "supervisor";
  /** Its end may end the supervisor; needs `autoShutdown` and a child that is not permanent (S50). */
  readonly significant?: boolean;
}

/** A spec with its defaults filled in. */
export type FullChildSpec = Required<ChildSpec>;

/** A spec as it is shown: `start` is a function and absent for who asks from another carrier. */
export type ChildSpecInfo = Omit<FullChildSpec, "start"> & Partial<Pick<FullChildSpec, "start">>;

/** What all children of a supervisor have in common. */
export interface SupervisorFlags {
  /** Default `oneForOne`. */
  readonly strategy?: Strategy;
  /** Default 1 (OTP `intensity`); Infinity never gives up. */
  readonly maxRestarts?: number;
  /** Default 5000 (OTP `period`, there in seconds). */
  readonly periodMs?: number;
  /** Default: none, restarts are immediate as in OTP. */
  readonly backoff?: Backoff;
  /** Default `never`. */
  readonly autoShutdown?: AutoShutdown;
  /** For `simpleOneForOne` and `dynamic`: children at most, waiting ones too; default Infinity. */
  readonly maxChildren?: number;
  /** For `dynamic`: what every child's `start` gets after `self`; `child` appends them to `args`. */
  readonly extraArguments?: readonly unknown[];
  /** Told of everything that happens to the children, as it happens. What it throws is logged. */
  readonly observe?: (event: SupervisorEvent) => void;
}

/** What a supervisor did. */
export type SupervisorEvent =
  | { readonly type: "started"; readonly id: string; readonly pid: AnyPid }
  | { readonly type: "ended"; readonly id: string; readonly pid: AnyPid; readonly reason: unknown }
  /** A restart will be tried after `delayMs`; `restartsCount` counts since the supervisor started. */
  | { readonly type: "restarting"; readonly id: string; readonly delayMs: number; readonly restartsCount: number }
  /** A restart did not start; it will be tried again. */
  | { readonly type: "startFailed"; readonly id: string; readonly reason: unknown }
  /** The restart window is used up: all children are stopped and the supervisor ends with `shutdown`. */
  | { readonly type: "gaveUp"; readonly id: string; readonly reason: unknown };

/** Full flags, with `observe` and `backoff` possibly absent. */
export interface FullFlags {
  readonly strategy: Strategy;
  readonly maxRestarts: number;
  readonly periodMs: number;
  readonly backoff: Backoff | undefined;
  readonly autoShutdown: AutoShutdown;
  readonly maxChildren: number;
  readonly extraArguments: readonly unknown[];
  readonly observe: (event: SupervisorEvent) => void;
}

/**
 * A spec that starts `program` on its carrier and waits until it is ready. What `startChild` gives a `simpleOneForOne`
 * child comes after `options.args` (S43).
 * @throws TypeError when `program` is none.
 */
export function child<M, A extends readonly unknown[]>(
  id: string,
  program: Program<M, A>,
  options: StartOptions<A> & Omit<ChildSpec, "id" | "start"> = {},
): ChildSpec {
  const kind = (program as { readonly kind?: unknown } | undefined)?.kind;
  if (typeof program !== "function" && typeof kind !== "string") {
    throw new TypeError(`the child ${inWords(id)} needs a program, such as defineServer(…), not ${inWords(program)}`);
  }
  const { restart, shutdown, type, significant, ...start } = options;
  return {
    id,
    start: (self, ...extra) => {
      const args = [...(start.args ?? []), ...extra] as unknown as A;
      return self.start(program, { label: id, ...start, ...(args.length === 0 ? {} : { args }), link: true });
    },
    ...(restart === undefined ? {} : { restart }),
    ...(shutdown === undefined ? {} : { shutdown }),
    ...(type === undefined ? {} : { type }),
    ...(significant === undefined ? {} : { significant }),
  };
}

/** Something is wrong with a spec or with flags: `{ tag: "startSpec" | "supervisorFlags", problem, … }`. */
export type SpecProblem = Readonly<Record<string, unknown>> & { readonly tag: string; readonly problem: string };

/** Checks flags and fills in defaults (S35). */
export function checkFlags(flags: SupervisorFlags): FullFlags | SpecProblem {
  const problem = (what: string, value: unknown): SpecProblem => ({ tag: "supervisorFlags", problem: what, value });
  if (typeof flags !== "object" || flags === null) return problem("invalidFlags", flags);
  const unknown = Object.keys(flags).find((name) => !flagNames.has(name));
  if (unknown !== undefined) return problem("unknownFlag", unknown);
  const { strategy = "oneForOne", autoShutdown = "never" } = flags;
  const { maxRestarts = maxRestartsDefault, periodMs = periodMsDefault } = flags;
  const { maxChildren = Infinity, extraArguments = [], observe = () => {} } = flags;
  if (!["oneForOne", "oneForAll", "restForOne", ...anonymous].includes(strategy)) {
    return problem("invalidStrategy", strategy);
  }
  if (!["never", "anySignificant", "allSignificant"].includes(autoShutdown)) {
    return problem("invalidAutoShutdown", autoShutdown);
  }
  if (!isNumberFrom(0, maxRestarts)) return problem("invalidMaxRestarts", maxRestarts);
  if (!isNumberFrom(0, periodMs) || periodMs === 0) return problem("invalidPeriodMs", periodMs);
  if (flags.backoff !== undefined && !isBackoff(flags.backoff)) return problem("invalidBackoff", flags.backoff);
  if (!isNumberFrom(0, maxChildren) || (maxChildren !== Infinity && !hasAnonymousChildren(strategy))) {
    return problem("invalidMaxChildren", maxChildren);
  }
  if (!Array.isArray(extraArguments) || (extraArguments.length > 0 && strategy !== "dynamic")) {
    return problem("invalidExtraArguments", extraArguments);
  }
  if (typeof observe !== "function") return problem("invalidObserve", observe);
  const { backoff } = flags;
  return { strategy, maxRestarts, periodMs, autoShutdown, maxChildren, extraArguments, backoff, observe };
}

const flagNames: ReadonlySet<string> = new Set<keyof SupervisorFlags>([
  ...(["strategy", "maxRestarts", "periodMs", "backoff", "autoShutdown"] as const),
  ...(["maxChildren", "extraArguments", "observe"] as const),
]);

function isNumberFrom(min: number, value: unknown): value is number {
  return typeof value === "number" && value >= min;
}

const anonymous: readonly string[] = ["simpleOneForOne", "dynamic"] satisfies Strategy[];

/** Whether children come and go by pid. */
export function hasAnonymousChildren(strategy: Strategy): boolean {
  return anonymous.includes(strategy);
}

function isBackoff(backoff: Backoff | null): boolean {
  if (backoff === null) return false;
  const { initialMs, maxMs, factor, jitter, resetAfterMs } = backoff;
  const isDelay = (value: unknown): boolean => isNumberFrom(0, value) && value !== Infinity;
  const isGrowth = isNumberFrom(1, factor) && isNumberFrom(0, jitter) && jitter <= 1;
  return isDelay(initialMs) && isDelay(maxMs) && isGrowth && isNumberFrom(0, resetAfterMs);
}

/** Checks one spec and fills in defaults (S34, S50). */
export function checkSpec(spec: ChildSpec, flags: FullFlags): FullChildSpec | SpecProblem {
  const problem = (what: string, value?: unknown): SpecProblem => ({ tag: "startSpec", problem: what, value });
  if (typeof spec?.id !== "string" || spec.id === "") return problem("missingId");
  if (typeof spec.start !== "function") return problem("missingStart", spec.id);
  const { restart = "permanent", type = "worker", significant = false } = spec;
  const shutdown = spec.shutdown ?? (type === "supervisor" ? "infinity" : shutdownMsDefault);
  if (!["permanent", "transient", "temporary"].includes(restart)) return problem("invalidRestart", restart);
  if (!["worker", "supervisor"].includes(type)) return problem("invalidType", type);
  if (!(shutdown === "brutal" || shutdown === "infinity" || isNumberFrom(0, shutdown))) {
    return problem("invalidShutdown", shutdown);
  }
  if (typeof significant !== "boolean") return problem("invalidSignificant", significant);
  if (significant && (flags.autoShutdown === "never" || restart === "permanent")) {
    return problem("badCombination", { id: spec.id, significant, restart, autoShutdown: flags.autoShutdown });
  }
  return { id: spec.id, start: spec.start, restart, shutdown, type, significant };
}

/** Checks all specs; ids must differ (S33). */
export function checkSpecs(specs: readonly ChildSpec[], flags: FullFlags): FullChildSpec[] | SpecProblem {
  const full: FullChildSpec[] = [];
  for (const spec of specs) {
    const checked = checkSpec(spec, flags);
    if (isProblem(checked)) return checked;
    if (full.some((other) => other.id === checked.id)) {
      return { tag: "startSpec", problem: "duplicateChildName", id: checked.id };
    }
    full.push(checked);
  }
  if (flags.strategy === "simpleOneForOne" && full.length !== 1) {
    return { tag: "startSpec", problem: "simpleOneForOneNeedsOneChild", count: full.length };
  }
  if (flags.strategy === "dynamic" && full.length > 0) {
    return { tag: "startSpec", problem: "dynamicBeginsWithoutChildren", count: full.length };
  }
  return full;
}

/** Whether a check found a problem. */
export function isProblem(checked: object): checked is SpecProblem {
  return "problem" in checked;
}
