/**
 * Server subjects: servers whose callbacks do what data tells them, so that a statement can drive them on any carrier, and
 * what a puppet can be ordered to do with servers. Everything that such a server lives through it tells its listener, as
 * `[event, …]`.
 *
 * @module
 */
import {
  call,
  cast,
  Exit,
  goOn,
  ignore,
  noReply,
  reply,
  StartError,
  startServer,
  stop,
  stopServer,
  stopWithReply,
  sys,
  type AnyPid,
  type AnyProcess,
  type ExitReason,
  type Next,
  type Outcome,
  type Pid,
  type Ref,
  type Server,
  type StartOptions,
} from "colos";
import type { Subject } from "./subject.ts";

/** What a callback does; a value is what it returns. */
export type Act =
  | { readonly act: "return"; readonly value: unknown }
  | { readonly act: "get" }
  | { readonly act: "set" | "append"; readonly value: unknown }
  | { readonly act: "tell"; readonly event: unknown }
  | { readonly act: "trapExit" }
  | { readonly act: "throw" | "reject"; readonly error: unknown }
  /** Throws, or rejects with, what the other act returns. */
  | { readonly act: "throwResult" | "rejectResult"; readonly of: Act }
  | { readonly act: "exit"; readonly reason: ExitReason }
  | { readonly act: "noReply" }
  | { readonly act: "ignore" }
  | { readonly act: "reply"; readonly value: unknown }
  | { readonly act: "stop"; readonly reason: ExitReason }
  | { readonly act: "stopWithReply"; readonly reason: ExitReason; readonly value: unknown }
  | { readonly act: "goOn"; readonly next: Next }
  | { readonly act: "sendSelf"; readonly message: unknown }
  /** Tells `["waiting", pid]` and waits for the message `"go"`. */
  | { readonly act: "waitForGo" }
  | { readonly act: "sleep"; readonly durationMs: number }
  /** Why its own call failed. */
  | { readonly act: "call"; readonly to: AnyPid | string }
  /** Has another process answer. */
  | { readonly act: "delegate"; readonly value: unknown }
  /** One after the other; returns what the last one does. A promise only when one of them is. */
  | { readonly act: "all"; readonly acts: readonly Act[] };

/** What a server does in its callbacks; without one it has not got that callback. */
export interface Script {
  readonly listener: AnyPid;
  readonly init?: Act;
  readonly handleContinue?: Act;
  readonly terminate?: Act;
  /** Its constructor throws this. */
  readonly constructorThrows?: unknown;
  /** Has `init` alone. */
  readonly isDeaf?: boolean;
}

/** How a start or a call failed, in a form that crosses. */
export interface Failure {
  readonly failed: ExitReason;
}

/** Its state is one value; calls, casts and messages that are acts it carries out. */
class ScriptedServer implements Server<unknown, unknown, unknown> {
  state: unknown = undefined;
  readonly #self: AnyProcess;
  readonly #script: Script;

  constructor(self: AnyProcess, script: Script) {
    if ("constructorThrows" in script) throw script.constructorThrows;
    this.#self = self;
    this.#script = script;
  }

  init(): unknown {
    return this.#script.init === undefined ? undefined : this.#do(this.#script.init);
  }

  handleCall(request: unknown, from: Ref): unknown {
    return this.#do(request as Act, from);
  }

  handleCast(message: unknown): unknown {
    return this.#do(message as Act);
  }

  handleInfo(message: unknown): unknown {
    if (isAct(message)) return this.#do(message);
    return this.#tell("info", message);
  }

  handleContinue(what: unknown): unknown {
    const { handleContinue } = this.#script;
    if (handleContinue === undefined) return this.#tell("continue", what);
    return this.#do(handleContinue);
  }

  terminate(reason: ExitReason): unknown {
    this.#tell("terminate", reason);
    return this.#script.terminate === undefined ? undefined : this.#do(this.#script.terminate);
  }

  #tell(...event: readonly unknown[]): undefined {
    this.#self.send(this.#script.listener as Pid<unknown>, event);
    return undefined;
  }

  #do(act: Act, from?: Ref): unknown {
    const self = this.#self;
    switch (act.act) {
      case "return":
        return act.value;
      case "get":
        return this.state;
      case "set":
        this.state = act.value;
        return undefined;
      case "append":
        this.state = [...((this.state as readonly unknown[] | undefined) ?? []), act.value];
        return undefined;
      case "tell":
        return this.#tell(act.event);
      case "trapExit":
        self.trapExit(true);
        return undefined;
      case "throw":
        throw act.error;
      case "reject":
        return Promise.reject(act.error as Error);
      case "throwResult":
        throw this.#do(act.of, from);
      case "rejectResult":
        return Promise.reject(this.#do(act.of, from) as Error);
      case "exit":
        return self.exit(act.reason);
      case "noReply":
        return noReply;
      case "ignore":
        return ignore;
      case "reply":
        return reply(act.value);
      case "stop":
        return stop(act.reason);
      case "stopWithReply":
        return stopWithReply(act.reason, act.value);
      case "goOn":
        return goOn(act.next);
      case "sendSelf":
        self.send(self.pid as Pid<unknown>, act.message);
        return undefined;
      case "waitForGo":
        this.#tell("waiting", self.pid);
        return self.receive((message) => message === "go").then(() => undefined);
      case "sleep":
        return self.sleep(act.durationMs);
      case "call":
        return call(self, act.to, { act: "get" }).then(() => "answered", failureOf);
      case "delegate":
        self.spawn((other: AnyProcess) => other.reply(from!, act.value));
        return noReply satisfies Outcome;
      case "all":
        return this.#all(act.acts, from);
    }
  }

  #all([first, ...rest]: readonly Act[], from: Ref | undefined): unknown {
    const result = first === undefined ? undefined : this.#do(first, from);
    if (rest.length === 0) return result;
    return result instanceof Promise ? result.then(() => this.#all(rest, from)) : this.#all(rest, from);
  }
}

function isAct(message: unknown): message is Act {
  return typeof message === "object" && message !== null && "act" in message;
}

/** Starts a server of that script, linked unless told otherwise; a pid, or a `Failure`. */
function startScripted(self: AnyProcess, script: Script, options: StartOptions<[]> = {}): Promise<AnyPid | Failure> {
  const create = (server: AnyProcess): object => (script.isDeaf === true ? {} : new ScriptedServer(server, script));
  return startServer(self, create, options).catch(failureOf);
}

/** For `catch`: only what is a reason. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof StartError || thrown instanceof Exit) return { failed: thrown.reason };
  throw thrown;
}

/** Calls `call` so often, and counts the looks into its mailbox meanwhile. */
async function looksIntoMailbox(self: AnyProcess, server: AnyPid, callsCount: number): Promise<number> {
  const { mailbox } = self;
  let looksCount = 0;
  const find = mailbox!.find.bind(mailbox);
  mailbox!.find = (match) => {
    looksCount += 1;
    return find(match);
  };
  for (let index = 0; index < callsCount; index += 1) await call(self, server, { act: "get" });
  mailbox!.find = find;
  return looksCount;
}

/** What a puppet may be ordered besides. */
export const serverOrders: Readonly<Record<string, Subject>> = {
  /** `[script, options]` */
  startServer: (self, script, options) =>
    startScripted(self, script as Script, options as StartOptions<[]> | undefined),
  /** `[server, request, timeoutMs]`: the reply, or a `Failure`. */
  call: (self, server, request, timeoutMs) =>
    call(self, server as AnyPid, request, timeoutMs as number | undefined).catch(failureOf),
  cast: (self, server, message) => cast(self, server as AnyPid, message),
  /** `[server, reason, timeoutMs]`: undefined, or a `Failure`. */
  stopServer: (self, server, reason, timeoutMs) =>
    stopServer(self, server as AnyPid, reason, timeoutMs as number | undefined).catch(failureOf),
  /** `[messagesCount]`: sends them to itself. */
  fillMailbox: (self, messagesCount) => {
    for (let index = 0; index < (messagesCount as number); index += 1) self.send(self.pid as Pid<unknown>, index);
  },
  /** `[server, callsCount]` */
  looksIntoMailbox: (self, server, callsCount) => looksIntoMailbox(self, server as AnyPid, callsCount as number),
  getState: (self, server) => sys.getState(self, server as AnyPid),
  /** `[server, state]` */
  replaceState: (self, server, state) => sys.replaceState(self, server as AnyPid, state),
};

export const serverSubjects: Readonly<Record<string, Subject>> = {
  /** Calls once it is told to and does not catch; arguments: server, request, timeoutMs. */
  caller: async (self, server, request, timeoutMs) => {
    await self.receive((message) => message === "go");
    await call(self, server as AnyPid, request, timeoutMs as number);
  },
};
