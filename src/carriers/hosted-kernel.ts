/**
 * Hosted kernel: a kernel in a thread or an OS process of its own, seen from inside, and what it and its parent say.
 *
 * Guarantees: the program's process exists before the first signal is dispatched and runs once its file is loaded. What
 * was sent before the program ends arrives before its exit (M11), also when it calls `process.exit()`. When the program
 * ends, its OS process or thread ends, and everything else on it too.
 * A file with a `defineProgram` default export is a process body. Any other file is an ordinary script: it is ready once
 * evaluated, lives until its event loop is empty, and its own handlers for signals and errors stay in force. Messages to
 * a script are dropped.
 * Not here: the parent's side (hosted-kernel-parent.ts), the channel (thread-channel.ts, os-process-channel.ts).
 *
 * @module
 */
import { performance } from "node:perf_hooks";
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import type { Milliseconds, Platform } from "../base/platform.ts";
import { adoptLineage, type Lineage } from "../kernel/ancestry.ts";
import type { Connection } from "../kernel/connection.ts";
import {
  carrierDown,
  describeReason,
  isOrderly,
  isTagged,
  osExitReason,
  reasonOfThrown,
  type ExitReason,
} from "../kernel/exit-reason.ts";
import { Kernel, type Starter } from "../kernel/kernel.ts";
import type { MailboxLimit } from "../kernel/mailbox.ts";
import { isExit } from "../kernel/message.ts";
import type { AnyPid, Ref } from "../kernel/pid.ts";
import type { HostFacts } from "../kernel/inspect.ts";
import { Extra, type AnyProcess } from "../kernel/process.ts";
import { acknowledgingBody, definedProgramOf } from "../kernel/program.ts";
import type { Channel, ChannelLimit, Signal } from "../kernel/signal.ts";
import type { WireValue } from "../kernel/wire.ts";

/** How long a program may clean up after its parent is gone, in milliseconds; then it is ended. */
export const orphanExitMs: Milliseconds = 5000;

/** What a hosted kernel is told first. */
export interface Boot {
  readonly kernelId: string;
  /** What to import. */
  readonly programUrl: string;
  /** What the program calls itself: the file it was written in, for `process.argv[1]`. */
  readonly programFile: string;
  readonly argv: readonly string[];
  /** A pid. */
  readonly parent: WireValue;
  /** The parent and its ancestors, with their names. */
  readonly lineage: WireValue;
  /** Pids, or undefined. */
  readonly callers: WireValue;
  /** A ref, or null. */
  readonly starter: WireValue;
  /** Arguments of the body after `self`; undefined when there are none. */
  readonly args: WireValue;
  readonly label: string | null;
  readonly mailbox: MailboxLimit | null;
  readonly channel: ChannelLimit | null;
}

/** What travels between a hosted kernel and its parent besides signals. */
export type Control =
  /** So many bytes were taken since the last time; concerns the channel alone. */
  | readonly ["confirmed", number]
  | readonly ["boot", Boot]
  /** The program has ended; what follows in order is held back until its thread or OS process is gone. */
  | readonly ["ending"]
  /** The program was asked to stop, for this reason, and ends when it likes. */
  | readonly ["stopping", WireValue]
  /** The program's reason; whether its exit signals were sent before this. The last thing that is said. */
  | readonly ["goodbye", boolean, WireValue];

/** One piece of what a channel between a hosted kernel and its parent carries, in order. */
export type Item = Signal | Control;

/** Whether an item is for the kernel itself. */
export function isSignal(item: Item): item is Signal {
  switch (item[0]) {
    case "boot":
    case "ending":
    case "stopping":
    case "goodbye":
    case "confirmed":
      return false;
    default:
      return true;
  }
}

/** The child's end of the channel. */
export interface Uplink extends Channel {
  /** @throws MessageTooLargeError, ChannelFullError */
  send(item: Item, sizeBytes?: number): void;
  /** How much it holds, from now on. */
  limit(limit: ChannelLimit): void;
  /** When it returns, what was sent is with the operating system or the other thread, or the channel is lost. */
  flush(): void;
  /** Whether the channel alone keeps the event loop alive. */
  keepAlive(alive: boolean): void;
}

/** What the composition and the carrier give a hosted kernel. */
export interface HostedKernelHost {
  readonly platform: Platform;
  /** What processes of this kernel can start others on. */
  readonly carriers: ReadonlyMap<string, Starter>;
  /** Gives the module's namespace. */
  load(boot: Boot): Promise<Readonly<Record<string, unknown>>>;
  /** Asks a script to stop, as the system would; absent when there is no such way, and then it is ended. */
  readonly stopScript?: () => void;
}

/** What the channel reports. */
export interface HostedKernel {
  receive(signal: Signal): void;
  /** The channel has room again. */
  room(): void;
  /** The parent is gone. */
  orphaned(cause: unknown): void;
}

/** Creates the kernel and starts its program. Called once per thread or OS process: it takes charge of its end. */
export function runHostedKernel(boot: Boot, uplink: Uplink, host: HostedKernelHost): HostedKernel {
  const program = new HostedProgram(boot, uplink, host);
  void program.run(boot);
  return program;
}

class HostedProgram implements HostedKernel {
  readonly #kernel: Kernel;
  readonly #connection: Connection;
  readonly #main: ReturnType<Kernel["spawnMain"]>;
  readonly #uplink: Uplink;
  readonly #host: HostedKernelHost;
  #phase: "loading" | "script" | "body" = "loading";
  #stopReason: readonly [ExitReason] | null = null;
  /** An error that nobody caught, while Node decides what becomes of it. */
  #uncaught: readonly [unknown] | null = null;
  /** What the program's process ended with, once its signals are sent. */
  #endReason: readonly [ExitReason] | null = null;
  #exiting = false;

  constructor(boot: Boot, uplink: Uplink, host: HostedKernelHost) {
    this.#uplink = uplink;
    this.#host = host;
    this.#kernel = new Kernel(host.platform, { id: boot.kernelId, carriers: host.carriers });
    if (boot.channel !== null) uplink.limit(boot.channel);
    const parentId = boot.kernelId.slice(0, boot.kernelId.lastIndexOf("."));
    this.#connection = this.#kernel.connect(parentId, uplink, "uplink");
    const parent = this.#kernel.decode(boot.parent) as AnyPid;
    adoptLineage(this.#kernel, this.#kernel.decode(boot.lineage) as Lineage);
    const callers = this.#kernel.decode(boot.callers) as readonly AnyPid[] | undefined;
    const starter = this.#kernel.decode(boot.starter) as Ref | null;
    const options = {
      ...(boot.label === null ? {} : { label: boot.label }),
      ...(boot.mailbox === null ? {} : { mailbox: boot.mailbox }),
      ...(callers === undefined ? {} : { callers }),
    };
    this.#main = this.#kernel.spawnMain(parent, starter, options, (reason) => this.#ended(reason));
    this.#main.process.own({ close: () => uplink.send(["ending"]) });
    (this.#main.process.extra ??= new Extra()).host = hostFacts;
    process.on("uncaughtExceptionMonitor", (error) => {
      this.#uncaught = [error];
      // Node decides before microtasks run: if it ends the program, `exit` comes first.
      queueMicrotask(() => (this.#uncaught = null));
    });
    process.once("exit", (code) => this.#exit(code));
  }

  async run(boot: Boot): Promise<void> {
    const main = this.#main.process;
    main.trapping = true;
    this.#uplink.keepAlive(false);
    let module: Readonly<Record<string, unknown>>;
    try {
      module = await this.#host.load(boot);
    } catch (thrown) {
      this.#kernel.end(main, reasonOfThrown(thrown));
      return;
    }
    if (main.stage !== "new") return;
    const program = definedProgramOf(module["default"]) ?? definedProgramOf(module["module.exports"]);
    if (program === undefined) {
      this.#phase = "script";
      this.#main.begin((self) => this.#runScript(self));
      return;
    }
    this.#phase = "body";
    this.#uplink.keepAlive(true);
    main.trapping = false;
    const args = (this.#kernel.decode(boot.args) ?? []) as readonly never[];
    const body = acknowledgingBody(program);
    this.#main.begin((self) => body(self, ...args));
  }

  #runScript(self: AnyProcess): void {
    self.react((message) => {
      if (isExit(message)) this.#exitSignal(message.reason);
    });
    self.ready();
  }

  room(): void {
    this.#connection.room();
  }

  receive(signal: Signal): void {
    this.#connection.receive(signal);
    if (this.#phase === "loading") this.#takeExitSignals();
  }

  /** Nobody knows yet whether this is a script; a body's messages must stay where they are. */
  #takeExitSignals(): void {
    const main = this.#main.process;
    for (;;) {
      const position = main.mailbox?.find((message) => isExit(message)) ?? -1;
      if (position < 0) return;
      const message = main.mailbox?.takeAt(position);
      if (isExit(message)) this.#exitSignal(message.reason);
    }
  }

  #exitSignal(reason: ExitReason): void {
    if (reason === "normal") return;
    const { stopScript } = this.#host;
    if (!isOrderly(reason) || stopScript === undefined) {
      this.#kernel.end(this.#main.process, reason);
      return;
    }
    this.#stopReason ??= [reason];
    this.#uplink.send(["stopping", encodeReason(this.#kernel, reason)]);
    this.#uplink.flush();
    stopScript();
  }

  orphaned(cause: unknown): void {
    if (this.#exiting) return;
    this.#host.platform.clock.timer(orphanExitMs, () => process.kill(process.pid, "SIGKILL"));
    const main = this.#main.process;
    const parent = main.pid.parent;
    this.#connection.lost(cause);
    if (this.#phase === "body" && parent !== null) this.#kernel.exit(parent, main.pid, carrierDown(cause));
    else this.#exitSignal({ tag: "shutdown", detail: carrierDown(cause) });
  }

  /** The program's process is no more and all was told. Others that end with it get the rest of this turn. */
  #ended(reason: ExitReason): void {
    this.#endReason = [reason];
    if (!this.#exiting) queueMicrotask(() => process.exit(exitCodeOf(reason)));
  }

  /** Node's `exit` event: nothing asynchronous runs any more. */
  #exit(code: number): void {
    this.#exiting = true;
    const stopped = this.#stopReason;
    const crashed = this.#uncaught === null ? osExitReason(code, null) : reasonOfThrown(this.#uncaught[0]);
    const reason = stopped === null ? crashed : stopped[0];
    this.#kernel.end(this.#main.process, reason);
    const ended = this.#endReason;
    this.#uplink.send(["goodbye", ended !== null, encodeReason(this.#kernel, ended === null ? reason : ended[0])]);
    this.#uplink.flush();
  }
}

/** What Node counts for this thread or OS process; a thread has no resident memory and no CPU time of its own. */
function hostFacts(): HostFacts {
  const { heapUsed: heapUsedBytes, rss: residentBytes } = process.memoryUsage();
  const common = { osPid: process.pid, heapUsedBytes, activeMs: performance.eventLoopUtilization().active };
  if (!isMainThread) return { carrier: "thread", ...common };
  const { user, system } = process.cpuUsage();
  return { carrier: "os-process", residentBytes, cpuMs: (user + system) / 1000, ...common };
}

/** A reason always travels, if need be as its description. */
function encodeReason(kernel: Kernel, reason: ExitReason): WireValue {
  try {
    return kernel.encode(reason);
  } catch {
    return kernel.encode({ tag: "uncopyable", description: describeReason(reason) });
  }
}

function exitCodeOf(reason: ExitReason): number {
  if (isTagged(reason, "exitStatus")) return Number(reason["code"]);
  return isOrderly(reason) ? 0 : 1;
}
