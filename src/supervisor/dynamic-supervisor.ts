/**
 * Dynamic supervisor: children that come and go at run time, each with a spec of its own, Elixir's DynamicSupervisor.
 *
 *   const rooms = await startDynamicSupervisor(self, { maxChildren: 100 });
 *   const started = await startChild(self, rooms, child("room", room, { restart: "transient" }));
 *   await terminateChild(self, rooms, started.value);
 *
 * It is a supervisor with the strategy `dynamic`: `startChild`, `terminateChild` by pid, `whichChildren`, `countChildren`, the
 * restart window and restart policies are the supervisor's.
 * Limits: `maxChildren`; specs hold functions, so `startChild` must come from the supervisor's own kernel (from another one, a
 * `simpleOneForOne` supervisor takes arguments).
 * Unlike Elixir: `extraArguments` come after a child's own; one restart in 5 seconds is allowed unless told otherwise, as in
 * OTP, not three.
 *
 * @module
 */
import type { Pid } from "../kernel/pid.ts";
import type { AnyProcess, StartOptions } from "../kernel/process.ts";
import type { DefinedProgram } from "../kernel/program.ts";
import type { SupervisorFlags } from "./child-spec.ts";
import { defineSupervisor } from "./supervisor.ts";

/** A dynamic supervisor as a program, for `child`. */
export function defineDynamicSupervisor(
  flags: Omit<SupervisorFlags, "strategy"> = {},
): DefinedProgram<unknown, readonly never[]> {
  return defineSupervisor<readonly never[]>(() => ({ flags: { ...flags, strategy: "dynamic" }, children: [] }));
}

/**
 * Starts a supervisor without children (Elixir DynamicSupervisor.start_link/1).
 * @throws StartError with a `SpecProblem` when the flags make no sense.
 */
export function startDynamicSupervisor(
  self: AnyProcess,
  flags: Omit<SupervisorFlags, "strategy"> = {},
  options: StartOptions<readonly never[]> = {},
): Promise<Pid<unknown>> {
  return self.start(defineDynamicSupervisor(flags), options);
}
