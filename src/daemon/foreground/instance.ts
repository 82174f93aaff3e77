/**
 * Instance: what the manager remembers of one instance of a service, and the status it shows.
 *
 * Guarantees: `state` changes only through `enter`, which tells the listener once per change.
 *
 * @module
 */
import { instanceName, type InstanceState, type InstanceStatus, type LogLine } from "../../control/service.ts";
import type { ServicePlan } from "../../control/config.ts";
import type { AnyPid } from "../../kernel/pid.ts";
import type { GroupSample } from "../../os/process-sample.ts";
import { cpuPercent } from "../../os/process-sample.ts";
import { LineSplitter } from "./line-splitter.ts";

/** Lines kept for a readiness check that has not begun; the oldest go first. */
export const unheardLinesMax = 1000;

/** What an instance tells the manager. */
export interface InstanceListener {
  changed(instance: Instance, before: InstanceState): void;
  wrote(line: LogLine): void;
}

export class Instance {
  readonly plan: ServicePlan;
  /** 1-based. */
  readonly number: number;
  readonly name: string;
  readonly #listener: InstanceListener;
  readonly #lineListeners = new Set<(text: string) => void>();
  #splitters: { readonly stdout: LineSplitter; readonly stderr: LineSplitter };
  state: InstanceState = "waiting";
  reason: string | undefined;
  pid: AnyPid | undefined;
  osPid: number | undefined;
  startedMs: number | undefined;
  restartsCount = 0;
  /** Whether it was ready at least once. */
  wasReady = false;
  /** The exit code and OS signal of its last run. */
  osExit: { readonly code: number | null; readonly signal: string | null } | undefined;
  /** The current run has started: its program is loaded, or its executable runs. */
  isStarted = false;
  /** Why the current run is ended: its readiness check did not pass. */
  notReady: string | undefined;
  /** Set while a readiness check runs. */
  check: AbortController | undefined;
  /** Set while the current run was told to end and is to be killed if it does not. */
  cancelKill: (() => void) | undefined;
  #lastLine: string | undefined;
  /** What was written before the readiness check began to listen: a program may say that it is ready while it loads. */
  #unheard: string[] | undefined;
  #sample: GroupSample | undefined;
  #cpuPercent: number | undefined;

  constructor(plan: ServicePlan, number: number, listener: InstanceListener) {
    this.plan = plan;
    this.number = number;
    this.name = instanceName(plan.name, number);
    this.#listener = listener;
    this.#splitters = this.#newSplitters();
  }

  enter(state: InstanceState, reason?: string): void {
    const before = this.state;
    this.reason = reason;
    if (state === "ready") this.wasReady = true;
    if (before === state) return;
    this.state = state;
    this.#listener.changed(this, before);
  }

  /** Takes output of the current run. */
  write(stream: "stdout" | "stderr", data: Uint8Array): void {
    this.#splitters[stream].push(data);
  }

  /** A new OS process or thread begins. */
  begin(nowMs: number): void {
    this.startedMs = nowMs;
    this.osExit = undefined;
    this.isStarted = false;
    this.#unheard = this.plan.ready.kind === "log" ? [] : undefined;
    this.notReady = undefined;
    this.#sample = undefined;
    this.#cpuPercent = undefined;
  }

  /** The current run is over. */
  finish(): void {
    this.#splitters.stdout.flush();
    this.#splitters.stderr.flush();
    this.#splitters = this.#newSplitters();
    this.check?.abort(new Error("the instance ended"));
    this.check = undefined;
    this.cancelKill?.();
    this.cancelKill = undefined;
    this.isStarted = false;
    this.pid = undefined;
    this.osPid = undefined;
    this.startedMs = undefined;
  }

  /** Calls `listener` for each line of the current run; returns how to stop. Only the first listener hears all. */
  onLine(listener: (text: string) => void): () => void {
    const unheard = this.#unheard ?? [];
    this.#unheard = undefined;
    for (const text of unheard) listener(text);
    this.#lineListeners.add(listener);
    return () => this.#lineListeners.delete(listener);
  }

  /** Takes a new sample of its process group; undefined when there is none. */
  measure(sample: GroupSample | undefined): void {
    if (sample === undefined) return;
    if (this.#sample !== undefined) this.#cpuPercent = cpuPercent(this.#sample, sample);
    this.#sample = sample;
  }

  status(nowMs: number): InstanceStatus {
    const { name, number, plan, state, restartsCount, osPid, startedMs, reason } = this;
    const lastLogLine = this.#lastLine;
    const runs = startedMs !== undefined;
    return {
      name,
      service: plan.name,
      instance: number,
      carrier: plan.carrier,
      state,
      restartsCount,
      ...(reason === undefined ? {} : { reason }),
      ...(osPid === undefined ? {} : { osPid }),
      ...(runs ? { uptimeMs: nowMs - startedMs } : {}),
      ...(runs && this.#sample !== undefined ? { memoryBytes: this.#sample.residentBytes } : {}),
      ...(runs && this.#cpuPercent !== undefined ? { cpuPercent: this.#cpuPercent } : {}),
      ...(lastLogLine === undefined ? {} : { lastLogLine }),
    };
  }

  #newSplitters(): { stdout: LineSplitter; stderr: LineSplitter } {
    return {
      stdout: new LineSplitter((text) => this.#line("stdout", text)),
      stderr: new LineSplitter((text) => this.#line("stderr", text)),
    };
  }

  #line(stream: "stdout" | "stderr", text: string): void {
    if (text.trim() !== "") this.#lastLine = text;
    this.#unheard?.push(text);
    if (this.#unheard !== undefined && this.#unheard.length > unheardLinesMax) this.#unheard.shift();
    for (const listener of this.#lineListeners) listener(text);
    this.#listener.wrote({ name: this.name, stream, text });
  }
}
