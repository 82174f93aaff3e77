/**
 * Walk: runs a program on the model itself, with a random order of events, and gives the trace. It knows orders that
 * neither colos nor the BEAM come up with, so it is what proves that the search finds whatever is legal.
 *
 * @module
 */
import { channelOf, initialState, processOf, step, type Event, type State } from "./model.ts";
import type { Random } from "./generator.ts";
import type { Observation, Program, Role, Trace } from "./program.ts";

const words: readonly Observation[] = ["ok", "true", "false", "timeout", "unknown", "undefined", "badarg", "noproc"];

/** One legal run, until nothing can happen any more. */
export function walk(program: Program, random: Random): Trace {
  const observed: Observation[][] = program.map(() => []);
  let state = initialState(program);
  for (;;) {
    const possible = nextSteps(program, state);
    if (possible.length === 0) return traceOf(state, observed);
    const [event, next] = random.pick(possible);
    state = next;
    // Who ends in the middle of an instruction cannot tell what it gave.
    if (event.kind === "act" && processOf(next, event.role).stage === "live")
      observed[event.role]?.push(event.observation);
  }
}

function nextSteps(program: Program, state: State): [Event, State][] {
  const roles = program.map((_, role) => role);
  const events: Event[] = [
    ...roles.flatMap((role): Event[] => [
      { kind: "end", role },
      { kind: "announce", role },
      ...observations(state, role).map((observation): Event => ({ kind: "act", role, observation })),
    ]),
    ...roles.flatMap((from) =>
      roles.filter((to) => channelOf(state, from, to).length > 0).map((to): Event => ({ kind: "deliver", from, to })),
    ),
    ...state.notices.map((_, index): Event => ({ kind: "notify", index })),
    ...state.timers.map((_, index): Event => ({ kind: "fire", index })),
  ];
  return events.flatMap((event) => step(program, state, event).map((next): [Event, State] => [event, next]));
}

function observations(state: State, role: Role): readonly Observation[] {
  const pids = state.processes.map((_, other): Observation => ["pid", other]);
  return [...words, ...pids, ...processOf(state, role).mailbox];
}

function traceOf(state: State, observed: readonly (readonly Observation[])[]): Trace {
  return state.processes.map(({ stage, reason, mailbox }, role) => {
    if (stage === "absent") return null;
    const end =
      stage === "live"
        ? ({ kind: "waiting", rest: mailbox } as const)
        : ({ kind: "ended", reason: reason ?? "unknown" } as const);
    return { observed: observed[role] ?? [], end };
  });
}
