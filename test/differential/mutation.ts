/**
 * Mutation: traces that are wrong in one place, to prove that the model can say no.
 *
 * @module
 */
import type { Random } from "./generator.ts";
import type { End, Message, Observation, ProcessTrace, Program, Trace } from "./program.ts";

/** Gives the trace with one thing changed, or undefined when it has no such thing. */
export type Mutation = (program: Program, trace: Trace) => Trace | undefined;

/** Changes after which no order of events explains a trace that was legal. */
export const illegal: Readonly<Record<string, Mutation>> = {
  "a dropped down": (_program, trace) => changeRest(trace, (rest) => without(rest, rest.findIndex(isDown))),

  "a doubled down": (_program, trace) =>
    changeRest(trace, (rest) => {
      const down = rest.find(isDown);
      return down === undefined ? undefined : [...rest, down];
    }),

  "a wrong reason": (_program, trace) =>
    changeRest(trace, (rest) => {
      const position = rest.findIndex(isDown);
      const down = rest[position];
      return down?.[0] === "down" ? rest.with(position, [down[0], down[1], down[2], "wrong"]) : undefined;
    }),

  "two messages of one sender in the wrong order": (program, trace) =>
    changeRest(trace, (rest) => {
      const isSent = ([kind, from, at]: Message): boolean =>
        kind === "message" && program[from as number]?.[at as number]?.op === "send";
      for (const [position, message] of rest.entries()) {
        const other = rest.findIndex((one, place) => place > position && one[1] === message[1] && isSent(one));
        if (other === -1 || !isSent(message)) continue;
        return rest.with(position, rest[other] as Message).with(other, message);
      }
      return undefined;
    }),

  "a lost message": (program, trace) =>
    changeRest(trace, (rest, role) => {
      const isFromOneself = ([kind, from]: Message): boolean => kind === "message" && from === role;
      const position = rest.findIndex((message) => isFromOneself(message) && sentBy(program, message) === "send");
      return without(rest, position);
    }),
};

/** Changes one thing at random; the result may be legal. */
export function mutate(trace: Trace, random: Random): Trace {
  const roles = trace.flatMap((process, role) => (process === null ? [] : [role]));
  const role = random.pick(roles);
  const process = trace[role] as ProcessTrace;
  return trace.with(role, random.chance(50) ? mutateObserved(process, random) : mutateEnd(process, random));
}

function mutateObserved({ observed, end }: ProcessTrace, random: Random): ProcessTrace {
  const at = random.below(observed.length + 1);
  const others: readonly Observation[] = ["ok", "true", "false", "timeout", "noproc", "badarg", ...observed];
  if (at === observed.length || random.chance(30)) return { observed: observed.slice(0, at), end };
  return { observed: observed.with(at, random.pick(others)), end };
}

function mutateEnd({ observed, end }: ProcessTrace, random: Random): ProcessTrace {
  if (end.kind === "ended") {
    const reasons = ["normal", "killed", "noproc", "boom", "unknown"];
    const other: End = random.chance(20) ? { kind: "waiting", rest: [] } : { ...end, reason: random.pick(reasons) };
    return { observed, end: other };
  }
  if (end.rest.length === 0) return { observed, end: { kind: "ended", reason: "normal" } };
  const position = random.below(end.rest.length);
  const message = end.rest[position] as Message;
  const rest = end.rest.toSpliced(position, 1);
  return { observed, end: { kind: "waiting", rest: random.chance(50) ? rest : [message, ...rest] } };
}

function changeRest(
  trace: Trace,
  change: (rest: readonly Message[], role: number) => readonly Message[] | undefined,
): Trace | undefined {
  for (const [role, process] of trace.entries()) {
    if (process?.end.kind !== "waiting") continue;
    const rest = change(process.end.rest, role);
    if (rest !== undefined) return trace.with(role, { ...process, end: { kind: "waiting", rest } });
  }
  return undefined;
}

function without(messages: readonly Message[], position: number): readonly Message[] | undefined {
  return position === -1 ? undefined : messages.toSpliced(position, 1);
}

function sentBy(program: Program, [, from, at]: Message): string | undefined {
  return program[from as number]?.[at as number]?.op;
}

function isDown([kind]: Message): boolean {
  return kind === "down";
}
