/**
 * Recorder client: the daemon's end of the connection to its home's recorder.
 *
 * Guarantees: there is a recorder, or one is being started: when the connection is lost it connects to the one that lives, or
 * starts one, and attaches every run again that was not drained. Requests wait for that.
 * Limits: the wait between two tries grows from `reconnectInitialMs` to `reconnectMaxMs`, and never ends.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { LogsPlan } from "../../control/config.ts";
import { identityOf } from "../os-identity.ts";
import type { RunId } from "../run/run.ts";
import { protocolVersion, receive, send, type Report, type Request } from "./protocol.ts";
import { RecorderStart, type RecorderStartOptions } from "./recorder-start.ts";
import type { RecordedRun, Recorder } from "./recorder.ts";

/** How long a recorder has to answer after it was started, in milliseconds, before `openRecorder` fails. */
export const openTimeoutMs = 10_000;
/** The first and the longest wait before a new try to connect, in milliseconds; it doubles. */
export const reconnectInitialMs = 10;
export const reconnectMaxMs = 100;
export interface RecorderOptions extends RecorderStartOptions {
  /** Without it a recorder is started at once; with it, when there is something to record. */
  readonly startsLate?: boolean;
}

/** Connects to the recorder of the home; none may live yet, with `startsLate`. @throws Error with a sentence when that fails */
export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const client = new RecorderClient(options);
  await client.opened();
  return client;
}

interface Ask {
  readonly request: (ask: number) => Request;
  readonly resolve: (bytes: number) => void;
  readonly reject: (error: Error) => void;
}

class RecorderClient implements Recorder {
  readonly #options: RecorderOptions;
  readonly #start: RecorderStart;
  readonly #asks = new Map<number, Ask>();
  /** Runs that are read, as far as this daemon knows; attached again after a loss. */
  readonly #runs = new Map<RunId, RecordedRun>();
  readonly #noteListeners = new Set<(id: RunId, note: string) => void>();
  /** What the recorder is in trouble with now, by folder. */
  readonly #troubles = new Map<string, string>();
  readonly #troubleListeners = new Set<(directory: string, message: string | undefined) => void>();
  #nextAsk = 1;
  #socket: Socket | undefined;
  #osPid: number | undefined;
  #isClosed = false;
  #isStopped = false;
  /** Without a recorder one is started. */
  #isNeeded: boolean;
  /** A connection is there, or is tried for. */
  #isTrying = false;
  #cancelRetry: (() => void) | undefined;
  #retryMs = reconnectInitialMs;
  #problem = "it did not answer";
  #onUp: (() => void) | undefined;
  #onClosed: (() => void) | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#isNeeded = options.startsLate !== true;
    this.#start = new RecorderStart(options, (problem) => this.#startFailed(problem));
  }

  async opened(): Promise<void> {
    const { home, clock } = this.#options;
    let cancel: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#onUp = resolve;
        const fail = (): void =>
          reject(new Error(`the recorder could not be started: ${this.#problem}; see ${join(home.log, "recorder")}`));
        cancel = clock.timer(openTimeoutMs, fail);
        this.#connect();
      });
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      cancel?.();
    }
  }

  get osPid(): number | undefined {
    return this.#osPid;
  }

  async attach(run: RecordedRun): Promise<void> {
    this.#runs.set(run.id, run);
    try {
      await this.#ask((ask) => ({ ask, type: "attach", run }));
    } catch (error) {
      this.#runs.delete(run.id);
      throw error;
    }
  }

  async drained(id: RunId, timeoutMs: number): Promise<void> {
    const drained = this.#ask((ask) => ({ ask, type: "drain", id })).then(() => void this.#runs.delete(id));
    let cancel: (() => void) | undefined;
    const timeout = new Promise<void>((resolve) => (cancel = this.#options.clock.timer(timeoutMs, resolve)));
    // After the time is up nobody waits for the answer.
    drained.catch(() => {});
    await Promise.race([drained, timeout]).finally(() => cancel?.());
  }

  onNote(listener: (id: RunId, note: string) => void): () => void {
    this.#noteListeners.add(listener);
    return () => void this.#noteListeners.delete(listener);
  }

  onTrouble(listener: (directory: string, message: string | undefined) => void): () => void {
    this.#troubleListeners.add(listener);
    for (const [directory, message] of this.#troubles) listener(directory, message);
    return () => void this.#troubleListeners.delete(listener);
  }

  empty(service: string, instance: number): Promise<number> {
    return this.#ask((ask) => ({ ask, type: "empty", service, instance }));
  }

  setLimits(service: string, instance: number, logs: LogsPlan): void {
    for (const [id, run] of this.#runs) {
      if (run.service === service && run.instance === instance) this.#runs.set(id, { ...run, logs });
    }
    if (this.#socket !== undefined) send(this.#socket, { type: "limits", service, instance, logs });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    const socket = this.#socket;
    if (socket !== undefined) {
      const closed = new Promise<void>((resolve) => (this.#onClosed = resolve));
      socket.end();
      await closed;
    }
    this.#refuseAsks("the connection to the recorder is closed");
  }

  async stop(): Promise<void> {
    this.#isClosed = true;
    this.#isStopped = true;
    this.#cancelRetry?.();
    await this.#start.endLate(this.#osPid);
    const socket = this.#socket;
    if (socket === undefined) return;
    const recorder = this.#osPid === undefined ? undefined : identityOf(this.#osPid);
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      send(socket, { type: "stop" });
    });
    this.#refuseAsks("the recorder was stopped");
    if (recorder !== undefined) await this.#start.untilEnded(recorder);
  }

  #refuseAsks(problem: string): void {
    for (const { reject } of this.#asks.values()) reject(new Error(problem));
    this.#asks.clear();
  }

  /** Settles with the bytes that it was about, if any. */
  #ask(request: (ask: number) => Request): Promise<number> {
    if (this.#isClosed) return Promise.reject(new Error("the connection to the recorder is closed"));
    return new Promise((resolve, reject) => {
      const ask = this.#nextAsk++;
      this.#asks.set(ask, { request, resolve, reject });
      this.#isNeeded = true;
      if (this.#socket !== undefined) return send(this.#socket, request(ask));
      if (!this.#isTrying) this.#connect();
      return undefined;
    });
  }

  #connect(): void {
    this.#isTrying = true;
    const socket = connect(this.#options.home.recorderSocket);
    let isUp = false;
    let isAbsent = false;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED") isAbsent = true;
      else this.#noRecorder(`the recorder cannot be reached, so what services write may wait: ${error.message}`);
    });
    receive<Report>(socket, (report) => {
      if (report.type !== "hello") return this.#read(report);
      if (report.version !== protocolVersion) {
        // What it reads waits in the pipes for the next one.
        this.#options.log("info", "the recorder is of another version; a new one takes over");
        return send(socket, { type: "stop" });
      }
      isUp = true;
      return this.#up(socket, report.osPid);
    });
    socket.on("close", () => {
      if (isUp) this.#down();
      if (this.#isClosed) return this.#onClosed?.();
      if (isAbsent && !this.#isNeeded) {
        this.#isTrying = false;
        return this.#opened();
      }
      if (isAbsent) this.#start.start();
      this.#cancelRetry = this.#options.clock.timer(this.#retryMs, () => this.#connect());
      this.#retryMs = Math.min(2 * this.#retryMs, reconnectMaxMs);
      return undefined;
    });
  }

  #up(socket: Socket, osPid: number): void {
    if (this.#isClosed) return void socket.end();
    this.#socket = socket;
    this.#osPid = osPid;
    this.#retryMs = reconnectInitialMs;
    this.#start.succeeded();
    const { root } = this.#options.home;
    if (this.#troubles.has(root)) this.#trouble(root, undefined);
    const waiting = [...this.#asks].map(([ask, { request }]) => request(ask));
    const asked = new Set(waiting.map((request) => (request.type === "attach" ? request.run.id : "")));
    // Before what waits: a run that the recorder does not know counts as drained.
    for (const [id, run] of this.#runs) if (!asked.has(id)) void this.#attachAgain(run);
    for (const request of waiting) send(socket, request);
    return this.#opened();
  }

  #opened(): void {
    this.#onUp?.();
    this.#onUp = undefined;
  }

  async #attachAgain(run: RecordedRun): Promise<void> {
    try {
      await this.#ask((ask) => ({ ask, type: "attach", run }));
    } catch (error) {
      if (this.#isClosed) return;
      this.#runs.delete(run.id);
      this.#options.log("warning", `${run.id} is no longer recorded: ${(error as Error).message}`);
    }
  }

  #down(): void {
    this.#socket = undefined;
    this.#osPid = undefined;
    // Its troubles end with it; the next one says its own.
    for (const directory of this.#troubles.keys()) this.#trouble(directory, undefined);
    if (!this.#isStopped && !this.#isClosed) this.#options.log("warning", "the recorder has ended; a new one goes on");
  }

  /** Said once, until there is one again. */
  #noRecorder(sentence: string): void {
    const { home, log } = this.#options;
    if (this.#troubles.get(home.root) === sentence) return;
    log("error", sentence);
    this.#trouble(home.root, sentence);
  }

  #trouble(directory: string, message: string | undefined): void {
    if (message === undefined) this.#troubles.delete(directory);
    else this.#troubles.set(directory, message);
    for (const listener of this.#troubleListeners) listener(directory, message);
  }

  #read(report: Exclude<Report, { type: "hello" }>): void {
    if (report.type === "note") {
      for (const listener of this.#noteListeners) listener(report.id, report.note);
    } else if (report.type === "trouble") {
      this.#trouble(report.directory, report.message);
    } else {
      const ask = this.#asks.get(report.ask);
      this.#asks.delete(report.ask);
      if (report.problem === undefined) ask?.resolve(report.bytes ?? 0);
      else ask?.reject(new Error(report.problem));
    }
  }

  #startFailed(problem: string): void {
    this.#noRecorder(`the recorder could not be started, so what services write waits: ${problem}`);
    this.#problem = problem;
  }
}
