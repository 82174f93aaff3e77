/**
 * Recorder server: all runs that are recorded, and the daemons that ask for it, one at a time as a rule.
 *
 * Guarantees: a run is read whether or not a daemon is connected. The recorder ends by itself when it has had neither a run nor a
 * daemon for `idleMs`.
 * Limit: a daemon that does not read loses notes while more than `unreadBytesMax` wait for it; READY=1 stands in a file too.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Platform } from "../../base/platform.ts";
import type { LogsPlan } from "../../control/config.ts";
import { logFolder, type Home } from "../home.ts";
import { Forward } from "./forward.ts";
import { LogFolder } from "./log-folder.ts";
import { NotifySockets } from "./notify-sockets.ts";
import { instanceName } from "../../control/service.ts";
import { Patience } from "./patience.ts";
import { protocolVersion, receive, send, type Report, type Request } from "./protocol.ts";
import type { RecordedRun } from "./recorder.ts";
import { RunRecorder } from "./run-recorder.ts";

/** Without a run and without a daemon for so long, in milliseconds, the recorder ends. */
export const idleMs = 10_000;
/** Bytes that wait for a daemon that does not read. */
export const unreadBytesMax = 1_048_576;
/** How long a run that is to be drained has to open a pipe that nobody ever opened, in milliseconds. */
const unopenedMs = 500;
/** How long `stop` waits for a disk that takes nothing, in milliseconds. */
export const stopTimeoutMs = 5_000;

/** How long `stop` waits for a stdout that takes nothing of what is forwarded to it, in milliseconds. */
export const forwardTimeoutMs = 1_000;

export interface RecorderServerOptions {
  readonly home: Home;
  readonly platform: Pick<Platform, "clock" | "log">;
  /** Called once, when the recorder has nothing more to do. */
  readonly onEnd: () => void;
  /** Default: `idleMs`. */
  readonly idleMs?: number;
}

/** Of a folder that is only emptied: whoever writes into it says its own. */
const noLogs: LogsPlan = { sizeBytes: Infinity, ageMs: Infinity, budgetBytes: Infinity };

interface Recording {
  readonly run: RecordedRun;
  readonly recorder: RunRecorder;
  readonly opened: Promise<void>;
}

export class RecorderServer {
  readonly #options: RecorderServerOptions;
  readonly #server: Server;
  readonly #daemons = new Set<Socket>();
  readonly #runs = new Map<string, Recording>();
  readonly #folders = new Map<string, { readonly folder: LogFolder; users: number }>();
  /** What does not work now, by the folder that it is about. */
  readonly #troubles = new Map<string, string>();
  readonly #notifySockets = new NotifySockets();
  readonly #patience: Patience;
  #cancelIdle: (() => void) | undefined;
  #isStopping = false;

  constructor(options: RecorderServerOptions) {
    this.#options = options;
    this.#patience = new Patience(options.platform.clock, (message) => this.#trouble(options.home.root, message));
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Settles when daemons can connect. The caller holds the recorder's lock, so an old socket is nobody's. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#options.home.recorderSocket, () => resolve());
    });
    this.#watchIdle();
  }

  /** Reads what is in the pipes, writes it, and ends. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#cancelIdle?.();
    this.#server.close();
    this.#options.platform.clock.timer(stopTimeoutMs, () => {
      for (const { folder } of this.#folders.values()) folder.giveUp();
      this.#patience.giveUp();
    });
    await Promise.allSettled([...this.#runs.values()].map(({ opened }) => opened));
    const runs = [...this.#runs.values()];
    await Promise.allSettled(runs.map(({ recorder }) => recorder.leave()));
    await Promise.allSettled(runs.map(({ recorder }) => recorder.done));
    await this.#forwarded();
    this.#notifySockets.close();
    for (const daemon of this.#daemons) daemon.end();
    this.#options.onEnd();
  }

  /** The last lines of a container are those that people look for. */
  async #forwarded(): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.platform.clock.timer(forwardTimeoutMs, resolve);
    });
    await Promise.race([Forward.flushed(), late]).finally(() => cancel());
  }

  #serve(socket: Socket): void {
    this.#daemons.add(socket);
    this.#watchIdle();
    receive<Request>(socket, (request) => void this.#request(socket, request));
    socket.on("error", (error) =>
      this.#options.platform.log("warning", `a daemon's connection failed: ${error.message}`),
    );
    socket.on("close", () => {
      this.#daemons.delete(socket);
      this.#watchIdle();
    });
    send(socket, { type: "hello", version: protocolVersion, osPid: process.pid } satisfies Report);
    for (const [directory, message] of this.#troubles) send(socket, { type: "trouble", directory, message });
  }

  async #request(socket: Socket, request: Request): Promise<void> {
    if (request.type === "stop") return this.stop();
    if (request.type === "limits") return this.#setLimits(request.service, request.instance, request.logs);
    try {
      const bytes = await this.#carryOut(request);
      send(socket, { type: "answer", ask: request.ask, ...(bytes === undefined ? {} : { bytes }) });
    } catch (error) {
      send(socket, { type: "answer", ask: request.ask, problem: (error as Error).message });
    }
  }

  #carryOut(request: Extract<Request, { readonly ask: number }>): Promise<number | void> {
    if (request.type === "attach") return this.#attach(request.run);
    if (request.type === "drain") return this.#drain(request.id);
    return this.#empty(request.service, request.instance);
  }

  /** Of what nobody writes too: a run that begins meanwhile writes into the same folder. */
  async #empty(service: string, instance: number): Promise<number> {
    const directory = logFolder(this.#options.home, service, instance);
    const { folder } = this.#useFolder(directory, undefined);
    return folder.empty().finally(() => this.#leaveFolder(directory));
  }

  #attach(run: RecordedRun): Promise<void> {
    if (this.#isStopping) return Promise.reject(new Error("the recorder is stopping"));
    const known = this.#runs.get(run.id);
    if (known !== undefined) return known.opened;
    const { folder } = this.#useFolder(run.directory, run.logs);
    const recorder = new RunRecorder({
      run,
      folder,
      clock: this.#options.platform.clock,
      patience: this.#patience,
      notifySockets: this.#notifySockets,
      readyFile: join(this.#options.home.runs, `${run.id}.ready`),
      forward: this.#forwardOf(run),
      onNote: (note) => this.#note(run.id, note),
      onProblem: (sentence) => this.#options.platform.log("error", `${run.id}: ${sentence}`),
    });
    const opened = this.#open(run, recorder);
    this.#runs.set(run.id, { run, recorder, opened });
    this.#watchIdle();
    return opened;
  }

  /** A place that is not there does not keep what is written from the file. */
  #forwardOf({ id, service, instance, logs }: RecordedRun): Forward | undefined {
    const name = instanceName(service, instance);
    try {
      if (logs.forward === "stdout") return Forward.toStdout(name);
      if (logs.forward === "journald") return Forward.toJournald(name);
    } catch (error) {
      this.#options.platform.log(
        "error",
        `what ${id} writes is recorded and not forwarded: ${(error as Error).message}`,
      );
    }
    return undefined;
  }

  async #open(run: RecordedRun, recorder: RunRecorder): Promise<void> {
    try {
      await recorder.open();
    } catch (error) {
      await this.#forget(run);
      throw error;
    }
    void recorder.done
      .catch((error: Error) => this.#options.platform.log("error", `what ${run.id} wrote is lost: ${error.message}`))
      .then(() => this.#forget(run));
  }

  async #drain(id: string): Promise<void> {
    const recording = this.#runs.get(id);
    if (recording === undefined) return;
    await recording.opened;
    const { recorder } = recording;
    const cancel = this.#options.platform.clock.timer(unopenedMs, () => recorder.endUnopened());
    await recorder.done.finally(cancel);
  }

  /** Without limits it keeps those that it has. */
  #useFolder(directory: string, logs: LogsPlan | undefined): { readonly folder: LogFolder } {
    const known = this.#folders.get(directory);
    if (known !== undefined) {
      known.users += 1;
      if (logs !== undefined) known.folder.setLimits(logs);
      return known;
    }
    const onTrouble = (message: string | undefined): void => this.#trouble(directory, message);
    const folder = new LogFolder({ directory, logs: logs ?? noLogs, clock: this.#options.platform.clock, onTrouble });
    const entry = { folder, users: 1 };
    this.#folders.set(directory, entry);
    return entry;
  }

  async #forget(run: RecordedRun): Promise<void> {
    if (!this.#runs.delete(run.id)) return;
    await this.#leaveFolder(run.directory);
    this.#watchIdle();
  }

  async #leaveFolder(directory: string): Promise<void> {
    const entry = this.#folders.get(directory);
    if (entry === undefined || --entry.users > 0) return;
    this.#folders.delete(directory);
    await entry.folder.close();
  }

  #setLimits(service: string, instance: number, logs: LogsPlan): void {
    this.#folders.get(logFolder(this.#options.home, service, instance))?.folder.setLimits(logs);
  }

  #note(id: string, note: string): void {
    for (const daemon of this.#daemons) {
      if (daemon.writableLength <= unreadBytesMax) send(daemon, { type: "note", id, note });
    }
  }

  #trouble(directory: string, message: string | undefined): void {
    if (message === undefined) this.#troubles.delete(directory);
    else this.#troubles.set(directory, message);
    this.#options.platform.log("warning", message ?? `${directory}: it works again, and nothing was lost`);
    for (const daemon of this.#daemons) {
      send(daemon, message === undefined ? { type: "trouble", directory } : { type: "trouble", directory, message });
    }
  }

  /** While no daemon lives, a pipe that nobody writes keeps nobody here. */
  #watchIdle(): void {
    this.#cancelIdle?.();
    if (this.#daemons.size > 0 || this.#isStopping) return;
    this.#cancelIdle = this.#options.platform.clock.timer(this.#options.idleMs ?? idleMs, () => void this.#whenIdle());
  }

  async #whenIdle(): Promise<void> {
    for (const { recorder } of this.#runs.values()) recorder.endUnopened();
    if (this.#runs.size === 0 && this.#daemons.size === 0) await this.stop();
    else this.#watchIdle();
  }
}
