/** State machines: OTP's statements about gen_statem (GS), each checked against OTP 25, and what is ours. */
import { describe, expect, expectTypeOf, test } from "vitest";
import type { CallFailed, ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid, Ref } from "../kernel/pid.ts";
import type { AnyProcess, StartError } from "../kernel/process.ts";
import { statements } from "../../test/otp/state-machine.ts";
import { deferred, World } from "../testing/world.ts";
import { call, cast, ignore, isIgnored, noReply, reply, stop, stopServer, stopWithReply, goOn } from "./server.ts";
import {
  defineStateMachine,
  doNotPostpone,
  eventTimeout,
  keepState,
  nextEvent,
  nextState,
  postpone,
  repeatState,
  replyTo,
  startStateMachine,
  stateTimeout,
  stopAndReply,
  timeout,
  type Action,
  type MachineEvent,
  type MethodsOf,
  type ReplyTo,
  type StateFunctions,
  type StateMachine,
  type TimeoutTime,
} from "./state-machine.ts";
import { startStub, stubOf, type Stub } from "./stub.ts";
import * as sys from "./sys.ts";

type Result = unknown;
/** What to do with an event, given by the event itself. */
type Handler = (state: unknown, event: { readonly from: Ref }, machine: Driven) => Result;

/** A machine that does what its events say and notes each as `type content state`. */
class Driven {
  readonly trace: string[] = [];
  readonly stateEnter: boolean;
  readonly init: () => never;
  /** What to do on entering a state, and with an event that is only a word. */
  entering: (oldState: unknown, state: unknown) => Result = () => undefined;
  readonly on: Record<string, (state: unknown) => Result> = {};

  constructor(options: {
    readonly enter?: boolean;
    readonly init?: () => unknown;
    readonly entering?: Driven["entering"];
  }) {
    this.stateEnter = options.enter ?? false;
    this.init = (options.init ?? (() => nextState("a"))) as () => never;
    if (options.entering !== undefined) this.entering = options.entering;
  }

  handleEvent(
    event: { type: string; name?: string; content?: unknown; oldState?: unknown; method?: string; from?: Ref },
    state: unknown,
  ): Result {
    const { type, content, method } = event;
    const word = type === "enter" ? show(event.oldState) : typeof content === "function" ? "" : show(method ?? content);
    this.trace.push(
      [event.name === undefined ? type : `${type}:${event.name}`, word, show(state)].filter(Boolean).join(" "),
    );
    if (type === "enter") return this.entering(event.oldState, state);
    if (typeof content === "function") return (content as Handler)(state, event as { from: Ref }, this);
    return this.on[String(content)]?.(state);
  }

  terminate(reason: ExitReason, state: unknown): void {
    const { tag } = (reason ?? {}) as { tag?: unknown };
    this.trace.push(`terminate ${show(tag ?? reason)} ${show(state)}`);
  }
}

function show(value: unknown): string {
  return typeof value === "string" ? value : value instanceof Error ? value.message : JSON.stringify(value);
}

interface Started {
  readonly world: World;
  readonly pid: Pid<unknown>;
  readonly machine: Driven;
}

async function start(
  options: ConstructorParameters<typeof Driven>[0] & { readonly eventsMax?: number } = {},
): Promise<Started> {
  const world = new World();
  const machine = new Driven(options);
  const { eventsMax } = options;
  const limit = eventsMax === undefined ? {} : { eventsMax };
  const pid = await startStateMachine(world.self, () => machine, { link: false, ...limit });
  return { world, pid, machine };
}

const handle = (handler: Handler): Handler => handler;
/** An event that says what comes of it. */
const gives = (...actions: readonly Action<unknown>[]): Handler => handle(() => keepState(...actions));
const to = (state: unknown, ...actions: readonly Action<unknown>[]): Handler =>
  handle(() => nextState(state, ...actions));
/** Postponed in state `a`. */
const later = handle((state) => (state === "a" ? keepState(postpone) : undefined));
/** Only the first time that `wanted` is entered. */
function once(entering: Driven["entering"], wanted: string): Driven["entering"] {
  let count = 0;
  return (old, state) => {
    count += state === wanted ? 1 : 0;
    return count > 1 ? undefined : entering(old, state);
  };
}
const insert = (content: unknown): Action<unknown> => nextEvent({ type: "internal", content });

interface Scenario extends NonNullable<Parameters<typeof start>[0]> {
  /** Casts, all in the mailbox before the first is handled; a number moves time by so many milliseconds. */
  readonly events: readonly unknown[];
}

/** How each statement of the table is tried; Erlang's way is in test/otp/state_machine.erl. */
const scenarios: Readonly<Record<string, Scenario>> = {
  GS1: {
    events: [
      later,
      to(
        "b",
        insert("i1"),
        stateTimeout(0, "s"),
        eventTimeout(0, "e"),
        timeout("n", 0, "g"),
        nextEvent({ type: "cast", content: "i2" }),
      ),
      "queued",
    ],
  },
  GS2: {
    events: [gives(timeout("n", 0, "g"), stateTimeout(0, "s"), timeout("m", 0, "h"))],
  },
  GS3: {
    events: [gives(timeout("n", 0, "g"), eventTimeout(0, "e"), stateTimeout(0, "s"))],
  },
  GS4: {
    events: [gives(eventTimeout(0, "e"), timeout("n", 0, "g"), stateTimeout(0, "s"))],
  },
  GS5: {
    events: [gives(eventTimeout(0, "e")), "queued"],
  },
  GS6: {
    events: [gives(stateTimeout(0, "s")), "queued"],
  },
  GS7: {
    events: [
      handle((_state, _event, machine) => {
        machine.on["s"] = () => keepState(insert("i"));
        return keepState(stateTimeout(0, "s"), timeout("n", 0, "g"));
      }),
    ],
  },
  GS8: {
    events: [
      handle((_state, _event, machine) => {
        machine.on["i"] = () => nextState("b");
        return keepState(stateTimeout(0, "s"), timeout("n", 0, "g"), insert("i"));
      }),
    ],
  },
  GS9: {
    events: [gives(stateTimeout(50, "s")), later, handle(() => repeatState()), 50],
  },
  GS10: {
    enter: true,
    events: [gives(stateTimeout(50, "s")), later, handle(() => repeatState()), 50],
  },
  GS11: {
    enter: true,
    events: [gives(stateTimeout(50, "s")), later, to("a"), 50],
  },
  GS12: {
    enter: true,
    init: () => nextState("a", insert("i"), stateTimeout(0, "s")),
    events: [],
  },
  GS13: {
    init: () => nextState("a", postpone),
    events: ["x", to("b")],
  },
  GS14: {
    enter: true,
    entering: (_old, state) => (state === "b" ? keepState(stateTimeout(0, "enter")) : undefined),
    events: [to("b", stateTimeout(0, "event"), insert("i"))],
  },
  GS15: {
    enter: true,
    entering: (_old, state) => (state === "b" ? keepState(postpone) : undefined),
    events: [to("b")],
  },
  GS16: {
    enter: true,
    entering: (_old, state) => (state === "b" ? keepState(insert("i")) : undefined),
    events: [to("b")],
  },
  GS17: {
    enter: true,
    entering: (_old, state) => (state === "b" ? nextState("c") : undefined),
    events: [to("b")],
  },
  GS18: {
    enter: true,
    entering: (_old, state) => nextState(state),
    events: [to("b")],
  },
  GS19: {
    enter: true,
    entering: once((_old, state) => (state === "b" ? repeatState() : undefined), "b"),
    events: [to("b")],
  },
  GS20: {
    enter: true,
    entering: (_old, state) => (state === "b" ? stop("r") : undefined),
    events: [to("b")],
  },
  GS21: {
    events: [handle(() => "rubbish")],
  },
  GS22: {
    events: [handle(() => nextState("b", "rubbish" as never))],
  },
  GS23: {
    events: [
      handle(() => {
        throw nextState("b") as unknown as Error;
      }),
      "queued",
    ],
  },
  GS24: {
    events: [
      handle((_state, _event, machine) => {
        machine.on["i"] = () => {
          throw new Error("boom");
        };
        return nextState("b", insert("i"));
      }),
    ],
  },
  GS25: {
    events: [
      gives(stateTimeout(30, "old")),
      gives(stateTimeout("update", "new"), timeout("n", "update", "fresh")),
      29,
      1,
    ],
  },
  GS26: {
    events: [
      gives(stateTimeout(30, "s"), timeout("n", 30, "g"), timeout("m", 30, "h")),
      gives(stateTimeout("cancel"), timeout("n", Infinity)),
      100,
    ],
  },
  GS27: {
    events: [gives(eventTimeout(60, "e")), 59, "any", 100],
  },
  GS28: {
    events: [gives(eventTimeout(30, "e"), insert("i")), 100],
  },
  GS29: {
    events: [gives(eventTimeout(30, "e")), 30],
  },
  GS30: {
    events: [to("b", timeout("n", 30, "one")), to("c", timeout("n", 60, "two")), 59, 1],
  },
  GS31: {
    events: [
      handle((state) => (state === "a" ? keepState(postpone) : keepState(insert("first")))),
      handle((state) => (state === "a" ? keepState(postpone) : keepState(insert("second")))),
      to("b"),
      "queued",
    ],
  },
  GS32: {
    events: [handle((state) => (state === "a" ? nextState("b", postpone) : undefined)), "queued"],
  },
  GS33: {
    events: [handle((state) => (state === "a" ? nextState("b", postpone, doNotPostpone) : undefined))],
  },
  GS34: {
    events: [
      handle((_state, _event, machine) => {
        machine.on["s"] = (state) => (state === "a" ? keepState(postpone) : undefined);
        return keepState(stateTimeout(10, "s"));
      }),
      40,
      to("b"),
    ],
  },
  GS35: {
    events: [to("b", stateTimeout(30, "s")), 30],
  },
  GS36: {
    events: [gives(stateTimeout(30, "s")), to("b"), 100],
  },
  GS37: {
    events: [gives(stateTimeout(0, "one"), timeout("n", 0, "g"), stateTimeout(0, "two"))],
  },
  GS38: {
    events: [gives(stateTimeout(0, "one"), stateTimeout(30, "two")), "queued", 30],
  },
  GS39: {
    events: [gives(stateTimeout(0, "one"), stateTimeout("update", "two"))],
  },
  GS40: {
    events: [gives(stateTimeout(-1, "s"))],
  },
  GS41: {
    enter: true,
    events: [to("b", eventTimeout(30, "e")), 30],
  },
};

describe("what is no machine, event or address is refused with a sentence", () => {
  const machine = () => ({ init: () => nextState("on"), on: () => keepState() });

  test.each([
    [
      "eventsMax",
      () => defineStateMachine(machine, { eventsMax: Number.NaN }),
      /^eventsMax is a whole number of at least 1/,
    ],
    ["eventsMax 0", () => defineStateMachine(machine, { eventsMax: 0 }), /not 0$/],
    ["its maker", () => defineStateMachine(undefined as never), "defineStateMachine takes a function, not undefined"],
    ["an event", () => nextEvent({ type: "enter" } as never), /^nextEvent takes .* call, cast, .*, not "enter"$/],
    ["no event", () => nextEvent(undefined as never), /, not undefined$/],
    [
      "an address",
      () => replyTo(undefined as never, 1 as never),
      "replyTo takes the event.from of a call, not undefined",
    ],
  ])("%s", (_what, wrong, sentence) => {
    expect(wrong).toThrow(sentence);
  });

  test.each([undefined, {}])("a machine without init: %j", async (wrong) => {
    const world = new World();

    const starting = startStateMachine(world.self, () => wrong as never, { link: false });

    await expect(starting).rejects.toThrow(/did not start: .*a state machine has an init, which returns nextState/);
  });
});

describe("state machines, as OTP has them", () => {
  test.each(statements)("$id $says", async ({ id, trace }) => {
    const { events, ...options } = scenarios[id] as Scenario;
    const { world, pid, machine } = await start(options);
    for (const event of events) {
      if (typeof event === "number") await world.advance(event);
      else cast(world.self, pid, event);
    }

    await world.settle();

    expect(machine.trace).toEqual(trace);
  });

  test("GS42 start returns before the first state is entered, whose failure is the machine's end", async () => {
    const { world, pid, machine } = await start({
      enter: true,
      entering: () => {
        throw new Error("boom");
      },
    });

    expect(await world.reasonOf(pid)).toBe("noproc");
    expect(machine.trace).toEqual(["enter a a", "terminate boom a"]);
  });

  test.each([
    ["stop(r)", () => stop("r"), "r"],
    ["no state", () => "rubbish", { tag: "badReturnFromInit", value: "rubbish" }],
    ["nothing", () => undefined, { tag: "badReturnFromInit", value: undefined }],
    ["a throw", () => thrower(new Error("x")), new Error("x")],
  ])("GS43 init with %s: the start fails with the reason", async (_, init, reason) => {
    expect(await start({ init }).catch((error: StartError) => error.reason)).toEqual(reason);
  });

  test("GS44 init with ignore: the start says so", async () => {
    expect(isIgnored(await start({ init: () => ignore }).catch((error: StartError) => error.reason))).toBe(true);
  });

  test("GS45 a reply goes out also when a later action is bad", async () => {
    const { world, pid } = await start();

    const asking = call(
      world.self,
      pid,
      handle((_state, { from }) => keepState(replyTo(from, "ok"), "rubbish" as never)),
    );

    expect(await asking).toBe("ok");
  });

  test("GS46 stop without a reply: the call fails with the reason", async () => {
    const { world, pid } = await start();

    expect(
      await callFailure(
        call(
          world.self,
          pid,
          handle(() => stop("r")),
        ),
      ),
    ).toEqual(["call", "r"]);
  });

  test("GS47 stopAndReply: the reply goes out, then the machine ends", async () => {
    const { world, pid, machine } = await start();
    const end = handle((_state, { from }) => stopAndReply("r", replyTo(from, "bye")));

    expect([await call(world.self, pid, end), await world.reasonOf(pid)]).toEqual(["bye", "noproc"]);
    expect(machine.trace).toEqual(["call a", "terminate r a"]);
  });

  test("GS48 a call that is inserted again is answered there", async () => {
    const { world, pid, machine } = await start();
    const inner = handle((_state, { from }) => keepState(replyTo(from, "ok")));
    const outer = handle((_state, { from }) => keepState(nextEvent({ type: "call", content: inner, from })));

    expect(await call(world.self, pid, outer)).toBe("ok");
    expect(machine.trace).toEqual(["call a", "call a"]);
  });

  test("GS49 a postponed call is answered once the state has changed", async () => {
    const { world, pid } = await start();
    const ask = handle((state, { from }) => (state === "a" ? keepState(postpone) : keepState(replyTo(from, state))));
    const asking = call(world.self, pid, ask);

    cast(world.self, pid, to("b"));

    expect(await asking).toBe("b");
  });

  test("GS50 other messages are info events, also a timer's message that is no time-out of the machine", async () => {
    const { world, pid, machine } = await start();

    world.self.send(pid, "hey");
    const ref = world.self.startTimer(5, pid, "tick");
    await world.advance(5);

    const message = JSON.stringify({ type: "timeout", ref, message: "tick" });
    expect(machine.trace).toEqual(["info hey a", `info ${message} a`]);
  });

  test("GS51 stop from outside runs terminate with the state", async () => {
    const { world, pid, machine } = await start();
    cast(world.self, pid, to("b"));

    await stopServer(world.self, pid, "r");

    expect(machine.trace).toEqual(["cast a", "terminate r b"]);
  });

  test("GS52 the exit of a machine's parent ends it when it traps exits, through terminate", async () => {
    const world = new World();
    world.self.trapExit(true);
    const machines: Driven[] = [];
    const pid = await startStateMachine(world.self, (self) => {
      self.trapExit(true);
      machines.push(new Driven({}));
      return machines[0]!;
    });

    world.self.exit(pid, "shutdown");

    expect(await world.all()).toEqual([{ type: "exit", from: pid, reason: "shutdown" }]);
    expect(machines[0]?.trace).toEqual(["terminate shutdown a"]);
  });
});

describe("system messages to a state machine", () => {
  test("getState gives state and data, getStatus tells what it is", async () => {
    const world = new World();
    const create = () => ({ init: () => nextState("a"), a: () => {}, opened: 3 });
    const pid = await startStateMachine(world.self, create);

    expect(await sys.getState(world.self, pid)).toEqual({ state: "a", data: { opened: 3 } });
    expect(await sys.getStatus(world.self, pid)).toMatchObject({
      kind: "stateMachine",
      module: "Object",
      mode: "running",
    });
  });

  test("getStatus names the class, and shows what formatStatus makes of the state", async () => {
    const world = new World();
    class Shy extends Driven {
      formatStatus(state: unknown): unknown {
        return `in ${show(state)}`;
      }
    }
    const pid = await startStateMachine(world.self, () => new Shy({}));

    expect(await sys.getStatus(world.self, pid)).toMatchObject({ module: "Shy", state: "in a" });
  });

  test("replaceState sets both, or the state alone, and is no transition: nothing is entered or retried", async () => {
    const world = new World();
    const seen: unknown[] = [];
    const create = () => ({
      stateEnter: true,
      opened: 3,
      init: () => nextState("a"),
      handleEvent(event: { readonly type: string }, state: string) {
        seen.push([event.type, state, this.opened]);
        return state === "a" && event.type === "cast" ? keepState(postpone) : undefined;
      },
    });
    const pid = await startStateMachine(world.self, create);
    cast(world.self, pid, "postponed");

    await sys.replaceState(world.self, pid, { state: "b", data: { opened: 9 } });
    world.self.send(pid as Pid<unknown>, "x");
    await sys.replaceState(world.self, pid, { state: "a" });
    world.self.send(pid as Pid<unknown>, "y");
    await world.settle();

    expect(await sys.getState(world.self, pid)).toEqual({ state: "a", data: { opened: 9 } });

    expect(seen).toEqual([
      ["enter", "a", 3],
      ["cast", "a", 3],
      ["info", "b", 9],
      ["info", "a", 9],
    ]);
  });

  test("a machine that keeps its data private says what they are", async () => {
    const world = new World();
    let secret = 3;
    const create = () => ({
      init: () => nextState("a"),
      a: () => {},
      systemGetState: () => ({ secret }),
      systemReplaceState: (data: { readonly secret: number }) => void (secret = data.secret),
    });
    const pid = await startStateMachine(world.self, create);

    await sys.replaceState(world.self, pid, { state: "a", data: { secret: 4 } });

    expect(await sys.getState(world.self, pid)).toEqual({ state: "a", data: { secret: 4 } });
  });

  test("what is no { state, data } is refused", async () => {
    const { world, pid } = await start();

    await expect(sys.replaceState(world.self, pid, "b")).rejects.toThrow("{ state, data }");
    expect(await sys.getState(world.self, pid)).toMatchObject({ state: "a" });
  });

  test("while it is suspended, events and time-outs wait", async () => {
    const { world, pid, machine } = await start();
    cast(world.self, pid, gives(stateTimeout(10, "s")));
    await world.settle();

    await sys.suspend(world.self, pid);
    cast(world.self, pid, "queued");
    await world.advance(20);
    const before = [...machine.trace];
    await sys.resume(world.self, pid);
    await world.settle();

    expect(before).toEqual(["cast a"]);
    expect(machine.trace).toEqual(["cast a", "cast queued a", "stateTimeout s a"]);
  });

  test("GS53 a system message does not cancel the event time-out", async () => {
    const { world, pid, machine } = await start();
    cast(world.self, pid, gives(eventTimeout(60, "e")));
    await world.advance(59);

    await sys.getState(world.self, pid);
    await world.advance(1);

    expect(machine.trace).toEqual(["cast a", "eventTimeout e a"]);
  });
});

describe("what is ours", () => {
  test("a callback that returns nothing keeps the state", async () => {
    const { world, pid, machine } = await start();

    cast(
      world.self,
      pid,
      handle(() => undefined),
    );
    cast(world.self, pid, "next");
    await world.settle();

    expect(machine.trace).toEqual(["cast a", "cast next a"]);
  });

  test("callbacks may be async; the next event waits", async () => {
    const { world, pid, machine } = await start({
      enter: true,
      entering: () => Promise.resolve(keepState(stateTimeout(0, "s"))),
    });
    const opened = deferred();

    cast(
      world.self,
      pid,
      handle(async () => {
        await opened.promise;
        return nextState("b", insert("i"));
      }),
    );
    cast(world.self, pid, "queued");
    await world.settle();
    const before = [...machine.trace];
    opened.resolve();
    await world.settle();

    expect(before).toEqual(["enter a a", "stateTimeout s a", "cast a"]);
    expect(machine.trace.slice(3)).toEqual(["enter a b", "internal i b", "stateTimeout s b", "cast queued b"]);
  });

  test.each([
    ["a rejection with an error", () => Promise.reject(new Error("x")), "terminate x a"],
    ["a promise of rubbish", () => Promise.resolve("rubbish"), "terminate badReturnFromStateFunction a"],
  ])("%s ends the machine", async (_, result, last) => {
    const { world, pid, machine } = await start();

    cast(world.self, pid, handle(result));
    await world.settle();

    expect([machine.trace.at(-1), world.self.isAlive(pid)]).toEqual([last, false]);
  });

  test("a transition that a promise is rejected with counts as returned", async () => {
    const { world, pid, machine } = await start();

    cast(
      world.self,
      pid,
      handle(() => Promise.reject(nextState("b"))),
    );
    cast(world.self, pid, "queued");
    await world.settle();

    expect(machine.trace).toEqual(["cast a", "cast queued b"]);
  });

  test("reply, noReply, stop and stopWithReply of servers mean the same here", async () => {
    const { world, pid, machine } = await start();

    expect(
      await call(
        world.self,
        pid,
        handle(() => reply("ok")),
      ),
    ).toBe("ok");
    cast(
      world.self,
      pid,
      handle(() => noReply),
    );
    expect(
      await call(
        world.self,
        pid,
        handle(() => stopWithReply("r", "bye")),
      ),
    ).toBe("bye");
    expect(machine.trace.at(-1)).toBe("terminate r a");
  });

  test.each([
    ["a reply to what is no call", () => reply("ok")],
    ["ignore", () => ignore],
    ["goOn, which is for servers", () => goOn({ continueWith: 1 })],
  ])("%s is a bad return", async (_, result) => {
    const { world, pid, machine } = await start();

    cast(world.self, pid, handle(result));
    await world.settle();

    expect(machine.trace).toEqual(["cast a", "terminate badReturnFromStateFunction a"]);
  });

  test("states that are data are compared by value", async () => {
    const { world, pid, machine } = await start({ enter: true, init: () => nextState({ open: [1, { by: "me" }] }) });

    cast(world.self, pid, to({ open: [1, { by: "me" }] }));
    cast(world.self, pid, to({ open: [2, { by: "me" }] }));
    cast(world.self, pid, to({ open: [2] }));
    cast(world.self, pid, to({ shut: undefined }));
    cast(world.self, pid, to({ barred: undefined }));
    await world.settle();

    expect(machine.trace.filter((line) => line.startsWith("enter"))).toEqual([
      'enter {"open":[1,{"by":"me"}]} {"open":[1,{"by":"me"}]}',
      'enter {"open":[1,{"by":"me"}]} {"open":[2,{"by":"me"}]}',
      'enter {"open":[2,{"by":"me"}]} {"open":[2]}',
      'enter {"open":[2]} {}',
      "enter {} {}",
    ]);
  });

  test("a time-out may be an instant; one that has passed counts as zero", async () => {
    const { world, pid, machine } = await start();
    await world.advance(100);

    cast(world.self, pid, gives(timeout("past", { atMs: 90 }), timeout("soon", { atMs: 130 })));
    cast(world.self, pid, "queued");
    await world.advance(29);
    const before = [...machine.trace];
    await world.advance(1);

    expect(before).toEqual(["cast a", "timeout:past  a", "cast queued a"].map((line) => line.replace("  ", " ")));
    expect(machine.trace.at(-1)).toBe("timeout:soon a");
  });

  test.each([Number.NaN, { atMs: Number.NaN }, "soon" as TimeoutTime])(
    "a time-out of %j is a bad action",
    async (time) => {
      const { world, pid, machine } = await start();

      cast(world.self, pid, gives(stateTimeout(time)));
      await world.settle();

      expect(machine.trace.at(-1)).toBe("terminate badActionFromStateFunction a");
    },
  );

  test("a time-out that ran out while a callback was busy does not come once it is cancelled", async () => {
    const { world, pid, machine } = await start();
    const opened = deferred();

    cast(world.self, pid, gives(stateTimeout(10, "s"), timeout("n", 10, "g")));
    cast(
      world.self,
      pid,
      handle(async () => {
        await opened.promise;
        return nextState("b", timeout("n", "cancel"));
      }),
    );
    await world.advance(20);
    opened.resolve();
    await world.settle();

    expect(machine.trace).toEqual(["cast a", "cast a"]);
  });

  test("a machine that keeps telling itself something lets others run", async () => {
    const { world, pid, machine } = await start();
    machine.on["on"] = (state) => (state === "a" ? keepState(insert("on")) : undefined);

    cast(world.self, pid, gives(insert("on")));
    const asking = new Promise((resolve) => void setImmediate(() => resolve(machine.trace.length)));
    const eventsThen = await asking;
    world.self.exit(pid, "kill");

    expect(eventsThen).toBeGreaterThan(0);
  });

  test.each([
    ["postponed", later, 4],
    ["inserted", gives(insert(1), insert(2), insert(3), insert(4)), 1],
  ])("%s events have a limit, and end the machine when it is reached", async (_, event, count) => {
    const { world, pid, machine } = await start({ eventsMax: 3 });
    const ref = world.self.monitor(pid);

    for (let index = 0; index < count; index += 1) cast(world.self, pid, event);

    const reason = { tag: "eventsFull", eventsMax: 3 };
    expect(await world.all()).toEqual([{ type: "down", ref, from: pid, reason }]);
    expect(machine.trace).toHaveLength(count + 1);
  });

  test("as many postponed events as the limit says are no failure", async () => {
    const { world, pid, machine } = await start({ eventsMax: 3 });

    for (let index = 0; index < 3; index += 1) cast(world.self, pid, later);
    cast(world.self, pid, to("b"));
    await world.settle();

    expect(machine.trace.filter((line) => line === "cast b")).toHaveLength(3);
  });

  test("a cancelled time-out leaves no timer behind", async () => {
    const { world, pid } = await start();
    cast(world.self, pid, gives(stateTimeout(1000)));
    cast(world.self, pid, gives(stateTimeout("cancel")));

    await world.settle();

    expect(world.platform.timersCount).toBe(0);
  });

  test("an ended machine leaves no timer behind", async () => {
    const { world, pid } = await start();
    cast(world.self, pid, gives(stateTimeout(1000), eventTimeout(1000), timeout("n", 1000)));
    await world.settle();

    await stopServer(world.self, pid);
    await world.settle();

    expect(world.platform.timersCount).toBe(0);
  });
});

// --- a machine as a person writes it ---

interface Door {
  push(code: string): "opened" | "wrong" | "locked out";
  count(): number;
  close(): void;
}

interface DoorTypes {
  readonly state: "closed" | "open" | "lockedOut";
  readonly methods: Door;
  readonly info: "slam";
  readonly internal: "beep";
}

/** Opens for the code, closes by itself, and locks out whoever guesses three times. */
class DoorMachine implements StateFunctions<DoorTypes> {
  readonly stateEnter = true;
  readonly heard: string[] = [];
  #wrongCount = 0;
  #openedCount = 0;
  readonly #code: string;

  constructor(code: string) {
    this.#code = code;
  }

  init() {
    return nextState("closed");
  }

  closed(event: MachineEvent<DoorTypes>) {
    if (event.type === "enter") return (this.heard.push(`closed after ${event.oldState}`), undefined);
    if (event.type === "call" && event.method === "push") return this.#try(event.args[0], event.from);
    return this.#always(event);
  }

  open(event: MachineEvent<DoorTypes>) {
    if (event.type === "enter") return keepState(stateTimeout(1000));
    if (event.type === "stateTimeout" || (event.type === "cast" && event.method === "close"))
      return nextState("closed");
    if (event.type === "info") return nextState("closed", nextEvent({ type: "internal", content: "beep" }));
    if (event.type === "call" && event.method === "push") return reply("opened");
    return this.#always(event);
  }

  lockedOut(event: MachineEvent<DoorTypes>) {
    if (event.type === "enter") return keepState(stateTimeout(5000));
    if (event.type === "stateTimeout") return nextState("closed");
    return keepState(postpone);
  }

  #try(code: string, from: ReplyTo<"opened" | "wrong" | "locked out">) {
    if (code === this.#code) {
      this.#openedCount += 1;
      return nextState("open", replyTo(from, "opened"));
    }
    this.#wrongCount += 1;
    if (this.#wrongCount % 3 === 0) return nextState("lockedOut", replyTo(from, "locked out"));
    return keepState(replyTo(from, "wrong"));
  }

  #always(event: MachineEvent<DoorTypes>) {
    if (event.type === "internal") this.heard.push(event.content);
    if (event.type === "call" && event.method === "count") return keepState(replyTo(event.from, this.#openedCount));
    return undefined;
  }
}

describe("state functions", () => {
  const startDoor = async () => {
    const world = new World();
    const machine = new DoorMachine("1234");
    const door = await startStub(
      world.self,
      defineStateMachine(() => machine),
      { link: false },
    );
    return { world, machine, door };
  };

  test("a door is pushed through a stub and closes by itself", async () => {
    const { world, machine, door } = await startDoor();

    const pushes = [await door.push("1"), await door.push("1234"), await door.push("?")];
    await world.advance(1000);

    expect([...pushes, await door.push("?")]).toEqual(["wrong", "opened", "opened", "wrong"]);
    expect(machine.heard).toEqual(["closed after closed", "closed after open"]);
  });

  test("a cast and another message close it", async () => {
    const { world, machine, door } = await startDoor();

    await door.push("1234");
    door.cast.close();
    await door.push("1234");
    world.self.send(door.pid, "slam");

    expect(await door.count()).toBe(2);
    expect(machine.heard).toEqual(["closed after closed", "closed after open", "closed after open", "beep"]);
  });

  test("calls wait while it is locked out, and are answered after it", async () => {
    const { world, door } = await startDoor();
    const pushes = [await door.push("1"), await door.push("2"), await door.push("3")];

    const waiting = door.with({ timeoutMs: 60_000 }).push("1234");
    await world.advance(5000);

    expect([...pushes, await waiting]).toEqual(["wrong", "wrong", "locked out", "opened"]);
  });

  test.each(["absent", "init", "terminate", "stateEnter", "toString", "__proto__"])(
    "a state %j that has no function ends the machine",
    async (state) => {
      const world = new World();
      const pid = await startStateMachine(world.self, () => ({ init: () => nextState(state) }), { link: false });

      expect(await callFailure(call(world.self, pid, "x"))).toEqual(["call", { tag: "undefinedState", state }]);
    },
  );

  test("a machine is a server to others: its name and its arguments are given at the start", async () => {
    const world = new World();
    const program = defineStateMachine((_self, code: string) => new DoorMachine(code));

    await world.self.start(program, { args: ["42"], name: "door" });

    expect(await stubOf<Door>(world.self, "door").push("42")).toBe("opened");
  });
});

describe("types of state machines", () => {
  test("a stub has the methods of the machine's types", () => {
    expectTypeOf<MethodsOf<DoorMachine>>().toEqualTypeOf<Door>();
    const made = (self: AnyProcess) =>
      startStub(
        self,
        defineStateMachine(() => new DoorMachine("1")),
      );
    expectTypeOf<Awaited<ReturnType<typeof made>>>().toEqualTypeOf<Stub<Door>>();
    const started = (self: AnyProcess, pid: AnyPid) => ({
      pid: startStateMachine(self, () => new DoorMachine("1")),
      stub: stubOf<ReturnType<typeof define>>(self, pid),
    });
    const define = () => defineStateMachine(() => new DoorMachine("1"));
    expectTypeOf<ReturnType<typeof started>["stub"]["push"]>().returns.toEqualTypeOf<
      Promise<"opened" | "wrong" | "locked out">
    >();
  });

  test("what is wrong does not compile", () => {
    const wrong = (event: MachineEvent<DoorTypes>): void => {
      if (event.type === "call" && event.method === "count") {
        // @ts-expect-error count has no argument
        void event.args[0];
        // @ts-expect-error count is a number
        replyTo(event.from, "three");
      }
      // @ts-expect-error there is no such event
      if (event.type === "call" && event.method === "open") return;
      type Given = ReturnType<StateFunctions<DoorTypes>["closed"]>;
      // @ts-expect-error there is no such state
      void ((): Given => nextState("ajar"));
      const bop = nextEvent({ type: "internal", content: "bop" });
      // @ts-expect-error what the machine tells itself is "beep"
      void ((): Given => keepState(bop));
    };
    // @ts-expect-error the state `open` has no method
    class Half implements StateFunctions<DoorTypes> {
      init() {
        return nextState("closed");
      }
      closed() {}
      lockedOut() {}
    }
    interface Tagged {
      readonly state: { readonly tag: "idle" } | { readonly tag: "busy"; readonly with: string };
    }
    const tagged: StateMachine<Tagged> = {
      init: () => nextState({ tag: "idle" }),
      handleEvent: (event, state) => {
        expectTypeOf(state).toEqualTypeOf<Tagged["state"]>();
        return event.type === "info" ? nextState({ tag: "busy", with: String(event.content) }) : keepState();
      },
    };

    expect([wrong, Half, tagged]).toHaveLength(3);
  });
});

/** Why a call failed. */
function callFailure(calling: Promise<unknown>): Promise<unknown> {
  return calling.then(
    (value) => ["replied", value],
    (exit: { reason: CallFailed }) => [exit.reason.tag, exit.reason.reason],
  );
}

function thrower(value: unknown): never {
  throw value;
}
