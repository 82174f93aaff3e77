/**
 * Task: a process that computes one value for the process that started it, Elixir's Task.
 *
 * Guarantees: a task has one outcome, its value or the reason why it ended without one, and everybody who awaits it gets
 * that. A linked task (`async`) and its owner share their fate; one without a link (`asyncNoLink`) does not. What is left of
 * the time of `await` is nobody's: the task goes on, and can be awaited again or shut down.
 * A stream starts one task per item and never more than it is told to: it takes items from its input only while there is room,
 * and only while somebody waits for outcomes. When it is left (`break`, a throw, the owner's end), its tasks are killed.
 * A task works on every carrier: as a function in this heap, as a file (`defineTask`) elsewhere.
 * Unlike Elixir: replies do not go through the owner's mailbox; a failed `await` throws, so that the owner can catch it; a
 * stream's outcome has its item; finished outcomes of an ordered stream that wait for an earlier one have a limit.
 * Not here: tasks under a supervisor (supervisor/task-supervisor.ts).
 *
 * @module
 */
import { assertMilliseconds, assertWhole, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { callersOf } from "../kernel/ancestry.ts";
import { isThenable } from "../base/thenable.ts";
import { Exit, isTagged, type ExitReason, type Tagged } from "../kernel/exit-reason.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import { timedOut, type AnyProcess, type SpawnOptions, type TimedOut } from "../kernel/process.ts";
import { defineProgram, type DefinedProgram, type Program } from "../kernel/program.ts";
import { Request } from "../kernel/request.ts";
import type { TypedProgramFile } from "./stub.ts";
import { timeoutMsOf, within } from "./within.ts";

/** Milliseconds that `await`, `yield` and a stream's items have unless told otherwise (Elixir's too). */
export const taskTimeoutMsDefault = 5000;
/** Milliseconds between the exit signal `shutdown` and `kill` (Elixir's too). */
export const taskShutdownMsDefault = 5000;
/** Tasks of a stream that run at a time. Elixir has one per core; ours mostly wait for something else than the processor. */
export const maxConcurrencyDefault = 8;

/** Milliseconds after which a task that nobody asks for its value ends with `{ tag: "noOwner" }`. */
export const ownerWaitMsMax = 60_000;

/** What became of a task. */
export type TaskOutcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: ExitReason };

/** Why an `await` failed: `"timeout"`, or what ended the task. */
export interface TaskFailed extends Tagged<"task"> {
  readonly reason: ExitReason;
  /** Which task. */
  readonly task: string;
}

/** What a task does; it runs in a process of its own, `self`. */
export type TaskWork<Value, Args extends readonly unknown[]> = (
  self: AnyProcess,
  ...args: Args
) => Value | PromiseLike<Value>;

declare const computes: unique symbol;

/** A task as a program; made by `defineTask`. */
export type TaskProgram<Value, Args extends readonly unknown[]> = DefinedProgram<unknown, Args> & {
  /** Only for the type checker. */
  readonly [computes]?: Value;
};

/** What a task can be made of: a function, `defineTask`, or `programOf` a file that exports it. */
export type TaskSource<Value, Args extends readonly unknown[]> =
  | TaskWork<Value, Args>
  | TaskProgram<Value, Args>
  | TypedProgramFile<{ readonly default: TaskProgram<Value, Args> }>;

/** How long to wait. */
export interface TaskTimeout {
  /** Default 5000; Infinity waits for ever, 0 only looks. */
  readonly timeoutMs?: Milliseconds;
}

/** How a stream runs its tasks. */
export interface StreamOptions extends Omit<SpawnOptions, "args" | "name"> {
  /** Tasks that run at a time; default 8. */
  readonly maxConcurrency?: number;
  /** Outcomes that may wait for an earlier one, or to be taken; default `maxConcurrency`. */
  readonly bufferedMax?: number;
  /** Default true: outcomes come in the order of the items; false: as they are there. */
  readonly ordered?: boolean;
  /** For each item, from the start of its task; default 5000. */
  readonly timeoutMs?: Milliseconds;
  /** At an item's time-out: `exit` (default) makes the stream throw, `kill` makes the outcome the reason `"timeout"`. */
  readonly onTimeout?: "exit" | "kill";
  /**
   * Default true: a task that fails ends an owner that does not trap exits (one that does gets its outcome alone); false is
   * Elixir's `async_stream_nolink`.
   */
  readonly link?: boolean;
}

/** What became of one item of a stream. */
export type StreamOutcome<Item, Value> = TaskOutcome<Value> & { readonly item: Item };

/** What the owner asks its task for. */
const taskRequest = "$task";

/** Makes `work` the program of a file, for tasks on other carriers: `export default defineTask((self, n: number) => …)`. */
export function defineTask<Value, Args extends readonly unknown[]>(
  work: TaskWork<Value, Args>,
): TaskProgram<Value, Args> {
  return defineProgram(async (self: AnyProcess, ...args: Args) => {
    // First, so that what the work receives cannot be the request.
    const asked = await self.receive(isTaskRequest, { timeoutMs: ownerWaitMsMax });
    if (asked === timedOut) return self.exit({ tag: "noOwner" });
    self.reply((asked as Request).from, await work(self, ...args));
    return undefined;
  });
}

function isTaskRequest(message: unknown): boolean {
  return message instanceof Request && (message.body as { type?: unknown } | null)?.type === taskRequest;
}

/** @internal Spawns a task for `owner`; `parent` is who starts it. */
export function spawnTask<Value, Args extends readonly unknown[]>(
  parent: AnyProcess,
  owner: AnyProcess,
  source: TaskSource<Value, Args>,
  options: SpawnOptions<Args>,
  link: boolean,
): Pid<unknown> {
  assertSource(source);
  const isWork = typeof source === "function";
  const label = isWork && source.name !== "" ? { label: source.name } : {};
  const program = (isWork ? defineTask(source) : source) as Program<unknown, Args>;
  const spawn = { ...label, callers: callersOf(owner), ...options };
  return link ? parent.spawnLink(program, spawn) : parent.spawn(program, spawn);
}

function assertSource(source: unknown): void {
  const kind = (source as { readonly kind?: unknown } | null | undefined)?.kind;
  if (typeof source === "function" || kind === "defined" || kind === "file") return;
  throw new TypeError(`a task is made of a function, defineTask or programOf, not of ${inWords(source)}`);
}

/** A task, as the process that started it sees it. Its methods throw TypeError or RangeError for options that are none. */
export class Task<Value> {
  readonly pid: Pid<unknown>;
  readonly #owner: AnyProcess;
  /** Never rejects: nobody may be there yet to catch it. */
  readonly #outcome: Promise<TaskOutcome<Value>>;
  #settled: TaskOutcome<Value> | undefined = undefined;

  private constructor(owner: AnyProcess, pid: Pid<unknown>) {
    this.#owner = owner;
    this.pid = pid;
    this.#outcome = owner.request(pid, { type: taskRequest }, Infinity).then(
      (value) => (this.#settled = { ok: true, value: value as Value }),
      (failed: unknown) => (this.#settled = { ok: false, reason: reasonOf(failed) }),
    );
  }

  /**
   * The task that runs in a process which somebody else has started for `owner`, such as a supervisor (task-supervisor.ts).
   * A task has one owner, who asks within `ownerWaitMsMax`.
   */
  static of<Value>(owner: AnyProcess, pid: AnyPid): Task<Value> {
    return new Task<Value>(owner, pid as Pid<unknown>);
  }

  /** Starts a task that is linked to its owner (Elixir Task.async/1). */
  static async<Value, Args extends readonly unknown[]>(
    owner: AnyProcess,
    source: TaskSource<Value, Args>,
    options: SpawnOptions<Args> = {},
  ): Task<Value> {
    return new Task<Value>(owner, spawnTask(owner, owner, source, options, true));
  }

  /** Starts a task whose failure does not reach its owner, nor the owner's end the task (Elixir async_nolink). */
  static asyncNoLink<Value, Args extends readonly unknown[]>(
    owner: AnyProcess,
    source: TaskSource<Value, Args>,
    options: SpawnOptions<Args> = {},
  ): Task<Value> {
    return new Task<Value>(owner, spawnTask(owner, owner, source, options, false));
  }

  /**
   * Awaits all tasks (Elixir await_many); one time-out for all.
   * @throws Exit as `await`, as soon as one of them has failed.
   */
  static async awaitMany<const Tasks extends readonly Task<unknown>[]>(
    tasks: Tasks,
    options?: TaskTimeout,
  ): Promise<{ -readonly [K in keyof Tasks]: Tasks[K] extends Task<infer Value> ? Value : never }> {
    type Values = { -readonly [K in keyof Tasks]: Tasks[K] extends Task<infer Value> ? Value : never };
    assertTasks(tasks);
    const timeoutMs = timeoutMsOf(options, taskTimeoutMsDefault);
    const [first] = tasks;
    if (first === undefined) return [] as unknown as Values;
    const all = Promise.all(tasks.map(async (task) => task.#valueOf(await task.#outcome)));
    const values = await within(first.#owner, all, timeoutMs);
    if (values !== timedOut) return values as Values;
    const late = tasks.find((task) => task.#settled === undefined) ?? first;
    throw late.#failure("timeout");
  }

  /** Waits for all tasks and gives what became of each by then (Elixir yield_many); one time-out for all. */
  static async yieldMany<const Tasks extends readonly Task<unknown>[]>(
    tasks: Tasks,
    options?: TaskTimeout,
  ): Promise<{
    -readonly [K in keyof Tasks]: (Tasks[K] extends Task<infer Value> ? TaskOutcome<Value> : never) | TimedOut;
  }> {
    assertTasks(tasks);
    const timeoutMs = timeoutMsOf(options, taskTimeoutMsDefault);
    const [first] = tasks;
    if (first !== undefined) await within(first.#owner, Promise.all(tasks.map((task) => task.#outcome)), timeoutMs);
    return tasks.map((task) => task.#settled ?? timedOut) as never;
  }

  /**
   * Starts a task per item and gives their outcomes (Elixir async_stream/3). `items` may be asynchronous and endless.
   * @throws RangeError when a limit is not a whole number of at least 1 (`bufferedMax`: 0), TypeError when what is given is
   * no input, work or option; in the loop: Exit with `{ tag: "task", reason: "timeout", task }`, and what `items` throws.
   */
  static stream<Item, Value>(
    owner: AnyProcess,
    items: Iterable<Item> | AsyncIterable<Item>,
    source: TaskSource<Value, readonly [item: Item]>,
    options: StreamOptions = {},
  ): AsyncIterableIterator<StreamOutcome<Item, Value>, undefined, undefined> {
    return new TaskStream<Item, Value>(owner, items, source, options);
  }

  /**
   * The task's value (Elixir Task.await/2).
   * @throws Exit with `{ tag: "task", reason, task }`: `"timeout"`, or what ended the task.
   */
  async await(options?: TaskTimeout): Promise<Value> {
    const outcome = await this.yield(options);
    if (outcome === timedOut) throw this.#failure("timeout");
    return this.#valueOf(outcome);
  }

  /** What became of the task, or `timedOut` when it is not over by then (Elixir Task.yield/2). */
  yield(options?: TaskTimeout): Promise<TaskOutcome<Value> | TimedOut> {
    return within(this.#owner, this.#outcome, timeoutMsOf(options, taskTimeoutMsDefault));
  }

  /**
   * Unlinks the task and ends it with `shutdown`, and with `kill` after `timeoutMs`; 0 kills at once (Elixir
   * Task.shutdown/2). Gives its outcome: of a task that was done before, its value.
   */
  async shutdown(options?: TaskTimeout): Promise<TaskOutcome<Value>> {
    const timeoutMs = timeoutMsOf(options, taskShutdownMsDefault);
    if (this.#settled !== undefined) return this.#settled;
    const owner = this.#owner;
    owner.unlink(this.pid);
    owner.exit(this.pid, timeoutMs === 0 ? "kill" : "shutdown");
    const outcome = await within(owner, this.#outcome, timeoutMs === 0 ? Infinity : timeoutMs);
    if (outcome !== timedOut) return outcome;
    owner.exit(this.pid, "kill");
    return owner.wait(this.#outcome);
  }

  #valueOf(outcome: TaskOutcome<Value>): Value {
    if (outcome.ok) return outcome.value;
    throw this.#failure(outcome.reason);
  }

  #failure(reason: ExitReason): Exit {
    return new Exit({ tag: "task", reason, task: String(this.pid) } satisfies TaskFailed);
  }
}

/** One item of a stream, from the start of its task until its outcome is taken. */
class StreamEntry<Item, Value> {
  readonly item: Item;
  readonly task: Task<Value>;
  outcome: TaskOutcome<Value> | undefined = undefined;
  /** Takes its time-out back. */
  endTimeout: () => void = () => {};

  constructor(item: Item, task: Task<Value>) {
    this.item = item;
    this.task = task;
  }
}

type Result<Item, Value> = IteratorResult<StreamOutcome<Item, Value>, undefined>;

/** See `Task.stream`. */
class TaskStream<Item, Value> implements AsyncIterableIterator<StreamOutcome<Item, Value>, undefined, undefined> {
  readonly #owner: AnyProcess;
  readonly #items: Iterable<Item> | AsyncIterable<Item>;
  readonly #source: TaskSource<Value, readonly [item: Item]>;
  readonly #options: Required<Pick<StreamOptions, "ordered" | "timeoutMs" | "onTimeout" | "link">>;
  readonly #spawn: SpawnOptions;
  readonly #maxConcurrency: number;
  readonly #bufferedMax: number;
  #input: Iterator<Item> | AsyncIterator<Item> | null = null;
  /** Set while an asynchronous input is asked for its next item. */
  #isPulling = false;
  #isInputOver = false;
  #isClosed = false;
  /** Thrown to who takes the next outcome. */
  #failure: { readonly thrown: unknown } | null = null;
  /** Started and not taken, in the order of the items. */
  readonly #entries = new Set<StreamEntry<Item, Value>>();
  /** Those with an outcome, in the order of their ends; only when that is the order of the stream. */
  readonly #ended: StreamEntry<Item, Value>[] = [];
  #runningCount = 0;
  /** Resolves the wait for something to happen. */
  #wake: () => void = () => {};
  #release: () => void = () => {};
  /** Calls of `next` follow each other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    owner: AnyProcess,
    items: Iterable<Item> | AsyncIterable<Item>,
    source: TaskSource<Value, readonly [item: Item]>,
    options: StreamOptions,
  ) {
    const { maxConcurrency = maxConcurrencyDefault, bufferedMax = maxConcurrency, ...rest } = options;
    const { ordered = true, timeoutMs = taskTimeoutMsDefault, onTimeout = "exit", link = true, ...spawn } = rest;
    assertInput(items);
    assertSource(source);
    assertWhole("maxConcurrency", maxConcurrency, 1);
    assertWhole("bufferedMax", bufferedMax, 0);
    assertMilliseconds("timeoutMs", timeoutMs);
    if (onTimeout !== "exit" && onTimeout !== "kill") {
      throw new TypeError(`onTimeout is "exit" or "kill", not ${inWords(onTimeout)}`);
    }
    this.#owner = owner;
    this.#items = items;
    this.#source = source;
    this.#options = { ordered, timeoutMs, onTimeout, link };
    this.#spawn = spawn;
    this.#maxConcurrency = maxConcurrency;
    this.#bufferedMax = bufferedMax;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result<Item, Value>> {
    const result = this.#last.then(() => this.#advance());
    this.#last = result.catch(() => {});
    return result;
  }

  /** Kills the tasks and closes the input: what `break` calls. */
  async return(): Promise<Result<Item, Value>> {
    await this.#close();
    return { done: true, value: undefined };
  }

  async #advance(): Promise<Result<Item, Value>> {
    if (this.#input === null && !this.#isClosed) this.#open();
    for (;;) {
      if (this.#isClosed) return { done: true, value: undefined };
      this.#fill();
      if (this.#failure !== null) {
        // What went wrong first is what counts.
        await this.#close().catch(() => {});
        throw this.#failure.thrown;
      }
      const entry = this.#takeReady();
      if (entry !== undefined) {
        return { done: false, value: { ...(entry.outcome as TaskOutcome<Value>), item: entry.item } };
      }
      if (this.#isInputOver && this.#entries.size === 0) {
        await this.#close();
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #open(): void {
    const items = this.#items as Partial<Iterable<Item> & AsyncIterable<Item>>;
    // The owner's end, whatever ends it, is the end of the tasks too.
    this.#release = this.#owner.own({ close: () => this.#endTasks() });
    this.#input = (items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]?.()) as Iterator<Item>;
  }

  // --- input ---

  /** Starts tasks as long as there is room and an item at hand. */
  #fill(): void {
    while (!this.#isPulling && !this.#isInputOver && this.#failure === null && this.#hasRoom()) this.#pull();
  }

  #hasRoom(): boolean {
    return this.#runningCount < this.#maxConcurrency && this.#entries.size < this.#maxConcurrency + this.#bufferedMax;
  }

  #pull(): void {
    let item: unknown;
    try {
      item = this.#input?.next();
    } catch (thrown) {
      this.#failInput(thrown);
      return;
    }
    if (isThenable(item)) void this.#pulled(item as Promise<IteratorResult<Item>>);
    else this.#take(item as IteratorResult<Item>);
  }

  async #pulled(item: Promise<IteratorResult<Item>>): Promise<void> {
    this.#isPulling = true;
    try {
      const result = await item;
      if (!this.#isOver()) this.#take(result);
    } catch (thrown) {
      this.#failInput(thrown);
    } finally {
      this.#isPulling = false;
      if (!this.#isOver()) this.#wake();
    }
  }

  /** An input that has failed is over and need not be closed. */
  #failInput(thrown: unknown): void {
    this.#isInputOver = true;
    this.#failure ??= { thrown };
  }

  #take(result: IteratorResult<Item>): void {
    if (typeof result !== "object" || result === null) {
      this.#failInput(new TypeError(`the next of a stream's input gives { done, value }, not ${inWords(result)}`));
    } else if (result.done === true) {
      this.#isInputOver = true;
    } else {
      try {
        this.#begin(result.value);
      } catch (refused) {
        // Such as a carrier that there is not: the input is still to be closed.
        this.#failure ??= { thrown: refused };
      }
    }
  }

  #begin(item: Item): void {
    const { link, timeoutMs } = this.#options;
    // Who traps exits has the outcomes, and need not be told of each end by a message as well.
    const start = link && !this.#owner.trapping ? Task.async : Task.asyncNoLink;
    const args = [item] as const;
    const entry = new StreamEntry(item, start(this.#owner, this.#source, { ...this.#spawn, args }));
    this.#entries.add(entry);
    this.#runningCount += 1;
    if (timeoutMs !== Infinity) {
      const { timers } = this.#owner.kernel;
      const timer = timers.start(timeoutMs, () => this.#timeOut(entry));
      entry.endTimeout = () => void timers.cancel(timer);
    }
    void entry.task.yield({ timeoutMs: Infinity }).then((outcome) => {
      if (entry.outcome !== undefined || this.#isOver()) return;
      this.#settle(entry, outcome as TaskOutcome<Value>);
    });
  }

  // --- outcomes ---

  #settle(entry: StreamEntry<Item, Value>, outcome: TaskOutcome<Value>): void {
    entry.endTimeout();
    entry.outcome = outcome;
    this.#runningCount -= 1;
    if (!this.#options.ordered) this.#ended.push(entry);
    this.#wake();
  }

  #timeOut(entry: StreamEntry<Item, Value>): void {
    if (this.#options.onTimeout === "exit") {
      this.#failure ??= {
        thrown: new Exit({ tag: "task", reason: "timeout", task: String(entry.task.pid) } satisfies TaskFailed),
      };
      this.#wake();
      return;
    }
    this.#settle(entry, { ok: false, reason: "timeout" });
    this.#kill(entry);
  }

  #takeReady(): StreamEntry<Item, Value> | undefined {
    const entry = this.#options.ordered ? this.#entries.values().next().value : this.#ended.shift();
    if (entry?.outcome === undefined) return undefined;
    this.#entries.delete(entry);
    return entry;
  }

  // --- the end ---

  /** Nothing may be started or resumed any more. */
  #isOver(): boolean {
    return this.#isClosed || !this.#owner.isAlive(this.#owner.pid);
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#release();
    this.#endTasks();
    this.#wake();
    const closing = this.#isInputOver ? undefined : this.#input?.return?.();
    // While it is asked for its next item it may take for ever to close.
    if (this.#isPulling) void Promise.resolve(closing).catch(() => {});
    else await closing;
  }

  #endTasks(): void {
    this.#isClosed = true;
    for (const entry of this.#entries) {
      entry.endTimeout();
      if (entry.outcome === undefined) this.#kill(entry);
    }
    this.#entries.clear();
  }

  #kill({ task }: StreamEntry<Item, Value>): void {
    const { kernel, pid } = this.#owner;
    kernel.unlink(this.#owner, task.pid);
    // By the kernel, because the owner itself may be ending.
    kernel.exit(pid, task.pid, "kill");
  }
}

function assertTasks(tasks: unknown): void {
  const wrong: readonly unknown[] = Array.isArray(tasks) ? tasks.filter((task) => !(task instanceof Task)) : [tasks];
  if (wrong.length === 0) return;
  throw new TypeError(`tasks are a list of what Task.async and its like give, not ${inWords(wrong[0])}`);
}

function assertInput(items: unknown): void {
  const input = items as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  if (typeof (input?.[Symbol.asyncIterator] ?? input?.[Symbol.iterator]) === "function") return;
  throw new TypeError(`a stream takes its items from something iterable, such as a list, not from ${inWords(items)}`);
}

/** Why a task has no value: a call to it failed with that. */
function reasonOf(failed: unknown): ExitReason {
  if (!(failed instanceof Exit)) return failed;
  return isTagged(failed.reason, "call") ? failed.reason["reason"] : failed.reason;
}
