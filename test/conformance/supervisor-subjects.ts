/**
 * Supervisor subjects: supervisors and children made from data, so that a statement can drive them on any carrier, and what a
 * puppet can be ordered to do with them. A child tells the listener what it lives through, as `[event, id, pid, detail]`: it
 * does so before it counts as started, so that whoever knows that it has started has been told.
 *
 * @module
 */
import {
  child,
  defineProgram,
  defineServer,
  defineSupervisor,
  ignore,
  isExit,
  startChild,
  startSupervisor,
  type AnyPid,
  type AnyProcess,
  type ChildSpec,
  type DefinedProgram,
  type Pid,
  type SupervisorFlags,
  type SupervisorInit,
} from "colos";
import { failureOf } from "./server-subjects.ts";
import type { Subject } from "./subject.ts";

/** How a member takes an exit signal: not at all, at once, so many milliseconds later, or never. */
export type Manner = "plain" | "nice" | "stubborn" | number;

export type ChildPlan = Omit<ChildSpec, "id" | "start"> & {
  readonly id: string;
  /**
   * A member unless told otherwise; `noStart` and `noId` lack that field, the start of `noPid` gives no pid, of `fails` throws,
   * `flaky` fails from its second start to number `failsUntil`, `counter` is a server that counts its calls.
   */
  readonly kind?: "fails" | "flaky" | "ignored" | "noPid" | "noStart" | "noId" | "counter" | SupervisorPlan;
  readonly manner?: Manner;
  readonly failsUntil?: number;
  /** Removes the link to its supervisor. */
  readonly unlinks?: boolean;
  /** Calls itself by the first argument of its start. */
  readonly isNamedByArgument?: boolean;
  readonly args?: readonly unknown[];
  /** The registered name of a counter. */
  readonly name?: string;
  /** The counter keeps its count outside. */
  readonly isStoredOutside?: boolean;
};

export interface SupervisorPlan {
  readonly flags?: SupervisorFlags;
  readonly children: readonly ChildPlan[];
  readonly isIgnored?: boolean;
}

function makeInit(plan: SupervisorPlan, listener: AnyPid): SupervisorInit {
  if (plan.isIgnored === true) return ignore;
  return { flags: plan.flags ?? {}, children: plan.children.map((childPlan) => makeSpec(childPlan, listener)) };
}

function makeSpec(plan: ChildPlan, listener: AnyPid): ChildSpec {
  const { id, kind, args, name } = plan;
  const options = optionsOf(plan);
  const startOptions = { ...(args === undefined ? {} : { args }), ...(name === undefined ? {} : { name }) };
  const started = (program: DefinedProgram<unknown, readonly unknown[]>): ChildSpec =>
    child(id, program, { ...startOptions, ...options });
  if (typeof kind === "object") {
    return child(
      id,
      defineSupervisor(() => makeInit(kind, listener)),
      options,
    );
  }
  const { start } = started(member(plan, listener));
  switch (kind) {
    case "fails":
      return { id, ...options, start: fails };
    case "flaky":
      return { id, ...options, start: flaky(start, plan, listener) };
    case "ignored":
      return started(defineServer(() => ({ init: () => ignore })));
    case "noPid":
      return { id, ...options, start: () => "banana" as never };
    case "noStart":
      return { id, ...options } as ChildSpec;
    case "noId":
      return { ...options, start } as ChildSpec;
    case "counter":
      return started(counter(plan.isStoredOutside === true));
    default:
      return { id, ...options, start };
  }
}

/** The part of a plan that is a spec's. */
function optionsOf(plan: ChildPlan): Omit<ChildSpec, "id" | "start"> {
  const fields = ["restart", "shutdown", "type", "significant"] as const;
  return Object.fromEntries(fields.filter((field) => field in plan).map((field) => [field, plan[field]]));
}

function fails(): never {
  throw new Error("nope");
}

function flaky(
  start: ChildSpec["start"],
  { id, failsUntil = Infinity }: ChildPlan,
  listener: AnyPid,
): ChildSpec["start"] {
  let startsCount = 0;
  return (self, ...args) => {
    startsCount += 1;
    if (startsCount === 1 || startsCount > failsUntil) return start(self, ...args);
    self.send(listener as Pid<unknown>, ["failed", id]);
    throw new Error(`flaky ${startsCount}`);
  };
}

/** Ends with `reason` when it is sent `{ exit: reason }`. */
function member(plan: ChildPlan, listener: AnyPid): DefinedProgram<unknown, readonly unknown[]> {
  const { manner = "plain" } = plan;
  const body = async (self: AnyProcess, ...args: readonly unknown[]): Promise<void> => {
    const id = plan.isNamedByArgument === true ? String(args[0]) : plan.id;
    const tell = (event: string, detail?: unknown): unknown =>
      self.send(listener as Pid<unknown>, [event, id, self.pid, detail]);
    self.trapExit(manner !== "plain");
    if (plan.unlinks === true) self.unlink(self.parent!);
    tell("up", args);
    self.ready();
    for (;;) {
      const message: unknown = await self.receive();
      if (!isExit(message)) self.exit((message as { readonly exit: unknown }).exit);
      tell("down", message.reason);
      if (manner === "stubborn" || typeof manner === "number") {
        await self.sleep(manner === "stubborn" ? 5 : manner);
        tell(manner === "stubborn" ? "still" : "done");
      }
      if (manner !== "stubborn") self.exit(message.reason);
    }
  };
  return defineProgram(body, { acknowledges: true });
}

function counter(isStoredOutside: boolean): DefinedProgram<unknown, readonly unknown[]> {
  const outside = { count: 0 };
  return defineServer(() => {
    const store = isStoredOutside ? outside : { count: 0 };
    return { handleCall: () => (store.count += 1) };
  });
}

/** What a puppet may be ordered besides. */
export const supervisorOrders: Readonly<Record<string, Subject>> = {
  /** `[plan, listener]`: its pid, or a `Failure` of server-subjects.ts. */
  startSupervisor: (self, plan, listener) =>
    startSupervisor(self, makeInit(plan as SupervisorPlan, listener as AnyPid)).catch(failureOf),
  /** `[supervisor, childPlan, listener]`: specs do not cross, plans do. */
  startChild: (self, supervisor, plan, listener) =>
    startChild(self, supervisor as AnyPid, makeSpec(plan as ChildPlan, listener as AnyPid)),
};
