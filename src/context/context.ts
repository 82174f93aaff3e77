/**
 * Context: a reference to endpoints of an interface, which its owner process answers. Who has it can call them; who has it not
 * cannot.
 *
 * Guarantees: it is plain data, so it is handed on in messages and arrives usable on every carrier; what makes it a right is
 * a key that cannot be guessed and that only its owner can check. What it says of itself (`endpoints`) is for its holder's
 * convenience: the owner looks up what the key allows, so a forged list opens nothing.
 * Limits: as with every bearer of rights, who can read it has it; it is not to be written into logs.
 *
 * @module
 */
import type { AnyPid } from "../kernel/pid.ts";
import type { Effect, Endpoint, Endpoints } from "./interface.ts";

declare const endpointsOf: unique symbol;

/** What a holder can know of one endpoint. */
export interface EndpointSummary {
  readonly stream: boolean;
  readonly effects: readonly Effect[];
}

/** A right to call some endpoints. Made by `serve` and `restrict`. */
export interface Context<E extends Endpoints = Endpoints> {
  readonly type: "$context";
  /** The name of the interface. */
  readonly interface: string;
  /** Who answers. */
  readonly owner: AnyPid;
  readonly key: string;
  /** The endpoints that can be called. */
  readonly endpoints: Readonly<Record<string, EndpointSummary>>;
  /** Only for the type checker. */
  readonly [endpointsOf]?: E;
}

/** How `restrict` narrows: what is left must be in all that are given. */
export interface Restriction {
  /** These endpoints. */
  readonly only?: readonly string[];
  /** Endpoints that have no effects but these. */
  readonly effects?: readonly Effect[];
}

/** What a process may hold of an interface: methods with at most one argument. */
export type Stub<E extends Endpoints> = {
  readonly [Name in keyof E]: E[Name] extends Endpoint<infer Input, infer Output, infer Stream>
    ? (...input: InputArguments<Input>) => Stream extends true ? AsyncIterable<Output> : Promise<Output>
    : never;
};

/** What its owner writes. */
export type Implementation<E extends Endpoints> = {
  readonly [Name in keyof E]: E[Name] extends Endpoint<infer Input, infer Output, infer Stream>
    ? (...input: InputArguments<Input>) => Stream extends true ? AsyncIterable<Output> : Output | PromiseLike<Output>
    : never;
};

type InputArguments<Input> = [Input] extends [void] ? [] : [input: Input];

/** @internal What is asked of an owner, each with the key of the context. */
export type ContextRequest =
  | { readonly type: "$call"; readonly key: string; readonly endpoint: string; readonly input: unknown }
  | { readonly type: "$next"; readonly stream: number }
  | { readonly type: "$leave"; readonly stream: number }
  | { readonly type: "$restrict"; readonly key: string; readonly restriction: Restriction }
  | { readonly type: "$revoke"; readonly key: string };

/** @internal What is answered. */
export type ContextReply =
  | { readonly value: unknown }
  | { readonly stream: number }
  | { readonly item: unknown }
  | { readonly done: true }
  | { readonly context: Context }
  /** What the endpoint threw. */
  | { readonly thrown: unknown }
  | { readonly refused: { readonly code: string; readonly message: string } };
