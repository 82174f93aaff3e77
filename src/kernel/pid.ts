/**
 * Pid and ref: the two identities that travel in messages.
 *
 * Guarantees: one process has one `Pid` object per kernel, so `===` compares pids; ids are never given twice
 * (OTP P9). A kernel's id is a path, `0` for the root and `0.2` for the second kernel that it started, so that
 * any pid can be routed without a table of the whole system.
 * Unlike Erlang: a pid is typed by the messages its process takes.
 * Not here: what is done with them (kernel.ts), how they cross a carrier (wire.ts).
 *
 * @module
 */
import type { AnyProcess } from "./process.ts";
import type { PendingReply } from "./request.ts";

/** A process's identity: send, link, monitor and exit take it. `Message` is what the process accepts. */
export class Pid<in Message = never> {
  /** Only for the type checker: makes `Pid<A>` refuse to stand for `Pid<B>`. */
  declare readonly accepts?: (message: Message) => void;

  /** The kernel the process runs in. */
  readonly kernelId: string;
  /** Unique within that kernel. */
  readonly serial: number;
  /** @internal The live process; null once it has ended, and always null for a process of another kernel. */
  process: AnyProcess | null;
  /** @internal Who spawned it; stays when either has ended (ancestry.ts). */
  parent: AnyPid | null;

  constructor(kernelId: string, serial: number, process: AnyProcess | null, parent: AnyPid | null = null) {
    this.kernelId = kernelId;
    this.serial = serial;
    this.process = process;
    this.parent = parent;
  }

  /** `<kernel:serial>`, for people and logs. */
  toString(): string {
    return `<${this.kernelId}:${this.serial}>`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Any pid: for operations that do not care what the process accepts. */
export type AnyPid = Pid<never>;

/**
 * A unique reference: identifies a monitor, a timer or a request. While it is an alias (OTP `alias/0`) messages
 * can be sent to it and reach its owner.
 */
export class Ref {
  readonly kernelId: string;
  readonly serial: number;
  /** The process that made it. */
  readonly owner: AnyPid;
  /** @internal Where a message sent to this ref goes. */
  route: "none" | "mailbox" | "mailbox-once" | "reply" = "none";
  /** @internal Set while somebody awaits the reply. */
  pending: PendingReply | null = null;
  /** @internal The process it watches, while it is a monitor. */
  target: AnyPid | null = null;
  /** @internal The name by which it was asked to watch (OTP N11). */
  targetName: string | null = null;

  constructor(kernelId: string, serial: number, owner: AnyPid) {
    this.kernelId = kernelId;
    this.serial = serial;
    this.owner = owner;
  }

  /** `#kernel:serial`, for people and logs. */
  toString(): string {
    return `#${this.kernelId}:${this.serial}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

// What console.log writes on Node: the text rather than the fields, which lead to the kernel and all that is in it.
for (const { prototype } of [Pid, Ref]) {
  Object.defineProperty(prototype, Symbol.for("nodejs.util.inspect.custom"), { value: prototype.toString });
}
