/**
 * Hosted kernel, seen by its parent: from `spawn` to the last signal.
 *
 * Guarantees: what cannot be copied fails in the spawner, and nothing is started. Signals wait in order until the
 * program's file is resolved. Each process of the hosted kernel gives exactly one exit: the program's own signals when
 * it ended by itself, `killed`, or the loss of the carrier with its cause. Observers learn of the program's end when its
 * thread or OS process is really gone, so what it held (ports, files) is free by then.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Milliseconds } from "../base/platform.ts";
import { callersMax, lineageOf } from "../kernel/ancestry.ts";
import { boundlessState, type Connection } from "../kernel/connection.ts";
import { describeReason, isTagged, type ExitReason } from "../kernel/exit-reason.ts";
import type { Kernel, StartRequest } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { Channel, ChannelState, Signal } from "../kernel/signal.ts";
import { estimatedBytes } from "../kernel/wire.ts";
import type { ProgramLoader } from "./carrier.ts";
import { assertHostOptions } from "./host-options.ts";
import { waitingMaxBytesDefault, windowBytesDefault } from "./hosted-kernel-outbox.ts";
import type { Boot, Item } from "./hosted-kernel.ts";

/** Signals that wait while a program's file is resolved; one more, or too many bytes, and its carrier is lost. */
export const signalsWaitingMax = 1_000_000;
/** How long a carrier may take to be gone, after goodbye and once more after it was ended by force, in milliseconds. */
export const carrierExitMs: Milliseconds = 5000;

/** What a carrier offers its hosted kernel. */
export interface Vehicle {
  /** After this returns nothing arrives any more, so that a kill is complete before the carrier is gone. */
  readonly killSilences: boolean;
  /** Sends in order. @throws MessageTooLargeError, ChannelFullError */
  send(item: Item, sizeBytes?: number): void;
  /** False while senders are to be held, until `HostedKernelParent.room`. */
  readonly hasRoom: boolean;
  readonly state: ChannelState;
  /** Ends it at once, however busy it is. `HostedKernelParent.exited` follows. Idempotent. */
  kill(): void;
}

/** Boot without what is known later. */
type Plan = Omit<Boot, "kernelId" | "programUrl">;

/** What `prepare` found in order. */
export interface Prepared {
  readonly kernel: Kernel;
  readonly url: string;
  readonly plan: Plan;
}

/**
 * Checks and copies what a program is started with.
 * @throws UncopyableError; Error when it is not a file; TypeError for an option that is none.
 */
export function prepare(kernel: Kernel, request: StartRequest, carrierName: string): Prepared {
  const { options, parent, program, starter } = request;
  if (typeof program === "function" || program.kind !== "file") {
    const what = typeof program === "function" || program.kind === "defined" ? "a function" : "a command";
    throw new Error(
      `the ${carrierName} carrier runs files, not ${what}; name one with program("./file.ts", import.meta.url)`,
    );
  }
  const programFile = program.url.startsWith("file:") ? fileURLToPath(program.url) : program.url;
  assertHostOptions(programFile, options);
  const plan: Plan = {
    programFile,
    argv: options.argv ?? [],
    parent: kernel.encode(parent, "parent"),
    lineage: kernel.encode(lineageOf(kernel, parent), "lineage"),
    callers: kernel.encode(options.callers?.slice(0, callersMax), "callers"),
    starter: kernel.encode(starter, "starter"),
    args: kernel.encode(options.args, "args"),
    label: options.label ?? null,
    mailbox: options.mailbox ?? null,
    channel: options.channel ?? null,
  };
  return { kernel, url: program.url, plan };
}

/** One hosted kernel. The carrier calls `carry` once, then `receive` for what arrives and `exited` once at the end. */
export class HostedKernelParent implements Channel {
  readonly kernelId: string;
  /** The program's process. */
  readonly pid: AnyPid;
  readonly #kernel: Kernel;
  readonly #connection: Connection;
  #vehicle: Vehicle | null = null;
  /** Until the boot is sent. */
  #waiting: Signal[] | null = [];
  /** About their bytes. */
  #waitingBytes = 0;
  /** What arrived since the program ended. */
  #held: Signal[] | null = null;
  #goodbye: { readonly announced: boolean; readonly reason: ExitReason } | null = null;
  #stopReason: readonly [ExitReason] | null = null;
  /** Ended by force from here: what others see, and what the program itself ended with. */
  #forced: { readonly cause: unknown; readonly reason?: ExitReason } | null = null;
  #stopWaiting: (() => void) | null = null;
  #gone = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.kernelId = kernel.newChildId();
    this.#connection = kernel.connect(this.kernelId, this);
    this.pid = kernel.mainPidOf(this.kernelId);
  }

  /** Takes charge of `vehicle` and boots it once the program's file is resolved. */
  carry(vehicle: Vehicle, prepared: Prepared, loader: ProgramLoader): void {
    this.#vehicle = vehicle;
    loader.resolve(prepared.url).then(
      (programUrl) => this.#boot({ ...prepared.plan, kernelId: this.kernelId, programUrl }),
      (error: unknown) => this.fail(error, error),
    );
  }

  #boot(boot: Boot): void {
    const waiting = this.#waiting;
    if (waiting === null || this.#vehicle === null) return;
    this.#waiting = null;
    try {
      this.#vehicle.send(["boot", boot]);
    } catch (refused) {
      this.fail(refused, refused);
      return;
    }
    for (const signal of waiting) this.#sendQuietly(signal);
    if (this.hasRoom) this.#connection.room();
  }

  #sendQuietly(signal: Signal): void {
    try {
      this.#vehicle?.send(signal);
    } catch (refused) {
      this.#kernel.platform.log("warning", `a message to ${this.pid} was dropped: ${describeReason(refused)}`);
    }
  }

  /** Until the boot is sent there is room for a window. */
  get hasRoom(): boolean {
    if (this.#gone || this.#forced !== null || this.#goodbye !== null) return true;
    if (this.#waiting !== null) return this.#waitingBytes < windowBytesDefault;
    return this.#vehicle === null || this.#vehicle.hasRoom;
  }

  get state(): ChannelState {
    const state = this.#vehicle?.state ?? boundlessState;
    if (this.#waiting === null) return state;
    return { ...state, waitingCount: this.#waiting.length, waitingBytes: this.#waitingBytes };
  }

  /** The vehicle has room again. */
  room(): void {
    this.#connection.room();
  }

  send(signal: Signal, sizeBytes?: number): void {
    if (this.#gone || this.#forced !== null || this.#goodbye !== null) return;
    if (this.#waiting === null) {
      this.#vehicle?.send(signal, sizeBytes);
      return;
    }
    this.#waiting.push(signal);
    this.#waitingBytes += sizeBytes ?? estimatedBytes(signal);
    const isFull = this.#waiting.length > signalsWaitingMax || this.#waitingBytes > waitingMaxBytesDefault;
    if (isFull) this.fail({ tag: "channelFull", signalsWaitingMax, waitingMaxBytes: waitingMaxBytesDefault });
  }

  condemn(): void {
    this.fail({ tag: "killed" }, "killed");
  }

  /** Ends the carrier by force. `cause` is for the processes on it, `reason` for the program itself. */
  fail(cause: unknown, reason?: ExitReason): void {
    if (this.#gone || this.#forced !== null) return;
    this.#forced = reason === undefined ? { cause } : { cause, reason };
    this.#waiting = null;
    const vehicle = this.#vehicle;
    if (vehicle === null) return;
    vehicle.kill();
    if (this.#gone) return;
    this.#expectExit();
    if (vehicle.killSilences && this.#goodbye === null) {
      this.#deliverHeld();
      this.#lose(cause, reason);
    }
  }

  /** The carrier could not be started at all; reported in a later turn, when whoever spawned has linked and monitored. */
  failToStart(error: unknown): void {
    this.#gone = true;
    this.#kernel.platform.scheduling.microtask(() => this.#lose(error, error));
  }

  /** Something arrived. What is malformed ends the carrier. */
  receive(items: readonly Item[]): void {
    try {
      for (const item of items) this.#receive(item);
    } catch (error) {
      this.fail({ tag: "protocol", description: describeReason(error) });
    }
  }

  #receive(item: Item): void {
    if (this.#gone || this.#goodbye !== null || this.#forced !== null) return;
    switch (item[0]) {
      case "boot":
      case "confirmed":
        throw new Error("a hosted kernel does not boot its parent");
      case "ending":
        this.#held = [];
        return;
      case "stopping":
        this.#stopReason = [this.#kernel.decode(item[1])];
        return;
      case "goodbye":
        this.#goodbye = { announced: item[1], reason: this.#kernel.decode(item[2]) };
        this.#expectExit();
        return;
      default:
        if (this.#held === null) this.#connection.receive(item);
        else this.#held.push(item);
    }
  }

  /** The thread or OS process is gone, and all that it sent was given to `receive`. */
  exited(cause: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#stopWaiting?.();
    const goodbye = this.#goodbye;
    this.#deliverHeld();
    if (goodbye !== null) {
      this.#lose({ tag: "programEnded", reason: goodbye.reason }, goodbye.announced ? "noproc" : goodbye.reason);
    } else if (this.#forced !== null) {
      this.#lose(this.#forced.cause, this.#forced.reason);
    } else if (this.#stopReason !== null && isExpectedOfStopped(cause)) {
      this.#lose(cause, this.#stopReason[0]);
    } else {
      this.#lose(cause);
    }
  }

  #deliverHeld(): void {
    for (const signal of this.#held ?? []) {
      try {
        this.#connection.receive(signal);
      } catch (error) {
        this.#kernel.platform.log("warning", `a signal of ${this.pid} was malformed: ${describeReason(error)}`);
      }
    }
    this.#held = null;
  }

  #lose(cause: unknown, reason?: ExitReason): void {
    this.#waiting = null;
    this.#connection.lost(cause, reason);
  }

  /** Waits for `exited`; then ends by force; then gives up and says so. */
  #expectExit(): void {
    this.#stopWaiting?.();
    const { platform } = this.#kernel;
    this.#stopWaiting = platform.clock.timer(carrierExitMs, () => {
      this.#vehicle?.kill();
      this.#stopWaiting = platform.clock.timer(carrierExitMs, () => {
        platform.log("error", `carrier_stuck: what carried ${this.pid} was ended by force and is still there`, {
          kernelId: this.kernelId,
          waitedMs: 2 * carrierExitMs,
        });
        this.exited({ tag: "carrierStuck" });
      });
    });
  }
}

/** How a script that was asked to stop may end without a word. */
function isExpectedOfStopped(cause: unknown): boolean {
  return isTagged(cause, "exitStatus") || (isTagged(cause, "signal") && cause["name"] === "SIGTERM");
}
