/**
 * Plain: a running system as lines, for pipes, files and people who prefer them. `api | text` is what a service
 * wrote, on stdout and stderr alike; `api = ready after 312 ms` is what became of it.
 *
 * Guarantees: one line per log line, in the order in which they came, names aligned. A line holds nothing that a
 * terminal would obey, apart from its own colours when there is colour.
 * Limit: `waitingBytesMax`; when a reader is slower than the services, what they write beyond it is left out and counted.
 * What became of a service is never left out.
 * Not here: colos's own problems; those go to stderr (main.ts).
 *
 * @module
 */
import type { InstanceStatus, LogLine, RunningSystem, SystemEvent } from "../control/service.ts";
import type { Output } from "./host.ts";
import { nameStyle, stateStyles, styled } from "./colour.ts";
import { durationText } from "./figures.ts";
import { colouredText, fitted, plainText } from "./text.ts";

/** Bytes that may wait for a slow reader. */
export const waitingBytesMax: number = 16 * 1024 * 1024;
/** Columns of the widest name that is shown whole. */
export const nameWidthMax = 32;

export interface PlainOptions {
  readonly output: Output;
  readonly colour: boolean;
}

/** Prints a system's events until the returned function is called. */
export function startPlain(system: RunningSystem, options: PlainOptions): () => void {
  const lines = new PlainLines(system.instances(), options);
  for (const status of system.instances()) lines.state(status);
  return system.subscribe((event) => lines.event(event));
}

/** What became of an instance: `ready after 312 ms`, `backoff: exited with code 1`. */
export function stateText({ state, uptimeMs, reason, osPid }: InstanceStatus, colour: boolean): string {
  const after = state === "ready" && uptimeMs !== undefined ? ` after ${durationText(uptimeMs)}` : "";
  const pid = state === "starting" && osPid !== undefined ? ` (pid ${osPid})` : "";
  const why = reason === undefined ? "" : `: ${plainText(reason)}`;
  return styled(stateStyles[state], `${state}${after}${pid}${why}`, colour);
}

class PlainLines {
  readonly #options: PlainOptions;
  readonly #width: number;
  readonly #services: readonly string[];
  readonly #serviceOf: ReadonlyMap<string, string>;
  #leftOutCount = 0;

  constructor(instances: readonly InstanceStatus[], options: PlainOptions) {
    this.#options = options;
    this.#width = Math.min(nameWidthMax, Math.max("colos".length, ...instances.map(({ name }) => name.length)));
    this.#services = [...new Set(instances.map(({ service }) => service))];
    this.#serviceOf = new Map(instances.map(({ name, service }) => [name, service]));
  }

  event(event: SystemEvent): void {
    switch (event.type) {
      case "log":
        return this.#log(event.line);
      case "state":
        return this.state(event.status);
      case "up":
        return this.#line("colos", "=", `every service is ready after ${durationText(event.elapsedMs)}`);
      case "stopping":
        return this.#line("colos", "=", "stopping");
      case "ended":
        return this.#line("colos", "=", "ended");
    }
  }

  state(status: InstanceStatus): void {
    this.#line(status.name, "=", stateText(status, this.#options.colour));
  }

  #log({ name, text }: LogLine): void {
    if ((this.#options.output.writableLength ?? 0) > waitingBytesMax) this.#leftOutCount++;
    else this.#line(name, "|", this.#options.colour ? colouredText(text) : plainText(text));
  }

  #line(name: string, mark: string, text: string): void {
    const { output } = this.#options;
    const leftOut = this.#leftOutCount;
    this.#leftOutCount = 0;
    if (leftOut > 0) output.write(`${this.#prefix("colos", "=")} ${leftOut} lines left out: the reader is too slow\n`);
    output.write(`${`${this.#prefix(name, mark)} ${text}`.trimEnd()}\n`);
  }

  #prefix(name: string, mark: string): string {
    const prefix = `${fitted(name, this.#width)} ${mark}`;
    const service = this.#serviceOf.get(name);
    if (service === undefined) return styled("bold", prefix, this.#options.colour);
    return styled(nameStyle(this.#services.indexOf(service)), prefix, this.#options.colour);
  }
}
