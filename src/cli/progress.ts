/**
 * Progress: what becomes of instances while an operation on them is waited for: a table in place on a terminal, a line for
 * each change elsewhere.
 *
 * Guarantees: what is shown last is what the operation's own report says, also when events come late or not at all. Ctrl+C
 * ends the waiting, not the operation.
 * Limit: events are those of the time of the operation; one that is missed between two others is not shown.
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import type { Manager, ManagerEvent, OperationReport } from "../control/manager.ts";
import type { InstanceState, InstanceStatus } from "../control/service.ts";
import type { Call } from "./call.ts";
import { styled } from "./colour.ts";
import { durationText } from "./figures.ts";
import { interruptible } from "./interrupt.ts";
import { nameWidthMax, stateText } from "./plain.ts";
import { type ScreenSize, startScreen } from "./screen.ts";
import { countsText, fittingLines, instanceTable } from "./table.ts";
import { fitted, truncated } from "./text.ts";

export interface ProgressOptions {
  /** Where the instances are to get. */
  readonly goal: "ready" | "stopped";
  /** Whom it is about; absent: all. */
  readonly about?: readonly string[];
  /** Whether an instance of which nothing changed is shown, too. */
  readonly showsUnchanged: boolean;
  /** Names that will come, so that they are aligned from the first line. */
  readonly names?: readonly string[];
}

/** Does the work and shows what happens meanwhile. Settles as the work does. @throws Interrupted */
export async function withProgress<Report extends OperationReport>(
  call: Call,
  options: ProgressOptions,
  work: (manager: Manager) => Promise<Report>,
): Promise<Report> {
  const manager = await call.connect();
  if (!call.isTalking) return interruptible(work(manager), call.host);
  const about = options.about === undefined ? undefined : { names: options.about };
  const { instances } = await manager.list(about);
  const watched = new Watched(instances, options, call.host.clock);
  const endFace = call.isLive
    ? startTable(watched, call, options.goal)
    : startLines(watched, call, options.names ?? []);
  const endEvents = follow(manager.events(about), (event) => watched.event(event));
  try {
    const report = await interruptible(work(manager), call.host);
    watched.settle(report.instances);
    return report;
  } finally {
    endEvents();
    endFace();
  }
}

/** Gives events to the listener until the returned function is called. Losing them is no failure: the report has the truth. */
function follow(stream: AsyncIterable<ManagerEvent>, listener: (event: ManagerEvent) => void): () => void {
  const events = stream[Symbol.asyncIterator]();
  let hasEnded = false;
  const pump = async (): Promise<void> => {
    for (;;) {
      const next = await events.next();
      if (hasEnded || next.done === true) return;
      listener(next.value);
    }
  };
  pump().catch(() => {});
  return () => {
    hasEnded = true;
    events.return?.().catch(() => {});
  };
}

interface Seen {
  readonly status: InstanceStatus;
  readonly atMs: number;
  readonly isShown: boolean;
}

/** The instances an operation is about, as they are known now. */
class Watched {
  readonly #options: ProgressOptions;
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();
  #changed: (status: InstanceStatus) => void = () => {};

  constructor(before: readonly InstanceStatus[], options: ProgressOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    for (const status of before) this.#note(status, false);
  }

  /** Calls the listener with each status that is worth showing. */
  onChange(listener: (status: InstanceStatus) => void): void {
    this.#changed = listener;
  }

  /** With uptimes of now. */
  instances(): readonly InstanceStatus[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#seen.values()].map(({ status, atMs }) =>
      status.uptimeMs === undefined ? status : { ...status, uptimeMs: status.uptimeMs + nowMs - atMs },
    );
  }

  event(event: ManagerEvent): void {
    if (event.type === "state") this.#note(event.status, true);
  }

  /** The truth, at the end. */
  settle(statuses: readonly InstanceStatus[]): void {
    for (const status of statuses) {
      const seen = this.#seen.get(status.name);
      const isNews = seen === undefined || seen.status.state !== status.state;
      const isDue = this.#options.showsUnchanged && seen?.isShown !== true;
      // An uptime would read as the time it took.
      const { uptimeMs, ...rest } = status;
      this.#note(uptimeMs === undefined || isNews || !isDue ? status : rest, isNews || isDue);
    }
  }

  #note(status: InstanceStatus, isShown: boolean): void {
    const wasShown = this.#seen.get(status.name)?.isShown === true;
    this.#seen.set(status.name, { status, atMs: this.#clock.monotonicMs(), isShown: isShown || wasShown });
    if (isShown) this.#changed(status);
  }
}

function startLines(watched: Watched, call: Call, names: readonly string[]): () => void {
  const known = [...names, ...watched.instances().map(({ name }) => name)];
  let width = Math.max(0, ...known.map(({ length }) => length));
  watched.onChange((status) => {
    width = Math.min(nameWidthMax, Math.max(width, status.name.length));
    // Why the run before ended was told when it ended.
    const { reason: _, ...starting } = status;
    const told = status.state === "starting" ? starting : status;
    call.print([`${fitted(status.name, width)} = ${stateText(told, call.colour)}`]);
  });
  return () => {};
}

function startTable(watched: Watched, call: Call, goal: ProgressOptions["goal"]): () => void {
  const { host, colour, verb } = call;
  const screen = startScreen({
    output: host.stdout,
    clock: host.clock,
    onExit: (listener) => host.onExit(listener),
    render: (size, elapsedMs, hasEnded) => {
      const instances = watched.instances();
      const facts = `${progressText(instances, goal)} after ${durationText(elapsedMs)}`;
      const title = `${verb}: ${facts}${hasEnded ? "" : " · Ctrl+C stops waiting"}`;
      return progressLines(instances, styled("bold", truncated(title, size.columns), colour), size, colour);
    },
  });
  watched.onChange(() => screen.changed());
  const { aside } = call;
  call.aside = (text) => screen.above(text);
  return () => {
    call.aside = aside;
    screen.end();
  };
}

/** States in which an instance is where it was sent. */
const goalStates: Readonly<Record<ProgressOptions["goal"], ReadonlySet<InstanceState>>> = {
  ready: new Set(["ready", "scheduled"]),
  stopped: new Set(["stopped"]),
};

function progressText(instances: readonly InstanceStatus[], goal: ProgressOptions["goal"]): string {
  // What has done its work, is not to start or is removed does not become ready, and need not.
  const meant = goal === "ready" ? instances.filter(({ state }) => state !== "stopped") : instances;
  const there = meant.filter(({ state }) => goalStates[goal].has(state)).length;
  const problems = countsText(instances, ["failed", "degraded", "backoff"]);
  return `${there} of ${meant.length} ${goal}${problems === "" ? "" : `, ${problems}`}`;
}

function progressLines(
  instances: readonly InstanceStatus[],
  title: string,
  { columns, rows }: ScreenSize,
  colour: boolean,
): readonly string[] {
  if (rows < 1) return [];
  return [title, ...fittingLines(instanceTable(instances, columns, colour), rows - 1)].slice(0, rows);
}
