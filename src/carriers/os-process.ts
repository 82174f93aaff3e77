/**
 * OS process carrier: runs a program's file in a child Node with a kernel of its own, tied by a socket pair.
 *
 * Guarantees: nothing a program does ends more than its own OS process, which leads a process group and session of its
 * own: a terminal's Ctrl+C does not reach it, and `kill` is SIGKILL to the whole group. Its end is told when the OS
 * process is gone and its output read to the end. When colos itself dies, its children notice and end.
 * Limits: a program that loops without yielding does not notice that colos died. A program that leaves its process group
 * is not ended with it, and may hold output back for `outputCloseMs`.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Milliseconds } from "../base/platform.ts";
import { describeReason, osExitReason } from "../kernel/exit-reason.ts";
import type { Kernel, StartRequest } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { SpawnOptions } from "../kernel/process.ts";
import type { ChannelState } from "../kernel/signal.ts";
import type { Carrier, ProgramLoader } from "./carrier.ts";
import { environmentWith } from "./hosted-kernel-environment.ts";
import { drainOutput } from "./hosted-kernel-output.ts";
import { HostedKernelParent, prepare, type Vehicle } from "./hosted-kernel-parent.ts";
import type { Item } from "./hosted-kernel.ts";
import { OsProcessChannel } from "./os-process-channel.ts";

/** How long output is awaited once the OS process is gone: only a program that left it holds it open, in milliseconds. */
export const outputCloseMs: Milliseconds = 500;
const firstListenFd = 3;

/** What the composition gives the carrier. */
export interface OsProcessCarrierOptions {
  readonly loader: ProgramLoader;
  /** The file that a child runs first: it calls `runOsProcess`. */
  readonly entry: URL;
  /** Options of Node itself, before the entry. */
  readonly execArgv?: readonly string[];
}

/** Runs program files in child Nodes. */
export function osProcessCarrier(carrier: OsProcessCarrierOptions): Carrier {
  return {
    name: "os-process",
    preemptible: true,
    copies: true,
    reasons: "any",
    start: (kernel, request) => start(kernel, request, carrier),
  };
}

function start(kernel: Kernel, request: StartRequest, carrier: OsProcessCarrierOptions): AnyPid {
  const { options } = request;
  const prepared = prepare(kernel, request, "os-process");
  const hosted = new HostedKernelParent(kernel);
  let child: ChildProcess;
  try {
    child = spawnChild(options, carrier);
  } catch (error) {
    hosted.failToStart(error);
    return hosted.pid;
  }
  if (child.pid === undefined) {
    child.once("error", (error) => hosted.failToStart(error));
    return hosted.pid;
  }
  hosted.carry(new ChildVehicle(kernel, hosted, child, child.pid, options), prepared, carrier.loader);
  const osPid = child.pid;
  // Whoever spawns it has the pid by then.
  kernel.platform.scheduling.microtask(() => reportOsPid(kernel, options, osPid));
  return hosted.pid;
}

function spawnChild(options: SpawnOptions, carrier: OsProcessCarrierOptions): ChildProcess {
  const { cwd, env, listenFds = [], output = "ignore", stdin = "pipe" } = options;
  const outlet = output === "inherit" || output === "ignore" ? output : "pipe";
  const channelFd = firstListenFd + listenFds.length;
  const listen = listenFds.length === 0 ? {} : { LISTEN_FDS: String(listenFds.length) };
  return spawn(process.execPath, [...(carrier.execArgv ?? []), fileURLToPath(carrier.entry), String(channelFd)], {
    detached: true,
    env: environmentWith({ LISTEN_FDS: null, LISTEN_PID: null, ...env, ...listen }),
    ...(cwd === undefined ? {} : { cwd }),
    stdio: [stdin, outlet, outlet, ...listenFds, "pipe"],
  });
}

function reportOsPid(kernel: Kernel, options: SpawnOptions, osPid: number): void {
  try {
    options.onOsPid?.(osPid);
  } catch (error) {
    kernel.platform.log("error", `onOsPid failed: ${describeReason(error)}`);
  }
}

class ChildVehicle implements Vehicle {
  /** Its end is known when the OS process is gone, and told then. */
  readonly killSilences = false;
  readonly #osPid: number;
  readonly #channel: OsProcessChannel;
  /** Pieces of output read from the child. */
  #outputChunksCount = 0;
  /** The OS process was waited for: its id may soon be another's. */
  #isReaped = false;

  constructor(kernel: Kernel, hosted: HostedKernelParent, child: ChildProcess, osPid: number, options: SpawnOptions) {
    this.#osPid = osPid;
    const socket = child.stdio[firstListenFd + (options.listenFds?.length ?? 0)] as Socket;
    let channelEnded = (): void => {};
    const closed = new Promise<void>((resolve) => {
      channelEnded = resolve;
    });
    this.#channel = new OsProcessChannel(socket, {
      receive: (items) => hosted.receive(items),
      malformed: (description) => hosted.fail({ tag: "protocol", description }),
      room: () => hosted.room(),
      full: () => hosted.fail({ tag: "channelFull", ...this.#channel.state }),
      ended: channelEnded,
    });
    if (options.channel !== undefined) this.#channel.limit(options.channel);
    const { stdout, stderr } = child;
    const drained = drainOutput(kernel, hosted.pid, options.output ?? "ignore", { stdout, stderr });
    for (const stream of [stdout, stderr]) stream?.on("data", () => (this.#outputChunksCount += 1));
    child.on("error", () => {});
    child.once("exit", (code, signal) => {
      // Who is left of the group holds output and belongs to a program that is gone.
      this.#killGroup();
      this.#isReaped = true;
      void this.#readToEnd(kernel, Promise.all([closed, drained])).then(() => {
        this.#channel.close();
        stdout?.destroy();
        stderr?.destroy();
        const reason = osExitReason(code, signal);
        reportOsExit(kernel, options, code, signal);
        hosted.exited(reason === "normal" ? { tag: "exitStatus", code: 0 } : reason);
      });
    });
  }

  /** Waits for `ended`, or for a time without output. What a busy event loop has not read yet counts as output. */
  async #readToEnd(kernel: Kernel, ended: Promise<unknown>): Promise<void> {
    const { clock, scheduling } = kernel.platform;
    let isOver = false;
    const over = ended.then(() => {
      isOver = true;
    });
    for (let chunksCount = -1; chunksCount !== this.#chunksCount;) {
      chunksCount = this.#chunksCount;
      let stopWaiting = (): void => {};
      const quiet = new Promise<void>((resolve) => {
        stopWaiting = clock.timer(outputCloseMs, resolve);
      });
      await Promise.race([over, quiet]);
      stopWaiting();
      if (isOver) return;
      // Twice, so that a whole turn for input has passed since the timer.
      await new Promise<void>((resolve) => scheduling.macrotask(() => scheduling.macrotask(resolve)));
    }
  }

  /** Pieces of anything read from the child. */
  get #chunksCount(): number {
    return this.#outputChunksCount + this.#channel.chunksCount;
  }

  send(item: Item, sizeBytes?: number): void {
    this.#channel.send(item, sizeBytes);
  }

  get hasRoom(): boolean {
    return this.#channel.hasRoom;
  }

  get state(): ChannelState {
    return this.#channel.state;
  }

  kill(): void {
    this.#channel.mute();
    this.#killGroup();
  }

  #killGroup(): void {
    if (this.#isReaped) return;
    try {
      process.kill(-this.#osPid, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  }
}

function reportOsExit(kernel: Kernel, options: SpawnOptions, code: number | null, signal: string | null): void {
  try {
    options.onOsExit?.(code, signal);
  } catch (error) {
    kernel.platform.log("error", `onOsExit failed: ${describeReason(error)}`);
  }
}
