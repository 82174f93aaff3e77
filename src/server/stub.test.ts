/** Stubs: typed calls of a server's methods, and what names can never reach. */
import { describe, expect, expectTypeOf, test } from "vitest";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid, Ref } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { deferred, World } from "../testing/world.ts";
import { currentCall, type Invocation } from "./invocation.ts";
import {
  call,
  cast,
  defineServer,
  goOn,
  noReply,
  reply,
  startServer,
  stop,
  stopWithReply,
  type Outcome,
  type ServerPid,
} from "./server.ts";
import { programOf, startStub, stubOf, type Calls, type MethodName, type Stub } from "./stub.ts";

class Counter {
  #value = 0;
  /** A function that an instance merely holds is not part of its interface. */
  readonly held: () => string = () => "held";

  increment(by: number): number {
    return (this.#value += by);
  }

  reset(): void {
    this.#value = 0;
  }

  async later(): Promise<{ readonly value: number }> {
    await Promise.resolve();
    return { value: this.#value };
  }

  get getter(): number {
    throw new Error("a getter ran");
  }

  _hidden(): string {
    return "hidden";
  }

  toString(): string {
    return "counter";
  }

  init(): void {
    this.#value += 1;
  }

  terminate(): void {}
}

const counterServer = defineServer(() => new Counter());

/** Why a call failed. */
const failure = (calling: Promise<unknown>): Promise<ExitReason> =>
  calling.then(
    (value) => ["replied", value],
    (exit: { reason: ExitReason }) => exit.reason,
  );

/** Calls a method whose name no stub would send. */
const invoke = (self: AnyProcess, to: AnyPid, method: string): Promise<unknown> =>
  call(self, to, { type: "$invoke", method, args: [] } satisfies Invocation);

test("what is no program, and no option of a stub, is refused with a sentence", async () => {
  const { self } = new World();
  const stub = await startStub(self, () => ({ one: () => 1 }));

  await expect(startStub(self, {} as never)).rejects.toThrow(/^a stub is of what a function.* an object \(Object\)$/);
  await expect(startStub(self, undefined as never)).rejects.toThrow(/, not of undefined$/);
  expect(() => stub.with(100 as never)).toThrow("a time-out is given as { timeoutMs }, not as 100");
  expect(() => stub.with({ timeoutMs: "1" as never })).toThrow('timeoutMs is a number of milliseconds, not "1"');
});

describe("a stub", () => {
  test("calls the methods of a server's class and gives their replies", async () => {
    const { self } = new World();
    const counter = await startStub(self, () => new Counter());

    const replies = [await counter.increment(2), await counter.reset(), await counter.increment(5)];

    expect(replies).toEqual([3, undefined, 5]);
  });

  test("calls the functions of a handler object", async () => {
    const { self } = new World();
    const adder = await startStub(self, () => ({ add: (one: number, other: number) => one + other }));

    expect(await adder.add(2, 3)).toBe(5);
  });

  test("calls what a server's class inherits, the overriding method first", async () => {
    class Loud extends Counter {
      override increment(by: number): number {
        return super.increment(by) * 100;
      }
    }
    const { self } = new World();
    const counter = await startStub(self, () => new Loud());

    expect([await counter.increment(1), await counter.later()]).toEqual([200, { value: 2 }]);
  });

  test("gives what an async method promises, and holds the next message back until then", async () => {
    const world = new World();
    const opened = deferred();
    const events: string[] = [];
    const server = {
      first: async (): Promise<number> => {
        await opened.promise;
        events.push("first");
        return 1;
      },
      second: () => void events.push("second"),
    };
    const stub = await startStub(world.self, () => server);
    const replies = Promise.all([stub.first(), stub.second()]);
    await world.settle();
    const before = [...events];

    opened.resolve();

    expect(await replies).toEqual([1, undefined]);
    expect([before, events]).toEqual([[], ["first", "second"]]);
  });

  test("casts without waiting; what the method returns goes nowhere", async () => {
    const { self } = new World();
    const counter = await startStub(self, () => new Counter());

    expect(counter.cast.increment(4)).toBeUndefined();
    expect(await counter.increment(0)).toBe(5);
  });

  test("casts to who is dead or unknown without failing", async () => {
    const world = new World();

    stubOf<Counter>(world.self, await world.deadPid()).cast.reset();
    stubOf<Counter>(world.self, "nobody").cast.reset();

    expect(await world.all()).toEqual([]);
  });

  test("waits 5000 ms, or as long as it is told with `with`, which leaves the stub as it was", async () => {
    const world = new World();
    const stub = await startStub(world.self, () => ({ never: (): Outcome => noReply }));
    const failedAt: number[] = [];
    const noteFailure = (calling: Promise<unknown>): Promise<unknown> =>
      calling.catch(() => failedAt.push(world.platform.clock.monotonicMs()));
    const impatient = stub.with({ timeoutMs: 30 });

    const calls = [noteFailure(stub.never()), noteFailure(impatient.never()), noteFailure(impatient.with({}).never())];
    await world.advance(6000);
    await Promise.all(calls);

    expect(failedAt).toEqual([30, 30, 5000]);
  });

  test("fails with a time-out as a call does", async () => {
    const world = new World();
    const stub = await startStub(world.self, () => ({ never: (): Outcome => noReply }));
    const failed = failure(stub.with({ timeoutMs: 30 }).never());

    await world.advance(30);

    expect(await failed).toEqual({ tag: "call", reason: "timeout", to: String(stub.pid) });
  });

  test("gives an awaiter itself: it has no then", async () => {
    const { self } = new World();
    const counter = await startStub(self, () => new Counter());

    const awaited = await counter;

    expect(Reflect.get(awaited, "then")).toBeUndefined();
    expect(awaited.pid).toBe(counter.pid);
  });

  test("is made from a typed pid, or from a pid and the type of a program", async () => {
    const { self } = new World();
    const pid = await startServer(self, () => new Counter());
    const untyped: AnyPid = pid;

    await stubOf(self, pid).increment(1);
    await stubOf<typeof counterServer>(self, untyped).increment(1);

    expect(await stubOf<Counter>(self, untyped).increment(1)).toBe(4);
  });

  test("of a name asks whoever has the name when it is called", async () => {
    const world = new World();
    const counter = stubOf<typeof counterServer>(world.self, "counter");
    const before = [counter.pid, await failure(counter.increment(1))];

    const pid = await startServer(world.self, () => new Counter(), { name: "counter" });

    expect(before).toEqual([undefined, { tag: "call", reason: "noproc", to: "counter" }]);
    expect([counter.pid, await counter.increment(1)]).toEqual([pid, 2]);
  });

  test("starts a server that was defined as a program, with its arguments", async () => {
    const { self } = new World();
    const program = defineServer((_self, start: number) => ({ next: () => (start += 1) }));

    const stub = await startStub(self, program, { args: [7], name: "seven" });

    expect([await stub.next(), self.whereis("seven")]).toEqual([8, stub.pid]);
  });

  test("tells people what it is", async () => {
    const { self } = new World();
    const counter = await startStub(self, () => new Counter());

    expect(String(counter)).toBe(`stub of ${counter.pid}`);
  });

  test("belongs to its process: another process makes its own from the pid", async () => {
    const world = new World();
    const counter = await startStub(world.self, () => new Counter());

    world.self.spawn(async (self) => {
      self.send(world.self.pid, await stubOf(self, counter.pid).increment(1));
    });

    expect(await world.all()).toEqual([2]);
  });

  test("cannot be sent to another carrier", async () => {
    const { self } = new World();
    const counter = await startStub(self, () => new Counter());

    expect(() => self.kernel.encode({ counter })).toThrow(/message\.counter is an instance of ServerStub/);
  });

  test("cannot be changed", async () => {
    const { self } = new World();
    const counter = await startStub(self, () => new Counter());

    expect(() => Object.assign(counter, { increment: () => 0 })).toThrow(TypeError);
  });
});

describe("outcomes of methods", () => {
  const outcomes = {
    replies: () => reply(1, { continueWith: "c" }),
    maybe: (is: boolean) => (is ? reply("yes") : "no"),
    stops: () => stopWithReply("r", "bye"),
    ends: (): Outcome => stop("r"),
    fails: (): number => {
      throw new RangeError("x");
    },
  };

  test("reply, goOn, stop and stopWithReply are carried out as those of handleCall", async () => {
    const world = new World();
    const continued: unknown[] = [];
    const create = () => ({ ...outcomes, handleContinue: (what: unknown) => void continued.push(what) });
    const stub = await startStub(world.self, create, { link: false });

    expect([await stub.replies(), await stub.maybe(true), await stub.maybe(false)]).toEqual([1, "yes", "no"]);
    expect([await stub.stops(), await world.reasonOf(stub.pid), continued]).toEqual(["bye", "noproc", ["c"]]);
  });

  test("a method that stops without a reply, or throws, ends the server; the caller learns why", async () => {
    const { self } = new World();
    const [one, other] = [
      await startStub(self, () => outcomes, { link: false }),
      await startStub(self, () => outcomes, { link: false }),
    ];

    expect(await failure(one.ends())).toEqual({ tag: "call", reason: "r", to: String(one.pid) });
    expect(await failure(other.fails())).toMatchObject({ tag: "call", reason: new RangeError("x") });
  });

  test("a cast carries them out too, without the reply", async () => {
    const world = new World();
    const continued: unknown[] = [];
    const create = () => ({ ...outcomes, handleContinue: (what: unknown) => void continued.push(what) });
    const stub = await startStub(world.self, create, { link: false });
    const ref = world.self.monitor(stub.pid);

    stub.cast.replies();
    stub.cast.stops();

    expect(await world.all()).toEqual([{ type: "down", ref, from: stub.pid, reason: "r" }]);
    expect(continued).toEqual(["c"]);
  });

  test("a call may be answered later, by whoever knows it from currentCall", async () => {
    const world = new World();
    const waiting: Ref[] = [];
    const create = (self: AnyProcess) => ({
      take: (): string | Outcome => {
        waiting.push(currentCall());
        return noReply;
      },
      give: (thing: string): void => self.reply(waiting.shift()!, thing),
    });
    const shelf = await startStub(world.self, create);
    const taking = Promise.all([shelf.take(), shelf.take()]);

    await shelf.give("one");
    await shelf.give("other");

    expect(await taking).toEqual(["one", "other"]);
  });

  test("a call on the way does not change currentCall; a cast and other code have none", async () => {
    const { self } = new World();
    const inner = await startStub(self, () => ({ ask: () => "inner" }));
    const outer = await startStub(
      self,
      (server) => ({
        ask: (): boolean => {
          const before = currentCall();
          void stubOf(server, inner.pid).ask();
          return currentCall() === before;
        },
        told: (): void => void currentCall(),
      }),
      { link: false },
    );

    expect(await outer.ask()).toBe(true);
    expect(() => currentCall()).toThrow(/currentCall\(\) is for methods/);
    const world = new World();
    const told = await startStub(world.self, () => ({ told: (): void => void currentCall() }), { link: false });
    told.cast.told();
    expect(await world.reasonOf(told.pid)).toEqual({ tag: "noCall" });
  });

  test("other callbacks of the same object work beside methods", async () => {
    const world = new World();
    const create = (self: AnyProcess) => ({
      init: () => goOn({ continueWith: "begin" }),
      handleContinue: (what: unknown) => void self.send(world.self.pid, what),
      handleCall: (request: string) => `called ${request}`,
      handleCast: (message: string) => void self.send(world.self.pid, `cast ${message}`),
      handleInfo: (message: string) => void self.send(world.self.pid, `info ${message}`),
      terminate: (reason: ExitReason) => void self.send(world.self.pid, ["terminate", reason]),
      end: (): Outcome => stop("over"),
    });
    const stub = await startStub(world.self, create, { link: false });

    const answer = await call(world.self, stub.pid, "x");
    cast(world.self, stub.pid, "y");
    world.self.send(stub.pid as Pid<unknown>, "z");
    stub.cast.end();

    expect(answer).toBe("called x");
    expect(await world.all()).toEqual(["begin", "cast y", "info z", ["terminate", "over"]]);
  });
});

describe("names that reach nothing", () => {
  const unreachable = [
    ...["init", "terminate", "handleCall", "handleInfo", "handleContinue", "codeChange"],
    ...["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__", "__defineGetter__"],
    ...["then", "cast", "with", "pid", "toJSON"],
    ...["_hidden", "#value", "held", "getter", "absent", ""],
  ];

  test.each(unreachable)("a call of %j fails with undefinedMethod and leaves the server as it was", async (method) => {
    const world = new World();
    const pid = await startServer(world.self, () => new Counter(), { link: false });

    expect(await invoke(world.self, pid, method)).toEqual({
      type: "$refused",
      reason: { tag: "undefinedMethod", method },
    });
    expect(await stubOf(world.self, pid).increment(0)).toBe(1);
  });

  test.each(unreachable)("a cast of %j is logged and dropped", async (method) => {
    const world = new World();
    const pid = await startServer(world.self, () => new Counter(), { link: false });

    cast(world.self, pid, { type: "$invoke", method, args: [] });

    expect(await stubOf(world.self, pid).increment(0)).toBe(1);
    expect(world.platform.logged).toEqual([
      { level: "warning", message: `${pid} has no method ${method} and dropped a cast` },
    ]);
  });

  test("through a stub, the caller fails with a sentence that names the method", async () => {
    const { self } = new World();
    const pid = await startServer(self, () => new Counter());

    const calling = stubOf<{ absent(): void }>(self, pid).absent();

    await expect(calling).rejects.toThrow(`a call to ${pid} failed (it has no method absent)`);
    await expect(calling).rejects.toMatchObject({
      reason: { tag: "call", reason: { tag: "undefinedMethod", method: "absent" }, to: String(pid) },
    });
  });

  test("a stub itself has none of the names that no server can have", async () => {
    const { self } = new World();
    const stub = await startStub(self, () => new Counter());

    for (const name of ["then", "init", "terminate", "_hidden", "toJSON"]) {
      expect(Reflect.get(stub, name)).toBeUndefined();
    }
  });

  test("a message that only looks like an invocation is an ordinary request", async () => {
    const { self } = new World();
    const pid = await startServer(self, () => ({ handleCall: (request: unknown) => ["called", request] }));

    for (const body of [{ type: "$invoke", method: 1, args: [] }, { type: "$invoke", method: "a", args: "b" }, null]) {
      expect(await call(self, pid, body)).toEqual(["called", body]);
    }
  });
});

describe("types of stubs", () => {
  interface Typed {
    plain(by: number): number;
    promised(): Promise<string>;
    nothing(): void;
    optional(one: string, two?: boolean): void;
    either(): number | Outcome;
    replied(): Promise<"a" | Outcome<"b">>;
    readonly field: number;
    _private(): void;
    init(): void;
    toString(): string;
    then(): void;
  }

  test("methods are those that can be invoked", () => {
    expectTypeOf<MethodName<Typed>>().toEqualTypeOf<
      "plain" | "promised" | "nothing" | "optional" | "either" | "replied"
    >();
    expectTypeOf<MethodName<Counter>>().toEqualTypeOf<"increment" | "reset" | "later" | "held">();
  });

  test("replies are awaited, and outcomes count with what they reply", () => {
    expectTypeOf<Calls<Typed>["plain"]>().toEqualTypeOf<(by: number) => Promise<number>>();
    expectTypeOf<Calls<Typed>["promised"]>().toEqualTypeOf<() => Promise<string>>();
    expectTypeOf<Calls<Typed>["nothing"]>().toEqualTypeOf<() => Promise<void>>();
    expectTypeOf<Calls<Typed>["optional"]>().toEqualTypeOf<(one: string, two?: boolean) => Promise<void>>();
    expectTypeOf<Calls<Typed>["either"]>().toEqualTypeOf<() => Promise<number>>();
    expectTypeOf<Calls<Typed>["replied"]>().toEqualTypeOf<() => Promise<"a" | "b">>();
  });

  test("casts give nothing", () => {
    expectTypeOf<Stub<Typed>["cast"]["plain"]>().toEqualTypeOf<(by: number) => void>();
  });

  test("an object literal's methods and callbacks know its own fields", async () => {
    const { self } = new World();
    const till = await startStub(self, () => ({
      sum: 0,
      add(price: number) {
        return (this.sum += price);
      },
      handleCall(price: number) {
        return (this.sum += price);
      },
    }));
    const started = await startServer(self, () => ({
      sum: 1,
      handleCall(price: number) {
        return (this.sum += price);
      },
    }));

    expect([await till.add(1), await call(self, till.pid, 2), await call(self, started, 2)]).toEqual([1, 3, 3]);
  });

  test("a stub has the type of what it was made of", () => {
    const pid = undefined as unknown as ServerPid<Counter>;
    const made = (self: AnyProcess) => ({
      started: startStub(self, () => new Counter()),
      defined: startStub(self, counterServer),
      file: startStub(self, programOf<{ readonly default: typeof counterServer }>("/counter.ts")),
      ofPid: stubOf(self, pid),
      ofProgram: stubOf<typeof counterServer>(self, pid),
      ofModule: stubOf<{ readonly default: typeof counterServer }>(self, pid),
      ofName: stubOf<Counter>(self, "counter"),
    });
    type Made = ReturnType<typeof made>;

    expectTypeOf<Made["started"]>().toEqualTypeOf<Promise<Stub<Counter>>>();
    expectTypeOf<Made["defined"]>().toEqualTypeOf<Promise<Stub<Counter>>>();
    expectTypeOf<Made["file"]>().toEqualTypeOf<Promise<Stub<Counter>>>();
    expectTypeOf<Made["ofPid"]["increment"]>().toEqualTypeOf<(by: number) => Promise<number>>();
    expectTypeOf<Made["ofPid"]["pid"]>().toEqualTypeOf<ServerPid<Counter>>();
    expectTypeOf<Made["ofProgram"]["increment"]>().toEqualTypeOf<(by: number) => Promise<number>>();
    expectTypeOf<Made["ofModule"]["increment"]>().toEqualTypeOf<(by: number) => Promise<number>>();
    expectTypeOf<Made["ofName"]["pid"]>().toEqualTypeOf<AnyPid | undefined>();
  });

  test("what is wrong does not compile", () => {
    const wrong = async (self: AnyProcess, counter: Stub<Counter>): Promise<void> => {
      // @ts-expect-error the argument is a number
      await counter.increment("2");
      // @ts-expect-error there is no such method
      await counter.decrement(1);
      // @ts-expect-error a callback
      await counter.terminate();
      // @ts-expect-error a cast has no result
      counter.cast.increment(1).toFixed();
      // @ts-expect-error the reply is a number
      const text: string = await counter.increment(1);
      const program = defineServer((_self, start: number) => ({ next: () => start }));
      // @ts-expect-error the program takes a number
      await startStub(self, program, { args: [text] });
    };

    expect(wrong).toBeTypeOf("function");
  });
});
