/**
 * Serve: the owner's side of contexts: carries out calls, narrows contexts, takes them back.
 *
 *   const services = serve(self, servicesInterface, { restart: async ({ names }) => … });
 *   self.send(worker, { services });
 *
 * The calls are carried out by a process of their own, linked to the owner, so that the owner may be anything: a body that
 * waits in `receive`, a server, a supervisor. It ends with the owner, and then every context of it is dead.
 * Guarantees: a call reaches the implementation only when its context's key allows that endpoint and the input passed its
 * schema; the caller gets only output that passed. What the implementation throws is thrown in the caller and ends nobody.
 * Calls of one caller begin in their order and may overlap. A stream is pulled: the owner makes an item when its consumer wants
 * one, and the stream ends when the consumer leaves or ends.
 * Limits: `callsMax`, `streamsMax`, `grantsMax`.
 * Not here: the caller's side (stub.ts, restrict.ts). Renaming, logging and expiry belong into `Grant`, which stands
 * between every call and the implementation.
 *
 * @module
 */
import { inWords } from "../base/limit.ts";
import { isDown } from "../kernel/message.ts";
import type { AnyPid, Ref } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { Request } from "../kernel/request.ts";
import { UncopyableError } from "../kernel/wire.ts";
import type { Context, ContextReply, ContextRequest, EndpointSummary, Implementation, Restriction } from "./context.ts";
import { ContextError, type ContextErrorCode } from "./error.ts";
import { effects, findEndpoint, type Effect, type Endpoint, type Endpoints, type Interface } from "./interface.ts";
import { check } from "./schema.ts";

/** Calls that one owner carries out at a time. */
export const callsMax = 10_000;
/** Streams that one owner has open at a time. */
export const streamsMax = 1000;
/** Contexts that one owner has handed out and not taken back. */
export const grantsMax = 100_000;

/** Answers the endpoints of `of` until this process ends. Gives the context with all of them. @throws TypeError */
export function serve<E extends Endpoints>(
  self: AnyProcess,
  of: Interface<E>,
  implementation: Implementation<E>,
): Context<E> {
  for (const name of Object.keys(of.endpoints)) {
    const method: unknown = (implementation as Readonly<Record<string, unknown>>)[name];
    if (typeof method === "function") continue;
    throw new TypeError(`the endpoint ${of.name}.${name} is not implemented: it is ${inWords(method)}, not a function`);
  }
  const key = self.kernel.platform.id("context");
  const owner = self.spawnLink(
    (answerer: AnyProcess) => {
      new Owner(answerer, self.pid, of, implementation as Implementation<Endpoints>, key).start();
    },
    { label: `context ${of.name}` },
  );
  return contextOf(of, owner, key, Object.keys(of.endpoints)) as Context<E>;
}

/** What one key allows. */
interface Grant {
  readonly endpoints: ReadonlySet<string>;
  /** The keys of contexts that were made from it. */
  readonly narrower: Set<string>;
}

interface OpenStream {
  readonly consumer: AnyPid;
  readonly monitor: Ref;
  readonly endpoint: Endpoint;
  readonly source: AsyncIterator<unknown>;
}

class Owner {
  readonly #self: AnyProcess;
  readonly #served: AnyPid;
  readonly #interface: Interface;
  readonly #implementation: Implementation<Endpoints>;
  readonly #grants = new Map<string, Grant>();
  readonly #streams = new Map<number, OpenStream>();
  #calls = 0;
  #lastStream = 0;

  constructor(self: AnyProcess, served: AnyPid, of: Interface, implementation: Implementation<Endpoints>, key: string) {
    this.#self = self;
    this.#served = served;
    this.#interface = of;
    this.#implementation = implementation;
    this.#grants.set(key, { endpoints: new Set(Object.keys(of.endpoints)), narrower: new Set() });
  }

  start(): void {
    // The link says nothing when the owner ends with `normal`.
    this.#self.monitor(this.#served);
    this.#self.react((message) => this.#take(message));
  }

  #take(message: unknown): void {
    if (message instanceof Request) {
      this.#answer(message.from, message.body as ContextRequest);
    } else if (isDown(message)) {
      if (message.from === this.#served) this.#self.exit("shutdown");
      for (const [id, stream] of this.#streams) if (stream.monitor === message.ref) this.#leave(id);
    }
  }

  #answer(from: Ref, request: ContextRequest): void {
    try {
      switch (request?.type) {
        case "$call":
          return this.#call(from, request);
        case "$next":
          return this.#next(from, request.stream);
        case "$leave":
          if (this.#streams.get(request.stream)?.consumer === from.owner) this.#leave(request.stream);
          return this.#reply(from, { done: true });
        case "$restrict":
          return this.#reply(from, { context: this.#restrict(request.key, request.restriction) });
        case "$revoke":
          this.#revoke(from.owner, request.key);
          return this.#reply(from, { done: true });
        default:
          refuse("refused", `the owner of a context for ${this.#interface.name} does not know this request`);
      }
    } catch (error) {
      this.#fail(from, error);
    }
  }

  #call(from: Ref, { key, endpoint: name, input }: Extract<ContextRequest, { type: "$call" }>): void {
    const endpoint = this.#allowed(key, name);
    const checked = check(endpoint.input, input);
    if ("problem" in checked) refuse("invalidInput", `${this.#place(name)} does not take this: ${checked.problem}`);
    if (this.#calls >= callsMax)
      refuse("busy", `${callsMax} calls of ${this.#interface.name} are under way; try later`);
    const result = (this.#implementation[name] as (input: unknown) => unknown)(checked.value);
    if (endpoint.stream) return this.#open(from, endpoint, result as AsyncIterable<unknown>);
    this.#calls += 1;
    this.#settle(
      from,
      Promise.resolve(result),
      (value) => ({ value: this.#output(name, endpoint, value) }),
      () => {
        this.#calls -= 1;
      },
    );
  }

  #open(from: Ref, endpoint: Endpoint, items: AsyncIterable<unknown>): void {
    const source = items[Symbol.asyncIterator]();
    if (this.#streams.size >= streamsMax) {
      end(source);
      refuse("busy", `${streamsMax} streams of ${this.#interface.name} are open; try later`);
    }
    this.#lastStream += 1;
    const consumer = from.owner;
    this.#streams.set(this.#lastStream, { consumer, monitor: this.#self.monitor(consumer), endpoint, source });
    this.#reply(from, { stream: this.#lastStream });
  }

  #next(from: Ref, id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.consumer !== from.owner) return this.#reply(from, { done: true });
    const take = (result: IteratorResult<unknown>): ContextReply => {
      if (!this.#streams.has(id)) return { done: true };
      if (result.done !== true) return { item: this.#output(undefined, stream.endpoint, result.value) };
      this.#leave(id);
      return { done: true };
    };
    this.#settle(
      from,
      stream.source.next(),
      take,
      () => {},
      () => this.#leave(id),
    );
  }

  /** Replies with what `work` comes to. */
  #settle<T>(
    from: Ref,
    work: Promise<T>,
    toReply: (value: T) => ContextReply,
    settled: () => void,
    failed: () => void = () => {},
  ): void {
    void work
      .then(toReply)
      .then(
        (reply) => this.#reply(from, reply),
        (error: unknown) => {
          failed();
          this.#fail(from, error);
        },
      )
      .finally(settled);
  }

  #leave(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    this.#self.demonitor(stream.monitor, { flush: true });
    end(stream.source);
  }

  #restrict(key: string, restriction: Restriction): Context {
    const grant = this.#grant(key);
    const names = [...grant.endpoints].filter((name) => this.#passes(name, restriction));
    for (const name of onlyOf(restriction)) {
      if (!grant.endpoints.has(name)) refuse("unknownEndpoint", `${this.#noSuch(name)}, so it cannot be kept`);
    }
    if (this.#grants.size >= grantsMax) {
      refuse("busy", `${grantsMax} contexts of ${this.#interface.name} are handed out; take some of them back first`);
    }
    const narrower = this.#self.kernel.platform.id("context");
    this.#grants.set(narrower, { endpoints: new Set(names), narrower: new Set() });
    grant.narrower.add(narrower);
    return contextOf(this.#interface, this.#self.pid, narrower, names);
  }

  #passes(name: string, restriction: Restriction): boolean {
    const { only } = restriction;
    if (only !== undefined && !onlyOf(restriction).includes(name)) return false;
    const allowed = effectsOf(restriction);
    return (
      allowed === undefined || this.#interface.endpoints[name]!.effects.every((effect) => allowed.includes(effect))
    );
  }

  /** Takes back a context and all that were made from it. */
  #revoke(asker: AnyPid, key: string): void {
    if (asker !== this.#served) refuse("refused", `only the owner of a context can revoke it, not ${asker}`);
    const grant = this.#grant(key);
    this.#grants.delete(key);
    for (const other of this.#grants.values()) other.narrower.delete(key);
    for (const narrower of grant.narrower) if (this.#grants.has(narrower)) this.#revoke(asker, narrower);
  }

  #grant(key: string): Grant {
    return (
      this.#grants.get(key) ?? refuse("revoked", `this context for ${this.#interface.name} was revoked by its owner`)
    );
  }

  #allowed(key: string, name: string): Endpoint {
    const grant = this.#grant(key);
    const endpoint = grant.endpoints.has(name) ? findEndpoint(this.#interface, name) : undefined;
    return endpoint ?? refuse("unknownEndpoint", this.#noSuch(name));
  }

  #output(name: string | undefined, endpoint: Endpoint, value: unknown): unknown {
    const checked = check(endpoint.output, value);
    if ("value" in checked) return checked.value;
    return refuse("invalidOutput", `${this.#place(name)} gave what it must not give: ${checked.problem}`);
  }

  #reply(from: Ref, reply: ContextReply): void {
    // The answerer may have ended while it worked.
    if (this.#self.stage !== "live") return;
    try {
      this.#self.reply(from, reply);
    } catch (error) {
      if (!(error instanceof UncopyableError)) throw error;
      this.#self.reply(
        from,
        refusal("invalidOutput", `the answer of ${this.#interface.name} cannot reach its caller: ${error.message}`),
      );
    }
  }

  #fail(from: Ref, error: unknown): void {
    this.#reply(from, error instanceof ContextError ? refusal(error.code, error.message) : { thrown: error });
  }

  #noSuch(name: string): string {
    return `this context has no endpoint ${JSON.stringify(String(name).slice(0, 64))} of ${this.#interface.name}`;
  }

  #place(name: string | undefined): string {
    return name === undefined ? `a stream of ${this.#interface.name}` : `${this.#interface.name}.${name}`;
  }
}

function contextOf(of: Interface, owner: AnyPid, key: string, names: readonly string[]): Context {
  const endpoints: Record<string, EndpointSummary> = {};
  for (const name of names) {
    const { stream, effects } = of.endpoints[name]!;
    endpoints[name] = { stream, effects };
  }
  return Object.freeze({ type: "$context", interface: of.name, owner, key, endpoints: Object.freeze(endpoints) });
}

/** The restriction comes from anywhere, so each of its parts is looked at. */
function onlyOf({ only }: Restriction): readonly string[] {
  if (only === undefined) return [];
  if (Array.isArray(only) && only.every((name) => typeof name === "string")) return only as readonly string[];
  return refuse("invalidInput", `only is a list of names of endpoints, not ${inWords(only)}`);
}

function effectsOf({ effects: allowed }: Restriction): readonly Effect[] | undefined {
  if (allowed === undefined) return undefined;
  if (Array.isArray(allowed) && allowed.every((effect) => effects.includes(effect as Effect))) return allowed;
  return refuse("invalidInput", `effects is a list of ${effects.join(", ")}`);
}

function refusal(code: ContextErrorCode, message: string): ContextReply {
  return { refused: { code, message } };
}

function refuse(code: ContextErrorCode, message: string): never {
  throw new ContextError(code, message);
}

/** Ends a source of items; what it says to that concerns nobody. */
function end(source: AsyncIterator<unknown>): void {
  void Promise.resolve(source.return?.()).catch(() => {});
}
