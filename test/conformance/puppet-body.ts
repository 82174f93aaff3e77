/**
 * Puppet, as it runs on its carrier: a process that does what its driver orders, one thing after the other, with its own
 * `self`. Between orders it waits in `receive` and leaves every other message in its mailbox.
 *
 * @module
 */
import { Request, timedOut, type AnyProcess } from "colos";
import { serverOrders } from "./server-subjects.ts";
import { supervisorOrders } from "./supervisor-subjects.ts";

/** Something to do; the reply is an `Outcome`. */
export interface Order {
  readonly type: "order";
  /** A method of `Process`, or one of `more` below. */
  readonly name: string;
  readonly args: readonly unknown[];
  /** Keeps the result under this name, for `kept`: refs of timers and ended monitors lose their identity on the way. */
  readonly keepAs: string | undefined;
}

/** What came of an order. */
export type Outcome =
  | { readonly type: "result"; readonly value: unknown }
  | { readonly type: "timedOut" }
  | { readonly type: "thrown"; readonly error: unknown };

/** Stands for a result that the puppet kept. */
export interface Kept {
  readonly type: "kept";
  readonly name: string;
}

/** As `receive`'s first argument: accepts messages that have these fields, or are this value; undefined accepts all. */
export type Pattern = unknown;

/** Obeys until it is ended. Arguments: none. */
export async function puppet(self: AnyProcess): Promise<void> {
  const kept = new Map<string, unknown>();
  for (;;) {
    const { from, body } = (await self.receive(isOrder)) as Request & { readonly body: Order };
    if (body.name === "return") return;
    if (body.name === "throw") throw body.args[0];
    if (body.name === "exitUncaught") self.exit(body.args[0]);
    const args = body.args.map((arg) => (isKept(arg) ? kept.get(arg.name) : arg));
    self.reply(from, await perform(self, body, args, kept));
  }
}

async function perform(
  self: AnyProcess,
  order: Order,
  args: readonly unknown[],
  kept: Map<string, unknown>,
): Promise<Outcome> {
  try {
    const method = more[order.name] ?? (Reflect.get(self, order.name) as (...args: readonly unknown[]) => unknown);
    const value: unknown =
      order.name in more ? await method(self, ...args) : await Reflect.apply(method, self, [...args]);
    if (order.keepAs !== undefined) kept.set(order.keepAs, value);
    return value === timedOut ? { type: "timedOut" } : { type: "result", value };
  } catch (error) {
    return { type: "thrown", error };
  }
}

/** What a driver may order besides the methods of `Process`. */
const more: Readonly<Record<string, (...args: readonly unknown[]) => unknown>> = {
  /** `[pattern, timeoutMs]`: the first message that matches, orders never. */
  receive: (self, pattern, timeoutMs) =>
    (self as AnyProcess).receive((message: unknown) => !isOrder(message) && matches(pattern, message), {
      timeoutMs: (timeoutMs as number | undefined) ?? Infinity,
    }),
  /** All messages that are there, in order; they are taken. */
  mailbox: async (self) => {
    const messages: unknown[] = [];
    for (;;) {
      const message: unknown = await (self as AnyProcess).receive((m: unknown) => !isOrder(m), { timeoutMs: 0 });
      if (message === timedOut) return messages;
      messages.push(message);
    }
  },
  /** Gives its argument back, such as something kept. */
  give: (_self, value) => value,
  /** Spawns another puppet in the same kernel; `[options]`. */
  spawnPuppet: (self, options) => (self as AnyProcess).spawn(puppet, (options as object | undefined) ?? {}),
  spawnLinkPuppet: (self, options) => (self as AnyProcess).spawnLink(puppet, (options as object | undefined) ?? {}),
  spawnMonitorPuppet: (self, options) =>
    (self as AnyProcess).spawnMonitor(puppet, (options as object | undefined) ?? {}),
  ...(serverOrders as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>),
  ...(supervisorOrders as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>),
};

function isOrder(message: unknown): boolean {
  return message instanceof Request && (message.body as Partial<Order> | null)?.type === "order";
}

function isKept(arg: unknown): arg is Kept {
  return typeof arg === "object" && arg !== null && (arg as Partial<Kept>).type === "kept";
}

/** Whether `message` is `pattern`, or has all its fields. */
export function matches(pattern: Pattern, message: unknown): boolean {
  if (pattern === undefined || Object.is(pattern, message)) return true;
  if (typeof pattern !== "object" || pattern === null || typeof message !== "object" || message === null) return false;
  return Object.entries(pattern).every(([key, value]) =>
    Object.is(value, (message as Readonly<Record<string, unknown>>)[key]),
  );
}
