/**
 * Interface: a named set of endpoints, and what each of them takes, gives, does and is for.
 *
 * An endpoint is defined once; the TypeScript stub, the command line, HTTP, tools for an AI and CRO text are made from the
 * definition. It says what calls *do* (effects), so that a context can be narrowed by that.
 * Guarantees: a definition that makes no sense is refused when it is made. Names are plain words, never those that every
 * object has (`constructor`, `__proto__` …), and the table of endpoints has no prototype, so a lookup by a name from outside
 * finds an endpoint or nothing.
 * Not here: who answers (serve.ts), who may call (context.ts).
 *
 * @module
 */
import type { Schema } from "./schema.ts";

/** Characters of the name of an interface, an endpoint or a field. */
export const nameCharactersMax = 64;

/** What a call can do to the world. None: it is a computation. */
export type Effect = "read" | "write" | "execute" | "kill" | "network" | "irreversible";

/** All effects, from the mildest. */
export const effects: readonly Effect[] = ["read", "write", "execute", "kill", "network", "irreversible"];

/** One named procedure. */
export interface Endpoint<Input = unknown, Output = unknown, Stream extends boolean = boolean> {
  readonly input: Schema<Input>;
  /** Of a stream: each of its items. */
  readonly output: Schema<Output>;
  readonly effects: readonly Effect[];
  /** One line for people, an imperative without a full stop. */
  readonly help: string;
  /** Whether it answers with a stream of outputs, which ends when either side ends it. */
  readonly stream: Stream;
  /** The field of the input that a command line takes without its name. */
  readonly positional?: string;
  /** Bytes of the input as JSON that a face takes at most; default: the face's own limit. */
  readonly inputBytesMax?: number;
}

/** Endpoints by name. */
export type Endpoints = Readonly<Record<string, Endpoint>>;

/** The endpoints that carry the methods of `M`: at most one argument, a promise or an async iterable as the answer. */
export type EndpointsOf<M> = {
  readonly [K in keyof M]: M[K] extends (...args: infer Args) => infer Answer
    ? Answer extends Promise<infer Output>
      ? Endpoint<ArgumentOf<Args>, Output, false>
      : Answer extends AsyncIterable<infer Item>
        ? Endpoint<ArgumentOf<Args>, Item, true>
        : never
    : never;
};

type ArgumentOf<Args extends readonly unknown[]> = Args extends readonly [] ? void : Args[0];

/** A named set of endpoints. */
export interface Interface<E extends Endpoints = Endpoints> {
  readonly name: string;
  /** Has no prototype. */
  readonly endpoints: E;
}

/** What an endpoint is made of. */
export interface EndpointOptions<Input, Output> {
  readonly input: Schema<Input>;
  readonly output: Schema<Output>;
  readonly effects: readonly Effect[];
  readonly help: string;
  readonly positional?: Extract<keyof Exclude<Input, undefined>, string>;
  readonly inputBytesMax?: number;
}

/** An endpoint that answers once. @throws TypeError when the definition makes no sense */
export function endpoint<Input, Output>(options: EndpointOptions<Input, Output>): Endpoint<Input, Output, false> {
  return define(options, false);
}

/** An endpoint that answers with a stream. @throws TypeError when the definition makes no sense */
export function streamEndpoint<Input, Output>(options: EndpointOptions<Input, Output>): Endpoint<Input, Output, true> {
  return define(options, true);
}

/** A named set of endpoints. @throws TypeError when a name cannot be one */
export function defineInterface<E extends Endpoints>(name: string, endpoints: E): Interface<E> {
  assertName("an interface", name);
  const table = Object.create(null) as Record<string, Endpoint>;
  for (const [key, value] of Object.entries(endpoints)) {
    assertName(`an endpoint of ${name}`, key);
    table[key] = value;
  }
  return Object.freeze({ name, endpoints: Object.freeze(table) as E });
}

/** The endpoint of that name; undefined when there is none. */
export function findEndpoint(of: Interface, name: string): Endpoint | undefined {
  return Object.hasOwn(of.endpoints, name) ? (of.endpoints[name] as Endpoint) : undefined;
}

/** Whether a call does nothing but look. */
export function isReading({ effects }: Pick<Endpoint, "effects">): boolean {
  return effects.every((effect) => effect === "read");
}

/** Whether a text can be the name of an interface or an endpoint. */
export function isName(name: unknown): name is string {
  if (typeof name !== "string" || name.length > nameCharactersMax) return false;
  // `then` would make a stub look like a promise.
  return /^[a-z][A-Za-z0-9]*$/.test(name) && !(name in Object.prototype) && name !== "then";
}

function define<Input, Output, Stream extends boolean>(
  options: EndpointOptions<Input, Output>,
  stream: Stream,
): Endpoint<Input, Output, Stream> {
  const { help } = options;
  if (help === "" || help.includes("\n"))
    throw new TypeError(`the help of an endpoint is one line, not ${inJson(help)}`);
  const unknown = options.effects.find((effect) => !effects.includes(effect));
  if (unknown !== undefined) throw new TypeError(`${inJson(unknown)} is no effect; effects are ${effects.join(", ")}`);
  return Object.freeze({ ...options, effects: Object.freeze([...options.effects]), stream });
}

function assertName(what: string, name: string): void {
  if (isName(name)) return;
  throw new TypeError(
    `${inJson(name)} cannot be the name of ${what}: names are letters and digits, begin with a small letter, ` +
      `have at most ${nameCharactersMax} characters and are not what every object has`,
  );
}

function inJson(text: string): string {
  return JSON.stringify(text);
}
