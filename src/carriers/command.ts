/**
 * Command carrier: any executable as a process, what Erlang calls a port.
 *
 * The process is an ordinary one of the kernel that starts it; its body drives the OS process. Messages to it (strings,
 * Uint8Array, `endOfInput`) are its standard input; its output goes where `output` says; its exit code or OS signal is
 * its exit reason. It is ready once the OS process exists.
 * Guarantees: both output streams are always drained, and their last bytes come before the exit signals (K14). An exit
 * signal with any reason but `normal` is an ordered stop: the whole process group gets `stopSignal`, and the process
 * ends with the reason it was asked to end with. `kill` is SIGKILL to the group. Whatever outlives the group's leader is
 * stopped too: however it ends, no member is alive when links and monitors learn of it (K15). How long the leader may take
 * to stop is up to whoever asked: send `kill`.
 * Unlike Erlang: no port owner; anybody may send, and output goes to a process, a function or colos's own streams.
 * Commands end with the Node that started them, as far as Node notices its end (command-exit.ts).
 * Limits: a program that leaves its process group (a daemon's setsid) is not stopped. A command outlives a Node that gets
 * SIGKILL, and a thread that is terminated. Output to a process that does not read is bounded by that mailbox only.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { Milliseconds, Platform } from "../base/platform.ts";
import { osExitReason, type ExitReason } from "../kernel/exit-reason.ts";
import type { Kernel, StartRequest } from "../kernel/kernel.ts";
import { MailboxFullError } from "../kernel/mailbox.ts";
import { isExit } from "../kernel/message.ts";
import { Pid, type AnyPid } from "../kernel/pid.ts";
import type { HostFacts } from "../kernel/inspect.ts";
import { Extra, type AnyProcess, type SpawnOptions } from "../kernel/process.ts";
import type { CommandLine, OutputSink } from "../kernel/program.ts";
import { explainStart } from "../os/executable.ts";
import { sampleProcesses } from "../os/process-sample.ts";
import type { Carrier } from "./carrier.ts";
import { endWithNode } from "./command-exit.ts";
import { CommandGroup } from "./command-group.ts";
import { CommandInput, inputBytesMaxDefault } from "./command-input.ts";
import { startCommand } from "./command-start.ts";
import { assertHostOptions } from "./host-options.ts";

/** What an ordered stop sends unless `stopSignal` says otherwise. */
export const stopSignalDefault = "SIGTERM";
/** How long the rest of a group has to follow its leader after the stop signal, before SIGKILL, in milliseconds. */
export const followersMs: Milliseconds = 2000;
/** How long a group may take to be gone after SIGKILL (a member may hang in a device) before we go on, in milliseconds. */
export const groupEndMs: Milliseconds = 5000;
/** How long output is awaited when the group is gone: only a program that left it still holds the pipe, in milliseconds. */
export const outputCloseMs: Milliseconds = 500;
/** Turns of the event loop that reading gets after that time: it may have been spent on something else altogether. */
const outputCloseTurns = 3;

/** Runs executables. One for any number of kernels; it keeps no state. */
export function commandCarrier(): Carrier {
  return { name: "command", preemptible: true, copies: true, reasons: "os", start };
}

function start(kernel: Kernel, { program, options, parent, starter }: StartRequest): AnyPid {
  if (typeof program === "function" || program.kind !== "command") {
    throw new Error('the command carrier runs executables: command("file", "argument", …)');
  }
  assertOptions(program, options);
  const input = new CommandInput(options.mailbox?.bytesMax ?? inputBytesMaxDefault, options.stdin === "inherit");
  const body = (self: AnyProcess): Promise<void> => drive(self, program, options, input);
  const { mailbox, label = program.file } = options;
  return kernel.spawnLocal(parent, body, undefined, { label, mailbox, starter, intake: input });
}

function assertOptions({ file }: CommandLine, options: SpawnOptions): void {
  const { args, argv, stopSignal } = options;
  assertHostOptions(file, options);
  if ((args ?? argv ?? []).length > 0)
    throw new Error(`the arguments of ${file} stand in command(…), not in the options`);
  if (stopSignal !== undefined && !Object.hasOwn(constants.signals, stopSignal)) {
    throw new Error(`the stopSignal of ${file} is not an OS signal: ${stopSignal}`);
  }
}

/** The body of a command's process. */
async function drive(self: AnyProcess, line: CommandLine, options: SpawnOptions, input: CommandInput): Promise<void> {
  self.trapExit(true);
  let child: ChildProcess;
  try {
    child = startCommand(line, options);
  } catch (refused) {
    return self.failStart(explainStart(refused, line, options.cwd));
  }
  if (child.pid === undefined) {
    const refused = await self.wait(new Promise((resolve) => void child.once("error", resolve)));
    return self.failStart(explainStart(refused, line, options.cwd));
  }
  const stopSignal = (options.stopSignal ?? stopSignalDefault) as NodeJS.Signals;
  const run = new CommandRun(child, child.pid, self.kernel, { file: line.file, stopSignal });
  self.own({ close: () => run.kill() });
  const osPid = child.pid;
  (self.extra ??= new Extra()).host = () => hostFacts(osPid);
  if (child.stdin !== null) input.connect(child.stdin);
  drain(self, child, options.output);
  options.onOsPid?.(child.pid);
  if (options.onOsExit !== undefined) child.once("exit", options.onOsExit);
  self.ready();
  self.react((notice) => {
    if (isExit(notice) && notice.reason !== "normal") run.stop(notice.reason);
  });
  return self.exit(await self.wait(run.ended));
}

/** What the OS says of the whole group, which its leader's pid names. */
function hostFacts(osPid: number): HostFacts {
  const sample = sampleProcesses([osPid]).get(osPid);
  const counted = sample === undefined ? {} : { residentBytes: sample.residentBytes, cpuMs: sample.cpuMs };
  return { carrier: "command", osPid, ...counted };
}

/** Reads both streams as fast as they come, whoever listens. */
function drain(self: AnyProcess, child: ChildProcess, output: OutputSink = "ignore"): void {
  if (output === "inherit" || output === "ignore") return;
  const { kernel, pid } = self;
  const deliver = output instanceof Pid ? deliverTo(kernel, pid, output) : output;
  for (const name of ["stdout", "stderr"] as const) {
    const stream = child[name] as Readable;
    // A view, because Node's Buffer would not be one any more on the other side of a carrier.
    stream.on("data", (bytes: Buffer) => deliver(name, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)));
    stream.on("error", (error) => kernel.platform.log("warning", `${name} of ${pid} broke: ${error.message}`));
  }
}

/** The kernel sends, not the process: output that comes after a `kill` is still delivered. */
function deliverTo(kernel: Kernel, from: AnyPid, to: AnyPid): Extract<OutputSink, (...args: never) => void> {
  return (stream, data) => {
    try {
      kernel.send(to, { type: "output", from, stream, data });
    } catch (refused) {
      // The receiver chose to refuse what it has no room for, and its kernel has counted it.
      if (!(refused instanceof MailboxFullError)) throw refused;
    }
  };
}

/** One running OS process and its group, from its start until nothing of it is left. */
class CommandRun {
  /** Settles when the group is empty and the output was read to its end. Never rejects. */
  readonly ended: Promise<ExitReason>;
  readonly #group: CommandGroup;
  readonly #kernel: Kernel;
  readonly #file: string;
  readonly #stopSignal: NodeJS.Signals;
  readonly #forget: () => void;
  #state: "running" | "stopping" | "leaderGone" | "gone" = "running";
  #stopReason: ExitReason = undefined;

  constructor(
    child: ChildProcess,
    osPid: number,
    kernel: Kernel,
    { file, stopSignal }: { readonly file: string; readonly stopSignal: NodeJS.Signals },
  ) {
    this.#kernel = kernel;
    this.#file = file;
    this.#stopSignal = stopSignal;
    this.#group = new CommandGroup(osPid, kernel.platform.clock);
    this.#forget = endWithNode(this.#group, stopSignal);
    const closed = new Promise<void>((resolve) => void child.once("close", resolve));
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve(this.#windUp(child, closed, osExitReason(code, signal))));
    });
  }

  /** Ordered stop. The first reason counts; after the leader has ended its own way, that is the reason. */
  stop(reason: ExitReason): void {
    if (this.#state !== "running") return;
    this.#state = "stopping";
    this.#stopReason = reason;
    this.#askToStop();
  }

  /** Ends all at once. Settles when nothing is left; undefined when that is so already. */
  kill(): Promise<void> | undefined {
    if (this.#state === "gone") return undefined;
    this.#signal("SIGKILL");
    return this.ended.then(() => undefined);
  }

  #askToStop(): void {
    this.#signal(this.#stopSignal);
    // A suspended program acts on the stop signal only once it goes on.
    this.#signal("SIGCONT");
  }

  #signal(name: NodeJS.Signals): void {
    if (this.#group.signal(name)) return;
    this.#log(`${this.#file} runs as another user and may not be sent ${name}`);
  }

  async #windUp(child: ChildProcess, closed: Promise<void>, osReason: ExitReason): Promise<ExitReason> {
    const wasAsked = this.#state === "stopping";
    this.#state = "leaderGone";
    this.#group.leaderEnded();
    if (!wasAsked) this.#askToStop();
    await this.#group.waitUntilEmpty(followersMs);
    this.#signal("SIGKILL");
    const isEmpty = await this.#group.waitUntilEmpty(groupEndMs);
    this.#forget();
    if (!isEmpty) this.#log(`${this.#file} has ended, but its group still runs ${groupEndMs} ms after SIGKILL`);
    await settledInTime(closed, this.#kernel.platform);
    child.stdout?.destroy();
    child.stderr?.destroy();
    this.#state = "gone";
    return wasAsked ? this.#stopReason : osReason;
  }

  #log(message: string): void {
    this.#kernel.platform.log("error", message);
  }
}

/** Waits for the end of the output, but not for ever. */
function settledInTime(closed: Promise<void>, { clock, scheduling }: Platform): Promise<void> {
  return new Promise((resolve) => {
    const afterTurns = (count: number): void => {
      if (count === 0) resolve();
      else scheduling.macrotask(() => afterTurns(count - 1));
    };
    const cancel = clock.timer(outputCloseMs, () => afterTurns(outputCloseTurns));
    void closed.then(() => {
      cancel();
      resolve();
    });
  });
}
