/** Servers: OTP's statements (G). */
import { call, cast, isDown, isIgnored, stopServer, sys, timedOut, type AnyPid, type ExitReason } from "colos";
import { expect } from "vitest";
import type { Ground, Puppet } from "./ground.ts";
import type { Act, Failure, Script } from "./server-subjects.ts";
import type { Statement } from "./statement.ts";

type ScriptPart = Omit<Script, "listener">;

const get: Act = { act: "get" };
const trapExit: Act = { act: "trapExit" };
const waitForGo: Act = { act: "waitForGo" };
const all = (...acts: readonly Act[]): Act => ({ act: "all", acts });
const returned = (value: unknown): Act => ({ act: "return", value });
const takeTime = (durationMs: number): Act => ({ act: "sleep", durationMs });
const sendSelf = (message: unknown): Act => ({ act: "sendSelf", message });

/** A parent on the carrier, which survives its servers, and the server that it started. */
async function start(
  ground: Ground,
  script: ScriptPart = {},
  options: object = {},
): Promise<{ readonly parent: Puppet; readonly server: AnyPid }> {
  const parent = await ground.puppet();
  await parent.do("trapExit", true);
  return { parent, server: (await startBy(parent, ground, script, options)) as AnyPid };
}

function startBy(parent: Puppet, ground: Ground, script: ScriptPart, options: object = {}): Promise<unknown> {
  return parent.do("startServer", { ...script, listener: ground.self.pid }, options);
}

/** Why a start failed, and the parent, which traps exits. */
async function failedStart(
  ground: Ground,
  script: ScriptPart,
  options?: object,
): Promise<{ readonly parent: Puppet; readonly reason: ExitReason }> {
  const parent = await ground.puppet();
  await parent.do("trapExit", true);
  const { failed } = (await startBy(parent, ground, script, options)) as Failure;
  return { parent, reason: failed };
}

const ask = (ground: Ground, server: AnyPid | string, act: Act): Promise<unknown> => call(ground.self, server, act);

const next = (ground: Ground): Promise<unknown> => ground.self.receive();

/** What the observer has been told so far. */
async function told(ground: Ground): Promise<unknown[]> {
  const messages: unknown[] = [];
  for (;;) {
    const message: unknown = await ground.self.receive(() => true, { timeoutMs: 0 });
    if (message === timedOut) return messages;
    messages.push(message);
  }
}

/** What the observer is told next, or `timedOut`: long enough for what would be wrong. */
function toldWithin(ground: Ground, timeoutMs: number): Promise<unknown> {
  return ground.self.receive(() => true, { timeoutMs });
}

/** What a server has told until it answers. */
async function toldBy(ground: Ground, server: AnyPid): Promise<unknown[]> {
  await ask(ground, server, get);
  return told(ground);
}

/** What was told until `pid` had ended, its reason last. */
async function toldUntilEnd(ground: Ground, pid: AnyPid, end: () => unknown): Promise<unknown[]> {
  const ref = ground.self.monitor(pid);
  await end();
  const messages: unknown[] = [];
  for (;;) {
    const message: unknown = await ground.self.receive();
    if (isDown(message, ref)) return [...messages, message.reason];
    messages.push(message);
  }
}

/** A caller beside the server, and one across the border. */
async function callers(ground: Ground): Promise<readonly Puppet[]> {
  return [await ground.puppet(), await ground.localPuppet()];
}

async function deadServer(ground: Ground): Promise<AnyPid> {
  const { server } = await start(ground);
  await stopServer(ground.self, server);
  await told(ground);
  return server;
}

const callFailure = (reason: ExitReason): object => ({ failed: { tag: "call", reason } });

export const servers: readonly Statement[] = [
  {
    id: "G1",
    sentence: "start returns only after init has returned",
    prove: async (ground) => {
      const parent = await ground.puppet();
      let isStarted = false;
      const starting = startBy(parent, ground, { init: all(waitForGo, waitForGo) }).then((pid) => {
        isStarted = true;
        return pid;
      });
      const [, server] = (await next(ground)) as readonly [string, AnyPid];

      ground.self.send(server as never, "go");
      await next(ground);
      const before = isStarted;
      ground.self.send(server as never, "go");

      expect([before, await starting]).toEqual([false, server]);
    },
  },
  {
    id: "G2",
    sentence: "init returns stop(reason): the start fails with the reason; a parent that traps exits gets it too",
    prove: async (ground) => {
      const { parent, reason } = await failedStart(ground, { init: { act: "stop", reason: "r" } });

      expect(reason).toBe("r");
      expect(await parent.receive({ type: "exit" })).toMatchObject({ reason: "r" });
      expect(await parent.mailbox()).toEqual([]);
    },
  },
  {
    id: "G3",
    sentence: "init returns ignore: the start says so and the process ends with normal",
    prove: async (ground) => {
      const { parent, reason } = await failedStart(ground, { init: { act: "ignore" } });

      expect(isIgnored(reason)).toBe(true);
      expect(await parent.receive({ type: "exit" })).toMatchObject({ reason: "normal" });
      expect(await parent.mailbox()).toEqual([]);
    },
  },
  {
    id: "G4",
    sentence: "init or the constructor throws, or init rejects: the start fails with the error",
    prove: async (ground) => {
      const error = new Error("x");
      const scripts: ScriptPart[] = [
        { init: { act: "throw", error } },
        { init: { act: "reject", error } },
        { constructorThrows: error },
      ];

      for (const script of scripts) expect((await failedStart(ground, script)).reason).toEqual(error);
    },
  },
  {
    id: "G5",
    sentence: "a start with a time-out fails with timeout, and the half-started process is killed",
    prove: async (ground) => {
      const { parent, reason } = await failedStart(ground, { init: waitForGo }, { timeoutMs: 20 });
      const [, server] = (await next(ground)) as readonly [string, AnyPid];

      expect(reason).toBe("timeout");
      expect(await parent.do("isAlive", server)).toBe(false);
      expect(await parent.mailbox()).toEqual([]);
    },
  },
  {
    id: "G6",
    sentence: "a registered name that is taken: the start fails with alreadyStarted and the pid",
    prove: async (ground) => {
      const { server } = await start(ground, {}, { name: "g6" });

      expect((await failedStart(ground, {}, { name: "g6" })).reason).toEqual({ tag: "alreadyStarted", pid: server });
    },
  },
  {
    id: "G7",
    sentence: "a call gives the reply, and the state is kept between calls",
    prove: async (ground) => {
      const { server } = await start(ground);

      const answer = await ask(ground, server, all({ act: "set", value: 7 }, returned("ok")));

      expect([answer, await ask(ground, server, get)]).toEqual(["ok", 7]);
    },
  },
  {
    id: "G8",
    sentence: "a call that times out ends the caller, and the server lives on",
    prove: async (ground) => {
      const { server } = await start(ground);
      const caller = await ground.spawn("caller", [server, { act: "noReply" }, 20]);

      const ended = await toldUntilEnd(ground, caller, () => ground.self.send(caller, "go"));

      expect(ended).toEqual([{ tag: "call", reason: "timeout", to: String(server) }]);
      expect(await ask(ground, server, get)).toBe(undefined);
    },
  },
  {
    id: "G9",
    sentence: "the reply that comes after a time-out does not reach the caller's mailbox",
    prove: async (ground) => {
      const { server } = await start(ground);

      for (const caller of await callers(ground)) {
        const late = all(waitForGo, returned("late"));
        const failure = await caller.do("call", server, late, 10);
        ground.self.send(server as never, "go");
        await caller.do("call", server, get);

        expect(failure).toMatchObject(callFailure("timeout"));
        expect(await caller.mailbox()).toEqual([]);
      }
    },
  },
  {
    id: "G10",
    sentence: "a call to a server that has ended, or to a name that nobody has, fails with noproc",
    prove: async (ground) => {
      const dead = await deadServer(ground);

      for (const caller of await callers(ground)) {
        for (const server of [dead, "nobody"]) {
          expect(await caller.do("call", server, get)).toMatchObject(callFailure("noproc"));
        }
      }
    },
  },
  {
    id: "G11",
    sentence: "a server that ends during a call: the caller fails with its reason, not with a time-out",
    prove: async (ground) => {
      for (const caller of await callers(ground)) {
        const { server } = await start(ground);

        const failure = await caller.do("call", server, { act: "exit", reason: "died" });

        expect(failure).toMatchObject(callFailure("died"));
      }
    },
  },
  {
    id: "G12",
    sentence: "a call to oneself fails with callingSelf",
    prove: async (ground) => {
      const { server } = await start(ground, {}, { name: "g12" });

      for (const to of [server, "g12"]) {
        expect(await ask(ground, server, { act: "call", to })).toMatchObject(callFailure("callingSelf"));
      }
    },
  },
  {
    id: "G13",
    sentence: "a call may be answered later, by another process",
    prove: async (ground) => {
      const { server } = await start(ground);

      for (const caller of await callers(ground)) {
        expect(await caller.do("call", server, { act: "delegate", value: "ok" })).toBe("ok");
      }
    },
  },
  {
    id: "G14",
    sentence: "stopWithReply: the reply is sent before the server has ended",
    difference:
      "OTP sends the reply after terminate has run; colos sends it before, so that no clean-up holds a caller up.",
    prove: async (ground) => {
      const { server } = await start(ground, { terminate: waitForGo });
      const ref = ground.self.monitor(server);

      const answer = await ask(ground, server, { act: "stopWithReply", reason: "r", value: "bye" });
      const terminating = [await next(ground), await next(ground)];
      ground.self.send(server as never, "go");

      expect([answer, terminating]).toEqual([
        "bye",
        [
          ["terminate", "r"],
          ["waiting", server],
        ],
      ]);
      expect(await next(ground)).toEqual({ type: "down", ref, from: server, reason: "r" });
    },
  },
  {
    id: "G15",
    sentence: "a cast never fails, also to a server that has ended or a name that nobody has",
    prove: async (ground) => {
      const dead = await deadServer(ground);

      for (const caller of await callers(ground)) {
        for (const server of [dead, "nobody"]) expect(await caller.do("cast", server, get)).toBe(undefined);
      }
    },
  },
  {
    id: "G16",
    sentence: "other messages go to handleInfo; a server without one drops them",
    prove: async (ground) => {
      const { server } = await start(ground);
      const deaf = await start(ground, { isDeaf: true });

      ground.self.send(server as never, "hey");
      ground.self.send(deaf.server as never, "hey");

      expect(await next(ground)).toEqual(["info", "hey"]);
      expect(await sys.getState(ground.self, deaf.server)).toEqual({});
    },
  },
  {
    id: "G17",
    sentence: "handleContinue after init runs before any queued message, also when it takes its time",
    prove: async (ground) => {
      const init = all(sendSelf("early"), { act: "goOn", next: { continueWith: "c1" } });
      const { server } = await start(ground, { init });

      expect(await toldBy(ground, server)).toEqual([
        ["continue", "c1"],
        ["info", "early"],
      ]);

      const slow = await start(ground, { init, handleContinue: all(waitForGo, { act: "tell", event: "continued" }) });
      const waiting = await next(ground);
      ground.self.send(slow.server as never, "go");

      expect(waiting).toEqual(["waiting", slow.server]);
      expect(await toldBy(ground, slow.server)).toEqual([["continued"], ["info", "early"]]);
    },
  },
  {
    id: "G18",
    sentence: "a callback that throws or rejects calls terminate with the error, then ends with it",
    prove: async (ground) => {
      const error = new Error("x");

      for (const act of ["throw", "reject"]) {
        const { server } = await start(ground);
        const message = { act, error };

        const ended = await toldUntilEnd(ground, server, () => ground.self.send(server as never, message));

        expect(ended).toEqual([["terminate", error], error]);
      }
    },
  },
  {
    id: "G19",
    sentence: "a server that does not trap exits and is ended by an exit signal does not run terminate",
    prove: async (ground) => {
      const { server } = await start(ground);

      expect(await toldUntilEnd(ground, server, () => ground.self.exit(server, "shutdown"))).toEqual(["shutdown"]);
    },
  },
  {
    id: "G20",
    sentence: "a server that traps exits runs terminate when its parent sends an exit signal",
    prove: async (ground) => {
      const { parent, server } = await start(ground, { init: trapExit });

      const ended = await toldUntilEnd(ground, server, () => parent.do("exit", server, "shutdown"));

      expect(ended).toEqual([["terminate", "shutdown"], "shutdown"]);
      expect(await parent.receive({ type: "exit" })).toEqual({ type: "exit", from: server, reason: "shutdown" });
    },
  },
  {
    id: "G21",
    sentence: "an exit signal from a process that is not the parent goes to handleInfo of a server that traps exits",
    prove: async (ground) => {
      const { server } = await start(ground, { init: trapExit });

      ground.self.exit(server, "odd");

      const exit = { type: "exit", from: ground.self.pid, reason: "odd" };
      expect(await toldBy(ground, server)).toEqual([["info", exit]]);
    },
  },
  {
    id: "G22",
    sentence: "the parent's end ends the server with the parent's reason, trapping or not, also during init",
    prove: async (ground) => {
      for (const init of [trapExit, undefined]) {
        const { parent, server } = await start(ground, init === undefined ? {} : { init });

        const ended = await toldUntilEnd(ground, server, () => parent.end("exitUncaught", "pdead"));

        expect(ended.filter((message) => !isDown(message))).toEqual(
          init === undefined ? ["pdead"] : [["terminate", "pdead"], "pdead"],
        );
      }

      const parent = await ground.puppet();
      const starting = startBy(parent, ground, { init: all(trapExit, waitForGo) }).catch(() => {});
      const [, server] = (await next(ground)) as readonly [string, AnyPid];
      const ended = await toldUntilEnd(ground, server, () => {
        ground.self.exit(parent.pid, "pdead");
        ground.self.send(server as never, "go");
      });
      await starting;

      expect(ended.at(-1)).toBe("pdead");
    },
  },
  {
    id: "G23",
    sentence: "the time-out of a return value fires only if no message came first, and a new one takes its place",
    prove: async (ground) => {
      const timeout = (timeoutMs: number): Act => ({ act: "goOn", next: { timeoutMs } });
      const quiet = await start(ground, { init: timeout(5) });
      expect(await next(ground)).toMatchObject(["info", { type: "timeout" }]);
      ground.self.send(quiet.server as never, "a");
      expect(await toldBy(ground, quiet.server)).toEqual([["info", "a"]]);

      // The message is there before the wait begins; longer than the time-out nobody else sends anything.
      await start(ground, { init: all(sendSelf("a"), timeout(5)) });
      expect(await next(ground)).toEqual(["info", "a"]);
      expect(await toldWithin(ground, 10)).toBe(timedOut);

      const busyDone = all(takeTime(10), { act: "tell", event: "done" });
      const busy = await start(ground, { init: all(sendSelf(busyDone), timeout(5)) });
      expect(await next(ground)).toEqual(["done"]);
      expect(await toldBy(ground, busy.server)).toEqual([]);

      const slow: Act = { act: "goOn", next: { timeoutMs: 5, continueWith: 1 } };
      const late = await start(ground, { init: all(sendSelf("a"), slow), handleContinue: takeTime(10) });
      expect(await toldBy(ground, late.server)).toEqual([["info", "a"]]);
      expect(await toldBy(ground, late.server)).toEqual([]);

      const renewed: Act = { act: "goOn", next: { timeoutMs: 5, continueWith: 1 } };
      await start(ground, { init: renewed, handleContinue: timeout(10) });
      expect(await next(ground)).toMatchObject(["info", { type: "timeout" }]);
      expect(await toldWithin(ground, 10)).toBe(timedOut);
    },
  },
  {
    id: "G24",
    sentence: "stopServer is synchronous: the server has ended when it returns, or it fails",
    prove: async (ground) => {
      for (const stopper of await callers(ground)) {
        const { server } = await start(ground);
        const result = await stopper.do("stopServer", server, "r", 10_000);
        const isAlive = await stopper.do("isAlive", server);
        const ended = await told(ground);

        const worse = await start(ground, { terminate: { act: "exit", reason: "worse" } });
        const failure = await stopper.do("stopServer", worse.server);

        const deaf = await ground.puppet();
        const late = await stopper.do("stopServer", deaf.pid, "normal", 20);
        ground.self.exit(deaf.pid, "kill");
        await ground.reasonOf(deaf.pid);
        await told(ground);

        expect([result, isAlive, ended]).toEqual([undefined, false, [["terminate", "r"]]]);
        expect([failure, late]).toMatchObject([{ failed: "worse" }, callFailure("timeout")]);
        expect(await stopper.mailbox()).toEqual([]);
      }
    },
  },
  {
    id: "G25",
    sentence: "stopServer of a server that has ended, or of a name that nobody has, fails with noproc",
    prove: async (ground) => {
      const dead = await deadServer(ground);

      for (const stopper of await callers(ground)) {
        for (const server of [dead, "nobody"]) {
          expect(await stopper.do("stopServer", server)).toEqual({ failed: "noproc" });
        }
      }
    },
  },
  {
    id: "G26",
    sentence: "a bad return value ends the server with badReturnValue and the value",
    difference: "any value is a good reply to a call; the other callbacks return nothing or an Outcome.",
    prove: async (ground) => {
      const reason = { tag: "badReturnValue", value: "rubbish" };

      for (const bad of [returned("rubbish"), all(takeTime(1), returned("rubbish"))]) {
        const { server } = await start(ground);
        const ended = await toldUntilEnd(ground, server, () => ground.self.send(server as never, bad));
        expect(ended).toEqual([["terminate", reason], reason]);
      }
      const thrower = await start(ground);
      const thrown = { act: "throw", error: "rubbish" };
      const ended = await toldUntilEnd(ground, thrower.server, () => ground.self.send(thrower.server as never, thrown));
      expect(ended.at(-1)).toEqual(reason);
      expect((await failedStart(ground, { init: returned("rubbish") })).reason).toEqual(reason);
    },
  },
  {
    id: "G27",
    sentence: "sys.suspend stops the handling of messages, they queue, and resume goes on in order",
    prove: async (ground) => {
      const { parent, server } = await start(ground);
      await sys.suspend(ground.self, server);
      cast(ground.self, server, { act: "tell", event: "first" });
      ground.self.send(server as never, "second");
      const third = ask(ground, server, all({ act: "tell", event: "third" }, returned(3)));
      cast(ground.self, server, { act: "tell", event: "fourth" });

      // A system message is answered, although those before it wait.
      await sys.getState(ground.self, server);
      const whileSuspended = [await told(ground), (await parent.do("info", server)) as object];
      await sys.resume(ground.self, server);

      expect(await third).toBe(3);
      expect(whileSuspended).toMatchObject([[], { messagesCount: 4 }]);
      expect(await toldBy(ground, server)).toEqual([["first"], ["info", "second"], ["third"], ["fourth"]]);
    },
  },
  {
    id: "G28",
    sentence: "sys.getState and sys.replaceState work on a live server",
    difference: "across a border sys.replaceState takes the new state itself; a function does not cross.",
    prove: async (ground) => {
      const { parent, server } = await start(ground, { init: { act: "set", value: 1 } });

      const before = await sys.getState(ground.self, server);
      await sys.replaceState(ground.self, server, { state: 2 });
      const after = await ask(ground, server, get);
      await parent.do("replaceState", server, { state: 3 });

      expect([before, after]).toEqual([{ state: 1 }, 2]);
      expect(await parent.do("getState", server)).toEqual({ state: 3 });
    },
  },
  {
    id: "G29",
    sentence: "requests are handled one at a time, in mailbox order, also when they take time",
    prove: async (ground) => {
      const { server } = await start(ground);

      for (let value = 0; value < 60; value += 1) {
        const append: Act = { act: "append", value };
        cast(ground.self, server, value % 10 === 0 ? all(takeTime(value % 3), append) : append);
      }

      expect(await ask(ground, server, get)).toEqual(Array.from({ length: 60 }, (_, index) => index));
    },
  },
  {
    id: "G30",
    sentence: "a call by a caller with 100,000 messages in its mailbox does not look at them",
    prove: async (ground) => {
      const { server } = await start(ground);

      for (const caller of await callers(ground)) {
        await caller.do("fillMailbox", 100_000);

        expect(await caller.do("looksIntoMailbox", server, 20)).toBe(0);
        expect(await caller.do("info")).toMatchObject({ messagesCount: 100_000 });
      }
    },
  },
  {
    id: "G31",
    sentence: "an Outcome that is thrown counts as returned",
    difference: "anything else that is thrown is an error, not a return value.",
    prove: async (ground) => {
      const { server } = await start(ground);

      for (const act of ["throwResult", "rejectResult"] as const) {
        expect(await ask(ground, server, { act, of: { act: "reply", value: 7 } })).toBe(7);
        const { reason } = await failedStart(ground, { init: { act, of: { act: "ignore" } } });
        expect(isIgnored(reason)).toBe(true);
      }
    },
  },
];
