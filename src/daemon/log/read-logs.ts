/**
 * Read logs: what services have written and write, for faces and for the manager. Reads files alone; no daemon is needed.
 *
 * Guarantees: the lines of several instances come in the order of time; those of one instance in the order of its files, each
 * once, across rotations and restarts. With `follow`, instances that come later are followed too, and nothing of them is missed.
 * Limits: while following, lines that are written within `followPollMs` of each other by different instances may change places.
 * A follower that is slower than the service, and falls behind by all that the budget keeps, misses what was removed.
 *
 * @module
 */
import { watch, type FSWatcher } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/platform.ts";
import { instanceFolder, logFolder, removedState, type Home } from "../home.ts";
import { InstanceLog } from "./instance-log.ts";
import { ownersIn } from "./log-store.ts";
import { filterOf } from "./log-filter.ts";
import type { LogEntry, LogQuery, LogSelection } from "../../control/log.ts";
import { parseSelector, selects, servicesOf } from "../../control/selector.ts";

/** How often followed folders are looked at when the OS announces nothing, in milliseconds. */
export const followPollMs = 500;
/** How long a burst of changes is gathered before the files are read, in milliseconds. */
const gatherMs = 10;

/** What following needs of the host. */
export interface ReadLogsOptions {
  readonly clock: Clock;
  /** Ends the following. */
  readonly signal?: AbortSignal;
}

/** The lines that the query asks for. @throws Error with a sentence for an expression that is none */
export function readLogs(
  home: Home,
  selection: readonly LogSelection[],
  query: LogQuery,
  options: ReadLogsOptions,
): AsyncIterable<LogEntry> {
  const filter = filterOf(query);
  return {
    [Symbol.asyncIterator]: () => {
      const reader = new LogReader(home, selection, query, filter, options);
      const entries = reader.entries();
      // Without this, `return` would wait for the next line.
      const close = entries.return.bind(entries);
      entries.return = (value) => {
        reader.stop();
        return close(value);
      };
      return entries;
    },
  };
}

class LogReader {
  readonly #home: Home;
  readonly #selection: readonly LogSelection[];
  readonly #query: LogQuery;
  readonly #filter: (entry: LogEntry) => boolean;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #logs = new Map<string, InstanceLog>();
  readonly #watchers = new Map<string, FSWatcher>();
  #isStopped = false;
  #hasChanged = false;
  #wake: (() => void) | undefined;

  constructor(
    home: Home,
    selection: readonly LogSelection[],
    query: LogQuery,
    filter: (entry: LogEntry) => boolean,
    { clock, signal }: ReadLogsOptions,
  ) {
    this.#home = home;
    this.#selection = selection;
    this.#query = query;
    this.#filter = filter;
    this.#clock = clock;
    this.#signal = signal;
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async *entries(): AsyncGenerator<LogEntry, undefined, undefined> {
    const stop = (): void => this.stop();
    this.#signal?.addEventListener("abort", stop);
    if (this.#signal?.aborted === true) stop();
    try {
      // Before the files are read, so that no change falls in between.
      if (this.#query.follow === true) this.#watch(this.#home.services);
      yield* this.#written();
      while (this.#query.follow === true && !this.#isStopped) {
        yield* await this.#news();
        await this.#change();
      }
    } finally {
      this.#signal?.removeEventListener("abort", stop);
      for (const watcher of this.#watchers.values()) watcher.close();
      for (const log of this.#logs.values()) await log.close();
    }
    return undefined;
  }

  /** What is there, in the order of time. */
  async *#written(): AsyncGenerator<LogEntry, void, undefined> {
    const { linesMax, sinceAt = 0, untilAt = Infinity, follow = false } = this.#query;
    const sources: Source[] = [];
    for (const log of await this.#newLogs()) {
      if (linesMax === undefined) await log.begin(sinceAt);
      const wanted = (entry: LogEntry): boolean => entry.at <= untilAt && this.#filter(entry);
      const batches = linesMax === undefined ? this.#batches(log, follow) : once(log.last(linesMax, sinceAt, wanted));
      sources.push({ batches, batch: [], index: 0 });
    }
    yield* merged(sources);
  }

  /** The wanted lines of a log until its end. */
  async *#batches(log: InstanceLog, follow: boolean): AsyncGenerator<LogEntry[], void, undefined> {
    const { untilAt = Infinity } = this.#query;
    for (let batch = await log.next(); batch.length > 0 && !this.#isStopped; batch = await log.next()) {
      yield this.#wanted(batch);
      if (batch[0]!.at > untilAt) return;
    }
    if (!follow) yield this.#wanted(log.rest());
  }

  /** What came since the last look, in the order of time. */
  async #news(): Promise<LogEntry[]> {
    await this.#newLogs();
    const news: LogEntry[] = [];
    for (const log of this.#logs.values()) {
      const batch = await log.next();
      for (const entry of this.#wanted(batch)) news.push(entry);
      if (batch.length > 0) this.#hasChanged = true;
    }
    return news.toSorted((one, other) => one.at - other.at);
  }

  #wanted(batch: readonly LogEntry[]): LogEntry[] {
    const { sinceAt = 0, untilAt = Infinity } = this.#query;
    return batch.filter((entry) => entry.at >= sinceAt && entry.at <= untilAt && this.#filter(entry));
  }

  /** Instances that were not there at the last look. */
  async #newLogs(): Promise<InstanceLog[]> {
    const found: InstanceLog[] = [];
    for (const owner of await this.#owners()) {
      const directory = logFolder(this.#home, owner.service, owner.instance);
      if (this.#query.follow === true) this.#watch(directory);
      if (this.#logs.has(directory)) continue;
      const log = new InstanceLog(directory, owner);
      this.#logs.set(directory, log);
      found.push(log);
    }
    return found;
  }

  async #isRemoved(service: string, instance: number): Promise<boolean> {
    if (this.#logs.has(logFolder(this.#home, service, instance))) return false;
    const file = join(instanceFolder(this.#home, service, instance), "state");
    return (await readFile(file, "utf8").catch(() => "")).trim() === removedState;
  }

  async #owners(): Promise<{ readonly service: string; readonly instance: number }[]> {
    const owners = [];
    const isWanted = (service: string): boolean => this.#selection.some((selected) => isSelected(selected, service));
    for (const { service, instance } of await ownersIn(this.#home, isWanted)) {
      const selections = this.#selection.filter((selected) => isSelected(selected, service, instance));
      if (selections.length === 0) continue;
      const isRemoved = await this.#isRemoved(service, instance);
      if (selections.some((selected) => isRead(selected, isRemoved))) owners.push({ service, instance });
    }
    return owners;
  }

  /** Where the OS cannot watch, or has no watch left, the slow look is all there is. */
  #watch(directory: string): void {
    if (this.#watchers.has(directory)) return;
    try {
      const watcher = watch(directory, () => {
        this.#hasChanged = true;
        this.#wake?.();
      });
      watcher.on("error", () => watcher.close());
      this.#watchers.set(directory, watcher);
    } catch {
      // The folder does not exist yet, for one.
    }
  }

  async #change(): Promise<void> {
    if (!this.#hasChanged) await this.#wait(followPollMs);
    else await this.#wait(gatherMs, true);
    this.#hasChanged = false;
  }

  #wait(delayMs: number, isShort = false): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#wake = undefined;
        resolve();
      };
      const cancel = this.#clock.timer(delayMs, done);
      this.#wake = (): void => {
        if (!isShort || this.#isStopped) done();
      };
    });
  }
}

/** What is no part of the system any more is read when it is named, or asked for, and does not clutter the rest. */
function isRead(selection: LogSelection, isRemoved: boolean): boolean {
  if ("gone" in selection) return isRemoved;
  return !isRemoved || "pattern" in selection || selection.service !== undefined;
}

/** Whether the selection means the instance, or without one any of the service. */
function isSelected(selection: LogSelection, service: string, instance?: number): boolean {
  if ("gone" in selection) return true;
  if (!("pattern" in selection)) {
    const { service: only = service, instance: number = instance } = selection;
    return only === service && (instance === undefined || number === instance);
  }
  const selector = parseSelector(selection.pattern);
  if (selector === undefined) return false;
  return selects(instance === undefined ? servicesOf(selector) : selector, { service, number: instance ?? 1 });
}

interface Source {
  readonly batches: AsyncIterator<LogEntry[], unknown, undefined>;
  batch: readonly LogEntry[];
  index: number;
}

async function* once(batch: Promise<LogEntry[]>): AsyncGenerator<LogEntry[], void, undefined> {
  yield await batch;
}

/** The entries of all sources, the earliest first. */
async function* merged(sources: readonly Source[]): AsyncGenerator<LogEntry, void, undefined> {
  let live: Source[] = [];
  for (const source of sources) if (await isFilled(source)) live.push(source);
  while (live.length > 0) {
    let first = live[0]!;
    for (const source of live) {
      if (source.batch[source.index]!.at < first.batch[first.index]!.at) first = source;
    }
    yield first.batch[first.index++]!;
    if (first.index === first.batch.length && !(await isFilled(first)))
      live = live.filter((source) => source !== first);
  }
}

async function isFilled(source: Source): Promise<boolean> {
  for (;;) {
    const { value, done } = await source.batches.next();
    if (done === true) return false;
    source.batch = value as LogEntry[];
    source.index = 0;
    if (source.batch.length > 0) return true;
  }
}

/** The last lines that an instance wrote to a stream (undefined: to any) in that time, oldest first, such as those that a failure is told with. */
export async function lastLines(
  home: Home,
  service: string,
  instance: number,
  stream: LogEntry["stream"] | undefined,
  linesMax: number,
  sinceAt = 0,
  untilAt?: number,
): Promise<string[]> {
  const log = new InstanceLog(logFolder(home, service, instance), { service, instance });
  try {
    const isWanted = (entry: LogEntry): boolean =>
      entry.at <= (untilAt ?? Infinity) && (stream === undefined || entry.stream === stream);
    const entries = await log.last(linesMax, sinceAt, isWanted);
    return entries.map(({ text }) => text);
  } finally {
    await log.close();
  }
}
