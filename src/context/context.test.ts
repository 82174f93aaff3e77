/** Contexts: who has one can call its endpoints and nothing else, in this kernel and in others. */
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { pair } from "../testing/tied-worlds.ts";
import { deferred, idle, World } from "../testing/world.ts";
import type { Pid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import type { Context, Implementation, Restriction, Stub } from "./context.ts";
import { ContextError } from "./error.ts";
import { defineInterface, effects, endpoint, streamEndpoint, type Effect, type Endpoints } from "./interface.ts";
import { nothing } from "./schema.ts";
import { callsMax, serve, streamsMax } from "./serve.ts";
import { isContext, restrict, revoke, stub } from "./stub.ts";

const counters = defineInterface("counters", {
  get: endpoint({
    input: v.object({ name: v.string() }),
    output: v.number(),
    effects: ["read"],
    help: "Show a counter",
  }),
  add: endpoint({
    input: v.object({ name: v.string(), by: v.pipe(v.number(), v.integer("is not whole")) }),
    output: v.number(),
    effects: ["write"],
    help: "Add to a counter",
  }),
  drop: endpoint({ input: nothing, output: nothing, effects: ["write", "irreversible"], help: "Forget all counters" }),
  count: streamEndpoint({ input: nothing, output: v.number(), effects: ["read"], help: "Count from 1" }),
});
type Counters = (typeof counters)["endpoints"];

/** An implementation that notes what reaches it. */
function implementation(
  overrides: Partial<Implementation<Counters>> = {},
): Implementation<Counters> & { readonly calls: string[] } {
  const values = new Map<string, number>();
  const calls: string[] = [];
  return {
    calls,
    get: ({ name }) => {
      calls.push("get");
      return values.get(name) ?? 0;
    },
    add: async ({ name, by }) => {
      calls.push("add");
      values.set(name, (values.get(name) ?? 0) + by);
      return values.get(name)!;
    },
    drop: () => {
      calls.push("drop");
      values.clear();
    },
    async *count() {
      calls.push("count");
      for (let number = 1; ; number += 1) yield number;
    },
    ...overrides,
  };
}

/** Runs what a promise needs, in virtual time. */
async function outcome<T>(world: World, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  await world.settle();
  return work;
}

async function failureOf(world: World, work: Promise<unknown>): Promise<ContextError> {
  const error = await outcome(world, work).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ContextError);
  return error as ContextError;
}

function counting(overrides: Partial<Implementation<Counters>> = {}): {
  readonly world: World;
  readonly context: Context<Counters>;
  readonly counter: Stub<Counters>;
  readonly calls: string[];
} {
  const world = new World();
  const own = implementation(overrides);
  const context = serve(world.self, counters, own);
  return { world, context, counter: stub(world.self, context), calls: own.calls };
}

describe("context: calls", () => {
  test("an endpoint answers, at once or later", async () => {
    const { world, counter } = counting();

    expect(await outcome(world, counter.add({ name: "a", by: 2 }))).toBe(2);
    expect(await outcome(world, counter.get({ name: "a" }))).toBe(2);
    expect(await outcome(world, counter.drop())).toBeUndefined();
  });

  test("wrong input never reaches the owner", async () => {
    const { world, counter, calls } = counting();

    const error = await failureOf(world, counter.add({ name: "a", by: 0.5 }));

    expect([error.code, error.message]).toEqual(["invalidInput", "counters.add does not take this: by: is not whole"]);
    expect(calls).toEqual([]);
  });

  test("wrong output never reaches the caller", async () => {
    const { world, counter } = counting({ get: () => "many" as never });

    const error = await failureOf(world, counter.get({ name: "a" }));

    expect(error.code).toBe("invalidOutput");
    expect(error.message).toContain("counters.get gave what it must not give");
  });

  test("what the implementation throws is thrown in the caller, and the owner goes on", async () => {
    const { world, counter } = counting({
      get: () => {
        throw new RangeError("no");
      },
      add: () => Promise.reject(new RangeError("later")),
    });

    await expect(outcome(world, counter.get({ name: "a" }))).rejects.toThrow(new RangeError("no"));
    await expect(outcome(world, counter.add({ name: "a", by: 1 }))).rejects.toThrow(new RangeError("later"));
    expect(await outcome(world, counter.drop())).toBeUndefined();
  });

  test("an owner that does not answer in time is a timeout", async () => {
    const { world, context } = counting({ get: () => new Promise(() => {}) });
    const work = stub(world.self, context, { timeoutMs: 100 }).get({ name: "a" });
    work.catch(() => {});

    await world.advance(100);

    expect((await failureOf(world, work)).message).toBe("the owner of counters did not answer within 100 ms");
  });

  test("an owner that has ended is gone, whatever it ended with", async () => {
    for (const reason of ["normal", "oops"]) {
      const world = new World();
      const context = deferred<Context<Counters>>();
      const owner = world.self.spawn(async (self: AnyProcess) => {
        context.resolve(serve(self, counters, implementation()));
        await self.receive();
        self.exit(reason);
      });
      const counter = stub(world.self, await outcome(world, context.promise));
      world.self.send(owner as Pid<unknown>, "end");
      await world.settle();

      const error = await failureOf(world, counter.get({ name: "a" }));

      expect(error.code).toBe("ownerGone");
      expect(error.message).toContain("the owner of this context for counters is gone");
    }
  });

  test("more than callsMax calls are refused", async () => {
    const { world, counter } = counting({ get: () => new Promise(() => {}) });
    for (let count = 0; count < callsMax; count += 1) counter.get({ name: "a" }).catch(() => {});

    const error = await failureOf(world, counter.get({ name: "a" }));

    expect(error.code).toBe("busy");
  });

  test("an implementation without one of the endpoints is refused", () => {
    const world = new World();
    const { get, add, drop } = implementation();

    expect(() => serve(world.self, counters, { get, add, drop } as never)).toThrow(
      "the endpoint counters.count is not implemented: it is undefined, not a function",
    );
  });

  test("a stub has the endpoints and nothing else", () => {
    const { counter } = counting();

    expect(Object.keys(counter)).toEqual(["get", "add", "drop", "count"]);
    expect(Object.getPrototypeOf(counter)).toBeNull();
    expect("then" in counter).toBe(false);
  });
});

describe("context: streams", () => {
  test("items come when they are asked for", async () => {
    const made: number[] = [];
    const { world, counter } = counting({
      async *count() {
        for (let number = 1; ; number += 1) {
          made.push(number);
          yield number;
        }
      },
    });
    const items = counter.count()[Symbol.asyncIterator]();

    expect(await outcome(world, items.next())).toEqual({ value: 1, done: false });
    expect(await outcome(world, items.next())).toEqual({ value: 2, done: false });

    await world.settle();
    expect(made).toEqual([1, 2]);
  });

  test("a consumer that leaves ends it at its source", async () => {
    let isEnded = false;
    const { world, counter } = counting({
      async *count() {
        try {
          for (;;) yield 1;
        } finally {
          isEnded = true;
        }
      },
    });
    const items = counter.count()[Symbol.asyncIterator]();
    await outcome(world, items.next());

    await outcome(world, items.return!());

    expect(isEnded).toBe(true);
    expect(await outcome(world, items.next())).toEqual({ value: undefined, done: true });
  });

  test("a consumer that ends, ends it at its source", async () => {
    let isEnded = false;
    const source = (): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isEnded = true;
          return { value: undefined, done: true as const };
        },
      }),
    });
    const { world, context } = counting({ count: source });
    const consumer = world.self.spawn(async (self: AnyProcess) => {
      await stub(self, context).count()[Symbol.asyncIterator]().next();
    });
    await world.settle();
    expect(isEnded).toBe(false);

    world.self.exit(consumer, "kill");
    await world.settle();

    expect(isEnded).toBe(true);
  });

  test("it ends when its source does, and a failure of the source is thrown", async () => {
    const { world, counter } = counting({
      async *count() {
        yield 1;
        throw new RangeError("enough");
      },
    });
    const items = counter.count()[Symbol.asyncIterator]();
    await outcome(world, items.next());

    await expect(outcome(world, items.next())).rejects.toThrow(new RangeError("enough"));
    expect(await outcome(world, items.next())).toEqual({ value: undefined, done: true });
  });

  test("another process cannot take its items", async () => {
    const { world, context, counter } = counting();
    await outcome(world, counter.count()[Symbol.asyncIterator]().next());
    const stolen = deferred<unknown>();

    world.self.spawn(async (self: AnyProcess) =>
      stolen.resolve(await self.request(context.owner, { type: "$next", stream: 1 })),
    );

    expect(await outcome(world, stolen.promise)).toEqual({ done: true });
  });

  test("more than streamsMax are refused", async () => {
    const { world, counter } = counting();
    for (let count = 0; count < streamsMax; count += 1) void counter.count()[Symbol.asyncIterator]().next();
    await world.settle();

    const error = await failureOf(world, counter.count()[Symbol.asyncIterator]().next());

    expect(error.code).toBe("busy");
  });
});

describe("context: restrict", () => {
  test("only what is named is left", async () => {
    const { world, context } = counting();

    const narrow = await outcome(world, restrict(world.self, context, { only: ["get"] }));

    const counter = stub(world.self, narrow);
    expect(Object.keys(counter)).toEqual(["get"]);
    expect(await outcome(world, counter.get({ name: "a" }))).toBe(0);
    const error = await failureOf(world, stub(world.self, widened(narrow)).add({ name: "a", by: 1 }));
    expect([error.code, error.message]).toEqual(["unknownEndpoint", 'this context has no endpoint "add" of counters']);
  });

  test("only what has no other effects is left", async () => {
    const { world, context } = counting();

    const readOnly = await outcome(world, restrict(world.self, context, { effects: ["read"] }));

    expect(Object.keys(readOnly.endpoints)).toEqual(["get", "count"]);
  });

  test("a name that is not in it cannot be kept", async () => {
    const { world, context } = counting();
    const narrow = await outcome(world, restrict(world.self, context, { only: ["get"] }));

    const error = await failureOf(world, restrict(world.self, narrow as Context<Counters>, { only: ["add"] }));

    expect(error.message).toBe('this context has no endpoint "add" of counters, so it cannot be kept');
  });

  test.each([{ only: "get" }, { only: [1] }, { effects: ["everything"] }])("%j is refused", async (restriction) => {
    const { world, context } = counting();

    const error = await failureOf(world, restrict(world.self, context, restriction as never));

    expect(error.code).toBe("invalidInput");
  });

  test("a context that was revoked is dead, and so are those made from it; the one it was made from lives", async () => {
    const { world, context, counter } = counting();
    const narrow = await outcome(world, restrict(world.self, context, { effects: ["read"] }));
    const narrower = await outcome(world, restrict(world.self, narrow, { only: ["get"] }));

    await outcome(world, revoke(world.self, narrow));

    for (const dead of [narrow, narrower]) {
      const error = await failureOf(world, stub(world.self, dead).get({ name: "a" }));
      expect([error.code, error.message]).toEqual(["revoked", "this context for counters was revoked by its owner"]);
    }
    expect(await outcome(world, counter.get({ name: "a" }))).toBe(0);
  });

  test("only its owner can revoke a context", async () => {
    const { world, context } = counting();
    const failure = deferred<unknown>();

    world.self.spawn(async (self: AnyProcess) =>
      revoke(self, context).catch((error: unknown) => failure.resolve(error)),
    );

    expect(await outcome(world, failure.promise)).toMatchObject({ code: "refused" });
  });

  test("no way through a narrowed context leads to an endpoint that is not in it", async () => {
    const hostile = ["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty", "then", "", "get\0", "get "];
    const name = fc.oneof(fc.constantFrom("get", "add", "drop", "count", ...hostile), fc.string());
    const restriction = fc.record<Restriction>(
      {
        only: fc.subarray(["get", "add", "drop", "count"]),
        effects: fc.subarray([...effects]) as fc.Arbitrary<Effect[]>,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(restriction, { maxLength: 4 }),
        fc.array(name, { maxLength: 10 }),
        async (steps, names) => {
          const { world, context, calls } = counting();
          let narrow: Context = context;
          let allowed = Object.keys(counters.endpoints);
          for (const step of steps) {
            const next = await outcome(world, restrict(world.self, narrow, step)).catch(() => undefined);
            if (next === undefined) continue;
            narrow = next;
            allowed = allowed.filter((name) => isAllowed(name, step));
          }

          for (const name of names) {
            const request = { type: "$call", key: narrow.key, endpoint: name, input: { name: "a", by: 1 } };
            await outcome(world, world.self.request(narrow.owner, request));
          }
          const called = new Set(calls);

          expect(Object.keys(narrow.endpoints)).toEqual(allowed);
          for (const name of called) expect(allowed).toContain(name);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("no key but one that was handed out opens anything, whatever it is", async () => {
    const { world, context, calls } = counting();

    await fc.assert(
      fc.asyncProperty(fc.anything(), fc.anything(), async (key, endpoint) => {
        const reply = await outcome(
          world,
          world.self.request(context.owner, { type: "$call", key, endpoint, input: {} }),
        );

        expect(reply).toMatchObject({ refused: { code: "revoked" } });
      }),
      { numRuns: 200 },
    );
    expect(calls).toEqual([]);
  });

  test("a message of any shape leaves the owner alive", async () => {
    const { world, context, counter } = counting();

    await fc.assert(
      fc.asyncProperty(fc.anything(), async (body) => {
        await outcome(world, world.self.request(context.owner, body));
        world.self.send(context.owner as Pid<unknown>, body);
      }),
      { numRuns: 200 },
    );

    expect(await outcome(world, counter.get({ name: "a" }))).toBe(0);
  });
});

/** What a holder may claim that its context has. */
function widened<E extends Endpoints>(context: Context<E>): Context<Counters> {
  const all = Object.fromEntries(
    Object.entries(counters.endpoints).map(([name, { stream, effects }]) => [name, { stream, effects }]),
  );
  return { ...context, endpoints: all } as unknown as Context<Counters>;
}

function isAllowed(name: string, { only, effects: allowed }: Restriction): boolean {
  if (only !== undefined && !only.includes(name)) return false;
  return allowed === undefined || counters.endpoints[name as "get"].effects.every((effect) => allowed.includes(effect));
}

describe("context: across kernels", () => {
  test("a context sent in a message arrives usable", async () => {
    const { root, child, childPid } = pair();
    root.self.send(childPid, { context: serve(root.self, counters, implementation()) });

    const { context } = (await child.next()) as { context: Context<Counters> };
    const counter = stub(child.self, context);

    expect(isContext(context)).toBe(true);
    expect(await outcome(child, counter.add({ name: "a", by: 3 }))).toBe(3);
    const items = counter.count()[Symbol.asyncIterator]();
    expect(await outcome(child, items.next())).toEqual({ value: 1, done: false });
    const readOnly = await outcome(child, restrict(child.self, context, { effects: ["read"] }));
    expect(await outcome(child, stub(child.self, readOnly).get({ name: "a" }))).toBe(3);
  });

  test("the loss of the carrier is the loss of its contexts, and ends the streams of its processes", async () => {
    const { root, child, childPid, line } = pair();
    let isEnded = false;
    const source = (): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isEnded = true;
          return { value: undefined, done: true as const };
        },
      }),
    });
    root.self.send(childPid, serve(root.self, counters, implementation({ count: source })));
    const context = (await child.next()) as Context<Counters>;
    const counter = stub(child.self, context);
    const items = counter.count()[Symbol.asyncIterator]();
    items.next().catch(() => {});
    await child.settle();

    line.cut("lost");

    expect(await failureOf(child, counter.get({ name: "a" }))).toMatchObject({ code: "ownerGone" });
    await root.settle();
    expect(isEnded).toBe(true);
  });

  test("input that cannot be copied fails in the caller with its place", async () => {
    const { root, child, childPid } = pair();
    root.self.send(childPid, serve(root.self, counters, implementation()));
    const counter = stub(child.self, (await child.next()) as Context<Counters>);

    await expect(outcome(child, counter.get({ name: (() => {}) as never }))).rejects.toThrow(
      /input\.name is a function/,
    );
  });
});

describe("context: what is none", () => {
  test.each([undefined, null, {}, { type: "$context" }, idle, "context"])("%j is refused", (value) => {
    const world = new World();

    expect(isContext(value)).toBe(false);
    expect(() => stub(world.self, value as never)).toThrow(TypeError);
  });
});
