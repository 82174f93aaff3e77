/**
 * Thread carrier: runs a program's file in a worker thread with a heap, an event loop and a kernel of its own.
 *
 * Guarantees: a crash, an endless loop or an exhausted heap ends this thread and nothing else. `kill` silences it at
 * once: the port is cut first, and its end is announced although V8 may need a moment more (K7).
 * Limits: a thread shares the OS process: no working directory, standard input or listening sockets of its own, and a
 * native crash in it ends colos. Its output goes through colos's event loop.
 *
 * @module
 */
import { MessageChannel, Worker, type ResourceLimits } from "node:worker_threads";
import type { Kernel, StartRequest } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { SpawnOptions } from "../kernel/process.ts";
import type { Carrier, ProgramLoader } from "./carrier.ts";
import { environmentWith } from "./hosted-kernel-environment.ts";
import { drainOutput } from "./hosted-kernel-output.ts";
import { HostedKernelParent, prepare, type Vehicle } from "./hosted-kernel-parent.ts";
import { ThreadChannel } from "./thread-channel.ts";

/** What the composition gives the carrier. */
export interface ThreadCarrierOptions {
  readonly loader: ProgramLoader;
  /** The file that a thread runs first: it calls `runThread`. */
  readonly entry: URL;
  /** Of each thread; default: Node's, which is a heap as large as the machine suggests. */
  readonly resourceLimits?: ResourceLimits;
}

/** Runs program files in worker threads. */
export function threadCarrier(carrier: ThreadCarrierOptions): Carrier {
  return {
    name: "thread",
    preemptible: true,
    copies: true,
    reasons: "any",
    start: (kernel, request) => start(kernel, request, carrier),
  };
}

function start(kernel: Kernel, request: StartRequest, carrier: ThreadCarrierOptions): AnyPid {
  refuseOptions(request.options);
  const prepared = prepare(kernel, request, "thread");
  const hosted = new HostedKernelParent(kernel);
  try {
    hosted.carry(startThread(kernel, hosted, request.options, carrier), prepared, carrier.loader);
  } catch (error) {
    hosted.failToStart(error);
  }
  return hosted.pid;
}

function refuseOptions({ cwd, listenFds, stdin }: SpawnOptions): void {
  const instead = 'use carrier: "os-process"';
  if (cwd !== undefined) throw new Error(`a thread has no working directory of its own (cwd: ${cwd}); ${instead}`);
  if ((listenFds?.length ?? 0) > 0)
    throw new Error(`a thread has no file descriptors of its own (listenFds); ${instead}`);
  if (stdin === "inherit") throw new Error(`a thread cannot read colos's standard input (stdin); ${instead}`);
}

function startThread(
  kernel: Kernel,
  hosted: HostedKernelParent,
  options: SpawnOptions,
  carrier: ThreadCarrierOptions,
): Vehicle {
  const output = options.output ?? "ignore";
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(carrier.entry, {
    workerData: { port: port2 },
    transferList: [port2],
    env: environmentWith(options.env),
    execArgv: [],
    stdout: output !== "inherit",
    stderr: output !== "inherit",
    ...(options.label === undefined ? {} : { name: options.label }),
    ...(carrier.resourceLimits === undefined ? {} : { resourceLimits: carrier.resourceLimits }),
  });
  const channel = new ThreadChannel(port1, {
    receive: (items) => hosted.receive(items),
    room: () => hosted.room(),
    full: () => hosted.fail({ tag: "channelFull", ...channel.state }),
  });
  if (options.channel !== undefined) channel.limit(options.channel);
  const { stdout, stderr } = worker;
  const drained =
    output === "inherit" ? Promise.resolve() : drainOutput(kernel, hosted.pid, output, { stdout, stderr });
  let cause: unknown = null;
  worker.on("error", (error: unknown) => (cause = error));
  worker.on("exit", (code) => {
    channel.drain();
    channel.close();
    void drained.then(() => hosted.exited(cause ?? { tag: "exitStatus", code }));
  });
  return {
    killSilences: true,
    send: (item, sizeBytes) => channel.send(item, sizeBytes),
    get hasRoom() {
      return channel.hasRoom;
    },
    get state() {
      return channel.state;
    },
    kill: () => {
      channel.close();
      void worker.terminate();
    },
  };
}
