/**
 * Puppet, as it runs on its carrier: a process that does what its driver orders, one thing after the other, with its own
 * `self`. Between orders it waits in `receive` and leaves every other message in its mailbox.
 *
 * @module
 */
import { Request, timedOut, type AnyProcess } from "colos";
import { deeds } from "./deeds.ts";
import { serverOrders } from "./server-subjects.ts";
import { supervisorOrders } from "./supervisor-subjects.ts";

/** Something to do; the reply is an `Outcome`. */
export interface Order {
  readonly type: "order";
  /** A method of `Process`, one of `more` below or of deeds.ts, one of `Leave`, or `steps`. */
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

/** One of several things to do without a pause: a name and its arguments. Results are kept as `"0"`, `"1"`, … */
export type Step = readonly [name: string, ...args: readonly unknown[]];

/**
 * As `receive`'s first argument: accepts messages that have these fields, or are this value, or fit one of `anyOf`;
 * undefined accepts all.
 */
export type Pattern = unknown;

/** How a puppet ends itself, with what its order was given. */
class Leave {
  readonly how: string;
  readonly value: unknown;

  constructor(how: string, value: unknown) {
    this.how = how;
    this.value = value;
  }
}

const leaves: ReadonlySet<string> = new Set(["return", "throw", "exitUncaught"]);

/** Obeys until it is ended. Arguments: none. */
export async function puppet(self: AnyProcess): Promise<void> {
  const kept = new Map<string, unknown>();
  for (;;) {
    const { from, body } = (await self.receive(isOrder)) as Request & { readonly body: Order };
    try {
      self.reply(from, await perform(self, body, kept));
    } catch (left) {
      if (!(left instanceof Leave)) throw left;
      if (left.how === "return") return;
      if (left.how === "throw") throw left.value;
      self.exit(left.value);
    }
  }
}

async function perform(self: AnyProcess, order: Order, kept: Map<string, unknown>): Promise<Outcome> {
  try {
    const value: unknown = order.name === "steps" ? takeSteps(self, order.args, kept) : await act(self, order, kept);
    if (order.keepAs !== undefined) kept.set(order.keepAs, value);
    return value === timedOut ? { type: "timedOut" } : { type: "result", value };
  } catch (error) {
    if (error instanceof Leave) throw error;
    return { type: "thrown", error };
  }
}

function act(self: AnyProcess, order: Pick<Order, "name" | "args">, kept: ReadonlyMap<string, unknown>): unknown {
  if (leaves.has(order.name)) throw new Leave(order.name, order.args[0]);
  const args = order.args.map((arg) => (isKept(arg) ? kept.get(arg.name) : arg));
  const own = more[order.name] ?? deeds[order.name];
  if (own !== undefined) return own(self, ...args);
  return Reflect.apply(Reflect.get(self, order.name) as (...args: readonly unknown[]) => unknown, self, args);
}

/** Nothing is awaited, so that nothing else happens in between. */
function takeSteps(self: AnyProcess, steps: readonly unknown[], kept: Map<string, unknown>): unknown[] {
  return (steps as readonly Step[]).map(([name, ...args], index) => {
    const value = act(self, { name, args }, kept);
    kept.set(String(index), value);
    return value;
  });
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
  if (typeof pattern !== "object" || pattern === null) return false;
  const { anyOf } = pattern as { readonly anyOf?: readonly Pattern[] };
  if (anyOf !== undefined) return anyOf.some((one) => matches(one, message));
  if (typeof message !== "object" || message === null) return false;
  return Object.entries(pattern).every(([key, value]) =>
    Object.is(value, (message as Readonly<Record<string, unknown>>)[key]),
  );
}
