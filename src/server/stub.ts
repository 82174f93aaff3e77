/**
 * Stub: a server's methods as its caller sees them, typed by the server's class or handler object alone.
 *
 * `await counter.increment(2)` is a call, `counter.cast.reset()` a cast, `counter.with({ timeoutMs: 100 })` the same stub
 * with another time-out. A stub speaks for the process that made it: its replies and failures are that process's, so
 * another process makes its own from `counter.pid`. It works on every carrier, because all it knows of the server is a
 * type.
 * Guarantees: one request per call, with all that `call` guarantees; `await stub` gives the stub (it has no `then`); names
 * that the server does not offer are refused there (invocation.ts).
 * Unlike OTP, where a module wraps each call in a function by hand.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { Exit, type CallFailed } from "../kernel/exit-reason.ts";
import type { AnyPid } from "../kernel/pid.ts";
import { callTimeoutMsDefault, type AnyProcess, type StartOptions } from "../kernel/process.ts";
import { program, type Program, type ProgramFile } from "../kernel/program.ts";
import { invocation, isMethodName, isRefusal, type ReservedName } from "./invocation.ts";
import {
  cast,
  defineServer,
  type Outcome,
  type ServerFactory,
  type ServerPid,
  type ServerProgram,
  type serves,
} from "./server.ts";
import { timeoutMsOf } from "./within.ts";

/** The names of a server's methods that can be invoked. */
export type MethodName<S> = {
  [K in keyof S]: K extends ReservedName ? never : S[K] extends (...args: never[]) => unknown ? K : never;
}[keyof S] &
  string;

/** What a method's caller gets: what it returns or promises; of an `Outcome`, its reply. */
export type ReplyOf<Result> = Awaited<Result> extends infer R ? (R extends Outcome<infer Reply> ? Reply : R) : never;

/** A server's methods as calls. */
export type Calls<S> = {
  readonly [K in MethodName<S>]: S[K] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<ReplyOf<Result>>
    : never;
};

/** A server's methods as casts. */
export type Casts<S> = {
  readonly [K in MethodName<S>]: S[K] extends (...args: infer Args) => unknown ? (...args: Args) => void : never;
};

/** How calls through a stub wait. */
export interface StubOptions {
  /** Milliseconds until a call fails with `"timeout"`; default 5000, as for `call`. */
  readonly timeoutMs?: Milliseconds;
}

/** What a stub has besides the server's methods. */
export interface StubMembers<S, P> {
  /** The server, to monitor, stop or hand on. For a stub of a name: who has the name now. */
  readonly pid: P;
  /** The same methods as casts: they return at once and never fail. */
  readonly cast: Casts<S>;
  /** The same stub with other options. @throws TypeError, RangeError when they are none. */
  with(options: StubOptions): Stub<S, P>;
}

/**
 * A server of class or handler object `S`, bound to the process that calls. Each call throws Exit with
 * `{ tag: "call", reason, to }`: what `call` says, or `{ tag: "undefinedMethod", method }`.
 */
export type Stub<S, P = ServerPid<S>> = Calls<S> & StubMembers<S, P>;

declare const exported: unique symbol;

/** A program file whose exports are known to the type checker; made by `programOf`. */
export interface TypedProgramFile<Module> extends ProgramFile<unknown> {
  /** Only for the type checker. */
  readonly [exported]?: Module;
}

/**
 * Names a file as a program, with its types:
 * `programOf<typeof import("./counter.ts")>("./counter.ts", import.meta.url)`. The file itself is not imported here.
 * @throws Error when a relative reference has no base.
 */
export function programOf<Module extends { readonly default: unknown }>(
  reference: string,
  base?: string,
): TypedProgramFile<Module> {
  return program(reference, base);
}

/** The class or handler object behind a server program, a pid, a module that exports a program, or itself. */
export type Served<T> = typeof serves extends keyof T
  ? NonNullable<T[typeof serves]>
  : T extends { readonly default: infer Default }
    ? Served<Default>
    : T;

/** What `pid` of a stub gives: the pid it was made of, or who has the name now. */
type PidOf<P> = P extends AnyPid ? P : AnyPid | undefined;

/** What `startStub` can start. */
export type StubProgram<S extends object, Args extends readonly unknown[]> =
  | ServerFactory<Args, S>
  | ServerProgram<S, Args>
  | TypedProgramFile<{ readonly default: ServerProgram<S, Args> }>;

/**
 * Starts a server, as `startServer` does, and returns its stub for this process.
 * @throws StartError as `startServer`; TypeError when `server` is none of these.
 */
export async function startStub<S extends object, Args extends readonly unknown[]>(
  self: AnyProcess,
  server: StubProgram<S, Args>,
  options: StartOptions<Args> = {},
): Promise<Stub<S>> {
  const started = typeof server === "function" ? defineServer(server) : server;
  if (typeof started?.kind !== "string") {
    throw new TypeError(`a stub is of what a function, defineServer or programOf makes, not of ${inWords(started)}`);
  }
  const pid = await self.start(started as Program<unknown, Args>, options);
  return makeStub(self, pid, callTimeoutMsDefault) as Stub<S>;
}

/**
 * A stub of a server that runs. The type comes from the pid, or is named: the type of the server's program, of the module
 * that exports it, or the server's class.
 *
 *   stubOf(self, counter.pid)
 *   stubOf<typeof import("./counter.ts")>(self, pid)
 *   stubOf<Counter>(self, "counter")   // by name: each call goes to whoever has the name then
 */
export function stubOf<T = never, P extends AnyPid | string = AnyPid | string>(
  self: AnyProcess,
  server: P,
): Stub<Served<[T] extends [never] ? P : T>, PidOf<P>> {
  return makeStub(self, server, callTimeoutMsDefault) as Stub<Served<[T] extends [never] ? P : T>, PidOf<P>>;
}

/** What stands behind a stub; a class of its own, so that a stub in a message is refused by its name. */
class ServerStub {
  readonly cast: object;
  readonly with: (options: StubOptions) => object;
  readonly toString: () => string;
  readonly #findPid: () => AnyPid | undefined;

  constructor(self: AnyProcess, server: AnyPid | string, timeoutMs: Milliseconds) {
    this.cast = withMethods({}, (method, args) => cast(self, server, invocation(method, args)));
    this.with = (options) => makeStub(self, server, timeoutMsOf(options, timeoutMs));
    this.toString = () => `stub of ${String(server)}`;
    this.#findPid = () => (typeof server === "string" ? self.whereis(server) : server);
  }

  get pid(): AnyPid | undefined {
    return this.#findPid();
  }
}

function makeStub(self: AnyProcess, server: AnyPid | string, timeoutMs: Milliseconds): object {
  const unwrap = (reply: unknown): unknown => {
    if (!isRefusal(reply)) return reply;
    throw new Exit({ tag: "call", reason: reply.reason, to: String(server) } satisfies CallFailed);
  };
  return withMethods(new ServerStub(self, server, timeoutMs), (method, args) =>
    self.request(server, invocation(method, args), timeoutMs).then(unwrap),
  );
}

/** `target` with a method of every name that a server's method may have. */
function withMethods(target: object, call: (method: string, args: readonly unknown[]) => unknown): object {
  return new Proxy(target, {
    get(own, name) {
      if (typeof name === "symbol" || name in own) return Reflect.get(own, name);
      return isMethodName(name) ? (...args: readonly unknown[]) => call(name, args) : undefined;
    },
    set: () => false,
  });
}
