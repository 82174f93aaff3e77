/**
 * Sys: asking a server or state machine about itself, and halting it, OTP's sys.
 *
 *   const state = await sys.getState(self, "counter");
 *
 * Guarantees: works for pids and names, whatever carrier the server runs on; each function gives its answer, or fails
 * within `timeoutMs` (default 5000) as a call does. A suspended server keeps its messages in order until it is resumed (G27).
 * Unlike OTP: a trace goes to a process or function instead of the terminal, and logs and traces have limits. To a server
 * on another carrier a state can be given as a value only, because functions cannot be copied.
 * Not here: what the server does with it (system.ts), processes that are no servers (introspection).
 *
 * @module
 */
import { assertWhole, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { Pid, type AnyPid } from "../kernel/pid.ts";
import { callTimeoutMsDefault, type AnyProcess } from "../kernel/process.ts";
import {
  logEventsMaxDefault,
  logEventsMaxMax,
  systemType,
  traceEventsMaxDefault,
  type SystemAnswer,
  type SystemEvent,
  type SystemMessage,
  type SystemOperation,
  type SystemRefusal,
  type SystemStatistics,
  type SystemStatus,
  type TraceTarget,
} from "./system.ts";

/** How long an answer may take. */
export interface SysOptions {
  /** Milliseconds; default `callTimeoutMsDefault`. */
  readonly timeoutMs?: Milliseconds;
}

/** How much is kept or told. */
export interface SysEventsOptions extends SysOptions {
  /** Default `logEventsMaxDefault` for a log, `traceEventsMaxDefault` for a trace. */
  readonly eventsMax?: number;
}

/** The server got the message and refused it; it lives on unchanged. */
export class SysError extends Error {
  readonly refusal: SystemRefusal;

  constructor(refusal: SystemRefusal, description: string) {
    super(description);
    this.name = "SysError";
    this.refusal = refusal;
  }
}

/** Halts a server: its messages wait, system messages are still answered (OTP sys:suspend/2). Twice is once. */
export async function suspend(self: AnyProcess, server: AnyPid | string, options?: SysOptions): Promise<void> {
  await ask(self, server, { operation: "suspend" }, options);
}

/** Lets a suspended server go on with what has waited, in order (OTP sys:resume/2). Does nothing to one that runs. */
export async function resume(self: AnyProcess, server: AnyPid | string, options?: SysOptions): Promise<void> {
  await ask(self, server, { operation: "resume" }, options);
}

/**
 * What a server's state is now (OTP sys:get_state/2): its object's own fields, or what its `systemGetState` gives. In this
 * kernel the values in them are the server's own, to be looked at only; from another carrier everything is a copy.
 * @throws SysError `uncopyable` with the place, `callbackFailed`; Exit as `call` does.
 */
export function getState(self: AnyProcess, server: AnyPid | string, options?: SysOptions): Promise<unknown> {
  return ask(self, server, { operation: "getState" }, options);
}

/**
 * Gives a server another state (OTP sys:replace_state/3) and returns it: a function of the old one, or, and for servers on
 * another carrier only that, the state itself.
 * @throws SysError `callbackFailed` when the function threw, `unsupported`, `uncopyable`, and nothing has changed;
 * UncopyableError for a function that would have to cross; Exit as `call` does.
 */
export function replaceState(
  self: AnyProcess,
  server: AnyPid | string,
  change: unknown,
  options?: SysOptions,
): Promise<unknown> {
  return ask(self, server, { operation: "replaceState", change }, options);
}

/** What a server says of itself, its state included (OTP sys:get_status/2). @throws SysError, Exit. */
export async function getStatus(
  self: AnyProcess,
  server: AnyPid | string,
  options?: SysOptions,
): Promise<SystemStatus> {
  return (await ask(self, server, { operation: "getStatus" }, options)) as SystemStatus;
}

/**
 * Switches counting on (from 0) or off, or gives what was counted; undefined when it is off (OTP sys:statistics/3).
 * @throws TypeError when `flag` is none of these.
 */
export async function statistics(
  self: AnyProcess,
  server: AnyPid | string,
  flag: boolean | "get",
  options?: SysOptions,
): Promise<SystemStatistics | undefined> {
  assertFlag("statistics", flag);
  return (await ask(self, server, { operation: "statistics", flag }, options)) as SystemStatistics | undefined;
}

/**
 * Switches a log of the last `eventsMax` events on or off, or gives it, oldest first (OTP sys:log/3).
 * @throws RangeError when `eventsMax` is not a whole number from 1 to `logEventsMaxMax`; TypeError as `statistics`.
 */
export async function log(
  self: AnyProcess,
  server: AnyPid | string,
  flag: boolean | "get",
  options: SysEventsOptions = {},
): Promise<readonly SystemEvent[]> {
  const { eventsMax = logEventsMaxDefault } = options;
  assertFlag("log", flag);
  assertWhole("eventsMax of a log", eventsMax, 1, logEventsMaxMax);
  return (await ask(self, server, { operation: "log", flag, eventsMax }, options)) as readonly SystemEvent[];
}

/**
 * Tells `to` of each event of a server, at most `eventsMax` (OTP sys:trace/3, sys:install/3): a process gets
 * `SystemEventMessage`s. `false` ends it; so do its limit and the end of `to`. A server has one trace; a new one replaces it.
 * @throws RangeError, TypeError when `eventsMax` or `to` make no sense.
 */
export async function trace(
  self: AnyProcess,
  server: AnyPid | string,
  to: TraceTarget | false,
  options: SysEventsOptions = {},
): Promise<void> {
  const { eventsMax = traceEventsMaxDefault } = options;
  assertWhole("eventsMax of a trace", eventsMax, 1);
  if (to !== false && typeof to !== "function" && !(to instanceof Pid)) {
    throw new TypeError(`a trace goes to a pid or a function, or is switched off by false, not ${inWords(to)}`);
  }
  await ask(self, server, { operation: "trace", to, eventsMax }, options);
}

/** Has a server clean up and end with `reason`, suspended or not (OTP sys:terminate/3). Returns before it has ended. */
export async function terminate(
  self: AnyProcess,
  server: AnyPid | string,
  reason: ExitReason,
  options?: SysOptions,
): Promise<void> {
  await ask(self, server, { operation: "terminate", reason }, options);
}

function assertFlag(what: string, flag: unknown): void {
  if (typeof flag === "boolean" || flag === "get") return;
  throw new TypeError(`${what} is switched by true or false, or read by "get", not ${inWords(flag)}`);
}

async function ask(
  self: AnyProcess,
  server: AnyPid | string,
  operation: SystemOperation,
  { timeoutMs = callTimeoutMsDefault }: SysOptions = {},
): Promise<unknown> {
  const message: SystemMessage = { type: systemType, ...operation };
  const answer = (await self.request(server, message, timeoutMs)) as SystemAnswer;
  if (answer.ok) return answer.value;
  throw new SysError(answer.refusal, answer.description);
}
