/**
 * Search: is there an order of events in which the model gives exactly this trace? Depth first, with a memory of the states
 * that led nowhere.
 *
 * What keeps it fast: most events can be taken at once because taking them later would allow nothing more. An instruction
 * whose observation is possible now is one, except where another process's signal may come before it and make a
 * difference. A delivery is one when the rest of the receiver's trace stands with the message in its place; when it
 * does not stand, the delivery is none at all. Only what is left is tried in every order. `exhaustive` tries everything
 * in every order: slow, and the proof that the shortcuts lose nothing.
 *
 * @module
 */
import {
  channelOf,
  initialState,
  isSame,
  matches,
  nameOf,
  processOf,
  step,
  type Event,
  type ModelOptions,
  type Notice,
  type ProcessState,
  type Signal,
  type State,
  type TimerState,
} from "./model.ts";
import type { Instruction, Message, Observation, Program, ProcessTrace, Reason, Role, Trace } from "./program.ts";

/** States after which a trace counts as undecided. */
export const statesMaxDefault = 100_000;

/** `undecided`: the limit was reached; that is no acceptance. */
export type Verdict = "accepted" | "rejected" | "undecided";

export interface SearchOptions extends ModelOptions {
  /** Default `statesMaxDefault`. */
  readonly statesMax?: number;
  /** Without shortcuts. */
  readonly exhaustive?: boolean;
}

/** Whether the model can do what the trace says. */
export function judge(program: Program, trace: Trace, options: SearchOptions = {}): Verdict {
  return trace.length === program.length ? new Search(program, trace, options).run() : "rejected";
}

const nothing: ProcessTrace = { observed: [], end: { kind: "ended", reason: "unknown" } };
/** What an instruction may have given when its process ended before it could tell. */
const untold: readonly Observation[] = ["ok", "true", "false"];

class Search {
  readonly #program: Program;
  readonly #traces: readonly ProcessTrace[];
  /** Roles that began to run: a process that did not cannot have done anything. */
  readonly #began: readonly boolean[];
  readonly #options: SearchOptions;
  readonly #seen = new Set<string>();
  readonly #statesMax: number;
  #statesCount = 0;

  constructor(program: Program, trace: Trace, options: SearchOptions) {
    this.#program = program;
    this.#traces = trace.map((process) => process ?? nothing);
    this.#began = trace.map((process) => process !== null);
    this.#options = options;
    this.#statesMax = options.statesMax ?? statesMaxDefault;
  }

  run(): Verdict {
    const stack: State[] = [initialState(this.#program)];
    for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
      const settled = this.#options.exhaustive === true ? state : this.#settle(state);
      if (settled === undefined) continue;
      const key = keyOf(settled);
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      if (this.#isTheEnd(settled)) return "accepted";
      stack.push(...this.#nextStates(settled));
      if (this.#statesCount > this.#statesMax) return "undecided";
    }
    return "rejected";
  }

  /** The most promising last: what ends a process makes other things impossible, and comes first. */
  #nextStates(state: State): State[] {
    const endings: State[] = [];
    const others: State[] = [];
    for (const event of this.#events(state)) {
      const role = subjectOf(state, event);
      for (const next of this.#take(state, event)) {
        const isEnding = role !== undefined && processOf(next, role).stage === "dying";
        (isEnding ? endings : others).unshift(next);
      }
    }
    return [...endings, ...others];
  }

  /** Takes everything that can be taken at once; undefined when the trace cannot come true any more. */
  #settle(before: State): State | undefined {
    let state = before;
    for (;;) {
      let next: State | undefined;
      for (const event of this.#events(state)) {
        if (!this.#isSafe(state, event)) continue;
        [next] = this.#take(state, event);
        if (next !== undefined) break;
      }
      if (next === undefined) return this.#isHopeless(state) ? undefined : state;
      state = next;
    }
  }

  /** What follows the event and agrees with the trace. */
  #take(state: State, event: Event): State[] {
    this.#statesCount += 1;
    if (event.kind === "deliver" && this.#comesTooEarly(state, event.from, event.to)) return [];
    const role = subjectOf(state, event);
    const next = step(this.#program, state, event, this.#options);
    return role === undefined ? next : next.filter((one) => this.#agrees(state, one, role, event));
  }

  #agrees(before: State, after: State, role: Role, event: Event): boolean {
    const process = processOf(after, role);
    const ends = processOf(before, role).stage === "live" && process.stage === "dying";
    return ends ? this.#mayEnd(process, role, event) : this.#standsFor(role, process);
  }

  /** A monitor that came too late by its owner's trace. */
  #comesTooEarly(state: State, from: Role, to: Role): boolean {
    const signal = channelOf(state, from, to)[0];
    const { end } = this.#trace(to);
    if (signal?.kind !== "monitor" || processOf(state, to).stage !== "live") return false;
    const mayEndWithNoproc = end.kind === "ended" && (end.reason === "noproc" || end.reason === "unknown");
    return this.#downOf(from, signal.at) === "noproc" && !mayEndWithNoproc;
  }

  #mayEnd(process: ProcessState, role: Role, event: Event): boolean {
    const { observed, end } = this.#trace(role);
    if (end.kind !== "ended" || (end.reason !== "unknown" && end.reason !== process.reason)) return false;
    // Who ends in the middle of an instruction cannot tell what it gave.
    return event.kind === "act" ? process.at === observed.length + 1 : process.at >= observed.length;
  }

  // --- what may happen ---

  /** All events that the trace does not rule out at first sight. */
  #events(state: State): Event[] {
    const events: Event[] = [];
    for (const [role, process] of state.processes.entries()) {
      if (process.stage === "dying") events.push({ kind: "announce", role });
      if (process.stage === "live") this.#ownEvents(role, process, events);
    }
    for (const [from, row] of state.channels.entries())
      for (const [to, channel] of row.entries()) if (channel.length > 0) events.push({ kind: "deliver", from, to });
    for (let index = 0; index < state.timers.length; index += 1) {
      events.push({ kind: "fire", index });
      if (this.#options.kernelsMany === true) events.push({ kind: "lose", index });
    }
    for (let index = 0; index < state.notices.length; index += 1) events.push({ kind: "notify", index });
    return events;
  }

  #ownEvents(role: Role, process: ProcessState, events: Event[]): void {
    const { observed, end } = this.#trace(role);
    const { at } = process;
    if (at < observed.length) events.push({ kind: "act", role, observation: observed[at] as Observation });
    if (end.kind !== "ended" || at < observed.length) return;
    const isOver = at >= this.#body(role).length || process.reason !== null;
    if (isOver) {
      if (at === observed.length) events.push({ kind: "end", role });
    } else if (at === observed.length && this.#began[role] === true) {
      const op = this.#body(role)[at]?.op;
      if (op === "exitSelf" || op === "receive" || op === "pause") return;
      for (const observation of untold) events.push({ kind: "act", role, observation });
    }
  }

  /** Whether doing it now loses nothing that doing it later would allow. */
  #isSafe(state: State, event: Event): boolean {
    switch (event.kind) {
      case "act":
        return this.#isSafeAct(state, event.role);
      case "announce":
        // As long as it holds its name, others fail to take it.
        return nameOf(state, event.role) === undefined;
      case "deliver": {
        const signal = channelOf(state, event.from, event.to)[0] as Signal;
        return this.#isSafeDelivery(state, event.from, event.to, signal);
      }
      case "notify": {
        const { from, to, signal } = state.notices[event.index] as Notice;
        return this.#isSafeDelivery(state, from, to, signal);
      }
      case "fire":
        return this.#isSafeTimer(state, state.timers[event.index] as TimerState);
      case "end":
      case "lose":
        return false;
    }
  }

  #isSafeAct(state: State, role: Role): boolean {
    const process = processOf(state, role);
    const { observed } = this.#trace(role);
    const instruction = this.#body(role)[process.at];
    if (instruction === undefined || process.at >= observed.length) return false;
    const observation = observed[process.at];
    if (observation === "unknown") return true;
    switch (instruction.op) {
      case "link":
        if (observation === "noproc" || instruction.to === role) return true;
        return processOf(state, instruction.to).stage === "live" && !this.#hasOtherLink(role, process, instruction.to);
      case "unlink":
        if (instruction.to === role) return true;
        return !process.links.includes(instruction.to) && !this.#hasOtherLink(role, process, instruction.to);
      case "trapExit":
        return process.trapping === instruction.on;
      case "sendName":
      case "monitorName":
        return observation === "badarg";
      case "register":
      case "unregister":
        return false;
      case "send":
      case "exit":
        // To oneself everything arrives at once, so its place among what others send matters.
        return instruction.to !== role;
      case "introduce":
        return instruction.to !== role;
      case "cancelTimer":
        return !state.timers.some(({ owner, to, fired }) => owner === role && typeof to === "string" && !fired);
      default:
        return true;
    }
  }

  #isSafeDelivery(state: State, from: Role, to: Role, signal: Signal): boolean {
    const receiver = processOf(state, to);
    if (receiver.stage === "dead") return true;
    switch (signal.kind) {
      case "message":
        return signal.message[0] !== "exit";
      case "down":
        return true;
      case "monitor":
        return this.#trace(to).end.kind === "waiting" || this.#downOf(from, signal.at) !== "noproc";
      case "unlink":
        if (!receiver.links.includes(from) && !this.#willDo(to, receiver, ["link"])) return true;
        return this.#trace(to).end.kind === "waiting" && !this.#willDo(to, receiver, ["link", "unlink"]);
      case "link":
        return this.#trace(to).end.kind === "waiting" && !this.#willDo(to, receiver, ["link", "unlink"]);
      case "exit":
        if (signal.overLink && !receiver.links.includes(from)) return !this.#willDo(to, receiver, ["link"]);
        if (signal.reason === "kill" && !signal.overLink) return false;
        // Two of them look alike and come by different ways; all other messages differ.
        if (signal.reason === "noproc") return false;
        if (!receiver.trapping && (signal.reason !== "normal" || from === to)) return false;
        return !this.#willDo(to, receiver, ["link", "unlink", "trapExit"]);
    }
  }

  #isSafeTimer(state: State, timer: TimerState): boolean {
    if (typeof timer.to === "string") return false;
    const owner = processOf(state, timer.owner);
    if (timer.fired || owner.stage !== "live") return true;
    return !this.#willDo(timer.owner, owner, ["cancelTimer"]);
  }

  /** What the owner of a monitor was told, if anything: `noproc` says that the monitor came too late, or is a reason. */
  #downOf(owner: Role, at: number): Reason | undefined {
    const { observed, end } = this.#trace(owner);
    const seen = end.kind === "waiting" ? [...observed, ...end.rest] : observed;
    const down = seen.find((one) => typeof one !== "string" && one[0] === "down" && one[1] === at);
    return down?.[3] as Reason | undefined;
  }

  /** Whether a process that has got as far as `process` has such an instruction before it. */
  #willDo(role: Role, process: ProcessState, ops: readonly Instruction["op"][]): boolean {
    return this.#body(role)
      .slice(process.at)
      .some(({ op }) => ops.includes(op));
  }

  /** Whether there is or may come another link of the two: then it matters if its exit comes before or after. */
  #hasOtherLink(role: Role, process: ProcessState, other: Role): boolean {
    const links = (instruction: Instruction, to: Role): boolean =>
      ((instruction.op === "link" || instruction.op === "unlink") && instruction.to === to) ||
      (instruction.op === "spawn" && instruction.how === "link" && instruction.role === to);
    const before = this.#body(role).slice(0, process.at);
    return (
      before.some((instruction) => links(instruction, other)) ||
      this.#body(other).some((instruction) => links(instruction, role))
    );
  }

  // --- whether a process can still do what its trace says ---

  /** Goes through the rest of the trace with what has arrived so far; what arrives later only comes behind it. */
  #standsFor(role: Role, process: ProcessState): boolean {
    if (process.stage !== "live") return true;
    const { observed, end } = this.#trace(role);
    let mailbox = process.mailbox;
    let { monitors } = process;
    for (let at = process.at; at < observed.length; at += 1) {
      const instruction = this.#body(role)[at];
      const observation = observed[at] as Observation;
      if (instruction?.op === "receive") {
        const position = mailbox.findIndex((message) => matches(instruction.match, message));
        if (position === -1) continue;
        if (!isSame(observation, mailbox[position] as Message)) return false;
        mailbox = mailbox.toSpliced(position, 1);
      } else if (instruction?.op === "await" && observation !== "ok") {
        const position = mailbox.findIndex((message) => isIntroduction(message, instruction.who));
        if (position === -1) continue;
        if (!isSame(observation, mailbox[position] as Message)) return false;
        mailbox = mailbox.toSpliced(position, 1);
      } else if (instruction?.op === "demonitor" && instruction.monitor < process.at) {
        const { monitor, flush } = instruction;
        if (observation === "true" && !monitors.includes(monitor)) return false;
        monitors = monitors.filter((other) => other !== monitor);
        if (flush) mailbox = mailbox.filter((message) => message[0] !== "down" || message[1] !== monitor);
      }
    }
    return end.kind === "ended" || isStartOf(mailbox, end.rest);
  }

  /** Whether an exit signal is on its way that its receiver cannot take without leaving its trace. */
  #isHopeless(state: State): boolean {
    return state.processes.some((process, role) => {
      const { observed, end } = this.#trace(role);
      if (process.stage !== "live" || end.kind !== "waiting" || this.#willDo(role, process, ["trapExit"])) return false;
      const left = [...observed.slice(process.at), ...end.rest].filter((one) => typeof one !== "string");
      return state.channels.some((row, from) =>
        (row[role] ?? []).some((signal) => {
          if (signal.kind !== "exit" || signal.overLink) return false;
          if (signal.reason === "kill") return true;
          if (!process.trapping) return signal.reason !== "normal";
          return !left.some((one) => one[0] === "exit" && one[1] === from && one[2] === signal.reason);
        }),
      );
    });
  }

  #isTheEnd(state: State): boolean {
    const isQuiet =
      state.timers.length === 0 &&
      state.notices.length === 0 &&
      state.channels.every((row) => row.every(({ length }) => length === 0));
    return isQuiet && state.processes.every((process, role) => this.#isDone(role, process));
  }

  #isDone(role: Role, process: ProcessState): boolean {
    const { observed, end } = this.#trace(role);
    if (process.stage === "absent") return !this.#began[role];
    if (end.kind === "ended") return process.stage === "dead";
    if (process.stage !== "live" || process.at !== observed.length) return false;
    const { mailbox } = process;
    if (mailbox.length !== end.rest.length || !isStartOf(mailbox, end.rest)) return false;
    const instruction = this.#body(role)[process.at];
    if (instruction?.op === "park") return true;
    if (instruction?.op === "await") {
      const { who } = instruction;
      return !process.knows.includes(who) && !mailbox.some((message) => isIntroduction(message, who));
    }
    if (instruction?.op !== "receive" || instruction.timeoutMs !== null) return false;
    return !mailbox.some((message) => matches(instruction.match, message));
  }

  #trace(role: Role): ProcessTrace {
    return this.#traces[role] as ProcessTrace;
  }

  #body(role: Role): readonly Instruction[] {
    return this.#program[role] as readonly Instruction[];
  }
}

/** The same for states that differ in nothing that matters. */
function keyOf({ processes, channels, notices, timers, names }: State): string {
  const sorted = processes.map(({ stage, at, trapping, knows, links, monitors, watchers, mailbox, reason }) =>
    stage === "dead"
      ? stage
      : [
          [stage, at, trapping, reason, mailbox],
          knows.toSorted(),
          links.toSorted(),
          monitors.toSorted(),
          watchers.map((watcher) => JSON.stringify(watcher)).toSorted(),
        ],
  );
  return JSON.stringify([
    sorted,
    channels,
    notices.map((notice) => JSON.stringify(notice)).toSorted(),
    timers.map((timer) => JSON.stringify(timer)).toSorted(),
    Object.entries(names).toSorted(),
  ]);
}

/** The process whose mailbox or life the event changes. */
function subjectOf(state: State, event: Event): Role | undefined {
  if (event.kind === "deliver") return event.to;
  if (event.kind === "notify") return state.notices[event.index]?.to;
  if (event.kind === "lose") return undefined;
  if (event.kind !== "fire") return event.role;
  const to = state.timers[event.index]?.to;
  return typeof to === "string" ? state.names[to] : to;
}

function isIntroduction(message: Message, who: Role): boolean {
  return message[0] === "introduced" && message[3] === who;
}

/** Whether `all` begins with `messages`: what is not there yet comes behind. */
function isStartOf(messages: readonly Message[], all: readonly Message[]): boolean {
  return messages.every((message, place) => {
    const wanted = all[place];
    return wanted !== undefined && isSame(wanted, message);
  });
}
