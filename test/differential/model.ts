/**
 * Model: what processes may do, as one pure step function, state × event → state. It knows neither colos nor the BEAM.
 *
 * The rules: each pair of processes has a channel; what one sends the other (a message, an exit, a link …) arrives in
 * that order, after any time. Only `noproc`, which nobody sends, keeps no order. A process takes steps of its own
 * program, deliveries come between them. Timers fire at any time after they were started, in any order. Names, and
 * whether a process is alive, are known at once.
 * An event carries what the process is said to have observed, so that a step has one outcome, or none when nothing legal
 * gives that observation.
 * A process that ends is `dying` first: nobody finds it any more, but its name is taken, and nobody has been told.
 * Not here: which events explain a trace (search.ts).
 *
 * @module
 */
import type { Instruction, Match, Message, Name, Observation, Program, Reason, Role } from "./program.ts";

/** What travels from one process to another. */
export type Signal =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "exit"; readonly reason: Reason; readonly overLink: boolean }
  | { readonly kind: "link" }
  | { readonly kind: "unlink" }
  /** `at` is the monitor's position in its owner's program; `of` is how its owner calls the watched process. */
  | { readonly kind: "monitor"; readonly at: number; readonly of: Role | Name }
  | { readonly kind: "down"; readonly at: number; readonly of: Role | Name; readonly reason: Reason };

/** A monitor, as the watched process keeps it. */
interface Watcher {
  readonly owner: Role;
  readonly at: number;
  readonly of: Role | Name;
}

/** A signal that keeps no order: `noproc` of a process that is not there, because nobody sends it. */
export interface Notice {
  readonly from: Role;
  readonly to: Role;
  readonly signal: Signal;
}

/** A started timer; one that has fired is on its way and cannot be cancelled. */
export interface TimerState {
  readonly owner: Role;
  readonly at: number;
  readonly to: Role | Name;
  readonly message: Message;
  readonly fired: boolean;
}

/** One process. Lists of roles and positions are in the order in which they came. */
export interface ProcessState {
  readonly stage: "absent" | "live" | "dying" | "dead";
  /** Instructions done. */
  readonly at: number;
  readonly trapping: boolean;
  readonly knows: readonly Role[];
  readonly links: readonly Role[];
  /** Positions of monitors that have brought no down yet. */
  readonly monitors: readonly number[];
  readonly watchers: readonly Watcher[];
  readonly mailbox: readonly Message[];
  /** What it is about to end with by itself, or has ended with. */
  readonly reason: Reason | null;
}

/** A whole system at one moment. */
export interface State {
  readonly processes: readonly ProcessState[];
  /** `from` × `to`, oldest first. */
  readonly channels: readonly (readonly (readonly Signal[])[])[];
  /** On their way too, in no order. */
  readonly notices: readonly Notice[];
  readonly timers: readonly TimerState[];
  readonly names: Readonly<Partial<Record<Name, Role>>>;
}

/** What can happen next. */
export type Event =
  /** The process does its next instruction and observes this. */
  | { readonly kind: "act"; readonly role: Role; readonly observation: Observation }
  /** The process ends by itself: its program is over, or `exitSelf` was the last thing it did. */
  | { readonly kind: "end"; readonly role: Role }
  /** A dying process frees its name, and its signals go out. */
  | { readonly kind: "announce"; readonly role: Role }
  | { readonly kind: "deliver"; readonly from: Role; readonly to: Role }
  | { readonly kind: "notify"; readonly index: number }
  /** The message of `timers[index]` arrives. */
  | { readonly kind: "fire"; readonly index: number }
  /** `timers[index]` ends with its owner; only with `kernelsMany`. */
  | { readonly kind: "lose"; readonly index: number };

/** What differs between systems that are all right. */
export interface ModelOptions {
  /**
   * Processes may be in kernels of their own, as on threads. One cannot know at once that another has ended: `link` to it
   * may bring `noproc` as an exit signal. `kill` is carried out by the carrier and overtakes what was sent before. The
   * timers of a process may end with it, because its kernel does.
   */
  readonly kernelsMany?: boolean;
}

const absent: ProcessState = {
  stage: "absent",
  at: 0,
  trapping: false,
  knows: [],
  links: [],
  monitors: [],
  watchers: [],
  mailbox: [],
  reason: null,
};

/** Before the first step of role 0. */
export function initialState(program: Program): State {
  return {
    processes: program.map((_, role) => (role === 0 ? { ...absent, stage: "live", knows: [0] } : absent)),
    channels: program.map(() => program.map(() => [])),
    notices: [],
    timers: [],
    names: {},
  };
}

/** Whether a receive with `match` takes `message`. */
export function matches(match: Match, message: Message): boolean {
  if (message[0] === "introduced") return false;
  if (match === "any") return true;
  return match === "a" || match === "b" ? message[0] === "message" && message[3] === match : message[0] === match;
}

/** The states that may follow `event`: none when it cannot happen, and nearly always at most one. */
export function step(program: Program, state: State, event: Event, options: ModelOptions = {}): State[] {
  const next = nextState(program, state, event, options);
  const other = event.kind === "act" ? linkAgain(program, state, event.role, event.observation) : undefined;
  return [next, other].filter((one) => one !== undefined);
}

function nextState(program: Program, state: State, event: Event, options: ModelOptions): State | undefined {
  switch (event.kind) {
    case "act":
      return act(program, state, event.role, event.observation, options);
    case "end": {
      const { stage, at, reason } = processOf(state, event.role);
      const isOver = reason !== null || at >= (program[event.role] as readonly Instruction[]).length;
      return stage === "live" && isOver ? die(state, event.role, reason ?? "normal") : undefined;
    }
    case "announce":
      return announce(state, event.role);
    case "deliver":
      return deliver(state, event.from, event.to);
    case "notify":
      return notify(state, event.index);
    case "fire":
      return fire(state, event.index);
    case "lose": {
      const owner = state.timers[event.index]?.owner;
      const mayLose = options.kernelsMany === true && owner !== undefined && processOf(state, owner).stage === "dead";
      return mayLose ? { ...state, timers: state.timers.toSpliced(event.index, 1) } : undefined;
    }
  }
}

// --- one instruction ---

function act(
  program: Program,
  before: State,
  role: Role,
  observation: Observation,
  options: ModelOptions,
): State | undefined {
  const self = processOf(before, role);
  const instruction = program[role]?.[self.at];
  if (self.stage !== "live" || self.reason !== null || instruction === undefined) return undefined;
  const state = change(before, role, { at: self.at + 1 });
  const stranger = whoOf(instruction).find((who) => !self.knows.includes(who));
  if (stranger !== undefined) return observation === "unknown" ? state : undefined;
  return perform(state, role, self, instruction, observation, options);
}

/** The roles that an instruction is about and that must be known. */
function whoOf(instruction: Instruction): readonly Role[] {
  switch (instruction.op) {
    case "introduce":
      return [instruction.who, instruction.to];
    case "register":
    case "isAlive":
      return [instruction.who];
    case "send":
    case "link":
    case "unlink":
    case "monitor":
    case "exit":
    case "sendAfter":
    case "startTimer":
      return [instruction.to];
    default:
      return [];
  }
}

/** `self` is the process as it was before; `state` is the one after, but for the effects. */
function perform(
  state: State,
  role: Role,
  self: ProcessState,
  instruction: Instruction,
  observation: Observation,
  options: ModelOptions,
): State | undefined {
  const { at } = self;
  const when = (isRight: boolean, next: State | undefined = state): State | undefined => (isRight ? next : undefined);
  switch (instruction.op) {
    case "spawn":
      return when(observation === "ok", spawn(state, role, self, instruction.role, instruction.how));
    case "introduce":
      return when(
        observation === "ok",
        send(state, role, instruction.to, { kind: "message", message: ["introduced", role, at, instruction.who] }),
      );
    case "await":
      return awaitPid(state, role, self, instruction.who, observation);
    case "send":
      return when(
        observation === "ok",
        send(state, role, instruction.to, { kind: "message", message: ["message", role, at, instruction.tag] }),
      );
    case "sendName": {
      const holder = holderOf(state, instruction.name);
      if (observation === "badarg") return when(holder === undefined || !isLive(state, holder));
      if (observation !== "ok" || holder === undefined) return undefined;
      return send(state, role, holder, { kind: "message", message: ["message", role, at, instruction.tag] });
    }
    case "receive":
      return receive(state, role, self, instruction.match, instruction.timeoutMs, observation);
    case "link":
      return link(state, role, self, instruction.to, observation, options);
    case "unlink":
      return when(observation === "true", unlink(state, role, self, instruction.to));
    case "monitor":
      return when(observation === "ok", monitor(state, role, self, instruction.to, instruction.to));
    case "monitorName":
      return when(
        observation === "ok",
        monitor(state, role, self, holderOf(state, instruction.name), instruction.name),
      );
    case "demonitor":
      return demonitor(state, role, self, instruction.monitor, instruction.flush, observation);
    case "exit":
      return when(observation === "true", sendExit(state, role, instruction.to, instruction.reason, options));
    case "exitSelf":
      return when(observation === "ok", change(state, role, { reason: instruction.reason }));
    case "trapExit":
      return when(observation === String(self.trapping), change(state, role, { trapping: instruction.on }));
    case "register":
      return register(state, instruction.name, instruction.who, observation);
    case "unregister": {
      const holder = holderOf(state, instruction.name);
      if (observation === "badarg") return when(holder === undefined || !isLive(state, holder));
      return when(observation === "true" && holder !== undefined, freeName(state, instruction.name));
    }
    case "whereis": {
      const holder = holderOf(state, instruction.name);
      if (observation === "undefined") return when(holder === undefined || !isLive(state, holder));
      return when(typeof observation !== "string" && observation[0] === "pid" && observation[1] === holder);
    }
    case "isAlive": {
      // What was sent before is there before the answer.
      const isHeard = role === instruction.who || channelOf(state, role, instruction.who).length === 0;
      return when(isHeard && observation === String(isLive(state, instruction.who)));
    }
    case "sendAfter":
      return when(
        observation === "ok",
        startTimer(state, role, at, instruction.to, ["message", role, at, instruction.tag]),
      );
    case "sendAfterName":
      return when(
        observation === "ok",
        startTimer(state, role, at, instruction.name, ["message", role, at, instruction.tag]),
      );
    case "startTimer":
      return when(
        observation === "ok",
        startTimer(state, role, at, instruction.to, ["timeout", role, at, instruction.tag]),
      );
    case "cancelTimer":
      return cancelTimer(state, role, self, instruction.timer, observation);
    case "pause":
      return when(observation === "ok");
    case "park":
      return undefined;
  }
}

/** Link and monitor are there before the child's first step. */
function spawn(
  before: State,
  parent: Role,
  self: ProcessState,
  child: Role,
  how: "spawn" | "link" | "monitor",
): State | undefined {
  if (processOf(before, child).stage !== "absent") return undefined;
  const isLink = how === "link";
  const isMonitor = how === "monitor";
  const state = change(before, child, {
    stage: "live",
    knows: [...self.knows, child],
    links: isLink ? [parent] : [],
    watchers: isMonitor ? [{ owner: parent, at: self.at, of: child }] : [],
  });
  return change(state, parent, {
    knows: [...self.knows, child],
    links: isLink ? [...self.links, child] : self.links,
    monitors: isMonitor ? [...self.monitors, self.at] : self.monitors,
  });
}

function awaitPid(
  state: State,
  role: Role,
  self: ProcessState,
  who: Role,
  observation: Observation,
): State | undefined {
  if (self.knows.includes(who)) return observation === "ok" ? state : undefined;
  const position = self.mailbox.findIndex((message) => message[0] === "introduced" && message[3] === who);
  if (position === -1 || !isSame(observation, self.mailbox[position] as Message)) return undefined;
  return change(state, role, { knows: [...self.knows, who], mailbox: self.mailbox.toSpliced(position, 1) });
}

function receive(
  state: State,
  role: Role,
  self: ProcessState,
  match: Match,
  timeoutMs: number | null,
  observation: Observation,
): State | undefined {
  const position = self.mailbox.findIndex((message) => matches(match, message));
  if (position === -1) return observation === "timeout" && timeoutMs !== null ? state : undefined;
  if (!isSame(observation, self.mailbox[position] as Message)) return undefined;
  return change(state, role, { mailbox: self.mailbox.toSpliced(position, 1) });
}

function link(
  before: State,
  role: Role,
  self: ProcessState,
  to: Role,
  observation: Observation,
  { kernelsMany = false }: ModelOptions,
): State | undefined {
  if (to !== role && !isLive(before, to) && !self.trapping && observation === "noproc") return before;
  if (observation !== "true") return undefined;
  if (to === role || self.links.includes(to)) return before;
  const state = change(before, role, { links: [...self.links, to] });
  if (isLive(before, to)) return send(state, role, to, { kind: "link" });
  if (self.trapping || kernelsMany) return send(state, to, role, { kind: "exit", reason: "noproc", overLink: true });
  return undefined;
}

/**
 * A process that is still linked to one that has ended, whose exit is on its way, may link to it once more: `link` may see
 * the link, or see first that there is no such process.
 */
function linkAgain(program: Program, state: State, role: Role, observation: Observation): State | undefined {
  const { at, stage, trapping, links } = processOf(state, role);
  const instruction = program[role]?.[at];
  if (instruction?.op !== "link" || stage !== "live" || observation !== "true" || !trapping) return undefined;
  const { to } = instruction;
  if (!links.includes(to) || isLive(state, to)) return undefined;
  const message: Message = ["exit", to, "noproc"];
  return sendUnordered(change(state, role, { at: at + 1 }), to, role, { kind: "message", message });
}

function unlink(state: State, role: Role, self: ProcessState, to: Role): State | undefined {
  if (!self.links.includes(to)) return state;
  return send(change(state, role, { links: without(self.links, to) }), role, to, { kind: "unlink" });
}

/** `target` undefined: nobody has the name, and the answer is on its way. Nobody gets a down of itself. */
function monitor(
  state: State,
  role: Role,
  self: ProcessState,
  target: Role | undefined,
  of: Role | Name,
): State | undefined {
  const { at } = self;
  if (target === role) return state;
  const watching = change(state, role, { monitors: [...self.monitors, at] });
  return target === undefined
    ? sendUnordered(watching, role, role, { kind: "down", at, of, reason: "noproc" })
    : send(watching, role, target, { kind: "monitor", at, of });
}

function demonitor(
  state: State,
  role: Role,
  self: ProcessState,
  at: number,
  flush: boolean,
  observation: Observation,
): State | undefined {
  if (observation !== String(self.monitors.includes(at))) return undefined;
  const isItsDown = (message: Message): boolean => message[0] === "down" && message[1] === at;
  return change(state, role, {
    monitors: without(self.monitors, at),
    mailbox: flush ? self.mailbox.filter((message) => !isItsDown(message)) : self.mailbox,
  });
}

function register(state: State, name: Name, who: Role, observation: Observation): State | undefined {
  const mayNot = holderOf(state, name) !== undefined || !isLive(state, who) || nameOf(state, who) !== undefined;
  if (observation === "badarg") return mayNot ? state : undefined;
  return observation === "true" && !mayNot ? { ...state, names: { ...state.names, [name]: who } } : undefined;
}

function sendExit(
  state: State,
  role: Role,
  to: Role,
  reason: Reason,
  { kernelsMany = false }: ModelOptions,
): State | undefined {
  const signal: Signal = { kind: "exit", reason, overLink: false };
  // As a message it may come late, and find that exits are not trapped any more.
  if (to === role && reason !== "kill" && processOf(state, role).trapping) return enqueue(state, role, role, signal);
  return kernelsMany && reason === "kill" && to !== role
    ? sendUnordered(state, role, to, signal)
    : send(state, role, to, signal);
}

function startTimer(state: State, owner: Role, at: number, to: Role | Name, message: Message): State {
  return { ...state, timers: [...state.timers, { owner, at, to, message, fired: false }] };
}

function cancelTimer(
  state: State,
  role: Role,
  { at }: ProcessState,
  timerAt: number,
  observation: Observation,
): State | undefined {
  const index = state.timers.findIndex((timer) => timer.owner === role && timer.at === timerAt);
  const timer = state.timers[index];
  if (timerAt >= at) return undefined;
  if (observation === "true") {
    return timer === undefined || timer.fired ? undefined : { ...state, timers: state.timers.toSpliced(index, 1) };
  }
  if (observation !== "false") return undefined;
  return timer === undefined || timer.fired ? state : setOff(state, index, timer);
}

/** The timer fires; its message is on its way to who has the name now. */
function setOff(state: State, index: number, timer: TimerState): State {
  const to = typeof timer.to === "string" ? holderOf(state, timer.to) : timer.to;
  if (to === undefined) return { ...state, timers: state.timers.toSpliced(index, 1) };
  return { ...state, timers: state.timers.with(index, { ...timer, to, fired: true }) };
}

// --- signals ---

/** To oneself it arrives at once. */
function send(state: State, from: Role, to: Role, signal: Signal): State | undefined {
  return from === to ? receiveSignal(state, from, to, signal) : enqueue(state, from, to, signal);
}

function enqueue(state: State, from: Role, to: Role, signal: Signal): State {
  const row = state.channels[from] as readonly (readonly Signal[])[];
  return {
    ...state,
    channels: state.channels.with(from, row.with(to, [...(row[to] as readonly Signal[]), signal])),
  };
}

function sendUnordered(state: State, from: Role, to: Role, signal: Signal): State {
  return { ...state, notices: [...state.notices, { from, to, signal }] };
}

function notify(state: State, index: number): State | undefined {
  const notice = state.notices[index];
  if (notice === undefined) return undefined;
  const { from, to, signal } = notice;
  return receiveSignal({ ...state, notices: state.notices.toSpliced(index, 1) }, from, to, signal);
}

function deliver(before: State, from: Role, to: Role): State | undefined {
  const channel = channelOf(before, from, to);
  const signal = channel[0];
  if (signal === undefined) return undefined;
  const row = before.channels[from] as readonly (readonly Signal[])[];
  const state = { ...before, channels: before.channels.with(from, row.with(to, channel.slice(1))) };
  return receiveSignal(state, from, to, signal);
}

function receiveSignal(state: State, from: Role, to: Role, signal: Signal): State | undefined {
  const receiver = processOf(state, to);
  if (receiver.stage === "dead") return refuse(state, from, to, signal);
  if (receiver.stage !== "live") return undefined;
  switch (signal.kind) {
    case "message":
      return change(state, to, { mailbox: [...receiver.mailbox, signal.message] });
    case "link":
      return receiver.links.includes(from) ? state : change(state, to, { links: [...receiver.links, from] });
    case "unlink":
      return change(state, to, { links: without(receiver.links, from) });
    case "monitor":
      return change(state, to, { watchers: [...receiver.watchers, { owner: from, at: signal.at, of: signal.of }] });
    case "down":
      return receiveDown(state, to, signal);
    case "exit":
      return receiveExit(state, from, to, signal.reason, signal.overLink);
  }
}

/** Links and monitors learn that nobody is there; the rest vanishes. */
function refuse(state: State, from: Role, to: Role, signal: Signal): State | undefined {
  if (signal.kind === "link") return sendUnordered(state, to, from, { kind: "exit", reason: "noproc", overLink: true });
  if (signal.kind !== "monitor") return state;
  return sendUnordered(state, to, from, { kind: "down", at: signal.at, of: signal.of, reason: "noproc" });
}

function receiveDown(state: State, to: Role, { at, of, reason }: Signal & { readonly kind: "down" }): State {
  const { monitors, mailbox } = processOf(state, to);
  if (!monitors.includes(at)) return state;
  return change(state, to, { monitors: without(monitors, at), mailbox: [...mailbox, ["down", at, of, reason]] });
}

function receiveExit(before: State, from: Role, to: Role, reason: Reason, overLink: boolean): State | undefined {
  const { links, trapping, mailbox } = processOf(before, to);
  if (overLink && !links.includes(from)) return before;
  const state = overLink ? change(before, to, { links: without(links, from) }) : before;
  if (reason === "kill" && !overLink) return die(state, to, "killed");
  if (trapping) return change(state, to, { mailbox: [...mailbox, ["exit", from, reason]] });
  return reason === "normal" && from !== to ? state : die(state, to, reason);
}

function fire(state: State, index: number): State | undefined {
  const timer = state.timers[index];
  if (timer === undefined) return undefined;
  const gone = { ...state, timers: state.timers.toSpliced(index, 1) };
  const to = typeof timer.to === "string" ? holderOf(state, timer.to) : timer.to;
  if (to === undefined || !isLive(state, to)) return gone;
  return change(gone, to, { mailbox: [...processOf(state, to).mailbox, timer.message] });
}

// --- ending ---

function die(state: State, role: Role, reason: Reason): State {
  return change(state, role, { stage: "dying", reason, mailbox: [], monitors: [] });
}

function announce(before: State, role: Role): State | undefined {
  const { stage, links, watchers, reason } = processOf(before, role);
  if (stage !== "dying" || reason === null) return undefined;
  const name = nameOf(before, role);
  let state = change(name === undefined ? before : freeName(before, name), role, {
    stage: "dead",
    links: [],
    watchers: [],
  });
  const tell = (to: Role, signal: Signal): void => {
    state = send(state, role, to, signal) ?? state;
  };
  for (const peer of links) tell(peer, { kind: "exit", reason, overLink: true });
  for (const { owner, at, of } of watchers) tell(owner, { kind: "down", at, of, reason });
  return state;
}

// --- looking and changing ---

/** The process of a role, also before it was spawned. */
export function processOf(state: State, role: Role): ProcessState {
  return state.processes[role] ?? absent;
}

/** What is on its way from one process to another. */
export function channelOf(state: State, from: Role, to: Role): readonly Signal[] {
  return state.channels[from]?.[to] ?? [];
}

/** The name of a process. */
export function nameOf(state: State, role: Role): Name | undefined {
  return (Object.keys(state.names) as Name[]).find((name) => state.names[name] === role);
}

function holderOf(state: State, name: Name): Role | undefined {
  return state.names[name];
}

function isLive(state: State, role: Role): boolean {
  return processOf(state, role).stage === "live";
}

function freeName(state: State, name: Name): State {
  const { [name]: _, ...names } = state.names;
  return { ...state, names };
}

function change(state: State, role: Role, changes: Partial<ProcessState>): State {
  return { ...state, processes: state.processes.with(role, { ...processOf(state, role), ...changes }) };
}

function without<T>(items: readonly T[], item: T): readonly T[] {
  const position = items.indexOf(item);
  return position === -1 ? items : items.toSpliced(position, 1);
}

/** Whether an observation is this message. */
export function isSame(observation: Observation, message: Message): boolean {
  return (
    typeof observation !== "string" &&
    observation.length === message.length &&
    observation.every((part, index) => part === message[index])
  );
}
