/**
 * Stub: the endpoints of a context as methods, for the process that made the stub; and what a holder can do with a context.
 *
 *   const services = stub(self, context);
 *   await services.restart({ names: ["web"] });
 *   for await (const event of system.events()) …
 *   const readOnly = await restrict(self, context, { effects: ["read"] });
 *
 * Guarantees: a failure is a `ContextError` with a sentence, or what the endpoint threw. A stub has the context's endpoints and
 * nothing else (no prototype), so `await stub` gives the stub. Leaving a stream ends it at its owner.
 * Unlike a stub of a server (server/stub.ts), which can reach every method of a server whose pid is known.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { Exit, isTagged } from "../kernel/exit-reason.ts";
import { Pid } from "../kernel/pid.ts";
import { callTimeoutMsDefault, type AnyProcess } from "../kernel/process.ts";
import type { Context, ContextReply, ContextRequest, Restriction, Stub } from "./context.ts";
import { ContextError, type ContextErrorCode } from "./error.ts";
import { isName, type Endpoints } from "./interface.ts";

/** How calls wait. */
export interface StubOptions {
  /** Until a call fails with `timeout`; default 5000, Infinity waits for ever. Items of a stream are waited for without an end. */
  readonly timeoutMs?: Milliseconds;
}

/** The endpoints of `context` as methods of this process. @throws TypeError when it is none */
export function stub<E extends Endpoints>(self: AnyProcess, context: Context<E>, options: StubOptions = {}): Stub<E> {
  assertContext(context);
  const { timeoutMs = callTimeoutMsDefault } = options;
  const methods = Object.create(null) as Record<string, (input?: unknown) => unknown>;
  for (const [name, { stream }] of Object.entries(context.endpoints)) {
    if (!isName(name)) continue;
    const call = (input: unknown): ContextRequest => ({ type: "$call", key: context.key, endpoint: name, input });
    methods[name] = stream
      ? (input) => ({ [Symbol.asyncIterator]: () => new Items(self, context, call(input), timeoutMs) })
      : async (input) => ((await ask(self, context, call(input), timeoutMs)) as { readonly value: unknown }).value;
  }
  return Object.freeze(methods) as Stub<E>;
}

/** A context with fewer endpoints, which can only be narrowed further. @throws TypeError, ContextError */
export async function restrict<E extends Endpoints, const Name extends keyof E & string = keyof E & string>(
  self: AnyProcess,
  context: Context<E>,
  restriction: Restriction & { readonly only?: readonly Name[] },
): Promise<Context<Pick<E, Name>>> {
  assertContext(context);
  const request = { type: "$restrict", key: context.key, restriction } as const;
  const { context: narrower } = (await ask(self, context, request)) as { readonly context: Context };
  return narrower as Context<Pick<E, Name>>;
}

/** Takes back a context that this process serves, and all that were made from it. @throws TypeError, ContextError */
export async function revoke(self: AnyProcess, context: Context): Promise<void> {
  assertContext(context);
  await ask(self, context, { type: "$revoke", key: context.key });
}

/** Whether a value, such as a message, is a context. */
export function isContext(value: unknown): value is Context {
  if (typeof value !== "object" || value === null) return false;
  const { type, owner, key, endpoints } = value as Partial<Context>;
  const isWhole = type === "$context" && owner instanceof Pid && typeof key === "string";
  return isWhole && typeof endpoints === "object" && endpoints !== null;
}

/** The items of a stream, pulled one by one. */
class Items implements AsyncIterator<unknown> {
  readonly #self: AnyProcess;
  readonly #context: Context;
  readonly #opened: Promise<number>;
  #isOver = false;

  constructor(self: AnyProcess, context: Context, call: ContextRequest, timeoutMs: Milliseconds) {
    this.#self = self;
    this.#context = context;
    this.#opened = ask(self, context, call, timeoutMs).then((reply) => (reply as { readonly stream: number }).stream);
    // Whoever asks for the first item hears of it.
    this.#opened.catch(() => {});
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#isOver) return { value: undefined, done: true };
    try {
      const request = { type: "$next", stream: await this.#opened } as const;
      const reply = await ask(this.#self, this.#context, request, Infinity);
      if ("item" in reply) return { value: reply.item, done: false };
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
    this.#isOver = true;
    return { value: undefined, done: true };
  }

  async return(): Promise<IteratorResult<unknown>> {
    const id = this.#isOver ? undefined : await this.#opened.catch(() => undefined);
    this.#isOver = true;
    if (id !== undefined) await ask(this.#self, this.#context, { type: "$leave", stream: id }).catch(() => {});
    return { value: undefined, done: true };
  }
}

async function ask(
  self: AnyProcess,
  context: Context,
  request: ContextRequest,
  timeoutMs: Milliseconds = callTimeoutMsDefault,
): Promise<ContextReply> {
  let reply: ContextReply;
  try {
    reply = (await self.request(context.owner, request, timeoutMs)) as ContextReply;
  } catch (error) {
    throw failureOf(error, context, timeoutMs);
  }
  if ("thrown" in reply) throw reply.thrown;
  if ("refused" in reply) throw new ContextError(reply.refused.code as ContextErrorCode, reply.refused.message);
  return reply;
}

/** What a failed request means; what cannot be copied stays the kernel's own error, which names the place. */
function failureOf(error: unknown, context: Context, timeoutMs: Milliseconds): unknown {
  if (!(error instanceof Exit) || !isTagged(error.reason, "call")) return error;
  if (error.reason["reason"] === "timeout") {
    return new ContextError("timeout", `the owner of ${context.interface} did not answer within ${timeoutMs} ms`);
  }
  return new ContextError("ownerGone", `the owner of this context for ${context.interface} is gone: ${error.message}`);
}

function assertContext(context: unknown): asserts context is Context {
  if (!isContext(context)) throw new TypeError(`a context is what serve and restrict make, not ${inWords(context)}`);
}
