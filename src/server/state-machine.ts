/**
 * State machine: a server whose answer to an event depends on the state it is in, OTP's gen_statem.
 *
 * Guarantees, all checked against OTP 25 (GS in the tests): events are handled one at a time. First those that `nextEvent`
 * inserted, then postponed ones once the state has changed, oldest first, then time-outs of zero, then what arrives. A change
 * of state cancels the state time-out, any event the event time-out; named time-outs run until they are cancelled or set
 * again. A call on entering a state (`stateEnter`) runs before anything else happens there.
 * What an event leads to is said by what its callback returns: `nextState`, `keepState` or `repeatState` with actions in
 * order, `stop`, or nothing, which keeps the state.
 * Unlike OTP: the machine's data are the fields of its object, so that transitions carry only the state; a callback that
 * returns nothing keeps the state; a call waits 5000 ms by default, as for all servers (there for ever); queued and
 * postponed events together have a limit (`eventsMax`). States that are data are compared by value, as `=:=` does.
 * A state machine is an ordinary server: starting, stopping, calls, casts, stubs, supervision are those of server.ts.
 * Not here: hibernation and the change of the callback module.
 *
 * @module
 */
import { assertWhole, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { isThenable } from "../base/thenable.ts";
import { assertFunction } from "../kernel/argument.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { TimeoutMessage } from "../kernel/message.ts";
import { Ref } from "../kernel/pid.ts";
import type { AnyProcess, StartOptions } from "../kernel/process.ts";
import { behaviour, type Behaviour, type Invocation } from "./invocation.ts";
import {
  defineServer,
  goOn,
  noReply,
  Outcome,
  stop,
  type Server,
  type ServerPid,
  type ServerProgram,
  type serves,
} from "./server.ts";
import type { MethodName, ReplyOf } from "./stub.ts";
import { replaceStateOf, stateOf } from "./system.ts";

/** Events that a machine holds, inserted, postponed and due, before it ends with `{ tag: "eventsFull", eventsMax }`. */
export const eventsMaxDefault = 1_000_000;

/** Events handled in one go before other processes get their turn. */
const eventsPerTurn = 64;

// --- types ---

/** The types of a machine, named: `interface DoorTypes { state: "open" | "closed"; methods: Door }`. */
export interface MachineTypes {
  /** A union of literals; with `handleEvent` also plain data. */
  readonly state: unknown;
  /** What callers ask through a stub, as functions: `{ push(code: string): boolean }`. */
  readonly methods?: object;
  /** What they ask without a stub: `call(self, machine, …)`, `cast(self, machine, …)`. */
  readonly call?: unknown;
  readonly cast?: unknown;
  /** Other messages. Default: unknown. */
  readonly info?: unknown;
  /** What the machine tells itself with `nextEvent`. */
  readonly internal?: unknown;
  /** What its time-outs carry. Default: unknown. */
  readonly timeout?: unknown;
}

type Field<Types, Name, Default> = Name extends keyof Types ? Types[Name] : Default;

declare const replies: unique symbol;

/** Where the reply to a call goes; `Reply` is what the caller waits for. */
export type ReplyTo<Reply = unknown> = Ref & {
  /** Only for the type checker. */
  readonly [replies]?: Reply;
};

/** A call or cast through a stub. */
type AskedEvent<Methods> = {
  [K in MethodName<Methods>]: Methods[K] extends (...args: infer Args) => infer Result
    ?
        | {
            readonly type: "call";
            readonly method: K;
            readonly args: Args;
            readonly from: ReplyTo<ReplyOf<Result>>;
            readonly [serves]?: Methods;
          }
        | { readonly type: "cast"; readonly method: K; readonly args: Args; readonly [serves]?: Methods }
    : never;
}[MethodName<Methods>];

type CallEvent<Content> = [Content] extends [never]
  ? never
  : { readonly type: "call"; readonly content: Content; readonly from: ReplyTo };
type ContentEvent<Type extends string, Content> = [Content] extends [never]
  ? never
  : { readonly type: Type; readonly content: Content };

/** What happens to a machine, but entering a state. */
export type OuterEvent<Types extends MachineTypes> =
  | AskedEvent<Field<Types, "methods", object>>
  | CallEvent<Field<Types, "call", never>>
  | ContentEvent<"cast", Field<Types, "cast", never>>
  | ContentEvent<"info", Field<Types, "info", unknown>>
  | ContentEvent<"internal", Field<Types, "internal", never>>
  | ContentEvent<"stateTimeout" | "eventTimeout", Field<Types, "timeout", unknown>>
  | { readonly type: "timeout"; readonly name: string; readonly content: Field<Types, "timeout", unknown> };

/** A state is entered; only with `stateEnter`. At the start, `oldState` is the first state itself. */
export interface EnterEvent<State> {
  readonly type: "enter";
  readonly oldState: State;
}

/** What a callback is called with. */
export type MachineEvent<Types extends MachineTypes> = OuterEvent<Types> | EnterEvent<Types["state"]>;

type Eventual<T> = T | PromiseLike<T>;

/** What a callback may return. */
export type MachineResult<Types extends MachineTypes> = Eventual<
  Transition<Types["state"], OuterEvent<Types>> | Outcome<unknown> | void
>;

/** What every machine may have; all but `init` optional, all may be async. */
export interface MachineCallbacks<Types extends MachineTypes> {
  /** Returns `nextState(first, …actions)`, `stop(reason)` or `ignore`. A throw fails the start. */
  init(): Eventual<Transition<Types["state"], OuterEvent<Types>> | Outcome>;
  /** Whether entering a state is an event (OTP `state_enter`). Default false. */
  readonly stateEnter?: boolean;
  /** Cleans up; `state` is the one in which the machine ends. */
  terminate?(reason: ExitReason, state: Types["state"]): unknown;
  /** The data as `sys.getState` shows them beside the state. Default: the object's own fields. */
  systemGetState?(): unknown;
  /** Makes what `sys.replaceState` was given the data. Default: sets the fields. */
  systemReplaceState?(data: never): void;
  /** What `sys.getStatus` shows in place of `{ state, data }`. */
  formatStatus?(state: Types["state"]): unknown;
}

/** What `sys.getState` gives of a machine, and what `sys.replaceState` takes; without `data` these stay. */
export interface MachineState {
  readonly state: unknown;
  readonly data?: unknown;
}

/** A machine with one callback for all states (OTP `handle_event_function`). */
export interface StateMachine<Types extends MachineTypes> extends MachineCallbacks<Types> {
  handleEvent(event: MachineEvent<Types>, state: Types["state"]): MachineResult<Types>;
}

/** A machine with one method per state, named as the state (OTP `state_functions`). */
export type StateFunctions<Types extends MachineTypes> = MachineCallbacks<Types> & {
  [State in Types["state"] & string]: (event: MachineEvent<Types>) => MachineResult<Types>;
};

/** The names of what may take events. */
type HandlerName<M> = Exclude<keyof M, Exclude<keyof Callbacks, "handleEvent">>;

/** The `methods` of the types of the events that a callback takes. */
type MethodsTaken<Event> = [Extract<Event, { readonly method: unknown }>] extends [never]
  ? never
  : Extract<Event, { readonly method: unknown }> extends { readonly [serves]?: infer Methods }
    ? Methods
    : never;

/** What a stub of machine `M` can call: the `methods` of its types. */
export type MethodsOf<M> = {
  [K in HandlerName<M>]: M[K] extends (event: infer Event, ...rest: never[]) => unknown ? MethodsTaken<Event> : never;
}[HandlerName<M>];

/** Any machine, for functions that take all. */
type AnyMachine = { init(): unknown; readonly stateEnter?: boolean };

// --- what callbacks return ---

/** Any event that `nextEvent` can insert. */
type AnyEvent =
  | { readonly type: "call"; readonly content: unknown; readonly from: Ref }
  | { readonly type: "call"; readonly method: string; readonly args: readonly unknown[]; readonly from: Ref }
  | { readonly type: "cast"; readonly method: string; readonly args: readonly unknown[] }
  | { readonly type: "cast" | "info" | "internal" | "stateTimeout" | "eventTimeout"; readonly content: unknown }
  | { readonly type: "timeout"; readonly name: string; readonly content: unknown };

const eventTypes: ReadonlySet<unknown> = new Set<AnyEvent["type"]>([
  ...(["call", "cast", "info", "internal", "timeout", "stateTimeout", "eventTimeout"] as const),
]);

type Step =
  | { readonly what: "postpone"; readonly wanted: boolean }
  | { readonly what: "insert"; readonly event: AnyEvent }
  | { readonly what: "reply"; readonly to: Ref; readonly value: unknown }
  | { readonly what: "timeout"; readonly key: string; readonly time: TimeoutTime; readonly content: unknown };

/** One thing to do with a transition; made by `postpone`, `nextEvent`, `replyTo` and the time-outs. */
export class Action<out Event = never> {
  /** Only for the type checker. */
  declare readonly inserts?: Event;
  /** @internal */ readonly step: Step;

  /** @internal */
  constructor(step: Step) {
    this.step = step;
  }
}

/** What an event leads to; made by `nextState`, `keepState`, `repeatState` and `stopAndReply`. */
export class Transition<out State = never, out Event = never> {
  /** @internal */ readonly kind: "next" | "keep" | "repeat" | "stop";
  /** The state that comes, or the reason to stop. */
  readonly to: State;
  readonly actions: readonly Action<Event>[];

  /** @internal */
  constructor(kind: Transition["kind"], to: State, actions: readonly Action<Event>[]) {
    this.kind = kind;
    this.to = to;
    this.actions = actions;
  }
}

/** Goes to a state, also the same one (OTP `{next_state, …}`). From `init`: the first state. */
export function nextState<const State, const Event = never>(
  state: State,
  ...actions: readonly Action<Event>[]
): Transition<State, Event> {
  return new Transition("next", state, actions);
}

/** Stays (OTP `keep_state`). */
export function keepState<const Event = never>(...actions: readonly Action<Event>[]): Transition<never, Event> {
  return new Transition<never, Event>("keep", undefined as never, actions);
}

/** Stays and enters the state again; without `stateEnter` the same as `keepState` (OTP `repeat_state`). */
export function repeatState<const Event = never>(...actions: readonly Action<Event>[]): Transition<never, Event> {
  return new Transition<never, Event>("repeat", undefined as never, actions);
}

/** Replies and ends the machine (OTP `stop_and_reply`). */
export function stopAndReply(reason: ExitReason, ...answers: readonly Action[]): Transition {
  return new Transition<never, never>("stop", reason as never, answers);
}

/** The event comes again when the state has changed, before those that are younger; not for entering a state. */
export const postpone: Action = new Action({ what: "postpone", wanted: true });

/** Takes back a `postpone` that stands before it in the same list (OTP `{postpone, false}`). */
export const doNotPostpone: Action = new Action({ what: "postpone", wanted: false });

/**
 * Inserts an event before all that wait (OTP `next_event`); several come in the order of the list.
 * @throws TypeError when it is no event.
 */
export function nextEvent<const Event extends AnyEvent>(event: Event): Action<Event> {
  const type: unknown = (event as AnyEvent | null | undefined)?.type;
  if (!eventTypes.has(type)) {
    throw new TypeError(
      `nextEvent takes { type, … } with a type of ${[...eventTypes].join(", ")}, not ${inWords(type)}`,
    );
  }
  return new Action<Event>({ what: "insert", event });
}

/**
 * Answers a call, of this event or of an earlier one. Sent at once, whatever else the list says.
 * @throws TypeError when `to` is not the `from` of a call.
 */
export function replyTo<Reply>(to: ReplyTo<Reply>, value: NoInfer<Reply>): Action {
  if (!(to instanceof Ref)) throw new TypeError(`replyTo takes the event.from of a call, not ${inWords(to)}`);
  return new Action({ what: "reply", to, value });
}

/**
 * When a time-out is due: in so many milliseconds; at an instant of the platform's monotonic clock; never (`"cancel"` or
 * Infinity); or `"update"`: as it was, with another content, and at once when there was none.
 */
export type TimeoutTime = Milliseconds | { readonly atMs: Milliseconds } | "cancel" | "update";

/** Due unless the state changes before (OTP `state_timeout`). There is one; setting it again replaces it. */
export function stateTimeout(time: TimeoutTime, content?: unknown): Action {
  return new Action({ what: "timeout", key: stateKey, time, content });
}

/** Due unless any event comes before (OTP event time-out). There is one. */
export function eventTimeout(time: TimeoutTime, content?: unknown): Action {
  return new Action({ what: "timeout", key: eventKey, time, content });
}

/** Due whatever happens (OTP generic time-out). There is one of each name. */
export function timeout(name: string, time: TimeoutTime, content?: unknown): Action {
  return new Action({ what: "timeout", key: `${nameKey}${name}`, time, content });
}

const stateKey = "state";
const eventKey = "event";
const nameKey = "name ";

// --- starting ---

/** What a machine may be told besides. */
export interface MachineOptions {
  /** Events queued and postponed at most; default `eventsMaxDefault`. */
  readonly eventsMax?: number;
}

/** Makes a state machine the program of a file, a child, or what `startStub` starts. */
export function defineStateMachine<Args extends readonly unknown[], M extends AnyMachine>(
  create: (self: AnyProcess, ...args: Args) => M,
  options: MachineOptions = {},
): ServerProgram<MethodsOf<M>, Args> {
  const eventsMax = options.eventsMax ?? eventsMaxDefault;
  assertWhole("eventsMax", eventsMax, 1);
  assertFunction("defineStateMachine", create);
  return defineServer<Args, Server<unknown, unknown, unknown>>(
    (self, ...args) => new Machine(self, create(self, ...args), eventsMax),
  ) as unknown as ServerProgram<MethodsOf<M>, Args>;
}

/**
 * Starts a state machine and returns its pid after `init` (OTP gen_statem:start_link/3); entering the first state comes
 * after that, before any event.
 * @throws StartError as `startServer`; with `{ tag: "badReturnFromInit", value }` when `init` gives no state.
 */
export function startStateMachine<Args extends readonly unknown[], M extends AnyMachine>(
  self: AnyProcess,
  create: (self: AnyProcess, ...args: Args) => M,
  options: StartOptions<Args> & MachineOptions = {},
): Promise<ServerPid<MethodsOf<M>>> {
  const { eventsMax = eventsMaxDefault, ...start } = options;
  return self.start(defineStateMachine(create, { eventsMax }), start as StartOptions<Args>);
}

// --- the machine ---

type Enter = { readonly type: "enter"; readonly oldState: unknown };

/** A machine's object, as the machine itself sees it. */
interface Callbacks {
  init(): unknown;
  readonly stateEnter?: boolean;
  handleEvent?(event: AnyEvent | Enter, state: unknown): unknown;
  terminate?(reason: ExitReason, state: unknown): unknown;
  systemGetState?(): unknown;
  systemReplaceState?(data: never): void;
  formatStatus?(state: unknown): unknown;
}

/** A time-out that runs, or, at zero, waits for its turn; travels in its timer's message. */
class MachineTimeout {
  readonly key: string;
  content: unknown;
  /** null at zero. */
  ref: Ref | null = null;

  constructor(key: string, content: unknown) {
    this.key = key;
    this.content = content;
  }

  get event(): AnyEvent {
    const { key, content } = this;
    if (key === stateKey) return { type: "stateTimeout", content };
    if (key === eventKey) return { type: "eventTimeout", content };
    return { type: "timeout", name: key.slice(nameKey.length), content };
  }
}

type TimeoutStep = Extract<Step, { readonly what: "timeout" }>;

/** What the actions of one event ask for, those on entering the state included. */
interface Plan {
  readonly event: AnyEvent | null;
  readonly changed: boolean;
  postponed: boolean;
  readonly inserted: AnyEvent[];
  readonly timeouts: TimeoutStep[];
}

/** Names that are no states. */
const callbackNames: ReadonlySet<unknown> = new Set<keyof Callbacks>([
  ...(["init", "stateEnter", "handleEvent", "terminate"] as const),
  ...(["systemGetState", "systemReplaceState", "formatStatus"] as const),
]);

class Machine implements Server<unknown, unknown, unknown> {
  readonly #self: AnyProcess;
  readonly #machine: Callbacks;
  readonly #eventsMax: number;
  #state: unknown = undefined;
  /** Events to handle before any message, the next one last. */
  readonly #queue: AnyEvent[] = [];
  /** Events to handle in another state, the oldest first. */
  readonly #postponed: AnyEvent[] = [];
  readonly #timeouts = new Map<string, MachineTimeout>();
  /** Time-outs of zero, in the order in which they were set. */
  readonly #due = new Set<MachineTimeout>();

  readonly [behaviour]: Behaviour;

  constructor(self: AnyProcess, machine: object, eventsMax: number) {
    if (typeof (machine as Partial<Callbacks> | null | undefined)?.init !== "function") {
      throw new TypeError(
        `a state machine has an init, which returns nextState(first), and ${inWords(machine)} has none`,
      );
    }
    this.#self = self;
    this.#machine = machine as Callbacks;
    this.#eventsMax = eventsMax;
    this[behaviour] = {
      kind: "stateMachine",
      object: machine,
      invoke: (invocation, from) => this.#invoke(invocation, from),
    };
  }

  // --- what the server's loop calls ---

  init(): unknown {
    return chain(
      attempt(() => this.#machine.init()),
      (result) => {
        if (result instanceof Outcome && result.kind !== "go on") return result;
        if (!(result instanceof Transition) || result.kind !== "next")
          return stop({ tag: "badReturnFromInit", value: result });
        return goOn({ continueWith: result });
      },
    );
  }

  handleContinue(first: unknown): unknown {
    return chain(this.#begin(first as Transition<unknown, AnyEvent>), (outcome) => outcome ?? this.#run());
  }

  handleCall(content: unknown, from: Ref): unknown {
    return chain(this.#handle({ type: "call", content, from }), (outcome) => outcome ?? noReply);
  }

  handleCast(content: unknown): unknown {
    return this.#handle({ type: "cast", content });
  }

  handleInfo(message: unknown): unknown {
    const fired = (message as TimeoutMessage | null | undefined)?.message;
    if (!(fired instanceof MachineTimeout)) return this.#handle({ type: "info", content: message });
    // One that was cancelled after it had fired does not count.
    if (this.#timeouts.get(fired.key) !== fired) return undefined;
    this.#timeouts.delete(fired.key);
    return this.#handle(fired.event);
  }

  #invoke({ method, args }: Invocation, from: Ref | null): unknown {
    if (from === null) return this.#handle({ type: "cast", method, args });
    return chain(this.#handle({ type: "call", method, args, from }), (outcome) => outcome ?? noReply);
  }

  /** OTP's `{State, Data}`. */
  systemGetState(): MachineState {
    const machine = this.#machine;
    // How the machine is called is none of its data.
    const { stateEnter: _, ...data } = stateOf(machine);
    return { state: this.#state, data: machine.systemGetState?.() ?? data };
  }

  /** As in OTP, no transition: nothing is entered, retried or cancelled. */
  systemReplaceState(wanted: MachineState): void {
    if (typeof wanted !== "object" || wanted === null || !("state" in wanted)) {
      throw new TypeError("what replaces the state of a state machine is { state, data }");
    }
    if (wanted.data !== undefined) this.#replaceData(wanted.data);
    this.#state = wanted.state;
  }

  #replaceData(data: unknown): void {
    const machine = this.#machine;
    const kept = Object.hasOwn(machine, "stateEnter") ? { stateEnter: machine.stateEnter } : {};
    if (machine.systemReplaceState !== undefined) machine.systemReplaceState(data as never);
    else replaceStateOf(machine, typeof data === "object" && data !== null ? { ...kept, ...data } : data);
  }

  formatStatus(): unknown {
    return this.#machine.formatStatus?.(this.#state);
  }

  terminate(reason: ExitReason): unknown {
    return this.#machine.terminate?.(reason, this.#state);
  }

  // --- events ---

  #handle(event: AnyEvent): unknown {
    this.#queue.push(event);
    return this.#run();
  }

  /** Handles events until none is left but those in the mailbox; gives an Outcome when the machine is to stop. */
  #run(): unknown {
    for (let count = 0; this.#hasEvents; count += 1) {
      if (count === eventsPerTurn) return this.#runOn(this.#self.yield());
      const outcome = this.#handleNext();
      if (isThenable(outcome)) return this.#runOn(outcome);
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  /** The same, once something is to be waited for: a loop, because promises that wait for each other would pile up. */
  async #runOn(handling: PromiseLike<unknown>): Promise<unknown> {
    let outcome = await handling;
    for (let count = 1; outcome === undefined && this.#hasEvents; count += 1) {
      if (count % eventsPerTurn === 0) await this.#self.yield();
      const next = this.#handleNext();
      outcome = isThenable(next) ? await next : next;
    }
    return outcome;
  }

  /** Whether there are events besides those in the mailbox. */
  get #hasEvents(): boolean {
    return this.#queue.length > 0 || this.#due.size > 0;
  }

  #handleNext(): unknown {
    const event = this.#queue.pop() ?? this.#takeDue();
    this.#cancel(eventKey);
    return chain(
      attempt(() => this.#call(event)),
      (result) => this.#settle(event, result),
    );
  }

  #takeDue(): AnyEvent {
    const due = this.#due.values().next().value as MachineTimeout;
    this.#due.delete(due);
    this.#timeouts.delete(due.key);
    return due.event;
  }

  #call(event: AnyEvent | Enter): unknown {
    const machine = this.#machine;
    const state = this.#state;
    if (machine.handleEvent !== undefined) return machine.handleEvent(event, state);
    const isName = typeof state === "string" && !callbackNames.has(state) && !(state in Object.prototype);
    const stateFunction = isName ? (machine as unknown as Readonly<Record<string, unknown>>)[state] : undefined;
    if (typeof stateFunction !== "function") return stop({ tag: "undefinedState", state });
    return stateFunction.call(machine, event);
  }

  // --- transitions ---

  #begin(first: Transition<unknown, AnyEvent>): unknown {
    this.#state = first.to;
    const plan: Plan = { event: null, changed: false, postponed: false, inserted: [], timeouts: [] };
    const bad = this.#read(first.actions, plan);
    if (bad !== undefined) return bad;
    return this.#machine.stateEnter === true ? this.#enter(first.to, plan) : this.#carryOut(plan);
  }

  /** Does what a callback's result says about its event. */
  #settle(event: AnyEvent, result: unknown): unknown {
    if (result instanceof Outcome) return this.#settleOutcome(event, result);
    const transition = result === undefined ? keepState() : result;
    if (!(transition instanceof Transition)) return stop({ tag: "badReturnFromStateFunction", value: result });
    const { kind, to, actions } = transition as Transition<unknown, AnyEvent>;
    const oldState = this.#state;
    const changed = kind === "next" && !isSame(oldState, to);
    if (kind === "next") this.#state = to;
    const plan: Plan = { event, changed, postponed: false, inserted: [], timeouts: [] };
    const bad = this.#read(actions, plan);
    if (bad !== undefined) return bad;
    if (kind === "stop") return stop(to);
    const enters = this.#machine.stateEnter === true && (changed || kind === "repeat");
    return enters ? this.#enter(oldState, plan) : this.#carryOut(plan);
  }

  /** `reply`, `stop` and `stopWithReply` of other servers mean the same here. */
  #settleOutcome(event: AnyEvent, outcome: Outcome<unknown>): unknown {
    const isKnown = outcome.kind !== "ignore" && Object.keys(outcome.next).length === 0;
    if (!isKnown || (outcome.hasReply && event.type !== "call")) {
      return stop({ tag: "badReturnFromStateFunction", value: outcome });
    }
    if (outcome.hasReply && event.type === "call") this.#self.reply(event.from, outcome.reply);
    return outcome.kind === "stop" ? stop(outcome.reason) : undefined;
  }

  /** Replies at once and notes the rest; gives an Outcome when an action makes no sense. */
  #read(actions: readonly unknown[], plan: Plan, entering = false): Outcome | undefined {
    for (const action of actions) {
      const step = action instanceof Action ? action.step : undefined;
      if (step === undefined || (step.what === "timeout" && !isTime(step.time))) {
        return stop({ tag: "badActionFromStateFunction", action: step ?? action });
      }
      if (entering && (step.what === "postpone" || step.what === "insert")) {
        return stop({ tag: "badStateEnterActionFromStateFunction", action: step });
      }
      if (step.what === "reply") this.#self.reply(step.to, step.value);
      else if (step.what === "timeout") plan.timeouts.push(step);
      else if (step.what === "insert") plan.inserted.push(step.event);
      else plan.postponed = step.wanted;
    }
    return undefined;
  }

  /** Calls the state that is entered; its actions come behind those of the event. */
  #enter(oldState: unknown, plan: Plan): unknown {
    return chain(
      attempt(() => this.#call({ type: "enter", oldState })),
      (result) => {
        if (result instanceof Outcome && result.kind === "stop" && !result.hasReply) return result;
        const entered = (result === undefined ? keepState() : result) as Transition<unknown, AnyEvent>;
        const stays = entered instanceof Transition && (entered.kind !== "next" || isSame(this.#state, entered.to));
        if (!stays) return stop({ tag: "badStateEnterReturnFromStateFunction", value: result });
        const bad = this.#read(entered.actions, plan, true);
        if (bad !== undefined) return bad;
        if (entered.kind === "stop") return stop(entered.to);
        return entered.kind === "repeat" ? this.#enter(oldState, plan) : this.#carryOut(plan);
      },
    );
  }

  /** The order is OTP's: postpone, retry what was postponed, insert, time-outs. */
  #carryOut({ event, changed, postponed, inserted, timeouts }: Plan): unknown {
    if (postponed && event !== null) this.#postponed.push(event);
    if (changed) {
      this.#cancel(stateKey);
      while (this.#postponed.length > 0) this.#queue.push(this.#postponed.pop() as AnyEvent);
    }
    for (let index = inserted.length - 1; index >= 0; index -= 1) this.#queue.push(inserted[index] as AnyEvent);
    for (const { key, time, content } of timeouts) this.#arm(key, time, content);
    const isFull = this.#queue.length + this.#postponed.length > this.#eventsMax;
    return isFull ? stop({ tag: "eventsFull", eventsMax: this.#eventsMax }) : undefined;
  }

  // --- time-outs ---

  #arm(key: string, time: TimeoutTime, content: unknown): void {
    const running = this.#timeouts.get(key);
    if (time === "update" && running !== undefined) {
      running.content = content;
      return;
    }
    this.#cancel(key);
    const delayMs = this.#delayOf(time);
    if (delayMs === Infinity) return;
    const timeout = new MachineTimeout(key, content);
    this.#timeouts.set(key, timeout);
    if (delayMs <= 0) this.#due.add(timeout);
    else timeout.ref = this.#self.startTimer(delayMs, this.#self.pid, timeout);
  }

  #delayOf(time: TimeoutTime): Milliseconds {
    if (time === "cancel") return Infinity;
    if (time === "update") return 0;
    return typeof time === "number" ? time : time.atMs - this.#self.kernel.platform.clock.monotonicMs();
  }

  #cancel(key: string): void {
    const timeout = this.#timeouts.get(key);
    if (timeout === undefined) return;
    this.#timeouts.delete(key);
    this.#due.delete(timeout);
    if (timeout.ref !== null) this.#self.cancelTimer(timeout.ref);
  }
}

function isTime(time: unknown): boolean {
  if (time === "cancel" || time === "update") return true;
  if (typeof time === "number") return time >= 0;
  return typeof time === "object" && time !== null && Number.isFinite((time as { atMs?: unknown }).atMs);
}

/** States are equal by value, as terms are: primitives, and plain objects and arrays of such. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  const prototype: unknown = Object.getPrototypeOf(one);
  const isPlain = prototype === Object.prototype || prototype === Array.prototype || prototype === null;
  if (!isPlain || prototype !== Object.getPrototypeOf(other)) return false;
  const keys = Object.keys(one);
  const [first, second] = [one as Readonly<Record<string, unknown>>, other as Readonly<Record<string, unknown>>];
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(first[key], second[key]))
  );
}

/** Calls a callback; a thrown Transition or Outcome counts as returned, as in OTP. */
function attempt(callback: () => unknown): unknown {
  const caught = (thrown: unknown): unknown => {
    if (thrown instanceof Transition || thrown instanceof Outcome) return thrown;
    throw thrown;
  };
  try {
    const result = callback();
    return isThenable(result) ? result.then(undefined, caught) : result;
  } catch (thrown) {
    return caught(thrown);
  }
}

/** What `proceed` makes of a value, at once when it is there already. */
function chain(value: unknown, proceed: (value: unknown) => unknown): unknown {
  return isThenable(value) ? value.then(proceed) : proceed(value);
}
