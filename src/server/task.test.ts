/** Tasks: what Elixir's Task says of them, and what a stream does when it is left. */
import { describe, expect, expectTypeOf, test } from "vitest";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import { timedOut, type AnyProcess, type TimedOut } from "../kernel/process.ts";
import { deferred, World } from "../testing/world.ts";
import { programOf } from "./stub.ts";
import { defineTask, Task, type StreamOptions, type StreamOutcome, type TaskOutcome } from "./task.ts";

/** Why something failed. */
const failure = (working: Promise<unknown>): Promise<ExitReason> =>
  working.then(
    (value) => ["value", value],
    (thrown: { reason?: ExitReason }) => thrown.reason ?? thrown,
  );

const never = (self: AnyProcess): Promise<never> => self.receive(() => false) as Promise<never>;
const fails = (): never => {
  throw new RangeError("x");
};
/** Takes as many milliseconds as it is told. */
const takes = async (self: AnyProcess, durationMs: number): Promise<number> => {
  await self.receive(() => false, { timeoutMs: durationMs });
  return durationMs;
};

describe("a task", () => {
  test("gives its value to await, as often as one asks", async () => {
    const { self } = new World();
    const task = Task.async(self, (_task, one: number, other: number) => one + other, { args: [2, 3] });

    expect([await task.await(), await task.await()]).toEqual([5, 5]);
  });

  test("runs in a process of its own, linked to its owner, and ends with its value", async () => {
    const world = new World();
    const task = Task.async(world.self, (self) => [self.pid, self.info()?.links]);

    const value = await task.await();

    expect(value).toEqual([task.pid, [world.self.pid]]);
    expect([await world.reasonOf(task.pid), await world.all()]).toEqual(["noproc", []]);
  });

  test("knows on whose behalf it works, through tasks of tasks and streams", async () => {
    const { self } = new World();
    const task = Task.async(self, async (outer) => {
      const inner = await Task.async(outer, (own) => own.callers).await();
      const streamed: unknown[] = [];
      for await (const outcome of Task.stream(outer, [1], (own) => own.callers)) streamed.push(outcome);
      return [outer.callers, inner, streamed];
    });
    const nested = [task.pid, self.pid];

    expect(await task.await()).toEqual([[self.pid], nested, [expect.objectContaining({ value: nested }) as unknown]]);
  });

  test("keeps its value for who awaits late, and puts nothing into the owner's mailbox", async () => {
    const world = new World();
    const task = Task.asyncNoLink(world.self, () => "value");
    await world.settle();

    expect([world.self.isAlive(task.pid), await task.await(), await world.all()]).toEqual([false, "value", []]);
  });

  test("receives messages: what asks it for its value is not among them", async () => {
    const world = new World();
    const task = Task.async(world.self, (self) => self.receive());

    world.self.send(task.pid, "hello");

    expect(await task.await()).toBe("hello");
  });

  test("that fails ends its owner with the reason", async () => {
    const world = new World();
    const owner = world.self.spawn(async (self) => {
      await Task.async(self, fails).await();
    });

    expect(await world.reasonOf(owner)).toEqual(new RangeError("x"));
  });

  test("that fails gives an owner that traps exits its reason, as a message and to await", async () => {
    const world = new World();
    world.self.trapExit(true);
    const task = Task.async(world.self, fails);

    const reason = new RangeError("x");
    expect(await failure(task.await())).toEqual({ tag: "task", reason, task: String(task.pid) });
    expect(await world.all()).toEqual([{ type: "exit", from: task.pid, reason }]);
  });

  test("without a link that fails gives its reason to await alone, also when nobody waits yet", async () => {
    const world = new World();
    const task = Task.asyncNoLink(world.self, fails);
    await world.settle();

    expect(await failure(task.await())).toEqual({ tag: "task", reason: new RangeError("x"), task: String(task.pid) });
    expect(await world.all()).toEqual([]);
  });

  test("that exits gives the reason; that throws no error gives nocatch; that is killed says so", async () => {
    const world = new World();
    const reasons = [
      Task.asyncNoLink(world.self, (self) => self.exit("gone")),
      Task.asyncNoLink(world.self, () => Promise.reject({ code: 1 } as unknown as Error)),
      Task.asyncNoLink(world.self, never),
    ];
    world.self.exit(reasons[2]!.pid, "kill");

    const outcomes = await Task.yieldMany(reasons);

    expect(outcomes).toEqual([
      { ok: false, reason: "gone" },
      { ok: false, reason: { tag: "nocatch", value: { code: 1 } } },
      { ok: false, reason: "killed" },
    ]);
  });

  test("says in a sentence what became of it", async () => {
    const world = new World();
    const task = Task.asyncNoLink(world.self, fails);

    await expect(task.await()).rejects.toThrow(`the task ${task.pid} failed (RangeError: x)`);
  });

  test("ends with its owner when linked, and not without a link", async () => {
    const world = new World();
    const tasks: Task<never>[] = [];
    const owner = world.self.spawn(async (self) => {
      tasks.push(Task.async(self, never), Task.asyncNoLink(self, never));
      await self.receive();
      self.exit("over");
    });
    await world.settle();

    world.self.send(owner as Pid<unknown>, "end");
    await world.settle();

    expect(tasks.map(({ pid }) => world.self.isAlive(pid))).toEqual([false, true]);
  });

  test("has the label of its function, or what it is given", async () => {
    const { self } = new World();
    const label = (task: AnyProcess): string | undefined => task.info()?.label;

    const labels = [Task.async(self, label), Task.async(self, label, { label: "given" })];

    expect(await Task.awaitMany(labels)).toEqual(["label", "given"]);
  });
});

describe("waiting for a task", () => {
  test("await fails with a time-out after 5000 ms, the task goes on, and can be awaited again", async () => {
    const world = new World();
    const task = Task.async(world.self, (self) => takes(self, 6000));
    const failed = failure(task.await());

    await world.advance(4999);
    const asked = await Promise.race([failed, "not yet"]);
    await world.advance(1);
    const again = task.await({ timeoutMs: Infinity });
    await world.advance(1000);

    expect(asked).toBe("not yet");
    expect(await failed).toEqual({ tag: "task", reason: "timeout", task: String(task.pid) });
    expect(await again).toBe(6000);
  });

  test("an await that nobody catches ends the owner, and the task with it", async () => {
    const world = new World();
    const tasks: AnyPid[] = [];
    const owner = world.self.spawn(async (self) => {
      const task = Task.async(self, never);
      tasks.push(task.pid);
      await task.await({ timeoutMs: 10 });
    });
    const ended = world.reasonOf(owner);

    await world.advance(10);

    expect(await ended).toMatchObject({ tag: "task", reason: "timeout" });
    expect(world.self.isAlive(tasks[0]!)).toBe(false);
  });

  test("yield gives the outcome, or timedOut while there is none", async () => {
    const world = new World();
    const task = Task.async(world.self, (self) => takes(self, 10));

    const first = task.yield({ timeoutMs: 0 });
    await world.advance(0);
    const second = task.yield({ timeoutMs: 5 });
    await world.advance(10);

    expect([await first, await second]).toEqual([timedOut, timedOut]);
    expect(await Promise.all([task.yield(), world.advance(0)])).toEqual([{ ok: true, value: 10 }, undefined]);
  });

  test("a wait that is over leaves no timer behind, also when the owner ended first", async () => {
    const world = new World();
    const done = Task.async(world.self, () => 1);
    const owner = world.self.spawn(async (self) => {
      await Task.asyncNoLink(self, () => new Promise(() => {})).await();
    });
    await done.await();
    await world.settle();

    world.self.exit(owner, "kill");
    await world.settle();

    expect(world.platform.timersCount).toBe(0);
  });

  test("awaitMany gives the values in order, of as many types as there are tasks", async () => {
    const { self } = new World();

    const values = await Task.awaitMany([Task.async(self, () => 1), Task.async(self, () => Promise.resolve("two"))]);

    expectTypeOf(values).toEqualTypeOf<[number, string]>();
    expect(values).toEqual([1, "two"]);
    expect(await Task.awaitMany([])).toEqual([]);
  });

  test("awaitMany fails as soon as one has failed", async () => {
    const world = new World();
    const [slow, failing] = [Task.asyncNoLink(world.self, never), Task.asyncNoLink(world.self, fails)];

    expect(await failure(Task.awaitMany([slow, failing]))).toMatchObject({ tag: "task", task: String(failing.pid) });
  });

  test("awaitMany has one time-out for all, and names one that is not over", async () => {
    const world = new World();
    const tasks = [10, 40, 20].map((durationMs) => Task.async(world.self, takes, { args: [durationMs] }));
    const failed = failure(Task.awaitMany(tasks, { timeoutMs: 30 }));

    await world.advance(30);

    expect(await failed).toEqual({ tag: "task", reason: "timeout", task: String(tasks[1]?.pid) });
  });

  test("what are no tasks is refused with a sentence", async () => {
    const { self } = new World();
    const task = Task.async(self, never);

    await expect(Task.awaitMany(task as never)).rejects.toThrow(/^tasks are a list of .*, not an object \(Task\)$/);
    await expect(Task.awaitMany([task, undefined] as never)).rejects.toThrow(/^tasks are a list of .*, not undefined$/);
    await expect(Task.yieldMany([5] as never)).rejects.toThrow(/^tasks are a list of .*, not 5$/);
    await expect(task.await(5 as never)).rejects.toThrow("a time-out is given as { timeoutMs }, not as 5");
  });

  test("yieldMany gives what became of each by then", async () => {
    const world = new World();
    const tasks = [
      Task.asyncNoLink(world.self, takes, { args: [10] }),
      Task.asyncNoLink(world.self, fails),
      Task.asyncNoLink(world.self, never),
    ];
    const outcomes = Task.yieldMany(tasks, { timeoutMs: 30 });

    await world.advance(30);

    expect(await outcomes).toEqual([{ ok: true, value: 10 }, { ok: false, reason: new RangeError("x") }, timedOut]);
    expect(await Task.yieldMany([])).toEqual([]);
  });
});

describe("shutting a task down", () => {
  test("unlinks it, ends it with shutdown, and gives the reason to who awaits", async () => {
    const world = new World();
    const task = Task.async(world.self, never);
    const awaiting = failure(task.await());

    expect(await task.shutdown()).toEqual({ ok: false, reason: "shutdown" });
    expect(await awaiting).toEqual({ tag: "task", reason: "shutdown", task: String(task.pid) });
    expect(world.self.isAlive(world.self.pid)).toBe(true);
  });

  test("kills one that traps exits after 5000 ms, or after what it is given", async () => {
    const world = new World();
    const stubborn = async (self: AnyProcess): Promise<void> => {
      self.trapExit(true);
      await never(self);
    };
    const tasks = [Task.async(world.self, stubborn), Task.async(world.self, stubborn)];
    await world.settle();
    const outcomes = [tasks[0]!.shutdown(), tasks[1]!.shutdown({ timeoutMs: 50 })];

    await world.advance(50);
    const aliveThen = tasks.map(({ pid }) => world.self.isAlive(pid));
    await world.advance(4950);

    expect(aliveThen).toEqual([true, false]);
    expect(await Promise.all(outcomes)).toEqual([
      { ok: false, reason: "killed" },
      { ok: false, reason: "killed" },
    ]);
  });

  test("kills at once with a time-out of 0", async () => {
    const { self } = new World();
    const task = Task.async(self, (own) => {
      own.trapExit(true);
      return never(own);
    });

    expect(await task.shutdown({ timeoutMs: 0 })).toEqual({ ok: false, reason: "killed" });
  });

  test("gives the value of one that is done, or finishes when it is told to", async () => {
    const world = new World();
    const done = Task.async(world.self, () => 1);
    const finishing = Task.async(world.self, async (self) => {
      self.trapExit(true);
      await self.receive();
      return 2;
    });
    await world.settle();

    expect([await done.shutdown(), await finishing.shutdown()]).toEqual([
      { ok: true, value: 1 },
      { ok: true, value: 2 },
    ]);
  });
});

describe("a stream", () => {
  /** A stream whose tasks the test ends, and what has happened so far. */
  function controlled(count: number, options: StreamOptions = {}) {
    const world = new World();
    const gates = Array.from({ length: count }, () => deferred<string>());
    const taken: number[] = [];
    const started: number[] = [];
    const outcomes: StreamOutcome<number, string>[] = [];
    let isClosed = false;
    function* items(): Generator<number> {
      try {
        for (let item = 0; item < count; item += 1) {
          taken.push(item);
          yield item;
        }
      } finally {
        isClosed = true;
      }
    }
    const work = (_self: AnyProcess, item: number): Promise<string> => {
      started.push(item);
      return gates[item]!.promise;
    };
    const stream = Task.stream(world.self, items(), work, { timeoutMs: Infinity, ...options });
    const drain = async (): Promise<void> => {
      for await (const outcome of stream) outcomes.push(outcome);
    };
    const end = async (...done: readonly number[]): Promise<void> => {
      for (const item of done) {
        gates[item]!.resolve(`value ${item}`);
        await world.settle();
      }
    };
    const ended = (): number[] => outcomes.map(({ item }) => item);
    return { world, stream, drain, end, ended, outcomes, taken, started, isClosed: () => isClosed };
  }

  test("gives the outcomes with their items, in the order of the items", async () => {
    const { self } = new World();
    const outcomes: unknown[] = [];

    for await (const outcome of Task.stream(self, [1, 2, 3], (_task, item) => item * 10)) outcomes.push(outcome);

    expect(outcomes).toEqual([
      { ok: true, value: 10, item: 1 },
      { ok: true, value: 20, item: 2 },
      { ok: true, value: 30, item: 3 },
    ]);
  });

  test("does nothing before somebody asks", async () => {
    const { world, taken, started } = controlled(3);

    await world.settle();

    expect([taken, started]).toEqual([[], []]);
  });

  test("runs as many tasks as maxConcurrency, and takes no more items than it starts tasks", async () => {
    const { world, drain, end, taken, started } = controlled(5, { maxConcurrency: 2 });
    void drain();
    await world.settle();
    const first = [[...taken], [...started]];

    await end(0);

    expect(first).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect([taken, started]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test("runs 8 tasks unless told otherwise", async () => {
    const { world, drain, started } = controlled(20);

    void drain();
    await world.settle();

    expect(started).toHaveLength(8);
  });

  test("ordered, keeps outcomes until those before them are there", async () => {
    const { drain, end, ended, world } = controlled(3);
    const draining = drain();
    await world.settle();

    await end(2, 1);
    const before = ended();
    await end(0);
    await draining;

    expect([before, ended()]).toEqual([[], [0, 1, 2]]);
  });

  test("unordered, gives outcomes as they come", async () => {
    const { drain, end, ended, world } = controlled(3, { ordered: false });
    const draining = drain();
    await world.settle();

    await end(2, 0, 1);
    await draining;

    expect(ended()).toEqual([2, 0, 1]);
  });

  test.each([
    [{ maxConcurrency: 2, bufferedMax: 1 }, [0, 1, 2]],
    [{ maxConcurrency: 2, bufferedMax: 0 }, [0, 1]],
    [{ maxConcurrency: 2 }, [0, 1, 2, 3]],
  ])("with %j holds no more outcomes back than that", async (options, expected) => {
    const { drain, end, started, world } = controlled(9, options);
    void drain();
    await world.settle();

    await end(1, 2, 3, 4, 5, 6, 7, 8);

    expect(started).toEqual(expected);
  });

  test("starts nothing new while nobody asks for outcomes", async () => {
    const { stream, end, started, world } = controlled(9, { maxConcurrency: 2 });
    const first = stream.next();
    await world.settle();
    await end(0);
    await first;

    await end(1);
    const before = [...started];
    const second = stream.next();
    await world.settle();

    expect([before, started]).toEqual([
      [0, 1, 2],
      [0, 1, 2, 3],
    ]);
    expect(await second).toMatchObject({ value: { item: 1 } });
  });

  test("takes items from an asynchronous input one at a time, and gives outcomes while it waits for the next", async () => {
    const world = new World();
    const arrivals = [deferred<number>(), deferred<number>(), deferred<number>()];
    let askedCount = 0;
    const items = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const arrival = arrivals[askedCount];
          askedCount += 1;
          return arrival === undefined
            ? { done: true, value: undefined }
            : { done: false, value: await arrival.promise };
        },
      }),
    } as AsyncIterable<number>;
    const values: unknown[] = [];
    const draining = (async () => {
      for await (const outcome of Task.stream(world.self, items, (_self, item) => item)) values.push(outcome.item);
    })();
    await world.settle();
    const askedFirst = askedCount;

    arrivals[0]!.resolve(10);
    await world.settle();
    const then = [askedCount, [...values]];
    for (const { resolve } of arrivals.slice(1)) resolve(11);
    await draining;

    expect([askedFirst, then]).toEqual([1, [2, [10]]]);
    expect(values).toEqual([10, 11, 11]);
  });

  test("of an asynchronous input asks for no item while there is no room", async () => {
    const world = new World();
    let askedCount = 0;
    const items = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          askedCount += 1;
          return Promise.resolve({ done: false, value: askedCount });
        },
      }),
    } as AsyncIterable<number>;

    void Task.stream(world.self, items, never, { maxConcurrency: 3 }).next();
    await world.settle();

    expect(askedCount).toBe(3);
  });

  test("left by break, kills its tasks and closes its input", async () => {
    const { world, stream, end, isClosed } = controlled(9, { maxConcurrency: 3 });
    const links = (): number => world.self.info()!.links.length;
    const leaving = (async () => {
      for await (const outcome of stream) return outcome.item;
      return undefined;
    })();
    await world.settle();
    const linksBefore = links();

    await end(0);

    expect([await leaving, linksBefore, links(), isClosed()]).toEqual([0, 3, 0, true]);
    expect([world.kernel.processesCount, await stream.next()]).toEqual([1, { done: true, value: undefined }]);
  });

  test("left by break, does not wait for an input that has no next item yet", async () => {
    const world = new World();
    async function* items(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => {});
    }

    for await (const _ of Task.stream(world.self, items(), (_self, item) => item)) break;
    await world.settle();

    expect(world.kernel.processesCount).toBe(1);
  });

  test("left by break, leaves no timer of those that ran", async () => {
    const world = new World();
    const work = (self: AnyProcess, item: number): number | Promise<never> => (item === 1 ? item : never(self));

    for await (const _ of Task.stream(world.self, [1, 2, 3], work)) break;
    await world.settle();

    expect(world.platform.timersCount).toBe(0);
  });

  test.each([true, false])("kills its tasks when its owner ends, linked or not (%s), trapping or not", async (link) => {
    const world = new World();
    const work = (self: AnyProcess): Promise<never> => {
      self.trapExit(true);
      return never(self);
    };
    const owner = world.self.spawn(async (self) => {
      await Task.stream(self, [1, 2, 3], work, { link }).next();
    });
    await world.settle();
    const before = world.kernel.processesCount;

    world.self.exit(owner, "over");
    await world.settle();

    expect([before, world.kernel.processesCount]).toEqual([5, 1]);
  });

  test("kills its tasks also when the owner ends normally, its stream forgotten", async () => {
    const world = new World();
    world.self.spawn(async (self) => {
      void Task.stream(self, [1, 2, 3], never).next();
      await self.receive(() => false, { timeoutMs: 10 });
    });

    await world.advance(10);

    expect(world.kernel.processesCount).toBe(1);
  });

  test("a linked task that fails ends the owner", async () => {
    const world = new World();
    const owner = world.self.spawn(async (self) => {
      for await (const _ of Task.stream(self, [1], fails));
    });

    expect(await world.reasonOf(owner)).toEqual(new RangeError("x"));
  });

  test("without links a task that fails is an outcome among the others", async () => {
    const { self } = new World();
    const work = (_self: AnyProcess, item: number): number => (item === 2 ? fails() : item);
    const outcomes: unknown[] = [];

    for await (const outcome of Task.stream(self, [1, 2, 3], work, { link: false })) outcomes.push(outcome);

    expect(outcomes).toEqual([
      { ok: true, value: 1, item: 1 },
      { ok: false, reason: new RangeError("x"), item: 2 },
      { ok: true, value: 3, item: 3 },
    ]);
  });

  test("an item that takes too long makes it throw and kills all its tasks", async () => {
    const world = new World();
    const stream = Task.stream(world.self, [1, 2], never, { timeoutMs: 20 });
    const failed = failure(stream.next());

    await world.advance(20);

    expect(await failed).toMatchObject({ tag: "task", reason: "timeout" });
    expect([world.kernel.processesCount, await stream.next()]).toEqual([1, { done: true, value: undefined }]);
  });

  test("with onTimeout kill an item that takes too long is killed, and its outcome says so", async () => {
    const world = new World();
    const outcomes: unknown[] = [];
    const draining = (async () => {
      const options = { onTimeout: "kill", timeoutMs: 20, maxConcurrency: 2 } as const;
      for await (const outcome of Task.stream(world.self, [10, 30, 15], takes, options)) outcomes.push(outcome);
    })();

    await world.advance(100);
    await draining;

    expect(outcomes).toEqual([
      { ok: true, value: 10, item: 10 },
      { ok: false, reason: "timeout", item: 30 },
      { ok: true, value: 15, item: 15 },
    ]);
    expect([world.kernel.processesCount, world.platform.timersCount]).toEqual([1, 0]);
  });

  test("an item that was killed at its time-out is gone when its outcome is there", async () => {
    const world = new World();
    const stream = Task.stream(world.self, [1], never, { onTimeout: "kill", timeoutMs: 20 });
    const outcome = stream.next();

    await world.advance(20);

    expect(await outcome).toMatchObject({ value: { ok: false, reason: "timeout" } });
    expect([world.kernel.processesCount, world.self.isAlive(world.self.pid)]).toEqual([1, true]);
  });

  test("an item has 5000 ms unless told otherwise", async () => {
    const world = new World();
    const failed = failure(Task.stream(world.self, [1], never).next());

    await world.advance(4999);
    const before = await Promise.race([failed, "running"]);
    await world.advance(1);

    expect([before, await failed]).toMatchObject(["running", { reason: "timeout" }]);
  });

  test.each([
    ["a generator", () => brokenInput()],
    ["an asynchronous one", () => brokenAsyncInput()],
  ])("an input that fails (%s) makes it throw that, and kills its tasks", async (_, input) => {
    const world = new World();
    const stream = Task.stream(world.self, input() as Iterable<number>, never);

    await expect(stream.next()).rejects.toThrow("broken");
    await world.settle();

    expect(world.kernel.processesCount).toBe(1);
  });

  test("calls of next may overlap", async () => {
    const { self } = new World();
    const stream = Task.stream(self, [1, 2], (_self, item) => item);

    const results = await Promise.all([stream.next(), stream.next(), stream.next()]);

    expect(results.map(({ value, done }) => [value?.item, done])).toEqual([
      [1, false],
      [2, false],
      [undefined, true],
    ]);
  });

  test("leaves nothing behind: no process, no timer, no handle", async () => {
    const world = new World();
    for await (const _ of Task.stream(world.self, [1, 2, 3], (_self, item) => item));
    await world.settle();

    expect([world.kernel.processesCount, world.platform.timersCount]).toEqual([1, 0]);
    expect(world.self.extra?.handles?.size).toBe(0);
  });

  test.each([
    [{ maxConcurrency: 0 }, /maxConcurrency is a whole number of at least 1, not 0/],
    [{ maxConcurrency: 1.5 }, /maxConcurrency/],
    [{ bufferedMax: -1 }, /bufferedMax is a whole number of at least 0, not -1/],
    [{ timeoutMs: "2" as never }, /^timeoutMs is a number of milliseconds, not "2"$/],
    [{ onTimeout: "stop" as never }, /^onTimeout is "exit" or "kill", not "stop"$/],
  ])("refuses %j", (options, sentence) => {
    const { self } = new World();

    expect(() => Task.stream(self, [1], never, options)).toThrow(sentence);
  });

  test("refuses what is no input and no work", () => {
    const { self } = new World();

    expect(() => Task.stream(self, 5 as never, never)).toThrow(
      /^a stream takes its items from something iterable.* 5$/,
    );
    expect(() => Task.stream(self, [1], undefined as never)).toThrow(/^a task is made of a function, .* undefined$/);
    expect(() => Task.async(self, { kind: "command" } as never)).toThrow(/^a task is made of .* an object \(Object\)$/);
  });

  test("an input whose next gives no result makes it throw", async () => {
    const { self } = new World();
    const input = { [Symbol.iterator]: () => ({ next: () => 5 }) } as never;

    const taking = Task.stream(self, input, never).next();

    await expect(taking).rejects.toThrow("the next of a stream's input gives { done, value }, not 5");
  });

  test("a task that cannot be started makes it throw, and closes the input", async () => {
    const world = new World();
    let isClosed = false;
    function* items(): Generator<number> {
      try {
        yield 1;
      } finally {
        isClosed = true;
      }
    }

    const taking = Task.stream(world.self, items(), never, { carrier: "none" }).next();

    await expect(taking).rejects.toThrow('there is no carrier "none" here');
    expect(isClosed).toBe(true);
  });

  test("an owner that traps exits gets the outcomes, and no message of any end", async () => {
    const world = new World();
    world.self.trapExit(true);
    const outcomes: boolean[] = [];

    for await (const { ok } of Task.stream(world.self, [1, 2], (_self, item) => (item === 1 ? item : fails()))) {
      outcomes.push(ok);
    }

    expect(outcomes).toEqual([true, false]);
    expect(await world.all()).toEqual([]);
  });
});

describe("types of tasks", () => {
  test("a task has the type of what its work gives", () => {
    const sum = defineTask((_self, one: number, other: number) => one + other);
    const made = (self: AnyProcess) => ({
      async: Task.async(self, async () => "x"),
      defined: Task.asyncNoLink(self, sum, { args: [1, 2] }),
      file: Task.async(self, programOf<{ readonly default: typeof sum }>("/sum.ts"), {
        carrier: "thread",
        args: [1, 2],
      }),
      stream: Task.stream(self, ["a"], (_task, item) => item.length),
    });
    type Made = ReturnType<typeof made>;

    expectTypeOf<Made["async"]>().toEqualTypeOf<Task<string>>();
    expectTypeOf<Made["defined"]>().toEqualTypeOf<Task<number>>();
    expectTypeOf<Made["file"]>().toEqualTypeOf<Task<number>>();
    expectTypeOf<Awaited<ReturnType<Made["defined"]["yield"]>>>().toEqualTypeOf<TaskOutcome<number> | TimedOut>();
    expectTypeOf<Made["stream"]>().toExtend<AsyncIterable<StreamOutcome<string, number>>>();
    const wrong = (self: AnyProcess): void => {
      // @ts-expect-error it takes two numbers
      Task.async(self, sum, { args: [1, "2"] });
      // @ts-expect-error the items are strings
      Task.stream(self, ["a"], (_task, item: number) => item);
    };
    expect(wrong).toBeTypeOf("function");
  });
});

function* brokenInput(): Generator<number> {
  yield 1;
  throw new Error("broken");
}

async function* brokenAsyncInput(): AsyncGenerator<number> {
  yield 1;
  throw new Error("broken");
}
