/**
 * Invocation: the call or cast of a server's method by name, as typed stubs send it.
 *
 * Guarantees: only what the author of the server wrote as its public interface can be invoked: methods of its class (and
 * of the classes that it extends) or, when the server is an object literal, its own functions. Never: callbacks (`init`,
 * `terminate` …), names that begin with `_`, what every object has (`toString`, `constructor`, `__proto__` …), getters,
 * functions that a class instance merely holds in a field (the type checker takes those for methods), and the names that a stub needs for itself. `#private` methods
 * are out of reach by nature; TypeScript's `private` binds the type checker alone.
 * Unlike OTP: a name that cannot be invoked does not crash the server (function_clause there): names arrive from other
 * carriers, and whoever sends a wrong one must not be able to end the server for all. A call fails in the caller with
 * `{ tag: "undefinedMethod", method }`, a cast is logged and dropped.
 * Not here: stubs (stub.ts), what becomes of a result (server.ts).
 *
 * @module
 */
import { Exit, type ExitReason, type Tagged } from "../kernel/exit-reason.ts";
import type { Ref } from "../kernel/pid.ts";

/** A method by name with its arguments: the body of a request or of a cast. */
export interface Invocation {
  readonly type: "$invoke";
  readonly method: string;
  readonly args: readonly unknown[];
}

/** @internal What `cast` sends. */
export const castType = "$cast";

/** @internal A cast on its way: of a method by name when `message` is an `Invocation`. */
export interface CastMessage {
  readonly type: typeof castType;
  readonly message: unknown;
}

/** Why a call by name failed: the server has no public method of that name. */
export interface UndefinedMethod extends Tagged<"undefinedMethod"> {
  readonly method: string;
}

/** A call by name that was not carried out; the stub throws its reason in the caller. */
interface Refusal {
  readonly type: "$refused";
  readonly reason: ExitReason;
}

/** What can never be invoked: callbacks of servers and state machines, and members of stubs. */
export type ReservedName =
  | "init"
  | "handleCall"
  | "handleCast"
  | "handleInfo"
  | "handleContinue"
  | "handleEvent"
  | "terminate"
  | "codeChange"
  | "formatStatus"
  | "systemGetState"
  | "systemReplaceState"
  | "cast"
  | "with"
  | "pid"
  | "then"
  | "toJSON"
  | "constructor"
  | "toString"
  | "toLocaleString"
  | "valueOf"
  | "hasOwnProperty"
  | "isPrototypeOf"
  | "propertyIsEnumerable"
  | `_${string}`;

const reserved: ReadonlySet<string> = new Set<ReservedName>([
  "init",
  "handleCall",
  "handleCast",
  "handleInfo",
  "handleContinue",
  "handleEvent",
  "terminate",
  "codeChange",
  "formatStatus",
  "systemGetState",
  "systemReplaceState",
  "cast",
  "with",
  "pid",
  "then",
  "toJSON",
]);

/** @internal Where a server has its `Behaviour`. */
export const behaviour: unique symbol = Symbol("colos.behaviour") as never;

/** @internal What a server is that carries out another behaviour, such as a state machine, for somebody else's object. */
export interface Behaviour {
  /** For `sys.getStatus`. */
  readonly kind: string;
  readonly object: object;
  /** Gets every call or cast by name; `from` is null for a cast. */
  invoke(invocation: Invocation, from: Ref | null): unknown;
}

/** @internal */
export function invocation(method: string, args: readonly unknown[]): Invocation {
  return { type: "$invoke", method, args };
}

/** Whether a message asks for a method by name; looks at each field, because it may come from anywhere. */
export function isInvocation(message: unknown): message is Invocation {
  if (typeof message !== "object" || message === null) return false;
  const { type, method, args } = message as Partial<Invocation>;
  return type === "$invoke" && typeof method === "string" && Array.isArray(args);
}

/** @internal */
export function undefinedMethod(method: string): Refusal {
  return { type: "$refused", reason: { tag: "undefinedMethod", method } satisfies UndefinedMethod };
}

/** @internal The reason when a reply says that nothing was invoked. */
export function isRefusal(reply: unknown): reply is Refusal {
  return typeof reply === "object" && reply !== null && (reply as { type?: unknown }).type === "$refused";
}

/** Whether a name may belong to a public method at all. */
export function isMethodName(name: string): boolean {
  return !(name.startsWith("_") || name in Object.prototype || reserved.has(name));
}

/** @internal A server's public method of that name; see the module's guarantees. */
export function findMethod(server: object, name: string): ((...args: readonly unknown[]) => unknown) | undefined {
  if (!isMethodName(name)) return undefined;
  const parent: unknown = Object.getPrototypeOf(server);
  let holder = parent === null || parent === Object.prototype ? server : (parent as object);
  while (holder !== null && holder !== Object.prototype) {
    // By descriptor, because reading the property could run a getter.
    const found = Object.getOwnPropertyDescriptor(holder, name);
    if (found !== undefined) return typeof found.value === "function" ? found.value : undefined;
    holder = Object.getPrototypeOf(holder) as object;
  }
  return undefined;
}

let invokedFrom: Ref | null = null;

/**
 * Who called the method that runs, for an answer that comes later: keep it, return `noReply`, and `self.reply(from, value)`
 * once there is one (OTP's `From`). Ask before the method's first `await`.
 * @throws Exit `noCall` outside a method, and in one that was cast.
 */
export function currentCall(): Ref {
  if (invokedFrom === null) throw new Exit({ tag: "noCall" });
  return invokedFrom;
}

/** @internal Runs a method such that it can ask for its `currentCall`. */
export function invoke(
  from: Ref | null,
  server: object,
  method: (...args: readonly unknown[]) => unknown,
  args: readonly unknown[],
): unknown {
  // A method may ask an idle server, which then runs on this stack.
  const outer = invokedFrom;
  invokedFrom = from;
  try {
    return method.apply(server, args as unknown[]);
  } finally {
    invokedFrom = outer;
  }
}
